"""Two robots side by side, each with nodes of its own in a namespace, and a crash in mid-gesture."""

import time
from contextlib import ExitStack

import numpy as np
import pytest
import rclpy
from domain_coordinator import domain_id
from rclpy.action import ActionClient
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import JointState
from text2gesture_ros.action import PerformGesture
from text2gesture_ros.msg import Speech

from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.ros.processes import start_processes, stop_processes

ROBOTS = {"left": "pepper", "right": "nao"}
TIMEOUT = 60.0  # [s]


class Pair:
    """Six nodes, and somebody who talks to both robots."""

    def __init__(self, stack, monkeypatch):
        domain = stack.enter_context(domain_id())
        for name, value in (("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST"), ("ROS_DOMAIN_ID", str(domain))):
            monkeypatch.setenv(name, value)
        self.processes = {}
        for namespace, robot in ROBOTS.items():
            self.start(namespace, robot=robot)
            stack.callback(stop_processes, self.processes[namespace])
        context = Context()
        rclpy.init(context=context, args=[], domain_id=domain)
        stack.callback(context.try_shutdown)
        self.node = rclpy.create_node("tester", context=context, use_global_arguments=False)
        stack.callback(self.node.destroy_node)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.commands = {namespace: [] for namespace in ROBOTS}
        self.clients = {}
        for namespace in ROBOTS:
            keep = self.commands[namespace].append
            self.node.create_subscription(JointState, f"{namespace}/joint_command", keep, 1000)
            self.clients[namespace] = ActionClient(self.node, PerformGesture, f"{namespace}/perform_gesture")
        self.spin_until(lambda: all(self.commands.values()))
        self.spin_until(lambda: all(client.server_is_ready() for client in self.clients.values()))

    def start(self, namespace, robot, **options):
        given = {"namespace": namespace, "robot": robot}
        self.processes.setdefault(namespace, {}).update(start_processes(given, **options))

    def spin_until(self, condition):
        deadline = time.monotonic() + TIMEOUT
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            self.executor.spin_once(timeout_sec=0.05)

    def done(self, future):
        self.spin_until(future.done)
        return future.result()

    def send(self, namespace, text):
        goal = PerformGesture.Goal(speech=Speech(text=text))
        handle = self.done(self.clients[namespace].send_goal_async(goal))
        assert handle.accepted
        return handle

    def result(self, handle):
        return self.done(handle.get_result_async()).result

    def served(self, namespace, text):
        """Return the utterances that were performed until one was whole: a busy machine may be too slow."""
        names, deadline = set(), time.monotonic() + TIMEOUT
        while True:
            result = self.result(self.send(namespace, text))
            names.add(result.utterance_id)
            if result.outcome == "completed":
                return names
            assert time.monotonic() < deadline, result

    def performing(self, namespace):
        return self.commands[namespace][-1].header.frame_id


@pytest.fixture
def pair(monkeypatch):
    with ExitStack() as stack:
        yield Pair(stack, monkeypatch)


def test_two_robots_side_by_side_and_a_crash_in_mid_gesture(pair):
    # Each robot does what it is told, and only that.
    told = {namespace: pair.served(namespace, f"Hello from the {namespace}!") for namespace in ROBOTS}
    for namespace, robot in ROBOTS.items():
        commands, joints = pair.commands[namespace], list(load_robot(robot).joint_names)
        assert all(command.name == joints for command in commands)
        assert {command.header.frame_id for command in commands} - {""} <= told[namespace]

    # One loses its generator in mid-gesture: it settles, says how its goal ended, and the other goes on.
    left = pair.send("left", "Goodbye my friends!")
    pair.spin_until(lambda: pair.performing("left"))
    process = pair.processes["left"].pop("gesture_generator")
    process.kill()
    process.wait()
    pair.spin_until(lambda: not pair.performing("left"))
    pair.spin_until(lambda: not np.any(pair.commands["left"][-1].velocity))
    assert pair.result(left).outcome in ("failed", "completed")  # all of it may have been there already
    assert pair.served("right", "Goodbye my friends!")

    # When the node is back, so is the robot.
    pair.start("left", ROBOTS["left"], nodes=["gesture_generator"])
    assert pair.served("left", "Are you back?")
