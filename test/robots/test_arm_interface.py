"""The arm interface in a robot file: every joint has one motor of its own, and wrong numbers are refused."""

import copy
from pathlib import Path

import numpy as np
import pytest
import yaml

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.resources import find_robot_file
from text2gesture_ros.robots.robot_file import robot_of


@pytest.fixture(scope="module")
def g1():
    return yaml.safe_load(find_robot_file("g1").read_text())


def robot_with(g1, **changes):
    return robot_of(g1 | {"arm_sdk": g1["arm_sdk"] | changes}, Path("g1.yaml"))


def test_motors_and_gains_are_in_the_order_of_the_joints(g1):
    motors = {name: {"motor": 34 - at, "kp": 1.0 + at, "kd": 0.5} for at, name in enumerate(g1["rest"])}
    robot = robot_with(g1, motors=dict(reversed(motors.items())), weight_motor=0)
    interface = robot.arm_interface
    for name, motor, kp in zip(robot.joint_names, interface.motors, interface.kp, strict=True):
        assert (motor, kp) == (motors[name]["motor"], motors[name]["kp"])
    np.testing.assert_array_equal(interface.kd, 0.5)
    with pytest.raises(ValueError, match="read-only"):
        interface.kp[0] = 0.0


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"weight_motor": 15}, "arm_sdk.motors.left_shoulder_pitch_joint.motor is 15. Allowed: another than"),
        ({"weight_motor": 35}, "arm_sdk.weight_motor is 35. Allowed: the index of a motor, a whole number"),
        ({"weight_motor": -1}, "arm_sdk.weight_motor is -1"),
        ({"weight_motor": True}, "arm_sdk.weight_motor is True"),
        ({"fade_time": 0.0}, "arm_sdk.fade_time is 0.0. Allowed: a number above 0 and at most 5"),
        ({"fade_time": 5.1}, "arm_sdk.fade_time is 5.1"),
        ({"rate": 500.0}, "arm_sdk.rate is 500.0"),
        ({"weight": 29}, "arm_sdk has the unknown key 'weight'"),
        ({"motors": []}, "arm_sdk.motors is []"),
    ],
)
def test_wrong_values_are_refused(g1, changes, complaint):
    with pytest.raises(ConfigurationError) as error:
        robot_with(g1, **changes)
    assert f"g1.yaml: {complaint}" in str(error.value)


@pytest.mark.parametrize(
    ("joint", "row", "complaint"),
    [
        ("left_elbow_joint", None, "arm_sdk.motors lacks the key 'left_elbow_joint'"),
        ("left_knee_joint", {"motor": 3, "kp": 1.0, "kd": 1.0}, "unknown key 'left_knee_joint' (no joint"),
        ("left_elbow_joint", {"motor": 18, "kp": 60.0}, "left_elbow_joint lacks the key 'kd'"),
        ("left_elbow_joint", {"motor": 18, "kp": -1.0, "kd": 1.5}, "left_elbow_joint.kp is -1.0"),
        ("left_elbow_joint", {"motor": 25, "kp": 60.0, "kd": 1.5}, "another than that of left_elbow_joint"),
        ("left_elbow_joint", {"motor": 18.0, "kp": 60.0, "kd": 1.5}, "left_elbow_joint.motor is 18.0"),
    ],
)
def test_every_joint_has_a_motor_of_its_own_and_gains(g1, joint, row, complaint):
    motors = copy.deepcopy(g1["arm_sdk"]["motors"])
    motors[joint] = row
    if row is None:
        del motors[joint]
    with pytest.raises(ConfigurationError) as error:
        robot_with(g1, motors=motors)
    assert complaint in str(error.value)
