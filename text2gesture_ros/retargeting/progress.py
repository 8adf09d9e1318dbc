"""Progress of utterances, from the first block of frames to the end.

Derived from the blocks that arrive, the clause that each command performs, and when the robot is at rest.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from text2gesture_ros.bounded_dict import BoundedDict
from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.labels import ClauseId
from text2gesture_ros.motion.frame_block import FrameBlock, FrameMessage
from text2gesture_ros.retargeting.fidelity import NOTHING_MEASURED, Fidelity

WAITING, PERFORMING, RETURNING, OVER = STATES = ("waiting", "performing", "returning", "over")
"""No motion yet; a clause is performed; on the way to rest or between clauses; ended."""

COMPLETED, DEGRADED, CANCELLED, PREEMPTED, REFUSED, FAILED = OUTCOMES = (
    *("completed", "degraded", "cancelled", "preempted", "refused", "failed"),
)
"""How an utterance may end. Degraded: its motion was performed incompletely or inaccurately. Refused: there
was no motion, for the reason given."""

HELD = "the robot was held, and not released in time: release it with 'text2gesture hold off'"
"""Why nothing is performed in a hold."""

NEXT_CLAUSE_TIMEOUT = 30.0
"""Timeout for the next clause of an utterance [s]."""

_CAPACITY = 256  # maximum number of utterances under way, and of ended ones, that are remembered


class PlanningEvents(Protocol):
    """What is told of utterances while planning."""

    def on_preempted(self, utterance_id: str, by: str) -> None:
        """Another utterance takes the place of one."""

    def on_clause_end(self, clause: ClauseId, reason: str = "") -> None:
        """No more of a clause is performed; why, if it was not performed to its end."""

    def on_fidelity(self, clause: ClauseId, fidelity: Fidelity) -> None:
        """How faithfully a clause was performed; told before its end."""


@dataclass(frozen=True)
class Progress:
    """State of an utterance, and how it ended.

    Attributes:
        state: one of `STATES`.
        clause: number of the clause that is performed, or was last.
        fraction: commanded fraction of its motion, in [0, 1]; an estimate until all frames have come.
        stop_probability: the stop token after the frame that is performed, in [0, 1].
        outcome: one of `OUTCOMES`, empty until the state is over.
        reason: why it was not completed, or why a clause was without motion; empty else.
        duration: from the first command that performed it to the last [s].
        fidelity: how faithfully its motion was performed, as far as that was measured.
    """

    state: str
    clause: int
    fraction: float
    stop_probability: float
    outcome: str
    reason: str
    duration: float
    fidelity: Fidelity = NOTHING_MEASURED


@dataclass(eq=False)
class _Utterance:
    last_block_time: float  # when the latest block came [s]
    latest_clause: int = 0  # of which frames came
    more: bool = False  # whether another clause is to come
    pending: bool = False  # whether frames of the latest clause are still to be performed
    received: float = 0.0  # duration of the frames that have come [s]
    performed: float = 0.0  # duration of the frames that were commanded [s]
    fraction: float = 0.0
    began: float | None = None
    ended: float = 0.0
    clause: int = 0
    stop_probability: float = 0.0
    outcome: str = ""
    reason: str = ""
    fidelity: Fidelity = NOTHING_MEASURED
    # Blocks not performed yet: clause, when the first and last frame are due [s], stop token of each.
    blocks: deque[tuple[int, float, float, FloatArray]] = field(default_factory=deque)

    def end(self, outcome: str, reason: str) -> None:
        """Set the outcome unless it is set already; nothing more is performed."""
        self.pending = self.more = False
        if not self.outcome:
            self.outcome, self.reason = outcome, reason or self.reason

    def conclude(self) -> None:
        """Determine the outcome if it is not set already: the robot no longer moves for this utterance."""
        if self.began is not None and self.fidelity.faithful:
            self.end(COMPLETED, "")
        elif self.began is not None:
            self.end(DEGRADED, str(self.fidelity))
        elif self.reason:
            self.end(REFUSED, "")
        else:
            self.end(FAILED, "it ended without any motion and without a reason")
        self.blocks.clear()


class UtteranceTracker:
    """Tracks utterances from their first block to their end. All times are of one clock [s]."""

    def __init__(self) -> None:
        self._live: BoundedDict[str, _Utterance] = BoundedDict(_CAPACITY)
        self._over: BoundedDict[str, _Utterance] = BoundedDict(_CAPACITY)
        self._performing: ClauseId | None = None
        self._time = 0.0

    @property
    def live(self) -> tuple[str, ...]:
        """The utterances that are not over."""
        return tuple(self._live)

    def get(self, utterance_id: str) -> Progress | None:
        """Return the progress of an utterance; None where no block of it has come, or it ended long ago."""
        found = self._find(utterance_id)
        if found is None:
            return None
        over = utterance_id not in self._live
        performs = self._performing is not None and self._performing[0] == utterance_id
        begun = found.began is not None
        return Progress(
            state=OVER if over else PERFORMING if performs else RETURNING if begun else WAITING,
            clause=found.clause,
            fraction=1.0 if over and found.outcome == COMPLETED else found.fraction,
            stop_probability=found.stop_probability,
            outcome=found.outcome if over else "",
            reason=found.reason,
            duration=found.ended - found.began if found.began is not None else 0.0,
            fidelity=found.fidelity,
        )

    def on_block(self, block: FrameMessage, now: float) -> None:
        """Record a block that was admitted."""
        header = block.header
        utterance = self._live.get(header.utterance_id)
        if utterance is None:
            utterance = self._live[header.utterance_id] = _Utterance(now)
            self._over.pop(header.utterance_id, None)
        utterance.last_block_time, utterance.more = now, header.more
        if isinstance(block, FrameBlock):
            # A late block clears the outcome of a timeout.
            utterance.outcome, utterance.pending, utterance.latest_clause = "", True, header.clause
            utterance.received += len(block.positions) / block.frame_rate
            utterance.blocks.append((header.clause, block.due, block.end, block.stop_probabilities))
        elif block.reason:
            utterance.reason = utterance.reason or block.reason
            if block.sequence:
                utterance.outcome = FAILED  # cut off
            elif not (header.more or utterance.pending or utterance.began is not None):
                self._conclude(header.utterance_id)

    def on_command(self, name: ClauseId | None, time: float) -> None:
        """Record the clause that the command of a time performs; None: the command performs no clause."""
        elapsed, before = max(0.0, time - self._time), self._performing
        self._performing, self._time = name, time
        if name is None or (utterance := self._find(name[0])) is None:
            return
        if before != name:
            self._preempt_others(name[0])
        elif name[0] in self._live:
            utterance.performed += elapsed
        utterance.began = time if utterance.began is None else utterance.began
        utterance.ended, utterance.clause = time, name[1]
        fraction = min(1.0, utterance.performed / max(utterance.received, elapsed, 1e-9))
        utterance.fraction = max(utterance.fraction, fraction)
        while utterance.blocks and utterance.blocks[0][2] < time:
            utterance.blocks.popleft()
        for clause, first, last, stops in utterance.blocks:
            if clause == name[1] and first <= time:
                ratio = (time - first) / (last - first) if last > first else 0.0
                utterance.stop_probability = float(stops[round(min(1.0, ratio) * (len(stops) - 1))])
                break

    def on_preempted(self, utterance_id: str, by: str) -> None:
        """Record that an utterance is preempted by another one."""
        found = self._live.get(utterance_id)
        if found is None or utterance_id == by:
            return
        if found.pending or found.more or found.outcome == FAILED:
            found.outcome = ""
            found.end(PREEMPTED, f"{by} took over")
        self._conclude(utterance_id)

    def on_clause_end(self, name: ClauseId, reason: str = "") -> None:
        """Record that no more of a clause is performed; the reason, if it was not performed to its end."""
        found = self._live.get(name[0])
        if found is None or name[1] != found.latest_clause:
            return
        found.pending = False
        if not reason and (found.began is None or found.clause != name[1]):
            reason = "no plan within the limits was found for it"
        if reason:
            found.outcome, found.reason = FAILED, found.reason or reason

    def on_fidelity(self, clause: ClauseId, fidelity: Fidelity) -> None:
        """Record how faithfully a clause was performed."""
        if found := self._live.get(clause[0]):
            found.fidelity += fidelity

    def on_abort(self, utterance_ids: Iterable[str], outcome: str, reason: str) -> None:
        """Record that nothing more of some utterances is performed: cancelled or failed, and the reason."""
        for name in utterance_ids:
            if found := self._live.get(name):
                found.outcome = ""
                found.end(outcome, reason)
                if found.began is None:
                    self._conclude(name)

    def on_settled(self, time: float) -> None:
        """Record that the robot stands still at a time: at rest, or where it cannot move from."""
        for name, found in list(self._live.items()):
            silent = time - found.last_block_time > NEXT_CLAUSE_TIMEOUT
            if found.more and not found.pending and silent:
                found.end(FAILED, f"its next clause has not come for {NEXT_CLAUSE_TIMEOUT:g} s")
            if not (found.pending or found.more):
                self._conclude(name)

    def _find(self, utterance_id: str) -> _Utterance | None:
        return self._live.get(utterance_id) or self._over.get(utterance_id)

    def _preempt_others(self, utterance_id: str) -> None:
        for other, found in list(self._live.items()):
            if other != utterance_id and found.began is not None:
                self.on_preempted(other, utterance_id)

    def _conclude(self, utterance_id: str) -> None:
        self._over[utterance_id] = found = self._live.pop(utterance_id)
        found.conclude()
