"""Plans between planner and control loop: whole, in time and of the right parent, or not at all."""

import mmap
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from text2gesture_ros.control.handover import LocalExchange, LoopStatus
from text2gesture_ros.control.shared_exchange import SharedExchange
from text2gesture_ros.control.trajectory import IDLE, Commit, Plan, SampledTrajectory, Span

JOINTS = 5


def plan_of(number=2, parent=1, commit_row=10, rows=30, seed=0):
    generator = np.random.default_rng(seed)
    samples = SampledTrajectory(*generator.normal(size=(3, rows, JOINTS)))
    spans = (Span(0, ("ütterance", 3), frozenset({"head", "left_arm"})), Span(rows - 1, IDLE, frozenset()))
    return Plan(number, parent, Commit(commit_row, ("the läst", 1), 1 / 3, 2, 0.7), samples, spans)


@pytest.fixture(params=["one thread", "two processes"])
def exchange(request):
    if request.param == "one thread":
        yield LocalExchange(), LocalExchange.take
        return
    shared = SharedExchange(JOINTS)
    yield shared, SharedExchange.take
    shared.close()


def check_equal(found, plan):
    assert (found.number, found.parent, found.commit) == (plan.number, plan.parent, plan.commit)
    for name in ("positions", "velocities", "accelerations"):
        np.testing.assert_array_equal(getattr(found.samples, name), getattr(plan.samples, name))
    pairs = zip(found.spans, plan.spans, strict=True)
    assert all((a.row, a.clause, a.groups) == (b.row, b.clause, b.groups) for a, b in pairs)


def test_a_plan_is_taken_once_and_whole(exchange):
    shared, _ = exchange
    shared.offer(plan_of())
    check_equal(shared.take(1, 9), plan_of())
    assert shared.take(1, 9) is None


@pytest.mark.parametrize(("number", "row"), [(1, 10), (1, 11), (2, 5), (-1, 5), (0, 9)])
def test_a_plan_that_came_too_late_or_continues_another_is_dropped(exchange, number, row):
    shared, _ = exchange
    shared.offer(plan_of(parent=1, commit_row=10))
    assert shared.take(number, row) is None
    assert shared.take(1, 0) is None  # it is gone


def test_the_newest_plan_takes_the_place_of_one_that_was_not_taken(exchange):
    shared, _ = exchange
    for seed in range(5):
        shared.offer(plan_of(seed=seed, rows=20 + seed))
    check_equal(shared.take(1, 0), plan_of(seed=4, rows=24))


def test_the_status_of_the_loop_is_what_it_published_last(exchange):
    shared, _ = exchange
    assert shared.status() == LoopStatus(-1, 0, float("-inf"))
    for row in (0, 5, 7):
        shared.publish(LoopStatus(row, -row, 0.1 * row))
        assert shared.status() == LoopStatus(row, -row, 0.1 * row)


def test_a_plan_that_is_too_long_is_not_handed_over():
    shared = SharedExchange(JOINTS)
    shared.offer(plan_of(rows=20_000))
    assert shared.take(1, 0) is None
    shared.offer(plan_of())
    check_equal(shared.take(1, 0), plan_of())
    shared.close()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_plan_is_never_taken(data):
    """Whatever byte of the memory a dying planner has spoilt: the plan is whole or there is none."""
    shared = SharedExchange(JOINTS)
    shared.offer(plan_of())
    with mmap.mmap(shared.descriptors[0], 0) as memory:
        written = [index for index in range(128, len(memory)) if memory[index]]
        index = data.draw(st.sampled_from(written))
        memory[index] ^= data.draw(st.integers(1, 255))
    found = shared.take(1, 0)
    if found is not None:
        check_equal(found, plan_of())
    shared.close()


def test_a_planner_that_is_killed_while_it_offers_leaves_a_whole_plan_or_none():
    for delay in range(12):
        shared = SharedExchange(JOINTS)
        child = os.fork()
        if child == 0:
            mine = SharedExchange(JOINTS, tuple(map(os.dup, shared.descriptors)))
            for number in range(1_000_000):
                mine.offer(replace(plan_of(rows=200), number=number + 2))
            os._exit(0)
        seen = 0
        for _ in range(200 + 37 * delay):
            found = shared.take(1, 0)
            if found is not None:
                check_equal(found, replace(plan_of(rows=200), number=found.number))
                seen += 1
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found = shared.take(1, 0)
        if found is not None:
            check_equal(found, replace(plan_of(rows=200), number=found.number))
        shared.close()
