"""A tree of rotating joints, as in BVH and ASF files, and the take it gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.geometry import Array, Axis, rotation
from text2gesture_ros.motion.formats.completion import basis, body_size
from text2gesture_ros.motion.formats.joint_names import check_mapped, map_joints
from text2gesture_ros.motion.formats.take import Take
from text2gesture_ros.skeleton import INDEX, JOINTS, REFERENCE

_AXES = {name: Axis(direction) for name, direction in zip("xyz", np.eye(3), strict=True)}
_NOSE = REFERENCE[INDEX["nose"]] - REFERENCE[INDEX["head"]]
_UPRIGHT = 0.7  # of the trunk's length lies along an axis that counts as upwards
# A head farther than this from where the body looks was turned otherwise at rest.
_LOOKS_AHEAD = np.cos(np.radians(75.0))
# Of the longer part of the arm: what lies nearer to the wrist is no hand but a mark at the end of the arm.
_SHORTEST = {"hand": 0.06, "thumb": 0.01}
_CHEST = (0.3, 0.9)  # of the way from pelvis to neck, where a chest may be


@dataclass(frozen=True, eq=False)
class Tree:
    """Joints over time, each turned and placed in the frame of its parent.

    Attributes:
        names: (J,) of the joints; the end of a bone is called as the bone and `_end`; empty: none.
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

    def ancestors(self, joint: int) -> list[int]:
        """Return the joints above a joint, the nearest first."""
        above = []
        while (joint := self.parents[joint]) >= 0:
            above.append(joint)
        return above

    def children(self, joint: int) -> list[int]:
        """Return the joints directly below a joint, ends of bones left out."""
        return [
            child
            for child, parent in enumerate(self.parents)
            if parent == joint and not self.names[child].endswith("_end")
        ]

    def chain(self, joint: int) -> list[int]:
        """Return a joint and those below it that go on alone, or under the same name with another number."""
        chain = [joint]
        while True:
            below = self.children(chain[-1])
            alike = [child for child in below if _letters(self.names[child]) == _letters(self.names[joint])]
            if len(alike) != 1 and (len(below) != 1 or len(chain) > 1):
                return chain
            chain += alike if len(alike) == 1 else below


def _letters(name: str) -> str:
    return "".join(filter(str.isalpha, name)).lower()


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


def take_of(
    tree: Tree,
    frame_rate: float,
    notes: Sequence[str] = (),
    given: Mapping[str, str] = MappingProxyType({}),
) -> Take:
    """Return the joints of our skeleton in a tree, and a nose where the head looks.

    Args:
        tree: the joints.
        frame_rate: frames per second [Hz].
        notes: what had to be assumed before.
        given: which joint of ours some of its joints are, as `map_joints` takes it.

    Raises:
        InputError: too few of its joints have a name we know, with a map to fill in.
    """
    mapped = map_joints(tree.names, given)
    rest = tree.rest()
    said = [
        *notes,
        *_trunk_by_branches(tree, rest, mapped, given),
        *_without_short_hands(tree, rest, mapped),
    ]
    check_mapped(tree.names, mapped)
    names = tuple(name for name in JOINTS if name in mapped)
    turns, positions = tree.pose()
    up, how = _up(positions, rest, mapped)
    taken = positions[:, [mapped[name] for name in names]]
    columns = mapped.values()
    used = {*columns, *(tree.parents[column] for column in columns if tree.names[column].endswith("_end"))}
    said.append(how)
    if "head" in mapped and "nose" not in mapped:
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
            name
            for index, name in enumerate(tree.names)
            if name and index not in used and not name.endswith("_end")
        ),
        notes=tuple(said),
    )


def _trunk_by_branches(
    tree: Tree, rest: Array, mapped: dict[str, int], given: Mapping[str, str]
) -> list[str]:
    """Find by where arms and legs begin what the names leave open of the trunk; return a note if so.

    Rigify calls pelvis, neck and head all spine: legs begin at the pelvis, arms at the chest, and what goes
    on from there without an arm is the neck, up to the head.
    """
    before = dict(mapped)

    def shared(part: str) -> int:
        """Return the lowest joint above both of a pair, -1: none."""
        if not {f"left_{part}", f"right_{part}"} <= set(mapped):
            return -1
        left, right = (tree.ancestors(mapped[f"{side}_{part}"]) for side in ("left", "right"))
        return next((joint for joint in left if joint in right), -1)

    def put(name: str, joint: int) -> None:
        if name not in mapped and joint >= 0 and joint not in mapped.values():
            mapped[name] = joint

    put("pelvis", shared("hip"))
    top = shared("shoulder")
    if "chest" in mapped and "chest" not in given.values() and top in tree.ancestors(mapped["chest"]):
        del mapped["chest"]  # one of the neck's, called as those of the spine
    if "head" not in mapped and top >= 0:
        known = {joint for index in mapped.values() for joint in (index, *tree.ancestors(index))}
        starts = [mapped["neck"]] if "neck" in mapped else set(tree.children(top)) - known
        # Of several, the one called as the spine; else the one that ends farthest from the chest.
        chains = sorted(
            map(tree.chain, starts),
            key=lambda chain: (
                _letters(tree.names[chain[0]]) == _letters(tree.names[top]),
                float(np.linalg.norm(rest[chain[-1]] - rest[top])),
            ),
        )
        for chain in chains[-1:]:
            put("head", chain[-1])
            put("neck", chain[0])
    if "head" in mapped and top >= 0:
        above = tree.parents[mapped["head"]]
        put("neck", above if top in tree.ancestors(above) else -1)
    if top >= 0 and {"pelvis", "neck"} <= set(mapped):
        lengths = np.linalg.norm(rest[[top, mapped["neck"]]] - rest[mapped["pelvis"]], axis=1)
        share = float(lengths[0] / np.maximum(lengths[1], 1e-9))
        put("chest", top if _CHEST[0] < share < _CHEST[1] else -1)
    told = [f"{name} {tree.names[index]}" for name, index in mapped.items() if before.get(name) != index]
    return [f"told from where arms and legs begin: {', '.join(told)}"] if told else []


def _without_short_hands(tree: Tree, rest: Array, mapped: dict[str, int]) -> list[str]:
    """Leave out hands and thumbs that lie at the wrist, as ends of no length do; return a note if so."""
    left_out = []
    for side in ("left", "right"):
        start, middle, wrist = (mapped.get(f"{side}_{part}") for part in ("shoulder", "elbow", "wrist"))
        if middle is None or wrist is None:
            continue
        ends = (wrist,) if start is None else (wrist, start)
        arm = float(np.linalg.norm(rest[list(ends)] - rest[middle], axis=1).max())
        for part, share in _SHORTEST.items():
            index = mapped.get(f"{side}_{part}")
            if index is not None and np.linalg.norm(rest[index] - rest[wrist]) < share * arm:
                left_out.append(f"{side}_{part} ({tree.names[mapped.pop(f'{side}_{part}')]})")
    return [f"at the wrist, so not taken: {', '.join(left_out)}"] if left_out else []


def trunk_of(positions: Array, names: Sequence[str]) -> Array | None:
    """Return the median vector (3,) from pelvis to neck, or joints near these; None: they are not there."""
    at = {name: positions[:, index] for index, name in enumerate(names)}
    for side in ("shoulder", "hip"):
        if {f"left_{side}", f"right_{side}"} <= set(at):
            at[side] = (at[f"left_{side}"] + at[f"right_{side}"]) / 2.0
    top = next((at[name] for name in ("neck", "head", "shoulder") if name in at), None)
    bottom = next((at[name] for name in ("pelvis", "hip") if name in at), None)
    if top is None or bottom is None or not np.isfinite(top - bottom).all(axis=1).any():
        return None
    return np.asarray(np.nanmedian(top - bottom, axis=0))


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
    poses = {"the pose at rest": rest[None], "the trunk's direction over the clip": positions}
    found = {}
    for how, pose in poses.items():
        trunk = trunk_of(pose[:, list(mapped.values())], tuple(mapped))
        up = axis_along(trunk) if trunk is not None else None
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
