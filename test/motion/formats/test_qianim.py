"""Pepper's animations: Bezier keys, and a human whose limbs point as Pepper's do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from text2gesture_ros.errors import InputError
from text2gesture_ros.motion.formats import read_recording
from text2gesture_ros.motion.formats.qianim import _sampled, human_of
from text2gesture_ros.retargeting.executor import retarget_motion
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.skeleton import INDEX, REFERENCE, bone_lengths

ROBOT = load_robot("pepper")
HIPS = ("HipRoll", "HipPitch", "KneePitch")


def curve(name, keys, unit="degree", fps=25):
    inner = "".join(f'<Key frame="{frame}" value="{value}"/>' for frame, value in keys)
    return f'<ActuatorCurve actuator="{name}" unit="{unit}" fps="{fps}">{inner}</ActuatorCurve>'


def write(path, *curves):
    path.write_text(f'<?xml version="1.0"?><Animation>{"".join(curves)}</Animation>')
    return path


def test_a_raised_right_arm_is_the_right_one_and_up(tmp_path):
    up = [curve("RShoulderPitch", [(0, -85), (50, -85)]), curve("RElbowRoll", [(0, 1)])]
    recording = read_recording(write(tmp_path / "a.qianim", *up, curve("RHand", [(0, 1)], "dimensionless")))
    positions = recording.motion.positions[-1]
    assert positions[INDEX["right_hand"], 2] > REFERENCE[INDEX["head"], 2]
    assert positions[INDEX["right_shoulder"], 1] < 0 < positions[INDEX["left_shoulder"], 1]
    assert positions[INDEX["left_hand"], 2] < REFERENCE[INDEX["chest"], 2]
    assert (recording.unmapped, recording.filled, len(recording.motion)) == (("RHand",), (), 121)
    np.testing.assert_allclose(bone_lengths(positions), bone_lengths(REFERENCE), atol=1e-4)


def test_head_and_trunk_turn_the_way_pepper_does(tmp_path):
    def nose(*curves):
        body = read_recording(
            write(tmp_path / "a.qianim", curve("HeadPitch", [(0, 0)]), *curves)
        ).motion.positions[-1]
        return body[INDEX["nose"]] - body[INDEX["head"]], body[INDEX["neck"]]

    (ahead, neck), (left, _) = nose(), nose(curve("HeadYaw", [(0, 40)]))
    assert left[1] > ahead[1] + 0.05  # positive yaw: to the left
    (_, leaning), (_, aside) = nose(curve("HipPitch", [(0, -30)])), nose(curve("HipRoll", [(0, -10)]))
    assert leaning[0] > neck[0] + 0.1  # negative hip pitch: the trunk goes forwards
    assert abs(aside[1]) > 0.05


@given(seed=st.integers(0, 1000))
def test_the_arms_point_as_peppers_do(seed):
    angles = np.random.default_rng(seed).uniform(ROBOT.lower, ROBOT.upper)
    body = human_of(
        ROBOT,
        {**dict(zip(ROBOT.joint_names, angles[:, None], strict=False)), **dict.fromkeys(HIPS, np.zeros(1))},
    )[0]
    for name, direction in ROBOT.bone_directions(angles).items():
        ends = {"upper_arm": ("shoulder", "elbow"), "forearm": ("elbow", "wrist")}
        side, _, bone = name.partition("_")
        if bone not in ends:
            continue
        start, end = (INDEX[f"{side}_{joint}"] for joint in ends[bone])
        vector = body[end] - body[start]
        np.testing.assert_allclose(vector / np.linalg.norm(vector), direction, atol=1e-9)


def test_retargeted_to_pepper_it_is_the_animation_again(tmp_path):
    angles = {"LShoulderPitch": 20, "LShoulderRoll": 25, "LElbowYaw": -60, "LElbowRoll": -50, "HeadYaw": 0}
    path = write(tmp_path / "a.qianim", *(curve(name, [(0, v), (75, v)]) for name, v in angles.items()))
    motion = read_recording(path).motion
    _, found = retarget_motion(ROBOT, motion, 50.0)
    middle = dict(zip(ROBOT.joint_names, np.degrees(found[len(found) // 2]), strict=False))
    for name in ("LShoulderPitch", "LShoulderRoll", "LElbowYaw", "LElbowRoll"):
        assert middle[name] == pytest.approx(angles[name], abs=6.0)


KEYS = np.array([[0.0, 0.0, 0, 0, 0.1, 0.0], [1.0, 2.0, -0.1, 0.0, 0.2, 0.4], [1.5, -1.0, -0.3, 0.0, 0, 0]])


def test_a_curve_passes_its_keys_and_holds_outside():
    np.testing.assert_allclose(_sampled(KEYS, np.array([-1, 0, 1, 1.5, 9])), [0, 0, 2, -1, -1], atol=1e-6)


@given(st.floats(0, 0.99))
def test_a_flat_curve_stays_between_its_keys(time):
    assert -1e-9 <= _sampled(KEYS, np.array([time]))[0] <= 2 + 1e-9


def test_tangents_of_a_third_make_the_cubic_of_hermite():
    # Inner points at thirds in time make the time linear in the parameter: Bezier's polynomial is exact.
    keys = np.array([[0, 0, 0, 0, 1 / 3, 1.0], [1.0, 2.0, -1 / 3, -0.5, 0, 0]])
    t = np.linspace(0, 1, 11)
    expected = 3 * (1 - t) ** 2 * t * 1.0 + 3 * (1 - t) * t**2 * 1.5 + t**3 * 2.0
    np.testing.assert_allclose(_sampled(keys, t), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<Animation>", "no readable XML.*line 1"),
        ("<Animation/>", "no key for an arm or the head"),
        (f"<A>{curve('HeadYaw', [(5, 1), (5, 2)])}</A>", "frames must be"),
        (f"<A>{curve('HeadYaw', [(0, 'up')])}</A>", "HeadYaw.*key 0.*not numbers"),
        (f"<A>{curve('HeadYaw', [(0, 1)], unit='turns')}</A>", "unit 'turns'"),
        (f"<A>{curve('HeadYaw', [(0, 1)], fps=0)}</A>", "fps"),
        (f"<A>{curve('HeadYaw', [(0, 1), (1e9, 2)])}</A>", "s long"),
        (f"<A>{2 * curve('HeadYaw', [(0, 1)])}</A>", "two curves"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, text, said):
    path = tmp_path / "a.qianim"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_recording(path)
