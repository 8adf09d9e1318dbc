from dataclasses import replace

import pytest
from robot_cases import blocks_of

from text2gesture_ros.motion.frame_block import ClauseEnd, ClauseHeader
from text2gesture_ros.retargeting.progress import NEXT_CLAUSE, UtteranceTracker
from text2gesture_ros.skeleton import REFERENCE


def blocks(seconds=1.0, due=1.0, **named):
    return blocks_of(REFERENCE[None].repeat(round(60 * seconds), axis=0), due, **named)


def nothing(reason="no gesture", *, utterance_id="a", more=False, clause=0, sequence=0):
    """The end of a clause, at first without any frames."""
    return ClauseEnd(ClauseHeader(utterance_id, clause, more=more), sequence, 1.0, reason)


def perform(ledger, name, begin, end):
    for hundredth in range(round(100 * begin), round(100 * end)):
        ledger.on_command(name, hundredth / 100.0)


def heard(given):
    ledger = UtteranceTracker()
    for block in given:
        ledger.on_block(block, 0.5)
    return ledger


def test_from_waiting_over_performing_and_returning_to_completed():
    given = blocks(1.0)
    given[-1] = replace(given[-1], stop_probabilities=given[-1].stop_probabilities + 0.9)
    ledger = heard(given)
    assert ledger.get("b") is None
    assert (ledger.get("a").state, ledger.get("a").part, ledger.get("a").duration) == ("waiting", 0.0, 0.0)
    perform(ledger, ("a", 0), 1.0, 1.51)
    assert ledger.get("a").state == "performing"
    assert ledger.get("a").part == pytest.approx(0.5)
    perform(ledger, ("a", 0), 1.51, 2.0)
    assert ledger.get("a").stop_probability == pytest.approx(0.9)
    ledger.on_clause_end(("a", 0))
    ledger.on_command(None, 2.0)
    assert (ledger.get("a").state, ledger.get("a").outcome) == ("returning", "")
    ledger.on_settled(2.5)
    found = ledger.get("a")
    assert (found.state, found.outcome, found.reason, found.part) == ("over", "completed", "", 1.0)
    assert found.duration == pytest.approx(0.99)
    assert not ledger.live


def test_clauses_are_one_utterance_and_the_rest_pose_between_them_is_not_its_end():
    ledger = heard(blocks(more=True))
    perform(ledger, ("a", 0), 1.0, 2.0)
    ledger.on_clause_end(("a", 0))
    ledger.on_command(None, 2.0)
    ledger.on_settled(2.5)
    assert ledger.get("a").state == "returning"
    for block in blocks(due=5.0, clause=1):
        ledger.on_block(block, 4.5)
    ledger.on_settled(4.6)
    perform(ledger, ("a", 1), 5.0, 6.0)
    assert (ledger.get("a").state, ledger.get("a").clause) == ("performing", 1)
    ledger.on_clause_end(("a", 1))
    ledger.on_settled(6.5)
    assert ledger.get("a").outcome == "completed"


def test_a_clause_that_never_comes_is_a_failure():
    ledger = heard(blocks(more=True))
    perform(ledger, ("a", 0), 1.0, 2.0)
    ledger.on_clause_end(("a", 0))
    ledger.on_settled(1.0 + NEXT_CLAUSE)
    assert ledger.get("a").outcome == "failed"
    assert "next clause" in ledger.get("a").reason


def test_without_motion_it_is_refused_with_the_reason():
    ledger = heard([nothing("cool-down", more=True)])
    assert ledger.get("a").state == "waiting"
    ledger.on_block(nothing("too sure of nothing", clause=1), 0.6)
    found = ledger.get("a")
    assert (found.state, found.outcome, found.reason) == ("over", "refused", "cool-down")
    # With motion in one clause it is performed, whatever became of the others.
    ledger = heard([*blocks(more=True), nothing(clause=1)])
    perform(ledger, ("a", 0), 1.0, 2.0)
    ledger.on_clause_end(("a", 0))
    ledger.on_settled(2.5)
    assert (ledger.get("a").outcome, ledger.get("a").reason) == ("completed", "no gesture")


def test_without_motion_and_without_a_reason_it_has_failed_and_says_so():
    ledger = heard([nothing(reason="")])
    ledger.on_settled(1.0)
    assert (ledger.get("a").state, ledger.get("a").outcome) == ("over", "failed")
    assert "nobody said why" in ledger.get("a").reason


def test_who_takes_over_ends_what_was_performed():
    for whole, outcome, reason in ((False, "preempted", "b took over"), (True, "completed", "")):
        ledger = heard([*blocks(), *blocks(due=1.7, utterance_id="b")])
        perform(ledger, ("a", 0), 1.0, 1.5)
        if whole:
            ledger.on_clause_end(("a", 0))
        perform(ledger, ("b", 0), 1.7, 2.0)
        assert (ledger.get("a").state, ledger.get("a").outcome, ledger.get("a").reason) == (
            *("over", outcome),
            reason,
        )
        assert ledger.get("b").state == "performing"
        assert ledger.live == ("b",)


def test_who_is_replaced_before_it_begins_is_preempted():
    ledger = heard([*blocks(), *blocks(utterance_id="b")])
    ledger.on_preempted("a", "b")
    assert (ledger.get("a").outcome, ledger.get("a").reason) == ("preempted", "b took over")


def test_cut_off_by_the_generator_or_by_silence_it_has_failed_unless_frames_come_after_all():
    first = blocks()[0]
    for cut in (lambda ledger: ledger.on_block(nothing("broke", sequence=1), 1.0), None):
        ledger = heard([first])
        perform(ledger, ("a", 0), 1.0, 1.1)
        if cut:
            cut(ledger)
            ledger.on_clause_end(("a", 0))
        else:
            ledger.on_clause_end(("a", 0), "broke")
        ledger.on_command(None, 1.2)
        resumed = ledger.get("a")
        assert (resumed.state, resumed.outcome) == ("returning", "")
        ledger.on_settled(1.3)
        assert (ledger.get("a").outcome, ledger.get("a").reason) == ("failed", "broke")
    ledger = heard([first])
    perform(ledger, ("a", 0), 1.0, 1.1)
    ledger.on_clause_end(("a", 0), "broke")
    ledger.on_block(blocks()[-1], 1.4)
    perform(ledger, ("a", 0), 1.9, 2.0)
    ledger.on_clause_end(("a", 0))
    ledger.on_settled(2.1)
    assert ledger.get("a").outcome == "completed"


def test_what_no_command_ever_performed_has_failed_and_says_so():
    ledger = heard(blocks())
    ledger.on_clause_end(("a", 0))
    ledger.on_settled(2.0)
    assert ledger.get("a").outcome == "failed"
    assert "limits" in ledger.get("a").reason


@pytest.mark.parametrize("begun", [False, True])
def test_cancelled_it_is_over_once_the_robot_rests(begun):
    ledger = heard(blocks())
    if begun:
        perform(ledger, ("a", 0), 1.0, 1.5)
    ledger.on_abort(["a", "unknown"], "cancelled", "cancelled")
    ledger.on_command(None, 1.5)
    assert ledger.get("a").state == ("returning" if begun else "over")
    ledger.on_settled(2.0)
    assert ledger.get("a").outcome == "cancelled"
    # The same name again is another performance.
    ledger.on_block(blocks(due=5.0)[0], 4.0)
    assert ledger.get("a").state == "waiting"


def test_memory_is_bounded():
    ledger = UtteranceTracker()
    for index in range(1000):
        ledger.on_block(blocks(utterance_id=str(index))[0], 0.5)
    assert len(ledger.live) <= 256
    perform(ledger, ("0", 0), 1.0, 1.1)


def test_one_that_is_performed_is_not_forgotten_however_many_are_refused_meanwhile():
    ledger = heard(blocks())
    perform(ledger, ("a", 0), 1.0, 1.2)
    for number in range(1000):
        ledger.on_block(nothing(utterance_id=f"refused {number}"), 1.2)
    assert ledger.get("a").state == "performing"
    assert ledger.get("refused 0") is None
    assert ledger.get("refused 999").outcome == "refused"
    for number in range(1000):  # even where none is over there is an end to it
        ledger.on_block(blocks(utterance_id=f"waiting {number}")[0], 1.2)
    assert ledger.get("a") is None
