"""The control loop by itself: late ticks, stamps, plans that do not fit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from robot_cases import ROBOTS

from text2gesture_ros.control.handover import LocalExchange
from text2gesture_ros.control.loop import ControlLoop
from text2gesture_ros.control.ownership import JointOwnership
from text2gesture_ros.control.point_to_point import PointToPoint
from text2gesture_ros.control.trajectory import IDLE, Commit, Plan, Span
from text2gesture_ros.control.verification import verify
from text2gesture_ros.parameters import GestureRetargeterParameters

ROBOT = next(robot for robot in ROBOTS if robot.name == "pepper")
PERIOD = 0.01
GAPS = [0.2, 1.0, 1.0, 1.0, 1.4, 2.3, 7.0, 20.0, 80.0]  # between ticks, in periods
TARGET = ROBOT.rest + 0.2 * ((ROBOT.lower + ROBOT.upper) / 2.0 - ROBOT.rest)


def loop_and_exchange():
    exchange = LocalExchange()
    return ControlLoop(JointOwnership(ROBOT, GestureRetargeterParameters()), PERIOD, exchange), exchange


def plan_to(loop, target, ahead=1):
    """Return a plan that goes to a target and back to rest, from so many rows ahead."""
    buffer = loop.buffer
    base = buffer.row + ahead - 1
    there = PointToPoint(ROBOT, PERIOD).trajectory(buffer.sample(base), target)
    spans = (Span(0, ("a", 0), frozenset({"left_arm"})), Span(len(there), IDLE, frozenset()))
    return Plan(abs(buffer.number) + 1, buffer.number, Commit(base + 1), there, spans)


def test_it_stands_still_until_a_plan_comes_and_then_follows_it_row_by_row():
    loop, exchange = loop_and_exchange()
    for tick in range(5):
        np.testing.assert_array_equal(loop.tick(tick * PERIOD).position, ROBOT.rest)
    plan = plan_to(loop, TARGET, ahead=3)
    exchange.offer(plan)
    commands = [loop.tick((5 + tick) * PERIOD) for tick in range(2 + len(plan.samples))]
    np.testing.assert_array_equal([c.position for c in commands[2:]], plan.samples.positions)
    assert [c.utterance_id for c in commands[1:4]] == ["", "a", "a"]
    assert not commands[-1].velocity.any()


@pytest.mark.parametrize("spoil", ["too late", "of another parent"])
def test_a_plan_that_does_not_continue_what_was_sent_changes_nothing(spoil):
    loop, exchange = loop_and_exchange()
    loop.tick(0.0)
    plan = plan_to(loop, TARGET, ahead=2)
    if spoil == "of another parent":
        plan = Plan(9, 7, plan.commit, plan.samples, plan.spans)
    else:
        for tick in range(1, 4):
            loop.tick(tick * PERIOD)
    exchange.offer(plan)
    for tick in range(4, 30):
        np.testing.assert_array_equal(loop.tick(tick * PERIOD).position, ROBOT.rest)


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.sampled_from([0.2, 1.0, 1.0, 1.0, 1.4, 2.3, 7.0, 20.0, 80.0]), min_size=80, max_size=80)
)
def test_however_late_ticks_come_limits_are_kept_over_the_stamps_and_the_plan_is_followed(gaps):
    loop, exchange = loop_and_exchange()
    loop.tick(0.0)
    plan = plan_to(loop, TARGET, ahead=2)
    exchange.offer(plan)
    now, commands = 0.0, []
    for gap in [*gaps, *[1.0] * 200]:
        now += gap * PERIOD
        commands.append(loop.tick(now))
    times = np.array([command.time for command in commands])
    positions = np.array([command.position for command in commands])
    assert (np.diff(times) > 0.0).all()
    assert not verify(ROBOT, times, positions).violations
    np.testing.assert_array_equal(positions[-1], plan.samples.positions[-1])
    # Every command is a row of the plan, in its order.
    rows = [np.abs(plan.samples.positions - position).max(axis=1).argmin() for position in positions[2:]]
    assert (np.diff(rows) >= 0).all()


def test_a_loop_that_wakes_up_late_goes_on_with_the_row_that_is_due():
    loop, exchange = loop_and_exchange()
    loop.tick(0.0)
    plan = plan_to(loop, TARGET, ahead=1)
    exchange.offer(plan)
    loop.tick(PERIOD)
    late = loop.tick(6 * PERIOD)
    np.testing.assert_array_equal(late.position, plan.samples.positions[5])
    assert late.time == pytest.approx(6 * PERIOD)
    assert loop.skipped == 4


def test_after_a_long_gap_the_motion_goes_on_where_it_was():
    loop, exchange = loop_and_exchange()
    loop.tick(0.0)
    plan = plan_to(loop, TARGET, ahead=1)
    exchange.offer(plan)
    loop.tick(PERIOD)
    np.testing.assert_array_equal(loop.tick(3.0).position, plan.samples.positions[1])
    np.testing.assert_array_equal(loop.tick(3.0 + PERIOD).position, plan.samples.positions[2])
