import json
from types import SimpleNamespace

import pytest
from sklearn.metrics import f1_score

from text2gesture_ros.errors import InputError
from text2gesture_ros.training.evaluate_text import evaluate, macro_f1

LINES = [
    {"text": "1", "subject": "greeting", "gesture": "wave", "gesture_ok": ["wave"], "emotion": "positive"},
    {"text": "2", "subject": "greeting", "gesture": "wave", "gesture_ok": ["wave", "nod"], "emotion": None},
    {"text": "3", "subject": None, "gesture": "nod", "gesture_ok": ["nod"], "emotion": None},
    {"text": "4", "subject": "", "gesture": None, "gesture_ok": ["nod", "neutral"], "emotion": None},
    {"text": "5", "subject": "", "gesture": "neutral", "gesture_ok": None, "emotion": None},
]
CHOICES = {"1": "wave", "2": "nod", "3": "wave", "4": "neutral", "5": "neutral"}


class Chooser:
    """Chooses from a table; says "greeting" and "positive" to everything."""

    def classify(self, texts, confidence_threshold):
        return [
            SimpleNamespace(
                subject=SimpleNamespace(chosen="greeting"),
                gesture=SimpleNamespace(chosen=CHOICES[text]),
                emotion=SimpleNamespace(chosen="positive"),
            )
            for text in texts
        ]


def write(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_worked_out_by_hand(tmp_path):
    result = evaluate(Chooser(), write(tmp_path / "a.jsonl", LINES))
    # wave: 1 hit, 2 labelled, 2 chosen: 1/2. nod: no hit. neutral: 1 hit, 1 labelled, 1 chosen: 1.
    assert result["gesture"] == {
        "accuracy": 2 / 4,
        "macro_f1": pytest.approx((1 / 2 + 0 + 1) / 3),
        "n": 4,
        "n_ok": 4,
        "accuracy_ok": 3 / 4,
        "false_gesture_rate": 1 / 4,
    }
    assert result["subject"] == {"accuracy": 1.0, "macro_f1": 1.0, "n": 2}
    assert result["emotion"] == {"accuracy": 1.0, "macro_f1": 1.0, "n": 1}


def test_a_task_without_labels_has_no_score(tmp_path):
    result = evaluate(Chooser(), write(tmp_path / "a.jsonl", [{"text": "1", "gesture": "nod"}]))
    assert result["subject"] == {"accuracy": None, "macro_f1": None, "n": 0}
    assert result["gesture"]["accuracy"] == 0.0


def test_only_the_asked_split_counts(tmp_path):
    path = write(
        tmp_path / "a.jsonl", [{**line, "split": "test" if n else "train"} for n, line in enumerate(LINES)]
    )
    assert evaluate(Chooser(), path)["gesture"]["n"] == 3
    assert evaluate(Chooser(), path, split="train")["gesture"]["n"] == 1
    with pytest.raises(InputError, match=r"no line of split 'dev'\. Known: test, train"):
        evaluate(Chooser(), path, split="dev")


def test_an_empty_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="no line"):
        evaluate(Chooser(), write(tmp_path / "a.jsonl", []))


def test_macro_f1_is_that_of_scikit_learn():
    pairs = [("a", "a"), ("a", "b"), ("b", "b"), ("c", "a"), ("c", "d"), ("b", "b")]
    labels, choices = zip(*pairs, strict=True)
    assert macro_f1(pairs) == pytest.approx(f1_score(labels, choices, average="macro", zero_division=0))
