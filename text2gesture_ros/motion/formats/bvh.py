"""BVH (Biovision hierarchy): a tree with channels in the order the file gives, then a line a frame.

Written here because the parsers on PyPI either read no POSITION channels but the root's, or build objects per
frame, which takes minutes for a long take; and none says in which line a damaged file is wrong.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.geometry import Array
from text2gesture_ros.motion.formats.joint_tree import Tree, take_of, turned
from text2gesture_ros.motion.formats.take import Take, numbers, read_lines

_CHANNELS = {f"{axis}{kind}": (kind, axis) for kind in ("position", "rotation") for axis in "xyz"}
_MAX_JOINTS = 1000
_ROUNDED = 5e-4  # share by which a frame time may be rounded; 29.97 Hz is not 30


@dataclass(eq=False)
class _Joint:
    name: str
    parent: int
    offset: Array = field(default_factory=lambda: np.zeros(3))
    channels: list[tuple[str, str]] = field(default_factory=list)


def read_bvh(path: Path, given: Mapping[str, str] = MappingProxyType({})) -> Take:
    """Read a BVH file.

    Positions that joints other than the root carry take the place of their offsets, as Bandai-Namco's and
    MotionBuilder's files mean it; where they only make sense added to them, they are added.

    Args:
        path: the file.
        given: which joint of ours some of its joints are, as `map_joints` takes it.

    Raises:
        InputError: it is damaged (in which line, what is allowed), or has too few joints of a known name.
    """
    lines = read_lines(path)
    joints, after = _hierarchy(path, lines)
    frames, frame_rate, notes = _motion(path, lines, after, sum(len(joint.channels) for joint in joints))
    notes += _put_back_lost_bones({joint.name: joint for joint in joints})
    rotations = np.empty((len(frames), len(joints), 3, 3))
    places = np.empty((len(frames), len(joints), 3))
    column = 0
    for index, joint in enumerate(joints):
        values = frames[:, column : column + len(joint.channels)]
        column += len(joint.channels)
        kinds = np.array([kind for kind, _ in joint.channels], dtype=str)
        turning = [axis for kind, axis in joint.channels if kind == "rotation"]
        rotations[:, index] = turned(turning, np.radians(values[:, kinds == "rotation"]))
        places[:, index] = joint.offset
        moving = ["xyz".index(axis) for kind, axis in joint.channels if kind == "position"]
        if moving:
            place = places[:, index].copy()
            place[:, moving] = values[:, kinds == "position"]
            lengths = [np.median(np.linalg.norm(p, axis=1)) for p in (place, place + joint.offset)]
            wanted = np.linalg.norm(joint.offset)
            added = joint.parent >= 0 and abs(lengths[1] - wanted) < abs(lengths[0] - wanted)
            places[:, index] = place + joint.offset if added else place
    tree = Tree(
        names=tuple(joint.name for joint in joints),
        parents=tuple(joint.parent for joint in joints),
        offsets=np.array([joint.offset for joint in joints]),
        rotations=rotations,
        places=places,
    )
    return take_of(tree, frame_rate, notes, given)


def _hierarchy(path: Path, lines: list[str]) -> tuple[list[_Joint], int]:
    """Return the joints, and the index of the line that says MOTION."""
    joints: list[_Joint] = []
    open_joints: list[int] = []
    current = -1
    start = next((index for index, line in enumerate(lines) if line.strip()), 0)
    if not lines or lines[start].split()[:1] != ["HIERARCHY"]:
        raise InputError(
            f"{path}: line {start + 1}: {''.join(lines[start : start + 1])[:40]!r}. "
            "Allowed: HIERARCHY, as a BVH begins"
        )
    for index, line in enumerate(lines[start + 1 :], start + 1):
        where = f"{path}: line {index + 1}"
        words = line.replace("{", " { ").replace("}", " } ").split()
        while words:
            word = words.pop(0)
            if word in ("ROOT", "JOINT", "End"):
                name = " ".join(word for word in words if word not in "{}")
                if word == "End":
                    name = f"{joints[current].name}_end" if open_joints else ""
                if not name or (word == "ROOT") == bool(open_joints) or len(joints) >= _MAX_JOINTS:
                    raise InputError(f"{where}: {line.strip()[:40]!r} cannot stand here")
                joints.append(_Joint(name, open_joints[-1] if open_joints else -1))
                words = [word for word in words if word in "{}"]
            elif word == "{":
                current = len(joints) - 1
                open_joints.append(current)
            elif word == "}" and open_joints:
                open_joints.pop()
                current = open_joints[-1] if open_joints else -1
            elif word == "OFFSET" and open_joints:
                joints[current].offset, words = numbers(words[:3], where, 3), words[3:]
            elif word == "CHANNELS" and open_joints:
                joints[current].channels, words = _channels(words, where), []
            elif word == "MOTION" and joints and not open_joints:
                return joints, index
            else:
                raise InputError(
                    f"{where}: {line.strip()[:40]!r}. Allowed: ROOT, JOINT, End Site, OFFSET, CHANNELS, "
                    "braces that match, MOTION"
                )
    raise InputError(f"{path}: line {len(lines)}: the file ends before MOTION")


def _put_back_lost_bones(joints: dict[str, _Joint]) -> list[str]:
    """Give the bones thorax and wrist their length, which CMU's BVH files have lost; return a note if so.

    The converter that made them wrote zero for both. In CMU's own ASF files the thorax is as long as the bone
    below it within 5 %, and the wrist, the second third of the forearm, exactly half as long as the first.
    """
    lost: dict[str, tuple[str, ...]] = {"Spine1": ("Neck", "LeftShoulder", "RightShoulder")}
    lost |= {f"{side}Hand": (f"{side}FingerBase", f"{side[0]}Thumb") for side in ("Left", "Right")}
    affected = [name for names in lost.values() for name in names]
    if not {*lost, *affected, "LHipJoint"} <= set(joints) or any(joints[n].offset.any() for n in affected):
        return []
    for before, names in lost.items():
        for name in names:
            joints[name].offset = joints[before].offset * (1.0 if before == "Spine1" else 0.5)
    return ["bones thorax and wrist of no length, as in CMU's BVH files: put back as in CMU's ASF"]


def _channels(words: list[str], where: str) -> list[tuple[str, str]]:
    names = [word.lower() for word in words[1:]]
    unknown = [name for name in names if name not in _CHANNELS]
    if unknown or words[:1] != [str(len(names))] or len(set(names)) < len(names):
        raise InputError(
            f"{where}: CHANNELS {' '.join(words)[:60]}. Allowed: how many, then, each once, "
            f"{', '.join(_CHANNELS)}"
        )
    return [_CHANNELS[name] for name in names]


def _motion(path: Path, lines: list[str], after: int, width: int) -> tuple[Array, float, list[str]]:
    """Return the channels (T, C), the frame rate [Hz] and notes."""
    rows = [(number, line) for number, line in enumerate(lines[after + 1 :], after + 2) if line.strip()]
    header = {}
    for key, title in (("frames", "Frames"), ("time", "Frame Time")):
        number, line = rows.pop(0) if rows else (len(lines), "")
        found = re.fullmatch(r"\s*" + title.replace(" ", r"\s*") + r"\s*:(.*)", line, re.IGNORECASE)
        if not found:
            raise InputError(f"{path}: line {number}: {line.strip()[:40]!r}. Allowed: {title}: and a number")
        header[key] = float(numbers(found[1].split(), f"{path}: line {number}", 1)[0])
    if not 1e-3 <= header["time"] <= 1.0:
        raise InputError(f"{path}: line {after + 3}: frame time {header['time']:g} s. Allowed: 0.001 to 1")
    frames = [numbers(line.split(), f"{path}: line {number}", width) for number, line in rows]
    if not frames or len(frames) < header["frames"]:
        raise InputError(
            f"{path}: line {len(lines)}: the file ends after {len(frames)} of {header['frames']:g} frames"
        )
    notes = []
    if len(frames) > header["frames"]:
        notes.append(f"{len(frames)} frames, though the file says {header['frames']:g}: all are taken")
    rate = 1.0 / header["time"]
    # 0.008333 s is meant to be 1/120 s.
    whole = round(rate)
    return np.array(frames), float(whole) if abs(rate - whole) < _ROUNDED * rate else rate, notes
