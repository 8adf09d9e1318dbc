"""Training of the intent model: PLM and three heads on labelled utterances (paper, sec. 3.1).

One loop for the processor, a GPU or several machines (Accelerate). The output is a model directory; in its
folder training/ are the events for TensorBoard and the state to resume from, which no run time needs.
"""

import json
import logging
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from rich.progress import track
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from transformers import AutoTokenizer

from text2gesture_ros.checkpoints import check_torch_device, export_graph, open_model, save_model, write_file
from text2gesture_ros.classifier import TOKENIZER_FILE, IntentClassifier, TextReader, clean_text
from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.intent_network import (
    MISSING,
    IntentNetwork,
    describe,
    find_plm,
    from_config,
    from_pretrained,
    intent_loss,
)
from text2gesture_ros.labels import TASKS
from text2gesture_ros.training.evaluate_text import evaluate
from text2gesture_ros.training.state import STATE_FILE, read_state, write_state
from text2gesture_ros.training.text_data import (
    TextTraining,
    Utterance,
    cut_validation,
    read_config,
    read_utterances,
)

logger = logging.getLogger(__name__)

Batch = tuple[Tensor, Tensor, Tensor]
"""Tokens and mask, (B, L) each, and class indices, (B, tasks)."""


def train(config: Path, output: Path, *, resume: bool = False, device: str = "auto") -> Path:
    """Train the intent model a training file describes and return its model directory, `output`.

    Args:
        config: the training file.
        output: the model directory to write.
        resume: go on from the last finished epoch in `output`, to the result of an uninterrupted training.
        device: "auto", "cpu" or "cuda".

    Raises:
        ConfigurationError: the training file, the PLM, the device or the checkpoint cannot be used.
        InputError: the data cannot be used.
    """
    settings = read_config(config)
    check_torch_device(device)
    utterances = read_utterances(config.parent / settings.data)
    usable = [utterance for utterance in utterances if utterance.split in ("", "train")]
    training, validation = cut_validation(usable, settings.validation_part, settings.seed)
    if not training or not validation:
        raise InputError(f"{settings.data}: {len(usable)} training lines are too few")
    plm = find_plm(settings.plm, config.parent)
    output.mkdir(parents=True, exist_ok=True)
    write_tokenizer(plm, settings.max_tokens, output / TOKENIZER_FILE)
    run = _Run(settings, plm, output, training, validation, device)
    if resume:
        run.load()
    while not run.finished:
        run.epoch()
    run.accelerator.end_training()
    if run.accelerator.is_main_process:
        calibrate(output, validation)
        export(output)
        if any(utterance.split == "test" for utterance in utterances):
            classifier = IntentClassifier(str(output.resolve()), device="cpu")
            metrics = evaluate(classifier, config.parent / settings.data)
            write_file(output / "metrics.json", (json.dumps(metrics, indent=2) + "\n").encode())
    return output


def export(model: Path) -> Path:
    """Write graph.onnx of a model directory from its config.json and weights and return its path.

    Raises:
        ModelError: the directory is no complete intent model.
    """
    directory = open_model(str(model.resolve()), "intent")
    network = from_config(directory.config, directory.weights())
    tokens = torch.ones((2, 7), dtype=torch.int64)
    sizes = {0: "batch", 1: "length"}
    export_graph(
        network,
        (tokens, torch.ones_like(tokens)),
        directory.path / "graph.onnx",
        ["tokens", "mask"],
        list(TASKS),
        {"tokens": sizes, "mask": sizes, **{task: {0: "batch"} for task in TASKS}},
    )
    return directory.path / "graph.onnx"


def write_tokenizer(plm: Path, max_tokens: int, path: Path) -> None:
    """Write the tokenizer of a PLM as one file that also says where to cut and how to pad.

    Raises:
        ConfigurationError: the PLM has no tokenizer that transformers can convert.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(plm, local_files_only=True)
        rust = tokenizer.backend_tokenizer
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"{plm}: no fast tokenizer: {error}") from None
    rust.enable_truncation(min(max_tokens, tokenizer.model_max_length))
    rust.enable_padding(pad_id=tokenizer.pad_token_id, pad_token=tokenizer.pad_token)
    write_file(path, rust.to_str(pretty=False).encode())


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
    """Turns utterances into a batch."""

    def __init__(self, reader: TextReader) -> None:
        self._reader = reader

    def __call__(self, utterances: Sequence[Utterance]) -> Batch:
        """Return tokens, mask and class indices."""
        tokens, mask = self._reader([clean_text(utterance.text) for utterance in utterances])
        labels = [
            [
                MISSING if (label := u.labels[task]) is None else names.index(label)
                for task, names in TASKS.items()
            ]
            for u in utterances
        ]
        return torch.from_numpy(tokens), torch.from_numpy(mask), torch.tensor(labels)


class _Run:
    """One training: the state between two epochs, and how it moves on, is saved and loaded.

    Random numbers are seeded anew for each epoch, so that it depends on what is saved and on nothing else.
    """

    def __init__(
        self,
        settings: TextTraining,
        plm: Path,
        output: Path,
        training: Sequence[Utterance],
        validation: Sequence[Utterance],
        device: str,
    ) -> None:
        self.settings = settings
        self.output = output
        self.accelerator = Accelerator(
            cpu=device == "cpu", log_with="tensorboard", project_dir=output / "training"
        )
        self.accelerator.init_trackers(settings.name, asdict(settings))
        set_seed(settings.seed)
        network = from_pretrained(
            plm,
            {task: len(names) for task, names in TASKS.items()},
            hidden=settings.hidden,
            dropout=settings.dropout,
            pooling=settings.pooling,
        )
        groups = parameter_groups(network, settings)
        self.rates = [group["lr"] for group in groups]
        collate = Collator(TextReader(output / TOKENIZER_FILE))
        self.shuffle = torch.Generator()
        (self.network, self.optimizer, self.batches, self.validation) = self.accelerator.prepare(
            network,
            torch.optim.Adam(groups),
            DataLoader(
                Utterances(training),
                settings.batch_size,
                shuffle=True,
                collate_fn=collate,
                generator=self.shuffle,
            ),
            DataLoader(Utterances(validation), settings.batch_size, collate_fn=collate),
        )
        weights = class_weights(training, settings.class_weight)
        self.class_weights = [weight.to(self.accelerator.device) for weight in weights]
        self.done = 0  # epochs finished
        self.best = (-1.0, -math.inf)  # mean accuracy and negative loss of the best epoch
        self.best_epoch = 0

    @property
    def finished(self) -> bool:
        return self.done >= self.settings.epochs or self.done - self.best_epoch >= self.settings.patience

    def epoch(self) -> None:
        """Train on every utterance once, validate, save."""
        set_seed(self.settings.seed + 1000 * (self.done + 1))
        self.shuffle.manual_seed(self.settings.seed + self.done)
        self.network.train()
        total = 0.0
        batches: Iterable[Batch] = track(
            self.batches,
            f"epoch {self.done + 1} of {self.settings.epochs}",
            transient=True,
            disable=not self.accelerator.is_main_process,
        )
        for number, (tokens, mask, labels) in enumerate(batches):
            self._set_rates(self.done + number / len(self.batches))
            loss = intent_loss(
                self.network(tokens, mask),
                labels,
                label_smoothing=self.settings.label_smoothing,
                class_weights=self.class_weights,
            )
            self.optimizer.zero_grad()
            self.accelerator.backward(loss)
            self.accelerator.clip_grad_norm_(self.network.parameters(), self.settings.gradient_norm)
            self.optimizer.step()
            total += loss.item()
        self.done += 1
        self._validate(total / len(self.batches))
        self._save()

    def _validate(self, training_loss: float) -> None:
        logits, labels = predict(self.network, self.validation, self.accelerator.gather_for_metrics)
        loss = float(intent_loss(logits, labels))
        accuracies = {
            task: float((scores.argmax(-1) == target)[target != MISSING].float().mean())
            for task, scores, target in zip(TASKS, logits, labels.T, strict=True)
            if bool((target != MISSING).any())
        }
        mean = sum(accuracies.values()) / len(accuracies)
        log = {"loss/training": training_loss, "loss/validation": loss}
        log |= {f"accuracy/{task}": value for task, value in accuracies.items()}
        self.accelerator.log(log, step=self.done)
        logger.info(
            "epoch %d: loss %.3f, validation loss %.3f, accuracy %s",
            self.done,
            training_loss,
            loss,
            ", ".join(f"{task} {value:.3f}" for task, value in accuracies.items()),
        )
        if (mean, -loss) > self.best:
            self.best, self.best_epoch = (mean, -loss), self.done
            if self.accelerator.is_main_process:
                network = self.accelerator.unwrap_model(self.network)
                labels_of = {task: list(names) for task, names in TASKS.items()}
                config = {"kind": "intent", "name": self.settings.name, "labels": labels_of}
                weights = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
                save_model(self.output, config | describe(network), weights)

    def _set_rates(self, epoch: float) -> None:
        """Set the learning rates: rising over the warm-up, then falling to zero, linearly."""
        warm_up, total = self.settings.warm_up * self.settings.epochs, self.settings.epochs
        factor = epoch / warm_up if epoch < warm_up else (total - epoch) / max(total - warm_up, 1e-9)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor

    def _save(self) -> None:
        """Write network, optimizer moments and where the training stands."""
        if self.accelerator.is_main_process:
            network = self.accelerator.unwrap_model(self.network)
            write_state(self.output / STATE_FILE, network, {"optimizer": self.optimizer}, self._progress())

    def load(self) -> None:
        """Go on from the state in the output.

        Raises:
            ConfigurationError: there is none, it is damaged, or it belongs to another network.
        """
        network = self.accelerator.unwrap_model(self.network)
        optimizers = {"optimizer": self.optimizer}
        progress = read_state(self.output / STATE_FILE, network, optimizers, self._progress())
        self.done, self.best_epoch = progress["done"], progress["best_epoch"]
        self.best = (progress["best_accuracy"], progress["best_score"])

    def _progress(self) -> dict[str, int | float]:
        accuracy, score = self.best
        return {
            "done": self.done,
            "best_epoch": self.best_epoch,
            "best_accuracy": accuracy,
            "best_score": score,
        }


def parameter_groups(network: IntentNetwork, settings: TextTraining) -> list[dict[str, Any]]:
    """Return the optimizer's parameter groups: heads, then the encoder's layers from the top, ever slower."""
    parts: list[nn.Module] = [*reversed(network.encoder.encoder.layer)]
    if settings.train_embeddings:
        parts.append(network.encoder.embeddings)
    else:
        network.encoder.embeddings.requires_grad_(False)
    groups: list[dict[str, Any]] = [
        {"params": list(network.heads.parameters()), "lr": settings.head_learning_rate}
    ]
    for depth, part in enumerate(parts):
        rate = settings.encoder_learning_rate * settings.layer_decay**depth
        groups.append({"params": list(part.parameters()), "lr": rate})
    return groups


def class_weights(utterances: Sequence[Utterance], power: float) -> list[Tensor]:
    """Return class weights of each task, (C,): inverse frequency to the `power`, 1 on average over lines."""
    result = []
    for task, names in TASKS.items():
        labels = [utterance.labels[task] for utterance in utterances]
        counts = torch.tensor([labels.count(name) for name in names], dtype=torch.float32)
        weights = counts.clamp(min=1) ** -power  # a class nobody saw weighs as much as one seen once
        result.append(weights * counts.sum() / (weights * counts).sum() if counts.any() else weights)
    return result


def predict(
    network: nn.Module, batches: Iterable[Batch], gather: Callable[[Any], Any] = tuple
) -> tuple[list[Tensor], Tensor]:
    """Return the logits of each task, (B, C), and the class indices, (B, tasks), of all batches.

    Args:
        network: an `IntentNetwork`, wrapped or not.
        batches: what to predict.
        gather: brings together the tensors of a batch from all machines.
    """
    network.eval()
    rows = []
    with torch.inference_mode():
        for tokens, mask, labels in batches:
            rows.append(gather((*network(tokens, mask), labels)))
    *logits, labels = (torch.cat(column).cpu() for column in zip(*rows, strict=True))
    return logits, labels


def calibrate(model: Path, validation: Sequence[Utterance]) -> None:
    """Write into config.json, for each task, the temperature that makes the validation labels most likely.

    Guo et al., On Calibration of Modern Neural Networks, ICML 2017, sec. 4.2. It changes no choice, only how
    sure it looks, and so what a confidence threshold means.
    """
    directory = open_model(str(model.resolve()), "intent")
    weights = directory.weights()
    network = from_config(directory.config, weights)
    collate = Collator(TextReader(model / TOKENIZER_FILE))
    batches: Iterable[Batch] = DataLoader(Utterances(validation), 32, collate_fn=collate)
    logits, labels = predict(network, batches)
    temperatures = np.geomspace(0.2, 5.0, 200)
    best = {}
    for task, scores, target in zip(TASKS, logits, labels.T, strict=True):
        if bool((target != MISSING).any()):
            losses = [float(F.cross_entropy(scores / t, target, ignore_index=MISSING)) for t in temperatures]
            best[task] = round(float(temperatures[int(np.argmin(losses))]), 3)
    save_model(model, {**directory.config, "temperature": best}, weights)
