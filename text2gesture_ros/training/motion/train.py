"""Training of the motion model: the embedder first, then the generator (paper, sec. 3.2)."""

import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.generation.motion_network import (
    WHOLE_CLIP_EVERY,
    Embedder,
    MotionNetwork,
    network_config,
)
from text2gesture_ros.labels import GESTURES, TASKS
from text2gesture_ros.model_directory import Slots, open_model, save_model
from text2gesture_ros.motion.motion import FRAME_RATE
from text2gesture_ros.skeleton import JOINTS
from text2gesture_ros.training.epochs import EpochTraining
from text2gesture_ros.training.motion.clips import motion_clips, sources
from text2gesture_ros.training.motion.config import MotionTrainingConfig, load_config
from text2gesture_ros.training.motion.data import Batch, MotionClips, Normalisation, furthest_step, split
from text2gesture_ros.training.motion.export import export_graphs
from text2gesture_ros.training.motion.health import health
from text2gesture_ros.training.motion.objective import GeneratorObjective, head_factors
from text2gesture_ros.training.motion.repertoire import Repertoire
from text2gesture_ros.training.pace import Plan, Stage
from text2gesture_ros.training.studio.synthesis import is_held_out

_LOG = logging.getLogger(__name__)
_LOG_EVERY = 20  # batches
_EXAMINED = 48  # held-out clips on which figures are logged after each epoch of the generator


def train(
    config: Path,
    output: Path,
    *,
    resume: bool = False,
    device: str = "auto",
    data: Sequence[str] = (),
    studio: str | None = None,
) -> None:
    """Train a motion model and write it as a model directory after every epoch of the generator.

    Log, TensorBoard events and the state to resume from are in its folder training/, which running the model
    does not need.

    Args:
        config: the training file (YAML).
        output: the model directory to write.
        resume: go on after the last whole epoch of an interrupted training; the result is the same.
        device: auto, cpu or cuda.
        data: folders of recordings, beside those of the training file.
        studio: what of the studio's clips is trained on, instead of what the training file says.

    Raises:
        ConfigurationError: the training file is wrong, no such device, or there is nothing to resume
            or what there is does not fit.
        InputError: recordings cannot be used.
    """
    MotionTraining(_values(config, data, studio), output, device).run(resume=resume)


def plan(config: Path, *, device: str = "auto", data: Sequence[str] = (), studio: str | None = None) -> Plan:
    """Return what `train` would do, by a few batches; arguments and errors as there."""
    values = _values(config, data, studio)
    start = time.monotonic()
    own, wanted = sources(values)
    read = time.monotonic() - start
    training, held_out = split(own, values.held_out_share)
    share = values.held_out_share if wanted else 0.0
    performers = [is_held_out(index, share) for index in range(values.clips_per_gesture)]
    counts = Counter(clip.gesture for clip in training)
    counts.update({gesture: performers.count(False) for gesture in wanted})
    # A few clips tell the time that a clip and a batch take; how many there are, the counts do.
    least = -(-2 * values.batch_size // (len(GESTURES) * (1 + values.augmentations)))
    few = replace(values, data=(), studio="all", clips_per_gesture=max(3, least))
    start = time.monotonic()
    rehearsal = MotionTraining(few, None, device)
    per_clip = (time.monotonic() - start) / (few.clips_per_gesture * len(GESTURES))
    batches = counts.total() * (1 + values.augmentations) // values.batch_size
    stages = tuple(replace(stage, batches=batches) for stage in rehearsal.stages)
    making = read + per_clip * values.clips_per_gesture * len(wanted)
    held = len(held_out) + performers.count(True) * len(wanted)
    return Plan(dict(counts), held, making, stages, rehearsal.rehearse())


def _values(config: Path, data: Sequence[str], studio: str | None) -> MotionTrainingConfig:
    values = load_config(config)
    if data or studio:
        values = replace(values, data=(*values.data, *data), studio=studio or values.studio)
    return values


def export(path: Path) -> None:
    """Write the graphs of a motion model directory anew.

    Raises:
        ModelError: it is no motion model directory.
    """
    model = open_model(str(path.resolve()), "motion")
    export_graphs(model.path, network_config(model.config, str(model.path)))


@dataclass(frozen=True)
class MotionData:
    """The clips of a training.

    Attributes:
        normalisation: the body and the scale of the clips.
        furthest: largest step of a joint from frame to frame [m].
        clips: the training clips as they are.
        versions: the training clips and their augmented versions.
        held_out: clips on which figures are logged; None where none is held out.
    """

    normalisation: Normalisation
    furthest: float
    clips: MotionClips
    versions: MotionClips
    held_out: MotionClips | None

    @classmethod
    def of(cls, config: MotionTrainingConfig) -> "MotionData":
        """Make the clips of a training.

        Raises:
            ConfigurationError: there are too few for one batch.
            InputError: recordings cannot be used.
        """
        training, held_out = motion_clips(config)
        normalisation = Normalisation.of(training)
        zero = config.padding == "zero"
        examined = held_out[:: max(1, len(held_out) // _EXAMINED)][:_EXAMINED]
        versions = MotionClips(
            training,
            normalisation,
            config.frames,
            augmentations=config.augmentations,
            removed_share=config.removed_share,
            seed=config.seed,
            zero_padding=zero,
        )
        if len(versions) < config.batch_size:
            raise ConfigurationError(f"batch_size {config.batch_size} is more than {len(versions)} clips")
        return cls(
            normalisation,
            furthest_step(training, normalisation.bone_lengths),
            MotionClips(training, normalisation, config.frames, zero_padding=zero),
            versions,
            MotionClips(examined, normalisation, config.frames, zero_padding=zero) if examined else None,
        )


class MotionTraining(EpochTraining):
    """One training of the motion model: the embedder's epochs, then the generator's.

    Args:
        config: what the training depends on.
        output: the model directory to write; None writes nothing.
        device: auto, cpu or cuda.

    Raises:
        ConfigurationError: the device is unknown or not there, or there are too few clips.
        InputError: recordings cannot be used.
    """

    def __init__(self, config: MotionTrainingConfig, output: Path | None, device: str = "auto") -> None:
        super().__init__(config.seed, output, device, _LOG)
        self.config = config
        self.data = MotionData.of(config)
        self.order = _EpochSampler(len(self.data.versions), config.seed)
        loader = DataLoader(self.data.versions, config.batch_size, sampler=self.order, drop_last=True)
        self.network = MotionNetwork(config.network)
        self.network.generator.set_body(**asdict(self.data.normalisation))
        if config.network.whole_clip:
            _start_whole(self.network.embedder, self.data.clips, config.head_importance)
        self.objective = GeneratorObjective(config, self.network.embedder)
        embedder, rest = self.network.embedder.parameters(), self.network.named_parameters()
        optimizers = (
            torch.optim.Adam(embedder, lr=config.embedder_learning_rate),
            torch.optim.Adam(
                [value for name, value in rest if not name.startswith("embedder.")], lr=config.learning_rate
            ),
        )
        self.embedder, self.generator, *prepared, self.loader = self.accelerator.prepare(
            self.network.embedder, self.network.generator, *optimizers, loader
        )
        self.optimizers = dict(zip(("embedder_optimizer", "optimizer"), prepared, strict=True))
        self.graphs: Mapping[str, Slots] = {}

    @property
    def finished(self) -> bool:
        """Whether no epoch is left."""
        return self.epoch >= self.config.embedder_epochs + self.config.generator_epochs

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The embedder's epochs, then the generator's."""
        count = len(self.loader)
        return (
            Stage("embedder", self.config.embedder_epochs, count),
            Stage("generator", self.config.generator_epochs, count),
        )

    def state(self) -> tuple[nn.Module, Mapping[str, torch.optim.Optimizer]]:
        """Return network and optimisers."""
        return self.network, self.optimizers

    def progress(self) -> dict[str, int | float]:
        """Return the numbers of epochs done and of batches with an embedding loss."""
        return super().progress() | {"converged": self.objective.converged}

    def restore(self, progress: Mapping[str, int | float]) -> None:
        """Take over what `progress` returned."""
        super().restore(progress)
        self.objective.converged = int(progress["converged"])

    def train_epoch(self) -> None:
        """Train the embedder or, after its epochs, the generator, and write the model."""
        self.order.epoch = self.epoch
        if self.epoch < self.config.embedder_epochs:
            self._train_embedder()
            return
        self._train_generator()
        if self.is_writer:
            if self.data.held_out:
                self._examine(self.data.held_out)
            self.save()

    def finish(self) -> None:
        """Do nothing: each epoch of the generator has written the model."""

    def save(self) -> None:
        """Write the model directory: what running the model needs, and nothing else."""
        assert self.output is not None
        weights = {name: value.cpu().numpy() for name, value in self.network.state_dict().items()}
        weights |= self._repertoire()
        for name, value in asdict(self.data.normalisation).items():
            weights[f"normalisation.{name}"] = value
        config = {
            "kind": "motion",
            "name": self.config.name,
            "labels": {task: list(TASKS[task]) for task in ("gesture", "emotion")},
            "frame_rate": FRAME_RATE,
            "max_frames": self.config.frames,
            "smoothing": self.config.smoothing,
            "furthest": self.data.furthest,
            "stop_token": self.config.stop_token,
            "network": asdict(self.config.network),
            "training": {k: v for k, v in asdict(self.config).items() if k not in ("name", "network")}
            | {"data": [Path(folder).name for folder in self.config.data]},  # names, no paths
        }
        save_model(self.output, {**config, "graphs": self.graphs}, weights)
        if not self.graphs:  # the graphs depend on the sizes alone
            self.graphs = export_graphs(self.output, self.config.network)

    def _repertoire(self) -> dict[str, np.ndarray]:
        """Return what generation starts from: the clips' embeddings, or what stands for them."""
        self.embedder.eval()
        found: list[tuple[Tensor, ...]] = []
        for batch in DataLoader(self.data.clips, self.config.batch_size):
            with torch.no_grad():
                embedding = self._condition(self._here(batch)).cpu()
            found.append((embedding, batch["gesture"], batch["emotion"], batch["mirrored"]))
        clips = Repertoire(*(torch.cat(parts).numpy() for parts in zip(*found, strict=True))).completed()
        # Vectors of classes are one and the same for all clips of a class.
        components = 1 if self.config.network.condition == "class" else self.config.components
        return (clips.summarised(components, self.config.seed) if components else clips).weights()

    def _train_embedder(self) -> None:
        self.embedder.train()
        optimizer = self.optimizers["embedder_optimizer"]
        start = time.monotonic()
        for index, batch in enumerate(self.paced(self.loader)):
            loss = self.objective.triplet_loss(self.embedder(batch["frames"]), batch)
            optimizer.zero_grad()
            self.accelerator.backward(loss)
            optimizer.step()
            self._report("embedder", index, start, {"triplet": loss})

    def _train_generator(self) -> None:
        # The embedder's batch normalisation stays as the triplets left it, also where it learns on.
        self.embedder.eval()
        self.generator.train()
        learns = self.config.embedder_learns
        total = self.config.generator_epochs * len(self.loader)
        first = (self.epoch - self.config.embedder_epochs) * len(self.loader)
        start = time.monotonic()
        for index, batch in enumerate(self.paced(self.loader)):
            passed = (first + index) / total
            self._set_rates(passed)
            with torch.set_grad_enabled(learns or self.config.network.condition == "class"):
                embedding = self._condition(batch)  # (B, D)
            given = self._with_noise(embedding)
            frames, logits = self.generator(
                given, self.config.steps, batch["frames"], self.config.true_frames_share(passed)
            )  # (B, N, M), (B, N - 1)
            parts = self.objective.losses(batch, embedding, frames, logits, passed)
            for optimizer in self.optimizers.values():
                optimizer.zero_grad()
            self.accelerator.backward(parts["total"])
            if self.config.gradient_clip:
                norm = self.accelerator.clip_grad_norm_(self.network.parameters(), self.config.gradient_clip)
                parts["gradient_norm"] = norm
            self.optimizers["optimizer"].step()
            if learns:
                self.optimizers["embedder_optimizer"].step()
            self._report("generator", index, start, parts)

    def _condition(self, batch: Batch) -> Tensor:
        """Return what the generator starts from: (B, D)."""
        if self.config.network.condition == "class":
            return self.network.class_vectors(batch["gesture"], batch["emotion"])
        embedding: Tensor = self.embedder(batch["frames"])
        return embedding

    def _here(self, batch: Batch) -> Batch:
        """Return a batch on the device of the training."""
        moved = {
            name: value.to(self.accelerator.device) for name, value in cast(dict[str, Tensor], batch).items()
        }
        return cast(Batch, moved)

    def _with_noise(self, embedding: Tensor) -> Tensor:
        """Return embeddings with noise in proportion to each coordinate's spread: (B, D) -> (B, D)."""
        if not self.config.embedding_noise:
            return embedding
        spread = embedding.detach().std(dim=0, keepdim=True)  # (1, D)
        return embedding + self.config.embedding_noise * spread * torch.randn_like(embedding)

    def _set_rates(self, passed: float) -> None:
        factor = self.config.rate_factor(passed)
        rates = (self.config.embedder_learning_rate, self.config.learning_rate)
        for optimizer, rate in zip(self.optimizers.values(), rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor

    def _examine(self, held_out: MotionClips) -> None:
        """Log the figures of `health` on held-out clips."""
        batch = self._here(next(iter(DataLoader(held_out, len(held_out)))))
        self.embedder.eval()
        self.generator.eval()
        with torch.no_grad():
            frames, logits = self.generator(self._condition(batch), self.config.steps)
        made, real = (
            (x.cpu().numpy() * self.data.normalisation.deviation + self.data.normalisation.mean).reshape(
                *x.shape[:2], len(JOINTS), 3
            )
            for x in (frames, batch["frames"])
        )
        values = health(
            made,
            torch.sigmoid(logits).cpu().numpy(),
            real,
            batch["length"].cpu().numpy(),
            batch["gesture"].cpu().numpy(),
        )
        shown = "  ".join(f"{name} {value:.3f}" for name, value in values.items())
        _LOG.info("held out, epoch %d: %s", self.epoch + 1, shown)
        self.accelerator.log(
            {f"held_out/{k}": v for k, v in values.items()}, step=(self.epoch + 1) * len(self.loader)
        )

    def _report(self, stage: str, index: int, start: float, losses: Mapping[str, Tensor]) -> None:
        """Log the losses of every twentieth batch and of the last."""
        count = len(self.loader)
        if index % _LOG_EVERY and index + 1 < count:
            return
        values = {name: float(value.detach()) for name, value in losses.items()}
        _LOG.info(
            "%s, epoch %d, batch %d of %d, %.0f s: %s",
            stage,
            self.epoch + 1,
            index + 1,
            count,
            time.monotonic() - start,
            "  ".join(f"{name} {value:.4f}" for name, value in values.items()),
        )
        self.accelerator.log(values, step=self.epoch * count + index)


def _start_whole(embedder: Embedder, clips: MotionClips, head_importance: float) -> None:
    """Let the layer that sees whole clips start as their principal components, each with deviation 1."""
    importance = head_factors(head_importance)  # (M,)
    rows = torch.stack(
        [(clips[index]["frames"][::WHOLE_CLIP_EVERY] * importance).flatten() for index in range(len(clips))]
    )  # (E, N / 4 * M)
    layer, count = embedder.whole, min(embedder.whole.out_features, len(rows) - 1)
    found = PCA(count, svd_solver="randomized", random_state=0).fit(rows.numpy())
    scaled = found.components_ / np.sqrt(found.explained_variance_)[:, None]  # (D, N / 4 * M)
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.zero_()
        layer.weight[:count] = torch.from_numpy(scaled) * importance.repeat(len(scaled[0]) // len(importance))
        layer.bias[:count] = torch.from_numpy(-scaled @ found.mean_)


class _EpochSampler(Sampler[int]):
    """A random order that depends on seed and epoch alone: a resumed training sees the same batches."""

    def __init__(self, count: int, seed: int) -> None:
        self.epoch = 0
        self._count, self._seed = count, seed

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        return iter(np.random.default_rng([self._seed, self.epoch]).permutation(self._count).tolist())
