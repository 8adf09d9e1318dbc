"""Where speech without punctuation, as recognisers write it, is divided into clauses.

Models that put punctuation back (deepmultilingualpunctuation, FullStop, Silero's) weigh hundreds of
megabytes. What is said to visitors begins new clauses with few words; the division that suits these, the
lengths and the speaker's pauses best is found by dynamic programming, as Knuth and Plass (1981) break lines.
"""

import re
from collections.abc import Collection, Sequence
from itertools import pairwise

from text2gesture_ros.understanding.words import WORD, Span

# What a border costs by what follows it, more after a word that may belong to the next or surely does.
_AT_PAUSE, _AT_OPENING, _AT_SUBJECT, _AT_NOUN, _ANYWHERE = -2.0, -1.0, 0.3, 1.2, 2.5
_AFTER_LOOSE = {_AT_OPENING: 0.3, _AT_SUBJECT: 0.8, _AT_NOUN: 3.0, _ANYWHERE: 4.0}
_AFTER_TIGHT = 6.0
# What a clause costs for each word beyond a share of the wanted length.
_LENGTHS = ((2 / 3, 0.25), (1.0, 0.5))
_LONGEST = 3  # times the wanted length: no clause is longer


def _words(*alternatives: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{'|'.join(alternatives)})\b", re.IGNORECASE)


_SUBJECT_WORD = "(?:i|you|he|she|it|we|they|this|that|there|here|these|those|everybody|everyone|nobody)"
_AUXILIARY = (
    "(?:am|is|are|was|were|do|does|did|can|could|would|will|shall|should|must|may|might|have|has|had)"
)
# Clauses begin with these,
_OPENING = _words(
    "hello|hi|hey|good (?:morning|afternoon|evening|night)|goodbye|bye|welcome|yes|yeah|no|nope|okay|ok",
    "please|sorry|thanks|thank you|well done|congratulations|excuse me|oh|wow|of course|never mind",
    "come on|look|let us|let me|let's|don't worry|do not worry|my name",
    f"but|because|although|though|then|unless|while|whereas|so (?:{_SUBJECT_WORD}|the|please|my|your)",
    f"(?:and|or) (?:{_SUBJECT_WORD}|the|then|please|if|when|my|your|our)",
    f"(?:what|where|who|when|why|how|which) (?:{_AUXILIARY}|much|many|long|about)",
    f"{_AUXILIARY} (?:you|i|we|they|he|she|it|there)",
)
# with a subject and its verb, perhaps with what may be a subject,
_SUBJECT = _words(
    rf"(?:{_SUBJECT_WORD}|(?:the|my|your|our|his|her|their) \w+) "
    rf"(?:{_AUXILIARY}|need|want|like|love|know|think|hope|see|hear|get|got|go|cannot|\w+n['\u2019]t)",
    "(?:i|you|he|she|it|we|they|that|there|here)['\u2019](?:m|s|re|ll|ve|d)",
)
_NOUN = _words("i|he|she|we|they|the|a|an|my|your|our|his|their|everybody|everyone")
# After these a clause goes on,
_TIGHT = frozenset(
    "a an the my your his her its our their to of in on at by for with from into about as than and or if"  # noqa: SIM905
    " but so because although though when while not very too every no say says said until under across"
    " without between during against i he she we they".split()
)
# after these it often does: I think you are right.
_LOOSE = frozenset(
    "you it this that these those who which what where why how whether is are was were am be"  # noqa: SIM905
    " been do does did can could will would shall should must may might has have had i'm you're it's we're"
    " they're there's that's think know hope believe sure afraid glad sorry please more most"
    " over behind along near after before around through".split()
)


def divide(text: str, part: Span, longest: int, fewest: int, pauses: Collection[int] = ()) -> list[Span]:
    """Return a part of a text divided into clauses of about at most some words.

    Args:
        text: the whole text.
        part: what to divide.
        longest: words of a clause from which on more are worse.
        fewest: words each clause has at least.
        pauses: characters of the text at which words begin before which the speaker pauses.
    """
    start, end = part
    words = [
        (start + at.start(), at[0].lower().replace("\u2019", "'")) for at in WORD.finditer(text[start:end])
    ]
    prices = [0.0, *(_price(text, words, index, pauses) for index in range(1, len(words)))]
    best: list[tuple[float, int]] = [(0.0, 0)]  # of the first words: cost, where the last clause begins
    for last in range(1, len(words) + 1):
        choices = [
            (best[first][0] + prices[first] + _excess(last - first, longest), first)
            for first in range(max(0, last - _LONGEST * longest), last - fewest + 1)
        ]
        best.append(min(choices, default=(float("inf"), 0)))
    if best[-1][0] == float("inf"):
        return [part]
    borders, last = [end], len(words)
    while last > 0:
        last = best[last][1]
        borders.append(words[last][0] if last else start)
    return list(pairwise(borders[::-1]))


def _excess(count: int, longest: int) -> float:
    """Return what a clause costs for its length [words]."""
    return sum(price * max(0.0, count - share * longest) for share, price in _LENGTHS)


def _price(text: str, words: Sequence[tuple[int, str]], index: int, pauses: Collection[int]) -> float:
    """Return what it costs to begin a clause with a word that is not the first."""
    place, before = words[index][0], words[index - 1][1]
    if not text[place - 1].isspace():
        return float("inf")  # within "so-called", behind a bracket
    if place in pauses:
        return _AT_PAUSE
    if before in _TIGHT:
        return _AFTER_TIGHT
    ahead = text[place : place + 60]
    kinds = ((_OPENING, _AT_OPENING), (_SUBJECT, _AT_SUBJECT), (_NOUN, _AT_NOUN))
    price = next((price for pattern, price in kinds if pattern.match(ahead)), _ANYWHERE)
    return _AFTER_LOOSE[price] if before in _LOOSE else price
