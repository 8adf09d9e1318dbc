"""The URDF on the topic robot_description, as robot_state_publisher, say, has published it."""

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.wait_for_message import wait_for_message
from std_msgs.msg import String

from text2gesture_ros.errors import ConfigurationError

_WAIT = 5.0  # [s]


def robot_description(node: Node) -> str:
    """Return the URDF that was published; wait for it.

    Raises:
        ConfigurationError: none came.
    """
    kept = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    came, message = wait_for_message(String, node, "robot_description", qos_profile=kept, time_to_wait=_WAIT)
    if not came:
        topic = node.resolve_topic_name("robot_description")
        raise ConfigurationError(
            f"no robot description came on {topic} (std_msgs/String, transient local) within {_WAIT:g} s: "
            "start what publishes it first, or set robot_description to false"
        )
    return str(message.data)
