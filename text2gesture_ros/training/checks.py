"""Checks of the values of training files."""

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any

from text2gesture_ros.parameters import Specification

Bounds = tuple[float, float]


def check_values(
    values: Any,
    bounds: Mapping[str, Bounds],
    choices: Mapping[str, tuple[str, ...]] | None = None,
    *,
    others: Bounds | None = None,
    empty: Collection[str] = (),
    prefix: str = "",
) -> None:
    """Check the fields of a dataclass that are bool, int, float or str; a whole number may stand for a float.

    Args:
        values: an instance of the dataclass.
        bounds: inclusive bounds of its numbers.
        choices: the allowed values of its texts; any text that is not empty otherwise.
        others: bounds of the numbers that `bounds` does not name.
        empty: names of the texts that may be empty.
        prefix: what stands before a name in the error message.

    Raises:
        ConfigurationError: a value has the wrong type, is out of bounds or not one of the choices.
    """
    for item in fields(values):
        value = getattr(values, item.name)
        if item.type not in (bool, int, float, str) or (item.name in empty and value == ""):
            continue
        if item.type is float and type(value) is int:
            value = float(value)
            object.__setattr__(values, item.name, value)
        unbounded: tuple[float | None, float | None] = (None, None)
        low, high = unbounded if item.type is bool else bounds.get(item.name, others or unbounded)
        specification = Specification("", low=low, high=high, choices=(choices or {}).get(item.name, ()))
        given = value.strip() if isinstance(value, str) else value
        specification.check(f"{prefix}{item.name}", given, item.type)
