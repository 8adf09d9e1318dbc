"""Which requested clauses get motion, and when: one utterance at a time, by priority."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from text2gesture_ros.bounded_dict import BoundedDict
from text2gesture_ros.generation.request import GestureRequest
from text2gesture_ros.generation.time_alignment import MIN_TALK_DURATION
from text2gesture_ros.parameters import IGNORE, REPLACE, GestureGeneratorParameters
from text2gesture_ros.understanding.clauses import MAX_CLAUSES

MAX_WAITING = 8
"""Utterances that may wait for their turn."""

MAX_WAIT = 5.0
"""An utterance that has waited this long for its turn is dropped: its words are history [s]."""

_MAX_CANCELLED = 100  # cancelled utterances that are remembered


@dataclass
class _Turn:
    """An utterance that has its turn or waits for it, with its clauses that have not begun."""

    utterance_id: str
    priority: int
    said: float
    pending: deque[GestureRequest] = field(default_factory=deque)


class Schedule:
    """Decides which clause begins when, and which get no motion. All times are of one clock [s].

    One utterance has its turn at a time. Another one of the same or a higher priority preempts it; what
    becomes of a lower one is the parameter `preemption`: `QUEUE` lets it wait, `MAX_WAIT` at most, and
    perform as if it were said then; `IGNORE` refuses it; `REPLACE` lets it preempt. Within a turn a gesture
    replaces whatever is played; talking motion waits for the end of a gesture, unless the next clause is due
    first.

    Args:
        poll_period: time between two calls of `pop_due` [s]; what is due before the next one is due now.

    Attributes:
        dropped: clauses that get no motion and why, in order; the caller empties it.
    """

    def __init__(self, poll_period: float = 0.0) -> None:
        self.dropped: list[tuple[GestureRequest, str]] = []
        self._poll_period = poll_period
        self._turn = _Turn("", 0, -math.inf)
        self._waiting: list[_Turn] = []
        self._end = -math.inf  # of what is being played; infinite until that is known
        self._gesture_end = -math.inf  # of the latest gesture; infinite until that is known
        self._cancelled: BoundedDict[str, float] = BoundedDict(_MAX_CANCELLED)  # when; "": all utterances
        self._time = -math.inf

    @property
    def waiting(self) -> int:
        """How many utterances wait for their turn."""
        return len(self._waiting)

    @property
    def pending(self) -> bool:
        """Whether a clause has not begun yet."""
        return any(turn.pending for turn in (self._turn, *self._waiting))

    def clock_went_back(self, now: float) -> bool:
        """Return whether time is earlier than at the last call; forget everything if so.

        What is known belongs to another time then, as when a simulation restarts.
        """
        back, self._time = now < self._time, now
        if back:
            self.clear("the clock was set back")
            self._cancelled.clear()
        return back

    def add(self, request: GestureRequest, now: float, settings: GestureGeneratorParameters) -> None:
        """Schedule a clause; the first of an utterance asks for a turn, unless there is nothing to say.

        Args:
            request: comes after those of its utterance that were added before.
            now: the time.
            settings: `preemption` and `neutral_motion` count.
        """
        name = request.header.utterance_id
        if any(request.speech_start < self._cancelled.get(key, -math.inf) for key in ("", name)):
            self.dropped.append((request, "cancelled"))
            return
        if not (request.accepted or request.spoken):
            self.dropped.append((request, "there are no words"))
            return
        turn = None
        if request.header.clause > 0:
            turn = next((turn for turn in (self._turn, *self._waiting) if turn.utterance_id == name), None)
        if turn is None:
            turn = self._admitted(request, now, settings.preemption)
        if turn is None:
            return
        if not (request.accepted or settings.neutral_motion):
            self.dropped.append((request, f"no gesture ({request.reason}), and neutral_motion is off"))
        elif len(turn.pending) >= MAX_CLAUSES:
            self.dropped.append((request, f"refused: {MAX_CLAUSES} clauses of the utterance are pending"))
        else:
            turn.pending.append(request)

    @property
    def next_known(self) -> bool:
        """Whether the next clause of the utterance has come."""
        return bool(self._turn.pending)

    @property
    def next_gesture_due(self) -> float | None:
        """When the next clause of the utterance is due, if it has a gesture."""
        pending = self._turn.pending
        return pending[0].due if pending and pending[0].accepted else None

    def pop_due(self, now: float, delay: float = 0.0) -> tuple[GestureRequest, float] | None:
        """Take the next clause that is due, and say when its motion starts; None: no further one is due.

        The clause counts as being played from then on. If its utterance has waited, the request is delayed.

        Args:
            now: the time.
            delay: of motion after the words.
        """
        self._next_turn(now)
        soon = now + self._poll_period
        pending = self._turn.pending
        while pending and pending[0].due <= soon:
            request = pending[0]
            overtaken = len(pending) > 1 and pending[1].due <= soon
            if not request.accepted and not overtaken and self._gesture_end == math.inf:
                return None
            pending.popleft()
            start = max(request.due, now) + delay
            if not request.accepted and overtaken:
                self.dropped.append((request, "the next clause came before its talking motion could begin"))
                continue
            if not request.accepted:
                start = max(start, self._gesture_end)
                if request.end is not None and start + MIN_TALK_DURATION > request.end:
                    self.dropped.append((request, "speech is over before there is time for talking motion"))
                    continue
            self._end = math.inf
            self._gesture_end = math.inf if request.accepted else self._gesture_end
            return request, start
        return None

    def ended(self, time: float) -> None:
        """Note when the motion that began last ends."""
        self._end = time
        self._gesture_end = min(self._gesture_end, time)

    def cancel(self, utterance_id: str, now: float) -> None:
        """Drop an utterance, all if the id is empty, also what was said before `now` and is still to come."""
        self._cancelled[utterance_id] = now
        self._drop(lambda turn: utterance_id in ("", turn.utterance_id), "cancelled")

    def clear(self, reason: str) -> None:
        """Drop all that is pending and forget what is being played."""
        self._drop(lambda _: True, reason)
        self._end = self._gesture_end = -math.inf

    def _admitted(self, request: GestureRequest, now: float, preemption: str) -> _Turn | None:
        """Return the turn of a new utterance; None: it gets none."""
        name, priority = request.header.utterance_id, request.header.priority
        self._drop(lambda turn: turn.utterance_id == name, "the utterance was said again")
        self._next_turn(now)
        before, new = self._turn, _Turn(name, priority, request.speech_start)
        if not self._busy(now) or priority >= before.priority or preemption == REPLACE:
            everything = preemption == REPLACE
            self._drop(lambda turn: everything or turn is before, f"replaced by utterance {name!r}")
            self._turn = new
            return new
        lower = f"priority {priority} is lower than {before.priority} of utterance {before.utterance_id!r}"
        if preemption == IGNORE:
            self.dropped.append((request, f"refused: {lower}, which is performed"))
        elif len(self._waiting) >= MAX_WAITING:
            self.dropped.append((request, f"refused: {lower}, and {MAX_WAITING} utterances wait already"))
        else:
            self._waiting.append(new)
            return new
        return None

    def _busy(self, now: float) -> bool:
        return bool(self._turn.pending) or now < self._end

    def _next_turn(self, now: float) -> None:
        """Give the turn to the waiting utterance of highest priority, if it is free."""
        self._drop(
            lambda turn: turn is not self._turn and now - turn.said > MAX_WAIT,
            f"waited {MAX_WAIT:g} s for its turn",
        )
        if self._waiting and not self._busy(now + self._poll_period):
            turn = max(self._waiting, key=lambda turn: turn.priority)  # of equal ones the first
            self._waiting.remove(turn)
            # Its turn begins with that end, not with this call: on a busy machine polls come late.
            waited = max(0.0, now - turn.said, self._end - turn.said)
            turn.pending = deque(request.delayed(waited) for request in turn.pending)
            self._turn = turn

    def _drop(self, unwanted: Callable[[_Turn], bool], reason: str) -> None:
        """Drop what is pending of the utterances that are unwanted."""
        for turn in [self._turn, *self._waiting]:
            if unwanted(turn):
                self.dropped += [(request, reason) for request in turn.pending]
                turn.pending.clear()
        self._waiting = [turn for turn in self._waiting if not unwanted(turn)]
