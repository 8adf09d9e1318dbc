"""Which of the gestures that a text calls for are made, and when: a robot that makes them all flails."""

import math
from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from text2gesture_ros.parameters import IntentClassifierParameters

if TYPE_CHECKING:
    from text2gesture_ros.classifier import Intent


class Clause(Protocol):
    """What a schedule needs to know of a clause."""

    @property
    def utterance_id(self) -> str:
        """Name of its utterance."""

    @property
    def clause(self) -> int:
        """Which clause of the utterance."""

    @property
    def accepted(self) -> bool:
        """Whether it has a gesture; if not, talking motion goes with it."""


C = TypeVar("C", bound=Clause)


class Pacer:
    """Holds gestures back that begin too soon after another one, or repeat it.

    Remembers when the gestures of the texts so far began.
    """

    def __init__(self) -> None:
        self._begins: list[float] = []

    def pace(
        self, intents: "Sequence[Intent]", given: IntentClassifierParameters, now: float = 0.0
    ) -> "list[Intent]":
        """Return the intents of one text, those held back neutral and with the reason.

        Of two gestures that begin within one cool-down the surer is made, of equally sure ones the earlier:
        the surest is settled first, then the next surest that is far enough from those settled, and so on. Of
        the same gesture twice in a row the first is made.

        Args:
            intents: of the clauses of one text, in order.
            given: `cool_down` and `repeat_gestures` count.
            now: when the speech starts [s], on a clock that is the same for all texts.
        """
        result = list(intents)
        before = self._so_far(now)
        made: list[int] = []
        wanted = [index for index, intent in enumerate(intents) if intent.accepted]
        for index in sorted(wanted, key=lambda index: -intents[index].gesture.probabilities.max()):
            others = [*before, *(now + intents[other].start for other in made)]
            if reason := _too_soon(now + intents[index].start, others, given.cool_down):
                result[index] = intents[index].held_back(reason)
            else:
                made.append(index)
        for earlier, later in pairwise(sorted(made)):
            if intents[earlier].gesture.chosen == intents[later].gesture.chosen and not given.repeat_gestures:
                result[later] = intents[later].held_back("same gesture as before")
        self._begins = [*before, *(now + intent.start for intent in result if intent.accepted)]
        return result

    def note(self, now: float) -> None:
        """Take note of a gesture that begins now [s] without having been asked about."""
        self._begins = [*self._so_far(now), now]

    def _so_far(self, now: float) -> list[float]:
        """Return when the latest gesture began; what was to begin later is replaced by what comes now."""
        return sorted(begin for begin in self._begins if begin <= now)[-1:]


def _too_soon(begin: float, others: Sequence[float], cool_down: float) -> str:
    nearest = min(others, key=lambda other: abs(begin - other), default=None)
    if nearest is None or abs(begin - nearest) >= cool_down:
        return ""
    if nearest <= begin:
        return f"cool-down: a gesture began {begin - nearest:.1f} s ago"
    return f"cool-down: a surer gesture begins in {nearest - begin:.1f} s"


class Schedule(Generic[C]):
    """Says when the motion of each clause of the latest utterance begins.

    A gesture takes the place of whatever is being played. Talking motion waits for the end of a gesture,
    unless the next clause comes first. All times are of one clock [s].

    Args:
        lead: how long before it is spoken a clause is due [s].
    """

    def __init__(self, lead: float = 0.0) -> None:
        self._lead = lead
        self._utterance_id = ""
        self._pending: deque[tuple[C, float]] = deque()  # with when each is spoken
        self._gesture_end = -math.inf  # of the latest gesture; infinite until that is known
        self._time = -math.inf

    def went_back(self, now: float) -> bool:
        """Return whether the clock was set back since the last call; then all is forgotten.

        What is known then belongs to another time, as when a simulation is restarted.
        """
        back, self._time = now < self._time, now
        if back:
            self.clear()
        return back

    def add(self, clause: C, begin: float, *, moves: bool = True) -> None:
        """Take note of a clause; the first of an utterance replaces all that is still to come.

        Args:
            clause: comes after those of its utterance that were added before.
            begin: when it is spoken.
            moves: whether there is to be motion at all.
        """
        if clause.clause == 0 or clause.utterance_id != self._utterance_id:
            self._utterance_id = clause.utterance_id
            self._pending.clear()
        if moves:
            self._pending.append((clause, begin))

    def due(self, now: float, delay: float = 0.0) -> tuple[C, float] | None:
        """Return a clause to begin with and when its motion starts, or None; call until there is none.

        Args:
            now: the time.
            delay: between the words and their motion.
        """
        soon = now + self._lead
        while self._pending and self._pending[0][1] <= soon:
            clause, begin = self._pending[0]
            overtaken = len(self._pending) > 1 and self._pending[1][1] <= soon
            if not clause.accepted and not overtaken and self._gesture_end == math.inf:
                return None
            self._pending.popleft()
            start = max(begin, now) + delay
            if clause.accepted:
                self._gesture_end = math.inf
                return clause, start
            if not overtaken:
                return clause, max(start, self._gesture_end)
        return None

    def ended(self, time: float) -> None:
        """Take note of when what was begun last ends."""
        self._gesture_end = min(self._gesture_end, time)

    def clear(self) -> None:
        """Forget what is to come and what is being played."""
        self._pending.clear()
        self._gesture_end = -math.inf
