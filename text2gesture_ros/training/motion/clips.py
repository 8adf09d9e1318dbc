"""Which clips a motion model learns from, and by which it is judged: the studio's, and people's own."""

import logging
from collections.abc import Sequence
from pathlib import Path

from text2gesture_ros.errors import InputError
from text2gesture_ros.labels import GESTURES
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.training.motion.config import MotionTrainingConfig
from text2gesture_ros.training.motion.data import split
from text2gesture_ros.training.motion.recordings import load_recordings, missing_gestures
from text2gesture_ros.training.studio.synthesis import parts

_LOG = logging.getLogger(__name__)
_FEWEST_JUDGES = 4  # clips of a gesture to judge by: two of each half, of which one stands for a model


def longest(frames: int) -> int:
    """Return the most frames of a clip for a model of so many: none fills all, each is to show a stop."""
    return frames - max(1, frames // 16)


def sources(config: MotionTrainingConfig) -> tuple[list[Motion], list[str]]:
    """Return the recordings of one's own, and the gestures whose clips the studio makes.

    Raises:
        InputError: recordings cannot be used: which and why.
    """
    own = load_recordings(config.data, longest(config.frames)) if config.data else []
    missing = missing_gestures(own)
    if own and missing and config.studio == "none":
        raise InputError(
            f"{', '.join(config.data)}: no clips of {', '.join(missing)}."
            " The studio's are taken where studio is 'missing' (--studio missing)"
        )
    wanted = {"all": list(GESTURES), "missing": missing, "none": list[str]()}[config.studio]
    if wanted and own and missing:
        _LOG.info("from the studio alone: %s", ", ".join(missing))
    return own, wanted


def motion_clips(config: MotionTrainingConfig) -> tuple[list[Motion], list[Motion]]:
    """Return the clips to train on and those held out: the studio's, recordings of one's own, or both.

    Raises:
        InputError: recordings cannot be used: which and why.
    """
    own, wanted = sources(config)
    training, held_out = split(own, config.held_out_share)
    made = parts(
        config.seed, config.clips_per_gesture, config.held_out_share, config.candid_share, gestures=wanted
    )
    return training + made[0], held_out + made[1]


def judging_clips(
    folders: Sequence[Path], frames: int, trained_on: Sequence[str], held_out_share: float
) -> tuple[list[Motion], list[str]]:
    """Return recordings to judge a model by, as many in either half of each gesture, and notes.

    Args:
        folders: of recordings.
        frames: the model's longest clip.
        trained_on: names of the folders it was trained on. Of a folder of such a name those clips count that
            were held out.
        held_out_share: part of them that was.

    Raises:
        InputError: recordings cannot be used, or there are too few.
    """
    clips, notes = [], []
    for folder in folders:
        found = load_recordings([folder], longest(frames))
        if folder.resolve().name in trained_on:
            found = split(found, held_out_share)[1]
            notes.append(f"{folder}: the model was trained on it: the {len(found)} clips held out count")
        clips += found
    kept = []
    for gesture in GESTURES:
        own = [clip for clip in clips if clip.gesture == gesture]
        if len(own) >= _FEWEST_JUDGES:
            kept += own[: len(own) // 2 * 2]
        elif own:
            notes.append(f"{gesture}: {len(own)} clips, left out: {_FEWEST_JUDGES} are needed")
    if not kept:
        raise InputError(
            f"{', '.join(map(str, folders))}: too few clips to judge by. Allowed: {_FEWEST_JUDGES} or more"
            f" of a gesture, not trained on. {' '.join(notes)}"
        )
    return kept, notes
