"""Brings a take to the skeleton, frame and rate of this package.

The unit is estimated from the recorded joints, before missing ones are filled in; the heading from hips and
shoulders, as files agree on no horizontal axes.
"""

from dataclasses import dataclass

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.geometry import Array, wrap
from text2gesture_ros.motion.formats.completion import body_size, fill, missing_joints, shortest
from text2gesture_ros.motion.formats.take import Take
from text2gesture_ros.motion.motion import FRAME_RATE
from text2gesture_ros.motion.resampling import close_gaps, longest_gap, resample
from text2gesture_ros.skeleton import BONES, INDEX, JOINTS, bone_lengths, with_bone_lengths

MAX_GAP = 0.25  # gaps up to this are interpolated linearly [s]
MAX_DURATION = 3600.0  # of a take [s]
_HEIGHT = 1.72  # of the reference body [m]
_HEIGHTS = (1.25, 2.2)  # of people [m]; a unit is taken if the body comes out like this
# Lengths of one unit that are in use [m]. CMU: what its ASF files call "length 0.45", in inches.
_UNITS = {
    "metre": 1.0,
    "centimetre": 0.01,
    "millimetre": 0.001,
    "inch": 0.0254,
    "CMU unit (inch / 0.45)": 0.0254 / 0.45,
    "decimetre": 0.1,
}
_MAX_SPEED = 15.0  # faster than any hand: the first frame is a calibration pose [m/s]
_MAX_HAND_VARIATION = 0.5  # of the distance from wrist to hand, as a ratio; beyond, it was guessed (Kinect)
_NOTED_STRETCH = 0.02  # of a bone, as a ratio, above which a note is made
# Ends of limbs, which may be missing: long gaps in them are filled by proportion.
_ENDS = ("nose", "hand", "thumb", "knee", "ankle")


@dataclass(frozen=True, eq=False)
class NormalisedTake:
    """A take on the skeleton of this package, at its frame rate.

    Attributes:
        positions: (T, K, 3) joint positions [m], pelvis frame.
        filled: joints that were filled by proportion.
        notes: what had to be assumed or changed.
    """

    positions: Array
    filled: tuple[str, ...]
    notes: tuple[str, ...]


def normalise_take(take: Take) -> NormalisedTake:
    """Bring a take to the skeleton of this package: metres, pelvis frame, 60 frames per second.

    Raises:
        InputError: joints were unseen for too long, hips and shoulders are missing, it is too long, or no
        unit makes it a body.
    """
    notes = list(take.notes)
    if len(take.positions) / take.frame_rate > MAX_DURATION:
        raise InputError(
            f"{len(take.positions) / take.frame_rate:.0f} s are too long. Allowed: {MAX_DURATION:.0f} s"
        )
    upright = take.positions @ shortest(take.up, np.array([0.0, 0.0, 1.0])).T
    positions, names = _without_gaps(upright, take, notes)
    positions = positions * _unit(positions, names, take.unit, notes)
    positions = _without_calibration(positions, names, take.frame_rate, notes)
    positions = resample(positions, take.frame_rate, FRAME_RATE)
    positions, names = _without_unsteady_ends(positions, names, notes)

    if not any({f"left_{part}", f"right_{part}"} <= set(names) for part in ("hip", "shoulder")):
        raise InputError(
            "neither both hips nor both shoulders are among the joints: which way it looks is unknown"
        )
    body = fill(positions, names)
    body = body - body[:, :1]
    body = body @ yaw_rotation(-heading(body)).T

    lengths = bone_lengths(body)
    typical = np.median(lengths, axis=0)
    spread = np.percentile(np.abs(lengths - typical), 95, axis=0) / np.maximum(typical, 0.02)
    worst = int(spread.argmax())
    if spread[worst] > _NOTED_STRETCH:
        bone = " to ".join(JOINTS[end] for end in BONES[worst])
        notes.append(f"bones stretched, by up to {100 * spread[worst]:.0f} % ({bone}): made constant")
    body = np.asarray(with_bone_lengths(body, typical), dtype=np.float64)
    return NormalisedTake(body, missing_joints(names), tuple(notes))


def heading(positions: Array) -> float:
    """Return the yaw of the body [rad]: the circular median over the clip, from hips and shoulders.

    Args:
        positions: (T, K, 3) joint positions, z up.
    """
    ends = [[INDEX[f"{side}_{part}"] for part in ("hip", "shoulder")] for side in ("left", "right")]
    left = positions[:, ends[0]].sum(axis=1) - positions[:, ends[1]].sum(axis=1)
    yaw = np.arctan2(-left[:, 0], left[:, 1])  # forward is left x up
    mean = float(np.angle(np.exp(1j * yaw).sum()))
    return float(np.median(wrap(yaw, mean)))


def yaw_rotation(yaw: float) -> Array:
    """Return the rotation (3, 3) about z."""
    cosine, sine = np.cos(yaw), np.sin(yaw)
    return np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])


def _without_gaps(positions: Array, take: Take, notes: list[str]) -> tuple[Array, tuple[str, ...]]:
    """Return the positions with short gaps closed, and the joints left: those seen at all."""
    names = take.names
    seen = np.asarray(np.isfinite(positions).all(axis=2))
    if seen.all():
        return positions, names
    kept = []
    for joint, name in enumerate(names):
        gap = longest_gap(seen[:, joint]) / take.frame_rate
        if not seen[:, joint].any() or (gap > MAX_GAP and name.endswith(_ENDS)):
            notes.append(f"{name} was unseen for {gap:.2f} s: filled by proportion")
        elif gap > MAX_GAP:
            raise InputError(f"{name} was unseen for {gap:.2f} s in a row. Allowed: {MAX_GAP} s")
        else:
            if gap > 0.0:
                notes.append(f"{name} was unseen for up to {gap:.2f} s: interpolated")
            kept.append(joint)
    if not kept:
        raise InputError("no joint was ever seen")
    closed = np.stack([close_gaps(positions[:, joint]) for joint in kept], axis=1)
    return closed, tuple(names[joint] for joint in kept)


def _without_unsteady_ends(
    positions: Array, names: tuple[str, ...], notes: list[str]
) -> tuple[Array, tuple[str, ...]]:
    """Return the joints without hands and thumbs whose distance from the wrist varies too much."""
    at = {name: positions[:, index] for index, name in enumerate(names)}
    unsteady = set()
    for name in at:
        wrist = name.split("_")[0] + "_wrist"
        if name.endswith(("hand", "thumb")) and wrist in at:
            length = np.linalg.norm(at[name] - at[wrist], axis=-1)
            typical = np.median(length)
            if np.percentile(np.abs(length - typical), 95) > _MAX_HAND_VARIATION * typical:
                unsteady.add(name)
    if not unsteady:
        return positions, names
    notes.append(f"{', '.join(sorted(unsteady))} unsteady: filled by proportion")
    keep = [index for index, name in enumerate(names) if name not in unsteady]
    return positions[:, keep], tuple(names[index] for index in keep)


def _unit(positions: Array, names: tuple[str, ...], unit: float | None, notes: list[str]) -> float:
    """Return the length of one unit [m]: as the format says, or estimated from the size of the body."""
    if unit is not None:
        return unit
    height = _HEIGHT * body_size(positions, names)
    for name, length in _UNITS.items():
        if _HEIGHTS[0] <= height * length <= _HEIGHTS[1]:
            notes.append(f"unit: {name}; the body is then {height * length:.2f} m tall")
            return length
    notes.append(f"the body is {height:.3g} units tall, as no known unit has it: scaled to {_HEIGHT} m")
    return _HEIGHT / height


def _without_calibration(
    positions: Array, names: tuple[str, ...], frame_rate: float, notes: list[str]
) -> Array:
    """Return the take without a first frame that is a pose for calibration, as CMU's BVH files have."""
    if len(positions) < 3:
        return positions
    relative = positions[:3] - positions[:3].mean(axis=1, keepdims=True)
    first, second = np.linalg.norm(np.diff(relative, axis=0), axis=-1).max(axis=1) * frame_rate
    if first > _MAX_SPEED and first > 5.0 * second:
        notes.append("first frame left out: a pose for calibration, far from the second")
        return positions[1:]
    return positions
