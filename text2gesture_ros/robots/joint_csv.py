"""Robot joint positions over time as CSV: `time,<joint names>`, seconds and radians."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.resources import read_limited

_MAX_FILE_BYTES = 256 * 1024 * 1024


def save_joints(path: Path | str, names: Sequence[str], times: FloatArray, positions: FloatArray) -> None:
    """Write one line per sample, every digit kept: jerk is a third difference, rounding would show in it.

    Args:
        path: the file to write.
        names: the N joints, in the order of the columns.
        times: (T,) [s].
        positions: (T, N) [rad].

    Raises:
        InputError: the file cannot be written.
    """
    table = np.column_stack([times, positions]).astype(np.float64).tolist()
    try:
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["time", *names])
            writer.writerows(table)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None


def load_joints(path: Path | str, names: Sequence[str]) -> tuple[FloatArray, FloatArray]:
    """Read times (T,) [s] and positions (T, N) [rad]; columns are matched to `names` by name.

    Raises:
        InputError: the file cannot be read, a joint is unknown, missing or named twice, a line is too short
            or too long, a value is no finite number, or time does not grow.
    """
    try:
        text = read_limited(path, _MAX_FILE_BYTES, InputError).decode("utf-8")
        reader = csv.reader(io.StringIO(text, newline=""))
        rows, lines = [], []
        for row in reader:
            if row:
                rows.append(row)
                lines.append(reader.line_num)
    except (UnicodeDecodeError, csv.Error):
        raise InputError(
            f"{path}: no CSV text. Needed: the .csv of joint positions that `retarget` writes"
        ) from None
    if not rows:
        raise InputError(f"{path}: empty. Expected the header time,{','.join(names)}")
    header = [name.strip() for name in rows[0]]
    if header[0] != "time":
        raise InputError(f"{path}: first column is {header[0]!r}, expected 'time'")
    unknown = [name for name in header[1:] if name not in names]
    missing = [name for name in names if name not in header]
    if unknown:
        raise InputError(f"{path}: unknown joint {unknown[0]!r}. Known: {', '.join(names)}")
    if missing or len(set(header)) != len(header):
        raise InputError(f"{path}: every joint once, please. Missing: {', '.join(missing) or 'none'}")
    if len(rows) < 2:
        raise InputError(f"{path}: a header but no samples")
    for number, row in zip(lines, rows, strict=True):
        if len(row) != len(header):
            raise InputError(f"{path}, line {number}: {len(row)} values, expected {len(header)}")
    try:
        table = np.array(rows[1:], dtype=np.float64)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    if not np.isfinite(table).all():
        row, column = np.argwhere(~np.isfinite(table))[0]
        raise InputError(
            f"{path}, line {lines[row + 1]}: {header[column]} is {table[row, column]}, not finite"
        )
    if (np.diff(table[:, 0]) <= 0).any():
        late = int(np.argmax(np.diff(table[:, 0]) <= 0))
        raise InputError(f"{path}, line {lines[late + 2]}: time {table[late + 1, 0]} does not grow")
    return table[:, 0], table[:, [header.index(name) for name in names]]
