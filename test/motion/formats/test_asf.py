"""ASF and AMC: bones turn about their own axes, children begin at their parent's end."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from text2gesture_ros.errors import InputError
from text2gesture_ros.motion.formats import read_recording
from text2gesture_ros.skeleton import BONES as SKELETON
from text2gesture_ros.skeleton import INDEX, JOINTS, bone_lengths

BONE_NAMES = [JOINTS[child] for _, child in SKELETON]
# Name, parent, direction (x left, y up, z ahead), length [inch], axis [degree].
BONES = [
    ("lowerback", "root", (0, 1, 0), 10, (0, 0, 0)),
    ("thorax", "lowerback", (0, 1, 0), 8, (0, 0, 0)),
    ("upperneck", "thorax", (0, 1, 0), 5, (0, 0, 0)),
    ("head", "upperneck", (0, 1, 0), 5, (0, 0, 0)),
    *(
        (side + name, (side + parent) if own else parent, (sign * x, y, 0), length, axis)
        for side, sign in (("l", 1), ("r", -1))
        for name, parent, own, (x, y), length, axis in (
            ("clavicle", "thorax", False, (1, 0), 7, (0, 0, 0)),
            ("humerus", "clavicle", True, (1, 0), 12, (180, 30, 90)),
            ("radius", "humerus", True, (1, 0), 10, (180, 30, 90)),
            ("hand", "radius", True, (1, 0), 4, (0, 0, 0)),
            ("hipjoint", "root", False, (1, 0), 4, (0, 0, 0)),
            ("femur", "hipjoint", True, (0, -1), 16, (0, 0, 20)),
            ("tibia", "femur", True, (0, -1), 16, (0, 0, 20)),
            ("foot", "tibia", True, (0, -1), 3, (0, 0, 0)),
        )
    ),
]


def skeleton():
    data = "\n".join(
        f"begin\n id {i}\n name {name}\n direction {' '.join(map(str, direction))}\n length {length * 0.45}\n"
        f" axis {' '.join(map(str, axis))} XYZ\n dof rx ry rz\n end"
        for i, (name, _, direction, length, axis) in enumerate(BONES, 1)
    )
    parents = dict.fromkeys(parent for _, parent, *_ in BONES)
    tree = "\n".join(f"{p} {' '.join(n for n, q, *_ in BONES if q == p)}" for p in parents)
    return (
        ":version 1.10\n:name made\n:units\n mass 1.0\n length 0.45\n angle deg\n:root\n"
        " order TX TY TZ RX RY RZ\n axis XYZ\n position 0 0 0\n orientation 0 0 0\n"
        f":bonedata\n{data}\n:hierarchy\nbegin\n{tree}\nend\n"
    )


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a motion beside its skeleton."""

    def write(turns=None, frames=3, yaw=0.0):
        (tmp_path / "07.asf").write_text(skeleton())
        lines = ["#!OML", ":FULLY-SPECIFIED", ":DEGREES"]
        for frame in range(1, frames + 1):
            lines += [str(frame), f"root 1 2 3 0 {yaw} 0"]
            for name, *_ in BONES:
                lines.append(" ".join([name, *map(str, (turns or {}).get(name, (0, 0, 0)))]))
        path = tmp_path / "07_01.amc"
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


def bone(motion, start, end):
    vector = motion.positions[0, INDEX[end]] - motion.positions[0, INDEX[start]]
    return vector / np.linalg.norm(vector)


def test_at_rest_every_bone_points_as_the_skeleton_says(write):
    recording = read_recording(write(frames=8))
    assert len(recording.motion) == 4  # 120 Hz become 60
    np.testing.assert_allclose(bone(recording.motion, "left_shoulder", "left_elbow"), [0, 1, 0], atol=1e-5)
    np.testing.assert_allclose(bone(recording.motion, "right_hip", "right_knee"), [0, 0, -1], atol=1e-5)
    length = bone_lengths(recording.motion.positions[0])[BONE_NAMES.index("left_elbow")]
    assert length == pytest.approx(12 * 0.0254, rel=1e-4)
    assert any("skeleton" in note for note in recording.notes)
    assert {"lclavicle", "lhipjoint"} <= set(recording.unmapped)


def test_a_bone_turns_about_its_own_axes_x_first(write):
    turns = {"lhumerus": (20, -35, 50), "lradius": (-10, 40, 30)}
    motion = read_recording(write(turns)).motion

    def turned(name, axis):
        own = Rotation.from_euler("xyz", axis, degrees=True)
        return own * Rotation.from_euler("xyz", turns[name], degrees=True) * own.inv()

    upper = turned("lhumerus", (180, 30, 90))
    lower = upper * turned("lradius", (180, 30, 90))
    for (start, end), spin in ((("shoulder", "elbow"), upper), (("elbow", "wrist"), lower)):
        expected = spin.apply([1, 0, 0])[[2, 0, 1]]
        np.testing.assert_allclose(bone(motion, f"left_{start}", f"left_{end}"), expected, atol=1e-4)


def test_where_one_looks_does_not_matter(write):
    turns = {"lhumerus": (20, -35, 50)}
    one, two = (read_recording(write(turns, yaw=yaw)).motion.positions for yaw in (0, 130))
    np.testing.assert_allclose(one, two, atol=1e-4)


def test_the_skeleton_is_found_or_named(write, tmp_path):
    path = write()
    other = tmp_path / "else"
    other.mkdir()
    moved = path.rename(other / path.name)
    with pytest.raises(InputError, match=r"no skeleton beside it.*07\.asf"):
        read_recording(moved)
    assert len(read_recording(moved, skeleton=tmp_path / "07.asf").motion)


@pytest.mark.parametrize(
    ("suffix", "old", "new", "said"),
    [
        (".asf", "length 0.45", "length zero", "line 5"),
        (".asf", "dof rx", "dof qx", "Allowed: rx"),
        (".asf", "lowerback thorax", "lowerback tail", "'tail' is not among"),
        (".asf", "thorax upperneck", "thorax", "no parent"),
        (".asf", " XYZ", " XYY", "axis order"),
        (".amc", "lhumerus 0 0 0", "lhumerus 0 0", "2 numbers. Allowed: 3"),
        (".amc", "lhumerus 0 0 0", "tail 0 0 0", "'tail 0 0 0'"),
        (".amc", "lhumerus 0 0 0\n", "", "lhumerus"),
        (".amc", "root 1 2 3", "root 1 nan 3", "line 5"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(write, suffix, old, new, said):
    path = write()
    file = path if suffix == ".amc" else path.with_name("07.asf")
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=said) as caught:
        read_recording(path)
    assert "\n" not in str(caught.value)
