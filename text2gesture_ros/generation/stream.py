"""The motion of one clause, aligned with speech and handed out in blocks of frames when they are needed."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.generation.clip_sequence import ClipSequence, FrameCache, Segment
from text2gesture_ros.generation.generator import Frame
from text2gesture_ros.generation.request import COARTICULATION_TIME, GestureRequest
from text2gesture_ros.generation.time_alignment import MIN_TALK_DURATION, TimeWarp, fit
from text2gesture_ros.motion.frame_block import ClauseEnd, FrameBlock

UNPLANNED_FRAMES = 12
"""Frames that are sent as generated, so that a gesture may begin before all of it is known. The hands have
hardly left rest then; the rest of the clip is to be generated before they have been played."""

ESTIMATE_STEP = 0.1
"""Estimated times are rounded to this, so that one text looks the same whenever it is said [s]."""

# How long before its frames are due a motion is planned at the latest [s].
_DECISION_LEAD = 0.1
_MAX_TALK_BEFORE = 4  # talking motions before a gesture; speech that goes on longer has another clause
_ENDLESS = 1000.0  # longer than any clip [s]
_MIN_PLANNED_ESTIMATE = (
    0.6  # an estimated stroke earlier than this changes nothing: few are prepared sooner [s]
)
# A stroke that is held for a gesture that never takes over ends by itself; longer than a preparation [s].
_HOLD_TIMEOUT = 1.5


@dataclass(frozen=True)
class Playback:
    """How frames are played.

    Attributes:
        frame_rate: frames per second [Hz].
        block_size: frames per block; the last block of a clause may be smaller.
        look_ahead: how long before it is due a block is handed out [s].

    Raises:
        InputError: one of them is out of range.
    """

    frame_rate: float
    block_size: int
    look_ahead: float

    def __post_init__(self) -> None:
        if self.block_size < 1:
            raise InputError(f"block_size must be 1 or more but is {self.block_size}")
        if not self.frame_rate > 0.0 or not self.look_ahead >= 0.0:
            raise InputError(
                f"frame_rate must be > 0 and look_ahead >= 0 but are {self.frame_rate} and {self.look_ahead}"
            )


class GestureStream:
    """Hands out the motion of a clause in blocks of frames, each block no earlier than it is needed.

    Pure: the clock is the caller's. What is played at a time does not depend on when blocks are asked for.

    Where it is unknown when the words are spoken, or they are spoken very soon, the gesture begins at once,
    with `UNPLANNED_FRAMES` as generated; where nothing more is known it goes on so. All else is planned with
    the whole clip at hand (`time_alignment.fit`): begin, stroke, end. Talking motion fills what time speech
    leaves before or after the gesture. Where the next gesture of the utterance is close, the stroke is held
    instead of retracted, and the stream of that gesture goes on from there.
    """

    def __init__(
        self,
        request: GestureRequest,
        frames: Iterator[Frame],
        *,
        start: float,
        playback: Playback,
        after: "GestureStream | None" = None,
        talk: Iterator[Iterator[Frame]] | None = None,
    ) -> None:
        """Prepare the stream; nothing is generated yet.

        Args:
            request: the clause, with what is known of when it is spoken.
            frames: of its gesture, from `GestureGenerator.frames`.
            start: when the first frame is due at the earliest [s].
            playback: how frames are played.
            after: the stream of the utterance's gesture before, if that is still playing.
            talk: clips of talking motion, one after the other; None: gaps stay without motion.
        """
        self.request = request
        self.finished = False
        self._start, self._playback = start, playback
        self._clip, self._talk = FrameCache(frames, playback.frame_rate), talk or iter(())
        soon = (
            request.stroke is None or request.times.estimated or request.stroke - start < COARTICULATION_TIME
        )
        self._unplanned = UNPLANNED_FRAMES if soon and after is None else 0
        self._sequence: ClipSequence = (
            ClipSequence() if after is None else ClipSequence(*after._sequence.tail)
        )
        if self._unplanned:
            as_generated = TimeWarp([start, start + _ENDLESS], [0.0, _ENDLESS])
            self._sequence = ClipSequence(Segment(start, 0.0, self._clip, as_generated))
        self._decided = False  # whether it is planned or played as generated
        self._blocks = self._frames = 0  # handed out so far

    @property
    def end(self) -> float:
        """When the frames handed out so far have been played [s]."""
        return self._start + self._frames / self._playback.frame_rate

    def poll(
        self, now: float, next_gesture_due: float | None = None, *, next_known: bool = True
    ) -> FrameBlock | None:
        """Return the next block if it is due within `look_ahead` of `now` [s], else None.

        Args:
            now: the time.
            next_gesture_due: when the next gesture of the utterance takes over at the earliest [s]; None:
                there is none.
            next_known: whether that is known for certain. Clauses come one by one: the motion is planned when
                the next one has come, or the frames are nearly due.
        """
        if self.finished or self.end > now + self._playback.look_ahead:
            return None
        if self._frames + self._playback.block_size > self._unplanned and not self._decided:
            if not next_known and self.end > now + _DECISION_LEAD:
                return None
            self._decided = True
            if not self._played_as_generated(next_gesture_due):
                self._plan(next_gesture_due)
                if self.end > now + self._playback.look_ahead:
                    return None
        return self._block()

    def cut(self, reason: str) -> ClauseEnd:
        """Hand out no more; return what tells why."""
        self.finished = True
        return ClauseEnd(self.request.header, self._blocks, self.end, reason)

    def _stroke(self) -> float | None:
        """Return when the stroke should come [s]; an estimate is rounded to whole steps after the start."""
        stroke = self.request.stroke
        if stroke is None or not self.request.times.estimated:
            return stroke
        return self._start + round((stroke - self._start) / ESTIMATE_STEP) * ESTIMATE_STEP

    def _played_as_generated(self, next_gesture_due: float | None) -> bool:
        """Return whether there is nothing to plan, so that frames may be generated as they are needed."""
        if not self._unplanned or self.request.end is not None or next_gesture_due is not None:
            return False
        stroke = self._stroke()
        estimated = self.request.times.estimated
        return stroke is None or (estimated and stroke - self._start <= _MIN_PLANNED_ESTIMATE)

    def _plan(self, next_gesture_due: float | None) -> None:
        """Fit the gesture to speech."""
        phases = self._clip.phases()
        fitting = partial(
            fit,
            phases,
            self._start,
            stroke=self._stroke(),
            begun=min(self._unplanned / self._playback.frame_rate, phases.end),
            estimated=self.request.times.estimated,
        )
        fitted = fitting()
        stroke_end = fitted.stroke + phases.retraction - phases.stroke
        hold = None
        if next_gesture_due is not None and next_gesture_due <= stroke_end + COARTICULATION_TIME:
            hold = next_gesture_due + _HOLD_TIMEOUT
        fitted = fitting(end=self.request.end, hold=hold)
        if self._unplanned:
            self._sequence = ClipSequence()
        self._sequence.end = self._start
        if self._sequence.empty:
            for _ in range(_MAX_TALK_BEFORE):
                if not self._fill(fitted.begin):
                    break
        if self._sequence.empty and not self._frames:
            self._start = fitted.begin
        self._sequence.append(self._clip, fitted)

    def _fill(self, until: float | None) -> bool:
        """Append talking motion where there is time for it until then [s]; return whether there is."""
        over = self._sequence.end
        if until is None or over is None or until - over < MIN_TALK_DURATION:
            return False
        frames = next(self._talk, None)
        if frames is None:
            return False
        clip = FrameCache(frames, self._playback.frame_rate)
        phases = clip.phases()
        remaining = until - over - phases.end
        self._sequence.append(clip, fit(phases, over, end=until if remaining < MIN_TALK_DURATION else None))
        return True

    def _block(self) -> FrameBlock:
        rate = self._playback.frame_rate
        times = self.end + np.arange(self._playback.block_size) / rate
        sequence = self._sequence
        if sequence.end is None and self._clip.ends_within(self._frames + len(times)):
            sequence.end = self._start + self._clip.duration
        if sequence.end is not None:
            while sequence.end < times[-1] + 1.0 / rate and self._fill(self.request.end):
                pass
            sequence.discard_before(times[0])
            # The last frame is seen when the motion is over.
            left = int(np.floor((sequence.end - self.end) * rate + 1e-6)) + 1
            self.finished = left <= len(times)
            times = times[: max(1, left)]
        positions, stops = sequence.at(times)
        block = FrameBlock(
            header=self.request.header,
            sequence=self._blocks,
            first_frame=self._frames,
            frame_rate=rate,
            due=self.end,
            positions=positions,
            stop_probabilities=stops,
            last=self.finished,
        )
        self._blocks += 1
        self._frames += len(times)
        return block
