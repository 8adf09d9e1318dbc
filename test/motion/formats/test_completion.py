"""Filling: what is there stays, what is missing follows the body."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from text2gesture_ros.errors import InputError
from text2gesture_ros.motion.formats.completion import fill, missing_joints
from text2gesture_ros.motion.formats.normalisation import yaw_rotation
from text2gesture_ros.skeleton import BONES, INDEX, JOINTS, MIRROR, REFERENCE, bone_lengths, mirror

WAVE = np.repeat(REFERENCE[None], 30, axis=0)
WAVE[:, INDEX["right_elbow"]] = REFERENCE[INDEX["right_shoulder"]] + [0.05, -0.2, -0.21]
SWING = np.linspace(-0.5, 0.5, 30)[:, None]
FOREARM = np.concatenate([0.1 + 0 * SWING, np.sin(SWING), np.cos(SWING)], axis=1)
for joint, reach in (("wrist", 0.26), ("hand", 0.35), ("thumb", 0.33)):
    WAVE[:, INDEX[f"right_{joint}"]] = WAVE[:, INDEX["right_elbow"]] + reach * FOREARM
# A trunk or a limb must be left, to tell the size by.
CORE = {"pelvis", "neck", "left_shoulder", "right_shoulder"}
dropped = st.sets(st.sampled_from([name for name in JOINTS if name not in CORE]))


def without(positions, drop):
    names = [name for name in JOINTS if name not in drop]
    return positions[:, [INDEX[name] for name in names]], names


@given(drop=dropped)
@settings(max_examples=60, deadline=None)
def test_given_joints_stay_as_they_are(drop):
    kept, names = without(WAVE, drop)
    filled = fill(kept, names)
    np.testing.assert_array_equal(without(filled, drop)[0], kept)
    assert np.isfinite(filled).all()
    assert set(missing_joints(names)) == set(drop)


@given(drop=dropped)
@settings(max_examples=60, deadline=None)
def test_a_body_at_rest_comes_back_whole(drop):
    kept, names = without(REFERENCE[None], drop)
    # A joint between two others is put where it bends least unnaturally, which is not exactly where it was.
    assert np.abs(fill(kept, names) - REFERENCE).max() < 0.06


@given(drop=dropped, size=st.floats(0.5, 1.5), yaw=st.floats(-3, 3))
@settings(max_examples=40, deadline=None)
def test_it_follows_size_and_yaw(drop, size, yaw):
    kept, names = without(WAVE, drop)
    turn = size * yaw_rotation(yaw).T
    np.testing.assert_allclose(fill(kept @ turn, names), fill(kept, names) @ turn, atol=1e-6)


@given(drop=dropped)
@settings(max_examples=40, deadline=None)
def test_left_and_right_are_filled_alike(drop):
    kept, names = without(WAVE, drop)
    other = {JOINTS[MIRROR[INDEX[name]]] for name in drop}
    np.testing.assert_allclose(fill(*without(mirror(WAVE), other)), mirror(fill(kept, names)), atol=1e-6)


@given(drop=dropped)
@settings(max_examples=40, deadline=None)
def test_filled_joints_move_smoothly(drop):
    filled = fill(*without(WAVE, drop))
    assert np.linalg.norm(np.diff(filled, axis=0), axis=-1).max() < 0.05


def test_arms_nobody_saw_hang_and_legs_stand():
    filled = fill(*without(WAVE, [n for n in JOINTS if n not in (*CORE, "chest", "head", "nose")]))
    for side in ("left", "right"):
        for top, bottom in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle")):
            bone = filled[:, INDEX[f"{side}_{bottom}"]] - filled[:, INDEX[f"{side}_{top}"]]
            assert (bone[:, 2] < -0.9 * np.linalg.norm(bone, axis=1)).all()


def test_a_thumb_and_a_hand_lie_along_the_forearm():
    filled = fill(*without(WAVE, {"right_hand", "right_thumb"}))
    forearm = filled[:, INDEX["right_wrist"]] - filled[:, INDEX["right_elbow"]]
    for joint in ("right_hand", "right_thumb"):
        bone = filled[:, INDEX[joint]] - filled[:, INDEX["right_wrist"]]
        cosine = np.einsum("ti,ti->t", bone, forearm)
        assert (cosine > 0.6 * np.linalg.norm(bone, axis=1) * np.linalg.norm(forearm, axis=1)).all()


def test_the_nose_looks_where_the_shoulders_look_and_down_with_the_neck():
    bent = REFERENCE.copy()
    bent[INDEX["head"]] += [0.06, 0.0, -0.03]
    nose = fill(*without(np.stack([REFERENCE, bent]), {"nose"}))[:, INDEX["nose"]]
    assert nose[1, 2] - bent[INDEX["head"], 2] < nose[0, 2] - REFERENCE[INDEX["head"], 2] - 0.02


def test_an_elbow_between_keeps_the_lengths_of_the_arm():
    filled = fill(*without(WAVE, {"right_elbow"}))
    bones = [index for index, ends in enumerate(BONES) if INDEX["right_elbow"] in ends]
    whole, found = bone_lengths(WAVE), bone_lengths(filled)
    assert np.abs(found[:, bones] - whole[:, bones]).max() < 0.05


def test_a_stiff_limb_is_straight():
    arm = np.repeat(REFERENCE[None], 20, axis=0)
    turn = np.linspace(0, 2, 20)
    reach = 0.3 * np.stack([np.sin(turn), 0 * turn, -np.cos(turn)], axis=1)
    arm[:, INDEX["left_wrist"]] = arm[:, INDEX["left_shoulder"]] + reach
    filled = fill(*without(arm, {"left_elbow", "left_hand", "left_thumb"}))
    upper = filled[:, INDEX["left_elbow"]] - filled[:, INDEX["left_shoulder"]]
    np.testing.assert_allclose(np.cross(upper, reach), 0.0, atol=1e-3)


@pytest.mark.parametrize("names", [["pelvis", "tail"], ["pelvis", "pelvis"]])
def test_unknown_or_doubled_joints_are_refused(names):
    with pytest.raises(InputError, match="unknown or given twice"):
        fill(np.zeros((1, 2, 3)), names)
    with pytest.raises(InputError, match="must be"):
        fill(np.zeros((1, 3, 3)), ["pelvis", "neck"])
    with pytest.raises(InputError, match="no trunk and no limb"):
        fill(np.zeros((1, 2, 3)), ["left_hand", "left_thumb"])
