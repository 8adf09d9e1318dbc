"""Training of the gesture recogniser on clips of the studio and in the wild, and on recordings by others."""

import logging
import math
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import compress
from operator import not_
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.geometry import FloatArray, softmax
from text2gesture_ros.labels import GESTURES
from text2gesture_ros.model_directory import open_model, save_model
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.training.checks import check_values
from text2gesture_ros.training.epochs import EpochTraining
from text2gesture_ros.training.pace import Plan, Stage
from text2gesture_ros.training.recogniser.data import Augmentation, Clips, IntArray, drawn
from text2gesture_ros.training.recogniser.export import export_graphs
from text2gesture_ros.training.recogniser.recordings import read_recordings
from text2gesture_ros.training.recogniser.wild import wild
from text2gesture_ros.training.studio.synthesis import distractors, is_held_out, parts
from text2gesture_ros.understanding.recogniser import LABELS, OTHER, RATE, WINDOW, Recogniser
from text2gesture_ros.understanding.recognition_network import (
    RecognitionNetwork,
    RecognitionNetworkConfig,
    network_config,
)

_LOG = logging.getLogger(__name__)
_LOG_EVERY = 20  # batches
_RISING = 50  # batches of the learning rate's warm-up
_SHORTEST_WINDOW = 15  # shortest window of a batch [frames]; the cost of a batch grows with it


_BOUNDS = {
    "seed": (0, 2**31),
    **dict.fromkeys(
        ("clips_per_gesture", "distractors", "wild", "wild_others", "epochs", "batches"), (1, 1_000_000)
    ),
    "batch_size": (2, 4096),
    "learning_rate": (1e-7, 1.0),
}


@dataclass(frozen=True)
class RecogniserTrainingConfig:
    """Everything a training of the recogniser depends on.

    Attributes:
        name: what the model calls itself.
        seed: of data, augmentation, weights and order.
        clips_per_gesture: clips the studio makes of each gesture.
        held_out_share: part of its performers that is not trained on.
        distractors: clips that are none of the gestures.
        wild: clips of each gesture in the wild, see `wild.wild`.
        wild_others: clips in the wild that are none of the gestures.
        other_share: part of a batch that is none of the gestures.
        wild_share: part of a batch taken from clips in the wild.
        recordings_share: part of a batch taken from recordings, where there are some.
        validation_joins: whether the recordings by which settings were chosen are learnt, too: for the last
            training, when nothing is left to choose.
        batch_size: clips per batch.
        epochs: after each the state to resume from is written.
        batches: per epoch.
        learning_rate: of AdamW at its highest; it rises over the first
            50 batches, an epoch at the most, and falls along a cosine.
        weight_decay: of AdamW.
        label_smoothing: probability taken from the right label and given to all alike.
        rejected: part of the held-out gestures that the threshold may reject.
        precision: of the products in training: "no" for all of it, or "bf16", quicker where there is such.
        network: the sizes of the model.
        augmentation: how much chance there is in a clip.

    Raises:
        ConfigurationError: a value is out of range.
    """

    name: str = "recogniser"
    seed: int = 0
    clips_per_gesture: int = 300
    held_out_share: float = 0.05
    distractors: int = 600
    wild: int = 300
    wild_others: int = 600
    other_share: float = 0.15
    wild_share: float = 0.4
    recordings_share: float = 0.2
    validation_joins: bool = False
    batch_size: int = 48
    epochs: int = 40
    batches: int = 50
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    label_smoothing: float = 0.05
    rejected: float = 0.05
    precision: str = "no"
    network: RecognitionNetworkConfig = field(default_factory=RecognitionNetworkConfig)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        check_values(self, _BOUNDS, {"precision": ("no", "bf16")}, others=(0.0, 0.9))
        check_values(self.augmentation, {}, others=(0.0, 10.0), prefix="augmentation.")
        if self.wild_share + self.recordings_share >= 1.0:
            raise ConfigurationError(
                f"wild_share {self.wild_share} and recordings_share {self.recordings_share}"
                " leave the studio none"
            )

    def rate_factor(self, step: int) -> float:
        """Return the factor on the learning rate: rising at first, then falling on half a cosine."""
        rising = min(1.0, (step + 1) / min(self.batches, _RISING))
        return rising * (0.5 + 0.5 * math.cos(math.pi * step / (self.epochs * self.batches)))


def load_config(path: Path) -> RecogniserTrainingConfig:
    """Read a training file (YAML).

    Raises:
        ConfigurationError: it cannot be read, has an unknown key, or a value is out of range.
    """
    kinds = {"network": RecognitionNetworkConfig, "augmentation": Augmentation}
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        given = {key: kinds[key](**value) if key in kinds else value for key, value in values.items()}
        return RecogniserTrainingConfig(**given)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"{path}: no training file of the recogniser: {reason}") from None
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def train(
    config: Path,
    output: Path,
    *,
    resume: bool = False,
    device: str = "auto",
    recordings: Path | None = None,
    table: Path | None = None,
    without: Collection[str] = (),
) -> None:
    """Train a recogniser and write it as a model directory.

    Log, TensorBoard events and the state to resume from are in its folder training/, which running the model
    does not need.

    Args:
        config: the training file (YAML).
        output: the model directory to write.
        resume: go on after the last whole epoch of an interrupted training; the result is the same.
        device: auto, cpu or cuda.
        recordings: a folder of recordings; those of the table's part "train" join the training, those of
            "validation" where the training file says so.
        table: which recording shows what, see `data.read_recordings`.
        without: sources whose recordings do not join, so that the model can be measured on them.

    Raises:
        ConfigurationError: the training file is wrong, no such device, or there is nothing to resume
            or what there is does not fit.
        InputError: a recording is missing or cannot be read.
    """
    values = load_config(config)
    motions = _motions(values, recordings, table, without)
    RecogniserTraining(values, output, device, motions).run(resume=resume)


def plan(
    config: Path,
    *,
    device: str = "auto",
    recordings: Path | None = None,
    table: Path | None = None,
    without: Collection[str] = (),
) -> Plan:
    """Return what `train` would do, by a few batches; arguments and errors as there."""
    values = load_config(config)
    start = time.monotonic()
    motions = _motions(values, recordings, table, without)
    read = time.monotonic() - start
    # A few clips tell the time that a clip and a batch take.
    few = replace(values, clips_per_gesture=4, held_out_share=0.25, distractors=8, wild=4, wild_others=8)
    start = time.monotonic()
    rehearsal = RecogniserTraining(few, None, device, motions)
    per_clip = (time.monotonic() - start) / _made(few)
    counts = Counter(motion.gesture or OTHER for motion in motions)
    counts.update(dict.fromkeys(GESTURES, values.clips_per_gesture + values.wild))
    counts[OTHER] += values.distractors + values.wild_others
    held_out = round(values.held_out_share * _made(values))
    making = read + per_clip * _made(values)
    per_batch = rehearsal.rehearse()
    return Plan(dict(counts), held_out, making, rehearsal.stages, per_batch)


def _made(config: RecogniserTrainingConfig) -> int:
    """Return how many clips the studio makes."""
    return len(GESTURES) * (config.clips_per_gesture + config.wild) + config.distractors + config.wild_others


def _motions(
    config: RecogniserTrainingConfig, recordings: Path | None, table: Path | None, without: Collection[str]
) -> list[Motion]:
    """Return the recordings that join the training."""
    motions: list[Motion] = []
    if recordings is not None and table is not None:
        for part in ("train", "validation") if config.validation_joins else ("train",):
            found = read_recordings(recordings, table, part)
            motions += [each.motion for each in found if each.source not in without]
    return motions


def export(path: Path) -> None:
    """Write the graph of a recogniser's directory anew.

    Raises:
        ModelError: it is no recogniser.
    """
    model = open_model(str(path.resolve()), "recogniser")
    export_graphs(model.path, network_config(model.config, str(model.path)))


class RecogniserTraining(EpochTraining):
    """One training of the recogniser.

    Args:
        config: what the training depends on.
        output: the model directory to write; None writes nothing.
        device: auto, cpu or cuda.
        recordings: motions by others to train on, labelled; without a gesture they are `other`.

    Raises:
        ConfigurationError: the device is unknown or not there, or no clip is held out.
    """

    def __init__(
        self,
        config: RecogniserTrainingConfig,
        output: Path | None,
        device: str = "auto",
        recordings: list[Motion] | None = None,
    ) -> None:
        super().__init__(config.seed, output, device, _LOG, config.precision)
        self.config = config
        training, self.held_out = parts(config.seed, config.clips_per_gesture, config.held_out_share)
        others = distractors(config.seed, config.distractors)
        out = round(config.held_out_share * len(others))
        strangers = wild(config.seed, config.wild, config.wild_others)
        kept = [not is_held_out(index, config.held_out_share) for index in range(len(strangers))]
        self.held_out += [*others[:out], *compress(strangers, map(not_, kept))]
        if not self.held_out:
            raise ConfigurationError(
                f"held_out_share {config.held_out_share} of {config.clips_per_gesture} clips_per_gesture and"
                f" {config.distractors} distractors is none: temperature and threshold need some"
            )
        self.batches = _Batches(
            [*training, *others[out:]], list(compress(strangers, kept)), recordings or [], config
        )
        self.network = RecognitionNetwork(config.network)
        optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        loader = DataLoader(self.batches, batch_size=None)
        self.model, self.optimizer, self.loader = self.accelerator.prepare(self.network, optimizer, loader)
        self.loss = nn.CrossEntropyLoss(label_smoothing=config.label_smoothing)
        self.history: list[float] = []

    @property
    def finished(self) -> bool:
        """Whether no epoch is left."""
        return self.epoch >= self.config.epochs

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All epochs are alike."""
        return (Stage("recogniser", self.config.epochs, self.config.batches),)

    def state(self) -> tuple[nn.Module, Mapping[str, torch.optim.Optimizer]]:
        """Return network and optimiser."""
        return self.network, {"optimizer": self.optimizer}

    def finish(self) -> None:
        """Write the model directory, with temperature and threshold by the held-out clips."""
        assert self.output is not None
        config = {
            "kind": "recogniser",
            "name": self.config.name,
            "labels": {"gesture": list(GESTURES)},
            "temperature": 1.0,
            "threshold": 0.0,
            "network": asdict(self.config.network),
            "training": {k: v for k, v in asdict(self.config).items() if k not in ("name", "network")},
        }
        weights = {name: value.cpu().numpy() for name, value in self.network.state_dict().items()}
        save_model(self.output, config, weights)
        export_graphs(self.output, self.config.network)
        # By the very runtime that will use them.
        clips = Clips.of(self.held_out)
        generator = np.random.default_rng([self.config.seed, 1])
        positions, mask = clips.seen(
            np.arange(len(clips.labels)), WINDOW, self.config.augmentation, generator
        )
        motions = [Motion(each[kept > 0.0], RATE) for each, kept in zip(positions, mask, strict=True)]
        logits, _ = Recogniser(str(self.output.resolve())).outputs(motions)
        found = calibrated(logits, clips.labels, self.config.rejected)
        _LOG.info("calibrated on %d held-out clips: %s", len(motions), found)
        exported = open_model(str(self.output.resolve())).config
        save_model(self.output, {**exported, **found}, weights)

    def train_epoch(self) -> None:
        """Train on one epoch's batches."""
        self.batches.epoch = self.epoch
        self.model.train()
        start = time.monotonic()
        right = shown = 0
        for index, batch in enumerate(self.paced(self.loader)):
            step = self.epoch * self.config.batches + index
            for group in self.optimizer.param_groups:
                group["lr"] = self.config.learning_rate * self.config.rate_factor(step)
            logits, _ = self.model(batch["positions"], batch["mask"])  # (B, C, M)
            labels = batch["labels"]
            loss = self.loss(logits, labels[:, None].expand(-1, logits.shape[2]))  # each member learns alone
            self.optimizer.zero_grad()
            self.accelerator.backward(loss)
            self.accelerator.clip_grad_norm_(self.model.parameters(), 5.0)
            self.optimizer.step()
            self.history.append(float(loss.detach()))
            right += int((logits.mean(dim=2).argmax(dim=1) == labels).sum())
            shown += len(logits)
            if index % _LOG_EVERY == 0:
                self.accelerator.log({"loss": self.history[-1], "accuracy": right / shown}, step=step)
        _LOG.info(
            "epoch %d of %d, %.0f s: loss %.3f, accuracy %.3f",
            self.epoch + 1,
            self.config.epochs,
            time.monotonic() - start,
            float(np.mean(self.history[-self.config.batches :])),
            right / shown,
        )


class _Batches(Dataset[dict[str, Tensor]]):
    """Batches by number; what is in one depends on seed, epoch and number alone."""

    def __init__(
        self,
        motions: list[Motion],
        strangers: list[Motion],
        recordings: list[Motion],
        config: RecogniserTrainingConfig,
    ) -> None:
        self.epoch = 0
        self._config = config
        shares = (config.wild_share, config.recordings_share if recordings else 0.0)
        pools = ((motions, 1.0 - sum(shares)), *zip((strangers, recordings), shares, strict=True))
        self._pools = [(Clips.of(clips), share) for clips, share in pools if share > 0.0]

    def __len__(self) -> int:
        return self._config.batches

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        if index >= len(self):
            raise IndexError(index)
        config = self._config
        generator = np.random.default_rng([config.seed, 2, self.epoch, index])
        window = int(generator.integers(_SHORTEST_WINDOW, WINDOW + 1))
        seen = []
        chosen = drawn(self._pools, config.batch_size, config.other_share, generator)
        for (clips, _), own in zip(self._pools, chosen, strict=True):
            if len(own):
                seen.append((*clips.seen(own, window, config.augmentation, generator), clips.labels[own]))
        positions, mask, labels = (np.concatenate(each) for each in zip(*seen, strict=True))
        return {
            "positions": torch.from_numpy(positions),
            "mask": torch.from_numpy(mask),
            "labels": torch.from_numpy(labels),
        }


def calibrated(logits: FloatArray, labels: IntArray, rejected: float) -> dict[str, Any]:
    """Return temperature and threshold by clips the network has not seen.

    The temperature makes the right labels likeliest (Guo et al., On Calibration of Modern Neural Networks,
    2017, sec. 4.2); the threshold lets through all but a part of the gestures that are recognised.

    Args:
        logits: (B, C).
        labels: (B,) the right ones.
        rejected: the part of rightly recognised gestures that may be rejected.
    """

    def loss(temperature: float) -> float:
        right = softmax(logits / temperature)[np.arange(len(labels)), labels]
        return -float(np.log(np.maximum(right, 1e-12)).mean())

    temperature = min(np.geomspace(0.2, 5.0, 200).tolist(), key=loss)
    probabilities = softmax(logits / temperature)
    right = (probabilities.argmax(axis=1) == labels) & (labels != LABELS.index(OTHER))
    threshold = np.quantile(probabilities[right].max(axis=1), rejected) if right.any() else 0.0
    return {"temperature": round(temperature, 4), "threshold": round(float(threshold), 4)}
