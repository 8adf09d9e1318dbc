"""Bags: what was written is read back, also after an error."""

import os
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.serialization import serialize_message
from rosbags.rosbag2 import Reader
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from text2gesture_ros.msg import GestureFrames

from text2gesture_ros.errors import InputError
from text2gesture_ros.ros.bag import Bag, BagWriter, message_types

MESSAGES = [
    ("speech_text", String(data="Café 你好"), 1_000),
    # No array is empty: after one, serialize_message (but not DDS) leaves bytes that rosbags rejects.
    ("joint_command", JointState(name=["yaw"], position=[0.25], velocity=[-1.5], effort=[0.0]), 2_000),
    ("gesture_frames", GestureFrames(utterance_id="a", frame_rate=60.0, positions=[0.5] * 63), 3_000),
    ("/speech_text", String(data="again"), 4_000),
]


def write(bag, messages):
    for topic, message, stamp in messages:
        bag.write(topic, type(message), stamp, serialize_message(message))


def read(path):
    """Return topic, time and message of everything in a bag."""
    types = message_types()
    with Reader(path) as reader:
        return [
            (link.topic, stamp, types.deserialize_cdr(data, link.msgtype))
            for link, stamp, data in reader.messages()
        ]


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "talk.mcap"
    with BagWriter(path) as bag:
        write(bag, MESSAGES)
    assert bag.counts == {"/speech_text": 2, "/joint_command": 1, "/gesture_frames": 1}
    found = read(path)
    assert [stamp for _, stamp, _ in found] == [stamp for _, _, stamp in MESSAGES]
    assert [topic for topic, _, _ in found] == ["/" + topic.strip("/") for topic, _, _ in MESSAGES]
    texts, command, frames, again = (message for _, _, message in found)
    assert (texts.data, again.data) == ("Café 你好", "again")
    assert (list(command.name), *command.position, *command.velocity) == (["yaw"], 0.25, -1.5)
    assert (frames.utterance_id, frames.frame_rate, frames.positions.tolist()) == ("a", 60.0, [0.5] * 63)
    assert [file.name for file in tmp_path.iterdir()] == ["talk.mcap"]


def interrupted(path):
    with BagWriter(path) as bag:
        write(bag, MESSAGES[:2])
        raise KeyboardInterrupt


def test_after_an_error_the_bag_holds_what_came_before(tmp_path):
    path = tmp_path / "talk.mcap"
    with pytest.raises(KeyboardInterrupt):
        interrupted(path)
    assert [topic for topic, _, _ in read(path)] == ["/speech_text", "/joint_command"]


def test_an_old_bag_is_replaced(tmp_path):
    path = tmp_path / "talk.mcap"
    path.write_text("old")
    with BagWriter(path) as bag:
        write(bag, MESSAGES[:1])
    assert len(read(path)) == 1


# Writes 50 texts, waits until they are kept, writes one more and does not live to end the bag.
KILLED = """
import os, signal, sys, time
from pathlib import Path
from rclpy.serialization import serialize_message
from std_msgs.msg import String
from text2gesture_ros.ros.bag import BagWriter
with BagWriter(Path(sys.argv[1])) as bag:
    for number in range(50):
        bag.write("speech_text", String, 1000 + number, serialize_message(String(data=str(number))))
    time.sleep(2.5)
    bag.write("speech_text", String, 2000, serialize_message(String(data="last")))
    print("ready", flush=True)
    time.sleep(60)
"""


def texts(path):
    """Return what the package itself reads of a bag, and whether it says that the bag is cut off."""
    with Bag(path) as bag:
        return [message.data for _, _, message in bag.messages(["speech_text"])], bag.cut_off


@pytest.mark.parametrize("name", ["talk.mcap", "talk"])
def test_a_recording_that_is_killed_is_read_as_far_as_it_goes(tmp_path, name):
    path = tmp_path / name
    command = [sys.executable, "-c", KILLED, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.SIGKILL)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    found, cut_off = texts(path)
    assert cut_off
    assert found[:50] == [str(number) for number in range(50)]
    assert found[50:] in ([], ["last"])
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
    with BagWriter(path) as bag:  # and another recording may take its place
        write(bag, MESSAGES[:1])
    assert texts(path) == (["Café 你好"], False)


@pytest.fixture(scope="module")
def long_bag(tmp_path_factory):
    """Return a bag of several chunks."""
    path = tmp_path_factory.mktemp("bags") / "talk.mcap"
    with BagWriter(path) as bag:
        for number in range(300):
            content = serialize_message(String(data=f"{number} " + os.urandom(4000).hex()))
            bag.write("speech_text", String, number, content)
            bag.write("gesture_cancel", String, number, serialize_message(String(data="x")))
    return path


@given(end=st.floats(0.0, 1.0), junk=st.binary(max_size=20))
@settings(max_examples=40, deadline=None)
def test_of_a_bag_that_is_cut_anywhere_what_stands_before_is_read(long_bag, tmp_path_factory, end, junk):
    path = tmp_path_factory.mktemp("cut") / "talk.mcap"
    whole = long_bag.read_bytes()
    path.write_bytes(whole[: int(end * len(whole))] + junk)
    try:
        found, _ = texts(path)
    except InputError as error:
        assert str(path) in str(error)  # noqa: PT017
        assert int(end * len(whole)) < 8  # not even its beginning is there
        return
    numbers = [int(text.split()[0]) for text in found]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 300 * (end - 0.55)


def test_a_bag_that_was_there_is_back_after_an_error(tmp_path):
    for name in ("talk.mcap", "talk"):
        path = tmp_path / name
        with BagWriter(path) as bag:
            write(bag, MESSAGES[:1])
        with pytest.raises(KeyboardInterrupt):
            interrupted(path)
        assert texts(path) == (["Café 你好"], False)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["talk", "talk.mcap"]


def test_what_came_is_on_the_disk_while_the_bag_is_written(tmp_path):
    path = tmp_path / "talk.mcap"
    with BagWriter(path) as bag:
        assert texts(path) == ([], True)  # a bag from the beginning
        write(bag, MESSAGES)
        deadline = time.monotonic() + 10.0
        while time.monotonic() < deadline and texts(path)[0] != ["Café 你好", "again"]:
            time.sleep(0.1)
        assert texts(path) == (["Café 你好", "again"], True)
