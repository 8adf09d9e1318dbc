"""What is meant by a sentence: text -> probabilities of subject, gesture and emotion (paper, sec. 3.1).

A model may have one head more, the gate: it says whether the text is English speech at all.

Runs on ONNX Runtime and the Rust tokenizer; torch is imported for `device: cuda` only, and only where ONNX
Runtime has no GPU provider.
"""

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from text2gesture_ros.errors import ConfigurationError, InputError, ModelError
from text2gesture_ros.geometry import FloatArray, softmax
from text2gesture_ros.labels import GATE, HEADS, NEUTRAL, TASKS
from text2gesture_ros.model_directory import (
    GRAPH,
    INT8_GRAPH,
    ModelDirectory,
    choose_engine,
    open_model,
)
from text2gesture_ros.parameters import IntentClassifierParameters
from text2gesture_ros.resources import read_limited
from text2gesture_ros.understanding.clauses import (
    ClauseTimes,
    clause_of,
    clause_times,
    divided,
    pauses_in,
    split,
    trimmed,
    word_from,
)
from text2gesture_ros.understanding.intent import Intent, Prediction, has_words, only_hesitates
from text2gesture_ros.understanding.markup import Wish, read_markup
from text2gesture_ros.understanding.utterance import Utterance
from text2gesture_ros.understanding.words import Span

MAX_CHARACTERS = 10_000
"""What a text is cut to before it is read; the language model reads far less (512 tokens)."""

BATCH_SIZE = 8
"""Sentences that go through the network at once; more gains nothing on a processor and pads more."""

TOKENIZER_FILE = "tokenizer.json"
_MAX_TOKENIZER_BYTES = 64 << 20
_PRECISIONS = ("auto", "float32", "int8")

WITHOUT = "gesture_without"
"""The output of a graph that gives the logits of the gesture without each token; older graphs have none."""

Engine = Callable[[NDArray[np.int64], NDArray[np.int64]], Sequence[NDArray[np.float32]]]
"""Token numbers and mask, (B, L) each -> the logits of each head, (B, C) each, and `WITHOUT`, (B, L, C)."""


class TextReader:
    """The tokenizer of a model directory: text -> token numbers.

    `tokenizer.json` itself says how long a text may get and what it is padded with.

    Raises:
        ModelError: the file is missing or not a tokenizer with truncation and padding.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._tokenizer = Tokenizer.from_buffer(read_limited(path, _MAX_TOKENIZER_BYTES, ModelError))
        except ValueError as error:
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

    def spans(self, text: str) -> list[Span]:
        """Return where in a text each of its tokens stands; those that are no part of it nowhere, (0, 0)."""
        return list(self._tokenizer.encode(text).offsets)


def clean_text(text: str) -> str:
    """Return `text` cut to `MAX_CHARACTERS`, with lone surrogates (which no encoder takes) replaced."""
    return text[:MAX_CHARACTERS].encode("utf-8", "replace").decode("utf-8")


class IntentClassifier:
    """Reads sentences.

    Args:
        model: name or path of a model directory of kind `intent`.
        device: "cpu", "cuda", or "auto" (cuda where ONNX Runtime has it).
        threads: threads of ONNX Runtime. One is steady; two are faster alone, slower when anything else runs.
        precision: "float32", "int8" (on a processor), or "auto" (int8 on a processor where the model has it).
        engine: runs the network instead of what device, threads and precision call for.

    Raises:
        ConfigurationError: the device or precision is unknown or not there.
        ModelError: no such model, or its directory is incomplete or does not fit.
    """

    def __init__(
        self,
        model: str = "intent",
        *,
        device: str = "auto",
        threads: int = 1,
        precision: str = "auto",
        engine: Engine | None = None,
    ) -> None:
        directory = open_model(model, "intent")
        directory.check_labels(TASKS)
        self.name = directory.name
        self.engine = choose_engine(device)
        self.precision = _precision(directory, self.engine, precision)
        self._heads = _heads(directory)
        self._temperatures = _temperatures(directory, self._heads)
        self._tokens = TextReader(directory.path / TOKENIZER_FILE)
        self._run = engine or _engine(directory, self._heads, self.engine, self.precision, threads)

    @property
    def gated(self) -> bool:
        """Whether the model has the head that says what is English speech."""
        return GATE in self._heads

    def read(self, utterance: Utterance, settings: IntentClassifierParameters) -> list[Intent]:
        """Return the intents of the clauses of an utterance, at least one, in order.

        Markup is not read; a gesture that it asks for is that of the clause it stands in or before.

        Args:
            utterance: any text; where it has a gesture it is one clause, with this gesture.
            settings: `clause_words`, `speaking_rate` and the thresholds count.
        """
        spoken = read_markup(clean_text(utterance.text))
        text, wishes = spoken.text, spoken.wishes
        whole = [trimmed(text, (0, len(text)))]
        if utterance.gesture:
            spans, wishes = whole, (Wish(0, utterance.gesture),)
        else:
            pauses = pauses_in(text, utterance.words, utterance.word_starts)
            spans = split(text, settings.clause_words, pauses) or whole
            spans = divided(text, spans, [wish.place for wish in wishes])
        clauses = [text[slice(*span)] for span in spans]
        intents = self.classify(clauses, settings.confidence_threshold, settings.speech_threshold)
        words = [
            (first + intent.word[0], first + intent.word[1])
            for intent, (first, _) in zip(intents, spans, strict=True)
        ]
        for wish in reversed(wishes):  # of several in one clause the first counts
            clause = clause_of(spans, wish.place)
            intents[clause] = intents[clause].wishing(wish.gesture)
            if not utterance.gesture:  # markup stands before the word it is for
                words[clause] = word_from(text, spans[clause], wish.place)
        times = clause_times(
            text,
            spans,
            [first for first, _ in words],
            duration=utterance.duration,
            words=utterance.words,
            word_starts=utterance.word_starts,
            speaking_rate=settings.speaking_rate,
        )
        return [
            replace(
                intent,
                text=text,
                span=span,
                word=word,
                times=time,
            )
            for intent, span, word, time in zip(intents, spans, words, times, strict=True)
        ]

    def classify(
        self, texts: Sequence[str], confidence_threshold: float, speech_threshold: float = 0.0
    ) -> list[Intent]:
        """Return the intent of each text as a whole.

        Args:
            texts: anything that is a string; markup is not read.
            confidence_threshold: a gesture less probable than this is not made, in [0, 1].
            speech_threshold: nor one for a text that is less probably English speech than this, in [0, 1].

        Raises:
            InputError: a threshold is out of range.
        """
        for name, value in (
            ("confidence_threshold", confidence_threshold),
            ("speech_threshold", speech_threshold),
        ):
            if not 0.0 <= value <= 1.0:
                raise InputError(f"{name} must be in [0, 1] but is {value}")
        cleaned = [read_markup(clean_text(text)).text for text in texts]
        speaking = [index for index, text in enumerate(cleaned) if has_words(text)]
        speaking.sort(key=lambda index: len(cleaned[index]))  # like lengths together: little padding
        found: dict[int, dict[str, NDArray[np.float64]]] = {}
        for start in range(0, len(speaking), BATCH_SIZE):
            batch = speaking[start : start + BATCH_SIZE]
            logits = self._run(*self._tokens([cleaned[index] for index in batch]))
            heads = [_probabilities(*pair) for pair in zip(logits, self._temperatures, strict=False)]
            if len(logits) > len(heads):
                heads.append(_probabilities(logits[-1], self._temperatures[self._heads.index("gesture")]))
            for line, index in enumerate(batch):
                found[index] = {
                    name: head[line] for name, head in zip((*self._heads, WITHOUT), heads, strict=False)
                }
        return [
            self._intent(text, found.get(index), confidence_threshold, speech_threshold)
            for index, text in enumerate(cleaned)
        ]

    def _intent(
        self,
        text: str,
        found: Mapping[str, NDArray[np.float64]] | None,
        confidence_threshold: float,
        speech_threshold: float,
    ) -> Intent:
        if found is None:
            tasks = {task: _certainly_neutral(labels) for task, labels in TASKS.items()}
            speech = 0.0
            reason = "no words" if text.strip() else "empty text"
        else:
            tasks = {
                task: Prediction(labels, found[task], labels[int(found[task].argmax())])
                for task, labels in TASKS.items()
            }
            speech = float(found[GATE][HEADS[GATE].index("yes")]) if GATE in found else 1.0
            reason = _reason(tasks["gesture"], confidence_threshold, speech, speech_threshold)
            if not reason and only_hesitates(text):
                reason = "a sound of thinking, no words"
        span = trimmed(text, (0, len(text)))
        word = span
        if not reason and found is not None and WITHOUT in found:
            likeliest = int(found["gesture"].argmax())
            word = self._carrier(text, found["gesture"][likeliest] / found[WITHOUT][:, likeliest])
        intent = Intent(
            text=text,
            span=span,
            word=word,
            times=ClauseTimes(),
            speech=speech,
            subject=tasks["subject"],
            gesture=tasks["gesture"],
            emotion=tasks["emotion"],
            accepted=True,
            reason="",
            model=self.name,
        )
        return intent.held_back(reason) if reason else intent

    def _carrier(self, text: str, losses: NDArray[np.float64]) -> Span:
        """Return the word that carries the gesture: without its tokens the gesture loses most.

        Good for the time of a stroke, which one word decides; `explanation.explain` explains a decision.

        Args:
            text: with words.
            losses: by which factor the gesture gets less probable without each token of the text, (L,).
        """
        words = [match.span() for match in re.finditer(r"\S+", text)]
        firsts = [first for first, _ in words]
        weights = np.zeros(len(words))
        for (first, last), loss in zip(self._tokens.spans(text), losses.tolist(), strict=False):
            if first < last:
                weights[bisect_right(firsts, first) - 1] += math.log(loss)
        return words[int(weights.argmax())]


def _reason(gesture: Prediction, threshold: float, speech: float, speech_threshold: float) -> str:
    """Return why no gesture is made; empty: it is."""
    if speech < speech_threshold:
        return f"not English speech ({_below(speech)} below speech_threshold {speech_threshold:.2f})"
    if gesture.chosen == NEUTRAL:
        return NEUTRAL
    probability = float(gesture.probabilities.max())
    if probability >= threshold:
        return ""
    return f"gesture {gesture.chosen!r} {_below(probability)} below confidence threshold {threshold:.2f}"


def _below(probability: float) -> str:
    return f"{math.floor(100 * probability) / 100:.2f}"  # rounded, it could read as the threshold itself


def _probabilities(logits: FloatArray, temperature: float) -> FloatArray:
    return softmax(np.asarray(logits, np.float64) / temperature)


def _certainly_neutral(labels: tuple[str, ...]) -> Prediction:
    return Prediction(labels, np.array([float(label == NEUTRAL) for label in labels]), NEUTRAL)


def _heads(directory: ModelDirectory) -> tuple[str, ...]:
    """Return the heads of the model that are asked: the tasks and, where it has one, the gate."""
    labels = directory.config["labels"]
    if GATE not in labels:
        return tuple(TASKS)
    if labels[GATE] != list(HEADS[GATE]):
        raise ModelError(
            f"{directory.path}/config.json: 'labels' must name under {GATE!r} in this order: no, yes"
        )
    return (*TASKS, GATE)


def _temperatures(directory: ModelDirectory, heads: Sequence[str]) -> list[float]:
    """Return what the logits of each head are divided by, so that 0.8 is right eight times in ten."""
    given = directory.config.get("temperature", {})
    if not isinstance(given, Mapping) or not all(
        isinstance(given.get(head, 1.0), int | float) and 0.0 < given.get(head, 1.0) < math.inf
        for head in heads
    ):
        raise ModelError(
            f"{directory.path}/config.json: 'temperature' must be above 0 for each head: {given!r}"
        )
    return [float(given.get(head, 1.0)) for head in heads]


def _precision(directory: ModelDirectory, engine: str, precision: str) -> str:
    """Return in which numbers the model computes: float32 or int8.

    Raises:
        ConfigurationError: the precision is unknown, or int8 anywhere but on a processor.
    """
    if precision not in _PRECISIONS:
        raise ConfigurationError(f"unknown precision {precision!r}. Known: {', '.join(_PRECISIONS)}")
    on_processor = engine == "onnxruntime-cpu"
    if precision == "int8" and not on_processor:
        raise ConfigurationError(f"precision 'int8' is for the device cpu, not for {engine}")
    if precision == "auto":
        return "int8" if on_processor and (directory.path / INT8_GRAPH).is_file() else "float32"
    return precision


def _engine(
    directory: ModelDirectory, heads: Sequence[str], engine: str, precision: str, threads: int
) -> Engine:
    if engine == "torch-cuda":
        return _torch_engine(directory, heads)
    graph = INT8_GRAPH if precision == "int8" else GRAPH
    session = directory.session(graph, threads, engine.rpartition("-")[2])

    outputs = [*heads, *(output.name for output in session.get_outputs() if output.name == WITHOUT)]

    def run(tokens: NDArray[np.int64], mask: NDArray[np.int64]) -> Sequence[NDArray[np.float32]]:
        return list(session.run(outputs, {"tokens": tokens, "mask": mask}))

    return run


def _torch_engine(directory: ModelDirectory, heads: Sequence[str]) -> Engine:
    import torch

    from text2gesture_ros.understanding.intent_network import from_config

    network = from_config(directory.config, directory.weights()).to("cuda")
    network.leaves_out = network.pooling == "mean"
    order = [list(directory.config["labels"]).index(head) for head in heads]

    def run(tokens: NDArray[np.int64], mask: NDArray[np.int64]) -> Sequence[NDArray[np.float32]]:
        with torch.inference_mode():
            logits = network(torch.from_numpy(tokens).cuda(), torch.from_numpy(mask).cuda())
        outputs = [*(logits[head] for head in order), *logits[len(network.heads) :]]
        return [output.float().cpu().numpy() for output in outputs]

    return run
