"""Reads a recording of any supported format."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from text2gesture_ros.errors import InputError
from text2gesture_ros.labels import check_label
from text2gesture_ros.motion.formats.asf import read_amc
from text2gesture_ros.motion.formats.bvh import read_bvh
from text2gesture_ros.motion.formats.gltf import read_gltf
from text2gesture_ros.motion.formats.humanml import read_joints
from text2gesture_ros.motion.formats.kinect import read_skeleton
from text2gesture_ros.motion.formats.normalisation import normalise_take
from text2gesture_ros.motion.formats.npz import read_npz
from text2gesture_ros.motion.formats.qianim import read_qianim
from text2gesture_ros.motion.formats.take import Take
from text2gesture_ros.motion.motion import FRAME_RATE, Motion

Reader = Callable[..., Take | Motion]  # of a path, and of what else concerns its format

READERS: Mapping[str, tuple[str, Reader]] = MappingProxyType(
    {
        ".bvh": ("Biovision hierarchy", read_bvh),
        ".amc": ("Acclaim motion, with its skeleton (.asf)", read_amc),
        ".skeleton": ("NTU RGB+D, Kinect v2", read_skeleton),
        ".npy": ("HumanML3D joints", read_joints),
        ".qianim": ("animation of Pepper", read_qianim),
        **dict.fromkeys((".gltf", ".glb"), ("glTF 2.0 animation", read_gltf)),
        ".vrma": ("animation of VRM", read_gltf),
        ".npz": ("motion of this package, or joint positions with names", read_npz),
    }
)
"""The format of each suffix, and its reader."""

FORMATS = tuple(READERS)
GLTF = (".gltf", ".glb", ".vrma")
_FIXED_NAMES = (".skeleton", ".npy", ".qianim")


@dataclass(frozen=True)
class Recording:
    """A recording as a motion, and what was assumed and changed.

    Attributes:
        motion: 21 joints, 60 frames per second, metres, pelvis frame, looking along x.
        format: suffix of the format it came in.
        source_frame_rate: frames per second of the source [Hz].
        filled: joints that the source lacks, filled by proportion.
        unmapped: joints and channels of the source that are not used.
        notes: what had to be assumed or changed, one sentence each.
    """

    motion: Motion
    format: str
    source_frame_rate: float
    filled: tuple[str, ...] = ()
    unmapped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_recording(
    path: Path | str,
    *,
    start: float = 0.0,
    end: float | None = None,
    skeleton: Path | str | None = None,
    frame_rate: float | None = None,
    names: Mapping[str, str] = MappingProxyType({}),
    animation: str = "",
    gesture: str = "",
    emotion: str = "",
) -> Recording:
    """Read a recording of any format of `FORMATS` and bring it to the skeleton of this package.

    Args:
        path: the file.
        start: where to cut [s].
        end: where to cut [s]; None: at the end.
        skeleton: the ASF file that belongs to an AMC file; None: one lies beside it.
        frame_rate: frames per second of the recording [Hz]; None: as the file says, or as is usual for its
            format where it does not (AMC 120, `.skeleton` 30, `.npy` 20).
        names: which joint of ours some joints of the file are, by their names there (`read_map`); empty for
            none of ours. The others are told by their names.
        animation: which animation of a glTF file; empty: the first.
        gesture: what it shows; empty: what the file says.
        emotion: how it is done; empty: what the file says.

    Raises:
        InputError: the file cannot be used: which, where in it, why, and what is allowed.
    """
    path = Path(path)
    for task, label in (("gesture", gesture), ("emotion", emotion)):
        if label:
            check_label(task, label)
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise unknown_format(path)
    read = READERS[suffix][1]
    options: dict[str, Any] = {}
    if names:
        options["given"] = names
    if suffix == ".amc" and skeleton:
        options["skeleton"] = Path(skeleton)
    if suffix == ".npz":
        options["frame_rate"] = frame_rate
    if suffix in GLTF:
        options["animation"] = animation
    if names and suffix in _FIXED_NAMES:
        raise InputError(f"{path}: joints of {suffix} files have no names of their own to map")
    try:
        source = read(path, **options)
        source = source if frame_rate is None else replace(source, frame_rate=frame_rate)
        source = _cut(source, start, end)
        if isinstance(source, Motion):
            recording = Recording(source.resampled(FRAME_RATE), suffix, source.frame_rate)
        else:
            placed = normalise_take(source)
            motion = Motion(placed.positions, FRAME_RATE, source.gesture, source.emotion)
            recording = Recording(
                motion, suffix, source.frame_rate, placed.filled, source.unmapped, placed.notes
            )
    except InputError as error:
        message = str(error)
        raise InputError(message if message.startswith(str(path)) else f"{path}: {message}") from None
    motion = recording.motion
    labelled = replace(motion, gesture=gesture or motion.gesture, emotion=emotion or motion.emotion)
    return replace(recording, motion=labelled)


def unknown_format(path: Path, others: Mapping[str, str] = MappingProxyType({})) -> InputError:
    """Return the error that names the formats that are known, and others that a caller reads itself."""
    formats = {suffix: what for suffix, (what, _) in READERS.items()} | dict(others)
    known = ", ".join(f"{suffix} ({what})" for suffix, what in formats.items())
    return InputError(f"{path}: unknown format {path.suffix.lower()!r}. Known: {known}")


def _cut(source: Take | Motion, start: float, end: float | None) -> Take | Motion:
    frames, rate = len(source.positions), source.frame_rate
    duration = frames / rate
    # Written so that NaN fails it.
    if not (0.0 <= start < duration and (end is None or end > start)):
        to = "the end" if end is None else f"{end:g} s"
        raise InputError(f"cut from {start:g} s to {to} holds nothing. Allowed: within 0 to {duration:g} s")
    first = min(round(start * rate), frames - 1)
    last = max(first + 1, frames if end is None else round(min(end, duration) * rate))
    if (first, last) == (0, frames):
        return source
    positions: Any = source.positions[first:last]  # float32 or float64, as the source has it
    return replace(source, positions=positions)
