"""glTF 2.0 animations (`.gltf`, `.glb`) and those of VRM (`.vrma`): nodes whose rotations have key frames.

Read with NumPy: the libraries on PyPI turn the JSON into objects, but leave decoding its numbers, sampling
and checking them to the caller. Section numbers are those of the glTF 2.0 specification.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.geometry import Array, dot
from text2gesture_ros.motion.formats.joint_tree import Tree, take_of
from text2gesture_ros.motion.formats.take import MAX_VALUE, Take, read_bytes
from text2gesture_ros.motion.motion import FRAME_RATE

_MAX_NODES = 5000
_LONGEST = 3600.0  # of an animation [s]
_RATES = (24.0, 240.0)  # of key frames that count as recorded; others are curves between few keys [Hz]
_CHUNKS = {"json": b"JSON", "binary": b"BIN\0"}
_TYPES: Mapping[int, str] = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}
_UP = np.array([0.0, 0.0, 0.0, 1.0])  # the quaternion (x, y, z, w) of no rotation
# Extensions that change how an animation is stored. Others may be required: they concern what is drawn.
_UNREADABLE = ("EXT_meshopt_compression", "KHR_meshopt_compression")


def read_gltf(path: Path, animation: str = "", given: Mapping[str, str] = MappingProxyType({})) -> Take:
    """Read an animation of a glTF file; joints that the file declares as VRM's humanoid are those.

    Args:
        path: the file.
        animation: name of the animation; empty: the first.
        given: which joint of ours some of its nodes are, as `map_joints` takes it.

    Raises:
        InputError: it is damaged (where, what is allowed), has no such animation, needs an extension that is
            not read, or too few joints have a name we know.
    """
    file = _File(path)
    chosen, notes = _chosen(file, animation)
    order, parents = _order(file)
    times, curves = _curves(file, chosen)
    names = _names(file, {index for index, _ in curves})
    duration = max(float(time[-1]) for time in times)
    if duration > _LONGEST:
        raise InputError(f"{path}: {duration:.0f} s long. Allowed: {_LONGEST:.0f} s")
    most = max(times, key=len)
    step = float(np.median(np.diff(most))) if len(most) > 1 else 0.0
    rate = 1.0 / step if step * _RATES[0] <= 1.0001 <= step * _RATES[1] + 1e-4 else FRAME_RATE
    rate = float(round(rate)) if abs(rate - round(rate)) < 1e-3 * rate else rate
    start = min(float(time[0]) for time in times)
    at = start + np.arange(int((duration - start) * rate + 1e-3) + 1) / rate

    count = len(order)
    rest = [_Pose(file, index) for index in order]
    place, turn, size = np.empty((count, 3)), np.empty((count, 3, 3)), np.empty((count, 3))
    rotations, places = np.empty((len(at), count, 3, 3)), np.empty((len(at), count, 3))
    for number, (index, pose) in enumerate(zip(order, rest, strict=True)):
        parent = parents[number]
        above = turn[parent] if parent >= 0 else np.eye(3)
        scale = size[parent] if parent >= 0 else np.ones(3)
        own = rotation_of(pose.rotation)
        turn[number], size[number] = above @ own, scale * pose.scale
        place[number] = above @ (scale * pose.translation)
        rotating, moving = curves.get((index, "rotation")), curves.get((index, "translation"))
        local = rotation_of(rotating.at(at)) if rotating else np.broadcast_to(own, (len(at), 3, 3))
        # As seen from axes that are the file's at rest: there, all rotations are the identity.
        rotations[:, number] = above @ local @ own.T @ above.T
        steps = moving.at(at) if moving else np.broadcast_to(pose.translation, (len(at), 3))
        places[:, number] = (scale * steps) @ above.T
    tree = Tree(
        names=tuple(names[index] for index in order),
        parents=tuple(parents),
        offsets=place,
        rotations=rotations,
        places=places,
    )
    return take_of(tree, rate, notes, given)


def rotation_of(quaternions: Array) -> Array:
    """Return rotation matrices (..., 3, 3) of unit quaternions (..., 4), x, y, z, w."""
    x, y, z, w = np.moveaxis(quaternions, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


class _File:
    """The JSON of a glTF file, its numbers, and errors that say where."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._binary: bytes | None = None
        data = read_bytes(path)
        if data[:4] == b"glTF":
            data = self._chunks(data)
        try:
            self.json = json.loads(data.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: no glTF: {' '.join(str(error).split())[:100]}") from None
        if not isinstance(self.json, dict) or not isinstance(self.json.get("asset"), dict):
            raise InputError(f"{path}: no glTF: it has no asset")
        version = self.json["asset"].get("version")
        if str(version).split(".")[0] != "2":
            raise InputError(f"{path}: glTF version {version!r}. Allowed: 2")
        needed = [name for name in self.items(self.json, "extensionsRequired", str) if name in _UNREADABLE]
        if needed:
            raise InputError(f"{path}: requires {needed[0]}. Allowed: animations that are not compressed")
        self._buffers: dict[int, bytes] = {}

    def _chunks(self, data: bytes) -> bytes:
        """Return the JSON of a binary file (section 4.4), and keep what comes with it."""
        found: dict[bytes, bytes] = {}
        at = 12
        while at + 8 <= len(data):
            length, kind = int.from_bytes(data[at : at + 4], "little"), data[at + 4 : at + 8]
            found.setdefault(kind, data[at + 8 : at + 8 + length])
            at += 8 + length
        if _CHUNKS["json"] not in found or at > len(data):
            raise InputError(f"{self.path}: no glTF: the file ends within a chunk, or has no JSON")
        self._binary = found.get(_CHUNKS["binary"])
        return found[_CHUNKS["json"]]

    def items(self, owner: Mapping[str, Any], key: str, kind: type) -> list[Any]:
        """Return a list of the JSON, empty if it is not there."""
        value = owner.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, kind) for item in value):
            raise InputError(f"{self.path}: {key}: not a list of {kind.__name__}")
        return value

    def item(self, key: str, index: Any) -> dict[str, Any]:
        """Return the entry of a list at the top of the JSON."""
        there = self.items(self.json, key, dict)
        if not isinstance(index, int) or not 0 <= index < len(there):
            raise InputError(f"{self.path}: {key}[{index}]: there are {len(there)}")
        entry: dict[str, Any] = there[index]
        return entry

    def vector(self, owner: Mapping[str, Any], key: str, default: Sequence[float], where: str) -> Array:
        """Return numbers of the JSON, as many as `default` has."""
        value = owner.get(key, default)
        try:
            array = np.array(value, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            array = np.array([np.nan])
        if array.shape != (len(default),) or not (np.abs(array) <= MAX_VALUE).all():
            raise InputError(
                f"{self.path}: {where}.{key}: {str(value)[:40]}. Allowed: {len(default)} numbers"
            )
        return array

    def numbers(self, index: Any, width: int) -> Array:
        """Return an accessor (N, `width`) as numbers (section 3.6.2)."""
        accessor, where = self.item("accessors", index), f"{self.path}: accessors[{index}]"
        kind = _TYPES.get(accessor.get("componentType", 0))
        if kind is None or _WIDTHS.get(accessor.get("type", "")) != width or "sparse" in accessor:
            raise InputError(f"{where}: {str(accessor)[:80]}. Allowed: {width} numbers each, not sparse")
        view = self.item("bufferViews", accessor.get("bufferView"))
        data = self._buffer(view.get("buffer"))
        sizes = [accessor.get("count"), accessor.get("byteOffset", 0), view.get("byteOffset", 0)]
        sizes += [view.get("byteStride", 0), view.get("byteLength", 0)]
        if not all(isinstance(size, int) and 0 <= size <= len(data) for size in sizes):
            raise InputError(f"{where}: {sizes} do not fit a buffer of {len(data)} bytes")
        count, offset, start, stride, length = sizes
        element = np.dtype(kind)
        stride = stride or width * element.itemsize
        end = offset + (count - 1) * stride + width * element.itemsize
        if count < 1 or stride < width * element.itemsize or end > length or start + length > len(data):
            raise InputError(f"{where}: {count} entries do not fit its {length} bytes")
        array = np.ndarray((count, width), element, data, start + offset, (stride, element.itemsize)).astype(
            np.float64
        )
        if element.kind in "iu" and accessor.get("normalized"):
            array = np.maximum(array / np.iinfo(element).max, -1.0)
        if not (np.abs(array) <= MAX_VALUE).all():
            raise InputError(f"{where}: not numbers, all within {MAX_VALUE:g}")
        return array

    def _buffer(self, index: Any) -> bytes:
        buffer = self.item("buffers", index)
        if index not in self._buffers:
            uri = buffer.get("uri")
            if uri is None and index == 0 and self._binary is not None:
                self._buffers[index] = self._binary
            elif isinstance(uri, str) and uri.startswith("data:") and ";base64," in uri:
                try:
                    self._buffers[index] = base64.b64decode(uri.split(";base64,", 1)[1], validate=True)
                except (binascii.Error, ValueError):
                    raise InputError(f"{self.path}: buffers[{index}]: no base64") from None
            elif isinstance(uri, str) and uri not in ("", ".", "..") and "/" not in uri and "\\" not in uri:
                self._buffers[index] = read_bytes(self.path.with_name(uri))
            else:
                raise InputError(
                    f"{self.path}: buffers[{index}]: uri {str(uri)[:40]!r}. Allowed: a file beside it, "
                    "base64, or the binary chunk of a .glb"
                )
        return self._buffers[index]


class _Pose:
    """How a node stands at rest: its place, its rotation (x, y, z, w) and its scale."""

    def __init__(self, file: _File, index: int) -> None:
        node, where = file.item("nodes", index), f"nodes[{index}]"
        if "matrix" in node:
            matrix = file.vector(node, "matrix", np.eye(4).ravel().tolist(), where).reshape(4, 4).T
            self.translation, self.scale = matrix[:3, 3], np.linalg.norm(matrix[:3, :3], axis=0)
            if not (self.scale > 0.0).all():
                raise InputError(f"{file.path}: {where}.matrix turns nothing")
            self.rotation = _quaternion(matrix[:3, :3] / self.scale)
            return
        self.translation = file.vector(node, "translation", (0.0, 0.0, 0.0), where)
        self.scale = file.vector(node, "scale", (1.0, 1.0, 1.0), where)
        self.rotation = _unit(file.vector(node, "rotation", _UP.tolist(), where))


class _Curve:
    """A value over time between key frames (appendix C of the specification)."""

    def __init__(self, times: Array, values: Array, how: str, turns: bool) -> None:
        self._times, self._how, self._turns = times, how, turns
        self._values = values.reshape(len(times), -1, values.shape[-1])  # with tangents before and after

    def at(self, times: Array) -> Array:
        """Return the values (T, D) at times (T,) [s]; before the first and after the last key they hold."""
        keys = self._times
        times = np.clip(times, keys[0], keys[-1])
        left = np.clip(np.searchsorted(keys, times, side="right") - 1, 0, max(len(keys) - 2, 0))
        right = np.minimum(left + 1, len(keys) - 1)
        span = keys[right] - keys[left]
        share = (np.where(span > 0.0, times - keys[left], 0.0) / np.where(span > 0.0, span, 1.0))[:, None]
        middle = self._values.shape[1] // 2
        start, end = self._values[left, middle], self._values[right, middle]
        if self._how == "STEP":
            value = np.where(share < 1.0, start, end)
        elif self._how == "CUBICSPLINE":
            leaving, arriving = self._values[left, 2] * span[:, None], self._values[right, 0] * span[:, None]
            square, cube = share**2, share**3
            value = (2 * cube - 3 * square + 1) * start + (cube - 2 * square + share) * leaving
            value += (3 * square - 2 * cube) * end + (cube - square) * arriving
        elif self._turns:
            value = _slerp(_unit(start), _unit(end), share)
        else:
            value = start + share * (end - start)
        return _unit(value) if self._turns else np.asarray(value)


def _chosen(file: _File, name: str) -> tuple[dict[str, Any], list[str]]:
    """Return the animation of a name, or the first, and notes."""
    there = file.items(file.json, "animations", dict)
    if not there:
        raise InputError(f"{file.path}: no animation in it")
    names = [str(entry.get("name", index)) for index, entry in enumerate(there)]
    if name and name not in names:
        raise InputError(f"{file.path}: no animation {name!r}. Allowed: {', '.join(names)[:400]}")
    index = names.index(name) if name else 0
    if len(there) == 1 or name:
        return there[index], []
    return there[index], [
        f"{len(there)} animations: the first is taken; --animation chooses among {', '.join(names)[:400]}"
    ]


def _order(file: _File) -> tuple[list[int], list[int]]:
    """Return the nodes, parents before children, and the place of each one's parent in that order or -1."""
    nodes = file.items(file.json, "nodes", dict)
    if len(nodes) > _MAX_NODES:
        raise InputError(f"{file.path}: {len(nodes)} nodes. Allowed: {_MAX_NODES}")
    above: dict[int, int] = {}
    for index, node in enumerate(nodes):
        for child in file.items(node, "children", int):
            file.item("nodes", child)
            if child in above:
                raise InputError(f"{file.path}: nodes[{child}] has two parents. Allowed: a tree")
            above[child] = index
    order = [index for index in range(len(nodes)) if index not in above]
    parents = [-1] * len(order)
    for place, index in enumerate(order):  # grows as it goes
        below = nodes[index].get("children", [])
        order += below
        parents += [place] * len(below)
    if len(order) < len(nodes):
        raise InputError(f"{file.path}: nodes form a ring. Allowed: a tree")
    return order, parents


def _names(file: _File, animated: set[int]) -> list[str]:
    """Return the names of the nodes: as bones of VRM's humanoid where the file says which they are.

    Meshes and cameras have none, unless they are animated as bones are.
    """
    nodes = file.items(file.json, "nodes", dict)
    skins = file.items(file.json, "skins", dict)
    bones = animated.union(*(file.items(skin, "joints", int) for skin in skins))
    drawn = {"mesh", "camera"}
    names = [
        "" if drawn & set(node) and index not in bones else str(node.get("name") or f"node_{index}")
        for index, node in enumerate(nodes)
    ]
    extensions = file.json.get("extensions")
    humanoid: Any = {}
    for extension in ("VRMC_vrm_animation", "VRMC_vrm", "VRM"):
        try:
            humanoid = extensions[extension]["humanoid"]["humanBones"]
            break
        except (TypeError, KeyError):
            continue
    if isinstance(humanoid, list):  # VRM 0
        humanoid = {entry.get("bone"): entry for entry in humanoid if isinstance(entry, dict)}
    if isinstance(humanoid, dict):
        declared = {
            bone: entry["node"]
            for bone, entry in humanoid.items()
            if isinstance(bone, str) and isinstance(entry, dict) and isinstance(entry.get("node"), int)
        }
        if declared:
            names = [""] * len(nodes)
        for bone, index in declared.items():
            file.item("nodes", index)
            names[index] = bone
    return names


def _curves(file: _File, animation: dict[str, Any]) -> tuple[list[Array], dict[tuple[int, str], _Curve]]:
    """Return the times of all key frames, and the curves of rotations and translations by node and kind."""
    samplers = file.items(animation, "samplers", dict)
    times, curves = [], {}
    for number, channel in enumerate(file.items(animation, "channels", dict)):
        where = f"{file.path}: channels[{number}]"
        target, index = channel.get("target"), channel.get("sampler")
        if not isinstance(target, dict) or not isinstance(index, int) or not 0 <= index < len(samplers):
            raise InputError(f"{where}: no target, or no sampler {str(index)[:20]}")
        node, kind = target.get("node"), target.get("path")
        if node is None or kind not in ("rotation", "translation"):
            continue  # of what is drawn: weights, lights; or a scale, which no bone changes
        file.item("nodes", node)
        how = samplers[index].get("interpolation", "LINEAR")
        keys = file.numbers(samplers[index].get("input"), 1)[:, 0]
        values = file.numbers(samplers[index].get("output"), 4 if kind == "rotation" else 3)
        each = 3 if how == "CUBICSPLINE" else 1
        if how not in ("LINEAR", "STEP", "CUBICSPLINE") or len(values) != each * len(keys):
            raise InputError(f"{where}: {str(how)[:20]}, {len(keys)} keys, {len(values)} values do not fit")
        if (np.diff(keys) <= 0.0).any() or keys[0] < 0.0:
            raise InputError(f"{where}: times must be 0 or more, each above the one before")
        times.append(keys)
        curves[node, kind] = _Curve(keys, values, how, kind == "rotation")
    if not curves:
        raise InputError(f"{file.path}: the animation turns and moves no node")
    return times, curves


def _unit(quaternions: Array) -> Array:
    """Return quaternions (..., 4) of length one; those of no length turn nothing."""
    length = np.linalg.norm(quaternions, axis=-1, keepdims=True)
    return np.asarray(np.where(length > 1e-9, quaternions / np.maximum(length, 1e-9), _UP))


def _slerp(start: Array, end: Array, share: Array) -> Array:
    """Interpolate between unit quaternions (T, 4), the shorter way round (Shoemake, 1985)."""
    cosine = dot(start, end)[:, None]
    end, cosine = np.where(cosine < 0.0, -end, end), np.abs(cosine)
    angle = np.arccos(np.clip(cosine, 0.0, 1.0))
    sine = np.maximum(np.sin(angle), 1e-9)
    near = angle < 1e-4
    one = np.where(near, 1.0 - share, np.sin((1.0 - share) * angle) / sine)
    other = np.where(near, share, np.sin(share * angle) / sine)
    return np.asarray(one * start + other * end)


def _quaternion(matrix: Array) -> Array:
    """Return the unit quaternion (4,) of a rotation (3, 3), as Bar-Itzhack (2000): an eigenvector."""
    m = matrix
    k = np.array(
        [
            [m[0, 0] - m[1, 1] - m[2, 2], 0.0, 0.0, 0.0],
            [m[0, 1] + m[1, 0], m[1, 1] - m[0, 0] - m[2, 2], 0.0, 0.0],
            [m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], m[2, 2] - m[0, 0] - m[1, 1], 0.0],
            [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], m.trace()],
        ]
    )
    return np.asarray(np.linalg.eigh(k)[1][:, -1])  # reads the lower half
