"""The demonstration: real nodes, a short conversation, and what is kept of it."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from domain_coordinator import domain_id
from PIL import Image
from rich.console import Console
from rosbags.rosbag2 import Reader
from sensor_msgs.msg import JointState

from text2gesture_ros.apps import demo, rendering
from text2gesture_ros.apps.commands.sentences import read_sentences
from text2gesture_ros.errors import InputError
from text2gesture_ros.labels import GESTURES
from text2gesture_ros.parameters import IntentClassifierParameters
from text2gesture_ros.ros.bag import message_types
from text2gesture_ros.ros.conversation_log import TOPICS
from text2gesture_ros.understanding.classifier import IntentClassifier

SENTENCES = ["Hooray, our team has won!", "...", "The bus leaves at nine.", "Goodbye my friends!"]


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    """Return what the nodes made of `SENTENCES`, the bag, and what was shown meanwhile."""
    bag = tmp_path_factory.mktemp("demo") / "talk.mcap"
    console = Console(file=io.StringIO())
    with domain_id() as domain:
        conversation = demo.converse("pepper", SENTENCES, 2.2, bag, console, domain=domain)
    return conversation, bag, console.file.getvalue()


def test_every_sentence_becomes_commands_or_has_a_reason(talk):
    conversation, _, shown = talk
    lines = conversation.lines()
    assert [line.sentence for line in lines] == SENTENCES
    for line in lines:
        assert (line.latency is None) == (line.sentence == "...")
        assert line.latency is not None or line.reason
        assert line.violations == 0
        assert line.sentence in shown
    summary = demo.summarise(conversation, lines)
    assert (summary["sentences"], summary["commanded"], summary["violations"]) == (4, 3, 0)
    assert summary["without_command"] == [{"sentence": "...", "reason": lines[1].reason}]
    latencies = [1000.0 * line.latency for line in lines if line.latency is not None and not line.reason]
    assert summary["latency_ms"]["median"] == pytest.approx(np.median(latencies), abs=0.01)
    assert summary["latency_ms"]["p95"] == pytest.approx(np.percentile(latencies, 95), abs=0.01)
    assert [len(row) for row in demo.table_rows(lines)] == [len(demo.TABLE)] * len(lines)
    assert {"motion [s]", "text to trajectory [ms]"} <= set(demo.TABLE)
    (row,) = demo.table_rows([replace(lines[0], reason="neutral")])
    assert row[-1] == "no gesture was called for"


def test_bag_holds_every_message_of_every_topic(talk):
    conversation, bag, _ = talk
    types = message_types()
    with Reader(bag) as reader:
        found = [
            (link.topic, types.deserialize_cdr(data, link.msgtype)) for link, _, data in reader.messages()
        ]
    topics = [topic for topic, _ in found]
    assert set(topics) == {"/" + topic.removeprefix("/") for topic in TOPICS}
    assert {topic: topics.count(topic) for topic in set(topics)} == conversation.messages
    assert [message.data for topic, message in found if topic == "/speech_text"] == SENTENCES
    recorded = [message.position for topic, message in found if topic == "/joint_command"]
    assert (np.array(recorded) == [item.message.position for item in conversation.commands]).all()
    for performance in conversation.performances:
        name = performance.intent.message.utterance_id
        blocks = [m for topic, m in found if topic == "/gesture_frames" and m.utterance_id == name]
        assert sum(len(block.stop_probabilities) for block in blocks) == performance.frame_count


def test_a_limit_that_is_not_kept_is_counted_for_its_sentence(talk):
    conversation, _, _ = talk
    name = conversation.performances[3].intent.message.utterance_id
    commands = list(conversation.commands)
    index = next(i for i, item in enumerate(commands) if item.message.header.frame_id == name) + 10
    message = commands[index].message
    jump = JointState(header=message.header, name=message.name, position=[a + 0.2 for a in message.position])
    commands[index] = replace(commands[index], message=jump)
    spoilt = replace(conversation, commands=commands)
    lines = spoilt.lines()
    assert [bool(line.violations) for line in lines] == [False, False, False, True]
    assert spoilt.violations() == lines[3].violations


def test_only_a_performance_that_was_not_interrupted_is_shown(talk):
    conversation, _, _ = talk
    *before, last = conversation.performances
    (clip,) = (clip for clip in conversation.clips().values() if clip.caption == last.text)
    assert len(clip.motion) == last.frame_count
    assert clip.times[0] >= 0.0
    assert (np.diff(clip.times) > 0.0).all()
    cut = replace(conversation, performances=[*before, replace(last, frames=last.frames[:-1])])
    overtaken = replace(conversation, performances=[*before, last, replace(last, text="later")])
    assert last.text not in {clip.caption for spoilt in (cut, overtaken) for clip in spoilt.clips().values()}


def test_every_gesture_gets_a_picture(talk, tmp_path, monkeypatch):
    monkeypatch.setattr(rendering, "GIF_RATE", 4.0)  # a fifth of the frames to draw
    conversation, _, _ = talk
    console = Console(file=io.StringIO())
    files = demo.draw(conversation, tmp_path, console)
    assert {file.name for file in files} == {*(f"{name}.gif" for name in GESTURES), "contact_sheet.png"}
    for file in files:
        with Image.open(file) as picture:
            assert getattr(picture, "n_frames", 1) > (2 if file.suffix == ".gif" else 0)


def test_the_conversation_that_ships(root):
    sentences = read_sentences(root / "demo" / "conversation.txt")
    assert len(sentences) == len(set(sentences)) == 30
    assert sum(map(demo.speaking_time, sentences)) < 110.0
    parameters = IntentClassifierParameters()
    intents = IntentClassifier(parameters.model).classify(sentences, parameters.confidence_threshold)
    assert {intent.gesture.chosen for intent in intents} == set(GESTURES)


@pytest.mark.parametrize(("pace", "seconds"), [("speaking", None), ("1.5", 1.5), ("60", 60.0)])
def test_pace(pace, seconds):
    assert demo.check_pace(pace) == seconds


@pytest.mark.parametrize("pace", ["", "slow", "0", "-1", "61", "nan", "inf"])
def test_wrong_pace_is_refused(pace):
    with pytest.raises(InputError, match=re.escape("in [0.1, 60]")):
        demo.check_pace(pace)
