"""Laws of the hand-written utterances (data/utterances.csv)."""

import csv
import re
from collections import Counter
from pathlib import Path

import pytest

from text2gesture_ros.labels import EMOTIONS, GESTURES, SUBJECTS, TASKS, check_label

FILE = Path(__file__).parents[1] / "data" / "utterances.csv"
COLUMNS = ["text", "subject", "gesture", "emotion", "split"]
SPLITS = ("train", "test")

Row = dict[str, str]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    with FILE.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        assert reader.fieldnames == COLUMNS
        return list(reader)


def words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9']+", text.lower()))


def overlap(a: frozenset[str], b: frozenset[str]) -> float:
    """Jaccard index of two sets of words."""
    return len(a & b) / len(a | b)


def test_every_row_is_complete_and_its_labels_are_known(rows: list[Row]) -> None:
    for row in rows:
        assert row["text"] == row["text"].strip()
        assert words(row["text"]), row
        assert row["split"] in SPLITS, row
        for task in TASKS:
            check_label(task, row[task])


def test_there_are_enough_lines_of_everything(rows: list[Row]) -> None:
    assert len(rows) >= 1200
    gestures = Counter(row["gesture"] for row in rows)
    subjects = Counter(row["subject"] for row in rows)
    assert min(gestures[gesture] for gesture in GESTURES) >= 60
    assert min(subjects[subject] for subject in SUBJECTS) >= 40
    assert gestures["neutral"] >= 250, "real talk is mostly plain"


def test_both_splits_hold_every_label(rows: list[Row]) -> None:
    for split in SPLITS:
        part = [row for row in rows if row["split"] == split]
        gestures = Counter(row["gesture"] for row in part)
        assert min(gestures[gesture] for gesture in GESTURES) >= 12
        assert {row["subject"] for row in part} == set(SUBJECTS)
        assert {row["emotion"] for row in part} == set(EMOTIONS)
    held_out = sum(row["split"] == "test" for row in rows) / len(rows)
    assert 0.15 <= held_out <= 0.25


def test_no_line_nearly_repeats_another_of_its_split(rows: list[Row]) -> None:
    for split in SPLITS:
        lines = [(words(row["text"]), row["text"]) for row in rows if row["split"] == split]
        for i, (a, text) in enumerate(lines):
            for b, other in lines[:i]:
                assert overlap(a, b) <= 0.8, (text, other)


def test_no_test_line_leans_on_a_train_line(rows: list[Row]) -> None:
    train = [(words(row["text"]), row["text"]) for row in rows if row["split"] == "train"]
    for row in rows:
        if row["split"] == "test":
            a = words(row["text"])
            for b, text in train:
                assert overlap(a, b) <= 0.6, (row["text"], text)


def test_the_gesture_does_not_follow_from_the_subject(rows: list[Row]) -> None:
    """Most subjects occur with several gestures, so a model has to read the sentence."""
    pairs = Counter((row["subject"], row["gesture"]) for row in rows)
    kinds = Counter(subject for (subject, _), count in pairs.items() if count >= 3)
    assert sum(kinds[subject] >= 3 for subject in SUBJECTS) >= 12


def test_no_first_word_dominates(rows: list[Row]) -> None:
    first = Counter(row["text"].split()[0].strip(",.!?").lower() for row in rows)
    assert first.most_common(1)[0][1] <= 0.12 * len(rows)
