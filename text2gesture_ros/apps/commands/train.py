"""`text2gesture train`: trains a model from its training file."""

import argparse
import logging
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from text2gesture_ros.apps.commands.verbs import (
    Outcome,
    Run,
    Verbs,
    add_parameters,
    add_recordings,
    recordings,
    training_file,
)
from text2gesture_ros.apps.tables import show_plan
from text2gesture_ros.errors import InputError

_LOG = logging.getLogger(__name__)


def add(verbs: Verbs) -> None:
    """Add the verbs."""
    what = verbs.group(
        "train", "Train a model: text, motion or recogniser.", ["train text --output my_model"]
    )
    _add(what, "text", _text)
    verb = _add(what, "motion", _motion)
    verb.add_argument(
        "--data",
        metavar="DIR",
        action="append",
        default=[],
        help="recordings of your own: labels.csv (file,gesture,emotion,start,end), folders named by gesture, "
        "or clips that say what they show; may be repeated",
    )
    verb.add_argument(
        "--studio",
        choices=("all", "missing", "none"),
        help="beside recordings: all of the studio's clips, those of gestures that are missing there, or "
        "none (default: as the training file says)",
    )
    verb = _add(what, "recogniser", _recogniser)
    add_recordings(verb, "to learn from; the training file says which parts of it")
    verb.add_argument(
        "--without",
        nargs="+",
        default=[],
        metavar="SOURCE",
        help="beside --recordings: sources not to learn from, so that the model can be measured on them",
    )


def _add(what: Verbs, name: str, run: Run) -> argparse.ArgumentParser:
    verb = what.add(
        name,
        run,
        f"Train the {name} model and write a model directory.",
        [
            f"train {name} --output my_model",
            f"train {name} --config my_{name}.yaml --output my_model --resume",
        ],
        has_result=False,
    )
    verb.add_argument(
        "--config", metavar="FILE.yaml", help=f"default: config/training/{name}.yaml that ships"
    )
    verb.add_argument(
        "--output",
        metavar="DIR",
        default=f"runs/{name}",
        help="model directory to write (default: %(default)s)",
    )
    begin = verb.add_mutually_exclusive_group()
    begin.add_argument("--resume", action="store_true", help="go on after the last whole epoch in it")
    begin.add_argument("--overwrite", action="store_true", help="start over where a training is already")
    verb.add_argument(
        "--dry-run",
        action="store_true",
        help="say what it would learn from and how long it would take here, by a few batches; write nothing",
    )
    add_parameters(verb, "gesture_generator", "device")
    return verb


def _text(args: argparse.Namespace) -> Outcome:
    """Train the intent classifier."""
    return _train(args, "text")


def _motion(args: argparse.Namespace) -> Outcome:
    """Train the motion model."""
    from text2gesture_ros.training.motion.recordings import check_recordings

    check_recordings(args.data)  # before torch, which takes seconds
    return _train(args, "motion", data=args.data, studio=args.studio)


def _recogniser(args: argparse.Namespace) -> Outcome:
    """Train the recogniser."""
    return _train(args, "recogniser", **recordings(args), without=args.without)


def _train(args: argparse.Namespace, what: str, **options: Any) -> Outcome:
    config, output = training_file(args.config, f"{what}.yaml"), Path(args.output)
    if args.dry_run:
        training = import_module(f"text2gesture_ros.training.{what}.train")
        plan = training.plan(config, device=args.device, **options)
        return Outcome(asdict(plan), lambda: show_plan(plan))
    _check_unused(output, args)
    logging.getLogger("text2gesture_ros").setLevel(logging.INFO)
    _LOG.info("loading PyTorch")
    training = import_module(f"text2gesture_ros.training.{what}.train")
    try:
        training.train(config, output, resume=args.resume, device=args.device, **options)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_stopped(output, args)) from None
    return Outcome()


def _check_unused(output: Path, args: argparse.Namespace) -> None:
    """Ask before a training begins where one is already.

    Raises:
        InputError: there is one, and nobody to ask or who says no.
    """
    from text2gesture_ros.model_directory import CONFIG_FILE, STATE_FILE, unfinished

    used = [name for name in (CONFIG_FILE, STATE_FILE) if (output / name).is_file()]
    if not used or args.resume or args.overwrite:
        return
    state = unfinished(output) or f"{output}: a trained model is there"
    choices = "--resume goes on, --overwrite starts over, or another --output"
    if not sys.stdin.isatty():
        raise InputError(f"{state}. Allowed: {choices}")
    sys.stderr.write(f"{state}. Start over, and lose it? [y/N] ")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise InputError(f"{output}: left as it is. {choices}")


def _stopped(output: Path, args: argparse.Namespace) -> str:
    """Return what a training that was stopped leaves, and how to go on."""
    from text2gesture_ros.model_directory import CONFIG_FILE, STATE_FILE, unfinished

    if not (output / STATE_FILE).is_file():
        return "stopped before the first epoch was done: nothing is kept"
    line = args.line if args.resume else f"{args.line} --resume"
    kept = unfinished(output).partition(";")[0] or str(output)
    model = "the model as it is and " if (output / CONFIG_FILE).is_file() else ""
    return f"{kept}. Kept: {model}the state of the last whole epoch. Go on: {line}"
