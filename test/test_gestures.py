"""What gestures need of a robot."""

import pytest

from text2gesture_ros.gestures import ALL_GROUPS, NEEDS, UNKNOWN_NEEDS, mirrored, needs_of
from text2gesture_ros.labels import GESTURES


def test_every_gesture_says_what_it_needs():
    assert set(NEEDS) == set(GESTURES)
    for needs in NEEDS.values():
        assert needs.groups
        assert needs.groups <= ALL_GROUPS
        assert needs.hand_opening is None or 0.0 <= needs.hand_opening <= 1.0


def test_a_motion_without_a_known_label_needs_everything_but_hands():
    assert needs_of("no such gesture") is needs_of("") is UNKNOWN_NEEDS
    assert (UNKNOWN_NEEDS.groups, UNKNOWN_NEEDS.hand_opening) == (ALL_GROUPS, None)


@pytest.mark.parametrize("gesture", GESTURES)
def test_a_mirrored_gesture_needs_the_other_arm(gesture):
    groups = needs_of(gesture).groups
    assert mirrored(mirrored(groups)) == groups
    assert ("left_arm" in mirrored(groups)) == ("right_arm" in groups)
    assert mirrored(groups) - {"left_arm", "right_arm"} == groups - {"left_arm", "right_arm"}
