from dataclasses import replace

import numpy as np
import pytest
from robot_cases import ROBOTS, name_of

from text2gesture_ros.blending import LEAD, Clip, Score, Settings
from text2gesture_ros.errors import ConfigurationError


def clip(robot, start, count=60, shift=0.2, *, utterance_id="a", complete=True):
    """A clip that holds a pose `shift` of the way from rest to the middle of the range."""
    pose = robot.rest + shift * ((robot.lower + robot.upper) / 2.0 - robot.rest)
    return Clip(utterance_id, start + np.arange(count) / 60.0, np.tile(pose, (count, 1)), complete)


def play(score, times, follow=True):
    """Return the targets at `times`; the robot is where it was told to be, or stays at rest."""
    position, targets = score.robot.rest, []
    for time in times:
        targets.append(score.target(time - LEAD, position))
        if follow:
            position = targets[-1]
    return np.stack(targets)


@pytest.mark.parametrize("robot", ROBOTS, ids=name_of)
class TestEveryRobot:
    def test_nothing_to_play_is_rest(self, robot):
        targets = play(Score(robot, Settings()), np.arange(0.0, 1.0, 0.01))
        np.testing.assert_array_equal(targets, np.tile(robot.rest, (100, 1)))

    def test_a_gesture_begins_when_it_is_due_and_ends_at_rest(self, robot):
        score = Score(robot, Settings())
        score.next = clip(robot, 1.0)
        pose = score.next.angles[0]
        times = np.arange(0.0, 5.0, 0.01)
        targets = play(score, times)
        np.testing.assert_array_equal(targets[times < 0.995], np.tile(robot.rest, (100, 1)))
        np.testing.assert_allclose(targets[np.searchsorted(times, 1.5)], pose, atol=1e-12)
        np.testing.assert_array_equal(targets[-1], robot.rest)
        assert score.playing is None

    def test_blending_never_jumps(self, robot):
        score = Score(robot, Settings(blend_time=0.3))
        score.next = clip(robot, 0.2)
        first = play(score, np.arange(0.0, 0.5, 0.01))
        score.next = clip(robot, 0.5, shift=-0.1, utterance_id="b")
        position, targets = first[-1], [first[-1]]
        for time in np.arange(0.5, 4.0, 0.01):
            position = score.target(time - LEAD, position)
            targets.append(position)
        steps = np.abs(np.diff(np.concatenate([first, targets]), axis=0)).max(axis=0)
        distance = np.abs(clip(robot, 0.0).angles[0] - clip(robot, 0.0, shift=-0.1).angles[0])
        # A minimum-jerk move over a distance d in a time T is nowhere faster than 1.875 d / T.
        assert (steps <= 1.875 * distance / 0.3 * 0.01 * 1.05 + 1e-9).all()

    def test_a_gesture_that_begins_at_rest_is_played_undistorted(self, robot):
        times = np.arange(60) / 60.0
        swing = (
            0.1 * np.sin(6.0 * times)[:, None] ** 2 * np.sign((robot.lower + robot.upper) / 2.0 - robot.rest)
        )
        score = Score(robot, Settings(blend_time=0.5))
        score.next = Clip("a", times, robot.rest + swing, True)
        targets = play(score, times)
        np.testing.assert_allclose(targets, np.clip(robot.rest + swing, robot.lower, robot.upper), atol=1e-12)

    def test_without_blend_time_the_target_is_there_at_once(self, robot):
        score = Score(robot, Settings(blend_time=0.0))
        score.next = clip(robot, 0.0)
        np.testing.assert_array_equal(play(score, [0.0])[0], score.playing.angles[0])

    def test_missing_frames_are_waited_for_and_then_given_up(self, robot):
        score = Score(robot, Settings(frame_timeout=0.4, blend_time=0.0))
        score.next = clip(robot, 0.0, 30, complete=False)
        end = score.next.times[-1]
        pose = score.next.angles[-1]
        targets = play(score, [0.0, end, end + 0.3])
        np.testing.assert_array_equal(targets[-1], pose)
        score.target(end + 0.5, pose)
        assert score.playing is None

    def test_frames_join_what_is_played_or_pending(self, robot):
        for played in (False, True):
            score = Score(robot, Settings())
            score.next = clip(robot, 0.0, 30, complete=False)
            if played:
                score.target(0.1, robot.rest)
            score.extend(clip(robot, 0.5, 30), 0.1)
            whole = score.playing if played else score.next
            assert len(whole.times) == 60
            assert whole.complete

    def test_frames_long_played_are_forgotten(self, robot):
        score = Score(robot, Settings())
        score.next = clip(robot, 0.0, complete=False)
        score.target(0.0, robot.rest)
        for second in range(1, 50):
            score.extend(clip(robot, float(second), complete=False), float(second))
        assert len(score.playing.times) < 300

    def test_frames_after_the_robot_left_start_anew(self, robot):
        score = Score(robot, Settings(frame_timeout=0.1))
        score.next = clip(robot, 0.0, 10, complete=False)
        play(score, np.arange(0.0, 2.0, 0.01))
        assert score.playing is None
        score.extend(clip(robot, 2.1, 10), 2.0)
        assert score.next is not None

    def test_scale_counts_at_once(self, robot):
        score = Score(robot, Settings(scale=0.0))
        score.next = clip(robot, 0.0)
        targets = play(score, np.arange(0.0, 0.9, 0.01))
        np.testing.assert_allclose(targets, np.tile(robot.rest, (len(targets), 1)), atol=1e-12)

    def test_a_long_way_to_rest_takes_longer(self, robot):
        durations = []
        for shift in (0.05, 1.0):
            score = Score(robot, Settings(blend_time=0.0))
            score.next = clip(robot, 0.0, 6, shift)
            targets = play(score, np.arange(0.0, 8.0, 0.01))
            np.testing.assert_array_equal(targets[-1], robot.rest)
            durations.append(int((targets != robot.rest).any(axis=1).sum()))
        assert durations[0] < durations[1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"scale": -0.1},
        {"scale": 3.0},
        {"scale": np.nan},
        {"blend_time": -1.0},
        {"blend_time": np.inf},
        {"frame_timeout": np.nan},
        {"frame_timeout": 100.0},
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        replace(Settings(), **wrong)
