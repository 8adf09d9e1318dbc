from dataclasses import replace

import pytest
from robot_cases import blocks_of

from text2gesture_ros.motion.frame_block import ClauseEnd, ClauseHeader
from text2gesture_ros.retargeting.progress import NEXT_CLAUSE_TIMEOUT, UtteranceTracker
from text2gesture_ros.skeleton import REFERENCE


def blocks(seconds=1.0, due=1.0, **named):
    return blocks_of(REFERENCE[None].repeat(round(60 * seconds), axis=0), due, **named)


def nothing(reason="no gesture", *, utterance_id="a", more=False, clause=0, sequence=0):
    """The end of a clause, at first without any frames."""
    return ClauseEnd(ClauseHeader(utterance_id, clause, more=more), sequence, 1.0, reason)


def perform(tracker, name, begin, end):
    for hundredth in range(round(100 * begin), round(100 * end)):
        tracker.on_command(name, hundredth / 100.0)


def tracker_of(given):
    tracker = UtteranceTracker()
    for block in given:
        tracker.on_block(block, 0.5)
    return tracker


def test_the_states_are_waiting_performing_returning_and_over():
    given = blocks(1.0)
    given[-1] = replace(given[-1], stop_probabilities=given[-1].stop_probabilities + 0.9)
    tracker = tracker_of(given)
    assert tracker.get("b") is None
    assert (tracker.get("a").state, tracker.get("a").fraction, tracker.get("a").duration) == (
        "waiting",
        0.0,
        0.0,
    )
    perform(tracker, ("a", 0), 1.0, 1.51)
    assert tracker.get("a").state == "performing"
    assert tracker.get("a").fraction == pytest.approx(0.5)
    perform(tracker, ("a", 0), 1.51, 2.0)
    assert tracker.get("a").stop_probability == pytest.approx(0.9)
    tracker.on_clause_end(("a", 0))
    tracker.on_command(None, 2.0)
    assert (tracker.get("a").state, tracker.get("a").outcome) == ("returning", "")
    tracker.on_settled(2.5)
    found = tracker.get("a")
    assert (found.state, found.outcome, found.reason, found.fraction) == ("over", "completed", "", 1.0)
    assert found.duration == pytest.approx(0.99)
    assert not tracker.live


def test_an_utterance_is_not_over_between_its_clauses():
    tracker = tracker_of(blocks(more=True))
    perform(tracker, ("a", 0), 1.0, 2.0)
    tracker.on_clause_end(("a", 0))
    tracker.on_command(None, 2.0)
    tracker.on_settled(2.5)
    assert tracker.get("a").state == "returning"
    for block in blocks(due=5.0, clause=1):
        tracker.on_block(block, 4.5)
    tracker.on_settled(4.6)
    perform(tracker, ("a", 1), 5.0, 6.0)
    assert (tracker.get("a").state, tracker.get("a").clause) == ("performing", 1)
    tracker.on_clause_end(("a", 1))
    tracker.on_settled(6.5)
    assert tracker.get("a").outcome == "completed"


def test_an_utterance_whose_next_clause_does_not_come_fails():
    tracker = tracker_of(blocks(more=True))
    perform(tracker, ("a", 0), 1.0, 2.0)
    tracker.on_clause_end(("a", 0))
    tracker.on_settled(1.0 + NEXT_CLAUSE_TIMEOUT)
    assert tracker.get("a").outcome == "failed"
    assert "next clause" in tracker.get("a").reason


def test_an_utterance_without_motion_is_refused_with_the_reason():
    tracker = tracker_of([nothing("cool-down", more=True)])
    assert tracker.get("a").state == "waiting"
    tracker.on_block(nothing("too sure of nothing", clause=1), 0.6)
    found = tracker.get("a")
    assert (found.state, found.outcome, found.reason) == ("over", "refused", "cool-down")
    # With motion in one clause it is performed, whatever became of the others.
    tracker = tracker_of([*blocks(more=True), nothing(clause=1)])
    perform(tracker, ("a", 0), 1.0, 2.0)
    tracker.on_clause_end(("a", 0))
    tracker.on_settled(2.5)
    assert (tracker.get("a").outcome, tracker.get("a").reason) == ("completed", "no gesture")


def test_an_utterance_without_motion_and_without_a_reason_fails():
    tracker = tracker_of([nothing(reason="")])
    tracker.on_settled(1.0)
    assert (tracker.get("a").state, tracker.get("a").outcome) == ("over", "failed")
    assert "without a reason" in tracker.get("a").reason


def test_preemption_ends_what_was_performed():
    for whole, outcome, reason in ((False, "preempted", "b took over"), (True, "completed", "")):
        tracker = tracker_of([*blocks(), *blocks(due=1.7, utterance_id="b")])
        perform(tracker, ("a", 0), 1.0, 1.5)
        if whole:
            tracker.on_clause_end(("a", 0))
        perform(tracker, ("b", 0), 1.7, 2.0)
        assert (tracker.get("a").state, tracker.get("a").outcome, tracker.get("a").reason) == (
            *("over", outcome),
            reason,
        )
        assert tracker.get("b").state == "performing"
        assert tracker.live == ("b",)


def test_an_utterance_that_is_replaced_before_it_begins_is_preempted():
    tracker = tracker_of([*blocks(), *blocks(utterance_id="b")])
    tracker.on_preempted("a", "b")
    assert (tracker.get("a").outcome, tracker.get("a").reason) == ("preempted", "b took over")


def test_an_utterance_that_is_cut_off_fails_unless_late_frames_come():
    first = blocks()[0]
    for cut in (lambda tracker: tracker.on_block(nothing("broke", sequence=1), 1.0), None):
        tracker = tracker_of([first])
        perform(tracker, ("a", 0), 1.0, 1.1)
        if cut:
            cut(tracker)
            tracker.on_clause_end(("a", 0))
        else:
            tracker.on_clause_end(("a", 0), "broke")
        tracker.on_command(None, 1.2)
        resumed = tracker.get("a")
        assert (resumed.state, resumed.outcome) == ("returning", "")
        tracker.on_settled(1.3)
        assert (tracker.get("a").outcome, tracker.get("a").reason) == ("failed", "broke")
    tracker = tracker_of([first])
    perform(tracker, ("a", 0), 1.0, 1.1)
    tracker.on_clause_end(("a", 0), "broke")
    tracker.on_block(blocks()[-1], 1.4)
    perform(tracker, ("a", 0), 1.9, 2.0)
    tracker.on_clause_end(("a", 0))
    tracker.on_settled(2.1)
    assert tracker.get("a").outcome == "completed"


def test_an_utterance_that_no_command_performed_fails():
    tracker = tracker_of(blocks())
    tracker.on_clause_end(("a", 0))
    tracker.on_settled(2.0)
    assert tracker.get("a").outcome == "failed"
    assert "limits" in tracker.get("a").reason


@pytest.mark.parametrize("begun", [False, True])
def test_a_cancelled_utterance_is_over_when_the_robot_is_at_rest(begun):
    tracker = tracker_of(blocks())
    if begun:
        perform(tracker, ("a", 0), 1.0, 1.5)
    tracker.on_abort(["a", "unknown"], "cancelled", "cancelled")
    tracker.on_command(None, 1.5)
    assert tracker.get("a").state == ("returning" if begun else "over")
    tracker.on_settled(2.0)
    assert tracker.get("a").outcome == "cancelled"
    # The same name again is another performance.
    tracker.on_block(blocks(due=5.0)[0], 4.0)
    assert tracker.get("a").state == "waiting"


def test_memory_is_bounded():
    tracker = UtteranceTracker()
    for index in range(1000):
        tracker.on_block(blocks(utterance_id=str(index))[0], 0.5)
    assert len(tracker.live) <= 256
    perform(tracker, ("0", 0), 1.0, 1.1)


def test_refused_utterances_do_not_displace_one_that_is_performed():
    tracker = tracker_of(blocks())
    perform(tracker, ("a", 0), 1.0, 1.2)
    for number in range(1000):
        tracker.on_block(nothing(utterance_id=f"refused {number}"), 1.2)
    assert tracker.get("a").state == "performing"
    assert tracker.get("refused 0") is None
    assert tracker.get("refused 999").outcome == "refused"
    for number in range(1000):  # the number under way is limited too
        tracker.on_block(blocks(utterance_id=f"waiting {number}")[0], 1.2)
    assert tracker.get("a") is None
