"""Laws of smoothness and speed: what the measures say of motions whose answer is known."""

import numpy as np
import pytest

from text2gesture_ros.errors import InputError
from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.skeleton import INDEX, REFERENCE
from text2gesture_ros.training.studio.naturalness import (
    log_dimensionless_jerk,
    naturalness,
    pieces,
    spectral_arc_length,
    spread,
)
from text2gesture_ros.training.studio.score import minimum_jerk

RATE = 60.0


def bell(duration: float, size: float = 1.0) -> FloatArray:
    """Return the speed of a minimum-jerk stroke over `size` [m]: (T,) [m/s]."""
    phase = np.arange(0.0, duration, 1 / RATE) / duration
    return np.asarray(size * 30 * phase**2 * (1 - phase) ** 2 / duration)


def moving(hand: str, path: FloatArray) -> Motion:
    """Return a clip in which one hand goes up by `path`: (T,) [m]."""
    positions = np.tile(REFERENCE, (len(path), 1, 1))
    positions[:, INDEX[hand], 2] += path
    return Motion(positions, RATE)


def test_a_minimum_jerk_stroke_has_the_published_spectral_arc_length() -> None:
    assert spectral_arc_length(bell(1.0), RATE) == pytest.approx(-1.41, abs=0.03)


@pytest.mark.parametrize("measure", [spectral_arc_length, log_dimensionless_jerk])
def test_smoothness_does_not_depend_on_how_far_and_hardly_on_how_fast(measure) -> None:
    assert measure(bell(1.0, 0.1), RATE) == pytest.approx(measure(bell(1.0, 2.0), RATE))
    assert measure(bell(1.0), RATE) == pytest.approx(measure(bell(2.0), RATE), abs=0.1)


@pytest.mark.parametrize("measure", [spectral_arc_length, log_dimensionless_jerk])
def test_two_strokes_are_less_smooth_than_one_and_tremor_less_than_none(measure) -> None:
    stroke = bell(1.0)
    tremor = 0.4 * np.sin(2 * np.pi * 5.0 * np.arange(len(stroke)) / RATE)
    assert measure(np.tile(stroke, 2), RATE) < measure(stroke, RATE)
    assert measure(np.abs(stroke + tremor), RATE) < measure(stroke, RATE)


def test_log_dimensionless_jerk_of_a_minimum_jerk_stroke_is_as_worked_out_by_hand() -> None:
    # v = 30 p^2 (1 - p)^2, v'' = 60 - 360 p + 360 p^2; integral of v''^2 is 720, peak 15/8.
    expected = -np.log(720 / (15 / 8) ** 2)
    assert log_dimensionless_jerk(bell(4.0), RATE) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("hand", ["left_hand", "right_hand"])
def test_the_busier_hand_is_measured(hand: str) -> None:
    measured = naturalness(moving(hand, 0.4 * minimum_jerk(np.linspace(0, 1, 61))))
    assert measured is not None
    assert measured.travel == pytest.approx(0.4, abs=1e-4)
    assert measured.peak_speed == pytest.approx(0.4 * 1.875, rel=0.01)
    assert 0.0 < measured.median_speed < measured.peak_speed


def test_a_body_at_rest_has_no_naturalness() -> None:
    still = moving("left_hand", np.zeros(60))
    assert naturalness(still) is None
    with pytest.raises(InputError, match="in none of 1"):
        spread([still])
    with pytest.raises(InputError, match="at least 3 frames"):
        naturalness(moving("left_hand", np.zeros(2)))


def test_the_spread_of_equal_clips_is_one_number() -> None:
    clip = moving("left_hand", 0.4 * minimum_jerk(np.linspace(0, 1, 61)))
    for low, middle, high in spread([clip, clip]).values():
        assert low == middle == high


def test_recordings_are_cut_into_pieces_as_long_as_gestures() -> None:
    assert [len(piece) for piece in pieces(moving("left_hand", np.zeros(400)))] == [134, 133, 133]
    assert [len(piece) for piece in pieces(moving("left_hand", np.zeros(180)))] == [180]
    assert pieces(moving("left_hand", np.zeros(59))) == []
