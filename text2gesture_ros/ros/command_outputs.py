"""Which messages the commands go out as: the parameter `outputs` names their topics.

joint_trajectory carries each new plan, the others each command. They are different forms of one motion: a
robot listens to one of them.
"""

from importlib import import_module
from typing import Any, Protocol

from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

from text2gesture_ros.control.command import Announcement, Command
from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.parameters import ALWAYS, GestureRetargeterParameters, listed
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.ros.conversions import (
    joint_angles_message,
    joint_state_message,
    positions_message,
    trajectory_message,
)

_DEPTH = 10


class Publishing(Protocol):
    """What is needed of a node: a lifecycle node."""

    def create_lifecycle_publisher(self, message_type: Any, topic: str, depth: int) -> Any:
        """Return a publisher that is silent while the node is inactive."""

    def destroy_lifecycle_publisher(self, publisher: Any) -> bool:
        """Give a publisher up."""


class Outputs:
    """Publishes commands and plans in the forms that were chosen.

    Args:
        node: publishes.
        robot: the robot that is commanded.
        given: `outputs`, `position_joints` and the groups count.

    Raises:
        ConfigurationError: a joint is unknown or left to others, or a message type is not installed.
    """

    def __init__(self, node: Publishing, robot: Robot, given: GestureRetargeterParameters) -> None:
        check_outputs(robot, given)
        chosen = listed(given.outputs)
        self._node, self._robot = node, robot
        self._positions_of = [robot.joint_names.index(name) for name in _position_joints(robot, given)]
        self._speed_type = _naoqi_type() if "joint_angles" in chosen else None
        self._trajectories = self._states = self._positions = self._speeds = None
        if "joint_trajectory" in chosen:
            self._trajectories = node.create_lifecycle_publisher(JointTrajectory, "joint_trajectory", _DEPTH)
        if "joint_command" in chosen:
            self._states = node.create_lifecycle_publisher(JointState, "joint_command", _DEPTH)
        if "joint_positions" in chosen:
            self._positions = node.create_lifecycle_publisher(Float64MultiArray, "joint_positions", _DEPTH)
        if JointAnglesWithSpeed := self._speed_type:
            self._speeds = node.create_lifecycle_publisher(JointAnglesWithSpeed, "joint_angles", _DEPTH)

    def close(self) -> None:
        """Give the publishers up."""
        for publisher in (self._trajectories, self._states, self._positions, self._speeds):
            if publisher is not None:
                self._node.destroy_lifecycle_publisher(publisher)

    def command(self, command: Command, offset: float) -> None:
        """Publish a command; `offset` leads from its time to the ROS clock [s]."""
        if not command.owned.any():
            return
        names = self._robot.joint_names
        if self._states is not None:
            self._states.publish(joint_state_message(names, command, offset))
        if self._positions is not None:
            self._positions.publish(positions_message(command, self._positions_of))
        if self._speeds is not None:
            limits = self._robot.velocity
            self._speeds.publish(joint_angles_message(self._speed_type, names, command, limits, offset))

    def plan(self, trajectory: Announcement, start: float) -> None:
        """Publish what is ahead; it starts at `start` [s], on the ROS clock."""
        if self._trajectories is not None and trajectory.owned.any():
            self._trajectories.publish(trajectory_message(self._robot.joint_names, trajectory, start))


def check_outputs(robot: Robot, given: GestureRetargeterParameters) -> None:
    """Raise ConfigurationError where joint_positions cannot carry the joints it is to."""
    if "joint_positions" not in listed(given.outputs):
        return
    wanted = {robot.joint_names.index(name) for name in _position_joints(robot, given)}
    for group, joints in robot.groups.items():
        if wanted & set(joints) and getattr(given, group) != ALWAYS:
            raise ConfigurationError(
                f"joint_positions always names the same joints: {group} must be {ALWAYS} but is "
                f"{getattr(given, group)}, or position_joints must leave its joints out"
            )


def _position_joints(robot: Robot, given: GestureRetargeterParameters) -> tuple[str, ...]:
    if given.position_joints == "all":
        return robot.joint_names
    joints = listed(given.position_joints)
    unknown = [name for name in joints if name not in robot.joint_names]
    if unknown:
        known = ", ".join(robot.joint_names)
        raise ConfigurationError(f"position_joints: unknown joint {unknown[0]!r}. Known: {known}")
    if len(set(joints)) < len(joints):
        raise ConfigurationError(f"position_joints: a joint stands twice in {given.position_joints!r}")
    return joints


def _naoqi_type() -> Any:
    # Imported late: only robots of SoftBank need the package, and no wheel has it.
    try:
        return import_module("naoqi_bridge_msgs.msg").JointAnglesWithSpeed
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"outputs: joint_angles needs the ROS package naoqi_bridge_msgs, which cannot be used: {error}"
        ) from None
