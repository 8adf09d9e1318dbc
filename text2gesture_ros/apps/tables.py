"""Results printed as tables."""

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from text2gesture_ros.labels import GATE

if TYPE_CHECKING:
    from text2gesture_ros.training.pace import Plan
    from text2gesture_ros.training.summary import Summary
    from text2gesture_ros.understanding.explanation import Word
    from text2gesture_ros.understanding.intent import Intent, Prediction


_FEW = 0.25  # of what other labels have: the row of a label that is warned of


def counted(number: int, what: str, plural: str = "s") -> str:
    """Return a number with its noun, which has an ending unless it is one."""
    return f"{number} {what}{plural if number != 1 else ''}"


def best(prediction: "Prediction") -> str:
    """Return the likeliest label with its probability, rounded down, for people."""
    index = int(prediction.probabilities.argmax())
    return f"{prediction.labels[index]} {_rounded_down(prediction.probabilities[index])}"


def _rounded_down(probability: float) -> str:
    return f"{math.floor(100 * probability) / 100:.2f}"


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; columns whose name ends in a bracket (a unit) or begins with '#' align right."""
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
    _print(table)


def _print(what: Any) -> None:
    from rich.console import Console

    console = Console()
    # A file or a pipe has no width: give every column its room instead of breaking words.
    (console if console.is_terminal else Console(width=160)).print(what)


def show_summary(summary: "Summary") -> None:
    """Print the tables of a result, and the lines below them."""
    for title, columns, rows in summary.tables:
        show_table(title, columns, rows)
    sys.stdout.writelines(f"{note}\n" for note in summary.notes)


def show_plan(plan: "Plan") -> None:
    """Print what a training would learn from, and how long it would take here."""
    from text2gesture_ros.training.pace import duration

    rows = [(label, str(count)) for label, count in sorted(plan.clips.items())]
    show_table("", ("label", "#to learn from"), [*rows, ("total", str(sum(plan.clips.values())))])
    usual = median(plan.clips.values()) if plan.clips else 0.0
    few = [f"{label} ({count})" for label, count in sorted(plan.clips.items()) if count < _FEW * usual]
    if few:
        sys.stdout.write(
            f"few to learn from: {', '.join(few)}, where others have about {usual:g}: such a label is learnt "
            f"badly. Enough is about as many as the others have, at least {_FEW * usual:.0f}\n"
        )
    sys.stdout.write(f"held out: {plan.held_out}\n")
    for stage in plan.stages:
        seconds = plan.per_batch.get(stage.name, 0.0)
        sys.stdout.write(
            f"{stage.name}: {counted(stage.epochs, 'epoch')} of {counted(stage.batches, 'batch', 'es')}, "
            f"{seconds:.2f} s each: about "
            f"{duration(stage.epochs * stage.batches * seconds)}\n"
        )
    sys.stdout.write(f"reading and making them: about {duration(plan.making)}\n")
    sys.stdout.write(f"total: about {duration(plan.seconds)} on this machine\n")


def show_explanations(explained: "Sequence[tuple[Intent, Sequence[Word]]]", speech_threshold: float) -> None:
    """Print the words of each intent, coloured by their weight for each task, and the weightiest by name.

    What they did for the gate is shown where it rejected the text: speech below `speech_threshold`.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(header_style="bold", show_lines=True)
    for name in ("task", "likeliest label", "words", "weightiest"):
        table.add_column(name, overflow="fold")
    for intent, words in explained:
        for task in words[0].weights if words else ():
            if task == GATE and intent.speech >= speech_threshold:
                continue
            likeliest = _rounded_down(intent.speech) if task == GATE else best(getattr(intent, task))
            weights = [word.weights[task] for word in words]
            most = max(0.1, *map(abs, weights))  # where no word matters, none is marked as if it did
            shown = Text(" ").join(
                Text(word.text, style=_shade(weight / most))
                for word, weight in zip(words, weights, strict=True)
            )
            order = sorted(range(len(words)), key=lambda index: -abs(weights[index]))[:3]
            named = "  ".join(
                f"{words[index].text} {weights[index]:+.2f}"
                for index in order
                if abs(weights[index]) >= 0.005  # less would read as 0.00
            )
            table.add_row(task, likeliest, shown, Text(named))
    _print(table)
    _print(
        Text.assemble(
            "A word's weight is what the label, or being English speech, loses without it: ",
            ("speaks for it", _shade(1.0)),
            ", ",
            ("speaks against it", _shade(-1.0)),
        )
    )


def _shade(share: float) -> str:
    """Return the style of a word with a share in [-1, 1] of the weight that the weightiest has."""
    strength, rest = round(40 + 160 * abs(share)), round(40 * (1.0 - abs(share)))
    red, green = (rest, strength) if share >= 0.0 else (strength, rest)
    return f"white on rgb({red},{green},{rest})" if abs(share) >= 0.1 else ""


def show_pairs(data: Mapping[str, Any]) -> None:
    """Print names and values, one per line, leaving out what is None."""
    rows = [
        (name.replace("_", " "), f"{value:.4g}" if isinstance(value, float) else str(value))
        for name, value in data.items()
        if value is not None
    ]
    width = max(len(name) for name, _ in rows)
    sys.stdout.writelines(f"{name:<{width}}  {value}\n" for name, value in rows)


def show_recordings(recordings: Sequence[Mapping[str, Any]]) -> None:
    """Print a table of imported recordings, then what was assumed or changed."""
    rows = [
        (
            Path(data["file"]).name,
            data["format"],
            f"{data['source_frame_rate']:g}",
            f"{data['duration']:.2f}",
            ", ".join(data["filled"]) or "none",
            ", ".join(data["unmapped"]) or "none",
        )
        for data in recordings
    ]
    show_table("", ("file", "format", "rate [Hz]", "length [s]", "filled by proportion", "not mapped"), rows)
    said: dict[str, list[str]] = {}
    for data in recordings:
        for note in data["notes"]:
            said.setdefault(note, []).append(Path(data["file"]).name)
    for note, names in said.items():
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        sys.stdout.write(f"{shown}: {note}\n")


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


def show_studio(data: Mapping[str, Any]) -> None:
    """Print what the verb `studio` wrote and measured."""
    show_figures({"clips in": data["files"]})
    rows = [
        (who, measure, *(f"{value:.2f}" for value in values))
        for who, measures in data["naturalness"].items()
        for measure, values in measures.items()
    ]
    columns = ("clips", "the busier hand's", "#5 %", "#median", "#95 %")
    show_table("How naturally hands move", columns, rows)
    sys.stdout.writelines(f"not compared: {line}\n" for line in data.get("not_compared", []))
    for sheet in data.get("sheets", []):
        sys.stdout.write(f"contact sheet: {sheet}\n")
