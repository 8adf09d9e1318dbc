"""The objective of the generator: the weighted sum of its losses (paper, equation 10)."""

from collections.abc import Callable, Mapping
from dataclasses import asdict

import torch
from torch import Tensor
from torch.func import functional_call

from text2gesture_ros.generation.motion_network import Embedder
from text2gesture_ros.skeleton import INDEX, JOINTS
from text2gesture_ros.training.motion import losses
from text2gesture_ros.training.motion.config import MotionTrainingConfig
from text2gesture_ros.training.motion.data import Batch

_MOTION_LOSSES: Mapping[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "first": lambda given, real, _: losses.first_frame_loss(given, real),
    "motion": losses.motion_loss,
    "squared": losses.squared_loss,
    "velocity": losses.velocity_loss,
    "squared_velocity": losses.squared_velocity_loss,
    "acceleration": losses.acceleration_loss,
    "squared_acceleration": losses.squared_acceleration_loss,
}


class GeneratorObjective:
    """The losses of a generated batch, with the warm-in of the embedding loss.

    Args:
        config: the training's.
        embedder: maps clips to embeddings.

    Attributes:
        converged: batches in which the embedding loss had a weight.
    """

    def __init__(self, config: MotionTrainingConfig, embedder: Embedder) -> None:
        self.converged = 0
        self._config, self._embedder = config, embedder

    def losses(
        self, batch: Batch, embedding: Tensor, frames: Tensor, logits: Tensor, passed: float = 0.0
    ) -> dict[str, Tensor]:
        """Return the losses and their weighted sum under "total".

        Args:
            batch: the clips.
            embedding: (B, D) of the clips.
            frames: (B, N, M) generated.
            logits: (B, N - 1) of the stop tokens.
            passed: part of the generator's training that has passed.
        """
        weights, lengths, tokens = self._config.losses, batch["length"], batch["tokens"][:, 1:]
        counted = torch.full_like(lengths, frames.shape[1]) if self._config.count_padding else lengths
        importance = head_factors(self._config.head_importance).to(frames.device)  # (M,)
        given, real = frames * importance, batch["frames"] * importance
        counts = asdict(weights)
        if not self._config.stop_token:
            counts["token"] = counts["token_cross_entropy"] = 0.0
        # What does not count is not computed: each of them costs a few per cent of a batch.
        parts = {
            name: loss(given, real, counted)
            for name, loss in _MOTION_LOSSES.items()
            if counts[name] or name == "motion"
        }
        parts["token"] = losses.token_loss(logits, tokens)
        if counts["token_cross_entropy"]:
            parts["token_cross_entropy"] = losses.token_cross_entropy(logits, tokens)
        converged = self._config.stop_token and parts["token"].item() <= self._config.token_threshold
        if weights.embedding and (converged or passed >= self._config.embedding_from < 1.0):
            if converged:
                counts["token"] = 0.0
            self.converged += 1
            warm_in = max(1, self._config.embedding_warm_in)
            counts["embedding"] *= min(1.0, self.converged / warm_in)
            held = losses.frozen(frames, lengths, zero=self._config.padding == "zero")
            parts["embedding"] = losses.embedding_loss(self._embedded(held), embedding.detach())
        if self._config.embedder_learns:
            parts["triplet"] = self.triplet_loss(embedding, batch)
        parts["total"] = torch.stack([counts[name] * loss for name, loss in parts.items()]).sum()
        return parts

    def triplet_loss(self, embeddings: Tensor, batch: Batch) -> Tensor:
        """Return equation 5 for the gestures and, if wanted, for the emotions within each gesture."""
        loss = losses.triplet_loss(embeddings, batch["gesture"])
        if self._config.emotion_triplets:
            inner = losses.triplet_loss(embeddings, batch["emotion"], groups=batch["gesture"])
            loss = loss + self._config.emotion_triplets * inner
        return loss

    def _embedded(self, frames: Tensor) -> Tensor:
        """Return embeddings whose gradient reaches the frames but not the embedder: (B, T, M) -> (B, D)."""
        fixed = {name: value.detach() for name, value in self._embedder.state_dict().items()}
        embedding: Tensor = functional_call(self._embedder, fixed, (frames,))
        return embedding


def head_factors(head: float) -> Tensor:
    """Return the factor on the error of each coordinate, (M,): `head` for those of the head, else 1."""
    importance = torch.ones(len(JOINTS), 3)
    importance[[INDEX["head"], INDEX["nose"]]] = head
    return importance.flatten()
