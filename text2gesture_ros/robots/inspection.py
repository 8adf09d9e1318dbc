"""Looks at a robot as its owner would: lengths of its arms, reach, clearance, and what seems wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from text2gesture_ros.geometry import Array, normalise
from text2gesture_ros.robots.clearance import Clearance
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.robots.urdf import Description

_POSES = 10_000  # random poses, by which reach and contacts are estimated
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
        suspicious: what its owner should look at, one line each.
    """

    bone_lengths: Mapping[str, Mapping[str, float]]
    hand_boxes: Mapping[str, Mapping[str, tuple[float, float]]]
    clearance_at_rest: Mapping[str, float]
    contact_shares: Mapping[str, float]
    contact_share: float
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
    names = [capsule.name for capsule in robot.capsules]
    pairs = [f"{names[one]} and {names[other]}" for one, other in robot.pairs]
    return Inspection(
        bone_lengths={arm: _bone_lengths(robot, arm) for arm in robot.arms},
        hand_boxes=_hand_boxes(robot, poses),
        clearance_at_rest=dict(zip(pairs, clearance.distances(robot.rest).tolist(), strict=True)),
        contact_shares=dict(zip(pairs, contacts.mean(axis=0).tolist(), strict=True)),
        contact_share=float(contacts.any(axis=1).mean()),
        suspicious=[*suspicious(robot), *(differences(robot, description) if description else ())],
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


def suspicious(robot: Robot) -> list[str]:
    """Return what a robot file may say but its owner should look at: odd limits, an odd rest pose."""
    found = []
    for index, name in enumerate(robot.joint_names):
        margin = min(robot.rest[index] - robot.lower[index], robot.upper[index] - robot.rest[index])
        if robot.upper[index] - robot.lower[index] > 2.0 * np.pi:
            found.append(f"{name}: turns more than once round, cables permitting")
        if robot.upper[index] - robot.lower[index] < 0.1:
            found.append(f"{name}: turns less than 6 degrees")
        if robot.velocity[index] > 30.0:
            found.append(f"{name}: {robot.velocity[index]:.3g} rad/s is quicker than servos of arms are")
        if index not in [hand.joint for hand in robot.hands.values()] and margin < 1e-6:
            found.append(f"{name}: rests at its limit")
    directions, forward, up = robot.bone_directions(robot.rest), robot.axes[0], robot.axes[2]
    for bone, direction in directions.items():
        if bone == "head" and direction @ forward < 0.9:
            found.append("at rest the head does not look ahead")
        if bone != "head" and direction @ up > -0.5:
            found.append(f"at rest the {bone.replace('_', ' ')} does not hang")
    if not robot.capsules:
        found.append("no capsules: nothing keeps it from touching itself")
    return found


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
    return found
