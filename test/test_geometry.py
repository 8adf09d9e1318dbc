"""Vectors, rotations and curves."""

import numpy as np
import pytest

from text2gesture_ros.geometry import softmax


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_softmax_gives_probabilities_whatever_the_size_of_the_logits(kind):
    np.testing.assert_allclose(softmax(np.array([1e30, 0.0], kind)), [1.0, 0.0])
    logits = np.random.default_rng(0).normal(0.0, 5.0, (4, 6)).astype(kind)
    found = softmax(logits)
    assert found.dtype == kind
    np.testing.assert_allclose(found.sum(axis=-1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(found, softmax(logits + kind(7.0)), rtol=1e-4)
