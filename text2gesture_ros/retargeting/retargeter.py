"""From human joint positions to robot joint angles.

A robot's arm is no copy of a human's, so what is carried over is the direction of each bone relative to the
torso, the gaze, and, if the robot has a waist, the torso's lean. Most frames have an answer in closed form
(`closed_form`), found for many at once. Where that is not exact, beyond limits, too near to the body or far
from the frame before, a small optimisation goes on from the frame before (`pose`).

Joint positions say nothing of fingers: hands stay as they are at rest, and open as a gesture wants (`hands`).
"""

import math
from functools import lru_cache

import numpy as np

from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.geometry import Array, FloatArray
from text2gesture_ros.retargeting.closed_form import ArmForm, Gaze, across, direction, waist_turns
from text2gesture_ros.retargeting.pose_solver import HAND, PoseSolver
from text2gesture_ros.robots.clearance import Clearance
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.skeleton import INDEX, REFERENCE, check_positions, mirror

MAX_SCALE = 2.0
FOREARM_WEIGHTS = (0.1, 10.0)
"""Least and most that the forearm may count beside the upper arm."""

MARGIN = 0.015
"""Distance that parts of the robot keep from each other [m], or what they keep at rest if that is less."""
# No frame brings two parts nearer than this [m].
_FLOOR = 0.008
# A closed form further than this from the frame before is another solution, not the next frame [rad].
_JUMP = 0.6
# Bones that miss their directions by less are exact [rad].
_EXACT = 1e-3
# A solution that misses by this much gives way to an exact one far away [rad].
_POOR = 0.25
# A frame in so many it is looked for.
_LOOK = 8
# Frames in which an arm that could not get there does not try again.
_PATIENCE = 30
# Steps of the solver in one frame, and in the first, which may be far from rest.
_STEPS = 4
_FIRST_STEPS = 20
# From so many frames at once on the closed form costs less than the solver does.
_MANY = 24
_ENDS = ("shoulder", "elbow", "wrist", "hand", "thumb")
# What goes up the torso, and what to its left.
_TORSO_STARTS = np.array([INDEX["pelvis"], INDEX["right_shoulder"]])
_TORSO_ENDS = np.array([INDEX["neck"], INDEX["left_shoulder"]])


def torso_frames(positions: Array) -> Array:
    """Return the rotation (T, 3, 3) whose rows are the torso's forward, left and up axes.

    Up is from pelvis to neck, left from right to left shoulder made orthogonal to it. Turned so that the
    torso of `REFERENCE` is the identity: what stands at ease has no lean.

    Args:
        positions: (T, K, 3) joint positions [m].
    """
    ends = (positions[:, _TORSO_ENDS] - positions[:, _TORSO_STARTS]).tolist()
    return np.array([_upright(up, left) for up, left in ends])


def _upright(up: list[float], left: list[float]) -> tuple[tuple[float, ...], ...]:
    """Return forward, left and up at right angles, unit vectors along or about these; for few numbers."""
    x, y, z = up
    length = math.sqrt(x * x + y * y + z * z)
    # A torso without extent tells nothing: take it as upright.
    x, y, z = (x / length, y / length, z / length) if length > 1e-3 else (0.0, 0.0, 1.0)
    a, b, c = left
    u, v, w = b * z - c * y, c * x - a * z, a * y - b * x
    length = math.sqrt(u * u + v * v + w * w)
    if length < 1e-4:
        u, v, w = (1.0 - x * x, -x * y, -x * z) if abs(x) < 0.9 else (x * z, y * z, z * z - 1.0)
        length = math.sqrt(u * u + v * v + w * w)
    u, v, w = u / length, v / length, w / length
    return (u, v, w), (y * w - z * v, z * u - x * w, x * v - y * u), (x, y, z)


_NEUTRAL_TORSO = torso_frames(REFERENCE[None])[0]


class _Body:
    """What of a robot does not change while it is driven, shared by all its retargeters."""

    def __init__(self, robot: Robot) -> None:
        self.sides = [side for side in ("left", "right") if f"{side}_arm" in robot.arms]
        self.arms = [ArmForm(robot, side) for side in self.sides]
        names = [[f"{side}_{end}" for end in _ENDS] for side in self.sides]
        shoulder, elbow, wrist, hand, thumb = np.array([[INDEX[name] for name in arm] for arm in names]).T
        # (A, 4): the joints upper arm, forearm, hand and thumb go from and to.
        self.starts = np.stack([shoulder, elbow, wrist, wrist], axis=1)
        self.ends = np.stack([elbow, wrist, hand, thumb], axis=1)
        self.aimed = np.array([[True, True, arm.aims_hand, arm.aims_thumb] for arm in self.arms])[..., None]
        self.head = Gaze(robot.head, robot) if robot.head else None
        self.waist = waist_turns(robot) if robot.waist else None
        self.clearance = Clearance(robot)
        at_rest = self.clearance.distances(robot.rest) - 1e-3
        self.margins = np.minimum(MARGIN, at_rest)
        self.solver = PoseSolver(robot, self.arms, self.clearance, self.margins, np.minimum(_FLOOR, at_rest))
        # From the torso's axes to the frame head and arms start from: that of the last waist joint at zero.
        self.upright = robot.axes
        if robot.waist:
            turns, _ = robot.frames(np.zeros(len(robot.joint_names)))
            self.upright = robot.axes @ turns[robot.waist.joints[-1]]
        # (A, P): which pairs an arm has part in.
        members = [set(robot.groups[f"{side}_arm"]) for side in self.sides]
        joints = [capsule.joint for capsule in robot.capsules]
        self.concerns = np.array(
            [[joints[one] in arm or joints[other] in arm for one, other in robot.pairs] for arm in members],
            dtype=bool,
        ).reshape(len(self.sides), len(robot.pairs))


@lru_cache(maxsize=4)
def _body(robot: Robot) -> _Body:
    return _Body(robot)


class Retargeter:
    """Turns human frames into joint angles of one robot, frame after frame.

    Not free of memory: of several solutions it takes the one nearest to the frame before, and holds what
    cannot be seen (the elbow's yaw while the arm is straight).
    """

    def __init__(
        self,
        robot: Robot,
        *,
        scale: float = 1.0,
        mirror: bool = False,
        forearm_weight: float = 1.0,
        closed_form: bool = False,
    ) -> None:
        """Make a retargeter that starts at rest.

        Args:
            robot: the robot to drive.
            scale: size of the gesture: 0 stays at rest, 1 is what the human does, at most 2.
            mirror: exchange left and right.
            forearm_weight: weight of the forearm's direction relative to the upper arm's where both cannot be
                reached, in [0.1, 10]; 1 minimises the sum of their squared errors.
            closed_form: never optimise, and mind no clearance: for comparison.

        Raises:
            ConfigurationError: the scale or the weight is out of range.
        """
        if not 0.0 <= scale <= MAX_SCALE:
            raise ConfigurationError(f"scale must be in [0, {MAX_SCALE:g}] but is {scale}")
        if not FOREARM_WEIGHTS[0] <= forearm_weight <= FOREARM_WEIGHTS[1]:
            low, high = FOREARM_WEIGHTS
            raise ConfigurationError(f"forearm_weight must be in [{low:g}, {high:g}] but is {forearm_weight}")
        self._robot = robot
        self._body = _body(robot)
        self._scale = scale
        self._mirror = mirror
        # What directions of upper arm, forearm, hand and thumb count.
        self._weights = np.array([1.0, math.sqrt(forearm_weight), HAND, HAND])
        self._closed_form = closed_form
        self.reset()

    def __call__(self, positions: FloatArray) -> Array:
        """Return the joint angles (N,) [rad], within limits, for one frame (K, 3) [m].

        Raises:
            InputError: as `motion`.
        """
        return np.asarray(self.motion(np.asarray(positions)[None])[0])

    def reset(self) -> None:
        """Forget the frames before: the next one continues from rest."""
        self._previous = self._robot.rest
        self._first = True
        # Of every arm: how many frames it has been on its way to another solution; below zero, how many it
        # is to wait before it tries again.
        self._astray = [0] * len(self._body.arms)
        self._errors = [0.0] * len(self._body.arms)
        self._count = 0

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
        if not len(positions):
            return np.empty((0, len(self._robot.joint_names)))
        human = np.asarray(mirror(positions) if self._mirror else positions, dtype=np.float64)
        # Rows of the torso frame give coordinates in it; the neutral torso's columns lead back to the pelvis
        # frame.
        lean = _NEUTRAL_TORSO.T @ torso_frames(human)
        human = human @ lean.swapaxes(1, 2)
        angles = self._trunk(human, lean)
        goals = self._goals(human)
        if self._closed_form:
            self._form(angles, goals)
        else:
            self._solve(angles, goals)
        self._previous = angles[-1]
        return scaled(self._robot, angles, self._scale)

    def _goals(self, human: Array) -> Array:
        """Return directions (T, A, 4, 3) of upper arm, forearm, hand, thumb in the frame arms start from."""
        body = self._body
        goals = direction(human[:, body.ends] - human[:, body.starts])
        along = np.where(body.aimed[:, 2], goals[:, :, 2], goals[:, :, 1])
        goals[:, :, 3] = across(goals[:, :, 3], along)
        return np.asarray((goals * body.aimed) @ body.upright)

    def _trunk(self, human: Array, lean: Array) -> Array:
        """Return angles (T, N) with head and waist where they belong and the rest at rest."""
        body, rest = self._body, self._robot.rest
        angles = np.empty((len(human), len(rest)))
        angles[:] = rest
        if body.waist is not None:
            # Where the lean takes forward, left and up, in the base.
            goals = (lean @ self._robot.axes).swapaxes(0, 1)
            angles[:, body.waist.joints] = body.waist.follow(goals, rest[list(body.waist.joints)])
        if body.head is not None and body.head.joints:
            gaze = direction(human[:, INDEX["nose"]] - human[:, INDEX["head"]]) @ body.upright
            angles[:, body.head.joints] = body.head.follow(gaze, self._previous)
        return angles

    def _form(self, angles: Array, goals: Array) -> Array:
        """Put the arms' closed form into `angles` (T, N); return (T, A) where it holds nothing back."""
        seen = np.empty((len(angles), len(self._body.arms)), dtype=bool)
        for index, arm in enumerate(self._body.arms):
            bones = goals[:, index].swapaxes(0, 1)
            angles[:, arm.joints], seen[:, index] = arm.follow(bones, self._previous)
        return seen

    def _solve(self, angles: Array, goals: Array) -> None:
        """Put the arms into `angles` (T, N): closed form where it will do, else what the solver finds."""
        body, robot = self._body, self._robot
        if robot.waist:
            turns, _ = robot.frames(angles)
            goals_here = goals @ turns[:, None, robot.waist.joints[-1]].swapaxes(-1, -2)
        else:
            goals_here = goals
        arms = range(len(body.arms))
        good = [[False for _ in arms]] * len(angles)
        formed = None
        if len(angles) >= _MANY or self._first:
            formed = angles.copy()
            good = self._good(formed, self._form(formed, goals), goals_here).tolist()
        before = self._previous
        for frame in range(len(angles)):
            # Now and then, is there another solution where this one misses? On the way there, where is it?
            self._count = (self._count + 1) % _LOOK
            look = max(self._astray) > 0 or (self._count == 0 and max(self._errors) > _POOR)
            if formed is None and look:
                one = slice(frame, frame + 1)
                other = angles[one].copy()
                good[frame] = self._good(other, self._form(other, goals[one]), goals_here[one])[0].tolist()
            else:
                other = formed[frame:] if formed is not None else angles[frame:]
            free = [arm for arm in arms if not (good[frame][arm] and self._near(arm, other[0], before))]
            if len(free) < len(arms):
                for arm in set(arms).difference(free):
                    joints = body.arms[arm].joints
                    angles[frame, joints] = other[0, joints]
                    self._astray[arm], self._errors[arm] = 0, 0.0
            if free:
                angles[frame] = self._solve_frame(
                    angles[frame], other[0], before, free, good[frame], goals_here[frame], look
                )
            before, self._first = angles[frame], False

    def _good(self, formed: Array, seen: Array, goals: Array) -> Array:
        """Return (T, A) where the closed form is exact, clear of the body and holds nothing back."""
        body = self._body
        missed = body.solver.directions(*self._robot.frames(formed))[:, :, :2] - goals[:, :, :2]
        clear = body.clearance.distances(formed) >= body.margins
        clear = np.stack([clear[:, pairs].all(axis=1) for pairs in body.concerns], axis=1)
        return np.asarray(clear & seen.astype(bool) & (np.abs(missed).max(axis=(2, 3)) < _EXACT))

    def _near(self, arm: int, formed: Array, before: Array) -> bool:
        joints = self._body.arms[arm].joints
        return self._first or float(np.abs(formed[joints] - before[joints]).max()) < _JUMP

    def _solve_frame(
        self,
        start: Array,
        formed: Array,
        before: Array,
        free: list[int],
        good: list[bool],
        goals: Array,
        look: bool,
    ) -> Array:
        """Return the angles (N,) of a frame whose free arms' joints follow from the frame before."""
        body, targets = self._body, {}
        for arm in free:
            joints = body.arms[arm].joints
            start[joints] = before[joints]
            if self._astray[arm] < 0:
                self._astray[arm] += 1
            elif good[arm] and look and (self._astray[arm] or self._errors[arm] > _POOR):
                targets[arm] = formed[joints]
                self._astray[arm] += 1
            else:
                self._astray[arm] = 0
        steps = _FIRST_STEPS if self._first else _STEPS
        angles, errors = body.solver.solve(start, before, free, goals, targets, self._weights, steps)
        for arm in free:
            self._errors[arm] = float(errors[arm])
        for arm in targets:
            joints = body.arms[arm].joints
            if np.abs(angles[joints] - before[joints]).max() < 0.01:
                self._astray[arm] = -_PATIENCE
        return angles


def scaled(robot: Robot, angles: Array, scale: float) -> Array:
    """Return the angles (..., N) with their distance from rest times `scale`, within limits."""
    return np.minimum(np.maximum(robot.rest + scale * (angles - robot.rest), robot.lower), robot.upper)
