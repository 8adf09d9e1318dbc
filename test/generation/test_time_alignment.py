"""A gesture fitted to speech comes with its word, ends with the sentence, and is never cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from text2gesture_ros.generation.generator import GestureGenerator
from text2gesture_ros.generation.time_alignment import (
    MAX_DIRECT_RETRACTION,
    MAX_HOLD,
    MAX_SPEED,
    MIN_STROKE,
    MIN_TALK_DURATION,
    TimeWarp,
    fit,
)
from text2gesture_ros.labels import GESTURES, NEUTRAL
from text2gesture_ros.motion.phases import Phases, find_phases
from text2gesture_ros.skeleton import INDEX, REFERENCE
from text2gesture_ros.training.studio.synthesis import synthesise

STEP = 1e-3


def raised(before: int, up: int, after: int) -> np.ndarray:
    """Return positions of a hand that rises, is held and sinks again, evenly."""
    lift = np.concatenate([np.linspace(0, 1, before + 1), np.ones(up), np.linspace(1, 0, after + 1)])
    positions = np.repeat(REFERENCE[None], len(lift), axis=0)
    positions[:, INDEX["right_hand"], 2] += 0.5 * lift
    return positions


@given(st.integers(5, 40), st.integers(1, 60), st.integers(5, 40), st.sampled_from([30.0, 60.0]))
def test_the_stroke_is_where_the_hand_is_up(before, up, after, rate):
    found = find_phases(raised(before, up, after), rate)
    assert found.stroke * rate == pytest.approx(0.85 * before, abs=1.001)
    assert found.retraction * rate == pytest.approx(before + up + 1 + 0.15 * after, abs=1.001)
    assert found.end * rate == pytest.approx(before + up + after + 1)


def test_without_motion_all_is_stroke():
    still = np.repeat(REFERENCE[None], 31, axis=0)
    assert find_phases(still, 60.0) == Phases(0.0, 0.5, 0.5)


@pytest.fixture(scope="module")
def generator():
    return GestureGenerator("motion", device="cpu")


@pytest.mark.parametrize("gesture", [gesture for gesture in GESTURES if gesture != NEUTRAL])
def test_every_gesture_is_prepared_shown_and_retracted(generator, gesture):
    random = np.random.default_rng(0)
    for seed in range(4):
        made = generator.generate(gesture, seed=seed) if seed else synthesise(gesture, NEUTRAL, random)
        positions = made.positions
        found = find_phases(positions, generator.frame_rate)
        assert 0.2 < found.stroke < 1.3
        assert found.stroke < found.retraction < found.end
        assert 0.2 < found.end - found.retraction < 1.7
        assert find_phases(positions[:, :, :] * [1.0, -1.0, 1.0], generator.frame_rate) == found
        slower = find_phases(positions, generator.frame_rate / 2.0)
        assert slower == Phases(2.0 * found.stroke, 2.0 * found.retraction, 2.0 * found.end)


@st.composite
def clips(draw):
    lengths = draw(st.lists(st.floats(0.1, 1.5), min_size=3, max_size=3))
    return Phases(*np.cumsum(lengths).tolist())


@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)), min_size=2, max_size=6))
def test_a_warp_never_goes_back_and_meets_its_knots(steps):
    times, places = np.cumsum([(0.01 + t, p) for t, p in steps], axis=0).T
    warp = TimeWarp(times.tolist(), places.tolist())
    np.testing.assert_allclose(warp.at(times), places, atol=1e-9)
    assert (np.diff(warp.at(np.arange(-0.5, times[-1] + 1.0, STEP))) >= -1e-9).all()
    assert warp.at(np.array([times[-1] + 5.0]))[0] == places[-1]


@given(
    clips(),
    st.floats(0.0, 5.0),
    st.none() | st.floats(-1.0, 6.0),
    st.none() | st.floats(0.0, 10.0),
    st.sampled_from([0.0, 0.05]),
    st.booleans(),
)
def test_a_gesture_is_played_whole_or_left_within_its_stroke(phases, start, stroke, end, begun, estimated):
    stroke = None if stroke is None else start + stroke
    end = None if end is None or estimated else start + end
    fitted = fit(phases, start, stroke=stroke, end=end, begun=begun, estimated=estimated)
    assert start <= fitted.begin <= fitted.stroke <= fitted.cut <= fitted.end
    times = np.arange(start, fitted.cut, STEP)
    places = fitted.warp.at(times)
    assert (np.diff(places) >= -1e-9).all()
    np.testing.assert_allclose(
        places[times < start + begun], (times - start)[times < start + begun], atol=1e-9
    )
    showing, returning = phases.retraction - phases.stroke, phases.end - phases.retraction
    if fitted.cut < fitted.end:
        assert fitted.cut - fitted.stroke >= min(MIN_STROKE, showing / MAX_SPEED) - 1e-6
    else:
        assert fitted.warp.at(np.array([fitted.end]))[0] == pytest.approx(phases.end)
    # It is late by so much at most.
    soonest = (
        start + phases.stroke + min(showing, MIN_STROKE) + min(returning / MAX_SPEED, MAX_DIRECT_RETRACTION)
    )
    if end is not None:
        assert fitted.end <= max(end, soonest) + 1e-6
    if end is None and stroke is None:
        assert fitted.end == pytest.approx(start + phases.end)


@given(clips(), st.floats(0.0, 3.0), st.floats(0.0, 1.0))
def test_with_time_enough_the_stroke_comes_with_its_word_and_the_end_with_that_of_speech(phases, wait, share):
    stroke = phases.stroke / MAX_SPEED + wait
    showing, returning = phases.retraction - phases.stroke, phases.end - phases.retraction
    least = min(showing, MIN_STROKE) + min(returning / MAX_SPEED, MAX_DIRECT_RETRACTION)
    most = max(showing + returning + MIN_TALK_DURATION, showing / 0.8 + returning / 0.7 + MAX_HOLD)
    end = stroke + least + 0.999 * share * (most - least)
    fitted = fit(phases, 0.0, stroke=stroke, end=end)
    assert fitted.stroke == pytest.approx(stroke)
    assert fitted.end == pytest.approx(end, abs=1e-6)


@given(clips(), st.floats(0.0, 3.0))
def test_a_guess_makes_nothing_faster_and_nothing_begin_later(phases, stroke):
    fitted = fit(phases, 1.0, stroke=1.0 + stroke, estimated=True)
    assert fitted.begin == 1.0
    assert fitted.stroke >= 1.0 + phases.stroke - 1e-9
    assert fitted.stroke <= 1.0 + phases.stroke / 0.6 + 1e-9
