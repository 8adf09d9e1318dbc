"""What a training of the intent model reads: its settings and labelled utterances."""

import csv
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.labels import TASKS, check_label
from text2gesture_ros.resources import share_directory

POOLINGS = ("mean", "cls")
"""How token states become one vector: their mean (what sentence encoders are trained for) or the first."""

ACCEPTED = "_ok"
"""Suffix of a field that lists every label of a task that counts as right."""


@dataclass(frozen=True)
class TextTraining:
    """What a training file (`config/training/text.yaml`) says; the file explains each entry."""

    name: str
    plm: str
    data: str
    pooling: str
    hidden: int
    dropout: float
    max_tokens: int
    batch_size: int
    epochs: int
    patience: int
    validation_part: float
    encoder_learning_rate: float
    head_learning_rate: float
    layer_decay: float
    train_embeddings: bool
    warm_up: float
    label_smoothing: float
    class_weight: float
    gradient_norm: float
    seed: int

    def __post_init__(self) -> None:
        bounds = {
            "hidden": (1, 65536), "dropout": (0.0, 0.9), "max_tokens": (8, 4096), "batch_size": (1, 65536),
            "epochs": (1, 100_000), "patience": (1, 100_000), "validation_part": (0.01, 0.5),
            "encoder_learning_rate": (0.0, 1.0), "head_learning_rate": (0.0, 1.0), "layer_decay": (0.0, 1.0),
            "warm_up": (0.0, 1.0), "label_smoothing": (0.0, 0.9), "class_weight": (0.0, 1.0),
            "gradient_norm": (1e-6, 1e6), "seed": (0, 2**31),
        }  # fmt: skip
        for name, value in asdict(self).items():
            kind = type(value).__name__
            if kind != self.__annotations__[name].__name__:
                raise ConfigurationError(
                    f"{name} must be of type {self.__annotations__[name].__name__} but is {value!r}"
                )
            if name in bounds and not bounds[name][0] <= value <= bounds[name][1]:
                raise ConfigurationError(f"{name} must be in {list(bounds[name])} but is {value}")
        if self.pooling not in POOLINGS:
            raise ConfigurationError(f"pooling must be one of {', '.join(POOLINGS)} but is {self.pooling!r}")


def read_config(path: Path) -> TextTraining:
    """Read a training file.

    Raises:
        ConfigurationError: the file cannot be read, an entry is missing, unknown, or out of its range.
    """
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
    known = {field.name for field in fields(TextTraining)}
    given = set(entries) if isinstance(entries, dict) else set()
    if given != known:
        wrong = [f"unknown {name}" for name in sorted(map(str, given - known))]
        wrong += [f"missing {name}" for name in sorted(known - given)]
        raise ConfigurationError(f"{path}: {', '.join(wrong)}. Known: {', '.join(sorted(known))}")
    try:
        return TextTraining(**entries)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None


@dataclass(frozen=True)
class Utterance:
    """One labelled sentence.

    Attributes:
        text: the sentence.
        labels: the label of each task; None where nobody gave one.
        accepted: of tasks that have it, every label that counts as right.
        split: "train", "test", ...; empty where the file has no such field.
    """

    text: str
    labels: Mapping[str, str | None]
    accepted: Mapping[str, frozenset[str]]
    split: str


def default_data() -> Path:
    """Return the path of the utterances that ship with the package."""
    return share_directory() / "data" / "utterances.csv"


def read_utterances(path: Path) -> list[Utterance]:
    """Read a CSV or JSONL file with the fields text, subject, gesture and emotion.

    A label that is empty, null or absent is unknown. The fields split and `gesture_ok`, ... are optional.

    Raises:
        InputError: the file cannot be read, or a line is wrong; the message says which and why.
    """
    if path.suffix not in (".csv", ".jsonl"):
        raise InputError(f"{path}: unknown kind of file. Known: .csv, .jsonl")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [_utterance(record, f"{path}:{line}") for line, record in _records(file, path)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None


def _records(file: Iterable[str], path: Path) -> Iterable[tuple[int, Any]]:
    if path.suffix == ".csv":
        reader = csv.DictReader(file, strict=True)
        for record in reader:
            yield reader.line_num, record
        return
    for line, text in enumerate(file, start=1):
        if text.strip():
            try:
                yield line, json.loads(text)
            except json.JSONDecodeError as error:
                raise InputError(f"{path}:{line}: not JSON: {error}") from None


def _utterance(record: Any, where: str) -> Utterance:
    if not isinstance(record, dict) or not isinstance(record.get("text"), str) or None in record:
        raise InputError(f"{where}: needs the field text, and one value for each field")
    labels: dict[str, str | None] = {}
    accepted = {}
    try:
        for task in TASKS:
            labels[task] = check_label(task, record[task]) if record.get(task) else None
            if record.get(task + ACCEPTED):
                accepted[task] = frozenset(check_label(task, label) for label in record[task + ACCEPTED])
    except (InputError, TypeError) as error:
        raise InputError(f"{where}: {error}") from None
    return Utterance(record["text"], labels, accepted, str(record.get("split") or ""))


def cut_validation(
    utterances: Sequence[Utterance], part: float, seed: int
) -> tuple[list[Utterance], list[Utterance]]:
    """Cut a validation part off the training utterances: `part` of every gesture, the same for the same seed.

    Returns:
        training part, validation part.
    """
    by_gesture: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        by_gesture[utterance.labels["gesture"] or ""].append(utterance)
    generator = random.Random(seed)
    train: list[Utterance] = []
    validation: list[Utterance] = []
    for _, group in sorted(by_gesture.items()):
        generator.shuffle(group)
        count = round(part * len(group))
        validation += group[:count]
        train += group[count:]
    return train, validation
