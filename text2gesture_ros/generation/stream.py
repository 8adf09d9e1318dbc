"""A gesture on its way: fitted to speech and handed out in blocks of frames, each when it is needed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.generation.generator import Frame
from text2gesture_ros.generation.time_alignment import SHORTEST_TALK, Fit, Warp, fit
from text2gesture_ros.geometry import FloatArray, minimum_jerk
from text2gesture_ros.motion.frame_block import ClauseEnd, ClauseHeader, FrameBlock
from text2gesture_ros.motion.phases import Phases, find_phases
from text2gesture_ros.skeleton import bone_lengths, interpolated, with_bone_lengths

BEGUN = 12
"""Frames that are sent as they are, so that a gesture may begin before all of it is known. The hands have
hardly left rest then; the rest of the clip is to be generated before they have been played."""

CLOSE = 1.0
"""Where the next gesture follows the stroke within this time the hands do not go back to rest [s]."""

GUESS = 0.1
"""To this an estimated time is rounded [s]: one text looks the same whenever it is said."""

_MOST_BEFORE = 4  # talking motions that may go before a gesture; who speaks for longer has another clause
_ENDLESS = 1000.0  # longer than any clip [s]
_PREPARED = 0.6  # few gestures are prepared sooner: a word guessed so early changes nothing [s]
_PATIENCE = 1.5  # longer than a preparation: a held stroke ends by itself where no gesture takes over [s]


class Clip:
    """The frames of a generator, made when they are asked for."""

    def __init__(self, frames: Iterator[Frame], frame_rate: float) -> None:
        self._frames, self._rate = frames, frame_rate
        self._positions: list[FloatArray] = []
        self._stops: list[float] = []
        self._complete = False

    @property
    def duration(self) -> float:
        """When the last frame so far is seen [s]."""
        return (len(self._positions) - 1) / self._rate

    def whole(self) -> Phases:
        """Make all of it and return its phases."""
        self._make(np.inf)
        return find_phases(np.stack(self._positions), self._rate)

    def at(self, places: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return joint positions (M, K, 3) [m] and stop probabilities (M,) at places (M,) [s].

        Between frames a cubic goes through them (Catmull and Rom, 1974), and the bones keep their lengths.
        """
        exact = places * self._rate
        index = np.floor(exact + 1e-6).astype(int)
        u = np.clip(exact - index, 0.0, 1.0)[:, None, None]
        smooth = bool((u > 1e-6).any())
        self._make(int(index.max()) + (3 if smooth else 1))
        frames, last = np.stack(self._positions), len(self._positions) - 1
        index = np.clip(index, 0, last)
        stops = np.array(self._stops, dtype=np.float32)[index]
        if not smooth:
            return frames[index], stops
        a, b, c, d = (frames[np.clip(index + step, 0, last)] for step in (-1, 0, 1, 2))
        mixed = b + u / 2.0 * (c - a + u * (2.0 * a - 5.0 * b + 4.0 * c - d + u * (3.0 * (b - c) + d - a)))
        return with_bone_lengths(mixed, bone_lengths(frames[0])).astype(np.float32), stops

    def holds(self, count: int) -> bool:
        """Make so many frames; return whether these are all."""
        self._make(count)
        return self._complete

    def _make(self, count: float) -> None:
        while not self._complete and len(self._positions) < count:
            frame = next(self._frames)
            self._positions.append(frame.positions)
            self._stops.append(frame.stop_probability)
            self._complete = frame.last


@dataclass(frozen=True, eq=False)
class Piece:
    """A clip that is played from some time on.

    Attributes:
        begin: when it takes over [s].
        blend: how long it takes to do so [s].
        clip: what is played.
        warp: and when.
    """

    begin: float
    blend: float
    clip: Clip
    warp: Warp


def play(pieces: list[Piece], times: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return positions (M, K, 3) [m] and stop probabilities (M,) of pieces that take over one from the other.

    Where a piece takes over, every bone turns from where it would be without it to where the piece has it,
    along a minimum-jerk curve (Flash and Hogan, 1985), and keeps its length. So a gesture is prepared from
    wherever the one before left the hands, and their velocity has no step.

    Args:
        pieces: in the order in which they begin.
        times: (M,) [s], none before the first piece begins.
    """
    first = max(i for i, piece in enumerate(pieces) if i == 0 or piece.begin + piece.blend <= times.min())
    positions, stops = pieces[first].clip.at(pieces[first].warp.at(times))
    for piece in pieces[first + 1 :]:
        later = times >= piece.begin
        if not later.any():
            break
        new, its_stops = piece.clip.at(piece.warp.at(times[later]))
        ratio = np.minimum(1.0, (times[later] - piece.begin) / max(piece.blend, 1e-9))
        weight = minimum_jerk(ratio)[0]
        positions[later] = interpolated(positions[later], new, weight[:, None, None])
        stops[later] = its_stops
    return positions, stops


class GestureStream:
    """Hands out a gesture in blocks of frames, each block no earlier than it is needed.

    Pure: the clock is whatever its user says. What is played at a time does not depend on how it is asked
    for.

    Where it is not known when its words are spoken, or they are spoken very soon, the gesture begins at once,
    with `BEGUN` frames as they are; where nothing more is known it goes on so. All else is planned with the
    whole clip at hand (`timing.fit`): when it begins, when the stroke comes, when it ends. Where speech goes
    on for long before or after the gesture, talking motion goes with it. Where the next gesture of the
    utterance is close the stroke is held instead of going back to rest, and the stream of that gesture goes
    on from there.
    """

    def __init__(
        self,
        frames: Iterator[Frame],
        *,
        header: ClauseHeader,
        start: float,
        frame_rate: float,
        block_size: int,
        look_ahead: float,
        stroke: float | None = None,
        end: float | None = None,
        estimated: bool = False,
        after: "GestureStream | None" = None,
        talk: Callable[[int], Iterator[Frame]] | None = None,
    ) -> None:
        """Prepare the stream; nothing is generated yet.

        Args:
            frames: what `GestureGenerator.frames` returned.
            header: of the clause, carried by every block.
            start: when the first frame is due at the earliest [s].
            frame_rate: frames per second at which they are played [Hz].
            block_size: frames per block; the last block may be smaller.
            look_ahead: how long before it is due a block is handed out [s].
            stroke: when the word is spoken that the stroke belongs to [s]; None: unknown.
            end: when its clause has been spoken [s]; None: unknown.
            estimated: the time of the stroke is a guess.
            after: the stream of the utterance's gesture before, still on its way.
            talk: returns the frames of the n-th talking motion, from 1 on, that follow where speech goes on.

        Raises:
            InputError: block_size, frame_rate or look_ahead is out of range.
        """
        if block_size < 1:
            raise InputError(f"block_size must be 1 or more but is {block_size}")
        if not frame_rate > 0.0 or not look_ahead >= 0.0:
            raise InputError(
                f"frame_rate must be > 0 and look_ahead >= 0 but are {frame_rate} and {look_ahead}"
            )
        self.header = header
        self._start, self._frame_rate = start, frame_rate
        self._block_size, self._look_ahead = block_size, look_ahead
        self._clip, self._talk = Clip(frames, frame_rate), talk
        self._stroke, self._end, self._estimated = stroke, None if estimated else end, estimated
        if stroke is not None and estimated:
            self._stroke = start + round((stroke - start) / GUESS) * GUESS
        self._before = after._pieces[-2:] if after is not None else []
        soon = stroke is None or estimated or stroke - start < CLOSE
        self._begun = BEGUN / frame_rate if soon and not self._before else 0.0
        self._pieces: list[Piece] = [
            Piece(start, 0.0, self._clip, Warp([start, start + _ENDLESS], [0.0, _ENDLESS]))
        ]
        self._over: float | None = None  # when what is planned ends
        self._decided = False  # whether it is planned or goes as it was made
        self._fillers = 0
        self._patient = not self._begun  # the first time it is asked for a block
        self._sequence = 0
        self._count = 0
        self.finished = False

    @property
    def end(self) -> float:
        """When the frames handed out so far have been played [s]."""
        return self._start + self._count / self._frame_rate

    def poll(self, now: float, follows: float | None = None) -> FrameBlock | None:
        """Return the next block if it is due within `look_ahead` of `now` [s], else None.

        Args:
            now: the time.
            follows: when the next gesture of the utterance is to take over at the earliest [s], None: there
                is none. All clauses come at once, but one after the other.
        """
        if self.finished or self.end > now + self._look_ahead:
            return None
        if self._patient:
            self._patient = False  # what follows is known the next time
            return None
        begun = self._count + self._block_size <= self._begun * self._frame_rate + 1e-6
        if not (begun or self._decided):
            self._decided = True
            if not self._goes_as_made(follows):
                self._plan(follows)
                if self.end > now + self._look_ahead:
                    return None
        return self._block()

    def cut(self, reason: str) -> ClauseEnd:
        """Hand out no more; return what says why."""
        self.finished = True
        return ClauseEnd(self.header, self._sequence, self.end, reason)

    def _goes_as_made(self, follows: float | None) -> bool:
        """Return whether there is nothing to plan, so that frames may be made as they are needed."""
        if not self._begun or self._end is not None or follows is not None:
            return False
        return self._stroke is None or (self._estimated and self._stroke - self._start <= _PREPARED)

    def _plan(self, follows: float | None) -> None:
        """Fit the gesture to speech."""
        phases = self._clip.whole()
        begun = min(self._begun, phases.end)
        fitting = partial(
            fit, phases, self._start, stroke=self._stroke, begun=begun, estimated=self._estimated
        )
        fitted = fitting()
        over = fitted.stroke + phases.retraction - phases.stroke
        hold = None if follows is None or follows > over + CLOSE else follows + _PATIENCE
        fitted = fitting(end=self._end, hold=hold)
        self._pieces, self._over = self._before, self._start
        while not self._before and self._fill(fitted.begin) and self._fillers < _MOST_BEFORE:
            pass
        if not self._pieces and not self._count:
            self._start = fitted.begin
        self._append(self._clip, fitted, fitted.stroke - fitted.begin if self._pieces else 0.0)

    def _fill(self, until: float | None) -> bool:
        """Let talking motion follow what is planned, where there is time for it until then [s].

        Returns:
            whether there is.
        """
        if self._talk is None or until is None or self._over is None or until - self._over < SHORTEST_TALK:
            return False
        self._fillers += 1
        clip = Clip(self._talk(self._fillers), self._frame_rate)
        phases = clip.whole()
        rest = until - self._over - phases.end
        fitted = fit(phases, self._over, end=until if rest < SHORTEST_TALK else None)
        self._append(clip, fitted, fitted.stroke - fitted.begin if self._pieces else 0.0)
        return True

    def _append(self, clip: Clip, fitted: Fit, blend: float) -> None:
        self._pieces = [*self._pieces, Piece(fitted.begin, blend, clip, fitted.warp)]
        if fitted.leave < fitted.end:
            rest = Warp([fitted.leave, fitted.end], [clip.duration, clip.duration])
            self._pieces.append(Piece(fitted.leave, fitted.end - fitted.leave, clip, rest))
        self._over = fitted.end

    def _block(self) -> FrameBlock:
        count = self._block_size
        times = self.end + np.arange(count) / self._frame_rate
        if self._over is None and self._clip.holds(self._count + count):
            self._over = self._start + self._clip.duration
        if self._over is not None:
            while self._over < times[-1] + 1.0 / self._frame_rate and self._fill(self._end):
                pass
            over = [i for i, piece in enumerate(self._pieces) if piece.begin + piece.blend <= times[0]]
            self._pieces = self._pieces[max(over, default=0) :]
            # The last frame is seen when the motion is over.
            left = int(np.floor((self._over - self.end) * self._frame_rate + 1e-6)) + 1
            self.finished = left <= count
            times = times[: max(1, left)]
        positions, stops = play(self._pieces, times)
        block = FrameBlock(
            header=self.header,
            sequence=self._sequence,
            first_frame=self._count,
            frame_rate=self._frame_rate,
            due=self.end,
            positions=positions,
            stop_probabilities=stops,
            last=self.finished,
        )
        self._sequence += 1
        self._count += len(times)
        return block
