"""What a training of the intent model reads: its settings, labelled utterances, texts that are no speech."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.labels import GATE, HEADS, TASKS
from text2gesture_ros.resources import share_directory
from text2gesture_ros.training.checks import check_values
from text2gesture_ros.training.text.utterances import (
    Utterance,
    _read,
    _utterance,
    read_utterances,
    unreadable,
)

POOLINGS = ("mean", "cls")
"""How token states become one vector: their mean (what sentence encoders are trained for) or the first."""


@dataclass(frozen=True)
class IntentTrainingConfig:
    """What a training file (`config/training/text.yaml`) says; the file explains each entry."""

    name: str
    plm: str
    heads: list[str]
    data: list[str]
    lines: int
    outliers: str
    corpora: str
    corpora_share: float
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
    decay: bool
    average_from: float
    alternatives: float
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
            "gradient_norm": (0.0, 1e6), "lines": (0, 2**31), "corpora_share": (0.0, 0.9),
            "average_from": (0.0, 1.0), "alternatives": (0.0, 1.0),
            "seed": (0, 2**31),
        }  # fmt: skip
        check_values(self, bounds, {"pooling": POOLINGS}, empty=("name", "outliers", "corpora"))
        for name in ("heads", "data"):
            value = getattr(self, name)
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise ConfigurationError(f"{name} must be a list of texts but is {value!r}")
        if not self.heads or self.heads != [head for head in HEADS if head in self.heads]:
            raise ConfigurationError(
                f"heads must be some of {', '.join(HEADS)}, in order, but is {self.heads}"
            )
        if not self.data or not all(map(str.strip, self.data)):
            raise ConfigurationError(f"data must be names of files but is {self.data}")
        if GATE in self.heads and not self.outliers:
            raise ConfigurationError(f"the head {GATE} needs outliers to learn from")
        if self.corpora_share and not self.corpora:
            raise ConfigurationError(f"corpora_share is {self.corpora_share} but there are no corpora")


def load_config(path: Path) -> IntentTrainingConfig:
    """Read a training file.

    Raises:
        ConfigurationError: the file cannot be read, an entry is missing, unknown, or out of its range.
    """
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(unreadable(path, error)) from None
    known = {field.name for field in fields(IntentTrainingConfig)}
    given = set(entries) if isinstance(entries, dict) else set()
    if given != known:
        wrong = [f"unknown {name}" for name in sorted(map(str, given - known))]
        wrong += [f"missing {name}" for name in sorted(known - given)]
        raise ConfigurationError(f"{path}: {', '.join(wrong)}. Known: {', '.join(sorted(known))}")
    try:
        return IntentTrainingConfig(**entries)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None


@dataclass(frozen=True)
class Outlier(Utterance):
    """A text that is no English speech.

    Attributes:
        kind: what it is instead: a language, code, ...
    """

    kind: str


def default_data() -> Path:
    """Return the path of the utterances that ship with the package."""
    return share_directory() / "data" / "utterances.csv"


def read_outliers(path: Path) -> list[Outlier]:
    """Read the texts that are no English speech from a CSV or JSONL file with the fields text and kind.

    They carry that one label: Hendrycks et al., Deep Anomaly Detection with Outlier Exposure, ICLR 2019.

    Raises:
        InputError: as `read_utterances`.
    """
    return _read(path, _outlier)


def _outlier(record: Any, where: str) -> Outlier:
    line = _utterance(record, where)
    if not isinstance(kind := record.get("kind"), str) or not kind:
        raise InputError(f"{where}: needs the field kind")
    return Outlier(line.text, {**dict.fromkeys(TASKS), GATE: HEADS[GATE][0]}, {}, line.split, kind)


def stratify(utterances: Sequence[Utterance], seed: int) -> list[Utterance]:
    """Return the utterances in an order of which every beginning has each gesture in proportion."""
    generator = random.Random(seed)
    shuffled = generator.sample(utterances, len(utterances))
    total = Counter(utterance.labels["gesture"] for utterance in utterances)
    seen: Counter[str | None] = Counter()
    places = []
    for number, utterance in enumerate(shuffled):
        gesture = utterance.labels["gesture"]
        places.append(((seen[gesture] + 0.5) / total[gesture], number))
        seen[gesture] += 1
    return [shuffled[number] for _, number in sorted(places)]


def cut_validation(
    utterances: Sequence[Utterance], part: float, seed: int = 1
) -> tuple[list[Utterance], list[Utterance]]:
    """Cut a validation part off the training utterances: `part` of every gesture, the same for the same seed.

    Returns:
        training part and validation part, each in the order of `stratify`.
    """
    ordered = stratify(utterances, seed)
    count = round(part * len(ordered))
    return ordered[count:], ordered[:count]


@dataclass(frozen=True)
class Lines:
    """What a training learns from, chooses its best epoch by, and is measured with.

    Attributes:
        training, validation, test: utterances and, for the gate, outliers.
        corpora: utterances of other corpora, of which each epoch draws some.
    """

    training: Sequence[Utterance]
    validation: Sequence[Utterance]
    test: Sequence[Utterance]
    corpora: Sequence[Utterance] = ()


def read_lines(settings: IntentTrainingConfig, folder: Path) -> Lines:
    """Read what a training file names; `folder` is where it is.

    The cut does not depend on the seed of the settings, so that trainings can be compared.

    Raises:
        InputError: a file cannot be used, or there are too few training lines.
    """
    utterances = [line for path in settings.data for line in read_utterances(folder / path)]
    training, validation = _cut(utterances, settings.validation_part)
    if not training or not validation or len(training) < settings.lines:
        wanted = f" for lines {settings.lines}" if settings.lines else ""
        raise InputError(f"{', '.join(settings.data)}: {len(training)} training lines are too few{wanted}")
    training = training[: settings.lines or None]
    if GATE in settings.heads:
        outliers = read_outliers(folder / settings.outliers)
        utterances += outliers
        for part, more in zip((training, validation), _cut(outliers, settings.validation_part), strict=True):
            part += more
    corpora: list[Utterance] = []
    if settings.corpora:
        from text2gesture_ros.training.text.corpora import read_corpora

        corpora = read_corpora(folder / settings.corpora)
    return Lines(training, validation, [line for line in utterances if line.split == "test"], corpora)


def _cut(lines: Sequence[Utterance], part: float) -> tuple[list[Utterance], list[Utterance]]:
    return cut_validation([line for line in lines if line.split in ("", "train")], part)
