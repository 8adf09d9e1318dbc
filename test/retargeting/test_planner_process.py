"""The planner in a process of its own: gestures are performed whole, and nothing happens if it dies."""

import os
import signal
import time

import numpy as np
import pytest
from robot_cases import ROBOTS, blocks_of, lively

from text2gesture_ros.control.verification import verify
from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.parameters import GestureRetargeterParameters
from text2gesture_ros.retargeting.executor import MotionExecutor

ROBOT = next(robot for robot in ROBOTS if robot.name == "nao")
PERIOD = 0.01


@pytest.fixture
def executor():
    made = MotionExecutor(ROBOT, GestureRetargeterParameters(robot="nao"), own_process=True)
    made.planner.start()
    yield made
    made.close()


def perform(executor, blocks, seconds, events=(), ahead=0.5):
    """Tick in real time; return the commands. Events are (time, call)."""
    blocks, events = list(blocks), sorted(events, key=lambda event: event[0])
    begin, commands, tick = time.monotonic(), [], 0
    while (now := time.monotonic() - begin) < seconds:
        while blocks and blocks[0].due - ahead <= now:
            executor.receive(blocks.pop(0), now)
        while events and events[0][0] <= now:
            events.pop(0)[1]()
        commands.append(executor.step(now))
        tick = max(tick + 1, int((time.monotonic() - begin) / PERIOD))
        time.sleep(max(0.0, begin + tick * PERIOD - time.monotonic()))
    return commands


def check(commands):
    times = np.array([command.time for command in commands])
    assert not verify(ROBOT, times, np.array([command.position for command in commands])).violations


def until(executor, condition, seconds=20.0):
    """Tick until a command fulfils a condition, however busy the machine is; return the commands."""
    clock, begin, commands = executor.loop.clock, time.monotonic(), []
    start = clock.time(executor.loop.buffer.row) if clock.begun else 0.0
    while time.monotonic() < begin + seconds:
        commands.append(executor.step(start + time.monotonic() - begin))
        if condition(commands[-1]):
            return commands
        time.sleep(PERIOD)
    raise AssertionError("waited in vain")


def until_rest(executor):
    return until(executor, lambda command: not command.moving)


def until_performs(executor, utterance_id):
    return until(executor, lambda command: command.utterance_id == utterance_id)


def test_a_gesture_is_performed_from_rest_to_rest(executor):
    commands = perform(executor, blocks_of(lively(ROBOT, 1.5), 0.6), 2.5)
    commands += until_rest(executor)
    check(commands)
    assert "a" in {command.utterance_id for command in commands}
    assert max(np.abs(command.position - ROBOT.rest).max() for command in commands) > 0.2
    assert executor.progress("a").outcome in ("completed", "degraded")
    assert executor.planner.counts["begun"] > 0


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_a_planner_that_dies_or_hangs_is_replaced_and_the_robot_goes_to_rest(executor, how):
    def harm():
        os.kill(executor.planner.pid, signal.SIGKILL if how == "killed" else signal.SIGSTOP)

    commands = perform(executor, blocks_of(lively(ROBOT, 3.0), 0.6), 2.0, events=[(1.2, harm)])
    commands += until_rest(executor)
    # That it hangs shows only after some time without a sign of life.
    commands += until(executor, lambda _: executor.planner.counts["restarted"])
    commands += until_rest(executor)
    check(commands)
    assert executor.planner.counts["restarted"] == 1
    assert executor.progress("a").outcome == "failed"
    assert "planner" in executor.progress("a").reason
    start = executor.loop.clock.time(executor.loop.buffer.row)
    for block in blocks_of(lively(ROBOT, 1.0), start + 0.5, utterance_id="b"):
        executor.receive(block, start)
    more = until_performs(executor, "b") + until_rest(executor)
    check(more)
    assert executor.progress("b").outcome in ("completed", "degraded")


def test_orders_reach_the_planner(executor):
    def hold(on):
        return lambda: executor.hold(on)

    body = lively(ROBOT, 4.0)
    commands = perform(executor, blocks_of(body, 0.6), 3.0, events=[(1.2, hold(True)), (2.2, hold(False))])
    still = [command for command in commands if not np.abs(command.velocity).max() > 1e-9]
    assert len(still) > 60
    executor.cancel("a")
    commands += until_rest(executor)
    check(commands)
    assert executor.progress("a").outcome == "cancelled"


def test_a_robot_that_is_measured_elsewhere_goes_to_rest_from_there(executor):
    place = ROBOT.rest + 0.2 * (ROBOT.upper - ROBOT.rest)
    executor.begin_from(dict(zip(ROBOT.joint_names, place.tolist(), strict=True)))
    commands = until_rest(executor)
    check(commands)
    np.testing.assert_allclose(commands[0].position, place)


def test_a_robot_that_the_process_cannot_load_is_an_error():
    parameters = GestureRetargeterParameters(robot="no_such_robot")
    executor = MotionExecutor(ROBOT, parameters, own_process=True)
    with pytest.raises(ConfigurationError, match="planner"):
        executor.planner.start()
    executor.close()
