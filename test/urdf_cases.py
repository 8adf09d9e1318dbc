"""A small robot as URDF text, for the tests of what reads it: trunk, head, and arms of four joints each."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

Element = tuple[str, str]  # of a joint: its name, its XML

FOLDER = Path(os.environ.get("TEXT2GESTURE_URDF", "/nowhere"))
URDFS = sorted(FOLDER.glob("*.urdf"))
# As the makers' files are called, where it is not as the robot is.
FILES = {"g1": "g1_29dof"}
needs_urdfs = pytest.mark.skipif(not URDFS, reason="TEXT2GESTURE_URDF names no folder of URDFs")


def joint(
    name: str,
    parent: str,
    child: str,
    *,
    xyz: str = "0 0 0",
    axis: str = "0 1 0",
    kind: str = "revolute",
    limit: str = 'lower="-2" upper="2" velocity="4"',
    more: str = "",
) -> Element:
    body = f'<parent link="{parent}"/><child link="{child}"/><origin xyz="{xyz}" rpy="0 0 0"/>'
    limits = f"<limit {limit}/>" if limit else ""
    return name, f'<joint name="{name}" type="{kind}">{body}<axis xyz="{axis}"/>{limits}{more}</joint>'


def arm(side: str) -> list[Element]:
    y = "0.2" if side == "left" else "-0.2"
    return [
        joint(f"{side}_shoulder_pitch", "torso", f"{side}_shoulder", xyz=f"0 {y} 0.3"),
        joint(f"{side}_shoulder_roll", f"{side}_shoulder", f"{side}_upper_arm", axis="1 0 0"),
        joint(f"{side}_arm_yaw", f"{side}_upper_arm", f"{side}_elbow", xyz="0 0 -0.25", axis="0 0 1"),
        joint(f"{side}_elbow_pitch", f"{side}_elbow", f"{side}_forearm"),
        joint(
            f"{side}_hand_fixed", f"{side}_forearm", f"{side}_hand", xyz="0 0 -0.3", kind="fixed", limit=""
        ),
    ]


JOINTS = [
    joint("mount", "base", "torso", xyz="0 0 0.8", kind="fixed", limit=""),
    joint("head_yaw", "torso", "neck", xyz="0 0 0.4", axis="0 0 1"),
    joint("head_pitch", "neck", "head"),
    *arm("left"),
    *arm("right"),
]


def urdf(joints: Iterable[Element] = JOINTS, more: str = "", name: str = "small") -> str:
    """Return a URDF of these joints and whatever links they name."""
    bodies = [body for _, body in joints]
    links = sorted({end.split('"')[0] for body in bodies for end in body.split('link="')[1:]})
    parts = [f"<link name={link!r}/>" for link in links] + bodies
    return f'<robot name="{name}">{"".join(parts)}{more}</robot>'


def with_joint(name: str, **changes: str) -> list[Element]:
    """Return the joints with one in place of that of its name."""
    ends = next(body for other, body in JOINTS if other == name).split('link="')
    parent, child = (end.split('"')[0] for end in ends[1:3])
    return [
        joint(name, parent, child, **changes) if other == name else (other, body) for other, body in JOINTS
    ]
