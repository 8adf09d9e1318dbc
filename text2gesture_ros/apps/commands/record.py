"""`text2gesture record`: records the topics of the running nodes into a bag, until Ctrl-C."""

import argparse
import sys
import time

from text2gesture_ros.apps.commands.verbs import (
    Outcome,
    Verbs,
    add_namespace,
    add_overwrite,
    check_unused,
    namespace,
)
from text2gesture_ros.apps.tables import show_table
from text2gesture_ros.errors import InputError, did_you_mean


def add(verbs: Verbs) -> None:
    """Add the verb."""
    verb = verbs.add(
        "record",
        run,
        "Record the topics of the running nodes until Ctrl-C. "
        "A name that ends in .mcap makes one file, any other a folder with an sqlite3 bag; both are read by "
        "`text2gesture replay`, `ros2 bag play` and Foxglove.",
        [
            "record -o talk.mcap",
            "record -o talk --namespace robot1 --duration 60",
            "record -o commands.mcap --topics joint_command /diagnostics",
        ],
    )
    verb.add_argument(
        "-o", "--output", required=True, metavar="OUT", help="a .mcap file, or a folder for sqlite3"
    )
    verb.add_argument("--topics", nargs="+", metavar="TOPIC", help="which (default: all of the package's)")
    verb.add_argument("--duration", type=float, metavar="TIME", help="end by itself after so long [s]")
    add_overwrite(verb)
    add_namespace(verb)


def run(args: argparse.Namespace) -> Outcome:
    """Record until Ctrl-C, SIGTERM or the end of the duration."""
    from text2gesture_ros.ros.bag import BagWriter
    from text2gesture_ros.ros.processes import asked_to_end

    if args.duration is not None and not 0.0 < args.duration <= 1e7:
        raise InputError(f"--duration must be in (0, 1e7] s but is {args.duration}")
    within = namespace(args)
    writer = BagWriter(check_unused(args))

    from text2gesture_ros.ros.recorder import TOPIC_TYPES, Recorder
    from text2gesture_ros.ros.running_nodes import parameters_of

    topics = args.topics or list(TOPIC_TYPES)
    unknown = [topic for topic in topics if topic not in TOPIC_TYPES]
    if unknown:
        meant = did_you_mean(unknown[0], TOPIC_TYPES)
        raise InputError(f"--topics: unknown topic {unknown[0]!r}{meant}. Known: {', '.join(TOPIC_TYPES)}")
    until = "until Ctrl-C" if args.duration is None else f"for {args.duration:g} s, or until Ctrl-C"
    with asked_to_end() as asked, writer, Recorder(topics, writer.write, namespace=within) as recorder:
        events = parameters_of(within)
        if "/parameter_events" in topics:
            for event in events:
                writer.write_message("/parameter_events", event, time.time_ns())
        if not events:
            sys.stderr.write(
                f"no node runs yet in namespace {within or '/'} of this ROS domain: what comes is recorded\n"
            )
        began = time.monotonic()
        sys.stderr.write(f"recording {', '.join(topics)} to {args.output}, {until}\n")
        while not asked and recorder.error is None:
            left = 0.1 if args.duration is None else began + args.duration - time.monotonic()
            if left <= 0.0:
                break
            time.sleep(min(left, 0.1))
        recorder.finish()
    counts = dict(writer.counts)
    data = {"output": args.output, "seconds": round(time.monotonic() - began, 3), "messages": counts}

    def show() -> None:
        show_table(args.output, ("topic", "#messages"), [(t, str(n)) for t, n in sorted(counts.items())])
        if not counts:
            sys.stdout.write("nothing came: do the nodes run, in this ROS domain and namespace?\n")

    return Outcome(data, show, status=0 if counts else 1)
