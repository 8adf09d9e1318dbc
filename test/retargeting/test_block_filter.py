"""Blocks that continue the latest clause, or begin another, are admitted; others are rejected and counted."""

from robot_cases import blocks_of, end_of

from text2gesture_ros.retargeting.block_filter import BlockFilter
from text2gesture_ros.skeleton import REFERENCE

BODY = REFERENCE[None].repeat(48, axis=0)  # six blocks, 0.8 s


def test_the_same_clause_with_a_later_beginning_is_a_new_performance():
    block_filter = BlockFilter()
    first, again = blocks_of(BODY, 1.0), blocks_of(BODY, 1.3)
    assert {block_filter.admits(block, 0.9) for block in first[:3]} == {"accepted"}
    assert [block_filter.admits(block, 1.2) for block in again] == ["accepted"] * len(again)
    assert block_filter.admits(again[0], 1.2) == "duplicate"


def test_a_block_that_comes_twice_is_rejected():
    block_filter = BlockFilter()
    blocks = blocks_of(BODY, 1.0)
    for block in blocks:
        block_filter.admits(block, 0.9)
    assert [block_filter.admits(block, 1.0) for block in (blocks[0], blocks[3], blocks[-1])] == [
        *("duplicate", "out_of_order", "duplicate"),
    ]


def test_a_clause_that_was_ended_may_begin_anew_while_its_frames_are_still_due():
    block_filter = BlockFilter()
    blocks = blocks_of(BODY, 1.0)
    given = *blocks[:3], end_of(blocks[3]), blocks[4]
    assert [block_filter.admits(block, 0.9) for block in given] == [
        *(["accepted"] * 3),
        "empty",
        "out_of_order",
    ]
    assert block_filter.admits(blocks_of(BODY, 1.2)[0], 1.1) == "accepted"
