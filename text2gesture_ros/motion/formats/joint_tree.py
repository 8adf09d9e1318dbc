"""A tree of rotating joints, as in BVH and ASF files, and the take it gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.geometry import Array, Axis, rotation
from text2gesture_ros.motion.formats.completion import basis, body_size
from text2gesture_ros.motion.formats.joint_names import map_joints
from text2gesture_ros.motion.formats.take import Take
from text2gesture_ros.skeleton import INDEX, JOINTS, REFERENCE

_AXES = {name: Axis(direction) for name, direction in zip("xyz", np.eye(3), strict=True)}
_NOSE = REFERENCE[INDEX["nose"]] - REFERENCE[INDEX["head"]]
_UPRIGHT = 0.7  # of the trunk's length lies along an axis that counts as upwards
# A head farther than this from where the body looks was turned otherwise at rest.
_LOOKS_AHEAD = np.cos(np.radians(75.0))


@dataclass(frozen=True, eq=False)
class Tree:
    """Joints over time, each turned and placed in the frame of its parent.

    Attributes:
        names: (J,) of the joints; the end of a bone is called as the bone and `_end`.
        parents: (J,) index of each joint's parent, -1 for the root; parents come first.
        offsets: (J, 3) place in the parent's frame at rest.
        rotations: (T, J, 3, 3) rotation to the parent's frame; the identity at rest.
        places: (T, J, 3) place in the parent's frame.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Array
    rotations: Array
    places: Array

    def pose(self) -> tuple[Array, Array]:
        """Return rotations (T, J, 3, 3) and positions (T, J, 3) in the frame of the file."""
        turns, positions = self.rotations.copy(), self.places.copy()
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                turns[:, joint] = turns[:, parent] @ self.rotations[:, joint]
                positions[:, joint] = positions[:, parent] + np.einsum(
                    "tij,tj->ti", turns[:, parent], self.places[:, joint]
                )
        return turns, positions

    def rest(self) -> Array:
        """Return the positions (J, 3) with all rotations zero."""
        positions = self.offsets.copy()
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                positions[joint] += positions[parent]
        return positions


def turned(axes: Sequence[str], angles: Array) -> Array:
    """Return the product of rotations about axes in their order, (..., 3, 3): the last turns first.

    Args:
        axes: M of x, y, z.
        angles: (..., M) [rad].
    """
    result = np.broadcast_to(np.eye(3), (*angles.shape[:-1], 3, 3))
    for index, axis in enumerate(axes):
        result = result @ rotation(_AXES[axis], angles[..., index])
    return np.asarray(result)


def take_of(tree: Tree, frame_rate: float, notes: Sequence[str] = ()) -> Take:
    """Return the joints of our skeleton in a tree, and a nose where the head looks.

    Raises:
        InputError: too few of its joints have a name we know.
    """
    mapped = map_joints(tree.names)
    names = tuple(name for name in JOINTS if name in mapped)
    if "pelvis" not in mapped or not {"head", "neck"} & set(mapped):
        raise InputError(
            f"joints: {', '.join(tree.names)[:200]}: no pelvis, or neither neck nor head, among their names. "
            "Allowed: names as CMU, Mixamo, Bandai-Namco, Unity, VRM, Unreal, Blender give them"
        )
    turns, positions = tree.pose()
    rest, columns = tree.rest(), list(mapped.values())
    up, how = _up(positions, rest, mapped)
    taken = positions[:, [mapped[name] for name in names]]
    used = {*columns, *(tree.parents[column] for column in columns if tree.names[column].endswith("_end"))}
    said = [*notes, how]
    if "head" in mapped:
        nose = _nose(turns[:, mapped["head"]], positions, rest, mapped, up, said)
        if nose is not None:
            size = body_size(taken, names)
            taken = np.concatenate([taken, (positions[:, mapped["head"]] + size * nose)[:, None]], axis=1)
            names = (*names, "nose")
    return Take(
        positions=taken,
        names=names,
        frame_rate=frame_rate,
        up=up,
        unmapped=tuple(
            name for index, name in enumerate(tree.names) if index not in used and not name.endswith("_end")
        ),
        notes=tuple(said),
    )


def axis_along(trunk: Array) -> Array | None:
    """Return the axis (3,), with its sign, that a trunk (3,) from pelvis to neck points along; None: none."""
    axis = int(np.abs(trunk).argmax())
    if not abs(trunk[axis]) > _UPRIGHT * float(np.linalg.norm(trunk)):
        return None
    return np.asarray(np.sign(trunk[axis]) * np.eye(3)[axis])


def axis_name(axis: Array) -> str:
    """Return what an axis of `axis_along` is called: +x, -y."""
    index = int(np.abs(axis).argmax())
    return f"{'+' if axis[index] > 0 else '-'}{'xyz'[index]}"


def _up(positions: Array, rest: Array, mapped: Mapping[str, int]) -> tuple[Array, str]:
    """Return the axis (3,) that points upwards, along the trunk, and how it was found."""
    top = mapped.get("head", mapped.get("neck", 0))
    poses = {"the pose at rest": rest[None], "the trunk's direction over the clip": positions}
    found = {}
    for how, pose in poses.items():
        up = axis_along(np.median(pose[:, top] - pose[:, mapped["pelvis"]], axis=0))
        if up is not None:
            found[how] = (up, f"up is {axis_name(up)}, from {how}")
    # At rest a tree may lie in other axes than the motion, which its root turns upright; a person may lie
    # down. People who gesture stand or sit: what the motion says counts, the rest where it says nothing.
    for how in reversed(poses):
        if how in found:
            return found[how]
    raise InputError("which way is up? The trunk points along no axis, neither at rest nor over the clip")


def _across(positions: Array, mapped: Mapping[str, int]) -> Array:
    """Return the vectors from right to left, (..., 3), over hips and shoulders."""
    pairs = [(f"left_{part}", f"right_{part}") for part in ("hip", "shoulder")]
    return sum(
        (
            positions[..., mapped[a], :] - positions[..., mapped[b], :]
            for a, b in pairs
            if {a, b} <= set(mapped)
        ),
        start=np.zeros(3),
    )


def _nose(
    head: Array, positions: Array, rest: Array, mapped: Mapping[str, int], up: Array, notes: list[str]
) -> Array | None:
    """Return where the nose is, from the head, on a body of the reference's size, (T, 3); None: not known.

    Ahead is where the body looks at rest; where that cannot be, where it looks on average.

    Args:
        head: (T, 3, 3) rotation of the head.
    """
    across = _across(positions, mapped)
    if not np.linalg.norm(across, axis=-1).any():
        return None
    body = basis(across, np.broadcast_to(up, across.shape))  # (T, 3, 3)
    at_rest = basis(_across(rest, mapped), up)
    ahead = np.einsum("ti,ti->t", (head @ at_rest)[:, :, 0], body[:, :, 0])
    if float(np.median(ahead)) < _LOOKS_AHEAD:
        mean = np.einsum("tji,tjk->ik", head, body)
        left, _, right = np.linalg.svd(mean)  # the rotation nearest to the mean (Procrustes)
        at_rest = left @ np.diag([1.0, 1.0, np.linalg.det(left @ right)]) @ right
        notes.append("the pose at rest does not say where the face is: taken ahead on average")
    return np.asarray(head @ at_rest @ _NOSE)
