"""glTF and VRM animations: what a body does comes back, however its nodes are turned, scaled and called."""

import base64
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recording_cases import MIXAMO, in_file_axes
from scipy.spatial.transform import Rotation

from text2gesture_ros.errors import InputError
from text2gesture_ros.motion.formats import read_recording
from text2gesture_ros.skeleton import INDEX, JOINTS, PARENTS, REFERENCE

VRM = {
    **{"pelvis": "hips", "chest": "upperChest", "neck": "neck", "head": "head"},
    **{
        f"{side}_{part}": f"{side}{name}"
        for side in ("left", "right")
        for part, name in {
            **{"shoulder": "UpperArm", "elbow": "LowerArm", "wrist": "Hand", "hand": "MiddleProximal"},
            **{"thumb": "ThumbDistal", "hip": "UpperLeg", "knee": "LowerLeg", "ankle": "Foot"},
        }.items()
    },
}
RATE = 50.0
TIMES = np.arange(51) / RATE
# The right arm goes up sideways: turns about the file's z axis, which points where the body looks.
RAISED = {"right_shoulder": Rotation.from_euler("z", -120 * TIMES[:, None], degrees=True)}


def document(turns=RAISED, *, names=MIXAMO, seed=0, scale=1.0, matrices=False, how="LINEAR", keys=TIMES):
    """Return the reference body as glTF: its JSON and its numbers.

    Each node is turned at random at rest, and the root is scaled.
    """
    random = np.random.default_rng(seed)
    joints = [name for name in JOINTS if name in names]
    rest = in_file_axes(REFERENCE)
    world = {name: Rotation.random(random_state=random) for name in joints}
    nodes, channels, samplers, blobs = [{"name": "Armature", "scale": [scale] * 3}], [], [], []

    def store(array, kind):
        blobs.append(np.asarray(array, "<f4").tobytes())
        return {"bufferView": len(blobs) - 1, "componentType": 5126, "type": kind, "count": len(array)}

    accessors = []
    for name in joints:
        parent = JOINTS[PARENTS[INDEX[name]]] if name != "pelvis" else None
        above = world[parent] if parent else Rotation.identity()
        offset = (rest[INDEX[name]] - (rest[INDEX[parent]] if parent else 0)) / scale
        local, place = above.inv() * world[name], above.inv().apply(offset)
        node = {"name": names[name], "children": []}
        if matrices:
            matrix = np.eye(4)
            matrix[:3, :3], matrix[:3, 3] = local.as_matrix(), place
            node["matrix"] = matrix.T.ravel().tolist()
        else:
            node |= {"rotation": local.as_quat().tolist(), "translation": place.tolist()}
        nodes.append(node)
        nodes[joints.index(parent) + 1 if parent else 0].setdefault("children", []).append(len(nodes) - 1)
        if name in turns:
            # The turn is meant in the file's axes, at rest.
            values = (above.inv() * turns[name] * world[name]).as_quat()
            values[1::2] *= -1.0  # the same rotations, written the other way
            if how == "CUBICSPLINE":
                slopes = np.gradient(values * np.sign(values[:, :1]), keys, axis=0)
                values = np.stack([slopes, values * np.sign(values[:, :1]), slopes], axis=1).reshape(-1, 4)
            accessors += [store(keys, "SCALAR"), store(values, "VEC4")]
            samplers.append({"input": len(accessors) - 2, "output": len(accessors) - 1, "interpolation": how})
            target = {"node": len(nodes) - 1, "path": "rotation"}
            channels.append({"sampler": len(samplers) - 1, "target": target})
    starts = np.concatenate([[0], np.cumsum([len(blob) for blob in blobs])[:-1]]).tolist()
    views = [
        {"buffer": 0, "byteOffset": at, "byteLength": len(b)} for at, b in zip(starts, blobs, strict=True)
    ]
    data = b"".join(blobs)
    content = {
        "asset": {"version": "2.0"},
        "nodes": nodes,
        "animations": [{"name": "raise", "channels": channels, "samplers": samplers}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(data)}],
    }
    return content, data


def as_glb(content, data):
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    chunks = b"".join(
        len(part).to_bytes(4, "little") + kind + part for part, kind in ((text, b"JSON"), (data, b"BIN\0"))
    )
    return b"glTF" + (2).to_bytes(4, "little") + (12 + len(chunks)).to_bytes(4, "little") + chunks


def write(path, content, data):
    if path.suffix == ".gltf":
        content["buffers"][0]["uri"] = (
            "data:application/octet-stream;base64," + base64.b64encode(data).decode()
        )
        path.write_text(json.dumps(content))
    else:
        path.write_bytes(as_glb(content, data))
    return path


def expected(times):
    """Return the reference body (T, K, 3) whose right arm is raised, at times."""
    body = np.repeat(REFERENCE[None], len(times), axis=0)
    turn = Rotation.from_euler("x", -120 * times[:, None], degrees=True)  # their z axis is our x axis
    shoulder = REFERENCE[INDEX["right_shoulder"]]
    for part in ("elbow", "wrist", "hand", "thumb"):
        index = INDEX[f"right_{part}"]
        body[:, index] = shoulder + turn.apply(REFERENCE[index] - shoulder)
    return body


@pytest.mark.parametrize("suffix", [".gltf", ".glb"])
@pytest.mark.parametrize(
    "options",
    [{}, {"seed": 1, "scale": 0.01}, {"seed": 2, "matrices": True}, {"how": "CUBICSPLINE"}],
    ids=["turned", "scaled", "matrices", "cubic"],
)
def test_the_body_comes_back(tmp_path, suffix, options):
    recording = read_recording(write(tmp_path / f"a{suffix}", *document(**options)))
    assert (recording.source_frame_rate, recording.filled) == (RATE, ())
    positions = recording.motion.positions
    wanted = expected(np.arange(len(positions)) / 60.0)
    assert np.abs(positions - wanted)[:-1].max() < 3e-3
    assert np.linalg.norm(positions[-2, INDEX["right_wrist"]] - REFERENCE[INDEX["right_wrist"]]) > 0.8


def test_few_keys_are_a_curve_at_our_rate(tmp_path):
    keys = np.array([0.0, 0.3, 1.0])
    turns = {"right_shoulder": Rotation.from_euler("z", -120 * keys[:, None], degrees=True)}
    recording = read_recording(write(tmp_path / "a.glb", *document(turns, keys=keys)))
    assert (recording.source_frame_rate, len(recording.motion)) == (60.0, 61)
    assert np.abs(recording.motion.positions - expected(np.arange(61) / 60.0)).max() < 3e-3
    steps = read_recording(
        write(tmp_path / "b.glb", *document(turns, keys=keys, how="STEP"))
    ).motion.positions
    assert np.abs(steps[30:55] - steps[30]).max() < 0.02  # stands between two keys


@pytest.mark.parametrize("extension", ["VRMC_vrm_animation", "VRMC_vrm", "VRM"])
def test_bones_of_a_vrm_are_those_it_declares(tmp_path, extension):
    odd = {name: f"Knochen {number}" for number, name in enumerate(MIXAMO)}
    content, data = document(names=odd)
    nodes = [node["name"] for node in content["nodes"]]
    bones = {VRM[name]: {"node": nodes.index(called)} for name, called in odd.items()}
    if extension == "VRM":
        bones = [{"bone": bone, **entry} for bone, entry in bones.items()]
    content["extensions"] = {extension: {"humanoid": {"humanBones": bones}}}
    recording = read_recording(write(tmp_path / "a.vrma", content, data))
    assert recording.filled == ()
    assert np.abs(recording.motion.positions[:-1] - expected(np.arange(60) / 60.0)).max() < 3e-3


def test_meshes_are_no_joints(tmp_path):
    content, data = document({**RAISED, "pelvis": Rotation.identity(len(TIMES))})
    content["skins"] = [{"joints": list(range(1, len(content["nodes"])))}]
    content["nodes"].insert(1, {"name": "Hips", "mesh": 0})  # and the numbers of all nodes after it change
    for node in content["nodes"]:
        node["children"] = [index + 1 for index in node.get("children", [])]
    content["skins"][0]["joints"] = [index + 1 for index in content["skins"][0]["joints"]]
    for channel in content["animations"][0]["channels"]:
        channel["target"]["node"] += 1
    recording = read_recording(write(tmp_path / "a.glb", content, data))
    assert np.abs(recording.motion.positions[:-1] - expected(np.arange(60) / 60.0)).max() < 3e-3
    assert recording.unmapped == ("Armature",)


def test_one_of_several_animations_is_chosen_by_name(tmp_path):
    content, data = document()
    still = {"name": "still", "channels": [], "samplers": content["animations"][0]["samplers"]}
    still["channels"] = [{"sampler": 0, "target": {"node": 0, "path": "rotation"}}]
    content["animations"].append(still)
    path = write(tmp_path / "a.glb", content, data)
    first = read_recording(path)
    assert any("2 animations" in note and "raise, still" in note for note in first.notes)
    assert (
        np.abs(first.motion.positions - read_recording(path, animation="raise").motion.positions).max() == 0
    )
    other = read_recording(path, animation="still").motion.positions
    assert np.abs(other[-1] - first.motion.positions[-1]).max() > 0.5
    with pytest.raises(InputError, match=r"no animation 'run'\. Allowed: raise, still"):
        read_recording(path, animation="run")


def change(content, place, value):
    for key in place[:-1]:
        content = content[key]
    content[place[-1]] = value


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("asset", "version"), "1.0", r"version '1.0'\. Allowed: 2"),
        (("animations",), [], "no animation in it"),
        (("animations", 0, "channels"), [], "turns and moves no node"),
        (("animations", 0, "channels", 0, "sampler"), 9, r"channels\[0\].*sampler 9"),
        (("animations", 0, "samplers", 0, "input"), 7, r"accessors\[7\]: there are 2"),
        (("animations", 0, "samplers", 0, "interpolation"), "SMOOTH", "SMOOTH"),
        (("accessors", 1, "count"), 50, "do not fit"),
        (("accessors", 1, "count"), 10**9, "do not fit"),
        (("accessors", 0, "byteOffset"), -4, "do not fit"),
        (("accessors", 1, "sparse"), {}, "not sparse"),
        (("nodes", 2, "children"), [1], "two parents|ring"),
        (("nodes", 1, "rotation"), [0, 0, "one"], r"nodes\[1\]\.rotation"),
        (("nodes", 1, "children"), [99], r"nodes\[99\]"),
        (("buffers", 0, "uri"), "../other.bin", "a file beside it"),
        (("extensionsRequired",), ["EXT_meshopt_compression"], "not compressed"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(tmp_path, place, value, said):
    content, data = document()
    change(content, place, value)
    path = tmp_path / "a.glb"
    path.write_bytes(as_glb(content, data))
    with pytest.raises(InputError, match=said) as caught:
        read_recording(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@given(cut=st.integers(0, 20000), junk=st.binary(max_size=12))
@settings(max_examples=60, deadline=None)
def test_any_file_is_read_or_refused(tmp_path_factory, cut, junk):
    folder = tmp_path_factory.mktemp("junk")
    data = as_glb(*document())
    cut %= len(data)
    (folder / "b.glb").write_bytes(data[:cut] + junk + data[cut + len(junk) :])
    try:
        assert np.isfinite(read_recording(folder / "b.glb").motion.positions).all()
    except InputError as error:
        assert str(folder) in str(error)  # noqa: PT017
