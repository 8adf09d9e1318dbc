"""How much of a motion was performed, and how far off it was, is told as it was."""

import numpy as np
import pytest
from robot_cases import ROBOTS, blocks_of, executor_for, lively, name_of

from text2gesture_ros.control.trajectory import JointSample
from text2gesture_ros.retargeting.fidelity import REASONS, Fidelity, FidelityRecorder

FEW = [robot for robot in ROBOTS if robot.name in ("pepper", "nao")]
PERIOD = 0.01


def recorded(robot, missing=(), offset=0.0, starved=0):
    """Record a slow swing of all joints for two seconds, some rows of it not performed or off."""
    recorder = FidelityRecorder(robot, PERIOD)
    recorder.begin(("a", 0))
    reach = 0.2 * np.minimum(robot.upper - robot.rest, robot.rest - robot.lower)
    zero = np.zeros(len(robot.rest))

    def targets(times):
        return robot.rest + (1.0 - np.cos(np.pi * np.reshape(times, (-1, 1)))) / 2.0 * reach

    for row in range(200):
        sample = JointSample(targets(row * PERIOD)[0] + offset * (row > 50), zero, zero)
        recorder.on_row(row * PERIOD, sample, row not in missing)
        if row % 30 == 0:
            recorder.on_targets(targets(recorder.pending))
    recorder.on_targets(targets(recorder.pending))
    for _ in range(starved):
        recorder.on_starved()
    return recorder.result()


@pytest.mark.parametrize("robot", FEW, ids=name_of)
class TestRecorder:
    def test_what_was_performed_as_wanted_is_faithful(self, robot):
        found = recorded(robot)
        assert found.faithful
        assert found.share == 1.0
        assert found.deviation < 0.01

    def test_rows_that_were_not_performed_are_missing(self, robot):
        found = recorded(robot, missing=range(100, 150))
        assert found.share == pytest.approx(0.75)
        assert not found.faithful

    def test_a_joint_that_is_off_is_told(self, robot):
        found = recorded(robot, offset=0.3)
        assert found.deviation == pytest.approx(0.3, abs=0.05)
        assert not found.faithful

    def test_frames_that_did_not_come_are_told(self, robot):
        found = recorded(robot, starved=50)
        assert found.share == pytest.approx(0.8)
        assert found.cause == "late frames"

    def test_nothing_wanted_is_nothing_told(self, robot):
        recorder = FidelityRecorder(robot, PERIOD)
        recorder.begin(("a", 0))
        assert recorder.result() is None

    def test_an_easy_motion_is_completed_and_one_without_frames_is_not(self, robot):
        executor = executor_for(robot)
        body = lively(robot, 1.5, amplitude=0.1)
        blocks = blocks_of(body, 0.3) + blocks_of(body, 4.0, utterance_id="b")[:3]
        for tick in range(700):
            while blocks and blocks[0].due - 0.5 <= tick * PERIOD:
                executor.receive(blocks.pop(0), tick * PERIOD)
            executor.tick(tick * PERIOD)
        easy, cut = executor.progress("a"), executor.progress("b")
        assert (easy.outcome, cut.outcome) == ("completed", "failed")
        assert easy.fidelity.share > 0.95
        assert easy.fidelity.deviation < 0.1
        assert not cut.fidelity.faithful

    def test_frames_that_come_late_degrade_the_utterance(self, robot):
        executor = executor_for(robot, frame_timeout=2.0)
        blocks = blocks_of(lively(robot, 2.0, amplitude=0.1), 0.3)
        gap = 0.7  # the later half of the frames comes this much after it was due
        for tick in range(700):
            now = tick * PERIOD
            while blocks and blocks[0].due + (gap if blocks[0].sequence > 7 else -0.5) <= now:
                executor.receive(blocks.pop(0), now)
            executor.tick(now)
        found = executor.progress("a")
        assert found.outcome in ("degraded", "failed")
        assert found.fidelity.share < 0.95
        assert found.fidelity.cause == "late frames"
        assert found.reason


def test_two_clauses_together_are_as_faithful_as_the_worse_one():
    good, bad = Fidelity(2.0, 2.0, 0.01, "limits"), Fidelity(1.0, 0.5, 0.4, "load")
    for both in (good + bad, bad + good):
        assert both.share == pytest.approx(2.5 / 3.0)
        assert (both.deviation, both.cause) == (0.4, "load")
        assert not both.faithful
    assert "load" in REASONS
    assert str(bad) == "50 % of the time, up to 0.40 rad from the intended motion (cause: load)"
