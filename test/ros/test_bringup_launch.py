"""bringup.launch.py as `ros2 launch` runs it; where launch_testing is missing there is nothing to run."""

import os
import time
import unittest
import unittest.mock
from pathlib import Path

import pytest

pytest.importorskip("launch_testing", reason="upstream launch is part of ROS 2, not of its wheels")

import launch_testing.actions
import launch_testing.asserts
import rclpy
from launch import LaunchDescription
from launch.actions import GroupAction, IncludeLaunchDescription, SetEnvironmentVariable
from launch.launch_description_sources import PythonLaunchDescriptionSource
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from text2gesture_ros.robots.robot_file import load_robot

ISOLATION = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST", "ROS_DOMAIN_ID": str(1 + os.getpid() % 100)}
LAUNCH_FILE = Path(__file__).parents[2] / "launch" / "bringup.launch.py"


ROBOTS = {"left": "pepper", "right": "nao"}


def bringup(namespace, robot):
    """Launch the nodes of one robot."""
    arguments = {"robot": robot, "namespace": namespace, "device": "cpu", "use_sim_time": "false"}
    return GroupAction(
        [
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(str(LAUNCH_FILE)), launch_arguments=arguments.items()
            )
        ]
    )


@pytest.mark.launch_test
def generate_test_description():
    """Launch the nodes of two robots, side by side in two namespaces."""
    return LaunchDescription(
        [
            *(SetEnvironmentVariable(name, value) for name, value in ISOLATION.items()),
            *(bringup(namespace, robot) for namespace, robot in ROBOTS.items()),
            launch_testing.actions.ReadyToTest(),
        ]
    )


class TestBringup(unittest.TestCase):
    """While the nodes run."""

    def test_each_robot_does_what_is_said_in_its_namespace(self):
        with unittest.mock.patch.dict(os.environ, ISOLATION):
            rclpy.init()
        node = rclpy.create_node("tester")
        for namespace, robot in ROBOTS.items():
            seen = {name: [] for name in ROBOTS}
            for name, trajectories in seen.items():
                node.create_subscription(JointTrajectory, f"{name}/joint_trajectory", trajectories.append, 10)
            text = node.create_publisher(String, f"{namespace}/speech_text", 10)
            deadline = time.monotonic() + 60.0
            while not seen[namespace]:
                assert time.monotonic() < deadline
                text.publish(String(data="Hello, nice to meet you!"))
                spin_until = time.monotonic() + 1.0
                while time.monotonic() < spin_until and not seen[namespace]:
                    rclpy.spin_once(node, timeout_sec=0.1)
            assert seen[namespace][0].joint_names == list(load_robot(robot).joint_names)
            assert all(not others for name, others in seen.items() if name != namespace)
        node.destroy_node()
        rclpy.shutdown()


@launch_testing.post_shutdown_test()
class TestAfterwards(unittest.TestCase):
    """When they have been asked to end."""

    def test_every_node_ended_with_status_0(self, proc_info):
        launch_testing.asserts.assertExitCodes(proc_info)
        assert len(proc_info.process_names()) == 6
