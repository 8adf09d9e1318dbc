"""Pepper's animations (`.qianim`): keys of joint angles, Bezier curves between -> a human who does the same.

The human's arms take the directions of Pepper's, at the lengths of the reference body; the head turns as
Pepper's does; the trunk leans as Pepper's knee and hips hold it. The legs stand.
"""

import xml.etree.ElementTree as ElementTree
from functools import cache
from pathlib import Path

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.geometry import Array
from text2gesture_ros.motion import robot_pose
from text2gesture_ros.motion.formats.joint_tree import turned
from text2gesture_ros.motion.formats.take import Take, numbers, read_lines
from text2gesture_ros.motion.motion import FRAME_RATE
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.skeleton import JOINTS

_LONGEST = 600.0  # [s]
_MAX_CHARACTERS = 16 << 20  # thousands of times what an animation has
# How Pepper stands before an animation plays: its posture "Stand", which most animations begin in [rad].
_ARM = {"ShoulderPitch": 1.56, "ShoulderRoll": 0.14, "ElbowYaw": -1.23, "ElbowRoll": -0.52, "WristYaw": 0.0}
_STAND = {
    **{"HeadYaw": 0.0, "HeadPitch": -0.2, "HipRoll": 0.0, "HipPitch": -0.04, "KneePitch": 0.0},
    **{f"L{name}": angle for name, angle in _ARM.items()},
    **{f"R{name}": angle if name == "ShoulderPitch" else -angle for name, angle in _ARM.items()},
}
_TO_RADIANS = {"degree": np.pi / 180.0, "radian": 1.0, "dimensionless": 1.0}


def read_qianim(path: Path) -> Take:
    """Read an animation of Pepper as a human motion at 60 frames per second.

    An actuator without a key at the beginning moves to its first from the posture "Stand", if it can in time.

    Raises:
        InputError: it is damaged, too long, or moves nothing we know.
    """
    text = "\n".join(read_lines(path))
    if len(text) > _MAX_CHARACTERS:
        raise InputError(f"{path}: larger than {_MAX_CHARACTERS >> 20} MB")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # a few lines that grow to gigabytes, files of others
        raise InputError(f"{path}: has a DOCTYPE or ENTITY. Allowed: plain XML without any")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise InputError(f"{path}: no readable XML: {error}") from None
    robot = _pepper()
    speed = dict(zip(robot.joint_names, robot.velocity.tolist(), strict=True))
    curves: dict[str, Array] = {}
    unmapped = []
    for curve in root.iter("ActuatorCurve"):
        name = curve.get("actuator", "")
        where = f"{path}: actuator {name!r}"
        keys = _keys(curve, where)
        if name not in _STAND:
            unmapped.append(name)
        elif name in curves:
            raise InputError(f"{where} has two curves. Allowed: one")
        elif len(keys):
            curves[name] = _from_stand(keys, _STAND[name], speed.get(name, np.inf))
    if not set(curves) & set(robot.joint_names):
        raise InputError(f"{path}: no key for an arm or the head. Allowed: actuators {', '.join(_STAND)}")
    end = max(float(keys[-1, 0]) for keys in curves.values())
    if end > _LONGEST:
        raise InputError(f"{path}: {end:.0f} s long. Allowed: {_LONGEST:.0f}")
    times = np.arange(int(end * FRAME_RATE + 1e-6) + 1) / FRAME_RATE
    angles = {
        name: _sampled(curves[name], times) if name in curves else np.full(len(times), stand)
        for name, stand in _STAND.items()
    }
    return Take(
        positions=human_of(robot, angles),
        names=JOINTS,
        frame_rate=FRAME_RATE,
        up=np.array([0.0, 0.0, 1.0]),
        unit=1.0,
        unmapped=tuple(unmapped),
        notes=("the body is the reference's, its arms and head point as Pepper's do",),
    )


@cache
def _pepper() -> Robot:
    return load_robot("pepper")


def joint_angles(robot: Robot, angles: dict[str, Array]) -> Array:
    """Return the angles (T, N) of Pepper's joints; those that are not given, as of its hands, stay at rest.

    Args:
        robot: Pepper.
        angles: (T,) by name [rad].
    """
    rest = zip(robot.joint_names, robot.rest, strict=True)
    return np.stack(np.broadcast_arrays(*(angles.get(name, angle) for name, angle in rest)), axis=-1)


def human_of(robot: Robot, angles: dict[str, Array]) -> Array:
    """Return a human (T, K, 3) of the reference's size whose limbs point as Pepper's do.

    Args:
        robot: Pepper.
        angles: (T,) of each of its joints, and of its hips and knee [rad].
    """
    body = robot_pose.human_of(robot, joint_angles(robot, angles))
    # The chain runs from the trunk down: hip roll, hip pitch, knee pitch; the trunk turns the other way.
    pitch = -(angles["HipPitch"] + angles["KneePitch"])
    lean = turned("yx", np.stack([pitch, -angles["HipRoll"]], axis=-1))
    upper = robot_pose.UPPER_BODY
    body[:, upper] = np.einsum("tij,tkj->tki", lean, body[:, upper])
    return body


def _keys(curve: ElementTree.Element, where: str) -> Array:
    """Return the keys (P, 6) of a curve in their order: time [s], angle [rad], and where the tangents end.

    The tangents are given from the key: before it in time and angle, after it in time and angle.
    """
    unit = curve.get("unit", "degree")
    rate = float(numbers([curve.get("fps", "25")], f"{where}, fps", 1)[0])
    if unit not in _TO_RADIANS or not 1.0 <= rate <= 1000.0:
        raise InputError(
            f"{where}: unit {unit!r}, {rate:g} fps. Allowed: {', '.join(_TO_RADIANS)}, 1 to 1000 fps"
        )
    keys = []
    for index, key in enumerate(curve.iter("Key")):
        here = f"{where}, key {index}"
        time, value = numbers([key.get("frame", "none"), key.get("value", "none")], f"{here}: frame, value")
        tangents = {"left": np.zeros(2), "right": np.zeros(2)}
        for tangent in key.iter("Tangent"):
            ends = [tangent.get(axis, "none") for axis in ("abscissaParam", "ordinateParam")]
            tangents[tangent.get("side", "")] = numbers(ends, f"{here}: tangent")
        keys.append([time, value, *tangents["left"], *tangents["right"]])
    array = np.array(keys).reshape(-1, 6)
    if (array[:, 0] < 0.0).any() or (np.diff(array[:, 0]) <= 0.0).any():
        raise InputError(f"{where}: frames must be 0 or more, each above the one before")
    return np.asarray(array * np.array([1.0 / rate, _TO_RADIANS[unit]] * 3))


def _from_stand(keys: Array, stand: float, speed: float) -> Array:
    """Return the keys with one at time 0 before them, in the posture Stand, if that can be left in time."""
    time, value = keys[0, :2]
    # A smooth curve between two flat tangents is 1.5 times as fast at its middle as the straight one.
    if time <= 0.0 or 1.5 * abs(value - stand) > speed * time:
        return keys
    return np.concatenate([[[0.0, stand, 0.0, 0.0, time / 3.0, 0.0]], keys])


def _sampled(keys: Array, times: Array) -> Array:
    """Return the angles (T,) of a curve at times [s]; outside its keys it holds.

    Between two keys runs a cubic Bezier curve in the plane of time and angle, whose inner points are where
    the tangents end; the parameter at which it passes a given time is found by bisection.
    """
    if len(keys) == 1:
        return np.full(times.shape, float(keys[0, 1]))
    times = np.clip(times, keys[0, 0], keys[-1, 0])
    segment = np.clip(np.searchsorted(keys[:, 0], times, side="right") - 1, 0, len(keys) - 2)
    before, after = keys[segment], keys[segment + 1]
    span = after[:, 0] - before[:, 0]
    # A tangent longer than the span would run back in time.
    reach = [np.clip(before[:, 4], 0.0, span), np.clip(-after[:, 2], 0.0, span)]
    x = [before[:, 0], before[:, 0] + reach[0], after[:, 0] - reach[1], after[:, 0]]
    y = [before[:, 1], before[:, 1] + before[:, 5], after[:, 1] + after[:, 3], after[:, 1]]
    low, high = np.zeros(len(times)), np.ones(len(times))
    for _ in range(40):  # to the last bits of a double
        middle = (low + high) / 2.0
        late = _bezier(x, middle) > times
        low, high = np.where(late, low, middle), np.where(late, middle, high)
    return _bezier(y, (low + high) / 2.0)


def _bezier(points: list[Array], u: Array) -> Array:
    a, b, c, d = points
    v = 1.0 - u
    return np.asarray(v**3 * a + 3 * v**2 * u * b + 3 * v * u**2 * c + u**3 * d)
