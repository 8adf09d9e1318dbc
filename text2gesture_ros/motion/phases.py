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


_REACH = 0.10  # hands that come no further from rest than this make no gesture [m]


_STILL = 0.002  # nothing that moves less is a gesture at all [m]


# The stroke is where hands are at least so far from rest, as a share of the furthest. A head swings through.
_RAISED, _TURNED = 0.85, 0.5


@dataclass(frozen=True)
class Phases:
    """When the phases of a clip begin [s]; the first at 0.

    Attributes:
        stroke: the preparation is over.
        retraction: the stroke is over.
        end: the last frame.
    """

    stroke: float
    retraction: float
    end: float


def find_phases(positions: FloatArray, frame_rate: float) -> Phases:
    """Return the phases of a gesture that begins and ends at rest.

    The stroke is reached where the hands first come near to where they are furthest from their first
    position, and over where they were last that far from their last one. Of a gesture without hands the head
    counts.

    Args:
        positions: (T, K, 3) joint positions [m].
        frame_rate: [Hz].
    """
    last = len(positions) - 1
    joints, share = _HANDS, _RAISED
    if max(_distance(positions, joints, end).max() for end in (0, last)) < _REACH:
        joints, share = _HEAD, _TURNED
    away, back = (_distance(positions, joints, end) for end in (0, last))
    if max(away.max(), back.max()) < _STILL:
        return Phases(0.0, last / frame_rate, last / frame_rate)
    stroke = int(np.argmax(away >= share * away.max()))
    retraction = last - int(np.argmax(back[::-1] >= share * back.max()))
    return Phases(stroke / frame_rate, max(stroke, retraction) / frame_rate, last / frame_rate)


def _distance(positions: FloatArray, joints: Sequence[int], frame: int) -> FloatArray:
    """Return how far the furthest of some joints is from where it is in one frame, (T,) [m]."""
    moved = positions[:, joints] - positions[frame, joints]
    return np.asarray(np.linalg.norm(moved, axis=-1).max(axis=-1))
