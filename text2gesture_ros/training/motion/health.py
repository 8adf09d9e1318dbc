"""Failure measures of motion models: collapse, drift, jitter, stretched bones, missing stop token."""

from collections.abc import Callable, Sequence

import numpy as np

from text2gesture_ros.generation.generator import MIN_DURATION
from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.motion.motion import FRAME_RATE
from text2gesture_ros.skeleton import bone_lengths
from text2gesture_ros.training.motion.metrics import jerks


def health(
    generated: FloatArray,
    stops: FloatArray,
    real: FloatArray,
    lengths: FloatArray,
    labels: FloatArray,
    frame_rate: float = FRAME_RATE,
) -> dict[str, float]:
    """Compare clips generated from embeddings with the real clips, on all N frames, before any smoothing.

    Args:
        generated: (B, N, K, 3) joint positions [m].
        stops: (B, N - 1) stop probabilities of the frames from the second on.
        real: (B, N, K, 3) joint positions of the clips [m], padded.
        lengths: (B,) frames of each clip before the padding.
        labels: (B,) gesture of each clip.
        frame_rate: frames per second [Hz].

    Returns:
        variance_ratio: see `variance_ratio`; far below 1 where motion has collapsed to the mean pose.
        drift: mean distance of a joint in frame N from where it was when its clip was over [m].
        jerk_ratio: of the generated clips' mean jerks to the real ones'; far above 1 where frames tremble.
        peak_jerk_ratio: of their largest jerks.
        bone_change: mean relative difference of a bone from its length in the clip.
        bone_change_worst: the largest.
        never_stops: part of the clips without a stop token until frame N.
        stops_early: part of the clips with a stop token before 0.5 s, where it is ignored.
        length_error: mean difference of the lengths [frames].
    """
    own = stop_lengths(stops, frame_rate)
    first = _first_valid(frame_rate)
    own_jerks, real_jerks = (
        [jerks(clip[:end], frame_rate) for clip, end in zip(clips, lengths, strict=True)]
        for clips in (generated, real)
    )
    stretch = np.concatenate(
        [
            np.abs(bone_lengths(made[:end]) / bone_lengths(clip[:1]) - 1.0)
            for made, clip, end in zip(generated, real, lengths, strict=True)
        ]
    )
    ends = generated[np.arange(len(generated)), lengths - 1]  # (B, K, 3)
    values = {
        "variance_ratio": variance_ratio(generated, real, lengths, labels),
        "drift": np.linalg.norm(generated[:, -1] - ends, axis=-1).mean(),
        "jerk_ratio": _total(own_jerks, np.mean) / _total(real_jerks, np.mean),
        "peak_jerk_ratio": _total(own_jerks, np.max) / _total(real_jerks, np.max),
        "bone_change": stretch.mean(),
        "bone_change_worst": stretch.max(),
        "never_stops": (stops[:, first:] < 0.5).all(axis=1).mean(),
        "stops_early": (stops[:, :first] >= 0.5).any(axis=1).mean(),
        "length_error": np.abs(own - lengths).mean(),
    }
    return {name: float(value) for name, value in values.items()}


def stop_lengths(stops: FloatArray, frame_rate: float = FRAME_RATE) -> FloatArray:
    """Return the number of frames of each clip up to its first valid stop token.

    Args:
        stops: (B, N - 1) stop probabilities of the frames from the second on.
        frame_rate: frames per second [Hz].

    Returns:
        (B,) frames; N where no token fires.
    """
    fired = stops >= 0.5
    fired[:, : _first_valid(frame_rate)] = False
    return np.asarray(np.where(fired.any(axis=1), fired.argmax(axis=1) + 2, stops.shape[1] + 1))


def variance_ratio(generated: FloatArray, real: FloatArray, lengths: FloatArray, labels: FloatArray) -> float:
    """Return the variance of generated to that of real joint positions, over clips and frames of a label.

    Args:
        generated: (B, N, K, 3) joint positions [m].
        real: (B, N, K, 3) joint positions [m].
        lengths: (B,) frames that count.
        labels: (B,) label of each.
    """
    spread = np.zeros(2)
    for label in np.unique(labels):
        chosen = np.flatnonzero(labels == label)
        for index, clips in enumerate((generated, real)):
            spread[index] += np.concatenate([clips[i, : lengths[i]] for i in chosen]).var(axis=0).sum()
    return float(spread[0] / spread[1])


def _first_valid(frame_rate: float) -> int:
    """Return the index of the first stop probability, of those from the second frame on, that counts."""
    return max(0, int(np.ceil(MIN_DURATION * frame_rate)) - 2)


def _total(parts: Sequence[FloatArray], of: Callable[[FloatArray], FloatArray]) -> float:
    """Return the sum over clips of one number of each."""
    return float(sum(of(part) for part in parts))
