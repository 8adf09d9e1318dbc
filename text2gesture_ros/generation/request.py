"""What is asked of the generator: one clause with the gesture that goes with it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from text2gesture_ros.gestures import needs_of
from text2gesture_ros.labels import NEUTRAL
from text2gesture_ros.motion.frame_block import PRIORITY, ClauseHeader
from text2gesture_ros.understanding.clauses import ClauseTimes
from text2gesture_ros.understanding.intent import Intent, has_words

COARTICULATION_TIME = 1.0
"""Two strokes that are this close are joined: the hands do not return to rest between them [s]."""


@dataclass(frozen=True)
class GestureRequest:
    """A clause to be accompanied by motion. All times are of one clock, the player's [s].

    Attributes:
        header: which clause, its gesture (neutral where none is accepted) and emotion, priority.
        speech_start: when the speech starts: until something better is known, when its text came.
        times: when the clause is spoken after that.
        accepted: whether its gesture is shown; else talking motion goes with the clause.
        reason: why it is not accepted.
        spoken: whether there are words in the text at all.
    """

    header: ClauseHeader
    speech_start: float
    times: ClauseTimes
    accepted: bool
    reason: str = ""
    spoken: bool = True

    @property
    def begin(self) -> float:
        """When the clause is spoken."""
        return self.speech_start + self.times.start

    @property
    def stroke(self) -> float | None:
        """When the word is spoken that carries the gesture; None: unknown, or there is no gesture."""
        return self.speech_start + self.times.stroke if self.accepted and self.times.known else None

    @property
    def end(self) -> float | None:
        """When the clause has been spoken; None: unknown, or only estimated."""
        return None if self.times.estimated or not self.times.known else self.speech_start + self.times.end

    @property
    def due(self) -> float:
        """When motion is due: with the words or, from the second clause on, early enough for the stroke."""
        if self.header.clause == 0 or self.stroke is None:
            return self.begin
        return min(self.begin, self.stroke - COARTICULATION_TIME)

    def delayed(self, seconds: float) -> "GestureRequest":
        """Return the same request for a speech that starts later."""
        return replace(self, speech_start=self.speech_start + seconds)


def request_of(
    intent: Intent, utterance_id: str, speech_start: float, *, clause: int = 0, priority: int = PRIORITY
) -> GestureRequest:
    """Return what to ask of the generator for an intent.

    Args:
        intent: what the clause means.
        utterance_id: name of the utterance.
        speech_start: when its speech starts [s], on the clock of the player.
        clause: number of the clause within the utterance.
        priority: of the utterance, in [0, 255].
    """
    gesture = intent.gesture.chosen if intent.accepted else NEUTRAL
    header = ClauseHeader(
        utterance_id=utterance_id,
        clause=clause,
        gesture=gesture,
        emotion=intent.emotion.chosen,
        more=intent.more,
        priority=priority,
        needs=needs_of(gesture),
    )
    return GestureRequest(
        header, speech_start, intent.times, intent.accepted, intent.reason, has_words(intent.text)
    )


def requests_of(
    intents: Sequence[Intent], utterance_id: str, speech_start: float, *, priority: int = PRIORITY
) -> list[GestureRequest]:
    """Return what to ask of the generator for all intents of an utterance, as `request_of`."""
    return [
        request_of(intent, utterance_id, speech_start, clause=clause, priority=priority)
        for clause, intent in enumerate(intents)
    ]
