"""Admission of frame blocks: a block continues the clause that began last, or begins another one."""

from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import TypeVar

from text2gesture_ros.labels import ClauseId
from text2gesture_ros.motion.frame_block import FrameBlock, FrameMessage

K = TypeVar("K")
V = TypeVar("V")

_CAPACITY = 256  # clauses and cancelled utterances that are remembered
# Frames due later than this show that clocks differ [s].
_MAX_AHEAD = 10.0
# Time after a cancel in which blocks of the utterance count as still on their way [s].
_CANCEL_TIME = 1.0
# Above any sequence number.
_ENDED = 1 << 32


class BlockFilter:
    """Admits blocks of frames or rejects them, and counts both.

    Attributes:
        counts: how many blocks were accepted, how many rejected for which reason (stale, duplicate,
            out_of_order, unknown, future, cancelled), and how many were without frames (empty).
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        # Of every gesture of late: the highest sequence number seen, when its last and first frame are due.
        self._gestures: OrderedDict[ClauseId, tuple[int, float, float]] = OrderedDict()
        self._latest: ClauseId | None = None
        self._cancelled: OrderedDict[str, float] = OrderedDict()  # when each utterance was [s]

    def admits(self, block: FrameMessage, now: float) -> str:
        """Return what becomes of a block that comes now [s]: accepted, empty, or why it is ignored."""
        verdict = self._refusal(block, now)
        if not verdict:
            verdict = "empty"
            if isinstance(block, FrameBlock):
                begin = block.due
                if block.sequence == 0:
                    self._latest = block.header.name
                else:
                    begin = self._gestures[block.header.name][2]
                _remember(self._gestures, block.header.name, (block.sequence, block.end, begin))
                # One that is stale counts as begun, so that what follows it can still be seen.
                verdict = "stale" if block.end < now else "accepted"
            elif block.header.name in self._gestures:
                self._gestures[block.header.name] = _ENDED, *self._gestures[block.header.name][1:]
        self.counts[verdict] += 1
        return verdict

    def cancel(self, utterance_ids: Iterable[str], now: float) -> None:
        """Ignore what still comes of some utterances, but for a new performance later than a second [s]."""
        for name in utterance_ids:
            _remember(self._cancelled, name, now)

    def forget(self, utterance_ids: Iterable[str], playing: ClauseId | None) -> None:
        """Let nothing continue some utterances; what is playing may be continued then."""
        if self._latest is not None and self._latest[0] in utterance_ids:
            self._latest = playing

    def clear(self) -> None:
        """Forget all gestures."""
        self._gestures.clear()
        self._cancelled.clear()
        self._latest = None

    def _refusal(self, block: FrameMessage, now: float) -> str:
        """Return why a block does not continue the latest gesture nor begin another, empty if it does."""
        when = self._cancelled.get(block.header.utterance_id)
        if when is not None:
            if block.header.clause or block.sequence or now <= when + _CANCEL_TIME:
                return "cancelled"
            del self._cancelled[block.header.utterance_id]
        sequence, end, begin = self._gestures.get(block.header.name, (-1, float("-inf"), float("-inf")))
        latest = block.header.name == self._latest
        if not isinstance(block, FrameBlock):
            # That no more comes may be said at any time.
            return "" if block.sequence == 0 or latest else "stale"
        if block.end > now + _MAX_AHEAD:
            return "future"
        if block.sequence == 0:
            # The same name again, begun later, is a new performance: nothing more of the one before comes.
            return "" if block.due > begin else "duplicate" if latest else "stale"
        if sequence < 0:
            return "unknown"
        if not latest:
            return "stale"
        if block.sequence == sequence:
            return "duplicate"
        return "" if block.sequence > sequence and block.due > end else "out_of_order"


def _remember(known: "OrderedDict[K, V]", key: K, value: V) -> None:
    """Note a value as the newest, and forget the oldest of too many."""
    known[key] = value
    known.move_to_end(key)
    if len(known) > _CAPACITY:
        known.popitem(last=False)
