"""A motion written as BVH is the same motion when it is read again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from text2gesture_ros.errors import InputError
from text2gesture_ros.generation.generator import GestureGenerator
from text2gesture_ros.motion.formats import bvh, read_recording
from text2gesture_ros.motion.formats.bvh_export import _euler_angles, _shortest, save_motion
from text2gesture_ros.motion.formats.joint_tree import turned
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.skeleton import JOINTS, REFERENCE, bone_lengths, with_bone_lengths


def written(path, motion, monkeypatch):
    """Return the positions (T, K, 3) [m] that a BVH file of a motion holds, pelvis frame, and its rate."""
    save_motion(path, motion)
    with monkeypatch.context() as patch:  # the tree itself: a take would be turned to look ahead
        patch.setattr(bvh, "take_of", lambda tree, rate, *_: (tree, rate))
        tree, rate = bvh.read_bvh(path)
    _, positions = tree.pose()
    positions = positions[:, [tree.names.index(name) for name in JOINTS]]
    return (positions - positions[:, :1])[..., [2, 0, 1]] / 100.0, rate


@pytest.mark.parametrize("gesture", ["wave", "yay", "grabhead", "shrug"])
def test_a_gesture_is_written_as_it_is_and_read_as_a_recording(tmp_path, monkeypatch, gesture):
    motion = GestureGenerator("motion").generate(gesture, "positive", seed=2)
    positions, rate = written(tmp_path / "clip.bvh", motion, monkeypatch)
    assert rate == pytest.approx(motion.frame_rate)
    assert np.abs(positions - (motion.positions - motion.positions[:, :1])).max() < 1e-3
    assert len(read_recording(tmp_path / "clip.bvh").motion) == len(motion)


def test_bones_that_move_one_by_one_keep_their_direction_and_their_length(tmp_path, monkeypatch):
    steps = np.random.default_rng(0).normal(scale=0.02, size=(90, len(JOINTS), 3)).cumsum(axis=0)
    steps[:, 0] = 0.0
    positions = with_bone_lengths(REFERENCE + steps, bone_lengths(REFERENCE))
    found, _ = written(tmp_path / "clip.bvh", Motion(positions), monkeypatch)
    np.testing.assert_allclose(found, positions, atol=1e-4)
    text = (tmp_path / "clip.bvh").read_text()
    assert text.count("JOINT ") == len(JOINTS) - 1
    assert "Frames: 90\nFrame Time: 0.016666667\n" in text
    first_line = np.array(text.partition("0.016666667\n")[2].split("\n")[0].split(), dtype=float)
    assert first_line[1] == pytest.approx(96.0, abs=5.0)  # the pelvis is that high above the ground [cm]


@given(seed=st.integers(0, 10_000), opposite=st.booleans())
def test_rotations_are_what_they_are_called(seed, opposite):
    random = np.random.default_rng(seed)
    one = random.normal(size=(4, 3))
    other = -one if opposite else random.normal(size=(4, 3))
    turns = _shortest(one, other)
    np.testing.assert_allclose(turns @ turns.swapaxes(1, 2), np.tile(np.eye(3), (4, 1, 1)), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(turns), 1.0)
    unit = other / np.linalg.norm(other, axis=1, keepdims=True)
    there = np.einsum("tij,tj->ti", turns, one / np.linalg.norm(one, axis=1, keepdims=True))
    np.testing.assert_allclose(there, unit, atol=1e-6)
    np.testing.assert_allclose(turned("zxy", np.radians(_euler_angles(turns))), turns, atol=1e-7)


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"\.npz or \.bvh"):
        save_motion(tmp_path / "clip.fbx", Motion(REFERENCE[None]))
