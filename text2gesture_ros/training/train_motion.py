"""Train the motion model: the embedder first, then the generator (paper, sec. 3.2)."""

import logging
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.func import functional_call
from torch.utils.data import DataLoader, Sampler

from text2gesture_ros.checkpoints import check_torch_device, open_model, save_model
from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.labels import TASKS
from text2gesture_ros.motion import FRAME_RATE
from text2gesture_ros.motion_network import MotionNetwork, export_graphs, network_config
from text2gesture_ros.skeleton import GROUPS, JOINTS
from text2gesture_ros.training import motion_losses as losses
from text2gesture_ros.training.motion_config import MotionTrainingConfig, load_config
from text2gesture_ros.training.motion_data import Batch, MotionClips, Normalisation, split
from text2gesture_ros.training.state import STATE_FILE, read_state, write_state
from text2gesture_ros.training.studio import dataset

_LOG = logging.getLogger(__name__)
_LOG_EVERY = 20  # batches


def train(config: Path, output: Path, *, resume: bool = False, device: str = "auto") -> None:
    """Train a motion model and write it as a model directory after every epoch of the generator.

    Log, TensorBoard events and the state to resume from are in its folder training/, which running the model
    does not need.

    Args:
        config: the training file (YAML).
        output: the model directory to write.
        resume: go on after the last whole epoch of an interrupted training; the result is the same.
        device: auto, cpu or cuda.

    Raises:
        ConfigurationError: the training file is wrong, no such device, or there is nothing to resume
            or what there is does not fit.
    """
    MotionTraining(load_config(config), output, device).run(resume)


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
        torch.manual_seed(config.seed)
        training, _ = split(dataset(config.seed, config.clips_per_gesture), config.held_out_share)
        self.normalisation = Normalisation.of(training)
        self.clips = MotionClips(training, self.normalisation, config.frames)
        versions = MotionClips(
            training,
            self.normalisation,
            config.frames,
            augmentations=config.augmentations,
            removed_share=config.removed_share,
            seed=config.seed,
        )
        self.order = _EpochSampler(len(versions), config.seed)
        loader = DataLoader(versions, config.batch_size, sampler=self.order, drop_last=True)
        if not len(loader):
            raise ConfigurationError(f"batch_size {config.batch_size} is more than {len(versions)} clips")
        self.network = MotionNetwork(config.network)
        self.accelerator = Accelerator(
            cpu=device == "cpu", log_with="tensorboard", project_dir=str(self.folder)
        )
        embedder_optimizer = torch.optim.Adam(
            self.network.embedder.parameters(), lr=config.embedder_learning_rate
        )
        optimizer = torch.optim.Adam(self.network.generator.parameters(), lr=config.learning_rate)
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
        self.folder.mkdir(parents=True, exist_ok=True)
        self.accelerator.init_trackers("events")
        handler = logging.FileHandler(self.folder / "log.txt")
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        _LOG.addHandler(handler)
        _LOG.setLevel(logging.INFO)
        try:
            epochs = self.config.embedder_epochs + self.config.generator_epochs
            for epoch in range(self.progress.epoch, epochs):
                torch.manual_seed(self.config.seed + epoch)
                self.order.epoch = epoch
                if epoch < self.config.embedder_epochs:
                    self._train_embedder()
                else:
                    self._train_generator()
                    self.save()
                self.progress.epoch = epoch + 1
                if self.accelerator.is_main_process:
                    write_state(state, self.network, optimizers, self.progress.state_dict())
            self.accelerator.end_training()
        finally:
            _LOG.removeHandler(handler)
            handler.close()

    def save(self) -> None:
        """Write the model directory: what running the model needs, and nothing else."""
        if not self.accelerator.is_main_process:
            return
        weights = {name: value.cpu().numpy() for name, value in self.network.state_dict().items()}
        batches = list(DataLoader(self.clips, self.config.batch_size))
        self.embedder.eval()
        with torch.no_grad():
            embeddings = [self.embedder(b["frames"].to(self.accelerator.device)).cpu() for b in batches]
        weights["examples"] = torch.cat(embeddings).numpy()
        weights["example_gestures"] = torch.cat([batch["gesture"] for batch in batches]).numpy()
        weights["example_emotions"] = torch.cat([batch["emotion"] for batch in batches]).numpy()
        mirrored = torch.cat([batch["mirrored"] for batch in batches])
        weights["example_mirrored"] = mirrored.to(torch.int64).numpy()
        for name, value in asdict(self.normalisation).items():
            weights[f"normalisation.{name}"] = value
        config = {
            "kind": "motion",
            "name": self.config.name,
            "labels": {task: list(TASKS[task]) for task in ("gesture", "emotion")},
            "frame_rate": FRAME_RATE,
            "max_frames": self.config.frames,
            "smoothing": self.config.smoothing,
            "network": asdict(self.config.network),
            "training": {k: v for k, v in asdict(self.config).items() if k not in ("name", "network")},
        }
        save_model(self.output, config, weights)
        export_graphs(self.output, self.config.network)

    def _train_embedder(self) -> None:
        self.embedder.train()
        for batch in self._batches("embedder"):
            loss = losses.triplet_loss(self.embedder(batch["frames"]), batch["gesture"])
            self.embedder_optimizer.zero_grad()
            self.accelerator.backward(loss)
            self.embedder_optimizer.step()
            self._log({"triplet": loss})

    def _train_generator(self) -> None:
        self.embedder.eval()
        self.generator.train()
        start = (self.progress.epoch - self.config.embedder_epochs) * len(self.loader)
        for step, batch in enumerate(self._batches("generator"), start):
            self._set_rate(step)
            with torch.no_grad():
                embedding = self.embedder(batch["frames"])  # (B, D)
            frames, logits = self.generator(embedding, self.config.steps)  # (B, N, M), (B, N - 1)
            parts = self._generator_losses(batch, embedding, frames, logits)
            self.optimizer.zero_grad()
            self.accelerator.backward(parts["total"])
            if self.config.gradient_clip:
                norm = self.accelerator.clip_grad_norm_(
                    self.generator.parameters(), self.config.gradient_clip
                )
                parts["gradient_norm"] = norm
            self.optimizer.step()
            self._log(parts)

    def _set_rate(self, step: int) -> None:
        """Set the generator's learning rate: falling to zero on half a cosine, or constant."""
        total = self.config.generator_epochs * len(self.loader)
        factor = 0.5 + 0.5 * math.cos(math.pi * step / total) if self.config.cosine else 1.0
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * factor

    def _generator_losses(
        self, batch: Batch, embedding: Tensor, frames: Tensor, logits: Tensor
    ) -> dict[str, Tensor]:
        """Return the losses and their weighted sum under "total": equation 10 with weights and warm-in."""
        weights, lengths, tokens = self.config.losses, batch["length"], batch["tokens"][:, 1:]
        importance = torch.ones(len(JOINTS), 3)
        importance[list(GROUPS["head"])] = self.config.head_importance
        importance = importance.flatten().to(frames.device)  # (M,)
        given, real = frames * importance, batch["frames"] * importance
        parts = {
            "first": losses.first_frame_loss(given, real),
            "motion": losses.motion_loss(given, real, lengths),
            "squared": losses.squared_loss(given, real, lengths),
            "velocity": losses.velocity_loss(given, real, lengths),
            "squared_velocity": losses.squared_velocity_loss(given, real, lengths),
            "acceleration": losses.acceleration_loss(given, real, lengths),
            "token": losses.token_loss(logits, tokens),
            "token_cross_entropy": losses.token_cross_entropy(logits, tokens),
        }
        counts = asdict(weights)
        if parts["token"].item() <= self.config.token_threshold and weights.embedding:
            counts["token"] = 0.0
            self.progress.converged += 1
            warm_in = max(1, self.config.embedding_warm_in)
            counts["embedding"] *= min(1.0, self.progress.converged / warm_in)
            parts["embedding"] = losses.embedding_loss(
                self._embedded(losses.frozen(frames, lengths)), embedding
            )
        parts["total"] = torch.stack([counts[name] * loss for name, loss in parts.items()]).sum()
        return parts

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


class _Progress:
    """How far the training has come; saved and restored with its state."""

    def __init__(self) -> None:
        self.epoch = 0  # whole epochs done, embedder and generator counted together
        self.batches = 0
        self.converged = 0  # batches with the token loss below its threshold
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
