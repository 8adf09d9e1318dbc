"""Generators of gestures that are evaluated, first of all a motion model in batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch.utils.data import default_collate

from text2gesture_ros.generation.generator import MIN_DURATION, GestureGenerator
from text2gesture_ros.generation.motion_network import State, load_network
from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.model_directory import open_model
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.skeleton import JOINTS, mirror, with_bone_lengths
from text2gesture_ros.training.motion.data import Batch, MotionClips, Normalisation, acts_left
from text2gesture_ros.training.motion.health import health


@dataclass(frozen=True)
class Generated:
    """One generated gesture.

    Attributes:
        motion: what is seen.
        stops: (T,) stop probability after each frame; empty where there is no stop token.
        stopped: whether the stop token ended it, not the ceiling.
    """

    motion: Motion
    stops: FloatArray
    stopped: bool


class Candidate(Protocol):
    """A generator of gestures that is a row of the evaluation."""

    def generate(self, clips: Sequence[Motion], seeds: Sequence[int]) -> list[Generated]:
        """Generate gesture and emotion of each clip, one seed each, without looking at its positions."""

    def reconstruct(self, clips: Sequence[Motion]) -> list[Generated]:
        """Generate each clip again from the candidate's own embedding of it."""


class ModelCandidate:
    """A motion model that generates many gestures as one batch.

    What it gives is, clip by clip, what `GestureGenerator` gives with the same seed (within
    rounding), many times faster.
    """

    def __init__(self, model: str, *, fixed_length: bool = False) -> None:
        """Load the model.

        Args:
            model: name or path of a model directory of kind "motion".
            fixed_length: whether stop tokens are not listened to and every gesture goes on to the model's
                longest. It is so for a model that was trained without stop tokens, too.

        Raises:
            ModelError: the directory is missing, incomplete or damaged.
        """
        directory = open_model(model, "motion")
        weights = directory.weights()
        self.directory = directory
        self.fixed_length = fixed_length or not directory.config.get("stop_token", True)
        self.normalisation = Normalisation(
            *(weights[f"normalisation.{name}"] for name in ("mean", "deviation", "bone_lengths"))
        )
        self.frames = int(directory.number("max_frames", 1, 100_000))
        self._network = load_network(directory)
        self.embeds = self._network.config.condition == "clip"
        self._one = GestureGenerator(model, device="cpu")  # chooses embeddings, smooths

    def generate(self, clips: Sequence[Motion], seeds: Sequence[int]) -> list[Generated]:
        """Generate, as `GestureGenerator.frames` with each clip's labels and seed."""
        chosen = [
            self._one.embedding(clip.gesture, clip.emotion, seed=seed)
            for clip, seed in zip(clips, seeds, strict=True)
        ]
        embeddings = np.stack([embedding for embedding, _ in chosen])
        return self._generated(clips, embeddings, [mirrored for _, mirrored in chosen])

    def reconstruct(self, clips: Sequence[Motion]) -> list[Generated]:
        """Generate from the clips' own embeddings: the paper's reconstruction.

        A model that is conditioned on classes knows no embeddings: it generates what it has for their labels.

        Raises:
            ConfigurationError: a clip is longer than the model's longest.
        """
        if not self.embeds:
            return self.generate(clips, [0] * len(clips))
        mirrored = [acts_left(clip.positions) for clip in clips]
        return self._generated(clips, self.embedded(clips), mirrored)

    def health(self, clips: Sequence[Motion]) -> dict[str, float]:
        """Return failure measures of the network on the clips' embeddings, see `health.health`.

        Raises:
            ConfigurationError: a clip is longer than the model's longest.
        """
        batch = self._batch(clips)
        generator = self._network.generator
        steps = (self.frames - 1) // generator.config.frames_per_step
        with torch.inference_mode():
            if self.embeds:
                condition = self._network.embedder(batch["frames"])
            else:
                condition = self._network.class_vectors(batch["gesture"], batch["emotion"])
            frames, logits = generator(condition, steps)
        made, real = (self._raw(values.numpy()) for values in (frames, batch["frames"]))
        lengths, labels = batch["length"].numpy(), batch["gesture"].numpy()
        return health(made, torch.sigmoid(logits).numpy(), real, lengths, labels, self._one.frame_rate)

    def embedded(self, clips: Sequence[Motion]) -> FloatArray:
        """Return the embeddings of clips, (B, D).

        Raises:
            ConfigurationError: a clip is longer than the model's longest.
        """
        with torch.inference_mode():
            return np.asarray(self._network.embedder(self._batch(clips)["frames"]).numpy())

    def on_body(self, clip: Motion) -> Motion:
        """Return the clip with the bone lengths of the model's body."""
        positions = with_bone_lengths(clip.positions, self.normalisation.bone_lengths)
        return Motion(positions, clip.frame_rate, clip.gesture, clip.emotion)

    def _batch(self, clips: Sequence[Motion]) -> Batch:
        data = MotionClips(clips, self.normalisation, self.frames)
        batch: Batch = default_collate([data[index] for index in range(len(data))])
        return batch

    def _generated(
        self, clips: Sequence[Motion], embeddings: FloatArray, mirrored: Sequence[bool]
    ) -> list[Generated]:
        """Return the gestures generated from embeddings, (B, D), with the labels of `clips`."""
        frames, stops, lengths = self._rolled_out(embeddings)
        generated = []
        for index, (clip, length, in_mirror) in enumerate(zip(clips, lengths, mirrored, strict=True)):
            smooth = self._smoothed(self._raw(frames[index, :length]))
            positions = with_bone_lengths(smooth, self.normalisation.bone_lengths)
            for frame in range(1, length):
                positions[frame] = self._one.poses.limit_step(positions[frame - 1], positions[frame])
            motion = Motion(
                mirror(positions) if in_mirror else positions,
                self._one.frame_rate,
                clip.gesture,
                clip.emotion,
            )
            stopped = not self.fixed_length and bool(stops[index, length - 1] >= 0.5)
            generated.append(Generated(motion, stops[index, :length], stopped))
        return generated

    def _raw(self, frames: FloatArray) -> FloatArray:
        """Return joint positions without normalisation [m]: (..., M) -> (..., K, 3)."""
        positions = frames * self.normalisation.deviation + self.normalisation.mean
        return np.asarray(positions.reshape(*frames.shape[:-1], len(JOINTS), 3))

    def _smoothed(self, frames: FloatArray) -> FloatArray:
        """Return frames smoothed by the model's Gaussian, the ends held: (T, K, 3) -> (T, K, 3)."""
        kernel = self._one.poses.kernel
        half = len(kernel) // 2
        padded = np.pad(frames, ((half, half), (0, 0), (0, 0)), mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, len(kernel), axis=0)  # (T, K, 3, W)
        return np.asarray(windows @ kernel, dtype=np.float32)

    def _rolled_out(self, embeddings: FloatArray) -> tuple[FloatArray, FloatArray, list[int]]:
        """Generate from (B, D): (B, T, M) frames, (B, T) stop probabilities, B lengths.

        Clips that are over leave the batch: most are half as long as the longest.
        """
        generator = self._network.generator
        limit = self._one.longest()
        count = generator.config.frames_per_step
        total = limit + count  # room for the last block
        shortest = MIN_DURATION * self._one.frame_rate
        frames = np.zeros((len(embeddings), total, 3 * len(JOINTS)), np.float32)
        stops = np.zeros((len(embeddings), total), np.float32)
        lengths = np.full(len(embeddings), limit)
        going = np.arange(len(embeddings))
        with torch.inference_mode():
            frame, state = generator.initial(torch.from_numpy(embeddings))
            frames[:, 0] = frame.numpy()
            for start in range(1, limit, count):
                block, logits, state = generator.step(frame, state)  # (B', R, M), (B', R)
                frames[going, start : start + count] = block.numpy()
                stops[going, start : start + count] = torch.sigmoid(logits).numpy()
                numbers = np.arange(start + 1, start + count + 1)  # of frames, the first is 1
                over = (stops[going, start : start + count] >= 0.5) & (numbers >= shortest)
                over &= not self.fixed_length
                ended = over.any(axis=1)
                lengths[going[ended]] = np.minimum(numbers[over[ended].argmax(axis=1)], limit)
                keep = torch.from_numpy(np.flatnonzero(~ended))
                going = going[~ended]
                if not len(going):
                    break
                frame, state = block[keep, -1], State(*(part[keep] for part in state))
        return frames, stops, lengths.tolist()
