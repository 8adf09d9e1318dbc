"""A report on labelled utterances: counts of labels, lengths, vocabulary, near duplicates."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from text2gesture_ros.errors import InputError
from text2gesture_ros.labels import TASKS
from text2gesture_ros.training.summary import Summary, number
from text2gesture_ros.training.text.baselines import sentence_vectors
from text2gesture_ros.training.text.data import default_data
from text2gesture_ros.training.text.utterances import Utterance, read_utterances
from text2gesture_ros.understanding.classifier import clean_text
from text2gesture_ros.understanding.intent_network import find_plm

TOO_NEAR = 0.9
"""Cosine from which two utterances say the same."""

_BLOCK = 512
_WORD = re.compile(r"\w+(?:['\u2019]\w+)*")


def report(path: Path | None = None, plm: str = "all-MiniLM-L6-v2") -> dict[str, Any]:
    """Describe a labelled file (None: the utterances of the package).

    Returns:
        sha256 of the file; lines; parts: for `all` and each split its lines, the mean and quantiles of their
        length in words, the vocabulary (different words, case aside), how often each label stands in it and,
        of each task, how many lines accept a second label; likeness.

    Raises:
        InputError: the file cannot be used or holds no line.
    """
    path = default_data() if path is None else path
    utterances = read_utterances(path)
    if not utterances:
        raise InputError(f"{path}: no line")
    splits = {line.split: [u for u in utterances if u.split == line.split] for line in utterances}
    parts = {"all": utterances, **{name: lines for name, lines in splits.items() if name}}
    return {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "lines": len(utterances),
        "parts": {name: _describe(lines) for name, lines in parts.items()},
        "likeness": likeness(utterances, embed([line.text for line in utterances], plm)),
    }


def summary(found: Mapping[str, Any]) -> Summary:
    """Return what is printed of the result of `report`."""
    parts, alike = found["parts"], found["likeness"]
    figures = {"lines": [part["lines"] for part in parts.values()]}
    figures["different words"] = [part["vocabulary"] for part in parts.values()]
    for key in parts["all"]["words"]:
        figures[f"words per line, {key}"] = [part["words"][key] for part in parts.values()]
    counts = [
        (task, label, *(number(part["labels"][task][label]) for part in parts.values()))
        for task, labels in parts["all"]["labels"].items()
        for label in labels
    ]
    columns = tuple(f"#{name}" for name in parts)
    pairs = alike["too_near"] or ([alike["nearest"]] if alike["nearest"] else [])
    return Summary(
        [
            ("", ("", *columns), [(name, *(f"{v:.4g}" for v in row)) for name, row in figures.items()]),
            ("", ("task", "label", *columns), counts),
        ],
        [
            *(f"cosine {pair['cosine']:.3f}: {' | '.join(pair['texts'])}" for pair in pairs),
            f"{len(alike['too_near'])} pairs have a cosine of {TOO_NEAR} or more",
        ],
    )


def words(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return _WORD.findall(text.casefold())


def _describe(utterances: Sequence[Utterance]) -> dict[str, Any]:
    found = [words(line.text) for line in utterances]
    counts = {task: Counter(line.labels[task] for line in utterances) for task in TASKS}
    return {
        "lines": len(utterances),
        "words": _distribution([float(len(line)) for line in found]),
        "vocabulary": len({word for line in found for word in line}),
        "labels": {task: {name: counts[task][name] for name in names} for task, names in TASKS.items()},
        "second_labels": {
            task: sum(len(line.accepted.get(task, ())) > 1 for line in utterances) for task in TASKS
        },
    }


def _distribution(values: Sequence[float]) -> dict[str, float]:
    levels = {"min": 0.0, "q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95, "max": 1.0}
    found = {name: float(np.quantile(values, level)) for name, level in levels.items()}
    return {"mean": float(np.mean(values)), **found}


def likeness(utterances: Sequence[Utterance], vectors: NDArray[np.float32]) -> dict[str, Any]:
    """Say how near utterances come to each other.

    Args:
        utterances: the lines.
        vectors: of each, length 1, (N, D).

    Returns:
        nearest: the pair with the highest cosine; too_near: all whose cosine is at least `TOO_NEAR`; and
        where there are such splits, nearest_train_line_of_train and nearest_train_line_of_test: the
        distribution of each line's cosine with the nearest other line of the split train.
    """
    training = np.array([line.split == "train" for line in utterances])
    nearest = np.full(len(utterances), -1.0)
    pairs: list[tuple[float, int, int]] = []
    best = (-1.0, 0, 0)
    for start in range(0, len(utterances), _BLOCK):
        cosines = vectors[start : start + _BLOCK] @ vectors.T
        rows = np.arange(len(cosines))
        cosines[rows, start + rows] = -1.0  # not with itself
        if training.any():
            nearest[start : start + _BLOCK] = cosines[:, training].max(axis=1)
        cosines[np.arange(len(utterances)) <= (start + rows)[:, None]] = -1.0  # each pair once
        row, column = np.unravel_index(int(cosines.argmax()), cosines.shape)
        best = max(best, (float(cosines[row, column]), start + int(row), int(column)))
        found = zip(*np.nonzero(cosines >= TOO_NEAR), strict=True)
        pairs += [(float(cosines[r, c]), start + int(r), int(c)) for r, c in found]

    def shown(pair: tuple[float, int, int]) -> dict[str, Any]:
        return {"cosine": round(pair[0], 4), "texts": [utterances[line].text for line in pair[1:]]}

    result: dict[str, Any] = {
        "nearest": shown(best) if len(utterances) > 1 else None,
        "too_near": [shown(pair) for pair in sorted(pairs, reverse=True)],
    }
    for split in ("train", "test"):
        members = np.array([line.split == split for line in utterances])
        if training.sum() > 1 and members.any():
            result[f"nearest_train_line_of_{split}"] = _distribution(nearest[members].tolist())
    return result


def embed(texts: Sequence[str], plm: str = "all-MiniLM-L6-v2") -> NDArray[np.float32]:
    """Return the sentence vectors of a language model as it was before any training here, (N, D), length 1.

    Raises:
        ConfigurationError: the language model is unknown.
    """
    return sentence_vectors(find_plm(plm), [clean_text(text) for text in texts])
