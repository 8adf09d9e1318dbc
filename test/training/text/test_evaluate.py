import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import confusion_matrix, f1_score, recall_score, roc_auc_score

from text2gesture_ros.errors import InputError
from text2gesture_ros.labels import GATE, GESTURES, TASKS
from text2gesture_ros.training.confusion import draw_confusion
from text2gesture_ros.training.text.corpora import ROOT_VARIABLE
from text2gesture_ros.training.text.evaluate import (
    auroc,
    calibration_error,
    evaluate,
    evaluate_corpora,
    gate,
    macro_f1,
    outliers_by_kind,
)
from text2gesture_ros.understanding.classifier import IntentClassifier
from text2gesture_ros.understanding.clauses import ClauseTimes
from text2gesture_ros.understanding.intent import Intent, Prediction

LINES = [
    {"text": "1", "subject": "greeting", "gesture": "wave", "gesture_ok": ["wave"], "emotion": "positive"},
    {"text": "2", "subject": "greeting", "gesture": "wave", "gesture_ok": ["wave", "nod"], "emotion": None},
    {"text": "3", "subject": None, "gesture": "nod", "gesture_ok": ["nod"], "emotion": None},
    {"text": "4", "subject": "", "gesture": None, "gesture_ok": ["nod", "neutral"], "emotion": None},
    {"text": "5", "subject": "", "gesture": "neutral", "gesture_ok": None, "emotion": None},
    {"text": "6", "gesture": "neutral", "gesture_ok": ["neutral", "nod"]},
    {"text": "7", "gesture": "neutral", "gesture_ok": ["neutral"]},
]
# What the double finds likeliest, and how sure it is.
CHOICES = {
    "1": ("wave", 0.9),
    "2": ("nod", 0.9),
    "3": ("wave", 0.9),
    "4": ("neutral", 0.9),
    "5": ("neutral", 0.9),
    "6": ("nod", 0.9),
    "7": ("yay", 0.3),
}


class Chooser(IntentClassifier):
    """Chooses gestures from a table; says "greeting" and "positive" to everything, and is 0.8 sure."""

    def __init__(self, speech=None):
        self.name = "chooser"
        self.speech = speech or {}
        self._heads = (*TASKS, GATE) if speech else tuple(TASKS)

    def classify(self, texts, confidence_threshold, speech_threshold=0.0):
        return [self._found(text, confidence_threshold, speech_threshold) for text in texts]

    def _found(self, text, confidence_threshold, speech_threshold):
        likeliest, sure = CHOICES.get(text, ("neutral", 0.9))
        intent = Intent(
            text=text,
            span=(0, len(text)),
            word=(0, len(text)),
            times=ClauseTimes(),
            speech=self.speech.get(text, 1.0),
            subject=prediction("subject", "greeting", 0.8),
            gesture=prediction("gesture", likeliest, sure),
            emotion=prediction("emotion", "positive", 0.8),
            accepted=likeliest != "neutral",
            reason="",
            model=self.name,
        )
        made = intent.speech >= speech_threshold and sure >= confidence_threshold
        return intent if made else intent.held_back("unsure")


def prediction(task, label, sure):
    names = TASKS[task]
    rest = (1.0 - sure) / (len(names) - 1)
    return Prediction(names, np.array([sure if name == label else rest for name in names]), label)


def write(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def figures(found):
    return {key: value for key, value in found.items() if not isinstance(value, dict)}


def test_worked_out_by_hand(tmp_path):
    found = evaluate(Chooser(), write(tmp_path / "a.jsonl", LINES))
    # wave: 1 hit, 2 labelled, 2 chosen. nod: no hit. neutral: 1 hit, 3 labelled, 1 chosen. yay: chosen once.
    assert figures(found["gesture"]) == {
        "accuracy": 2 / 6,
        "macro_f1": pytest.approx((2 / 4 + 0 + 2 / 4 + 0) / 4),
        "n": 6,
        "not_scored": 1,
        "accuracy_ok": 4 / 6,  # lines 1, 2, 4, 6 of all but 5
        "n_ok": 6,
        "false_gesture_rate": 1 / 3,  # 7 of the plain 5, 6, 7
        "n_plain": 3,
        "false_gesture_rate_all": 2 / 7,  # 3 and 7
        "ece": pytest.approx((5 * 0.9 - 2 + 0.3) / 6),  # the bin of 0.9 and that of 0.3
    }
    assert found["gesture"]["recall"]["wave"] == {"recall": 1 / 2, "n": 2}
    assert found["gesture"]["recall_ok"]["wave"] == {"recall": 1.0, "n": 2}
    assert found["gesture"]["recall_ok"]["neutral"] == {"recall": 2 / 3, "n": 3}
    assert found["gesture"]["confusion"]["neutral"] == {"nod": 1, "yay": 1, "neutral": 1}
    assert found["gesture"]["confusion_ok"]["neutral"] == {"yay": 1, "neutral": 2}
    assert figures(found["subject"]) == {
        "accuracy": 1.0,
        "macro_f1": 1.0,
        "n": 2,
        "not_scored": 5,
        "ece": pytest.approx(0.2),
    }
    assert (found["lines"], found["left_out"], found["gate"]) == (7, 0, None)


def test_what_is_performed_is_what_reaches_the_thresholds(tmp_path):
    path = write(tmp_path / "a.jsonl", LINES)
    found = evaluate(Chooser(), path)
    performed = found["performed"]  # all but the unsure yay
    assert performed["confidence_threshold"] == 0.4
    assert (performed["accuracy"], performed["accuracy_ok"]) == (3 / 6, 5 / 6)
    assert (performed["false_gesture_rate"], performed["false_gesture_rate_all"]) == (0.0, 1 / 7)
    everything = evaluate(Chooser(), path, confidence_threshold=0.0, speech_threshold=0.0)
    bare = {**everything["gesture"]}
    bare.pop("ece")
    assert everything["performed"] == {"confidence_threshold": 0.0, "speech_threshold": 0.0, **bare}
    assert everything["gesture"] == found["gesture"]
    deaf = evaluate(Chooser({"3": 0.1}), path, speech_threshold=0.5)
    assert deaf["performed"]["false_gesture_rate_all"] == 0.0
    assert deaf["gesture"] == found["gesture"]


def test_a_task_without_labels_has_no_score(tmp_path):
    found = evaluate(Chooser(), write(tmp_path / "a.jsonl", [{"text": "1", "gesture": "nod"}]))
    assert found["subject"] == {
        **{"accuracy": None, "macro_f1": None, "n": 0, "not_scored": 1, "ece": None},
        **{"recall": {}, "confusion": {}},
    }
    assert found["gesture"]["accuracy"] == 0.0
    assert found["gesture"]["false_gesture_rate"] is None  # no plain line


def test_only_the_asked_split_counts(tmp_path):
    lines = [{**line, "split": "test" if number else "train"} for number, line in enumerate(LINES)]
    path = write(tmp_path / "a.jsonl", lines)
    found = evaluate(Chooser(), path)
    assert (found["gesture"]["n"], found["lines"], found["left_out"]) == (5, 6, 1)
    assert evaluate(Chooser(), path, split="train")["gesture"]["n"] == 1
    with pytest.raises(InputError, match=r"no line of split 'dev'\. Known: test, train; .* --split"):
        evaluate(Chooser(), path, split="dev")


def test_an_empty_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="no line"):
        evaluate(Chooser(), write(tmp_path / "a.jsonl", []))


def test_counts_are_those_of_scikit_learn(tmp_path):
    generator = np.random.default_rng(1)
    names = GESTURES[:4]
    rows = [(str(number), generator.choice(names)) for number in range(1, 8) for _ in range(20)]
    lines = [{"text": text, "gesture": str(label)} for text, label in rows]
    found = evaluate(Chooser(), write(tmp_path / "a.jsonl", lines))["gesture"]
    labels, choices = [label for _, label in rows], [CHOICES[text][0] for text, _ in rows]
    recalls = recall_score(labels, choices, labels=names, average=None)
    assert [found["recall"][name]["recall"] for name in names] == pytest.approx(list(recalls))
    counts = [[found["confusion"][row].get(name, 0) for name in GESTURES] for row in names]
    assert counts == confusion_matrix(labels, choices, labels=GESTURES)[: len(names)].tolist()


def test_macro_f1_is_that_of_scikit_learn():
    pairs = [("a", "a"), ("a", "b"), ("b", "b"), ("c", "a"), ("c", "d"), ("b", "b")]
    labels, choices = zip(*pairs, strict=True)
    assert macro_f1(pairs) == pytest.approx(f1_score(labels, choices, average="macro", zero_division=0))


def test_calibration_error_is_the_gap_of_each_bin_weighted_by_its_lines():
    assert calibration_error([1.0, 1.0], [True, True]) == 0.0
    assert calibration_error([1.0, 1.0], [True, False]) == 0.5
    # 9/15 belongs to the bin below 0.6, 0.61 to the one above: their errors do not cancel.
    assert calibration_error([0.6, 0.61], [True, False]) == pytest.approx((0.4 + 0.61) / 2)
    assert calibration_error([0.61, 0.62], [True, False]) == pytest.approx(abs(0.61 + 0.62 - 1) / 2)


def test_auroc_is_that_of_scikit_learn_and_ties_count_half():
    generator = np.random.default_rng(2)
    high, low = generator.integers(2, 9, 40) / 10, generator.integers(0, 7, 30) / 10
    truth = [1] * len(high) + [0] * len(low)
    assert auroc(high, low) == pytest.approx(roc_auc_score(truth, [*high, *low]))
    assert auroc([0.5], [0.5]) == 0.5


def test_the_gate_counts_what_it_rejects_on_both_sides():
    speech = {"1": 0.9, "3": 0.4, "x = 1": 0.1, "bonjour": 0.2, "7": 0.6, "hola": 0.3}
    classifier = Chooser(speech)
    intents = classifier.classify(["1", "2", "3", "5"], 0.0, 0.5)
    outliers = [("x = 1", "code"), ("bonjour", "languages"), ("hola", "languages"), ("7", "numbers")]
    assert gate(classifier, intents, 0.0, 0.5, outliers) == {
        "speech_threshold": 0.5,
        "utterances_rejected": 1 / 4,
        "n_utterances": 4,
        "outliers_rejected": 3 / 4,
        "n_outliers": 4,
        "auroc": 15 / 16,  # only 3 is below 7
        "outliers_performed": 1 / 4,
        "kinds": {
            "languages": {"rejected": 1.0, "n": 2},
            "code": {"rejected": 1.0, "n": 1},
            "numbers": {"rejected": 0.0, "n": 1},
        },
    }


def test_a_gate_is_measured_however_sure_it_is():
    classifier = Chooser({"bonjour": 0.0})
    intents = classifier.classify(["1", "2"], 0.0, 0.5)
    assert gate(classifier, intents, 0.0, 0.5, [("bonjour", "languages")])["auroc"] == 1.0
    assert gate(Chooser(), intents, 0.0, 0.5, [("bonjour", "languages")]) is None


def test_outliers_that_ship_come_in_six_groups_and_two_splits():
    names = {"languages", "code", "numbers", "random", "markup", "wordsalad"}
    for split in ("train", "test"):
        assert {kind for _, kind in outliers_by_kind(split)} == names
    assert not {text for text, _ in outliers_by_kind("train")} & {text for text, _ in outliers_by_kind()}


def test_wrong_outliers_are_one_clear_line(tmp_path):
    path = tmp_path / "o.csv"
    for text, message in (
        ("text,kind\n1,random\n", "no line of split 'test'"),
        ("text,kind,split\n", "no line"),
        ("text,kind,split\n1,random,test\n2,,test\n", r"o\.csv:3: needs the field kind"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            outliers_by_kind(path=path)
    with pytest.raises(InputError, match="cannot be read"):
        outliers_by_kind(path=tmp_path / "missing.csv")


def test_corpora_are_measured_apart_and_together(tmp_path, monkeypatch):
    monkeypatch.delenv(ROOT_VARIABLE, raising=False)
    entry = "{{format: utterances, source: me, licence: mine, validation: {}.jsonl}}"
    table = tmp_path / "corpora.yaml"
    table.write_text("root: .\ncorpora:\n" + "".join(f"  {name}: {entry.format(name)}\n" for name in "ab"))
    write(tmp_path / "a.jsonl", LINES[:3])
    write(tmp_path / "b.jsonl", LINES[3:])
    found = evaluate_corpora(Chooser(), table)
    assert {name: part["lines"] for name, part in found["corpora"].items()} == {"a": 3, "b": 4}
    assert found["corpora"]["a"]["gesture"]["accuracy"] == 1 / 3
    whole = evaluate(Chooser(), write(tmp_path / "c.jsonl", LINES))
    whole.pop("left_out")
    assert found["together"] == whole
    with pytest.raises(InputError, match="no corpus has the part 'train'"):
        evaluate_corpora(Chooser(), table, "train")


@pytest.mark.parametrize("lines", [LINES, [{"text": "1", "gesture": "nod"}]])
def test_the_picture_is_a_picture(tmp_path: Path, lines):
    found = evaluate(Chooser(), write(tmp_path / "a.jsonl", lines))
    draw_confusion(tmp_path / "a.png", found, "a.jsonl")
    with Image.open(tmp_path / "a.png") as image:
        assert image.format == "PNG"
        assert min(image.size) > 500
        blues = np.asarray(image.convert("RGB"), np.int16)
        assert (blues[..., 2] - blues[..., 0] > 60).any()  # a cell is coloured
