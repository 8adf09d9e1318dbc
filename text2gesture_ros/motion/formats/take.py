"""A take: joint positions as recorded, before normalisation; and reading of text files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.geometry import Array
from text2gesture_ros.resources import read_limited

MAX_VALUE = 1e9  # of a number in a recording; larger ones would overflow later
MAX_BYTES = 256 * 1024 * 1024  # of a file
_MAX_FRAMES = 2_000_000


@dataclass(frozen=True, eq=False)
class Take:
    """Joints of one body over time, in the units and axes of the recording.

    Attributes:
        positions: (T, J, 3) joint positions; NaN where a joint was not seen.
        names: (J,) which joints of the skeleton these are.
        frame_rate: frames per second [Hz].
        up: (3,) unit vector that points upwards.
        unit: length of one unit [m]; None: unknown, to be told from the size of the body.
        unmapped: joints and channels of the recording that are not used.
        notes: what had to be assumed or changed.
        gesture: what the recording says it shows.
        emotion: how it is done.

    Raises:
        InputError: no frames, too many, a frame rate no recording has, or a joint out of this world.
    """

    positions: Array
    names: tuple[str, ...]
    frame_rate: float
    up: Array
    unit: float | None = None
    unmapped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    gesture: str = ""
    emotion: str = ""

    def __post_init__(self) -> None:
        if not 0 < len(self.positions) <= _MAX_FRAMES:
            raise InputError(f"{len(self.positions)} frames. Allowed: 1 to {_MAX_FRAMES}")
        if not 1.0 <= self.frame_rate <= 1000.0:
            raise InputError(f"{self.frame_rate:g} frames per second. Allowed: 1 to 1000")
        if (np.abs(self.positions) > MAX_VALUE).any():
            raise InputError(f"a joint is farther away than {MAX_VALUE:g} units")


def read_bytes(path: Path) -> bytes:
    """Return the content of a recording.

    Raises:
        InputError: it cannot be read, is empty or larger than `MAX_BYTES`.
    """
    data = read_limited(path, MAX_BYTES, InputError)
    if not data:
        raise InputError(f"{path}: empty")
    return data


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file: UTF-8, or else Latin-1, in which older programs write names.

    Raises:
        InputError: it cannot be read, is empty, too large or no text.
    """
    data = read_bytes(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if "\0" in text:
        raise InputError(f"{path}: no text: a zero byte at {text.index(chr(0))}")
    return text.splitlines()


def numbers(words: Sequence[str], where: str, count: int | None = None) -> Array:
    """Return words as numbers of sensible size, (N,).

    Args:
        words: N words.
        where: file and line, for the error.
        count: how many there must be; None: any.

    Raises:
        InputError: one is no such number, or there are fewer or more.
    """
    if count is not None and len(words) != count:
        raise InputError(f"{where}: {len(words)} numbers. Allowed: {count}")
    try:
        values = np.array(words, dtype=np.float64)
    except (ValueError, OverflowError):
        values = np.array([np.nan])
    if not (np.abs(values) <= MAX_VALUE).all():
        raise InputError(f"{where}: {' '.join(words)[:40]!r} are not numbers, all within {MAX_VALUE:g}")
    return values
