"""`text2gesture ablation`: the accuracy of the intent model with different sets of heads."""

import argparse
import logging
from pathlib import Path

from text2gesture_ros.apps.commands.verbs import (
    Outcome,
    Verbs,
    add_number,
    add_parameters,
    check_suffix,
    number,
    training_file,
)
from text2gesture_ros.apps.tables import show_table

_FILES = {"config": "text_paper.yaml", "recipe": "text.yaml"}


def add(verbs: Verbs) -> None:
    """Add the verb."""
    verb = verbs.add(
        "ablation",
        run,
        "Train the intent model with each set of heads of the paper's Table 1, over several seeds. Beside it "
        "stand the paper, our recipe on as many lines, and simple classifiers. Goes on where it stopped.",
        [
            "ablation --output models/intent/ablation.json --jobs 2",
            "ablation --rows recipe gesture --seeds 2 --output part.json",
            "ablation --rows --merge part.json --output models/intent/ablation.json",
        ],
    )
    verb.add_argument("--output", required=True, metavar="FILE.json", help="where the results go, run by run")
    for option, file in _FILES.items():
        verb.add_argument(
            f"--{option}", metavar="FILE.yaml", help=f"default: config/training/{file} that ships"
        )
    verb.add_argument("--rows", nargs="*", metavar="ROW", help="rows to run (default: all)")
    add_number(verb, "seeds", 5, "runs per row")
    add_number(verb, "jobs", 1, "runs at a time")
    verb.add_argument(
        "--merge", nargs="*", default=[], metavar="FILE.json", help="take over runs of these files"
    )
    add_parameters(verb, "gesture_generator", "device")


def run(args: argparse.Namespace) -> Outcome:
    """Train with the sets of heads of the paper's Table 1 and compare."""
    config, recipe = (training_file(getattr(args, option), file) for option, file in _FILES.items())
    output = check_suffix(args.output, ".json")
    seeds, jobs = number(args, "seeds", 1, 1000), number(args, "jobs", 1, 1000)
    from text2gesture_ros.training.text import ablation as study

    study.logger.setLevel(logging.INFO)
    result = study.ablation(
        config,
        recipe,
        output,
        rows=study.ROWS if args.rows is None else args.rows,
        seeds=seeds,
        jobs=jobs,
        merge=[Path(path) for path in args.merge],
        device=args.device,
    )
    return Outcome(result, lambda: show_table("", *study.table(result)))
