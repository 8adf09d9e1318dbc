"""The 21 joints of the human skeleton: names, tree, reference body, bones.

Positions are in metres in the pelvis frame: origin at the pelvis, x forward, y left, z up.
"""

from collections.abc import Sequence

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.geometry import FloatArray

JOINTS = (
    "pelvis",
    "chest",
    "neck",
    "head",
    "nose",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "left_hand",
    "left_thumb",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "right_hand",
    "right_thumb",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_hip",
    "right_knee",
    "right_ankle",
)
INDEX = {name: index for index, name in enumerate(JOINTS)}

_PARENT_NAMES = {
    "chest": "pelvis",
    "neck": "chest",
    "head": "neck",
    "nose": "head",
    **{
        f"{side}_{child}": parent if parent in ("chest", "pelvis") else f"{side}_{parent}"
        for side in ("left", "right")
        for child, parent in (
            ("shoulder", "chest"),
            ("elbow", "shoulder"),
            ("wrist", "elbow"),
            ("hand", "wrist"),
            ("thumb", "wrist"),
            ("hip", "pelvis"),
            ("knee", "hip"),
            ("ankle", "knee"),
        )
    },
}
# Parent index of every joint, -1 for the pelvis. A parent always comes before its children.
PARENTS = tuple(INDEX[_PARENT_NAMES[name]] if name in _PARENT_NAMES else -1 for name in JOINTS)
BONES = tuple((parent, child) for child, parent in enumerate(PARENTS) if parent >= 0)

# Index of the joint on the other side, for mirroring.
MIRROR = tuple(
    INDEX[name.replace("left_", "right_") if name.startswith("left_") else name.replace("right_", "left_")]
    for name in JOINTS
)

# A body of 1.72 m standing at ease, arms hanging.
REFERENCE = np.array(
    [
        (0.00, 0.00, 0.00),  # pelvis
        (0.00, 0.00, 0.30),  # chest
        (-0.01, 0.00, 0.50),  # neck
        (0.01, 0.00, 0.64),  # head
        (0.12, 0.00, 0.62),  # nose
        (-0.01, 0.19, 0.46),  # left shoulder
        (-0.02, 0.23, 0.17),  # left elbow
        (0.03, 0.24, -0.08),  # left wrist
        (0.06, 0.23, -0.16),  # left hand
        (0.07, 0.20, -0.13),  # left thumb
        (-0.01, -0.19, 0.46),
        (-0.02, -0.23, 0.17),
        (0.03, -0.24, -0.08),
        (0.06, -0.23, -0.16),
        (0.07, -0.20, -0.13),
        (0.00, 0.09, -0.05),  # left hip
        (0.02, 0.10, -0.46),  # left knee
        (-0.01, 0.11, -0.87),  # left ankle
        (0.00, -0.09, -0.05),
        (0.02, -0.10, -0.46),
        (-0.01, -0.11, -0.87),
    ],
    dtype=np.float64,
)
REFERENCE.flags.writeable = False

_STARTS, _ENDS = (np.array(ends) for ends in zip(*BONES, strict=True))
_REST_UNITS = REFERENCE[_ENDS] - REFERENCE[_STARTS]
_REST_UNITS /= np.linalg.norm(_REST_UNITS, axis=-1, keepdims=True)
# (K, K - 1): which bones lie between the pelvis and each joint, 1 or 0.
_CHAINS = np.zeros((len(JOINTS), len(BONES)))
for _bone, (_parent, _child) in enumerate(BONES):
    _CHAINS[_child] = _CHAINS[_parent]
    _CHAINS[_child, _bone] = 1.0


def check_positions(positions: FloatArray, where: str) -> FloatArray:
    """Return `positions` if its last axes are (K, 3) and every number is finite and within 5 m.

    Args:
        positions: (..., K, 3) joint positions [m].
        where: what to name in the error: a file, a topic.

    Raises:
        InputError: the shape is wrong, a number is not finite or is no human body.
    """
    if positions.ndim < 2 or positions.shape[-2:] != (len(JOINTS), 3):
        raise InputError(f"{where}: positions must be (..., {len(JOINTS)}, 3) but are {positions.shape}")
    if not positions.size or np.abs(positions).max() <= 5.0:  # false for NaN
        return positions
    if not np.isfinite(positions).all():
        bad = JOINTS[int(np.argwhere(~np.isfinite(positions))[0][-2])]
        raise InputError(f"{where}: position of joint {bad!r} is not finite")
    worst = np.unravel_index(np.abs(positions).argmax(), positions.shape)
    raise InputError(
        f"{where}: joint {JOINTS[int(worst[-2])]!r} is {np.abs(positions).max():.3g} m from the pelvis,"
        " allowed 5 m"
    )


def order_joints(names: Sequence[str], where: str) -> list[int]:
    """Return the index in `names` of every joint of the skeleton, so that data is matched by name.

    Raises:
        InputError: a joint is missing, unknown or named twice.
    """
    unknown = sorted(set(names) - set(JOINTS))
    missing = [name for name in JOINTS if name not in names]
    if unknown:
        raise InputError(f"{where}: unknown joint {unknown[0]!r}. Known: {', '.join(JOINTS)}")
    if missing:
        raise InputError(f"{where}: joints missing: {', '.join(missing)}")
    if len(names) != len(JOINTS):
        raise InputError(f"{where}: {len(names)} joint names, expected {len(JOINTS)}, each once")
    return [list(names).index(name) for name in JOINTS]


def bone_lengths(positions: FloatArray) -> FloatArray:
    """Return the length of every bone [m], (..., K - 1), in the order of `BONES`.

    Args:
        positions: (..., K, 3) joint positions [m].
    """
    return np.asarray(np.linalg.norm(positions[..., _ENDS, :] - positions[..., _STARTS, :], axis=-1))


def with_bone_lengths(positions: FloatArray, lengths: FloatArray) -> FloatArray:
    """Return the pose with every bone in the same direction but of the given length.

    Args:
        positions: (..., K, 3) joint positions [m].
        lengths: (K - 1,) bone lengths [m], in the order of `BONES`.

    A bone of length zero keeps the direction it has in `REFERENCE`.
    """
    bones = positions[..., _ENDS, :] - positions[..., _STARTS, :]
    norms = np.linalg.norm(bones, axis=-1, keepdims=True)
    units = np.where(norms > 1e-6, bones / np.maximum(norms, 1e-6), _REST_UNITS)
    placed = positions[..., :1, :] + _CHAINS @ (np.asarray(lengths)[:, None] * units)
    return np.asarray(placed, dtype=positions.dtype)


def interpolated(one: FloatArray, other: FloatArray, weight: FloatArray) -> FloatArray:
    """Interpolate between two poses, (..., K, 3) [m], by the directions of their bones.

    Directions are interpolated along great circles (Shoemake, 1985), lengths linearly.

    Args:
        one: (..., K, 3) joint positions [m].
        other: (..., K, 3) joint positions [m].
        weight: (..., 1, 1) of the other pose, in [0, 1].
    """
    bones = [pose[..., _ENDS, :] - pose[..., _STARTS, :] for pose in (one, other)]
    lengths = [np.maximum(np.linalg.norm(each, axis=-1, keepdims=True), 1e-9) for each in bones]
    first, second = (each / length for each, length in zip(bones, lengths, strict=True))
    cosine = np.sum(first * second, axis=-1, keepdims=True)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    sine = np.sin(angle)
    straight = sine < 1e-4
    safe = np.where(straight, 1.0, sine)
    turned = np.sin((1.0 - weight) * angle) * first + np.sin(weight * angle) * second
    mixed = np.where(straight, (1.0 - weight) * first + weight * second, turned / safe)
    length = (1.0 - weight) * lengths[0] + weight * lengths[1]
    root = (1.0 - weight) * one[..., :1, :] + weight * other[..., :1, :]
    return np.asarray(root + _CHAINS @ (length * mixed), dtype=one.dtype)


def mirror(positions: FloatArray) -> FloatArray:
    """Return the pose seen in a mirror: left and right exchanged. (..., K, 3) -> (..., K, 3)."""
    return np.asarray(positions[..., list(MIRROR), :] * np.array([1.0, -1.0, 1.0], dtype=positions.dtype))
