"""`text2gesture train`: trains a model from its training file."""

import argparse
import logging
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
    verb.add_argument("--resume", action="store_true", help="go on from the last checkpoint in it")
    add_parameters(verb, "gesture_generator", "device")
    return verb


def _text(args: argparse.Namespace) -> Outcome:
    """Train the intent classifier."""
    return _train(args, "text")


def _motion(args: argparse.Namespace) -> Outcome:
    """Train the motion model."""
    return _train(args, "motion", data=args.data, studio=args.studio)


def _recogniser(args: argparse.Namespace) -> Outcome:
    """Train the recogniser."""
    return _train(args, "recogniser", **recordings(args), without=args.without)


def _train(args: argparse.Namespace, what: str, **options: Any) -> Outcome:
    config = training_file(args.config, f"{what}.yaml")
    logging.getLogger("text2gesture_ros").setLevel(logging.INFO)
    training = import_module(f"text2gesture_ros.training.{what}.train")
    training.train(config, Path(args.output), resume=args.resume, device=args.device, **options)
    return Outcome()
