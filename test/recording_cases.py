"""Recordings made for tests: the reference body, moving in a known way, in the formats others use."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from text2gesture_ros.skeleton import INDEX, PARENTS, REFERENCE

# Our axes (forward, left, up) in the order in which a file with this axis up lists them: x, y, z.
AXES = {"y": [1, 2, 0], "z": [1, 0, 2]}
SIGNS = {"y": [1.0, 1.0, 1.0], "z": [1.0, -1.0, 1.0]}  # z up: x left, y backwards
MIXAMO = {
    **{"pelvis": "Hips", "chest": "Spine2", "neck": "Neck", "head": "Head"},
    **{
        f"{side}_{part}": f"{side.capitalize()}{name}"
        for side in ("left", "right")
        for part, name in {
            **{"shoulder": "Arm", "elbow": "ForeArm", "wrist": "Hand", "hand": "HandMiddle1"},
            **{"thumb": "HandThumb3", "hip": "UpLeg", "knee": "Leg", "ankle": "Foot"},
        }.items()
    },
}


def in_file_axes(vectors: np.ndarray, up: str = "y") -> np.ndarray:
    """Return vectors (..., 3) of ours as a file with this axis up has them."""
    return vectors[..., AXES[up]] * SIGNS[up]


def write_bvh(
    path: Path,
    turns: Mapping[str, np.ndarray] | None = None,
    *,
    frames: int = 2,
    order: str = "ZYX",
    unit: float = 0.01,
    up: str = "y",
    rate: float = 60.0,
    names: Mapping[str, str] = MIXAMO,
    places: Mapping[str, np.ndarray] | None = None,
    skip: Sequence[str] = (),
) -> Path:
    """Write the reference body as BVH.

    Args:
        path: where to.
        turns: (T, 3) angles [degree] of joints, in the order of the channels; others stay at zero.
        frames: how many, where nothing turns.
        order: of the rotation channels.
        unit: length of one unit [m].
        up: axis that points upwards.
        rate: frames per second [Hz].
        names: what our joints are called.
        places: (T, 3) of joints that carry POSITION channels [m], from their parent, our axes.
        skip: joints that are left out, with all below them.
    """
    turns = {**(turns or {})}
    places = {"pelvis": np.zeros((1, 3)), **(places or {})}
    frames = max([frames, *map(len, turns.values()), *map(len, places.values())])
    lines, columns = ["HIERARCHY"], []

    def write(joint: str, depth: int) -> None:
        index, pad = INDEX[joint], "  " * depth
        offset = REFERENCE[index] - REFERENCE[PARENTS[index]] if PARENTS[index] >= 0 else np.zeros(3)
        offset = in_file_axes(offset, up) / unit
        channels = [f"{axis}rotation" for axis in order]
        values = np.broadcast_to(turns.get(joint, np.zeros((1, 3))), (frames, 3))
        if joint in places:
            channels = ["Xposition", "Yposition", "Zposition", *channels]
            moved = np.broadcast_to(in_file_axes(places[joint], up) / unit, (frames, 3))
            values = np.concatenate([moved, values], axis=1)
        columns.append(values)
        lines.extend(
            [
                f"{pad}{'JOINT' if depth else 'ROOT'} {names[joint]}",
                f"{pad}{{",
                f"{pad}  OFFSET {' '.join(f'{v:.6f}' for v in offset)}",
                f"{pad}  CHANNELS {len(channels)} {' '.join(channels)}",
            ]
        )
        below = [
            child
            for child, at in INDEX.items()
            if PARENTS[at] == index and child in names and child not in skip
        ]
        for child in below:
            write(child, depth + 1)
        if not below:
            lines.extend([f"{pad}  End Site", f"{pad}  {{", f"{pad}    OFFSET 0 0 0", f"{pad}  }}"])
        lines.append(f"{pad}}}")

    write("pelvis", 0)
    rows = np.concatenate(columns, axis=1)
    lines.extend(["MOTION", f"Frames: {frames}", f"Frame Time: {1.0 / rate:.7f}"])
    lines.extend(" ".join(f"{value:.5f}" for value in row) for row in rows)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
