"""Publishers of commands and plans: the parameter `outputs` names their topics, and so the message types.

joint_trajectory carries each new plan, the others carry each command. All describe the same motion: a robot
needs only one of them.
"""

from collections import Counter
from importlib import import_module
from typing import Any, Protocol

from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

from text2gesture_ros.control.command import Announcement, Command
from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.geometry import Array
from text2gesture_ros.parameters import ALWAYS, GestureRetargeterParameters, listed
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.ros.arm_sdk import ArmSdk
from text2gesture_ros.ros.conversions import (
    joint_angles_message,
    joint_state_message,
    positions_message,
    trajectory_message,
)

_QUEUE_DEPTH = 10


class PublisherFactory(Protocol):
    """A lifecycle node, as far as it is needed here."""

    def create_lifecycle_publisher(self, message_type: Any, topic: str, depth: int) -> Any:
        """Return a publisher that publishes only while the node is active."""

    def destroy_lifecycle_publisher(self, publisher: Any) -> bool:
        """Destroy a publisher."""

    def get_publishers_info_by_topic(self, topic_name: str) -> list[Any]:
        """Return who publishes on a topic, this node among them."""

    def get_fully_qualified_name(self) -> str:
        """Return the name of the node with its namespace."""


class CommandOutputs:
    """Publishes commands and plans as the message types that the parameters choose.

    Args:
        node: creates the publishers.
        robot: the robot that is commanded.
        parameters: `outputs`, `position_joints` and the joint groups are used.

    Raises:
        ConfigurationError: a joint is unknown or not always commanded, or a message type is not installed.
    """

    def __init__(self, node: PublisherFactory, robot: Robot, parameters: GestureRetargeterParameters) -> None:
        check_outputs(robot, parameters)
        chosen = listed(parameters.outputs)
        self._node, self._robot = node, robot
        self._position_indices = [
            robot.joint_names.index(name) for name in _position_joints(robot, parameters)
        ]
        self._speed_type = self._arms = motors_type = None
        if "joint_angles" in chosen:
            self._speed_type = _message_type("joint_angles", "naoqi_bridge_msgs", "JointAnglesWithSpeed")
        if "arm_sdk" in chosen:
            motors_type = _message_type("arm_sdk", "unitree_hg", "LowCmd")
        self._trajectories = self._states = self._positions = self._speeds = self._motors = None
        if "joint_trajectory" in chosen:
            self._trajectories = node.create_lifecycle_publisher(
                JointTrajectory, "joint_trajectory", _QUEUE_DEPTH
            )
        if "joint_command" in chosen:
            self._states = node.create_lifecycle_publisher(JointState, "joint_command", _QUEUE_DEPTH)
        if "joint_positions" in chosen:
            self._positions = node.create_lifecycle_publisher(
                Float64MultiArray, "joint_positions", _QUEUE_DEPTH
            )
        if JointAnglesWithSpeed := self._speed_type:
            self._speeds = node.create_lifecycle_publisher(JointAnglesWithSpeed, "joint_angles", _QUEUE_DEPTH)
        if robot.arm_interface is not None and (LowCmd := motors_type):
            self._motors = node.create_lifecycle_publisher(LowCmd, "arm_sdk", _QUEUE_DEPTH)
            self._arms = ArmSdk(self._motors.publish, LowCmd, robot.arm_interface)

    def close(self) -> None:
        """Destroy the publishers."""
        for publisher in self._publishers():
            self._node.destroy_lifecycle_publisher(publisher)

    def other_writers(self) -> list[str]:
        """Return a line for each topic of commands on which somebody else publishes too."""
        mine = self._node.get_fully_qualified_name()
        lines = []
        for topic in (publisher.topic_name for publisher in self._publishers()):
            writers = Counter(
                f"{info.node_namespace.rstrip('/')}/{info.node_name}"
                for info in self._node.get_publishers_info_by_topic(topic)
            )
            writers[mine] -= 1  # one of them is this node
            others = [f"another {name}" if name == mine else name for name in +writers]
            if others:
                lines.append(f"{topic} is commanded by {', '.join(sorted(others))} too: stop one of them")
        return lines

    def _publishers(self) -> list[Any]:
        every = (self._trajectories, self._states, self._positions, self._speeds, self._motors)
        return [publisher for publisher in every if publisher is not None]

    def publish_command(self, command: Command, offset: float) -> None:
        """Publish a command; `offset` is the ROS time minus the time of the loop [s]."""
        if not command.owned.any():
            return
        names = self._robot.joint_names
        if self._states is not None:
            self._states.publish(joint_state_message(names, command, offset))
        if self._positions is not None:
            self._positions.publish(positions_message(command, self._position_indices))
        if self._speeds is not None:
            limits = self._robot.velocity
            self._speeds.publish(joint_angles_message(self._speed_type, names, command, limits, offset))
        if self._arms is not None:
            self._arms.send(command.position, command.time, 1.0)

    @property
    def in_force(self) -> bool:
        """Whether the robot does what is commanded; else it does so in part, or not yet, or no more."""
        return self._arms is None or self._arms.weight == 1.0

    def fade_in(self, position: Array, now: float) -> bool:
        """Take the robot over little by little, where it stands; return whether commands are in force.

        Args:
            position: (N,) where it stands [rad].
            now: time of this control period [s].
        """
        if self._arms is not None and not self.in_force:
            self._arms.send(position, now, 1.0)
        return self.in_force

    def fade_out(self, position: Array, now: float) -> bool:
        """Give the robot back little by little, as `fade_in` took it; return whether that is done."""
        if self._arms is not None and self._arms.weight > 0.0:
            self._arms.send(position, now, 0.0)
        return self._arms is None or self._arms.weight == 0.0

    def publish_plan(self, plan: Announcement, start: float) -> None:
        """Publish the trajectory of a plan that starts at `start` [s], ROS time."""
        if self._trajectories is not None and plan.owned.any():
            self._trajectories.publish(trajectory_message(self._robot.joint_names, plan, start))


def check_outputs(robot: Robot, parameters: GestureRetargeterParameters) -> None:
    """Raise ConfigurationError if an output is not possible with this robot and these parameters."""
    chosen, interface = listed(parameters.outputs), robot.arm_interface
    if "joint_positions" in chosen:
        wanted = {robot.joint_names.index(name) for name in _position_joints(robot, parameters)}
        _check_commanded(
            robot, parameters, wanted, "joint_positions", ", or position_joints must leave its joints out"
        )
    if "arm_sdk" not in chosen:
        return
    if interface is None:
        raise ConfigurationError(f"outputs: arm_sdk needs the key arm_sdk in the robot file of {robot.name}")
    _check_commanded(robot, parameters, set(range(len(robot.joint_names))), "arm_sdk")
    if parameters.rate < interface.rate:
        raise ConfigurationError(
            f"arm_sdk is sent at {interface.rate:g} Hz: rate must be at least that but is {parameters.rate:g}"
        )


def _check_commanded(
    robot: Robot, parameters: GestureRetargeterParameters, wanted: set[int], output: str, otherwise: str = ""
) -> None:
    """Raise ConfigurationError if one of the wanted joints is not always commanded."""
    for group, joints in robot.groups.items():
        if wanted & set(joints) and getattr(parameters, group) != ALWAYS:
            raise ConfigurationError(
                f"{output} always names the same joints: {group} must be {ALWAYS} but is "
                f"{getattr(parameters, group)}{otherwise}"
            )


def _position_joints(robot: Robot, parameters: GestureRetargeterParameters) -> tuple[str, ...]:
    if parameters.position_joints == "all":
        return robot.joint_names
    joints = listed(parameters.position_joints)
    unknown = [name for name in joints if name not in robot.joint_names]
    if unknown:
        known = ", ".join(robot.joint_names)
        raise ConfigurationError(f"position_joints: unknown joint {unknown[0]!r}. Known: {known}")
    if len(set(joints)) < len(joints):
        raise ConfigurationError(f"position_joints: a joint stands twice in {parameters.position_joints!r}")
    return joints


def _message_type(output: str, package: str, name: str) -> Any:
    # Imported only here: only the robots of one maker need the package, and it is not on PyPI.
    try:
        return getattr(import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"outputs: {output} needs the ROS package {package}, which cannot be used: {error}"
        ) from None
