"""When words are spoken, as voices tell it: mistakes that can be told are repaired, the others left out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from text2gesture_ros.understanding.words import count_words

MAX_SPEECH_DURATION = 3600.0  # bounds how long an utterance of high priority can block others [s]
# Nobody needs as long as this for a word on average: such times are in another unit. A short text may be
# part of a longer speech, whose duration is told [s].
_SLOWEST, _SHORT = 30.0, 60.0
_PACES = (0.03, 3.0)  # of people and voices, who name their words' times in some unit [s]
_UNITS = {"milliseconds": 1e3, "microseconds": 1e6, "ticks of 100 ns": 1e7, "nanoseconds": 1e9}


@dataclass(frozen=True)
class WordTimes:
    """What a voice tells of the time of its speech.

    Attributes:
        duration: length of the speech [s]; 0: unknown.
        words: as they are spoken; empty: unknown.
        starts: when each word begins after the start of speech [s].
        complaints: what was wrong and what became of it, one line each.
    """

    duration: float
    words: tuple[str, ...]
    starts: tuple[float, ...]
    complaints: tuple[str, ...] = ()


def in_speech(time: float) -> bool:
    """Return whether a time may be one after the start of speech [s]; NaN is none."""
    return 0.0 <= time <= MAX_SPEECH_DURATION


def checked_times(text: str, duration: float, words: Sequence[str], starts: Sequence[float]) -> WordTimes:
    """Return times that can be used, and what was wrong.

    Times in milliseconds, or smaller units, become seconds. Word times that fall, are out of range or do not
    fit the words are left out, and so is a duration that is over before the last word begins.

    Args:
        text: what is spoken.
        duration: as told; 0: unknown.
        words: as told; empty: unknown.
        starts: of each word, as told.
    """
    complaints = []
    words, starts = tuple(words), tuple(starts)
    count = max(1, count_words(text), len(words))
    duration_unit = _unit(duration, count) if duration > _SHORT else ""
    starts_unit = _unit(max(starts, default=0.0), count)
    for name, unit in (("duration", duration_unit), ("word_starts", starts_unit)):
        if unit:
            complaints.append(f"{name} of {count} words in {unit}, as it seems: read so. Allowed: seconds")
    duration /= _UNITS.get(duration_unit, 1.0)
    starts = tuple(start / _UNITS.get(starts_unit, 1.0) for start in starts)
    if not in_speech(duration):
        complaints.append(f"duration must be in [0, {MAX_SPEECH_DURATION:g}] s but is {duration}")
        duration = 0.0
    wrong = ""
    if len(words) != len(starts):
        wrong = f"{len(words)} words do not fit {len(starts)} word_starts"
    elif not all(map(in_speech, starts)):
        value = next(start for start in starts if not in_speech(start))
        wrong = f"word_starts must be in [0, {MAX_SPEECH_DURATION:g}] s but one is {value}"
    else:
        falling = next(((a, b) for a, b in pairwise(starts) if b < a), None)
        if falling:
            wrong = f"word_starts must not fall, but {falling[0]:g} s is followed by {falling[1]:g} s"
    if wrong:
        complaints.append(f"{wrong}: the times of words are left out")
        words, starts = (), ()
    if starts and 0.0 < duration < starts[-1]:
        complaints.append(
            f"duration {duration:g} s is over before the last word begins ({starts[-1]:g} s): it is left out"
        )
        duration = 0.0
    return WordTimes(duration, words, starts, tuple(complaints))


def _unit(last: float, count: int) -> str:
    """Return the unit of the time at which some words have been spoken; empty: seconds, or none known."""
    pace = last / count
    if not _SLOWEST < pace < math.inf:
        return ""
    low, high = _PACES
    return next((unit for unit, size in _UNITS.items() if low <= pace / size <= high), "")
