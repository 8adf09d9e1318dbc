import subprocess
import sys
import zlib
from collections import Counter
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from robot_cases import ROBOTS, blocks_of, end_of, executor_for, lively, name_of, set_parameters

from text2gesture_ros.control.ownership import VISIBLE
from text2gesture_ros.control.trajectory import IDLE
from text2gesture_ros.control.verification import Report, Verifier, Violation, min_clearance_of, verify
from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.gestures import needs_of
from text2gesture_ros.motion.frame_block import ClauseEnd, ClauseHeader
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.parameters import MODES
from text2gesture_ros.retargeting.executor import retarget_motion
from text2gesture_ros.retargeting.hands import with_hands
from text2gesture_ros.retargeting.plan_search import PlanSearch
from text2gesture_ros.retargeting.retargeter import Retargeter
from text2gesture_ros.robots.clearance import Clearance
from text2gesture_ros.skeleton import REFERENCE

RATE = 100.0
PERFORMED = ("completed", "degraded")  # lively motion asks for more than every robot has


def perform(executor, blocks, seconds, start=0.0, ahead=0.2, events=()):
    """Tick for `seconds`, handing over each block `ahead` of its due time and each event at its time."""
    blocks, events = list(blocks), sorted(events, key=lambda event: event[0])
    commands = []
    for step in range(round(seconds / executor.period)):
        now = start + step * executor.period
        while blocks and blocks[0].due - ahead <= now:
            executor.receive(blocks.pop(0), now)
        while events and events[0][0] <= now:
            events.pop(0)[1]()
        commands.append(executor.tick(now))
    return commands


def check(robot, commands, rate=RATE):
    positions = np.stack([command.position for command in commands])
    report = verify(robot, np.arange(len(positions)) / rate, positions)
    assert not report.violations, report.violations[:3]
    assert not any(command.violations for command in commands)


def check_owned(robot, commands):
    """Check the commands that were sent: joints of others may be anywhere when they are taken over."""
    positions, owned = (np.stack([getattr(c, name) for c in commands]) for name in ("position", "owned"))
    for group in robot.groups.values():
        ours = owned[:, group[0]]
        changes = [0, *(np.flatnonzero(np.diff(ours)) + 1), len(ours)]
        for first, last in pairwise(changes):
            if ours[first]:
                sent = np.tile(robot.rest, (last - first, 1))
                sent[:, list(group)] = positions[first:last, list(group)]
                report = verify(robot, np.arange(last - first) / RATE, sent)
                assert not report.violations, report.violations[:3]
    assert not any(command.violations for command in commands)


def at_rest(robot, command):
    return not command.moving and np.allclose(command.position, robot.rest, atol=1e-9)


@pytest.fixture
def robot(request):
    """Return one of two robots, by the name of the test: for what does not depend on the robot."""
    two = [robot for robot in ROBOTS if robot.name in ("pepper", "nao")]
    return two[zlib.crc32(request.node.name.encode()) % 2]


@pytest.mark.parametrize("robot", ROBOTS, ids=name_of)
class TestEveryRobot:
    @pytest.mark.parametrize("kind", ["white noise", "steps", "held at the limits"])
    def test_whatever_angles_are_asked_for_limits_and_clearance_are_kept(self, robot, kind, monkeypatch):
        """Also where the poses themselves touch: no plan is begun that does not pass as a whole."""
        generator = np.random.default_rng(len(kind))

        def hostile(self, positions):
            shape = (len(positions), len(robot.joint_names))
            if kind == "held at the limits":
                ends = np.where(generator.random(shape[1]) < 0.5, robot.lower, robot.upper)
                return np.tile(ends, (shape[0], 1))
            drawn = robot.lower + generator.random(shape) * (robot.upper - robot.lower)
            return drawn if kind == "white noise" else np.repeat(drawn[::4], 4, axis=0)[: shape[0]]

        monkeypatch.setattr(Retargeter, "motion", hostile)
        blocks = [
            block
            for index in range(4)
            for block in blocks_of(lively(robot, 0.7), 0.1 + 0.6 * index, utterance_id=str(index))
        ]
        executor = executor_for(robot)
        changes = [
            {"gesture_scale": 0.6},
            {"head": "never"},
            {"gesture_scale": 1.4},
            {"head": "always", "gesture_scale": 1.0},
        ]
        events = [
            (0.35 + 0.5 * index, lambda change=change: set_parameters(executor, **change))
            for index, change in enumerate(changes)
        ]
        commands = perform(executor, sorted(blocks, key=lambda block: block.due), 9.0, events=events)
        check(robot, commands)
        positions = np.stack([command.position for command in commands])
        clearance = Clearance(robot)
        assert (clearance.distances(positions) >= min_clearance_of(robot, clearance)).all()
        assert at_rest(robot, commands[-1])
        assert executor.loop.withheld == executor.planner.counts["stuck"] == 0


def ticked(executor, blocks, end, gap):
    """Return the commands of ticks a `gap` apart, whatever that is, and when the next would be."""
    now, commands = 0.0, []
    while now < end:
        while blocks and blocks[0].due - 0.3 <= now:
            executor.receive(blocks.pop(0), now)
        commands.append(executor.tick(now))
        now += gap(now)
    return commands, now


class TestPerforming:
    def test_it_rests_until_something_comes(self, robot):
        for command in perform(executor_for(robot), [], 0.5):
            np.testing.assert_array_equal(command.position, robot.rest)
            assert not command.moving
            assert command.utterance_id == ""

    @pytest.mark.parametrize("rate", [20.0, 60.0, 100.0, 200.0])
    def test_a_gesture_is_played_within_limits_from_rest_to_rest(self, robot, rate):
        commands = perform(executor_for(robot, rate=rate), blocks_of(lively(robot, 1.5), 0.3), 4.0)
        check(robot, commands, rate)
        assert at_rest(robot, commands[0])
        assert at_rest(robot, commands[-1])
        assert {command.utterance_id for command in commands} == {"", "a"}
        assert max(np.abs(command.position - robot.rest).max() for command in commands) > 0.2

    def test_it_follows_the_retargeter_in_time(self, robot):
        body = lively(robot, 3.0, amplitude=0.1)
        wanted = with_hands(robot, Retargeter(robot).motion(body), 1.0)
        commands = perform(executor_for(robot), blocks_of(body, 0.5), 3.5)
        times = np.arange(len(commands)) / RATE
        positions = np.stack([command.position for command in commands])
        due = 0.5 + np.arange(len(body)) / 60.0
        late = due > 1.5
        for joint in range(len(robot.joint_names)):
            errors = np.interp(due, times, positions[:, joint])[late] - wanted[late, joint]
            assert np.sqrt(np.mean(errors**2)) < 0.06, robot.joint_names[joint]

    def test_an_utterance_that_replaces_another_takes_over_within_limits(self, robot):
        first, second = lively(robot, 2.0, seed=1), lively(robot, 1.0, seed=2)
        for moment in (0.4, 0.73, 1.1):
            blocks = blocks_of(first, 0.1) + blocks_of(second, moment, utterance_id="b")
            blocks.sort(key=lambda block: block.due)
            executor = executor_for(robot)
            commands = perform(executor, blocks, 5.0)
            check(robot, commands)
            playing = [command.utterance_id for command in commands]
            assert playing.index("b") == pytest.approx(moment * RATE, abs=6)
            assert "a" not in playing[playing.index("b") :]
            assert executor.counts["stale"] > 0
            assert at_rest(robot, commands[-1])

    def test_a_clause_takes_over_from_the_one_before_as_another_utterance_does(self, robot):
        first = blocks_of(lively(robot, 2.0, seed=1), 0.1)
        second = lively(robot, 1.0, seed=2)
        played = []
        for name in ({"utterance_id": "b"}, {"clause": 1}):
            blocks = sorted(first + blocks_of(second, 0.73, **name), key=lambda block: block.due)
            executor = executor_for(robot)
            commands = perform(executor, blocks, 4.0)
            check(robot, commands)
            played.append(([command.position for command in commands], dict(executor.counts)))
        np.testing.assert_array_equal(played[0][0], played[1][0])
        assert played[0][1] == played[1][1]
        assert played[0][1]["stale"] > 0
        assert {command.utterance_id for command in commands} == {"", "a"}
        clauses = [command.clause for command in commands if command.utterance_id]
        assert clauses == sorted(clauses)
        assert set(clauses) == {0, 1}

    def test_many_utterances_at_once_stay_within_limits(self, robot):
        blocks = []
        for index in range(12):
            body = lively(robot, 1.0, seed=index)
            blocks += blocks_of(body, 0.1 + 0.13 * index, utterance_id=str(index))
        blocks.sort(key=lambda block: block.due)
        commands = perform(executor_for(robot, blend_time=0.0), blocks, 5.0)
        check(robot, commands)
        assert at_rest(robot, commands[-1])

    def test_the_newest_utterance_plays_before_it_is_due_nothing_changes(self, robot):
        executor = executor_for(robot)
        executor.receive(blocks_of(lively(robot, 1.0), 5.0)[0], 0.0)
        assert all(at_rest(robot, command) for command in perform(executor, [], 2.0))

    def test_when_frames_stop_coming_it_returns_to_rest_by_itself(self, robot):
        blocks = blocks_of(lively(robot, 2.0), 0.2)[:5]
        commands = perform(executor_for(robot, frame_timeout=0.2), blocks, 4.0)
        check(robot, commands)
        ended = [command.utterance_id for command in commands]
        last_frame = blocks[-1].end
        assert "a" in ended[round((last_frame + 0.15) * RATE) :]
        assert "a" not in ended[round((last_frame + 0.30) * RATE) :]
        assert at_rest(robot, commands[-1])

    def test_a_gap_is_waited_out_and_the_gesture_goes_on(self, robot):
        blocks = blocks_of(lively(robot, 1.5), 0.2)
        late = [replace(block, due=block.due + (0.25 if block.sequence > 5 else 0.0)) for block in blocks]
        commands = perform(executor_for(robot, frame_timeout=0.5), late, 5.0, ahead=0.0)
        check(robot, commands)
        playing = [command.utterance_id for command in commands]
        assert "" not in playing[playing.index("a") : round(late[-1].end * RATE) - 10]
        assert at_rest(robot, commands[-1])

    def test_a_lost_block_is_bridged(self, robot):
        blocks = blocks_of(lively(robot, 1.5), 0.2)
        del blocks[4]
        executor = executor_for(robot)
        check(robot, perform(executor, blocks, 4.0))
        assert executor.counts["accepted"] == len(blocks)

    def test_after_a_long_gap_the_gesture_is_taken_up_again(self, robot):
        blocks = blocks_of(lively(robot, 1.0), 0.2)
        late = [replace(block, due=block.due + (2.0 if block.sequence > 3 else 0.0)) for block in blocks]
        commands = perform(executor_for(robot), late, 6.0)
        check(robot, commands)
        assert [command.utterance_id for command in commands][round((late[-1].due) * RATE)] == "a"

    def test_blocks_that_do_not_belong_are_counted_and_change_nothing(self, robot):
        blocks = blocks_of(lively(robot, 1.0), 0.2)
        other = blocks_of(lively(robot, 1.0, seed=5), 0.2, utterance_id="other")
        far = blocks_of(lively(robot, 1.0, seed=5), 0.2, utterance_id="far")[0]
        wanted = perform(executor_for(robot), blocks, 3.0)
        executor = executor_for(robot)

        def send(*strange):
            return lambda: [executor.receive(block, 0.4) for block in strange]

        events = [
            (0.4, send(blocks[0], blocks[1])),
            (0.4, send(other[3], replace(far, due=100.0))),
        ]
        commands = perform(executor, blocks, 3.0, events=events)
        np.testing.assert_array_equal(
            [command.position for command in commands], [command.position for command in wanted]
        )
        expected = {"accepted": len(blocks), "duplicate": 1, "out_of_order": 1, "unknown": 1, "future": 1}
        assert dict(executor.counts) == expected

    def test_a_repeated_block_is_a_duplicate(self, robot):
        executor = executor_for(robot)
        blocks = blocks_of(lively(robot, 1.0), 0.2)
        assert executor.receive(blocks[0], 0.0)
        assert executor.receive(blocks[1], 0.0)
        assert not executor.receive(blocks[1], 0.0)
        assert not executor.receive(blocks[0], 0.0)
        assert executor.counts["duplicate"] == 2

    def test_an_utterance_whose_first_block_comes_too_late_plays_from_the_next(self, robot):
        executor = executor_for(robot)
        blocks = blocks_of(lively(robot, 1.0), 0.2)
        executor.tick(0.5)
        assert not executor.receive(blocks[0], 0.5)
        assert executor.counts["stale"] == 1
        assert executor.receive(blocks[3], 0.5)
        commands = perform(executor, blocks[4:], 3.0, start=0.51)
        assert commands[10].utterance_id == "a"

    def test_the_same_name_again_later_is_played_again(self, robot):
        body = lively(robot, 0.5)
        blocks = blocks_of(body, 0.2) + blocks_of(body, 2.0)
        commands = perform(executor_for(robot), blocks, 4.0)
        assert [command.utterance_id for command in commands][round(2.2 * RATE)] == "a"

    def test_more_frames_than_anybody_plays_are_refused(self, robot):
        with pytest.raises(InputError, match="1200"):
            executor_for(robot).receive(blocks_of(np.tile(REFERENCE, (1300, 1, 1)), 0.0, size=1300)[0], 0.0)

    def test_a_frame_that_is_no_body_is_refused_wherever_it_stands_and_plays_nothing(self, robot):
        positions = lively(robot, 1.0)
        positions[-1, 0, 0] = np.nan
        executor = executor_for(robot)
        with pytest.raises(InputError, match="not finite"):
            executor.receive(blocks_of(positions, 0.0, size=len(positions))[0], 0.0)
        assert not any(command.moving for command in perform(executor, [], 0.5))

    def test_a_body_that_was_changed_after_its_block_was_made_is_refused(self, robot):
        (block,) = blocks_of(lively(robot, 1.0), 0.0, size=60)
        block.positions[-1, 0, 0] = np.nan
        executor = executor_for(robot)
        with pytest.raises(InputError, match="not finite"):
            executor.receive(block, 0.0)
        assert not any(command.moving for command in perform(executor, [], 0.5))

    @settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(seed=st.integers(0, 2**32 - 1))
    def test_whatever_order_blocks_and_orders_come_in_limits_are_kept_and_it_ends_at_rest(self, robot, seed):
        generator = np.random.default_rng(seed)
        blocks = []
        for name in ("a", "b", "c"):
            due = float(generator.uniform(0.0, 1.0))
            body = lively(robot, 0.8, seed=int(generator.integers(100)))
            blocks += blocks_of(body, due, utterance_id=name, complete=bool(generator.random() < 0.5))
        chosen = [blocks[index] for index in generator.integers(0, len(blocks), 40)]
        executor = executor_for(robot, blend_time=float(generator.uniform(0.0, 0.5)))
        events = [(float(generator.uniform(0.0, 1.5)), block) for block in chosen]
        handed = [(time, lambda b=block, t=time: executor.receive(b, t)) for time, block in events]
        orders = [partial(executor.cancel, "b"), executor.cancel]
        orders += [partial(executor.hold, on) for on in (True, False)]
        orders += [partial(executor.observe, dict.fromkeys(robot.joint_names, 0.1))]
        orders += [partial(set_parameters, executor, head=mode) for mode in MODES]
        handed += [
            (float(generator.uniform(0.0, 1.5)), orders[index])
            for index in generator.permutation(len(orders))
        ]
        handed += [
            (2.0, partial(executor.hold, False)),
            (2.0, partial(set_parameters, executor, head="always")),
        ]
        commands = perform(executor, [], 5.0, events=handed)
        check_owned(robot, commands)
        assert at_rest(robot, commands[-1])
        assert executor.counts.total() == len(chosen)

    @pytest.mark.parametrize("moment", [0.0, 0.21, 0.5, 0.9, 1.35, 1.8])
    def test_looking_ahead_sees_what_ticks_then_command(self, robot, moment):
        executor = executor_for(robot, frame_timeout=0.2)
        blocks = blocks_of(lively(robot, 1.2), 0.2)
        perform(executor, blocks, moment)
        now = moment - executor.period if moment else 0.0
        seen = executor.look_ahead(now)
        assert (np.diff(seen.times) > 0).all()
        assert seen.times[0] > 0
        commands = [executor.tick(now + time) for time in seen.times]
        np.testing.assert_array_equal(seen.positions, [command.position for command in commands])
        np.testing.assert_array_equal(seen.velocities, [command.velocity for command in commands])
        np.testing.assert_allclose(seen.velocities[-1], 0.0, atol=1e-9)
        check(robot, commands)

    @pytest.mark.parametrize("late", [0.0, 0.004, 0.01, 0.0251])
    def test_looking_ahead_after_a_late_tick_begins_with_the_next_one(self, robot, late):
        executor = executor_for(robot)
        perform(executor, blocks_of(lively(robot, 1.2), 0.2), 0.5)
        now = 0.5 - executor.period + late
        seen = executor.look_ahead(now)
        assert seen.times[0] == pytest.approx(max(0.0, executor.period - late))
        assert (np.diff(seen.times) > 0).all()
        commands = [executor.tick(now + time) for time in seen.times]
        np.testing.assert_array_equal(seen.positions, [command.position for command in commands])

    def test_looking_ahead_changes_nothing(self, robot):
        blocks = blocks_of(lively(robot, 1.0), 0.2)
        wanted = perform(executor_for(robot), blocks, 3.0)
        executor = executor_for(robot)
        events = [(0.07 * step, lambda now=0.07 * step: executor.look_ahead(now)) for step in range(40)]
        commands = perform(executor, blocks, 3.0, events=events)
        np.testing.assert_array_equal(
            [command.position for command in commands], [command.position for command in wanted]
        )

    def test_looking_ahead_further_than_the_horizon_ends_at_standstill_within_limits(self, robot):
        executor = executor_for(robot)
        for block in blocks_of(lively(robot, 6.0), 0.05):
            executor.receive(block, 0.0)
        start = executor.tick(0.0)
        seen = executor.look_ahead(0.0)
        np.testing.assert_allclose(seen.velocities[-1], 0.0, atol=1e-9)
        report = verify(
            robot, np.concatenate([[0.0], seen.times]), np.concatenate([[start.position], seen.positions])
        )
        assert not report.violations

    def test_looking_ahead_from_rest_is_one_still_point(self, robot):
        seen = executor_for(robot).look_ahead(12.0)
        np.testing.assert_array_equal(seen.positions, robot.rest[None])
        assert seen.times.shape == (1,)

    def test_to_rest_returns_within_limits_and_plays_nothing_more_of_it(self, robot):
        executor = executor_for(robot)
        blocks = blocks_of(lively(robot, 3.0), 0.1)
        commands = perform(executor, blocks, 5.0, events=[(0.8, executor.to_rest)])
        check(robot, commands)
        assert at_rest(robot, commands[-1])
        assert not any(command.utterance_id for command in commands[82:])

    def test_it_is_moving_from_the_order_to_rest_until_it_is_there(self, robot):
        """Also where it stood still in a pose: who waits for the end must not be told at once."""
        executor = executor_for(robot)
        body = np.tile(lively(robot, 1.0)[30], (120, 1, 1))
        perform(executor, blocks_of(body, 0.1), 1.5)
        executor.to_rest()
        commands = perform(executor, [], 3.0, start=1.5)
        moving = [command.moving for command in commands]
        assert moving[0]
        ended = moving.index(False)
        assert not any(moving[ended:])
        np.testing.assert_allclose(commands[ended].position, robot.rest, atol=1e-9)

    @pytest.mark.parametrize("still", [True, False])
    def test_who_waits_for_rest_learns_at_once_that_there_is_no_way(self, robot, still, monkeypatch):
        executor = executor_for(robot)
        body = lively(robot, 2.0)
        perform(executor, blocks_of(np.tile(body[30], (120, 1, 1)) if still else body, 0.1), 1.5)
        nothing = (Violation("?", 0.0, "clearance", 0.0, 0.0),)
        monkeypatch.setattr(Verifier, "judge", lambda *_: Report(1, nothing, {}))
        executor.to_rest()
        commands = []
        while not executor.planner.stuck:
            commands += perform(executor, [], executor.period, start=1.5 + len(commands) / RATE)
        assert len(commands) <= 100
        check(robot, commands)
        np.testing.assert_allclose(commands[-1].velocity, 0.0, atol=1e-9)

    def test_changes_while_moving_do_not_jump(self, robot):
        executor = executor_for(robot)
        changes = [
            {"gesture_scale": 0.2},
            {"gesture_scale": 1.5},
            {"mirror": True},
            {"blend_time": 0.0},
            {"frame_timeout": 0.05},
            {"gesture_scale": 0.0},
        ]
        events = [
            (0.4 + 0.2 * index, lambda change=change: set_parameters(executor, **change))
            for index, change in enumerate(changes)
        ]
        commands = perform(executor, blocks_of(lively(robot, 2.0), 0.1), 5.0, events=events)
        check(robot, commands)
        assert executor.parameters.gesture_scale == 0.0
        assert executor.parameters.mirror

    def test_scale_zero_stays_at_rest(self, robot):
        for command in perform(
            executor_for(robot, gesture_scale=0.0), blocks_of(lively(robot, 1.0), 0.1), 2.0
        ):
            np.testing.assert_allclose(command.position, robot.rest, atol=1e-9)

    @pytest.mark.parametrize("rate", [0.0, -1.0, np.nan, 1e5])
    def test_a_rate_out_of_range_is_refused(self, robot, rate):
        with pytest.raises(ConfigurationError, match="rate"):
            executor_for(robot, rate=rate)

    def test_jitter_of_the_ticks_does_not_reach_the_robot(self, robot):
        generator = np.random.default_rng(0)
        blocks = blocks_of(lively(robot, 1.0), 0.1)
        even, uneven = executor_for(robot), executor_for(robot)
        for block in blocks:
            even.receive(block, 0.0)
            uneven.receive(block, 0.0)
        even.tick(0.0)
        uneven.tick(0.0)
        for step in range(1, 200):
            jitter = generator.uniform(-0.004, 0.004)
            np.testing.assert_allclose(
                uneven.tick(step / RATE + jitter).position, even.tick(step / RATE).position, atol=1e-9
            )

    def test_ticks_left_out_and_a_clock_set_back_keep_the_limits(self, robot):
        executor = executor_for(robot)
        for block in blocks_of(lively(robot, 3.0), 100.1):
            executor.receive(block, 100.0)
        times = [*np.arange(100.0, 100.5, 0.01), *np.arange(101.0, 101.4, 0.01), *np.arange(3.0, 7.0, 0.01)]
        commands = [executor.tick(time) for time in times]
        check(robot, commands)
        assert at_rest(robot, commands[-1])
        assert executor.receive(blocks_of(lively(robot, 1.0), 7.1)[0], 7.0)

    @pytest.mark.parametrize("moment", [0.33, 0.6, 1.0])
    @pytest.mark.parametrize("value", [0.5, np.nan])
    def test_a_sample_that_breaks_a_limit_is_never_sent(self, robot, moment, value):
        """Should a plan go bad behind the verifier's back, it still stands between that and the robot."""
        executor = executor_for(robot)
        blocks = blocks_of(lively(robot, 1.0), 0.1)

        def spoil():
            buffer = executor.loop.buffer
            rows = buffer.rows(buffer.row - 1, buffer.end)
            positions = rows.positions.copy()
            positions[2:] += value
            buffer.replace(replace(rows, positions=positions))

        commands = perform(executor, blocks, 5.0, events=[(moment, spoil)])
        positions = np.stack([command.position for command in commands])
        assert not verify(robot, np.arange(len(positions)) / RATE, positions).violations
        withheld = sum(bool(command.violations) for command in commands)
        assert withheld == executor.loop.withheld > 0
        assert at_rest(robot, commands[-1])

    def test_the_stamps_of_late_commands_keep_the_limits_and_catch_up_at_rest(self, robot):
        generator = np.random.default_rng(1)
        executor = executor_for(robot)

        def gap(now):
            return executor.period * (1.0 + (generator.random() < 0.05) * generator.uniform(0.5, 6.0))

        commands, now = ticked(executor, blocks_of(lively(robot, 2.0), 0.2), 5.0, gap)
        times = np.array([command.time for command in commands])
        report = verify(robot, times, np.stack([command.position for command in commands]))
        assert not report.violations, report.violations[:3]
        assert times[-1] == pytest.approx(now, abs=8 * executor.period)

    def test_stamps_increase_however_the_ticks_are_bunched_and_whoever_looks_ahead(self, robot):
        generator = np.random.default_rng(2)
        executor = executor_for(robot)

        def gap(now):
            for _ in range(generator.integers(3)):
                executor.look_ahead(now)
            return executor.period * generator.choice([0.0, 0.1, 1.0, 2.9])

        commands, _ = ticked(executor, blocks_of(lively(robot, 1.0), 1.0), 3.5, gap)
        times = np.array([command.time for command in commands])
        assert np.diff(times).min() > 0.49 * executor.period
        assert not verify(robot, times, np.stack([command.position for command in commands])).violations

    def test_a_group_is_ours_while_it_is_used_and_on_its_way_back(self, robot):
        body = lively(robot, 1.0)
        for group, joints in robot.groups.items():
            index = list(joints)
            for mode in MODES:
                executor = executor_for(robot, **{group: mode})
                commands = perform(executor, blocks_of(body, 0.2, gesture="nod"), 3.0)
                check(robot, commands)
                for command in commands:
                    assert len(set(command.owned[index])) == 1
                    others = np.delete(command.owned, index)
                    assert others.all()
                    away = np.abs(command.position - robot.rest)[index].max() > VISIBLE
                    assert command.owned[index[0]] or not away
                owned = [bool(command.owned[index[0]]) for command in commands]
                used = mode == "when_used" and group in needs_of("nod").groups
                assert all(owned) == (mode == "always")
                assert any(owned) == (mode == "always" or used)

    def test_a_group_is_given_up_and_taken_over_live_without_a_jump(self, robot):
        executor = executor_for(robot)
        modes = ["never", "always", "when_used", "never", "always"]
        events = [
            (
                0.4 + 0.3 * number,
                lambda mode=mode: set_parameters(executor, **dict.fromkeys(robot.groups, mode)),
            )
            for number, mode in enumerate(modes)
        ]
        commands = perform(executor, blocks_of(lively(robot, 2.5), 0.1), 5.0, events=events)
        check(robot, commands)
        assert at_rest(robot, commands[-1])

    @pytest.mark.parametrize("moment", [0.15, 0.4, 0.83, 1.31])
    @pytest.mark.parametrize("utterance_id", ["a", None])
    def test_cancelled_it_goes_to_rest_from_the_next_command_on(self, robot, moment, utterance_id):
        executor = executor_for(robot)
        blocks = blocks_of(lively(robot, 2.0), 0.1)
        blocks += blocks_of(lively(robot, 1.0), 1.5, clause=1)
        other = blocks_of(lively(robot, 1.0, seed=2), 5.0, utterance_id="b")
        events = [(moment, lambda: executor.cancel(utterance_id))]
        commands = perform(executor, [*blocks, *other], 9.0, events=events)
        check(robot, commands)
        after = commands[round(moment * RATE) :]
        assert "a" not in [command.utterance_id for command in after]
        soon = np.array([np.abs(command.velocity).max() for command in after[:150]])
        assert soon[-1] < 1e-9
        assert at_rest(robot, commands[490])
        assert executor.counts["cancelled"] > 0
        assert executor.progress("a").outcome == "cancelled"
        # Others are performed as ever.
        assert "b" in [command.utterance_id for command in after]
        assert executor.progress("b").outcome == "completed"
        assert at_rest(robot, commands[-1])

    def test_after_a_cancel_what_waits_is_performed_and_a_name_may_come_back(self, robot):
        executor = executor_for(robot)
        body = lively(robot, 1.0)
        for block in [*blocks_of(body, 0.1), *blocks_of(body, 0.7, utterance_id="b")]:
            executor.receive(block, 0.0)
        commands = perform(executor, [], 4.0, events=[(0.4, lambda: executor.cancel("a"))])
        assert [command.utterance_id for command in commands].index("b") == pytest.approx(70, abs=4)
        assert not executor.receive(blocks_of(body, 9.0, clause=1)[0], 4.0)
        commands += perform(executor, blocks_of(body, 5.0), 4.0, start=4.0)
        assert commands[550].utterance_id == "a"
        check(robot, commands)

    @pytest.mark.parametrize("moment", [0.3, 0.62, 0.95])
    @pytest.mark.parametrize("length", [0.4, 4.0])
    def test_a_hold_stands_still_where_it_is_and_then_goes_on(self, robot, moment, length):
        executor = executor_for(robot)
        events = [
            (moment, lambda: executor.hold(True)),
            (moment + length, lambda: executor.hold(False)),
        ]
        blocks = blocks_of(lively(robot, 2.0), 0.1) + blocks_of(lively(robot, 0.5), 3.0, utterance_id="b")
        commands = perform(executor, blocks, 9.0, events=events)
        check(robot, commands)
        held = commands[round((moment + 0.35) * RATE) : round((moment + length) * RATE)]
        still = np.stack([command.position for command in held])
        assert np.ptp(still[len(still) // 2 :], axis=0).max() < (1e-9 if length > 1.0 else 0.1)
        assert np.abs(still[-1] - robot.rest).max() > 0.05
        assert not any(command.utterance_id for command in held)
        later = {command.utterance_id for command in commands[round((moment + length) * RATE) :]}
        assert later == ({""} if length > 1.0 else {"", "a", "b"})
        assert at_rest(robot, commands[-1])

    @pytest.mark.parametrize("moment", [0.05, 0.6])
    def test_what_comes_while_the_robot_is_held_is_told_how_it_ended(self, robot, moment):
        executor = executor_for(robot)
        body = lively(robot, 1.5)
        blocks = blocks_of(body, 0.2) + blocks_of(body, 1.0, utterance_id="b")
        perform(executor, blocks, 4.0, events=[(moment, lambda: executor.hold(True))])
        assert executor.progress("a").outcome == "preempted"
        assert "b took over" in executor.progress("a").reason
        assert executor.progress("b").outcome == "failed"
        assert "hold off" in executor.progress("b").reason

    def test_it_begins_where_the_robot_is(self, robot):
        generator = np.random.default_rng(3)
        for _ in range(10):
            place = robot.lower + generator.random(len(robot.rest)) * (robot.upper - robot.lower)
            start = dict(zip(robot.joint_names, place, strict=True), wheel=12.0)
            executor = executor_for(robot, start=start)
            commands = perform(executor, [], 12.0)
            check(robot, commands)
            np.testing.assert_array_equal(commands[0].position, place)
            slow = np.array([np.abs(command.velocity) / robot.velocity for command in commands]).max()
            assert slow <= 0.2 or executor.planner.counts["bent"]
            clearance = Clearance(robot)
            least = np.minimum(min_clearance_of(robot, clearance), clearance.distances(place) - 2e-6)
            positions = np.stack([command.position for command in commands])
            assert (clearance.distances(positions) >= least).all()
            assert at_rest(robot, commands[-1]) or executor.planner.stuck
        executor = executor_for(robot, start={robot.joint_names[0]: robot.upper[0] + 0.05})
        assert executor.tick(0.0).position[0] == robot.upper[0]
        for wrong in (robot.upper[0] + 0.5, np.nan):
            with pytest.raises(InputError, match=robot.joint_names[0]):
                executor.begin_from({robot.joint_names[0]: wrong})

    def test_from_where_the_robot_is_it_goes_into_a_gesture(self, robot):
        place = robot.rest + 0.3 * ((robot.upper + robot.lower) / 2.0 - robot.rest)
        executor = executor_for(robot, start=dict(zip(robot.joint_names, place, strict=True)))
        commands = perform(executor, blocks_of(lively(robot, 1.0), 1.2), 5.0)
        check(robot, commands)
        np.testing.assert_array_equal(commands[0].position, place)
        assert executor.progress("a").outcome == "completed"
        assert at_rest(robot, commands[-1])

    @pytest.mark.parametrize("due", [None, 0.1], ids=["nothing to do", "a gesture is due"])
    def test_where_it_was_measured_the_robot_stays_until_whoever_listens_has_found_its_publisher(
        self, robot, due
    ):
        place = robot.rest + 0.3 * ((robot.upper + robot.lower) / 2.0 - robot.rest)
        executor = executor_for(robot, start=dict(zip(robot.joint_names, place, strict=True)))
        blocks = [] if due is None else blocks_of(lively(robot, 3.0), due)
        commands = perform(executor, blocks, 6.0)
        check(robot, commands)
        standing = round(RATE)
        for command in commands[:standing]:
            np.testing.assert_array_equal(command.position, place)
        assert any(command.moving for command in commands[standing : standing + 20])
        assert at_rest(robot, commands[-1])

    def test_joints_of_others_are_taken_over_and_given_back_where_they_are(self, robot):
        head = list(robot.groups["head"])
        place = robot.rest + 0.4 * ((robot.upper + 0.5 * robot.lower) / 1.5 - robot.rest)
        seen = dict(zip(robot.joint_names, place, strict=True))
        for moment in (0.0, 0.35):
            executor = executor_for(robot, head="when_used")
            blocks = blocks_of(lively(robot, 1.0), 0.4, gesture="nod")
            look = partial(executor.observe, seen)
            events = [(moment, look), (1.0, look)]
            commands = perform(executor, blocks, 4.0, ahead=0.3, events=events)
            owned = [command for command in commands if command.owned[head[0]]]
            assert 100 < len(owned) < 300
            for end in (owned[0], owned[-1]):
                np.testing.assert_allclose(end.position[head], place[head], atol=0.02)
            positions = np.stack([command.position for command in owned])
            assert not verify(robot, np.arange(len(positions)) / RATE, positions).violations
            others = np.setdiff1d(np.arange(len(robot.rest)), head)
            np.testing.assert_allclose(commands[-1].position[others], robot.rest[others], atol=1e-9)
            assert not commands[-1].moving

    def test_it_breathes_at_rest_where_it_may_and_yields_to_gestures(self, robot):
        executor = executor_for(robot, idle_motion=1.0, left_arm="never")
        commands = perform(executor, blocks_of(lively(robot, 1.0), 14.0), 27.0)
        check(robot, commands)
        positions = np.stack([command.position for command in commands])
        breathing = np.abs(positions[:1350] - robot.rest).max(axis=1)
        assert breathing[:50].max() == 0.0
        assert 0.01 < breathing.max() < 0.05
        assert np.argmax(breathing) == pytest.approx(450, abs=20)
        assert np.flatnonzero(breathing[500:] < 1e-9)[0] == pytest.approx(550, abs=20)
        left = list(robot.groups["left_arm"])
        np.testing.assert_allclose(positions[:, left] - robot.rest[left], 0.0, atol=1e-9)
        assert commands[1420].utterance_id == "a"
        still = perform(executor_for(robot, idle_motion=0.0), [], 3.0)
        assert all(at_rest(robot, command) for command in still)
        set_parameters(executor, idle_motion=0.0)
        commands = perform(executor, [], 5.0, start=27.0)
        assert at_rest(robot, commands[-1])

    def test_an_empty_last_block_ends_a_gesture_where_it_is(self, robot):
        blocks = blocks_of(lively(robot, 2.0), 0.2)
        for due in (0.8, blocks[6].end + 0.3):
            executor = executor_for(robot, frame_timeout=5.0)
            end = end_of(blocks[7], "the model broke", due=due)
            commands = perform(executor, [*blocks[:7], end, *blocks[8:]], 4.0)
            check(robot, commands)
            assert at_rest(robot, commands[-1])
            over = round(max(blocks[6].end, due - 0.2) * RATE)
            assert not any(command.utterance_id for command in commands[over + 3 :])
            assert executor.progress("a").outcome == "failed"
            assert executor.progress("a").reason == "the model broke"
        executor = executor_for(robot)
        commands = perform(executor, [end_of(blocks[0], "cool-down")], 1.0)
        assert all(at_rest(robot, command) for command in commands)
        assert executor.progress("a").outcome == "refused"
        assert executor.counts["empty"] == 1

    def test_each_utterance_is_told_how_it_went(self, robot):
        executor = executor_for(robot)
        blocks = blocks_of(lively(robot, 1.0), 0.2)
        blocks += blocks_of(lively(robot, 1.0), 0.7, utterance_id="b")
        blocks += blocks_of(lively(robot, 1.0), 4.0, utterance_id="c")[:3]
        blocks.sort(key=lambda block: block.due)
        states, parts = [], []

        def look():
            found = executor.progress("b")
            states.append(found.state if found else None)
            parts.append(found.fraction if found else 0.0)

        perform(executor, blocks, 7.0, events=[(0.02 * step, look) for step in range(350)])
        assert list(dict.fromkeys(states)) == [None, "waiting", "performing", "returning", "over"]
        assert (np.diff(parts) >= 0.0).all()
        assert parts[-1] > 0.95
        assert executor.progress("a").outcome == "preempted"
        assert executor.progress("b").outcome in PERFORMED
        assert executor.progress("b").duration == pytest.approx(1.0, abs=0.05)
        assert executor.progress("c").outcome == "failed"
        assert "no frames" in executor.progress("c").reason

    def test_a_gesture_whose_frames_stop_gives_way_though_another_waits(self, robot):
        executor = executor_for(robot, frame_timeout=0.3)
        for block in blocks_of(lively(robot, 1.0), 0.1)[:4]:
            executor.receive(block, 0.0)
        for block in blocks_of(lively(robot, 1.0), 5.0, utterance_id="b"):
            executor.receive(block, 0.0)
        commands = perform(executor, [], 8.0)
        check(robot, commands)
        assert at_rest(robot, commands[300])
        assert commands[550].utterance_id == "b"

    def test_live_it_goes_about_the_same_way(self, robot):
        """What is known half a second ahead is enough: a plan does not brake where more is to come."""
        body = lively(robot, 3.0, seed=2)
        offline = perform(executor_for(robot), blocks_of(body, 0.6, size=60), 5.0, ahead=2.0)
        live = perform(executor_for(robot), blocks_of(body, 0.6), 5.0, ahead=0.5)
        apart = [
            np.abs(one.position - other.position).max() for one, other in zip(offline, live, strict=True)
        ]
        assert max(apart) < 0.12

    @pytest.mark.parametrize("size", [8, 60, 1000])
    def test_what_is_done_between_two_commands_is_bounded(self, robot, size, monkeypatch):
        """However many frames come at once, and however many plans do not pass."""
        done = Counter()

        def counted(kind, name):
            original = getattr(kind, name)

            def called(self, *args, **options):
                done[name] += len(args[0]) if name == "motion" else 1
                return original(self, *args, **options)

            monkeypatch.setattr(kind, name, called)

        counted(Retargeter, "motion")
        counted(Verifier, "judge")
        executor = executor_for(robot)
        blocks = blocks_of(lively(robot, 4.0, amplitude=1.0), 0.3, size=size)
        for step in range(600):
            if blocks and blocks[0].due - 0.5 <= step / RATE:
                executor.receive(blocks.pop(0), step / RATE)
            assert done["motion"] <= 16
            executor.step(step / RATE)
            done.clear()
            executor.prepare()
            assert done["motion"] <= 16
            assert done["judge"] <= 4
            assert not (done["motion"] and done["judge"])
            done.clear()
        assert executor.progress("a").outcome in PERFORMED

    def test_however_much_is_to_be_read_when_another_gesture_begins_it_is_bounded(self, robot, monkeypatch):
        """Also where one block is eight seconds long; and the other does not wait for all of it."""
        done, original = Counter(), Retargeter.motion

        def counted(self, positions):
            done["frames"] += len(positions)
            return original(self, positions)

        monkeypatch.setattr(Retargeter, "motion", counted)
        executor = executor_for(robot)
        (long,) = blocks_of(lively(robot, 8.0), 0.2, size=480)
        end = end_of(long, sequence=1)
        nothing = ClauseEnd(ClauseHeader("c"), 1, 0.2, "")
        other = blocks_of(lively(robot, 1.0, seed=2), 0.4, utterance_id="b")
        events = {0: [long], 3: [end], 5: [other[0]], 6: [*other[1:], nothing]}
        commands = []
        for step in range(500):
            for work in [partial(executor.receive, block, step / RATE) for block in events.get(step, [])]:
                work()
                assert done.pop("frames", 0) <= 32
            commands.append(executor.step(step / RATE))
            executor.prepare()
            assert done.pop("frames", 0) <= 16
        check(robot, commands)
        playing = [command.utterance_id for command in commands]
        assert playing.index("b") == pytest.approx(40, abs=6)
        assert executor.progress("a").outcome == "preempted"
        assert executor.progress("b").outcome == "completed"
        assert at_rest(robot, commands[-1])

    @pytest.mark.parametrize("later", [0.05, 0.4, 0.9])
    def test_said_again_in_mid_performance_it_begins_anew(self, robot, later):
        body = lively(robot, 1.5)
        first = blocks_of(body, 0.2)
        again = blocks_of(body, 0.6 + later)
        executor = executor_for(robot)
        events = [(0.6, lambda: [executor.receive(block, 0.6) for block in again])]
        commands = perform(executor, first[:6], 5.0, events=events)
        check(robot, commands)
        playing = [command.utterance_id for command in commands]
        assert len(playing) - playing[::-1].index("a") == pytest.approx((0.6 + later + 1.5) * RATE, abs=4)
        wanted = perform(executor_for(robot), again, 5.0, ahead=later)
        apart = [
            np.abs(one.position - other.position).max()
            for one, other in zip(commands, wanted, strict=True)
            if one.time >= 0.6 + later + 0.5
        ]
        assert np.median(apart) < 0.01
        assert executor.progress("a").outcome in PERFORMED
        assert at_rest(robot, commands[-1])

    def test_joints_that_go_on_their_own_are_let_keep_up_and_catch_up(self, robot):
        (command,) = perform(executor_for(robot), [], 0.01)
        joints = len(robot.rest)
        for share, wanted in ((0.0, 0.1), (0.5, 0.75), (1.0, 1.0)):
            moving = replace(command, velocity=np.where(np.arange(joints) == 1, -share, 0.0) * robot.velocity)
            assert moving.speed(robot.velocity) == pytest.approx(wanted)
            others = replace(moving, owned=np.arange(joints) != 1)
            assert others.speed(robot.velocity) == 0.1

    def test_a_moment_that_does_not_pass_costs_a_moment(self, robot, monkeypatch):
        """Not the gesture: the robot stops before it and goes on after it."""
        judge, body = Verifier.judge, lively(robot, 4.0)

        def strict(self, before, positions, velocities, min_clearance=0.0):
            report = judge(self, before, positions, velocities, min_clearance)
            count = executor.loop.buffer.row + 1 + max(len(positions), 1)
            rows = np.arange(count - len(positions), count)
            moving = np.abs(velocities).max(axis=1) > 0.5
            bad = np.flatnonzero((rows > 180) & (rows < 220) & moving)
            found = tuple(Violation("?", row / RATE, "clearance", 0.0, 0.0) for row in bad)
            return replace(report, violations=report.violations + found)

        monkeypatch.setattr(Verifier, "judge", strict)
        executor = executor_for(robot)
        commands = perform(executor, blocks_of(body, 0.2), 7.0, ahead=0.5)
        check(robot, commands)
        assert executor.planner.counts["cut"] > 0
        speed = np.array([np.abs(command.velocity).max() for command in commands])
        assert speed[182:218].max() <= 0.6
        assert (speed[[*range(60, 140), *range(260, 400)]] > 0.3).mean() > 0.8
        assert {command.utterance_id for command in commands[260:400]} == {"a"}
        assert at_rest(robot, commands[-1])

    @pytest.mark.parametrize("timeout", [0.05, 0.06, 0.08, 0.1])
    def test_a_gesture_no_plan_of_which_passes_ends_and_says_so(self, robot, timeout, monkeypatch):
        """Whatever was tried for it in vain, the way to rest is tried from the beginning."""
        judge = PlanSearch.judge

        def strict(self, attempt, draft, before):
            performs = any(span.clause != IDLE for span in draft.spans)
            return 0.0 if performs else judge(self, attempt, draft, before)

        monkeypatch.setattr(PlanSearch, "judge", strict)
        executor = executor_for(robot, frame_timeout=timeout)
        blocks = blocks_of(lively(robot, 0.8), 0.1, complete=False)
        commands = perform(executor, blocks, 3.0, ahead=-0.11)
        assert at_rest(robot, commands[-1])
        assert executor.planner.counts["stuck"] == 0
        assert executor.progress("a").outcome == "failed"

    def test_a_clip_goes_the_same_way_offline(self, robot):
        body = lively(robot, 2.2)
        times, positions = retarget_motion(robot, Motion(body, 60.0, "wave", "neutral"), RATE)
        assert times[0] == 0.0
        np.testing.assert_allclose(np.diff(times), 1.0 / RATE, atol=1e-12)
        report = verify(robot, times, positions)
        assert not report.violations
        assert report.samples == len(times) > 2.2 * RATE
        np.testing.assert_array_equal(positions[0], robot.rest)
        np.testing.assert_allclose(positions[-1], robot.rest, atol=1e-9)
        executor = executor_for(robot)
        commands = perform(executor, blocks_of(body, 0.0, size=60), len(times) / RATE, ahead=2.0)
        np.testing.assert_allclose(positions, [command.position for command in commands], atol=1e-9)

    @pytest.mark.parametrize(("frames", "rate"), [(1, 60.0), (2, 1.0), (500, 1000.0), (90, 30.0)])
    def test_clips_of_any_length_and_rate(self, robot, frames, rate):
        body = np.resize(lively(robot, 3.0), (frames, *REFERENCE.shape))
        times, positions = retarget_motion(robot, Motion(body, rate), 60.0)
        assert not verify(robot, times, positions).violations
        assert times[-1] >= frames / rate

    def test_a_mirrored_clip_moves_the_other_arm(self, robot):
        body = np.tile(REFERENCE, (60, 1, 1))
        moving = lively(robot, 1.0)
        body[:, 5:10] = moving[:, 5:10]
        motion = Motion(body)
        left = list(robot.arms["left_arm"].joints)
        right = list(robot.arms["right_arm"].joints)

        def travel(positions, joints):
            return np.abs(positions[:, joints] - robot.rest[joints]).max()

        _, straight = retarget_motion(robot, motion, 60.0)
        _, mirrored = retarget_motion(robot, motion, 60.0, mirror=True)
        assert travel(straight, left) == pytest.approx(travel(mirrored, right), abs=1e-3)
        assert travel(straight, left) > travel(straight, right)


def test_the_robot_side_loads_neither_torch_nor_ros():
    program = (
        "import sys, text2gesture_ros.retargeting.planner, text2gesture_ros.control.verification\n"
        "sys.exit(bool({'torch', 'rclpy', 'onnxruntime'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
