"""BVH: what is written is read, whatever its units, axes, rate, order of rotations and names."""

import re

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from recording_cases import MIXAMO, in_file_axes, write_bvh
from scipy.spatial.transform import Rotation

from text2gesture_ros.errors import InputError
from text2gesture_ros.motion.formats import read_recording
from text2gesture_ros.motion.formats.joint_names import map_joints, read_map
from text2gesture_ros.skeleton import INDEX, JOINTS, PARENTS, REFERENCE, bone_lengths

# How makers name the joints that each of them has, and the left side of those that come in pairs.
NAMES = {
    "CMU, cgspeed": "Hips Spine1 Neck1 Head LeftArm LeftForeArm LeftHand LeftUpLeg LeftLeg LeftFoot",
    "CMU, Daz": "hip chest neck head lShldr lForeArm lHand lThigh lShin lFoot",
    "CMU, ASF": "root thorax upperneck head lhumerus lradius lhand lfemur ltibia lfoot",
    "Mixamo": "mixamorig:Hips mixamorig:Spine2 mixamorig:Neck mixamorig:Head mixamorig:LeftArm "
    "mixamorig:LeftForeArm mixamorig:LeftHand mixamorig:LeftUpLeg mixamorig:LeftLeg mixamorig:LeftFoot",
    "Bandai-Namco": "Hips Chest Neck Head UpperArm_L LowerArm_L Hand_L UpperLeg_L LowerLeg_L Foot_L",
    "VRM": "hips chest neck head leftUpperArm leftLowerArm leftHand leftUpperLeg leftLowerLeg leftFoot",
    "VRoid": "J_Bip_C_Hips J_Bip_C_UpperChest J_Bip_C_Neck J_Bip_C_Head J_Bip_L_UpperArm J_Bip_L_LowerArm "
    "J_Bip_L_Hand J_Bip_L_UpperLeg J_Bip_L_LowerLeg J_Bip_L_Foot",
    "Unreal": "pelvis spine_03 neck_01 head upperarm_l lowerarm_l hand_l thigh_l calf_l foot_l",
    "3ds Max": "Bip01_Pelvis Bip01_Spine2 Bip01_Neck Bip01_Head Bip01_L_UpperArm Bip01_L_Forearm "
    "Bip01_L_Hand Bip01_L_Thigh Bip01_L_Calf Bip01_L_Foot",
    "SMPL": "pelvis spine3 neck head left_shoulder left_elbow left_wrist left_hip left_knee left_ankle",
    "100STYLE": "Hips Chest3 Neck Head LeftShoulder LeftElbow LeftWrist LeftHip LeftKnee LeftAnkle",
    "Character Creator": "CC_Base_Hip CC_Base_Spine02 CC_Base_NeckTwist01 CC_Base_Head CC_Base_L_Upperarm "
    "CC_Base_L_Forearm CC_Base_L_Hand CC_Base_L_Thigh CC_Base_L_Calf CC_Base_L_Foot",
    "suffix": "hips_JNT spine1_JNT neck_JNT head_JNT l_arm_JNT l_forearm_JNT l_hand_JNT l_upleg_JNT "
    "l_leg_JNT l_foot_JNT",
    "Motive": "Skeleton1_Hip Skeleton1_Chest Skeleton1_Neck Skeleton1_Head Skeleton1_LUArm Skeleton1_LFArm "
    "Skeleton1_LHand Skeleton1_LThigh Skeleton1_LShin Skeleton1_LFoot",
    "Blender": "Armature_Hips Armature_Spine2 Armature_Neck Armature_Head Armature_LeftArm "
    "Armature_LeftForeArm Armature_LeftHand Armature_LeftUpLeg Armature_LeftLeg Armature_LeftFoot",
    "DAZ Genesis 8": "pelvis chestUpper neckUpper head lShldrBend lForearmBend lHand lThighBend lShin lFoot",
    "Sketchfab": "Hips_01 Spine2_04 Neck_05 Head_06 LeftArm_08 LeftForeArm_09 LeftHand_010 LeftUpLeg_055 "
    "LeftLeg_056 LeftFoot_057",
    "Xsens": "Pelvis T8 Neck Head LeftUpperArm LeftForeArm LeftHand LeftUpperLeg LeftLowerLeg LeftFoot",
    "Kinect v2": "SpineBase SpineMid SpineShoulder Head ShoulderLeft ElbowLeft WristLeft HipLeft KneeLeft "
    "AnkleLeft",
    "namespaces": "A:rig|Hips A:rig|Spine2 A:rig|Neck A:rig|Head A:rig|LeftArm A:rig|LeftForeArm "
    "A:rig|LeftHand A:rig|LeftUpLeg A:rig|LeftLeg A:rig|LeftFoot",
    "thigh and leg": "root torso7 neck forehead l_up_arm l_low_arm l_hand l_leg l_shin l_foot",
    "rigify": "hips chest neck head upper_arm.L forearm.L hand.L thigh.L shin.L foot.L",
}
OURS = "pelvis chest neck head left_shoulder left_elbow left_wrist left_hip left_knee left_ankle"


def read(path):
    return read_recording(path).motion.positions


def expected(turns, order):
    """Return the reference body (T, K, 3) after turns, by scipy's forward kinematics."""
    frames = len(next(iter(turns.values())))
    rest = in_file_axes(REFERENCE)
    spin, place = [Rotation.identity(frames)], [np.zeros((frames, 3))]
    for joint, parent in list(enumerate(PARENTS))[1:]:
        place.append(place[parent] + spin[parent].apply(rest[joint] - rest[parent]))
        turn = turns.get(JOINTS[joint], np.zeros((frames, 3)))
        spin.append(spin[parent] * Rotation.from_euler(order, turn, degrees=True))
    return np.stack(place, axis=1)[..., [2, 0, 1]]


def test_the_reference_body_comes_back(tmp_path):
    recording = read_recording(write_bvh(tmp_path / "a.bvh"))
    np.testing.assert_allclose(recording.motion.positions, [REFERENCE] * 2, atol=1e-4)
    assert (recording.filled, recording.unmapped) == ((), ())


@pytest.mark.parametrize("order", ["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"])
def test_rotations_are_applied_in_the_order_of_the_channels(tmp_path, order):
    random = np.random.default_rng(0)
    turning = ("left_shoulder", "left_elbow", "right_shoulder", "head", "left_hip", "right_wrist")
    start = {joint: random.uniform(-1, 1, 3) * (30 if joint == "head" else 70) for joint in turning}
    turns = {joint: np.linspace(0.9, 1.1, 20)[:, None] * angles for joint, angles in start.items()}
    found = read(write_bvh(tmp_path / "a.bvh", turns, order=order))
    np.testing.assert_allclose(found, expected(turns, order), atol=1e-3)


@pytest.mark.parametrize("unit", [1.0, 0.01, 0.001, 0.0254, 0.0254 / 0.45])
def test_the_unit_is_told_from_the_body(tmp_path, unit):
    recording = read_recording(write_bvh(tmp_path / "a.bvh", unit=unit))
    np.testing.assert_allclose(recording.motion.positions, [REFERENCE] * 2, atol=1e-3)
    assert any("unit" in note for note in recording.notes)


def test_a_body_in_no_known_unit_is_scaled_and_that_is_said(tmp_path):
    recording = read_recording(write_bvh(tmp_path / "a.bvh", unit=3.0))
    np.testing.assert_allclose(recording.motion.positions, [REFERENCE] * 2, atol=1e-3)
    assert any("scaled" in note for note in recording.notes)


def test_the_axis_that_points_up_does_not_matter(tmp_path):
    for up in ("y", "z"):
        np.testing.assert_allclose(read(write_bvh(tmp_path / "a.bvh", up=up))[0], REFERENCE, atol=1e-4)


@given(yaw=st.floats(-180, 180), x=st.floats(-5, 5))
@settings(max_examples=20, deadline=None)
def test_where_one_stands_and_looks_does_not_matter(tmp_path_factory, yaw, x):
    path = tmp_path_factory.mktemp("yaw") / "a.bvh"
    turns = {"pelvis": np.array([[0.0, yaw, 0.0]] * 3)}
    found = read(write_bvh(path, turns, places={"pelvis": np.array([[x, 2 * x, 0.9]] * 3)}))
    np.testing.assert_allclose(found, [REFERENCE] * 3, atol=1e-3)


def test_the_rate_does_not_matter(tmp_path):
    found = []
    for rate in (30.0, 60.0, 120.0):
        time = np.arange(int(2 * rate)) / rate
        swing = 60.0 * np.sin(2 * np.pi * time)[:, None] * np.array([0.0, 0.0, 1.0])
        turns = {"left_shoulder": swing, "right_elbow": swing - 60}
        found.append(read(write_bvh(tmp_path / "a.bvh", turns, rate=rate))[:115])
    assert np.abs(found[0] - found[1]).max() < 0.01
    assert np.abs(found[2] - found[1]).max() < 0.01


def test_the_nose_follows_the_head(tmp_path):
    # Turned to the left, then tilted down: about the file's y (up) and x (left) axes.
    turns = {"head": np.array([[0.0, 0.0, 0.0], [0.0, 40.0, 0.0], [0.0, 0.0, 40.0]])}
    ahead, left, down = read(write_bvh(tmp_path / "a.bvh", turns))[:, INDEX["nose"]]
    assert left[1] > ahead[1] + 0.05
    assert down[2] < ahead[2] - 0.05


def test_positions_of_joints_are_honoured_and_bones_made_constant(tmp_path):
    offset = REFERENCE[INDEX["left_elbow"]] - REFERENCE[INDEX["left_shoulder"]]
    sideways = np.array([0.0, 0.3, 0.0])
    share = np.linspace(0.0, 1.0, 60)[:, None]
    stretch = 1.0 + 0.1 * np.sin(20 * share)
    places = {"left_elbow": stretch * ((1 - share) * offset + share * sideways)}
    recording = read_recording(write_bvh(tmp_path / "a.bvh", places=places))
    positions = recording.motion.positions
    upper = positions[-1, INDEX["left_elbow"]] - positions[-1, INDEX["left_shoulder"]]
    np.testing.assert_allclose(upper / np.linalg.norm(upper), [0, 1, 0], atol=1e-3)
    assert np.ptp(bone_lengths(positions), axis=0).max() < 1e-5
    assert any("stretched" in note and "left_elbow" in note for note in recording.notes)


def test_a_first_frame_for_calibration_is_left_out(tmp_path):
    hanging = np.zeros((40, 3))
    hanging[0] = 0.0, 0.0, -90.0
    turns = {"left_shoulder": hanging, "right_shoulder": hanging}
    recording = read_recording(write_bvh(tmp_path / "a.bvh", turns, rate=120.0))
    np.testing.assert_allclose(recording.motion.positions[0], REFERENCE, atol=1e-3)
    assert any("calibration" in note for note in recording.notes)


def test_only_what_is_missing_is_filled(tmp_path):
    skip = ("left_thumb", "right_hand", "left_hip")
    recording = read_recording(write_bvh(tmp_path / "a.bvh", skip=skip))
    assert set(recording.filled) == {*skip, "left_knee", "left_ankle"}
    np.testing.assert_allclose(recording.motion.positions, [REFERENCE] * 2, atol=1e-3)


@pytest.mark.parametrize("maker", NAMES)
def test_names_of_many_makers_are_known(maker):
    names = NAMES[maker].split()
    ours = dict(zip(OURS.split(), range(len(names)), strict=True))
    assert map_joints(names) == ours
    other = [name.replace("left", "right").replace("Left", "Right") for name in names]
    other = [re.sub(r"(?<=[_.])[lL](?=_|$)", lambda at: "rR"["lL".index(at[0])], name) for name in other]
    other = [re.sub(r"(?<=1_)L(?=[A-Z])", "R", name) for name in other]
    other = [re.sub(r"^l(?=[A-Z_]|humerus|radius|hand|femur|tibia|foot)", "r", name) for name in other]
    assert map_joints(other) == {name.replace("left", "right"): index for name, index in ours.items()}


def test_a_collar_is_no_shoulder():
    assert map_joints(["LeftShoulder", "LeftArm"]) == {"left_shoulder": 1}
    assert map_joints(["leftUpperArm", "leftShoulder"]) == {"left_shoulder": 0}


@pytest.mark.parametrize(
    ("names", "ours"),
    [
        ("WristLeft HandLeft HandTipLeft AnkleLeft FootLeft", "left_wrist left_hand - left_ankle -"),
        ("left_wrist left_hand left_ankle left_foot", "left_wrist left_hand left_ankle -"),
        ("lradius lwrist lhand lfingers", "left_elbow - left_wrist left_hand"),
        ("LeftForeArm LeftHand LeftFingerBase LeftHandIndex1", "left_elbow - left_wrist left_hand"),
        ("hand_l middle_01_l foot_l ball_l", "left_wrist left_hand left_ankle -"),
        ("LeftArm LeftElbow LeftLeg LeftKnee", "left_shoulder left_elbow left_hip left_knee"),
        ("LeftUpArm LeftArm LeftUpLeg LeftLeg", "left_shoulder left_elbow left_hip left_knee"),
    ],
)
def test_which_of_two_near_joints_is_meant_follows_from_both(names, ours):
    found = {joint: index for index, joint in enumerate(ours.split()) if joint != "-"}
    assert map_joints(names.split()) == found


RIGIFY = {
    **{"pelvis": "spine", "chest": "spine.003", "neck": "spine.004", "head": "spine.006"},
    **{
        f"{side}_{part}": f"{name}.{side[0].upper()}"
        for side in ("left", "right")
        for part, name in {
            **{"shoulder": "upper_arm", "elbow": "forearm", "wrist": "hand", "hand": "f_middle.01"},
            **{"thumb": "thumb.03", "hip": "thigh", "knee": "shin", "ankle": "foot"},
        }.items()
    },
}


@pytest.mark.parametrize(
    "odd",
    [
        RIGIFY,
        {**MIXAMO, "pelvis": "Becken", "neck": "Hals", "head": "Schädel"},
        {**MIXAMO, "pelvis": "body_world", "chest": "Torso"},
    ],
    ids=["rigify", "German", "no pelvis"],
)
def test_what_names_leave_open_of_the_trunk_the_tree_says(tmp_path, odd):
    recording = read_recording(write_bvh(tmp_path / "a.bvh", names=odd))
    np.testing.assert_allclose(recording.motion.positions, [REFERENCE] * 2, atol=1e-4)
    assert recording.filled == ()
    assert any("where arms and legs begin" in note for note in recording.notes)


def test_an_end_of_no_length_is_no_hand(tmp_path):
    skip = [f"{side}_{part}" for side in ("left", "right") for part in ("hand", "thumb")]
    recording = read_recording(write_bvh(tmp_path / "a.bvh", skip=skip))
    assert set(recording.filled) == set(skip)
    np.testing.assert_allclose(recording.motion.positions, [REFERENCE] * 2, atol=1e-3)
    assert any("at the wrist" in note for note in recording.notes)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\n \n" + text,
        lambda text: text.replace("Frame Time: ", "Frame Time:").replace("Frames: ", "Frames:"),
        lambda text: text.replace("Frame Time: ", "frame time :\t").replace("Frames", "FRAMES"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
    ],
    ids=["blank lines", "no space", "other case", "CRLF", "mark"],
)
def test_the_forms_others_write_are_read(tmp_path, change):
    path = write_bvh(tmp_path / "a.bvh", rate=30.0)
    path.write_text(change(path.read_text()), encoding="utf-8")
    recording = read_recording(path)
    np.testing.assert_allclose(recording.motion.positions[0], REFERENCE, atol=1e-4)
    assert recording.source_frame_rate == 30.0


def test_names_in_latin_1_are_read(tmp_path):
    path = write_bvh(tmp_path / "a.bvh", names={**MIXAMO, "left_thumb": "Daumen für links"})
    path.write_bytes(path.read_text(encoding="utf-8").encode("latin-1"))
    assert "Daumen für links" in read_recording(path).unmapped


def test_a_map_names_what_names_do_not_say(tmp_path):
    odd = {name: f"bone {number}" for number, name in enumerate(MIXAMO)}
    path = write_bvh(tmp_path / "a.bvh", names={**MIXAMO, **odd, "left_shoulder": "LeftArm"})
    with pytest.raises(InputError, match="no pelvis or hips") as caught:
        read_recording(path)
    template = yaml.safe_load(str(caught.value).partition("from this: ")[2])
    assert template.pop("LeftArm") == "left_shoulder"
    assert template == dict.fromkeys((name for name in odd.values() if name != "bone 4"), None)
    names = {called: joint for joint, called in odd.items() if joint != "left_shoulder"}
    recording = read_recording(path, names=names)
    np.testing.assert_allclose(recording.motion.positions, [REFERENCE] * 2, atol=1e-4)


def test_a_map_goes_before_names_and_may_leave_joints_out(tmp_path):
    path = write_bvh(tmp_path / "a.bvh")
    recording = read_recording(path, names={"LeftHandThumb3": ""})
    assert (recording.filled, recording.unmapped) == (("left_thumb",), ("LeftHandThumb3",))
    with pytest.raises(InputError, match=r"names 'Tail', which is no joint here\. Here: Hips, "):
        read_recording(path, names={"Tail": "pelvis"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("just words", "Allowed: lines of their name: ours"),
        ("a: [1", "no YAML"),
        ("Bone: forehead", "'forehead' is no joint. Allowed: pelvis"),
        ("Bone: [head]", "list is no joint"),
        ("A: head\nB: head", "given to several"),
    ],
)
def test_a_map_that_is_wrong_is_refused(tmp_path, text, said):
    (tmp_path / "names.yaml").write_text(text)
    with pytest.raises(InputError, match=said):
        read_map(tmp_path / "names.yaml")


def damaged(text, old, new):
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("HIERARCHY", "HELLO", "line 1:"),
        ("OFFSET 0.000000", "OFFSET zero", "line 4:"),
        ("CHANNELS 6", "CHANNELS 5", "line 5:"),
        ("Zrotation", "Wrotation", "line 5:"),
        ("Frames: 2", "Frames: many", "not numbers"),
        ("Frames: 2", "Frames: 7", "ends after 2 of 7"),
        ("Frame Time: 0.0166667", "Frame Time: 0", "Allowed: 0.001 to 1"),
        ("MOTION", "", "Allowed"),
        ("0.00000 0.00000\n", "0.00000 nan\n", "not numbers"),
        ("0.00000 0.00000\n", "0.00000\n", "numbers. Allowed"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(tmp_path, old, new, said):
    path = write_bvh(tmp_path / "a.bvh")
    path.write_text(damaged(path.read_text(), old, new))
    with pytest.raises(InputError, match=said) as caught:
        read_recording(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@given(cut=st.integers(0, 4000), junk=st.binary(max_size=12))
@settings(max_examples=60, deadline=None)
def test_any_file_is_read_or_refused(tmp_path_factory, cut, junk):
    folder = tmp_path_factory.mktemp("junk")
    data = write_bvh(folder / "a.bvh").read_bytes()
    cut %= len(data)
    (folder / "b.bvh").write_bytes(data[:cut] + junk + data[cut + len(junk) :])
    try:
        assert np.isfinite(read(folder / "b.bvh")).all()
    except InputError as error:
        assert str(folder) in str(error)  # noqa: PT017
