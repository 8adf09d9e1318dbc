"""How results are printed for people."""

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from text2gesture_ros.classifier import Prediction


def best(prediction: "Prediction") -> str:
    """Return the likeliest label with its probability, rounded down, for people."""
    index = int(prediction.probabilities.argmax())
    return f"{prediction.labels[index]} {math.floor(100 * prediction.probabilities[index]) / 100:.2f}"


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; columns whose name ends in a bracket (a unit) or begins with '#' align right."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", header_style="bold")
    for name in columns:
        number = name.startswith("#") or name.endswith("]")
        # As Text: a name in brackets would be taken for markup.
        header = Text(name.removeprefix("#"))
        table.add_column(header, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console()
    # A file or a pipe has no width: give every column its room instead of breaking words.
    (console if console.is_terminal else Console(width=160)).print(table)


def show_pairs(data: Mapping[str, Any]) -> None:
    """Print names and values, one per line, leaving out what is None."""
    rows = [
        (name.replace("_", " "), f"{value:.4g}" if isinstance(value, float) else str(value))
        for name, value in data.items()
        if value is not None
    ]
    width = max(len(name) for name, _ in rows)
    sys.stdout.writelines(f"{name:<{width}}  {value}\n" for name, value in rows)


def show_metrics(metrics: Mapping[str, Mapping[str, Any]]) -> None:
    """Print a table: a line per name, a column per metric."""
    columns = list(dict.fromkeys(key for values in metrics.values() for key in values))
    rows = [
        (name, *(f"{values[key]:.4g}" if values.get(key) is not None else "" for key in columns))
        for name, values in metrics.items()
    ]
    show_table("", ("", *(f"#{key.replace('_', ' ')}" for key in columns)), rows)


def show_figures(figures: Mapping[str, Any], indent: str = "") -> None:
    """Print figures, nested ones indented."""
    width = max(map(len, figures))
    for name, value in figures.items():
        if isinstance(value, Mapping):
            sys.stdout.write(f"{indent}{name}\n")
            show_figures(value, indent + "  ")
        else:
            shown = f"{value:.4g}" if isinstance(value, float) else str(value)
            sys.stdout.write(f"{indent}{name:<{width}}  {shown}\n")
