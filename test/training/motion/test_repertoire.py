import numpy as np

from text2gesture_ros.training.motion.repertoire import Repertoire


def repertoire(count: int = 40) -> Repertoire:
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(count, 6)).astype(np.float32)
    centres[::2] += 10.0  # two ways to do it
    labels = np.zeros(count, dtype=np.int64)
    return Repertoire(centres, labels, labels, np.arange(count) % 4 == 0)


def test_gaussians_keep_means_counts_and_sides() -> None:
    clips = repertoire()
    for components in (1, 2, 5):
        found = clips.summarised(components, 0)
        assert found.counts is not None
        assert len(found.centres) == components
        assert found.counts.sum() == 40
        shares = found.counts / 40
        np.testing.assert_allclose(shares @ found.centres, clips.centres.mean(axis=0), rtol=1e-4)
        assert shares @ found.mirrored == np.float32(0.25)


def test_spreads_are_the_deviations_of_the_members() -> None:
    clips = repertoire()
    found = clips.summarised(2, 0)
    assert found.spreads is not None
    for centre, spread in zip(found.centres, found.spreads, strict=True):
        members = clips.centres[np.abs(clips.centres - centre).max(axis=1) < 6.0]
        covariance = np.cov(members.T, bias=True)
        variances = np.linalg.eigvalsh(covariance)[::-1][: len(spread)]
        np.testing.assert_allclose(np.square(spread).sum(axis=1), variances, rtol=1e-3)


def test_few_clips_stand_for_themselves() -> None:
    found = repertoire(3).summarised(8, 0)
    assert len(found.centres) == 3
    assert found.spreads is not None
    assert not found.spreads.any()


def test_an_emotion_nobody_shows_is_done_as_any_other() -> None:
    clips = repertoire(4)
    found = clips.completed()
    assert sorted(set(found.emotions.tolist())) == [0, 1, 2]
    for emotion in (1, 2):
        np.testing.assert_array_equal(found.centres[found.emotions == emotion], clips.centres)
    assert sorted(clips.weights()) == sorted(found.weights())
