"""The embeddings from which gestures are generated: those of clips, or Gaussians fitted to them.

A Gaussian is a centre and a few directions in which clips spread around it; a clip is a centre without any.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans

from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.labels import EMOTIONS, GESTURES

_DIRECTIONS = 4  # in which a Gaussian spreads

Labels = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Repertoire:
    """Embeddings with their labels, as a model directory keeps them.

    Attributes:
        centres: (E, D) embeddings.
        gestures: (E,) index of each in `labels.GESTURES`.
        emotions: (E,) index of each in `labels.EMOTIONS`.
        mirrored: (E,) how often, in [0, 1], the motion is done in a mirror, see `data.acts_left`.
        counts: (E,) clips that each stands for; None for one.
        spreads: (E, R, D) directions of the Gaussians, as long as their deviation; None for none.
    """

    centres: FloatArray
    gestures: Labels
    emotions: Labels
    mirrored: npt.NDArray[Any]
    counts: FloatArray | None = None
    spreads: FloatArray | None = None

    def completed(self) -> "Repertoire":
        """Return it with all emotions of every gesture: one that no clip shows gets those of the others."""
        chosen = [np.arange(len(self.centres))]
        emotions = [self.emotions]
        for gesture in np.unique(self.gestures):
            own = np.flatnonzero(self.gestures == gesture)
            for emotion in set(range(len(EMOTIONS))) - set(self.emotions[own].tolist()):
                chosen.append(own)
                emotions.append(np.full(len(own), emotion))
        index = np.concatenate(chosen)
        return Repertoire(
            self.centres[index], self.gestures[index], np.concatenate(emotions), self.mirrored[index]
        )

    def summarised(self, components: int, seed: int) -> "Repertoire":
        """Return Gaussians fitted to the embeddings, at most `components` per gesture and emotion.

        Args:
            components: 1 or more.
            seed: of the first guess of k-means.
        """
        found: list[tuple[FloatArray, int, int, float, int, FloatArray]] = []
        for gesture in range(len(GESTURES)):
            for emotion in range(len(EMOTIONS)):
                own = (self.gestures == gesture) & (self.emotions == emotion)
                for group in _groups(self.centres[own], components, seed):
                    members = self.centres[own][group]
                    mirrored = float(self.mirrored[own][group].astype(np.float64).mean())
                    centre = members.mean(axis=0)
                    found.append((centre, gesture, emotion, mirrored, len(members), _spread(members)))
        centres, gestures, emotions, mirrors, counts, spreads = zip(*found, strict=True)
        return Repertoire(
            np.stack(centres),
            np.array(gestures),
            np.array(emotions),
            np.array(mirrors, dtype=np.float32),
            np.array(counts, dtype=np.float32),
            np.stack(spreads),
        )

    def weights(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays under their names in weights.safetensors."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "examples": self.centres,
            "example_gestures": self.gestures,
            "example_emotions": self.emotions,
            "example_mirrored": self.mirrored.astype(np.float32),
        }
        if self.counts is not None and self.spreads is not None:
            arrays |= {"example_counts": self.counts, "example_spreads": self.spreads}
        return arrays


def _groups(points: FloatArray, count: int, seed: int) -> Iterator[Labels]:
    """Yield the members of each cluster of points, (E, D)."""
    if len(points):
        means = KMeans(min(count, len(points)), n_init=4, random_state=seed).fit(points)
        yield from (np.flatnonzero(means.labels_ == label) for label in np.unique(means.labels_))


def _spread(members: FloatArray) -> FloatArray:
    """Return the directions in which members spread around their mean: (E, D) -> (R, D)."""
    _, values, directions = np.linalg.svd(members - members.mean(axis=0), full_matrices=False)
    scaled = values[:, None] * directions / np.sqrt(len(members))
    result = np.zeros((_DIRECTIONS, members.shape[1]), dtype=np.float32)
    result[: len(scaled)] = scaled[:_DIRECTIONS]
    return result
