"""How the benchmark of load reads off what became of a gesture."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from robot_cases import blocks_of, end_of, lively

from benchmarks.load import (
    busy,
    commanded_time,
    due_times,
    frame_time,
    in_ideal_time,
    largest_deviation,
    late_commands,
)
from benchmarks.witness import Course
from text2gesture_ros.measurement import descendants, processor_time
from text2gesture_ros.robots.robot_file import load_robot

PERIOD = 0.01


def test_frames_and_commands_of_a_gesture_that_is_performed_whole_last_as_long():
    blocks = blocks_of(np.tile(lively(load_robot("pepper"), 0.1), (20, 1, 1)), 5.0)
    blocks.append(end_of(blocks[-1], sequence=1))
    assert frame_time(blocks) == pytest.approx(2.0)
    assert commanded_time(5.0 + PERIOD * np.arange(200), PERIOD) == pytest.approx(2.0)
    assert commanded_time(np.zeros(0), PERIOD) == 0.0


def test_what_late_commands_leave_out_is_not_performed():
    times = PERIOD * np.arange(200)
    skipped = np.delete(times, [50, 120])  # each is less than one and a half periods late
    assert commanded_time(skipped, PERIOD) == pytest.approx(2.0)
    interrupted = np.delete(times, slice(50, 150))
    assert commanded_time(interrupted, PERIOD) == pytest.approx(1.0 + 1.5 * PERIOD)


def test_the_largest_deviation_is_that_of_one_joint_while_frames_are_due():
    times = PERIOD * np.arange(300)
    ideal = np.stack([np.sin(times), np.cos(times)], axis=1)
    performed = ideal[7::3] + np.array([0.0, 0.001])
    performed[40, 0] += 0.25
    performed[-1, 1] += 9.0  # the frames are over
    found = largest_deviation(times[7::3], performed, (times, ideal), (0.0, 2.5))
    assert found == (pytest.approx(0.25), 0, pytest.approx(times[7 + 3 * 40]))


def test_a_motion_that_was_paused_deviates_from_when_it_was_due():
    times = PERIOD * np.arange(6)
    seen = times + np.array([0.001, 0.004, 0.002, 0.002, 0.3, 0.3])
    nothing = np.zeros((6, 1))
    due = due_times(Course(times, seen, nothing, nothing, np.ones(6, dtype=bool)))
    np.testing.assert_array_equal(due, [*times[:4], *seen[4:]])


def test_late_commands_are_counted_by_the_gaps_between_them():
    sent = np.cumsum([0.0, *[PERIOD] * 7, 1.4 * PERIOD, 1.6 * PERIOD, 2.6 * PERIOD])
    assert late_commands(sent, PERIOD) == {"half": 0.2, "one_and_a_half": 0.1, "longest_ms": 26.0}


def test_in_ideal_time_a_gesture_is_performed_whole():
    robot = load_robot("pepper")
    blocks = blocks_of(lively(robot, 1.0, amplitude=0.1), 3.0)
    times, commands = in_ideal_time(robot, blocks)
    performing = [command.utterance_id == "a" for command in commands]
    assert commanded_time(times[performing], PERIOD) == pytest.approx(frame_time(blocks), abs=3.0 * PERIOD)
    assert not commands[0].moving
    np.testing.assert_allclose(commands[-1].position, robot.rest, atol=1e-6)


def test_busy_processes_are_busy_and_end_with_what_started_them():
    with busy(2) as processes:
        time.sleep(1.0)
        assert all(processor_time(process.pid) > 0.05 for process in processes)
    assert [process.returncode for process in processes] == [-signal.SIGKILL] * 2
    program = "import time; from benchmarks.load import busy\nwith busy(1): time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", program])
    deadline = time.monotonic() + 30.0
    while not (children := descendants(parent.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    assert len(children) == 1
    while time.monotonic() < deadline:
        try:
            processor_time(children[0])
        except FileNotFoundError:
            return
        time.sleep(0.05)
    raise AssertionError("a busy process goes on when the measurement was killed")
