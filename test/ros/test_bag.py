"""Bags: what was written is read back, also after an error."""

import pytest
from rclpy.serialization import serialize_message
from rosbags.rosbag2 import Reader
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from text2gesture_ros.msg import GestureFrames

from text2gesture_ros.ros.bag import BagWriter, message_types

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


def test_after_an_error_the_bag_holds_what_came_before(tmp_path):
    path = tmp_path / "talk.mcap"

    def interrupted():
        with BagWriter(path) as bag:
            write(bag, MESSAGES[:2])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [topic for topic, _, _ in read(path)] == ["/speech_text", "/joint_command"]


def test_an_old_bag_is_replaced(tmp_path):
    path = tmp_path / "talk.mcap"
    path.write_text("old")
    with BagWriter(path) as bag:
        write(bag, MESSAGES[:1])
    assert len(read(path)) == 1
