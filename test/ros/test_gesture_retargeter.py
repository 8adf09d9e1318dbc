"""The retargeter: it alone commands, at its rate, within the limits, whatever arrives or does not arrive."""

import math
import threading
import time
from contextlib import contextmanager, nullcontext
from dataclasses import fields

import numpy as np
import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState
from stages import SimulatedStage, Stage
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger
from text2gesture_ros.msg import GestureFrames, GestureIntent
from urdf_cases import urdf
from visualization_msgs.msg import Marker, MarkerArray

from text2gesture_ros.motion.frame_block import ClauseEnd, ClauseHeader
from text2gesture_ros.parameters import GestureRetargeterParameters, specification
from text2gesture_ros.robots.proposal import propose
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.robots.urdf import read_urdf
from text2gesture_ros.ros import measured_pose
from text2gesture_ros.ros.conversions import frames_message, to_seconds, to_time
from text2gesture_ros.ros.gesture_retargeter import GestureRetargeterNode
from text2gesture_ros.skeleton import JOINTS

BLOCK = 10  # frames of a message of `gesture`


@pytest.mark.parametrize("robot", ["pepper", "nao"])
def test_a_gesture_is_performed_within_the_limits_and_ends_at_rest(graph, gesture, robot):
    stage = SimulatedStage(graph, gesture, robot=robot)
    stage.until(lambda: stage.commands)
    assert stage.at_rest()
    stage.served("one")
    reach = np.ptp([command.position for command in stage.commands], axis=0)
    assert reach.max() > 0.2, stage.node.report()
    assert all(command.name == list(stage.robot.joint_names) for command in stage.commands)
    stage.check_limits()


def test_trajectories_come_with_plans_and_end_at_a_standstill(graph, gesture):
    stage = SimulatedStage(graph, gesture)
    stage.served("one")
    # The way home is part of the gesture's.
    assert {trajectory.header.frame_id for trajectory in stage.trajectories} == {"one"}
    assert len(stage.trajectories) <= stage.node.report()["plans begun"]
    for trajectory in stage.trajectories:
        times = [
            point.time_from_start.sec + point.time_from_start.nanosec * 1e-9 for point in trajectory.points
        ]
        assert times[0] >= 0.0
        assert np.diff(times).min() > 0.0
        assert trajectory.joint_names == list(stage.robot.joint_names)
        np.testing.assert_allclose(trajectory.points[-1].velocities, 0.0, atol=1e-9)
        positions = np.array([point.positions for point in trajectory.points])
        assert (positions >= stage.robot.lower - 1e-9).all()
        assert (positions <= stage.robot.upper + 1e-9).all()


def test_a_new_gesture_takes_over_without_a_jump(graph, gesture):
    stage = Stage(graph, gesture)
    stage.perform("one", frames=120)
    graph.spin_until(lambda: np.any(stage.commands[-1].velocity))
    stage.perform("two", height=0.5)
    graph.spin_until(stage.at_rest)
    ids = [command.header.frame_id for command in stage.commands]
    assert ids[ids.index("two") :].count("one") == 0
    stage.check_limits()


def test_when_frames_stop_coming_the_robot_goes_to_rest(graph, gesture):
    stage = Stage(graph, gesture, frame_timeout=0.1)
    graph.publish("gesture_frames", gesture("one", stage.node.now() + 0.05, frames=60)[0])
    graph.spin_until(lambda: stage.performing() == "one")
    graph.spin_until(lambda: stage.performing() == "" and stage.at_rest())
    stage.check_limits()


def test_deactivating_brings_the_robot_to_rest_first(graph, gesture):
    stage = Stage(graph, gesture)
    stage.perform("one", frames=120, height=0.5)
    graph.spin_until(lambda: np.abs(stage.commands[-1].velocity).max() > 0.5)
    assert graph.transition(stage.node, Transition.TRANSITION_DEACTIVATE)
    graph.spin_until(stage.at_rest)
    graph.spin_for(0.1)  # the last ones may be on their way
    stage.check_limits()
    sent = len(stage.commands)
    for message in gesture("two", stage.node.now() + 0.05):
        graph.publish("gesture_frames", message)
    graph.spin_for(0.2)
    assert len(stage.commands) == sent
    assert graph.transition(stage.node, Transition.TRANSITION_ACTIVATE)
    stage.served("three")


# Each makes messages from good ones: `gesture`, and a block of it with some fields replaced.
HOSTILE = {
    "nothing": lambda gesture: [GestureFrames()],
    "too few joints": lambda gesture: [spoiled(gesture, joint_names=list(JOINTS[:20]))],
    "unknown joint": lambda gesture: [spoiled(gesture, joint_names=["x\x01" * 1000, *JOINTS[1:]])],
    "too few positions": lambda gesture: [spoiled(gesture, positions=[0.0] * 62)],
    "not a number": lambda gesture: [spoiled(gesture, positions=[math.nan] * (BLOCK * 63))],
    "infinite": lambda gesture: [spoiled(gesture, positions=[math.inf] * (BLOCK * 63))],
    "a giant": lambda gesture: [spoiled(gesture, positions=[1e6] * (BLOCK * 63))],
    "all in one point": lambda gesture: [spoiled(gesture, positions=[0.0] * (BLOCK * 63))],
    "no frame rate": lambda gesture: [spoiled(gesture, frame_rate=0.0)],
    "huge": lambda gesture: [spoiled(gesture, positions=[0.0] * 630_000, stop_probabilities=[0.0] * 10_000)],
    "100 kB id": lambda gesture: [spoiled(gesture, utterance_id="x" * 100_000)],
    "backwards": lambda gesture: gesture("bad", time.time() + 0.05)[::-1],
    "twice": lambda gesture: gesture("bad", time.time() + 0.05) * 2,
    "gap": lambda gesture: gesture("bad", time.time() + 0.05)[::2],
    "long ago": lambda gesture: gesture("bad", 5.0),
    "far future": lambda gesture: gesture("bad", time.time() + 1e6),
}


def spoiled(gesture, **changes):
    """Return a block of a gesture with some fields replaced."""
    message = gesture("bad", time.time() + 0.05)[0]
    for name, value in changes.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize("kind", HOSTILE)
def test_after_any_message_a_good_gesture_is_served_within_the_limits(graph, gesture, kind):
    stage = Stage(graph, gesture)
    for message in HOSTILE[kind](gesture):
        graph.publish("gesture_frames", message)
    stage.perform("good")
    graph.spin_until(lambda: np.any(stage.commands[-1].velocity))
    stage.check_limits()


def test_each_live_parameter_changes_in_mid_gesture_without_a_jump(graph, gesture):
    stage = SimulatedStage(graph, gesture)
    stage.perform("one", frames=480, height=0.5)
    stage.until(lambda: np.abs(stage.commands[-1].velocity).max() > 0.1)
    for item in fields(GestureRetargeterParameters):
        what, before = specification(item), getattr(stage.node.parameters, item.name)
        values = [not before] if type(before) is bool else what.choices or (what.low, what.high)
        for value in [*values, before] if what.live else []:
            (result,) = stage.node.set_parameters([Parameter(item.name, value=value)])
            assert result.successful == (item.name != "rate" or value == before)
            assert result.successful or "at rest" in result.reason
            stage.commands_for(0.1)
        if what.live and what.low is not None:
            (result,) = stage.node.set_parameters([Parameter(item.name, value=what.high + 1.0)])
            assert not result.successful
            assert item.name in result.reason
        assert stage.performing() == "one"
    stage.until(stage.at_rest)
    stage.check_limits()


def test_the_rate_changes_at_rest(graph, gesture):
    stage = SimulatedStage(graph, gesture)
    stage.served("one")
    stage.commands_for(0.1)  # to the last digit
    assert graph.call(SetBool, "hold", SetBool.Request(data=True)).success
    (result,) = stage.node.set_parameters([Parameter("rate", value=50.0)])
    assert result.successful
    stage.commands.clear()
    stage.receive(stage.gesture("held", stage.seconds + 0.1))
    stage.commands_for(0.5)
    assert stage.at_rest()  # still held
    assert graph.call(SetBool, "hold", SetBool.Request(data=False)).success
    stage.until(stage.at_rest)
    stage.commands.clear()
    stage.served("two")
    stage.check_limits()


def test_a_robot_that_breathes_is_at_rest_as_to_the_rate(graph, gesture):
    stage = SimulatedStage(graph, gesture, idle_motion=1.0)
    stage.until(lambda: stage.moving())
    stage.commands_for(1.0)
    assert not stage.at_rest()
    (result,) = stage.node.set_parameters([Parameter("rate", value=50.0)])
    assert result.successful, result.reason
    stage.until(stage.at_rest)
    stage.check_limits()
    stage.commands.clear()
    stage.until(lambda: stage.moving())  # it goes on breathing
    stage.served("one")
    times = np.array([to_seconds(command.header.stamp) for command in stage.commands])
    np.testing.assert_allclose(np.diff(times), 0.02, atol=1e-6)
    stage.check_limits()


def test_a_group_that_a_gesture_does_not_use_is_left_to_others(graph, gesture):
    stage = SimulatedStage(graph, gesture, head="when_used", left_arm="never")
    stage.served("one")
    groups = stage.robot.groups
    ours = {stage.robot.joint_names[joint] for joint in groups["right_arm"]}
    performed = [command for command in stage.commands if command.header.frame_id == "one"]
    assert all(set(command.name) == ours for command in performed)
    assert all(len(command.position) == len(command.velocity) == len(ours) for command in performed)
    assert {name for trajectory in stage.trajectories for name in trajectory.joint_names} == ours
    (result,) = stage.node.set_parameters([Parameter("head", value="always")])
    assert result.successful
    ours |= {stage.robot.joint_names[joint] for joint in groups["head"]}
    stage.until(lambda: set(stage.commands[-1].name) == ours)


def test_stop_ends_everything_and_hold_keeps_the_robot_still_where_it_is(graph, gesture):
    stage = SimulatedStage(graph, gesture)
    cancelled = graph.collect(String, "gesture_cancel")
    stage.perform("one", frames=120, height=0.5)
    stage.until(lambda: np.abs(stage.commands[-1].velocity).max() > 0.2)
    answer = graph.call(SetBool, "hold", SetBool.Request(data=True))
    assert answer.success, answer.message
    stage.until(lambda: not np.any(stage.commands[-1].velocity))
    held = stage.commands[-1].position
    stage.commands_for(0.5)
    assert stage.commands[-1].position == held
    assert not stage.at_rest()
    answer = graph.call(Trigger, "stop", Trigger.Request())
    assert answer.success
    assert "rest" in answer.message
    stage.until(stage.at_rest)
    assert [message.data for message in cancelled] == [""]
    stage.served("two")
    assert graph.call(SetBool, "hold", SetBool.Request(data=True)).success
    assert graph.call(SetBool, "hold", SetBool.Request(data=False)).success
    stage.served("three")
    stage.check_limits()
    assert graph.transition(stage.node, Transition.TRANSITION_DEACTIVATE)
    for kind, service in ((Trigger, "stop"), (SetBool, "hold")):
        answer = graph.call(kind, service, kind.Request())
        assert not answer.success
        assert "not active" in answer.message


def test_an_utterance_that_somebody_cancels_ends_and_no_other(graph, gesture):
    stage = SimulatedStage(graph, gesture)
    stage.perform("one", frames=120)
    graph.publish("gesture_cancel", String(data="another"))
    stage.commands_for(0.2)
    assert stage.performing() == "one"
    graph.publish("gesture_cancel", String(data="one"))
    stage.until(stage.at_rest)
    stage.check_limits()


def test_each_utterance_is_counted_once_whatever_comes_after_its_end(graph, gesture):
    stage = SimulatedStage(graph, gesture)
    stage.perform("one")
    graph.publish("gesture_cancel", String(data="one"))
    stage.until(stage.at_rest)
    stage.commands_for(0.2)
    for _ in range(3):
        end = ClauseEnd(ClauseHeader("one"), 0, stage.seconds, "cancelled")
        graph.publish("gesture_frames", frames_message(end, 0.0))
        stage.commands_for(0.2)
    graph.publish("gesture_cancel", String(data="x" * 100_000))
    graph.spin_until(lambda: stage.node.rejected == 1)
    report = stage.node.report()
    assert report["utterances cancelled"] == 1
    assert report["utterances under way"] == 0


@contextmanager
def telling(graph, positions, quality=1):
    """Publish where the robot is, as joint_state_broadcaster does."""
    publisher = graph.tester.create_publisher(JointState, "joint_states", quality)
    message = JointState(name=list(positions), position=list(positions.values()))
    over = threading.Event()

    def publish():  # not by the test's executor, which waits while the node is activated
        while not over.wait(0.02):
            publisher.publish(message)

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        graph.tester.destroy_publisher(publisher)


def test_the_robot_is_started_from_where_joint_states_tells_it_is(graph, gesture):
    robot = load_robot("pepper")
    there = robot.rest + 0.3 * (robot.upper - robot.rest)
    told = {"wheel": 9.0, **dict(zip(robot.joint_names[:-2], there[:-2].tolist(), strict=True))}
    with telling(graph, told):
        stage = Stage(graph, gesture, planner_process=False)  # it is there at once
        graph.spin_until(lambda: stage.commands)
    np.testing.assert_allclose(stage.commands[0].position[:-2], there[:-2], atol=1e-6)
    np.testing.assert_allclose(stage.commands[0].position[-2:], robot.rest[-2:], atol=1e-6)
    stage.perform("one")
    graph.spin_until(stage.at_rest)
    stage.check_limits()


@pytest.mark.parametrize(
    ("positions", "start_from", "complaint"),
    [
        (None, "joint_states", "nobody publishes it"),
        (
            {"HeadYaw": math.nan},
            "joint_states",
            "no joint of pepper (HeadYaw, ...) has come on /joint_states",
        ),
        ({"HeadYaw": 3.0}, "joint_states", "HeadYaw is at 3 rad"),
    ],
)
def test_until_it_is_known_where_the_robot_is_it_is_not_commanded(
    graph, gesture, monkeypatch, positions, start_from, complaint
):
    monkeypatch.setattr(measured_pose, "_TIMEOUT", 0.2)
    diagnostics = graph.collect_later(DiagnosticArray, "/diagnostics")

    def told():
        return any(complaint in status.message for message in diagnostics for status in message.status)

    with telling(graph, positions) if positions else nullcontext():
        stage = Stage(graph, gesture, planner_process=False, start_from=start_from)
        graph.spin_until(told)
        assert graph.state(stage.node) == "active"
        assert not stage.commands
    # It begins by itself when the pose comes.
    there = stage.robot.rest + 0.3 * (stage.robot.upper - stage.robot.rest)
    with telling(graph, dict(zip(stage.robot.joint_names, there.tolist(), strict=True))):
        graph.spin_until(lambda: stage.commands)
    np.testing.assert_allclose(stage.commands[0].position, there, atol=1e-6)


@pytest.mark.parametrize("reliability", [ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE])
def test_drivers_of_every_reliability_are_heard(graph, gesture, reliability):
    robot = load_robot("pepper")
    there = robot.rest + 0.3 * (robot.upper - robot.rest)
    positions = {"wheel": math.nan, **dict(zip(robot.joint_names, there.tolist(), strict=True))}
    with telling(graph, positions, QoSProfile(depth=1, reliability=reliability)):
        stage = Stage(graph, gesture, planner_process=False)
        graph.spin_until(lambda: stage.commands)
    np.testing.assert_allclose(stage.commands[0].position, there, atol=1e-6)


def test_a_robot_that_tells_late_where_it_is_is_commanded_anew_from_there(graph, gesture, capfd):
    stage = Stage(graph, gesture, planner_process=False, start_from="auto")
    graph.spin_until(lambda: stage.commands)
    robot = stage.robot
    there = robot.rest + 0.8 * (robot.upper - robot.rest)
    with telling(graph, dict(zip(robot.joint_names, there.tolist(), strict=True))):
        graph.spin_until(lambda: any(np.allclose(command.position, there) for command in stage.commands))
    assert "begins anew from where it is" in capfd.readouterr().err
    places = [np.array(command.position) for command in stage.commands]
    first = next(index for index, place in enumerate(places) if np.allclose(place, there))
    del stage.commands[: first + 1]
    graph.spin_until(lambda: stage.commands and stage.at_rest())
    stage.check_limits()


def test_joints_of_others_are_taken_over_where_they_are(graph, gesture):
    stage = SimulatedStage(graph, gesture, head="when_used", start_from="rest")
    head = [stage.robot.joint_names[joint] for joint in stage.robot.groups["head"]]
    graph.publish("joint_states", JointState(name=["HeadYaw", "HeadPitch"], position=[0.7]))
    graph.spin_until(lambda: stage.node.rejected == 1)
    graph.publish("joint_states", JointState(name=["HeadYaw", "HeadPitch"], position=[0.5, math.nan]))
    stage.commands_for(0.2)
    (result,) = stage.node.set_parameters([Parameter("head", value="always")])
    assert result.successful
    stage.until(lambda: set(head) <= set(stage.commands[-1].name))
    ours = [command for command in stage.commands if set(head) <= set(command.name)]
    assert ours[0].position[ours[0].name.index("HeadYaw")] == pytest.approx(0.5, abs=0.01)
    stage.until(stage.at_rest)
    stage.commands[:] = [command for command in stage.commands if set(head) <= set(command.name)]
    stage.check_limits()


def test_what_is_slow_or_missing_is_told_in_numbers(graph, gesture):
    stage = SimulatedStage(graph, gesture)
    stage.until(lambda: stage.commands)
    intent = GestureIntent(utterance_id="one", text="hello")
    intent.header.stamp = to_time(stage.node.now() - 0.02)
    graph.publish("gesture_intent", intent)
    stage.commands_for(0.1)
    stage.perform("one", frames=60)
    report = stage.node.report()
    assert float(report["text to command, median [ms]"]) > 100.0
    assert report["utterances under way"] == 1
    stage.until(stage.at_rest)
    stage.commands_for(0.2)
    report = stage.node.report()
    assert report["utterances under way"] == 0
    assert report["utterances completed"] + report["utterances failed"] == 1
    graph.publish("gesture_frames", gesture("two", stage.node.now() + 0.1, frames=60)[0])
    stage.until(lambda: "no frames of utterance 'two'" in stage.node.report()["warning"])
    stage.until(lambda: "utterance 'two' failed" in stage.node.report()["warning"])


def test_one_trajectory_between_two_commands_and_the_first_of_an_utterance_at_once(graph, gesture):
    stage = SimulatedStage(graph)
    stage.command()
    for name in ("one", "two"):
        before = len(stage.trajectories)
        stage.receive(gesture(name, stage.seconds + 0.3, frames=60))
        assert [trajectory.header.frame_id for trajectory in stage.trajectories[before:]] == [name]
        for _ in range(20):  # the rest of the burst
            count = len(stage.trajectories)
            stage.command()
            graph.spin_for(0.02)
            assert len(stage.trajectories) <= count + 1
        assert {trajectory.header.frame_id for trajectory in stage.trajectories[before:]} == {name}
        assert len(stage.trajectories) == count  # all of it is planned
    last = stage.trajectories[-1]
    until = to_seconds(last.header.stamp) + to_seconds(last.points[-1].time_from_start)
    assert until > stage.seconds + 1.0


@pytest.mark.parametrize(("step", "warned"), [(0.01, False), (0.03, True)])
def test_commands_that_come_late_are_a_warning(graph, step, warned):
    stage = SimulatedStage(graph)
    for _ in range(110):
        stage.command(step)
    assert ("late" in str(stage.node.report().get("warning", ""))) == warned


def test_in_simulated_time_exactly_the_trajectory_is_commanded(graph, gesture):
    stage = SimulatedStage(graph)
    graph.spin_for(0.2)
    assert not stage.commands
    stage.receive(gesture("one", stage.seconds + 0.1))
    stage.commands_for(0.08)  # then all of it is planned
    graph.spin_for(0.05)
    planned = stage.trajectories[-1]
    start, commands = to_seconds(planned.header.stamp), stage.commands
    points = {round((start + to_seconds(point.time_from_start)) / 0.01): point for point in planned.points}
    commands.clear()
    while stage.seconds < start + to_seconds(planned.points[-1].time_from_start) - 0.005:
        stage.command()
        assert to_seconds(commands[-1].header.stamp) == pytest.approx(stage.seconds)
    assert "one" in {command.header.frame_id for command in commands}
    assert len(commands) > 50
    ahead = [points[round(to_seconds(command.header.stamp) / 0.01)] for command in commands]
    np.testing.assert_allclose([c.position for c in commands], [p.positions for p in ahead], atol=1e-9)
    np.testing.assert_allclose([c.velocity for c in commands], [p.velocities for p in ahead], atol=1e-9)


def test_human_and_robot_are_drawn_for_whoever_subscribes(graph, gesture):
    stage = Stage(graph, gesture)
    markers = graph.collect(MarkerArray, "gesture_markers")
    # Long before it is due: a block must be there still when its time comes.
    for message in gesture("one", stage.node.now() + 0.5, frames=60):
        graph.publish("gesture_frames", message)
    graph.spin_until(
        lambda: any(marker.ns == "human" and marker.points for m in markers for marker in m.markers)
    )
    graph.spin_until(stage.at_rest)
    graph.spin_until(lambda: any(marker.action == Marker.DELETE for marker in markers[-1].markers))
    for message in markers:
        assert {marker.ns for marker in message.markers} == {"robot", "human"}
        assert all(marker.header.frame_id == stage.robot.base for marker in message.markers)
        assert all(len(marker.points) % 2 == 0 for marker in message.markers)


@pytest.fixture
def described(tmp_path):
    """Return the path of a robot file whose URDF is not beside it."""
    data = propose(read_urdf(urdf(), "small.urdf"), "small").data
    for chain in ("head", "left_arm", "right_arm"):
        data[chain]["joints"] = [{"name": entry["name"]} for entry in data[chain]["joints"]]
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(data | {"urdf": "is_not_there.urdf"}))
    return str(path)


def describe(graph, text):
    """Publish a robot description as robot_state_publisher does, once and for all who come later."""
    kept = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    graph.tester.create_publisher(String, "robot_description", kept).publish(String(data=text))


def test_the_urdf_may_come_from_the_topic(graph, described):
    describe(graph, urdf())
    node = graph.add(GestureRetargeterNode, robot=described, robot_description=True)
    commands = graph.collect(JointState, "joint_command")
    graph.spin_until(lambda: commands)
    assert set(commands[0].name) == set(load_robot(described, urdf()).joint_names)
    (result,) = node.set_parameters([Parameter("robot_description", value=False)])
    assert not result.successful


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "no robot description came on /robot_description (std_msgs/String, transient local) within"),
        ("<robot", "robot_description: no readable XML"),
    ],
)
def test_without_a_urdf_on_the_topic_it_is_not_configured(graph, described, monkeypatch, text, complaint):
    monkeypatch.setattr("text2gesture_ros.ros.robot_description._WAIT", 0.5 if text is None else 5.0)
    diagnostics = graph.collect_later(DiagnosticArray, "/diagnostics")
    if text is not None:
        describe(graph, text)
    node = graph.add(
        GestureRetargeterNode, wait=False, robot=described, robot_description=True, autostart=False
    )
    assert not graph.transition(node, Transition.TRANSITION_CONFIGURE)
    assert graph.state(node) == "unconfigured"
    graph.spin_until(lambda: any(complaint in status.message for m in diagnostics for status in m.status))
