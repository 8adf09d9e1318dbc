"""Training clips of the recogniser as bone directions, randomly augmented each time they are drawn.

Recordings vary more than the studio's clips. So every clip is cut, stretched, mirrored, bent, shaken and
deprived of joints before the network sees it, all in bone directions: `recogniser.normalised` keeps nothing
else of a body.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.labels import NEUTRAL
from text2gesture_ros.motion.formats import fill
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.skeleton import BONES, INDEX, JOINTS, MIRROR, PARENTS, REFERENCE, bone_lengths
from text2gesture_ros.understanding.recogniser import LABELS, OTHER, RATE, normalised, sampled

IntArray = npt.NDArray[np.integer]
BoolArray = npt.NDArray[np.bool_]

_LENGTHS = bone_lengths(REFERENCE)[:, None]
_MIRROR_BONES = [MIRROR[child] - 1 for _, child in BONES]
_HEAD_BONES = [INDEX[name] - 1 for name in ("head", "nose")]
_HANDS, _THUMBS = ([INDEX[f"{side}_{part}"] - 1 for side in ("left", "right")] for part in ("hand", "thumb"))
_CLAVICLES = [INDEX[f"{side}_shoulder"] - 1 for side in ("left", "right")]
_ARM_BONES = [
    [INDEX[f"{side}_{part}"] - 1 for part in ("elbow", "wrist", "hand", "thumb")]
    for side in ("left", "right")
]
_IDLE = 0.08  # largest displacement of a hand at rest [m]
_SHORTEST = int(RATE / 3)  # shortest clip [frames]

# Rest postures of an idle arm in recordings: directions of upper arm, forearm, hand and thumb of a left arm
# (x forward, y outward, z up).
_RESTS = np.array(
    [
        [(0.0, 1.0, 0.0), (0.0, 1.0, 0.0), (0.0, 1.0, 0.0), (0.7, 0.7, 0.0)],  # T, as figures are made
        [(0.0, 0.7, -0.7), (0.0, 0.7, -0.7), (0.0, 0.7, -0.7), (0.6, 0.5, -0.6)],  # A
        [(0.2, 0.2, -1.0), (0.7, -0.7, 0.0), (0.5, -0.9, -0.1), (0.6, -0.6, 0.5)],  # folded at the belly
        [(0.2, 0.1, -1.0), (0.4, -0.5, -0.8), (0.2, -0.6, -0.8), (0.5, -0.3, -0.8)],  # folded lower
        [(-0.2, 0.6, -0.8), (0.3, -0.7, -0.6), (0.3, -0.6, -0.7), (-0.2, -0.7, -0.5)],  # on the hip
        [(0.3, 0.2, -0.9), (0.5, -0.9, 0.2), (0.2, -0.9, 0.3), (0.3, -0.5, 0.8)],  # crossed
        [(0.1, 0.1, -1.0), (1.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.8, 0.0, 0.6)],  # forearm ahead
        [(0.0, 0.3, -1.0), (0.5, 0.1, -0.9), (0.5, 0.0, -0.9), (0.7, -0.2, -0.7)],  # a little bent
        [(-0.4, 0.3, -0.9), (-0.2, -0.7, -0.6), (-0.1, -0.9, -0.3), (0.0, -0.7, -0.7)],  # behind the back
    ]
)
# Sets of joints that recordings lack, by suffix of their names.
_LACKS = (
    ("thumb",),
    ("thumb", "hand"),
    ("thumb", "hand", "knee", "ankle"),
    ("knee", "ankle"),
    ("hip", "knee", "ankle"),
    ("nose",),
    ("nose", "thumb", "hand"),
    ("elbow", "wrist", "hand", "thumb", "knee", "ankle"),
)
# Joints without which a gesture cannot be recognised.
NEEDS: Mapping[str, tuple[str, ...]] = {
    "thumbsup": ("left_thumb", "right_thumb"),
    "nod": ("nose",),
    "shakehead": ("nose",),
}


@dataclass(frozen=True)
class Augmentation:
    """Amounts of random augmentation; probabilities are per clip, angles in radians.

    Attributes:
        slowest: smallest factor of the speed; the largest is its inverse.
        pause: probability of standing still before, and of standing still after.
        longest_pause: [s].
        rest: probability of another way to hold the arms that do nothing.
        arms: smallest factor on the amplitude of the arms; the largest is 2 minus it.
        head: the same of the head.
        rig: deviation of every bone's direction, constant over a clip: where a skeleton has its joints.
        upright: deviation of how the whole body is turned about each axis.
        jitter: probability of noise in every bone's direction over time.
        largest_jitter: deviation of that noise.
        rounded: probability of a clip in key postures of 45 degree steps, as notations of dance have them.
        random: probability that the arms of a clip that is no gesture move at random.
        lacking: probability that joints are missing and filled in by proportion.
    """

    slowest: float = 0.7
    pause: float = 0.4
    longest_pause: float = 0.8
    rest: float = 0.35
    arms: float = 0.75
    head: float = 0.6
    rig: float = 0.1
    upright: float = 0.08
    jitter: float = 0.5
    largest_jitter: float = 0.08
    rounded: float = 0.04
    random: float = 0.25
    lacking: float = 0.5


@dataclass(frozen=True)
class Clips:
    """Clips as one array.

    Attributes:
        directions: (N, F, K - 1, 3) unit vectors along the bones, the last frame repeated up to F.
        lengths: (N,) frames of each clip.
        strokes: (N, 2) first and last frame of what must be seen to tell the gesture.
        idle: (N, 2) whether left and right arm do nothing.
        labels: (N,) indices in `recogniser.LABELS`.
    """

    directions: FloatArray
    lengths: IntArray
    strokes: FloatArray
    idle: BoolArray
    labels: IntArray

    @classmethod
    def of(cls, motions: Sequence[Motion]) -> "Clips":
        """Make clips of motions; what has none of the twelve gestures as its label is `other`."""
        frames = [normalised(sampled(motion)) for motion in motions]
        lengths = np.array([len(each) for each in frames])
        directions = np.empty((len(frames), lengths.max(), len(BONES), 3), dtype=np.float32)
        for index, each in enumerate(frames):
            bones = (each[:, 1:] - each[:, list(PARENTS[1:])]) / _LENGTHS
            directions[index] = bones[np.minimum(np.arange(lengths.max()), len(each) - 1)]
        labels = [LABELS.index(motion.gesture or OTHER) for motion in motions]
        return cls(
            directions,
            lengths,
            np.array([_stroke(*pair) for pair in zip(frames, labels, strict=True)]),
            np.array([[_is_idle(each, side) for side in ("left", "right")] for each in frames]),
            np.array(labels),
        )

    def seen(
        self, chosen: IntArray, window: int, how: Augmentation, generator: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Return chosen clips, each augmented at random.

        Args:
            chosen: (B,) indices of clips.
            window: T, frames at most.
            how: amounts of augmentation.
            generator: random numbers.

        Returns:
            (B, T, K, 3) normalised positions and (B, T) mask.
        """
        times, mask = self._times(chosen, window, how, generator)
        left = times.astype(int)
        weight = (times - left)[..., None, None].astype(np.float32)
        rows = chosen[:, None]
        right = np.minimum(left + 1, self.directions.shape[1] - 1)
        bones = (1 - weight) * self.directions[rows, left] + weight * self.directions[rows, right]
        idle, labels = self.idle[chosen], self.labels[chosen]
        mirrored = generator.random(len(chosen)) < 0.5
        bones[mirrored] = bones[mirrored][:, :, _MIRROR_BONES] * np.array([1.0, -1.0, 1.0], dtype=np.float32)
        idle = np.where(mirrored[:, None], idle[:, ::-1], idle)

        _scale(bones, how, generator)
        at_random = (labels == LABELS.index(OTHER)) & (generator.random(len(chosen)) < how.random)
        for index in np.flatnonzero(at_random):
            _move_at_random(bones[index], generator)
        for index in np.flatnonzero(generator.random(len(chosen)) < how.rounded):
            _round(bones[index], generator)
        _rest(bones, idle & ~at_random[:, None], how, generator)
        _bend(bones, how, generator)
        positions = _positions(bones)
        _lack(positions, labels, idle, how, generator)
        return normalised(positions) * mask[..., None, None], mask

    def _times(
        self, chosen: IntArray, window: int, how: Augmentation, generator: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Return the time in its clip of each frame [frames], (B, T), and the mask."""
        count = len(chosen)

        def chance(low: FloatArray | float, high: FloatArray | float) -> FloatArray:
            return np.asarray(generator.uniform(low, np.maximum(high, low), count))

        def sometimes(probability: float, values: FloatArray, else_: FloatArray | float) -> FloatArray:
            return np.where(generator.random(count) < probability, values, else_)

        last = self.lengths[chosen] - 1.0
        first_of_stroke, last_of_stroke = self.strokes[chosen].T
        stroke = last_of_stroke - first_of_stroke
        start = sometimes(0.6, chance(0.0, first_of_stroke + 0.15 * stroke), 0.0)
        end = sometimes(0.6, chance(first_of_stroke + 0.6 * stroke, last), last)
        end = np.maximum(end, np.minimum(start + 1.0, last))
        speed = np.exp(chance(np.log(how.slowest), -np.log(how.slowest)))
        longest = how.longest_pause * RATE
        before, after = (sometimes(how.pause, chance(0.0, longest), 0.0) for _ in range(2))
        played = (end - start) / speed
        total = np.maximum(before + played + after + 1.0, _SHORTEST)
        # A clip that is too long is cut about its stroke.
        middle = before + ((first_of_stroke + last_of_stroke) / 2.0 - start) / speed
        shown = np.minimum(total, window)
        offset = np.clip(middle - chance(0.3, 0.7) * shown, 0.0, total - shown)
        frames = np.arange(window)
        clock = np.clip(frames + (offset - before)[:, None], 0.0, played[:, None])
        times = np.minimum(start[:, None] + clock * speed[:, None], last[:, None])
        return times, (frames < shown[:, None]).astype(np.float32)


def drawn(
    pools: Sequence[tuple[Clips, float]], count: int, other_share: float, generator: np.random.Generator
) -> list[IntArray]:
    """Return the indices of a batch's clips in each pool.

    `other` comes in its share, the gestures alike, whatever there is most of; a label comes from the pools
    that have it, by their shares.

    Args:
        pools: clips, and how often they come relative to those of other pools.
        count: clips in all.
        other_share: of clips that are none of the gestures.
        generator: random numbers.
    """
    shares = np.array([share * np.isin(np.arange(len(LABELS)), clips.labels) for clips, share in pools])
    there: npt.NDArray[np.bool_] = np.any(shares, axis=0)
    weights = np.where(np.arange(len(LABELS)) == LABELS.index(OTHER), 0.0, there)
    weights *= (1.0 - other_share) / max(1.0, weights.sum())
    weights[LABELS.index(OTHER)] = other_share * there[LABELS.index(OTHER)]
    labels = generator.choice(len(LABELS), count, p=weights / weights.sum())
    found: list[list[int]] = [[] for _ in pools]
    for label in labels:
        pool = int(generator.choice(len(pools), p=shares[:, label] / shares[:, label].sum()))
        found[pool].append(int(generator.choice(np.flatnonzero(pools[pool][0].labels == label))))
    return [np.array(indices, dtype=int) for indices in found]


def _stroke(positions: FloatArray, label: int) -> tuple[float, float]:
    """Return the first and last frame of more than half the largest displacement: (T, K, 3) -> 2."""
    last = len(positions) - 1
    if LABELS[label] in (NEUTRAL, OTHER):  # any part of them is what they are
        return last / 2, last / 2
    away = np.linalg.norm(positions - positions[:1], axis=-1).max(axis=-1)
    frames = np.flatnonzero(away > 0.5 * away.max())
    return (float(frames[0]), float(frames[-1])) if len(frames) else (0.0, float(last))


def _is_idle(positions: FloatArray, side: str) -> bool:
    """Whether a hand stays where it is, seen from the chest, below it: (T, K, 3)."""
    hand = positions[:, INDEX[f"{side}_hand"]] - positions[:, INDEX["chest"]]
    return bool(np.linalg.norm(hand - hand[:1], axis=-1).max() < _IDLE and hand[:, 2].max() < 0.0)


def _scale(bones: FloatArray, how: Augmentation, generator: np.random.Generator) -> None:
    """Scale the amplitude of arms and head about their mean directions: (B, T, K - 1, 3)."""
    for part, least in (([*_ARM_BONES[0], *_ARM_BONES[1]], how.arms), (_HEAD_BONES, how.head)):
        factor = generator.uniform(least, 2.0 - least, (len(bones), 1, 1, 1)).astype(np.float32)
        mean = bones[:, :, part].mean(axis=1, keepdims=True)
        bones[:, :, part] = mean + factor * (bones[:, :, part] - mean)


def _keyed(keys: FloatArray, frames: int) -> FloatArray:
    """Return directions interpolated linearly between key postures: (N, ...) -> (T, ...)."""
    at = np.linspace(0.0, len(keys) - 1.0, frames)
    left = np.minimum(at.astype(int), len(keys) - 2)
    weight = (at - left).reshape(-1, *([1] * (keys.ndim - 1)))
    return np.asarray((1 - weight) * keys[left] + weight * keys[left + 1])


def _move_at_random(bones: FloatArray, generator: np.random.Generator) -> None:
    """Replace one or both arms of a clip by motion between random postures: (T, K - 1, 3)."""
    keys = max(3, int(len(bones) / RATE / generator.uniform(0.25, 0.85)))
    for side in _ARM_BONES if generator.random() < 0.6 else _ARM_BONES[: 1 + generator.integers(2)][-1:]:
        upper, fore, spread = generator.normal(size=(3, keys, 1, 3))
        upper[..., 2] -= 0.5  # arms hang rather than stand up
        arm = np.concatenate([upper, fore, fore + 0.3 * spread, fore + 0.7 * spread], axis=1)
        bones[:, side] = _keyed(arm, len(bones))


def _round(bones: FloatArray, generator: np.random.Generator) -> None:
    """Turn a clip into key postures of 45 degree steps: (T, K - 1, 3)."""
    part = [*_ARM_BONES[0], *_ARM_BONES[1], *_HEAD_BONES]
    keys = max(3, int(len(bones) / RATE / generator.uniform(0.2, 0.5)))
    step = np.pi / 4
    x, y, z = np.moveaxis(bones[np.linspace(0, len(bones) - 1, keys).astype(int)][:, part], -1, 0)
    elevation = step * np.round(np.arctan2(z, np.hypot(x, y)) / step)
    azimuth = step * np.round(np.arctan2(y, x) / step)
    rounded = np.stack(
        [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], axis=-1
    )
    bones[:, part] = _keyed(rounded, len(bones))


def _rest(bones: FloatArray, idle: BoolArray, how: Augmentation, generator: np.random.Generator) -> None:
    """Hold idle arms, (B, 2), in other ways: (B, T, K - 1, 3)."""
    count = len(bones)
    chosen = generator.random(count) < how.rest
    which = generator.integers(len(_RESTS), size=(count, 2))
    which[:, 1] = np.where(generator.random(count) < 0.8, which[:, 0], which[:, 1])
    for side, outward in ((0, 1.0), (1, -1.0)):
        pose = _RESTS[which[:, side]] * np.array([1.0, outward, 1.0])
        pose = pose + generator.normal(0.0, 0.12, pose.shape)
        rows = np.flatnonzero(chosen & idle[:, side])
        bones[rows[:, None], :, _ARM_BONES[side]] = pose[rows][:, :, None]


def _bend(bones: FloatArray, how: Augmentation, generator: np.random.Generator) -> None:
    """Perturb every bone direction: constant offsets, as between skeletons, and noise over time."""
    count, frames, number, _ = bones.shape
    turn = generator.normal(0.0, how.rig, (count, 1, number, 3))
    turn[:, :, _HEAD_BONES] += generator.normal(0.0, how.rig, (count, 1, 1, 3))
    turn[:, :, _CLAVICLES] += generator.normal(0.0, how.rig, (count, 1, 1, 3))
    # Where in hand and thumb a joint is differs most of all.
    turn[:, :, _HANDS] += generator.normal(0.0, how.rig, (count, 1, 1, 3))
    turn[:, :, _THUMBS] += generator.normal(0.0, 2.0 * how.rig, (count, 1, 2, 3))
    turn += generator.normal(0.0, how.upright, (count, 1, 1, 3))
    # Noise of any colour, from swaying to trembling: a Gaussian low-pass, then back to its deviation.
    largest = np.log(max(how.largest_jitter, 0.004))
    deviation = np.exp(generator.uniform(np.log(0.004), largest, (count, 1, 1, 1)))
    deviation *= generator.random((count, 1, 1, 1)) < how.jitter
    highest = np.exp(generator.uniform(np.log(0.3), np.log(12.0), (count, 1, 1, 1)))  # [Hz]
    spectrum = np.fft.rfft(generator.normal(size=(count, frames, number, 3)).astype(np.float32), axis=1)
    passed = np.exp(-((np.fft.rfftfreq(frames, 1.0 / RATE)[:, None, None] / highest) ** 2))
    noise = np.fft.irfft(spectrum * passed, frames, axis=1)
    turn = turn + noise * deviation / np.sqrt((passed**2).mean(axis=1, keepdims=True))
    turn = turn.astype(np.float32)
    after, before = [1, 2, 0], [2, 0, 1]  # of each axis; np.cross takes several times as long
    bones += turn[..., after] * bones[..., before] - turn[..., before] * bones[..., after]


def _positions(bones: FloatArray) -> FloatArray:
    """Return the joints of the reference body whose bones have these directions: (..., K - 1, 3)."""
    bones = bones / np.maximum(np.linalg.norm(bones, axis=-1, keepdims=True), 1e-6) * _LENGTHS
    positions = np.zeros((*bones.shape[:-2], len(JOINTS), 3), dtype=np.float32)
    for parent, child in BONES:
        positions[..., child, :] = positions[..., parent, :] + bones[..., child - 1, :]
    return positions


def _lack(
    positions: FloatArray,
    labels: IntArray,
    idle: BoolArray,
    how: Augmentation,
    generator: np.random.Generator,
) -> None:
    """Replace joints as if they had been missing: (B, T, K, 3); those in `NEEDS` stay."""
    lacking = generator.random(len(positions)) < how.lacking
    which = generator.integers(len(_LACKS), size=len(positions))
    for index, ends in enumerate(_LACKS):
        there = [name for name in JOINTS if not name.endswith(ends)]
        needed = [any(joint not in there for joint in NEEDS.get(LABELS[label], ())) for label in labels]
        rows = lacking & (which == index) & ~np.array(needed)
        if "elbow" in ends:
            rows &= idle.all(axis=1)
        if rows.any():
            seen = positions[rows].reshape(-1, *positions.shape[2:])
            positions[rows] = fill(seen[:, [INDEX[name] for name in there]], there).reshape(
                -1, *positions.shape[1:]
            )
