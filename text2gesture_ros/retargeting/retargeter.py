"""From human joint positions to robot joint angles.

A robot's arm has other proportions than a human's, so the direction of each bone relative to the torso is
retargeted, the gaze, and, if the robot has a waist, the torso's lean. Most frames have an exact solution in
closed form (`closed_form`), found for many at once. Where there is none - at limits, too near to the body, or
far from the previous frame - a small optimisation starts from the previous frame (`pose_solver`).

Joint positions do not include fingers: hands stay as at rest, and open as the clause says (`hands`).
"""

import math
from functools import lru_cache

import numpy as np

from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.geometry import Array, BoolArray, FloatArray
from text2gesture_ros.retargeting.closed_form import (
    ArmClosedForm,
    HeadClosedForm,
    orthogonal_component,
    unit_vectors,
    waist_series,
)
from text2gesture_ros.retargeting.pose_solver import HAND_WEIGHT, PoseSolver
from text2gesture_ros.robots.clearance import Clearance
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.skeleton import INDEX, REFERENCE, check_positions, mirror

MAX_SCALE = 2.0
FOREARM_WEIGHTS = (0.1, 10.0)
"""Minimum and maximum weight of the forearm's direction relative to the upper arm's."""

PREFERRED_CLEARANCE = 0.015
"""Distance between parts of the robot that poses aim for [m]; their distance at rest if that is less."""
# Distance that no frame goes below [m]; the distance at rest if that is less.
_MIN_CLEARANCE = 0.008
# A closed-form solution with a joint further than this from the previous frame is on another branch [rad].
_BRANCH_DISTANCE = 0.6
# A solution is exact if no component of a bone's unit direction is further than this from its goal.
_EXACT = 1e-3
# With a larger direction error the arm switches to a branch that is exact, if there is one [rad].
_SWITCH_ERROR = 0.25
# Number of frames between two searches for such a branch.
_BRANCH_CHECK_INTERVAL = 8
# Number of frames without another switch after one that was blocked.
_SWITCH_COOLDOWN_FRAMES = 30
# A switch is blocked if no joint moves by more than this in a frame [rad].
_BLOCKED = 0.01
# Maximum number of solver steps per frame, and in the first frame, which may be far from rest.
_STEPS = 4
_FIRST_STEPS = 20
# From this number of frames on, trying the closed form for all at once is faster than the solver.
_BATCH_THRESHOLD = 24
_ENDS = ("shoulder", "elbow", "wrist", "hand", "thumb")
# Starts and ends of the torso's upward and leftward vectors.
_TORSO_STARTS = np.array([INDEX["pelvis"], INDEX["right_shoulder"]])
_TORSO_ENDS = np.array([INDEX["neck"], INDEX["left_shoulder"]])


def torso_frames(positions: Array) -> Array:
    """Return the rotation (T, 3, 3) whose rows are the torso's forward, left and up axes.

    Up is from pelvis to neck, left from right to left shoulder made orthogonal to it. Turned so that the
    torso of `REFERENCE` is the identity: standing at ease there is no lean.

    Args:
        positions: (T, K, 3) joint positions [m].
    """
    ends = (positions[:, _TORSO_ENDS] - positions[:, _TORSO_STARTS]).tolist()
    return np.array([_upright(up, left) for up, left in ends])


def _upright(up: list[float], left: list[float]) -> tuple[tuple[float, ...], ...]:
    """Return orthonormal forward, left and up axes, given two vectors; scalars, which are faster here."""
    x, y, z = up
    length = math.sqrt(x * x + y * y + z * z)
    # A torso without extent counts as upright.
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


class _RobotSolvers:
    """Solvers and constant geometry of one robot, shared by all its retargeters. A arms, P pairs."""

    def __init__(self, robot: Robot) -> None:
        sides = [side for side in ("left", "right") if f"{side}_arm" in robot.arms]
        self.arms = [ArmClosedForm(robot, side) for side in sides]
        names = [[f"{side}_{end}" for end in _ENDS] for side in sides]
        ends = np.array([[INDEX[name] for name in arm] for arm in names], dtype=np.intp)
        shoulder, elbow, wrist, hand, thumb = ends.reshape(-1, len(_ENDS)).T
        # (A, 4): human joints at which upper arm, forearm, hand and thumb start and end.
        self.starts = np.stack([shoulder, elbow, wrist, wrist], axis=1)
        self.ends = np.stack([elbow, wrist, hand, thumb], axis=1)
        self.aimed = np.array([[True, True, *arm.aims_hand] for arm in self.arms]).reshape(-1, 4, 1)
        self.head = HeadClosedForm(robot.head, robot) if robot.head else None
        self.waist = waist_series(robot) if robot.waist else None
        self.clearance = Clearance(robot)
        at_rest = self.clearance.distances(robot.rest) - 1e-3
        self.preferred_clearance = np.minimum(PREFERRED_CLEARANCE, at_rest)
        minimum = np.minimum(_MIN_CLEARANCE, at_rest)
        if self.arms:  # a head on its own has no pose to solve
            self.pose = PoseSolver(robot, self.arms, self.clearance, self.preferred_clearance, minimum)
        # From the torso's axes to the base of head and arms, the frame of the last waist joint at zero.
        self.upright = robot.axes
        if robot.waist:
            rotations, _ = robot.frames(np.zeros(len(robot.joint_names)))
            self.upright = robot.axes @ rotations[robot.waist.joints[-1]]
        # (A, P): whether an arm belongs to a pair.
        members = [set(robot.groups[f"{side}_arm"]) for side in sides]
        joints = [capsule.joint for capsule in robot.capsules]
        self.in_pair = np.array(
            [[joints[one] in arm or joints[other] in arm for one, other in robot.pairs] for arm in members],
            dtype=bool,
        ).reshape(len(sides), len(robot.pairs))


@lru_cache(maxsize=4)
def _solvers(robot: Robot) -> _RobotSolvers:
    return _RobotSolvers(robot)


class Retargeter:
    """Turns human frames into joint angles of one robot, frame after frame.

    It has a state: among several solutions it takes the one nearest to the previous frame, and holds what is
    unobservable (the elbow's yaw of a straight arm).
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
            closed_form: use the closed form only, regardless of clearance: for comparison.

        Raises:
            ConfigurationError: the scale or the weight is out of range.
        """
        if not 0.0 <= scale <= MAX_SCALE:
            raise ConfigurationError(f"scale must be in [0, {MAX_SCALE:g}] but is {scale}")
        if not FOREARM_WEIGHTS[0] <= forearm_weight <= FOREARM_WEIGHTS[1]:
            low, high = FOREARM_WEIGHTS
            raise ConfigurationError(f"forearm_weight must be in [{low:g}, {high:g}] but is {forearm_weight}")
        self._robot = robot
        self._solvers = _solvers(robot)
        self._scale = scale
        self._mirror = mirror
        # Of the directions of upper arm, forearm, hand and thumb.
        self._weights = np.array([1.0, math.sqrt(forearm_weight), HAND_WEIGHT, HAND_WEIGHT])
        self._closed_form = closed_form
        self.reset()

    def __call__(self, positions: FloatArray) -> Array:
        """Return the joint angles (N,) [rad], within limits, for one frame (K, 3) [m].

        Raises:
            InputError: as `motion`.
        """
        return np.asarray(self.motion(np.asarray(positions)[None])[0])

    def reset(self) -> None:
        """Forget the previous frames: the next one continues from rest."""
        arms = len(self._solvers.arms)
        self._previous = self._robot.rest
        self._first = True
        # Of every arm: number of frames of the current switch to another branch; negative: of the cooldown.
        self._branch_switch_frames = [0] * arms
        self._errors = [0.0] * arms  # of the worst bone of each [rad]
        self._frames = 0  # modulo the interval of branch checks

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
        # The rows of the torso frame transform into it, the columns of the neutral torso back to the pelvis
        # frame.
        lean = _NEUTRAL_TORSO.T @ torso_frames(human)
        human = human @ lean.swapaxes(1, 2)
        angles = self._trunk(human, lean)
        if self._solvers.arms:
            goals = self._goals(human)
            if self._closed_form:
                self._solve_closed_form(angles, goals)
            else:
                self._solve_arms(angles, goals)
        self._previous = angles[-1]
        return scaled(self._robot, angles, self._scale)

    def _goals(self, human: Array) -> Array:
        """Return directions (T, A, 4, 3) of upper arm, forearm, hand and thumb in the arms' base."""
        solvers = self._solvers
        goals = unit_vectors(human[:, solvers.ends] - human[:, solvers.starts])
        along = np.where(solvers.aimed[:, 2], goals[:, :, 2], goals[:, :, 1])
        goals[:, :, 3] = orthogonal_component(goals[:, :, 3], along)
        return np.asarray((goals * solvers.aimed) @ solvers.upright)

    def _trunk(self, human: Array, lean: Array) -> Array:
        """Return angles (T, N) with head and waist solved and all other joints at rest."""
        solvers, rest = self._solvers, self._robot.rest
        angles = np.empty((len(human), len(rest)))
        angles[:] = rest
        if solvers.waist is not None:
            # Forward, left and up of the torso in the base.
            goals = (lean @ self._robot.axes).swapaxes(0, 1)
            angles[:, solvers.waist.joints] = solvers.waist.solve(goals, rest[list(solvers.waist.joints)])
        if solvers.head is not None and solvers.head.joints:
            gaze = unit_vectors(human[:, INDEX["nose"]] - human[:, INDEX["head"]]) @ solvers.upright
            angles[:, solvers.head.joints] = solvers.head.solve(gaze, self._previous)
        return angles

    def _solve_closed_form(self, angles: Array, goals: Array) -> BoolArray:
        """Write the arms' closed form into `angles` (T, N); return (T, A) where all of it is observable."""
        observable = np.empty((len(angles), len(self._solvers.arms)), dtype=bool)
        for index, arm in enumerate(self._solvers.arms):
            bones = goals[:, index].swapaxes(0, 1)
            angles[:, arm.joints], observable[:, index] = arm.solve(bones, self._previous)
        return observable

    def _solve_arms(self, angles: Array, goals: Array) -> None:
        """Write the arms into `angles` (T, N): the closed form where it is exact, else the optimum."""
        arms, robot = self._solvers.arms, self._robot
        base_goals = goals
        if robot.waist:
            rotations, _ = robot.frames(angles)
            base_goals = goals @ rotations[:, None, robot.waist.joints[-1]].swapaxes(-1, -2)
        exact = [[False] * len(arms)] * len(angles)
        closed = None
        if len(angles) >= _BATCH_THRESHOLD or self._first:
            closed = angles.copy()
            exact = self._exact(closed, self._solve_closed_form(closed, goals), base_goals).tolist()
        previous = self._previous
        for frame in range(len(angles)):
            # Every few frames: is there an exact branch for an arm with a large error? During a switch: where
            # is that branch now?
            self._frames = (self._frames + 1) % _BRANCH_CHECK_INTERVAL
            due = self._frames == 0 and max(self._errors) > _SWITCH_ERROR
            check = due or max(self._branch_switch_frames) > 0
            if closed is None and check:
                one = slice(frame, frame + 1)
                found = angles[one].copy()
                observable = self._solve_closed_form(found, goals[one])
                exact[frame] = self._exact(found, observable, base_goals[one])[0].tolist()
                candidate = found[0]
            else:
                candidate = angles[frame] if closed is None else closed[frame]
            free = []
            for index, arm in enumerate(arms):
                if exact[frame][index] and self._on_branch(arm, candidate, previous):
                    angles[frame, arm.joints] = candidate[arm.joints]
                    self._branch_switch_frames[index], self._errors[index] = 0, 0.0
                else:
                    free.append(index)
            if free:
                options = exact[frame] if check else [False] * len(arms)
                angles[frame] = self._optimise(
                    angles[frame], candidate, previous, free, options, base_goals[frame]
                )
            previous, self._first = angles[frame], False

    def _exact(self, angles: Array, observable: BoolArray, goals: Array) -> BoolArray:
        """Return (T, A) where the closed form is exact, clear of the body and observable."""
        solvers = self._solvers
        errors = solvers.pose.directions(*self._robot.frames(angles))[:, :, :2] - goals[:, :, :2]
        clear = solvers.clearance.distances(angles) >= solvers.preferred_clearance
        clear = np.stack([clear[:, pairs].all(axis=1) for pairs in solvers.in_pair], axis=1)
        return np.asarray(clear & observable & (np.abs(errors).max(axis=(2, 3)) < _EXACT))

    def _on_branch(self, arm: ArmClosedForm, angles: Array, previous: Array) -> bool:
        """Return whether a closed form (N,) is on the branch of the previous frame (N,)."""
        change = np.abs(angles[arm.joints] - previous[arm.joints])
        return self._first or float(change.max()) < _BRANCH_DISTANCE

    def _optimise(
        self,
        start: Array,
        candidate: Array,
        previous: Array,
        free: list[int],
        exact: list[bool],
        goals: Array,
    ) -> Array:
        """Return the angles (N,) of a frame whose free arms continue the previous frame.

        Args:
            start: (N,) angles of the other joints.
            candidate: (N,) the closed form, perhaps on another branch.
            previous: (N,) the previous frame.
            free: the arms to solve for.
            exact: (A,) for which arms the closed form is worth switching to.
            goals: (A, 4, 3) directions in the base frame.
        """
        solvers, switch_frames, targets = self._solvers, self._branch_switch_frames, {}
        for arm in free:
            joints = solvers.arms[arm].joints
            start[joints] = previous[joints]
            if switch_frames[arm] < 0:
                switch_frames[arm] += 1
            elif exact[arm] and (switch_frames[arm] or self._errors[arm] > _SWITCH_ERROR):
                targets[arm] = candidate[joints]
                switch_frames[arm] += 1
            else:
                switch_frames[arm] = 0
        steps = _FIRST_STEPS if self._first else _STEPS
        angles, errors = solvers.pose.solve(start, previous, free, goals, targets, self._weights, steps)
        for arm in free:
            self._errors[arm] = float(errors[arm])
        for arm in targets:
            joints = solvers.arms[arm].joints
            if np.abs(angles[joints] - previous[joints]).max() < _BLOCKED:
                switch_frames[arm] = -_SWITCH_COOLDOWN_FRAMES
        return angles


def scaled(robot: Robot, angles: Array, scale: float) -> Array:
    """Return the angles (..., N) with their distance from rest times `scale`, within limits."""
    return np.minimum(np.maximum(robot.rest + scale * (angles - robot.rest), robot.lower), robot.upper)
