"""The three vocabularies of the intent classifier (paper, sec. 4.1), and of the gate before them."""

from collections.abc import Mapping
from types import MappingProxyType

from text2gesture_ros.errors import InputError, did_you_mean

SUBJECTS = (
    "greeting",
    "gratitude",
    "farewell",
    "information",
    "inquiry",
    "apology",
    "praise",
    "anger",
    "congratulation",
    "sympathy",
    "cheer",
    "concern",
    "request",
    "surprise",
    "complaint",
    "neutral",
)
GESTURES = (
    "handshake",
    "point",
    "thumbsup",
    "nod",
    "shakehead",
    "wave",
    "grabhead",
    "pat",
    "uplift",
    "yay",
    "shrug",
    "neutral",
)
EMOTIONS = ("positive", "negative", "neutral")

NEUTRAL = "neutral"
TASKS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"subject": SUBJECTS, "gesture": GESTURES, "emotion": EMOTIONS}
)

GATE = "speech"
"""The head that says whether a text is English speech at all; a model may lack it."""
HEADS: Mapping[str, tuple[str, ...]] = MappingProxyType({**TASKS, GATE: ("no", "yes")})
"""Every head a model may have, with its classes, in the order of the outputs."""

ClauseId = tuple[str, int]
"""What names a clause everywhere: the id of its utterance, and its number within that."""


_MAX_SHOWN = 40  # characters of an unknown label that an error quotes


def check_label(task: str, label: str) -> str:
    """Return `label` if `task` knows it.

    Raises:
        InputError: the task or the label is unknown; the message lists what is known.
    """
    if task not in TASKS:
        raise InputError(f"unknown task {task!r}. Known: {', '.join(TASKS)}")
    if label not in TASKS[task]:
        shown = label if len(label) <= _MAX_SHOWN else f"{label[:_MAX_SHOWN]}..."
        meant = did_you_mean(label, TASKS[task])
        raise InputError(f"unknown {task} {shown!r}{meant}. Known: {', '.join(TASKS[task])}")
    return label
