"""The three vocabularies of the intent classifier (paper, sec. 4.1)."""

from collections.abc import Mapping
from types import MappingProxyType

from text2gesture_ros.errors import InputError

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


def check_label(task: str, label: str) -> str:
    """Return `label` if `task` knows it.

    Raises:
        InputError: the task or the label is unknown; the message lists what is known.
    """
    if task not in TASKS:
        raise InputError(f"unknown task {task!r}. Known: {', '.join(TASKS)}")
    if label not in TASKS[task]:
        raise InputError(f"unknown {task} {label!r}. Known: {', '.join(TASKS[task])}")
    return label
