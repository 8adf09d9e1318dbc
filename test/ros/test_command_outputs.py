"""Whatever form commands go out in, it is one motion, and the form that is asked for has to be possible."""

import sys
from dataclasses import dataclass, field, replace
from types import ModuleType

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState
from stages import SimulatedStage
from std_msgs.msg import Float64MultiArray, Header
from trajectory_msgs.msg import JointTrajectory

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.parameters import GestureRetargeterParameters
from text2gesture_ros.retargeting.executor import MotionExecutor
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.ros.command_outputs import CommandOutputs
from text2gesture_ros.ros.gesture_retargeter import GestureRetargeterNode


@dataclass
class JointAnglesWithSpeed:
    """The message of naoqi_bridge_msgs, which no wheel has: its fields."""

    header: Header = field(default_factory=Header)
    joint_names: list[str] = field(default_factory=list)
    joint_angles: list[float] = field(default_factory=list)
    speed: float = 0.0
    relative: int = 0


class Publishers:
    """A node that remembers what is published."""

    def __init__(self):
        self.sent = {}

    def create_lifecycle_publisher(self, kind, topic, depth):
        del kind, depth
        self.sent[topic] = []
        publisher = ModuleType(topic)
        publisher.publish = self.sent[topic].append
        return publisher

    def destroy_lifecycle_publisher(self, publisher):
        del self.sent[publisher.__name__]


@pytest.fixture
def naoqi(monkeypatch):
    """Let naoqi_bridge_msgs be installed."""
    messages = ModuleType("naoqi_bridge_msgs.msg")
    messages.JointAnglesWithSpeed = JointAnglesWithSpeed
    monkeypatch.setitem(sys.modules, "naoqi_bridge_msgs", ModuleType("naoqi_bridge_msgs"))
    monkeypatch.setitem(sys.modules, "naoqi_bridge_msgs.msg", messages)


def command(robot, **changes):
    """Return a command that moves every joint at half its speed."""
    still = MotionExecutor(robot).tick(0.0)
    return replace(still, velocity=0.5 * robot.velocity, utterance_id="one", **changes)


@pytest.mark.usefixtures("naoqi")
def test_every_form_carries_the_same_positions():
    robot, node = load_robot("nao"), Publishers()
    joints = robot.joint_names[5], robot.joint_names[2]
    given = GestureRetargeterParameters(
        outputs="joint_command, joint_positions, joint_angles", position_joints=", ".join(joints)
    )
    outputs, sample = CommandOutputs(node, robot, given), command(robot)
    outputs.publish_command(sample, 100.0)
    outputs.publish_plan(MotionExecutor(robot).look_ahead(0.0), 0.0)
    (state,), (positions,), (angles,) = (
        node.sent[topic] for topic in ("joint_command", "joint_positions", "joint_angles")
    )
    known = dict(zip(robot.joint_names, sample.position.tolist(), strict=True))
    assert dict(zip(state.name, state.position, strict=True)) == known
    assert dict(zip(angles.joint_names, angles.joint_angles, strict=True)) == known
    assert list(positions.data) == [known[name] for name in joints]
    assert (angles.relative, angles.header) == (0, state.header)
    assert angles.speed == pytest.approx(0.75)
    outputs.close()
    assert not node.sent


@pytest.mark.usefixtures("naoqi")
def test_joint_angles_name_only_our_joints_and_may_always_move():
    robot, node = load_robot("nao"), Publishers()
    outputs = CommandOutputs(node, robot, GestureRetargeterParameters(outputs="joint_angles"))
    owned = np.arange(len(robot.rest)) < 3
    outputs.publish_command(replace(command(robot, owned=owned), velocity=0.0 * robot.rest), 0.0)
    outputs.publish_command(command(robot, owned=owned & False), 0.0)
    (angles,) = node.sent["joint_angles"]
    assert angles.joint_names == list(robot.joint_names[:3])
    assert 0.0 < angles.speed <= 0.2
    assert all(type(value) is float for value in [angles.speed, *angles.joint_angles])


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"outputs": "joint_angles"}, "naoqi_bridge_msgs, which cannot be used: No module"),
        ({"outputs": "joint_positions", "position_joints": "HeadYaw, Nose"}, "'Nose'. Known: Head"),
        ({"outputs": "joint_positions", "position_joints": "HeadYaw,HeadYaw"}, "stands twice"),
        ({"outputs": "joint_positions", "head": "when_used"}, "head must be always but is when_used"),
        ({"outputs": "arm_sdk"}, "arm_sdk needs the key arm_sdk in the robot file of nao"),
        ({"outputs": "arm_sdk", "robot": "g1"}, "arm_sdk needs the ROS package unitree_hg, which cannot be"),
        ({"outputs": "arm_sdk", "robot": "h1_2", "waist": "never"}, "waist must be always but is never"),
        ({"outputs": "arm_sdk", "robot": "g1", "rate": 25.0}, "rate must be at least that but is 25"),
    ],
)
def test_what_is_not_possible_is_said_when_configuring(graph, given, complaint):
    diagnostics = graph.collect_later(DiagnosticArray, "/diagnostics")
    node = graph.add(GestureRetargeterNode, wait=False, autostart=False, **{"robot": "nao", **given})
    assert not graph.transition(node, Transition.TRANSITION_CONFIGURE)
    graph.spin_until(lambda: any(complaint in status.message for m in diagnostics for status in m.status))
    with pytest.raises(
        ConfigurationError, match="outputs must be one or more of joint_trajectory, joint_comm"
    ):
        GestureRetargeterParameters(outputs="joint_command, joint_torques")


def test_another_writer_of_our_commands_is_reported_and_logged_until_it_is_gone(graph, capfd):
    diagnostics = graph.collect_later(DiagnosticArray, "/diagnostics")

    def warning():
        """Return the newest message of the first retargeter."""
        diagnostics.clear()
        graph.spin_until(lambda: diagnostics)
        return diagnostics[0].status[0].message

    graph.add(GestureRetargeterNode, robot="nao", outputs="joint_trajectory,joint_positions")
    graph.tester.create_publisher(JointState, "joint_command", 1)  # is not among the outputs
    assert warning() == "active"
    other = graph.tester.create_publisher(JointTrajectory, "joint_trajectory", 1)
    expected = "/joint_trajectory is commanded by /tester too"
    graph.spin_until(lambda: expected in warning())
    graph.tester.destroy_publisher(other)
    graph.spin_until(lambda: warning() == "active")
    assert capfd.readouterr().err.count(expected) == 1


def test_a_second_node_of_the_same_name_is_reported_by_both_and_in_a_namespace_it_is_none(graph, capfd):
    diagnostics = graph.collect_later(DiagnosticArray, "/diagnostics")
    graph.add(GestureRetargeterNode, robot="nao")
    graph.add(GestureRetargeterNode, robot="nao", namespace="stage")
    graph.spin_for(1.2)
    told = {m.status[0].message for m in diagnostics}
    assert not any("are called" in message or "commanded by" in message for message in told), told
    graph.add(GestureRetargeterNode, robot="pepper")
    diagnostics.clear()
    graph.spin_for(1.2)
    told = [message.status[0] for message in diagnostics]
    for status in told:
        alone = status.name.startswith("/stage")
        assert alone or status.level == DiagnosticStatus.WARN
        assert ("2 nodes are called /gesture_retargeter" in status.message) != alone
        assert ("/joint_command is commanded by another /gesture_retargeter" in status.message) != alone
    assert {item.value for status in told for item in status.values if item.key == "robot"} == {
        "nao",
        "pepper",
    }
    assert "2 nodes are called /gesture_retargeter" in capfd.readouterr().err


def test_a_forward_controller_gets_every_command_in_its_order(graph, gesture):
    joints = ("RElbowRoll", "RShoulderPitch")
    stage = SimulatedStage(
        graph, gesture, outputs="joint_positions, joint_command", position_joints=",".join(joints)
    )
    positions = graph.collect(Float64MultiArray, "joint_positions")
    assert not graph.tester.count_publishers("joint_trajectory")
    stage.served("one")
    moved = [
        [state.position[state.name.index(joint)] for joint in joints]
        for state in stage.commands
        if state.header.frame_id == "one"
    ]
    assert np.ptp(moved, axis=0).min() > 0.02
    told = [list(message.data) for message in positions]
    first = told.index(moved[0])
    assert told[first : first + len(moved)] == moved
    (result,) = stage.node.set_parameters([Parameter("right_arm", value="never")])
    assert not result.successful
    assert "joint_positions" in result.reason
    (result,) = stage.node.set_parameters([Parameter("left_arm", value="never")])
    assert result.successful
