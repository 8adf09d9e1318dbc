"""Arrays of joint positions: ours as they stand, those of others with their names, keys, units and axes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recording_cases import MIXAMO, in_file_axes

from text2gesture_ros.apps.cli import main
from text2gesture_ros.errors import InputError
from text2gesture_ros.motion.formats import read_recording
from text2gesture_ros.motion.motion import Motion, load_motion
from text2gesture_ros.skeleton import INDEX, JOINTS, REFERENCE, with_bone_lengths

COCO = [
    name
    for name in JOINTS
    if name == "nose" or name.split("_")[-1] in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
]
SMPL = [name for name in JOINTS if name not in ("nose", "chest") and not name.endswith("thumb")]


def raised_arm(frames=90, rate=60.0):
    """Return a clip in which the left arm goes up to the side, (T, K, 3) [m]."""
    body = np.repeat(REFERENCE[None], frames, axis=0)
    shoulder = body[:, INDEX["left_shoulder"]]
    angle = np.radians(150.0) * np.sin(np.arange(frames) / rate)
    turn = np.zeros((frames, 3, 3))
    turn[:, 0, 0] = 1.0
    turn[:, 1, 1] = turn[:, 2, 2] = np.cos(angle)
    turn[:, 2, 1], turn[:, 1, 2] = np.sin(angle), -np.sin(angle)
    for name in ("left_elbow", "left_wrist", "left_hand", "left_thumb"):
        body[:, INDEX[name]] = shoulder + np.einsum("tij,tj->ti", turn, body[:, INDEX[name]] - shoulder)
    return body


def save(path, body, called, **changed):
    """Write an archive; None leaves a key out."""
    arrays = {"positions": body, "joints": np.array(called), "fps": 60.0} | changed
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


def columns(names):
    return [INDEX[name] for name in names]


def test_noise_above_the_new_rate_is_filtered_out_of_complete_clips_too(tmp_path):
    time = np.arange(600) / 120.0
    positions = np.repeat(REFERENCE[None], 600, axis=0)
    noise = 0.05 * np.sin(2.0 * np.pi * 47.0 * time)
    positions[:, INDEX["left_wrist"], 0] += noise
    Motion(positions, 120.0, "wave", "positive").save(tmp_path / "clip.npz")
    motion = read_recording(tmp_path / "clip.npz").motion
    assert motion.frame_rate == 60.0
    left = motion.positions[30:-30, INDEX["left_wrist"], 0] - REFERENCE[INDEX["left_wrist"], 0]
    assert np.sqrt(np.mean(left**2)) < 0.0015
    others = [index for name, index in INDEX.items() if name != "left_wrist"]
    still = motion.positions[:, others]
    np.testing.assert_allclose(still, np.broadcast_to(REFERENCE[others], still.shape), atol=1e-6)


@pytest.mark.parametrize("unit", [1.0, 0.01, 0.001])
@pytest.mark.parametrize("up", ["y", "z"])
@pytest.mark.parametrize("names", ["mixamo", "ours", "smpl", "coco"])
def test_names_units_and_axes_of_others_are_found(tmp_path, names, unit, up):
    kept = {"mixamo": list(MIXAMO), "ours": list(JOINTS), "smpl": SMPL, "coco": COCO}[names]
    called = [f"mixamorig:{MIXAMO[name]}" for name in kept] if names == "mixamo" else kept
    body = raised_arm() + np.array([0.7, -0.4, 0.9])  # somewhere in the room
    path = save(tmp_path / "a.npz", in_file_axes(body[:, columns(kept)], up) / unit, called)
    recording = read_recording(path)
    assert set(recording.filled) <= set(JOINTS) - set(kept)
    notes = " ".join(recording.notes)
    assert {1.0: "metre", 0.01: "centimetre", 0.001: "millimetre"}[unit] in notes
    assert f"up is +{up}" in notes or (unit == 1.0 and "z up" in notes)
    arm = columns(["left_elbow", "left_wrist", "right_elbow", "right_wrist"])
    wanted = raised_arm() - raised_arm()[:, :1]
    assert np.abs(recording.motion.positions[:, arm] - wanted[:, arm]).max() < 0.06


def test_a_mirrored_axis_up_is_seen(tmp_path):
    body = in_file_axes(raised_arm()[:, columns(COCO)], "y") * [1.0, -1.0, -1.0]  # a camera's: y down
    recording = read_recording(save(tmp_path / "a.npz", body, COCO))
    assert "up is -y" in recording.notes[0]
    hand = recording.motion.positions[:, INDEX["left_wrist"], 2]
    assert hand.max() > 0.5 > 0.0 > hand.min()


@pytest.mark.parametrize(
    "keys",
    [
        {"joints": None, "joint_names": np.array(JOINTS)},
        {"joints": None, "names": np.array(JOINTS, dtype="S")},
        {"joint_names": np.array(JOINTS), "joints": raised_arm(), "positions": None},
        {"fps": None, "frame_rate": np.float32(60)},
        {"fps": None, "mocap_framerate": np.array(60)},
        {"label": "nod", "emotion": b"positive"},
        {"gesture": "nod"},
    ],
    ids=lambda keys: ", ".join(keys),
)
def test_keys_of_others_are_known(tmp_path, keys):
    recording = read_recording(save(tmp_path / "a.npz", raised_arm(), JOINTS, **keys))
    np.testing.assert_allclose(recording.motion.positions, raised_arm(), atol=1e-6)
    assert recording.motion.gesture == keys.get("label", keys.get("gesture", ""))


def test_a_rate_that_the_file_does_not_say_may_be_given(tmp_path):
    path = save(tmp_path / "a.npz", raised_arm(), JOINTS, fps=None)
    with pytest.raises(InputError, match="no frame rate"):
        read_recording(path)
    assert len(read_recording(path, frame_rate=30.0).motion) == 179


def test_joints_that_nobody_knows_are_told(tmp_path):
    names = [*MIXAMO, "tail"]
    body = raised_arm()[:, [*columns(MIXAMO), 0]]
    recording = read_recording(save(tmp_path / "a.npz", body, [*(MIXAMO[n] for n in MIXAMO), "tail"]))
    assert recording.unmapped == ("tail",)
    assert recording.filled == ("nose",)
    assert len(names) == body.shape[1]


def test_hand_is_the_wrist_where_no_wrist_is_and_foot_the_ankle(tmp_path):
    kept = [name for name in SMPL if not name.endswith("_hand")]
    called = [name.replace("wrist", "hand").replace("ankle", "foot") for name in kept]
    called[called.index("left_shoulder")] = "left_upper_arm"  # as nobody names ours: the table is asked
    recording = read_recording(save(tmp_path / "a.npz", raised_arm()[:, columns(kept)], called))
    for name in ("left_wrist", "left_ankle", "left_shoulder"):
        np.testing.assert_allclose(
            recording.motion.positions[:, INDEX[name]], raised_arm()[:, INDEX[name]], atol=0.02
        )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"positions": None}, "no positions. Allowed: numbers .T, J, 3. under positions or"),
        ({"positions": np.zeros((4, 63))}, "no positions.*Found:.*positions: float64 .4, 63."),
        ({"joints": None}, "no names. Allowed: text"),
        ({"joints": np.arange(21)}, "no names"),
        ({"joints": np.array(JOINTS[1:])}, "do not fit 20 joints"),
        ({"joints": np.array(["head", *JOINTS[:20]])}, "joint 'head' is named twice"),
        ({"fps": "sixty"}, "no frame rate"),
        ({"fps": 0.0}, "1000"),
        ({"fps": np.nan}, "1000"),
        ({"joints": np.array([f"marker {n}" for n in range(21)])}, "no pelvis.*--map.*marker 0: null"),
        ({"positions": np.zeros((4, 21, 3))}, "a.npz: "),
        ({"positions": np.full((4, 21, 3), np.nan)}, "a.npz: "),
        ({"label": 7}, "no gesture. Allowed: text"),
    ],
)
def test_what_cannot_be_used_says_what_is_allowed(tmp_path, changed, said):
    path = save(tmp_path / "a.npz", np.repeat(REFERENCE[None], 4, axis=0), JOINTS, **changed)
    with pytest.raises(InputError, match=said) as error:
        read_recording(path)
    assert "a.npz" in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@settings(max_examples=20, deadline=None)
@given(
    st.floats(0.0, 2 * np.pi),
    st.sampled_from([1.0, 0.01, 0.001, 0.0254]),
    st.floats(0.85, 1.15),
    st.booleans(),
)
def test_where_a_body_looks_and_stands_changes_nothing(tmp_path_factory, yaw, unit, size, y_up):
    folder = tmp_path_factory.mktemp("npz")
    kept = list(MIXAMO)
    body = with_bone_lengths(raised_arm(20), size * np.linalg.norm(_bones(), axis=-1))
    turn = np.array([[np.cos(yaw), -np.sin(yaw), 0.0], [np.sin(yaw), np.cos(yaw), 0.0], [0.0, 0.0, 1.0]])
    moved = in_file_axes(body @ turn.T + [1.0, 2.0, 3.0], "y" if y_up else "z") / unit
    one, other = (
        read_recording(save(folder / f"{name}.npz", positions[:, columns(kept)], [MIXAMO[n] for n in kept]))
        for name, positions in (("here", body), ("there", moved))
    )
    np.testing.assert_allclose(one.motion.positions, other.motion.positions, atol=1e-3)


def _bones():
    from text2gesture_ros.skeleton import BONES

    return np.array([REFERENCE[end] - REFERENCE[start] for start, end in BONES])


def test_the_verb_imports_it_and_says_what_was_assumed(tmp_path, capsys):
    path = save(tmp_path / "coco.npz", in_file_axes(raised_arm()[:, columns(COCO)]) * 100.0, COCO)
    assert main(["import", str(path), "-o", str(tmp_path / "out.npz"), "--label", "wave"]) == 0
    printed = capsys.readouterr().out
    assert "centimetre" in printed
    assert "+y" in printed
    assert load_motion(tmp_path / "out.npz").gesture == "wave"
