"""Generated clips on one time axis, each warped in time and blended into the one before."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from text2gesture_ros.generation.generator import Frame
from text2gesture_ros.generation.time_alignment import Fit, TimeWarp
from text2gesture_ros.geometry import FloatArray, minimum_jerk
from text2gesture_ros.motion.phases import Phases, find_phases
from text2gesture_ros.skeleton import bone_lengths, interpolated, with_bone_lengths


class FrameCache:
    """The frames of a generator, generated when they are asked for and kept.

    Args:
        frames: one clip, from `GestureGenerator.frames`.
        frame_rate: playback rate [Hz].
    """

    def __init__(self, frames: Iterator[Frame], frame_rate: float) -> None:
        self._frames, self._rate = frames, frame_rate
        self._positions: list[FloatArray] = []
        self._stops: list[float] = []
        self._complete = False

    @property
    def duration(self) -> float:
        """When the last frame so far is seen [s]."""
        return (len(self._positions) - 1) / self._rate

    def phases(self) -> Phases:
        """Generate all frames and return the phases of the clip."""
        self._generate(np.inf)
        return find_phases(np.stack(self._positions), self._rate)

    def ends_within(self, count: int) -> bool:
        """Generate that many frames; return whether the clip has no more."""
        self._generate(count)
        return self._complete

    def at(self, times: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return joint positions (M, K, 3) [m] and stop probabilities (M,) at times of the clip (M,) [s].

        A cubic interpolates between frames (Catmull and Rom, 1974); bones keep their lengths.
        """
        exact = times * self._rate
        index = np.floor(exact + 1e-6).astype(int)
        u = np.clip(exact - index, 0.0, 1.0)[:, None, None]
        smooth = bool((u > 1e-6).any())
        self._generate(int(index.max()) + (3 if smooth else 1))
        frames, last = np.stack(self._positions), len(self._positions) - 1
        index = np.clip(index, 0, last)
        stops = np.array(self._stops, dtype=np.float32)[index]
        if not smooth:
            return frames[index], stops
        a, b, c, d = (frames[np.clip(index + step, 0, last)] for step in (-1, 0, 1, 2))
        mixed = b + u / 2.0 * (c - a + u * (2.0 * a - 5.0 * b + 4.0 * c - d + u * (3.0 * (b - c) + d - a)))
        return with_bone_lengths(mixed, bone_lengths(frames[0])).astype(np.float32), stops

    def _generate(self, count: float) -> None:
        while not self._complete and len(self._positions) < count:
            frame = next(self._frames)
            self._positions.append(frame.positions)
            self._stops.append(frame.stop_probability)
            self._complete = frame.last


@dataclass(frozen=True, eq=False)
class Segment:
    """A clip that takes over at some time.

    Attributes:
        begin: when [s].
        blend: duration of the blend from the segment before [s].
        clip: what is played.
        warp: from playing time to the time of the clip.
    """

    begin: float
    blend: float
    clip: FrameCache
    warp: TimeWarp


class ClipSequence:
    """Segments that take over one from the other.

    Args:
        segments: in the order in which they begin.

    Attributes:
        end: when the last one is over [s]; None: not known yet.
    """

    def __init__(self, *segments: Segment) -> None:
        self.end: float | None = None
        self._segments = list(segments)

    @property
    def empty(self) -> bool:
        """Whether nothing is played."""
        return not self._segments

    @property
    def tail(self) -> list[Segment]:
        """The segments that the next gesture may have to be blended from."""
        return self._segments[-2:]

    def append(self, clip: FrameCache, fitted: Fit) -> None:
        """Let a clip take over, blended during its preparation."""
        blend = 0.0 if self.empty else fitted.stroke - fitted.begin
        self._segments.append(Segment(fitted.begin, blend, clip, fitted.warp))
        if fitted.cut < fitted.end:  # a direct retraction: a blend to the last frame
            rest = TimeWarp([fitted.cut, fitted.end], [clip.duration, clip.duration])
            self._segments.append(Segment(fitted.cut, fitted.end - fitted.cut, clip, rest))
        self.end = fitted.end

    def discard_before(self, time: float) -> None:
        """Forget segments that are not seen any more from a time on [s]."""
        over = [i for i, segment in enumerate(self._segments) if segment.begin + segment.blend <= time]
        self._segments = self._segments[max(over, default=0) :]

    def at(self, times: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return joint positions (M, K, 3) [m] and stop probabilities (M,) at times (M,) [s].

        Where a segment takes over, every bone turns from where it would be without it to where the segment
        has it, along a minimum-jerk curve (Flash and Hogan, 1985), and keeps its length. So a gesture is
        prepared from wherever the one before left the hands, and their velocity has no step.

        Args:
            times: (M,) [s], none before the first segment begins.
        """
        segments = self._segments
        first = max(i for i, each in enumerate(segments) if i == 0 or each.begin + each.blend <= times.min())
        positions, stops = segments[first].clip.at(segments[first].warp.at(times))
        for segment in segments[first + 1 :]:
            later = times >= segment.begin
            if not later.any():
                break
            new, its_stops = segment.clip.at(segment.warp.at(times[later]))
            ratio = np.minimum(1.0, (times[later] - segment.begin) / max(segment.blend, 1e-9))
            weight = minimum_jerk(ratio)[0]
            positions[later] = interpolated(positions[later], new, weight[:, None, None])
            stops[later] = its_stops
        return positions, stops
