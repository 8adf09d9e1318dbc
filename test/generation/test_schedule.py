"""Gestures keep their distance in time, whatever the texts call for; motion begins when it may."""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from text2gesture_ros.generation.schedule import LONGEST_WAIT, MOST_CLAUSES, MOST_WAITING, Schedule
from text2gesture_ros.labels import GESTURES, NEUTRAL
from text2gesture_ros.parameters import IGNORE, QUEUE, REPLACE, IntentClassifierParameters
from text2gesture_ros.understanding.classifier import Intent, Prediction
from text2gesture_ros.understanding.cool_down import Pacer

NONE = Prediction((NEUTRAL,), np.ones(1), NEUTRAL)


def intent(gesture, probability=0.9, start=0.0):
    """Return the intent of a clause that calls for a gesture."""
    rest = (1.0 - probability) / (len(GESTURES) - 1)
    probabilities = np.array([probability if label == gesture else rest for label in GESTURES])
    accepted = gesture != NEUTRAL
    prediction = Prediction(GESTURES, probabilities, gesture)
    reason = "" if accepted else NEUTRAL
    return Intent("words", (0, 5), start, 1.0, NONE, prediction, NONE, accepted, reason, "model")


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
    pacer, given_ = Pacer(), IntentClassifierParameters(cool_down=cool_down)
    now, begins = 100.0, []
    for intents, pause in texts:
        now += pause
        begins = [begin for begin in begins if begin <= now]  # a new text replaces what is to come
        begins += [now + intent.start for intent in made(pacer.pace(intents, given_, now))]
    assert all(later - earlier >= cool_down for earlier, later in pairwise(begins))


@given(utterances(), st.booleans())
def test_a_gesture_is_repeated_only_where_that_is_allowed(intents, repeat):
    given_ = IntentClassifierParameters(cool_down=0.0, repeat_gestures=repeat)
    done = made(Pacer().pace(intents, given_))
    if repeat:
        assert done == made(intents)
    else:
        assert all(one.gesture.chosen != two.gesture.chosen for one, two in pairwise(done))


@given(utterances())
def test_what_is_held_back_is_neutral_with_a_reason_and_nothing_else_changes(intents):
    for before, after in zip(intents, Pacer().pace(intents, IntentClassifierParameters()), strict=True):
        assert after.gesture.probabilities is before.gesture.probabilities
        assert after.accepted == (after.gesture.chosen != NEUTRAL) == (not after.reason)
        if before.accepted and not after.accepted:
            assert after.reason.startswith(("cool-down: ", "same gesture as "))
        else:
            assert after is before


@given(utterances())
def test_where_gestures_may_be_repeated_the_surest_of_a_text_is_made(intents):
    after = Pacer().pace(intents, IntentClassifierParameters(repeat_gestures=True))
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
    after = Pacer().pace([intent(*clause) for clause in clauses], IntentClassifierParameters())
    assert [intent.reason for intent in after] == reasons


def test_texts_that_follow_each_other_too_soon():
    pacer, given_ = Pacer(), IntentClassifierParameters()
    assert made(pacer.pace([intent("wave")], given_, 10.0))
    assert not made(pacer.pace([intent("nod")], given_, 11.9))
    assert made(pacer.pace([intent("wave")], given_, 12.0))  # the same again, but in another text
    pacer.note(13.0)  # made without being asked
    assert not made(pacer.pace([intent("nod")], given_, 14.5))
    assert made(pacer.pace([intent("nod")], given_, 3.0))  # the clock was set back


def test_a_text_that_is_replaced_no_longer_counts():
    pacer, given_ = Pacer(), IntentClassifierParameters()
    assert len(made(pacer.pace([intent("wave"), intent("nod", 0.9, 5.0)], given_, 10.0))) == 2
    assert made(pacer.pace([intent("point")], given_, 14.5))


LEAD, DELAY, PERIOD = 0.05, 0.1, 0.04


@dataclass(frozen=True)
class Words:
    """A clause to be scheduled."""

    utterance_id: str
    clause: int
    accepted: bool
    begin: float
    priority: int = 128
    length: float | None = None


def words(*clauses, utterance_id="one", priority=128):
    """Return the clauses of an utterance; each is given as (accepted, begin)."""
    return [Words(utterance_id, number, *clause, priority) for number, clause in enumerate(clauses)]


def add(schedule, clauses, now=0.0, **given):
    for clause in clauses:
        schedule.add(clause, clause.begin, now, **given)


def filled(*clauses):
    """Return a schedule to which clauses were added."""
    schedule = Schedule(LEAD)
    add(schedule, clauses)
    return schedule


def everything_due(schedule, now):
    """Return what is to begin now, until there is nothing more."""
    return [(clause, start) for clause, _, start in iter(lambda: schedule.due(now, DELAY), None)]


@st.composite
def speech(draw):
    """Return clauses of one utterance in order and, of each, how long its motion takes."""
    gaps = draw(st.lists(st.floats(0.0, 0.5), min_size=1, max_size=8))
    accepted = draw(st.lists(st.booleans(), min_size=len(gaps), max_size=len(gaps)))
    durations = draw(st.lists(st.floats(0.05, 1.0), min_size=len(gaps), max_size=len(gaps)))
    return words(*zip(accepted, np.cumsum(gaps).tolist(), strict=True)), durations


def perform(clauses, durations):
    """Play a schedule; return (clause, when it was handed out, start, end) of what was begun."""
    schedule, played, end = filled(*clauses), [], None
    for step in range(200):
        now = step * PERIOD
        for clause, start in everything_due(schedule, now):
            end = start + durations[clause.clause]
            played.append((clause, now, start, end))
        if end is not None and now >= end - 2 * DELAY:  # its last frames are made a little before
            schedule.ended(end)
            end = None
    assert everything_due(schedule, math.inf) == []
    return played


@given(speech())
def test_no_clause_begins_before_its_time_and_none_twice(given_):
    played = perform(*given_)
    for clause, now, start, _ in played:
        assert now >= clause.begin - LEAD
        assert start >= max(now, clause.begin) + DELAY
    numbers = [clause.clause for clause, *_ in played]
    assert numbers == sorted(set(numbers))


@given(speech())
def test_every_gesture_begins_on_time(given_):
    begun = [(clause, now) for clause, now, *_ in perform(*given_) if clause.accepted]
    assert [clause for clause, _ in begun] == [clause for clause in given_[0] if clause.accepted]
    assert all(now <= max(0.0, clause.begin - LEAD + PERIOD) + 1e-9 for clause, now in begun)


@given(speech())
def test_talking_motion_never_cuts_a_gesture(given_):
    played = perform(*given_)
    for (earlier, _, _, end), (later, _, start, _) in pairwise(played):
        assert later.accepted or not earlier.accepted or end <= start < math.inf


@given(speech())
def test_talking_motion_is_dropped_only_where_the_next_clause_overtakes_it(given_):
    played = [clause for clause, *_ in perform(*given_)]
    assert given_[0][-1] in played
    for earlier, later in pairwise(given_[0]):
        apart = later.begin - earlier.begin > LEAD + PERIOD
        gesture_before = any(clause.accepted for clause in given_[0][: earlier.clause])
        assert earlier in played or not apart or gesture_before


def test_talking_motion_that_waits_for_a_gesture_is_overtaken_by_the_next_clause():
    gesture, talking, following = words((True, 0.0), (False, 0.2), (False, 0.4))
    schedule = filled(gesture, talking, following)
    assert everything_due(schedule, 0.0) == [(gesture, DELAY)]
    assert everything_due(schedule, 0.3) == []
    assert everything_due(schedule, 0.4) == []
    schedule.ended(2.0)
    assert everything_due(schedule, 0.45) == [(following, 2.0)]


@given(speech(), speech(), st.booleans())
def test_a_new_utterance_replaces_what_is_pending(before, after, moves):
    schedule = filled(*before[0])
    new = [Words("two", clause.clause, True, clause.begin) for clause in after[0]]
    add(schedule, new, still="" if moves else "no words")
    assert [clause for clause, _ in everything_due(schedule, 100.0)] == (new if moves else [])
    replaced = [(clause, "replaced by utterance 'two'") for clause in before[0]]
    assert schedule.dropped == replaced + ([] if moves else [(clause, "no words") for clause in new])


@pytest.mark.parametrize("utterance_id", ["one", "two"])
def test_an_utterance_said_again_is_a_new_one(utterance_id):
    schedule = filled(*words((True, 1.0), (True, 2.0)))
    (again,) = words((True, 3.0), utterance_id=utterance_id)
    add(schedule, [again])
    assert everything_due(schedule, 5.0) == [(again, 5.0 + DELAY)]


@given(st.floats(0.0, 10.0), st.floats(0.0, 10.0))
def test_a_clock_that_goes_back_clears(before, after):
    gesture, pending = words((True, before), (True, 20.0))
    schedule = filled(gesture, pending)
    assert not schedule.went_back(before)
    assert everything_due(schedule, before) == [(gesture, before + DELAY)]
    assert schedule.went_back(after) == (after < before)
    assert not schedule.went_back(after)
    (talking,) = words((False, after), utterance_id="two")
    left = everything_due(schedule, 20.0)
    add(schedule, [talking], after)
    begun = everything_due(schedule, after)
    if after < before:
        assert (left, begun) == ([], [(talking, after + DELAY)])
    else:
        assert (left, begun) == ([(pending, 20.0 + DELAY)], [])


def test_once_cleared_talking_motion_waits_for_no_gesture():
    gesture, talking, late = words((True, 0.0), (False, 0.2), (True, 0.3))
    schedule = filled(gesture, talking, late)
    assert everything_due(schedule, 0.0) == [(gesture, DELAY)]
    schedule.clear("enough")
    assert schedule.dropped == [(talking, "enough"), (late, "enough")]
    add(schedule, [talking])
    assert everything_due(schedule, 1.0) == [(talking, 1.0 + DELAY)]


PRIORITIES = st.sampled_from([0, 100, 128, 255])
MOMENTS = st.tuples(speech(), PRIORITIES, st.floats(0.0, 2.0))


@settings(max_examples=30)
@given(st.lists(MOMENTS, min_size=1, max_size=6), st.sampled_from([QUEUE, IGNORE, REPLACE]))
def test_every_clause_is_begun_or_dropped_for_a_reason_and_no_lower_one_interrupts(utterances_, preemption):
    schedule, now, playing, begun, expected = Schedule(LEAD), 0.0, None, [], []
    for number, ((clauses, _), priority, pause) in enumerate(utterances_):
        clauses = [replace(each, utterance_id=str(number), priority=priority) for each in clauses]
        expected += clauses
        clauses = [replace(each, begin=now + each.begin) for each in clauses]
        add(schedule, clauses, now, preemption=preemption)
        end = now + pause
        while now < end or number == len(utterances_) - 1:
            for clause, start in everything_due(schedule, now):
                if playing and preemption != REPLACE and playing[0].utterance_id != clause.utterance_id:
                    assert clause.priority >= playing[0].priority or start >= playing[1] - 1e-9
                playing = clause, start + 0.3
                begun.append(clause)
                schedule.ended(playing[1])
            assert schedule.waiting <= MOST_WAITING
            now += PERIOD
            if now > 15.0:
                break
    assert everything_due(schedule, 1000.0) == []
    dropped = [clause for clause, _ in schedule.dropped]
    assert all(reason for _, reason in schedule.dropped)
    names = sorted((clause.utterance_id, clause.clause) for clause in [*begun, *dropped])
    assert names == sorted((clause.utterance_id, clause.clause) for clause in expected)


@pytest.mark.parametrize(
    ("preemption", "reason"),
    [
        (IGNORE, "refused: priority 7 is lower than 128 of utterance 'one', which is performed"),
        (REPLACE, ""),
        (QUEUE, ""),
    ],
)
def test_what_becomes_of_a_lower_priority(preemption, reason):
    schedule = filled(*words((True, 0.0)))
    assert len(everything_due(schedule, 0.0)) == 1
    lower = words((True, 0.2), (False, 0.7), utterance_id="two", priority=7)
    add(schedule, lower, 0.2, preemption=preemption)
    assert schedule.dropped == [(clause, reason) for clause in lower if reason]
    assert everything_due(schedule, 0.25) == ([(lower[0], 0.25 + DELAY)] if preemption == REPLACE else [])
    schedule.ended(1.2)
    assert everything_due(schedule, 1.1) == [] or preemption == REPLACE
    if preemption == QUEUE:  # as if it had been said when its turn came, 1 s later
        assert everything_due(schedule, 1.2) == [(lower[0], 1.2 + DELAY)]
        schedule.ended(1.5)
        assert everything_due(schedule, 1.6) == []
        assert everything_due(schedule, 1.7) == [(lower[1], 1.7 + DELAY)]


def test_nobody_waits_for_ever_and_not_too_many_wait():
    schedule = filled(*words((True, 0.0)))
    everything_due(schedule, 0.0)
    for number in range(MOST_WAITING + 1):
        add(schedule, words((True, 0.0), utterance_id=f"low {number}", priority=number))
    ((refused, reason),) = schedule.dropped
    assert (refused.utterance_id, schedule.waiting) == (f"low {MOST_WAITING}", MOST_WAITING)
    assert reason.endswith(f"and {MOST_WAITING} utterances wait already")
    assert everything_due(schedule, LONGEST_WAIT) == []
    schedule.ended(LONGEST_WAIT)
    (begun,) = everything_due(schedule, LONGEST_WAIT)
    assert begun[0].utterance_id == f"low {MOST_WAITING - 1}"  # the highest priority is first
    assert everything_due(schedule, LONGEST_WAIT + 0.1) == []
    assert schedule.waiting == 0
    assert {reason for _, reason in schedule.dropped[1:]} == {"waited 5 s for its turn"}


def test_an_utterance_that_is_cancelled_is_dropped_wherever_it_stands():
    schedule = filled(*words((True, 0.0), (True, 1.0)))
    everything_due(schedule, 0.0)
    low, lower = (words((True, 0.0), utterance_id=name, priority=1) for name in ("low", "lower"))
    add(schedule, [*low, *lower])
    for name in ("low", "one"):
        schedule.cancel(name, "cancelled")
    assert [(clause.utterance_id, clause.clause) for clause, _ in schedule.dropped] == [
        ("low", 0),
        ("one", 1),
    ]
    schedule.ended(0.1)
    assert [clause for clause, _ in everything_due(schedule, 0.1)] == lower


def test_a_clause_that_is_refused_takes_no_turn():
    kept = words((True, 0.0), (True, 1.0))
    schedule = filled(*kept)
    (silent,) = words((False, 0.0), utterance_id="two", priority=200)
    schedule.refuse(silent, "there are no words")
    assert schedule.dropped == [(silent, "there are no words")]
    assert [clause for clause, _ in everything_due(schedule, 1.0)] == kept


def test_an_endless_utterance_is_cut():
    schedule = filled(*(Words("one", number, True, 10.0) for number in range(MOST_CLAUSES + 2)))
    assert [clause.clause for clause, _ in schedule.dropped] == [MOST_CLAUSES, MOST_CLAUSES + 1]
