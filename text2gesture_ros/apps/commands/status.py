"""`text2gesture status`: what the running nodes tell about themselves."""

import argparse
import sys
import time
from typing import TYPE_CHECKING

from text2gesture_ros.apps.commands.verbs import Outcome, Verbs, add_namespace, namespace
from text2gesture_ros.apps.tables import show_table
from text2gesture_ros.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from diagnostic_msgs.msg import DiagnosticStatus

_WAIT = 10.0  # [s]


def add(verbs: Verbs) -> None:
    """Add the verb."""
    verb = verbs.add(
        "status",
        run,
        "Show what the running nodes tell on /diagnostics: waits until all three are active and nothing is "
        "wrong, but not for ever. Exit code 1 where something is then.",
        ["status", "status --all", "status --wait 60", "status --namespace robot1 --json"],
    )
    verb.add_argument("--all", action="store_true", help="with all counts and figures")
    verb.add_argument(
        "--wait",
        type=float,
        default=_WAIT,
        metavar="TIME",
        help="for nodes that start, at most [s] (default: %(default)g; 0: none)",
    )
    add_namespace(verb)


def run(args: argparse.Namespace) -> Outcome:
    """Listen to /diagnostics until all is well, or for as long as was said."""
    if not 0.0 <= args.wait <= 1e6:
        raise InputError(f"--wait must be in [0, 1e6] s but is {args.wait}")
    within = namespace(args)
    from text2gesture_ros.ros.params_file import NODES
    from text2gesture_ros.ros.running_nodes import RunningNodes

    deadline = time.monotonic() + args.wait
    with RunningNodes(within) as nodes:
        told = nodes.status()
        while time.monotonic() < deadline and not _well(told):
            told = nodes.status()
    data, rows = {}, []
    for node in NODES:
        entry = told.get(node)
        values = {item.key: item.value for item in entry.values} if entry else {}
        state, wrong = values.pop("state", "does not run"), _wrong(entry) if entry else ""
        data[node] = {"state": state, "wrong": wrong, **values}
        rows.append((node, state, wrong))

    def show() -> None:
        show_table("", ("node", "state", "what is wrong"), rows)
        if args.all:
            figures = [
                (node, key, value)
                for node, values in data.items()
                for key, value in values.items()
                if key not in ("state", "wrong")
            ]
            show_table("", ("node", "figure", "value"), figures)
        if not told:
            sys.stdout.write("start them with `text2gesture bringup`, in the same ROS domain and namespace\n")

    return Outcome(data, show, status=0 if _well(told) else 1)


def _wrong(entry: "DiagnosticStatus") -> str:
    return entry.message if entry.level != type(entry).OK else ""


def _well(told: "Mapping[str, DiagnosticStatus]") -> bool:
    """Return whether all nodes are active, and nothing is wrong."""
    from text2gesture_ros.ros.params_file import NODES

    active = {
        node
        for node, entry in told.items()
        if not _wrong(entry) and any((item.key, item.value) == ("state", "active") for item in entry.values)
    }
    return active.issuperset(NODES)
