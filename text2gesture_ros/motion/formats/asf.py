"""ASF and AMC (Acclaim): a skeleton in one file, its motion in another.

A bone turns about its own axes, which `axis` gives; its children begin at its end. Rotation of a bone to its
parent: C M C^-1, C of `axis`, M of the motion, both turning about x first (Acclaim's "axis XYZ").
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.geometry import Array, normalise
from text2gesture_ros.motion.formats.joint_tree import Tree, take_of, turned
from text2gesture_ros.motion.formats.take import Take, numbers, read_lines

FRAME_RATE = 120.0  # an AMC file does not say its rate; CMU records at this [Hz]


@dataclass(eq=False)
class _Bone:
    vector: Array = field(default_factory=lambda: np.zeros(3))  # from its beginning to its end
    axis: Array = field(default_factory=lambda: np.eye(3))  # its axes at rest, C
    order: str = "xyz"
    dof: tuple[str, ...] = ()
    parent: str = ""
    scale: float = 1.0


def read_amc(
    path: Path, skeleton: Path | None = None, given: Mapping[str, str] = MappingProxyType({})
) -> Take:
    """Read an AMC file and the skeleton that belongs to it.

    Args:
        path: the motion.
        skeleton: the ASF file; None: beside the motion, called as it or as what comes before its `_`, or
            the only one there.
        given: which joint of ours some of its bones begin at, as `map_joints` takes it.

    Raises:
        InputError: there is no skeleton, or one of the files is damaged (in which line, what is allowed).
    """
    if skeleton is None:
        beside = [path.with_suffix(".asf"), path.with_name(path.stem.split("_")[0] + ".asf")]
        alone = sorted(path.parent.glob("*.asf"))
        found = [file for file in beside if file.is_file()] or (alone if len(alone) == 1 else [])
        if not found:
            raise InputError(
                f"{path}: no skeleton beside it. Allowed: {beside[1].name}, or name one (--skeleton)"
            )
        skeleton = found[0]
    bones = _read_skeleton(skeleton)
    names = tuple(bones)
    values = _read_motion(path, bones)
    count = len(next(iter(values.values())))
    index = {name: number for number, name in enumerate(names)}
    ends = [name for name in names if name not in {bone.parent for bone in bones.values()}]
    rotations = np.broadcast_to(np.eye(3), (count, len(names) + len(ends), 3, 3)).copy()
    offsets = np.array(
        [
            *(bones[bone.parent].vector if bone.parent else np.zeros(3) for bone in bones.values()),
            *(bones[name].vector for name in ends),
        ]
    )
    places = np.broadcast_to(offsets, (count, *offsets.shape)).copy()
    for name, bone in bones.items():
        if name not in values:
            continue
        angles = np.zeros((count, 3))
        for column, dof in zip(values[name].T, bone.dof, strict=True):
            if dof[0] == "r":
                angles[:, "xyz".index(dof[1])] = column
            elif dof[0] == "t" and not bone.parent:
                places[:, index[name], "xyz".index(dof[1])] = column / bone.scale
        order = bone.order[::-1]  # the first axis turns first
        matrix = turned(order, angles[:, ["xyz".index(axis) for axis in order]])
        rotations[:, index[name]] = bone.axis @ matrix @ bone.axis.T
    tree = Tree(
        names=(*names, *(f"{name}_end" for name in ends)),
        parents=(*(index.get(bone.parent, -1) for bone in bones.values()), *(index[name] for name in ends)),
        offsets=offsets,
        rotations=rotations,
        places=places,
    )
    rate = f"AMC files do not say their rate: {FRAME_RATE:g} Hz unless given (--rate)"
    return take_of(tree, FRAME_RATE, [f"skeleton {skeleton.name}", rate], given)


def _read_skeleton(path: Path) -> dict[str, _Bone]:
    """Return the bones by name, `root` first, parents before children."""
    bones: dict[str, _Bone] = {"root": _Bone(dof=("tx", "ty", "tz", "rx", "ry", "rz"))}
    parents: dict[str, str] = {}
    scale, radians, section, name = 1.0, 1.0, "", ""
    bone = bones["root"]
    for number, line in enumerate(read_lines(path), 1):
        where, words = f"{path}: line {number}", line.split("#")[0].split()
        if not words:
            continue
        key, rest = words[0].lower(), words[1:]
        if key.startswith(":"):
            section = key[1:]
        elif section == "units" and key == "length":
            scale = float(numbers(rest, where, 1)[0])
            if scale <= 0.0:
                raise InputError(f"{where}: length {scale:g}. Allowed: above 0")
        elif section == "units" and key == "angle":
            radians = np.pi / 180.0 if rest[:1] == ["deg"] else 1.0
        elif section == "root" and key == "order":
            bone.dof = _dof(rest, where)
        elif key == "axis" and section == "root":
            bone.order = _order(rest, where)
        elif section == "root" and key == "orientation":
            angles = radians * numbers(rest, where, 3)
            bone.axis = turned("zyx", angles[::-1])
        elif section == "bonedata" and key == "begin":
            bone, name = _Bone(), ""
        elif section == "bonedata" and key == "name" and rest:
            name = rest[0]
            bones[name] = bone
        elif section == "bonedata" and key == "direction":
            bone.vector = numbers(rest, where, 3)
        elif section == "bonedata" and key == "length":
            # `length 0.45` says that 0.45 of a unit is an inch, or what else the units are.
            bone.vector = normalise(bone.vector) * numbers(rest, where, 1) / scale
        elif section == "bonedata" and key == "axis":
            order = _order(rest[3:], where)[::-1]
            angles = radians * numbers(rest[:3], where, 3)
            bone.axis = turned(order, angles[["xyz".index(axis) for axis in order]])
            bone.order = order[::-1]
        elif section == "bonedata" and key == "dof":
            bone.dof = _dof(rest, where)
        elif section == "hierarchy" and key not in ("begin", "end"):
            known = [child for child in words if child in bones]
            if known != words:
                unknown = next(child for child in words if child not in bones)
                raise InputError(f"{where}: bone {unknown!r} is not among :bonedata")
            parents |= dict.fromkeys(rest, words[0])
    bones["root"].scale = scale
    orphans = [name for name in bones if name != "root" and name not in parents]
    if len(bones) < 2 or orphans:
        what = f"bone {orphans[0]!r} has no parent" if orphans else "no bones"
        raise InputError(f"{path}: {what} under :hierarchy. Allowed: every bone of :bonedata, below root")
    ordered = {"root": bones["root"]}
    while len(ordered) < len(bones):
        ready = [name for name in bones if name not in ordered and parents[name] in ordered]
        if not ready:
            raise InputError(f"{path}: the bones under :hierarchy form a ring. Allowed: a tree below root")
        for name in ready:
            bones[name].parent = parents[name]
            ordered[name] = bones[name]
    return ordered


def _dof(words: list[str], where: str) -> tuple[str, ...]:
    dof = tuple(word.lower() for word in words)
    allowed = [kind + axis for kind in "rt" for axis in "xyz"] + ["l"]
    if not set(dof) <= set(allowed):
        raise InputError(f"{where}: {' '.join(words)[:40]!r}. Allowed: {', '.join(allowed)}")
    return dof


def _order(words: list[str], where: str) -> str:
    order = "".join(words).lower()
    if sorted(order) != ["x", "y", "z"]:
        raise InputError(f"{where}: axis order {order[:20]!r}. Allowed: x, y, z in any order")
    return order


def _read_motion(path: Path, bones: dict[str, _Bone]) -> dict[str, Array]:
    """Return the values (T, D) of every bone that moves, angles in radians."""
    rows: dict[str, list[Array]] = {}
    degrees, count = True, 0
    number = 0
    for number, line in enumerate(read_lines(path), 1):
        where, words = f"{path}: line {number}", line.split("#")[0].split()
        if not words:
            continue
        if words[0].startswith(":"):
            degrees = degrees and words[0].lower() != ":radians"
        elif len(words) == 1 and words[0].isdecimal():
            _check_complete(rows, count, where)
            count += 1
        elif words[0] in bones and count:
            if len(rows.setdefault(words[0], [])) != count - 1:
                raise InputError(f"{where}: bone {words[0]!r} twice or not in every frame before {count}")
            rows[words[0]].append(numbers(words[1:], where, len(bones[words[0]].dof)))
        else:
            raise InputError(
                f"{where}: {line.strip()[:40]!r}. Allowed: a frame's number, or a bone of the skeleton with "
                "its values"
            )
    _check_complete(rows, count, f"{path}: line {number}")
    if not rows:
        raise InputError(f"{path}: line {number}: no frames in it")
    values = {name: np.array(row) for name, row in rows.items()}
    for name, value in values.items():
        turning = [dof[0] == "r" for dof in bones[name].dof]
        value[:, turning] *= np.pi / 180.0 if degrees else 1.0
    return values


def _check_complete(rows: dict[str, list[Array]], count: int, where: str) -> None:
    for name, row in rows.items():
        if len(row) != count:
            raise InputError(f"{where}: frame {count} lacks bone {name!r}, which other frames have")
