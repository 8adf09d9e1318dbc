"""Statistics of utterances: how they ended, latency from text to command, frames that are missing."""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator

import numpy as np

from text2gesture_ros.motion.frame_block import FrameBlock, FrameMessage
from text2gesture_ros.retargeting.progress import DEGRADED, FAILED, OUTCOMES, OVER, Progress

_WINDOW = 500  # figures that percentiles are taken of, the latest ones
_CAPACITY = 100  # utterances that are remembered
_MAX_LATENCY = 60.0  # a longer one comes from a stamp of another clock [s]
_WARNING_TIME = 10.0  # for which a failure stays a warning [s]


class UtteranceStatistics:
    """Counts and measures utterances. Times are of one clock [s].

    Args:
        progress: tells how an utterance goes, None: nothing of it has come.
    """

    def __init__(self, progress: Callable[[str], Progress | None]) -> None:
        self._progress = progress
        self._texts: OrderedDict[str, float] = OrderedDict()  # when each arrived
        self._live: OrderedDict[str, FrameMessage] = OrderedDict()  # the latest block of each
        self._over: OrderedDict[str, None] = OrderedDict()  # counted already
        self._ended: Counter[str] = Counter()
        self._latencies: deque[float] = deque(maxlen=_WINDOW)
        self._aheads: deque[float] = deque(maxlen=_WINDOW)
        self._trouble, self._troubled = "", -np.inf

    @property
    def awaited(self) -> tuple[str, ...]:
        """The utterances of which there is a text and no motion yet."""
        return tuple(self._texts)

    def on_text(self, utterance_id: str, time: float) -> None:
        """Take note of when the text of an utterance arrived."""
        self._texts[utterance_id] = time
        if len(self._texts) > _CAPACITY:
            self._texts.popitem(last=False)

    def on_block(self, block: FrameMessage, now: float) -> None:
        """Take note of a block of frames that has gone to the executor."""
        if isinstance(block, FrameBlock):
            self._aheads.append(block.due - now)
        name, progress = block.header.utterance_id, self._progress(block.header.utterance_id)
        if progress is None or (progress.state == OVER and name in self._over):
            return  # was not taken, or comes after the end
        self._live[name] = block
        self._over.pop(name, None)
        if len(self._live) > _CAPACITY:
            self._live.popitem(last=False)

    def on_announced(self, utterance_id: str, now: float) -> None:
        """Take note that the first plan of an utterance went out."""
        if (text := self._texts.pop(utterance_id, None)) is not None:
            latency = now - text
            if 0.0 <= latency <= _MAX_LATENCY:
                self._latencies.append(latency)

    def settle(self, now: float) -> Iterator[tuple[str, Progress]]:
        """Count the utterances that are over by now, and yield them with how they ended."""
        for name in list(self._live):
            progress = self._progress(name)
            if progress is None or progress.state == OVER:
                del self._live[name]
            if progress is not None and progress.state == OVER:
                self._over[name] = None
                if len(self._over) > _CAPACITY:
                    self._over.popitem(last=False)
                self._ended[progress.outcome] += 1
                if progress.outcome in (DEGRADED, FAILED):
                    self._trouble, self._troubled = (
                        f"utterance {name!r} {progress.outcome}: {progress.reason}",
                        now,
                    )
                yield name, progress

    def report(self, now: float) -> tuple[dict[str, object], list[str]]:
        """Return the figures by name, and what is missing."""
        counts: dict[str, object] = {"utterances under way": len(self._live)}
        counts |= {f"utterances {outcome}": self._ended[outcome] for outcome in OUTCOMES}
        if self._latencies:
            median, high = 1e3 * np.percentile(self._latencies, (50, 95))
            counts |= {
                "text to command, median [ms]": f"{median:.1f}",
                "text to command, p95 [ms]": f"{high:.1f}",
            }
        if self._aheads:
            counts["frames ahead of time, p5 [ms]"] = f"{1e3 * np.percentile(self._aheads, 5):.0f}"
        missing = [
            f"no frames of utterance {name!r} for {now - block.end:.1f} s"
            for name, block in self._live.items()
            if isinstance(block, FrameBlock) and not block.last and now > block.end
        ]
        return counts, missing + [self._trouble] * (now < self._troubled + _WARNING_TIME)
