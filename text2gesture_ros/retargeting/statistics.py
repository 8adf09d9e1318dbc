"""Statistics of utterances: outcomes, latency from text to command, lead of frames, missing frames."""

from collections import Counter, deque
from collections.abc import Callable, Iterator

import numpy as np

from text2gesture_ros.bounded_dict import BoundedDict
from text2gesture_ros.motion.frame_block import FrameBlock, FrameMessage
from text2gesture_ros.retargeting.progress import DEGRADED, FAILED, OUTCOMES, OVER, Progress

_WINDOW = 500  # percentiles are taken over this many latest values
_CAPACITY = 100  # maximum number of utterances that are remembered
_MAX_LATENCY = 60.0  # longer ones are ignored: the stamp comes from another clock [s]
_WARNING_TIME = 10.0  # how long a failure is reported as a warning [s]


class UtteranceStatistics:
    """Counts and measures utterances. Times are of one clock [s].

    Args:
        progress: returns the progress of an utterance, None: no block of it has come.
    """

    def __init__(self, progress: Callable[[str], Progress | None]) -> None:
        self._progress = progress
        self._texts: BoundedDict[str, float] = BoundedDict(_CAPACITY)  # when each arrived
        self._live: BoundedDict[str, FrameMessage] = BoundedDict(_CAPACITY)  # latest block of each
        self._over: BoundedDict[str, None] = BoundedDict(_CAPACITY)  # counted already
        self._outcomes: Counter[str] = Counter()
        self._latencies: deque[float] = deque(maxlen=_WINDOW)  # from text to command [s]
        self._leads: deque[float] = deque(maxlen=_WINDOW)  # from arrival of a block to its first frame [s]
        self._failure, self._failure_time = "", -np.inf  # the latest one

    @property
    def awaited(self) -> tuple[str, ...]:
        """The utterances of which there is a text and no motion yet."""
        return tuple(self._texts)

    def on_text(self, utterance_id: str, time: float) -> None:
        """Record when the text of an utterance arrived."""
        self._texts[utterance_id] = time

    def on_block(self, block: FrameMessage, now: float) -> None:
        """Record a block of frames that was given to the executor."""
        if isinstance(block, FrameBlock):
            self._leads.append(block.due - now)
        name, progress = block.header.utterance_id, self._progress(block.header.utterance_id)
        if progress is None or (progress.state == OVER and name in self._over):
            return  # rejected, or came after the end
        self._live[name] = block
        self._over.pop(name, None)

    def on_announced(self, utterance_id: str, now: float) -> None:
        """Record that the first plan of an utterance was published."""
        if (text := self._texts.pop(utterance_id, None)) is not None:
            latency = now - text
            if 0.0 <= latency <= _MAX_LATENCY:
                self._latencies.append(latency)

    def settle(self, now: float) -> Iterator[tuple[str, Progress]]:
        """Count the utterances that have ended since the last call, and yield each with its outcome."""
        for name in list(self._live):
            progress = self._progress(name)
            if progress is None or progress.state == OVER:
                del self._live[name]
            if progress is not None and progress.state == OVER:
                self._over[name] = None
                self._outcomes[progress.outcome] += 1
                if progress.outcome in (DEGRADED, FAILED):
                    self._failure = f"utterance {name!r} {progress.outcome}: {progress.reason}"
                    self._failure_time = now
                yield name, progress

    def report(self, now: float) -> tuple[dict[str, object], list[str]]:
        """Return the figures by name, and warnings: missing frames and the latest failure."""
        counts: dict[str, object] = {"utterances under way": len(self._live)}
        counts |= {f"utterances {outcome}": self._outcomes[outcome] for outcome in OUTCOMES}
        if self._latencies:
            median, high = 1e3 * np.percentile(self._latencies, (50, 95))
            counts |= {
                "text to command, median [ms]": f"{median:.1f}",
                "text to command, p95 [ms]": f"{high:.1f}",
            }
        if self._leads:
            counts["frames ahead of time, p5 [ms]"] = f"{1e3 * np.percentile(self._leads, 5):.0f}"
        missing = [
            f"no frames of utterance {name!r} for {now - block.end:.1f} s"
            for name, block in self._live.items()
            if isinstance(block, FrameBlock) and not block.last and now > block.end
        ]
        return counts, missing + [self._failure] * (now < self._failure_time + _WARNING_TIME)
