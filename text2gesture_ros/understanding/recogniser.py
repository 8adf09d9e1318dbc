"""Which gesture a motion shows, or none: the recogniser's network on ONNX Runtime, over windows in time.

A motion is looked at in windows of at most 3 s. One no longer is a single window; a longer one is searched in
windows of several lengths. A few networks are asked about each window and its mirror image and the logits
averaged, so that which hand is used cannot matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from text2gesture_ros.geometry import FloatArray, softmax
from text2gesture_ros.labels import GESTURES, NEUTRAL
from text2gesture_ros.model_directory import open_model
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.skeleton import INDEX, REFERENCE, bone_lengths, mirror, with_bone_lengths

OTHER = "other"
"""What a motion that is none of the twelve gestures is called."""
LABELS = (*GESTURES, OTHER)
RATE = 15.0  # of the frames the network sees [Hz]; people nod and wave at 3 Hz at most
WINDOW = 45  # frames at most
INPUTS, OUTPUTS = ("positions", "mask"), ("logits", "features")
LENGTHS = (1.0, 2.0, 3.0)  # of the windows a longer motion is searched in [s]
STRIDE = 0.25  # from window to window, and from one moment to the next [s]
_BATCH = 16  # windows at a time
_ACTING = np.array([label not in (NEUTRAL, OTHER) for label in LABELS])


@dataclass(frozen=True)
class Window:
    """What a part of a motion shows.

    Attributes:
        start: of the window [s].
        end: of the window [s].
        probabilities: (C,) in the order of `LABELS`.
    """

    start: float
    end: float
    probabilities: FloatArray


@dataclass(frozen=True)
class Recognition:
    """What a motion shows.

    Attributes:
        gestures: every label of `LABELS` with its probability, best first.
        accepted: whether the best is one of the twelve gestures and sure enough; else it is none of them.
        windows: what was found where.
        best: the window that shows the best label most clearly.
    """

    gestures: tuple[tuple[str, float], ...]
    accepted: bool
    windows: tuple[Window, ...]
    best: Window


class Recogniser:
    """Recognises gestures.

    Attributes:
        threshold: least probability of an accepted gesture.
    """

    def __init__(self, model: str = "recogniser", *, threads: int = 1) -> None:
        """Load a model.

        Args:
            model: name or path of the model directory.
            threads: threads of ONNX Runtime.

        Raises:
            ModelError: there is no such model, or it is damaged.
        """
        directory = open_model(model, "recogniser")
        directory.check_labels({"gesture": GESTURES})
        self.threshold = directory.number("threshold", 0.0, 1.0)
        self._temperature = directory.number("temperature", 0.01, 100.0)
        self._session = directory.session(threads=threads)

    def read(self, motion: Motion) -> Recognition:
        """Return what a motion shows.

        In a longer one every moment has the mean probabilities of the windows it is in, the lengths of the
        windows counting alike. The moment at which one of the acting gestures (neither neutral nor other) is
        likeliest speaks for the motion; if even then it is not the likeliest of all labels, the mean does.
        """
        windows = candidates = self.windows(motion)
        if len(windows) == 1:
            found = windows[0].probabilities
        else:
            times, moments = _moments(windows)
            peak = moments[:, _ACTING].max(axis=1).argmax()
            found = moments[peak]
            if _ACTING[found.argmax()]:
                candidates = [each for each in windows if each.start <= times[peak] <= each.end]
            else:
                found = moments.mean(axis=0)
        order = np.argsort(-found, kind="stable")
        gestures = tuple((LABELS[index], float(found[index])) for index in order)
        label, probability = gestures[0]
        best = max(candidates, key=lambda each: float(each.probabilities[order[0]]))
        return Recognition(gestures, label != OTHER and probability >= self.threshold, tuple(windows), best)

    def windows(self, motion: Motion) -> list[Window]:
        """Return what each window of a motion shows, in the order of length and time."""
        frames = sampled(motion)
        if len(frames) <= WINDOW:
            spans = [(0, len(frames))]
        else:
            spans = [
                (start, start + length)
                for length in (int(seconds * RATE) for seconds in LENGTHS)
                for start in _starts(len(frames) - length)
            ]
        logits, _ = self._run([frames[start:end] for start, end in spans])
        return [
            Window(start / RATE, end / RATE, probabilities)
            for (start, end), probabilities in zip(spans, softmax(logits / self._temperature), strict=True)
        ]

    def outputs(self, motions: Sequence[Motion]) -> tuple[FloatArray, FloatArray]:
        """Return what the last layer gives for the first 3 s of each motion, and what it sees of them.

        Returns:
            (B, C) logits, before temperature; (B, D) features.
        """
        return self._run([sampled(motion)[:WINDOW] for motion in motions])

    def _run(self, clips: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
        """Return logits and features, each the mean over networks, and a clip and its mirror image."""
        found = []
        for first in range(0, len(clips), _BATCH):
            positions, mask = stacked([normalised(clip) for clip in clips[first : first + _BATCH]])
            inputs = (np.concatenate([positions, mirror(positions)]), np.concatenate([mask, mask]))
            outputs = self._session.run(list(OUTPUTS), dict(zip(INPUTS, inputs, strict=True)))
            found.append([output.mean(axis=-1).reshape(2, len(mask), -1).mean(axis=0) for output in outputs])
        logits, features = (np.concatenate(each) for each in zip(*found, strict=True))
        return logits, features


def normalised(positions: FloatArray) -> FloatArray:
    """Return a motion as every body would do it: on the reference body, the shoulders facing ahead.

    Place and size of the body and where it stands turned to drop out; directions of bones stay.

    Args:
        positions: (..., T, K, 3) joint positions [m], z up.

    Returns:
        (..., T, K, 3) joint positions from the pelvis [m], float32.
    """
    placed = with_bone_lengths(positions - positions[..., :1, :], _BONE_LENGTHS)
    across = placed[..., INDEX["left_shoulder"], :2] - placed[..., INDEX["right_shoulder"], :2]
    x, y = (across[..., axis].sum(axis=-1, keepdims=True) for axis in (0, 1))
    # The median angle from the mean line: a turn for a short while does not count.
    turn = np.arctan2(y, x) + np.median(
        np.arctan2(x * across[..., 1] - y * across[..., 0], x * across[..., 0] + y * across[..., 1]),
        axis=-1,
        keepdims=True,
    )
    sine, cosine = np.cos(turn)[..., None], np.sin(turn)[..., None]  # to bring the line to the left
    ahead = cosine * placed[..., 0] - sine * placed[..., 1]
    left = sine * placed[..., 0] + cosine * placed[..., 1]
    return np.stack([ahead, left, placed[..., 2]], axis=-1).astype(np.float32)


_BONE_LENGTHS = bone_lengths(REFERENCE)


def stacked(clips: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Return clips of any lengths as one array, zero beyond their ends: (B, T, K, 3), mask (B, T)."""
    longest = max(2, *map(len, clips))  # velocity takes two frames
    positions = np.zeros((len(clips), longest, *clips[0].shape[1:]), dtype=np.float32)
    mask = np.zeros((len(clips), longest), dtype=np.float32)
    for index, clip in enumerate(clips):
        positions[index, : len(clip)] = clip
        mask[index, : len(clip)] = 1.0
    return positions, mask


def sampled(motion: Motion) -> FloatArray:
    """Return positions at `RATE`, (T, K, 3), linear between frames.

    Without a low-pass, unlike `motion.resampling`: the network has learnt from such frames, in which quick
    nods and waves keep their height.
    """
    given = np.arange(len(motion)) / motion.frame_rate
    wanted = np.arange(int(np.floor(given[-1] * RATE + 1e-9)) + 1) / RATE
    left = np.clip(np.searchsorted(given, wanted, side="right") - 1, 0, max(len(motion) - 2, 0))
    right = np.minimum(left + 1, len(motion) - 1)
    weight = np.clip((wanted - given[left]) * motion.frame_rate, 0.0, 1.0)[:, None, None]
    mixed = (1 - weight) * motion.positions[left] + weight * motion.positions[right]
    return np.asarray(mixed, dtype=np.float32)


def _starts(last: int) -> list[int]:
    """Return the first frames of windows every `STRIDE`, the last one at the motion's end."""
    return [*np.arange(0.0, last, STRIDE * RATE).astype(int).tolist(), last]


def _moments(windows: Sequence[Window]) -> tuple[FloatArray, FloatArray]:
    """Return moments [s], (M,), and the mean over lengths of the mean over windows there, (M, C)."""
    times = np.arange(0.0, max(window.end for window in windows), STRIDE) + STRIDE / 2
    means = []
    lengths = sorted({round(window.end - window.start, 3) for window in windows})
    for length in lengths:
        own = [window for window in windows if round(window.end - window.start, 3) == length]
        inside = np.array([(window.start <= times) & (times <= window.end) for window in own], dtype=float)
        values = np.array([window.probabilities for window in own])
        counts = inside.sum(axis=0)[:, None]
        mean = inside.T @ values / np.maximum(counts, 1.0)
        means.append(np.where(counts > 0, mean, values.mean(axis=0)))
    return times, np.asarray(np.mean(means, axis=0))
