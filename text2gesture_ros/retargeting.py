"""From human joint positions to robot joint angles.

A robot's arm is no copy of a human's, so what is carried over is the direction of each bone relative to the
torso, the gaze, and, if the robot has a waist, the torso's lean. Most frames have an answer in closed form
(`closed_form`), found for many at once. Where that is not exact, beyond limits, too near to the body or far from
the frame before, a small optimisation goes on from the frame before (`pose`).

Joint positions say nothing of fingers: hands stay as they are at rest.
"""

from functools import lru_cache

import numpy as np

from text2gesture_ros.closed_form import ArmForm, HeadForm, Turns, direction, waist_turns
from text2gesture_ros.collision import Clearance
from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.kinematics import Array, dot, normalise
from text2gesture_ros.pose import PoseSolver
from text2gesture_ros.robot import Robot
from text2gesture_ros.skeleton import INDEX, REFERENCE, FloatArray, check_positions, mirror

MAX_SCALE = 2.0

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
# Frames in which an arm that could not get there does not try again.
_PATIENCE = 30
# Steps from rest to the first frame.
_FIRST_STEPS = 20


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


_NEUTRAL_TORSO = torso_frames(REFERENCE[None])[0]


class _Body:
    """What of a robot does not change while it is driven, shared by all its retargeters."""

    def __init__(self, robot: Robot) -> None:
        self.sides = [side for side in ("left", "right") if f"{side}_arm" in robot.arms]
        self.arms = [ArmForm(robot, side) for side in self.sides]
        self.ends = np.array(
            [
                [INDEX[f"{side}_{end}"] for end in ("shoulder", "elbow", "wrist", "hand", "thumb")]
                for side in self.sides
            ]
        )
        self.head = HeadForm(robot) if robot.head else None
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
        stroke: float = 1.0,
        closed_form: bool = False,
    ) -> None:
        """Make a retargeter that starts at rest.

        Args:
            robot: the robot to drive.
            scale: size of the gesture: 0 stays at rest, 1 is what the human does, at most 2.
            mirror: exchange left and right.
            stroke: what the forearm's direction counts beside the upper arm's where both cannot be had, in
                [0.1, 10]; 1 keeps the sum of their squared errors least.
            closed_form: never optimise, and mind no clearance: for comparison.

        Raises:
            ConfigurationError: the scale or the stroke is out of range.
        """
        if not 0.0 <= scale <= MAX_SCALE:
            raise ConfigurationError(f"scale must be in [0, {MAX_SCALE:g}] but is {scale}")
        if not 0.1 <= stroke <= 10.0:
            raise ConfigurationError(f"stroke must be in [0.1, 10] but is {stroke}")
        self._robot = robot
        self._body = _body(robot)
        self._scale = scale
        self._mirror = mirror
        self._stroke = stroke
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
        self._previous = self._formed = self._robot.rest
        self._first = True
        # Of every arm: how many frames it has been on its way to another solution; below zero, how many it
        # is to wait before it tries again.
        self._astray = [0] * len(self._body.arms)
        self._errors = np.zeros(len(self._body.arms))

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
        goals = self._goals(human @ lean.swapaxes(1, 2))
        formed, seen = self._form(human @ lean.swapaxes(1, 2), lean, goals)
        self._formed = formed[-1]
        angles = formed if self._closed_form else self._solve(formed, seen, goals)
        self._previous = angles[-1]
        return scaled(self._robot, angles, self._scale)

    def _goals(self, human: Array) -> Array:
        """Return directions (A, 4, T, 3) of upper arm, forearm, hand, thumb in the frame arms start from."""
        goals = []
        for arm, ends in zip(self._body.arms, self._body.ends, strict=True):
            shoulder, elbow, wrist, hand, thumb = (human[:, end] for end in ends)
            bones = [direction(elbow - shoulder), direction(wrist - elbow)]
            goals.append([*bones, *arm.hand_goals(hand - wrist, thumb - wrist)])
        return np.asarray(np.array(goals) @ self._body.upright)

    def _form(self, human: Array, lean: Array, goals: Array) -> tuple[Array, Array]:
        """Return the closed form (T, N), and for which frames of an arm (A, T) it holds nothing back."""
        body, before = self._body, self._formed
        angles = np.tile(self._robot.rest, (len(human), 1))
        if body.waist is not None:
            axes = self._robot.axes
            # Where the lean takes forward, left and up, in the base.
            angles[:, body.waist.joints] = body.waist.follow(
                (lean @ axes).swapaxes(0, 1), self._robot.rest[list(body.waist.joints)]
            )
        if body.head is not None:
            gaze = direction(human[:, INDEX["nose"]] - human[:, INDEX["head"]]) @ body.upright
            angles[:, body.head.joints] = body.head.follow(gaze, before)
        seen = np.empty((len(body.arms), len(human)), dtype=bool)
        for index, arm in enumerate(body.arms):
            angles[:, arm.joints], seen[index] = arm.follow(goals[index], before)
        return angles, seen

    def _solve(self, formed: Array, seen: Array, goals: Array) -> Array:
        """Return the angles (T, N): the closed form where it will do, else what the solver makes of it."""
        body, robot = self._body, self._robot
        turns, places = robot.frames(formed)
        goals = np.moveaxis(goals, 2, 0)  # (T, A, 4, 3)
        if robot.waist:
            last = robot.waist.joints[-1]
            goals = goals @ turns[:, None, last].swapaxes(-1, -2)
        missed = body.solver.directions(turns, places)[:, :, :2] - goals[:, :, :2]
        distances = body.clearance.distances(formed)
        clear = np.stack([(distances >= body.margins)[:, c].all(axis=1) for c in body.concerns], axis=1)
        exact = seen.T & (np.abs(missed).max(axis=(2, 3)) < _EXACT)
        good = (exact & clear).tolist()
        angles = formed.copy()
        before = self._previous
        for frame in range(len(formed)):
            near = self._near(formed[frame], before)
            free = [arm for arm in range(len(body.arms)) if not (good[frame][arm] and near[arm])]
            if free:
                angles[frame] = self._solve_frame(formed[frame], before, free, good[frame], goals[frame])
            for arm in range(len(body.arms)):
                if arm not in free:
                    self._astray[arm], self._errors[arm] = 0, 0.0
            before, self._first = angles[frame], False
        return angles

    def _near(self, formed: Array, before: Array) -> list[bool]:
        if self._first:
            return [True] * len(self._body.arms)
        gaps = np.abs(formed - before).tolist()
        return [max([gaps[joint] for joint in arm.joints]) < _JUMP for arm in self._body.arms]

    def _solve_frame(
        self, formed: Array, before: Array, free: list[int], good: list[bool], goals: Array
    ) -> Array:
        body, start, targets = self._body, formed.copy(), {}
        for arm in free:
            joints = body.arms[arm].joints
            start[joints] = before[joints]
            if self._astray[arm] < 0:
                self._astray[arm] += 1
            elif good[arm] and (self._astray[arm] or self._errors[arm] > _POOR):
                targets[arm] = formed[joints]
                self._astray[arm] += 1
            else:
                self._astray[arm] = 0
        steps = {"steps": _FIRST_STEPS} if self._first else {}
        angles, errors = body.solver.solve(start, free, goals, targets, self._stroke, **steps)
        for arm in free:
            self._errors[arm] = errors[arm]
        for arm in targets:
            joints = body.arms[arm].joints
            if np.abs(angles[joints] - before[joints]).max() < 0.01:
                self._astray[arm] = -_PATIENCE
        return angles


def scaled(robot: Robot, angles: Array, scale: float) -> Array:
    """Return the angles (..., N) with their distance from rest times `scale`, within limits."""
    return np.minimum(np.maximum(robot.rest + scale * (angles - robot.rest), robot.lower), robot.upper)
