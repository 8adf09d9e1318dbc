"""`text2gesture gallery`: draws every gesture on several robots."""

import argparse
import sys
from pathlib import Path

from text2gesture_ros.apps.commands.verbs import Outcome, Verbs
from text2gesture_ros.labels import GESTURES, check_label

_ROBOTS = ("pepper", "nao", "g1", "reachy")


def add(verbs: Verbs) -> None:
    """Add the verb."""
    verb = verbs.add(
        "gallery",
        run,
        "Draw every gesture as the human does it and as robots do, side by side. Writes a GIF for each "
        "gesture and a contact sheet; the same pictures each time.",
        ["gallery --output docs/robots", "gallery --robots ./my_robot.yaml --gestures wave nod --output out"],
    )
    verb.add_argument("--output", required=True, metavar="DIR", help="where they go; made if missing")
    verb.add_argument(
        "--robots",
        nargs="+",
        default=list(_ROBOTS),
        metavar="ROBOT",
        help=f"names or paths (default: {', '.join(_ROBOTS)})",
    )
    verb.add_argument(
        "--gestures", nargs="+", default=list(GESTURES), metavar="GESTURE", help="which (default: all)"
    )


def run(args: argparse.Namespace) -> Outcome:
    """Draw the gestures on the robots."""
    for gesture in args.gestures:
        check_label("gesture", gesture)
    from text2gesture_ros.apps.gallery import save_gallery

    files = save_gallery(Path(args.output), args.robots, args.gestures)
    data = {"files": {str(file): file.stat().st_size for file in files}}
    return Outcome(data, lambda: sys.stdout.writelines(f"{file}\n" for file in files) and None)
