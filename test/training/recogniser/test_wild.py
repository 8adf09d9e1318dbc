import numpy as np
import pytest

from text2gesture_ros.labels import GESTURES
from text2gesture_ros.skeleton import bone_lengths
from text2gesture_ros.training.recogniser.forms import MORE
from text2gesture_ros.training.recogniser.wild import RATE, wild
from text2gesture_ros.training.studio.distractors import DISTRACTORS
from text2gesture_ros.training.studio.repertoire import PERFORMANCES, Manner
from text2gesture_ros.understanding.recogniser import LABELS


def test_clips_in_the_wild_are_bodies_that_move_for_a_while() -> None:
    clips = wild(3, 2, 4)
    assert [clip.gesture for clip in clips] == [*np.repeat(GESTURES, 2), *[""] * 4]
    for clip in clips:
        assert clip.frame_rate == RATE
        assert 0.4 < len(clip) / RATE < 4.1
        lengths = bone_lengths(clip.positions)
        np.testing.assert_allclose(lengths, np.broadcast_to(lengths[0], lengths.shape), atol=1e-6)
        assert np.ptp(clip.positions, axis=0).max() > 0.01


def test_a_seed_has_the_same_clips_however_many_are_asked_for() -> None:
    few, more = wild(0, 1, 1), wild(0, 2, 2)
    for one, other in zip(few, more[::2], strict=True):
        np.testing.assert_array_equal(one.positions, other.positions)


@pytest.mark.parametrize("label", MORE)
def test_every_form_is_new_and_begins_and_ends_at_home(label: str) -> None:
    assert label in LABELS
    assert not set(MORE[label]) & set({**PERFORMANCES, "other": DISTRACTORS}[label])
    for side, vigour in (("left", -0.15), ("right", 1.2)):
        for share, perform in MORE[label].values():
            score = perform(Manner(vigour, side, np.random.default_rng(0)))
            assert share > 0.0
            assert 0.3 < score.end < 12.0
            np.testing.assert_allclose(score.posture, score.home, atol=1e-9)
