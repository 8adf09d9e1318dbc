"""`text2gesture status`: what the running nodes tell about themselves."""

import argparse
import sys

from text2gesture_ros.apps.commands.verbs import Outcome, Verbs, add_namespace, namespace
from text2gesture_ros.apps.tables import show_table


def add(verbs: Verbs) -> None:
    """Add the verb."""
    verb = verbs.add(
        "status",
        run,
        "Show what the running nodes tell on /diagnostics. Exit code 1 unless all three are active and "
        "nothing is wrong.",
        ["status", "status --all", "status --namespace robot1 --json"],
    )
    verb.add_argument("--all", action="store_true", help="with all counts and figures")
    add_namespace(verb)


def run(args: argparse.Namespace) -> Outcome:
    """Listen to /diagnostics until each node has told, or is not there."""
    within = namespace(args)
    from diagnostic_msgs.msg import DiagnosticStatus

    from text2gesture_ros.ros.params_file import NODES
    from text2gesture_ros.ros.running_nodes import RunningNodes

    with RunningNodes(within) as nodes:
        told = nodes.status()
    data, rows = {}, []
    for node in NODES:
        entry = told.get(node)
        values = {item.key: item.value for item in entry.values} if entry else {}
        state = values.pop("state", "does not run")
        wrong = entry.message if entry and entry.level != DiagnosticStatus.OK else ""
        data[node] = {"state": state, "wrong": wrong, **values}
        rows.append((node, state, wrong))
    well = all(state == "active" and not wrong for _, state, wrong in rows)

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

    return Outcome(data, show, status=0 if well else 1)
