"""Kinect v2 body tracking as NTU RGB+D keeps it: `.skeleton`, 25 joints at 30 Hz, camera frame, metres."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.geometry import Array
from text2gesture_ros.motion.formats.normalisation import MAX_GAP
from text2gesture_ros.motion.formats.take import Take, numbers, read_lines

FRAME_RATE = 30.0
# The joints in the order of the file; empty: the skeleton has none such.
_JOINTS = (
    *("pelvis", "chest", "neck", "head"),
    *("left_shoulder", "left_elbow", "left_wrist", "left_hand"),
    *("right_shoulder", "right_elbow", "right_wrist", "right_hand"),
    *("left_hip", "left_knee", "left_ankle", ""),
    *("right_hip", "right_knee", "right_ankle", ""),
    *("", "", "left_thumb", "", "right_thumb"),
)
_UNMAPPED = ("FootLeft", "FootRight", "SpineShoulder", "HandTipLeft", "HandTipRight")
_MAPPED = [index for index, name in enumerate(_JOINTS) if name]
_UNTRACKED = 0
# A body that appears within MAX_GAP this near to where one vanished is that one: mean over its joints [m].
_NEAR = 0.3
# A body must be seen in this share of the frames of the longest seen one, to be more than a ghost.
_SEEN = 0.5


def read_skeleton(path: Path) -> Take:
    """Read a `.skeleton` file; of several bodies the one that moves most.

    Joints that are not tracked, have no number or lie in the camera count as not seen. A body that the
    tracker loses and finds again under another name is one. The camera's y axis is taken for up.

    Raises:
        InputError: it is damaged (in which line, what is allowed), or holds no body.
    """
    bodies, notes = _followed(_bodies(path))
    if not bodies:
        raise InputError(f"{path}: no body in any frame")
    most = max(len(frames) for frames in bodies.values())
    lasting = {name: frames for name, frames in bodies.items() if len(frames) >= _SEEN * most}
    takes = {name: _positions(frames) for name, frames in lasting.items()}
    chosen = max(takes, key=lambda name: _liveliness(takes[name]))
    if len(bodies) > 1:
        frames = bodies[chosen]
        when = f"{min(frames) / FRAME_RATE:.1f} to {(max(frames) + 1) / FRAME_RATE:.1f} s"
        notes.append(f"{len(bodies)} bodies: the one that moves most is taken ({chosen}, seen from {when})")
    return Take(
        positions=takes[chosen][:, _MAPPED],
        names=tuple(name for name in _JOINTS if name),
        frame_rate=FRAME_RATE,
        up=np.array([0.0, 1.0, 0.0]),
        unit=1.0,
        unmapped=_UNMAPPED,
        notes=tuple(notes),
    )


def _bodies(path: Path) -> dict[str, dict[int, Array]]:
    """Return the frames of every body by its name: (25, 3), NaN where a joint was not seen."""
    rows: Iterator[tuple[int, list[str]]] = (
        (number, line.split()) for number, line in enumerate(read_lines(path), 1) if line.strip()
    )
    bodies: dict[str, dict[int, Array]] = {}
    number = 0

    def row(what: str) -> tuple[list[str], str]:
        nonlocal number
        number, words = next(rows, (number, []))
        if not words:
            raise InputError(f"{path}: line {number}: the file ends where {what} should follow")
        return words, f"{path}: line {number}"

    def count(what: str, most: int) -> int:
        words, where = row(what)
        if len(words) != 1 or not words[0].isdecimal() or int(words[0][:9]) > most:
            raise InputError(f"{where}: {' '.join(words)[:40]!r}. Allowed: {what}, at most {most}")
        return int(words[0])

    for frame in range(count("the number of frames", 10**6)):
        for _ in range(count("the number of bodies", 100)):
            words, where = row("a body")
            if len(words) != 10:
                raise InputError(f"{where}: {len(words)} values of a body. Allowed: 10")
            name = words[0]
            if count("the number of joints", 25) != len(_JOINTS):
                raise InputError(f"{path}: line {number}: not {len(_JOINTS)} joints, as Kinect v2 has")
            joints = np.empty((len(_JOINTS), 3))
            for joint in joints:
                words, where = row("a joint")
                if len(words) != 12:
                    raise InputError(f"{where}: {len(words)} values of a joint. Allowed: 12")
                seen = numbers(words[11:], where, 1)[0] != _UNTRACKED and not _without_number(words[:3])
                joint[:] = numbers(words[:3], where, 3) if seen else np.nan
                if not joint.any():
                    joint[:] = np.nan
            bodies.setdefault(name, {})[frame] = joints
    return bodies


def _without_number(words: list[str]) -> bool:
    """Return whether one of some words is what programs write where they have no number."""
    return any(word.lower().lstrip("+-").startswith(("nan", "inf", "1.#")) for word in words)


def _followed(bodies: dict[str, dict[int, Array]]) -> tuple[dict[str, dict[int, Array]], list[str]]:
    """Return the bodies, those that are one under several names joined under the first; and notes.

    One that appears where another has just vanished is the same.
    """
    joined: dict[str, dict[int, Array]] = {}
    notes = []
    for name, frames in sorted(bodies.items(), key=lambda item: min(item[1])):
        start = min(frames)
        distances = {
            other: float(np.nanmean(np.linalg.norm(frames[start] - earlier[max(earlier)], axis=1)))
            for other, earlier in joined.items()
            if 0 < start - max(earlier) <= MAX_GAP * FRAME_RATE + 1
            and np.isfinite(frames[start] - earlier[max(earlier)]).all(axis=1).any()
        }
        nearest = min(distances, key=distances.__getitem__, default=None)
        if nearest is not None and distances[nearest] < _NEAR:
            joined[nearest] |= frames
            notes.append(f"body {name}, from {start / FRAME_RATE:.1f} s on, is taken for {nearest} going on")
        else:
            joined[name] = dict(frames)
    return joined, notes


def _positions(frames: dict[int, Array]) -> Array:
    """Return (T, 25, 3), from the first frame the body is in to the last; NaN where it is not."""
    first = min(frames)
    positions = np.full((max(frames) - first + 1, len(_JOINTS), 3), np.nan)
    for frame, joints in frames.items():
        positions[frame - first] = joints
    return positions


def _liveliness(positions: Array) -> float:
    """Return the sum of the standard deviations of all joint positions [m]."""
    seen = [joint[np.isfinite(joint).all(axis=1)] for joint in positions.swapaxes(0, 1)]
    return float(sum(joint.std(axis=0).sum() for joint in seen if len(joint)))
