"""Replays and demos on one machine do not meet."""

from domain_coordinator import domain_id

from text2gesture_ros.ros.graph_client import own_domain


def test_a_domain_is_claimed_by_one_at_a_time_and_free_again_afterwards():
    with own_domain() as one, own_domain() as other, domain_id() as of_ros:
        assert len({one, other, of_ros}) == 3
    with domain_id(lambda: one) as again:
        assert again == one
