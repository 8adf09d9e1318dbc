"""Labelled clips from folders of recordings."""

import csv
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from text2gesture_ros.errors import InputError
from text2gesture_ros.generation.generator import MIN_DURATION
from text2gesture_ros.labels import GESTURES, NEUTRAL, check_label
from text2gesture_ros.motion.formats import FORMATS, read_recording
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.training.pace import paced

LABELS_FILE = "labels.csv"
LEAST_CLIPS = 2  # of a gesture: a triplet needs two that are alike
_COLUMNS = ("file", "gesture")
_MORE_COLUMNS = ("emotion", "start", "end")

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """A segment of a recording that shows a gesture.

    Attributes:
        path: the file.
        where: what to name in an error: file, or file and line of labels.csv.
        gesture: label; empty: what the file says.
        emotion: label; empty: what the file says, else neutral.
        start: where it begins [s].
        end: where it ends [s]; None: with the file.
    """

    path: Path
    where: str
    gesture: str = ""
    emotion: str = ""
    start: float = 0.0
    end: float | None = None


def load_recordings(folders: Sequence[str | Path], longest: int) -> list[Motion]:
    """Return the clips of folders, 60 frames per second, each with gesture and emotion.

    A folder with a labels.csv (columns file, gesture and, if wanted, emotion, start and end in seconds) has
    the clips that are named there. In any other folder every importable file is a clip; its gesture is what
    the file itself says or else the name of the folder it lies in. Without any emotion it is neutral.

    Args:
        folders: where the recordings are.
        longest: clips of more frames are cut into windows of one length.

    Raises:
        InputError: a folder or file cannot be read, a label is unknown or missing, or a gesture has too few
            clips; the message names file and line.
    """
    clips = [
        clip
        for entry in paced(check_recordings(folders), "recordings")
        for clip in _windows(_read(entry), longest, entry.where)
    ]
    counts = Counter(clip.gesture for clip in clips)
    for gesture, count in counts.items():
        if count < LEAST_CLIPS:
            raise InputError(
                f"{', '.join(map(str, folders))}: gesture {gesture!r} has {count} clip,"
                f" at least {LEAST_CLIPS} are needed"
            )
    _LOG.info("recordings: %s", ", ".join(f"{name} {counts[name]}" for name in GESTURES if counts[name]))
    return clips


def check_recordings(folders: Sequence[str | Path]) -> list[Entry]:
    """Return what folders of recordings hold; it takes no time, nothing of them is read but labels.csv.

    Raises:
        InputError: as `load_recordings`, as far as it can be told by names.
    """
    entries = [entry for folder in folders for entry in _entries(Path(folder))]
    for entry in entries:
        if not entry.path.is_file():
            raise InputError(f"{entry.where}: {entry.path}: no such file")
        # A clip of this package says itself what it shows.
        if not entry.gesture and entry.path.suffix.lower() != ".npz":
            _check_named(entry.path.parent.name, entry.where)
    return entries


def missing_gestures(clips: Sequence[Motion]) -> list[str]:
    """Return the gestures that no clip shows."""
    shown = {clip.gesture for clip in clips}
    return [gesture for gesture in GESTURES if gesture not in shown]


def _entries(folder: Path) -> Iterator[Entry]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of recordings")
    if (folder / LABELS_FILE).is_file():
        yield from _listed(folder)
        return
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in FORMATS and p.is_file())
    if not files:
        raise InputError(f"{folder}: no recordings. Known formats: {', '.join(FORMATS)}")
    for path in files:
        yield Entry(path, str(path))


def _listed(folder: Path) -> Iterator[Entry]:
    """Yield what labels.csv lists."""
    file = folder / LABELS_FILE
    try:
        rows = list(csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines(), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file}: cannot be read: {error}") from None
    columns = list(rows[0]) if rows else []
    unknown = [name for name in columns if name not in (*_COLUMNS, *_MORE_COLUMNS)]
    if unknown or not set(_COLUMNS) <= set(columns):
        raise InputError(
            f"{file}: needs a line of columns {', '.join(_COLUMNS)} and perhaps {', '.join(_MORE_COLUMNS)},"
            f" and a line for each clip; found columns {', '.join(map(str, columns)) or 'none'}"
        )
    for line, row in enumerate(rows, 2):
        where = f"{file}, line {line}"
        values = {name: (value or "").strip() for name, value in row.items() if name is not None}
        try:
            start, end = (float(values[name]) if values.get(name) else None for name in ("start", "end"))
        except ValueError:
            raise InputError(f"{where}: start and end must be seconds") from None
        if not values["file"]:
            raise InputError(f"{where}: file is empty")
        _check(values["gesture"], where)
        yield Entry(
            folder / values["file"], where, values["gesture"], values.get("emotion", ""), start or 0.0, end
        )


def _read(entry: Entry) -> Motion:
    """Return the clip of an entry with its labels."""
    try:
        motion = read_recording(entry.path, start=entry.start, end=entry.end).motion
    except InputError as error:
        raise InputError(
            f"{entry.where}: {error}" if str(entry.path) != entry.where else str(error)
        ) from None
    if motion.duration < MIN_DURATION:
        raise InputError(f"{entry.where}: {motion.duration:.2f} s, at least {MIN_DURATION} s are needed")
    gesture = entry.gesture or motion.gesture
    if not gesture:
        gesture = entry.path.parent.name
        _check_named(gesture, entry.where)
    emotion = entry.emotion or motion.emotion or NEUTRAL
    _check(gesture, entry.where)
    try:
        check_label("emotion", emotion)
    except InputError as error:
        raise InputError(f"{entry.where}: {error}") from None
    return replace(motion, gesture=gesture, emotion=emotion)


def _check(gesture: str, where: str) -> None:
    try:
        check_label("gesture", gesture)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _check_named(folder: str, where: str) -> None:
    """Refuse a recording of which nothing says what it shows; its folder's name might."""
    if folder not in GESTURES:
        raise InputError(
            f"{where}: nothing says which gesture it shows. Ways to say it: clips that say it themselves"
            f" (text2gesture import {where} --label GESTURE -o DIR); a folder named by the gesture, not"
            f" {folder!r}; or {LABELS_FILE} in the folder given, with columns {', '.join(_COLUMNS)}"
            f" (and {', '.join(_MORE_COLUMNS)}). Gestures: {', '.join(GESTURES)}"
        )


def _windows(clip: Motion, longest: int, where: str) -> list[Motion]:
    """Return the clip cut into the fewest windows of equal length that are short enough."""
    count = -(-len(clip) // longest)
    if count > 1:
        _LOG.warning("%s: %.1f s, cut into %d clips", where, clip.duration, count)
    edges = [round(index * len(clip) / count) for index in range(count + 1)]
    return [replace(clip, positions=clip.positions[first:last]) for first, last in pairwise(edges)]
