"""Laws of the skeleton."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from text2gesture_ros import skeleton
from text2gesture_ros.errors import InputError

K = len(skeleton.JOINTS)


def poses(seed: int, count: int = 4) -> np.ndarray:
    return skeleton.REFERENCE + np.random.default_rng(seed).normal(0, 0.05, (count, K, 3))


def test_tree_has_21_joints_and_parents_come_first():
    assert K == len(set(skeleton.JOINTS)) == 21
    assert skeleton.PARENTS[0] == -1
    assert all(0 <= parent < child for child, parent in enumerate(skeleton.PARENTS) if child)


def test_reference_is_symmetric_and_faces_forward():
    np.testing.assert_allclose(skeleton.mirror(skeleton.REFERENCE), skeleton.REFERENCE)
    nose, head = (skeleton.REFERENCE[skeleton.INDEX[name]] for name in ("nose", "head"))
    assert nose[0] > head[0]


@given(st.integers(0, 1000))
def test_mirror_twice_is_identity_and_keeps_bones_of_the_other_side(seed):
    positions = poses(seed)
    mirrored = skeleton.mirror(positions)
    np.testing.assert_allclose(skeleton.mirror(mirrored), positions)
    left = [i for i, (_, child) in enumerate(skeleton.BONES) if skeleton.JOINTS[child].startswith("left_")]
    right = [skeleton.BONES.index(tuple(skeleton.MIRROR[e] for e in skeleton.BONES[i])) for i in left]
    np.testing.assert_allclose(
        skeleton.bone_lengths(positions)[:, left], skeleton.bone_lengths(mirrored)[:, right]
    )


@given(st.integers(0, 1000), st.floats(0.5, 2.0))
def test_with_bone_lengths_sets_lengths_and_keeps_directions(seed, factor):
    positions = poses(seed)
    lengths = factor * skeleton.bone_lengths(skeleton.REFERENCE)
    result = skeleton.with_bone_lengths(positions, lengths)
    np.testing.assert_allclose(skeleton.bone_lengths(result), np.tile(lengths, (4, 1)), atol=1e-9)
    for parent, child in skeleton.BONES:
        before, after = (p[:, child] - p[:, parent] for p in (positions, result))
        cosine = (before * after).sum(-1) / np.linalg.norm(before, axis=-1) / np.linalg.norm(after, axis=-1)
        np.testing.assert_allclose(cosine, 1.0, atol=1e-9)


def test_with_bone_lengths_survives_joints_in_one_point():
    lengths = skeleton.bone_lengths(skeleton.REFERENCE)
    result = skeleton.with_bone_lengths(np.zeros((K, 3)), lengths)
    np.testing.assert_allclose(skeleton.bone_lengths(result), lengths)


@pytest.mark.parametrize("value", [np.nan, np.inf, 100.0])
def test_check_positions_names_the_joint(value):
    positions = skeleton.REFERENCE.copy()
    positions[skeleton.INDEX["left_wrist"], 1] = value
    with pytest.raises(InputError, match=r"clip\.npz: .*left_wrist"):
        skeleton.check_positions(positions, "clip.npz")


def test_check_positions_refuses_wrong_shapes():
    with pytest.raises(InputError, match="21, 3"):
        skeleton.check_positions(np.zeros((4, 20, 3)), "topic")


def test_joints_are_matched_by_name():
    shuffled = list(reversed(skeleton.JOINTS))
    order = skeleton.order_joints(shuffled, "file")
    assert [shuffled[i] for i in order] == list(skeleton.JOINTS)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (skeleton.JOINTS[1:], "missing: pelvis"),
        ((*skeleton.JOINTS, "tail"), "unknown joint 'tail'"),
        ((*skeleton.JOINTS, "nose"), "each once"),
    ],
)
def test_wrong_joint_names_are_refused(names, message):
    with pytest.raises(InputError, match=message):
        skeleton.order_joints(names, "file")


@given(st.integers(0, 1000), st.floats(0.0, 1.0))
def test_between_two_poses_bones_turn_and_their_lengths_go_from_one_to_the_other(seed, weight):
    one, other = poses(seed, 2)[:, None]
    share = np.full((1, 1, 1), weight)
    mixed = skeleton.interpolated(one, other, share)
    lengths = (1.0 - weight) * skeleton.bone_lengths(one) + weight * skeleton.bone_lengths(other)
    np.testing.assert_allclose(skeleton.bone_lengths(mixed), lengths, atol=1e-9)
    np.testing.assert_allclose(skeleton.interpolated(other, one, 1.0 - share), mixed, atol=1e-9)
    np.testing.assert_allclose(skeleton.interpolated(one, other, 0.0 * share), one, atol=1e-9)
