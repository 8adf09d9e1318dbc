"""What viewers answered in a blind test, and how it is scored: forms and key are CSV files."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.labels import GESTURES
from text2gesture_ros.resources import read_limited

FORM = ("strip", "first", "second", "legibility", "remark")
"""Columns of an answer form; the last three may be left empty."""
KEY = ("strip", "gesture", "emotion", "robot", "seed")
"""Columns of the key."""
MOST_LEGIBLE = 5
_MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """What one viewer says of one strip.

    Attributes:
        first: the gesture it most likely shows.
        second: the one it shows if not that; empty: none.
        legibility: how clearly, from 1 to 5; None: not said.
    """

    first: str
    second: str
    legibility: float | None


def read_key(path: Path) -> dict[str, dict[str, str]]:
    """Return what each strip shows: its number -> gesture, emotion, robot, seed.

    Raises:
        InputError: the file cannot be read, lacks a column, or names an unknown gesture or a strip twice.
    """
    key: dict[str, dict[str, str]] = {}
    for where, row in _rows(path, KEY):
        _known(row["gesture"], f"{where}, gesture")
        if row["strip"] in key:
            raise InputError(f"{where}: strip {row['strip']} stands twice")
        key[row["strip"]] = row
    if not key:
        raise InputError(f"{path}: names no strip")
    return key


def read_form(path: Path, strips: Iterable[str]) -> dict[str, Answer]:
    """Return a viewer's answers by strip; strips without a first choice are left out.

    Raises:
        InputError: the file cannot be read or lacks a column, a strip is unknown or stands twice, an answer
            is none of the gestures, legibility is not in [1, 5], or nothing is filled in.
    """
    known, answers, seen = set(strips), {}, set()
    for where, row in _rows(path, FORM[:4]):
        strip = row["strip"]
        if strip not in known or strip in seen:
            why = "stands twice" if strip in seen else "is not in the key"
            raise InputError(f"{where}: strip {strip[:40]!r} {why}")
        seen.add(strip)
        if not row["first"]:
            continue
        for column in ("first", "second"):
            if row[column]:
                _known(row[column], f"{where}, {column}")
        answers[strip] = Answer(row["first"], row["second"], _legibility(row["legibility"], where))
    if not answers:
        raise InputError(f"{path}: no first choice is filled in")
    return answers


def score(key: Mapping[str, Mapping[str, str]], forms: Sequence[Mapping[str, Answer]]) -> dict[str, Any]:
    """Return how well viewers read what they were shown.

    Args:
        key: what each strip shows, see `read_key`.
        forms: the answers of each viewer by strip, see `read_form`.

    Returns:
        together: see below, of all answers; viewers: of each form; gesture, robot, emotion: of each of them.
            Every one has answers (how many), first (share right), interval (95 %, Wilson), first_or_second,
            legibility (mean).
        agreement: pairs of viewers' mean share of the same first choice, and Cohen's kappa; None for one.
        confused: shown, said and how often, of wrong first choices, most frequent first.
    """
    flat = [(strip, answer) for form in forms for strip, answer in form.items()]
    groups: dict[str, dict[str, list[tuple[str, Answer]]]] = {
        name: defaultdict(list) for name in ("gesture", "robot", "emotion")
    }
    for strip, answer in flat:
        for name, table in groups.items():
            table[key[strip][name]].append((strip, answer))
    confused = Counter(
        (key[strip]["gesture"], answer.first)
        for strip, answer in flat
        if answer.first != key[strip]["gesture"]
    )
    return {
        "strips": len(key),
        "together": _scored(key, flat),
        "viewers": [_scored(key, list(form.items())) for form in forms],
        **{
            name: {each: _scored(key, table[each]) for each in sorted(table)}
            for name, table in groups.items()
        },
        "agreement": _agreement(forms),
        "confused": [
            {"shown": shown, "said": said, "count": count} for (shown, said), count in confused.most_common()
        ],
    }


def _scored(key: Mapping[str, Mapping[str, str]], answers: Sequence[tuple[str, Answer]]) -> dict[str, Any]:
    right = [answer.first == key[strip]["gesture"] for strip, answer in answers]
    either = [key[strip]["gesture"] in (answer.first, answer.second) for strip, answer in answers]
    legibility = [answer.legibility for _, answer in answers if answer.legibility is not None]
    return {
        "answers": len(answers),
        "first": round(float(np.mean(right)), 3),
        "interval": _wilson(sum(right), len(right)),
        "first_or_second": round(float(np.mean(either)), 3),
        "legibility": round(float(np.mean(legibility)), 2) if legibility else None,
    }


def _wilson(right: int, count: int) -> list[float]:
    """Return the 95 % interval of a share (Wilson, 1927)."""
    z = 1.96
    share, spread = right / count, z * z / count
    middle = (share + spread / 2.0) / (1.0 + spread)
    half = z * float(np.sqrt(share * (1.0 - share) / count + spread / (4.0 * count))) / (1.0 + spread)
    return [round(max(0.0, middle - half), 3), round(min(1.0, middle + half), 3)]


def _agreement(forms: Sequence[Mapping[str, Answer]]) -> dict[str, float] | None:
    """Return mean share of equal first choices and mean kappa (Cohen, 1960) over pairs of viewers."""
    shares, kappas = [], []
    for one, other in combinations(forms, 2):
        common = sorted(set(one) & set(other))
        if not common:
            continue
        share = float(np.mean([one[strip].first == other[strip].first for strip in common]))
        counts = [Counter(form[strip].first for strip in common) for form in (one, other)]
        chance = sum(counts[0][gesture] * counts[1][gesture] for gesture in GESTURES) / len(common) ** 2
        shares.append(share)
        kappas.append((share - chance) / (1.0 - chance) if chance < 1.0 else 1.0)
    if not shares:
        return None
    return {"same_first": round(float(np.mean(shares)), 3), "kappa": round(float(np.mean(kappas)), 3)}


def _rows(path: Path, columns: Sequence[str]) -> list[tuple[str, dict[str, str]]]:
    """Return where each row of a CSV file stands, and its cells without blanks around them."""
    try:
        text = read_limited(path, _MAX_BYTES, InputError).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: is no UTF-8 text") from None
    lines = text.splitlines()
    # Spreadsheets of many countries write semicolons.
    separator = ";" if lines and lines[0].count(";") > lines[0].count(",") else ","
    try:
        reader = csv.DictReader(lines, delimiter=separator)
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
        if missing:
            raise InputError(f"{path}: lacks the column {missing[0]!r}. Needed: {', '.join(columns)}")
        return [
            (f"{path}, line {reader.line_num}", {name: (row[name] or "").strip() for name in columns})
            for row in reader
        ]
    except csv.Error as error:
        raise InputError(f"{path}: is no CSV: {error}") from None


def _known(gesture: str, where: str) -> None:
    if gesture not in GESTURES:
        raise InputError(f"{where} is {gesture[:40]!r}. Allowed: {', '.join(GESTURES)}")


def _legibility(text: str, where: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = 0.0
    if not 1.0 <= value <= MOST_LEGIBLE:
        raise InputError(f"{where}: legibility must be in [1, {MOST_LEGIBLE}] but is {text[:40]!r}")
    return value
