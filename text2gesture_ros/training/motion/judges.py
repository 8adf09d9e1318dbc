"""Gesture recognisers that judge clips in the evaluation of motion."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from text2gesture_ros.geometry import FloatArray, softmax
from text2gesture_ros.labels import GESTURES
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.training.motion.candidates import ModelCandidate
from text2gesture_ros.understanding.recogniser import Recogniser


class Judge(Protocol):
    """A recogniser of gestures."""

    name: str

    def predict(self, clips: Sequence[Motion]) -> tuple[FloatArray, FloatArray]:
        """Return (B, C) probabilities in the order of `GESTURES` and (B, D) features of clips.

        Columns beyond those of the gestures stand for anything else.
        """


class RecogniserJudge:
    """The gesture recogniser: a graph network that is independent of the generator."""

    name = "recogniser"

    def __init__(self, model: str = "recogniser") -> None:
        """Load a recogniser.

        Raises:
            ModelError: there is no such model, or it is damaged.
        """
        self._recogniser = Recogniser(model)

    def predict(self, clips: Sequence[Motion]) -> tuple[FloatArray, FloatArray]:
        """Return the probabilities for the first 3 s, and the input of the last layer."""
        logits, features = self._recogniser.outputs(clips)
        return softmax(logits), features


class EmbedderJudge:
    """The nearest class mean in the embedder's own space.

    It was trained together with the generator: kinder to it than a judge of its own is.
    """

    name = "embedder"

    def __init__(self, model: ModelCandidate) -> None:
        weights = model.directory.weights()
        examples, gestures = weights["examples"], weights["example_gestures"]
        counts = weights.get("example_counts", np.ones(len(examples)))  # clips an example stands for
        own = [gestures == label for label in range(len(GESTURES))]
        self._model = model
        self._means = np.stack([np.average(examples[o], axis=0, weights=counts[o]) for o in own])

    def predict(self, clips: Sequence[Motion]) -> tuple[FloatArray, FloatArray]:
        """Return probabilities that fall with the distance (L1, as the triplet loss), and the embeddings.

        Raises:
            ConfigurationError: a clip is longer than the model's longest.
        """
        embeddings = self._model.embedded(clips)
        distances = np.abs(embeddings[:, None] - self._means).mean(axis=2)  # (B, C)
        return softmax(-distances), embeddings
