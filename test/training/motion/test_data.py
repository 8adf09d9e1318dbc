import numpy as np
import pytest
import torch

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.labels import EMOTIONS, GESTURES
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.skeleton import INDEX, REFERENCE, bone_lengths
from text2gesture_ros.training.motion.data import (
    MotionClips,
    Normalisation,
    acts_left,
    furthest_step,
    padded,
    shortened,
    split,
)
from text2gesture_ros.training.studio.synthesis import dataset


@pytest.fixture(scope="module")
def clips() -> list[Motion]:
    return dataset(0, 4)


@pytest.fixture(scope="module")
def normalisation(clips: list[Motion]) -> Normalisation:
    return Normalisation.of(clips)


def test_all_clips_come_out_on_one_body(clips: list[Motion], normalisation: Normalisation) -> None:
    for clip in clips:
        positions = normalisation.positions(normalisation.normalised(clip))
        lengths = bone_lengths(positions)
        np.testing.assert_allclose(
            lengths, np.broadcast_to(normalisation.bone_lengths, lengths.shape), atol=1e-5
        )


def test_a_clip_of_the_mean_body_survives(clips: list[Motion], normalisation: Normalisation) -> None:
    positions = normalisation.positions(normalisation.normalised(clips[0]))
    again = normalisation.positions(normalisation.normalised(Motion(positions)))
    np.testing.assert_allclose(again, positions, atol=1e-5)


def test_normalised_coordinates_have_mean_zero_and_at_most_deviation_one(
    clips: list[Motion], normalisation: Normalisation
) -> None:
    images = [*clips, *(clip.mirrored() for clip in clips)]
    frames = np.concatenate([normalisation.normalised(clip) for clip in images]).astype(np.float64)
    np.testing.assert_allclose(frames.mean(axis=0), 0.0, atol=1e-3)
    assert (frames.std(axis=0) <= 1.0 + 1e-3).all()
    assert frames.std(axis=0).max() > 0.99


def test_the_split_takes_the_same_share_of_every_gesture(clips: list[Motion]) -> None:
    training, held_out = split(clips, 0.25)
    assert len(training) + len(held_out) == len(clips)
    for gesture in GESTURES:
        assert sum(clip.gesture == gesture for clip in held_out) == 1
    assert not {id(clip) for clip in training} & {id(clip) for clip in held_out}


def test_the_furthest_step_is_that_of_all_but_the_fastest_clips(normalisation: Normalisation) -> None:
    calm, fast = (np.repeat(REFERENCE[None], 3, axis=0) for _ in range(2))
    for clip, way in ((calm, 0.01), (fast, 0.5)):
        clip += way * np.arange(3)[:, None, None]  # the whole body moves, a way along each axis
    clips = [Motion(calm)] * 999 + [Motion(fast)]
    assert furthest_step(clips, normalisation.bone_lengths) == pytest.approx(0.01 * np.sqrt(3), rel=1e-3)


def test_padding_freezes_the_last_frame_and_says_so() -> None:
    frames = np.arange(6.0).reshape(3, 2)
    clip, tokens = padded(frames, 5)
    assert clip.tolist() == [[0, 1], [2, 3], [4, 5], [4, 5], [4, 5]]
    assert tokens.tolist() == [0, 0, 0, 1, 1]
    clip, tokens = padded(frames, 3)
    assert clip.tolist() == frames.tolist()
    assert not tokens.any()
    clip, tokens = padded(frames, 5, zero=True)
    assert clip.tolist() == [[0, 1], [2, 3], [4, 5], [0, 0], [0, 0]]
    assert tokens.tolist() == [0, 0, 0, 1, 1]


def test_augmentation_removes_inner_frames_in_order() -> None:
    frames = np.arange(100.0)[:, None]
    removed = set()
    for seed in range(20):
        left = shortened(frames, 0.2, np.random.default_rng(seed))[:, 0]
        assert (left[0], left[-1]) == (0, 99)
        assert (np.diff(left) > 0).all()
        assert set(left) <= set(frames[:, 0])
        removed.add(100 - len(left))
    assert max(removed) <= 20
    assert len(removed) > 5
    assert len(shortened(frames[:2], 0.5, np.random.default_rng(0))) == 2


def test_items_fit_their_clips(clips: list[Motion], normalisation: Normalisation) -> None:
    data = MotionClips(clips, normalisation, 190, augmentations=2, removed_share=0.2, seed=3)
    assert len(data) == 3 * len(clips)
    for index in (0, 1, 2, len(data) - 1):
        item, clip = data[index], clips[index // 3]
        length = int(item["length"])
        assert item["frames"].shape == (190, 63)
        assert 0.8 * len(clip) <= length <= len(clip)
        assert item["tokens"].sum() == 190 - length
        assert (GESTURES[item["gesture"]], EMOTIONS[item["emotion"]]) == (clip.gesture, clip.emotion)
        assert (item["frames"][length:] == item["frames"][length - 1]).all()
        assert (data[index]["frames"] == item["frames"]).all()
    assert int(data[0]["length"]) == len(clips[0])
    assert (data[1]["frames"] != data[2]["frames"]).any()


def test_a_clip_and_its_mirror_image_are_taught_as_one(
    clips: list[Motion], normalisation: Normalisation
) -> None:
    for clip in clips:
        assert acts_left(clip.positions) != acts_left(clip.mirrored().positions)
    items = MotionClips([clips[0], clips[0].mirrored()], normalisation, 190)
    torch.testing.assert_close(items[0]["frames"], items[1]["frames"], atol=1e-4, rtol=0.0)
    assert {bool(items[index]["mirrored"]) for index in (0, 1)} == {True, False}


def test_the_raised_hand_and_then_the_head_say_which_side_acts() -> None:
    still = np.repeat(REFERENCE[None], 20, axis=0)
    for joint, axis, step, left in (
        ("left_hand", 2, 0.5, True),
        ("right_hand", 2, 0.5, False),
        ("nose", 1, 0.05, True),
        ("nose", 1, -0.05, False),
    ):
        clip = still.copy()
        clip[5:10, INDEX[joint], axis] += step
        clip[10:15, INDEX[joint], axis] -= step  # what comes first counts
        assert acts_left(clip) == left


def test_a_clip_that_does_not_fit_is_refused(clips: list[Motion], normalisation: Normalisation) -> None:
    with pytest.raises(ConfigurationError, match="at most 50"):
        MotionClips(clips, normalisation, 50)
