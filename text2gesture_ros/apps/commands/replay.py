"""`text2gesture replay`: plays a bag to the nodes again and compares their commands."""

import argparse
import math
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from text2gesture_ros.apps.commands.verbs import (
    Outcome,
    Verbs,
    add_namespace,
    add_overwrite,
    check_unused,
    interruptible,
    namespace,
)
from text2gesture_ros.apps.tables import show_table
from text2gesture_ros.errors import InputError
from text2gesture_ros.parameters import GestureGeneratorParameters, GestureRetargeterParameters
from text2gesture_ros.training.pace import Reminder

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
        "are started for it with the parameters of then, in a ROS domain of their own and with a clock that "
        "waits for them, so that a busy machine changes nothing; or, with --live, to nodes that run already. "
        "Exit code 1 if a joint is further than the tolerance from where it was, or an utterance is missing. "
        "Reads .mcap and sqlite3.",
        [
            "replay data/golden/pepper.mcap",
            "replay data/golden/nao --json",
            "replay talk.mcap --from frames --robot nao --output talk_nao.mcap",
            "replay talk.mcap --golden before.mcap --tolerance 0.05",
            "replay talk.mcap --live --namespace robot1",
            "replay data/golden/pepper.mcap --output data/golden/pepper.mcap --overwrite   # make it anew",
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
    add_overwrite(verb)
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
    verb.add_argument("--robot", help="name or path of the robot (default: that of the bag)")
    verb.add_argument("--seed", type=int, help="seed of the generator (default: as the bag tells, else 0)")
    verb.add_argument("--live", action="store_true", help="speak to nodes that run already")
    add_namespace(verb, "of the nodes, with --live; of the topics, if the bag has several")


def run(args: argparse.Namespace) -> Outcome:
    """Replay a bag, record what comes, compare."""
    from text2gesture_ros.robots.robot_file import load_robot
    from text2gesture_ros.ros.bag import Bag, BagWriter
    from text2gesture_ros.ros.bag_comparison import (
        compare,
        control_rate,
        differences,
        read_commands,
        reasons_of,
        robot_of,
        source_topics,
        utterance_texts,
    )

    if not 0.0 <= args.tolerance <= math.pi:
        raise InputError(f"--tolerance must be in [0, {math.pi:.4f}] rad but is {args.tolerance}")
    if args.seed is not None:
        GestureGeneratorParameters(seed=args.seed)
    if args.live and args.robot:
        raise InputError("--robot: with --live it is the robot of the nodes that run")
    within = namespace(args)
    with ExitStack() as stack:
        stack.enter_context(interruptible())  # the nodes must not be left behind
        bag = stack.enter_context(Bag(Path(args.bag), within))
        if bag.cut_off:
            sys.stderr.write(f"{args.bag}: its recording was cut off; replayed as far as it goes\n")
        topics = source_topics(bag, args.source)
        with Bag(Path(args.golden or args.bag), within) as other:
            golden, texts = read_commands(other), utterance_texts(other)
            if args.golden and not golden:
                raise InputError(f"{args.golden}: no joint commands to compare with")
        rate = control_rate(golden) or GestureRetargeterParameters().rate
        GestureRetargeterParameters(rate=rate)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="text2gesture_"))
        output = check_unused(args) if args.output else Path(folder) / "outcome.mcap"
        BagWriter(output)

        from text2gesture_ros.ros.recorded_session import RecordedSession
        from text2gesture_ros.ros.replay import replay, stage

        session = RecordedSession(bag, topics, rate)
        parameters = {node: dict(values) for node, values in session.parameters.items()}
        recorded = parameters.get("gesture_retargeter", {}).get("robot")
        robot = None if args.live else args.robot or recorded
        if not (args.live or robot):  # an older bag tells no parameters
            robot = robot_of(golden) if golden else GestureRetargeterParameters().robot
        if robot:
            load_robot(robot)
        generator = parameters.setdefault("gesture_generator", {})
        if args.seed is not None or not session.parameters:
            generator["seed"] = args.seed or 0
        own = stack.enter_context(stage(robot, rate, parameters)) if robot else None
        progress = _Progress((bag.end - bag.start) * 1e-9)
        played = replay(session, output, namespace=within, own=own, on_progress=progress)
        with Bag(output, within) as made:
            found, reasons = read_commands(made), reasons_of(made)
    compared = compare(golden, found)
    largest = compared.largest
    equal = largest <= args.tolerance
    words = differences(compared, golden, texts, reasons, args.tolerance)
    if not (session.parameters or args.live):
        words.append("the bag tells no parameters: --seed and --robot say what they were, else the defaults")
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
        "differences": words if golden else [],
        "deviations": [
            asdict(item) | {"largest": _number(item.largest), "rms": _number(item.rms)}
            for item in (compared.deviations if golden else ())
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
        rows = _rows(compared.deviations)
        show_table("", ("utterance", "joint", "largest [rad]", "rms [rad]", "at [s]"), rows)
        sys.stdout.writelines(f"{line}\n" for line in words)
        sys.stdout.write(
            f"{'equal' if equal else 'NOT equal'}: "
            + (f"{largest:.4f} rad apart at most" if math.isfinite(largest) else "not the same utterances")
            + f", {args.tolerance:g} rad allowed\n"
        )

    return Outcome(data, show, status=0 if equal or not golden else 1)


class _Progress:
    """Says on standard error how far a replay is, and how long it still takes."""

    def __init__(self, total: float) -> None:
        self._total = total  # of the recording [s]
        self._reminder = Reminder()

    def __call__(self, replayed: float) -> None:
        """Take note of the time of the recording that has been replayed [s]."""
        if replayed > 0.0 and self._reminder.is_due():
            left = round(self._reminder.passed * max(0.0, self._total / replayed - 1.0))
            rest = f"about {left // 60}:{left % 60:02} min left"
            sys.stderr.write(f"replayed {replayed:.0f} of {self._total:.0f} s, {rest}\n")


def _rows(deviations: "Sequence[Deviation]") -> list[tuple[str, ...]]:
    """Return the three joints with the largest difference for each utterance."""
    rows: list[tuple[str, ...]] = []
    for utterance in sorted({item.utterance for item in deviations}):
        mine = sorted(
            (item for item in deviations if item.utterance == utterance), key=lambda item: -item.largest
        )
        rows += [
            (str(utterance), item.joint, f"{item.largest:.4f}", f"{item.rms:.4f}", f"{item.time:.2f}")
            for item in mine[:3]
        ]
    return rows


def _number(value: float) -> float | None:
    """Return a number as JSON has it; None: not commanded in one of both."""
    return round(value, 9) if math.isfinite(value) else None
