"""What a clause of a text means, and whether a gesture goes with it."""

import re
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from text2gesture_ros.labels import NEUTRAL
from text2gesture_ros.understanding.clauses import ClauseTimes
from text2gesture_ros.understanding.words import WORD, Span


@dataclass(frozen=True)
class Prediction:
    """The outcome of one task of the classifier.

    Attributes:
        labels: the class names, (C).
        probabilities: in the order of `labels`, (C,), summing to 1.
        chosen: the label to act on.
    """

    labels: tuple[str, ...]
    probabilities: NDArray[np.float64]
    chosen: str


@dataclass(frozen=True)
class Intent:
    """What a text, or a clause of it, means and whether to make a gesture for it.

    Attributes:
        text: what was read: the text given, cut to `MAX_CHARACTERS`, with lone surrogates replaced and markup
            blanked: a place in it is that place in the text given.
        span: first character and end of the clause in `text`, without the blanks around it.
        word: first character and end in `text` of the word that carries the gesture: the one without whose
            tokens the network loses the gesture most, found in the same run of the network. It times the
            stroke. What each word does for all decisions is told by `explanation.explain`.
        times: when the clause is spoken.
        speech: probability that it is English speech; 1 for a model without the gate, 0 without words.
        subject, gesture, emotion: the outcome of the three tasks.
        accepted: whether `gesture.chosen` is to be made.
        reason: why not; empty if accepted.
        model: name of the model.
        wished: whether the gesture was asked for, by the speaker or by the text's markup; the probabilities
            stay the model's, and nothing holds it back.
    """

    text: str
    span: Span
    word: Span
    times: ClauseTimes
    speech: float
    subject: Prediction
    gesture: Prediction
    emotion: Prediction
    accepted: bool
    reason: str
    model: str
    wished: bool = False

    @property
    def more(self) -> bool:
        """Whether more of the text follows."""
        return bool(self.text[self.span[1] :].strip())

    def held_back(self, reason: str) -> "Intent":
        """Return the same intent without a gesture, for a reason; the probabilities stay."""
        return replace(self, gesture=replace(self.gesture, chosen=NEUTRAL), accepted=False, reason=reason)

    def wishing(self, gesture: str) -> "Intent":
        """Return the same intent with a gesture that was asked for."""
        chosen = replace(self.gesture, chosen=gesture)
        return replace(self, gesture=chosen, accepted=True, reason="", wished=True)


_HESITATION = re.compile(r"h+m+|u+m+|u+h+m*|e+r+m*|e+h+m*", re.IGNORECASE)


def only_hesitates(text: str) -> bool:
    """Return whether a text is a sound of thinking and no more: hm, um. Mhm, which agrees, is none."""
    words = WORD.findall(text)
    return bool(words) and all(_HESITATION.fullmatch(word) for word in words)


def has_words(text: str) -> bool:
    """Return whether there is anything to read in a text: a letter."""
    return any(character.isalpha() for character in text)
