"""Training of the intent model: PLM and heads on labelled utterances (paper, sec. 3.1), a gate on outliers.

One loop for the processor, a GPU or several machines (Accelerate). The output is a model directory; in its
folder training/ are the events for TensorBoard and the state to resume from, which no run time needs.
"""

import copy
import json
import logging
import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, Dataset, Sampler
from transformers import AutoTokenizer

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.labels import HEADS, TASKS
from text2gesture_ros.model_directory import (
    GRAPH,
    INT8_GRAPH,
    check_torch_device,
    open_model,
    save_model,
    save_slots,
    write_file,
)
from text2gesture_ros.training.onnx_export import export_graph, export_int8_graph
from text2gesture_ros.training.state import STATE_FILE, read_state, write_state
from text2gesture_ros.training.text.data import Lines, TextTraining, read_config, read_lines
from text2gesture_ros.training.text.evaluate import evaluate
from text2gesture_ros.training.text.utterances import Utterance, read_utterances
from text2gesture_ros.understanding.classifier import (
    TOKENIZER_FILE,
    WITHOUT,
    IntentClassifier,
    TextReader,
    clean_text,
)
from text2gesture_ros.understanding.intent_network import (
    MISSING,
    IntentNetwork,
    describe,
    find_plm,
    from_config,
    from_pretrained,
    intent_loss,
)

logger = logging.getLogger(__name__)

Batch = tuple[Tensor, Tensor, Tensor]
"""Tokens and mask, (B, L) each, and class indices, (B, heads)."""


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
    if missing := [task for task in TASKS if task not in settings.heads]:
        raise ConfigurationError(f"{config}: a model needs the heads {', '.join(missing)} too")
    if not settings.name.strip():  # before hours of training: no model directory opens without a name
        raise ConfigurationError(f"{config}: a model needs a name")
    lines = read_lines(settings, config.parent)
    plm = find_plm(settings.plm, config.parent)
    output.mkdir(parents=True, exist_ok=True)
    write_tokenizer(plm, settings.max_tokens, output / TOKENIZER_FILE)
    run = Run(settings, plm, TextReader(output / TOKENIZER_FILE), lines, device, output)
    if resume:
        run.load()
    run.finish()
    if run.accelerator.is_main_process:
        run.save_model()
        calibrate(output, lines.validation)
        export(output)
        data = config.parent / settings.data[0]
        if any(utterance.split == "test" for utterance in read_utterances(data)):
            classifier = IntentClassifier(str(output.resolve()), device="cpu")
            metrics = evaluate(classifier, data)
            write_file(output / "metrics.json", (json.dumps(metrics, indent=2) + "\n").encode())
    return output


def export(model: Path) -> Path:
    """Write graph.onnx and graph_int8.onnx of a model directory, and list their weights in config.json.

    Returns:
        the path of the first.

    Raises:
        ModelError: the directory is no complete intent model.
    """
    directory = open_model(str(model.resolve()), "intent")
    directory.check_labels(TASKS)
    network = from_config(directory.config, directory.weights())
    # The same sums written out: a fifth fewer operations in the graph than PyTorch's fused attention leaves.
    network.encoder.set_attn_implementation("eager")
    network.leaves_out = network.pooling == "mean"
    tokens = torch.ones((2, 7), dtype=torch.int64)
    sizes = {0: "batch", 1: "length"}
    heads = list(directory.config["labels"])
    outputs = [*heads, WITHOUT] if network.leaves_out else heads
    slots = export_graph(
        network,
        (tokens, torch.ones_like(tokens)),
        directory.path / GRAPH,
        ["tokens", "mask"],
        outputs,
        {name: {0: "batch"} if name in heads else sizes for name in ("tokens", "mask", *outputs)},
    )
    int8_slots = export_int8_graph(directory.path / GRAPH, directory.path / INT8_GRAPH)
    save_slots(directory.path, {GRAPH: slots, INT8_GRAPH: int8_slots})
    return directory.path / GRAPH


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


class Run:
    """One training: the state between two epochs, and how it moves on, is saved and loaded.

    Random numbers are seeded anew for each epoch, so that it depends on what is saved and on nothing else.

    Args:
        settings: the training file.
        plm: directory of the pre-trained language model.
        reader: its tokenizer.
        lines: what to learn from.
        device: "auto", "cpu" or "cuda".
        output: the model directory to write, with events and the state to resume from; None writes nothing.
    """

    def __init__(
        self,
        settings: TextTraining,
        plm: Path,
        reader: TextReader,
        lines: Lines,
        device: str,
        output: Path | None = None,
    ) -> None:
        self.settings = settings
        self.output = output
        self.accelerator = Accelerator(
            cpu=device == "cpu",
            log_with="tensorboard" if output else None,
            project_dir=output / "training" if output else None,
        )
        self.accelerator.init_trackers(settings.name, {key: str(v) for key, v in asdict(settings).items()})
        set_seed(settings.seed)
        network = from_pretrained(
            plm,
            {head: len(HEADS[head]) for head in settings.heads},
            hidden=settings.hidden,
            dropout=settings.dropout,
            pooling=settings.pooling,
        )
        groups = parameter_groups(network, settings)
        self.rates = [group["lr"] for group in groups]
        self._reader = reader
        own, share = len(lines.training), settings.corpora_share
        every = [*lines.training, *lines.corpora]
        self.order = EpochBatches(
            [reader([clean_text(line.text)])[0].size for line in every],
            own,
            min(round(own * share / (1.0 - share)), len(lines.corpora)),
            settings.batch_size,
            settings.seed,
        )
        # Fused: one pass over the numbers of a parameter instead of ten.
        fused = self.accelerator.device.type in ("cpu", "cuda")
        (self.network, self.optimizer, self.batches, self.validation) = self.accelerator.prepare(
            network,
            torch.optim.Adam(groups, fused=fused),
            DataLoader(
                Utterances(every),
                batch_sampler=self.order,
                collate_fn=Collator(reader, settings.heads, settings.alternatives),
            ),
            self._loader(lines.validation),
        )
        weights = class_weights(lines.training, settings.heads, settings.class_weight)
        self.class_weights = [weight.to(self.accelerator.device) for weight in weights]
        self.best = copy.deepcopy(self.accelerator.unwrap_model(self.network))
        # Izmailov et al., Averaging Weights Leads to Wider Optima and Better Generalization, UAI 2018.
        self.average = AveragedModel(self.best)
        self.best_score = (-1.0, -math.inf)  # mean accuracy and negative loss on the validation part
        self.best_epoch = 0
        self.done = 0  # epochs finished

    def _loader(self, utterances: Sequence[Utterance]) -> DataLoader[Utterance]:
        collate = Collator(self._reader, self.settings.heads)
        return DataLoader(Utterances(utterances), self.settings.batch_size, collate_fn=collate)

    @property
    def finished(self) -> bool:
        """Whether no epoch is left, or too many went by without a better one."""
        return self.done >= self.settings.epochs or self.done - self.best_epoch >= self.settings.patience

    def finish(self) -> None:
        """Train to the end."""
        while not self.finished:
            self.epoch()
        self.accelerator.end_training()

    def epoch(self) -> None:
        """Train on every utterance once, validate, save."""
        set_seed(self.settings.seed + 1000 * (self.done + 1))
        self.order.epoch = self.done
        self.network.train()
        total = 0.0
        batches: Iterable[Batch] = track(
            self.batches,
            f"epoch {self.done + 1} of {self.settings.epochs}",
            transient=True,
            disable=not (self.output and self.accelerator.is_main_process),
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
            if self.settings.gradient_norm:
                self.accelerator.clip_grad_norm_(self.network.parameters(), self.settings.gradient_norm)
            self.optimizer.step()
            total += loss.item()
        self.done += 1
        self._validate(total / len(self.batches))
        if self.output and self.accelerator.is_main_process:
            write_state(self.output / STATE_FILE, *self._state(), self._progress())

    def _validate(self, training_loss: float) -> None:
        self.accelerator.log({"loss/training": training_loss}, step=self.done)
        logger.info("epoch %d: loss %.3f", self.done, training_loss)
        network = self.accelerator.unwrap_model(self.network)
        candidates = {"": network}
        if self.done > self.settings.average_from * self.settings.epochs:
            self.average.update_parameters(network)
            candidates["/average"] = self.average.module
        for suffix, candidate in candidates.items():
            logits, labels = predict(candidate, self.validation, self.accelerator.gather_for_metrics)
            loss = float(intent_loss(logits, labels))
            right = accuracies(self.settings.heads, logits, labels)
            log = {"loss": loss} | {f"accuracy/{head}": value for head, value in right.items()}
            self.accelerator.log({f"validation{suffix}/{k}": v for k, v in log.items()}, step=self.done)
            shown = ", ".join(f"{name} {value:.3f}" for name, value in log.items())
            logger.info("  validation%s %s", suffix, shown)
            score = (sum(right.values()) / len(right), -loss)
            if score > self.best_score:
                self.best_score, self.best_epoch = score, self.done
                self.best.load_state_dict(candidate.state_dict())

    def test(self, utterances: Sequence[Utterance]) -> dict[str, float]:
        """Return how often the best weights are right, for each head that has labels there."""
        return accuracies(self.settings.heads, *predict(self.best.cpu(), self._loader(utterances)))

    def save_model(self) -> None:
        """Write the best weights and what they are to the model directory."""
        assert self.output is not None
        labels = {head: list(HEADS[head]) for head in self.settings.heads}
        config = {"kind": "intent", "name": self.settings.name, "labels": labels, **describe(self.best)}
        weights = {name: value.cpu().numpy() for name, value in self.best.state_dict().items()}
        save_model(self.output, config, weights)

    def _set_rates(self, epoch: float) -> None:
        """Set the learning rates: rising over the warm-up, then, with decay, falling to zero, linearly."""
        warm_up, total = self.settings.warm_up * self.settings.epochs, self.settings.epochs
        factor = 1.0
        if epoch < warm_up:
            factor = epoch / warm_up
        elif self.settings.decay:
            factor = (total - epoch) / max(total - warm_up, 1e-9)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor

    def load(self) -> None:
        """Go on from the state in the output.

        Raises:
            ConfigurationError: there is none, it is damaged, or it belongs to another network.
        """
        assert self.output is not None
        progress = read_state(self.output / STATE_FILE, *self._state(), self._progress())
        self.done, self.best_epoch = progress["done"], progress["best_epoch"]
        self.best_score = (progress["best_accuracy"], progress["best_score"])

    def _state(self) -> tuple[nn.Module, dict[str, Any]]:
        network = self.accelerator.unwrap_model(self.network)
        networks = {"last": network, "best": self.best}
        if self.settings.average_from < 1.0:
            networks["average"] = self.average
        return nn.ModuleDict(networks), {"optimizer": self.optimizer}

    def _progress(self) -> dict[str, int | float]:
        accuracy, score = self.best_score
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


def class_weights(utterances: Sequence[Utterance], heads: Sequence[str], power: float) -> list[Tensor]:
    """Return class weights of each head, (C,): inverse frequency to the `power`, 1 on average over lines."""
    result = []
    for head in heads:
        labels = [utterance.label(head) for utterance in utterances]
        counts = torch.tensor([labels.count(name) for name in HEADS[head]], dtype=torch.float32)
        weights = counts.clamp(min=1) ** -power  # a class nobody saw weighs as much as one seen once
        result.append(weights * counts.sum() / (weights * counts).sum() if counts.any() else weights)
    return result


def predict(
    network: nn.Module, batches: Iterable[Batch], gather: Callable[[Any], Any] = tuple
) -> tuple[list[Tensor], Tensor]:
    """Return the logits of each head, (B, C), and the class indices, (B, heads), of all batches.

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


def accuracies(heads: Sequence[str], logits: Sequence[Tensor], labels: Tensor) -> dict[str, float]:
    """Return how often each head is right over the lines that have its label, for heads with such lines.

    Args:
        heads: their names.
        logits: of each head, (B, C).
        labels: class indices, (B, heads).
    """
    return {
        head: float((scores.argmax(-1) == target)[target != MISSING].float().mean())
        for head, scores, target in zip(heads, logits, labels.T, strict=True)
        if bool((target != MISSING).any())
    }


def calibrate(model: Path, validation: Sequence[Utterance]) -> None:
    """Write into config.json, for each head, the temperature that makes the validation labels most likely.

    Guo et al., On Calibration of Modern Neural Networks, ICML 2017, sec. 4.2. It changes no choice, only how
    sure it looks, and so what a confidence threshold means.
    """
    directory = open_model(str(model.resolve()), "intent")
    weights = directory.weights()
    network = from_config(directory.config, weights)
    heads = list(directory.config["labels"])
    collate = Collator(TextReader(model / TOKENIZER_FILE), heads)
    batches: Iterable[Batch] = DataLoader(Utterances(validation), 32, collate_fn=collate)
    logits, labels = predict(network, batches)
    temperatures = np.geomspace(0.2, 5.0, 200)
    best = {}
    for head, scores, target in zip(heads, logits, labels.T, strict=True):
        if bool((target != MISSING).any()):
            losses = [float(F.cross_entropy(scores / t, target, ignore_index=MISSING)) for t in temperatures]
            best[head] = round(float(temperatures[int(np.argmin(losses))]), 3)
    save_model(model, {**directory.config, "temperature": best}, weights)
