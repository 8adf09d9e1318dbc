"""The file of utterances: what a person or robot says, with the labels that its readers gave it."""

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from text2gesture_ros.errors import InputError
from text2gesture_ros.labels import GATE, HEADS, TASKS, check_label

Made = TypeVar("Made")


ACCEPTED = "_ok"
"""Suffix of a field that lists every label of a task that counts as right."""


def unreadable(path: Path, error: Exception) -> str:
    """Return the message for an error in reading `path`: one line, without the number of the error."""
    if isinstance(error, OSError):
        return f"{error.filename or path}: cannot be read: {error.strerror or error}"
    return f"{path}: cannot be read: {' '.join(str(error).split())}"


@dataclass(frozen=True)
class Utterance:
    """One labelled sentence.

    Attributes:
        text: the sentence.
        labels: the label of each task; None where it has none. Under `GATE`: "no" if it is no English
            speech; an utterance without this label is speech.
        accepted: of tasks that have it, every label that counts as right.
        split: "train", "test", ...; empty where the file has no such field.
    """

    text: str
    labels: Mapping[str, str | None]
    accepted: Mapping[str, frozenset[str]]
    split: str

    def label(self, head: str) -> str | None:
        """Return its label for a head of the network; None where it has none."""
        return self.labels.get(head, HEADS[GATE][1])


def read_utterances(path: Path) -> list[Utterance]:
    """Read a CSV or JSONL file with the fields text, subject, gesture and emotion.

    A label that is empty, null or absent is unknown. The fields split and `gesture_ok`, ... are optional; the
    latter are lists, in CSV with | between the labels.

    Raises:
        InputError: the file cannot be read, or a line is wrong; the message says which and why.
    """
    return _read(path, _utterance)


def _read(path: Path, make: Callable[[Any, str], Made]) -> list[Made]:
    if path.suffix not in (".csv", ".jsonl"):
        raise InputError(f"{path}: unknown kind of file. Known: .csv, .jsonl")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [make(record, f"{path}:{line}") for line, record in _records(file, path)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(unreadable(path, error)) from None


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
            except (ValueError, RecursionError) as error:
                raise InputError(f"{path}:{line}: not JSON: {error}") from None


def _utterance(record: Any, where: str) -> Utterance:
    if not isinstance(record, dict) or not isinstance(record.get("text"), str) or None in record:
        raise InputError(f"{where}: needs the field text, and one value for each field")
    labels: dict[str, str | None] = {}
    accepted = {}
    try:
        for task in TASKS:
            labels[task] = check_label(task, record[task]) if record.get(task) else None
            if given := record.get(task + ACCEPTED):
                names = given.split("|") if isinstance(given, str) else given
                if not isinstance(names, list):
                    raise InputError(f"{task}{ACCEPTED} must be a list of labels but is {given!r}")
                accepted[task] = frozenset(check_label(task, label) for label in names)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    return Utterance(record["text"], labels, accepted, str(record.get("split") or ""))
