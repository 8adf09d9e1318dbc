"""`text2gesture bringup`: runs the three nodes until Ctrl-C."""

import argparse

from text2gesture_ros.apps.commands.verbs import Outcome, Verbs
from text2gesture_ros.ros.bringup import ARGUMENTS


def add(verbs: Verbs) -> None:
    """Add the verb."""
    verb = verbs.add(
        "bringup",
        run,
        "Start the three nodes, each in a process of its own, until Ctrl-C. "
        "What bringup.launch.py does, where `ros2 launch` is missing; takes its name:=value arguments too.",
        ["bringup", "bringup --robot nao --namespace robot1", "bringup robot:=nao params_file:=my.yaml"],
        has_result=False,
    )
    for argument in ARGUMENTS:
        option = f"--{argument.name.replace('_', '-')}"
        verb.add_argument(option, metavar=argument.name.upper(), help=argument.description)
    verb.add_argument("arguments", nargs="*", metavar="NAME:=VALUE", help="the same, as `ros2 launch` has it")


def run(args: argparse.Namespace) -> Outcome:
    """Run the three nodes until Ctrl-C."""
    from text2gesture_ros.ros import bringup, processes

    options = {argument.name: getattr(args, argument.name) for argument in ARGUMENTS}
    given = {name: value for name, value in options.items() if value is not None}
    return Outcome(status=processes.run({**given, **bringup.as_mapping(args.arguments)}))
