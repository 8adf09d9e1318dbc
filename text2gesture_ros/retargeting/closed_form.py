"""Joint angles in closed form: what aims a robot's bones where the human's point, two joints at a time.

A robot's arm is no copy of a human's, so what is carried over is the direction of each bone. Every pair of
joints that moves a bone (a head's yaw and pitch, the shoulder's first two, the two that move the forearm) is
solved by Paden-Kahan subproblem 2 with the axes and bones of the robot file; what a pair cannot reach is
clamped and the other joint solved again. Joints behind the forearm, a waist and other heads are solved one
joint after the other. No clearance here, and where axes miss each other only nearly right: `pose` sees to
both.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from text2gesture_ros.geometry import Array, Axis, angle_onto, dot, normalise, rotate, wrap
from text2gesture_ros.retargeting.subproblems import Polar, TwoTurns
from text2gesture_ros.robots.robot import Chain, Robot

# What a far jump costs beside an error of one radian squared: solutions that fit equally are told apart by
# it, and a nearby one is kept while the far one is less than 12 degrees better (0.044 rad^2).
_JUMP_COST = 0.044
# Sine of the angle between a bone and the axis that swings it. Below the first the swing cannot be seen and
# is held; above the second it is followed.
_BLIND = (0.04, 0.15)
# Sine of the angle between thumb and hand or forearm below which its side cannot be seen.
_ASIDE = 0.15
# A joint aims a bone if it can turn it by at least this much of its own turn; what an offset between axes of
# a real arm adds (less than 0.2) does not count.
_AIMS = 0.35
# Rounds over the joints of a chain solved one after the other, and the change after which there is no next
# [rad].
_ROUNDS = 8
_SETTLED = 1e-6


def direction(bones: Array, shortest: float = 1e-3) -> Array:
    """Return unit vectors (..., 3), zero where a bone is too short [m] to have a direction."""
    square = dot(bones, bones)[..., None]
    return np.asarray(bones * ((square >= shortest * shortest) / np.sqrt(np.maximum(square, 1e-18))))


def across(thumb: Array, along: Array) -> Array:
    """Return the direction (..., 3) of a thumb across what it is turned about or with, zero if hardly any.

    Robots' thumbs stand off at another angle than humans'; only to which side they point is carried over.

    Args:
        thumb: (..., 3) unit vectors or zero.
        along: (..., 3) unit vectors of the hand, or of the forearm if the hand cannot be aimed.
    """
    return direction(thumb - dot(thumb, along)[..., None] * along, _ASIDE)


def between(value: float, bounds: tuple[float, float]) -> float:
    """Return 0 below, 1 above and a smooth step between the bounds."""
    ratio = min(max((value - bounds[0]) / (bounds[1] - bounds[0]), 0.0), 1.0)
    return ratio * ratio * (3.0 - 2.0 * ratio)


@dataclass(frozen=True)
class Pair:
    """Two joints whose axes meet, and the bone they aim; all in the frame the chain starts from, at angle
    zero.

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

    def follow(self, goals: Array, previous: Array) -> tuple[Array, npt.NDArray[np.bool_]]:
        """Return the angles (T, 2) that aim the bone along `goals` (T, 3), continuing `previous` (2,).

        Also returns in which frames (T,) the bone is well off the axis that swings it.

        Where a goal is zero (nothing was seen) the angles before it are held.
        """
        first, second = previous.tolist()
        angles, seen = [], []
        for goal in self._turns.polar(goals):
            visible = between(goal.radius, _BLIND)
            seen.append(visible >= 1.0)
            if goal.radius or goal.height:
                best = min(self._candidates(goal), key=lambda option: _cost(option, first, second))
                if visible < 1.0:
                    first += visible * (best[0] - first)
                    second = self._clamp(1, self._turns.second(goal, first))
                else:
                    first, second = best[:2]
            angles.append((first, second))
        return np.array(angles).reshape(-1, 2), np.array(seen, dtype=bool)

    def turned_back(self, angles: Array, vectors: Array) -> Array:
        """Return `vectors` (..., T, 3) as seen behind the two joints at `angles` (T, 2)."""
        return rotate(self.axes[1], -angles[:, 1], rotate(self.axes[0], -angles[:, 0], vectors))

    @cached_property
    def _turns(self) -> TwoTurns:
        return TwoTurns(*self.axes, self.bone)

    @cached_property
    def _ends(self) -> list[tuple[float, float]]:
        return list(zip(self.lower, self.upper, strict=True))

    def _candidates(self, goal: Polar) -> Iterator[tuple[float, float, float]]:
        """Yield ways to aim the bone within limits: both angles and the squared error."""
        turns = self._turns
        for exact_first, exact_second in turns.onto(goal):
            first, second = self._clamp(0, exact_first), self._clamp(1, exact_second)
            options = [(first, second)]
            if first in self._ends[0] or second in self._ends[1]:
                # Clamped: the second solved for the first, and the other way round. In the gap behind its
                # limits the first may wait at either of them: which one is nearer may change with every
                # frame, where it is must not.
                waits = self._ends[0] if first in self._ends[0] else (first,)
                options = [(wait, self._clamp(1, turns.second(goal, wait))) for wait in waits]
                options.append((self._clamp(0, turns.first(goal, second)), second))
            for option in options:
                yield *option, turns.missed(goal, *option) ** 2

    def _clamp(self, which: int, angle: float) -> float:
        lower, upper = self.lower[which], self.upper[which]
        middle = (lower + upper) / 2.0
        return min(max(middle + math.remainder(angle - middle, math.tau), lower), upper)


def _cost(option: tuple[float, float, float], first: float, second: float) -> float:
    """Return what aiming so costs: the squared error, and the jump from the angles before."""
    jump = (option[0] - first) ** 2 + (option[1] - second) ** 2
    return option[2] + _JUMP_COST * jump / (1.0 + jump)


def _pair(robot: Robot, chain: Chain, which: tuple[int, int], bone: Array) -> Pair:
    first, second = which
    one, two = chain.joints[first], chain.joints[second]
    axes = chain.zero_axes()
    return Pair(
        joints=(one, two),
        axes=(Axis(axes[first]), Axis(axes[second])),
        bone=normalise(bone),
        lower=(float(robot.lower[one]), float(robot.lower[two])),
        upper=(float(robot.upper[one]), float(robot.upper[two])),
    )


@dataclass(frozen=True)
class Turns:
    """Up to three joints in series that turn vectors fixed behind them; all at angle zero, as in `Pair`.

    Attributes:
        joints: (M,) their indices in the robot.
        axes: (M,) what they turn about.
        vectors: (V, 3) what they turn.
        lower: (M,) their limits [rad].
        upper: (M,) their limits [rad].
    """

    joints: tuple[int, ...]
    axes: tuple[Axis, ...]
    vectors: Array
    lower: Array
    upper: Array

    def follow(self, goals: Array, start: Array) -> Array:
        """Return the angles (T, M) that turn the vectors nearest to `goals` (V, T, 3), as far as limits let
        them.

        Every joint in turn takes the angle that is best with the others as they are: where the sum of the
        products of vectors and goals is largest. Begins at `start` (M,) and stays there where no goal is
        seen.
        """
        angles = np.tile(start, (goals.shape[1], 1))
        for _ in range(_ROUNDS):
            known = angles.copy()
            for joint, axis in enumerate(self.axes):
                before, behind = goals, self.vectors[:, None]
                for other in range(joint):
                    before = rotate(self.axes[other], -angles[:, other], before)
                for other in range(len(self.axes) - 1, joint, -1):
                    behind = rotate(self.axes[other], angles[:, other], behind)
                sine = dot(behind @ axis.cross, before).sum(axis=0)
                cosine = dot(behind @ axis.orthogonal, before).sum(axis=0)
                lower, upper = self.lower[joint], self.upper[joint]
                best = np.clip(wrap(np.arctan2(sine, cosine), (lower + upper) / 2.0), lower, upper)
                angles[:, joint] = np.where(np.abs(sine) + np.abs(cosine) > 1e-6, best, angles[:, joint])
            turned = self.vectors[:, None]
            for joint in range(len(self.axes) - 1, -1, -1):
                turned = rotate(self.axes[joint], angles[:, joint], turned)
            if min(np.abs(turned - goals).max(), np.abs(angles - known).max()) < _SETTLED:
                break
        return angles


def turns(robot: Robot, chain: Chain, joints: list[int], vectors: Array) -> Turns:
    """Return the joints of a chain, by their index within it, that turn `vectors` (V, 3)."""
    axes = chain.zero_axes()
    indices = tuple(chain.joints[joint] for joint in joints)
    return Turns(
        joints=indices,
        axes=tuple(Axis(axes[joint]) for joint in joints),
        vectors=vectors,
        lower=robot.lower[list(indices)],
        upper=robot.upper[list(indices)],
    )


class ArmForm:
    """One arm in closed form: a pair of joints for the upper arm, one for the forearm, then the hand's.

    Attributes:
        joints: (M,) indices of the arm's joints in the robot.
        tail: which of them, within the arm, move hand or thumb but no bone before the wrist.
        aims_hand: whether they aim the hand.
        aims_thumb: whether they aim the thumb.
        hand: (2, 3) unit vectors of hand and thumb at angle zero, in the frame the chain starts from; zero
            where not aimed.
        determined: whether the bones leave no joint free to move on its own.
        bones: starts and ends of upper arm, forearm, hand and thumb: joint within the arm, point (3,) in its
            frame. Hand and thumb are unit vectors fixed to the joint.
        offset: whether joints that aim no bone move one all the same, as axes and bones miss each other.
        aims: (4, M) 1 where a joint aims a bone, hand or thumb, else 0.
        solvable: whether the arm has the two pairs; if not, `follow` leaves its bones as they were.
    """

    def __init__(self, robot: Robot, side: str) -> None:
        """Read from the geometry which joint does what."""
        chain = robot.arms[f"{side}_arm"]
        self.joints = list(chain.joints)
        shoulder, elbow, wrist, hand, thumb = _landmarks(chain, np.zeros((1, len(self.joints))))[:, 0]
        moved = _moved(chain)
        upper_arm, forearm = moved[0] > _AIMS, (moved[1] > _AIMS) & (moved[0] <= _AIMS)
        moved_hand = (moved[2:].max(axis=0) > _AIMS) & (moved[:2].max(axis=0) <= _AIMS)
        self.tail = np.flatnonzero(moved_hand)[-3:].tolist()
        self.solvable = bool(upper_arm.sum() >= 2 and forearm.sum() >= 2)
        if self.solvable:
            self._upper_arm = _pair(robot, chain, _two(upper_arm), elbow - shoulder)
            self._forearm = _pair(robot, chain, _two(forearm), wrist - elbow)
        # One joint cannot do both: it swings the hand or it rolls the forearm.
        swings = len(self.tail) != 1 or moved[2, self.tail[0]] > _AIMS
        self.aims_hand, self.aims_thumb = swings, len(self.tail) > 1 or not swings
        hand, thumb = direction(hand - wrist), direction(thumb - wrist)
        thumb = across(thumb, hand if swings else chain.zero_axes()[self.tail[0]])
        self.hand = np.stack([hand * self.aims_hand, thumb * self.aims_thumb])
        self._turns = turns(robot, chain, self.tail, self.hand)
        self._rest = robot.rest[list(self._turns.joints)]
        self.determined = np.count_nonzero(moved[:2].max(axis=0) > _AIMS) <= 4
        self.offset = bool(((moved[:2] > 0.01) & (moved[:2] <= _AIMS)).any())
        self.aims = (moved > _AIMS).astype(np.float64)
        self.aims[2:] = 0.0
        self.aims[2:, self.tail] = np.array([[self.aims_hand], [self.aims_thumb]])
        self.chain = chain
        self.bones = self._bones(chain)

    def follow(self, goals: Array, previous: Array) -> tuple[Array, npt.NDArray[np.bool_]]:
        """Return angles (T, M) for goals (4, T, 3) of upper arm, forearm, hand and thumb.

        Also returns in which frames (T,) nothing is held because it could not be seen.

        Args:
            goals: unit vectors or zero, in the frame the chain starts from.
            previous: (N,) angles to continue.
        """
        angles = np.tile(previous[self.joints], (goals.shape[1], 1))
        if not self.solvable:
            return angles, np.zeros(len(angles), dtype=bool)
        seen = np.ones(len(angles), dtype=bool)
        first = self.joints[0]
        for bone, pair in enumerate((self._upper_arm, self._forearm)):
            followed, visible = pair.follow(goals[bone], previous[list(pair.joints)])
            angles[:, [joint - first for joint in pair.joints]] = followed
            goals = pair.turned_back(followed, goals)
            seen &= visible
        if len(self.tail) == 1 and self.aims_thumb:
            roll = self.joints[self.tail[0]]
            angles[:, self.tail[0]] = self._follow_thumb(goals[3], float(previous[roll]))
        elif self.tail:
            angles[:, self.tail] = self._turns.follow(goals[2:], self._rest)
        return angles, seen

    def _bones(self, chain: Chain) -> tuple[list[tuple[int, Array]], list[tuple[int, Array]]]:
        marks = chain.landmarks
        frames, _ = chain.frames(np.zeros(len(self.joints)))
        hands = [
            (marks[name][0], vector if aimed else np.array([1.0, 0.0, 0.0]))
            for name, vector, aimed in zip(
                ("hand", "thumb"), self.hand, (self.aims_hand, self.aims_thumb), strict=True
            )
        ]
        starts = [marks["shoulder"], marks["elbow"], *((joint, np.zeros(3)) for joint, _ in hands)]
        ends = [
            marks["elbow"],
            marks["wrist"],
            *((joint, frames[joint].T @ vector) for joint, vector in hands),
        ]
        return starts, ends

    def _follow_thumb(self, goals: Array, angle: float) -> Array:
        """Return the angles (T,) that turn the thumb towards `goals` (T, 3), continuing `angle`."""
        found = angle_onto(self._turns.axes[0], self.hand[1], goals)
        seen = dot(goals, goals) > 0.5
        lower, upper = float(self._turns.lower[0]), float(self._turns.upper[0])
        result = []
        for turn, visible in zip(found.tolist(), seen.tolist(), strict=True):
            if visible:
                # The nearest of the equal angles: behind its limit the joint waits there instead of going
                # round.
                angle = min(max(angle + math.remainder(turn - angle, math.tau), lower), upper)
            result.append(angle)
        return np.array(result)


class Gaze:
    """A head in closed form.

    A joint that rolls the head as it looks ahead stays at rest: where somebody looks does not say how far the
    head is tilted.

    Attributes:
        joints: indices in the robot of those that aim the gaze; may be empty.
    """

    def __init__(self, chain: Chain, robot: Robot) -> None:
        """Read from the geometry which joint does what."""
        rest = robot.rest[list(chain.joints)]
        axes, ahead = _looking(chain, rest)
        aims = np.abs(axes @ ahead) < math.sqrt(1.0 - _AIMS**2)
        axes, gaze = _looking(chain, np.where(aims, 0.0, rest))
        self.joints = [joint for joint, aim in zip(chain.joints, aims, strict=True) if aim]
        lower, upper = robot.lower[self.joints], robot.upper[self.joints]
        about = tuple(Axis(axis) for axis in axes[aims])
        self._turns = Turns(tuple(self.joints), about, gaze[None], lower, upper)
        self._pair = None
        if len(about) == 2 and abs(about[0].direction @ about[1].direction) < math.sqrt(1.0 - _AIMS**2):
            (one, two), (first, second) = self.joints, about
            limits = [(float(low), float(high)) for low, high in (lower, upper)]
            self._pair = Pair((one, two), (first, second), gaze, *limits)

    def follow(self, gaze: Array, previous: Array) -> Array:
        """Return angles (T, M) of the joints for directions (T, 3), unit or zero.

        Args:
            gaze: in the frame the head starts from.
            previous: (N,) angles to continue.
        """
        start = previous[self.joints]
        if self._pair is not None:
            return self._pair.follow(gaze, start)[0]
        return self._turns.follow(gaze[None], start)


def _looking(chain: Chain, angles: Array) -> tuple[Array, Array]:
    """Return the axes (M, 3) of a head at `angles` (M,), and where it looks, (3,)."""
    frames, places = chain.frames(angles)
    marks = (chain.landmarks[name] for name in ("head", "nose"))
    head, nose = (places[at] + frames[at] @ point for at, point in marks)
    return (frames @ chain.axes[..., None])[..., 0], direction(nose - head)


def waist_turns(robot: Robot) -> Turns:
    """Return the waist as what turns the torso's forward, left and up; the robot has a waist."""
    assert robot.waist is not None
    # Turned from where they are at angle zero, the axes are the base's own.
    return turns(robot, robot.waist, list(range(len(robot.waist.joints))), robot.axes)


def _two(aims: npt.NDArray[np.bool_]) -> tuple[int, int]:
    first, second = np.flatnonzero(aims)[:2].tolist()
    return first, second


def _landmarks(chain: Chain, angles: Array) -> Array:
    """Return where shoulder, elbow, wrist, hand and thumb are, (5, ..., 3), for angles (..., M)."""
    rotations, places = chain.frames(angles)
    found = [chain.landmarks[name] for name in ("shoulder", "elbow", "wrist", "hand", "thumb")]
    return np.stack([places[..., at, :] + rotations[..., at, :, :] @ point for at, point in found])


def _moved(chain: Chain) -> Array:
    """Return by how much each joint can turn upper arm, forearm, hand and thumb, (4, M) [rad/rad]."""
    poses = np.random.default_rng(0).uniform(-1.5, 1.5, (8, 1, len(chain.joints)))
    steps = 1e-5 * np.stack([np.eye(len(chain.joints)), -np.eye(len(chain.joints))])

    def bones(angles: Array) -> Array:
        shoulder, elbow, wrist, hand, thumb = _landmarks(chain, angles)
        return direction(np.stack([elbow - shoulder, wrist - elbow, hand - wrist, thumb - wrist]))

    ahead, back = (bones(poses + step) for step in steps)
    change = (ahead - back) / 2e-5
    return np.asarray(np.sqrt(dot(change, change)).max(axis=1))
