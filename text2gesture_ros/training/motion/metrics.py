"""Distances between sets of motions.

Clips of one length are (P, T, M): P clips, T frames, M = K * 3 coordinates [m]. Features are (P, D), what a
judge sees in a clip.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.labels import GESTURES
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.skeleton import INDEX

BANDWIDTHS = tuple(10.0**exponent for exponent in range(-4, 10))
"""Of the kernel exp(-d^2 / b) of `discrepancies`, as in the paper's reference [m^2]."""

_Z = 1.96  # half width of the 95 % interval of a normal distribution, in standard deviations


class Estimate(NamedTuple):
    """A mean over repetitions and half the width of its 95 % interval (None for a single repetition)."""

    mean: float
    interval: float | None


def estimate(values: Sequence[float]) -> Estimate:
    """Return mean and 1.96 s / sqrt(n) of n repetitions, s their standard deviation (n - 1)."""
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
    interval = None if spread is None else _Z * spread / float(np.sqrt(len(values)))
    return Estimate(float(np.mean(values)), interval)


class Discrepancies(NamedTuple):
    """Maximum mean discrepancies of two sets of clips, 0 for one distribution.

    Attributes:
        average: MMDavg, mean over frames of the discrepancy of the poses at that frame.
        sequence: MMDseq, of whole clips, each one vector.
        average_median: as `average`, at one bandwidth: the median distance of two real vectors.
        sequence_median: the same of `sequence`.
    """

    average: float
    sequence: float
    average_median: float
    sequence_median: float


def discrepancies(real: FloatArray, given: FloatArray) -> Discrepancies:
    """Return the discrepancies of two equally large sets of clips, each (P, T, M) with P >= 2.

    MMDavg and MMDseq are those of Yu, Zhao, Li, Yuan, Chen, "Structure-Aware Human-Action Generation" (ECCV
    2020), which the paper follows, in the form of the code published with it. For one bandwidth b

        MMD_b^2 = sum over i != j of k(x_i, x_j) + k(y_i, y_j) - 2 k(x_i, y_j), divided by P (P - 1)

    (Gretton et al. 2012, eq. 4, unbiased) with k(x, y) = exp(-|x - y|^2 / b). A negative estimate counts as
    0, and the figure is the largest over `BANDWIDTHS`; it is taken for each gesture, and the mean over
    gestures reported. Of clips shorter than T the last frame is repeated (the code leaves it open). A
    set against itself gives 0, two real sets more than that: the largest of fourteen estimates is biased
    upwards, the more the smaller P. Units hardly matter, since the bandwidths span thirteen decades.

    The `_median` ones have one bandwidth, 2 s^2 with s the median distance of two different real vectors.

    Raises:
        ValueError: the sets do not have the same size, or hold less than two clips.
    """
    if real.shape != given.shape or len(real) < 2:
        raise ValueError(f"clips must be two sets of the same shape but are {real.shape} and {given.shape}")
    apart = ~np.eye(len(real), dtype=bool)
    once = np.triu(apart)  # of a set and itself, every pair stands twice
    frames = [
        _squares(a, b)[:, pairs]
        for a, b, pairs in ((real, real, once), (given, given, once), (real, given, apart))
    ]  # three times (T, pairs)
    together = [squares.sum(axis=0, keepdims=True) for squares in frames]  # three times (1, pairs)

    def estimates(parts: Sequence[FloatArray], bandwidth: FloatArray | float) -> float:
        within, inside, across = (np.exp(part / -bandwidth).mean(axis=1) for part in parts)  # (T,) each
        return float(np.sqrt(np.maximum(within + inside - 2.0 * across, 0.0)).mean())

    def median(squares: FloatArray) -> FloatArray:
        return np.asarray(np.maximum(2.0 * np.median(squares, axis=1, keepdims=True), 1e-18))

    return Discrepancies(
        max(estimates(frames, bandwidth) for bandwidth in BANDWIDTHS),
        max(estimates(together, bandwidth) for bandwidth in BANDWIDTHS),
        estimates(frames, median(frames[0])),
        estimates(together, median(together[0])),
    )


def _squares(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return squared distances at each frame: (P, T, M), (Q, T, M) -> (T, P, Q)."""
    a, b = (np.asarray(clips, np.float64).transpose(1, 0, 2) for clips in (a, b))  # (T, P, M)
    lengths = np.square(a).sum(axis=2)[:, :, None] + np.square(b).sum(axis=2)[:, None, :]
    return np.asarray(np.maximum(lengths - 2.0 * a @ b.transpose(0, 2, 1), 0.0))


def frechet_distance(real: FloatArray, given: FloatArray) -> float:
    """Return the Frechet distance (FID) of two sets of features, (P, D) and (Q, D).

    |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of their means and covariances (Heusel et al. 2017, eq. 6).
    With S = A^T A, A the centred features over sqrt(P - 1), the last trace is the sum of the singular values
    of A1 A2^T, which is exact however many features there are.
    """
    (first, mean), (second, other) = (_centred(features) for features in (real, given))
    shared = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    spread = np.square(first).sum() + np.square(second).sum() - 2.0 * shared
    return float(np.square(mean - other).sum() + max(spread, 0.0))


def _centred(features: FloatArray) -> tuple[FloatArray, FloatArray]:
    features = np.asarray(features, np.float64)
    mean = features.mean(axis=0)
    return (features - mean) / np.sqrt(len(features) - 1), mean


def diversity(features: FloatArray) -> float:
    """Return the mean distance of two different clips of all: (P, D).

    Guo et al., "Action2Motion" (ACM MM 2020), sec. 5.2, average |v_i - v_i'| over random pairs; this is the
    mean over all pairs, which their figure estimates.
    """
    points = features[:, None]  # clips of a single frame
    pairs = np.triu_indices(len(features), 1)
    return float(np.sqrt(_squares(points, points)[0][pairs]).mean())


def multimodality(features: FloatArray, labels: Sequence[str]) -> float:
    """Return the mean distance of two different clips of one gesture, mean over gestures: (P, D), (P,).

    Guo et al. (2020), sec. 5.2, as `diversity` over all pairs instead of random ones.
    """
    return float(np.mean([diversity(part) for part in _by_gesture(features, labels)]))


def _by_gesture(values: FloatArray, labels: Sequence[str]) -> Iterator[FloatArray]:
    for gesture in GESTURES:
        chosen = np.array([label == gesture for label in labels])
        if chosen.any():
            yield values[chosen]


def discrepancies_by_gesture(real: FloatArray, given: FloatArray, labels: Sequence[str]) -> Discrepancies:
    """Return the mean over gestures of `discrepancies`; clip i of both sets shows gesture labels[i]."""
    sets = zip(_by_gesture(real, labels), _by_gesture(given, labels), strict=True)
    return Discrepancies(*np.mean([discrepancies(*pair) for pair in sets], axis=0).tolist())


class Kinematics(NamedTuple):
    """Kinematic figures of clips.

    Attributes:
        speed: mean speed of a joint [m/s].
        jerk: mean jerk of a joint [m/s^3].
        peak_jerk: largest jerk of a clip, mean over clips [m/s^3].
        hand_path: length of the way of both hands, mean over clips [m].
        jump: largest way of a joint from one frame to the next in any clip [m].
    """

    speed: float
    jerk: float
    peak_jerk: float
    hand_path: float
    jump: float


def jerks(positions: FloatArray, frame_rate: float) -> FloatArray:
    """Return the jerk of every joint [m/s^3]: (T, K, 3) -> (T - 3, K)."""
    return np.asarray(np.linalg.norm(np.diff(positions, n=3, axis=0), axis=-1) * frame_rate**3)


def kinematics(clips: Sequence[Motion]) -> Kinematics:
    """Measure clips of at least 4 frames."""
    hands = [INDEX["left_hand"], INDEX["right_hand"]]
    values = []
    for clip in clips:
        ways = np.linalg.norm(np.diff(clip.positions, axis=0), axis=2)  # (T - 1, K) [m]
        jerk = jerks(clip.positions, clip.frame_rate)
        speed = ways.mean() * clip.frame_rate
        values.append((speed, jerk.mean(), jerk.max(), ways[:, hands].sum(), ways.max()))
    means, largest = np.mean(values, axis=0).tolist(), float(np.max(values, axis=0)[-1])
    return Kinematics(*means)._replace(jump=largest)


def held(clips: Sequence[Motion], length: int) -> FloatArray:
    """Return clips of one length, each held at its last frame or cut: (P, T, M) [m]."""
    return np.stack(
        [clip.positions[np.minimum(np.arange(length), len(clip) - 1)].reshape(length, -1) for clip in clips]
    )
