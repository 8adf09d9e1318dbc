"""Resampling of positions over time, and closing of gaps."""

import numpy as np
import numpy.typing as npt

from text2gesture_ros.geometry import Array

# A kernel that passes through the samples and is smooth: cubic convolution with a = -1/2.
# Keys, "Cubic convolution interpolation for digital image processing" (1981), eq. 15.
_REACH = 2.0


def _kernel(distance: Array) -> Array:
    d = np.abs(distance)
    near = (1.5 * d - 2.5) * d * d + 1.0
    far = ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0
    return np.where(d < 1.0, near, np.where(d < _REACH, far, 0.0))


def resample(values: Array, old_rate: float, new_rate: float) -> Array:
    """Return samples at another rate, from the first frame up to the last.

    Going up, the curve passes through the samples. Going down, the kernel is widened by the ratio of the
    rates: a low-pass, so that what lies above the new rate's Nyquist frequency is not aliased. Ends are
    extended by point reflection, so that straight lines stay straight.

    Args:
        values: (T, ...) samples.
        old_rate: their rate [Hz].
        new_rate: the rate wanted [Hz].
    """
    if old_rate == new_rate or len(values) == 1:
        return values
    last = len(values) - 1
    count = int(np.floor(last * new_rate / old_rate + 1e-9)) + 1
    centre = np.arange(count) * old_rate / new_rate  # of each new frame, in old ones
    width = max(1.0, old_rate / new_rate)
    reach = int(np.ceil(_REACH * width))
    flat = values.reshape(len(values), -1)
    result = np.zeros((count, flat.shape[1]))
    total = np.zeros((count, 1))
    for step in range(-reach, reach + 1):
        index = np.floor(centre).astype(int) + step
        weight = _kernel((index - centre) / width)[:, None]
        # Odd reflection; where even that lies outside a very short clip, its end.
        inside = np.clip(index, 0, last)
        mirrored = np.clip(2 * inside - index, 0, last)
        result += weight * (2.0 * flat[inside] - flat[mirrored])
        total += weight
    return np.asarray(result / total).reshape(count, *values.shape[1:])


def longest_gap(seen: npt.NDArray[np.bool_]) -> int:
    """Return the largest number of consecutive frames that are not `seen` (T,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], seen, [True]]).astype(int)))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def close_gaps(values: Array) -> Array:
    """Return samples (T, D) with NaN replaced: straight between neighbours, held at the ends."""
    seen = np.isfinite(values).all(axis=1)
    if seen.all():
        return values
    frames = np.arange(len(values))
    return np.stack([np.interp(frames, frames[seen], column[seen]) for column in values.T], axis=1)
