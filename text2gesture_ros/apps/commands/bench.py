"""`text2gesture bench`: latency and throughput of the package."""

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from text2gesture_ros.apps.commands.sentences import read_sentences
from text2gesture_ros.apps.commands.verbs import (
    Outcome,
    Run,
    Verbs,
    add_number,
    add_output,
    add_parameters,
    check_output,
    number,
    parameters,
    write_json,
)
from text2gesture_ros.apps.tables import show_figures
from text2gesture_ros.errors import InputError
from text2gesture_ros.parameters import (
    GestureGeneratorParameters,
    GestureRetargeterParameters,
    IntentClassifierParameters,
)
from text2gesture_ros.resources import share_directory

_MODEL = ("model", "device", "threads")


def add(verbs: Verbs) -> None:
    """Add the verbs."""
    what = verbs.group(
        "bench",
        "Measure speed: latency, generator, text.",
        ["bench latency --json"],
    )
    verb = _add(
        what,
        "latency",
        _latency,
        "From a text published to the first joint_trajectory received, through the real nodes.",
        (30, "sentences to send"),
    )
    verb.add_argument(
        "--pace", type=float, default=2.2, metavar="TIME", help="from one sentence to the next [s] (2.2)"
    )
    add_parameters(verb, "gesture_retargeter", "robot")
    verb = _add(
        what,
        "generator",
        _generator,
        "Frames per second of the motion model, and how long the slowest frames take.",
        (5, "clips per gesture"),
    )
    add_parameters(verb, "gesture_generator", *_MODEL)
    verb = _add(
        what,
        "text",
        _text,
        "Milliseconds to classify a sentence of 5, 12, 15 and 40 words; memory and start of the node.",
        (100, "runs per length"),
    )
    add_parameters(verb, "intent_classifier", *_MODEL)


def _add(verbs: Verbs, name: str, run: Run, summary: str, count: tuple[int, str]) -> argparse.ArgumentParser:
    line = f"bench {name}"
    verb = verbs.add(name, run, summary, [line, f"{line} --count 2 --json --output {name}.json"])
    add_number(verb, "count", *count)
    add_output(verb)
    return verb


def _latency(args: argparse.Namespace) -> Outcome:
    """Measure the time from text to first joint command."""
    robot = parameters(GestureRetargeterParameters, args).robot
    count = number(args, "count", 1)
    if not 0.1 <= args.pace <= 60.0:
        raise InputError(f"--pace must be in [0.1, 60] s but is {args.pace}")
    from text2gesture_ros.apps import bench

    sentences = read_sentences(share_directory() / "demo" / "conversation.txt")
    return _measured(args, lambda: bench.latency(robot, sentences, count, args.pace))


def _generator(args: argparse.Namespace) -> Outcome:
    """Measure the motion model."""
    given, count = parameters(GestureGeneratorParameters, args), number(args, "count", 1)
    from text2gesture_ros.apps import bench

    return _measured(args, lambda: bench.generator(given, count))


def _text(args: argparse.Namespace) -> Outcome:
    """Measure the intent classifier."""
    given, count = parameters(IntentClassifierParameters, args), number(args, "count", 1)
    from text2gesture_ros.apps import bench

    return _measured(args, lambda: bench.text(given, count))


def _measured(args: argparse.Namespace, measure: Callable[[], Mapping[str, Any]]) -> Outcome:
    """Return figures; written, they say by which command, when and where they were measured."""
    output = check_output(args)
    from text2gesture_ros.measurement import described

    figures = measure()
    write_json(output, described(args.line, figures))
    return Outcome(figures, lambda: show_figures(figures))
