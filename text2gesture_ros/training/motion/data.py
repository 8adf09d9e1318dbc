"""Clips for the motion model: one body, augmentation, stop tokens, normalisation (paper, sec. 3.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.labels import EMOTIONS, GESTURES
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.skeleton import INDEX, bone_lengths, with_bone_lengths

# Below this deviation [m] a coordinate (a knee's) hardly moves: blowing it up would teach the model noise.
_SMALLEST_DEVIATION = 0.01


class Batch(TypedDict):
    """Clips of one length N as tensors; collated, each has a leading axis B."""

    frames: Tensor  # (N, M) normalised
    tokens: Tensor  # (N,) 0 in the motion, 1 in the padding
    length: Tensor  # () frames of the motion
    gesture: Tensor  # () index in GESTURES
    emotion: Tensor  # () index in EMOTIONS
    mirrored: Tensor  # () whether the clip is seen in a mirror, see `acts_left`


@dataclass(frozen=True)
class Normalisation:
    """The body and the normalisation of a model's frames.

    Attributes:
        mean: (M,) mean of every coordinate over all training frames [m].
        deviation: (M,) standard deviation [m].
        bone_lengths: (K - 1,) bone lengths of the mean body [m].
    """

    mean: FloatArray
    deviation: FloatArray
    bone_lengths: FloatArray

    @classmethod
    def of(cls, clips: Sequence[Motion]) -> "Normalisation":
        """Compute the mean body of the clips and their mirror images, and the statistics of their frames."""
        clips = [*clips, *(clip.mirrored() for clip in clips)]
        lengths = np.mean([bone_lengths(clip.positions[0]) for clip in clips], axis=0)
        frames = np.concatenate([with_bone_lengths(clip.positions, lengths) for clip in clips])
        frames = frames.reshape(len(frames), -1)
        return cls(
            frames.mean(axis=0, dtype=np.float64).astype(np.float32),
            np.maximum(frames.std(axis=0, dtype=np.float64), _SMALLEST_DEVIATION).astype(np.float32),
            lengths.astype(np.float32),
        )

    def normalised(self, motion: Motion) -> FloatArray:
        """Return the clip on the mean body, normalised: (T, K, 3) [m] -> (T, M)."""
        frames = with_bone_lengths(motion.positions, self.bone_lengths).reshape(len(motion), -1)
        return np.asarray((frames - self.mean) / self.deviation, dtype=np.float32)

    def positions(self, frames: FloatArray) -> FloatArray:
        """Return joint positions [m] with the mean body's bones: (T, M) -> (T, K, 3)."""
        positions = (frames * self.deviation + self.mean).reshape(len(frames), -1, 3)
        return with_bone_lengths(positions, self.bone_lengths)


def furthest_step(clips: Sequence[Motion], bones: FloatArray) -> float:
    """Return the 99th percentile over clips of the largest step of a joint between two frames [m].

    Args:
        clips: clips of at least two frames.
        bones: (K - 1,) lengths of the bones of the body they are put on [m].
    """
    largest = [
        np.linalg.norm(np.diff(with_bone_lengths(clip.positions, bones), axis=0), axis=2).max()
        for clip in clips
    ]
    return float(np.quantile(largest, 0.99))


def split(clips: Sequence[Motion], held_out_share: float) -> tuple[list[Motion], list[Motion]]:
    """Split clips into training and held-out clips: the last ones of each gesture are held out.

    Args:
        clips: clips with known gestures.
        held_out_share: part of each gesture's clips to hold out.
    """
    training, held_out = [], []
    for gesture in GESTURES:
        own = [clip for clip in clips if clip.gesture == gesture]
        count = len(own) - round(held_out_share * len(own))
        training += own[:count]
        held_out += own[count:]
    return training, held_out


def acts_left(positions: FloatArray) -> bool:
    """Whether a person gestures with the left hand or, without hand motion, turns the head left first.

    The model is taught right-handed clips alone, left-handed ones in a mirror: an embedding does not tell
    which way a shaken head goes first, and of two opposite ways a model learns the middle: stillness.

    Args:
        positions: (T, K, 3) joint positions [m].
    """
    moved = positions - positions[:1]
    left, right, nose = (moved[:, INDEX[name]] for name in ("left_hand", "right_hand", "nose"))
    leaning = nose[:, 1] + left[:, 2] - right[:, 2]  # (T,) [m] changes sign in a mirror
    first = int(np.argmax(np.abs(leaning) >= 0.2 * np.abs(leaning).max()))
    return bool(leaning[first] > 0.0)


def padded(frames: FloatArray, length: int, *, zero: bool = False) -> tuple[FloatArray, FloatArray]:
    """Repeat the last frame up to `length` frames; return them with the stop tokens.

    Args:
        frames: (T, M) with T <= length.
        length: frames wanted, N.
        zero: whether to add zeros instead, as others did before the paper.

    Returns:
        (N, M) frames and (N,) tokens: 0 for the motion's own frames, 1 for the frozen ones.
    """
    index = np.arange(length)
    tokens = (index >= len(frames)).astype(np.float32)
    result = frames[np.minimum(index, len(frames) - 1)]
    if zero:
        result[len(frames) :] = 0.0
    return result, tokens


def shortened(frames: FloatArray, largest_share: float, generator: np.random.Generator) -> FloatArray:
    """Remove randomly chosen frames, never the first or the last: the paper's augmentation.

    Args:
        frames: (T, M).
        largest_share: at most this part of the frames is removed; how much is drawn.
        generator: the source of chance.
    """
    count = int(generator.uniform(0.0, largest_share) * len(frames))
    inner = np.arange(1, len(frames) - 1)
    removed = generator.choice(inner, size=min(count, len(inner)), replace=False)
    return np.delete(frames, removed, axis=0)


class MotionClips(Dataset[Batch]):
    """Every clip and its augmented versions, right-handed, normalised and padded to N frames.

    Raises:
        ConfigurationError: a clip is longer than N frames.
    """

    def __init__(
        self,
        clips: Sequence[Motion],
        normalisation: Normalisation,
        frames: int,
        *,
        augmentations: int = 0,
        removed_share: float = 0.0,
        seed: int = 0,
        zero_padding: bool = False,
    ) -> None:
        """Normalise the clips.

        Args:
            clips: clips with known gesture and emotion.
            normalisation: of the training clips.
            frames: N.
            augmentations: augmented versions of each clip, beside the clip itself.
            removed_share: at most this part of an augmented clip's frames is removed.
            seed: of which frames are removed; version v of clip i is always the same.
            zero_padding: whether clips are padded with zeros, not with their last frame.
        """
        longest = max(len(clip) for clip in clips)
        if longest > frames:
            raise ConfigurationError(
                f"a clip has {longest} frames, but the model is trained on at most {frames}"
            )
        self._mirrored = [acts_left(clip.positions) for clip in clips]
        self._clips = [
            normalisation.normalised(clip.mirrored() if mirrored else clip)
            for clip, mirrored in zip(clips, self._mirrored, strict=True)
        ]
        self._labels = [(GESTURES.index(clip.gesture), EMOTIONS.index(clip.emotion)) for clip in clips]
        self._frames = frames
        self._versions = 1 + augmentations
        self._removed_share = removed_share
        self._seed = seed
        self._zero_padding = zero_padding

    def __len__(self) -> int:
        return len(self._clips) * self._versions

    def __getitem__(self, index: int) -> Batch:
        clip, version = divmod(index, self._versions)
        frames = self._clips[clip]
        if version:
            generator = np.random.default_rng([self._seed, clip, version])
            frames = shortened(frames, self._removed_share, generator)
        length = len(frames)
        frames, tokens = padded(frames, self._frames, zero=self._zero_padding)
        gesture, emotion = self._labels[clip]
        return Batch(
            frames=torch.from_numpy(frames),
            tokens=torch.from_numpy(tokens),
            length=torch.tensor(length),
            gesture=torch.tensor(gesture),
            emotion=torch.tensor(emotion),
            mirrored=torch.tensor(self._mirrored[clip]),
        )
