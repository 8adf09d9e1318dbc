"""A bag replayed into real nodes gives the commands it holds; what runs is recorded, whole."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from rclpy.serialization import serialize_message
from std_msgs.msg import String
from text2gesture_ros.msg import GestureFrames, GestureIntent, Speech

from text2gesture_ros.apps.commands import replay as verb
from text2gesture_ros.resources import share_directory
from text2gesture_ros.ros.bag import Bag, BagWriter
from text2gesture_ros.ros.bag_comparison import compare, read_commands
from text2gesture_ros.ros.recorded_session import RecordedSession, ros_message
from text2gesture_ros.ros.recorder import Recorder
from text2gesture_ros.ros.replay import replay as play
from text2gesture_ros.ros.replay import stage

GOLDEN = share_directory() / "data" / "golden"


def test_a_golden_bag_is_performed_as_it_was(domain, tmp_path):
    output = tmp_path / "outcome.mcap"
    with Bag(GOLDEN / "nao") as bag:
        golden = read_commands(bag)
        session = RecordedSession(bag, ["speech_text"], 100.0)
        with stage("nao", 100.0, {"gesture_generator": {"seed": 0}}, domain=domain) as own:
            played = play(session, output, own=own)
    assert played.sent == {"speech_text": 0, "speech": 1}
    assert played.late == 0.0
    with Bag(output) as made:
        found = read_commands(made)
    assert compare(golden, found).largest <= verb._TOLERANCE
    with Bag(output) as made:
        stamps = [stamp for _, stamp, _ in made.messages(["joint_command"])]
    assert (np.diff(stamps) == 10_000_000).all()  # nothing was lost


def test_record_loses_nothing_on_ctrl_c(domain, tmp_path):
    """Everything that was sent before a Ctrl-C is in the bag, and it is the end as it ought to be."""
    output = tmp_path / "talk"
    environment = {
        **os.environ,
        "ROS_DOMAIN_ID": str(domain),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    }
    program = """
import sys, time, rclpy
from std_msgs.msg import String
rclpy.init()
node = rclpy.create_node("speaker", namespace="stage")
publisher = node.create_publisher(String, "speech_text", 1000)
while not publisher.get_subscription_count():
    time.sleep(0.02)
for number in range(500):
    publisher.publish(String(data=str(number)))
print("said", flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", "from text2gesture_ros.apps.cli import main; raise SystemExit(main())"]
    command += ["record", "-o", str(output), "--namespace", "stage", "--json"]
    pipes = {"stdout": subprocess.PIPE, "text": True, "env": environment}
    with (
        subprocess.Popen(command, **pipes) as recorder,
        subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, **pipes) as speaker,
    ):
        assert speaker.stdout.readline() == "said\n"
        recorder.send_signal(signal.SIGINT)
        found = json.loads(recorder.communicate(timeout=30)[0])
        speaker.communicate("", timeout=30)
    assert recorder.returncode == 0
    assert found["messages"]["/stage/speech_text"] == 500
    with Bag(output) as bag:
        texts = [message.data for _, _, message in bag.messages(["speech_text"])]
    assert texts == [str(number) for number in range(500)]


def test_what_is_read_from_a_bag_is_the_message_that_was_written(tmp_path):
    frames = GestureFrames(utterance_id="a", joint_names=["b"], positions=[0.5] * 3, stop_probabilities=[0.5])
    frames.header.stamp.sec = 7
    intent = GestureIntent(text="Café", reason="why")
    intent.gesture.labels, intent.gesture.probabilities = ["wave"], [1.0]
    intent.subject.labels, intent.subject.probabilities = ["greeting"], [1.0]
    intent.emotion.labels, intent.emotion.probabilities = ["neutral"], [1.0]
    given = {"gesture_frames": frames, "gesture_intent": intent}
    with BagWriter(tmp_path / "a.mcap") as writer:
        for topic, message in given.items():
            writer.write(topic, type(message), 1, serialize_message(message))
    with Bag(tmp_path / "a.mcap") as bag:
        found = {topic: message for topic, _, message in bag.messages(list(given))}
    assert {topic: ros_message(found[topic], type(given[topic])) for topic in given} == given


def test_a_field_that_an_old_message_lacks_has_the_default_of_today():
    class Old:
        text = "Hello!"

    assert ros_message(Old(), Speech) == Speech(text="Hello!")
    assert ros_message(Old(), Speech).priority == 128


def test_what_goes_wrong_while_a_message_is_written_is_raised():
    def fail(*_):
        raise OSError("no space left on device")

    with Recorder(["speech_text"], fail) as recorder:
        recorder.wait_for_subscribers([])
        speaker = recorder._node.create_publisher(String, "speech_text", 10)
        deadline = time.monotonic() + 10.0
        while recorder.error is None and time.monotonic() < deadline:
            speaker.publish(String(data="hi"))
            time.sleep(0.02)
        with pytest.raises(OSError, match="no space"):
            recorder.finish()
