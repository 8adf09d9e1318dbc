"""Values of a YAML file, checked: every error names the file, the key, what was given and what is allowed."""

import reprlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.geometry import Array, normalise
from text2gesture_ros.robots.urdf import MAX_ANGLE


class CheckedValues:
    """Checks the values of one file. Every method but `error` raises ConfigurationError for a wrong value."""

    def __init__(self, path: Path) -> None:
        """Check values of the file at `path`."""
        self.path = path

    def error(self, key: str, value: object, allowed: str) -> ConfigurationError:
        """Return the error that names the file, the key, what was given and what is allowed."""
        # A few lines of YAML can stand for a value of any size (aliases of aliases): show its beginning.
        shown = reprlib.repr(value)[:80]
        return ConfigurationError(f"{self.path}: {key} is {shown}. Allowed: {allowed}")

    def mapping(
        self, data: Any, where: str, required: tuple[str, ...], optional: tuple[str, ...] = (), hint: str = ""
    ) -> dict[str, Any]:
        """Return a mapping that has the required keys and no others but the optional ones."""
        allowed = ", ".join((*required, *optional)) or "none"
        if not isinstance(data, dict):
            raise self.error(where, data, f"a mapping with the keys {allowed}")
        unknown = [key for key in data if key not in required and key not in optional]
        if unknown:
            raise ConfigurationError(
                f"{self.path}: {where} has the unknown key {label(str(unknown[0]))!r}{hint}."
                f" Allowed: {allowed}"
            )
        missing = [key for key in required if key not in data]
        if missing:
            raise ConfigurationError(f"{self.path}: {where} lacks the key {missing[0]!r}")
        return data

    def text(self, value: Any, where: str) -> str:
        """Return a text that is not empty."""
        if not isinstance(value, str) or not value.strip():
            raise self.error(where, value, "a non-empty text")
        return value

    def one_of(self, value: Any, where: str, known: Iterable[str]) -> str:
        """Return one of the known names."""
        if not isinstance(value, str) or value not in known:
            raise self.error(where, value, f"one of {', '.join(known)}")
        return value

    def number(self, value: Any, where: str, above: float = -np.inf, most: float = 1e6) -> float:
        """Return a finite number in (above, most]."""
        # YAML reads `on` as a truth value, which Python counts among the integers.
        if isinstance(value, bool) or not isinstance(value, int | float) or not above < value <= most:
            bound = f"a number above {above:g} and at most {most:g}" if above > -np.inf else "a finite number"
            raise self.error(where, value, bound)
        return float(value)

    def angle(self, value: Any, where: str) -> float:
        """Return an angle [rad]."""
        angle = self.number(value, where)
        if abs(angle) > MAX_ANGLE:
            raise self.error(where, angle, f"radians, at most {MAX_ANGLE:.4f} (degrees?)")
        return angle

    def vector(self, value: Any, where: str) -> Array:
        """Return three numbers (3,)."""
        if not isinstance(value, list) or len(value) != 3:
            raise self.error(where, value, "three numbers [x, y, z]")
        return np.array([self.number(number, f"{where}[{axis}]") for axis, number in enumerate(value)])

    def direction(self, value: Any, where: str) -> Array:
        """Return a unit vector (3,)."""
        vector = self.vector(value, where)
        if np.linalg.norm(vector) < 1e-6:
            raise self.error(where, value, "three numbers, not all zero")
        return normalise(vector)


def label(name: str) -> str:
    """Return a name as it fits into a message of one line."""
    return " ".join("".join(c if c.isprintable() else " " for c in name[:40]).split()) or "no name"
