"""Messages and core types: there and back is the same, and nothing that cannot be comes in."""

import math
from dataclasses import replace

import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from robot_cases import ROBOTS, name_of
from text2gesture_ros.msg import GestureFrames, GestureIntent, LabelProbabilities, PlanCommit, Speech
from visualization_msgs.msg import Marker, MarkerArray

from text2gesture_ros.control.command import Announcement
from text2gesture_ros.control.row_clock import RowClock
from text2gesture_ros.control.trajectory import IDLE, Commit
from text2gesture_ros.errors import InputError
from text2gesture_ros.gestures import ALL_GROUPS, GestureNeeds, needs_of
from text2gesture_ros.motion.frame_block import MAX_BLOCK_FRAMES, PRIORITY, ClauseEnd, ClauseHeader
from text2gesture_ros.ros.conversions import (
    MAX_ID_LENGTH,
    frames_message,
    plan_commit,
    read_frames,
    read_intent,
    read_plan_commit,
    read_speech,
    to_seconds,
    to_time,
    trajectory_message,
)
from text2gesture_ros.ros.markers import markers_message
from text2gesture_ros.skeleton import JOINTS, REFERENCE


@pytest.fixture
def message(gesture):
    """Return a good message of 10 frames."""
    message = gesture("u", 1.6e9)[1]
    message.clause = 3
    return message


def test_frames_come_back_as_they_were_over_the_wire(message):
    sent = read_frames(message, clock_offset=1.6e9)
    data = serialize_message(frames_message(sent, clock_offset=1.6e9))
    received = read_frames(deserialize_message(data, GestureFrames), clock_offset=1.6e9)
    for name in ("positions", "stop_probabilities"):
        np.testing.assert_array_equal(getattr(received, name), getattr(sent, name))
    assert received.header == sent.header == ClauseHeader("u", 3, "wave", "neutral", needs=needs_of("wave"))
    for name in ("sequence", "first_frame", "frame_rate", "last"):
        assert getattr(received, name) == getattr(sent, name) == getattr(message, name)
    assert received.due == pytest.approx(sent.due, abs=1e-6)


@pytest.mark.parametrize("opening", [None, 0.0, 0.25, 1.0])
@pytest.mark.parametrize("groups", [ALL_GROUPS, {"head"}, {"left_arm", "waist"}])
@pytest.mark.parametrize("reason", ["", "cool-down"])
def test_what_a_motion_needs_and_why_it_ends_come_back(groups, opening, reason):
    header = ClauseHeader("u", 1, "dance", "", more=True, needs=GestureNeeds(frozenset(groups), opening))
    end = ClauseEnd(header, 4, 2.0, reason)
    assert read_frames(frames_message(end, 0.0), 0.0) == end


def test_a_motion_that_says_nothing_of_what_it_needs_needs_everything():
    message = GestureFrames(utterance_id="u", joint_names=list(JOINTS), last=True)
    assert read_frames(message, 0.0).header.needs == GestureNeeds()


def test_joints_are_matched_by_name(message):
    expected = read_frames(message, 0.0).positions
    order = np.random.default_rng(0).permutation(len(JOINTS))
    message.joint_names = [JOINTS[joint] for joint in order]
    message.positions = np.reshape(message.positions, (-1, len(JOINTS), 3))[:, order].ravel().tolist()
    np.testing.assert_array_equal(read_frames(message, 0.0).positions, expected)


@pytest.mark.parametrize(
    "changes",
    [
        {"positions": []},
        {"positions": [0.0] * 62},
        {"positions": [math.nan] * (10 * 63)},
        {"positions": [math.inf] * (10 * 63)},
        {"positions": [1e30] * (10 * 63)},
        {"stop_probabilities": []},
        {"stop_probabilities": [0.0] * 4},
        {"stop_probabilities": [2.0] * 10},
        {"stop_probabilities": [math.nan] * 10},
        {
            "positions": [0.0] * (63 * (MAX_BLOCK_FRAMES + 1)),
            "stop_probabilities": [0.0] * (MAX_BLOCK_FRAMES + 1),
        },
        {"joint_names": []},
        {"joint_names": list(JOINTS[:-1])},
        {"joint_names": [*JOINTS, "tail"]},
        {"joint_names": [*JOINTS[:-1], "tail"]},
        {"joint_names": [*JOINTS[:-1], JOINTS[0]]},
        {"frame_rate": 0.0},
        {"frame_rate": -60.0},
        {"frame_rate": math.nan},
        {"frame_rate": math.inf},
        {"groups": ["arm"]},
        {"hand_opening": 1.5},
        {"hand_opening": math.nan},
        {"utterance_id": ""},
        {"utterance_id": "u" * (MAX_ID_LENGTH + 1)},
    ],
    ids=str,
)
def test_frames_that_cannot_be_are_refused(message, changes):
    for name, value in changes.items():
        setattr(message, name, value)
    with pytest.raises(InputError):
        read_frames(message, 0.0)


def intent(**changes):
    """Return a good intent with some fields replaced."""
    message = GestureIntent(utterance_id="u", text="see you", accepted=True)
    message.gesture.chosen, message.emotion.chosen = "wave", "neutral"
    for name, value in changes.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    ("stamp", "believed"), [(999.5, 999.5), (0.0, 1000.0), (1e6, 1000.0), (900.0, 1000.0)]
)
def test_a_clause_begins_after_the_arrival_of_its_text_unless_that_is_another_clocks(stamp, believed):
    message = intent(clause=2, start=1.25)
    message.header.stamp = to_time(stamp)
    request = read_intent(message, 1000.0, 0.0)
    assert request.begin == pytest.approx(believed + 1.25)
    assert (request.header.clause, request.header.gesture, request.spoken) == (2, "wave", True)


@pytest.mark.parametrize("name", ["start", "stroke", "end"])
@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, 1e300])
def test_a_start_that_is_no_time_is_refused(name, value):
    with pytest.raises(InputError, match=rf"{name} must be in \[0, 3600\] s"):
        read_intent(intent(**{name: value}), 0.0, 0.0)


TIMED = {"start": 1.0, "stroke": 1.5, "end": 2.0}


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({}, (None, None, False)),  # untold
        ({**TIMED, "span_end": 3}, (1.5, 2.0, True)),
        ({**TIMED, "span_end": 7}, (1.5, 2.0, False)),
        ({**TIMED, "estimated": True}, (1.5, None, False)),
        ({**TIMED, "stroke": 0.5}, (None, None, False)),  # cannot be
        ({**TIMED, "accepted": False}, (None, 2.0, False)),  # no gesture, no stroke
        ({"end": 3.0, "gesture": LabelProbabilities(chosen="nod")}, (0.0, 3.0, False)),
    ],
    ids=str,
)
def test_when_a_clause_is_spoken_is_told_or_unknown(given, read):
    request = read_intent(intent(**given), 8.0, 5.0)
    since = [None if time is None else time - 3.0 for time in (request.stroke, request.end)]
    assert (*since, request.header.more) == read


@pytest.mark.parametrize("text", ["", "   ", "?!", "\U0001f44b"])
def test_a_text_without_a_letter_is_not_spoken(text):
    assert not read_intent(intent(text=text), 0.0, 0.0).spoken


@pytest.mark.parametrize("seconds", [0.0, 0.999999999, 1.0, 1.7e9 + 0.25, 2147483647.5])
def test_a_time_comes_back(seconds):
    assert to_seconds(to_time(seconds)) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize("offset", [0.0, 1.7e9 + 0.1, 1796104371.029101])
def test_a_time_comes_back_to_the_nanosecond_whatever_the_clocks_differ_by(offset):
    for seconds in (0.0, 41573.123456789, 1000.0 + 1.0 / 3.0):
        assert to_seconds(to_time(seconds, offset), offset) == pytest.approx(seconds, abs=1e-9)


def test_a_time_before_1970_is_zero():
    assert to_seconds(to_time(-5.0)) == 0.0


@pytest.mark.parametrize(
    "commit",
    [
        Commit(0),
        Commit(-1, ("ütterance", 3), 12.3456, 2, 0.71),
        Commit(123_456, IDLE, 0.0, 1, 0.0),
    ],
)
def test_what_a_plan_was_made_from_comes_back_over_the_wire(commit):
    clock = RowClock(0.01)
    clock.begin(7.003)
    sent = serialize_message(plan_commit(commit, clock, offset=1.79e9))
    found = read_plan_commit(deserialize_message(sent, PlanCommit), clock, offset=1.79e9)
    assert replace(found, known_until=commit.known_until) == commit
    assert found.known_until == pytest.approx(commit.known_until, abs=1e-6)


def test_a_good_speech_is_read_whole():
    given = Speech(
        utterance_id="u",
        text="see you",
        duration=1.5,
        words=["see", "you"],
        word_starts=[0.0, 0.4],
        gesture="wave",
        emotion="positive",
    )
    read, complaints = read_speech(given)
    assert not complaints
    assert (read.text, read.utterance_id, read.duration) == ("see you", "u", 1.5)
    assert (read.words, read.word_starts) == (("see", "you"), (0.0, 0.4))
    assert (read.gesture, read.emotion) == ("wave", "positive")


@pytest.mark.parametrize(
    ("wrong", "left_out"),
    [
        ({"gesture": "cartwheel"}, {"gesture": ""}),
        ({"emotion": "Positive"}, {"emotion": ""}),
        ({"utterance_id": "u" * 100_000}, {"utterance_id": ""}),
        ({"duration": math.nan}, {"duration": 0.0}),
        ({"duration": -1.0}, {"duration": 0.0}),
        ({"words": ["one"]}, {"words": (), "word_starts": ()}),
        ({"words": ["one"], "word_starts": [math.inf]}, {"words": (), "word_starts": ()}),
        ({"duration": 1e300}, {"duration": 0.0}),
        ({"duration": 1200.0}, {"duration": 1.2}),
        ({"words": ["see", "you"], "word_starts": [0.0, 450.0]}, {"word_starts": (0.0, 0.45)}),
        ({"words": ["see", "you"], "word_starts": [0.4, 0.1]}, {"words": (), "word_starts": ()}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_wrong_in_a_speech_is_named_and_left_out(wrong, left_out):
    read, complaints = read_speech(Speech(text="see you", **wrong))
    assert len(complaints) == 1
    assert {name: getattr(read, name) for name in left_out} == left_out
    assert read.text == "see you"
    assert read.refusal == (complaints[0] if {"gesture", "emotion"} & set(wrong) else "")


@pytest.mark.parametrize("robot", ROBOTS, ids=name_of)
def test_a_robot_is_drawn_by_its_capsules(robot):
    """Balls and lines of one width share a marker; together they are all capsules."""
    message = markers_message(robot, robot.rest, REFERENCE, 1.0)
    message = deserialize_message(serialize_message(message), MarkerArray)
    assert all(marker.header.frame_id == robot.base for marker in message.markers)
    body = [marker for marker in message.markers if marker.ns == "robot"]
    assert len({marker.id for marker in body}) == len(body)
    ends = robot.capsule_ends(robot.rest)
    expected = sorted(
        (round(2.0 * capsule.radius, 6), *np.round(end, 6).tolist())
        for capsule, pair in zip(robot.capsules, ends, strict=True)
        for end in pair
    )
    for kind in (Marker.LINE_LIST, Marker.SPHERE_LIST):
        drawn = [
            (round(marker.scale.x, 6), *np.round((point.x, point.y, point.z), 6).tolist())
            for marker in body
            if marker.type == kind
            for point in marker.points
        ]
        assert sorted(drawn) == expected


def test_a_robot_without_capsules_is_drawn_by_its_lines_and_nobody_beside_it_is_deleted():
    robot = replace(ROBOTS[0], capsules=())
    lines, human = markers_message(robot, robot.rest, None, 1.0).markers
    assert (lines.ns, lines.type, human.ns, human.action) == (
        "robot",
        Marker.LINE_LIST,
        "human",
        Marker.DELETE,
    )
    assert len(lines.points) == 2 * sum(len(line) - 1 for line in robot.lines)


def test_priorities_nobody_chose_are_those_of_the_messages():
    assert [kind().priority for kind in (Speech, GestureIntent, GestureFrames)] == [PRIORITY] * 3


def test_a_trajectory_names_the_joints_that_are_commanded_with_all_that_is_known_of_them():
    rows = np.arange(12.0).reshape(3, 4)
    owned = np.array([True, False, True, True])
    announced = Announcement(np.array([0.0, 0.01, 1.25]), rows, 2.0 * rows, 3.0 * rows, owned, "one")
    message = trajectory_message(list("abcd"), announced, 5.5)
    assert message.joint_names == ["a", "c", "d"]
    assert message.header.frame_id == "one"
    assert to_seconds(message.header.stamp) == 5.5
    assert [(p.time_from_start.sec, p.time_from_start.nanosec) for p in message.points] == [
        (0, 0),
        (0, 10_000_000),
        (1, 250_000_000),
    ]
    for point, row in zip(message.points, rows[:, owned], strict=True):
        np.testing.assert_array_equal(point.positions, row)
        np.testing.assert_array_equal(point.velocities, 2.0 * row)
        np.testing.assert_array_equal(point.accelerations, 3.0 * row)
