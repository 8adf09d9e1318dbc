"""Motion begins when it may: one utterance at a time, each clause with its words."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from text2gesture_ros.generation.request import COARTICULATION_TIME, GestureRequest
from text2gesture_ros.generation.schedule import MAX_WAIT, MAX_WAITING, Schedule
from text2gesture_ros.motion.frame_block import ClauseHeader
from text2gesture_ros.parameters import IGNORE, QUEUE, REPLACE, GestureGeneratorParameters
from text2gesture_ros.understanding.clauses import MAX_CLAUSES, ClauseTimes

LEAD, DELAY, PERIOD = 0.05, 0.1, 0.04


def request(utterance_id="one", clause=0, accepted=True, begin=0.0, priority=128):
    """Return a clause to be scheduled."""
    header = ClauseHeader(utterance_id, clause, priority=priority)
    return GestureRequest(header, 0.0, ClauseTimes(begin), accepted, "" if accepted else "neutral")


def words(*clauses, utterance_id="one", priority=128, said=0.0):
    """Return the clauses of an utterance; each is given as (accepted, begin after it was said)."""
    return [
        replace(request(utterance_id, number, *clause, priority), speech_start=said)
        for number, clause in enumerate(clauses)
    ]


def add(schedule, clauses, now=0.0, **settings_):
    for clause in clauses:
        schedule.add(clause, now, GestureGeneratorParameters(**settings_))


def filled(*clauses):
    """Return a schedule to which clauses were added."""
    schedule = Schedule(LEAD)
    add(schedule, clauses)
    return schedule


def everything_due(schedule, now):
    """Return what is to begin now, until there is nothing more."""
    return list(iter(lambda: schedule.pop_due(now, DELAY), None))


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
            end = start + durations[clause.header.clause]
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
    numbers = [clause.header.clause for clause, *_ in played]
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
        gesture_before = any(clause.accepted for clause in given_[0][: earlier.header.clause])
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
    new = [request("two", clause.header.clause, moves, clause.begin) for clause in after[0]]
    add(schedule, new, neutral_motion=False)
    assert [clause for clause, _ in everything_due(schedule, 100.0)] == (new if moves else [])
    replaced = [(clause, "replaced by utterance 'two'") for clause in before[0]]
    still = "no gesture (neutral), and neutral_motion is off"
    assert schedule.dropped == replaced + ([] if moves else [(clause, still) for clause in new])


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
    assert not schedule.clock_went_back(before)
    assert everything_due(schedule, before) == [(gesture, before + DELAY)]
    assert schedule.clock_went_back(after) == (after < before)
    assert not schedule.clock_went_back(after)
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
        clauses = [
            replace(request(str(number), index, each.accepted, each.begin, priority), speech_start=now)
            for index, each in enumerate(clauses)
        ]
        expected += clauses
        add(schedule, clauses, now, preemption=preemption)
        end = now + pause
        while now < end or number == len(utterances_) - 1:
            for clause, start in everything_due(schedule, now):
                if (
                    playing
                    and preemption != REPLACE
                    and playing[0].header.utterance_id != clause.header.utterance_id
                ):
                    assert clause.header.priority >= playing[0].header.priority or start >= playing[1] - 1e-9
                playing = clause, start + 0.3
                begun.append(clause)
                schedule.ended(playing[1])
            assert schedule.waiting <= MAX_WAITING
            now += PERIOD
            if now > 15.0:
                break
    assert everything_due(schedule, 1000.0) == []
    dropped = [clause for clause, _ in schedule.dropped]
    assert all(reason for _, reason in schedule.dropped)
    names = sorted(clause.header.name for clause in [*begun, *dropped])
    assert names == sorted(clause.header.name for clause in expected)


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
    lower = words((True, 0.0), (False, 0.5), utterance_id="two", priority=7, said=0.2)
    add(schedule, lower, 0.2, preemption=preemption)
    assert schedule.dropped == [(clause, reason) for clause in lower if reason]
    assert everything_due(schedule, 0.25) == ([(lower[0], 0.25 + DELAY)] if preemption == REPLACE else [])
    schedule.ended(1.2)
    assert everything_due(schedule, 1.1) == [] or preemption == REPLACE
    if preemption == QUEUE:  # as if it had been said when its turn came, 1 s later
        assert everything_due(schedule, 1.2) == [(lower[0].delayed(1.0), 1.2 + DELAY)]
        schedule.ended(1.5)
        assert everything_due(schedule, 1.6) == []
        assert everything_due(schedule, 1.7) == [(lower[1].delayed(1.0), 1.7 + DELAY)]


@pytest.mark.parametrize("poll", [1.176, 1.19, 1.2])
def test_the_turn_comes_when_the_one_before_ends_not_when_that_is_noticed(poll):
    schedule = Schedule(poll_period=0.025)
    add(schedule, words((True, 0.0)))
    assert everything_due(schedule, 0.0)
    lower = words((True, 0.0), utterance_id="two", priority=7, said=0.19)  # and understood a little later
    add(schedule, lower, 0.2)
    schedule.ended(1.2)
    assert everything_due(schedule, 1.17) == []
    ((begun, start),) = everything_due(schedule, poll)
    assert (begun.due, start) == pytest.approx((1.2, 1.2 + DELAY))


def test_nobody_waits_for_ever_and_not_too_many_wait():
    schedule = filled(*words((True, 0.0)))
    everything_due(schedule, 0.0)
    for number in range(MAX_WAITING + 1):
        add(schedule, words((True, 0.0), utterance_id=f"low {number}", priority=number))
    ((refused, reason),) = schedule.dropped
    assert (refused.header.utterance_id, schedule.waiting) == (f"low {MAX_WAITING}", MAX_WAITING)
    assert reason.endswith(f"and {MAX_WAITING} utterances wait already")
    assert everything_due(schedule, MAX_WAIT) == []
    schedule.ended(MAX_WAIT)
    (begun,) = everything_due(schedule, MAX_WAIT)
    assert begun[0].header.utterance_id == f"low {MAX_WAITING - 1}"  # the highest priority is first
    assert everything_due(schedule, MAX_WAIT + 0.1) == []
    assert schedule.waiting == 0
    assert {reason for _, reason in schedule.dropped[1:]} == {"waited 5 s for its turn"}


def test_an_utterance_that_is_cancelled_is_dropped_wherever_it_stands():
    schedule = filled(*words((True, 0.0), (True, 1.0)))
    everything_due(schedule, 0.0)
    low, lower = (words((True, 0.0), utterance_id=name, priority=1) for name in ("low", "lower"))
    add(schedule, [*low, *lower])
    for name in ("low", "one"):
        schedule.cancel(name, 0.0)
    assert [clause.header.name for clause, _ in schedule.dropped] == [
        ("low", 0),
        ("one", 1),
    ]
    schedule.ended(0.1)
    assert [clause for clause, _ in everything_due(schedule, 0.1)] == [lower[0].delayed(0.1)]


def test_an_utterance_without_words_leaves_the_others_their_turn():
    kept = words((True, 0.0), (True, 1.0))
    schedule = filled(*kept)
    silent = replace(request("two", accepted=False, priority=200), spoken=False)
    add(schedule, [silent])
    assert schedule.dropped == [(silent, "there are no words")]
    assert [clause for clause, _ in everything_due(schedule, 1.0)] == kept


def test_an_endless_utterance_is_cut():
    schedule = filled(*(request("one", number, begin=10.0) for number in range(MAX_CLAUSES + 2)))
    assert [clause.header.clause for clause, _ in schedule.dropped] == [MAX_CLAUSES, MAX_CLAUSES + 1]


def test_of_what_is_cancelled_nothing_comes_that_was_said_before_however_late_it_arrives():
    schedule = filled(*words((True, 0.0), (True, 1.0)))
    schedule.cancel("one", 0.5)
    schedule.cancel("two", 0.5)
    assert [reason for _, reason in schedule.dropped] == ["cancelled", "cancelled"]
    late = words((True, 0.0), (True, 1.0), (True, 2.0), said=0.2)
    anew = replace(request("two"), speech_start=0.6)
    add(schedule, [late[2], anew], 0.7)
    assert schedule.dropped[2:] == [(late[2], "cancelled")]
    assert [clause for clause, _ in everything_due(schedule, 0.7)] == [anew]
    schedule.cancel("", 2.0)
    three, four = (replace(request(name), speech_start=at) for name, at in (("three", 1.9), ("four", 2.1)))
    add(schedule, [three, four], 2.1)
    assert schedule.dropped[3:] == [(three, "cancelled")]
    assert [clause for clause, _ in everything_due(schedule, 2.1)] == [four]


@given(st.floats(0.0, 10.0), st.floats(0.0, 3.0), st.floats(0.0, 3.0), st.integers(0, 2), st.booleans())
def test_a_clause_is_due_with_its_words_or_early_enough_for_its_stroke(start, word, rest, clause, accepted):
    times = ClauseTimes(start, start + word, start + word + rest + 0.1, estimated=False)
    made = GestureRequest(ClauseHeader("one", clause), 100.0, times, accepted)
    assert made.due <= made.begin == 100.0 + start
    assert made.end == 100.0 + times.end
    if accepted and clause:
        assert made.stroke - made.due >= COARTICULATION_TIME - 1e-9
    else:
        assert made.due == made.begin
    later = made.delayed(2.0)
    for name in ("begin", "end", "due"):
        assert getattr(later, name) == pytest.approx(getattr(made, name) + 2.0)
    assert replace(made, times=replace(times, estimated=True)).end is None
    unknown = replace(made, times=ClauseTimes(start))
    assert (unknown.stroke, unknown.end, unknown.due) == (None, None, unknown.begin)
