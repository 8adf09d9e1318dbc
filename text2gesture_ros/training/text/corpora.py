"""Public corpora as labelled utterances: a reader for each format, and the table of their labels and ours.

The table is a file (`config/training/corpora.yaml`, which explains itself). A corpus labels what people say
for its own purpose, so of our labels it may give one, two or none; what it does not give is unknown.
"""

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import yaml

from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.labels import TASKS, check_label
from text2gesture_ros.training.text.utterances import Utterance, read_utterances, unreadable

PARTS = ("train", "validation")
ROOT_VARIABLE = "TEXT2GESTURE_CORPORA"
"""Environment variable that takes the place of the table's entry `root`."""

MASKS = {"[NAME]": "Alex", "[RELIGION]": "Buddhism"}
"""What GoEmotions put in place of names, and what a speaker would say instead."""

Labels = Mapping[str, str | None]
"""Task -> label; None where it does not follow."""

Line = tuple[str, str, Sequence[str]]
"""Where it stands, what is said, and every label the corpus gives it."""


@dataclass(frozen=True)
class Corpus:
    """One entry of the table.

    Attributes:
        name: what it is called.
        format: a key of `READERS`, or "utterances" for a file with our own labels.
        source: where people get it.
        licence: under which it may be used.
        files: part -> file or folder; a corpus may lack a part.
        labels: their label -> ours.
    """

    name: str
    format: str
    source: str
    licence: str
    files: Mapping[str, Path]
    labels: Mapping[str, Labels]

    def read(self, part: str) -> list[Utterance]:
        """Read a part, each text once; where copies of a text disagree on a label, it is unknown.

        Raises:
            InputError: the file cannot be read, or a line is wrong or has a label that is not in the table.
        """
        if part not in self.files:
            return []
        path = self.files[part]
        try:
            if self.format == "utterances":
                found = [line for line in read_utterances(path) if line.split in ("", part)]
            else:
                lines = READERS[self.format](path, part)
                found = [self._utterance(*line, part) for line in lines]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(
                f"{unreadable(path, error)}. It is part of the corpus {self.name} ({self.source}); "
                f"set 'root' of the table or {ROOT_VARIABLE} to the folder of the corpora"
            ) from None
        return merge_copies(found)

    def _utterance(self, where: str, text: str, given: Sequence[str], part: str) -> Utterance:
        for label in given:
            if label not in self.labels:
                known = ", ".join(sorted(self.labels))
                raise InputError(
                    f"{where}: label {label!r} of {self.name} is not in the mapping. Known: {known}"
                )
        return Utterance(text, reduce(agreement, (self.labels[label] for label in given)), {}, part)


def read_corpora(path: Path, part: str = "train") -> list[Utterance]:
    """Read all corpora of a table as utterances whose unknown labels are None.

    Args:
        path: the table, such as `config/training/corpora.yaml`.
        part: "train" or "validation"; corpora without the part give nothing, and a text that some
            corpus has for training never counts as validation.

    Raises:
        ConfigurationError: the table is wrong.
        InputError: a corpus is missing or wrong; the message names file, line and label.
    """
    return merge_copies(line for lines in read_each(path, part).values() for line in lines)


def read_each(path: Path, part: str = "train") -> dict[str, list[Utterance]]:
    """Read the corpora of a table apart, name -> utterances; the rest as in `read_corpora`."""
    if part not in PARTS:
        raise InputError(f"unknown part {part!r}. Known: {', '.join(PARTS)}")
    corpora = read_table(path)
    found = {corpus.name: lines for corpus in corpora if (lines := corpus.read(part))}
    if part != "train":
        seen = {_key(line) for corpus in corpora for line in corpus.read("train")}
        found = {name: [line for line in lines if _key(line) not in seen] for name, lines in found.items()}
    return found


def merge_copies(utterances: Iterable[Utterance]) -> list[Utterance]:
    """Return each text once, in the order of first appearance, with the labels its copies agree on."""
    merged: dict[str, Utterance] = {}
    for line in utterances:
        first = merged.setdefault(_key(line), line)
        if first is not line:
            labels = agreement(first.labels, line.labels)
            merged[_key(line)] = Utterance(first.text, labels, first.accepted, first.split)
    return list(merged.values())


def agreement(first: Labels, second: Labels) -> Labels:
    """Return the labels both have in common, None for the others."""
    return {task: label if label == second[task] else None for task, label in first.items()}


def _key(line: Utterance) -> str:
    return " ".join(line.text.casefold().split()).rstrip(" .!")


def _read_oos(path: Path, part: str) -> Iterator[Line]:
    """Read oos-eval (Larson et al., EMNLP 2019): JSON, part -> [text, intent]; `oos_*` fits no intent."""
    with path.open(encoding="utf-8") as file:
        try:
            data = json.load(file)
            key = "val" if part == "validation" else part
            for name in (key, f"oos_{key}"):
                for number, (text, label) in enumerate(data[name]):
                    yield from _line(f"{path}: {name}[{number}]", text, [label])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not in the form of oos-eval: {error!r}") from None


def _read_nlu(path: Path, part: str) -> Iterator[Line]:
    """Read a folder of NLU-Evaluation-Data (Liu et al., IWSDS 2019): one CSV per intent."""
    files = sorted(path.glob("*.csv"))
    if not files:
        raise InputError(f"{path}: no .csv file in it")
    for file in files:
        for where, row in _rows(file, ("scenario", "intent", "answer_from_user"), ";"):
            if row["answer_from_user"] != "null":  # how the corpus writes that nobody answered
                yield from _line(where, row["answer_from_user"], [f"{row['scenario']}_{row['intent']}"])


def _read_banking(path: Path, part: str) -> Iterator[Line]:
    """Read banking77 (Casanueva et al., NLP4ConvAI 2020): CSV with text and category."""
    for where, row in _rows(path, ("text", "category"), ","):
        yield from _line(where, row["text"], [row["category"]])


def _read_goemotions(path: Path, part: str) -> Iterator[Line]:
    """Read GoEmotions (Demszky et al., ACL 2020): text, numbers of its labels, id; tabs between, no header.

    The names of the labels are the lines of `goemotions_labels.txt` beside the file.
    """
    names = (path.parent / "goemotions_labels.txt").read_text(encoding="utf-8").split()
    with path.open(encoding="utf-8", newline="") as file:
        # Quotes mean nothing in this file, so each line is one row.
        for number, row in enumerate(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE), start=1):
            where = f"{path}:{number}"
            try:
                text, numbers, _ = row
                labels = [names[int(index)] for index in numbers.split(",")]
            except (ValueError, IndexError):
                raise InputError(
                    f"{where}: needs text, label numbers below {len(names)}, id: {row}"
                ) from None
            for mask, word in MASKS.items():
                text = text.replace(mask, word)
            yield from _line(where, text, labels)


READERS: Mapping[str, Callable[[Path, str], Iterator[Line]]] = {
    "oos-eval": _read_oos,
    "nlu-evaluation": _read_nlu,
    "banking77": _read_banking,
    "goemotions": _read_goemotions,
}
"""Format -> reader of a file (or folder) and a part."""


def _line(where: str, text: object, labels: Sequence[object]) -> Iterator[Line]:
    """Yield the line unless it is blank."""
    if not isinstance(text, str) or not all(isinstance(label, str) for label in labels):
        raise InputError(f"{where}: needs a text and its label but is {text!r}, {labels!r}")
    if text.strip():
        yield where, " ".join(text.split()), [str(label) for label in labels]


def _rows(path: Path, columns: Sequence[str], delimiter: str) -> Iterator[tuple[str, dict[str, str]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter=delimiter)
        if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
            raise InputError(f"{path}: no column {', '.join(missing)}. Its columns: {reader.fieldnames}")
        for row in reader:
            if any(row[name] is None for name in columns):
                raise InputError(f"{path}:{reader.line_num}: needs {', '.join(columns)}")
            yield f"{path}:{reader.line_num}", row


def read_table(path: Path) -> list[Corpus]:
    """Read a table of corpora.

    Raises:
        ConfigurationError: it cannot be read or an entry is wrong; the message says which.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(unreadable(path, error)) from None
    _check_keys(data, str(path), ("root", "corpora"))
    root = path.parent / (os.environ.get(ROOT_VARIABLE) or str(data["root"]))
    if not isinstance(data["corpora"], dict) or not data["corpora"]:
        raise ConfigurationError(f"{path}: corpora must be a table of at least one corpus")
    return [_corpus(str(name), entry, root, f"{path}: {name}") for name, entry in data["corpora"].items()]


def _corpus(name: str, entry: Any, root: Path, where: str) -> Corpus:
    _check_keys(entry, where, ("format", "source", "licence"), ("labels", *PARTS))
    formats = [*READERS, "utterances"]
    if entry["format"] not in formats:
        raise ConfigurationError(f"{where}: unknown format {entry['format']!r}. Known: {', '.join(formats)}")
    files = {part: root / str(entry[part]) for part in PARTS if entry.get(part)}
    if not files:
        raise ConfigurationError(f"{where}: needs one of {', '.join(PARTS)}")
    labels: dict[str, Labels] = {}
    rows = entry.get("labels", [])
    for row in rows if isinstance(rows, list) else [rows]:
        _check_keys(row, f"{where}: labels", ("of", *TASKS))
        try:
            ours = {task: None if row[task] is None else check_label(task, row[task]) for task in TASKS}
        except (InputError, TypeError) as error:
            raise ConfigurationError(f"{where}: {error}") from None
        for theirs in row["of"] if isinstance(row["of"], list) else [row["of"]]:
            if not isinstance(theirs, str):
                raise ConfigurationError(f"{where}: label {theirs!r} must be in quotes")
            if theirs in labels:
                raise ConfigurationError(f"{where}: label {theirs!r} is mapped twice")
            labels[theirs] = ours
    return Corpus(name, entry["format"], str(entry["source"]), str(entry["licence"]), files, labels)


def _check_keys(entry: Any, where: str, needed: Sequence[str], allowed: Sequence[str] = ()) -> None:
    if not isinstance(entry, dict):
        raise ConfigurationError(f"{where}: must be a table with {', '.join(needed)} but is {entry!r}")
    wrong = [f"unknown {key}" for key in entry if key not in (*needed, *allowed)]
    wrong += [f"missing {key}" for key in needed if key not in entry]
    if wrong:
        raise ConfigurationError(f"{where}: {', '.join(wrong)}. Known: {', '.join((*needed, *allowed))}")
