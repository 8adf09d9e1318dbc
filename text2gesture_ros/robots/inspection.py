"""Looks at a robot as its owner would: lengths of its arms, reach, clearance, and what seems wrong."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from text2gesture_ros.geometry import Array, normalise
from text2gesture_ros.robots.clearance import Clearance
from text2gesture_ros.robots.part_names import is_a, side_of
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.robots.separation import Separation, ignored_pairs, separations
from text2gesture_ros.robots.urdf import MAX_ANGLE, Description

_POSES = 10_000  # random poses, by which reach and contacts are estimated
_ARM_LENGTHS = 0.06, 1.4  # of upper arm and forearm together, from toys to giants [m]
_UNITS = {"decimetres": 0.1, "centimetres": 0.01, "millimetres": 0.001, "inches": 0.0254, "feet": 0.3048}
_USUAL_ARM = 0.45  # [m]
# What a gesture needs: a joint's range, the range an elbow bends and a head nods and shakes [rad].
_LEAST_RANGE, _LEAST_BEND, _LEAST_NOD, _LEAST_SHAKE = 0.3, 0.9, 0.2, 0.4
# How far a hand gets in front of the shoulder, as it points, and above it, as it waves: parts of the arm.
_LEAST_REACH = 0.4
_BONES = (("upper_arm", "shoulder", "elbow"), ("forearm", "elbow", "wrist"), ("hand", "wrist", "hand"))


@dataclass(frozen=True)
class Inspection:
    """What an inspection found.

    Attributes:
        bone_lengths: by arm, of `upper_arm`, `forearm` and `hand` [m].
        hand_boxes: by arm, minimum and maximum of where its hand gets, `forward`, `left` and `up` [m].
        clearance_at_rest: signed distance of each pair of capsules, by their names [m].
        contact_shares: share of random poses in which each pair is in contact.
        contact_share: share of random poses in which any pair is.
        ignored: the pairs that are never checked, with the reason of each.
        suspicious: what its owner should look at, one line each.
    """

    bone_lengths: Mapping[str, Mapping[str, float]]
    hand_boxes: Mapping[str, Mapping[str, tuple[float, float]]]
    clearance_at_rest: Mapping[str, float]
    contact_shares: Mapping[str, float]
    contact_share: float
    ignored: Sequence[Separation]
    suspicious: Sequence[str]

    @property
    def in_contact_at_rest(self) -> list[str]:
        """The pairs that are in contact at rest."""
        return [pair for pair, distance in self.clearance_at_rest.items() if distance <= 0.0]


def inspect(robot: Robot, description: Description | None = None) -> Inspection:
    """Inspect a robot; the same robot gives the same result.

    Args:
        robot: the robot.
        description: a URDF to compare its joints with.

    Raises:
        ConfigurationError: the URDF lacks a joint of the robot.
    """
    poses = np.random.default_rng(0).uniform(robot.lower, robot.upper, (_POSES, len(robot.joint_names)))
    clearance = Clearance(robot)
    contacts = clearance.distances(poses) <= 0.0
    ignored = separations(robot, ignored_pairs(robot))
    names = [capsule.name for capsule in robot.capsules]
    pairs = [f"{names[one]} and {names[other]}" for one, other in robot.pairs]
    return Inspection(
        bone_lengths={arm: _bone_lengths(robot, arm) for arm in robot.arms},
        hand_boxes=_hand_boxes(robot, poses),
        clearance_at_rest=dict(zip(pairs, clearance.distances(robot.rest).tolist(), strict=True)),
        contact_shares=dict(zip(pairs, contacts.mean(axis=0).tolist(), strict=True)),
        contact_share=float(contacts.any(axis=1).mean()),
        ignored=ignored,
        suspicious=[
            *suspicious(robot, poses),
            *(
                f"{pair.one} and {pair.other} are in ignored_pairs: {pair.reason}"
                for pair in ignored
                if not pair.may_be_ignored
            ),
            *(differences(robot, description) if description else ()),
        ],
    )


def _bone_lengths(robot: Robot, arm: str) -> dict[str, float]:
    points, side = robot.points(robot.rest), arm.removesuffix("arm")
    return {
        bone: float(np.linalg.norm(points[side + end] - points[side + start])) for bone, start, end in _BONES
    }


def _hand_boxes(robot: Robot, poses: Array) -> dict[str, dict[str, tuple[float, float]]]:
    """Return the box each hand stays in over some poses (S, N) [rad]."""
    points, boxes = robot.points(poses), {}
    for arm in robot.arms:
        hand = points[arm.removesuffix("arm") + "hand"] @ robot.axes.T
        ranges = zip(hand.min(axis=0).tolist(), hand.max(axis=0).tolist(), strict=True)
        boxes[arm] = dict(zip(("forward", "left", "up"), ranges, strict=True))
    return boxes


def suspicious(robot: Robot, poses: Array) -> list[str]:
    """Return what a robot file may say but its owner should look at.

    Args:
        robot: the robot.
        poses: (S, N) many, all over its range [rad].
    """
    found = [*length_doubts(robot), *_limit_doubts(robot), *_build_doubts(robot), *_mirror_doubts(robot)]
    found += [*_arm_doubts(robot, poses), *_head_doubts(robot, poses)]
    directions, forward, up = robot.bone_directions(robot.rest), robot.axes[0], robot.axes[2]
    for bone, direction in directions.items():
        if bone == "head" and direction @ forward < 0.9:
            found.append("at rest the head does not look ahead")
        if bone != "head" and direction @ up > -0.5:
            found.append(f"at rest the {bone.replace('_', ' ')} does not hang")
    if not robot.capsules:
        found.append("no capsules: nothing keeps it from touching itself")
    return found


def length_doubts(robot: Robot) -> Iterator[str]:
    """Yield the arms, or heads, of a length that none has in metres, with the unit it may be in."""
    points = robot.points(robot.rest)
    lengths = {arm: sum(list(_bone_lengths(robot, arm).values())[:2]) for arm in robot.arms}
    if not lengths and robot.head:
        lengths["head"] = max(float(np.linalg.norm(point)) for point in points.values())
    for part, length in lengths.items():
        if not _ARM_LENGTHS[0] <= length <= _ARM_LENGTHS[1]:
            unit = min(_UNITS, key=lambda unit: abs(np.log(max(length, 1e-9) * _UNITS[unit] / _USUAL_ARM)))
            asked = f": are lengths in {unit}?" if length > _ARM_LENGTHS[1] else ""
            what = "it is" if part == "head" else "upper arm and forearm are"
            yield f"{part}: {what} {length:.3g} m long{asked}"


def _limit_doubts(robot: Robot) -> Iterator[str]:
    hands = [hand.joint for hand in robot.hands.values()]
    waist = robot.waist.joints if robot.waist else ()
    for index, name in enumerate(robot.joint_names):
        margin = min(robot.rest[index] - robot.lower[index], robot.upper[index] - robot.rest[index])
        turn = float(robot.upper[index] - robot.lower[index])
        if turn > MAX_ANGLE:
            yield f"{name}: turns more than once round, cables permitting"
        if turn < _LEAST_RANGE and index not in (*hands, *waist):
            yield f"{name}: turns by {np.degrees(turn):.0f} degrees only, less than gestures need"
        if robot.velocity[index] > 30.0:
            yield f"{name}: {robot.velocity[index]:.3g} rad/s is quicker than servos of arms are"
        if index not in hands and margin < 1e-6:
            yield f"{name}: rests at its limit"


def _build_doubts(robot: Robot) -> Iterator[str]:
    """Yield what contradicts forward, left and up: where shoulders, head and legs are, names of joints."""
    points, (_, left, up) = robot.points(0.0 * robot.rest), robot.axes
    shoulders = {arm: points[arm.removesuffix("arm") + "shoulder"] for arm in robot.arms}
    if len(shoulders) == 2:
        across = shoulders["left_arm"] - shoulders["right_arm"]
        if across @ left < 0.5 * np.linalg.norm(across):
            yield "the left shoulder is not to the left of the right one: look at axes"
    elif shoulders:
        ((arm, shoulder),) = shoulders.items()
        aside = float(shoulder @ left) * (1.0 if arm == "left_arm" else -1.0)
        if aside < -0.05:
            yield f"the {arm.replace('_', ' ')} is on the other side: look at axes, or take the other arm"
    for arm, chain in robot.arms.items():
        for joint in chain.joints:
            side = side_of(robot.joint_names[joint], robot.joint_names)
            if side and side != arm.removesuffix("_arm"):
                yield f"{robot.joint_names[joint]}: stands in {arm} but is called {side}"
    if not shoulders:
        return
    middle = np.mean(list(shoulders.values()), axis=0)
    heads = [points["head"]] if robot.head else []
    legs = [capsule.end for capsule in robot.capsules if capsule.joint < 0 and is_a("leg", capsule.name)]
    for what, above in (
        *(("the head is not above the shoulders", head - middle) for head in heads),
        *(("the shoulders are not above the feet", middle - np.mean(legs, axis=0)) for _ in legs[:1]),
    ):
        above = above - (above @ left) * left
        if above @ up < 0.3 * np.linalg.norm(above):
            yield f"{what}: look at axes"


def _mirror_doubts(robot: Robot) -> Iterator[str]:
    """Yield the joints of arms that are built as mirror images but have other limits."""
    if len(robot.arms) < 2:
        return
    turns, _ = robot.frames(0.0 * robot.rest)
    left, right = (
        [(joint, turns[joint] @ axis) for joint, axis in zip(chain.joints, chain.axes, strict=True)]
        for chain in (robot.arms["left_arm"], robot.arms["right_arm"])
    )
    across = robot.axes[1]
    for (one, axis), (other, image) in zip(left, right, strict=False):
        # A mirror image rotates the other way about the mirrored axis.
        sign = float((2.0 * (axis @ across) * across - axis) @ image)
        if len(left) != len(right) or abs(sign) < 0.99:
            return
        limits = np.sort(np.sign(sign) * np.array([robot.lower[one], robot.upper[one]]))
        if np.abs(limits - [robot.lower[other], robot.upper[other]]).max() > _LEAST_RANGE:
            names = robot.joint_names[one], robot.joint_names[other]
            yield f"{names[0]} and {names[1]}: their limits are no mirror images of each other"


def _arm_doubts(robot: Robot, poses: Array) -> Iterator[str]:
    """Yield what keeps a hand from pointing, in front of the shoulder, and from waving, above it."""
    points = robot.points(poses)
    directions = robot.bone_directions(poses)
    for arm in robot.arms:
        side, name = arm.removesuffix("arm"), arm.replace("_", " ")
        least = _LEAST_REACH * sum(_bone_lengths(robot, arm).values())
        hand = (points[side + "hand"] - points[side + "shoulder"]) @ robot.axes.T
        front, behind, above = hand[:, 0].max(), -hand[:, 0].min(), hand[:, 2].max()
        if front < least:
            yield f"{name}: its hand gets only {front:.2f} m in front of the shoulder, too little to point"
        elif front < 0.8 * behind:
            yield f"{name}: its hand reaches farther behind than in front: is forward right?"
        if above < 0.5 * least:
            yield f"{name}: its hand gets only {above:.2f} m above the shoulder, too little to wave"
        bends = np.arccos(
            np.clip((directions[side + "upper_arm"] * directions[side + "forearm"]).sum(-1), -1, 1)
        )
        if (bend := float(np.ptp(bends))) < _LEAST_BEND:
            yield f"{name}: its elbow bends by {np.degrees(bend):.0f} degrees only, too little to wave"


def _head_doubts(robot: Robot, poses: Array) -> Iterator[str]:
    if robot.head is None:
        return
    # With the waist at rest, which must not do the nodding.
    still = np.tile(robot.rest, (len(poses), 1))
    still[:, robot.head.joints] = poses[:, robot.head.joints]
    gaze = robot.bone_directions(still)["head"] @ robot.axes.T
    nod, shake = (
        float(np.ptp(angle)) for angle in (np.arcsin(gaze[:, 2]), np.arctan2(gaze[:, 1], gaze[:, 0]))
    )
    for what, angle, least in (("nods", nod, _LEAST_NOD), ("shakes", shake, _LEAST_SHAKE)):
        if angle < least:
            yield f"the head {what} by {np.degrees(angle):.0f} degrees only, too little to be seen"


def differences(robot: Robot, description: Description) -> list[str]:
    """Return where the joints of a robot differ from those of a URDF, in place, axis and limits.

    Raises:
        ConfigurationError: the URDF has no such joint.
    """
    found = []
    for group, chain in robot.chains.items():
        link = robot.base
        if group != "waist" and robot.waist:
            link = description.driven(robot.joint_names[robot.waist.joints[-1]]).child
        for index, joint in enumerate(chain.joints):
            written = description.driven(robot.joint_names[joint])
            found += [
                f"{between.name}: moves before {written.name} but is not commanded"
                for between in description.path(link, written.parent)
                if between.kind != "fixed"
            ]
            place, turn = description.place(link, written.name)
            axis = np.linalg.norm(chain.rotations[index] @ chain.axes[index] - turn @ normalise(written.axis))
            link = written.child
            if (apart := float(np.linalg.norm(chain.origins[index] - place))) > 1e-4:
                found.append(f"{written.name}: {1000 * apart:.2g} mm from where the URDF has it")
            if axis > 1e-3:
                found.append(f"{written.name}: its axis is {np.degrees(axis):.2g} degrees off the URDF's")
            if written.doubts():
                continue
            if robot.lower[joint] < (written.lower or 0.0) - 1e-4 and written.kind == "revolute":
                found.append(f"{written.name}: lower is below the URDF's ({written.lower})")
            if robot.upper[joint] > (written.upper or 0.0) + 1e-4 and written.kind == "revolute":
                found.append(f"{written.name}: upper is above the URDF's ({written.upper})")
            if robot.velocity[joint] > (written.velocity or 0.0) + 1e-4:
                found.append(f"{written.name}: velocity is above the URDF's ({written.velocity})")
        found += _left_out(robot, description, group, link)
    return found


def _left_out(robot: Robot, description: Description, group: str, last: str) -> Iterator[str]:
    """Yield the joints behind the last link of an arm or head that move it but are not the robot's."""
    for joint in description.joints.values() if group != "waist" else ():
        own = joint.name in robot.joint_names or joint.kind == "fixed"
        small = is_a("hand", joint.name, joint.child) or is_a("face", joint.name, joint.child)
        if not own and not small and description.is_behind(last, joint.parent):
            how = f"moves with {joint.mimic} (mimic)" if joint.mimic else f"{joint.kind}"
            yield f"{joint.name}: behind the {group.replace('_', ' ')}, {how}, is not commanded"
