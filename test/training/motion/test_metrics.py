import numpy as np
import pytest
from scipy.linalg import sqrtm

from text2gesture_ros.labels import GESTURES
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.skeleton import INDEX, REFERENCE
from text2gesture_ros.training.motion.metrics import (
    BANDWIDTHS,
    discrepancies,
    discrepancies_by_gesture,
    diversity,
    estimate,
    frechet_distance,
    held,
    kinematics,
    multimodality,
)


def clips(count: int, seed: int, frames: int = 5, width: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, frames, width))


class TestDiscrepancies:
    def test_a_set_has_none_to_itself(self) -> None:
        real = clips(20, 0)
        np.testing.assert_allclose(discrepancies(real, real), 0.0, atol=1e-6)

    def test_it_is_small_within_a_distribution_and_grows_with_the_shift(self) -> None:
        real, same = clips(100, 0), clips(100, 1)
        found = np.array([discrepancies(real, same + shift) for shift in (0.0, 0.5, 1.0, 2.0)])
        assert (found[0] < 0.2).all()
        assert (np.diff(found, axis=0) > 0.0).all()

    def test_either_may_come_first_at_fixed_bandwidths(self) -> None:
        real, given = clips(20, 0), clips(20, 1) + 1.0
        there, back = discrepancies(real, given), discrepancies(given, real)
        assert there[:2] == pytest.approx(back[:2], abs=1e-12)

    def test_by_hand(self) -> None:
        # One frame of one coordinate, two clips each: the sums have a single pair and two crossed ones.
        real, given = np.array([0.0, 2.0]).reshape(2, 1, 1), np.array([10.0, 13.0]).reshape(2, 1, 1)

        def at(bandwidth: float) -> float:
            k = lambda distance: np.exp(-(distance**2) / bandwidth)  # noqa: E731
            return float(k(2.0) + k(3.0) - (k(13.0) + k(8.0)))

        expected = np.sqrt(max(at(bandwidth) for bandwidth in BANDWIDTHS))
        found = discrepancies(real, given)
        assert found.average == pytest.approx(expected)
        assert found.sequence == pytest.approx(expected)
        assert found.average_median == pytest.approx(np.sqrt(max(at(2 * 2.0**2), 0.0)))

    def test_only_the_sequence_tells_which_pose_follows_which(self) -> None:
        random = np.random.default_rng(0)
        # Two kinds of clips, at 1 or at -1 all the time; broken ones jump between both.
        kinds = [np.repeat(random.choice([-1.0, 1.0], size=(60, 1, 1)), 9, axis=1) for _ in range(2)]
        kinds.append(random.choice([-1.0, 1.0], size=(60, 9, 1)))
        real, same, broken = (kind + 0.1 * random.normal(size=(60, 9, 4)) for kind in kinds)
        within, apart = discrepancies(real, same), discrepancies(real, broken)
        assert apart.average < 0.4
        assert within.sequence < 0.4 < apart.sequence
        assert within.sequence_median < 0.3 < apart.sequence_median

    def test_a_collapsed_set_is_far_even_if_it_is_the_mean(self) -> None:
        real = clips(40, 0)
        collapsed = np.broadcast_to(real.mean(axis=0), real.shape)
        assert min(discrepancies(real, collapsed)) > max(discrepancies(real, clips(40, 1)))

    def test_by_gesture_it_is_the_mean_over_gestures(self) -> None:
        real, given = clips(8, 0), clips(8, 1)
        labels = [GESTURES[0], GESTURES[1]] * 4
        parts = [discrepancies(real[first::2], given[first::2]) for first in (0, 1)]
        np.testing.assert_allclose(
            discrepancies_by_gesture(real, given, labels), np.mean(parts, axis=0), atol=1e-12
        )
        # Swapping the gestures is seen by gesture, not all together.
        far = np.repeat([[[5.0]], [[-5.0]]] * 4, 5, axis=1)
        swapped = discrepancies_by_gesture(real + far, given - far, labels)
        assert swapped.average > 1.0 > discrepancies(real + far, given - far).average

    @pytest.mark.parametrize("sizes", [(3, 4), (1, 1)])
    def test_sets_must_be_alike(self, sizes: tuple[int, int]) -> None:
        with pytest.raises(ValueError, match="same shape"):
            discrepancies(clips(sizes[0], 0), clips(sizes[1], 1))


class TestFrechetDistance:
    def test_it_is_zero_to_itself_even_with_few_clips(self) -> None:
        features = np.random.default_rng(0).normal(size=(10, 30))
        assert frechet_distance(features, features) == pytest.approx(0.0, abs=1e-9)

    def test_it_is_the_closed_form_of_gaussians(self) -> None:
        random = np.random.default_rng(0)
        first = random.normal(size=(300, 5)) @ random.normal(size=(5, 5))
        second = random.normal(size=(200, 5)) @ random.normal(size=(5, 5)) + 1.0
        covariances = [np.cov(features.T) for features in (first, second)]
        expected = np.square(first.mean(axis=0) - second.mean(axis=0)).sum() + np.trace(
            covariances[0] + covariances[1] - 2.0 * np.real(sqrtm(covariances[0] @ covariances[1]))
        )
        assert frechet_distance(first, second) == pytest.approx(expected)
        assert frechet_distance(second, first) == pytest.approx(expected)

    def test_a_shift_is_its_square(self) -> None:
        features = np.random.default_rng(0).normal(size=(50, 4))
        assert frechet_distance(features, features + np.array([3.0, 0.0, 0.0, 4.0])) == pytest.approx(25.0)


class TestDiversity:
    def test_identical_clips_have_none(self) -> None:
        features = np.ones((6, 3))
        assert diversity(features) == 0.0
        assert multimodality(features, [GESTURES[0]] * 3 + [GESTURES[1]] * 3) == 0.0

    def test_gestures_apart_are_diverse_without_being_multimodal(self) -> None:
        features = np.repeat([[0.0, 0.0], [3.0, 4.0]], 3, axis=0)
        labels = [GESTURES[0]] * 3 + [GESTURES[1]] * 3
        assert diversity(features) == pytest.approx(5.0 * 9 / 15)
        assert multimodality(features, labels) == 0.0

    def test_multimodality_grows_with_the_spread_within_gestures(self) -> None:
        features = np.random.default_rng(0).normal(size=(20, 8))
        labels = [GESTURES[0], GESTURES[1]] * 10
        assert multimodality(2.0 * features, labels) == pytest.approx(2.0 * multimodality(features, labels))


class TestKinematics:
    def test_constant_jerk(self) -> None:
        times = np.arange(60) / 60.0
        positions = np.repeat(REFERENCE[None], 60, axis=0)
        positions[:, INDEX["left_hand"], 0] += times**3 / 6.0  # jerk 1 m/s^3
        found = kinematics([Motion(positions)])
        assert found.peak_jerk == pytest.approx(1.0, abs=0.1)  # positions are float32
        assert found.hand_path == pytest.approx(times[-1] ** 3 / 6.0, rel=1e-3)
        assert found.jump == pytest.approx((times[-1] ** 3 - times[-2] ** 3) / 6.0, rel=1e-2)

    def test_the_worst_jump_of_all_clips_counts(self) -> None:
        still = np.repeat(REFERENCE[None], 10, axis=0)
        jumping = still.copy()
        jumping[5:, INDEX["nose"], 2] += 0.3
        assert kinematics([Motion(still)]).jump == 0.0
        assert kinematics([Motion(still), Motion(jumping)]).jump == pytest.approx(0.3, abs=1e-6)


def test_the_interval_shrinks_with_repetitions() -> None:
    values = np.random.default_rng(0).normal(size=400)
    few, many = estimate(values[:20]), estimate(values)
    assert few.interval == pytest.approx(1.96 * values[:20].std(ddof=1) / np.sqrt(20))
    assert many.interval is not None
    assert 0.0 < many.interval < 0.5 * few.interval
    assert abs(many.mean) < many.interval * 1.6
    assert estimate([2.0]) == (2.0, None)


def test_held_clips_end_where_they_ended() -> None:
    positions = np.cumsum(np.full((4, *REFERENCE.shape), 0.1), axis=0)
    frames = held([Motion(positions), Motion(positions[:2])], 6)
    assert frames.shape == (2, 6, REFERENCE.size)
    np.testing.assert_array_equal(frames[1, 1:], np.repeat(frames[1, 1:2], 5, axis=0))
    np.testing.assert_array_equal(frames[0, :4], Motion(positions).positions.reshape(4, -1))
    assert held([Motion(positions)], 3).shape == (1, 3, REFERENCE.size)
