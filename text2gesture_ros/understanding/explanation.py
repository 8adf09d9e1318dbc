"""Which words carried a decision: what the text would be taken for without them.

Occlusion (Zeiler and Fergus, 2014; for text Li, Monroe and Jurafsky, 2016): a word's weight is what the
probability of the label loses when the word is left out. Words that can stand in for each other share little.

Trust this where a person asks why: the text is read anew without each word, for all tasks. `Intent.word`,
which times the stroke, is the classifier's own estimate for the gesture alone, from the same run of the
network; it costs nothing more, and only its largest word counts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from text2gesture_ros.labels import GATE, TASKS
from text2gesture_ros.understanding.classifier import IntentClassifier
from text2gesture_ros.understanding.intent import Intent, has_words

EXPLAINED = ("gesture", *(task for task in TASKS if task != "gesture"))
"""The tasks, the gesture first."""


@dataclass(frozen=True)
class Word:
    """What a word does for a decision.

    Attributes:
        text: the word, with the marks that stand at it.
        span: its first character and end in the text of the intent.
        weights: for each task what the likeliest label loses without the word, in [-1, 1]; below 0: it gains.
            Under `GATE`, of a model that has one, the same of the probability that it is English speech.
    """

    text: str
    span: tuple[int, int]
    weights: Mapping[str, float]


def explain(classifier: IntentClassifier, intent: Intent) -> list[Word]:
    """Return the words of an intent's clause with their weights; none where there were no words to read.

    Where nothing to read is left without a word, the word carries the whole probability.

    Args:
        classifier: the one that read the text.
        intent: what it read.
    """
    start, end = intent.span
    clause = intent.text[start:end]
    if not has_words(clause):
        return []
    words = [match.span() for match in re.finditer(r"\S+", clause)]
    rests = [clause[:first] + clause[last:] for first, last in words]
    without = classifier.classify(rests, 0.0)
    likeliest = {task: int(getattr(intent, task).probabilities.argmax()) for task in EXPLAINED}

    def probability(found: Intent, head: str) -> float:
        if head == GATE:
            return found.speech
        values: np.ndarray = getattr(found, head).probabilities
        return float(values[likeliest[head]]) if has_words(found.text) else 0.0

    heads = (*EXPLAINED, GATE) if classifier.gated else EXPLAINED

    return [
        Word(
            clause[first:last],
            (start + first, start + last),
            {head: probability(intent, head) - probability(found, head) for head in heads},
        )
        for (first, last), found in zip(words, without, strict=True)
    ]
