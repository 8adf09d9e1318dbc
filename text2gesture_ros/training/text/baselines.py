"""What the intent model has to beat: simple classifiers on the same lines."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from text2gesture_ros.labels import TASKS
from text2gesture_ros.training.text.data import Lines
from text2gesture_ros.training.text.train import write_tokenizer
from text2gesture_ros.training.text.utterances import Utterance
from text2gesture_ros.understanding.classifier import TOKENIZER_FILE, TextReader, clean_text
from text2gesture_ros.understanding.intent_network import from_pretrained

Chooser = Callable[[str], Sequence[str]]
"""Task -> the label chosen for each test line."""

STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Inverse strengths of regularisation, of which the validation part chooses."""

DESCRIPTIONS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "subject": {
            "greeting": "Hello, I welcome you or introduce somebody.",
            "gratitude": "Thank you, I am grateful.",
            "farewell": "Goodbye, I am leaving.",
            "information": "I tell, explain or announce a fact.",
            "inquiry": "I ask a question to find something out.",
            "apology": "I am sorry for what I did.",
            "praise": "You did that very well, it is great.",
            "anger": "I am furious at you.",
            "congratulation": "Congratulations on your birthday, exam or wedding.",
            "sympathy": "I feel sorry for your misfortune.",
            "cheer": "Come on, you can do it, I encourage you.",
            "concern": "I am worried about you, be careful.",
            "request": "Please do something for me.",
            "surprise": "Wow, I did not expect that.",
            "complaint": "I complain that something is bad.",
            "neutral": "Okay, hmm, well.",
        },
        "gesture": {
            "handshake": "Nice to meet you, let us shake hands.",
            "point": "Look over there, it is on your left.",
            "thumbsup": "Well done, that is good.",
            "nod": "Yes, I agree.",
            "shakehead": "No, I refuse, that is not allowed.",
            "wave": "Hello or goodbye.",
            "grabhead": "Oh no, what a disaster has happened to me.",
            "pat": "Don't cry, I comfort you.",
            "uplift": "Everybody stand up, let us go.",
            "yay": "Hooray, we won, I am so happy.",
            "shrug": "I don't know, maybe, I don't care.",
            "neutral": "A plain fact or question.",
        },
        "emotion": {
            "positive": "I am happy, glad and grateful.",
            "negative": "I am sad, angry, worried or sorry.",
            "neutral": "A plain statement without any feeling.",
        },
    }
)
"""A sentence that stands for each label."""


def measure(baseline: str, lines: Lines, plm: Path) -> dict[str, float]:
    """Return how often a baseline is right on the test lines, for each task that has labels there.

    Args:
        baseline: one of `BASELINES`.
        lines: what it learns from and is measured with.
        plm: directory of the pre-trained language model that some of them read with.
    """
    choose = BASELINES[baseline](lines, plm)
    result = {}
    for task in TASKS:
        labels = [line.labels[task] for line in lines.test]
        if any(labels):
            hits = [choice == label for choice, label in zip(choose(task), labels, strict=True) if label]
            result[task] = sum(hits) / len(hits)
    return result


def _majority(lines: Lines, _: Path) -> Chooser:
    """The most frequent label."""

    def choose(task: str) -> Sequence[str]:
        counts = Counter(label for line in lines.training if (label := line.labels[task]) is not None)
        return [counts.most_common(1)[0][0]] * len(lines.test)

    return choose


def _tfidf(lines: Lines, _: Path) -> Chooser:
    """Logistic regression on the words and pairs of words of a line."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    vectorizer.fit(_texts(lines.training))
    return _regression(lines, lambda part: vectorizer.transform(_texts(part)))


def _frozen(lines: Lines, plm: Path) -> Chooser:
    """Logistic regression on the sentence vectors of the language model before any training here."""
    return _regression(lines, lambda part: sentence_vectors(plm, _texts(part)))


def _described(lines: Lines, plm: Path) -> Chooser:
    """The label whose description is nearest; nothing is learnt."""
    vectors = sentence_vectors(plm, _texts(lines.test))  # (B, D)

    def choose(task: str) -> Sequence[str]:
        names = list(DESCRIPTIONS[task])
        likeness = vectors @ sentence_vectors(plm, list(DESCRIPTIONS[task].values())).T  # (B, C)
        return [names[index] for index in likeness.argmax(1)]

    return choose


BASELINES: Mapping[str, Callable[[Lines, Path], Chooser]] = MappingProxyType(
    {
        "majority": _majority,
        "tf-idf + regression": _tfidf,
        "frozen PLM + regression": _frozen,
        "label descriptions": _described,
    }
)


def _regression(lines: Lines, features: Callable[[Sequence[Utterance]], Any]) -> Chooser:
    """Return what chooses by logistic regression, as strong as serves the validation part best."""
    from sklearn.linear_model import LogisticRegression

    training, validation, test = (features(part) for part in (lines.training, lines.validation, lines.test))

    def choose(task: str) -> Sequence[str]:
        fit, check = (
            [number for number, line in enumerate(part) if line.labels[task] is not None]
            for part in (lines.training, lines.validation)
        )
        labels = [lines.training[number].labels[task] for number in fit]
        expected = [lines.validation[number].labels[task] for number in check]
        models = [LogisticRegression(C=c, max_iter=2000).fit(training[fit], labels) for c in STRENGTHS]
        best = max(models, key=lambda model: model.score(validation[check], expected) if check else 0.0)
        return [str(label) for label in best.predict(test)]

    return choose


def sentence_vectors(plm: Path, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the mean of the token states of each text, of length 1, (B, D)."""
    with TemporaryDirectory() as folder:
        write_tokenizer(plm, 512, Path(folder) / TOKENIZER_FILE)
        read = TextReader(Path(folder) / TOKENIZER_FILE)
    network = from_pretrained(plm, {}).eval()
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))  # like lengths: little padding
    rows: dict[int, NDArray[np.float32]] = {}
    with torch.inference_mode():
        for start in range(0, len(order), 32):
            batch = order[start : start + 32]
            tokens, mask = map(torch.from_numpy, read([texts[index] for index in batch]))
            vectors = torch.nn.functional.normalize(network.sentences(tokens, mask))  # (B, D)
            rows |= dict(zip(batch, vectors.numpy(), strict=True))
    return np.stack([rows[index] for index in range(len(texts))])


def _texts(lines: Sequence[Utterance]) -> list[str]:
    return [clean_text(line.text) for line in lines]
