import numpy as np
import pytest
import yaml

from text2gesture_ros.hands import OPENINGS, with_hands
from text2gesture_ros.labels import GESTURES
from text2gesture_ros.motion import Motion
from text2gesture_ros.performing import retarget_motion
from text2gesture_ros.robot import load_robot
from text2gesture_ros.skeleton import INDEX, REFERENCE
from text2gesture_ros.verification import verify


@pytest.fixture(scope="module")
def robot(root, tmp_path_factory):
    data = yaml.safe_load((root / "config/robots/pepper.yaml").read_text())
    hand = {"open": 0.98, "closed": 0.02, "velocity": 4.0, "acceleration": 25.0, "jerk": 1000.0}
    data["hands"] = {f"{side}_hand": {"name": f"{side[0].upper()}Hand", **hand} for side in ("left", "right")}
    data["rest"] |= {"LHand": 0.5, "RHand": 0.5}
    path = tmp_path_factory.mktemp("robot") / "pepper.yaml"
    path.write_text(yaml.safe_dump(data))
    return load_robot(str(path))


@pytest.mark.parametrize("gesture", [*GESTURES, "dance", ""])
def test_a_hand_goes_with_its_arm_and_stays_within_its_limits(robot, gesture):
    generator = np.random.default_rng(0)
    angles = generator.uniform(robot.lower, robot.upper, (50, len(robot.rest)))
    left = list(robot.groups["left_arm"])
    angles[:, [hand.joint for hand in robot.hands.values()]] = 0.5
    angles[:, left] = robot.rest[left]
    found = with_hands(robot, angles, gesture)
    hands = [robot.hands[name].joint for name in ("left_hand", "right_hand")]
    others = np.delete(np.arange(len(robot.rest)), hands)
    np.testing.assert_array_equal(found[:, others], angles[:, others])
    assert (found[:, hands[0]] == 0.5).all()  # its arm is at rest
    assert ((found >= robot.lower - 1e-12) & (found <= robot.upper + 1e-12)).all()
    if gesture not in OPENINGS:
        np.testing.assert_array_equal(found, angles)


@pytest.mark.parametrize(("gesture", "end"), [("wave", 0.98), ("thumbsup", 0.02), ("neutral", 0.5)])
def test_the_hand_that_gestures_opens_or_closes_within_the_limits_and_comes_back(robot, gesture, end):
    positions = np.repeat(REFERENCE[None], 120, axis=0).astype(np.float32)
    lift = np.sin(np.pi * np.linspace(0.0, 1.0, 120)) * 0.4
    for joint, share in (("elbow", 0.3), ("wrist", 1.0), ("hand", 1.2), ("thumb", 1.1)):
        positions[:, INDEX[f"right_{joint}"], 2] += share * lift
        positions[:, INDEX[f"right_{joint}"], 0] += 0.5 * share * lift
    times, angles = retarget_motion(robot, Motion(positions, gesture=gesture))
    hand = angles[:, robot.hands["right_hand"].joint]
    assert abs(hand[np.abs(hand - 0.5).argmax()] - end) < 0.02
    assert abs(hand[-1] - 0.5) < 1e-6
    assert not verify(robot, times, angles).violations
