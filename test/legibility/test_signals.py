"""Signals: places in lengths of the arm, angles in degrees, and how often something goes to and fro."""

import numpy as np
import pytest
from legibility_cases import aimed, gazing, motion, standing
from robot_cases import ROBOTS, name_of

from text2gesture_ros.legibility.body import human_body, robot_body
from text2gesture_ros.legibility.signals import (
    ARM_SIGNALS,
    BODY_SIGNALS,
    best_stretch,
    swing_size,
    time_at_rest,
)


def seen(name, positions, side="right"):
    body = human_body(motion(positions))
    return ARM_SIGNALS[name][1](body, body.arms[side])


def waves(count, size, samples=300):
    return 0.5 * size * (1.0 - np.cos(2.0 * np.pi * count * np.arange(samples) / (samples - 1)))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_signal_that_goes_to_and_fro_so_often_has_two_swings_each_time(count):
    values = waves(count, 12.0)
    assert swing_size(values, 2 * count, 300) == pytest.approx(12.0, abs=0.05)
    assert swing_size(values, 2 * count + 1, 300) < 0.1


def test_swings_smaller_than_the_size_are_no_turns_and_slow_ones_do_not_count():
    values = waves(2, 12.0) + 0.5 * np.sin(np.arange(300))
    assert swing_size(values, 4, 300) == pytest.approx(12.0, abs=1.0)
    assert swing_size(waves(2, 12.0), 4, 150) < 0.1
    assert swing_size(np.zeros(5), 1, 5) == swing_size(np.zeros(0), 1, 5) == 0.0


def test_a_drift_is_one_swing():
    drift = np.linspace(0.0, 9.0, 50)
    assert swing_size(drift, 1, 50) == pytest.approx(9.0, abs=0.01)
    assert swing_size(drift, 2, 50) == 0.0


def test_the_place_of_a_hand_is_given_in_lengths_of_its_arm():
    ahead = aimed(standing(0.2), "right", (0.0, 0.0, -1.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    for scale in (1.0, 0.4):
        assert seen("hand_ahead", scale * ahead)[0] == pytest.approx(0.64, abs=0.03)
        assert seen("hand_height", scale * ahead)[0] == pytest.approx(-0.54, abs=0.03)
    assert seen("elbow_bend", ahead)[0] == pytest.approx(90.0)
    assert seen("forearm_slope", ahead)[0] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(("thumb", "tilt"), [((0, 0, 1), 0.0), ((0, 1, 0), 90.0), ((0, -1, 0), -90.0)])
def test_a_thumb_to_the_outside_has_the_palm_up(side, thumb, tilt):
    outward = np.array([0.3, 1.0 if side == "left" else -1.0, 1.0]) * thumb + [0.2, 0.0, 0.0]
    posed = aimed(standing(0.1), side, (0.0, 0.0, -1.0), (1.0, 0.0, 0.0), outward)
    assert seen("thumb_tilt", posed, side)[0] == pytest.approx(tilt)


def test_a_face_that_turns_is_seen_in_degrees():
    body = human_body(motion(gazing(standing(0.1), np.full(6, 15.0), np.full(6, -30.0))))
    assert BODY_SIGNALS["gaze_down"][1](body) == pytest.approx(15.0, abs=0.01)
    assert BODY_SIGNALS["gaze_left"][1](body) == pytest.approx(-30.0, abs=0.01)


def test_who_stands_turned_is_looked_at_from_the_front():
    posed = aimed(standing(0.1), "left", (1.0, 0.0, -1.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    turn = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    for name in ARM_SIGNALS:
        assert seen(name, posed @ turn, "left") == pytest.approx(seen(name, posed, "left"), abs=1e-4), name


@pytest.mark.parametrize("robot", ROBOTS, ids=name_of)
def test_a_robot_at_rest_is_seen_as_a_human_at_ease(robot):
    body = robot_body(robot, np.arange(5) / 100.0, np.tile(robot.rest, (5, 1)))
    assert body.rate == pytest.approx(100.0)
    assert np.linalg.norm(body.gaze, axis=-1) == pytest.approx(1.0)
    assert abs(BODY_SIGNALS["gaze_left"][1](body)).max() < 1.0
    for arm in body.arms.values():
        assert ARM_SIGNALS["hand_height"][1](body, arm).max() < -0.2
        assert ARM_SIGNALS["hand_over_head"][1](body, arm).max() < -0.5
        assert ARM_SIGNALS["hand_speed"][1](body, arm) == pytest.approx(0.0, abs=1e-9)


def test_the_first_bound_decides_which_stretch_is_best():
    first, second = np.array([1.0, 1, 0, 0, 1, 1]) * 0.5, np.array([0.0, 0, 1, 1, 0, 0])
    assert best_stretch(np.stack([first, second]), [1.0, 1.0], 2) == slice(2, 4)
    assert best_stretch(np.stack([second, first]), [1.0, 1.0], 2) == slice(0, 2)
    assert best_stretch(first[None], [1.0], 9) == slice(0, 6)


def test_time_at_rest_begins_where_the_hand_is_back():
    up, down = (0.0, 0.0, 1.0), (0.1, 0.0, -1.0)
    direction = np.array([up if index < 60 else down for index in range(120)])
    posed = aimed(standing(2.0), "right", direction, direction, (0.0, 1.0, 0.0))
    assert time_at_rest(human_body(motion(posed))) == pytest.approx(1.0, abs=0.02)
