"""Human motion to try a retargeter with: what people do, and what only a broken source sends.

Every function returns joint positions (T, K, 3) [m] at `RATE` frames a second, the same for the same seed.
"""

import numpy as np

from text2gesture_ros.geometry import Array, Axis, rotation
from text2gesture_ros.skeleton import INDEX, MIRROR, REFERENCE, mirror

RATE = 60.0

_X, _Y, _Z = (Axis(direction) for direction in np.eye(3))
_LEFT_ARM = [INDEX[f"left_{end}"] for end in ("shoulder", "elbow", "wrist", "hand", "thumb")]
_LENGTHS = np.linalg.norm(np.diff(REFERENCE[_LEFT_ARM[:4]], axis=0), axis=-1)
_THUMB = 0.05
# An arm in anatomical angles [rad]: shoulder flexion, abduction, inward turn, elbow flexion. Random
# conversation keeps within: elbows that flex further (up to 130 degrees) than most robots' do, in a quarter
# of all frames, hands that touch the body.
_CONVERSATION = np.array([(-0.3, 1.4), (-0.02, 1.0), (-0.3, 0.9), (0.2, 2.3)])
# The same with arms that cross in front of the body and reach into it, as badly tracked ones do.
_CROSSING = np.array([(-0.3, 1.5), (-0.45, 1.1), (-0.4, 1.5), (0.2, 2.45)])
_HANGING = np.array([0.0, 0.12, 0.2, 0.25])
_HEAD = np.array([(-0.6, 0.6), (-0.3, 0.3)])  # yaw and pitch [rad]


def conversation(seconds: float, seed: int = 0, *, crossing: bool = False) -> Array:
    """Return random conversational movement of both arms and the head: minimum jerk from pose to pose.

    Args:
        seconds: how long.
        seed: the same seed gives the same movement.
        crossing: whether arms cross and reach into the body.
    """
    generator = np.random.default_rng(seed)
    count, ranges = round(seconds * RATE), _CROSSING if crossing else _CONVERSATION
    arms = [_through(_HANGING, ranges, count, generator) for _ in range(2)]
    return body(*arms, _through(np.zeros(2), _HEAD, count, generator))


def wave(seconds: float = 2.0, rate: float = 1.5, swing: float = np.radians(25.0)) -> Array:
    """Return a wave of the right arm: raised within half a second, then the forearm swings.

    Args:
        seconds: how long.
        rate: of the swing [Hz].
        swing: to either side [rad].
    """
    times = np.arange(round(seconds * RATE)) / RATE
    # The upper arm ahead, the forearm up: an elbow of most robots turns outwards no further than that.
    raised = np.array([1.0, 0.5, 0.0, 1.4])
    arm = _HANGING + _ease(times / 0.5)[:, None] * (raised - _HANGING)
    arm[:, 2] += swing * _ease((times - 0.4) / 0.3) * np.sin(2.0 * np.pi * rate * (times - 0.5))
    still = np.tile(_HANGING, (len(times), 1))
    return body(still, arm, np.zeros((len(times), 2)))


def noisy(positions: Array, size: float = 0.003, seed: int = 0) -> Array:
    """Return the motion with white noise of `size` [m] (standard deviation) on every coordinate."""
    generator = np.random.default_rng(seed)
    return np.asarray(positions + generator.normal(0.0, size, np.shape(positions)))


def body(left: Array, right: Array, head: Array) -> Array:
    """Return humans (T, K, 3) with the joints given.

    Args:
        left: (T, 4) left arm: flexion, abduction, inward turn, elbow flexion [rad]; all zero: hanging, palm
            to the body.
        right: (T, 4) right arm, likewise.
        head: (T, 2) yaw to the left and pitch down [rad].
    """
    positions = np.tile(REFERENCE, (len(left), 1, 1))
    other = positions.copy()
    for angles, target in ((left, positions), (right, other)):
        target[:, _LEFT_ARM[1:]] = _arm(angles)
    right_side = [joint for joint, twin in enumerate(MIRROR) if joint > twin]
    positions[:, right_side] = mirror(other)[:, right_side]
    turn = rotation(_Z, head[:, 0]) @ rotation(_Y, head[:, 1])
    nose = REFERENCE[INDEX["nose"]] - REFERENCE[INDEX["head"]]
    positions[:, INDEX["nose"]] = positions[:, INDEX["head"]] + turn @ nose
    return positions


def _arm(angles: Array) -> Array:
    """Return elbow, wrist, hand and thumb (T, 4, 3) of a left arm."""
    flexion, abduction, inward, elbow = angles.T
    down, thumb = np.array([0.0, 0.0, -1.0]), np.array([1.0, 0.0, 0.0])
    upper = rotation(_X, abduction) @ rotation(_Y, -flexion) @ rotation(_Z, -inward)
    lower = upper @ rotation(_Y, -elbow)
    elbows = REFERENCE[_LEFT_ARM[0]] + _LENGTHS[0] * (upper @ down)
    wrists = elbows + _LENGTHS[1] * (lower @ down)
    hands = wrists + _LENGTHS[2] * (lower @ down)
    thumbs = wrists + _THUMB * (lower @ (0.7 * thumb + 0.7 * down))
    return np.stack([elbows, wrists, hands, thumbs], axis=1)


def _through(start: Array, ranges: Array, count: int, generator: np.random.Generator) -> Array:
    """Return (count, D) values that go from one random pose within `ranges` (D, 2) to the next."""
    values, pose = [], start
    while sum(map(len, values)) < count:
        goal = generator.uniform(*ranges.T)
        frames = round(generator.uniform(0.45, 1.2) * RATE)
        values.append(pose + _ease(np.arange(1, frames + 1) / frames)[:, None] * (goal - pose))
        pose = goal
    return np.concatenate(values)[:count]


def _ease(ratio: Array) -> Array:
    """Return minimum jerk from 0 to 1 (Flash and Hogan, 1985)."""
    ratio = np.clip(ratio, 0.0, 1.0)
    return np.asarray(ratio**3 * (10.0 + ratio * (6.0 * ratio - 15.0)))
