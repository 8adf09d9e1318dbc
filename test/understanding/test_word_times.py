"""Times of words: what fits is kept as told, another unit is noticed, the impossible is left out and said."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from text2gesture_ros.understanding.word_times import MAX_SPEECH_DURATION, checked_times, in_speech

WORDS = ("so", "I", "say", "no")
STARTS = (0.1, 0.5, 0.9, 1.6)
TEXT = "So I say no."


@given(
    st.lists(st.floats(0.0, 3.0), min_size=1, max_size=40),
    st.floats(0.0, 5.0),
    st.booleans(),
)
def test_what_fits_is_kept_as_it_was_told(gaps, rest, known):
    starts = tuple(sum(gaps[: index + 1]) for index in range(len(gaps)))
    words = ("word",) * len(gaps)
    duration = starts[-1] + rest if known else 0.0
    found = checked_times(" ".join(words), duration, words, starts)
    assert (found.duration, found.words, found.starts, found.complaints) == (duration, words, starts, ())


@pytest.mark.parametrize(
    ("scale", "unit"), [(1e3, "milliseconds"), (1e6, "microseconds"), (1e7, "ticks"), (1e9, "nanoseconds")]
)
def test_other_units_become_seconds_and_that_is_said(scale, unit):
    scaled = [start * scale for start in STARTS]
    found = checked_times(TEXT, 2000.0 if scale == 1e3 else 2.0 * scale, WORDS, scaled)
    assert found.starts == pytest.approx(STARTS)
    assert found.duration == pytest.approx(2.0)
    assert [unit in complaint for complaint in found.complaints] == [True, True]


def test_each_is_judged_for_itself():
    found = checked_times(TEXT, 2.0, WORDS, [1000 * start for start in STARTS])
    assert (found.duration, found.starts) == (2.0, pytest.approx(STARTS))
    assert len(found.complaints) == 1
    assert "word_starts of 4 words in milliseconds" in found.complaints[0]


def test_a_short_text_in_a_long_speech_is_in_seconds():
    assert checked_times("Hm.", 45.0, (), ()).duration == 45.0
    assert not checked_times("Hm.", 45.0, (), ()).complaints


@pytest.mark.parametrize(
    ("words", "starts", "said"),
    [
        (WORDS, (0.1, 0.9, 0.5, 1.6), "must not fall, but 0.9 s is followed by 0.5 s"),
        (WORDS, STARTS[:3], "4 words do not fit 3 word_starts"),
        (WORDS, (-0.1, 0.5, 0.9, 1.6), "one is -0.1"),
        (WORDS, (0.1, 0.5, 0.9, math.nan), "one is nan"),
        ((), (1.0,), "0 words do not fit 1"),
    ],
)
def test_what_cannot_be_is_left_out(words, starts, said):
    found = checked_times(TEXT, 2.0, words, starts)
    assert (found.duration, found.words, found.starts) == (2.0, (), ())
    assert len(found.complaints) == 1
    assert said in found.complaints[0]


def test_a_duration_that_ends_before_the_last_word_is_left_out():
    found = checked_times(TEXT, 1.2, WORDS, STARTS)
    assert (found.duration, found.starts) == (0.0, STARTS)
    assert "over before the last word begins (1.6 s)" in found.complaints[0]


@given(
    st.floats(),
    st.lists(st.text(max_size=3), max_size=5),
    st.lists(st.floats(), max_size=5),
    st.text(max_size=9),
)
def test_whatever_is_told_what_comes_out_can_be_used(duration, words, starts, text):
    found = checked_times(text, duration, words, starts)
    assert 0.0 <= found.duration <= MAX_SPEECH_DURATION
    assert len(found.words) == len(found.starts)
    assert all(map(in_speech, found.starts))
    assert list(found.starts) == sorted(found.starts)
    assert not found.starts or found.duration == 0.0 or found.duration >= found.starts[-1]
    again = checked_times(text, found.duration, found.words, found.starts)
    assert found.complaints or again == found
