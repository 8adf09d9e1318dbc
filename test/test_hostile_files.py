"""Files from elsewhere run no code, read no other file, and do not fill the memory: one error line each.

Bags have this in test_replaying.py; more of robots, URDF and recordings stands in their own tests.
"""

import json
import os
import pickle
import resource
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from text2gesture_ros.errors import Text2GestureError
from text2gesture_ros.model_directory import open_model, save_slots
from text2gesture_ros.motion.formats import read_recording
from text2gesture_ros.motion.motion import load_motion
from text2gesture_ros.resources import share_directory
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.robots.urdf import load_urdf
from text2gesture_ros.understanding.classifier import IntentClassifier, TextReader

ROBOT = (share_directory() / "config" / "robots" / "nao.yaml").read_text()
MARK = Path("hostile_was_here")
_ROOM = 1 << 30  # of memory above what the test already has [bytes]

# A billion texts of a few lines, by YAML aliases and by XML entities.
YAML_BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
ENTITIES = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
XML_BOMB = f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a0 "xxxxxxxxxx">{ENTITIES}]><robot name="&a9;"/>'
XML_FILE = '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><robot name="r"><link name="&a;"/></robot>'


class Evil:
    """What a pickle would run."""

    def __reduce__(self):
        return Path.touch, (MARK,)


@pytest.fixture(autouse=True)
def confined(tmp_path, monkeypatch):
    """Run in a folder of its own and with bounded memory; nothing may have been run or left there."""
    monkeypatch.chdir(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + _ROOM, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert not MARK.exists()


def refused(read, path):
    """Return the line that a file is refused with."""
    with pytest.raises(Text2GestureError) as error:
        read(path)
    assert "root:" not in str(error.value)  # of /etc/passwd
    assert len(str(error.value)) < 1000
    return str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:pathlib.Path.touch [hostile_was_here]",
        "!!python/object/new:os.system ['touch hostile_was_here']",
        ROBOT.replace("title: ", "title: !!python/name:os.system #"),
        YAML_BOMB,
        ROBOT + YAML_BOMB,
        "[" * 10_000,
        "{a: " * 10_000,
        "#" * 300_000,
        "a: &a [*a]",
    ],
    ids=lambda text: repr(text[:24]),
)
def test_robot_files(text):
    Path("nao.yaml").write_text(text)
    assert "nao.yaml" in refused(load_robot, "nao.yaml")


@pytest.mark.parametrize("where", ["/etc/passwd", "../robot.urdf", "linked/passwd", "pipe"])
def test_a_robot_file_names_no_urdf_outside_its_folder_and_no_device(where):
    Path("linked").symlink_to("/etc")
    os.mkfifo("pipe")  # to read it would take for ever
    Path("nao.yaml").write_text(ROBOT + f"\nurdf: {where}\n")
    refused(load_robot, "nao.yaml")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    "text", [XML_BOMB, XML_FILE, "<robot>" + "<link>" * 200_000], ids=["bomb", "file", "deep"]
)
def test_xml(text, encoding):
    for read, name in ((load_urdf, "robot.urdf"), (read_recording, "clip.qianim")):
        path = Path(name)
        path.write_text(text, encoding=encoding)
        assert name in refused(read, path)


def npy(header, data=b""):
    """Return a .npy with a header of one's own."""
    head = repr(header).encode() if isinstance(header, dict) else header
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + data


ARRAYS = {
    "pickle": np.lib.format.magic(1, 0)
    + b"\x46\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }          \n",
    "code": npy(b"__import__('pathlib').Path('hostile_was_here').touch()\n"),
    "claims terabytes": npy({"descr": "<f8", "fortran_order": False, "shape": (10**10, 22, 3)}),
    "negative": npy({"descr": "<f8", "fortran_order": False, "shape": (-1, 22, 3)}),
    "pickled": pickle.dumps(Evil()),
}


@pytest.mark.parametrize("content", ARRAYS.values(), ids=list(ARRAYS))
def test_arrays(content):
    Path("clip.npy").write_bytes(content)
    refused(read_recording, Path("clip.npy"))
    with zipfile.ZipFile("clip.npz", "w") as archive:
        for name in ("positions", "joints", "fps"):
            archive.writestr(f"{name}.npy", content)
    for read in (load_motion, read_recording):
        refused(read, Path("clip.npz"))


def test_archives_are_not_unpacked_beyond_their_limit_nor_outside():
    with (
        zipfile.ZipFile("clip.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("positions.npy", "w", force_zip64=True) as member,
    ):
        for _ in range(300):
            member.write(bytes(1 << 20))
    assert Path("clip.npz").stat().st_size < 1 << 20
    assert "larger than" in refused(load_motion, Path("clip.npz"))
    # The directory of the archive lies about the size: what comes is cut there.
    data = Path("clip.npz").read_bytes()
    size = (300 << 20).to_bytes(4, "little")
    assert size in data
    Path("clip.npz").write_bytes(data.replace(size, (100).to_bytes(4, "little")))
    refused(load_motion, Path("clip.npz"))
    with zipfile.ZipFile("clip.npz", "w") as archive:
        archive.writestr(f"../{MARK}", "here")
    refused(load_motion, Path("clip.npz"))
    assert not (Path("..") / MARK).exists()


@pytest.fixture(scope="module")
def copy_of_intent(tmp_path_factory):
    """Return a copy of the intent model."""
    return shutil.copytree(
        share_directory() / "models" / "intent", tmp_path_factory.mktemp("copy") / "intent"
    )


@pytest.fixture
def model(tmp_path, copy_of_intent):
    """Return an intent model to spoil: links to one copy, to be removed before they are written."""
    return Path(shutil.copytree(copy_of_intent, tmp_path / "intent", copy_function=os.link))


@pytest.mark.parametrize("name", ["config.json", "weights.safetensors", "tokenizer.json", "*.onnx"])
@pytest.mark.parametrize("what", ["pickle", "pipe", "passwd", "deep"])
def test_models(model, name, what):
    for file in model.glob(name):
        file.unlink()
        if what == "pipe":
            os.mkfifo(file)
        elif what == "passwd":
            file.symlink_to("/etc/passwd")
        else:
            file.write_bytes(pickle.dumps(Evil()) if what == "pickle" else b'{"a":' * 100_000)
    refused(lambda path: IntentClassifier(str(path)), model)


def test_a_tokenizer_without_end_is_not_read(tmp_path):
    with Path("tokenizer.json").open("wb") as file:
        file.truncate(1 << 40)
    assert "larger than" in refused(TextReader, Path("tokenizer.json"))


@pytest.mark.parametrize("where", ["../secret", "{dir}/secret", "secret", "link"])
def test_a_graph_takes_no_weights_from_another_file(model, tmp_path, where):
    secret = np.array([1.0, 2.0], dtype=np.float32).tobytes()
    Path("secret").write_bytes(secret)  # in the current directory, not that of the model
    (model / "link").symlink_to(tmp_path / "secret")
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": where.format(dir=tmp_path), "offset": "0", "length": "8"}.items():
        weight.external_data.add(key=key, value=value)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", ends[:1], ends[1:], [weight])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (model / "graph.onnx").unlink()
    (model / "graph.onnx").write_bytes(made.SerializeToString())
    save_slots(model, {"graph.onnx": {}})  # nothing is put in: the file named in the graph is looked for
    refused(lambda path: open_model(str(path)).session(), model)


@pytest.mark.parametrize("graph", ["../graph.onnx", "/etc/passwd", "a/../../graph.onnx"])
def test_a_model_names_no_graph_outside_its_folder(model, graph):
    refused(lambda path: open_model(str(path)).session(graph), model)


def test_labels_of_a_config_stay_labels(model):
    config = json.loads((model / "config.json").read_text())
    for name in ("__import__('os')", "a" * 10_000_000):
        (model / "config.json").unlink()
        (model / "config.json").write_text(json.dumps({**config, "kind": name}))
        refused(lambda path: open_model(str(path), "intent"), model)
