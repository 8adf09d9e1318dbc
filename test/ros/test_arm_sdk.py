"""Unitree's arm interface: what is in a command, how often one goes out, and a weight that never jumps."""

import ctypes
import random
import time

import numpy as np
import pytest
import yaml
from lifecycle_msgs.msg import Transition
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState
from stages import SimulatedStage
from unitree_cases import ArmSide, LowCmd, install_unitree_hg

from text2gesture_ros.resources import find_robot_file
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.ros.arm_sdk import ArmSdk, checksum, low_command
from text2gesture_ros.ros.gesture_retargeter import GestureRetargeterNode

PERIOD = 0.02  # of the maker's examples: 50 Hz [s]
STEP = 0.2 * PERIOD  # their weight changes by 0.2 a second
ARM = ("shoulder_pitch", "shoulder_roll", "shoulder_yaw", "elbow", "wrist_roll", "wrist_pitch", "wrist_yaw")
# Of the maker's examples: motor of the weight, first of the arms, their gains (kp, kd), motors of the waist.
G1 = 29, 15, [(60.0, 1.5)] * 7, {"waist_yaw_joint": 12, "waist_roll_joint": 13, "waist_pitch_joint": 14}
H1_2 = 27, 13, [(120, 2), (120, 2), (80, 1.5), (50, 1), (50, 1), (50, 1), (50, 1)], {"torso_joint": 12}
WAIST_GAINS = {"g1": (240.0, 6.0), "h1_2": (200.0, 2.0)}


class CMotor(ctypes.LittleEndianStructure):
    _fields_ = [
        ("mode", ctypes.c_uint8),
        *((name, ctypes.c_float) for name in ("q", "dq", "tau", "kp", "kd")),
        ("reserve", ctypes.c_uint32),
    ]


class CCommand(ctypes.LittleEndianStructure):
    """What the maker's programs compute the checksum of, as a C compiler lays it out."""

    _fields_ = [
        ("mode_pr", ctypes.c_uint8),
        ("mode_machine", ctypes.c_uint8),
        ("motors", CMotor * 35),
        ("reserve", ctypes.c_uint32 * 4),
    ]


def remainder(message):
    """Return the checksum by its definition: a division of polynomials over the field of two elements."""
    motors = [CMotor(*(getattr(motor, name) for name, _ in CMotor._fields_)) for motor in message.motor_cmd]
    arrays = (CMotor * 35)(*motors), (ctypes.c_uint32 * 4)(*message.reserve)
    command = CCommand(message.mode_pr, message.mode_machine, *arrays)
    words = np.frombuffer(bytes(command), "<u4").tolist()
    value = 0
    for word in [words[0] ^ 0xFFFFFFFF, *words[1:], 0]:
        value = value << 32 | word
    for shift in range(32 * len(words) - 1, -1, -1):
        if value >> (32 + shift) & 1:
            value ^= 0x104C11DB7 << shift
    return value


def test_the_checksum_is_the_makers():
    message = LowCmd(mode_pr=1, mode_machine=5)
    for index, motor in enumerate(message.motor_cmd):
        motor.mode, motor.q, motor.kp, motor.kd = 1, index / 8.0, 60.0, 1.5
    assert checksum(message) == 0x5BDB9EE1  # computed by the class CRC of unitree_sdk2_python
    generator = random.Random(0)
    for motor in message.motor_cmd:
        motor.mode, motor.reserve = generator.randrange(256), generator.randrange(2**32)
        motor.q, motor.dq, motor.tau = (generator.uniform(-1e3, 1e3) for _ in range(3))
    message.reserve = [generator.randrange(2**32) for _ in range(4)]
    assert checksum(message) == remainder(message)


@pytest.mark.parametrize(("name", "expected"), [("g1", G1), ("h1_2", H1_2)])
def test_a_command_has_the_motors_and_gains_of_the_makers_example(name, expected):
    weight_motor, first, gains, waist = expected
    robot = load_robot(name)
    motors = {joint: (motor, *WAIST_GAINS[name]) for joint, motor in waist.items()}
    for side, start in (("left", first), ("right", first + 7)):
        motors |= {f"{side}_{part}_joint": (start + at, *gains[at]) for at, part in enumerate(ARM)}
    assert set(motors) == set(robot.joint_names)
    position = np.linspace(-1.0, 1.0, len(motors))
    message = low_command(LowCmd, robot.arm_interface, position, 0.25)
    for joint, value in zip(robot.joint_names, position, strict=True):
        motor, kp, kd = motors[joint]
        command = message.motor_cmd[motor]
        assert (command.q, command.kp, command.kd) == (value, kp, kd)
    assert message.motor_cmd[weight_motor].q == 0.25
    used = {weight_motor, *(motor for motor, _, _ in motors.values())}
    for index, command in enumerate(message.motor_cmd):
        assert (command.mode, command.dq, command.tau) == (0, 0.0, 0.0)
        assert index in used or (command.q, command.kp, command.kd) == (0.0, 0.0, 0.0)
    assert message.motor_cmd[weight_motor].kp == 0.0
    assert message.crc == remainder(message)


@pytest.mark.parametrize("rate", [50.0, 80.0, 100.0, 150.0, 200.0])
def test_commands_go_out_at_their_rate_and_the_weight_by_equal_steps(rate):
    robot, generator = load_robot("g1"), np.random.default_rng(0)
    now = 100.0
    side = ArmSide(lambda: now, robot.arm_interface.weight_motor)
    arms = ArmSdk(side.publish, LowCmd, robot.arm_interface)
    grid = 100.0 + np.arange(round(6.0 * rate)) / rate
    for now in grid + generator.uniform(0.0, 1e-3, len(grid)):  # a timer is late by a little
        arms.send(robot.rest, now, 1.0)
    assert side.weights[0] == pytest.approx(STEP)
    assert len(side.times) == pytest.approx(6.0 / PERIOD, abs=1)
    assert np.diff(side.times).max() < PERIOD + 1.0 / rate + 2e-3
    assert side.times[side.weights.index(1.0)] - 100.0 == pytest.approx(5.0, abs=0.05)
    sent, later = len(side.weights), now + 7.0  # a silence is not made up for
    for now in later + np.arange(round(6.0 * rate)) / rate:
        arms.send(robot.rest, now, 0.0)
    assert len(side.weights) - sent == pytest.approx(6.0 / PERIOD, abs=1)
    for now in 50.0 + np.arange(round(0.5 * rate)) / rate:  # another clock
        arms.send(robot.rest, now, 1.0)
    steps = np.diff([0.0, *side.weights])
    assert np.abs(steps).max() == pytest.approx(STEP)
    assert {0.0, 1.0} < set(side.weights)
    assert side.weights[-1] == pytest.approx(0.1, abs=2 * STEP)


@pytest.fixture
def arm_side(monkeypatch):
    """Return what a node publishes on arm_sdk, once it does."""
    install_unitree_hg(monkeypatch)
    create, destroy = (
        getattr(GestureRetargeterNode, f"{what}_lifecycle_publisher") for what in ("create", "destroy")
    )
    sides = []

    def created(node, kind, topic, *rest):
        if kind is not LowCmd:
            return create(node, kind, topic, *rest)
        sides.append(ArmSide(node.loop_now, G1[0]))
        return sides[-1]

    def destroyed(node, publisher):
        return publisher in sides or destroy(node, publisher)

    monkeypatch.setattr(GestureRetargeterNode, "create_lifecycle_publisher", created)
    monkeypatch.setattr(GestureRetargeterNode, "destroy_lifecycle_publisher", destroyed)
    return sides


class ArmStage(SimulatedStage):
    """A retargeter that drives a G1, fading in 0.5 s, over its arm interface."""

    def __init__(self, graph, gesture, folder, **parameters):
        data = yaml.safe_load(find_robot_file("g1").read_text())
        data["arm_sdk"]["fade_time"] = 0.5
        path = folder / "g1.yaml"
        path.write_text(yaml.safe_dump(data))
        outputs = "joint_command, arm_sdk"
        super().__init__(graph, gesture, robot=str(path), outputs=outputs, **parameters)

    def stand(self, offset):
        """Tell where the robot stands, every joint that may be so much nearer to its middle than at rest."""
        robot = self.robot
        there = robot.rest + offset * (0.5 * (robot.lower + robot.upper) - robot.rest)
        self.graph.publish("joint_states", JointState(name=list(robot.joint_names), position=there.tolist()))
        return there

    def fade_until(self, condition, seconds=5.0):
        """Go on, period by period, until the condition holds: no joint_command comes meanwhile."""
        deadline = self.seconds + seconds
        while not condition():
            assert self.seconds < deadline, "waited in vain"
            self.go_on(1.0 / self.node.parameters.rate)
            self.graph.spin_for(0.005)


def test_the_arms_are_taken_over_where_they_are_and_given_back_at_rest(graph, gesture, arm_side, tmp_path):
    stage = ArmStage(graph, gesture, tmp_path, start_from="joint_states")
    (side,), motors = arm_side, stage.robot.arm_interface.motors.tolist()
    stage.go_on(0.1)
    assert not side.messages
    there = stage.stand(0.3)
    stage.fade_until(lambda: len(side.weights) > 10)
    graph.publish("gesture_frames", gesture("early", stage.seconds + 0.1)[0])
    graph.spin_until(lambda: stage.node.rejected)
    assert not stage.commands
    stage.fade_until(lambda: stage.commands)
    rise = side.weights.index(1.0) + 1
    np.testing.assert_allclose(np.diff([0.0, *side.weights[:rise]]), 0.04, atol=1e-9)
    np.testing.assert_allclose(side.positions(motors)[:rise], np.tile(there, (rise, 1)), atol=1e-9)

    stage.until(stage.at_rest)
    stage.perform("one", frames=120, height=0.5)
    stage.until(lambda: np.abs(stage.commands[-1].velocity).max() > 0.3)
    np.testing.assert_allclose(np.diff(side.times), PERIOD, atol=1e-6)
    assert set(side.weights[rise:]) == {1.0}
    beginning = time.monotonic()
    assert graph.transition(stage.node, Transition.TRANSITION_DEACTIVATE)
    assert time.monotonic() - beginning > 0.5
    positions, fall = np.array(side.positions(motors)), len(side.weights) - 25
    assert set(side.weights[rise:fall]) == {1.0}
    np.testing.assert_allclose(np.diff(side.weights[fall - 1 :]), -0.04, atol=1e-9)
    assert side.weights[-1] == 0.0
    np.testing.assert_allclose(positions[fall:], np.tile(stage.robot.rest, (25, 1)), atol=1e-6)
    for message in side.messages:
        assert message.crc == checksum(message)
    # Nothing jumps between the two ends.
    assert (np.abs(np.diff(positions, axis=0)) <= stage.robot.velocity * PERIOD * 1.001).all()
    stage.graph.spin_for(0.1)
    stage.check_limits()
    sent = len(side.messages)
    stage.go_on(1.0)
    assert len(side.messages) == sent
    assert graph.transition(stage.node, Transition.TRANSITION_ACTIVATE)
    stage.stand(0.0)
    stage.fade_until(lambda: len(side.messages) > sent + 3)
    assert side.weights[sent : sent + 3] == pytest.approx([0.04, 0.08, 0.12])


def test_a_node_that_is_ended_while_it_takes_over_lets_go_from_there(graph, gesture, arm_side, tmp_path):
    stage = ArmStage(graph, gesture, tmp_path, start_from="joint_states")
    (side,), motors = arm_side, stage.robot.arm_interface.motors.tolist()
    there = stage.stand(0.3)
    stage.fade_until(lambda: len(side.weights) == 10)
    (result,) = stage.node.set_parameters([Parameter("rate", value=50.0)])
    assert "only while the robot is at rest" in result.reason
    graph.spin_until(lambda: "being taken over" in str(stage.node.report()["warning"]))
    assert graph.transition(stage.node, Transition.TRANSITION_DEACTIVATE)
    expected = [*np.linspace(0.04, 0.4, 10), *np.linspace(0.36, 0.0, 10)]
    assert side.weights == pytest.approx(expected, abs=1e-9)
    np.testing.assert_allclose(side.positions(motors), np.tile(there, (20, 1)), atol=1e-9)


def test_what_the_interface_cannot_do_is_refused_while_it_runs_too(graph, gesture, arm_side, tmp_path):
    stage = ArmStage(graph, gesture, tmp_path)
    stage.fade_until(lambda: stage.commands)
    for name, value, reason in (
        ("waist", "when_used", "arm_sdk always names the same joints: waist must be always"),
        ("rate", 25.0, "arm_sdk is sent at 50 Hz: rate must be at least that but is 25"),
    ):
        (result,) = stage.node.set_parameters([Parameter(name, value=value)])
        assert reason in result.reason
    (result,) = stage.node.set_parameters([Parameter("rate", value=150.0)])
    assert result.successful
    (side,) = arm_side
    sent = len(side.times)
    stage.commands_for(1.0)
    assert len(side.times) - sent == pytest.approx(50, abs=1)
    assert set(side.weights[sent:]) == {1.0}
