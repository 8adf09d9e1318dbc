"""Where the package's files (robots, parameters, models) lie, and how files of bounded size are read."""

import os
import stat
import sys
from pathlib import Path

from text2gesture_ros.errors import ConfigurationError, Text2GestureError, did_you_mean

PACKAGE = "text2gesture_ros"
_WILDCARDS = frozenset("*?[")
_LONGEST_NAME = 200  # characters of a path that are quoted in an error


def share_directory() -> Path:
    """Return the directory that holds config/ and models/.

    The source tree comes first, so that an edited file counts at once; then ROS prefixes; then pip's data.

    Raises:
        ConfigurationError: none of the places holds them.
    """
    root = Path(__file__).resolve().parents[1]
    prefixes = [
        Path(prefix) for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix
    ]
    places = [root, *(prefix / "share" / PACKAGE for prefix in [*prefixes, Path(sys.prefix)])]
    for place in places:
        if (place / "config" / "robots").is_dir():
            return place
    raise ConfigurationError(f"no config/robots found. Looked in: {', '.join(map(str, places))}")


def is_file(path: Path) -> bool:
    """Return whether there is a file.

    Raises:
        ConfigurationError: the system cannot say: the name is too long, a directory may not be looked into.
    """
    try:
        return path.is_file()
    except OSError as error:
        raise ConfigurationError(f"cannot look for {_shown(path)!r}: {error.strerror}") from None


def find_robot_file(robot: str) -> Path:
    """Return the YAML file of a robot given by name (`pepper`) or path (`./my_robot.yaml`).

    Raises:
        ConfigurationError: no such file or none that may be seen; the message lists the robots that ship.
    """
    directory = share_directory() / "config" / "robots"
    is_path = robot.endswith((".yaml", ".yml"))
    path = Path(robot) if is_path else directory / f"{robot}.yaml"
    found = is_file(path)
    if is_path and not found:
        raise ConfigurationError(f"{_shown(path)}: no such file")
    if not found or not (is_path or path.parent == directory):
        known = sorted(file.stem for file in directory.glob("*.yaml"))
        raise ConfigurationError(
            f"unknown robot {robot!r}{did_you_mean(robot, known)}. Known: {', '.join(known)}, or a path to a "
            ".yaml file"
        )
    return path


def find_model(model: str) -> Path:
    """Return the directory of a model given by name (`intent`) or path (`./my_model`).

    Raises:
        ConfigurationError: no such directory or none that may be seen; the message lists what ships.
    """
    directory = share_directory() / "models"
    path = directory / model if Path(model).name == model else Path(model)
    if not is_file(path / "config.json"):
        known = sorted(file.parent.name for file in directory.glob("*/config.json"))
        raise ConfigurationError(
            f"no model {model!r} (no {path}/config.json). Known: {', '.join(known) or 'none'}, or a path"
        )
    return path


def check_file(
    path: Path | str,
    limit: int,
    error: type[Text2GestureError] = ConfigurationError,
    *,
    pipe: bool = False,
) -> None:
    """Check that a path is a regular file of at most `limit` bytes.

    Args:
        path: the file.
        limit: maximum size [bytes].
        error: class of the error that is raised.
        pipe: whether a named pipe is allowed, whose size is unknown.

    Raises:
        Text2GestureError: of class `error`: the file is missing, may not be read, is too large, or is a
            directory, a device or a pipe.
    """
    try:
        found = os.stat(path)
    except (OSError, ValueError) as trouble:  # ValueError: a zero byte in the name
        why = f"cannot be read: {getattr(trouble, 'strerror', trouble)}"
        if isinstance(trouble, FileNotFoundError) and _WILDCARDS.intersection(str(path)):
            why = "no file matches"  # or the shell would have put its name there
        raise error(f"{path}: {why}") from None
    # A device may have no end, and a pipe without a writer would block.
    if not (stat.S_ISREG(found.st_mode) or (pipe and stat.S_ISFIFO(found.st_mode))):
        raise error(f"{path}: no file")
    if found.st_size > limit:
        raise error(f"{path}: larger than {_size(limit)}")


def read_limited(
    path: Path | str,
    limit: int,
    error: type[Text2GestureError] = ConfigurationError,
    *,
    pipe: bool = False,
) -> bytes:
    """Return the content of a file of at most `limit` bytes; arguments and errors as `check_file`."""
    check_file(path, limit, error, pipe=pipe)
    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except OSError as trouble:
        raise error(f"{path}: cannot be read: {trouble.strerror}") from None
    if len(data) > limit:
        raise error(f"{path}: larger than {_size(limit)}")
    return data


def _shown(path: Path) -> str:
    """Return a path as it fits into a message."""
    name = str(path)
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."


def _size(limit: int) -> str:
    return f"{limit >> 20} MB" if limit >= 1 << 20 else f"{limit >> 10} kB"
