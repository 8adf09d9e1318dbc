"""Laws of Motion and FrameBlock."""

import dataclasses
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from text2gesture_ros.errors import InputError
from text2gesture_ros.motion.frame_block import ClauseHeader, FrameBlock
from text2gesture_ros.motion.motion import Motion, load_motion
from text2gesture_ros.skeleton import JOINTS, REFERENCE


def moving(frames: int = 30, rate: float = 60.0) -> Motion:
    time = np.arange(frames)[:, None, None] / rate
    return Motion(REFERENCE + 0.1 * time, rate, "wave", "positive")


def block(**changes) -> FrameBlock:
    motion = moving(6)
    good = FrameBlock(ClauseHeader("u1"), 0, 0, 60.0, 10.0, motion.positions, np.zeros(6), False)
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
    np.testing.assert_allclose(resampled.positions, REFERENCE + 0.1 * time, atol=2e-3)
    assert (resampled.frame_rate, resampled.gesture) == (rate, "wave")
    assert time[-1] <= (frames - 1) / 60.0 + 1e-6


def test_a_mirror_image_in_a_mirror_is_the_motion():
    motion = moving()
    np.testing.assert_allclose(motion.mirrored().mirrored().positions, motion.positions)
    assert motion.duration == pytest.approx(0.5)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04broken"])
def test_a_file_that_is_no_motion_is_named(tmp_path, content):
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.npz"):
        load_motion(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@given(st.randoms(use_true_random=False))
def test_a_damaged_file_is_read_or_refused(tmp_path_factory, save, random):
    path = tmp_path_factory.mktemp("damaged") / "bad.npz"
    motion = moving(3)
    save(path, positions=motion.positions, joints=np.array(JOINTS), fps=60.0, label=np.array("wave"))
    data = bytearray(path.read_bytes())
    for _ in range(random.randint(1, 4)):
        data[random.randrange(len(data))] = random.randrange(256)
    path.write_bytes(data[: random.choice([len(data), random.randrange(len(data))])])
    refusal = ""
    try:
        load_motion(path)
    except InputError as error:
        refusal = str(error)
    assert not refusal or refusal.startswith(f"{path}: ")


def test_an_array_renamed_to_an_archive_is_refused(tmp_path):
    with (tmp_path / "array.npz").open("wb") as file:
        np.save(file, moving().positions)
    with pytest.raises(InputError, match=r"array\.npz: no motion file"):
        load_motion(tmp_path / "array.npz")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fps", np.full(3, 60.0)),
        ("fps", "sixty"),
        ("joints", "pelvis"),
        ("joints", np.arange(21)),
        ("positions", 0.0),
        ("positions", np.full((2, 21, 3), "x")),
        ("positions", np.zeros((2, 20, 3))),
        ("label", np.array(["a", "b"])),
        ("emotion", 7),
    ],
)
def test_an_array_of_another_form_is_named(tmp_path, key, value):
    good = {"positions": moving().positions, "joints": np.array(JOINTS), "fps": 60.0}
    np.savez(tmp_path / "form.npz", **{**good, key: value})
    with pytest.raises(InputError, match=rf"form\.npz: .*{key}"):
        load_motion(tmp_path / "form.npz")


def test_a_member_that_is_no_array_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "text.npz", "w") as archive:
        for key in ("positions", "joints", "fps"):
            archive.writestr(key, b"some text")
    with pytest.raises(InputError, match=r"text\.npz: positions"):
        load_motion(tmp_path / "text.npz")


def test_what_unpacks_to_too_much_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.npy", "w") as member:
        for _ in range(257):
            member.write(bytes(2**20))
    assert path.stat().st_size < 2**20
    with pytest.raises(InputError, match=r"bomb\.npz: unpacked it is larger than 256 MB"):
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
        {"positions": np.zeros((0, 21, 3)), "stop_probabilities": np.zeros(0)},
        {"frame_rate": 0.0},
    ],
)
def test_a_block_that_makes_no_sense_is_refused(changes):
    with pytest.raises(InputError):
        block(**changes)
