"""Frames become joint angles in the order in which they came, so many at a time."""

import numpy as np
import pytest
from robot_cases import blocks_of, end_of, lively

from text2gesture_ros.parameters import GestureRetargeterParameters as Parameters
from text2gesture_ros.retargeting.frame_queue import FrameQueue
from text2gesture_ros.retargeting.retargeter import Retargeter
from text2gesture_ros.robots.robot_file import load_robot

ROBOT = load_robot("nao")
PERIOD = 0.01


def given(*blocks):
    queue = FrameQueue(ROBOT, PERIOD)
    for block in blocks:
        queue.append(block)
    return queue


def read(queue):
    """Read all that may be read at a time."""
    parts = []
    while queue.ready:
        parts.append(queue.retarget(Parameters()))
    return parts


def read_all(queue):
    """Read all, as many times as that takes."""
    times = []
    while parts := read(queue):
        times.append(parts)
        queue.reset_budget()
    return times


@pytest.mark.parametrize("size", [1, 8, 50, 300])
def test_every_frame_is_read_once_and_the_last_one_ends_the_gesture(size):
    blocks = blocks_of(lively(ROBOT, 3.0), 1.0, size=size)
    clips = [part.clip for parts in read_all(given(*blocks)) for part in parts]
    np.testing.assert_allclose(np.concatenate([clip.times for clip in clips]), 1.0 + np.arange(180) / 60.0)
    assert all(clip.angles.shape == (len(clip.times), len(ROBOT.joint_names)) for clip in clips)
    assert [clip.complete for clip in clips] == [False] * (len(clips) - 1) + [True]


def test_no_more_is_read_at_a_time_than_may_be():
    blocks = blocks_of(lively(ROBOT, 5.0), 1.0, size=300) + blocks_of(lively(ROBOT, 1.0), 2.0, clause=1)
    for parts in read_all(given(*blocks)):
        assert sum(len(part.clip.times) for part in parts) <= 32


def test_gestures_begin_and_end_in_the_order_in_which_that_was_told():
    a, b = blocks_of(lively(ROBOT, 0.4), 1.0), blocks_of(lively(ROBOT, 0.4), 2.0, utterance_id="b")
    queue = given(*a[:2], end_of(a[2]), *b[:2])
    assert queue.changes(end_of(b[2]))
    assert queue.changes(a[0])
    assert not queue.changes(b[2])
    parts = [part for parts in read_all(queue) for part in parts]
    assert [(part.clause[0], part.clip is None, part.begins, part.first) for part in parts] == [
        ("a", False, True, True),
        ("a", False, False, False),
        ("a", True, False, False),
        ("b", False, True, True),
        ("b", False, False, False),
    ]


def test_what_another_gesture_takes_the_place_of_is_not_read():
    (long,) = blocks_of(lively(ROBOT, 5.0), 1.0, size=300)
    queue = given(long)
    first = read(queue)
    for block in (end_of(long, sequence=1), *blocks_of(lively(ROBOT, 0.2), 1.0 + 0.9, utterance_id="b")):
        queue.append(block)
    queue.reset_budget()
    clips = [part.clip for part in first + [part for parts in read_all(queue) for part in parts]]
    of = {name: [clip for clip in clips if clip.clause[0] == name] for name in "ab"}
    assert of["a"][-1].end == pytest.approx(1.9, abs=0.02)
    assert not of["a"][-1].complete
    assert sum(len(clip.times) for clip in of["b"]) == 12


def test_of_a_gesture_that_never_began_it_is_seen_that_another_took_its_place():
    queue = given(
        *blocks_of(lively(ROBOT, 2.0), 3.0, size=120),
        *blocks_of(lively(ROBOT, 0.2), 1.0, utterance_id="b"),
    )
    parts = [part for parts in read_all(queue) for part in parts]
    assert [(part.clause[0], len(part.clip.times)) for part in parts] == [("a", 1), ("b", 8), ("b", 4)]


def test_what_is_forgotten_is_not_read():
    a, b = blocks_of(lively(ROBOT, 0.4), 1.0), blocks_of(lively(ROBOT, 0.4), 2.0, utterance_id="b")
    queue = given(*a, *b)
    queue.forget({"a"})
    assert {part.clause[0] for part in read(queue)} == {"b"}
    queue.reset_budget()
    queue.clear()
    assert not queue.ready


def test_how_gestures_are_read_may_change_from_the_next_one_on():
    body = lively(ROBOT, 0.4)
    queue = given(*blocks_of(body, 1.0), *blocks_of(body, 2.0, clause=1))
    straight, mirrored = (Retargeter(ROBOT, mirror=mirror).motion(body) for mirror in (False, True))
    clips = [queue.retarget(Parameters(mirror=number > 0)).clip for number in range(4)]
    joints = slice(len(ROBOT.groups["head"]))
    np.testing.assert_allclose(clips[1].angles[:, joints], straight[8:16, joints], atol=1e-5)
    np.testing.assert_allclose(clips[3].angles[:, joints], mirrored[:8, joints], atol=1e-5)
