"""Motion files of this package, and clips in the same form that hold fewer joints."""

from pathlib import Path

import numpy as np

from text2gesture_ros.motion.formats.completion import check_joints
from text2gesture_ros.motion.formats.take import Take
from text2gesture_ros.motion.motion import Motion, load_motion, read_arrays
from text2gesture_ros.skeleton import JOINTS


def read_npz(path: Path) -> Take | Motion:
    """Read .npz: keys positions (T, J, 3) [m, z up], joints (J,), fps, and perhaps label and emotion.

    With all joints it is a motion as it stands; joints that are missing are not an error.

    Raises:
        InputError: it cannot be read, a key is missing, or a joint is unknown.
    """
    arrays = read_arrays(path)
    names = arrays["joints"].tolist()
    if not set(JOINTS) - set(names):
        return load_motion(path)
    check_joints(names)
    return Take(
        positions=arrays["positions"].astype(np.float64),
        names=tuple(names),
        frame_rate=float(arrays["fps"]),
        up=np.array([0.0, 0.0, 1.0]),
        unit=1.0,
        gesture=str(arrays.get("label", "")),
        emotion=str(arrays.get("emotion", "")),
    )
