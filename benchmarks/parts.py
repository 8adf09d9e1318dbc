"""Measurements that go on where they were stopped: parts are kept beside the output until all are done."""

import argparse
import json
import signal
import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from text2gesture_ros.measurement import described

Part = dict[str, Any]


def parser(module: str | None, robots: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return a parser of what every measurement takes: a robot, or several with other ones as the default.

    Args:
        module: the docstring of the measurement.
        robots: those that are measured if nothing else is said; none: there is one robot.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # nodes that were started are ended with it
    result = argparse.ArgumentParser(description=(module or "").split("\n\n")[0])
    if robots:
        result.add_argument("--robots", nargs="+", default=robots, metavar="ROBOT", help="names or paths")
    else:
        result.add_argument("--robot", default="pepper", help="name or path of the robot")
    result.add_argument("--output", type=Path, help="where the result goes (.json)")
    return result


def measured(
    output: Path | None,
    tasks: Sequence[Hashable],
    measure: Callable[[Any], Part],
) -> list[Part]:
    """Return what `measure` returns for each task, those done before from the file beside the output."""
    kept = _beside(output)
    done = [json.loads(line) for line in kept.read_text().splitlines()] if kept and kept.exists() else []
    parts = {json.dumps(part.pop("task")): part for part in done}
    for number, task in enumerate(tasks, start=1):
        key = json.dumps(task)
        if key in parts:
            continue
        parts[key] = measure(task)
        line = json.dumps({"task": task, **parts[key]})
        print(f"{number}/{len(tasks)} {line}", file=sys.stderr)
        if kept:
            with kept.open("a") as lines:
                lines.write(line + "\n")
    return [parts[json.dumps(task)] for task in tasks]


def written(output: Path | None, name: str, figures: Mapping[str, Any]) -> None:
    """Print figures and write them with command, date and machine; parts are done with then."""
    print(json.dumps(figures, indent=1))
    if output:
        command = " ".join([f"python -m benchmarks.{name}", *sys.argv[1:]])
        output.write_text(json.dumps(described(command, figures), indent=1) + "\n")
        kept = _beside(output)
        assert kept
        kept.unlink(missing_ok=True)


def spread(values: Sequence[float | None], digits: int = 3) -> dict[str, float | int]:
    """Return median, 95th percentile and largest of numbers; missed: how many are none."""
    known = [value for value in values if value is not None]
    figures = (
        {"median": np.median(known), "p95": np.percentile(known, 95), "max": max(known)} if known else {}
    )
    rounded = {name: round(float(value), digits) for name, value in figures.items()}
    return {**rounded, "missed": len(values) - len(known)}


def _beside(output: Path | None) -> Path | None:
    return output.with_suffix(".parts.jsonl") if output else None
