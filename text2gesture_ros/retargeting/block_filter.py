"""Admission of frame blocks: a block must continue the clause that began last, or begin another one."""

from collections import Counter
from collections.abc import Iterable

from text2gesture_ros.bounded_dict import BoundedDict
from text2gesture_ros.labels import ClauseId
from text2gesture_ros.motion.frame_block import FrameBlock, FrameMessage

_CAPACITY = 256  # maximum number of clauses, and of cancelled utterances, that are remembered
_MAX_LEAD = 10.0  # frames due later than this are rejected: the clocks differ [s]
_CANCEL_WINDOW = 1.0  # after a cancellation, in which blocks of the utterance are ignored [s]
_ENDED = 1 << 32  # above any sequence number


class BlockFilter:
    """Admits blocks of frames or rejects them, and counts both.

    Attributes:
        counts: how many blocks were accepted, how many rejected for which reason (stale, duplicate,
            out_of_order, unknown, future, cancelled), and how many were without frames (empty).
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        # Of the latest clauses: highest sequence number, due time of the last and of the first frame [s].
        self._clauses: BoundedDict[ClauseId, tuple[int, float, float]] = BoundedDict(_CAPACITY)
        self._latest: ClauseId | None = None
        self._cancelled: BoundedDict[str, float] = BoundedDict(_CAPACITY)  # when each utterance was [s]

    def admits(self, block: FrameMessage, now: float) -> str:
        """Admit or reject a block that comes now [s]; return accepted, empty, or why it is rejected."""
        verdict = self._rejection(block, now)
        name = block.header.name
        if not verdict:
            verdict = "empty"
            if isinstance(block, FrameBlock):
                begin = block.due
                if block.sequence == 0:
                    self._latest = name
                else:
                    begin = self._clauses[name][2]
                self._clauses[name] = block.sequence, block.end, begin
                # A stale block counts as the beginning, so that the blocks after it can be performed.
                verdict = "stale" if block.end < now else "accepted"
            elif name in self._clauses:
                self._clauses[name] = _ENDED, *self._clauses[name][1:]
        self.counts[verdict] += 1
        return verdict

    def cancel(self, utterance_ids: Iterable[str], now: float) -> None:
        """Reject further blocks of some utterances, except a new performance more than a second later [s]."""
        for utterance_id in utterance_ids:
            self._cancelled[utterance_id] = now

    def forget(self, utterance_ids: Iterable[str], playing: ClauseId | None) -> None:
        """Reject what continues some utterances; the clause that is playing may be continued then."""
        if self._latest is not None and self._latest[0] in utterance_ids:
            self._latest = playing

    def clear(self) -> None:
        """Forget all clauses and cancellations."""
        self._clauses.clear()
        self._cancelled.clear()
        self._latest = None

    def _rejection(self, block: FrameMessage, now: float) -> str:
        """Return why a block neither continues the latest clause nor begins another; empty if it does."""
        cancelled = self._cancelled.get(block.header.utterance_id)
        if cancelled is not None:
            if block.header.clause or block.sequence or now <= cancelled + _CANCEL_WINDOW:
                return "cancelled"
            del self._cancelled[block.header.utterance_id]
        sequence, end, begin = self._clauses.get(block.header.name, (-1, float("-inf"), float("-inf")))
        latest = block.header.name == self._latest
        if not isinstance(block, FrameBlock):
            # The end of a clause that has no frames may come at any time.
            return "" if block.sequence == 0 or latest else "stale"
        if block.end > now + _MAX_LEAD:
            return "future"
        if block.sequence == 0:
            # The same clause with a later beginning is a new performance, which replaces the previous one.
            return "" if block.due > begin else "duplicate" if latest else "stale"
        if sequence < 0:
            return "unknown"
        if not latest:
            return "stale"
        if block.sequence == sequence:
            return "duplicate"
        return "" if block.sequence > sequence and block.due > end else "out_of_order"
