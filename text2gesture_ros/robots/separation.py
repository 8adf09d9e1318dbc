"""Whether two parts of a robot can touch in any pose: proofs by bounds, and poses in contact where they can.

A part that joints move by some angles goes no farther than the sum of the chords of its levers about them. So
one distance bounds those of a whole box of poses around it; boxes that leave it open are halved (branch and
bound: Hansen and Walster, "Global Optimization Using Interval Analysis", 2004). Where no proof is found,
descents of the distance look for contact. Of parts that overlap in every pose no distance can be kept; what
hangs behind the outer one, and begins where it ends, is checked in its place.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from text2gesture_ros.geometry import Array, cross
from text2gesture_ros.robots.clearance import Clearance, closest
from text2gesture_ros.robots.robot import BASE, Robot

APART, JOINED, NEIGHBOURS, TOUCHING, OPEN = "apart", "joined", "neighbours", "touching", "open"

MARGIN = 0.005
"""What is proved to be farther apart in every pose needs no check: no plan is refused for more [m]."""

BOXES = 200_000
"""Of poses, that are looked at before a proof is given up: seconds."""

_BATCH = 4096
_STARTS, _DESCENTS, _STEPS = 2000, 24, 40  # random poses, the nearest of them that descend, steps of each
_DIFFERENCE = 1e-5  # for slopes [rad]


@dataclass(frozen=True)
class Separation:
    """Whether two parts can touch.

    Attributes:
        one: name of the first capsule.
        other: name of the second.
        verdict: `apart`: proved never to come near; `joined`: proved to overlap in every pose; `neighbours`:
            on links next to each other and in contact at rest; `touching`: a pose in contact was found;
            `open`: neither a proof nor a contact was found.
        distance: the least that was found or proved, negative in contact [m].
        pose: (N,) where it was found [rad]; at rest where nothing nearer was.
    """

    one: str
    other: str
    verdict: str
    distance: float
    pose: Array

    @property
    def reason(self) -> str:
        """Why the pair needs no check, or what is wrong with leaving it out."""
        return {
            APART: f"proved never to come nearer than {1000 * self.distance:.0f} mm",
            JOINED: "joined: they overlap in every pose",
            NEIGHBOURS: "next to each other on the body, in contact at rest",
            TOUCHING: f"can touch: {-1000 * self.distance:.0f} mm inside",
            OPEN: f"not proved: {1000 * self.distance:.0f} mm apart in the nearest pose found",
        }[self.verdict]

    @property
    def may_be_ignored(self) -> bool:
        """Whether clearance need not regard the pair."""
        return self.verdict in (APART, JOINED, NEIGHBOURS)


def ignored_pairs(robot: Robot) -> list[tuple[int, int]]:
    """Return the pairs of capsules that move against each other but are not in `Robot.pairs`."""
    checked = {(int(one), int(other)) for one, other in robot.pairs}
    joints = [capsule.joint for capsule in robot.capsules]
    pairs = combinations(range(len(joints)), 2)
    return [pair for pair in pairs if joints[pair[0]] != joints[pair[1]] and pair not in checked]


def separations(
    robot: Robot, pairs: Iterable[Sequence[int]], margin: float = MARGIN, boxes: int = BOXES
) -> list[Separation]:
    """Return for pairs of indices in `Robot.capsules` whether they can touch, in their order.

    Args:
        robot: the robot.
        pairs: of capsules that move against each other.
        margin: distance at which a pair counts as apart [m].
        boxes: of poses that are looked at before a proof is given up.
    """
    return [_separation(robot, int(one), int(other), margin, boxes) for one, other in pairs]


def _separation(robot: Robot, one: int, other: int, margin: float, boxes: int) -> Separation:
    names = robot.capsules[one].name, robot.capsules[other].name
    parts = (robot.capsules[one], robot.capsules[other])
    clearance = Clearance(replace(robot, capsules=parts, pairs=np.array([[0, 1]])))
    resting = float(clearance.distances(robot.rest)[0])
    if resting <= 0.0:
        joined = _refuted(robot, one, other, -1.0, 0.0, boxes) is None
        verdict = JOINED if joined else NEIGHBOURS if _adjacent(robot, one, other) else TOUCHING
        return Separation(*names, verdict, resting, robot.rest)
    near = _refuted(robot, one, other, 1.0, margin, boxes)
    if near is None:
        return Separation(*names, APART, margin, robot.rest)
    distance, pose = _nearest(robot, clearance, near)
    return Separation(*names, TOUCHING if distance <= 0.0 else OPEN, distance, pose)


def _refuted(robot: Robot, one: int, other: int, sign: float, least: float, boxes: int) -> Array | None:
    """Return a pose (N,) that refutes that two parts are apart by `least` (sign 1) or in contact (-1) in all.

    None if there is none, which is then proved; the rest pose if neither was found in time.
    """
    sides = _Side(robot, one, other), _Side(robot, other, one)
    moving = [*sides[0].joints, *sides[1].joints]
    middles = (0.5 * (robot.lower + robot.upper)[moving])[None]
    halves = (0.5 * (robot.upper - robot.lower)[moving])[None]
    seen = 0
    while len(middles):
        # The last boxes first: that keeps few of them open.
        here, around = middles[-_BATCH:], halves[-_BATCH:]
        middles, halves = middles[:-_BATCH], halves[:-_BATCH]
        seen += len(here)
        poses = np.tile(robot.rest, (len(here), 1))
        poses[:, moving] = here
        frames = robot.frames(poses)
        ends = [side.ends(frames) for side in sides]
        distances = sign * (_between(*ends) - sides[0].radius - sides[1].radius)
        if (distances < least).any():
            return np.asarray(poses[distances.argmin()])
        if seen > boxes:
            return robot.rest
        cut = len(sides[0].joints)
        ways = [
            side.ways(frames, points, angles)
            for side, points, angles in zip(sides, ends, (around[:, :cut], around[:, cut:]), strict=True)
        ]
        options = [(distances, np.concatenate(ways, axis=1))]
        if sign > 0.0:
            options += sides[0].balls(frames, around[:, :cut], ends[1], sides[1].radius, ways[1], first=True)
            options += sides[1].balls(frames, around[:, cut:], ends[0], sides[0].radius, ways[0], first=False)
        apart = np.stack([option[0] for option in options])
        way = np.stack([option[1] for option in options])
        # Of the bounds, the one whose box has to shrink least.
        shrink = way.sum(axis=-1) / np.maximum(apart - least, 1e-9)
        best, rows = shrink.argmin(axis=0), np.arange(len(here))
        unsure = shrink[best, rows] > 1.0
        way = way[best, rows][unsure]
        here, around = here[unsure], around[unsure]
        if not moving or not len(here):
            continue
        halved, step = around.copy(), np.zeros_like(around)
        rows, widest = np.arange(len(here)), way.argmax(axis=1)
        halved[rows, widest] *= 0.5
        step[rows, widest] = halved[rows, widest]
        middles = np.concatenate([middles, here - step, here + step])
        halves = np.concatenate([halves, halved, halved])
    return None


def _between(one: Array, other: Array) -> Array:
    """Return the distances (B,) of segments (B, 2, 3) [m]."""
    along, across, apart = one[:, 1] - one[:, 0], other[:, 1] - other[:, 0], one[:, 0] - other[:, 0]
    on_one, on_other = closest(
        (along * along).sum(axis=1),
        (across * across).sum(axis=1),
        (along * across).sum(axis=1),
        (along * apart).sum(axis=1),
        (across * apart).sum(axis=1),
    )
    nearest = apart + on_one[:, None] * along - on_other[:, None] * across
    return np.asarray(np.linalg.norm(nearest, axis=1))


class _Side:
    """One of two capsules, with the joints that move it but not the other.

    Attributes:
        joints: outermost first.
        radius: of the capsule [m].
    """

    def __init__(self, robot: Robot, index: int, other: int) -> None:
        hands = {hand.joint for hand in robot.hands.values()}  # they move nothing that has a capsule
        still = _inwards(robot, robot.capsules[other].joint)
        inwards = _inwards(robot, robot.capsules[index].joint)
        self.joints = [joint for joint in inwards if joint not in still and joint not in hands]
        self.radius = robot.capsules[index].radius
        self._carrier = robot.capsules[index].joint
        self._local = np.stack([robot.capsules[index].start, robot.capsules[index].end])
        axes: dict[int, Array] = {}
        origins: dict[int, Array] = {}
        for chain in robot.chains.values():
            axes |= dict(zip(chain.joints, chain.axes, strict=True))
            origins |= dict(zip(chain.joints, chain.origins, strict=True))
        self._axes = [axes[joint] for joint in self.joints]
        # How far the capsule's segment reaches from the origin of each joint, whatever those behind it do.
        self._reach, reach = [], float(np.linalg.norm(self._local, axis=1).max())
        for joint in self.joints:
            self._reach.append(reach)
            reach += float(np.linalg.norm(origins[joint]))

    def ends(self, frames: tuple[Array, Array]) -> Array:
        """Return where the segment starts and ends, (B, 2, 3)."""
        turns, places = frames
        if self._carrier == BASE:
            return np.broadcast_to(self._local, (len(turns), 2, 3))
        turned = self._local @ turns[:, self._carrier].swapaxes(-1, -2)
        return np.asarray(turned + places[:, self._carrier, None])

    def ways(self, frames: tuple[Array, Array], points: Array, angles: Array, first: int = 0) -> Array:
        """Return how far each joint moves points (B, E, 3) at most, (B, M) [m], by angles (B, M) from a pose.

        The outermost moves first, by the chord of its lever; it lengthens the levers of the others. Joints
        before `first` move nothing.
        """
        (turns, places), ways, moved = frames, np.zeros_like(angles), np.zeros(len(angles))
        for column in range(first, len(self.joints)):
            joint = self.joints[column]
            axis = turns[:, joint] @ self._axes[column]
            levers = np.linalg.norm(cross(points - places[:, joint, None], axis[:, None]), axis=-1)
            chord = 2.0 * np.sin(np.minimum(angles[:, column], np.pi) / 2.0)
            ways[:, column] = (levers.max(axis=1) + moved) * chord
            moved += ways[:, column]
        return ways

    def balls(
        self,
        frames: tuple[Array, Array],
        angles: Array,
        ends: Array,
        radius: float,
        ways: Array,
        *,
        first: bool,
    ) -> list[tuple[Array, Array]]:
        """Return distances (B,) and ways (B, M) of balls about each joint that hold all that hangs behind it.

        Args:
            frames: of all joints.
            angles: (B, M1) around the poses [rad].
            ends: (B, 2, 3) of the other capsule's segment [m].
            radius: of the other capsule [m].
            ways: (B, M2) of the other capsule [m].
            first: whether this side's joints come first.
        """
        options = []
        for column, (joint, reach) in enumerate(zip(self.joints, self._reach, strict=True)):
            centre = frames[1][:, joint]
            along, start = ends[:, 1] - ends[:, 0], centre - ends[:, 0]
            square = np.maximum((along * along).sum(axis=1), 1e-18)
            share = np.clip((start * along).sum(axis=1) / square, 0.0, 1.0)
            distance = np.linalg.norm(start - share[:, None] * along, axis=1)
            own = self.ways(frames, centre[:, None], angles, first=column + 1)
            both = [own, ways] if first else [ways, own]
            options.append((distance - reach - self.radius - radius, np.concatenate(both, axis=1)))
        return options


def _inwards(robot: Robot, joint: int) -> list[int]:
    """Return a joint and all it hangs behind, the base last."""
    line = [joint]
    while line[-1] != BASE:
        line.append(robot.parents[line[-1]])
    return line


def _nearest(robot: Robot, clearance: Clearance, near: Array) -> tuple[float, Array]:
    """Return the smallest distance of two parts that descents from many poses find, and the pose."""
    moving = np.flatnonzero(clearance.gradient_bounds[0])
    lower, upper = robot.lower[moving], robot.upper[moving]

    def distances(angles: Array) -> Array:  # (..., M) -> (...)
        flat = angles.reshape(-1, len(moving))
        poses = np.tile(robot.rest, (len(flat), 1))
        poses[:, moving] = flat
        return np.asarray(clearance.distances(poses)[:, 0].reshape(angles.shape[:-1]))

    starts = np.random.default_rng(0).uniform(lower, upper, (_STARTS, len(moving)))
    starts = np.concatenate([near[None, moving], starts])
    found = distances(starts)
    order = np.argsort(found)[:_DESCENTS]
    angles, now = starts[order], found[order]
    length = np.full(len(angles), 0.3)
    steps = _DIFFERENCE * np.eye(len(moving))
    for _ in range(_STEPS):
        if now.min() <= 0.0:
            break
        slopes = (distances(angles[:, None] + steps) - now[:, None]) / _DIFFERENCE
        slopes /= np.maximum(np.linalg.norm(slopes, axis=1, keepdims=True), 1e-9)
        tried = np.clip(angles - length[:, None] * slopes, lower, upper)
        then = distances(tried)
        better = then < now
        angles, now = np.where(better[:, None], tried, angles), np.where(better, then, now)
        length = np.where(better, 1.5 * length, 0.4 * length)
    best = int(now.argmin())
    pose = robot.rest.copy()
    pose[moving] = angles[best]
    return float(now[best]), pose


def _adjacent(robot: Robot, one: int, other: int) -> bool:
    """Return whether no third part is fixed to a link between those of two capsules."""
    carriers = {capsule.joint for capsule in robot.capsules}
    first, second = (_inwards(robot, robot.capsules[index].joint) for index in (one, other))
    fork = next(joint for joint in first if joint in second)
    between = {*first[1 : first.index(fork) + 1], *second[1 : second.index(fork) + 1]}
    return not (between - {first[0], second[0]}) & carriers
