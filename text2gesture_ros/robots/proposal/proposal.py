"""A proposed robot file: its values, notes of what is uncertain, and its text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.geometry import Array
from text2gesture_ros.gestures import GROUPS
from text2gesture_ros.resources import find_robot_file, read_limited
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.robots.robot_file import MAX_FILE_BYTES, named_limits, robot_of


@dataclass
class Proposal:
    """The values of a proposed robot file.

    Attributes:
        data: the file, as YAML gives it.
        notes: what is uncertain, by key of the file.
        reasons: why each entry of `ignored_pairs` needs no check, in their order.
        where: the URDF, for messages.
    """

    data: dict[str, Any]
    notes: dict[str, list[str]] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    where: str = ""

    def robot(self) -> Robot:
        """Return the robot the data makes.

        Raises:
            ConfigurationError: it makes none; the message names the URDF.
        """
        file = f"{self.data['name']}.yaml"
        try:
            return robot_of(self.data, Path(file))
        except ConfigurationError as error:
            raise ConfigurationError(f"{self.where}: {str(error).removeprefix(f'{file}: ')}") from None

    def note(self, key: str, text: str) -> None:
        """Add a note of what is uncertain."""
        self.notes.setdefault(key, []).append(text)


def written(proposal: Proposal) -> str:
    """Return the text of a robot file, with each note above the key it is about."""
    lines = [
        f"# {proposal.data['title']}, as `text2gesture robot new` proposes it.",
        "# Where it says CHECK, something could not be known and was filled in with care.",
        "# The keys are explained in config/robots/pepper.yaml. Units: metres, radians, seconds.",
    ]
    for key, value in proposal.data.items():
        lines += [""] if isinstance(value, dict | list) else []
        lines += [f"# CHECK {note}." for note in proposal.notes.get(key, [])]
        if key in GROUPS:
            lines += [f"{key}:", "  joints:"]
            for joint in value["joints"]:
                first = {name: joint[name] for name in ("name", "xyz", "rpy", "axis")}
                rest = {name: value for name, value in joint.items() if name not in first}
                lines += [f"    - {{{_flow(first)},", f"       {_flow(rest)}}}"]
            if "landmarks" in value:
                lines += ["  landmarks:"]
                lines += [f"    {name}: {{{_flow(point)}}}" for name, point in value["landmarks"].items()]
        elif key == "hands":
            lines += ["hands:", *(f"  {name}: {{{_flow(hand)}}}" for name, hand in value.items())]
        elif isinstance(value, dict):
            lines += [f"{key}:", *(f"  {_flow({name: entry})}" for name, entry in value.items())]
        elif key == "ignored_pairs" and value:
            entries = [f"  - {_value(pair)}" for pair in value]
            width = max(map(len, entries), default=0)
            noted = zip(entries, proposal.reasons, strict=True)
            lines += [f"{key}:", *(f"{entry:<{width}}  # {reason}" for entry, reason in noted)]
        elif isinstance(value, list) and value:
            lines += [f"{key}:", *(f"  - {_value(entry)}" for entry in value)]
        else:
            lines.append(_flow({key: value}))
    loose = [
        f"# CHECK {note}."
        for key in proposal.notes
        if key not in proposal.data
        for note in proposal.notes[key]
    ]
    return "\n".join([*lines[:3], *loose, *lines[3:]]) + "\n"


def open_checks(robot: str) -> list[str]:
    """Return what the file of a robot, by name or path, still says that a person has to CHECK, by its key."""
    text = read_limited(find_robot_file(named_limits(robot)[0]), MAX_FILE_BYTES).decode(
        "utf-8", errors="replace"
    )
    found: list[str] = []
    waiting: list[str] = []
    for line in text.splitlines():
        if "# CHECK " in line:
            waiting.append(line.partition("# CHECK ")[2].strip().removesuffix("."))
        elif (key := line.partition(":")[0]) and key.isidentifier():  # what they stand above
            found += [note if key == "name" else f"{key}: {note}" for note in waiting]
            waiting = []
    return found + waiting


def rounded(value: float) -> float:
    """Return a number as the file shows it: eight digits, rounding errors as zero."""
    return float(f"{value:.8g}") if abs(value) > 1e-7 else 0.0


def numbers(vector: Array) -> list[float]:
    """Return a vector as a file shows it."""
    return [rounded(float(value)) for value in vector]


def point_of(vector: Array) -> list[float]:
    """Return a point of the body, rounded to a tenth of a millimetre."""
    return [round(float(value), 4) + 0.0 for value in vector]


def _flow(entries: Mapping[str, Any]) -> str:
    return ", ".join(f"{_value(name)}: {_value(value)}" for name, value in entries.items())


def _value(value: Any) -> str:
    """Return a value in one line of YAML."""
    if isinstance(value, dict):
        return f"{{{_flow(value)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float):
        # YAML takes 1e-06 for a text: it wants a point.
        return np.format_float_positional(value, trim="0")
    return yaml.safe_dump(value, width=1000, allow_unicode=True).removesuffix("...\n").strip()
