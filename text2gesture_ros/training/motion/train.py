"""Train the motion model: the embedder first, then the generator (paper, sec. 3.2)."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from accelerate import Accelerator
from sklearn.decomposition import PCA
from torch import Tensor
from torch.func import functional_call
from torch.utils.data import DataLoader, Sampler

from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.generation.motion_network import (
    WHOLE_CLIP_EVERY,
    Embedder,
    MotionNetwork,
    network_config,
)
from text2gesture_ros.labels import GESTURES, TASKS
from text2gesture_ros.model_directory import Slots, check_torch_device, open_model, save_model
from text2gesture_ros.motion.motion import FRAME_RATE, Motion
from text2gesture_ros.skeleton import GROUPS, JOINTS
from text2gesture_ros.training.log import log_file
from text2gesture_ros.training.motion import losses
from text2gesture_ros.training.motion.config import MotionTrainingConfig, load_config
from text2gesture_ros.training.motion.data import Batch, MotionClips, Normalisation, furthest_step, split
from text2gesture_ros.training.motion.export import export_graphs
from text2gesture_ros.training.motion.health import health
from text2gesture_ros.training.motion.recordings import load_recordings, missing_gestures
from text2gesture_ros.training.motion.repertoire import Repertoire
from text2gesture_ros.training.state import STATE_FILE, read_state, write_state
from text2gesture_ros.training.studio.synthesis import parts

_LOG = logging.getLogger(__name__)
_LOG_EVERY = 20  # batches
_MOTION_LOSSES: Mapping[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "first": lambda given, real, _: losses.first_frame_loss(given, real),
    "motion": losses.motion_loss,
    "squared": losses.squared_loss,
    "velocity": losses.velocity_loss,
    "squared_velocity": losses.squared_velocity_loss,
    "acceleration": losses.acceleration_loss,
    "squared_acceleration": losses.squared_acceleration_loss,
}
_EXAMINED = 48  # held-out clips that are looked at after every epoch of the generator


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
    values = load_config(config)
    if data or studio:
        values = replace(values, data=(*values.data, *data), studio=studio or values.studio)
    MotionTraining(values, output, device).run(resume)


def motion_clips(config: MotionTrainingConfig) -> tuple[list[Motion], list[Motion]]:
    """Return the clips to train on and those held out: the studio's, recordings of one's own, or both.

    Raises:
        InputError: recordings cannot be used: which and why.
    """
    # No window fills all N frames: every clip is to show a stop.
    longest = config.frames - max(1, config.frames // 16)
    own = load_recordings(config.data, longest) if config.data else []
    missing = missing_gestures(own)
    if own and missing and config.studio == "none":
        raise InputError(
            f"{', '.join(config.data)}: no clips of {', '.join(missing)}."
            " The studio's are taken where studio is 'missing' (--studio missing)"
        )
    training, held_out = split(own, config.held_out_share)
    wanted = {"all": set(GESTURES), "missing": set(missing), "none": set[str]()}[config.studio]
    if wanted:
        if own and missing:
            _LOG.info("from the studio alone: %s", ", ".join(missing))
        made = parts(config.seed, config.clips_per_gesture, config.held_out_share, config.candid_share)
        training += [clip for clip in made[0] if clip.gesture in wanted]
        held_out += [clip for clip in made[1] if clip.gesture in wanted]
    return training, held_out


def export(path: Path) -> None:
    """Write the graphs of a motion model directory anew.

    Raises:
        ModelError: it is no motion model directory.
    """
    model = open_model(str(path.resolve()), "motion")
    export_graphs(model.path, network_config(model.config, str(model.path)))


class MotionTraining:
    """One training: data, model, optimisers and how far it has come."""

    def __init__(self, config: MotionTrainingConfig, output: Path, device: str = "auto") -> None:
        """Make the data and the model.

        Raises:
            ConfigurationError: the device is unknown or not there.
        """
        check_torch_device(device)
        self.config, self.output = config, output
        self.folder = output / "training"
        self.progress = _Progress()
        self.graphs: Mapping[str, Slots] = {}
        torch.manual_seed(config.seed)
        training, held_out = motion_clips(config)
        self.normalisation = Normalisation.of(training)
        self.furthest = furthest_step(training, self.normalisation.bone_lengths)
        zero = config.padding == "zero"
        self.clips = MotionClips(training, self.normalisation, config.frames, zero_padding=zero)
        every = max(1, len(held_out) // _EXAMINED)
        examined = held_out[::every][:_EXAMINED]
        self.examined = (
            MotionClips(examined, self.normalisation, config.frames, zero_padding=zero) if examined else None
        )
        versions = MotionClips(
            training,
            self.normalisation,
            config.frames,
            augmentations=config.augmentations,
            removed_share=config.removed_share,
            seed=config.seed,
            zero_padding=zero,
        )
        self.order = _EpochSampler(len(versions), config.seed)
        loader = DataLoader(versions, config.batch_size, sampler=self.order, drop_last=True)
        if not len(loader):
            raise ConfigurationError(f"batch_size {config.batch_size} is more than {len(versions)} clips")
        self.network = MotionNetwork(config.network)
        self.network.generator.set_body(**asdict(self.normalisation))
        if config.network.whole_clip:
            _start_whole(self.network.embedder, self.clips, config.head_importance)
        self.accelerator = Accelerator(
            cpu=device == "cpu", log_with="tensorboard", project_dir=str(self.folder)
        )
        embedder_optimizer = torch.optim.Adam(
            self.network.embedder.parameters(), lr=config.embedder_learning_rate
        )
        rest = [value for name, value in self.network.named_parameters() if not name.startswith("embedder.")]
        optimizer = torch.optim.Adam(rest, lr=config.learning_rate)
        (
            self.embedder,
            self.generator,
            self.embedder_optimizer,
            self.optimizer,
            self.loader,
        ) = self.accelerator.prepare(
            self.network.embedder,
            self.network.generator,
            embedder_optimizer,
            optimizer,
            loader,
        )

    def run(self, resume: bool = False) -> None:
        """Train from the start, or from the last whole epoch on.

        Raises:
            ConfigurationError: there is nothing to resume, it is damaged or belongs to another network.
        """
        state = self.output / STATE_FILE
        optimizers = {"embedder_optimizer": self.embedder_optimizer, "optimizer": self.optimizer}
        if resume:
            found = read_state(state, self.network, optimizers, self.progress.state_dict())
            self.progress.load_state_dict(found)
        with log_file(_LOG, self.folder):
            self.accelerator.init_trackers("events")
            epochs = self.config.embedder_epochs + self.config.generator_epochs
            for epoch in range(self.progress.epoch, epochs):
                torch.manual_seed(self.config.seed + epoch)
                self.order.epoch = epoch
                if epoch < self.config.embedder_epochs:
                    self._train_embedder()
                else:
                    self._train_generator()
                    self._examine()
                    self.save()
                self.progress.epoch = epoch + 1
                if self.accelerator.is_main_process:
                    write_state(state, self.network, optimizers, self.progress.state_dict())
            self.accelerator.end_training()

    def save(self) -> None:
        """Write the model directory: what running the model needs, and nothing else."""
        if not self.accelerator.is_main_process:
            return
        weights = {name: value.cpu().numpy() for name, value in self.network.state_dict().items()}
        weights |= self._repertoire()
        for name, value in asdict(self.normalisation).items():
            weights[f"normalisation.{name}"] = value
        config = {
            "kind": "motion",
            "name": self.config.name,
            "labels": {task: list(TASKS[task]) for task in ("gesture", "emotion")},
            "frame_rate": FRAME_RATE,
            "max_frames": self.config.frames,
            "smoothing": self.config.smoothing,
            "furthest": self.furthest,
            "stop_token": self.config.stop_token,
            "network": asdict(self.config.network),
            "training": {k: v for k, v in asdict(self.config).items() if k not in ("name", "network")}
            | {"data": [Path(folder).name for folder in self.config.data]},  # where it lay concerns nobody
        }
        save_model(self.output, {**config, "graphs": self.graphs}, weights)
        if not self.graphs:  # the graphs depend on the sizes alone
            self.graphs = export_graphs(self.output, self.config.network)

    def _repertoire(self) -> dict[str, np.ndarray]:
        """Return what generation starts from: the clips' embeddings, or what stands for them."""
        self.embedder.eval()
        found: list[tuple[Tensor, ...]] = []
        for batch in DataLoader(self.clips, self.config.batch_size):
            with torch.no_grad():
                embedding = self._condition(self._here(batch)).cpu()
            found.append((embedding, batch["gesture"], batch["emotion"], batch["mirrored"]))
        clips = Repertoire(*(torch.cat(parts).numpy() for parts in zip(*found, strict=True))).completed()
        # Vectors of classes are one and the same for all clips of a class.
        components = 1 if self.config.network.condition == "class" else self.config.components
        return (clips.summarised(components, self.config.seed) if components else clips).weights()

    def _train_embedder(self) -> None:
        self.embedder.train()
        for batch in self._batches("embedder"):
            loss = self._triplet_loss(self.embedder(batch["frames"]), batch)
            self.embedder_optimizer.zero_grad()
            self.accelerator.backward(loss)
            self.embedder_optimizer.step()
            self._log({"triplet": loss})

    def _triplet_loss(self, embeddings: Tensor, batch: Batch) -> Tensor:
        """Return equation 5 for the gestures and, if wanted, for the emotions within each gesture."""
        loss = losses.triplet_loss(embeddings, batch["gesture"])
        if self.config.emotion_triplets:
            inner = losses.triplet_loss(embeddings, batch["emotion"], groups=batch["gesture"])
            loss = loss + self.config.emotion_triplets * inner
        return loss

    def _train_generator(self) -> None:
        # The embedder's batch normalisation stays as the triplets left it, also where it learns on.
        self.embedder.eval()
        self.generator.train()
        learns = self.config.embedder_learns
        total = self.config.generator_epochs * len(self.loader)
        start = (self.progress.epoch - self.config.embedder_epochs) * len(self.loader)
        for step, batch in enumerate(self._batches("generator"), start):
            self._set_rate(step)
            with torch.set_grad_enabled(learns or self.config.network.condition == "class"):
                embedding = self._condition(batch)  # (B, D)
            given = self._with_noise(embedding)
            frames, logits = self.generator(
                given, self.config.steps, batch["frames"], self._true_share(step / total)
            )  # (B, N, M), (B, N - 1)
            parts = self._generator_losses(batch, embedding, frames, logits, step / total)
            self.optimizer.zero_grad()
            self.embedder_optimizer.zero_grad()
            self.accelerator.backward(parts["total"])
            if self.config.gradient_clip:
                norm = self.accelerator.clip_grad_norm_(self.network.parameters(), self.config.gradient_clip)
                parts["gradient_norm"] = norm
            self.optimizer.step()
            if learns:
                self.embedder_optimizer.step()
            self._log(parts)

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

    def _true_share(self, passed: float) -> float:
        """Return how often steps are fed true frames after a part of the training has passed."""
        until = self.config.true_frames_until
        return self.config.true_frames * max(0.0, 1.0 - passed / until) if until else 0.0

    def _set_rate(self, step: int) -> None:
        """Set the learning rates of the generator's epochs: falling to zero on half a cosine, or constant."""
        total = self.config.generator_epochs * len(self.loader)
        factor = 0.5 + 0.5 * math.cos(math.pi * step / total) if self.config.cosine else 1.0
        for optimizer, rate in (
            (self.optimizer, self.config.learning_rate),
            (self.embedder_optimizer, self.config.embedder_learning_rate),
        ):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor

    def _generator_losses(
        self, batch: Batch, embedding: Tensor, frames: Tensor, logits: Tensor, passed: float = 0.0
    ) -> dict[str, Tensor]:
        """Return the losses and their weighted sum under "total": equation 10 with weights and warm-in.

        Args:
            batch: the clips.
            embedding: (B, D) of the clips.
            frames: (B, N, M) generated.
            logits: (B, N - 1) of the stop tokens.
            passed: part of the generator's training that has passed.
        """
        weights, lengths, tokens = self.config.losses, batch["length"], batch["tokens"][:, 1:]
        counted = torch.full_like(lengths, frames.shape[1]) if self.config.count_padding else lengths
        importance = _importance(self.config.head_importance).to(frames.device)  # (M,)
        given, real = frames * importance, batch["frames"] * importance
        counts = asdict(weights)
        if not self.config.stop_token:
            counts["token"] = counts["token_cross_entropy"] = 0.0
        # What does not count is not computed: each of them costs a few per cent of a batch.
        parts = {
            name: loss(given, real, counted)
            for name, loss in _MOTION_LOSSES.items()
            if counts[name] or name == "motion"
        }
        parts["token"] = losses.token_loss(logits, tokens)
        if counts["token_cross_entropy"]:
            parts["token_cross_entropy"] = losses.token_cross_entropy(logits, tokens)
        converged = self.config.stop_token and parts["token"].item() <= self.config.token_threshold
        if weights.embedding and (converged or passed >= self.config.embedding_from < 1.0):
            if converged:
                counts["token"] = 0.0
            self.progress.converged += 1
            warm_in = max(1, self.config.embedding_warm_in)
            counts["embedding"] *= min(1.0, self.progress.converged / warm_in)
            held = losses.frozen(frames, lengths, zero=self.config.padding == "zero")
            parts["embedding"] = losses.embedding_loss(self._embedded(held), embedding.detach())
        if self.config.embedder_learns:
            parts["triplet"] = self._triplet_loss(embedding, batch)
        parts["total"] = torch.stack([counts[name] * loss for name, loss in parts.items()]).sum()
        return parts

    def _examine(self) -> None:
        """Log how the model fares on held-out clips, see `health`."""
        if self.examined is None or not self.accelerator.is_main_process:
            return
        batch = self._here(next(iter(DataLoader(self.examined, len(self.examined)))))
        self.embedder.eval()
        self.generator.eval()
        with torch.no_grad():
            frames, logits = self.generator(self._condition(batch), self.config.steps)
        made, real = (
            (x.cpu().numpy() * self.normalisation.deviation + self.normalisation.mean).reshape(
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
        _LOG.info("held out, epoch %d: %s", self.progress.epoch + 1, shown)
        self.accelerator.log({f"held_out/{k}": v for k, v in values.items()}, step=self.progress.batches)

    def _embedded(self, frames: Tensor) -> Tensor:
        """Return embeddings whose gradient reaches the frames but not the embedder: (B, T, M) -> (B, D)."""
        fixed = {name: value.detach() for name, value in self.network.embedder.state_dict().items()}
        embedding: Tensor = functional_call(self.network.embedder, fixed, (frames,))
        return embedding

    def _batches(self, stage: str) -> Iterator[Batch]:
        start = time.monotonic()
        for index, batch in enumerate(self.loader):
            yield batch
            self.progress.batches += 1
            if index % _LOG_EVERY == 0 or index + 1 == len(self.loader):
                passed = time.monotonic() - start
                values = "  ".join(f"{name} {value:.4f}" for name, value in self.progress.latest.items())
                _LOG.info(
                    "%s, epoch %d, batch %d of %d, %.0f s: %s",
                    stage,
                    self.progress.epoch + 1,
                    index + 1,
                    len(self.loader),
                    passed,
                    values,
                )
                self.accelerator.log(self.progress.latest, step=self.progress.batches)

    def _log(self, values: Mapping[str, Tensor]) -> None:
        self.progress.latest = {name: float(value.detach()) for name, value in values.items()}


def _start_whole(embedder: Embedder, clips: MotionClips, head_importance: float) -> None:
    """Let the layer that sees whole clips start as their principal components, each with deviation 1."""
    importance = _importance(head_importance)  # (M,)
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


def _importance(head: float) -> Tensor:
    """Return the factor on every coordinate's errors, (M,)."""
    importance = torch.ones(len(JOINTS), 3)
    importance[list(GROUPS["head"])] = head
    return importance.flatten()


class _Progress:
    """How far the training has come; saved and restored with its state."""

    def __init__(self) -> None:
        self.epoch = 0  # whole epochs done, embedder and generator counted together
        self.batches = 0
        self.converged = 0  # batches in which the embedding loss was asked for
        self.latest: dict[str, float] = {}

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self.epoch, "batches": self.batches, "converged": self.converged}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        self.epoch, self.batches, self.converged = state["epoch"], state["batches"], state["converged"]


class _EpochSampler(Sampler[int]):
    """A random order that depends on seed and epoch alone: a resumed training sees the same batches."""

    def __init__(self, count: int, seed: int) -> None:
        self.epoch = 0
        self._count, self._seed = count, seed

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        return iter(np.random.default_rng([self._seed, self.epoch]).permutation(self._count).tolist())
