"""Gestures held back because another one has just been made: a robot that makes them all flails."""

from collections.abc import Sequence
from itertools import pairwise

from text2gesture_ros.parameters import IntentClassifierParameters
from text2gesture_ros.understanding.intent import Intent


class CoolDown:
    """Holds gestures back that begin too soon after another one, or repeat it.

    Remembers when the gestures of the texts before began.
    """

    def __init__(self) -> None:
        self._begins: list[float] = []

    def apply(
        self, intents: Sequence[Intent], settings: IntentClassifierParameters, now: float = 0.0
    ) -> list[Intent]:
        """Return the intents of one text; those held back are neutral and say why.

        Of two gestures that begin within one cool-down the more probable is made, of equally probable ones
        the earlier: greedy non-maximum suppression, the most probable first. Of the same gesture twice in a
        row the first is made. Those that were asked for are made whatever is near.

        Args:
            intents: of the clauses of one text, in order.
            settings: `cool_down` and `repeat_gestures` count.
            now: when the speech starts [s], on a clock that is the same for all texts.
        """
        result = list(intents)
        before = self._latest(now)
        made: list[int] = []
        wanted = [index for index, intent in enumerate(intents) if intent.accepted]
        for index in sorted(wanted, key=lambda index: _precedence(intents[index])):
            others = [*before, *(now + intents[other].times.start for other in made)]
            reason = _too_soon(now + intents[index].times.start, others, settings.cool_down)
            if reason and not intents[index].wished:
                result[index] = intents[index].held_back(reason)
            else:
                made.append(index)
        for earlier, later in pairwise(sorted(made)):
            if (
                intents[earlier].gesture.chosen == intents[later].gesture.chosen
                and not settings.repeat_gestures
                and not intents[later].wished
            ):
                result[later] = intents[later].held_back("same gesture as before")
        self._begins = [*before, *(now + intent.times.start for intent in result if intent.accepted)]
        return result

    def note(self, now: float) -> None:
        """Take note of a gesture that begins now [s] and was not up for a decision."""
        self._begins = [*self._latest(now), now]

    def _latest(self, now: float) -> list[float]:
        """Return when the latest gesture began, if any; a new text replaces what was still to begin."""
        return sorted(begin for begin in self._begins if begin <= now)[-1:]


def _precedence(intent: Intent) -> tuple[bool, float]:
    """Return what the more urgent of two gestures has less of."""
    return not intent.wished, -float(intent.gesture.probabilities.max())


def _too_soon(begin: float, others: Sequence[float], cool_down: float) -> str:
    nearest = min(others, key=lambda other: abs(begin - other), default=None)
    if nearest is None or abs(begin - nearest) >= cool_down:
        return ""
    if nearest <= begin:
        return f"cool-down: a gesture began {begin - nearest:.1f} s ago"
    return f"cool-down: a surer gesture begins in {nearest - begin:.1f} s"
