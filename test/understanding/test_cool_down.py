"""Gestures keep their distance in time, whatever the texts call for."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from text2gesture_ros.labels import GESTURES, NEUTRAL
from text2gesture_ros.parameters import IntentClassifierParameters
from text2gesture_ros.understanding.clauses import ClauseTimes
from text2gesture_ros.understanding.cool_down import CoolDown
from text2gesture_ros.understanding.intent import Intent, Prediction

NONE = Prediction((NEUTRAL,), np.ones(1), NEUTRAL)


def intent(gesture, probability=0.9, start=0.0):
    """Return the intent of a clause that calls for a gesture."""
    rest = (1.0 - probability) / (len(GESTURES) - 1)
    probabilities = np.array([probability if label == gesture else rest for label in GESTURES])
    accepted = gesture != NEUTRAL
    prediction = Prediction(GESTURES, probabilities, gesture)
    reason = "" if accepted else NEUTRAL
    return Intent(
        "words", (0, 5), (0, 5), ClauseTimes(start), 1.0, NONE, prediction, NONE, accepted, reason, "model"
    )


@st.composite
def utterances(draw):
    """Return the intents of a text, clauses beginning one after the other."""
    gestures = draw(st.lists(st.sampled_from(["wave", "nod", "point", NEUTRAL]), min_size=1, max_size=12))
    gaps = draw(st.lists(st.floats(0.0, 4.0), min_size=len(gestures), max_size=len(gestures)))
    chances = draw(st.lists(st.floats(0.4, 1.0), min_size=len(gestures), max_size=len(gestures)))
    starts = np.cumsum(gaps).tolist()
    return [intent(*each) for each in zip(gestures, chances, starts, strict=True)]


def made(intents):
    return [intent for intent in intents if intent.accepted]


@given(st.lists(st.tuples(utterances(), st.floats(0.0, 10.0)), max_size=5), st.floats(0.0, 6.0))
def test_no_two_gestures_begin_within_the_cool_down(texts, cool_down):
    cooling, given_ = CoolDown(), IntentClassifierParameters(cool_down=cool_down)
    now, begins = 100.0, []
    for intents, pause in texts:
        now += pause
        begins = [begin for begin in begins if begin <= now]  # a new text replaces what is to come
        begins += [now + intent.times.start for intent in made(cooling.apply(intents, given_, now))]
    assert all(later - earlier >= cool_down for earlier, later in pairwise(begins))


@given(utterances(), st.booleans())
def test_a_gesture_is_repeated_only_where_that_is_allowed(intents, repeat):
    given_ = IntentClassifierParameters(cool_down=0.0, repeat_gestures=repeat)
    done = made(CoolDown().apply(intents, given_))
    if repeat:
        assert done == made(intents)
    else:
        assert all(one.gesture.chosen != two.gesture.chosen for one, two in pairwise(done))


@given(utterances())
def test_what_is_held_back_is_neutral_with_a_reason_and_nothing_else_changes(intents):
    for before, after in zip(intents, CoolDown().apply(intents, IntentClassifierParameters()), strict=True):
        assert after.gesture.probabilities is before.gesture.probabilities
        assert after.accepted == (after.gesture.chosen != NEUTRAL) == (not after.reason)
        if before.accepted and not after.accepted:
            assert after.reason.startswith(("cool-down: ", "same gesture as "))
        else:
            assert after is before


@given(utterances())
def test_where_gestures_may_be_repeated_the_surest_of_a_text_is_made(intents):
    after = CoolDown().apply(intents, IntentClassifierParameters(repeat_gestures=True))
    wanted = [index for index, intent in enumerate(intents) if intent.accepted]
    if wanted:
        assert after[max(wanted, key=lambda index: intents[index].gesture.probabilities.max())].accepted


@pytest.mark.parametrize(
    ("clauses", "reasons"),
    [
        ([("wave", 0.9, 0.0), ("point", 0.8, 0.8)], ["", "cool-down: a gesture began 0.8 s ago"]),
        ([("wave", 0.8, 0.0), ("point", 0.9, 0.8)], ["cool-down: a surer gesture begins in 0.8 s", ""]),
        ([("wave", 0.9, 0.0), ("point", 0.9, 1.5)], ["", "cool-down: a gesture began 1.5 s ago"]),
        (
            [("nod", 0.9, 0.0), (NEUTRAL, 0.9, 2.0), ("nod", 0.8, 4.0)],
            ["", NEUTRAL, "same gesture as before"],
        ),
        ([("nod", 0.8, 0.0), ("nod", 0.9, 4.0)], ["", "same gesture as before"]),
        ([("nod", 0.9, 0.0), ("pat", 0.8, 4.0), ("nod", 0.9, 8.0)], ["", "", ""]),
    ],
)
def test_reasons(clauses, reasons):
    after = CoolDown().apply([intent(*clause) for clause in clauses], IntentClassifierParameters())
    assert [intent.reason for intent in after] == reasons


def test_texts_that_follow_each_other_too_soon():
    cooling, given_ = CoolDown(), IntentClassifierParameters()
    assert made(cooling.apply([intent("wave")], given_, 10.0))
    assert not made(cooling.apply([intent("nod")], given_, 11.9))
    assert made(cooling.apply([intent("wave")], given_, 12.0))  # the same again, but in another text
    cooling.note(13.0)  # made without being asked
    assert not made(cooling.apply([intent("nod")], given_, 14.5))
    assert made(cooling.apply([intent("nod")], given_, 3.0))  # the clock was set back


def test_a_text_that_is_replaced_no_longer_counts():
    cooling, given_ = CoolDown(), IntentClassifierParameters()
    assert len(made(cooling.apply([intent("wave"), intent("nod", 0.9, 5.0)], given_, 10.0))) == 2
    assert made(cooling.apply([intent("point")], given_, 14.5))


@given(utterances(), st.integers(0, 11))
def test_what_was_asked_for_is_made_whatever_is_near(intents, index):
    index %= len(intents)
    intents[index] = intents[index].wishing("wave")
    result = CoolDown().apply(intents, IntentClassifierParameters(cool_down=5.0, repeat_gestures=False))
    assert result[index] == intents[index]
    near = [
        other
        for other in made(result)
        if other is not result[index] and abs(other.times.start - result[index].times.start) < 5.0
    ]
    assert not near
