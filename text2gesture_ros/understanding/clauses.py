"""The clauses of a text: where each stands, and when it begins in speech.

Sentence splitters (pysbd, NLTK's punkt, spaCy, wtpsplit) end at sentences; a gesture belongs to a clause:
"the café is closed, but the garden is open" is two. Most of them also return strings where the place of every
word in the text is needed, and bring a model or megabytes to a robot. What is said aloud needs few rules, and
what they get wrong is caught by one more: a clause that is too short joins its neighbour.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from text2gesture_ros.parameters import IntentClassifierParameters
from text2gesture_ros.understanding.run_on import divide
from text2gesture_ros.understanding.words import WORD, Span, count_words

MIN_WORDS = 3
"""A clause of fewer words joins its neighbour: "Hello!" says what kind of sentence follows."""

MAX_CLAUSES = 2000
"""More than the longest text that is read has."""

PAUSE = 0.4
"""Pause of a speaker after a clause [s]."""

_DEFAULTS = IntentClassifierParameters()

# Where a part of a text may end; the next begins where the match does.
_SENTENCE = re.compile(r"(?<=[.!?…])(?P<closing>[\"'”\u2019»)\]}]*)\s|[\n\r\u2028\u2029]")
_MARK = re.compile(r"[;:]\s|(?<=\s)(?:\u2013|--?)\s|\u2014")
_CONJUNCTION = re.compile(
    r",\s+(?=(?:and|but|so|or|yet|because|although|though|while|whereas|unless|then)\b)", re.IGNORECASE
)
# A point after these ends no sentence: Mr. Brandt, J. Smith (but not: so do I.), the U.S. team.
_ABBREVIATION = re.compile(
    r"(?i:\b(?:mr|mrs|ms|mx|dr|prof|rev|st|mt|vs|approx|fig|dept|jan|feb|aug|sept?|oct|nov|dec))\.$"
    r"|(?:^|[^\w.])(?:[A-HJ-Z]|[A-Za-z](?:\.[A-Za-z])+)\.$"
)
# After these it does where a capital letter follows: at 9 a.m. Please ...
_PERHAPS = re.compile(r"(?i:\b(?:[ap]\.m|etc|jr|sr))\.$")
# Where one of these stands, a text is punctuated: not within a number or a word.
_MARKS = ".!?\u2026,;:"
_PUNCTUATION = re.compile(r"[.!?\u2026,;:](?!\w)|\u2014|\s(?:\u2013|--?)\s")
_CONTEXT = 12  # characters that are looked at on either side of a border


def split(text: str, clause_words: int = _DEFAULTS.clause_words, pauses: Collection[int] = ()) -> list[Span]:
    """Return the spans of the clauses of a text: in order, with every character that is no blank in one.

    What can be said in one breath stays whole, for that is what the classifier judges best. What is longer is
    divided at the ends of sentences; sentences that are longer at semicolons, colons and dashes, and what is
    longer still before conjunctions that follow a comma. Speech without punctuation is divided by its words,
    its length and the speaker's pauses.

    Args:
        text: any text; without a character that is no blank it has no clause.
        clause_words: a text of at most this many words is one clause.
        pauses: characters at which words begin before which the speaker pauses, as of `pauses_in`.
    """
    parts = [(0, len(text))]
    for borders in (_sentence_ends, _MARK.finditer, _CONJUNCTION.finditer):
        parts = [piece for part in parts for piece in _divide(text, part, borders, clause_words)]
    parts = [piece for part in parts for piece in _without_punctuation(text, part, clause_words, pauses)]
    return [trimmed(text, part) for part in parts if text[slice(*part)].strip()]


def trimmed(text: str, span: Span) -> Span:
    """Return a span without the blanks at its ends; where there is nothing else, its end alone."""
    start, end = span
    start = end - len(text[start:end].lstrip())
    return start, start + len(text[start:end].rstrip())


def clause_of(spans: Sequence[Span], place: int) -> int:
    """Return the number of the clause that a place of a text lies in or before; after all, the last."""
    return min(bisect_right([end for _, end in spans], place), len(spans) - 1)


def divided(text: str, spans: Sequence[Span], places: Sequence[int]) -> list[Span]:
    """Return clauses divided further, so that as few as possible of some places belong to one.

    Args:
        text: the whole text.
        spans: its clauses.
        places: in order; a clause is divided at those after its first that have words on either side.
    """
    result: list[Span] = []
    for number, (start, end) in enumerate(spans):
        for place in [place for place in places if clause_of(spans, place) == number][1:]:
            if count_words(text[start:place]) and count_words(text[place:end]):
                result.append(trimmed(text, (start, place)))
                start = place
        result.append(trimmed(text, (start, end)))
    return result


def word_from(text: str, span: Span, place: int) -> Span:
    """Return the first word of a clause at or after a place, else its last; the clause where it has none."""
    words = [(span[0] + at.start(), span[0] + at.end()) for at in re.finditer(r"\S+", text[slice(*span)])]
    return next((word for word in words if word[0] >= place), words[-1] if words else span)


@dataclass(frozen=True)
class ClauseTimes:
    """When a clause is spoken: seconds after the start of speech, in this record and nowhere else.

    `GestureRequest` is the one place that turns them into times on a clock.

    Attributes:
        start: when the clause begins [s].
        stroke: when the word that carries its gesture begins [s].
        end: when the clause has been spoken [s].
        estimated: whether that is an estimate from the text: the speaker told neither a duration nor words.
    """

    start: float = 0.0
    stroke: float = 0.0
    end: float = 0.0
    estimated: bool = True

    @property
    def known(self) -> bool:
        """Whether anything but the start is known: then start <= stroke <= end and start < end."""
        return self.start <= self.stroke <= self.end and self.start < self.end


def clause_times(
    text: str,
    spans: Sequence[Span],
    carriers: Sequence[int],
    *,
    duration: float = 0.0,
    words: Sequence[str] = (),
    word_starts: Sequence[float] = (),
    speaking_rate: float = _DEFAULTS.speaking_rate,
) -> list[ClauseTimes]:
    """Return when each clause is spoken; none begins earlier than the one before.

    Where the times of words are known it is their times. Speech and text may differ in writing ("5", "five"):
    the word is the one that has the same share of all letters before it. Else the share of characters before
    a place tells the share of the duration, and where that is unknown too, words are counted.

    Args:
        text: the whole text.
        spans: its clauses, from `split`.
        carriers: of each clause, the first character of the word that carries its gesture.
        duration: of the speech [s]; 0: unknown.
        words: as they are spoken; empty: unknown.
        word_starts: of each word [s].
        speaking_rate: words a second.
    """
    if not spans:
        return []
    if any(map(_letters, words)):
        after_last = word_starts[-1] + 1.0 / speaking_rate
        spoken_at = _by_words(text, words, [*word_starts, max(duration, after_last)])
    elif duration > 0.0:
        spoken_at = _by_share(spans, duration)
    else:
        spoken_at = _by_count(text, spans, speaking_rate)
    estimated = not (duration > 0.0 or words)
    result: list[ClauseTimes] = []
    for (first, last), carrier in zip(spans, carriers, strict=True):
        start = max([spoken_at(first), *(times.start for times in result[-1:])])
        end = max(start, spoken_at(last))
        result.append(ClauseTimes(start, min(max(start, spoken_at(carrier)), end), end, estimated))
    return result


def _by_words(text: str, words: Sequence[str], times: Sequence[float]) -> Callable[[int], float]:
    """Return what tells when a place of a text is spoken, from the times of words and of the end [s]."""
    before = list(accumulate(map(_letters, words), initial=0))
    borders = [(left + right) / 2.0 for left, right in pairwise(before)]
    letters = list(accumulate(map(str.isalnum, text), initial=0))
    scale = before[-1] / max(1, letters[-1])

    def spoken_at(place: int) -> float:
        more = letters[place] < letters[-1]  # then a word begins here
        return times[bisect_right(borders, letters[place] * scale, hi=len(words) - more)]

    return spoken_at


def _by_share(spans: Sequence[Span], duration: float) -> Callable[[int], float]:
    """Return what tells when a place of a text is spoken [s], from the duration [s]."""
    first, end = spans[0][0], spans[-1][1]
    return lambda place: duration * (place - first) / max(1, end - first)


def _by_count(text: str, spans: Sequence[Span], speaking_rate: float) -> Callable[[int], float]:
    """Return what estimates when a place of a text is spoken [s]: a word after the other, and pauses."""
    times = (speaking_time(text[start:end], speaking_rate) for start, end in spans[:-1])
    starts = list(accumulate(times, initial=0.0))
    firsts = [first for first, _ in spans]

    def spoken_at(place: int) -> float:
        clause = bisect_right(firsts, place) - 1
        return starts[clause] + count_words(text[firsts[clause] : place]) / speaking_rate

    return spoken_at


def speaking_time(text: str, speaking_rate: float = _DEFAULTS.speaking_rate) -> float:
    """Return how long a text takes to say, with a pause after each clause [s]: an estimate."""
    return max(1, count_words(text)) / speaking_rate + PAUSE * max(1, len(split(text)))


def _divide(
    text: str, part: Span, borders: Callable[[str], Iterable[re.Match[str]]], clause_words: int
) -> list[Span]:
    """Return the pieces of a part of a text between borders, those of too few words joined to a neighbour."""
    start, end = part
    if count_words(text[start:end]) <= clause_words:
        return [part]
    places = [start, *(start + border.end() for border in borders(text[start:end])), end]
    ends: list[int] = []
    words = 0
    for left, right in pairwise(places):
        words += count_words(text[left:right])
        if words >= MIN_WORDS:
            ends.append(right)
            words = 0
    return list(pairwise([start, *ends[:-1], end]))


def _without_punctuation(text: str, part: Span, clause_words: int, pauses: Collection[int]) -> list[Span]:
    """Return the clauses of a part of a text if it has no punctuation where it ought to; else the part."""
    said = text[slice(*part)].rstrip()
    ended = said[-1:] in _MARKS
    longest = clause_words * (2 if ended else 1)  # what ends properly may be long
    if count_words(said) <= longest or _PUNCTUATION.search(said[:-1] if ended else said):
        return [part]
    return divide(text, part, clause_words, MIN_WORDS, pauses)


def pauses_in(text: str, words: Sequence[str], word_starts: Sequence[float]) -> list[int]:
    """Return the characters at which words begin before which the speaker pauses.

    A word lasts about as long as it has letters; what is left until the next begins is a pause.

    Args:
        text: the whole text.
        words: as they are spoken; empty: unknown.
        word_starts: of each word [s], not falling.
    """
    places = [at.start() for at in WORD.finditer(text)]
    if not any(map(_letters, words)) or len(places) < 2:
        return []
    spoken_at = _by_words(text, words, [*word_starts, word_starts[-1]])
    gaps = [spoken_at(later) - spoken_at(earlier) for earlier, later in pairwise(places)]
    sizes = [_letters(text[earlier:later]) + 1 for earlier, later in pairwise(places)]
    pace = sorted(gap / size for gap, size in zip(gaps, sizes, strict=True))[len(gaps) // 2]
    return [
        place for place, gap, size in zip(places[1:], gaps, sizes, strict=True) if gap - pace * size >= PAUSE
    ]


def _sentence_ends(text: str) -> Iterable[re.Match[str]]:
    return (match for match in _SENTENCE.finditer(text) if _ends_sentence(text, match))


def _ends_sentence(text: str, end: re.Match[str]) -> bool:
    if end["closing"] is None:
        return True  # a new line
    before = text[max(0, end.start() - _CONTEXT) : end.start()]
    after = text[end.end() : end.end() + _CONTEXT].lstrip()[:1]
    if after.islower() and (end["closing"] or before.endswith(("..", "…"))):
        return False  # "Stop!" he said. Well... yes.
    if _PERHAPS.search(before):
        return after.isupper()
    number = after.isdigit() and before.lower().endswith("no.")
    return not number and not _ABBREVIATION.search(before)


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))
