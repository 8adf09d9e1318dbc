"""Confusion matrices as pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from text2gesture_ros.labels import TASKS

Metrics = Mapping[str, Any]


def draw_confusion(path: Path, metrics: Metrics, title: str) -> None:
    """Write a PNG with the confusion matrix of each task: the label in rows, the choice in columns.

    Args:
        path: where it goes.
        metrics: of `text.evaluate.measure`; where it has `confusion_ok`, an accepted choice counts as right.
        title: what was measured on what.
    """
    sizes = [len(names) for names in TASKS.values()]
    figure = Figure(figsize=(24.0, 10.5), dpi=100, layout="constrained")
    figure.suptitle(title, fontsize=18, fontweight="bold")
    accepted = ", what is accepted counts as right" if "confusion_ok" in metrics["gesture"] else ""
    figure.supxlabel(f"number of lines; colour: share of the row{accepted}", fontsize=13, color="0.35")
    panels = figure.subplots(1, len(TASKS), width_ratios=[size + 1 for size in sizes])
    for axes, task in zip(panels, TASKS, strict=True):
        _draw(axes, task, metrics[task])
    figure.savefig(path, format="png")


def _draw(axes: Axes, task: str, metrics: Metrics) -> None:
    names = TASKS[task]
    forgiving = "confusion_ok" in metrics
    confusion = metrics["confusion_ok" if forgiving else "confusion"]
    counts = np.array([[confusion.get(row, {}).get(column, 0) for column in names] for row in names])
    totals = counts.sum(axis=1)
    shares = counts / np.maximum(totals, 1)[:, None]
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            color = "white" if shares[row, column] > 0.55 else "black"
            weight = "bold" if row == column else "normal"
            axes.text(
                column, row, str(count), ha="center", va="center", color=color, fontsize=11, fontweight=weight
            )
    ticks = range(len(names))
    axes.set_xticks(ticks, names, rotation=45, ha="right", rotation_mode="anchor", fontsize=12)
    axes.set_yticks(
        ticks, [f"{name}  ({total})" for name, total in zip(names, totals, strict=True)], fontsize=12
    )
    axes.set_xticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="0.9", linewidth=0.8)
    axes.tick_params(length=0, which="both")
    axes.spines[:].set_visible(False)
    axes.set_xlabel("chosen", fontsize=12)
    axes.set_ylabel("labelled (lines)", fontsize=12, labelpad=8)
    axes.set_anchor("N")
    said = [task.capitalize(), "no line to score"]
    if metrics["n"]:
        said[1] = f"accuracy {metrics['accuracy']:.3f} of {metrics['n']}"
        if forgiving:
            said.append(f"accepted {metrics['accuracy_ok']:.3f} of {metrics['n_ok']}")
    axes.set_title("\n".join(said), fontsize=14)
