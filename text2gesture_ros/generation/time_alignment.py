"""Time alignment of a gesture with speech: when each of its phases is played, and how fast.

A gesture has phases (Kendon, Gesture, 2004, ch. 7; Kita, van Gijn and van der Hulst, 1998): the hands are
brought to where something is to be shown (preparation), show it (stroke) and return (retraction); between
them they may be held still (hold). People let the stroke come with the word it belongs to or a little before
it, never after it (McNeill, Hand and Mind, 1992, ch. 1). So a gesture is aligned phase by phase: begun in
time, played slower or faster within what looks natural, held after its stroke, and never cut off.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.motion.phases import Phases

MAX_SPEED = 1.3
"""Maximum playback speed of a phase, 1 is as generated."""

MAX_HOLD = 0.6
"""Maximum hold after a stroke, so that a gesture ends with speech [s]."""

MIN_STROKE = 0.3
"""Minimum duration of a stroke for which speech leaves no time; then it is cut short [s]."""

MAX_DIRECT_RETRACTION = 0.5
"""Maximum duration of the retraction from a stroke that was cut short; it is blended straight to rest [s]."""

MIN_TALK_DURATION = 1.4
"""Minimum duration of talking motion; shorter gaps stay without [s]."""

_MIN_PREPARATION_SPEED, _MIN_STROKE_SPEED, _MIN_RETRACTION_SPEED = 0.6, 0.8, 0.7  # 1 is as generated


class TimeWarp:
    """A monotone map from playing time to the time of a clip.

    Piecewise cubic with slopes that keep it monotone (Fritsch and Butland, 1984): the speed of the motion has
    no steps. Before the first knot it goes on with its first slope, after the last it stands.
    """

    def __init__(
        self, times: Sequence[float], clip_times: Sequence[float], slope: float | None = None
    ) -> None:
        """Make a map from its knots.

        Args:
            times: (P,) playing times of the knots [s], not decreasing, P >= 2; of equal ones the first.
            clip_times: (P,) times of the clip at the knots [s], not decreasing.
            slope: playback speed at the first knot; None: that to the second.
        """
        kept = np.flatnonzero(np.diff(np.maximum.accumulate(times), prepend=-np.inf) > 1e-9)
        self._times = np.asarray(times, dtype=np.float64)[kept]
        self._clip_times = np.asarray(clip_times, dtype=np.float64)[kept]
        self._clip_times[-1] = clip_times[-1]
        secants = np.diff(self._clip_times) / np.diff(self._times) if len(kept) > 1 else np.ones(1)
        inner = 2.0 * secants[:-1] * secants[1:] / np.maximum(secants[:-1] + secants[1:], 1e-9)
        first = secants[0] if slope is None else min(slope, 3.0 * secants[0])
        self._slopes = np.concatenate([[first], inner, [secants[-1]]])
        self._first = first if slope is None else slope

    def at(self, times: FloatArray) -> FloatArray:
        """Return the times of the clip (M,) [s] at playing times (M,) [s]."""
        knots, values, slopes = self._times, self._clip_times, self._slopes
        before = values[0] + self._first * (times - knots[0])
        if len(knots) < 2:
            return np.asarray(np.minimum(before, values[-1]))
        index = np.clip(np.searchsorted(knots, times, side="right") - 1, 0, len(knots) - 2)
        span = knots[index + 1] - knots[index]
        u = np.clip((times - knots[index]) / span, 0.0, 1.0)
        inner = u * (1.0 - u) * span * ((1.0 - u) * slopes[index] - u * slopes[index + 1])
        cubic = values[index] + u * u * (3.0 - 2.0 * u) * (values[index + 1] - values[index]) + inner
        return np.asarray(np.where(times < knots[0], before, cubic))


@dataclass(frozen=True)
class Fit:
    """How a clip is played.

    Attributes:
        begin: when it begins [s].
        stroke: when its stroke begins [s].
        end: when it ends [s].
        warp: which time of the clip is played when.
        cut: when its stroke is cut short and a direct retraction begins [s]; `end`: the clip is played whole.
    """

    begin: float
    stroke: float
    end: float
    warp: TimeWarp
    cut: float


def fit(
    phases: Phases,
    start: float,
    *,
    stroke: float | None = None,
    end: float | None = None,
    begun: float = 0.0,
    hold: float | None = None,
    estimated: bool = False,
) -> Fit:
    """Fit a gesture to speech.

    Args:
        phases: of the clip.
        start: earliest begin [s].
        stroke: when the stroke should begin [s]; None: at any time. Where that leaves no time for it before
            `end` it comes sooner.
        end: when the gesture should end [s]; None: at any time. Where that is too late to be filled, the
            gesture ends by itself. Where it is early, the gesture is played at up to `MAX_SPEED` and its
            stroke is cut short, to `MIN_STROKE` at the minimum.
        begun: how much of the clip has been played already, from `start` on, as generated [s].
        hold: until when the stroke is held because the next gesture takes over from there [s].
        estimated: the times are estimates; they neither delay the begin nor speed the preparation up.
    """
    showing, returning = phases.retraction - phases.stroke, phases.end - phases.retraction
    shortest_stroke = min(showing / MAX_SPEED, MIN_STROKE)
    shortest_retraction = min(returning / MAX_SPEED, MAX_DIRECT_RETRACTION)
    onset, begin = start + phases.stroke, start
    if end is not None and stroke is not None:
        stroke = min(stroke, end - shortest_stroke - shortest_retraction)
    elif end is not None and end < start + phases.end:
        stroke = end - showing - returning
    rest = max(0.0, phases.stroke - begun)
    if stroke is not None and (begun or estimated):
        if rest:
            shortest, longest = rest if estimated else rest / MAX_SPEED, rest / _MIN_PREPARATION_SPEED
            onset = start + begun + min(max(shortest, stroke - start - begun), longest)
    elif stroke is not None:
        begin = max(start, stroke - phases.stroke)
        onset = max(stroke, start + phases.stroke / MAX_SPEED)
    shortened = None
    if hold is not None:
        lengths = showing, max(0.0, hold - onset - showing), returning
    elif end is None:
        lengths = showing, 0.0, returning
    else:
        lengths = _lengths(showing, returning, end - onset)
        if end < onset + sum(lengths) - 1e-6:
            kept = min(max(MIN_STROKE, end - onset - shortest_retraction), lengths[0])
            shortened = onset + kept, max(end, onset + kept + shortest_retraction)
    ends = np.cumsum([onset, *lengths]).tolist()
    knots = [(start + begun, begun) if begun else (begin, 0.0)]
    if phases.stroke > begun:
        knots.append((onset, phases.stroke))
    knots += zip(ends[1:], (phases.retraction, phases.retraction, phases.end), strict=True)
    times, clip_times = zip(*knots, strict=True)
    warp = TimeWarp(times, clip_times, 1.0 if begun else None)
    cut, over = shortened or (ends[-1], ends[-1])
    return Fit(begin, onset, over, warp, cut)


def _lengths(showing: float, returning: float, available: float) -> tuple[float, float, float]:
    """Return durations of stroke, hold and retraction that fill a time as far as that looks natural [s].

    Args:
        showing: duration of the stroke as generated [s].
        returning: duration of the retraction as generated [s].
        available: the time to fill [s].
    """
    spare = available - showing - returning
    if spare < 0.0:
        rate = min(MAX_SPEED, (showing + returning) / max(1e-9, available))
        return showing / rate, 0.0, returning / rate
    slower = showing * (1.0 / _MIN_STROKE_SPEED - 1.0), returning * (1.0 / _MIN_RETRACTION_SPEED - 1.0)
    maximum = sum(slower) + MAX_HOLD
    if spare > max(MIN_TALK_DURATION, maximum):
        return showing, 0.0, returning  # talking motion may follow
    share = min(1.0, spare / maximum)
    return showing + share * slower[0], spare - share * sum(slower), returning + share * slower[1]
