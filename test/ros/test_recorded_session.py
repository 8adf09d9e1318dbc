"""What a bag tells of a session: the same messages, in order, with what decided the motion."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from rcl_interfaces.msg import Parameter, ParameterEvent, ParameterType, ParameterValue
from rclpy.serialization import serialize_message
from std_msgs.msg import Bool, String
from text2gesture_ros.msg import GestureFrames, GestureIntent, PlanCommit, Speech

from text2gesture_ros.generation.player import POLL_PERIOD
from text2gesture_ros.ros.bag import Bag, BagWriter
from text2gesture_ros.ros.recorded_session import RecordedSession, shifted

SECOND = 10**9
ALL = ["speech", "speech_text", "gesture_cancel"]


@pytest.fixture
def session_of(tmp_path):
    """Return a function that makes a session of messages: topic, time [ns], message."""
    bags = []

    def make(messages, topics=ALL, rate=100.0):
        path = tmp_path / f"{len(bags)}.mcap"
        with BagWriter(path) as writer:
            for topic, came, message in messages:
                writer.write(topic, type(message), came, serialize_message(message))
        bags.append(Bag(path))
        return RecordedSession(bags[-1].__enter__(), topics, rate)

    yield make
    for bag in bags:
        bag.__exit__(None, None, None)


def stamped(message, stamp):
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(round(stamp), SECOND)
    return message


def intent(name, text, stamp, clause=0):
    return stamped(GestureIntent(utterance_id=name, text=text, clause=clause, reason="-", model="-"), stamp)


def first_block(name, due):
    block = GestureFrames(utterance_id=name, positions=[0.5] * 63, stop_probabilities=[0.5])
    block.joint_names, block.gesture, block.emotion = ["a"], "wave", "neutral"
    return stamped(block, due)


def parameters(node, *, new=(), changed=()):
    def named(pairs):
        kinds = {float: ("double_value", ParameterType.PARAMETER_DOUBLE), int: ("integer_value", 2)}
        result = []
        for name, value in pairs:
            field, kind = kinds[type(value)]
            result.append(Parameter(name=name, value=ParameterValue(type=int(kind), **{field: value})))
        return result

    return ParameterEvent(node=f"/{node}", new_parameters=named(new), changed_parameters=named(changed))


def told(session):
    return [(event.topic, event.due) for event in session.events()]


def test_a_sentence_gets_the_name_that_it_had_and_the_time_at_which_it_was_heard(session_of):
    session = session_of(
        [
            ("speech_text", 5 * SECOND, String(data="Hello!")),
            ("gesture_intent", 5 * SECOND + 9_000_000, intent("u7", "Hello!", 5 * SECOND + 3_000_000)),
        ]
    )
    said, passed = session.events()
    assert (said.topic, said.due) == ("speech", 5 * SECOND + 3_000_000)
    assert (said.message.text, said.message.utterance_id) == ("Hello!", "u7")
    assert (passed.topic, passed.message, passed.due) == ("intents", "u7", 5 * SECOND + 9_000_000)


def test_intents_pass_when_the_generator_got_them(session_of):
    came, taken = 5 * SECOND, 5 * SECOND + 21_000_000
    told = stamped(GestureFrames(), taken).header
    told.frame_id = "a"
    session = session_of(
        [
            ("speech_text", came, String(data="Hi")),
            ("gesture_intent", came + 8_000_000, intent("a", "Hi", came)),
            ("intent_taken", came + 30_000_000, told),
        ]
    )
    assert [event.due for event in session.events() if event.topic == "intents"] == [taken]


def test_a_sentence_that_nobody_answered_is_not_said_and_one_that_only_the_answer_tells_of_is(session_of):
    session = session_of(
        [
            ("speech_text", SECOND, String(data="Nobody hears this.")),
            ("gesture_intent", 9 * SECOND, intent("b", "Before the bag began.", 9 * SECOND)),
        ]
    )
    said = [event.message for event in session.events() if event.topic == "speech"]
    assert [(speech.text, speech.utterance_id) for speech in said] == [("Before the bag began.", "b")]


def test_the_same_words_twice_are_two_utterances_each_with_its_own_name(session_of):
    messages = []
    for number, name in enumerate("xy"):
        came = (1 + 3 * number) * SECOND
        messages += [
            ("speech_text", came, String(data="Yes.")),
            ("gesture_intent", came + 5_000_000, intent(name, "Yes.", came)),
        ]
    said = [e.message.utterance_id for e in session_of(messages).events() if e.topic == "speech"]
    assert said == ["x", "y"]


def test_a_speech_keeps_what_it_says_beside_its_text(session_of):
    speech = Speech(utterance_id="s", text="Hi", duration=1.5, words=["Hi"], word_starts=[0.1], priority=3)
    speech.gesture, speech.emotion = "wave", "positive"
    messages = [("speech", SECOND, speech), ("gesture_intent", SECOND + 1, intent("s", "Hi", SECOND))]
    found = next(event.message for event in session_of(messages).events() if event.topic == "speech")
    assert found == speech


def test_hold_stop_cancel_and_changed_parameters_come_in_their_order(session_of):
    ours = partial(parameters, "gesture_retargeter")
    session = session_of(
        [
            ("/parameter_events", 1, ours(new=[("gesture_scale", 0.5), ("odd", 1)])),
            ("held", 2, Bool(data=False)),  # as it was from the beginning
            ("/parameter_events", SECOND, ours(changed=[("gesture_scale", 0.8)])),
            ("held", 2 * SECOND, Bool(data=True)),
            ("held", 3 * SECOND, Bool(data=True)),
            ("held", 4 * SECOND, Bool(data=False)),
            ("gesture_cancel", 5 * SECOND, String(data="")),
            ("/parameter_events", 6 * SECOND, parameters("somebody_else", changed=[("gesture_scale", 0.1)])),
            ("/parameter_events", 6 * SECOND, ours(changed=[("realtime_priority", 5)])),
        ]
    )
    assert session.parameters == {"gesture_retargeter": {"gesture_scale": 0.5}}
    assert [(event.topic, event.message) for event in session.events()] == [
        ("parameter", ("gesture_retargeter", "gesture_scale", 0.8)),
        ("held", True),
        ("held", False),
        ("gesture_cancel", String(data="")),
    ]


def test_a_plan_is_asked_for_when_it_was_known_but_before_the_row_it_begins_with(session_of):
    begins = 10 * SECOND
    for came, due in ((begins - 40_000_000, begins - 40_000_000), (begins + 5_000_000, begins - 6_000_000)):
        commit = stamped(PlanCommit(clause=2, attempt=1), begins)
        commit.header.frame_id = "u"
        session = session_of([("plan_commit", came, commit)])
        assert session.planned
        (event,) = session.events()
        assert (event.topic, event.due, event.message) == ("plan_request", due, commit)


def test_events_are_in_the_order_in_which_they_are_due(session_of):
    chance = np.random.default_rng(3)
    messages = []
    for number, came in enumerate(np.sort(chance.integers(SECOND, 60 * SECOND, 40))):
        commit = stamped(PlanCommit(), came + int(chance.integers(0, 80_000_000)))
        answer = intent(str(number), f"say {number}", came - int(chance.integers(0, 200_000_000)))
        messages += [
            ("speech_text", int(came), String(data=f"say {number}")),
            ("gesture_intent", int(came), answer),
            ("plan_commit", int(came), commit),
            ("gesture_cancel", int(came) + 1, String(data=str(number))),
        ]
    due = [event.due for event in session_of(messages).events()]
    assert len(due) == 40 * 4
    assert due == sorted(due)


def test_the_generator_is_polled_where_it_was(session_of):
    period, offset = round(POLL_PERIOD * 1e9), 4_000_000
    chance = np.random.default_rng(0)
    messages = []
    for number in range(1, 40):
        block = first_block("a", 0)
        block.sequence = number
        sent = 100 * SECOND + number * period + offset + int(chance.normal(0, 300_000))
        messages.append(("gesture_frames", sent, block))
    tick, poll = session_of(messages).raster()
    assert tick == 0  # no command is in the bag
    assert abs(poll - (100 * SECOND + offset) % period) < 300_000


@dataclass
class Plain:
    text: str = "no header"


def test_all_stamps_of_a_message_move_and_nothing_else(session_of):
    commit = stamped(PlanCommit(clause=1), 5 * SECOND)
    commit.known_until.sec = 7
    later = shifted(commit, -SECOND // 2)
    assert (later.header.stamp.sec, later.header.stamp.nanosec) == (4, SECOND // 2)
    assert (later.known_until.sec, later.known_until.nanosec, later.clause) == (6, SECOND // 2, 1)
    assert shifted(stamped(GestureFrames(), 1), -5).header.stamp.nanosec == 0  # there is no time before 1970
    assert shifted(Plain(), 5) == Plain()
