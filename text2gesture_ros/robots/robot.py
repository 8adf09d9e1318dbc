"""Robot: joints, limits, forward kinematics, rest pose and body.

Joint angles are always in the order of `Robot.joint_names`: waist, head, left arm, right arm (those the robot
has), each from the base outwards, then the hands.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from text2gesture_ros.geometry import Array, Axis, normalise, rotation
from text2gesture_ros.gestures import ARMS
from text2gesture_ros.robots.arm_interface import ArmInterface

BASE = -1
"""Stands for the base where a joint is asked for."""


@dataclass(frozen=True, eq=False)
class Chain:
    """Joints in series and points fixed to them. It starts at the base, or behind the waist if there is one.

    Attributes:
        joints: (M,) index of each joint in `Robot.joint_names`.
        origins: (M, 3) origin of each joint in the frame before it [m].
        rotations: (M, 3, 3) rotation from each joint's frame to the frame before it, at angle zero.
        axes: (M, 3) unit axis of each joint in its own frame.
        landmarks: where the body's points are: index of a joint within the chain and the point (3,) in that
            joint's frame [m]. An arm has shoulder, elbow, wrist, hand, thumb; a head has neck, head, nose.
    """

    joints: tuple[int, ...]
    origins: Array
    rotations: Array
    axes: Array
    landmarks: Mapping[str, tuple[int, Array]]

    @property
    def tips(self) -> dict[str, Array]:
        """The landmarks (3,) fixed behind the last joint, in its frame [m], by name."""
        last = len(self.joints) - 1
        return {name: point for name, (joint, point) in self.landmarks.items() if joint == last}

    def frames(self, angles: Array) -> tuple[Array, Array]:
        """Return the frames of all joints: rotations (..., M, 3, 3) and origins (..., M, 3).

        In the frame the chain starts from.

        Args:
            angles: (..., M) angles of this chain's joints [rad].
        """
        turn = np.broadcast_to(np.eye(3), (*angles.shape[:-1], 3, 3))
        place = np.zeros((*angles.shape[:-1], 3))
        turns, places = [], []
        for index, axis in enumerate(self.axes):
            place = place + turn @ self.origins[index]
            turn = turn @ (self.rotations[index] @ rotation(Axis(axis), angles[..., index]))
            turns.append(turn)
            places.append(place)
        return np.stack(turns, axis=-3), np.stack(places, axis=-2)

    def zero_axes(self) -> Array:
        """Return the unit axes (M, 3) with all angles zero, in the frame the chain starts from."""
        turns, _ = self.frames(np.zeros(len(self.joints)))
        return np.asarray(np.einsum("mij,mj->mi", turns, self.axes))


@dataclass(frozen=True, eq=False)
class Hand:
    """A hand that opens and closes with one joint, which moves nothing else here.

    Attributes:
        joint: its index in `Robot.joint_names`.
        open: position of the joint with the hand open [rad, or whatever the robot counts in].
        closed: position of the joint with the hand closed.
    """

    joint: int
    open: float
    closed: float


@dataclass(frozen=True, eq=False)
class Capsule:
    """A piece of the body: all points within `radius` of the line from `start` to `end`.

    Attributes:
        name: of the piece.
        joint: index of the joint in whose frame it is fixed; `BASE` (-1) for the base.
        start: (3,) [m].
        end: (3,) the same as `start` for a ball [m].
        radius: [m].
    """

    name: str
    joint: int
    start: Array
    end: Array
    radius: float


@dataclass(frozen=True, eq=False)
class Robot:
    """A robot's waist, head and arms. Arrays are read-only; N joints in the order of `joint_names`.

    Attributes:
        name: what it is called on the command line; the name of its file.
        title: its name for people.
        source: where its numbers come from and their licence.
        base: link the chains start from, whose frame points are given in.
        axes: (3, 3) rows are the robot's forward, left and up, in the base frame.
        joint_names: (N,) as in its URDF.
        lower: (N,) minimum angle [rad].
        upper: (N,) maximum angle [rad].
        velocity: (N,) maximum speed that may be commanded [rad/s].
        acceleration: (N,) maximum acceleration [rad/s^2].
        jerk: (N,) maximum jerk [rad/s^3].
        rest: (N,) angles of the rest pose [rad].
        waist: up to three joints, behind which head and arms hang; None: there is none.
        head: one to three joints; None: the head does not move.
        arms: "left_arm", "right_arm", both or, where there is a head, none; of two to seven joints each.
        hands: "left_hand" and "right_hand", if they open and close.
        capsules: (C,) the body, for clearance and pictures; may be empty.
        pairs: (P, 2) indices of capsules that may touch each other.
        lines: polylines for drawing, each a tuple of names of `points`.
        fixed_points: points (3,) of the base that `points` gives too [m].
        limit_set: which of the file's sets of limits these are; empty where it has one only.
        arm_interface: how its maker's arm interface commands it; None: it has none.
    """

    name: str
    title: str
    source: str
    base: str
    axes: Array
    joint_names: tuple[str, ...]
    lower: Array
    upper: Array
    velocity: Array
    acceleration: Array
    jerk: Array
    rest: Array
    waist: Chain | None
    head: Chain | None
    arms: Mapping[str, Chain]
    hands: Mapping[str, Hand]
    capsules: tuple[Capsule, ...]
    pairs: npt.NDArray[np.intp]
    lines: tuple[tuple[str, ...], ...]
    fixed_points: Mapping[str, Array]
    limit_set: str = ""
    arm_interface: ArmInterface | None = None

    @cached_property
    def groups(self) -> dict[str, tuple[int, ...]]:
        """Indices of joints by "waist", "head", "left_arm", "right_arm"; a hand goes with its arm."""
        groups = {name: chain.joints for name, chain in self.chains.items()}
        for name, hand in self.hands.items():
            groups[name.replace("hand", "arm")] += (hand.joint,)
        return groups

    @cached_property
    def chains(self) -> dict[str, Chain]:
        """The chains the robot has, by "waist", "head", "left_arm", "right_arm"."""
        chains = {"waist": self.waist, "head": self.head, **self.arms}
        return {name: chain for name, chain in chains.items() if chain is not None}

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """(N,) index of the joint each joint hangs behind, always a smaller one; `BASE` for the base.

        A hand counts as hanging behind the last joint of its arm.
        """
        parents = [BASE] * len(self.joint_names)
        for name, chain in self.chains.items():
            before = self.waist.joints[-1] if self.waist and name != "waist" else BASE
            for joint in chain.joints:
                parents[joint], before = before, joint
        for name, hand in self.hands.items():
            parents[hand.joint] = self.arms[name.replace("hand", "arm")].joints[-1]
        return tuple(parents)

    def frames(self, angles: Array) -> tuple[Array, Array]:
        """Return the frames of all joints: rotations (..., N, 3, 3) and origins (..., N, 3) in the base.

        A hand's frame is that of the joint before it, whatever its position.

        Args:
            angles: (..., N) joint angles [rad].
        """
        angles = np.asarray(angles, dtype=np.float64)
        leading, count = angles.shape[:-1], angles.shape[-1]
        # Joints first: whole levels of the tree are then one multiplication each.
        tree = self._tree
        turn = angles.reshape(-1, count).T[tree.order, :, None, None]
        # Rodrigues' formula, with what lies between this joint and the one before.
        frames = tree.zero + np.sin(turn) * tree.sine + np.cos(turn) * tree.cosine
        for joints, parents in tree.levels:
            np.matmul(frames[parents], frames[joints], out=frames[joints])
        frames = frames[tree.back].swapaxes(0, 1).reshape(*leading, count, 4, 4)
        return frames[..., :3, :3], frames[..., :3, 3]

    def points(self, angles: Array) -> dict[str, Array]:
        """Return named points (..., 3) in the base frame [m]: of the head, the arms and the body to draw.

        Args:
            angles: (..., N) joint angles [rad].
        """
        angles = np.asarray(angles, dtype=np.float64)
        turns, places = self.frames(angles)
        result = {
            name: np.broadcast_to(point, (*angles.shape[:-1], 3)) for name, point in self.fixed_points.items()
        }
        for group, chain in self.chains.items():
            side = group.removesuffix("arm") if group in ARMS else ""
            for name, (index, point) in chain.landmarks.items():
                joint = chain.joints[index]
                result[side + name] = places[..., joint, :] + turns[..., joint, :, :] @ point
        return result

    def capsule_ends(self, angles: Array) -> Array:
        """Return where the capsules start and end, (..., C, 2, 3) in the base frame [m].

        Args:
            angles: (..., N) joint angles [rad].
        """
        turns, places = self.frames(angles)
        # The base comes last, where index -1 finds it.
        fixed = np.broadcast_to(np.eye(3), (*turns.shape[:-3], 1, 3, 3))
        turns = np.concatenate([turns, fixed], axis=-3)
        places = np.concatenate([places, np.zeros((*places.shape[:-2], 1, 3))], axis=-2)
        joints = [capsule.joint for capsule in self.capsules]
        ends = np.array([(capsule.start, capsule.end) for capsule in self.capsules]).reshape(-1, 2, 3)
        turned = ends @ turns[..., joints, :, :].swapaxes(-1, -2)
        return np.asarray(places[..., joints, None, :] + turned)

    def bone_directions(self, angles: Array) -> dict[str, Array]:
        """Return unit directions (..., 3) in the base frame: `left_upper_arm`, `left_forearm`, ..., `head`.

        Args:
            angles: (..., N) joint angles [rad].
        """
        points = self.points(angles)
        result = {}
        if self.head is not None:
            result["head"] = normalise(points["nose"] - points["head"])
        for arm in self.arms:
            side = arm.removesuffix("arm")
            elbow = points[side + "elbow"]
            result[side + "upper_arm"] = normalise(elbow - points[side + "shoulder"])
            result[side + "forearm"] = normalise(points[side + "wrist"] - elbow)
        return result

    @cached_property
    def _tree(self) -> "_Tree":
        return _Tree(self)


class _Tree:
    """The constant transforms of `Robot.frames`, prepared once.

    Attributes:
        order: (N,) the joints, level by level: those that hang equally deep one after the other.
        back: (N,) where each joint stands in it.
        zero, sine, cosine: (N, 1, 4, 4) homogeneous transform from each joint's frame to the one before it,
            in that order: zero + sin(angle) sine + cos(angle) cosine.
        levels: rows of each level and the row that each of its joints hangs behind, from the second level on.
    """

    def __init__(self, robot: Robot) -> None:
        count, parents = len(robot.joint_names), robot.parents
        zero = np.tile(np.eye(4), (count, 1, 1, 1))  # a hand's, which turns nothing
        sine, cosine = np.zeros((2, count, 1, 4, 4))
        for chain in robot.chains.values():
            for index, joint in enumerate(chain.joints):
                axis, turned = Axis(chain.axes[index]), chain.rotations[index]
                zero[joint, 0, :3, 3] = chain.origins[index]
                zero[joint, 0, :3, :3] = turned @ (np.eye(3) - axis.orthogonal)
                sine[joint, 0, :3, :3] = turned @ axis.cross.T
                cosine[joint, 0, :3, :3] = turned @ axis.orthogonal
        depth: list[int] = []
        for parent in parents:
            depth.append(0 if parent == BASE else depth[parent] + 1)
        self.order = np.argsort(depth, kind="stable")
        self.back = np.argsort(self.order)
        self.zero, self.sine, self.cosine = zero[self.order], sine[self.order], cosine[self.order]
        rows = np.searchsorted(np.sort(depth), np.arange(max(depth) + 2))
        self.levels = [
            (slice(first, last), self.back[np.array(parents)[self.order[first:last]]])
            for first, last in pairwise(rows[1:].tolist())
        ]
