"""Closed-form inverse kinematics: joint angles that aim a robot's bones, two joints at a time.

A robot's arm has other proportions than a human's, so the goal is the direction of each bone. Every pair of
joints that moves a bone (yaw and pitch of the head, the first two of the shoulder, the two that move the
forearm) is solved by Paden-Kahan subproblem 2 with the axes and bones of the robot file. Where a joint is
clamped to its limit, the other one is solved again. The wrist, the waist and other heads are solved by
coordinate descent. Clearance is not regarded, and where axes do not intersect the result is approximate:
`pose_solver` corrects both.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from text2gesture_ros.geometry import Array, Axis, BoolArray, angle_onto, dot, normalise, rotate, wrap
from text2gesture_ros.retargeting.subproblems import Cylindrical, TwoRotations
from text2gesture_ros.robots.robot import Chain, Robot

# Cost of a large change of the joint angles, relative to a squared direction error [rad^2]. Among solutions
# of the same error it selects the nearest one, which is kept until another is 12 degrees better.
_JUMP_COST = 0.044
# Sine of the angle between a bone and the axis that swings it: near zero the joint angle is unobservable.
# Below the first value the angle is held, above the second it is followed.
_SINGULAR_SINES = (0.04, 0.15)
# Sine of the angle between thumb and hand (or forearm) below which the thumb's side is unobservable.
_MIN_THUMB_SINE = 0.15
# A joint aims a bone if it turns it by at least this much per angle [rad/rad]. What the offsets between the
# axes of real arms contribute is less than 0.2.
_MIN_INFLUENCE = 0.35
# Less influence than this is none [rad/rad].
_NO_INFLUENCE = 0.01
# Coordinate descent ends after this number of sweeps, or when no angle changes by more than this [rad].
_MAX_SWEEPS = 8
_CONVERGED = 1e-6


def unit_vectors(vectors: Array, min_length: float = 1e-3) -> Array:
    """Return unit vectors (..., 3), zero where a vector is too short [m] to have a direction."""
    square = dot(vectors, vectors)[..., None]
    return np.asarray(vectors * ((square >= min_length * min_length) / np.sqrt(np.maximum(square, 1e-18))))


def orthogonal_component(thumb: Array, along: Array) -> Array:
    """Return the direction (..., 3) of a thumb orthogonal to its hand or forearm; zero if nearly parallel.

    Thumbs of robots stand off at another angle than those of humans; only their side is retargeted.

    Args:
        thumb: (..., 3) unit vectors or zero.
        along: (..., 3) unit vectors of the hand, or of the forearm if the hand cannot be aimed.
    """
    return unit_vectors(thumb - dot(thumb, along)[..., None] * along, _MIN_THUMB_SINE)


def _smooth_step(value: float, bounds: tuple[float, float]) -> float:
    """Return 0 below, 1 above and a cubic step between the bounds."""
    ratio = min(max((value - bounds[0]) / (bounds[1] - bounds[0]), 0.0), 1.0)
    return ratio * ratio * (3.0 - 2.0 * ratio)


@dataclass(frozen=True)
class JointPair:
    """Two joints with intersecting axes, and the bone they aim. Geometry at zero angles, in the chain's base.

    Attributes:
        joints: indices in the robot.
        axes: rotation axes.
        bone: (3,) unit direction of the bone.
        lower: lower limits [rad].
        upper: upper limits [rad].
    """

    joints: tuple[int, int]
    axes: tuple[Axis, Axis]
    bone: Array
    lower: tuple[float, float]
    upper: tuple[float, float]

    @classmethod
    def of(cls, robot: Robot, chain: Chain, aims: BoolArray, bone: Array) -> "JointPair":
        """Return the first two joints of a chain that aim a bone (3,), given which ones do (M,)."""
        first, second = np.flatnonzero(aims)[:2].tolist()
        one, two = chain.joints[first], chain.joints[second]
        axes = chain.zero_axes()
        return cls(
            joints=(one, two),
            axes=(Axis(axes[first]), Axis(axes[second])),
            bone=normalise(bone),
            lower=(float(robot.lower[one]), float(robot.lower[two])),
            upper=(float(robot.upper[one]), float(robot.upper[two])),
        )

    def solve(self, goals: Array, previous: Array) -> tuple[Array, BoolArray]:
        """Return the angles (T, 2) that aim the bone along `goals` (T, 3), continuing `previous` (2,).

        Also returns in which frames (T,) the angles are observable: the goal is well off the first axis.
        Where a goal is zero (unknown) the previous angles are held.
        """
        first, second = previous.tolist()
        angles, observable = [], []
        for goal in self._rotations.cylindrical(goals):
            weight = _smooth_step(goal.radius, _SINGULAR_SINES)
            observable.append(weight >= 1.0)
            if goal.radius or goal.height:
                best = min(self._candidates(goal), key=lambda candidate: _cost(candidate, first, second))
                if weight < 1.0:
                    first += weight * (best[0] - first)
                    second = self._clamp(1, self._rotations.best_second(goal, first))
                else:
                    first, second = best[:2]
            angles.append((first, second))
        return np.array(angles).reshape(-1, 2), np.array(observable, dtype=bool)

    def rotated_back(self, angles: Array, vectors: Array) -> Array:
        """Return `vectors` (..., T, 3) with the rotation of the two joints at `angles` (T, 2) undone."""
        return rotate(self.axes[1], -angles[:, 1], rotate(self.axes[0], -angles[:, 0], vectors))

    @cached_property
    def _rotations(self) -> TwoRotations:
        return TwoRotations(*self.axes, self.bone)

    @cached_property
    def _limits(self) -> list[tuple[float, float]]:
        return list(zip(self.lower, self.upper, strict=True))

    def _candidates(self, goal: Cylindrical) -> Iterator[tuple[float, float, float]]:
        """Yield solutions within the limits: both angles and the squared direction error."""
        rotations = self._rotations
        for exact_first, exact_second in rotations.solutions(goal):
            first, second = self._clamp(0, exact_first), self._clamp(1, exact_second)
            options = [(first, second)]
            if first in self._limits[0] or second in self._limits[1]:
                # One is clamped: solve each for the other. If it is the first, try both of its limits: which
                # one is nearer may change from frame to frame, and the choice must not.
                firsts = self._limits[0] if first in self._limits[0] else (first,)
                options = [(angle, self._clamp(1, rotations.best_second(goal, angle))) for angle in firsts]
                options.append((self._clamp(0, rotations.best_first(goal, second)), second))
            for option in options:
                yield *option, rotations.error(goal, *option) ** 2

    def _clamp(self, which: int, angle: float) -> float:
        lower, upper = self.lower[which], self.upper[which]
        middle = (lower + upper) / 2.0
        return min(max(middle + math.remainder(angle - middle, math.tau), lower), upper)


def _cost(candidate: tuple[float, float, float], first: float, second: float) -> float:
    """Return the cost of a solution: its squared error, and its distance from the previous angles."""
    change = (candidate[0] - first) ** 2 + (candidate[1] - second) ** 2
    return candidate[2] + _JUMP_COST * change / (1.0 + change)


@dataclass(frozen=True)
class JointSeries:
    """Up to three joints in series that rotate vectors. Geometry at zero angles, in the chain's base.

    Attributes:
        joints: (M,) indices in the robot.
        axes: (M,) rotation axes.
        vectors: (V, 3) the vectors they rotate.
        lower: (M,) lower limits [rad].
        upper: (M,) upper limits [rad].
    """

    joints: tuple[int, ...]
    axes: tuple[Axis, ...]
    vectors: Array
    lower: Array
    upper: Array

    @classmethod
    def of(cls, robot: Robot, chain: Chain, joints: list[int], vectors: Array) -> "JointSeries":
        """Return some joints of a chain, by their index within it, that rotate `vectors` (V, 3)."""
        axes = chain.zero_axes()
        indices = tuple(chain.joints[joint] for joint in joints)
        return cls(
            joints=indices,
            axes=tuple(Axis(axes[joint]) for joint in joints),
            vectors=vectors,
            lower=robot.lower[list(indices)],
            upper=robot.upper[list(indices)],
        )

    def solve(self, goals: Array, start: Array) -> Array:
        """Return the angles (T, M) within the limits that rotate the vectors nearest to `goals` (V, T, 3).

        Coordinate descent: each joint in turn takes the angle that maximises the sum of the scalar products
        of vectors and goals, given the others. Begins at `start` (M,), and stays there where goals are zero.
        """
        angles = np.tile(start, (goals.shape[1], 1))
        for _ in range(_MAX_SWEEPS):
            before = angles.copy()
            for joint, axis in enumerate(self.axes):
                targets, rotated = goals, self.vectors[:, None]
                for other in range(joint):
                    targets = rotate(self.axes[other], -angles[:, other], targets)
                for other in range(len(self.axes) - 1, joint, -1):
                    rotated = rotate(self.axes[other], angles[:, other], rotated)
                sine = dot(rotated @ axis.cross, targets).sum(axis=0)
                cosine = dot(rotated @ axis.orthogonal, targets).sum(axis=0)
                lower, upper = self.lower[joint], self.upper[joint]
                best = np.clip(wrap(np.arctan2(sine, cosine), (lower + upper) / 2.0), lower, upper)
                angles[:, joint] = np.where(np.abs(sine) + np.abs(cosine) > 1e-6, best, angles[:, joint])
            rotated = self.vectors[:, None]
            for joint in range(len(self.axes) - 1, -1, -1):
                rotated = rotate(self.axes[joint], angles[:, joint], rotated)
            if min(np.abs(rotated - goals).max(), np.abs(angles - before).max()) < _CONVERGED:
                break
        return angles


class ArmClosedForm:
    """One arm in closed form: a pair of joints for the upper arm, one for the forearm, then the wrist.

    Attributes:
        chain: the arm.
        joints: (M,) indices of the arm's joints in the robot.
        hand: (2, 3) unit vectors of hand and thumb at zero angles, in the chain's base; zero where no joint
            aims them.
        redundant: whether more joints than the goals determine move the bones.
        has_offsets: whether some joints move a bone slightly without aiming it, as axes and bones do not
            intersect.
        aims: (4, M) 1 where a joint aims upper arm, forearm, hand or thumb, else 0.
        bones: starts and ends of upper arm, forearm, hand and thumb: joint within the arm, point (3,) in its
            frame. Hand and thumb are unit vectors fixed to the joint.
    """

    def __init__(self, robot: Robot, side: str) -> None:
        """Derive from the geometry which joint aims which bone."""
        self.chain = chain = robot.arms[f"{side}_arm"]
        self.joints = list(chain.joints)
        shoulder, elbow, wrist, hand, thumb = _landmarks(chain, np.zeros((1, len(self.joints))))[:, 0]
        influence = _influence(chain)
        upper_arm = influence[0] > _MIN_INFLUENCE
        forearm = (influence[1] > _MIN_INFLUENCE) & ~upper_arm
        aims_bone = influence[:2].max(axis=0) > _MIN_INFLUENCE
        aims_hand = (influence[2:].max(axis=0) > _MIN_INFLUENCE) & ~aims_bone
        # Within the arm: the joints that aim hand or thumb, and no bone before the wrist.
        self._wrist = np.flatnonzero(aims_hand)[-3:].tolist()
        self._pairs: tuple[JointPair, ...] = ()  # of upper arm and forearm; none: not solvable in closed form
        if upper_arm.sum() >= 2 and forearm.sum() >= 2:
            self._pairs = (
                JointPair.of(robot, chain, upper_arm, elbow - shoulder),
                JointPair.of(robot, chain, forearm, wrist - elbow),
            )
        # A single wrist joint aims the hand or the thumb, not both.
        swings = len(self._wrist) != 1 or influence[2, self._wrist[0]] > _MIN_INFLUENCE
        rolls = len(self._wrist) > 1 or not swings
        hand, thumb = unit_vectors(hand - wrist), unit_vectors(thumb - wrist)
        thumb = orthogonal_component(thumb, hand if swings else chain.zero_axes()[self._wrist[0]])
        self.hand = np.stack([hand * swings, thumb * rolls])
        self._wrist_series = JointSeries.of(robot, chain, self._wrist, self.hand)
        self._wrist_rest = robot.rest[list(self._wrist_series.joints)]
        self.redundant = np.count_nonzero(aims_bone) > 4
        self.has_offsets = bool(((influence[:2] > _NO_INFLUENCE) & (influence[:2] <= _MIN_INFLUENCE)).any())
        self.aims = (influence > _MIN_INFLUENCE).astype(np.float64)
        self.aims[2:] = 0.0
        self.aims[2:, self._wrist] = self.aims_hand[:, None]
        self.bones = self._bones()

    @property
    def aims_hand(self) -> BoolArray:
        """Whether some joint aims hand and thumb (2,)."""
        return np.asarray(self.hand.any(axis=1))

    def solve(self, goals: Array, previous: Array) -> tuple[Array, BoolArray]:
        """Return angles (T, M) for goals (4, T, 3) of upper arm, forearm, hand and thumb.

        Also returns in which frames (T,) all angles of the bones are observable, so that none is held.

        Args:
            goals: unit vectors or zero, in the chain's base.
            previous: (N,) angles to continue; those of the bones are kept if there is no closed form.
        """
        angles = np.tile(previous[self.joints], (goals.shape[1], 1))
        if not self._pairs:
            return angles, np.zeros(len(angles), dtype=bool)
        observable = np.ones(len(angles), dtype=bool)
        first = self.joints[0]
        for bone, pair in enumerate(self._pairs):
            found, clear = pair.solve(goals[bone], previous[list(pair.joints)])
            angles[:, [joint - first for joint in pair.joints]] = found
            goals = pair.rotated_back(found, goals)
            observable &= clear
        if len(self._wrist) == 1 and not self.hand[0].any():
            roll = self.joints[self._wrist[0]]
            angles[:, self._wrist[0]] = self._solve_roll(goals[3], float(previous[roll]))
        elif self._wrist:
            angles[:, self._wrist] = self._wrist_series.solve(goals[2:], self._wrist_rest)
        return angles, observable

    def _bones(self) -> tuple[list[tuple[int, Array]], list[tuple[int, Array]]]:
        marks = self.chain.landmarks
        frames, _ = self.chain.frames(np.zeros(len(self.joints)))
        hands = [
            (marks[name][0], vector if vector.any() else np.array([1.0, 0.0, 0.0]))
            for name, vector in zip(("hand", "thumb"), self.hand, strict=True)
        ]
        starts = [marks["shoulder"], marks["elbow"], *((joint, np.zeros(3)) for joint, _ in hands)]
        ends = [
            marks["elbow"],
            marks["wrist"],
            *((joint, frames[joint].T @ vector) for joint, vector in hands),
        ]
        return starts, ends

    def _solve_roll(self, goals: Array, angle: float) -> Array:
        """Return the angles (T,) of the only wrist joint that turn the thumb to `goals` (T, 3)."""
        series = self._wrist_series
        exact = angle_onto(series.axes[0], self.hand[1], goals)
        known = dot(goals, goals) > 0.5
        lower, upper = float(series.lower[0]), float(series.upper[0])
        result = []
        for wanted, is_known in zip(exact.tolist(), known.tolist(), strict=True):
            if is_known:
                # The equal angle nearest to the previous one: at its limit the joint waits instead of turning
                # all the way round to the other limit.
                angle = min(max(angle + math.remainder(wanted - angle, math.tau), lower), upper)
            result.append(angle)
        return np.array(result)


class HeadClosedForm:
    """A head in closed form: the joints that aim the gaze.

    A joint that rolls the head about the gaze stays at rest: the direction of the gaze does not determine it.

    Attributes:
        joints: indices in the robot of those that aim the gaze; may be empty.
    """

    def __init__(self, chain: Chain, robot: Robot) -> None:
        """Derive from the geometry which joint aims the gaze."""
        rest = robot.rest[list(chain.joints)]
        axes, gaze = _axes_and_gaze(chain, rest)
        aims = np.abs(axes @ gaze) < math.sqrt(1.0 - _MIN_INFLUENCE**2)
        axes, gaze = _axes_and_gaze(chain, np.where(aims, 0.0, rest))
        self.joints = [joint for joint, aim in zip(chain.joints, aims, strict=True) if aim]
        lower, upper = robot.lower[self.joints], robot.upper[self.joints]
        about = tuple(Axis(axis) for axis in axes[aims])
        self._series = JointSeries(tuple(self.joints), about, gaze[None], lower, upper)
        self._pair = None
        parallel = math.sqrt(1.0 - _MIN_INFLUENCE**2)
        if len(about) == 2 and abs(about[0].direction @ about[1].direction) < parallel:
            (one, two), (first, second) = self.joints, about
            limits = [(float(low), float(high)) for low, high in (lower, upper)]
            self._pair = JointPair((one, two), (first, second), gaze, *limits)

    def solve(self, gaze: Array, previous: Array) -> Array:
        """Return angles (T, M) of the joints for directions (T, 3), unit or zero.

        Args:
            gaze: in the chain's base.
            previous: (N,) angles to continue.
        """
        start = previous[self.joints]
        if self._pair is not None:
            return self._pair.solve(gaze, start)[0]
        return self._series.solve(gaze[None], start)


def _axes_and_gaze(chain: Chain, angles: Array) -> tuple[Array, Array]:
    """Return the axes (M, 3) of a head's joints and its gaze (3,) at `angles` (M,)."""
    rotations, positions = chain.frames(angles)
    marks = (chain.landmarks[name] for name in ("head", "nose"))
    head, nose = (positions[joint] + rotations[joint] @ point for joint, point in marks)
    return (rotations @ chain.axes[..., None])[..., 0], unit_vectors(nose - head)


def waist_series(robot: Robot) -> JointSeries:
    """Return the waist as the joints that rotate the torso's forward, left and up; the robot has a waist."""
    assert robot.waist is not None
    # At zero angles the torso's axes are those of the base.
    return JointSeries.of(robot, robot.waist, list(range(len(robot.waist.joints))), robot.axes)


def _landmarks(chain: Chain, angles: Array) -> Array:
    """Return the positions of shoulder, elbow, wrist, hand and thumb (5, ..., 3) at `angles` (..., M)."""
    rotations, positions = chain.frames(angles)
    found = [chain.landmarks[name] for name in ("shoulder", "elbow", "wrist", "hand", "thumb")]
    return np.stack(
        [positions[..., joint, :] + rotations[..., joint, :, :] @ point for joint, point in found]
    )


def _influence(chain: Chain) -> Array:
    """Return by how much each joint can turn upper arm, forearm, hand and thumb, (4, M) [rad/rad]."""
    poses = np.random.default_rng(0).uniform(-1.5, 1.5, (8, 1, len(chain.joints)))
    steps = 1e-5 * np.stack([np.eye(len(chain.joints)), -np.eye(len(chain.joints))])

    def bones(angles: Array) -> Array:
        shoulder, elbow, wrist, hand, thumb = _landmarks(chain, angles)
        return unit_vectors(np.stack([elbow - shoulder, wrist - elbow, hand - wrist, thumb - wrist]))

    ahead, back = (bones(poses + step) for step in steps)
    change = (ahead - back) / 2e-5
    return np.asarray(np.sqrt(dot(change, change)).max(axis=1))
