"""How fast work gets on: lines that say how much is done and how long the rest takes."""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_FIRST, _EVERY = 10.0, 30.0  # when it is said for the first time, and then again [s]


@dataclass(frozen=True)
class Stage:
    """Epochs of one kind.

    Attributes:
        name: what is trained in them.
        epochs: how many.
        batches: in each.
    """

    name: str
    epochs: int
    batches: int


@dataclass
class Reminder:
    """Says now and then that time has passed: after some seconds, then every half minute."""

    start: float = field(default_factory=lambda: time.monotonic())
    _next: float = _FIRST

    @property
    def passed(self) -> float:
        """Time since the start [s]."""
        return time.monotonic() - self.start

    def is_due(self) -> bool:
        """Return whether it is time for a line; then it is not for a while."""
        if self.passed < self._next:
            return False
        self._next = self.passed + _EVERY
        return True


def paced(items: Sequence[T], what: str) -> Iterator[T]:
    """Yield items; where it takes long, log how many are done and how long the rest takes.

    Args:
        items: what is worked on, one after the other.
        what: what they are, in the plural.
    """
    reminder = Reminder()
    for done, item in enumerate(items):
        if done and reminder.is_due():
            left = reminder.passed / done * (len(items) - done)
            _LOG.info("%s: %d of %d, about %s left", what, done, len(items), duration(left))
        yield item


class TrainingPace:
    """The pace of a training: seconds per batch of each stage, and what is left of it.

    Args:
        stages: in their order.
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = stages
        self._spent: dict[str, tuple[float, int]] = {}  # by stage: time [s], batches
        self._reminder = Reminder()

    def per_batch(self) -> dict[str, float]:
        """Return the time of a batch of each stage that has had one [s], what comes between included."""
        return {name: seconds / batches for name, (seconds, batches) in self._spent.items()}

    def stage_of(self, epoch: int) -> tuple[Stage, int]:
        """Return the stage of an epoch, and the epoch's number in it; after the last the last."""
        for stage in self._stages[:-1]:
            if epoch < stage.epochs:
                return stage, epoch
            epoch -= stage.epochs
        return self._stages[-1], epoch

    def over(self, batches: Iterable[T], epoch: int, most: int | None = None) -> Iterator[T]:
        """Yield the batches of an epoch, and log now and then how much is done and left.

        Args:
            batches: of the epoch.
            epoch: its number.
            most: end after so many; None: all.
        """
        stage, number = self.stage_of(epoch)
        for done, batch in enumerate(batches, 1):
            start = time.monotonic()
            yield batch
            seconds, count = self._spent.get(stage.name, (0.0, 0))
            self._spent[stage.name] = seconds + time.monotonic() - start, count + 1
            if done == most:
                return
            if self._reminder.is_due():
                _LOG.info(
                    "%s, epoch %d of %d, batch %d of %d: %s",
                    stage.name,
                    number + 1,
                    stage.epochs,
                    done,
                    stage.batches,
                    self._left(epoch, done),
                )

    def _left(self, epoch: int, done: int) -> str:
        """Return how long it still takes, in words."""
        rates = self.per_batch()
        left, unknown = 0.0, []
        before = 0
        for stage in self._stages:
            epochs = min(stage.epochs, max(0, before + stage.epochs - epoch))
            here = before <= epoch < before + stage.epochs
            before += stage.epochs
            batches = epochs * stage.batches - (done if here else 0)
            if batches > 0 and stage.name not in rates:
                unknown.append(stage.name)
            left += batches * rates.get(stage.name, 0.0)
        beside = f", and then the {' and the '.join(unknown)}" if unknown else ""
        return f"about {duration(left)} left{beside}"


def duration(seconds: float) -> str:
    """Return a duration in words, in seconds, minutes or hours."""
    if seconds < 90.0:
        return f"{seconds:.0f} s"
    if seconds < 5400.0:
        return f"{seconds / 60.0:.0f} min"
    return f"{seconds / 3600.0:.1f} h"


@dataclass(frozen=True)
class Plan:
    """What a training would do, and how long it takes here.

    Attributes:
        clips: what it learns from: how many of each label.
        held_out: what of it only judges.
        making: time to make or read them [s].
        stages: its epochs.
        per_batch: time of a batch of each stage [s].
    """

    clips: dict[str, int]
    held_out: int
    making: float
    stages: tuple[Stage, ...]
    per_batch: dict[str, float]

    @property
    def seconds(self) -> float:
        """Time of it all [s]."""
        training = sum(
            stage.epochs * stage.batches * self.per_batch.get(stage.name, 0.0) for stage in self.stages
        )
        return self.making + training
