from dataclasses import replace

import pytest
from robot_cases import blocks_of

from text2gesture_ros.motion.frame_block import ClauseEnd, ClauseHeader
from text2gesture_ros.retargeting.progress import NEXT_CLAUSE, Ledger
from text2gesture_ros.skeleton import REFERENCE


def blocks(seconds=1.0, due=1.0, **named):
    return blocks_of(REFERENCE[None].repeat(round(60 * seconds), axis=0), due, **named)


def nothing(reason="no gesture", *, utterance_id="a", more=False, clause=0, sequence=0):
    """The end of a clause, at first without any frames."""
    return ClauseEnd(ClauseHeader(utterance_id, clause, more=more), sequence, 1.0, reason)


def perform(ledger, name, begin, end):
    for hundredth in range(round(100 * begin), round(100 * end)):
        ledger.performs(name, hundredth / 100.0)


def heard(given):
    ledger = Ledger()
    for block in given:
        ledger.received(block, 0.5)
    return ledger


def test_from_waiting_over_performing_and_returning_to_completed():
    given = blocks(1.0)
    given[-1] = replace(given[-1], stop_probabilities=given[-1].stop_probabilities + 0.9)
    ledger = heard(given)
    assert ledger.of("b") is None
    assert (ledger.of("a").state, ledger.of("a").part, ledger.of("a").duration) == ("waiting", 0.0, 0.0)
    perform(ledger, ("a", 0), 1.0, 1.51)
    assert ledger.of("a").state == "performing"
    assert ledger.of("a").part == pytest.approx(0.5)
    perform(ledger, ("a", 0), 1.51, 2.0)
    assert ledger.of("a").stop_probability == pytest.approx(0.9)
    ledger.ended(("a", 0))
    ledger.performs(None, 2.0)
    assert (ledger.of("a").state, ledger.of("a").outcome) == ("returning", "")
    ledger.settled(2.5)
    found = ledger.of("a")
    assert (found.state, found.outcome, found.reason, found.part) == ("over", "completed", "", 1.0)
    assert found.duration == pytest.approx(0.99)
    assert not ledger.live


def test_clauses_are_one_utterance_and_the_rest_pose_between_them_is_not_its_end():
    ledger = heard(blocks(more=True))
    perform(ledger, ("a", 0), 1.0, 2.0)
    ledger.ended(("a", 0))
    ledger.performs(None, 2.0)
    ledger.settled(2.5)
    assert ledger.of("a").state == "returning"
    for block in blocks(due=5.0, clause=1):
        ledger.received(block, 4.5)
    ledger.settled(4.6)
    perform(ledger, ("a", 1), 5.0, 6.0)
    assert (ledger.of("a").state, ledger.of("a").clause) == ("performing", 1)
    ledger.ended(("a", 1))
    ledger.settled(6.5)
    assert ledger.of("a").outcome == "completed"


def test_a_clause_that_never_comes_is_a_failure():
    ledger = heard(blocks(more=True))
    perform(ledger, ("a", 0), 1.0, 2.0)
    ledger.ended(("a", 0))
    ledger.settled(1.0 + NEXT_CLAUSE)
    assert ledger.of("a").outcome == "failed"
    assert "next clause" in ledger.of("a").reason


def test_without_motion_it_is_refused_with_the_reason():
    ledger = heard([nothing("cool-down", more=True)])
    assert ledger.of("a").state == "waiting"
    ledger.received(nothing("too sure of nothing", clause=1), 0.6)
    found = ledger.of("a")
    assert (found.state, found.outcome, found.reason) == ("over", "refused", "cool-down")
    # With motion in one clause it is performed, whatever became of the others.
    ledger = heard([*blocks(more=True), nothing(clause=1)])
    perform(ledger, ("a", 0), 1.0, 2.0)
    ledger.ended(("a", 0))
    ledger.settled(2.5)
    assert (ledger.of("a").outcome, ledger.of("a").reason) == ("completed", "no gesture")


def test_without_motion_and_without_a_reason_it_has_failed_and_says_so():
    ledger = heard([nothing(reason="")])
    ledger.settled(1.0)
    assert (ledger.of("a").state, ledger.of("a").outcome) == ("over", "failed")
    assert "nobody said why" in ledger.of("a").reason


def test_who_takes_over_ends_what_was_performed():
    for whole, outcome, reason in ((False, "preempted", "b took over"), (True, "completed", "")):
        ledger = heard([*blocks(), *blocks(due=1.7, utterance_id="b")])
        perform(ledger, ("a", 0), 1.0, 1.5)
        if whole:
            ledger.ended(("a", 0))
        perform(ledger, ("b", 0), 1.7, 2.0)
        assert (ledger.of("a").state, ledger.of("a").outcome, ledger.of("a").reason) == (
            *("over", outcome),
            reason,
        )
        assert ledger.of("b").state == "performing"
        assert ledger.live == ("b",)


def test_who_is_replaced_before_it_begins_is_preempted():
    ledger = heard([*blocks(), *blocks(utterance_id="b")])
    ledger.dropped("a", "b")
    assert (ledger.of("a").outcome, ledger.of("a").reason) == ("preempted", "b took over")


def test_cut_off_by_the_generator_or_by_silence_it_has_failed_unless_frames_come_after_all():
    first = blocks()[0]
    for cut in (lambda ledger: ledger.received(nothing("broke", sequence=1), 1.0), None):
        ledger = heard([first])
        perform(ledger, ("a", 0), 1.0, 1.1)
        if cut:
            cut(ledger)
            ledger.ended(("a", 0))
        else:
            ledger.ended(("a", 0), "broke")
        ledger.performs(None, 1.2)
        resumed = ledger.of("a")
        assert (resumed.state, resumed.outcome) == ("returning", "")
        ledger.settled(1.3)
        assert (ledger.of("a").outcome, ledger.of("a").reason) == ("failed", "broke")
    ledger = heard([first])
    perform(ledger, ("a", 0), 1.0, 1.1)
    ledger.ended(("a", 0), "broke")
    ledger.received(blocks()[-1], 1.4)
    perform(ledger, ("a", 0), 1.9, 2.0)
    ledger.ended(("a", 0))
    ledger.settled(2.1)
    assert ledger.of("a").outcome == "completed"


def test_what_no_command_ever_performed_has_failed_and_says_so():
    ledger = heard(blocks())
    ledger.ended(("a", 0))
    ledger.settled(2.0)
    assert ledger.of("a").outcome == "failed"
    assert "limits" in ledger.of("a").reason


@pytest.mark.parametrize("begun", [False, True])
def test_cancelled_it_is_over_once_the_robot_rests(begun):
    ledger = heard(blocks())
    if begun:
        perform(ledger, ("a", 0), 1.0, 1.5)
    ledger.stopped(["a", "unknown"], "cancelled", "cancelled")
    ledger.performs(None, 1.5)
    assert ledger.of("a").state == ("returning" if begun else "over")
    ledger.settled(2.0)
    assert ledger.of("a").outcome == "cancelled"
    # The same name again is another performance.
    ledger.received(blocks(due=5.0)[0], 4.0)
    assert ledger.of("a").state == "waiting"


def test_memory_is_bounded():
    ledger = Ledger()
    for index in range(1000):
        ledger.received(blocks(utterance_id=str(index))[0], 0.5)
    assert len(ledger.live) <= 256
    perform(ledger, ("0", 0), 1.0, 1.1)


def test_one_that_is_performed_is_not_forgotten_however_many_are_refused_meanwhile():
    ledger = heard(blocks())
    perform(ledger, ("a", 0), 1.0, 1.2)
    for number in range(1000):
        ledger.received(nothing(utterance_id=f"refused {number}"), 1.2)
    assert ledger.of("a").state == "performing"
    assert ledger.of("refused 0") is None
    assert ledger.of("refused 999").outcome == "refused"
    for number in range(1000):  # even where none is over there is an end to it
        ledger.received(blocks(utterance_id=f"waiting {number}")[0], 1.2)
    assert ledger.of("a") is None
