import json

import numpy as np
import pytest

from text2gesture_ros.errors import ModelError
from text2gesture_ros.labels import GESTURES
from text2gesture_ros.training.evaluate_motion import evaluate, mmd, mmd_average, mmd_sequence


def test_discrepancy_is_small_within_a_distribution_and_grows_with_distance() -> None:
    random = np.random.default_rng(0)
    real, same = random.normal(size=(2, 200, 5))
    near, far = real[::-1] + 0.5, real[::-1] + 3.0
    assert mmd(real, same) < 0.1 < mmd(real, near) < mmd(real, far)
    # All at one point is not the distribution either, even if that point is its mean.
    assert mmd(real, np.zeros_like(real)) > mmd(real, near)


def test_discrepancy_by_hand() -> None:
    # Real at 0 and 2, given at 1 and 3; bandwidth 2. k(1) = e^-1/8, k(2) = e^-1/2, k(3) = e^-9/8.
    k1, k2, k3 = np.exp([-1 / 8, -1 / 2, -9 / 8])
    squared = k2 + k2 - 2 * (k1 + k3 + k1 + k1) / 4
    given = mmd(np.array([[0.0], [2.0]]), np.array([[1.0], [3.0]]))
    assert given == pytest.approx(np.sqrt(max(squared, 0.0)), abs=1e-9)
    apart = mmd(np.array([[0.0], [2.0]]), np.array([[100.0], [102.0]]))
    assert apart == pytest.approx(np.sqrt(2 * k2))


def test_only_the_sequence_tells_which_pose_follows_which() -> None:
    random = np.random.default_rng(0)
    # Two kinds of clips, at 1 or at -1 all the time; broken ones jump between both.
    real, same = (np.repeat(random.choice([-1.0, 1.0], size=(60, 1, 1)), 9, axis=1) for _ in range(2))
    broken = random.choice([-1.0, 1.0], size=(60, 9, 1))
    real, same, broken = (clips + 0.1 * random.normal(size=(60, 9, 4)) for clips in (real, same, broken))
    assert mmd_average(real, broken) < 0.3
    assert mmd_sequence(real, same) < 0.3 < mmd_sequence(real, broken)


def test_the_shipped_model_is_measured_the_same_twice() -> None:
    first, second = (evaluate("motion", clips_per_gesture=2) for _ in range(2))
    assert json.loads(json.dumps(first)) == second
    assert first["clips"] == 2 * len(GESTURES)
    assert set(first["recognition_by_gesture"]) == set(GESTURES)
    for key in ("recognition", "recognition_real", "stop_rate"):
        assert 0.0 <= first[key] <= 1.0
    assert first["recognition"] > 3 / len(GESTURES)
    assert 0.2 < first["variance_ratio"] < 2.0
    assert first["bone_change"] < first["bone_change_worst"]


def test_a_missing_model() -> None:
    with pytest.raises(ModelError):
        evaluate("no-such-model")
