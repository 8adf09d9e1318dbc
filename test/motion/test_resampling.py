"""Resampling: what both rates can show survives, what the lower one cannot is averaged away."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from text2gesture_ros.motion.resampling import close_gaps, longest_gap, resample

RATES = [20.0, 25.0, 30.0, 50.0, 60.0, 100.0, 120.0]


def wave(frequency, rate, seconds=3.0):
    return np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)[:, None]


@pytest.mark.parametrize("rate", RATES)
def test_slow_motion_survives(rate):
    found = resample(wave(1.0, rate), rate, 60.0)
    assert np.abs(found - wave(1.0, 60.0)[: len(found)]).max() < 0.01
    assert len(found) == int((int(3 * rate) - 1) * 60 / rate + 1e-9) + 1


@given(slope=st.floats(-5, 5), rate=st.sampled_from(RATES), count=st.integers(1, 60))
def test_straight_lines_stay_straight(slope, rate, count):
    line = 1.0 + slope * np.arange(count)[:, None] / rate
    found = resample(line, rate, 60.0)
    np.testing.assert_allclose(found[:, 0], 1.0 + slope * np.arange(len(found)) / 60.0, atol=0.03)
    assert found[0] == pytest.approx(line[0], abs=0.02 * abs(slope) + 1e-9)


def test_what_the_lower_rate_cannot_show_is_averaged_away():
    fast = wave(50.0, 120.0)
    found = resample(fast, 120.0, 60.0)[10:-10]
    assert np.abs(found).max() < 0.3  # every second sample alone would show a wave of 10 Hz at full height
    assert np.abs(fast[::2]).max() > 0.8


def test_samples_between_are_kept_when_going_up():
    values = np.random.default_rng(0).normal(size=(20, 3, 3))
    np.testing.assert_allclose(resample(values, 30.0, 60.0)[::2], values, atol=1e-12)


@given(seen=st.lists(st.booleans(), min_size=1, max_size=30))
def test_the_longest_gap_is_found(seen):
    longest = max(map(len, "".join("01"[s] for s in seen).split("1")))
    assert longest_gap(np.array(seen)) == longest


def test_gaps_are_closed_by_straight_lines_and_ends_held():
    values = np.array([[np.nan], [1.0], [np.nan], [np.nan], [4.0], [np.nan]])
    np.testing.assert_allclose(close_gaps(values)[:, 0], [1, 1, 2, 3, 4, 4])
