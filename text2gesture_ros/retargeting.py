"""From human joint positions to robot joint angles, in closed form.

A robot's arm is no copy of a human's, so what is carried over is the direction of each bone relative to the
torso. Every pair of robot joints that moves a bone (head yaw and pitch, the shoulder's two, the elbow's two)
is solved by Paden-Kahan subproblem 2 with the axes and bones of the robot file; then the forearm is rolled so
that the robot's thumb points where the human's does. What a pair cannot reach is clamped and the other joint
solved again.
"""

import math
from dataclasses import dataclass

import numpy as np

from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.kinematics import (
    Array,
    Axis,
    dot,
    normalise,
    rotate,
    turn_onto,
    two_turns_onto,
    wrap,
)
from text2gesture_ros.robot import Chain, Robot
from text2gesture_ros.skeleton import INDEX, REFERENCE, FloatArray, check_positions, mirror

MAX_SCALE = 2.0

# What a far jump costs beside an error of one radian squared: solutions that fit equally are told apart by
# it, and a nearby one is kept while the far one is less than 12 degrees better (0.044 rad^2).
_JUMP_COST = 0.044
# Sine of the angle between a bone and the axis that swings it. Below the first the swing cannot be seen and
# is held; above the second it is followed.
_BLIND = (0.04, 0.15)
# The same for the thumb about the forearm; the hand is short, so its noise is larger.
_BLIND_THUMB = (0.10, 0.30)


def _between(value: Array, bounds: tuple[float, float]) -> Array:
    """Return 0 below, 1 above and a smooth step between the bounds."""
    ratio = np.clip((value - bounds[0]) / (bounds[1] - bounds[0]), 0.0, 1.0)
    return np.asarray(ratio * ratio * (3.0 - 2.0 * ratio))


def torso_frames(positions: Array) -> Array:
    """Return the rotation (T, 3, 3) whose rows are the torso's forward, left and up axes.

    Up is from pelvis to neck, left from right to left shoulder made orthogonal to it. Turned so that the
    torso of `REFERENCE` is the identity: what stands at ease has no lean.

    Args:
        positions: (T, K, 3) joint positions [m].
    """
    up = positions[:, INDEX["neck"]] - positions[:, INDEX["pelvis"]]
    left = positions[:, INDEX["left_shoulder"]] - positions[:, INDEX["right_shoulder"]]
    # A torso without extent tells nothing: take it as upright.
    up = np.where(dot(up, up)[:, None] < 1e-6, np.array([0.0, 0.0, 1.0]), up)
    forward = np.cross(left, up)
    forward = np.where(dot(forward, forward)[:, None] < 1e-8, np.array([1.0, 0.0, 0.0]), forward)
    up, forward = normalise(up), normalise(forward)
    forward = normalise(forward - dot(forward, up)[:, None] * up)
    return np.stack([forward, np.cross(up, forward), up], axis=1)


_NEUTRAL_TORSO = torso_frames(REFERENCE[None])[0]


@dataclass(frozen=True)
class _Pair:
    """Two joints whose axes meet, and the bone they aim; all in the base frame at angle zero.

    Attributes:
        joints: their indices in the robot.
        axes: what they turn about.
        bone: (3,) unit direction of the bone.
        lower: their limits [rad].
        upper: their limits [rad].
    """

    joints: tuple[int, int]
    axes: tuple[Axis, Axis]
    bone: Array
    lower: tuple[float, float]
    upper: tuple[float, float]

    def follow(self, goals: Array, previous: Array) -> Array:
        """Return the angles (T, 2) that aim the bone along `goals` (T, 3), continuing `previous` (2,).

        Where a goal is zero (nothing was seen) the angles before it are held.
        """
        firsts, seconds, errors = (values.T.tolist() for values in self._candidates(goals))
        side = goals @ self.axes[0].cross
        seen = _between(np.sqrt(dot(side, side)), _BLIND).tolist()
        given = (dot(goals, goals) > 0.5).tolist()
        result = []
        first, second = previous.tolist()
        for frame, options in enumerate(zip(firsts, seconds, errors, strict=True)):
            if given[frame]:
                best = min(zip(*options, strict=True), key=lambda option: _cost(option, first, second))
                if seen[frame] < 1.0:
                    first += seen[frame] * (best[0] - first)
                    second = float(self._second(goals[frame], np.asarray(first)))
                else:
                    first, second = best[:2]
            result.append((first, second))
        return np.array(result)

    def turned_back(self, angles: Array, vectors: Array) -> Array:
        """Return `vectors` (..., T, 3) as seen behind the two joints at `angles` (T, 2)."""
        return rotate(self.axes[1], -angles[:, 1], rotate(self.axes[0], -angles[:, 0], vectors))

    def _candidates(self, goals: Array) -> tuple[Array, Array, Array]:
        """Return six ways to aim the bone within limits: both angles and the squared error, each (6, T)."""
        first, second = two_turns_onto(*self.axes, self.bone, goals)
        # Both branches: with the first joint clamped and the second solved for it, and the other way round.
        # In the gap behind its limits the first may wait at either of them: which one is nearer may change
        # with every frame, where it is must not.
        kept_first, kept_second = self._clamp(0, first), self._clamp(1, second)
        at_lower, at_upper = kept_first <= self.lower[0], kept_first >= self.upper[0]
        other_end = np.where(at_lower, self.upper[0], np.where(at_upper, self.lower[0], kept_first))
        kept_first = np.concatenate([kept_first, other_end])
        turned = rotate(self.axes[1], kept_second, self.bone)
        firsts = np.concatenate([kept_first, self._clamp(0, turn_onto(self.axes[0], turned, goals))])
        seconds = np.concatenate([self._second(goals, kept_first), kept_second])
        aimed = rotate(self.axes[0], firsts, rotate(self.axes[1], seconds, self.bone))
        return firsts, seconds, np.arccos(np.clip(dot(aimed, goals), -1.0, 1.0)) ** 2

    def _second(self, goals: Array, first: Array) -> Array:
        """Return the second angle (...) that comes nearest to `goals` (..., 3) when the first is given."""
        return self._clamp(1, turn_onto(self.axes[1], self.bone, rotate(self.axes[0], -first, goals)))

    def _clamp(self, which: int, angles: Array) -> Array:
        lower, upper = self.lower[which], self.upper[which]
        return np.clip(wrap(angles, (lower + upper) / 2.0), lower, upper)


def _cost(option: tuple[float, float, float], first: float, second: float) -> float:
    """Return what aiming so costs: the squared error, and the jump from the angles before."""
    jump = (option[0] - first) ** 2 + (option[1] - second) ** 2
    return option[2] + _JUMP_COST * jump / (1.0 + jump)


def _pair(robot: Robot, chain: Chain, first: int, bone: Array) -> _Pair:
    one, two = chain.joints[first : first + 2]
    axes = chain.zero_axes()
    return _Pair(
        joints=(one, two),
        axes=(Axis(axes[first]), Axis(axes[first + 1])),
        bone=normalise(bone),
        lower=(float(robot.lower[one]), float(robot.lower[two])),
        upper=(float(robot.upper[one]), float(robot.upper[two])),
    )


class _Arm:
    """One arm: a pair for the upper arm, a pair for the forearm, perhaps a joint that rolls the forearm."""

    def __init__(self, robot: Robot, side: str) -> None:
        chain = robot.arms[f"{side}_arm"]
        points = robot.points(np.zeros(len(robot.joint_names)))
        shoulder, elbow, wrist, thumb = (
            points[f"{side}_{end}"] for end in ("shoulder", "elbow", "wrist", "thumb")
        )
        self._upper_arm = _pair(robot, chain, 0, elbow - shoulder)
        self._forearm = _pair(robot, chain, 2, wrist - elbow)
        self._ends = [INDEX[f"{side}_{end}"] for end in ("shoulder", "elbow", "wrist", "thumb")]
        self._roll = chain.joints[4] if len(chain.joints) == 5 else None
        if self._roll is not None:
            self._roll_axis = Axis(chain.zero_axes()[4])
            self._thumb = thumb - wrist
            self._roll_limits = float(robot.lower[self._roll]), float(robot.upper[self._roll])

    def follow(self, positions: Array, previous: Array, result: Array) -> None:
        """Write this arm's angles into `result` (T, N), continuing `previous` (N,).

        `positions` (T, K, 3) are in the torso frame.
        """
        shoulder, elbow, wrist, thumb = (positions[:, end] for end in self._ends)
        upper_arm, forearm = self._upper_arm, self._forearm
        angles = upper_arm.follow(_direction(elbow - shoulder), previous[list(upper_arm.joints)])
        result[:, upper_arm.joints] = angles
        goals = upper_arm.turned_back(
            angles, np.stack([_direction(wrist - elbow), _direction(thumb - wrist)])
        )
        angles = forearm.follow(goals[0], previous[list(forearm.joints)])
        result[:, forearm.joints] = angles
        if self._roll is not None:
            thumbs = forearm.turned_back(angles, goals[1])
            result[:, self._roll] = self._follow_thumb(thumbs, float(previous[self._roll]))

    def _follow_thumb(self, goals: Array, angle: float) -> Array:
        """Return the angles (T,) that turn the thumb towards `goals` (T, 3), continuing `angle`."""
        turns = turn_onto(self._roll_axis, self._thumb, goals).tolist()
        side = goals @ self._roll_axis.cross
        seen = _between(np.sqrt(dot(side, side)), _BLIND_THUMB).tolist()
        lower, upper = self._roll_limits
        result = []
        for turn, weight in zip(turns, seen, strict=True):
            # The nearest of the equal angles: behind its limit the joint waits there instead of going round.
            angle = min(max(angle + weight * math.remainder(turn - angle, math.tau), lower), upper)
            result.append(angle)
        return np.array(result)


def _direction(bones: Array) -> Array:
    """Return unit vectors (..., 3), zero where a bone is too short to have a direction."""
    return np.where(dot(bones, bones)[..., None] < 1e-6, 0.0, normalise(bones))


class Retargeter:
    """Turns human frames into joint angles of one robot, frame after frame.

    Not free of memory: of several solutions it takes the one nearest to the frame before, and holds what
    cannot be seen (the elbow's yaw while the arm is straight).
    """

    def __init__(self, robot: Robot, *, scale: float = 1.0, mirror: bool = False) -> None:
        """Make a retargeter that starts at rest.

        Args:
            robot: the robot to drive.
            scale: size of the gesture: 0 stays at rest, 1 is what the human does, at most 2.
            mirror: exchange left and right.

        Raises:
            ConfigurationError: the scale is outside [0, 2].
        """
        if not 0.0 <= scale <= MAX_SCALE:
            raise ConfigurationError(f"scale must be in [0, {MAX_SCALE:g}] but is {scale}")
        self._robot = robot
        self._scale = scale
        self._mirror = mirror
        nose = REFERENCE[INDEX["nose"]] - REFERENCE[INDEX["head"]]
        self._head = _pair(robot, robot.head, 0, nose)
        self._arms = [_Arm(robot, side) for side in ("left", "right")]
        self._previous = robot.rest

    def __call__(self, positions: FloatArray) -> Array:
        """Return the joint angles (N,) [rad], within limits, for one frame (K, 3) [m].

        Raises:
            InputError: as `motion`.
        """
        return np.asarray(self.motion(np.asarray(positions)[None])[0])

    def motion(self, positions: FloatArray) -> Array:
        """Return the joint angles (T, N) [rad], within limits, for T frames that follow those given before.

        Args:
            positions: (T, K, 3) joint positions [m], pelvis frame.

        Raises:
            InputError: positions are not (T, K, 3), not finite or no human body.
        """
        if np.ndim(positions) != 3:
            raise InputError(f"retargeting: positions must be (T, K, 3) but are {np.shape(positions)}")
        check_positions(positions, "retargeting")
        body = np.asarray(mirror(positions) if self._mirror else positions, dtype=np.float64)
        robot = self._robot
        angles = np.empty((len(body), len(robot.joint_names)))
        if not len(body):
            return angles
        # Rows of the torso frame give coordinates in it; the neutral torso's columns lead back to the pelvis
        # frame.
        turns = _NEUTRAL_TORSO.T @ torso_frames(body)
        body = body @ turns.swapaxes(1, 2)
        gaze = _direction(body[:, INDEX["nose"]] - body[:, INDEX["head"]])
        angles[:, self._head.joints] = self._head.follow(gaze, self._previous[list(self._head.joints)])
        for arm in self._arms:
            arm.follow(body, self._previous, angles)
        self._previous = angles[-1]
        return scaled(robot, angles, self._scale)

    def reset(self) -> None:
        """Forget the frames before: the next one continues from rest."""
        self._previous = self._robot.rest


def scaled(robot: Robot, angles: Array, scale: float) -> Array:
    """Return the angles (..., N) with their distance from rest times `scale`, within limits."""
    return np.minimum(np.maximum(robot.rest + scale * (angles - robot.rest), robot.lower), robot.upper)
