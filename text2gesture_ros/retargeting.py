"""From human joint positions to robot joint angles, in closed form.

A robot's arm is no copy of a human's, so what is carried over is the direction of each bone relative to the
torso. Every pair of robot joints that moves a bone (head yaw and pitch, the shoulder's two, the elbow's two)
is solved by Paden-Kahan subproblem 2 with the axes and bones of the robot file; then the forearm is rolled so
that the robot's thumb points where the human's does. What a pair cannot reach is clamped and the other joint
solved again.
"""

from dataclasses import dataclass

import numpy as np

from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.kinematics import (
    Array,
    cross,
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
    forward = cross(left, up)
    forward = np.where(dot(forward, forward)[:, None] < 1e-8, np.array([1.0, 0.0, 0.0]), forward)
    up, forward = normalise(up), normalise(forward)
    forward = normalise(forward - dot(forward, up)[:, None] * up)
    return np.stack([forward, cross(up, forward), up], axis=1)


_NEUTRAL_TORSO = torso_frames(REFERENCE[None])[0]


@dataclass(frozen=True)
class _Pair:
    """Two joints whose axes meet, and the bone they aim; all in the base frame at angle zero.

    Attributes:
        joints: their indices in the robot.
        axes: (2, 3) unit axes.
        bone: (3,) unit direction of the bone.
        lower: (2,) limits [rad].
        upper: (2,) limits [rad].
    """

    joints: tuple[int, int]
    axes: Array
    bone: Array
    lower: Array
    upper: Array

    def follow(self, goals: Array, previous: Array) -> Array:
        """Return the angles (T, 2) that aim the bone along `goals` (T, 3), continuing `previous` (2,).

        Where a goal is zero (nothing was seen) the angles before it are held.
        """
        candidates, errors = self._candidates(goals)
        side = np.sqrt(dot(*(2 * [cross(np.broadcast_to(self.axes[0], goals.shape), goals)])))
        seen = _between(side, _BLIND)
        given = dot(goals, goals) > 0.5
        result = np.empty((len(goals), 2))
        for frame in range(len(goals)):
            if given[frame]:
                options = candidates[:, frame]
                jumps = ((options - previous) ** 2).sum(-1)
                best = options[np.argmin(errors[:, frame] + _JUMP_COST * jumps / (1.0 + jumps))]
                if seen[frame] < 1.0:
                    swing = previous[0] + seen[frame] * (best[0] - previous[0])
                    best = np.array([swing, self._second(goals[frame], np.asarray(swing))])
                previous = best
            result[frame] = previous
        return result

    def turned_back(self, angles: Array, vectors: Array) -> Array:
        """Return `vectors` (T, 3) as seen behind the two joints at `angles` (T, 2)."""
        return rotate(self.axes[1], -angles[:, 1], rotate(self.axes[0], -angles[:, 0], vectors))

    def _candidates(self, goals: Array) -> tuple[Array, Array]:
        """Return four ways to aim the bone within limits, (4, T, 2), and their squared errors (4, T)."""
        first, second = two_turns_onto(self.axes[0], self.axes[1], self.bone, goals)
        # Both branches, once with the first joint clamped and the second solved for it, once the other way
        # round.
        kept_first = self._clamp(0, first)
        kept_second = self._clamp(1, second)
        solved_first = self._clamp(
            0, turn_onto(self.axes[0], rotate(self.axes[1], kept_second, self.bone), goals)
        )
        solved_second = self._second(goals, kept_first)
        candidates = np.concatenate(
            [np.stack([kept_first, solved_second], axis=-1), np.stack([solved_first, kept_second], axis=-1)]
        )
        aimed = rotate(self.axes[0], candidates[..., 0], rotate(self.axes[1], candidates[..., 1], self.bone))
        return candidates, np.arccos(np.clip(dot(aimed, goals), -1.0, 1.0)) ** 2

    def _second(self, goals: Array, first: Array) -> Array:
        """Return the second angle (...) that comes nearest to `goals` (..., 3) when the first is given."""
        goals = rotate(self.axes[0], -first, goals)
        return self._clamp(1, turn_onto(self.axes[1], np.broadcast_to(self.bone, goals.shape), goals))

    def _clamp(self, which: int, angles: Array) -> Array:
        lower, upper = self.lower[which], self.upper[which]
        return np.clip(wrap(angles, (lower + upper) / 2.0), lower, upper)


def _pair(robot: Robot, chain: Chain, first: int, bone: Array) -> _Pair:
    joints = (chain.joints[first], chain.joints[first + 1])
    return _Pair(
        joints=joints,
        axes=chain.zero_axes()[first : first + 2],
        bone=normalise(bone),
        lower=robot.lower[list(joints)],
        upper=robot.upper[list(joints)],
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
            self._roll_axis = chain.zero_axes()[4]
            self._thumb = thumb - wrist
            self._roll_limits = robot.lower[self._roll], robot.upper[self._roll]

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

    def _follow_thumb(self, goals: Array, previous: float) -> Array:
        axis = np.broadcast_to(self._roll_axis, goals.shape)
        turns = turn_onto(self._roll_axis, np.broadcast_to(self._thumb, goals.shape), goals)
        side = cross(axis, goals)
        seen = _between(np.sqrt(dot(side, side)), _BLIND_THUMB)
        result = np.empty(len(goals))
        for frame in range(len(goals)):
            # The nearest of the equal angles: behind its limit the joint waits there instead of going round.
            turn = float(wrap(turns[frame], previous))
            previous = float(np.clip(previous + seen[frame] * (turn - previous), *self._roll_limits))
            result[frame] = previous
        return result


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
    return np.clip(robot.rest + scale * (angles - robot.rest), robot.lower, robot.upper)
