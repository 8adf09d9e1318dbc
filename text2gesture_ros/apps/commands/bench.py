"""`text2gesture bench`: how fast the package is, and what else could run its models."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
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
from text2gesture_ros.apps.tables import show_figures, show_table
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
        "Measure speed: latency, generator, text, or engines that could run the models.",
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
    _add_engines(
        what.group(
            "engines",
            "Compare engines and precisions that could run a model: speed, memory, load time, accuracy.",
            ["bench engines motion --json"],
        )
    )


def _add_engines(engines: Verbs) -> None:
    verb = _add(
        engines,
        "text",
        _text_engines,
        "Compare what can run the intent model: PyTorch, ONNX Runtime, OpenVINO, float32 and kinds of int8. "
        "Speed, memory, load time, accuracy.",
        (20, "runs per length and round"),
        "engines ",
    )
    verb.add_argument(
        "--data",
        metavar="FILE",
        help="labelled sentences, CSV or JSONL (default: the held-out ones that ship)",
    )
    add_number(verb, "rounds", 5, "how often the engines take turns")
    add_parameters(verb, "intent_classifier", "model")
    verb = _add(
        engines,
        "motion",
        _motion_engines,
        "Compare what can run the motion model's step: PyTorch, ONNX Runtime, OpenVINO, float32 and kinds of "
        "int8, CUDA. Speed beside the bound of the memory's bandwidth, memory, load time, distance of the "
        "joints.",
        (6, "clips per round"),
        "engines ",
    )
    verb.add_argument(
        "--sizes",
        metavar="FILE.yaml",
        help="instead of a model that has learnt something, one of the sizes of this training file",
    )
    verb.add_argument("--engine", action="append", metavar="NAME", help="only this one; may be repeated")
    add_number(verb, "rounds", 5, "how often the engines take turns")
    add_parameters(verb, "gesture_generator", "model")


def _add(
    verbs: Verbs, name: str, run: Run, summary: str, count: tuple[int, str], group: str = ""
) -> argparse.ArgumentParser:
    line = f"bench {group}{name}"
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


def _text_engines(args: argparse.Namespace) -> Outcome:
    """Compare what can run the intent classifier."""
    count, rounds = number(args, "count", 1), number(args, "rounds", 1, 1000)
    from benchmarks.text_engines import ROWS, compare, rows

    data = Path(args.data) if args.data else None
    found = _measured(args, lambda: compare(args.model, count, rounds, data=data)).data
    return Outcome(found, lambda: show_table("", ROWS, rows(found)))


def _motion_engines(args: argparse.Namespace) -> Outcome:
    """Compare what can run the motion model's step."""
    count, rounds = number(args, "count", 1), number(args, "rounds", 1, 1000)
    from benchmarks.motion_engines import ROWS, compare, rows

    names, sizes = args.engine or [], Path(args.sizes) if args.sizes else None
    found = _measured(args, lambda: compare(args.model, count, rounds, names=names, sizes=sizes)).data
    return Outcome(found, lambda: show_table("", ROWS, rows(found)))


def _measured(args: argparse.Namespace, measure: Callable[[], Mapping[str, Any]]) -> Outcome:
    """Return figures; written, they say by which command, when and where they were measured."""
    output = check_output(args)
    from text2gesture_ros.measurement import described

    figures = measure()
    write_json(output, described(args.line, figures))
    return Outcome(figures, lambda: show_figures(figures))
