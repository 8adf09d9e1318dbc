"""Progress of utterances, from the first block of frames to the end.

Derived from the blocks that arrive, what each command performs, and when the robot is at rest.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.labels import ClauseId
from text2gesture_ros.motion.frame_block import FrameBlock, FrameMessage
from text2gesture_ros.retargeting.fidelity import NOTHING_MEASURED, Fidelity

WAITING, PERFORMING, RETURNING, OVER = STATES = ("waiting", "performing", "returning", "over")
"""Waiting for motion; a clause is performed; on the way to rest or between clauses; ended."""

COMPLETED, DEGRADED, CANCELLED, PREEMPTED, REFUSED, FAILED = OUTCOMES = (
    *("completed", "degraded", "cancelled", "preempted", "refused", "failed"),
)
"""How an utterance may end. Degraded: a part of its motion was not performed, or not as it ought to be.
Refused: there was no motion, for the reason given."""

NEXT_CLAUSE = 30.0
"""Timeout for the next clause of an utterance [s]."""

_REMEMBERED = 256


@dataclass(frozen=True)
class Progress:
    """How an utterance goes.

    Attributes:
        state: one of `STATES`.
        clause: which clause is performed, or was last.
        part: of its motion that has been commanded, in [0, 1]; an estimate until all of it is known.
        stop_probability: the stop token after the frame that is performed, in [0, 1].
        outcome: one of `OUTCOMES`, empty until the state is over.
        reason: why it was not completed, or why a clause was without motion; empty else.
        duration: from the first command that performed it to the last [s].
        fidelity: how faithfully its motion was performed, as far as that was measured.
    """

    state: str
    clause: int
    part: float
    stop_probability: float
    outcome: str
    reason: str
    duration: float
    fidelity: Fidelity = NOTHING_MEASURED


@dataclass(eq=False)
class _Utterance:
    heard: float  # when the latest block came [s]
    latest: int = 0  # clause of which frames came
    more: bool = False  # whether another clause is to come
    pending: bool = False  # whether frames of the latest clause are still to be performed
    known: float = 0.0  # motion that has come [s]
    performed: float = 0.0  # of it, motion that was commanded [s]
    part: float = 0.0
    began: float | None = None
    ended: float = 0.0
    clause: int = 0
    stop: float = 0.0
    outcome: str = ""
    reason: str = ""
    over: bool = False
    fidelity: Fidelity = NOTHING_MEASURED
    # Blocks not performed yet: clause, when the first and last frame are due [s], stop token of each.
    blocks: deque[tuple[int, float, float, FloatArray]] = field(default_factory=deque)

    def end(self, outcome: str, reason: str) -> None:
        """Settle how it ends, unless that is settled; nothing more of it is performed."""
        self.pending = self.more = False
        if not self.outcome:
            self.outcome, self.reason = outcome, reason or self.reason

    def close(self) -> None:
        """Take it as over: nothing moves for it any more."""
        if self.began is not None and self.fidelity.faithful:
            self.end(COMPLETED, "")
        elif self.began is not None:
            self.end(DEGRADED, str(self.fidelity))
        elif self.reason:
            self.end(REFUSED, "")
        else:
            self.end(FAILED, "it ended without any motion, and nobody said why")
        self.over = True
        self.blocks.clear()


class UtteranceTracker:
    """Follows the latest utterances from their first block to their end. All times are of one clock [s]."""

    def __init__(self) -> None:
        self._utterances: OrderedDict[str, _Utterance] = OrderedDict()
        self._performing: ClauseId | None = None
        self._time = 0.0

    @property
    def live(self) -> tuple[str, ...]:
        """The utterances that are not over."""
        return tuple(name for name, utterance in self._utterances.items() if not utterance.over)

    def get(self, utterance_id: str) -> Progress | None:
        """Return the progress of an utterance; None where nothing of it has come, or long ago."""
        found = self._utterances.get(utterance_id)
        if found is None:
            return None
        performs = self._performing is not None and self._performing[0] == utterance_id
        begun = found.began is not None
        state = OVER if found.over else PERFORMING if performs else RETURNING if begun else WAITING
        return Progress(
            state=state,
            clause=found.clause,
            part=1.0 if found.over and found.outcome == COMPLETED else found.part,
            stop_probability=found.stop,
            outcome=found.outcome if found.over else "",
            reason=found.reason,
            duration=found.ended - found.began if found.began is not None else 0.0,
            fidelity=found.fidelity,
        )

    def on_block(self, block: FrameMessage, now: float) -> None:
        """Take note of a block that was admitted."""
        header = block.header
        utterance = self._utterances.get(header.utterance_id)
        if utterance is None or utterance.over:
            utterance = self._utterances[header.utterance_id] = _Utterance(now)
            self._utterances.move_to_end(header.utterance_id)
            if len(self._utterances) > _REMEMBERED:
                # Somebody may still wait for the end of one that is not over.
                old = next((name for name, one in self._utterances.items() if one.over), None)
                del self._utterances[old or next(iter(self._utterances))]
        utterance.heard, utterance.more = now, header.more
        if isinstance(block, FrameBlock):
            # A late block clears the outcome of a timeout.
            utterance.outcome, utterance.pending, utterance.latest = "", True, header.clause
            utterance.known += len(block.positions) / block.frame_rate
            utterance.blocks.append((header.clause, block.due, block.end, block.stop_probabilities))
        elif block.reason:
            utterance.reason = utterance.reason or block.reason
            if block.sequence:
                utterance.outcome = FAILED  # cut off
            elif not (header.more or utterance.pending or utterance.began is not None):
                utterance.close()

    def on_command(self, name: ClauseId | None, time: float) -> None:
        """Take note of the clause that the command of a time performs, None: of none."""
        elapsed, before = max(0.0, time - self._time), self._performing
        self._performing, self._time = name, time
        if name is None or (utterance := self._utterances.get(name[0])) is None:
            return
        if before != name:
            self._take_over(name[0])
        elif not utterance.over:
            utterance.performed += elapsed
        utterance.began = time if utterance.began is None else utterance.began
        utterance.ended, utterance.clause = time, name[1]
        utterance.part = max(
            utterance.part, min(1.0, utterance.performed / max(utterance.known, elapsed, 1e-9))
        )
        while utterance.blocks and utterance.blocks[0][2] < time:
            utterance.blocks.popleft()
        for clause, first, last, stops in utterance.blocks:
            if clause == name[1] and first <= time:
                share = (time - first) / (last - first) if last > first else 0.0
                utterance.stop = float(stops[round(min(1.0, share) * (len(stops) - 1))])
                break

    def _take_over(self, utterance_id: str) -> None:
        for other in self.live:
            found = self._utterances[other]
            if other != utterance_id and found.began is not None:
                self.on_preempted(other, utterance_id)

    def on_preempted(self, utterance_id: str, by: str) -> None:
        """Take note that another utterance takes the place of one."""
        found = self._utterances.get(utterance_id)
        if found is None or found.over or utterance_id == by:
            return
        if found.pending or found.more or found.outcome == FAILED:
            found.outcome = ""
            found.end(PREEMPTED, f"{by} took over")
        found.close()

    def on_clause_end(self, name: ClauseId, reason: str = "") -> None:
        """Take note that no more of a clause is performed; why, if it was not performed to its end."""
        found = self._utterances.get(name[0])
        if found is None or found.over or name[1] != found.latest:
            return
        found.pending = False
        if not reason and (found.began is None or found.clause != name[1]):
            reason = "no plan within the limits was found for it"
        if reason:
            found.outcome, found.reason = FAILED, found.reason or reason

    def on_fidelity(self, clause: ClauseId, fidelity: Fidelity) -> None:
        """Take note of how faithfully a clause was performed."""
        found = self._utterances.get(clause[0])
        if found is not None and not found.over:
            found.fidelity += fidelity

    def on_abort(self, utterance_ids: Iterable[str], outcome: str, reason: str) -> None:
        """Take note that nothing more of some utterances is performed: cancelled or failed, and why."""
        for name in utterance_ids:
            found = self._utterances.get(name)
            if found is not None and not found.over:
                found.outcome = ""
                found.end(outcome, reason)
                if found.began is None:
                    found.close()

    def on_settled(self, time: float) -> None:
        """Take note that the robot stands still at rest, or cannot leave where it stands, at a time."""
        for name in self.live:
            found = self._utterances[name]
            if found.more and not found.pending and time - found.heard > NEXT_CLAUSE:
                found.end(FAILED, f"its next clause has not come for {NEXT_CLAUSE:g} s")
            if not (found.pending or found.more):
                found.close()
