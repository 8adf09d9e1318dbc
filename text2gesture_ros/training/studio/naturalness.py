"""How human a motion moves: smoothness and speed of its hands, to compare synthesised with real clips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.skeleton import INDEX

_MOVING = 0.05  # a hand slower than this at its fastest does not move [m/s]
_PADDING = 4  # zeros to append, as a power of two: finer steps of frequency (Balasubramanian et al., 2015)
_HIGHEST_FREQUENCY = 10.0  # of voluntary motion [Hz]
_SMALLEST_AMPLITUDE = 0.05  # of the spectrum's highest


def hand_speeds(motion: Motion) -> FloatArray:
    """Return the speeds of the left and the right hand relative to the pelvis: (T - 1, 2) [m/s].

    Raises:
        InputError: the motion has fewer than 3 frames.
    """
    if len(motion) < 3:
        raise InputError(f"motion: needs at least 3 frames to have a speed and its change, has {len(motion)}")
    hands = motion.positions[:, [INDEX["left_hand"], INDEX["right_hand"]]].astype(np.float64)
    return np.asarray(np.linalg.norm(np.diff(hands, axis=0), axis=-1) * motion.frame_rate)


def spectral_arc_length(speed: FloatArray, frame_rate: float) -> float:
    """Return the smoothness SPARC of a speed profile (Balasubramanian et al., 2015, eq. 9 and 10).

    It is minus the arc length of the profile's normalised amplitude spectrum up to the highest frequency that
    still matters. A minimum-jerk stroke has about -1.4; the more ups and downs, the lower.

    Args:
        speed: (T,) [m/s].
        frame_rate: [Hz].
    """
    count = 2 ** (int(np.ceil(np.log2(len(speed)))) + _PADDING)
    frequencies = np.arange(count) * frame_rate / count
    spectrum = np.abs(np.fft.fft(speed, count))
    spectrum /= spectrum.max()
    band = frequencies <= _HIGHEST_FREQUENCY
    frequencies, spectrum = frequencies[band], spectrum[band]
    last = int(np.flatnonzero(spectrum >= _SMALLEST_AMPLITUDE)[-1])
    if last == 0:
        return 0.0
    steps = np.diff(frequencies[: last + 1]) / frequencies[last]
    return -float(np.hypot(steps, np.diff(spectrum[: last + 1])).sum())


def log_dimensionless_jerk(speed: FloatArray, frame_rate: float) -> float:
    """Return the smoothness LDLJ of a speed profile (Balasubramanian et al., 2015, eq. 8).

    It is -ln(T^3 / v^2 * integral of the squared second derivative of speed); duration T, peak speed v.

    Args:
        speed: (T,) [m/s], not constant.
        frame_rate: [Hz].
    """
    jerk = np.diff(speed, n=2) * frame_rate**2
    duration = len(speed) / frame_rate
    cost = float((jerk**2).sum() / frame_rate) * duration**3 / float(speed.max()) ** 2
    return -float(np.log(cost))


@dataclass(frozen=True)
class Naturalness:
    """What the hand that moves more does.

    Attributes:
        sparc: spectral arc length of its speed; nearer to 0 is smoother.
        ldlj: log dimensionless jerk of its speed; nearer to 0 is smoother.
        peak_speed: [m/s].
        median_speed: of the frames in which it is faster than a tenth of that [m/s].
        travel: the largest extent of its path along an axis [m].
    """

    sparc: float
    ldlj: float
    peak_speed: float
    median_speed: float
    travel: float


def naturalness(motion: Motion) -> Naturalness | None:
    """Measure the hand that moves more; None where both rest.

    Raises:
        InputError: the motion has fewer than 3 frames.
    """
    speeds = hand_speeds(motion)
    busier = int(speeds.sum(axis=0).argmax())
    speed = speeds[:, busier]
    if speed.max() < _MOVING:
        return None
    hand = motion.positions[:, INDEX[("left_hand", "right_hand")[busier]]]
    return Naturalness(
        spectral_arc_length(speed, motion.frame_rate),
        log_dimensionless_jerk(speed, motion.frame_rate),
        float(speed.max()),
        float(np.median(speed[speed >= 0.1 * speed.max()])),
        float(np.ptp(hand, axis=0).max()),
    )


def spread(motions: Sequence[Motion]) -> Mapping[str, tuple[float, float, float]]:
    """Return the 5th percentile, median and 95th percentile of each measure over the motions that have hands.

    Raises:
        InputError: in none of the motions a hand moves, or one has fewer than 3 frames.
    """
    found = [measured for measured in map(naturalness, motions) if measured is not None]
    if not found:
        raise InputError(f"motions: in none of {len(motions)} does a hand move")
    result = {}
    for item in fields(Naturalness):
        low, middle, high = np.percentile([getattr(one, item.name) for one in found], [5, 50, 95])
        result[item.name] = (float(low), float(middle), float(high))
    return result


def pieces(motion: Motion, shortest: float = 1.0, longest: float = 3.0) -> list[Motion]:
    """Cut a recording into equal pieces as long as gestures are [s]; none where it is too short."""
    count = int(np.ceil(motion.duration / longest))
    parts = np.array_split(motion.positions, count)
    return [replace(motion, positions=part) for part in parts if len(part) >= shortest * motion.frame_rate]
