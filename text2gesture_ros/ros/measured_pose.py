"""Where the robot is, as joint_states tells."""

import time
from collections.abc import Mapping

from text2gesture_ros.parameters import GestureRetargeterParameters
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.ros.managed_node import ManagedNode

TOPIC = "joint_states"

_DISCOVERY = 1.0  # after its start a node may not have seen yet who publishes what [s]
# After the first message, time for those of other publishers: each may tell of some joints [s].
_TIMEOUT = 2.0


class MeasuredPose:
    """Collects the measured positions of a robot's joints, which may come from several publishers.

    Attributes:
        positions: the latest of each joint that was told, by name [rad].
    """

    def __init__(self, robot: Robot) -> None:
        """Know nothing of a robot yet."""
        self._robot = robot
        self.positions: dict[str, float] = {}
        self._first: float | None = None  # when the first message came, of whichever joints [s]

    def note(self, positions: Mapping[str, float], now: float) -> None:
        """Take note of positions by name [rad] that came now [s]."""
        self.positions.update(positions)
        if self._first is None:
            self._first = now

    @property
    def missing(self) -> tuple[str, ...]:
        """The joints that were not told."""
        return tuple(name for name in self._robot.joint_names if name not in self.positions)

    def known(self, now: float, *, some: bool) -> bool:
        """Return whether the robot may begin: all joints are told, or there was time for all that ever will.

        Args:
            now: the present [s].
            some: whether at least one joint has to be told.
        """
        over = self._first is not None and now > self._first + _TIMEOUT
        return not self.missing or (over and (bool(self.positions) or not some))


def is_published(node: "ManagedNode[GestureRetargeterParameters]", born: float) -> bool:
    """Return whether another node publishes joint_states; wait until that can be known.

    Args:
        node: asks.
        born: when it was made, on `time.monotonic` [s].
    """
    while not publishers(node):
        if time.monotonic() > born + _DISCOVERY:
            return False
        time.sleep(0.02)
    return True


def publishers(node: "ManagedNode[GestureRetargeterParameters]") -> list[str]:
    """Return the other nodes that publish joint_states, each with its reliability."""
    own = node.get_namespace(), node.get_name()
    return [
        f"{info.node_name} ({info.qos_profile.reliability.name.lower().replace('_', ' ')})"
        for info in node.get_publishers_info_by_topic(TOPIC)
        if (info.node_namespace, info.node_name) != own
    ]


def waiting_for(node: "ManagedNode[GestureRetargeterParameters]", robot: Robot) -> str:
    """Return what is waited for where no pose has come, and from whom."""
    who = ", ".join(publishers(node)) or "nobody publishes it"
    return (
        f"waits for where the robot is: no joint of {node.parameters.robot} ({robot.joint_names[0]}, ...) "
        f"has come on {node.resolve_topic_name(TOPIC)} (sensor_msgs/JointState; from {who}). It is not "
        "commanded before; where it stands in its rest pose, start_from may be set to rest"
    )
