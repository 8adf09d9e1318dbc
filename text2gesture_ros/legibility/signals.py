"""What a viewer sees of a moving body, as numbers over time: how high a hand is, how far a face looks down.

Places of hands are given from the shoulder of their arm, in lengths of that arm (upper arm and forearm), so
that one number holds for every body: hanging at rest a hand is at a height of -1, an elbow of -0.5.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from text2gesture_ros.geometry import Array, dot, normalise
from text2gesture_ros.legibility.body import Arm, Body, pitch_of, yaw_of

ARM_LENGTHS, DEGREES, SPEED, SECONDS = "arm lengths", "degrees", "arm lengths/s", "s"
_BACK = 0.2  # nearer to where it ends a hand is back [arm lengths]
_BACK_GAZE = 5.0  # and a gaze [degrees]
SCALES = MappingProxyType({ARM_LENGTHS: 0.3, DEGREES: 30.0, SPEED: 0.3})
"""What is much in a unit, to weigh one bound against another."""
_SMOOTHING = 0.1  # over which speed is averaged [s]
_UP = np.array([0.0, 0.0, 1.0])
_LEVEL = 0.3  # of a unit vector: one with less to the horizontal points up or down and to no side


def _hand(axis: int) -> Callable[[Body, Arm], Array]:
    return lambda body, arm: np.asarray((arm.hand - arm.shoulder)[:, axis] / arm.length)


def _outward(body: Body, arm: Arm) -> Array:
    return arm.side * _hand(1)(body, arm)


def _over_head(body: Body, arm: Arm) -> Array:
    return np.asarray((arm.hand[:, 2] - body.head[:, 2] - body.head_radius) / arm.length)


def _from_head(body: Body, arm: Arm) -> Array:
    return np.asarray((np.linalg.norm(arm.hand - body.head, axis=-1) - body.head_radius) / arm.length)


def _speed(body: Body, arm: Arm) -> Array:
    return smooth_speed(arm.hand, body.rate) / arm.length


def _elbow_bend(body: Body, arm: Arm) -> Array:
    bones = normalise(arm.elbow - arm.shoulder), normalise(arm.wrist - arm.elbow)
    return np.degrees(np.arccos(np.clip(dot(*bones), -1.0, 1.0)))


def _forearm_slope(body: Body, arm: Arm) -> Array:
    return -pitch_of(normalise(arm.wrist - arm.elbow))


def _thumb_tilt(body: Body, arm: Arm) -> Array:
    along = normalise(arm.hand - arm.wrist)
    up = normalise(_UP - dot(along, _UP)[:, None] * along)
    thumb = arm.thumb - arm.wrist
    outward = arm.side * np.cross(up, along)
    return np.degrees(np.arctan2(dot(thumb, outward), dot(thumb, up)))


def _gaze_off(body: Body, arm: Arm) -> Array:
    pointing = normalise(arm.hand - arm.shoulder)
    off = np.abs(np.remainder(yaw_of(pointing) - yaw_of(body.gaze) + 180.0, 360.0) - 180.0)
    return np.where(np.hypot(pointing[:, 0], pointing[:, 1]) < _LEVEL, 0.0, off)


def _shoulder_lift(body: Body, arm: Arm) -> Array:
    height = (arm.shoulder - body.neck)[:, 2] / arm.length
    return np.asarray(height - height[0])


ARM_SIGNALS: Mapping[str, tuple[str, Callable[[Body, Arm], Array]]] = MappingProxyType(
    {
        # Of the hand from its shoulder: ahead, to its own side, up.
        "hand_ahead": (ARM_LENGTHS, _hand(0)),
        "hand_outward": (ARM_LENGTHS, _outward),
        "hand_height": (ARM_LENGTHS, _hand(2)),
        # Of the hand from the top of the head; from the nearest point of the head.
        "hand_over_head": (ARM_LENGTHS, _over_head),
        "hand_from_head": (ARM_LENGTHS, _from_head),
        "hand_speed": (SPEED, _speed),
        # 0: stretched.
        "elbow_bend": (DEGREES, _elbow_bend),
        # 0: level, 90: upright.
        "forearm_slope": (DEGREES, _forearm_slope),
        # 0: the thumb is uppermost, 90: the palm is up, -90: the palm is down.
        "thumb_tilt": (DEGREES, _thumb_tilt),
        # Between the gaze and where the stretched arm points, both seen from above.
        "gaze_off": (DEGREES, _gaze_off),
        # Of the shoulder, from where it is at first; of robots it is fixed.
        "shoulder_lift": (ARM_LENGTHS, _shoulder_lift),
    }
)
"""Unit and function of what is seen of an arm, by name; the function gives (T,)."""

BODY_SIGNALS: Mapping[str, tuple[str, Callable[[Body], Array]]] = MappingProxyType(
    {
        "gaze_down": (DEGREES, lambda body: pitch_of(body.gaze)),
        "gaze_left": (DEGREES, lambda body: yaw_of(body.gaze)),
    }
)
"""Unit and function of what is seen of the body without its arms, by name; the function gives (T,)."""

UNITS: Mapping[str, str] = MappingProxyType(
    {name: unit for name, (unit, _) in (*ARM_SIGNALS.items(), *BODY_SIGNALS.items())} | {SECONDS: SECONDS}
)
"""Unit of every signal by name, and of time."""


def time_at_rest(body: Body) -> float:
    """Return for how long hands and gaze are where they stay, before the end [s]."""
    away = np.degrees(np.arccos(np.clip(body.gaze @ body.gaze[-1], -1.0, 1.0))) > _BACK_GAZE
    for arm in body.arms.values():
        hand = (arm.hand - arm.shoulder) / arm.length
        away |= np.linalg.norm(hand - hand[-1], axis=-1) > _BACK
    last = int(np.flatnonzero(away).max(initial=-1))
    return (len(away) - 1 - last) / body.rate


def smooth_speed(points: Array, rate: float) -> Array:
    """Return the speed (T,) of a point at (T, 3), `rate` times a second, averaged over a tenth of one."""
    if len(points) < 2:
        return np.zeros(len(points))
    width = min(max(1, round(_SMOOTHING * rate)), len(points))
    speed = np.linalg.norm(np.gradient(points, 1.0 / rate, axis=0), axis=-1)
    padded = np.pad(speed, (width // 2, width - 1 - width // 2), mode="edge")
    return np.convolve(padded, np.full(width, 1.0 / width), mode="valid")


def best_stretch(violations: Array, scales: Sequence[float], count: int) -> slice:
    """Return the `count` samples in a row in which bounds are kept best, or all there are.

    The first bound counts before all others, then how many are kept, then by how little they are missed.

    Args:
        violations: (L, T) by how much each bound is missed, negative where it is kept.
        scales: (L,) what is much in the unit of each.
        count: of samples.
    """
    if violations.shape[1] <= count:
        return slice(0, violations.shape[1])
    windows = np.lib.stride_tricks.sliding_window_view(violations, count, axis=1).max(axis=-1)
    missed = (np.maximum(windows, 0.0) / np.asarray(scales)[:, None]).sum(axis=0)
    kept = windows <= 0.0
    start = int(np.lexsort((missed, -kept.sum(axis=0), ~kept[0]))[0])
    return slice(start, start + count)


def swing_size(values: Array, swings: int, count: int) -> float:
    """Return the largest size for which a signal goes to and fro often enough in a row.

    Turning points are those of a zigzag: what goes back by less than the size is no turn.

    Args:
        values: (T,) the signal.
        swings: movements one way, each at least of that size.
        count: of samples in which all of them must lie.

    Returns:
        The size, in the signal's unit; 0 if it never goes so often.
    """
    low, high = 0.0, float(np.ptp(values)) if len(values) else 0.0
    turning = _extremes(values)
    if not _swings(values, turning, 1e-9 + 1e-6 * high, swings, count):
        return 0.0
    for _ in range(20):  # to a millionth of the range
        middle = (low + high) / 2.0
        enough = _swings(values, turning, middle, swings, count)
        low, high = (middle, high) if enough else (low, middle)
    return low


def _extremes(values: Array) -> list[int]:
    """Return where a signal (T,) turns, with its ends."""
    if len(values) < 2:
        return list(range(len(values)))
    changes = np.flatnonzero(np.diff(values))
    turns = changes[1:][np.diff(np.sign(np.diff(values)[changes])) != 0]
    return [0, *turns.tolist(), len(values) - 1]


def _swings(values: Array, turning: list[int], size: float, swings: int, count: int) -> bool:
    """Return whether `swings` movements one way, each at least of `size`, lie within `count` samples."""
    turns: list[int] = []  # of the zigzag; the last one may still move on
    low = high = turning[0] if turning else 0
    rising = 0
    for at in turning:
        if values[at] > values[high]:
            high = at
        if values[at] < values[low]:
            low = at
        if rising >= 0 and values[high] - values[at] >= size and high < at:
            turns.append(high)
            rising, low, high = -1, at, at
        elif rising <= 0 and values[at] - values[low] >= size and low < at:
            turns.append(low)
            rising, low, high = 1, at, at
    if rising:
        turns.append(high if rising > 0 else low)
    return any(end - start < count for start, end in zip(turns, turns[swings:], strict=False))
