"""Where the robot is, as joint_states tells: before the first command, and wherever it stands still."""

import time
from collections.abc import Mapping

from text2gesture_ros.parameters import GestureRetargeterParameters
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.ros.managed_node import ManagedNode

TOPIC = "joint_states"

_DISCOVERY = 1.0  # after its start a node may not have seen yet who publishes what [s]
# After the first message, time for those of other publishers: each may tell of some joints [s].
_TIMEOUT = 2.0
_STANDSTILL = 0.5  # time at rest after which joints are expected where they are commanded [s]


class MeasuredPose:
    """Collects the measured positions of a robot's joints, which may come from several publishers.

    Attributes:
        positions: the latest of each joint that was told, by name [rad].
        awaited: whether the robot is not commanded before they are known.
        origin: the pose that the robot was taken to stand in at first, for people; empty: awaited.
        refusal: why the robot cannot begin from where it is; empty: it is not known yet where that is.
    """

    def __init__(self, node: "ManagedNode[GestureRetargeterParameters]") -> None:
        """Know nothing yet; `node` subscribes."""
        self._node, self._born = node, time.monotonic()
        self._joints: tuple[str, ...] = ()
        self.positions: dict[str, float] = {}
        self.awaited, self.refusal, self.origin = False, "", ""
        self._first: float | None = None  # when the first message came, of whichever joints [s]
        self._moves, self._moved = False, 0.0  # whether the robot is moved, and when it was last [s]

    def begin(self, robot: Robot) -> None:
        """Forget what was known, and decide whether a robot's pose is awaited.

        It is if the parameter `start_from` says so; where that is `auto`, if another node publishes it.
        """
        self._joints, self.positions, self._first, self.refusal = robot.joint_names, {}, None, ""
        self.origin = ""
        wanted = self._node.parameters.start_from
        self.awaited = wanted == "joint_states" or (wanted == "auto" and self._is_published())

    def note(self, positions: Mapping[str, float], now: float) -> bool:
        """Take note of positions by name [rad] that came now [s]; return whether they are the first."""
        first = bool(positions) and not self.positions
        self.positions.update(positions)
        if self._first is None:
            self._first = now
        return first

    def on_command(self, moving: bool, now: float) -> None:
        """Take note of whether the command that was sent now [s] moves the robot."""
        self._moves = moving
        if moving:
            self._moved = now

    def stands(self, now: float) -> bool:
        """Return whether the robot is expected where it is commanded: measurements trail a motion.

        Time alone does not tell: commands may be late themselves.
        """
        return not self._moves and now > self._moved + _STANDSTILL

    @property
    def missing(self) -> tuple[str, ...]:
        """The joints that were not told."""
        return tuple(name for name in self._joints if name not in self.positions)

    def known(self, now: float) -> bool:
        """Return whether all joints are told by now [s], or there was time for all that ever will be."""
        over = self._first is not None and now > self._first + _TIMEOUT
        some = self.positions or self._node.parameters.start_from == "auto"
        return not self.missing or bool(over and some)

    def waiting_for(self) -> str:
        """Return what is waited for, and from whom."""
        if self.refusal:
            return f"waits for a pose to begin from: {self.refusal}"
        node, who = self._node, ", ".join(self._publishers()) or "nobody publishes it"
        return (
            f"waits for where the robot is: no joint of {node.parameters.robot} ({self._joints[0]}, ...) has "
            f"come on {node.resolve_topic_name(TOPIC)} (sensor_msgs/JointState; from {who}). It is not "
            "commanded before; where it stands in its rest pose, start_from may be set to rest"
        )

    def _is_published(self) -> bool:
        """Return whether another node publishes joint_states; wait until that can be known."""
        while not self._publishers():
            if time.monotonic() > self._born + _DISCOVERY:
                return False
            time.sleep(0.02)
        return True

    def _publishers(self) -> list[str]:
        """Return the other nodes that publish joint_states, each with its reliability."""
        node = self._node
        own = node.get_namespace(), node.get_name()
        return [
            f"{info.node_name} ({info.qos_profile.reliability.name.lower().replace('_', ' ')})"
            for info in node.get_publishers_info_by_topic(TOPIC)
            if (info.node_namespace, info.node_name) != own
        ]
