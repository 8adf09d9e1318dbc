"""`text2gesture export`: writes the ONNX graphs of a model from its weights."""

import argparse
import sys
from importlib import import_module

from text2gesture_ros.apps.commands.verbs import Outcome, Verbs

# The training package that exports each kind of model.
_TRAININGS = {"intent": "text", "motion": "motion", "recogniser": "recogniser"}


def add(verbs: Verbs) -> None:
    """Add the verb."""
    verb = verbs.add(
        "export",
        run,
        "Write the graphs that ONNX Runtime runs from a model's weights.",
        ["export intent", "export ./my_model"],
    )
    verb.add_argument(
        "model", metavar="MODEL", help="name of a model that ships, or path of a model directory"
    )


def run(args: argparse.Namespace) -> Outcome:
    """Write a model's graphs from its weights."""
    from text2gesture_ros.errors import ModelError
    from text2gesture_ros.model_directory import CONFIG_FILE, open_model

    directory = open_model(args.model)
    kind = directory.config["kind"]
    if kind not in _TRAININGS:
        raise ModelError(
            f"{directory.path / CONFIG_FILE}: 'kind' must be one of {', '.join(_TRAININGS)} but is {kind!r}"
        )
    import_module(f"text2gesture_ros.training.{_TRAININGS[kind]}.train").export(directory.path)
    graphs = [str(path) for path in sorted(directory.path.glob("*.onnx"))]
    data = {"model": directory.name, "path": str(directory.path), "graphs": graphs}
    return Outcome(data, lambda: sys.stdout.writelines(f"{graph}\n" for graph in graphs))
