"""Where the robot is before the first command: as joint_states tells, or at rest."""

import time

from rclpy.wait_for_message import wait_for_message
from sensor_msgs.msg import JointState

from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.parameters import GestureRetargeterParameters
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.ros.conversions import read_joint_states
from text2gesture_ros.ros.managed_node import ManagedNode

_TOPIC = "joint_states"
_DISCOVERY = 1.0  # after its start a node may not have seen yet who publishes what [s]
_TIMEOUT = 2.0  # for a robot whose joints are published [s]


def measured_pose(
    node: "ManagedNode[GestureRetargeterParameters]", robot: Robot, born: float
) -> dict[str, float]:
    """Return the joint positions that are published [rad], by name; nothing: the robot is taken as at rest.

    Args:
        node: subscribes; its parameter `start_from` says what is wanted.
        robot: whose joints are wanted.
        born: when the node was made, on `time.monotonic` [s].

    Raises:
        ConfigurationError: joint states are wanted, or published, and none came.
    """
    wanted = node.parameters.start_from
    if wanted == "rest" or (wanted == "auto" and not _is_published(node, born)):
        return {}
    found: dict[str, float] = {}
    missing, silent = list(robot.joint_names), True
    deadline = time.monotonic() + _TIMEOUT
    while missing and (left := deadline - time.monotonic()) > 0.0:
        came, message = wait_for_message(JointState, node, _TOPIC, time_to_wait=left)
        if not came:
            break
        try:
            positions = read_joint_states(message)
        except InputError as error:
            node.reject(_TOPIC, error)
            continue
        silent = False
        found |= {name: positions[name] for name in missing if name in positions}
        missing = [name for name in missing if name not in found]
    if silent or (wanted == "joint_states" and not found):  # a robot that does not tell may be anywhere
        raise ConfigurationError(
            f"no joint of {node.parameters.robot} came on {node.resolve_topic_name(_TOPIC)} "
            f"(sensor_msgs/JointState) within {_TIMEOUT:g} s: start what publishes them first, "
            "or set start_from to rest"
        )
    if missing:
        node.get_logger().warning(f"{_TOPIC} does not tell, taken as at rest: {', '.join(missing)}")
    return found


def _is_published(node: "ManagedNode[GestureRetargeterParameters]", born: float) -> bool:
    """Return whether another node publishes joint_states; wait until that can be known."""
    own = node.get_namespace(), node.get_name()
    while True:
        for info in node.get_publishers_info_by_topic(_TOPIC):
            if (info.node_namespace, info.node_name) != own:
                return True
        if time.monotonic() > born + _DISCOVERY:
            return False
        time.sleep(0.02)
