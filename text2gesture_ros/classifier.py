"""What is meant by a sentence: text -> probabilities of subject, gesture and emotion (paper, sec. 3.1).

Runs on ONNX Runtime and the Rust tokenizer; torch is imported for `device: cuda` only, and only where ONNX
Runtime has no GPU provider.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from text2gesture_ros.checkpoints import ModelDirectory, choose_engine, open_model
from text2gesture_ros.errors import InputError, ModelError
from text2gesture_ros.labels import NEUTRAL, TASKS

MAX_CHARACTERS = 10_000
"""What a text is cut to before it is read; the language model reads far less (512 tokens)."""

BATCH_SIZE = 8
"""Sentences that go through the network at once; more gains nothing on a processor and pads more."""

TOKENIZER_FILE = "tokenizer.json"

Engine = Callable[[NDArray[np.int64], NDArray[np.int64]], Sequence[NDArray[np.float32]]]
"""Token numbers and mask, (B, L) each -> the logits of each task, (B, C) each."""


@dataclass(frozen=True)
class Prediction:
    """The outcome of one task.

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
    """What a sentence means and whether to make a gesture for it.

    Attributes:
        text: what was read: the text given, cut to `MAX_CHARACTERS`, with lone surrogates replaced.
        span: first character and end of the words in `text`, without the blanks around them.
        subject, gesture, emotion: the outcome of the three tasks.
        accepted: True if `gesture.chosen` is a gesture to make.
        reason: why not; empty if accepted.
        model: name of the model.
    """

    text: str
    span: tuple[int, int]
    subject: Prediction
    gesture: Prediction
    emotion: Prediction
    accepted: bool
    reason: str
    model: str


class TextReader:
    """The tokenizer of a model directory: text -> token numbers.

    `tokenizer.json` itself says how long a text may get and what it is padded with.

    Raises:
        ModelError: the file is missing or not a tokenizer with truncation and padding.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._tokenizer = Tokenizer.from_buffer(path.read_bytes())
        except (OSError, ValueError) as error:
            raise ModelError(f"{path}: not a tokenizer: {error}") from None
        if self._tokenizer.truncation is None or self._tokenizer.padding is None:
            raise ModelError(f"{path}: states no truncation or no padding")
        self._padding = int(self._tokenizer.padding["pad_id"])
        self._tokenizer.no_padding()  # padded here, to the longest of the batch at hand

    def __call__(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return token numbers and mask (1 token, 0 padding) of texts from `clean_text`, (B, L) each."""
        # One by one: encode_batch would start a thread for every core.
        rows = [self._tokenizer.encode(text).ids for text in texts]
        shape = (len(rows), max(map(len, rows)))
        tokens = np.full(shape, self._padding, np.int64)
        mask = np.zeros(shape, np.int64)
        for line, row in enumerate(rows):
            tokens[line, : len(row)] = row
            mask[line, : len(row)] = 1
        return tokens, mask


def clean_text(text: str) -> str:
    """Return `text` cut to `MAX_CHARACTERS`, with lone surrogates (which no encoder takes) replaced."""
    return text[:MAX_CHARACTERS].encode("utf-8", "replace").decode("utf-8")


def softmax(logits: NDArray[np.floating[Any]], temperature: float = 1.0) -> NDArray[np.float64]:
    """Return the probabilities of `logits` / `temperature` along the last axis."""
    scaled = np.asarray(logits, np.float64) / temperature
    exponent = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(exponent / exponent.sum(axis=-1, keepdims=True))


class IntentClassifier:
    """Reads sentences.

    Args:
        model: name or path of a model directory of kind `intent`.
        device: "cpu", "cuda", or "auto" (cuda where ONNX Runtime has it).
        threads: threads of ONNX Runtime. One is steady; two are faster alone, slower when anything else runs.

    Raises:
        ConfigurationError: the device is unknown or not there.
        ModelError: no such model, or its directory is incomplete or does not fit.
    """

    def __init__(self, model: str = "intent", *, device: str = "auto", threads: int = 1) -> None:
        directory = open_model(model, "intent")
        self.name = directory.name
        self.engine = choose_engine(device)
        self._temperatures = _temperatures(directory)
        self._read = TextReader(directory.path / TOKENIZER_FILE)
        self._run = _engine(directory, self.engine, threads)

    def classify(self, texts: Sequence[str], confidence_threshold: float) -> list[Intent]:
        """Return the intent of each text.

        Args:
            texts: anything that is a string.
            confidence_threshold: a gesture less probable than this is not made, in [0, 1].

        Raises:
            InputError: the threshold is out of range.
        """
        if not 0.0 <= confidence_threshold <= 1.0:
            raise InputError(f"confidence_threshold must be in [0, 1] but is {confidence_threshold}")
        cleaned = [clean_text(text) for text in texts]
        speaking = [index for index, text in enumerate(cleaned) if _has_words(text)]
        speaking.sort(key=lambda index: len(cleaned[index]))  # like lengths together: little padding
        probabilities: dict[int, list[NDArray[np.float64]]] = {}
        for start in range(0, len(speaking), BATCH_SIZE):
            batch = speaking[start : start + BATCH_SIZE]
            logits = self._run(*self._read([cleaned[index] for index in batch]))
            tasks = [softmax(*pair) for pair in zip(logits, self._temperatures, strict=True)]
            for line, index in enumerate(batch):
                probabilities[index] = [task[line] for task in tasks]
        return [
            self._intent(text, probabilities.get(index), confidence_threshold)
            for index, text in enumerate(cleaned)
        ]

    def _intent(self, text: str, probabilities: list[NDArray[np.float64]] | None, threshold: float) -> Intent:
        start = len(text) - len(text.lstrip())
        span = (start, max(start, len(text.rstrip())))
        if probabilities is None:
            subject, gesture, emotion = (_certainly_neutral(labels) for labels in TASKS.values())
            reason = "no words" if text.strip() else "empty text"
        else:
            subject, gesture, emotion = (
                Prediction(labels, values, labels[int(values.argmax())])
                for labels, values in zip(TASKS.values(), probabilities, strict=True)
            )
            gesture, reason = _decide(gesture, threshold)
        return Intent(text, span, subject, gesture, emotion, not reason, reason, self.name)


def _decide(gesture: Prediction, threshold: float) -> tuple[Prediction, str]:
    """Return the gesture to act on and the reason for making none (empty: make it)."""
    if gesture.chosen == NEUTRAL:
        return gesture, NEUTRAL
    probability = float(gesture.probabilities.max())
    if probability >= threshold:
        return gesture, ""
    shown = math.floor(100 * probability) / 100  # rounding could print the threshold itself
    reason = f"gesture {gesture.chosen!r} {shown:.2f} below confidence threshold {threshold:.2f}"
    return Prediction(gesture.labels, gesture.probabilities, NEUTRAL), reason


def _has_words(text: str) -> bool:
    return any(character.isalpha() for character in text)


def _certainly_neutral(labels: tuple[str, ...]) -> Prediction:
    return Prediction(labels, np.array([float(label == NEUTRAL) for label in labels]), NEUTRAL)


def _temperatures(directory: ModelDirectory) -> list[float]:
    """Return what the logits of each task are divided by, so that 0.8 is right eight times in ten."""
    given = directory.config.get("temperature", {})
    if not isinstance(given, Mapping) or not all(
        isinstance(given.get(task, 1.0), int | float) and 0.0 < given.get(task, 1.0) < math.inf
        for task in TASKS
    ):
        raise ModelError(
            f"{directory.path}/config.json: 'temperature' must be above 0 for each task: {given!r}"
        )
    return [float(given.get(task, 1.0)) for task in TASKS]


def _engine(directory: ModelDirectory, engine: str, threads: int) -> Engine:
    if engine == "torch-cuda":
        return _torch_engine(directory)
    session = directory.session(threads=threads, device=engine.rpartition("-")[2])

    def run(tokens: NDArray[np.int64], mask: NDArray[np.int64]) -> Sequence[NDArray[np.float32]]:
        return list(session.run(list(TASKS), {"tokens": tokens, "mask": mask}))

    return run


def _torch_engine(directory: ModelDirectory) -> Engine:
    import torch

    from text2gesture_ros.intent_network import from_config

    network = from_config(directory.config, directory.weights()).to("cuda")

    def run(tokens: NDArray[np.int64], mask: NDArray[np.int64]) -> Sequence[NDArray[np.float32]]:
        with torch.inference_mode():
            logits = network(torch.from_numpy(tokens).cuda(), torch.from_numpy(mask).cuda())
        return [task.float().cpu().numpy() for task in logits]

    return run
