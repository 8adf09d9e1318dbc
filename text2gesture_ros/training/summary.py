"""What is printed of a measurement: tables, and lines of text below them."""

from collections.abc import Sequence
from dataclasses import dataclass

Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]
"""Title, columns and rows; columns whose name ends in a bracket (a unit) or begins with '#' align right."""

BETTER = "↑: higher is better, ↓: lower is better"


@dataclass(frozen=True)
class Summary:
    """The tables of a measurement, and the lines below them."""

    tables: Sequence[Table]
    notes: Sequence[str] = ()


def number(value: float | None) -> str:
    """Return a number as a cell: floats with three digits, None empty."""
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
