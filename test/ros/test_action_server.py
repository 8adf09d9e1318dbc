"""The action perform_gesture: every goal ends, and the client is told how, whatever becomes of it."""

import time

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from lifecycle_msgs.msg import Transition
from rclpy.action import ActionClient
from stages import SimulatedStage
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger
from text2gesture_ros.action import PerformGesture
from text2gesture_ros.msg import GestureFrames, GestureIntent, Speech

from text2gesture_ros.motion.frame_block import ClauseEnd, ClauseHeader
from text2gesture_ros.ros import action_server
from text2gesture_ros.ros.conversions import frames_message, to_time
from text2gesture_ros.skeleton import JOINTS


class Client:
    """An action client that also plays the nodes upstream."""

    def __init__(self, graph, stage):
        self.graph, self.stage = graph, stage
        self.said = graph.collect(Speech, "speech")
        self.client = ActionClient(graph.tester, PerformGesture, "perform_gesture")
        graph.spin_until(self.client.server_is_ready)

    def send(self, **speech):
        """Send a goal; return its handle and a list that grows with its feedback."""
        feedback = []
        goal = PerformGesture.Goal(speech=Speech(**speech))
        future = self.client.send_goal_async(goal, lambda message: feedback.append(message.feedback))
        self.graph.spin_until(future.done)  # without any time going by
        return future.result(), feedback

    def accepted(self, **speech):
        """Send a goal; return its handle, its feedback and the id it was said with."""
        count = len(self.said)
        handle, feedback = self.send(**speech)
        assert handle.accepted
        self.stage.until(lambda: len(self.said) > count)
        return handle, feedback, self.said[-1].utterance_id

    def result(self, handle):
        """Return the status and the result of a goal."""
        future = handle.get_result_async()
        self.stage.until(future.done)
        return future.result().status, future.result().result

    def perform(self, utterance_id, **options):
        """Send the frames of a goal as the generator does."""
        for message in self.stage.gesture(utterance_id, self.stage.node.now() + 0.2, **options):
            self.graph.publish("gesture_frames", message)

    def refuse(self, utterance_id, reason):
        """Say that there will be no motion, as the generator does."""
        end = ClauseEnd(ClauseHeader(utterance_id), 0, self.stage.node.now(), reason)
        self.graph.publish("gesture_frames", frames_message(end, 0.0))

    def refusal(self, handle):
        """Return why a goal was refused, which the client knows without time going by."""
        future = handle.get_result_async()
        self.graph.spin_until(future.done)
        answer = future.result()
        assert (answer.status, answer.result.outcome) == (GoalStatus.STATUS_ABORTED, "refused")
        return answer.result.reason

    def answer(self, utterance_id, reason="", clause=0):
        """Send the intent of a clause of a goal as the classifier does."""
        message = GestureIntent(
            utterance_id=utterance_id, text="hello", clause=clause, accepted=not reason, reason=reason
        )
        message.header.stamp = to_time(self.stage.node.now())
        self.graph.publish("gesture_intent", message)


@pytest.fixture
def stage(graph, gesture):
    return SimulatedStage(graph, gesture)


@pytest.fixture
def client(graph, stage):
    return Client(graph, stage)


def test_a_goal_is_published_tracked_and_completed(client, stage):
    handle, feedback, name = client.accepted(text="Hello!", emotion="positive", priority=200)
    (said,) = client.said
    assert (said.text, said.emotion, said.priority) == ("Hello!", "positive", 200)
    client.perform(name, frames=60)
    status, result = client.result(handle)
    assert stage.at_rest()
    assert status == GoalStatus.STATUS_SUCCEEDED
    assert (result.utterance_id, result.outcome, result.reason) == (name, "completed", "")
    assert result.duration == pytest.approx(1.0, abs=0.05)
    states = [message.state for message in feedback]
    assert states == sorted(states, key=["waiting", "performing", "returning"].index)
    assert {"performing", "returning"} <= set(states)
    progress = [message.progress for message in feedback]
    assert progress == sorted(progress)
    assert 0.0 <= progress[0] <= progress[-1] <= 1.0
    stage.check_limits()


def test_a_cancelled_goal_returns_to_rest_at_once_and_cancels_the_generator(graph, client, stage):
    cancelled = graph.collect(String, "gesture_cancel")
    handle, _, name = client.accepted(gesture="wave")
    client.perform(name, frames=120, height=0.5)
    stage.until(lambda: stage.performing() == name)
    stage.until(lambda: np.abs(stage.commands[-1].velocity).max() > 0.2)
    future = handle.cancel_goal_async()
    graph.spin_until(lambda: cancelled)
    assert [message.data for message in cancelled] == [name]
    after = len(stage.commands) + 1  # one may be on its way
    status, result = client.result(handle)
    assert future.result().goals_canceling
    assert status == GoalStatus.STATUS_CANCELED
    assert result.outcome == "cancelled"
    assert stage.at_rest()
    assert {command.header.frame_id for command in stage.commands[after:]} == {""}
    stage.check_limits()


def test_of_several_goals_one_preempts_and_each_gets_its_own_result(graph, client):
    first, _, one = client.accepted(text="Hello!")
    second, _, two = client.accepted(text="Goodbye!")
    third, _, three = client.accepted(text="What?")
    client.refuse(three, "a gesture of higher priority is performed")
    client.perform(one, frames=120)
    client.stage.until(lambda: client.stage.performing() == one)
    client.perform(two)
    assert client.result(third)[1].outcome == "refused"
    assert client.result(third)[1].reason == "a gesture of higher priority is performed"
    status, result = client.result(first)
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, "preempted")
    assert two in result.reason
    assert client.result(second)[1].outcome == "completed"


@pytest.mark.parametrize("how", ["topic", "service", "client"])
def test_a_goal_that_waits_can_be_cancelled_too(graph, client, stage, how):
    handle, _, name = client.accepted(text="Hello!")
    if how == "topic":
        graph.publish("gesture_cancel", String(data=name))
    elif how == "service":
        assert graph.call(Trigger, "stop", Trigger.Request()).success
    else:
        handle.cancel_goal_async()
    status, result = client.result(handle)
    assert status == (GoalStatus.STATUS_CANCELED if how == "client" else GoalStatus.STATUS_ABORTED)
    assert (result.outcome, result.duration) == ("cancelled", 0.0)
    client.perform(name)  # was on its way
    stage.commands_for(0.5)
    assert name not in {command.header.frame_id for command in stage.commands}


@pytest.mark.parametrize(
    ("came", "reason"),
    [("", "intent_classifier active"), ("intent", "gesture_generator active"), ("late frames", "too late")],
)
def test_a_goal_of_which_nothing_comes_fails_and_names_the_missing_node(client, monkeypatch, came, reason):
    monkeypatch.setattr(action_server, "UPSTREAM_TIMEOUT", 0.5)
    monkeypatch.setattr(action_server, "MAX_WAIT", 0.2)
    handle, _, name = client.accepted(text="Hello!")
    if came == "intent":
        client.answer(name)
    elif came:
        client.graph.publish("gesture_frames", client.stage.gesture(name, client.stage.node.now() - 5.0)[0])
    status, result = client.result(handle)
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, "failed")
    assert reason in result.reason


def test_a_goal_that_the_generator_has_lost_fails_while_others_are_performed(client, stage, monkeypatch):
    monkeypatch.setattr(action_server, "UPSTREAM_TIMEOUT", 1.0)
    monkeypatch.setattr(action_server, "MAX_WAIT", 1.0)
    handle, _, name = client.accepted(text="Hello!")
    client.perform("before", frames=150)
    client.graph.spin_for(0.1)
    client.answer(name)
    future = handle.get_result_async()
    for number in range(10):
        if future.done():
            break
        client.perform(f"other {number}")
        stage.commands_for(0.8)
    assert future.done()
    assert "gesture_generator active" in future.result().result.reason


def test_a_goal_without_a_subscriber_of_speech_fails(graph, stage, monkeypatch):
    monkeypatch.setattr(action_server, "UPSTREAM_TIMEOUT", 0.5)
    client = Client.__new__(Client)
    client.graph, client.stage = graph, stage
    client.client = ActionClient(graph.tester, PerformGesture, "perform_gesture")
    graph.spin_until(client.client.server_is_ready)
    handle, _ = client.send(text="Hello!")
    assert "the topic speech has no subscriber" in client.result(handle)[1].reason


def test_a_goal_whose_frames_stop_coming_fails(client):
    handle, _, name = client.accepted(text="Hello!")
    client.graph.publish("gesture_frames", client.stage.gesture(name, client.stage.node.now() + 0.1, 60)[0])
    result = client.result(handle)[1]
    assert result.outcome == "failed"
    assert "no frames" in result.reason
    assert "no frames" in client.stage.node.report()["warning"]


@pytest.mark.parametrize(
    ("speech", "complaint"),
    [
        ({}, "neither text nor gesture"),
        ({"text": "hi", "gesture": "salute"}, "salute"),
        ({"text": "hi", "emotion": "bored"}, "bored"),
        ({"text": "hi", "duration": -1.0}, "duration"),
        ({"text": "hi", "words": ["hi"]}, "word_starts"),
        ({"text": "hi", "utterance_id": "x" * 1000}, "utterance_id"),
    ],
)
def test_a_goal_that_cannot_be_right_is_refused_and_the_client_is_told_why(client, speech, complaint):
    handle, _ = client.send(**speech)
    assert client.refusal(handle).count(complaint) == 1
    assert not client.said


def test_an_utterance_id_is_taken_once(client):
    handle, _, _ = client.accepted(text="hi", utterance_id="mine")
    assert "used already" in client.refusal(client.send(text="hi", utterance_id="mine")[0])
    client.perform("mine")
    assert client.result(handle)[1].utterance_id == "mine"
    assert "used already" in client.refusal(client.send(text="hi", utterance_id="mine")[0])


@pytest.mark.parametrize("second", ["", "a gesture of the same kind was before"])
def test_why_a_text_gets_no_gesture_is_told_unless_a_clause_has_one(client, second):
    handle, _, name = client.accepted(text="Guten Tag! Hello!")
    client.answer(name, reason="not English speech")
    client.answer(name, reason=second, clause=1)
    client.perform(name)
    result = client.result(handle)[1]
    assert result.outcome == "completed"
    assert result.reason == ("no gesture: not English speech" if second else "")


def test_a_refusal_by_the_generator_is_not_told_twice(client):
    handle, _, name = client.accepted(text="Guten Tag!")
    client.answer(name, reason="not English speech")
    client.refuse(name, "not English speech")
    assert client.result(handle)[1].reason == "not English speech"


@pytest.mark.parametrize("ends", [False, True])
def test_a_goal_in_a_hold_is_performed_if_the_hold_ends_in_time_else_the_reason_is_told(client, ends):
    assert client.graph.call(SetBool, "hold", SetBool.Request(data=True)).success
    handle, _, name = client.accepted(gesture="wave")
    client.perform(name, frames=180)
    client.stage.commands_for(0.5)
    assert not client.stage.performing()
    if ends:
        assert client.graph.call(SetBool, "hold", SetBool.Request(data=False)).success
    result = client.result(handle)[1]
    assert (result.duration > 0.0) == ends
    assert ("hold" in result.reason) == (not ends)


def test_deactivation_ends_every_goal_and_further_ones_are_rejected(graph, client, stage):
    first, _, name = client.accepted(text="Hello!")
    second, _, _ = client.accepted(text="Hello again!")
    client.perform(name, frames=120)
    stage.until(lambda: stage.performing() == name)
    assert graph.transition(stage.node, Transition.TRANSITION_DEACTIVATE)
    for handle in (first, second):
        future = handle.get_result_async()
        graph.spin_until(future.done)
        status, result = future.result().status, future.result().result
        assert status == GoalStatus.STATUS_ABORTED
        assert result.outcome in ("cancelled", "failed")
        assert result.reason
    graph.spin_for(0.1)
    assert stage.at_rest()
    assert "not active" in client.refusal(client.send(text="Hello!")[0])
    assert graph.transition(stage.node, Transition.TRANSITION_ACTIVATE)
    handle, _, name = client.accepted(text="Hello!")
    client.perform(name)
    assert client.result(handle)[1].outcome == "completed"


def test_a_goal_under_way_lets_the_node_sleep(graph, client):
    client.accepted(text="Hello!")
    deadline, turns = time.monotonic() + 0.5, 0
    while time.monotonic() < deadline:
        graph.executor.spin_once(timeout_sec=0.05)
        turns += 1
    assert turns < 100


def test_frames_without_joint_names_are_rejected(graph, client):
    assert len(JOINTS) == 21
    graph.publish("gesture_frames", GestureFrames(utterance_id="x", last=True))
    graph.spin_until(lambda: client.stage.node.rejected)
