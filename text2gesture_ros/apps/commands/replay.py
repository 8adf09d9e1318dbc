"""`text2gesture replay`: plays a bag to the nodes again and compares their commands."""

import argparse
import math
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from text2gesture_ros.apps.commands.verbs import Outcome, Verbs, add_namespace, interruptible, namespace
from text2gesture_ros.apps.tables import show_table
from text2gesture_ros.errors import InputError
from text2gesture_ros.parameters import GestureGeneratorParameters, GestureRetargeterParameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from text2gesture_ros.ros.bag_comparison import Deviation

_SOURCES = ("text", "intents", "frames")
_TOLERANCE = 0.02


def add(verbs: Verbs) -> None:
    """Add the verb."""
    verb = verbs.add(
        "replay",
        run,
        "Replay a bag into the nodes and compare the joint commands. "
        "What was said in it (or the intents or frames of it) is sent with the timing of then: to nodes that "
        "are started for it, in a ROS domain of their own and with a clock that waits for them, so that a "
        "busy machine changes nothing; or, with --live, to nodes that run already. Exit code 1 if a joint is "
        "further than the tolerance from where it was. Reads .mcap and sqlite3.",
        [
            "replay data/golden/pepper.mcap",
            "replay data/golden/nao --json",
            "replay talk.mcap --from frames --robot nao --output talk_nao.mcap",
            "replay talk.mcap --golden before.mcap --tolerance 0.05",
            "replay talk.mcap --live --namespace robot1",
            "replay data/golden/pepper.mcap --output data/golden/pepper.mcap   # make a golden bag anew",
        ],
    )
    verb.add_argument("bag", metavar="BAG", help="a .mcap or .db3 file, or the folder of a bag")
    verb.add_argument(
        "--from",
        dest="source",
        choices=_SOURCES,
        default=_SOURCES[0],
        help="what is sent: what was said, or what the classifier or the generator made of it "
        "(default: %(default)s)",
    )
    verb.add_argument("--output", metavar="OUT", help="record the outcome: .mcap, or a folder")
    verb.add_argument(
        "--golden", metavar="GOLDEN", help="bag to compare with (default: BAG, if it has joint commands)"
    )
    verb.add_argument(
        "--tolerance",
        type=float,
        default=_TOLERANCE,
        metavar="RAD",
        help="largest difference of a joint position [rad] (default: %(default)s)",
    )
    verb.add_argument(
        "--robot", help="name or path of the robot (default: the one with the joints of the golden bag)"
    )
    verb.add_argument(
        "--seed", type=int, default=0, help="seed of the generator, as the golden bag had it (default: 0)"
    )
    verb.add_argument("--live", action="store_true", help="speak to nodes that run already")
    add_namespace(verb, "of the nodes, with --live; of the topics, if the bag has several")


def run(args: argparse.Namespace) -> Outcome:
    """Replay a bag, record what comes, compare."""
    from text2gesture_ros.robots.robot_file import load_robot
    from text2gesture_ros.ros.bag import Bag, BagWriter
    from text2gesture_ros.ros.bag_comparison import (
        compare,
        control_rate,
        read_commands,
        robot_of,
        source_topics,
    )

    if not 0.0 <= args.tolerance <= math.pi:
        raise InputError(f"--tolerance must be in [0, {math.pi:.4f}] rad but is {args.tolerance}")
    GestureGeneratorParameters(seed=args.seed)
    if args.live and args.robot:
        raise InputError("--robot: with --live it is the robot of the nodes that run")
    within = namespace(args)
    with ExitStack() as stack:
        stack.enter_context(interruptible())  # the nodes must not be left behind
        bag = stack.enter_context(Bag(Path(args.bag), within))
        topics = source_topics(bag, args.source)
        golden = []
        with Bag(Path(args.golden or args.bag), within) as other:
            golden = read_commands(other)
            if args.golden and not golden:
                raise InputError(f"{args.golden}: no joint commands to compare with")
        robot = args.robot
        if not (args.live or robot):
            robot = robot_of(golden) if golden else GestureRetargeterParameters().robot
        rate = control_rate(golden) or GestureRetargeterParameters().rate
        GestureRetargeterParameters(rate=rate)
        if robot:
            load_robot(robot)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="text2gesture_"))
        # Replacing the golden bag itself is allowed: it has been read by then.
        output = Path(args.output) if args.output else Path(folder) / "outcome.mcap"
        BagWriter(output)

        from text2gesture_ros.ros.replay import replay, stage

        own = None if args.live else stack.enter_context(stage(robot, rate, args.seed))
        played = replay(bag, topics, output, namespace=within, own=own)
        with Bag(output, within) as made:
            found = read_commands(made)
    deviations = compare(golden, found) if golden else []
    largest = max((item.largest for item in deviations), default=0.0)
    equal = largest <= args.tolerance
    data = {
        "bag": args.bag,
        "source": args.source,
        "robot": robot,
        "sent": dict(played.sent),
        "recorded": dict(played.recorded),
        "late": round(played.late, 6),
        "golden": (args.golden or args.bag) if golden else None,
        "tolerance": args.tolerance,
        "largest": _number(largest) if golden else None,
        "equal": equal if golden else None,
        "deviations": [
            asdict(item) | {"largest": _number(item.largest), "rms": _number(item.rms)} for item in deviations
        ],
    }

    def show() -> None:
        sent = ", ".join(f"{count} on {topic}" for topic, count in played.sent.items())
        sys.stdout.write(f"sent: {sent}\n")
        recorded = ", ".join(f"{count} on {topic}" for topic, count in played.recorded.items())
        sys.stdout.write(f"recorded{f' to {output}' if args.output else ''}: {recorded}\n")
        if not golden:
            sys.stdout.write("the bag has no joint commands: nothing is compared\n")
            return
        show_table("", ("utterance", "joint", "largest [rad]", "rms [rad]"), _rows(deviations))
        sys.stdout.write(
            f"{'equal' if equal else 'NOT equal'}: {largest:.4f} rad apart at most, "
            f"{args.tolerance:g} allowed\n"
        )

    return Outcome(data, show, status=0 if equal else 1)


def _rows(deviations: "Sequence[Deviation]") -> list[tuple[str, ...]]:
    """Return the three joints with the largest difference for each utterance."""
    rows: list[tuple[str, ...]] = []
    for utterance in sorted({item.utterance for item in deviations}):
        mine = sorted(
            (item for item in deviations if item.utterance == utterance), key=lambda item: -item.largest
        )
        rows += [(str(utterance), item.joint, f"{item.largest:.4f}", f"{item.rms:.4f}") for item in mine[:3]]
    return rows


def _number(value: float) -> float | None:
    """Return a number as JSON has it; None: not commanded in one of both."""
    return round(value, 9) if math.isfinite(value) else None
