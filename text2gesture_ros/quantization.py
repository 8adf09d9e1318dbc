"""Weights of linear layers as eight-bit integers, one scale for each output."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

WEIGHT_LEVELS = 64
"""Weights become integers in [-64, 64], not [-127, 127].

Processors without VNNI add pairs of products in 16 bits, which saturates with larger ones.
"""

ACTIVATION_LEVELS = 127
"""Activations become integers in [-127, 127], stored as 1 to 255 (unsigned)."""

ZERO_POINT = 128
"""The stored value of an activation of 0."""

SCALE = ".scale"
"""The scales of a weight are called as the weight, followed by this."""


def quantise(weight: NDArray[np.floating[Any]]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return the integers of a linear layer and what its integer products are multiplied by.

    Args:
        weight: of `torch.nn.Linear`, (N, K) with N outputs.

    Returns:
        integers, (K, N), and scales, (N): weight.T is nearly integers * scales * `ACTIVATION_LEVELS`.
    """
    weight = np.asarray(weight, np.float32)
    largest = np.abs(weight).max(axis=1)  # (N)
    step = np.where(largest > 0.0, largest / WEIGHT_LEVELS, 1.0).astype(np.float32)
    integers = np.rint(weight / step[:, None]).astype(np.int8)
    return np.ascontiguousarray(integers.T), step / np.float32(ACTIVATION_LEVELS)
