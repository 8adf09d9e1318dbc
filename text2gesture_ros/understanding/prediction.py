"""The outcome of a classifier: labels, the probability of each, and the one to act on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Prediction:
    """The outcome of one task.

    Attributes:
        labels: the class names, (C).
        probabilities: in the order of `labels`, (C,), summing to 1.
        chosen: the label to act on.
    """

    labels: tuple[str, ...]
    probabilities: NDArray[np.float64]
    chosen: str


def softmax(logits: NDArray[Any], temperature: float = 1.0) -> NDArray[Any]:
    """Return the probabilities of `logits` / `temperature` along the last axis."""
    scaled = logits / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
