"""A baseline for motion models: clips of the training set, played back."""

from collections.abc import Sequence

import numpy as np

from text2gesture_ros.errors import ConfigurationError, ModelError
from text2gesture_ros.generation.motion_network import network_config
from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.model_directory import ModelDirectory
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.training.motion.candidates import Generated, ModelCandidate
from text2gesture_ros.training.motion.clips import motion_clips
from text2gesture_ros.training.motion.config import LossWeights, MotionTrainingConfig


def training_clips(directory: ModelDirectory) -> list[Motion]:
    """Return the clips a model was trained on, as its config.json tells.

    Raises:
        ModelError: it does not tell.
        InputError: recordings it was trained on cannot be used.
    """
    values = dict(directory.config.get("training", {}))
    try:
        config = MotionTrainingConfig(
            **{**values, "losses": LossWeights(**values.get("losses", {}))},
            network=network_config(directory.config, str(directory.path)),
        )
    except (ConfigurationError, TypeError) as error:
        raise ModelError(f"{directory.path}: 'training' in config.json: {error}") from None
    return motion_clips(config)[0]


class NearestClipPlayer:
    """Plays clips of the training set on the model's body: real motion, but nothing new."""

    def __init__(self, model: ModelCandidate, clips: Sequence[Motion]) -> None:
        """Retarget the clips to the model's body.

        Args:
            model: whose body and whose embeddings.
            clips: what can be played, of every gesture at least one.
        """
        self._model = model
        self._clips = [model.on_body(clip) for clip in clips]
        self._embeddings = model.embedded(clips)

    def generate(self, clips: Sequence[Motion], seeds: Sequence[int]) -> list[Generated]:
        """Play any clip of the gesture and the emotion, or of the gesture only if no clip has the emotion."""
        played = []
        for clip, seed in zip(clips, seeds, strict=True):
            own = self._of(clip)
            alike = [index for index in own if self._clips[index].emotion == clip.emotion] or own
            played.append(self._played(int(np.random.default_rng(seed).choice(alike))))
        return played

    def reconstruct(self, clips: Sequence[Motion]) -> list[Generated]:
        """Play, of the same gesture, the clip with the nearest embedding (L1, as the triplet loss)."""
        played = []
        for clip, embedding in zip(clips, self._model.embedded(clips), strict=True):
            own = self._of(clip)
            distances = np.abs(self._embeddings[own] - embedding).mean(axis=1)
            played.append(self._played(own[int(distances.argmin())]))
        return played

    def _of(self, clip: Motion) -> list[int]:
        return [index for index, other in enumerate(self._clips) if other.gesture == clip.gesture]

    def _played(self, index: int) -> Generated:
        no_stops: FloatArray = np.empty(0, dtype=np.float32)
        return Generated(self._clips[index], no_stops, stopped=True)
