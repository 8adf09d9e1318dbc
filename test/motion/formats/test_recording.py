"""The front door: formats, cuts, labels, files that are none; and what others recorded, where at hand."""

import os
from pathlib import Path

import numpy as np
import pytest
from fault_cases import FAULTS, needs_faults
from hypothesis import given, settings
from hypothesis import strategies as st
from recording_cases import MIXAMO, write_bvh

from text2gesture_ros.apps.cli import main
from text2gesture_ros.errors import InputError
from text2gesture_ros.motion.formats import FORMATS, read_recording
from text2gesture_ros.motion.formats.asf import read_amc
from text2gesture_ros.motion.formats.bvh import read_bvh
from text2gesture_ros.motion.formats.completion import body_size, fill, shortest
from text2gesture_ros.motion.formats.normalisation import heading, yaw_rotation
from text2gesture_ros.motion.motion import Motion, load_motion
from text2gesture_ros.skeleton import BONES, INDEX, JOINTS, REFERENCE, bone_lengths

REAL = Path(os.environ.get("TEXT2GESTURE_MOTION", "none"))
needs_files = pytest.mark.skipif(not REAL.is_dir(), reason="TEXT2GESTURE_MOTION names no folder")
# Of the clips of others, those that may be looked at: the rest judges the models and is left alone.
DEVELOPMENT = ("ms", "mei", "th", "kenney", "vrma", "gene")


def real(*patterns):
    return [file for pattern in patterns for file in sorted(REAL.glob(pattern)) if file.suffix != ".asf"]


def clips():
    return [file for file in real("gestures/*.npz") if file.name.split("_")[1] in DEVELOPMENT]


@pytest.fixture
def swing(tmp_path):
    """Return the path of a clip of 2 s in which the left arm goes up."""
    angles = np.linspace(0, 90, 120)[:, None] * [0.0, 0.0, 1.0]
    return write_bvh(tmp_path / "swing.bvh", {"left_shoulder": angles}, rate=60.0)


def test_our_own_clips_come_back_as_they_are(tmp_path):
    positions = REFERENCE + np.random.default_rng(0).normal(0, 0.05, (40, 21, 3))
    motion = Motion(positions, 60.0, "wave", "positive")
    motion.save(tmp_path / "a.npz")
    recording = read_recording(tmp_path / "a.npz")
    np.testing.assert_array_equal(recording.motion.positions, motion.positions)
    assert (recording.motion.gesture, recording.motion.emotion) == ("wave", "positive")
    assert (recording.filled, recording.unmapped, recording.notes) == ((), (), ())


def test_clips_with_some_of_the_joints_are_filled(tmp_path):
    names = [name for name in JOINTS if "knee" not in name and name != "nose"]
    positions = np.repeat(REFERENCE[None, [INDEX[name] for name in names]], 10, axis=0)
    np.savez(tmp_path / "a.npz", positions=positions, joints=names, fps=60.0, label="nod", emotion="")
    recording = read_recording(tmp_path / "a.npz")
    assert recording.filled == ("nose", "left_knee", "right_knee")
    assert np.abs(recording.motion.positions - REFERENCE).max() < 0.06
    assert recording.motion.gesture == "nod"


def test_a_cut_holds_what_lies_in_it(swing):
    whole = read_recording(swing).motion
    part = read_recording(swing, start=0.5, end=1.5).motion
    np.testing.assert_allclose(part.positions, whole.positions[30:90], atol=1e-4)
    for start, end in ((-1, None), (3, None), (1, 1), (1, 0.5), (float("nan"), None), (0, float("nan"))):
        with pytest.raises(InputError, match="holds nothing"):
            read_recording(swing, start=start, end=end)


def test_labels_are_those_given_and_checked(swing):
    motion = read_recording(swing, gesture="yay", emotion="positive").motion
    assert (motion.gesture, motion.emotion) == ("yay", "positive")
    with pytest.raises(InputError, match="jump"):
        read_recording(swing, gesture="jump")


def test_another_rate_changes_the_speed(swing):
    assert len(read_recording(swing, frame_rate=30.0).motion) == 239
    with pytest.raises(InputError, match="Allowed: 1 to 1000"):
        read_recording(swing, frame_rate=0.0)


@pytest.mark.parametrize("suffix", FORMATS)
@given(data=st.binary(max_size=300))
@settings(max_examples=25, deadline=None)
def test_anything_is_refused_in_one_line_that_names_the_file(tmp_path_factory, suffix, data):
    path = tmp_path_factory.mktemp("junk") / f"a{suffix}"
    path.with_suffix(".asf").write_bytes(data)
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_recording(path)
    assert str(path.with_suffix("")) in str(caught.value)


def test_what_is_no_recording_is_refused(tmp_path):
    for name, said in (("a.txt", "unknown format '.txt'"), ("none.bvh", "cannot be read"), (".", "unknown")):
        with pytest.raises(InputError, match=said):
            read_recording(tmp_path / name)
    huge = tmp_path / "huge.bvh"
    with huge.open("wb") as file:
        file.truncate(257 * 2**20)
    with pytest.raises(InputError, match="larger than 256 MB"):
        read_recording(huge)
    (tmp_path / "dir.bvh").mkdir()
    with pytest.raises(InputError, match="no file"):
        read_recording(tmp_path / "dir.bvh")


@needs_faults
class TestFaultFiles:
    """Files that others reported as misread: a man of 1.74 m whose right hand waves beside his head."""

    @pytest.mark.parametrize("name", sorted(file.name for file in FAULTS.glob("*.bvh")))
    def test_bvh(self, name):
        recording = read_recording(FAULTS / name)
        assert any("1.74 m tall" in note for note in recording.notes)
        typical = dict(zip(BONES, np.median(bone_lengths(recording.motion.positions), axis=0), strict=True))
        for start, end, length in (
            *(("shoulder", "elbow", 0.28), ("elbow", "wrist", 0.25)),
            *(("hip", "knee", 0.42), ("knee", "ankle", 0.42)),
        ):
            for side in ("left", "right"):
                bone = INDEX[f"{side}_{start}"], INDEX[f"{side}_{end}"]
                assert typical[bone] == pytest.approx(length, abs=2e-3)
                assert typical[INDEX[f"{side}_wrist"], INDEX[f"{side}_hand"]] > 0.07
        wrist, head = (recording.motion.positions[:, INDEX[name]] for name in ("right_wrist", "head"))
        assert (np.abs(wrist - head)[:, 2] < 0.3).all()
        assert (wrist[:, 1] < -0.1).all()
        assert np.ptp(wrist[:, 1]) > 0.05
        assert "head" not in recording.filled

    def test_kinect(self):
        recording = read_recording(FAULTS / "ntu_nan_entries.skeleton")
        assert any("unseen" in note and "interpolated" in note for note in recording.notes)
        assert len(recording.motion) == 119


class TestVerb:
    """`text2gesture import`."""

    def test_several_go_into_a_directory(self, swing, tmp_path, capsys):
        other = write_bvh(tmp_path / "still.bvh", skip=("left_thumb",))
        out = tmp_path / "out"
        line = ["import", str(swing), str(other), "-o", str(out), "--label", "yay", "--emotion", "positive"]
        assert main(line) == 0
        printed = capsys.readouterr().out
        assert "swing.bvh" in printed
        assert "left_thumb" in printed
        assert load_motion(out / "swing.npz").gesture == "yay"
        assert load_motion(out / "still.npz").emotion == "positive"

    def test_one_is_cut_drawn_and_retargeted(self, swing, tmp_path, capsys):
        out = tmp_path / "up.npz"
        assert main(["import", str(swing), "-o", str(out), "--start", "1", "--gif", "--json"]) == 0
        assert '"filled": []' in capsys.readouterr().out
        assert len(load_motion(out)) == 60
        assert out.with_suffix(".gif").read_bytes()[:3] == b"GIF"
        assert main(["retarget", str(swing), "-o", str(tmp_path / "a.csv"), "--json"]) == 0

    def test_a_map_is_read_from_its_file(self, tmp_path, capsys):
        names = {**MIXAMO, "pelvis": "bone", "left_hip": "one", "right_hip": "two"}
        path, out = write_bvh(tmp_path / "odd.bvh", names=names), tmp_path / "odd.npz"
        (tmp_path / "names.yaml").write_text("bone: pelvis\none: left_hip\ntwo: right_hip\n")
        assert main(["import", str(path), "-o", str(out), "--map", str(tmp_path / "names.yaml")]) == 0
        np.testing.assert_allclose(load_motion(out).positions, [REFERENCE] * 2, atol=1e-4)
        assert main(["import", str(path), "-o", str(out), "--animation", "run"]) == 2
        assert "glTF" in capsys.readouterr().err

    @pytest.mark.parametrize(
        "rest",
        [
            ["{swing}", "{swing}", "-o", "{dir}/a.npz"],
            ["{swing}", "{swing}", "-o", "{dir}/out"],
            ["{swing}", "-o", "{dir}/none/a.npz"],
            ["{swing}", "-o", "{dir}/a.npz", "--start", "7"],
            ["{swing}", "-o", "{dir}/a.npz", "--label", "jump"],
            ["{swing}", "-o", "{swing}"],
            ["{swing}", "-o", "{dir}/a.npz", "--skeleton", "{swing}"],
            ["none.bvh", "-o", "{dir}/a.npz"],
        ],
    )
    def test_bad_input_is_one_line(self, swing, tmp_path, capsys, rest):
        assert main(["import", *(word.format(swing=swing, dir=tmp_path) for word in rest)]) == 2
        assert capsys.readouterr().err.count("\n") == 1
        assert not (tmp_path / "out").exists()


@needs_files
class TestRealFiles:
    """What people, and those who animate, recorded."""

    @pytest.mark.parametrize("path", real("cmu/*.???", "pepper_qianim/*.qianim"), ids=lambda p: p.name)
    def test_they_look_like_people(self, path):
        recording = read_recording(path)
        positions = recording.motion.positions
        # One of CMU's files gives its thumbs no length.
        without = tuple(f"{side}_thumb" for side in ("left", "right")) if path.name == "16_26.bvh" else ()
        assert recording.filled == without
        self.check(positions)
        # The head joint is about as far below the top of the head as an ankle and more above the floor.
        ankles = positions[:, [INDEX["left_ankle"], INDEX["right_ankle"]], 2]
        upright = positions[:, INDEX["head"], 2] - ankles.min(axis=1)
        assert 1.4 < np.percentile(upright, 90) + 0.2 < 2.1
        speed = np.linalg.norm(np.diff(positions, axis=0), axis=-1) * 60.0
        hands = [INDEX[name] for name in JOINTS if name.endswith(("wrist", "hand", "thumb"))]
        assert speed[:, hands].max() < 8.0

    @pytest.mark.parametrize("path", clips(), ids=lambda p: p.name)
    def test_clips_of_others_keep_what_they_hold(self, path):
        recording = read_recording(path)
        with np.load(path) as data:
            names, given = data["joints"].tolist(), data["positions"]
        assert {name for name in JOINTS if name not in names} <= set(recording.filled)
        self.check(recording.motion.positions)
        bones = [(a, b) for a, b in BONES if {JOINTS[a], JOINTS[b]} <= set(names) - set(recording.filled)]
        for start, end in bones:
            here = recording.motion.positions[:, end] - recording.motion.positions[:, start]
            there = given[:, names.index(JOINTS[end])] - given[:, names.index(JOINTS[start])]
            length = np.linalg.norm(there, axis=1) * np.linalg.norm(here, axis=1)
            if length.min() > 1e-4:
                assert (np.einsum("ti,ti->t", here, there) / length).min() > 0.99

    def check(self, positions):
        lengths = bone_lengths(positions)
        assert (np.ptp(lengths, axis=0) <= 0.02 * lengths.mean(axis=0) + 1e-6).all()
        assert np.median(positions[:, INDEX["head"], 2]) > 0.3
        assert abs(heading(positions)) < 0.03
        for part in ("shoulder", "hip"):
            assert np.median(positions[:, INDEX[f"left_{part}"], 1]) > 0.04
            assert np.median(positions[:, INDEX[f"right_{part}"], 1]) < -0.04
        assert np.median(positions[:, INDEX["nose"], 0] - positions[:, INDEX["head"], 0]) > 0.0

    @pytest.mark.parametrize("name", ["12_01_walk.bvh", "16_26.bvh", "11_01.amc"])
    def test_who_walks_goes_ahead_and_steps_with_both_feet(self, name):
        path = REAL / "cmu" / name
        take = (read_amc if path.suffix == ".amc" else read_bvh)(path)
        body = fill(take.positions @ shortest(take.up, np.array([0.0, 0.0, 1.0])).T, take.names)
        travelled = (body[:, 0] - body[1, 0]) @ yaw_rotation(-heading(body)).T / body_size(body, JOINTS)
        assert travelled[-1, 0] > 2.0
        assert abs(travelled[-1, 1]) < 0.3 * travelled[-1, 0]
        assert abs(travelled[1:, 2]).max() < 0.15

    @pytest.mark.parametrize("name", ["01_01.bvh", "12_01_walk.bvh", "16_26.bvh"])
    def test_bones_that_cmu_lost_are_back(self, name):
        body = read_recording(REAL / "cmu" / name).motion.positions[0]
        upper, lower = (
            np.linalg.norm(body[INDEX[f"left_{end}"]] - body[INDEX[f"left_{start}"]])
            for start, end in (("shoulder", "elbow"), ("elbow", "wrist"))
        )
        assert 0.75 < lower / upper < 1.1

    def test_a_hello_raises_a_hand(self):
        for number in (1, 3, 4, 6, 7, 8, 9, 10):  # the others bow
            name = f"Hello_{number:02d}.qianim"
            positions = read_recording(REAL / "pepper_qianim" / name).motion.positions
            hands = positions[:, [INDEX["left_hand"], INDEX["right_hand"]], 2]
            assert hands.max() > REFERENCE[INDEX["left_shoulder"], 2] + 0.1, name
