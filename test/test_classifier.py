import json
import shutil
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch

from text2gesture_ros.checkpoints import open_model
from text2gesture_ros.classifier import MAX_CHARACTERS, IntentClassifier, TextReader, clean_text, softmax
from text2gesture_ros.errors import ConfigurationError, InputError, ModelError
from text2gesture_ros.intent_network import from_config
from text2gesture_ros.labels import TASKS

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
def classifier():
    return IntentClassifier(device="cpu")


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
        assert intent.text == alone.text == clean_text(text)
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
    with pytest.raises(InputError, match=r"must be in \[0, 1\]"):
        classifier.classify(TALK, threshold)


def test_torch_and_onnxruntime_agree():
    directory = open_model("intent", "intent")
    network = from_config(directory.config, directory.weights())
    session = directory.session()
    read = TextReader(directory.path / "tokenizer.json")
    for texts in (TALK[:1], TALK, [clean_text(HOSTILE[0]), clean_text(HOSTILE[4])]):
        tokens, mask = read(texts)
        with torch.inference_mode():
            expected = network(torch.from_numpy(tokens), torch.from_numpy(mask))
        actual = session.run(list(TASKS), {"tokens": tokens, "mask": mask})
        for ours, theirs in zip(actual, expected, strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-3)


def test_no_torch_is_loaded_on_the_processor():
    program = (
        "import sys\n"
        "from text2gesture_ros.classifier import IntentClassifier\n"
        "IntentClassifier(device='cpu').classify(['Hello!'], 0.5)\n"
        "print(sorted({'torch', 'transformers', 'onnx', 'rclpy'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_softmax_survives_large_numbers():
    np.testing.assert_allclose(softmax(np.array([1e30, 0.0])), [1.0, 0.0])
    np.testing.assert_allclose(softmax(np.array([2.0, 0.0]), 2.0), softmax(np.array([1.0, 0.0])))


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
