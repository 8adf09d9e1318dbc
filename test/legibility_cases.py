"""Humans who perform gestures made of formulas, for the tests of legibility: size and number are known."""

import numpy as np

from text2gesture_ros.geometry import Array
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.skeleton import INDEX, REFERENCE, bone_lengths, with_bone_lengths

RATE = 60.0


def standing(seconds: float) -> Array:
    """Return a human (T, K, 3) who stands at ease."""
    return np.tile(REFERENCE, (round(seconds * RATE), 1, 1))


def times_of(positions: Array) -> Array:
    return np.arange(len(positions)) / RATE


def gazing(positions: Array, down: Array, left: Array) -> Array:
    """Turn the face down and to the left by angles (T,) [degree]."""
    pitch, yaw = np.radians(down), np.radians(left)
    nose = np.stack([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), -np.sin(pitch)], axis=-1)
    positions[:, INDEX["nose"]] = positions[:, INDEX["head"]] + 0.11 * nose
    return positions


def aimed(positions: Array, side: str, upper_arm: Array, forearm: Array, thumb: Array) -> Array:
    """Aim an arm: directions (3,) or (T, 3) of upper arm, forearm with hand, and thumb; any length."""
    at = {name: INDEX[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist", "hand", "thumb")}
    chain = (("shoulder", "elbow", upper_arm), ("elbow", "wrist", forearm), ("wrist", "hand", forearm))
    for start, end, direction in (*chain, ("wrist", "thumb", thumb)):
        unit = np.asarray(direction) / np.linalg.norm(direction, axis=-1, keepdims=True)
        positions[:, at[end]] = positions[:, at[start]] + unit
    return with_bone_lengths(positions, bone_lengths(REFERENCE))


def motion(positions: Array, gesture: str = "") -> Motion:
    return Motion(positions, RATE, gesture, "neutral")


def nodding(size: float, count: int = 2, seconds: float = 1.2) -> Motion:
    """Return a human who nods `count` times by `size` [degree]."""
    positions = standing(seconds)
    down = 0.5 * size * (1.0 - np.cos(2.0 * np.pi * count * times_of(positions) / seconds))
    return motion(gazing(positions, down, 0.0 * down), "nod")


def waving(width: float, count: int = 2, side: str = "right") -> Motion:
    """Return a human whose raised forearm swings to both sides by `width` [rad] in all."""
    positions = standing(1.6)
    swing = 0.5 * width * np.sin(2.0 * np.pi * count * times_of(positions) / 1.6)
    outward = 1.0 if side == "left" else -1.0
    forearm = np.stack([0.0 * swing, np.sin(swing), np.cos(swing)], axis=-1)
    return motion(aimed(positions, side, (0.0, outward, 0.2), forearm, (1.0, 0.0, 0.3)), "wave")
