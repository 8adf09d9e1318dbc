import json
import shutil
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch

from text2gesture_ros.errors import ConfigurationError, InputError, ModelError
from text2gesture_ros.labels import GATE, HEADS, TASKS
from text2gesture_ros.model_directory import INT8_GRAPH, open_model
from text2gesture_ros.parameters import IntentClassifierParameters
from text2gesture_ros.understanding.classifier import (
    MAX_CHARACTERS,
    IntentClassifier,
    TextReader,
    clean_text,
)
from text2gesture_ros.understanding.intent import has_words
from text2gesture_ros.understanding.intent_network import from_config
from text2gesture_ros.understanding.interpreter import Interpreter
from text2gesture_ros.understanding.markup import read_markup
from text2gesture_ros.understanding.utterance import Utterance

TALK = [
    "Hello there, nice to see you!",
    "No.",
    "The kitchen is on the second floor, right behind the big meeting room with the blue door.",
    "I have no idea",
    "Well done, that was a great piece of work! " * 5,
]
HOSTILE = [
    "\x00\x01\x1b[31m hello \x7f",
    "lone surrogate \ud800 here",
    "\udfff",
    "a" * 100_000,
    "word " * 20_000,
    "😀" * 1000,
    "😀 great 👍🏽",
    "你好 很高兴见到你",
    "مرحبا بك",
    "Здравствуйте!",
    "e" + "\u0301" * 5000,
    "\u202eright to left\u202c",
    "\u200b\u200d\ufeff",
    "line\r\nbreak\u2028\ttab",
    "<unk> [CLS] [SEP] [MASK] [PAD]",
    "%s {0} $(rm) '; --",
]


@pytest.fixture(scope="module")
def gated():
    """Return a classifier whose gate knows no better than to like an even sum of token numbers."""
    directory = open_model("intent", "intent")
    session, names = directory.session(INT8_GRAPH), list(TASKS)
    temperature = directory.config["temperature"].get(GATE, 1.0)

    def run(tokens, mask):
        odd = (tokens * mask).sum(axis=1) % 2
        logits = session.run(names, {"tokens": tokens, "mask": mask})
        return [*logits, np.stack([odd, 1 - odd], axis=1) * 2.0 * temperature]

    return IntentClassifier(device="cpu", engine=run)


def probabilities(intent):
    return np.concatenate([getattr(intent, task).probabilities for task in TASKS])


def test_labels_and_probabilities(classifier):
    for intent in classifier.classify(TALK + HOSTILE, 0.5):
        for task, labels in TASKS.items():
            prediction = getattr(intent, task)
            assert prediction.labels == labels
            assert prediction.chosen in labels
            assert prediction.probabilities.shape == (len(labels),)
            assert (prediction.probabilities >= 0).all()
            assert prediction.probabilities.sum() == pytest.approx(1.0)
        assert intent.accepted == (intent.reason == "")
        assert intent.accepted == (intent.gesture.chosen != "neutral")
        assert intent.model == classifier.name


def test_many_at_once_are_as_one_by_one(classifier):
    texts = (TALK + HOSTILE) * 2
    together = classifier.classify(texts, 0.3)
    for text, intent in zip(texts, together, strict=True):
        (alone,) = classifier.classify([text], 0.3)
        np.testing.assert_allclose(probabilities(intent), probabilities(alone), atol=1e-5)
        assert intent.text == alone.text == read_markup(clean_text(text)).text
    assert classifier.classify([], 0.3) == []


def test_everything_is_neutral_above_the_highest_probability(classifier):
    for intent in classifier.classify(TALK, 1.0):
        assert not intent.accepted
        assert intent.gesture.chosen == "neutral"
        assert intent.reason == "neutral" or intent.reason.endswith("below confidence threshold 1.00")


def test_threshold_zero_takes_the_most_probable(classifier):
    for intent in classifier.classify(TALK, 0.0):
        best = intent.gesture.labels[int(intent.gesture.probabilities.argmax())]
        assert intent.gesture.chosen == best
        assert intent.reason in ("", "neutral")


def test_raising_the_threshold_only_takes_gestures_away(classifier):
    accepted = [
        {intent.text for intent in classifier.classify(TALK, threshold) if intent.accepted}
        for threshold in np.linspace(0, 1, 11)
    ]
    for lower, higher in pairwise(accepted):
        assert higher <= lower


def test_a_rejected_gesture_is_named_with_its_probability(classifier):
    (sure,) = classifier.classify([TALK[0]], 0.0)
    assert sure.accepted
    (intent,) = classifier.classify([TALK[0]], 1.0)
    name, probability = sure.gesture.chosen, int(100 * sure.gesture.probabilities.max()) / 100
    assert intent.reason == f"gesture {name!r} {probability:.2f} below confidence threshold 1.00"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty text"),
        (" \t\n\u3000", "empty text"),
        ("...!?", "no words"),
        ("😀", "no words"),
        ("\udfff", "no words"),
    ],
)
def test_nothing_said_is_neutral(classifier, text, reason):
    (intent,) = classifier.classify([text], 0.0)
    assert (intent.accepted, intent.reason, intent.gesture.chosen) == (False, reason, "neutral")
    assert intent.text[slice(*intent.span)] == intent.text.strip()


def test_span_frames_the_words(classifier):
    (intent,) = classifier.classify(["  Hello there. \n"], 0.0)
    assert intent.text[slice(*intent.span)] == "Hello there."


def test_text_read_is_cut_and_can_be_encoded(classifier):
    for intent in classifier.classify(HOSTILE, 0.0):
        assert len(intent.text) <= MAX_CHARACTERS
        intent.text.encode("utf-8")


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_threshold_out_of_range(classifier, threshold):
    with pytest.raises(InputError, match=r"^confidence_threshold must be in \[0, 1\]"):
        classifier.classify(TALK, threshold)
    with pytest.raises(InputError, match=r"^speech_threshold must be in \[0, 1\]"):
        classifier.classify(TALK, 0.5, threshold)


def test_a_model_without_gate_takes_every_word_for_speech(ungated):
    for intent in ungated.classify(TALK + HOSTILE, 0.0, 1.0):
        assert intent.speech == float(has_words(intent.text))
        assert "speech" not in intent.reason


def test_the_gate_turns_away_what_is_no_speech_and_nothing_else(ungated, gated):
    plain = ungated.classify(TALK + HOSTILE, 0.3)
    likely, unlikely = 1.0 / (1.0 + np.exp([-2.0, 2.0]))
    turned_away = 0
    for before, after in zip(plain, gated.classify(TALK + HOSTILE, 0.3, 0.5), strict=True):
        np.testing.assert_allclose(probabilities(after), probabilities(before), atol=1e-5)
        if not has_words(after.text):
            assert (after.speech, after.reason) == (0.0, before.reason)
        elif after.speech < 0.5:
            turned_away += 1
            assert after.speech == pytest.approx(unlikely)
            assert (after.accepted, after.gesture.chosen) == (False, "neutral")
            assert after.reason == "not English speech (0.11 below speech_threshold 0.50)"
        else:
            assert after.speech == pytest.approx(likely)
            assert (after.accepted, after.reason) == (before.accepted, before.reason)
    assert 0 < turned_away < len(plain)
    assert all(intent.accepted or intent.reason == "neutral" for intent in gated.classify(TALK, 0.0, 0.0))


TURN = (
    "  Hello everybody, and welcome to the museum! My name is Pepper. The toilets are on your left. We have "
    "three floors full of paintings. Unfortunately the café is closed today, but the garden is open.\n"
)


@pytest.mark.parametrize("clause_words", [3, 12, 1000])
def test_clauses_are_read_as_if_each_stood_alone(gated, clause_words):
    given = IntentClassifierParameters(clause_words=clause_words)
    intents = gated.read(Utterance(TURN), given)
    assert (len(intents) == 1) == (clause_words == 1000)
    assert " ".join(TURN[slice(*intent.span)] for intent in intents) == TURN.strip()
    for intent in intents:
        assert intent.text == TURN
        (alone,) = gated.classify(
            [TURN[slice(*intent.span)]], given.confidence_threshold, given.speech_threshold
        )
        np.testing.assert_allclose(probabilities(intent), probabilities(alone), atol=1e-5)
        for name in ("speech", "accepted", "reason"):
            assert getattr(intent, name) == getattr(alone, name)


def test_a_short_text_is_read_as_a_whole(classifier):
    given = IntentClassifierParameters(confidence_threshold=0.3)
    for text in ("", " \n", "...", "Hello! My name is Pepper.", *TALK[:2]):
        (read,), (classified,) = (
            classifier.read(Utterance(text), given),
            classifier.classify([text], 0.3, 0.5),
        )
        assert (read.span, read.times.start, read.reason) == (classified.span, 0.0, classified.reason)
        np.testing.assert_array_equal(probabilities(read), probabilities(classified))


def test_clauses_begin_when_their_words_do(classifier):
    words = TURN.split()
    starts = [0.4 * index for index in range(len(words))]
    given = IntentClassifierParameters()
    for intent in classifier.read(Utterance(TURN, words=words, word_starts=starts), given):
        assert intent.times.start == pytest.approx(0.4 * len(TURN[: intent.span[0]].split()))
    told = [Utterance(TURN, duration=duration) for duration in (5.0, 10.0)]
    ends = [classifier.read(utterance, given)[-1].times.start for utterance in told]
    assert ends[1] == pytest.approx(2.0 * ends[0])
    assert 0.0 < ends[0] < 5.0


def test_a_thousand_texts_of_anything_are_read():
    def engine(tokens, _):  # what the network makes of them is not the point
        return [np.zeros((len(tokens), len(HEADS[head]))) for head in HEADS]

    quick = IntentClassifier(device="cpu", engine=engine)
    generator = np.random.default_rng(0)
    pieces = [
        *HOSTILE[0:3],
        *HOSTILE[6:],
        *TURN.split(" "),
        ". ",
        "!",
        "\n",
        "; ",
        ", and ",
        "\u2014",
        "3.5",
        "Mr.",
    ]
    for _ in range(1000):
        text = "".join(generator.choice(pieces, generator.integers(0, 40)))
        given = IntentClassifierParameters(clause_words=int(generator.integers(3, 20)))
        spoken = text.split()[:: int(generator.integers(1, 4))]
        starts = np.cumsum(generator.random(len(spoken))).tolist()
        intents = Interpreter(quick).interpret(Utterance(text, words=spoken, word_starts=starts), given)
        assert intents
        for intent in intents:
            assert 0 <= intent.span[0] <= intent.span[1] <= len(intent.text)
            assert 0.0 <= intent.times.start <= max(starts, default=0.0)
            assert intent.accepted == (intent.reason == "")


def test_the_model_that_ships_gestures_at_talk_alone(classifier):
    talk = classifier.classify(TALK, 0.0, 0.5)
    assert all(intent.speech > 0.5 for intent in talk)
    for text in (
        "Wo ist denn hier der Bahnhof?",
        "SELECT name FROM users;",
        "qwpoeiru zxmcnb",
        "B4 7F 22 0x1A",
    ):
        (intent,) = classifier.classify([text], 0.0, 0.5)
        assert (intent.accepted, intent.gesture.chosen) == (False, "neutral"), text


@pytest.mark.parametrize("text", ["hm", "Hm.", "hmmm...", "um", "uh, um", "Er...", "ehm", "Uhm?"])
def test_a_sound_of_thinking_is_no_nod(classifier, text):
    (intent,) = classifier.classify([text], 0.0)
    assert (intent.accepted, intent.gesture.chosen) == (False, "neutral")


def test_a_sound_of_agreement_is_one(classifier):
    for intent in classifier.classify(["Mhm.", "mm-hmm", "uh-huh", "Hm, yes."], 0.4):
        assert (intent.accepted, intent.gesture.chosen) == (True, "nod"), intent.text


def test_whatever_is_read_in_clauses_has_at_least_one(classifier):
    given = IntentClassifierParameters(clause_words=3)
    for text in HOSTILE:
        intents = classifier.read(Utterance(text[:2000]), given)
        assert intents
        assert {intent.text for intent in intents} == {read_markup(clean_text(text[:2000])).text}


def test_torch_and_onnxruntime_agree():
    directory = open_model("intent", "intent")
    network = from_config(directory.config, directory.weights())
    session = directory.session()
    read = TextReader(directory.path / "tokenizer.json")
    for texts in (TALK[:1], TALK, [clean_text(HOSTILE[0]), clean_text(HOSTILE[4])]):
        tokens, mask = read(texts)
        with torch.inference_mode():
            expected = network(torch.from_numpy(tokens), torch.from_numpy(mask))
        actual = session.run(list(directory.config["labels"]), {"tokens": tokens, "mask": mask})
        for ours, theirs in zip(actual, expected, strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-3)


def test_no_torch_is_loaded_on_the_processor():
    program = (
        "import sys\n"
        "from text2gesture_ros.understanding.classifier import IntentClassifier\n"
        "IntentClassifier(device='cpu').classify(['Hello!'], 0.5)\n"
        "print(sorted({'torch', 'transformers', 'onnx', 'rclpy'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_unknown_device_and_model():
    with pytest.raises(ConfigurationError, match="auto, cpu, cuda"):
        IntentClassifier(device="tpu")
    with pytest.raises(ModelError, match="no model 'nothing'"):
        IntentClassifier("nothing")


def test_incomplete_directories_say_what_is_wrong(tmp_path):
    source = open_model("intent", "intent").path
    for name in ("config.json", "graph.onnx", "weights.safetensors"):
        shutil.copy(source / name, tmp_path)
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        IntentClassifier(str(tmp_path), device="cpu")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match=r"tokenizer\.json: not a tokenizer"):
        IntentClassifier(str(tmp_path), device="cpu")
    tokenizer = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer | {"truncation": None}))
    with pytest.raises(ModelError, match="no truncation"):
        IntentClassifier(str(tmp_path), device="cpu")
    shutil.copy(source / "tokenizer.json", tmp_path)
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "config.json").write_text(json.dumps(config | {"temperature": {"gesture": 0}}))
    with pytest.raises(ModelError, match="'temperature' must be above 0"):
        IntentClassifier(str(tmp_path), device="cpu")
    labels = config["labels"] | {"speech": ["yes", "no"]}
    (tmp_path / "config.json").write_text(json.dumps(config | {"labels": labels}))
    with pytest.raises(ModelError, match="'labels' must name under 'speech' in this order: no, yes"):
        IntentClassifier(str(tmp_path), device="cpu")
