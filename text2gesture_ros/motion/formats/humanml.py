"""HumanML3D joints: `.npy` (T, 22, 3) at 20 Hz, metres, y up, facing z: SMPL's joints without hands."""

import io
import tokenize
from pathlib import Path

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.motion.formats.take import Take, read_bytes

FRAME_RATE = 20.0
# What NumPy raises at files that are damaged or none of its own.
_UNREADABLE = (
    *(OSError, ValueError, EOFError, TypeError, SyntaxError, OverflowError, MemoryError, RuntimeError),
    tokenize.TokenError,
)
# The joints in the order of the file; those that begin with a dash are not ours.
_JOINTS = (
    *("pelvis", "left_hip", "right_hip", "-spine1", "left_knee", "right_knee", "-spine2"),
    *("left_ankle", "right_ankle", "chest", "-left_foot", "-right_foot", "neck"),
    *("-left_collar", "-right_collar", "head", "left_shoulder", "right_shoulder"),
    *("left_elbow", "right_elbow", "left_wrist", "right_wrist"),
)


def read_joints(path: Path) -> Take:
    """Read an array of HumanML3D joints.

    Raises:
        InputError: it is no array, or not of this shape.
    """
    try:
        array = np.load(io.BytesIO(read_bytes(path)), allow_pickle=False)
    except _UNREADABLE as error:
        raise InputError(f"{path}: no array (.npy): {error}") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu" or array.shape[1:] != (22, 3):
        what = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "an archive"
        hint = " (features, not joints: use new_joints)" if getattr(array, "shape", ())[1:] == (263,) else ""
        raise InputError(f"{path}: {what}{hint}. Allowed: numbers (T, 22, 3), joints as HumanML3D has them")
    return Take(
        positions=array[:, [not name.startswith("-") for name in _JOINTS]].astype(np.float64),
        names=tuple(name for name in _JOINTS if not name.startswith("-")),
        frame_rate=FRAME_RATE,
        up=np.array([0.0, 1.0, 0.0]),
        unit=1.0,
        unmapped=tuple(name[1:] for name in _JOINTS if name.startswith("-")),
    )
