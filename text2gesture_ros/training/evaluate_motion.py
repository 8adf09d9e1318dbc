"""Measure a motion model against clips of people it has never seen."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from text2gesture_ros.checkpoints import open_model
from text2gesture_ros.generator import GestureGenerator
from text2gesture_ros.labels import EMOTIONS, GESTURES
from text2gesture_ros.motion import Motion
from text2gesture_ros.motion_network import MotionNetwork, load_network
from text2gesture_ros.skeleton import FloatArray, bone_lengths
from text2gesture_ros.training.motion_data import MotionClips, Normalisation
from text2gesture_ros.training.studio import dataset

# Added to the seed a model was trained with: the people of the evaluation are none of the training's.
_UNSEEN = 40_000


def evaluate(model: str = "motion", *, clips_per_gesture: int = 20) -> dict[str, Any]:
    """Measure a motion model; the same model gives the same numbers.

    Real clips come from the studio with seeds the model was not trained on, all put on the model's body. For
    each there is a generated clip of the same gesture and emotion (what a robot would show), and one that is
    generated from the real clip's own embedding (the paper's reconstruction, for lengths). Ratios are
    generated to real: 1 is as real; motion that has collapsed to a mean pose is far below.

    Args:
        model: name or path of the model directory.
        clips_per_gesture: real clips of each gesture.

    Returns:
        recognition: accuracy of the generated clips by the nearest class mean in the embedder's space;
            recognition_real: of the real clips, the ceiling; recognition_by_gesture: one for each gesture.
        length_error: mean absolute difference of frames between a real clip and its reconstruction;
            length_error_of_mean: that of always guessing the gesture's mean length.
        stop_rate: part of the generated clips ended by the stop token, not by the ceiling.
        mean_speed_ratio, mean_jerk_ratio, peak_jerk_ratio: over all joints; a clip's peak is its largest.
        variance_ratio: variance of the joint positions within each gesture, over clips and frames.
        lively: mean speed of positive to that of negative clips, generated and real.
        bone_change, bone_change_worst: mean and largest relative change of a bone's length in what the
            network gives, before it is put on the fixed body (after which it is 0).
        mmd_avg, mmd_seq: see `mmd_average` and `mmd_sequence`, mean over the gestures;
            mmd_avg_real, mmd_seq_real: of other real clips, the floor.

    Raises:
        ModelError: the model directory is wrong.
    """
    directory = open_model(model, "motion")
    network = load_network(directory)
    weights = directory.weights()
    names = ("mean", "deviation", "bone_lengths")
    normalisation = Normalisation(*(weights[f"normalisation.{name}"] for name in names))
    length = int(directory.number("max_frames", 1, 100_000))
    seed = int(directory.config.get("training", {}).get("seed", 0)) + _UNSEEN
    real = [_on_body(clip, normalisation) for clip in dataset(seed, clips_per_gesture)]
    others = [_on_body(clip, normalisation) for clip in dataset(seed + 1, clips_per_gesture)]
    embeddings = _embedded(network, real, normalisation, length)

    generator = GestureGenerator(model, device="cpu")
    generated, stops = [], []
    for index, clip in enumerate(real):
        frames = list(generator.frames(clip.gesture, clip.emotion, seed=seed + index))
        positions = np.stack([frame.positions for frame in frames])
        generated.append(Motion(positions, generator.frame_rate, clip.gesture, clip.emotion))
        stops.append(frames[-1].stop_probability >= 0.5)
    lengths = [sum(1 for _ in generator.frames_of(embedding)) for embedding in embeddings]

    truth = np.array([GESTURES.index(clip.gesture) for clip in real])
    real_lengths = np.array([len(clip) for clip in real])
    typical = np.array([real_lengths[truth == label].mean() for label in range(len(GESTURES))])
    means = np.stack(
        [
            weights["examples"][weights["example_gestures"] == label].mean(axis=0)
            for label in range(len(GESTURES))
        ]
    )
    generated_embeddings = _embedded(network, generated, normalisation, length)
    recognised = _nearest(generated_embeddings, means) == truth
    speed, jerk, peak = _kinematics(generated) / _kinematics(real)
    bones = _bone_change(network, embeddings, normalisation, lengths)
    real_frames, other_frames, generated_frames = (
        _padded(clips, length) for clips in (real, others, generated)
    )
    return {
        "clips": len(real),
        "recognition": float(recognised.mean()),
        "recognition_real": float((_nearest(embeddings, means) == truth).mean()),
        "recognition_by_gesture": {
            gesture: float(recognised[truth == label].mean()) for label, gesture in enumerate(GESTURES)
        },
        "length_error": float(np.abs(np.array(lengths) - real_lengths).mean()),
        "length_error_of_mean": float(np.abs(typical[truth] - real_lengths).mean()),
        "stop_rate": float(np.mean(stops)),
        "mean_speed_ratio": float(speed),
        "mean_jerk_ratio": float(jerk),
        "peak_jerk_ratio": float(peak),
        "variance_ratio": _variance(generated) / _variance(real),
        "lively": {"generated": _lively(generated), "real": _lively(real)},
        "bone_change": float(bones.mean()),
        "bone_change_worst": float(bones.max()),
        "mmd_avg": _per_gesture(mmd_average, real_frames, generated_frames, truth),
        "mmd_avg_real": _per_gesture(mmd_average, real_frames, other_frames, truth),
        "mmd_seq": _per_gesture(mmd_sequence, real_frames, generated_frames, truth),
        "mmd_seq_real": _per_gesture(mmd_sequence, real_frames, other_frames, truth),
    }


def mmd(real: FloatArray, given: FloatArray) -> float:
    """Return the maximum mean discrepancy of two sets of vectors, (P, D) and (Q, D); 0 for one distribution.

    The square root of the unbiased estimate (Gretton et al. 2012, eq. 3), negative estimates taken as 0, with
    the kernel exp(-d^2 / 2 s^2) and s the median distance between two different real vectors.
    """
    within, across, inside = _distances(real, real), _distances(real, given), _distances(given, given)
    pairs = ~np.eye(len(real), dtype=bool)
    bandwidth = max(float(np.median(within[pairs])), 1e-9)

    def kernel(distance: FloatArray) -> FloatArray:
        return np.asarray(np.exp(-0.5 * (distance / bandwidth) ** 2))

    squared = (
        kernel(within[pairs]).mean()
        + kernel(inside[~np.eye(len(given), dtype=bool)]).mean()
        - 2.0 * kernel(across).mean()
    )
    return float(np.sqrt(max(squared, 0.0)))


def mmd_average(real: FloatArray, given: FloatArray) -> float:
    """Return the mean over frames of the discrepancy of the poses at that frame: (P, T, D), (Q, T, D)."""
    step = 4  # neighbouring frames say the same
    return float(np.mean([mmd(real[:, t], given[:, t]) for t in range(0, real.shape[1], step)]))


def mmd_sequence(real: FloatArray, given: FloatArray) -> float:
    """Return the discrepancy of whole clips, each taken as one vector: (P, T, D), (Q, T, D)."""
    return mmd(real.reshape(len(real), -1), given.reshape(len(given), -1))


def _per_gesture(measure: Any, real: FloatArray, given: FloatArray, labels: FloatArray) -> float:
    return float(np.mean([measure(real[labels == g], given[labels == g]) for g in range(len(GESTURES))]))


def _distances(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.norm(a[:, None] - b[None], axis=2))


def _on_body(clip: Motion, normalisation: Normalisation) -> Motion:
    positions = normalisation.positions(normalisation.normalised(clip))
    return Motion(positions, clip.frame_rate, clip.gesture, clip.emotion)


def _embedded(
    network: MotionNetwork, clips: Sequence[Motion], normalisation: Normalisation, length: int
) -> FloatArray:
    """Return the embeddings of clips, (B, D)."""
    data = MotionClips(clips, normalisation, length)
    with torch.inference_mode():
        embeddings = network.embedder(torch.stack([data[index]["frames"] for index in range(len(data))]))
    return np.asarray(embeddings.numpy())


def _nearest(embeddings: FloatArray, means: FloatArray) -> FloatArray:
    """Return the index of the mean nearest to each embedding (L1, as the triplet loss): (B,)."""
    return np.asarray(np.abs(embeddings[:, None] - means).mean(axis=2).argmin(axis=1))


def _kinematics(clips: Sequence[Motion]) -> FloatArray:
    """Return mean speed [m/s], mean jerk and mean of the clips' peak jerks [m/s^3]."""
    values = []
    for clip in clips:
        speed = np.linalg.norm(np.diff(clip.positions, axis=0), axis=2) * clip.frame_rate
        jerk = np.linalg.norm(np.diff(clip.positions, n=3, axis=0), axis=2) * clip.frame_rate**3
        values.append((speed.mean(), jerk.mean(), jerk.max()))
    return np.asarray(np.mean(values, axis=0))


def _variance(clips: Sequence[Motion]) -> float:
    """Return the variance of the joint positions [m^2] within a gesture, mean over the gestures."""
    parts = [
        np.concatenate([c.positions for c in clips if c.gesture == gesture]).var(axis=0).sum()
        for gesture in GESTURES
    ]
    return float(np.mean(parts))


def _lively(clips: Sequence[Motion]) -> float:
    positive, negative = (
        _kinematics([clip for clip in clips if clip.emotion == emotion])[0] for emotion in EMOTIONS[:2]
    )
    return float(positive / negative)


def _bone_change(
    network: MotionNetwork, embeddings: FloatArray, normalisation: Normalisation, lengths: Sequence[int]
) -> FloatArray:
    """Return the relative change of every bone in every frame before the projection."""
    steps = (max(lengths) - 1) // network.config.frames_per_step + 1
    with torch.inference_mode():
        frames, _ = network.generator(torch.from_numpy(embeddings), steps)  # (B, T, M)
    positions = frames.numpy() * normalisation.deviation + normalisation.mean
    own = np.concatenate([clip[:length] for clip, length in zip(positions, lengths, strict=True)])
    bones = bone_lengths(own.reshape(len(own), -1, 3))
    return np.asarray(np.abs(bones / normalisation.bone_lengths - 1.0))


def _padded(clips: Sequence[Motion], length: int) -> FloatArray:
    """Return the clips, each held at its end, as (B, T, M) [m]."""
    return np.stack(
        [c.positions[np.minimum(np.arange(length), len(c) - 1)].reshape(length, -1) for c in clips]
    )
