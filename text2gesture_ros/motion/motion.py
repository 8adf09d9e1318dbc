"""Motion: joint positions over time with labels, the exchange format of this package, and its files."""

import io
import lzma
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from text2gesture_ros.errors import InputError
from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.motion.resampling import resample
from text2gesture_ros.resources import read_limited
from text2gesture_ros.skeleton import JOINTS, check_positions, mirror, order_joints

FRAME_RATE = 60.0
_MAX_BYTES = 256 * 1024 * 1024  # of a file, unpacked


# What a file holds: dimensions and kind of each array. Label and emotion may be missing.
_ARRAYS = {
    "positions": (3, "fiu"),
    "joints": (1, "U"),
    "fps": (0, "fiu"),
    "label": (0, "U"),
    "emotion": (0, "U"),
}
# What zipfile, its decompressors and NumPy raise at damaged, encrypted or lying files.
_UNREADABLE = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, OverflowError, MemoryError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, tokenize.TokenError),
)


@dataclass(frozen=True)
class Motion:
    """A clip of human motion.

    Attributes:
        positions: (T, K, 3) joint positions [m], pelvis frame.
        frame_rate: frames per second [Hz].
        gesture: what the clip shows, empty when unknown.
        emotion: how it is done, empty when unknown.

    Raises:
        InputError: positions are no finite (T, K, 3) with T >= 1, or the frame rate is outside [1, 1000].
    """

    positions: FloatArray
    frame_rate: float = FRAME_RATE
    gesture: str = ""
    emotion: str = ""

    def __post_init__(self) -> None:
        positions = np.asarray(self.positions, dtype=np.float32)
        if positions.ndim != 3 or not len(positions):
            raise InputError(
                f"motion: positions must be (T, {len(JOINTS)}, 3) with T >= 1, are {positions.shape}"
            )
        object.__setattr__(self, "positions", check_positions(positions, "motion"))
        check_frame_rate(self.frame_rate, "motion")

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def duration(self) -> float:
        """Time from the first to the end of the last frame [s]."""
        return len(self) / self.frame_rate

    def resampled(self, frame_rate: float) -> "Motion":
        """Return the same motion at another frame rate [Hz], see `resampling.resample`."""
        positions = resample(np.asarray(self.positions, np.float64), self.frame_rate, frame_rate)
        return replace(self, positions=positions, frame_rate=frame_rate)

    def mirrored(self) -> "Motion":
        """Return the motion with left and right exchanged."""
        return replace(self, positions=mirror(self.positions))

    def save(self, path: Path | str) -> None:
        """Write the motion as .npz: positions, joints, fps, label, emotion."""
        np.savez_compressed(
            path,
            positions=self.positions,
            joints=np.array(JOINTS),
            fps=np.float64(self.frame_rate),
            label=np.array(self.gesture),
            emotion=np.array(self.emotion),
        )


def check_frame_rate(frame_rate: float, where: str) -> None:
    """Raise InputError, naming where, unless a frame rate is in [1, 1000] Hz."""
    if not 1.0 <= frame_rate <= 1000.0:
        raise InputError(f"{where}: frame_rate must be in [1, 1000] Hz but is {frame_rate}")


def load_motion(path: Path | str) -> Motion:
    """Read a motion written by `Motion.save`; joints are matched by name.

    Raises:
        InputError: the file cannot be read, is too large, lacks a key or holds no human motion.
    """
    path = Path(path)
    arrays = read_arrays(path, _ARRAYS)
    missing = [key for key in ("positions", "joints", "fps") if key not in arrays]
    if missing:
        raise InputError(f"{path}: keys missing: {', '.join(missing)}. Found: {', '.join(arrays) or 'none'}")
    for key, array in arrays.items():
        dimensions, kinds = _ARRAYS[key]
        if array.ndim != dimensions or array.dtype.kind not in kinds:
            raise InputError(
                f"{path}: {key} must be {'text' if kinds == 'U' else 'numbers'} with {dimensions} dimensions "
                f"but is {array.dtype} {array.shape}"
            )
    names, positions = arrays["joints"].tolist(), arrays["positions"]
    if positions.shape[1:] != (len(names), 3):
        raise InputError(f"{path}: positions {positions.shape} do not fit {len(names)} joints")
    try:
        return Motion(
            positions=positions[:, order_joints(names, "joints")],
            frame_rate=float(arrays["fps"]),
            gesture=str(arrays.get("label", "")),
            emotion=str(arrays.get("emotion", "")),
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def read_arrays(path: Path, keys: Collection[str]) -> dict[str, NDArray[Any]]:
    """Return the arrays of an .npz file that are called as `keys` say, those that are there.

    Raises:
        InputError: it cannot be read, is no archive of arrays, or is too large once unpacked.
    """
    data = read_limited(path, _MAX_BYTES, InputError)
    try:
        if not data.startswith(b"PK"):
            raise zipfile.BadZipFile("not a zip archive")
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            if sum(member.file_size for member in archive.zip.infolist()) > _MAX_BYTES:
                raise InputError(f"{path}: unpacked it is larger than {_MAX_BYTES // 2**20} MB")
            # A member that is no array comes back as its bytes.
            return {key: np.asarray(archive[key]) for key in keys if key in archive}
    except _UNREADABLE as error:
        raise InputError(f"{path}: no motion file (.npz): {error}") from None
