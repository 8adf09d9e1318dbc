"""What is asked of the generator: one clause with the gesture that goes with it."""

from dataclasses import dataclass

from text2gesture_ros.motion.frame_block import ClauseHeader


@dataclass(frozen=True)
class GestureRequest:
    """A clause to be accompanied by motion.

    Attributes:
        header: which clause, its gesture (neutral where none is accepted) and emotion, priority.
        arrival: when the text came [s], on the clock of the caller.
        begin: when the clause is spoken, on the same clock.
        stroke: when the word that carries the gesture is spoken, after `begin` [s]; None: unknown.
        length: how long the clause takes to say [s]; None: unknown.
        estimated: whether `stroke` is estimated from the text; `length` is unknown then.
        accepted: whether the gesture was recognised, so that it is shown; else talking motion goes with it.
        spoken: whether there are words in the text at all.
    """

    header: ClauseHeader
    arrival: float
    begin: float
    stroke: float | None
    length: float | None
    estimated: bool
    accepted: bool
    spoken: bool
