"""Laws of Motion and FrameBlock."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from text2gesture_ros.errors import InputError
from text2gesture_ros.motion import FrameBlock, Motion, load_motion
from text2gesture_ros.skeleton import JOINTS, REFERENCE


def moving(frames: int = 30, rate: float = 60.0) -> Motion:
    time = np.arange(frames)[:, None, None] / rate
    return Motion(REFERENCE + 0.1 * time, rate, "wave", "positive")


def block(**changes) -> FrameBlock:
    motion = moving(6)
    good = FrameBlock("u1", "wave", "positive", 0, 0, 60.0, 10.0, motion.positions, np.zeros(6), False)
    return dataclasses.replace(good, **changes)


def test_saved_and_loaded_is_identical(tmp_path):
    motion = moving()
    motion.save(tmp_path / "a.npz")
    loaded = load_motion(tmp_path / "a.npz")
    np.testing.assert_array_equal(loaded.positions, motion.positions)
    assert (loaded.frame_rate, loaded.gesture, loaded.emotion) == (60.0, "wave", "positive")


def test_loading_matches_joints_by_name(tmp_path):
    motion = moving()
    np.savez(tmp_path / "r.npz", positions=motion.positions[:, ::-1], joints=np.array(JOINTS[::-1]), fps=60.0)
    np.testing.assert_array_equal(load_motion(tmp_path / "r.npz").positions, motion.positions)


@given(st.floats(5.0, 240.0), st.integers(1, 50))
def test_resampling_a_straight_line_stays_on_it(rate, frames):
    motion = moving(frames)
    resampled = motion.resampled(rate)
    time = np.arange(len(resampled))[:, None, None] / rate
    np.testing.assert_allclose(resampled.positions, REFERENCE + 0.1 * time, atol=1e-5)
    assert time[-1] <= (frames - 1) / 60.0 + 1e-6


def test_mirrored_twice_and_joined():
    motion = moving()
    np.testing.assert_allclose(motion.mirrored().mirrored().positions, motion.positions)
    assert len(motion.joined(moving(60, 120.0))) == 60
    assert motion.duration == pytest.approx(0.5)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04broken"])
def test_a_file_that_is_no_motion_is_named(tmp_path, content):
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.npz"):
        load_motion(path)


def test_pickles_are_not_read(tmp_path):
    np.savez(
        tmp_path / "evil.npz", positions=np.array([{"a": 1}], dtype=object), joints=np.array(JOINTS), fps=60
    )
    with pytest.raises(InputError, match=r"evil\.npz"):
        load_motion(tmp_path / "evil.npz")


def test_missing_keys_are_named(tmp_path):
    np.savez(tmp_path / "k.npz", positions=moving().positions)
    with pytest.raises(InputError, match="joints, fps"):
        load_motion(tmp_path / "k.npz")


@pytest.mark.parametrize("rate", [0.0, -1.0, 2000.0, float("nan")])
def test_frame_rate_is_bounded(rate):
    with pytest.raises(InputError, match="frame_rate"):
        Motion(REFERENCE[None], rate)


def test_a_motion_without_frames_is_refused():
    with pytest.raises(InputError, match="T >= 1"):
        Motion(np.zeros((0, 21, 3)))


def test_block_ends_one_frame_before_the_next_begins():
    first = block()
    second = block(sequence=1, first_frame=6, due=first.due + 6 / 60)
    assert second.due - first.end == pytest.approx(1 / 60)


@pytest.mark.parametrize(
    "changes",
    [
        {"stop_probabilities": np.zeros(5)},
        {"stop_probabilities": np.full(6, 1.5)},
        {"stop_probabilities": np.full(6, np.nan)},
        {"due": float("inf")},
        {"positions": np.full((6, 21, 3), np.nan)},
        {"positions": np.zeros((6, 20, 3))},
        {"frame_rate": 0.0},
    ],
)
def test_a_block_that_makes_no_sense_is_refused(changes):
    with pytest.raises(InputError):
        block(**changes)
