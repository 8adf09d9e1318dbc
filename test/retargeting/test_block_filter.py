"""Blocks that continue the gesture that began last, or begin another, are performed; others are counted."""

from robot_cases import blocks_of, end_of

from text2gesture_ros.retargeting.block_filter import BlockFilter
from text2gesture_ros.skeleton import REFERENCE

BODY = REFERENCE[None].repeat(48, axis=0)  # six blocks, 0.8 s


def test_a_name_said_again_in_mid_performance_begins_anew_and_is_not_picked_up_halfway():
    admission = BlockFilter()
    first, again = blocks_of(BODY, 1.0), blocks_of(BODY, 1.3)
    assert {admission.admits(block, 0.9) for block in first[:3]} == {"accepted"}
    assert [admission.admits(block, 1.2) for block in again] == ["accepted"] * len(again)
    assert admission.admits(again[0], 1.2) == "duplicate"


def test_a_block_that_comes_twice_is_no_new_performance():
    admission = BlockFilter()
    blocks = blocks_of(BODY, 1.0)
    for block in blocks:
        admission.admits(block, 0.9)
    assert [admission.admits(block, 1.0) for block in (blocks[0], blocks[3], blocks[-1])] == [
        *("duplicate", "out_of_order", "duplicate"),
    ]


def test_what_was_ended_may_begin_anew_though_its_frames_are_still_due():
    admission = BlockFilter()
    blocks = blocks_of(BODY, 1.0)
    given = *blocks[:3], end_of(blocks[3]), blocks[4]
    assert [admission.admits(block, 0.9) for block in given] == [
        *(["accepted"] * 3),
        "empty",
        "out_of_order",
    ]
    assert admission.admits(blocks_of(BODY, 1.2)[0], 1.1) == "accepted"
