"""Frames are retargeted in the order in which they came, within the budget of each period."""

from itertools import groupby

import numpy as np
import pytest
from robot_cases import blocks_of, end_of, lively

from text2gesture_ros.parameters import GestureRetargeterParameters as Parameters
from text2gesture_ros.retargeting.frame_queue import FrameQueue
from text2gesture_ros.retargeting.retargeter import Retargeter
from text2gesture_ros.robots.robot_file import load_robot

ROBOT = load_robot("nao")
PERIOD = 0.01


def queue_of(*blocks):
    queue = FrameQueue(ROBOT, PERIOD)
    for block in blocks:
        queue.append(block)
    return queue


def retarget(queue):
    """Retarget what the budget of a period allows."""
    parts = []
    while queue.ready:
        parts.append(queue.retarget(Parameters()))
    return parts


def retarget_all(queue):
    """Retarget all, period by period."""
    times = []
    while parts := retarget(queue):
        times.append(parts)
        queue.reset_budget()
    return times


@pytest.mark.parametrize("size", [1, 8, 50, 300])
def test_every_frame_is_retargeted_once_and_the_last_one_completes_the_clause(size):
    blocks = blocks_of(lively(ROBOT, 3.0), 1.0, size=size)
    clips = [part.clip for parts in retarget_all(queue_of(*blocks)) for part in parts]
    np.testing.assert_allclose(np.concatenate([clip.times for clip in clips]), 1.0 + np.arange(180) / 60.0)
    assert all(clip.angles.shape == (len(clip.times), len(ROBOT.joint_names)) for clip in clips)
    assert [clip.complete for clip in clips] == [False] * (len(clips) - 1) + [True]


def test_the_budget_of_a_period_is_kept():
    blocks = blocks_of(lively(ROBOT, 5.0), 1.0, size=300) + blocks_of(lively(ROBOT, 1.0), 2.0, clause=1)
    for parts in retarget_all(queue_of(*blocks)):
        assert sum(len(part.clip.times) for part in parts) <= 32


def test_clauses_begin_and_end_in_the_order_of_their_blocks():
    a, b = blocks_of(lively(ROBOT, 0.4), 1.0), blocks_of(lively(ROBOT, 0.4), 2.0, utterance_id="b")
    queue = queue_of(*a[:2], end_of(a[2]), *b[:2])
    assert queue.changes(end_of(b[2]))
    assert queue.changes(a[0])
    assert not queue.changes(b[2])
    parts = [part for parts in retarget_all(queue) for part in parts]
    order = [(part.clause[0], part.clip is None) for part in parts]
    assert [key for key, _ in groupby(order)] == [("a", False), ("a", True), ("b", False)]
    begins = [order.index(("a", False)), order.index(("b", False))]
    assert [index for index, part in enumerate(parts) if part.begins] == begins
    assert [index for index, part in enumerate(parts) if part.first] == begins


def test_a_clause_begins_with_few_frames_so_that_a_plan_does_not_wait_for_all():
    block = blocks_of(lively(ROBOT, 0.4), 1.0, size=24)
    first, *others = retarget(queue_of(*block))
    assert first.first
    assert len(first.clip.times) < 4
    assert len(first.clip.times) + sum(len(part.clip.times) for part in others) == 24


def test_frames_after_the_beginning_of_another_clause_are_dropped():
    (long,) = blocks_of(lively(ROBOT, 5.0), 1.0, size=300)
    queue = queue_of(long)
    first = retarget(queue)
    for block in (end_of(long, sequence=1), *blocks_of(lively(ROBOT, 0.2), 1.0 + 0.9, utterance_id="b")):
        queue.append(block)
    queue.reset_budget()
    clips = [part.clip for part in first + [part for parts in retarget_all(queue) for part in parts]]
    of = {name: [clip for clip in clips if clip.clause[0] == name] for name in "ab"}
    assert of["a"][-1].end == pytest.approx(1.9, abs=0.02)
    assert not of["a"][-1].complete
    assert sum(len(clip.times) for clip in of["b"]) == 12


def test_the_first_frame_of_a_preempted_clause_is_kept():
    queue = queue_of(
        *blocks_of(lively(ROBOT, 2.0), 3.0, size=120),
        *blocks_of(lively(ROBOT, 0.2), 1.0, utterance_id="b"),
    )
    parts = [part for parts in retarget_all(queue) for part in parts]
    assert parts[0].clause[0] == "a"
    assert len(parts[0].clip.times) == 1
    assert {part.clause[0] for part in parts[1:]} == {"b"}
    assert sum(len(part.clip.times) for part in parts[1:]) == 12


def test_forgotten_utterances_are_not_retargeted():
    a, b = blocks_of(lively(ROBOT, 0.4), 1.0), blocks_of(lively(ROBOT, 0.4), 2.0, utterance_id="b")
    queue = queue_of(*a, *b)
    queue.forget({"a"})
    assert {part.clause[0] for part in retarget(queue)} == {"b"}
    queue.reset_budget()
    queue.clear()
    assert not queue.ready


def test_new_parameters_take_effect_with_the_next_clause():
    body = lively(ROBOT, 0.4)
    queue = queue_of(*blocks_of(body, 1.0), *blocks_of(body, 2.0, clause=1))
    straight, mirrored = (Retargeter(ROBOT, mirror=mirror).motion(body) for mirror in (False, True))
    parts = [queue.retarget(Parameters())]
    while queue.ready:
        parts.append(queue.retarget(Parameters(mirror=True)))
    joints = slice(len(ROBOT.groups["head"]))
    for clause, expected in enumerate([straight, mirrored]):
        angles = np.concatenate([part.clip.angles for part in parts if part.clause[1] == clause])
        np.testing.assert_allclose(angles[:8, joints], expected[:8, joints], atol=1e-5)
