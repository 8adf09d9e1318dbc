"""Batches of labelled utterances: which lines an epoch has, in which order, as tensors."""

import math
import random
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from text2gesture_ros.labels import HEADS
from text2gesture_ros.training.text.utterances import Utterance
from text2gesture_ros.understanding.classifier import TextReader, clean_text
from text2gesture_ros.understanding.intent_network import MISSING

Batch = tuple[Tensor, Tensor, Tensor]
"""Tokens and mask, (B, L) each, and class indices, (B, heads)."""


class Utterances(Dataset[Utterance]):
    """Utterances as the data set of a loader."""

    def __init__(self, utterances: Sequence[Utterance]) -> None:
        self._utterances = utterances

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._utterances)

    def __getitem__(self, index: int) -> Utterance:
        """Return one."""
        return self._utterances[index]


class Collator:
    """Turns utterances into a batch.

    Args:
        reader: the tokenizer.
        heads: the heads whose class indices are wanted.
        alternatives: how often a line comes with another label that its readers accept; such a line is
            learnt as a mixture of both.
    """

    def __init__(self, reader: TextReader, heads: Sequence[str], alternatives: float = 0.0) -> None:
        self._reader = reader
        self._heads = heads
        self._alternatives = alternatives

    def __call__(self, utterances: Sequence[Utterance]) -> Batch:
        """Return tokens, mask and class indices."""
        tokens, mask = self._reader([clean_text(utterance.text) for utterance in utterances])
        labels = [
            [
                MISSING if (label := self._label(utterance, head)) is None else HEADS[head].index(label)
                for head in self._heads
            ]
            for utterance in utterances
        ]
        return torch.from_numpy(tokens), torch.from_numpy(mask), torch.tensor(labels)

    def _label(self, utterance: Utterance, head: str) -> str | None:
        label = utterance.label(head)
        others = self._alternatives and sorted(utterance.accepted.get(head, frozenset()) - {label})
        if others and float(torch.rand(())) < self._alternatives:
            return others[int(torch.randint(len(others), ()))]
        return label


class EpochBatches(Sampler[list[int]]):
    """The batches of an epoch: each of our own lines once and a new draw from the corpora.

    Lines of like length come together, as sorting within groups of batches makes them: little padding, and
    the order is still random. It depends on seed and epoch alone.

    Args:
        lengths: tokens of each line; our own come first.
        own: how many are our own.
        drawn: how many of the others an epoch takes.
        batch_size: lines in a batch.
        seed: of the order.
    """

    _GROUP = 16  # batches

    def __init__(self, lengths: Sequence[int], own: int, drawn: int, batch_size: int, seed: int) -> None:
        self._lengths, self._own, self._drawn, self._seed = lengths, own, drawn, seed
        self.batch_size, self.drop_last = batch_size, False  # Accelerate asks
        self.epoch = 0

    def __len__(self) -> int:
        """Return the number of batches."""
        return math.ceil((self._own + self._drawn) / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        """Return the batches of `epoch`, each the numbers of its lines."""
        generator = random.Random(f"{self._seed} {self.epoch}")
        others = range(self._own, len(self._lengths))
        lines = [*range(self._own), *generator.sample(others, self._drawn)]
        generator.shuffle(lines)
        size = self.batch_size * self._GROUP
        for start in range(0, len(lines), size):
            lines[start : start + size] = sorted(lines[start : start + size], key=self._lengths.__getitem__)
        batches = [lines[start : start + self.batch_size] for start in range(0, len(lines), self.batch_size)]
        last = batches.pop()  # stays last: it may be short, and Accelerate deals out whole rounds
        generator.shuffle(batches)
        return iter([*batches, last])


def class_weights(utterances: Sequence[Utterance], heads: Sequence[str], power: float) -> list[Tensor]:
    """Return class weights of each head, (C,): inverse frequency to the `power`, 1 on average over lines."""
    result = []
    for head in heads:
        labels = [utterance.label(head) for utterance in utterances]
        counts = torch.tensor([labels.count(name) for name in HEADS[head]], dtype=torch.float32)
        weights = counts.clamp(min=1) ** -power  # a class without lines weighs as much as one with one line
        result.append(weights * counts.sum() / (weights * counts).sum() if counts.any() else weights)
    return result
