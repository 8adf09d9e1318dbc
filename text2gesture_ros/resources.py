"""Where the package's files (robots, parameters, models) lie: in the source tree or installed."""

import os
import sys
from pathlib import Path

from text2gesture_ros.errors import ConfigurationError

PACKAGE = "text2gesture_ros"
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
        name = str(path)
        shown = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."
        raise ConfigurationError(f"cannot look for {shown!r}: {error.strerror}") from None


def find_robot_file(robot: str) -> Path:
    """Return the YAML file of a robot given by name (`pepper`) or path (`./my_robot.yaml`).

    Raises:
        ConfigurationError: no such file or none that may be seen; the message lists the robots that ship.
    """
    directory = share_directory() / "config" / "robots"
    is_path = robot.endswith((".yaml", ".yml"))
    path = Path(robot) if is_path else directory / f"{robot}.yaml"
    if not is_file(path) or not (is_path or path.parent == directory):
        known = sorted(file.stem for file in directory.glob("*.yaml"))
        raise ConfigurationError(
            f"unknown robot {robot!r}. Known: {', '.join(known)}, or a path to a .yaml file"
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
