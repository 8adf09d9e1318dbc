"""Requests in, frames in time with speech out."""

import math
import zlib
from collections.abc import Iterable, Iterator
from itertools import count

from text2gesture_ros.bounded_dict import BoundedDict
from text2gesture_ros.generation.generator import Frame, GestureGenerator
from text2gesture_ros.generation.request import GestureRequest
from text2gesture_ros.generation.schedule import Schedule
from text2gesture_ros.generation.stream import GestureStream, Playback
from text2gesture_ros.labels import NEUTRAL, ClauseId
from text2gesture_ros.motion.frame_block import ClauseEnd, ClauseHeader, FrameMessage
from text2gesture_ros.parameters import GestureGeneratorParameters

POLL_PERIOD = 0.025
"""How often a player is polled [s]."""

# A poll hands out about this much motion [s]: the look-ahead fills up soon, and the retargeter has time to
# plan between the blocks.
_HANDED_OUT = 0.1
_MAX_BEGUN = 256  # clauses that are remembered


class GesturePlayer:
    """Plays one clause at a time, each when its `Schedule` says so.

    Pure: the clock is the caller's, and must be the one that requests are timed by. Every request is answered
    by frames up to a last one, by the reason why there are none, or by frames and the reason why they end.

    Args:
        generator: the motion model.
        settings: how to play; may be replaced between two calls and counts from the next clause on.
    """

    def __init__(self, generator: GestureGenerator, settings: GestureGeneratorParameters) -> None:
        self.settings = settings
        self._generator = generator
        self._schedule = Schedule(POLL_PERIOD)
        self._stream: GestureStream | None = None
        self._cut: list[ClauseEnd] = []  # of streams that were cut, still to be handed out
        self._begun: BoundedDict[ClauseId, int] = BoundedDict(_MAX_BEGUN)  # how often before

    @property
    def waiting(self) -> int:
        """How many utterances wait for their turn."""
        return self._schedule.waiting

    @property
    def idle(self) -> bool:
        """Whether nothing is being played nor pending."""
        return self._stream is None and not self._schedule.pending

    def add(self, request: GestureRequest, now: float) -> None:
        """Ask for a clause; those of an utterance in order. The answer comes with `poll`."""
        self._check_clock(now)
        self._schedule.add(request, now, self.settings)

    def cancel(self, utterance_id: str, now: float) -> list[ClauseEnd]:
        """End an utterance, all if the id is empty, with what was said before `now` and is still to come.

        Returns:
            what ends with it.
        """
        self._schedule.cancel(utterance_id, now)
        if self._stream is not None and utterance_id in ("", self._stream.request.header.utterance_id):
            self._schedule.ended(now)
            self._cut_stream("cancelled")
        return self._ends(now)

    def clear(self, reason: str, now: float) -> list[ClauseEnd]:
        """End all that is played and pending; return what ends."""
        self._schedule.clear(reason)
        self._cut_stream(reason)
        return self._ends(now)

    def poll(self, now: float) -> Iterator[FrameMessage]:
        """Generate and yield what is to be handed out now, blocks one by one as they are generated.

        Raises:
            Text2GestureError: the model failed; what is played and pending has been ended by then.
        """
        self._check_clock(now)
        try:
            while due := self._schedule.pop_due(now, self.settings.start_delay):
                yield from self._begin(*due, now)
            played = 0.0
            while self._stream is not None and played < _HANDED_OUT:
                known = not self._stream.request.header.more or self._schedule.next_known
                block = self._stream.poll(now, self._schedule.next_gesture_due, next_known=known)
                if block is None:
                    break
                if block.last:
                    self._schedule.ended(self._stream.end)
                    self._stream = None
                played += len(block.positions) / block.frame_rate
                yield block
        except Exception:
            # Or talking motion would wait for the end of a gesture that has none.
            yield from self.clear("the generator failed", now)
            raise
        yield from self._ends(now)

    def _begin(self, request: GestureRequest, start: float, now: float) -> Iterator[ClauseEnd]:
        """Begin with a clause; yield what has to be handed out before."""
        settings, header, before = self.settings, request.header, self._stream
        if before is not None:
            playing = before.request.header
            same = header.utterance_id == playing.utterance_id
            self._cut_stream("" if same else f"replaced by utterance {header.utterance_id!r}")
            if same and header.clause <= playing.clause:
                yield from self._ends(now)  # said again: what ends has the same name as what begins
            if not same or header.clause <= playing.clause:
                before = None
        if request.times.estimated and not header.clause:
            # An estimate is as good when counted from the motion, and one text always looks the same.
            request = request.delayed(start - request.begin)
        self._begun[header.name] = self._begun.get(header.name, -1) + 1
        talk = (self._generate(NEUTRAL, header, number) for number in count(1))
        self._stream = GestureStream(
            request,
            self._generate(header.gesture, header, 0),
            start=start,
            playback=Playback(
                frame_rate=self._generator.frame_rate * settings.speed_scale,
                block_size=settings.block_size,
                look_ahead=max(settings.look_ahead, settings.start_delay),
            ),
            after=before,
            talk=talk if settings.neutral_motion else None,
        )

    def _generate(self, gesture: str, header: ClauseHeader, number: int) -> Iterator[Frame]:
        """Return the frames of a gesture, in another variant for each number.

        Without a seed the name of the clause is one, so that a recording can be performed once more.
        """
        settings = self.settings
        name = f"{header.utterance_id} {header.clause} {self._begun[header.name]}"
        return self._generator.frames(
            gesture,
            header.emotion,
            seed=(zlib.crc32(name.encode()) if settings.seed < 0 else settings.seed) + number,
            variation=settings.variation,
            max_duration=settings.max_duration * settings.speed_scale,  # of playback -> of the model
        )

    def _check_clock(self, now: float) -> None:
        if self._schedule.clock_went_back(now):
            self._cut_stream("the clock was set back")

    def _cut_stream(self, reason: str) -> None:
        if self._stream is not None:
            self._cut.append(self._stream.cut(reason))
            self._stream = None

    def _ends(self, now: float) -> list[ClauseEnd]:
        """Return, once, which clauses got no motion or only a part, and why."""
        ends = self._cut
        ends += [ClauseEnd(request.header, 0, now, reason) for request, reason in self._schedule.dropped]
        self._cut = []
        self._schedule.dropped.clear()
        return ends


def perform(
    requests: Iterable[GestureRequest], generator: GestureGenerator, settings: GestureGeneratorParameters
) -> Iterator[FrameMessage]:
    """Play requests without waiting for time to pass; yield all that a `GesturePlayer` hands out.

    Args:
        requests: in the order in which they are made, each when its speech starts.
        generator: the motion model.
        settings: how to play.
    """
    player, now = GesturePlayer(generator, settings), -math.inf
    for request in requests:
        while not player.idle and now < request.speech_start:
            yield from player.poll(now)
            now = min(now + POLL_PERIOD, request.speech_start)
        now = max(now, request.speech_start)
        player.add(request, now)
    while True:
        yield from player.poll(now)
        if player.idle:
            return
        now += POLL_PERIOD
