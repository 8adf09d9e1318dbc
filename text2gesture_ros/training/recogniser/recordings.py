"""Labelled recordings for training and measuring the recogniser: which file shows which gesture, and when."""

import csv
from dataclasses import dataclass
from pathlib import Path

import yaml

from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.motion.formats import Recording, read_recording
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.training.recogniser.data import NEEDS
from text2gesture_ros.understanding.recogniser import LABELS, OTHER

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Labelled:
    """A recording and what it shows.

    Attributes:
        file: its name.
        source: who made it: the second part of a name such as wave_ms_hello.npz, else its folder.
        label: one of `recogniser.LABELS`.
        recording: the whole of it.
        active: where in it the gesture is [s]; None: not said.
    """

    file: str
    source: str
    label: str
    recording: Recording
    active: tuple[float, float] | None

    @property
    def motion(self) -> Motion:
        """The part of it in which the gesture is, labelled; `other` has no label."""
        motion = self.recording.motion
        start, end = (None, None)
        if self.active is not None:
            start, end = (round(time * motion.frame_rate) for time in self.active)
        gesture = "" if self.label == OTHER else self.label
        return Motion(motion.positions[start:end], motion.frame_rate, gesture)

    @property
    def unseen(self) -> str:
        """Why the gesture cannot be seen in it; empty where it can."""
        lacks = [joint for joint in NEEDS.get(self.label, ()) if joint in self.recording.filled]
        return f"no {' and no '.join(lacks)}" if lacks else ""


def read_recordings(folder: Path, table: Path, part: str) -> list[Labelled]:
    """Return the recordings of one part.

    Args:
        folder: where the files are, however deep; a labels.csv beside them says where the gesture is.
        table: a YAML file: part -> label -> names of files.
        part: one of `PARTS`.

    Raises:
        ConfigurationError: the table is wrong.
        InputError: a file of the part is not there or cannot be read.
    """
    files = read_table(table)[part]
    paths = {path.name: path for path in sorted(folder.rglob("*")) if path.is_file()}
    missing = [file for file in files if file not in paths]
    if missing:
        raise InputError(f"{folder}: no file {missing[0]} in it, which {table} puts into the part {part!r}")
    spans: dict[str, tuple[float, float]] = {}
    for path in sorted(folder.rglob("labels.csv")):
        spans |= _spans(path)
    return [
        Labelled(file, _source(paths[file]), label, read_recording(paths[file]), spans.get(file))
        for file, label in files.items()
    ]


def _spans(path: Path) -> dict[str, tuple[float, float]]:
    """Return where in each file the gesture is [s], as a labels.csv says.

    Its columns are active_start_s and active_end_s, or those that
    `train motion --data` reads, start and end.

    Raises:
        InputError: it cannot be read, lacks a column, or a number is none.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines)
            prefix, suffix = ("active_", "_s") if "active_start_s" in (rows.fieldnames or ()) else ("", "")
            columns = [f"{prefix}{name}{suffix}" for name in ("start", "end")]
            return {
                line["file"]: (float(line[columns[0]]), float(line[columns[1]]))
                for line in rows
                if line[columns[0]] or line[columns[1]]
            }
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{path}: must have columns file, start and end (or active_start_s and active_end_s),"
            f" both in seconds: {error!r}"
        ) from None


def _source(path: Path) -> str:
    parts = path.stem.split("_")
    return parts[1] if parts[0] in LABELS and len(parts) > 1 else path.parent.name


def read_table(path: Path) -> dict[str, dict[str, str]]:
    """Return the label of every file of every part.

    Raises:
        ConfigurationError: it cannot be read, or a part or label is unknown, or a file stands twice.
    """
    try:
        table = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(table, dict) or not set(table) <= set(PARTS):
        raise ConfigurationError(f"{path}: must map parts, of {', '.join(PARTS)}, to labels")
    found: dict[str, dict[str, str]] = {part: {} for part in PARTS}
    for part, labels in table.items():
        if not isinstance(labels, dict) or not set(labels) <= set(LABELS):
            raise ConfigurationError(f"{path}: {part}: must map labels of {', '.join(LABELS)} to files")
        for label, files in labels.items():
            for file in files:
                if any(file in known for known in found.values()):
                    raise ConfigurationError(f"{path}: {file} stands twice")
                found[part][file] = label
    return found
