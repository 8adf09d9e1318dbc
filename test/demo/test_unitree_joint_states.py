"""The bridge from Unitree's state to joint_states, with a stand-in for the maker's messages."""

import runpy
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import rclpy
from builtin_interfaces.msg import Time
from unitree_cases import LowState, install_unitree_hg

from text2gesture_ros.robots.robot_file import load_robot


@pytest.fixture
def bridge(monkeypatch, root):
    """Return what starts the bridge with arguments, and returns what it subscribes to and publishes."""
    install_unitree_hg(monkeypatch)
    callbacks, sent = {}, []
    node = SimpleNamespace(
        create_publisher=lambda kind, topic, depth: SimpleNamespace(
            publish=lambda message: sent.append((kind, topic, message))
        ),
        create_subscription=lambda kind, topic, callback, quality: callbacks.update(
            {(kind, topic): callback}
        ),
        get_clock=lambda: SimpleNamespace(now=lambda: SimpleNamespace(to_msg=lambda: Time(sec=7))),
    )
    monkeypatch.setattr(rclpy, "init", lambda args: None)
    monkeypatch.setattr(rclpy, "create_node", lambda name: node)
    monkeypatch.setattr(rclpy, "spin", lambda node: None)

    def start(*arguments):
        monkeypatch.setattr(sys, "argv", ["unitree_joint_states.py", *arguments])
        runpy.run_path(str(root / "demo" / "unitree_joint_states.py"))
        return callbacks, sent

    return start


@pytest.mark.parametrize("name", ["g1", "h1_2"])
def test_each_joint_is_told_from_its_own_motor(bridge, name):
    callbacks, sent = bridge(name)
    state = LowState()
    for index, motor in enumerate(state.motor_state):
        motor.q, motor.dq = index / 10.0, -float(index)
    callbacks[LowState, "lf/lowstate"](state)
    ((_, topic, message),) = sent
    robot = load_robot(name)
    assert topic == "joint_states"
    assert list(message.name) == list(robot.joint_names)
    np.testing.assert_allclose(message.position, robot.arm_interface.motors / 10.0)
    np.testing.assert_allclose(message.velocity, -robot.arm_interface.motors)
    assert message.header.stamp.sec == 7


def test_a_robot_without_motors_is_refused(bridge):
    with pytest.raises(SystemExit, match="nao: its robot file has no motors"):
        bridge("nao")
