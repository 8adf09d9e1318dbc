"""A retargeter and what it sends, in real and in simulated time."""

import numpy as np
import pytest
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from text2gesture_ros.control.verification import verify
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.ros.conversions import to_seconds, to_time
from text2gesture_ros.ros.gesture_retargeter import GestureRetargeterNode


class Stage:
    """A retargeter and what it sends."""

    def __init__(self, graph, gesture, **parameters):
        self.graph, self.gesture = graph, gesture
        self.node = graph.add(GestureRetargeterNode, **parameters)
        self.robot = load_robot(self.node.parameters.robot)
        self.commands = graph.collect(JointState, "joint_command")
        self.trajectories = graph.collect_later(JointTrajectory, "joint_trajectory")

    def perform(self, utterance_id, **options):
        """Send a gesture and wait for the robot to begin; again where the machine was too slow for it."""
        for _ in range(10):
            for message in self.gesture(utterance_id, self.node.now() + 0.3, **options):
                self.graph.publish("gesture_frames", message)
            self.graph.spin_for(1.0, until=lambda: self.performing() == utterance_id)
            if self.performing() == utterance_id:
                return
        raise AssertionError(f"{utterance_id} was never performed")

    def performing(self):
        """Return the id in the newest command."""
        return self.commands[-1].header.frame_id if self.commands else ""

    def served(self, utterance_id):
        """Perform a gesture whole and wait for the robot to be at rest again."""
        for _ in range(5):
            before = self.node.report().get("blocks stale", 0)
            self.perform(utterance_id)
            self.graph.spin_until(self.at_rest)
            if self.node.report().get("blocks stale", 0) == before:
                return  # else the machine was too slow for part of it
        raise AssertionError(f"{utterance_id} was never performed whole")

    def at_rest(self):
        """Return whether the newest command performs nothing and stands still in the rest pose."""
        last = self.commands[-1]
        still = np.allclose(last.velocity, 0.0, atol=1e-6)
        rest = [self.robot.rest[self.robot.joint_names.index(name)] for name in last.name]
        return not self.performing() and still and np.allclose(last.position, rest, atol=1e-6)

    def moving(self):
        """Return whether the robot performs or is away from rest."""
        return bool(self.commands) and not self.at_rest()

    def check_limits(self):
        """Hold all commands so far against the independent verifier."""
        known = dict(zip(self.robot.joint_names, self.robot.rest.tolist(), strict=True))
        positions = []
        for command in self.commands:  # joints of others are where they were left
            known |= dict(zip(command.name, command.position, strict=True))
            positions.append([known[name] for name in self.robot.joint_names])
        times = np.array([to_seconds(command.header.stamp) for command in self.commands])
        assert not verify(self.robot, times, np.array(positions)).violations


class SimulatedStage(Stage):
    """A retargeter in simulated time, which goes on only when it is told to, however busy the machine is."""

    def __init__(self, graph, gesture=None, **parameters):
        parameters = {"planner_process": False} | parameters  # else time would not wait for plans
        super().__init__(graph, gesture, use_sim_time=True, **parameters)
        self.seconds = 100.0
        self.go_on(0.0)
        graph.spin_for(0.1)
        self.commands.clear()

    def go_on(self, seconds):
        self.seconds += seconds
        self.graph.publish("/clock", Clock(clock=to_time(self.seconds)))
        self.graph.spin_until(lambda: self.node.now() == pytest.approx(self.seconds))

    def command(self, seconds=None):
        """Go on by a control period, or else so long, and wait for the command that this brings."""
        count = len(self.commands)
        self.go_on(seconds or 1.0 / self.node.parameters.rate)
        self.graph.spin_until(lambda: len(self.commands) == count + 1)

    def commands_for(self, seconds):
        """Go on for a while, command by command."""
        for _ in range(round(seconds * self.node.parameters.rate)):
            self.command()

    def until(self, condition, seconds=20.0):
        """Go on, command by command, until the condition holds."""
        deadline = self.seconds + seconds
        while not condition():
            assert self.seconds < deadline, "waited in vain"
            self.command()

    def perform(self, utterance_id, **options):
        """Send a gesture and go on until the robot begins."""
        self.receive(self.gesture(utterance_id, self.seconds + 0.1, **options))
        self.until(lambda: self.performing() == utterance_id)

    def served(self, utterance_id):
        """Perform a gesture whole."""
        self.perform(utterance_id)
        self.until(self.at_rest)

    def receive(self, blocks):
        before = self.node.report().get("blocks accepted", 0)
        for message in blocks:
            self.graph.publish("gesture_frames", message)
        self.graph.spin_until(lambda: self.node.report().get("blocks accepted", 0) == before + len(blocks))
        self.graph.spin_for(0.05)
