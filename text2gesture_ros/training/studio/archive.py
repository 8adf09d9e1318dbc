"""Many clips in one file: a data set is a few .npz files, not a folder of thousands."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.motion.motion import FRAME_RATE, Motion
from text2gesture_ros.skeleton import JOINTS, order_joints

_KEYS = ("positions", "lengths", "joints", "fps", "labels", "emotions")


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


def load_clips(path: Path | str) -> list[Motion]:
    """Read what `save_clips` wrote.

    Raises:
        InputError: the file cannot be read or does not hold clips.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [key for key in _KEYS if key not in file]
            if missing:
                raise InputError(f"{path}: keys missing: {', '.join(missing)}")
            positions, lengths, joints, fps, labels, emotions = (file[key] for key in _KEYS)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: cannot be read as clips: {error}") from None
    if not (len(lengths) == len(labels) == len(emotions) and int(lengths.sum()) == len(positions)):
        raise InputError(
            f"{path}: {len(positions)} frames and {len(labels)} labels do not fit {len(lengths)} lengths"
        )
    order = order_joints(joints.tolist(), str(path))
    pieces = np.split(positions[:, order], np.cumsum(lengths)[:-1])
    return [
        Motion(piece, float(fps), str(label), str(emotion))
        for piece, label, emotion in zip(pieces, labels, emotions, strict=True)
    ]
