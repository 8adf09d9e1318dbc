"""`text2gesture demo`: plays a conversation through the three nodes and records the result."""

import argparse
import os
import sys
from pathlib import Path

from text2gesture_ros.apps.commands.sentences import read_sentences
from text2gesture_ros.apps.commands.verbs import Outcome, Verbs, add_parameters, interruptible, write_json
from text2gesture_ros.apps.tables import show_table
from text2gesture_ros.resources import share_directory

_BUSY = (
    "This computer is busy: a load of {:.1f} on {} processors. Where motion was lost, run it again when less "
    "goes on; if it is lost then too, something is wrong.\n"
)


def add(verbs: Verbs) -> None:
    """Add the verb."""
    verb = verbs.add(
        "demo",
        run,
        "Speak a conversation to the three running nodes and show what comes out: a table, a bag of all "
        "topics, a GIF per gesture, a contact sheet, summary.json.",
        ["demo", "demo --robot nao --output out", "demo --sentences my_talk.txt --pace 1.5"],
    )
    add_parameters(verb, "gesture_retargeter", "robot")
    verb.add_argument(
        "--sentences", metavar="FILE", help="one per line (default: the conversation that ships)"
    )
    verb.add_argument("--output", default="demo/out", metavar="DIRECTORY", help="default: %(default)s")
    verb.add_argument(
        "--pace",
        default="speaking",
        metavar="PACE",
        help="speaking: as long as a sentence takes to say; or seconds per sentence (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> Outcome:
    """Speak a conversation to the running nodes and show what comes out."""
    from rich.console import Console

    from text2gesture_ros.apps import demo as demonstration

    pace = demonstration.check_pace(args.pace)
    sentences = read_sentences(args.sentences or share_directory() / "demo" / "conversation.txt")
    output = Path(args.output)
    output.mkdir(parents=True, exist_ok=True)
    console = Console()
    bag = output / "conversation.mcap"
    kept = "of before" if bag.exists() else "with what was said until then"
    try:
        with interruptible():
            conversation = demonstration.converse(args.robot, sentences, pace, bag, console)
            kept, load = "whole", os.getloadavg()[0]
            lines = conversation.lines()
            summary = demonstration.summarise(conversation, lines)
            write_json(output / "summary.json", summary)
            demonstration.draw(conversation, output, console)
    except KeyboardInterrupt:
        shown = f"{bag} is there, {kept}" if bag.exists() else "nothing is kept"
        raise KeyboardInterrupt(f"stopped before its end: {shown}. Begin again: {args.line}") from None

    def show() -> None:
        show_table("", demonstration.TABLE, demonstration.table_rows(lines))
        latency, share = summary["latency_ms"], summary["performed_share"]
        sys.stdout.write(
            f"{summary['commanded']} of {len(lines)} sentences became commands for "
            f"{conversation.robot.title}; text with a gesture to first joint trajectory: "
            f"median {latency['median']} ms, p95 {latency['p95']} ms; "
            f"{summary['joint_commands']} joint commands, {summary['violations']} limit violations; "
            f"performed of a motion: median {_percent(share['median'])}, worst {_percent(share['worst'])}.\n"
            + "".join(f"LOST: only {line.performed:.0%} performed: {line.sentence}\n" for line in lost)
            + (_BUSY.format(load, cores) if lost and load > cores else "")
            + f"Bag, GIFs, contact sheet, summary: {output}\n"
        )

    cores = len(os.sched_getaffinity(0))
    lost = [line for line in lines if line.lost]
    unexplained = lost or any(line.latency is None and not line.reason for line in lines)
    return Outcome(summary, show, status=1 if unexplained or summary["violations"] else 0)


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{share:.0%}"
