"""Models of a robot for other programs, made from its file alone: joints, limits and capsules, no meshes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np

from text2gesture_ros.geometry import Array
from text2gesture_ros.robots.robot import BASE, Robot

GRAVITY = 9.81  # [m/s^2]


@dataclass(frozen=True)
class Link:
    """What a physics engine needs of the link behind a joint.

    Attributes:
        effort: largest torque of the joint [N m].
        mass: of the link [kg].
        centre: (3,) of mass in the joint's frame [m].
        inertia: (6,) about it: xx, yy, zz, xy, xz, yz [kg m^2].
    """

    effort: float
    mass: float
    centre: tuple[float, float, float]
    inertia: tuple[float, float, float, float, float, float]

    def mirrored(self) -> "Link":
        """Return the link of the other side: y turned round."""
        (x, y, z), (xx, yy, zz, xy, xz, yz) = self.centre, self.inertia
        return Link(self.effort, self.mass, (x, -y, z), (xx, yy, zz, -xy, xz, -yz))


# Stands in where only kinematics is asked for.
_PLAIN = Link(1.0, 0.1, (0.0, 0.0, 0.0), (1e-4, 1e-4, 1e-4, 0.0, 0.0, 0.0))


def moving(robot: Robot) -> list[int]:
    """Return the joints that move a link: all but those of hands."""
    return [joint for chain in robot.chains.values() for joint in chain.joints]


def mjcf(
    robot: Robot,
    links: Mapping[str, Link] | None = None,
    *,
    timestep: float = 0.002,
    armature: float = 0.0,
    stiffness: float = 0.0,
) -> str:
    """Return the robot for MuJoCo: fixed at its base, contacts between the pairs of its capsules alone.

    Args:
        robot: what to model.
        links: of each joint by name; None: kinematics alone.
        timestep: of the simulation [s].
        armature: inertia of the rotor as seen at the joint [kg m^2].
        stiffness: of the position servos per effort [1/rad], critically damped; 0: no servos.
    """
    root = Element("mujoco", model=robot.name)
    SubElement(root, "compiler", angle="radian", balanceinertia="true")
    gravity = _numbers(-GRAVITY * robot.axes[2])
    SubElement(root, "option", timestep=f"{timestep}", gravity=gravity, integrator="implicitfast")
    world = SubElement(root, "worldbody")
    bodies = {BASE: SubElement(world, "body", name="base")}
    fixed = _fixed(robot)
    names = robot.joint_names
    for joint in moving(robot):
        origin, turn, axis = fixed[joint]
        place = {"pos": _numbers(origin), "quat": _numbers(_quaternion(turn))}
        body = SubElement(bodies[robot.parents[joint]], "body", name=names[joint], **place)
        link = (links or {}).get(names[joint], _PLAIN)
        inertia = _numbers(link.inertia)
        SubElement(body, "inertial", pos=_numbers(link.centre), mass=f"{link.mass}", fullinertia=inertia)
        limits = f"{robot.lower[joint]:.9g} {robot.upper[joint]:.9g}"
        hinge = {"range": limits, "axis": _numbers(axis), "armature": f"{armature}"}
        SubElement(body, "joint", name=names[joint], type="hinge", limited="true", **hinge)
        bodies[joint] = body
    for capsule in robot.capsules:
        shape = {"type": "capsule", "fromto": _numbers(np.concatenate([capsule.start, capsule.end]))}
        if np.linalg.norm(capsule.end - capsule.start) < 1e-6:
            shape = {"type": "sphere", "pos": _numbers(capsule.start)}
        shape |= {"size": f"{capsule.radius:.9g}", "mass": "0"}
        # Who touches whom stands in the list of pairs; simulation looks at nothing else.
        touch = "0" if links else "1"
        SubElement(
            bodies[capsule.joint], "geom", name=capsule.name, contype=touch, conaffinity=touch, **shape
        )
    if links:
        contact, actuator = SubElement(root, "contact"), SubElement(root, "actuator")
        for one, other in robot.pairs:
            SubElement(contact, "pair", geom1=robot.capsules[one].name, geom2=robot.capsules[other].name)
        for joint in moving(robot) if stiffness else ():
            effort = links[names[joint]].effort
            gains = {"kp": f"{stiffness * effort:.9g}", "dampratio": "1"}
            force = {"forcelimited": "true", "forcerange": f"{-effort} {effort}"}
            SubElement(actuator, "position", name=names[joint], joint=names[joint], **gains, **force)
    return tostring(root, encoding="unicode")


def urdf(robot: Robot) -> str:
    """Return the robot's joints and limits as URDF; each link is called after the joint before it."""
    root = Element("robot", name=robot.name)
    SubElement(root, "link", name="base")
    fixed = _fixed(robot)
    for joint in moving(robot):
        origin, turn, axis = fixed[joint]
        name, parent = robot.joint_names[joint], robot.parents[joint]
        link = SubElement(root, "link", name=f"{name}_link")
        inertial = SubElement(link, "inertial")
        SubElement(inertial, "mass", value="0.1")
        diagonal: dict[str, Any] = {"ixx": "1e-4", "iyy": "1e-4", "izz": "1e-4"}
        SubElement(inertial, "inertia", ixy="0", ixz="0", iyz="0", **diagonal)
        element = SubElement(root, "joint", name=name, type="revolute")
        before = "base" if parent == BASE else f"{robot.joint_names[parent]}_link"
        SubElement(element, "parent", link=before)
        SubElement(element, "child", link=f"{name}_link")
        SubElement(element, "origin", xyz=_numbers(origin), rpy=_numbers(_rpy(turn)))
        SubElement(element, "axis", xyz=_numbers(axis))
        limits = {key: f"{getattr(robot, key)[joint]:.9g}" for key in ("lower", "upper", "velocity")}
        SubElement(element, "limit", effort="100", **limits)
    return tostring(root, encoding="unicode")


def _fixed(robot: Robot) -> dict[int, tuple[Array, Array, Array]]:
    """Return origin, rotation and axis of every moving joint in the frame before it."""
    return {
        joint: (chain.origins[index], chain.rotations[index], chain.axes[index])
        for chain in robot.chains.values()
        for index, joint in enumerate(chain.joints)
    }


def _numbers(values: Any) -> str:
    return " ".join(f"{value:.12g}" for value in values)


def _rpy(turn: Array) -> Array:
    """Return roll, pitch, yaw of a rotation (3, 3)."""
    pitch = np.arcsin(np.clip(-turn[2, 0], -1.0, 1.0))
    if abs(turn[2, 0]) > 1.0 - 1e-12:  # roll and yaw turn about one axis: all of it is yaw
        return np.array([0.0, pitch, np.arctan2(-turn[0, 1], turn[1, 1])])
    return np.array([np.arctan2(turn[2, 1], turn[2, 2]), pitch, np.arctan2(turn[1, 0], turn[0, 0])])


def _quaternion(turn: Array) -> Array:
    """Return the unit quaternion (w, x, y, z) of a rotation (3, 3)."""
    roll, pitch, yaw = _rpy(turn) / 2.0
    cr, sr, cp, sp, cy, sy = (f(a) for a in (roll, pitch, yaw) for f in (np.cos, np.sin))
    return np.array(
        [
            cr * cp * cy + sr * sp * sy,
            sr * cp * cy - cr * sp * sy,
            cr * sp * cy + sr * cp * sy,
            cr * cp * sy - sr * sp * cy,
        ]
    )
