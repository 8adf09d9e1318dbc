import numpy as np
import pytest
from robot_cases import ROBOTS, name_of

from text2gesture_ros.control.verification import verify
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.retargeting.executor import retarget_motion
from text2gesture_ros.retargeting.hands import opening_of, with_hands
from text2gesture_ros.skeleton import INDEX, REFERENCE

HANDED = [robot for robot in ROBOTS if robot.hands]
pytestmark = pytest.mark.parametrize("robot", HANDED, ids=name_of)


@pytest.mark.parametrize("opening", [None, 0.0, 0.3, 1.0])
def test_a_hand_opens_with_its_arm_and_stays_within_its_limits(robot, opening):
    generator = np.random.default_rng(0)
    angles = generator.uniform(robot.lower, robot.upper, (50, len(robot.rest)))
    left = list(robot.groups["left_arm"])
    hands = [robot.hands[name].joint for name in ("left_hand", "right_hand")]
    angles[:, hands] = robot.rest[hands]
    angles[:, left] = robot.rest[left]
    found = with_hands(robot, angles, opening)
    others = np.delete(np.arange(len(robot.rest)), hands)
    np.testing.assert_array_equal(found[:, others], angles[:, others])
    assert (found[:, hands[0]] == robot.rest[hands[0]]).all()  # its arm is at rest
    assert ((found >= robot.lower - 1e-12) & (found <= robot.upper + 1e-12)).all()
    if opening is None:
        np.testing.assert_array_equal(found, angles)


@pytest.mark.parametrize("gesture", ["wave", "thumbsup", "neutral"])
def test_the_hand_that_gestures_opens_or_closes_within_the_limits_and_comes_back(robot, gesture):
    positions = np.repeat(REFERENCE[None], 120, axis=0).astype(np.float32)
    lift = np.sin(np.pi * np.linspace(0.0, 1.0, 120)) * 0.4
    for joint, share in (("elbow", 0.3), ("wrist", 1.0), ("hand", 1.2), ("thumb", 1.1)):
        positions[:, INDEX[f"right_{joint}"], 2] += share * lift
        positions[:, INDEX[f"right_{joint}"], 0] += 0.5 * share * lift
    times, angles = retarget_motion(robot, Motion(positions, gesture=gesture))
    hand = robot.hands["right_hand"]
    rest, course = robot.rest[hand.joint], angles[:, hand.joint]
    end = {"wave": hand.open, "thumbsup": hand.closed, "neutral": rest}[gesture]
    assert abs(course[np.abs(course - rest).argmax()] - end) < 0.02 * abs(hand.open - hand.closed)
    assert abs(course[-1] - rest) < 1e-6
    assert not verify(robot, times, angles).violations


@pytest.mark.parametrize("opening", [None, 0.0, 0.6, 1.0])
def test_the_opening_of_a_motion_is_told_from_its_hands(robot, opening):
    raised = np.tile(robot.rest, (20, 1))
    raised[:, list(robot.arms["left_arm"].joints)] += np.linspace(0.0, 0.6, 20)[:, None]
    wanted = with_hands(robot, raised, opening)
    again = with_hands(robot, raised, opening_of(robot, wanted))
    for hand in robot.hands.values():
        off = np.abs(again - wanted)[:, hand.joint].max()
        assert off <= 0.1 * abs(hand.open - hand.closed)
    assert opening is not None or opening_of(robot, wanted) is None
