"""The phases of a gesture: preparation, stroke, retraction.

Kendon, Gesture (2004), ch. 7; Kita, van Gijn and van der Hulst (1998).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.skeleton import INDEX

_HANDS = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("wrist", "hand")]
_HEAD = [INDEX["nose"]]
_MIN_HAND_DISTANCE = 0.10  # from rest; of a gesture whose hands stay below it the head counts [m]
_MIN_HEAD_DISTANCE = 0.002  # a motion that stays below it has no phases [m]
# The stroke is where the distance from rest exceeds this share of its maximum; a head swings through.
_HAND_SHARE, _HEAD_SHARE = 0.85, 0.5


@dataclass(frozen=True)
class Phases:
    """When the phases of a clip begin [s]; the preparation at 0.

    Attributes:
        stroke: when the preparation is over and the stroke begins.
        retraction: when the stroke is over and the retraction begins.
        end: when the last frame is seen.
    """

    stroke: float
    retraction: float
    end: float


def find_phases(positions: FloatArray, frame_rate: float) -> Phases:
    """Return the phases of a gesture that begins and ends at rest.

    The stroke begins where the hands first come close to their maximum distance from the first frame, and
    ends where they were last that far from the last frame. Of a gesture without hands the head counts.

    Args:
        positions: (T, K, 3) joint positions [m].
        frame_rate: [Hz].
    """
    last = len(positions) - 1
    joints, share = _HANDS, _HAND_SHARE
    if max(_distance(positions, joints, end).max() for end in (0, last)) < _MIN_HAND_DISTANCE:
        joints, share = _HEAD, _HEAD_SHARE
    away, back = (_distance(positions, joints, end) for end in (0, last))
    if max(away.max(), back.max()) < _MIN_HEAD_DISTANCE:
        return Phases(0.0, last / frame_rate, last / frame_rate)
    stroke = int(np.argmax(away >= share * away.max()))
    retraction = last - int(np.argmax(back[::-1] >= share * back.max()))
    return Phases(stroke / frame_rate, max(stroke, retraction) / frame_rate, last / frame_rate)


def _distance(positions: FloatArray, joints: Sequence[int], frame: int) -> FloatArray:
    """Return the maximum distance of some joints from their positions in one frame, (T,) [m]."""
    moved = positions[:, joints] - positions[frame, joints]
    return np.asarray(np.linalg.norm(moved, axis=-1).max(axis=-1))
