"""The laws of each gesture: what must be seen of a body for it to be read. A YAML file has their numbers.

Every gesture has a pose, held for a while, or a beat, or both; `config/legibility.yaml` explains the keys.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.geometry import Array
from text2gesture_ros.labels import GESTURES, NEUTRAL
from text2gesture_ros.legibility.body import Arm, Body
from text2gesture_ros.legibility.signals import (
    ARM_SIGNALS,
    BODY_SIGNALS,
    SCALES,
    SECONDS,
    UNITS,
    best_stretch,
    swing_size,
    time_at_rest,
)
from text2gesture_ros.resources import read_limited, share_directory
from text2gesture_ros.robots.checked_values import CheckedValues

_MAX_BYTES = 256 * 1024
_ONE, _BOTH, _NONE = ARMS = ("one", "both", "none")
_EVER = 60.0  # longer than any gesture [s]


@dataclass(frozen=True)
class Law:
    """A bound on what is seen of a body.

    Attributes:
        name: what must be seen, in words.
        signal: what of the body is looked at, see `signals`.
        low, high: the bounds, in the signal's unit; infinite where there is none.
        reason: where the numbers come from.
        swings: how often the signal must go one way or the other, by as much as the bounds say; 0: it has to
            stay within them.
        within: in which all those swings lie, or the time it stays [s].
        whole: of a beat: whether swings before and after the pose count too.
    """

    name: str
    signal: str
    low: float
    high: float
    reason: str
    swings: int = 0
    within: float = 0.0
    whole: bool = False

    @property
    def unit(self) -> str:
        """Of the bounds."""
        return UNITS[self.signal]

    @property
    def bounds(self) -> str:
        """The bounds with their unit, for people."""
        low, high = (f"{bound:g}" if np.isfinite(bound) else "" for bound in (self.low, self.high))
        shown = f"{low} to {high}" if low and high else f"≥ {low}" if low else f"≤ {high}"
        return f"{shown} {self.unit}"


@dataclass(frozen=True)
class Finding:
    """What was found of one law in one performance.

    Attributes:
        name: of the law.
        bounds: what it asks, for people.
        value: what was measured, in its unit.
        kept: whether it is within the bounds.
    """

    name: str
    bounds: str
    value: float
    kept: bool


@dataclass(frozen=True)
class GestureLaws:
    """The laws of one gesture.

    Attributes:
        arms: "one" of them, "both", or "none".
        pose: what must be kept at the same time; what defines the gesture comes first.
        hold: for how long [s].
        hold_reason: where that number comes from.
        beats: what must go to and fro.
        otherwise: for bodies that cannot do the beat; None: then the beat is left out.
    """

    arms: str
    pose: tuple[Law, ...] = ()
    hold: float = 0.0
    hold_reason: str = ""
    beats: tuple[Law, ...] = ()
    otherwise: "GestureLaws | None" = None

    def for_body(self, body: Body) -> "GestureLaws":
        """Return the laws that a body is able to follow: what it lacks is left out or replaced."""

        def able(law: Law) -> bool:
            needed = law.low if law.swings else 1.0
            return body.abilities.get(law.signal, np.inf) >= needed and bool(
                body.arms or law.signal in BODY_SIGNALS
            )

        if self.otherwise is not None and not all(map(able, self.beats)):
            return self.otherwise.for_body(body)
        pose, beats = (tuple(filter(able, laws)) for laws in (self.pose, self.beats))
        return replace(self, pose=pose, beats=beats)


@dataclass(frozen=True)
class Laws:
    """The laws of all gestures.

    Attributes:
        gestures: by label.
        end: how long a body may stand still at the end of any gesture.
    """

    gestures: Mapping[str, GestureLaws]
    end: Law

    def findings(self, gesture: str, body: Body, *, cut: bool = False) -> list[Finding]:
        """Return what is found of each law of a gesture; of a body that lacks all it needs, none.

        One that may be done with either arm is judged by the arm that keeps most.

        Args:
            gesture: which is meant.
            body: who performs it.
            cut: whether the motion is cut to the gesture, so that how it ends is not known.
        """
        if gesture == NEUTRAL:
            seen = [other for other in self.gestures if self.shows(other, body)]
            return [Finding("shows none of the other gestures", "0 gestures", float(len(seen)), not seen)]
        found = self._own(gesture, body)
        if found and not cut:
            value = time_at_rest(body)
            found.append(Finding(self.end.name, self.end.bounds, value, value <= self.end.high))
        return found

    def shows(self, gesture: str, body: Body) -> bool:
        """Return whether a body shows a gesture, whatever it does afterwards."""
        found = self._own(gesture, body)
        return bool(found) and all(each.kept for each in found)

    def _own(self, gesture: str, body: Body) -> list[Finding]:
        laws = self.gestures[gesture].for_body(body)
        arms = list(body.arms.values())
        if laws.arms == _ONE and arms:
            # An arm that hangs keeps some laws too; it is no choice beside one that acts.
            moved = [float(np.linalg.norm(arm.hand - arm.hand[0], axis=-1).max()) for arm in arms]
            choices = [[arm] for arm, far in zip(arms, moved, strict=True) if far >= 0.5 * max(moved)]
        else:
            choices = [arms]
        options = [_judged(laws, body, choice) for choice in choices]
        return max(options, key=lambda found: sum(each.kept for each in found))


def _judged(laws: GestureLaws, body: Body, arms: Sequence[Arm]) -> list[Finding]:
    """Return what is found of laws; with several arms each of them must keep them."""
    found, posing = [], slice(None)
    if laws.pose:
        count = max(1, round(laws.hold * body.rate))
        values = [_values(law, body, arms) for law in laws.pose]  # (A, T) each
        missed = [np.maximum(law.low - x, x - law.high) for law, x in zip(laws.pose, values, strict=True)]
        worst = np.stack([each.max(axis=0) for each in missed])  # (L, T)
        stretch = best_stretch(worst, [SCALES[law.unit] for law in laws.pose], count)
        for law, seen, each in zip(laws.pose, values, missed, strict=True):
            arm, moment = np.unravel_index(each[:, stretch].argmax(), each[:, stretch].shape)
            value = float(seen[:, stretch][arm, moment])
            kept = bool(each[:, stretch].max() <= 0.0) and len(body) >= count
            found.append(Finding(law.name, law.bounds, value, kept))
        shown = np.flatnonzero((worst <= 0.0).all(axis=0))
        posing = slice(shown[0], shown[-1] + 1) if len(shown) else stretch
    for law in laws.beats:
        seen = _values(law, body, arms)[:, slice(None) if law.whole else posing]
        sizes = [swing_size(each, law.swings, round(law.within * body.rate)) for each in seen]
        kept = law.low <= min(sizes) and max(sizes) <= law.high
        found.append(Finding(law.name, law.bounds, min(sizes), kept))
    return found


def _values(law: Law, body: Body, arms: Sequence[Arm]) -> Array:
    """Return a signal of the body (1, T), or of each arm (A, T)."""
    if law.signal in BODY_SIGNALS:
        return BODY_SIGNALS[law.signal][1](body)[None]
    return np.stack([ARM_SIGNALS[law.signal][1](body, arm) for arm in arms])


def load_laws(path: Path | None = None) -> Laws:
    """Return the laws in a YAML file, by default those that ship.

    Raises:
        ConfigurationError: it cannot be read, or something in it is wrong: where, what, what is allowed.
    """
    path = path or share_directory() / "config" / "legibility.yaml"
    try:
        data = yaml.safe_load(read_limited(path, _MAX_BYTES))
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
    return _LawFile(path).laws(data)


class _LawFile:
    """Reads one file of laws."""

    def __init__(self, path: Path) -> None:
        self._values = CheckedValues(path)

    def laws(self, data: Any) -> Laws:
        acting = tuple(gesture for gesture in GESTURES if gesture != NEUTRAL)
        table = self._values.mapping(data, "the file", ("end", *acting))
        end = self._values.mapping(table["end"], "end", ("law", "at_most", "reason"))
        high = self._values.number(end["at_most"], "end at_most", 0.0)
        law = Law(self._text(end, "law", "end"), SECONDS, -np.inf, high, self._text(end, "reason", "end"))
        return Laws({gesture: self._gesture(table[gesture], gesture) for gesture in acting}, law)

    def _gesture(self, data: Any, where: str) -> GestureLaws:
        given = self._values.mapping(data, where, ("arms",), ("pose", "hold", "beats", "otherwise"))
        arms = self._values.one_of(given["arms"], f"{where} arms", ARMS)
        hold, reason = 0.0, ""
        if "pose" in given:
            keys = self._values.mapping(given.get("hold"), f"{where} hold", ("at_least", "reason"))
            hold = self._values.number(keys["at_least"], f"{where} hold at_least", 0.0, _EVER)
            reason = self._text(keys, "reason", f"{where} hold")
        pose, beats = (
            tuple(
                self._law(law, f"{where} {key} {row}", key == "beats", arms) for row, law in enumerate(rows)
            )
            for key in ("pose", "beats")
            for rows in [self._rows(given.get(key, []), f"{where} {key}")]
        )
        if not (pose or beats):
            raise self._values.error(where, data, "a pose or beats")
        otherwise = self._gesture(given["otherwise"], f"{where} otherwise") if "otherwise" in given else None
        return GestureLaws(arms, pose, hold, reason, beats, otherwise)

    def _rows(self, value: Any, where: str) -> list[Any]:
        if not isinstance(value, list):
            raise self._values.error(where, value, "a list of laws")
        return value

    def _law(self, data: Any, where: str, beat: bool, arms: str) -> Law:
        required = ("law", "signal", "reason", *(("swings", "within", "at_least") if beat else ()))
        given = self._values.mapping(data, where, required, ("at_least", "at_most", "whole"))
        signals = BODY_SIGNALS if arms == _NONE else UNITS
        low, high = (
            self._values.number(given[key], f"{where} {key}") if key in given else bound
            for key, bound in (("at_least", -np.inf), ("at_most", np.inf))
        )
        if not low < high or not (np.isfinite(low) or np.isfinite(high)):
            raise self._values.error(where, given, "at_least, at_most or both, the first below the second")
        return Law(
            self._text(given, "law", where),
            self._values.one_of(given["signal"], f"{where} signal", [s for s in signals if s != SECONDS]),
            low,
            high,
            self._text(given, "reason", where),
            int(self._values.number(given["swings"], f"{where} swings", 0.0, 100.0)) if beat else 0,
            self._values.number(given["within"], f"{where} within", 0.0, _EVER) if beat else 0.0,
            given.get("whole") is True,
        )

    def _text(self, given: Mapping[str, Any], key: str, where: str) -> str:
        return self._values.text(given[key], f"{where} {key}")
