"""The classifier node: an intent for every clause of every text, whatever the text is."""

import math

import pytest
from rclpy.parameter import Parameter
from std_msgs.msg import String
from text2gesture_ros.msg import GestureIntent, Speech

from text2gesture_ros.labels import TASKS
from text2gesture_ros.ros.conversions import to_seconds
from text2gesture_ros.ros.intent_classifier import IntentClassifierNode

TEXTS = {
    "sentence": "Hello, nice to meet you!",
    "empty": "",
    "blank": " \t\n ",
    "no words": "?! ... 42",
    "emoji": "👋🏽🙂" * 20,
    "other scripts": "你好 很高兴认识你。 Привет! مرحبا שלום こんにちは",
    "control characters": "hello\x01\x02\x1b[31m\x7f\r\n there\u202e\ufeff",
    "combining": "e" + "\u0301" * 5000,
    "100 kB": "word " * 20_000,
    "one long word": "a" * 100_000,
    "not a character": "\ufffd\uffff",
}


def follows(intent):
    """Return whether another clause of the text follows."""
    return bool(intent.text[intent.span_end :].strip())


class Reader:
    """A classifier and the intents it sends."""

    def __init__(self, graph, **parameters):
        self.graph = graph
        self.node = graph.add(IntentClassifierNode, **parameters)
        self.intents = graph.collect(GestureIntent, "gesture_intent")

    def answer(self, message):
        """Return the one intent that answers a message."""
        (intent,) = self.answers(message, 1)
        return intent

    def clauses(self, message):
        """Return the intents that answer a message, up to that of its last clause."""
        before = len(self.intents)
        self.answers(message, 1)
        self.graph.spin_until(lambda: not follows(self.intents[-1]))
        return self.intents[before:]

    def answers(self, message, count):
        """Return the intents that answer a message, when there are so many."""
        before = len(self.intents)
        self.graph.publish("speech_text" if isinstance(message, String) else "speech", message)
        self.graph.spin_until(lambda: len(self.intents) >= before + count)
        self.graph.spin_for(0.02)
        return self.intents[before:]


@pytest.fixture
def reader(graph):
    return Reader(graph, cool_down=0.0)


def check(intent):
    """Hold an intent against what its message file promises."""
    for task, labels in TASKS.items():
        answer = getattr(intent, task)
        assert tuple(answer.labels) == labels
        assert answer.chosen in labels
        assert sum(answer.probabilities) == pytest.approx(1.0, abs=1e-4)
        assert all(0.0 <= probability <= 1.0 for probability in answer.probabilities)
    assert intent.utterance_id
    assert len(intent.text) <= 10_000
    assert 0 <= intent.span_start <= intent.span_end <= len(intent.text)
    assert 0.0 <= intent.start <= intent.stroke <= intent.end
    assert 0.0 <= intent.speech_probability <= 1.0
    assert intent.accepted == (not intent.reason)
    if not intent.accepted:
        assert intent.gesture.chosen == "neutral"


@pytest.mark.parametrize("topic", [String, Speech], ids=["speech_text", "speech"])
def test_every_text_is_answered_once_and_whole(reader, topic):
    ids = set()
    for text in [*TEXTS.values(), TEXTS["sentence"]]:
        before = reader.node.now()
        intents = reader.clauses(topic(data=text) if topic is String else topic(text=text))
        for clause, intent in enumerate(intents):
            check(intent)
            assert before - 1e-6 <= to_seconds(intent.header.stamp) <= reader.node.now()
            assert intent.clause == clause
            assert follows(intent) == (intent is not intents[-1])
        assert len({intent.utterance_id for intent in intents}) == 1
        ids.add(intent.utterance_id)
    assert len(ids) == len(TEXTS) + 1
    assert intent.text == TEXTS["sentence"]
    assert intent.accepted


@pytest.mark.parametrize("kind", ["empty", "blank", "no words"])
def test_a_text_without_words_has_a_reason_and_no_gesture(reader, kind):
    intent = reader.answer(String(data=TEXTS[kind]))
    assert not intent.accepted
    assert intent.reason


def test_what_the_speaker_knows_is_passed_on(reader):
    given = Speech(
        utterance_id="mine", text="see you", duration=1.5, words=["see", "you"], word_starts=[0.0, 0.5]
    )
    intent = reader.answer(given)
    assert (intent.utterance_id, intent.end) == ("mine", 1.5)
    assert not intent.estimated


@pytest.mark.parametrize("text", ["", "hello there", "The shop opens at nine."])
def test_the_speaker_may_choose_gesture_and_emotion(reader, text):
    plain = reader.answer(Speech(text=text))
    intent = reader.answer(Speech(text=text, gesture="shrug", emotion="negative"))
    assert (intent.gesture.chosen, intent.emotion.chosen, intent.accepted) == ("shrug", "negative", True)
    for task in TASKS:
        assert getattr(intent, task).probabilities == getattr(plain, task).probabilities


@pytest.mark.parametrize(
    "wrong",
    [
        {"duration": math.nan},
        {"words": ["a"] * 1000},
        {"words": ["a"], "word_starts": [math.nan]},
        {"utterance_id": "x" * 100_000},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_the_speaker_gets_wrong_is_counted_and_left_out(reader, wrong):
    plain = reader.answer(Speech(text="hello there"))
    intent = reader.answer(Speech(text="hello there", **wrong))
    assert intent.gesture == plain.gesture
    assert intent.emotion == plain.emotion
    assert (intent.estimated, intent.end) == (True, plain.end)
    assert reader.node.rejected == 1


def test_the_threshold_counts_from_the_moment_it_is_set(reader):
    text = String(data="Hello, nice to meet you!")
    for threshold, accepted in ((0.0, True), (1.0, False), (0.0, True)):
        reader.node.set_parameters([Parameter("confidence_threshold", value=threshold)])
        intent = reader.answer(text)
        check(intent)
        assert intent.accepted == accepted
        assert accepted or "1.00" in intent.reason


CLAUSES = [
    "Hello everybody, and welcome to the museum!",
    "My name is Pepper.",
    "The toilets are on your left.",
    "Unfortunately the café is closed today.",
]


def test_a_long_text_is_answered_clause_by_clause(reader):
    text = " ".join(CLAUSES)
    intents = reader.answers(String(data=text), len(CLAUSES))
    assert [intent.clause for intent in intents] == list(range(len(CLAUSES)))
    assert [intent.text[intent.span_start : intent.span_end] for intent in intents] == CLAUSES
    assert [intent.accepted for intent in intents] == [True, False, True, True]
    assert {intent.utterance_id for intent in intents} == {intents[0].utterance_id}
    assert all(intent.header.stamp == intents[0].header.stamp for intent in intents)
    starts = [intent.start for intent in intents]
    assert starts[0] == 0.0
    assert starts == sorted(set(starts))
    for intent in intents:
        check(intent)
        assert intent.text == text


def test_clauses_begin_with_their_words_and_all_have_the_emotion_asked_for(reader):
    words = " ".join(CLAUSES).split()
    given = Speech(
        text=" ".join(CLAUSES),
        words=words,
        word_starts=[0.25 * index for index in range(len(words))],
        emotion="negative",
    )
    intents = reader.answers(given, len(CLAUSES))
    assert [intent.start for intent in intents] == [0.25 * words.index(text.split()[0]) for text in CLAUSES]
    assert {intent.emotion.chosen for intent in intents} == {"negative"}
    given.gesture = "shrug"
    asked = reader.answer(given)
    assert (asked.gesture.chosen, asked.clause, asked.start) == ("shrug", 0, 0.0)
    assert asked.text[asked.span_start : asked.span_end] == given.text


@pytest.mark.parametrize(
    "wrong",
    [{"gesture": "salute"}, {"emotion": "bored"}, {"emotion": "\x01\U0001f600" * 1000}],
    ids=["gesture", "emotion", "hostile"],
)
def test_a_label_that_does_not_exist_gets_no_gesture_and_the_reason_reaches_the_speaker(reader, wrong):
    intent = reader.answer(Speech(text="Hello there!", **wrong))
    check(intent)
    assert not intent.accepted
    (label,) = wrong.values()
    assert repr(label[:10]).rstrip("'") in intent.reason
    assert "Known: " in intent.reason
    assert len(intent.reason) < 400
    assert reader.node.rejected == 1
    assert reader.answer(Speech(text="Hello there!")).accepted


def test_a_gesture_that_comes_too_soon_is_held_back_unless_it_was_asked_for(graph):
    reader = Reader(graph, cool_down=60.0)
    assert reader.answer(Speech(text="Hello there!", gesture="neutral")).accepted  # is no gesture
    assert reader.answer(String(data="Hello there!")).accepted
    held_back = reader.answer(String(data="Hello there!"))
    check(held_back)
    assert held_back.reason.startswith("cool-down: a gesture began ")
    asked = reader.answer(Speech(text="Hello there!", gesture="nod"))
    assert (asked.gesture.chosen, asked.accepted) == ("nod", True)
    reader.node.set_parameters([Parameter("cool_down", value=0.0)])
    assert reader.answer(String(data="Hello there!")).accepted


def test_no_clause_of_a_very_long_text_is_lost(reader):
    intents = reader.answers(String(data="Off we go! " * 400), 400)
    assert [intent.clause for intent in intents] == list(range(400))
