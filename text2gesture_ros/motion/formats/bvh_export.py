"""Motion written as BVH (Biovision hierarchy), for animation programs, and the choice of a format to write.

Y is up, Z ahead, X to the left, lengths are centimetres, as animation programs expect it. Joints turn their
bones; where several bones begin at one joint (pelvis, chest, wrist), which people move one by one, the joints
at their other ends carry positions too.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.geometry import Array, normalise
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.skeleton import INDEX, JOINTS, PARENTS, REFERENCE, bone_lengths, with_bone_lengths

_CENTIMETRES = 100.0
_TO_BVH = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])  # forward, left, up -> x, y, z
_CHILDREN = tuple(
    tuple(child for child, parent in enumerate(PARENTS) if parent == joint) for joint in range(len(JOINTS))
)

_SOLE = 0.09  # height of the ankle above the ground [m]


def write_bvh(path: Path, motion: Motion) -> None:
    """Write a motion as BVH; bones have their median length, which changes by millimetres at most."""
    positions = np.asarray(motion.positions, dtype=np.float64)
    lengths = np.median(bone_lengths(positions), axis=0)
    positions = with_bone_lengths(positions, lengths) @ _TO_BVH.T * _CENTIMETRES
    rest = with_bone_lengths(REFERENCE, lengths) @ _TO_BVH.T * _CENTIMETRES
    ground = min(rest[INDEX[f"{side}_ankle"], 1] for side in ("left", "right")) - _SOLE * _CENTIMETRES
    offsets = np.array([rest[joint] - rest[max(parent, 0)] for joint, parent in enumerate(PARENTS)])
    turns = _turns(positions, offsets)
    lines, columns = ["HIERARCHY"], []

    def add(joint: int, indent: str) -> None:
        """Add a joint, and all below it."""
        parent, children = PARENTS[joint], _CHILDREN[joint]
        above = turns[:, parent] if parent >= 0 else np.broadcast_to(np.eye(3), (len(positions), 3, 3))
        moves = parent < 0 or len(_CHILDREN[parent]) > 1
        if moves:
            bone = positions[:, joint] - (positions[:, parent] if parent >= 0 else np.array([0.0, ground, 0]))
            columns.append(np.einsum("tji,tj->ti", above, bone))
        columns.append(_euler_angles(above.swapaxes(1, 2) @ turns[:, joint]))
        places = "Xposition Yposition Zposition " if moves else ""
        lines.extend(
            [
                f"{indent}{'JOINT' if parent >= 0 else 'ROOT'} {JOINTS[joint]}",
                f"{indent}{{",
                f"{indent}  OFFSET {_numbers(offsets[joint])}",
                f"{indent}  CHANNELS {6 if moves else 3} {places}Zrotation Xrotation Yrotation",
            ]
        )
        for child in children:
            add(child, indent + "  ")
        if not children:
            site = f"{indent}    OFFSET 0 0 0"
            lines.extend([f"{indent}  End Site", f"{indent}  {{", site, f"{indent}  }}"])
        lines.append(f"{indent}}}")

    add(0, "")
    lines += ["MOTION", f"Frames: {len(positions)}", f"Frame Time: {1.0 / motion.frame_rate:.9f}"]
    lines += [_numbers(row) for row in np.concatenate(columns, axis=1)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _turns(positions: Array, offsets: Array) -> Array:
    """Return the rotation (T, K, 3, 3) of every joint since rest.

    That of one bone is the shortest one from where the joint before would turn it; that of several bones is
    the best for all (Kabsch, 1976).
    """
    turns = np.empty((*positions.shape[:2], 3, 3))
    for joint, children in enumerate(_CHILDREN):
        before = turns[:, PARENTS[joint]] if joint else np.eye(3)
        bones = [positions[:, child] - positions[:, joint] for child in children]
        if not children:
            turns[:, joint] = before
        elif len(children) == 1:
            turns[:, joint] = _shortest(before @ offsets[children[0]], bones[0]) @ before
        else:
            covariance = sum(
                bone[:, :, None] * offsets[child] for bone, child in zip(bones, children, strict=True)
            )
            left, _, right = np.linalg.svd(covariance)
            left[:, :, 2] *= np.linalg.det(left @ right)[:, None]  # a rotation, no mirror
            turns[:, joint] = left @ right
    return turns


def _shortest(start: Array, goal: Array) -> Array:
    """Return the smallest rotations (T, 3, 3) that turn the directions `start` onto `goal`, (T, 3) each."""
    one, other = np.broadcast_arrays(normalise(start), normalise(goal))
    axis, cosine = np.cross(one, other), (one * other).sum(axis=-1)[:, None, None]
    zero = np.zeros(len(axis))
    x, y, z = axis.T
    cross = np.array([[zero, -z, y], [z, zero, -x], [-y, x, zero]]).transpose(2, 0, 1)
    turn = np.eye(3) + cross + cross @ cross / np.maximum(1.0 + cosine, 1e-9)
    # Opposite directions have no smallest rotation: half a turn about any axis across.
    across = np.cross(one, np.eye(3)[np.abs(one).argmin(axis=-1)])
    across /= np.linalg.norm(across, axis=-1, keepdims=True)
    half = 2.0 * across[:, :, None] * across[:, None, :] - np.eye(3)
    return np.where(cosine < -1.0 + 1e-9, half, turn)


def _euler_angles(turns: Array) -> Array:
    """Return the angles (T, 3) of rotations about Z, then X, then Y, each about the turned axes [degrees]."""
    x = np.arcsin(np.clip(turns[:, 2, 1], -1.0, 1.0))
    locked = np.abs(turns[:, 2, 1]) > 1.0 - 1e-12  # the axes of Z and Y coincide: all of it goes to Z
    y = np.where(locked, 0.0, np.arctan2(-turns[:, 2, 0], turns[:, 2, 2]))
    z = np.where(
        locked,
        np.arctan2(turns[:, 1, 0], turns[:, 0, 0]),
        np.arctan2(-turns[:, 0, 1], turns[:, 1, 1]),
    )
    return np.degrees(np.unwrap(np.stack([z, x, y], axis=-1), axis=0))


def _numbers(values: Array) -> str:
    return " ".join(f"{value + 0.0:.6f}" for value in values)


WRITERS: Mapping[str, Callable[[Path, Motion], None]] = MappingProxyType(
    {".npz": lambda path, motion: motion.save(path), ".bvh": write_bvh}
)
"""How a motion is written, by the suffix of its file."""


def save_motion(path: Path, motion: Motion) -> None:
    """Write a motion in the format that the suffix of its file names.

    Raises:
        InputError: there is none for it.
    """
    if path.suffix not in WRITERS:
        raise InputError(f"{path}: the file must end in {' or '.join(WRITERS)}")
    WRITERS[path.suffix](path, motion)
