"""`text2gesture stop`: ends what the running nodes perform; the robot goes to rest."""

import argparse
from functools import partial

from text2gesture_ros.apps.commands.verbs import Outcome, Verbs, add_namespace, namespace


def add(verbs: Verbs) -> None:
    """Add the verb."""
    verb = verbs.add(
        "stop",
        run,
        "End all that is performed and all that waits. The robot goes smoothly to rest; a hold ends too.",
        ["stop", "stop --namespace robot1"],
    )
    add_namespace(verb)


def run(args: argparse.Namespace) -> Outcome:
    """Call the service `stop`."""
    within = namespace(args)
    from text2gesture_ros.ros.running_nodes import RunningNodes

    with RunningNodes(within) as nodes:
        answer = nodes.stop()
    return Outcome({"message": answer}, partial(print, answer))
