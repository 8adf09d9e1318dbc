"""The examples that a motion model imitates: embeddings by gesture and emotion."""

from dataclasses import dataclass

import numpy as np

from text2gesture_ros.errors import ModelError
from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.labels import EMOTIONS, GESTURES
from text2gesture_ros.model_directory import ModelDirectory, Weights


@dataclass(frozen=True)
class Examples:
    """Embeddings for a gesture with an emotion, the most typical first: of clips, or of Gaussians over clips.

    Attributes:
        centres: (E, D) embeddings.
        mirrored: (E,) probability that each is mirrored, in [0, 1].
        shares: (E,) probability that each is drawn, sums to 1.
        spreads: (E, R, D) principal axes of the Gaussians, one standard deviation long; None for clips.
    """

    centres: FloatArray
    mirrored: FloatArray
    shares: FloatArray
    spreads: FloatArray | None

    @classmethod
    def sorted(
        cls,
        centres: FloatArray,
        mirrored: FloatArray,
        counts: FloatArray | None,
        spreads: FloatArray | None,
    ) -> "Examples":
        """Return them sorted by how many clips they stand for; single clips by distance to all others."""
        if counts is None or spreads is None:
            order = np.abs(centres[:, None] - centres).mean(axis=(1, 2)).argsort(kind="stable")
            counts, spreads = np.ones(len(centres)), None
        else:
            order = np.argsort(-counts, kind="stable")
            spreads = spreads[order]
        return cls(centres[order], mirrored[order], counts[order] / counts.sum(), spreads)

    def draw(self, generator: np.random.Generator, variation: float) -> tuple[FloatArray, bool]:
        """Return an embedding, (D,), and whether its motion is mirrored.

        Args:
            generator: the source of chance.
            variation: 0 for the most typical one, 1 for any.
        """
        count = max(1, round(variation * len(self.centres)))
        if self.spreads is None:
            chosen = int(generator.integers(count))
            example = self.centres[chosen]
            distances = np.abs(self.centres[:count] - example).mean(axis=1)
            neighbour = self.centres[distances.argsort(kind="stable")[:2][-1]]
            # To both sides: only towards the neighbour, fast and unusual motion would be averaged away.
            embedding = example + generator.uniform(-0.5, 0.5) * (neighbour - example)
        else:
            chosen = int(generator.choice(count, p=self.shares[:count] / self.shares[:count].sum()))
            steps = variation * generator.standard_normal(self.spreads.shape[1])  # (R,)
            embedding = self.centres[chosen] + steps @ self.spreads[chosen]
        side = float(self.mirrored[chosen])
        mirrored = side >= 0.5 if side in (0.0, 1.0) or not variation else generator.random() < side
        return np.asarray(embedding, dtype=np.float32), bool(mirrored)


def load_examples(directory: ModelDirectory, weights: Weights) -> dict[tuple[str, str], Examples]:
    """Return the examples in the weights of a model by gesture and emotion.

    Raises:
        ModelError: a table is missing or has another shape, or a gesture has no example with some emotion.
    """
    count = len(weights.get("examples", ()))
    width = weights["examples"].shape[-1] if count else 0
    shapes = {
        "examples": (count, width),
        "example_gestures": (count,),
        "example_emotions": (count,),
        "example_mirrored": (count,),
    }
    if "example_spreads" in weights:
        axes = weights["example_spreads"].shape[1:2]
        shapes |= {"example_counts": (count,), "example_spreads": (count, *axes, width)}
    directory.check_shapes(weights, shapes)
    result: dict[tuple[str, str], Examples] = {}
    for g, gesture in enumerate(GESTURES):
        for e, emotion in enumerate(EMOTIONS):
            chosen = (weights["example_gestures"] == g) & (weights["example_emotions"] == e)
            if not chosen.any():
                raise ModelError(f"{directory.path}: no example of gesture {gesture!r}, emotion {emotion!r}")
            counts, spreads = (
                weights[name][chosen] if name in weights else None
                for name in ("example_counts", "example_spreads")
            )
            result[gesture, emotion] = Examples.sorted(
                weights["examples"][chosen], weights["example_mirrored"][chosen], counts, spreads
            )
    return result
