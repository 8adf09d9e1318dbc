"""`text2gesture recognize`: recognises the gestures in recordings."""

import argparse

from text2gesture_ros.apps.commands.verbs import (
    RECOGNISER,
    Outcome,
    Verbs,
    add_cut,
    add_parameters,
    parameters,
)
from text2gesture_ros.apps.tables import show_table
from text2gesture_ros.parameters import GestureGeneratorParameters


def add(verbs: Verbs) -> None:
    """Add the verb."""
    verb = verbs.add(
        "recognize",
        run,
        "Say which gesture recordings show, or that it is none of the twelve. A long one is searched in "
        "windows of 1 to 3 s; where it is clearest is said.",
        ["recognize wave.npz", "recognize recordings/*.bvh --start 2 --end 5 --json"],
    )
    verb.add_argument("clips", nargs="+", metavar="CLIP", help="motion, or any recording `import` reads")
    add_cut(verb)
    verb.add_argument("--model", default=RECOGNISER, help="name or path (default: %(default)s)")
    add_parameters(verb, "gesture_generator", "threads")


def run(args: argparse.Namespace) -> Outcome:
    """Say which gesture recordings show."""
    from text2gesture_ros.motion.formats import read_recording
    from text2gesture_ros.understanding.recogniser import Recogniser

    threads = parameters(GestureGeneratorParameters, args).threads
    motions = [read_recording(clip, start=args.start, end=args.end).motion for clip in args.clips]
    recogniser = Recogniser(args.model, threads=threads)
    found = [recogniser.read(motion) for motion in motions]
    offset = args.start  # [s] a cut begins there
    data = [
        {
            "file": clip,
            "accepted": each.accepted,
            "start": offset + each.best.start,
            "end": offset + each.best.end,
            "gestures": [
                {"label": label, "probability": probability} for label, probability in each.gestures
            ],
        }
        for clip, each in zip(args.clips, found, strict=True)
    ]

    def show() -> None:
        rows = [
            (
                clip,
                each.gestures[0][0] if each.accepted else "none",
                f"{offset + each.best.start:.1f} to {offset + each.best.end:.1f} s",
                *(f"{label} {probability:.2f}" for label, probability in each.gestures[:3]),
            )
            for clip, each in zip(args.clips, found, strict=True)
        ]
        show_table("", ("recording", "gesture", "most clearly at", "likeliest", "second", "third"), rows)

    return Outcome(data, show)
