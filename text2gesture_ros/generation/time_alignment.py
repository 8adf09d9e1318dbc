"""When a gesture is where, and how it is played to go with speech.

A gesture has phases (Kendon, Gesture, 2004, ch. 7; Kita, van Gijn and van der Hulst, 1998): the hands are
brought to where something is to be shown (preparation), show it (stroke) and return (retraction); between
them they may be held still. People let the stroke come with the word it belongs to or a little before it,
never after it (McNeill, Hand and Mind, 1992, ch. 1). So a gesture is fitted to speech phase by phase: begun
in time, played slower or faster within what looks natural, held after its stroke, and never cut off.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.motion.phases import Phases

FASTEST = 1.3
"""How much faster than people a phase may be played."""

HOLD = 0.6
"""How long the end of a stroke may be held so that a gesture ends with speech [s]."""

SHORTEST_STROKE = 0.3
"""A stroke that speech leaves no time for is left after so long [s]."""

RETURN = 0.5
"""The straight way back to rest from a stroke that is left takes no longer [s]."""

SHORTEST_TALK = 1.4
"""Talking motion is not worth its while for less than this [s]."""

_SLOWEST_PREPARATION, _SLOWEST_STROKE, _SLOWEST_RETRACTION = 0.6, 0.8, 0.7  # of the speed people have


class Warp:
    """A map from playing time to the time of a clip that never goes back.

    Cubic between its knots with slopes that keep it monotone (Fritsch and Butland, 1984): the speed of the
    motion has no steps. Before the first knot it goes on with its first slope, after the last it stands.
    """

    def __init__(self, times: Sequence[float], places: Sequence[float], slope: float | None = None) -> None:
        """Make a map.

        Args:
            times: (P,) of the knots, when they are played [s], not decreasing, P >= 2; of equal ones the
                first counts.
            places: (P,) where the clip is then [s], not decreasing.
            slope: at the first knot; None: that to the second.
        """
        kept = np.flatnonzero(np.diff(np.maximum.accumulate(times), prepend=-np.inf) > 1e-9)
        self._times = np.asarray(times, dtype=np.float64)[kept]
        self._places = np.asarray(places, dtype=np.float64)[kept]
        self._places[-1] = places[-1]
        secants = np.diff(self._places) / np.diff(self._times) if len(kept) > 1 else np.ones(1)
        inner = 2.0 * secants[:-1] * secants[1:] / np.maximum(secants[:-1] + secants[1:], 1e-9)
        first = secants[0] if slope is None else min(slope, 3.0 * secants[0])
        self._slopes = np.concatenate([[first], inner, [secants[-1]]])
        self._first = first if slope is None else slope

    def at(self, times: FloatArray) -> FloatArray:
        """Return where the clip is (M,) [s] at times (M,) [s]."""
        knots, places, slopes = self._times, self._places, self._slopes
        before = places[0] + self._first * (times - knots[0])
        if len(knots) < 2:
            return np.asarray(np.minimum(before, places[-1]))
        index = np.clip(np.searchsorted(knots, times, side="right") - 1, 0, len(knots) - 2)
        span = knots[index + 1] - knots[index]
        u = np.clip((times - knots[index]) / span, 0.0, 1.0)
        inner = u * (1.0 - u) * span * ((1.0 - u) * slopes[index] - u * slopes[index + 1])
        cubic = places[index] + u * u * (3.0 - 2.0 * u) * (places[index + 1] - places[index]) + inner
        return np.asarray(np.where(times < knots[0], before, cubic))


@dataclass(frozen=True)
class Fit:
    """How a clip is played.

    Attributes:
        begin: when it begins [s].
        stroke: when its stroke begins [s].
        end: when it ends [s].
        warp: what is played when.
        leave: when the stroke is left for the straight way back to rest [s]; `end`: it is played as a whole.
    """

    begin: float
    stroke: float
    end: float
    warp: Warp
    leave: float


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
        start: when it may begin at the earliest [s].
        stroke: when the stroke should begin [s]; None: whenever it does. Where there is no time for it before
            `end` it comes sooner.
        end: when the gesture should end [s]; None: whenever it does. Where that is too late to be filled,
            the gesture ends by itself. Where it is early, the gesture is played up to `FASTEST` and its
            stroke is left, after `SHORTEST_STROKE` at the soonest.
        begun: for how long the clip has been played from `start` on, as it is [s].
        hold: until when the end of the stroke is held, because another gesture takes over from there [s].
        estimated: the times are a guess: for its sake nothing begins late or is played faster.
    """
    showing, returning = phases.retraction - phases.stroke, phases.end - phases.retraction
    onset, begin = start + phases.stroke, start
    if end is not None and stroke is not None:
        stroke = min(stroke, end - min(showing / FASTEST, SHORTEST_STROKE) - min(returning / FASTEST, RETURN))
    elif end is not None and end < start + phases.end:
        stroke = end - showing - returning
    rest = max(0.0, phases.stroke - begun)
    if stroke is not None and (begun or estimated):
        if rest:
            least, most = rest if estimated else rest / FASTEST, rest / _SLOWEST_PREPARATION
            onset = start + begun + min(max(least, stroke - start - begun), most)
    elif stroke is not None:
        begin = max(start, stroke - phases.stroke)
        onset = max(stroke, start + phases.stroke / FASTEST)
    left = None
    if hold is not None:
        lengths = showing, max(0.0, hold - onset - showing), returning
    elif end is None:
        lengths = showing, 0.0, returning
    else:
        lengths = _lengths(showing, returning, end - onset)
        if end < onset + sum(lengths) - 1e-6:
            back = min(returning / FASTEST, RETURN)
            leave = min(max(SHORTEST_STROKE, end - onset - back), lengths[0])
            left = onset + leave, max(end, onset + leave + back)
    ends = np.cumsum([onset, *lengths]).tolist()
    knots = [(start + begun, begun) if begun else (begin, 0.0)]
    if phases.stroke > begun:
        knots.append((onset, phases.stroke))
    knots += zip(ends[1:], (phases.retraction, phases.retraction, phases.end), strict=True)
    warp = Warp([time for time, _ in knots], [place for _, place in knots], 1.0 if begun else None)
    leave, over = left or (ends[-1], ends[-1])
    return Fit(begin, onset, over, warp, leave)


def _lengths(showing: float, returning: float, available: float) -> tuple[float, float, float]:
    """Return how long stroke, hold and retraction take to fill a time, as far as that looks natural [s].

    Args:
        showing: how long the stroke takes people [s].
        returning: likewise the retraction [s].
        available: the time [s].
    """
    spare = available - showing - returning
    if spare < 0.0:
        rate = min(FASTEST, (showing + returning) / max(1e-9, available))
        return showing / rate, 0.0, returning / rate
    slower = showing * (1.0 / _SLOWEST_STROKE - 1.0), returning * (1.0 / _SLOWEST_RETRACTION - 1.0)
    most = sum(slower) + HOLD
    if spare > max(SHORTEST_TALK, most):
        return showing, 0.0, returning  # talking motion may follow
    share = min(1.0, spare / most)
    return showing + share * slower[0], spare - share * sum(slower), returning + share * slower[1]
