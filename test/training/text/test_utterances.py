"""Laws of the hand-written utterances (data/utterances.csv)."""

import csv
import hashlib
import json
import random
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from text2gesture_ros.labels import EMOTIONS, GESTURES, SUBJECTS, TASKS, check_label
from text2gesture_ros.training.text.report import TOO_NEAR, embed, likeness
from text2gesture_ros.training.text.utterances import read_utterances

FILE = Path(__file__).parents[3] / "data" / "utterances.csv"
REPORT = FILE.with_name("utterances_report.json")
COLUMNS = ["text", *TASKS, "split", *(f"{task}_ok" for task in TASKS)]
SPLITS = {"train": 1050, "test": 259}  # the paper's counts are the least

Row = dict[str, str]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    with FILE.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        assert reader.fieldnames == COLUMNS
        return list(reader)


def words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9']+", text.lower()))


def overlaps(rows: list[Row], others: list[Row]) -> np.ndarray:
    """Return the Jaccard index of the sets of words of each pair, (N, M)."""
    number: dict[str, int] = {}
    for row in (*rows, *others):
        for word in sorted(words(row["text"])):
            number.setdefault(word, len(number))

    def table(lines: list[Row]) -> csr_array:
        found = [[number[word] for word in words(row["text"])] for row in lines]
        ends = np.cumsum([0, *map(len, found)])
        columns = [index for line in found for index in line]
        return csr_array((np.ones(len(columns)), columns, ends), shape=(len(lines), len(number)))

    first, second = table(rows), table(others)
    both = (first @ second.T).toarray()
    sizes = first.sum(axis=1)[:, None] + second.sum(axis=1)[None]
    return both / (sizes - both)


def test_every_row_is_complete_and_its_labels_are_known(rows: list[Row]) -> None:
    for row in rows:
        assert row["text"] == row["text"].strip()
        assert words(row["text"]), row
        assert row["split"] in SPLITS, row
        for task in TASKS:
            check_label(task, row[task])


def test_there_are_enough_lines_of_everything(rows: list[Row]) -> None:
    assert len(rows) >= 4000
    gestures = Counter(row["gesture"] for row in rows)
    subjects = Counter(row["subject"] for row in rows)
    assert {gesture: gestures[gesture] for gesture in GESTURES if gestures[gesture] < 200} == {}
    assert {subject: subjects[subject] for subject in SUBJECTS if subjects[subject] < 150} == {}
    assert gestures.most_common(1)[0][0] == "neutral", "real talk is mostly plain"


def test_both_splits_hold_every_label(rows: list[Row]) -> None:
    for split, least in SPLITS.items():
        part = [row for row in rows if row["split"] == split]
        assert len(part) >= least
        gestures = Counter(row["gesture"] for row in part)
        assert min(gestures[gesture] for gesture in GESTURES) >= 20
        subjects = Counter(row["subject"] for row in part)
        assert min(subjects[subject] for subject in SUBJECTS) >= 12
        assert {row["emotion"] for row in part} == set(EMOTIONS)
    held_out = sum(row["split"] == "test" for row in rows) / len(rows)
    assert 0.1 <= held_out <= 0.25


def test_no_two_lines_say_the_same_and_the_test_lines_stand_apart() -> None:
    """Cosines stay below 0.9, and test lines are farther from the train lines than those from one another.

    The language model takes half a minute for all lines: the report that `text2gesture evaluate data` made of
    this very file is kept, and a part of it is measured again.
    """
    found = json.loads(REPORT.read_text(encoding="utf-8"))
    assert found["sha256"] == hashlib.sha256(FILE.read_bytes()).hexdigest(), (
        f"run text2gesture evaluate data --output {REPORT.name} in {REPORT.parent}"
    )
    alike = found["likeness"]
    assert alike["too_near"] == [], f"at least {TOO_NEAR} alike"
    test, train = (alike[f"nearest_train_line_of_{split}"] for split in ("test", "train"))
    assert test["mean"] < train["mean"]
    utterances = read_utterances(FILE)
    texts = {line.text for line in utterances}
    nearest = [line for line in utterances if line.text in alike["nearest"]["texts"]]
    assert set(alike["nearest"]["texts"]) <= texts
    part = [*nearest, *random.Random(found["sha256"]).sample(utterances, 200)]
    again = likeness(part, embed([line.text for line in part]))
    assert again["nearest"]["cosine"] == pytest.approx(alike["nearest"]["cosine"], abs=1e-3)


def test_no_test_line_leans_on_a_train_line(rows: list[Row]) -> None:
    train, test = ([row for row in rows if row["split"] == split] for split in SPLITS)
    leaning = np.argwhere(overlaps(test, train) > 0.6).tolist()
    assert [(test[line]["text"], train[other]["text"]) for line, other in leaning] == []


def test_no_line_repeats_the_words_of_another(rows: list[Row]) -> None:
    repeated = np.argwhere(np.triu(overlaps(rows, rows), 1) > 0.8).tolist()
    assert [(rows[line]["text"], rows[other]["text"]) for line, other in repeated] == []


def test_the_gesture_does_not_follow_from_the_subject(rows: list[Row]) -> None:
    """Most subjects occur with several gestures, so a model has to read the sentence."""
    pairs = Counter((row["subject"], row["gesture"]) for row in rows)
    kinds = Counter(subject for (subject, _), count in pairs.items() if count >= 3)
    assert sum(kinds[subject] >= 3 for subject in SUBJECTS) >= 12


def test_lines_are_short_and_long_and_ask_and_exclaim_and_deny(rows: list[Row]) -> None:
    """Real talk has all of them, in each split."""
    for split in SPLITS:
        part = [row["text"] for row in rows if row["split"] == split]
        shares = {
            "at most 4 words": sum(len(text.split()) <= 4 for text in part),
            "at least 12 words": sum(len(text.split()) >= 12 for text in part),
            "a question": sum("?" in text for text in part),
            "an exclamation": sum("!" in text for text in part),
            "a denial": sum(bool(re.search(r"n't\b|\b(?:no|not|never)\b", text.lower())) for text in part),
        }
        rare = {name: count for name, count in shares.items() if count < 0.04 * len(part)}
        assert rare == {}, split


def test_no_first_word_dominates(rows: list[Row]) -> None:
    first = Counter(row["text"].split()[0].strip(",.!?").lower() for row in rows)
    assert first.most_common(1)[0][1] <= 0.12 * len(rows)
