"""Where the robot is: what is told counts where the robot stands still."""

from types import SimpleNamespace

import pytest

from text2gesture_ros.parameters import GestureRetargeterParameters
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.ros.measured_pose import MeasuredPose

ROBOT = load_robot("pepper")


@pytest.fixture
def pose():
    made = MeasuredPose(SimpleNamespace(parameters=GestureRetargeterParameters(start_from="joint_states")))
    made.begin(ROBOT)
    return made


def test_a_robot_in_motion_does_not_stand_however_late_the_next_command_is(pose):
    pose.on_command(True, 10.0)
    assert not pose.stands(10.1)
    assert not pose.stands(20.0)


def test_a_robot_stands_a_while_after_its_motion(pose):
    pose.on_command(True, 10.0)
    pose.on_command(False, 10.01)
    assert not pose.stands(10.1)
    assert pose.stands(11.0)


def test_a_pose_is_known_with_all_joints_or_after_some_time_with_a_part(pose):
    names = ROBOT.joint_names
    assert not pose.known(100.0)
    assert not pose.note({}, 0.0)
    assert not pose.known(100.0)  # nothing of it was told
    assert pose.note({names[0]: 0.1}, 0.1)
    assert not pose.note({names[0]: 0.2}, 0.2)
    assert not pose.known(0.3)
    assert pose.known(10.0)
    assert pose.missing == names[1:]
    pose.note(dict.fromkeys(names, 0.0), 0.3)
    assert pose.known(0.3)
