"""The frame of all trainings: epochs, log, TensorBoard events, and a state to resume from."""

import logging
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import nn
from torch.optim import Optimizer

from text2gesture_ros.model_directory import STATE_FILE, check_torch_device, write_progress
from text2gesture_ros.training.pace import Stage, TrainingPace
from text2gesture_ros.training.state import read_state, write_state

T = TypeVar("T")
_REHEARSED = 4  # batches of each stage by which a training's time is told; the first is left out


class EpochTraining(ABC):
    """A training that resumes after its last whole epoch and ends with the weights of an uninterrupted one.

    Random numbers are seeded anew for each epoch: an epoch depends on the saved state and on nothing else.

    Args:
        seed: of weights, data and order.
        output: the model directory to write, with log, events and state in its folder training/; None: write
            nothing.
        device: auto, cpu or cuda.
        logger: its messages go into the log.
        precision: of products: "no" for float32, or "bf16".

    Raises:
        ConfigurationError: the device is unknown or not there.
    """

    def __init__(
        self, seed: int, output: Path | None, device: str, logger: logging.Logger, precision: str = "no"
    ) -> None:
        check_torch_device(device)
        self.output = output
        self.epoch = 0  # whole epochs done
        self._seed, self._logger = seed, logger
        self._asked = False  # to stop
        self._most: int | None = None  # batches of an epoch, in a rehearsal
        self.accelerator = Accelerator(
            cpu=device == "cpu",
            mixed_precision=precision,
            log_with="tensorboard" if output else None,
            project_dir=str(output / "training") if output else None,
        )
        set_seed(seed)

    @property
    @abstractmethod
    def finished(self) -> bool:
        """Whether no epoch is left."""

    @property
    @abstractmethod
    def stages(self) -> tuple[Stage, ...]:
        """The epochs of each kind, in their order."""

    @abstractmethod
    def train_epoch(self) -> None:
        """Train for one epoch; `epoch` counts those before."""

    @abstractmethod
    def state(self) -> tuple[nn.Module, Mapping[str, Optimizer]]:
        """Return what is saved after an epoch: network (not wrapped for several machines), optimisers."""

    def progress(self) -> dict[str, int | float]:
        """Return what else is saved after an epoch."""
        return {"epoch": self.epoch}

    def restore(self, progress: Mapping[str, int | float]) -> None:
        """Take over what `progress` returned."""
        self.epoch = int(progress["epoch"])

    @abstractmethod
    def finish(self) -> None:
        """Do what is left after the last epoch, in the process that writes files."""

    def epoch_seed(self) -> int:
        """Return the seed of the next epoch."""
        return self._seed + self.epoch

    @cached_property
    def _pace(self) -> TrainingPace:
        return TrainingPace(self.stages)

    def paced(self, batches: Iterable[T]) -> Iterator[T]:
        """Yield the batches of this epoch, and log now and then how long the training still takes."""
        for batch in self._pace.over(batches, self.epoch, self._most):
            yield batch
            self._stop_if_asked()

    def _stop_if_asked(self) -> None:
        if self._asked:
            raise KeyboardInterrupt

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Let Ctrl-C end the training between two batches: in an export it would be lost, or crash.

        The second one ends it at once.
        """

        def ask(*_: object) -> None:
            if self._asked:
                raise KeyboardInterrupt
            self._asked = True
            self._logger.info("stopping after this batch; Ctrl-C again: at once")

        if threading.current_thread() is not threading.main_thread():
            yield  # signals are for the main thread alone
            return
        before = signal.signal(signal.SIGINT, ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def rehearse(self) -> dict[str, float]:
        """Return the time of a batch of each stage [s], by a few of them; the network is spoilt after it."""
        found: dict[str, float] = {}
        first = 0
        for stage in self.stages:
            if stage.epochs:
                self.epoch = first
                for self._most in (1, _REHEARSED):
                    self._pace = TrainingPace(self.stages)  # what is done for the first time takes longer
                    self.train_epoch()
                found |= self._pace.per_batch()
            first += stage.epochs
        return found

    @property
    def is_writer(self) -> bool:
        """Whether this process writes files: of several machines, one does."""
        return bool(self.output and self.accelerator.is_main_process)

    def run(self, *, resume: bool = False) -> None:
        """Train from the start, or from the last whole epoch on, and write the model.

        Raises:
            ConfigurationError: there is nothing to resume, it is damaged or belongs to another network.
        """
        if resume and self.output:
            self.restore(read_state(self.output / STATE_FILE, *self.state(), self.progress()))
        with self._log(), self._interruptible():
            self.accelerator.init_trackers("events")
            while not self.finished:
                self.run_epoch()
                self._stop_if_asked()
            self.accelerator.end_training()
            if self.is_writer:
                self.finish()
                self._note_progress(finished=True)

    def run_epoch(self) -> None:
        """Train for one epoch and save the state."""
        set_seed(self.epoch_seed())
        self.train_epoch()
        self.epoch += 1
        if self.output and self.is_writer:
            write_state(self.output / STATE_FILE, *self.state(), self.progress())
            self._note_progress(finished=False)

    def _note_progress(self, *, finished: bool) -> None:
        assert self.output is not None
        write_progress(self.output, self.epoch, sum(stage.epochs for stage in self.stages), finished=finished)

    @contextmanager
    def _log(self) -> Iterator[None]:
        """Append messages from INFO on to training/log.txt."""
        if self.output is None:
            yield
            return
        folder = self.output / "training"
        folder.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(folder / "log.txt")
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        self._logger.addHandler(handler)
        self._logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            self._logger.removeHandler(handler)
            handler.close()
