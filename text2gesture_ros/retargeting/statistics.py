"""What the retargeter tells about its utterances: how they ended, how fast they came, what is missing."""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator

import numpy as np

from text2gesture_ros.motion.frame_block import FrameBlock, FrameMessage
from text2gesture_ros.retargeting.progress import FAILED, OUTCOMES, OVER, Progress

_LATEST = 500  # of so many figures percentiles are told
_REMEMBERED = 100  # texts that have not become motion yet
_OLDEST = 60.0  # a text that seems older has another clock's stamp [s]
_TOLD = 10.0  # how long what went wrong stays a warning [s]


class Tally:
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
        self._latencies: deque[float] = deque(maxlen=_LATEST)
        self._aheads: deque[float] = deque(maxlen=_LATEST)
        self._trouble, self._troubled = "", -np.inf

    @property
    def awaited(self) -> tuple[str, ...]:
        """The utterances of which there is a text and no motion yet."""
        return tuple(self._texts)

    def text_came(self, utterance_id: str, time: float) -> None:
        """Take note of when the text of an utterance arrived."""
        self._texts[utterance_id] = time
        if len(self._texts) > _REMEMBERED:
            self._texts.popitem(last=False)

    def block_came(self, block: FrameMessage, now: float) -> None:
        """Take note of a block of frames that has gone to the performer."""
        if isinstance(block, FrameBlock):
            self._aheads.append(block.due - now)
        name, progress = block.header.utterance_id, self._progress(block.header.utterance_id)
        if progress is None or (progress.state == OVER and name in self._over):
            return  # was not taken, or comes after the end
        self._live[name] = block
        self._over.pop(name, None)
        if len(self._live) > _REMEMBERED:
            self._live.popitem(last=False)

    def planned(self, utterance_id: str, now: float) -> None:
        """Take note that the first plan of an utterance went out."""
        if (text := self._texts.pop(utterance_id, None)) is not None:
            latency = now - text
            if 0.0 <= latency <= _OLDEST:
                self._latencies.append(latency)

    def settle(self, now: float) -> Iterator[tuple[str, Progress]]:
        """Count the utterances that are over by now, and yield them with how they ended."""
        for name in list(self._live):
            progress = self._progress(name)
            if progress is None or progress.state == OVER:
                del self._live[name]
            if progress is not None and progress.state == OVER:
                self._over[name] = None
                if len(self._over) > _REMEMBERED:
                    self._over.popitem(last=False)
                self._ended[progress.outcome] += 1
                if progress.outcome == FAILED:
                    self._trouble, self._troubled = f"utterance {name!r} failed: {progress.reason}", now
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
        return counts, missing + [self._trouble] * (now < self._troubled + _TOLD)
