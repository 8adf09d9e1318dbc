"""Each measure on motion whose failure is known."""

import numpy as np
import pytest

from text2gesture_ros.skeleton import REFERENCE
from text2gesture_ros.training.motion.health import health, stop_lengths

FRAMES, LENGTH = 90, 60


@pytest.fixture
def real() -> np.ndarray:
    time = np.arange(FRAMES) / 60.0
    clips = np.tile(REFERENCE, (2, FRAMES, 1, 1))
    for index, phase in enumerate((0.0, 1.0)):
        # All of the body sways: no bone changes.
        clips[index] += 0.1 * np.sin(6.0 * time + phase)[:, None, None]
    clips[:, LENGTH:] = clips[:, LENGTH - 1 : LENGTH]
    return clips


def measured(real: np.ndarray, generated: np.ndarray, stop: int = LENGTH + 1) -> dict[str, float]:
    stops = np.zeros((2, FRAMES - 1))
    stops[:, stop - 2 :] = 1.0
    return health(generated, stops, real, np.full(2, LENGTH), np.zeros(2, dtype=int))


def test_what_is_real_is_healthy(real: np.ndarray) -> None:
    found = measured(real, real, LENGTH)
    for name in ("variance_ratio", "jerk_ratio", "peak_jerk_ratio"):
        assert found.pop(name) == pytest.approx(1.0)
    assert list(found.values()) == pytest.approx([0.0] * len(found), abs=1e-9)


def test_a_mean_pose_has_no_variance_and_no_jerk(real: np.ndarray) -> None:
    found = measured(real, np.broadcast_to(REFERENCE, real.shape))
    assert (found["variance_ratio"], found["jerk_ratio"]) == pytest.approx((0.0, 0.0), abs=1e-9)


def test_drift_is_how_far_the_end_pose_has_moved(real: np.ndarray) -> None:
    drifting = real.copy()
    drifting[:, LENGTH:, :, 0] += np.linspace(0.0, 0.3, FRAMES - LENGTH)[:, None]
    assert measured(real, drifting)["drift"] == pytest.approx(0.3)


def test_trembling_shows_in_the_jerk(real: np.ndarray) -> None:
    found = measured(real, real + 0.002 * (-1.0) ** np.arange(FRAMES)[:, None, None])
    assert found["jerk_ratio"] > 2.0
    assert found["peak_jerk_ratio"] > 2.0


def test_bones_that_grow(real: np.ndarray) -> None:
    found = measured(real, real * 1.1)
    assert found["bone_change"] == pytest.approx(0.1)
    assert found["bone_change_worst"] == pytest.approx(0.1)


def test_stops(real: np.ndarray) -> None:
    assert measured(real, real, LENGTH + 5)["length_error"] == 5.0
    never = measured(real, real, FRAMES + 1)
    assert (never["never_stops"], never["length_error"]) == (1.0, FRAMES - LENGTH)
    early = measured(real, real, 10)
    assert (early["stops_early"], early["never_stops"]) == (1.0, 0.0)
    stops = np.zeros((3, FRAMES - 1))
    stops[0, 0] = stops[1, 40] = stops[1, 50] = 1.0
    assert stop_lengths(stops).tolist() == [FRAMES, 42, FRAMES]
