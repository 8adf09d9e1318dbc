"""Which of the gestures that are called for are made, and when: a robot that makes them all flails."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from text2gesture_ros.generation.request import GestureRequest
from text2gesture_ros.generation.time_alignment import SHORTEST_TALK
from text2gesture_ros.parameters import (
    IGNORE,
    REPLACE,
    GestureGeneratorParameters,
)

if TYPE_CHECKING:
    pass


MOST_WAITING = 8
"""How many utterances may wait for their turn."""

LONGEST_WAIT = 5.0
"""How long an utterance may wait for its turn [s]; later nobody knows any more what it was about."""

MOST_CLAUSES = 2000
"""Clauses of an utterance; the longest text has no more. Its intents are published at once."""

_DEFAULTS = GestureGeneratorParameters()


@dataclass
class _Turn:
    """What is still to come of an utterance: its clauses, with when each is spoken [s]."""

    utterance_id: str
    priority: int
    arrival: float
    pending: deque[tuple[GestureRequest, float]] = field(default_factory=deque)


class Schedule:
    """Says when the motion of each clause begins, and which clauses never get any.

    One utterance has its turn at a time. Another one of the same or a higher priority takes over at once;
    what becomes of a lower one is the `preemption`. Within a turn a gesture takes the place of whatever is
    being played; talking motion waits for the end of a gesture, unless the next clause comes first. All times
    are of one clock [s].

    Args:
        lead: how long before it is spoken a clause is due [s].

    Attributes:
        dropped: clauses that get no motion and why, in order; whoever reads them empties it.
    """

    def __init__(self, lead: float = 0.0) -> None:
        self.dropped: list[tuple[GestureRequest, str]] = []
        self._lead = lead
        self._turn: _Turn = _Turn("", 0, -math.inf)
        self._waiting: list[_Turn] = []
        self._end = -math.inf  # of what is being played; infinite until that is known
        self._gesture_end = -math.inf  # of the latest gesture, likewise
        self._time = -math.inf

    @property
    def waiting(self) -> int:
        """How many utterances wait for their turn."""
        return len(self._waiting)

    def went_back(self, now: float) -> bool:
        """Return whether the clock was set back since the last call; then all is forgotten.

        What is known then belongs to another time, as when a simulation is restarted.
        """
        back, self._time = now < self._time, now
        if back:
            self.clear("the clock was set back")
        return back

    def add(
        self,
        clause: GestureRequest,
        begin: float,
        now: float,
        *,
        still: str = "",
        preemption: str = _DEFAULTS.preemption,
    ) -> None:
        """Take note of a clause; the first of an utterance asks for a turn.

        Args:
            clause: comes after those of its utterance that were added before.
            begin: when it is spoken.
            now: the time.
            still: why there is to be no motion; empty: there is.
            preemption: what becomes of an utterance of lower priority than the one that has its turn: `QUEUE`
                lets it wait, `LONGEST_WAIT` at most, and perform as if it were said then; `IGNORE` refuses
                it; `REPLACE` lets it take over.
        """
        turn = None
        if clause.header.clause > 0:
            turns = (self._turn, *self._waiting)
            turn = next((turn for turn in turns if turn.utterance_id == clause.header.utterance_id), None)
        if turn is None:
            turn = self._admitted(clause, now, preemption)
        if turn is None:
            return
        if not still and len(turn.pending) >= MOST_CLAUSES:
            still = f"refused: {MOST_CLAUSES} clauses of the utterance are still to come"
        if still:
            self.dropped.append((clause, still))
        else:
            turn.pending.append((clause, begin))

    def refuse(self, clause: GestureRequest, reason: str) -> None:
        """Take note of a clause that gets no motion nor asks for a turn: what is performed goes on."""
        self.dropped.append((clause, reason))

    @property
    def follows(self) -> float | None:
        """When the next clause of the utterance is due, if it has a gesture."""
        pending = self._turn.pending
        return pending[0][1] if pending and pending[0][0].accepted else None

    def due(self, now: float, delay: float = 0.0) -> tuple[GestureRequest, float, float] | None:
        """Return a clause to begin with, when it is due and when its motion starts; call until there is none.

        What is due is what `add` was told, later by the time for which the utterance had to wait.

        Args:
            now: the time.
            delay: between the words and their motion.
        """
        self._next_turn(now)
        soon = now + self._lead
        pending = self._turn.pending
        while pending and pending[0][1] <= soon:
            clause, begin = pending[0]
            overtaken = len(pending) > 1 and pending[1][1] <= soon
            if not clause.accepted and not overtaken and self._gesture_end == math.inf:
                return None
            pending.popleft()
            start = max(begin, now) + delay
            if not clause.accepted and overtaken:
                self.dropped.append((clause, "the next clause came before its talking motion could begin"))
                continue
            if not clause.accepted:
                start = max(start, self._gesture_end)
                if clause.length is not None and start + SHORTEST_TALK > begin + clause.length:
                    self.dropped.append((clause, "speech is over before talking motion is worth its while"))
                    continue
            self._end = math.inf
            self._gesture_end = math.inf if clause.accepted else self._gesture_end
            return clause, begin, start
        return None

    def ended(self, time: float) -> None:
        """Take note of when what was begun last ends."""
        self._end = time
        self._gesture_end = min(self._gesture_end, time)

    def cancel(self, utterance_id: str, reason: str) -> None:
        """Drop what is still to come of an utterance, of all if the id is empty."""
        self._drop(lambda turn: utterance_id in ("", turn.utterance_id), reason)

    def clear(self, reason: str) -> None:
        """Drop all that is to come and forget what is being played."""
        self.cancel("", reason)
        self._end = self._gesture_end = -math.inf

    def _admitted(self, clause: GestureRequest, now: float, preemption: str) -> _Turn | None:
        """Return the turn of a new utterance; None: it gets none."""
        name, priority = clause.header.utterance_id, clause.header.priority
        self._drop(lambda turn: turn.utterance_id == name, "the utterance was said again")
        self._next_turn(now)
        before, new = self._turn, _Turn(name, priority, now)
        if not self._busy(now) or priority >= before.priority or preemption == REPLACE:
            everything = preemption == REPLACE
            self._drop(lambda turn: everything or turn is before, f"replaced by utterance {name!r}")
            self._turn = new
            return new
        lower = f"priority {priority} is lower than {before.priority} of utterance {before.utterance_id!r}"
        if preemption == IGNORE:
            self.dropped.append((clause, f"refused: {lower}, which is performed"))
        elif len(self._waiting) >= MOST_WAITING:
            self.dropped.append((clause, f"refused: {lower}, and {MOST_WAITING} utterances wait already"))
        else:
            self._waiting.append(new)
            return new
        return None

    def _busy(self, now: float) -> bool:
        return bool(self._turn.pending) or now < self._end

    def _next_turn(self, now: float) -> None:
        """Give the turn to the utterance of highest priority that waits, if it is free."""
        self._drop(
            lambda turn: turn is not self._turn and now - turn.arrival > LONGEST_WAIT,
            f"waited {LONGEST_WAIT:g} s for its turn",
        )
        if self._waiting and not self._busy(now + self._lead):
            turn = max(self._waiting, key=lambda turn: turn.priority)  # of equal ones the first
            self._waiting.remove(turn)
            waited = max(0.0, now - turn.arrival)
            turn.pending = deque((clause, begin + waited) for clause, begin in turn.pending)
            self._turn = turn

    def _drop(self, unwanted: "Callable[[_Turn], bool]", reason: str) -> None:
        """Drop what is still to come of the utterances that are unwanted."""
        for turn in [self._turn, *self._waiting]:
            if unwanted(turn):
                self.dropped += [(clause, reason) for clause, _ in turn.pending]
                turn.pending.clear()
        self._waiting = [turn for turn in self._waiting if not unwanted(turn)]
