"""`text2gesture say`: lets the running nodes say a sentence or perform a gesture, and tells how it ended."""

import argparse
import sys
from typing import Any

from text2gesture_ros.apps.commands.verbs import (
    INTERRUPTED,
    Outcome,
    Verbs,
    add_namespace,
    ending,
    interruptible,
    namespace,
)
from text2gesture_ros.errors import InputError
from text2gesture_ros.labels import EMOTIONS, GESTURES


def add(verbs: Verbs) -> None:
    """Add the verb."""
    verb = verbs.add(
        "say",
        run,
        "Let the running nodes say a sentence, wait, and tell how it ended. Start them first: "
        "text2gesture bringup. Nothing is heard: the robot moves as if a voice spoke. Ctrl-C cancels it and "
        "the robot goes to rest. Exit code 1 if nothing was performed.",
        [
            'say "Hello, nice to see you!"',
            'say "Hello, nice to see you!" --duration 1.6 --words 0,0.4,0.7,0.9,1.2',
            "say --gesture wave --emotion positive",
            'say "Watch out!" --priority 255 --namespace robot1',
        ],
    )
    verb.add_argument("text", nargs="?", default="", metavar="TEXT", help="the sentence")
    verb.add_argument(
        "--duration", type=float, default=0.0, metavar="TIME", help="how long the speech lasts [s]"
    )
    verb.add_argument(
        "--words", metavar="TIMES", help="when each word of TEXT begins, after the start of speech: 0,0.4 [s]"
    )
    verb.add_argument(
        "--gesture",
        choices=GESTURES,
        metavar="GESTURE",
        help=f"perform this one whatever the text says: {', '.join(GESTURES)}",
    )
    verb.add_argument("--emotion", choices=EMOTIONS, help="perform it with this one, whatever the text says")
    verb.add_argument(
        "--priority",
        type=int,
        default=128,
        help="0 to 255; the same or a higher one takes over from what is performed (default: %(default)s)",
    )
    add_namespace(verb)


def run(args: argparse.Namespace) -> Outcome:
    """Send the sentence as a goal, show how it goes, tell how it ended."""
    if not (args.text.strip() or args.gesture):
        raise InputError("give a TEXT or a --gesture")
    if not 0 <= args.priority <= 255:
        raise InputError(f"--priority must be in [0, 255] but is {args.priority}")
    words = args.text.split()
    starts = _times(args.words, len(words)) if args.words is not None else []
    within = namespace(args)

    from text2gesture_ros.msg import Speech
    from text2gesture_ros.ros.running_nodes import RunningNodes

    speech = Speech(
        text=args.text,
        duration=args.duration,
        words=words if starts else [],
        word_starts=starts,
        gesture=args.gesture or "",
        emotion=args.emotion or "",
        priority=args.priority,
    )
    shown = ""

    def on_feedback(feedback: Any) -> None:
        nonlocal shown
        if feedback.state != shown:
            shown = feedback.state
            sys.stderr.write(f"{shown}\n")

    with interruptible(), RunningNodes(within) as nodes:
        result = nodes.perform(speech, on_feedback)
    data = {
        "utterance_id": result.utterance_id,
        "outcome": result.outcome,
        "reason": result.reason,
        "duration": round(result.duration, 3),
        "performed_share": round(result.performed_share, 3),
        "deviation": round(result.deviation, 4),
    }

    def show() -> None:
        sys.stdout.write(f"{ending(result.outcome, result.reason)}\n")
        if result.duration and result.outcome != "degraded":  # whose reason tells it already
            sys.stdout.write(
                f"{result.duration:.1f} s of motion, performed {100.0 * result.performed_share:.0f} % of the "
                f"time, up to {result.deviation:.2f} rad from the intended motion\n"
            )

    performed = result.outcome in ("completed", "degraded")
    status = INTERRUPTED if result.outcome == "cancelled" else 0 if performed else 1
    return Outcome(data, show, status)


def _times(given: str, count: int) -> list[float]:
    """Return the start of each word [s].

    Raises:
        InputError: they are no numbers, or not as many as there are words.
    """
    try:
        times = [float(part) for part in given.split(",")]
    except ValueError:
        raise InputError(f"--words must be numbers joined by commas but is {given!r}") from None
    if len(times) != count:
        raise InputError(f"--words has {len(times)} times, TEXT has {count} words: give one for each")
    return times
