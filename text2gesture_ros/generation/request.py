"""What is asked of the generator: one clause with the gesture that goes with it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # at run time only the node that owns them imports the models' runtimes
    pass


@dataclass(frozen=True)
class GestureRequest:
    """What the generator reads of an intent.

    Attributes:
        utterance_id: name of the utterance.
        clause: which clause of it.
        arrival: when the text came [s], on the ROS clock.
        begin: when the clause is spoken, likewise.
        stroke: when the word that carries the gesture is spoken, after `begin` [s]; None: unknown.
        length: how long the clause takes to say [s]; None: unknown.
        estimated: whether `stroke` is a guess; `length` is unknown then.
        gesture, emotion: known labels.
        accepted: whether the gesture was recognised, so that it is to be shown.
        spoken: whether there are words in the text at all.
        more: whether another clause of the utterance follows.
        priority: of the utterance, in [0, 255].
    """

    utterance_id: str
    clause: int
    arrival: float
    begin: float
    stroke: float | None
    length: float | None
    estimated: bool
    gesture: str
    emotion: str
    accepted: bool
    spoken: bool
    more: bool
    priority: int
