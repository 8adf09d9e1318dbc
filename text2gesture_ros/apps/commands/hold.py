"""`text2gesture hold`: lets the robot of the running nodes stand still where it is, or go on."""

import argparse
from functools import partial

from text2gesture_ros.apps.commands.verbs import Outcome, Verbs, add_namespace, namespace


def add(verbs: Verbs) -> None:
    """Add the verb."""
    verb = verbs.add(
        "hold",
        run,
        "Let the robot stand still where it is, to listen. It comes smoothly to a standstill and stays "
        "until `hold off` or `stop`.",
        ["hold", "hold off", "hold on --namespace robot1"],
    )
    verb.add_argument("state", nargs="?", choices=("on", "off"), default="on", help="default: %(default)s")
    add_namespace(verb)


def run(args: argparse.Namespace) -> Outcome:
    """Call the service `hold`."""
    within = namespace(args)
    from text2gesture_ros.ros.running_nodes import RunningNodes

    with RunningNodes(within) as nodes:
        answer = nodes.hold(args.state == "on")
    return Outcome({"message": answer}, partial(print, answer))
