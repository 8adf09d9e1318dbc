"""Many clips in one file: a data set is a few .npz files, not a folder of thousands."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.motion.motion import FRAME_RATE, Motion
from text2gesture_ros.skeleton import JOINTS


def save_clips(path: Path | str, clips: Sequence[Motion]) -> None:
    """Write clips, one after the other, as one compressed .npz.

    It holds `positions` (F, K, 3) of all clips [m], `lengths` (C,) frames of each, `joints`, `fps` [Hz], and
    `labels` and `emotions` of each.

    Raises:
        InputError: there are no clips, or one has another frame rate than `FRAME_RATE`.
    """
    if not clips:
        raise InputError(f"{path}: no clips to write")
    other = next((clip.frame_rate for clip in clips if clip.frame_rate != FRAME_RATE), None)
    if other is not None:
        raise InputError(f"{path}: clips must have {FRAME_RATE} Hz but one has {other}")
    np.savez_compressed(
        path,
        positions=np.concatenate([clip.positions for clip in clips]),
        lengths=np.array([len(clip) for clip in clips]),
        joints=np.array(JOINTS),
        fps=np.float64(FRAME_RATE),
        labels=np.array([clip.gesture for clip in clips]),
        emotions=np.array([clip.emotion for clip in clips]),
    )
