"""Motion files of this package, and joint positions that others have written under their own names."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from text2gesture_ros.errors import InputError
from text2gesture_ros.geometry import Array
from text2gesture_ros.motion.formats.completion import body_size
from text2gesture_ros.motion.formats.joint_names import check_mapped, map_joints
from text2gesture_ros.motion.formats.joint_tree import axis_along, axis_name, trunk_of
from text2gesture_ros.motion.formats.take import Take
from text2gesture_ros.motion.motion import Motion, read_arrays
from text2gesture_ros.skeleton import INDEX, JOINTS

# The keys each array is looked for under, best first; its dimensions, kinds of NumPy, and both in words.
_KEYS: Mapping[str, tuple[tuple[str, ...], int, str, str]] = {
    "positions": (("positions", "joint_positions", "joints"), 3, "fiu", "numbers (T, J, 3)"),
    "names": (("joint_names", "joints", "names"), 1, "US", "text (J,)"),
    "frame rate": (
        ("fps", "frame_rate", "framerate", "mocap_frame_rate", "mocap_framerate"), 0, "fiu", "one number",
    ),
    "gesture": (("label", "gesture"), 0, "US", "text"),
    "emotion": (("emotion",), 0, "US", "text"),
}  # fmt: skip
_Z = np.array([0.0, 0.0, 1.0])
_SIZES = (0.3, 1.8)  # of a body whose file is in metres, the reference being 1: from toddlers to giants
_AT_ORIGIN = 0.1  # of the pelvis, over a clip in the pelvis frame [m]


def read_npz(
    path: Path, frame_rate: float | None = None, given: Mapping[str, str] = MappingProxyType({})
) -> Take | Motion:
    """Read .npz: joint positions (T, J, 3), joint names (J,), frames per second; label and emotion if there.

    A file in the form of this package (its joint names, metres, pelvis frame, z up) is taken as it stands; it
    may lack joints. Else names are matched as in BVH files, and the unit and the axis that points upwards are
    told from the body.

    Args:
        path: the file.
        frame_rate: frames per second, if the file does not say or is wrong [Hz].
        given: which joint of ours some of its joints are, as `map_joints` takes it.

    Raises:
        InputError: it cannot be read, something is missing or of another form, a joint is named twice, or too
            few joints have a name we know.
    """
    arrays = read_arrays(path, {key for keys, *_ in _KEYS.values() for key in keys})
    positions = np.asarray(_array(path, arrays, "positions"), np.float64)
    names = [_text(name) for name in _array(path, arrays, "names")]
    rate = float(_array(path, arrays, "frame rate")) if frame_rate is None else frame_rate
    gesture, emotion = (
        _text(_array(path, arrays, what)) if set(_KEYS[what][0]) & set(arrays) else ""
        for what in ("gesture", "emotion")
    )
    if positions.shape[1:] != (len(names), 3):
        raise InputError(f"{path}: positions {positions.shape} do not fit {len(names)} joints")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(f"{path}: joint {twice[0]!r} is named twice")
    ours = set(names) <= set(JOINTS) and not given
    columns = {name: names.index(name) for name in names} if ours else map_joints(names, given)
    if not ours:
        check_mapped(names, columns)
    joints = tuple(name for name in JOINTS if name in columns)
    taken = positions[:, [columns[name] for name in joints]]
    trunk = trunk_of(taken, joints)
    as_documented = ours and _as_documented(taken, joints, trunk)
    if as_documented and len(joints) == len(JOINTS) and np.isfinite(taken).all():
        pelvis = np.linalg.norm(taken[:, INDEX["pelvis"]].mean(axis=0))
        if pelvis < _AT_ORIGIN:
            return Motion(taken, rate, gesture, emotion)
    up = _Z if as_documented else axis_along(trunk) if trunk is not None else None
    if up is None:
        raise InputError(f"{path}: which way is up? Allowed: a trunk (from pelvis to neck) along an axis")
    used = set(columns.values())
    return Take(
        positions=taken,
        names=joints,
        frame_rate=rate,
        up=up,
        unit=1.0 if as_documented else None,
        unmapped=tuple(name for index, name in enumerate(names) if index not in used),
        notes=(
            "joint names of this package: metres and z up, as its files have them"
            if as_documented
            else f"up is {axis_name(up)}, from the trunk's direction over the clip",
        ),
        gesture=gesture,
        emotion=emotion,
    )


def _array(path: Path, arrays: Mapping[str, NDArray[Any]], what: str) -> NDArray[Any]:
    """Return the first array of a kind of `_KEYS` that has the right form."""
    keys, dimensions, kinds, form = _KEYS[what]
    for key in keys:
        if key in arrays and arrays[key].ndim == dimensions and arrays[key].dtype.kind in kinds:
            return arrays[key]
    found = ", ".join(f"{key}: {array.dtype} {array.shape}" for key, array in sorted(arrays.items()))
    raise InputError(
        f"{path}: no {what}. Allowed: {form} under {' or '.join(keys)}. Found: {found or 'none of these'}"
    )


def _text(value: Any) -> str:
    value = value.item() if isinstance(value, np.ndarray) else value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _as_documented(positions: Array, names: Sequence[str], trunk: Array | None) -> bool:
    """Return whether a body stands along z and has the size of a person in metres, as far as can be told."""
    if trunk is None:
        return True
    return bool(trunk[2] >= abs(trunk).max() and _SIZES[0] <= body_size(positions, names) <= _SIZES[1])
