"""Training of the intent model: language model and heads on labelled utterances (paper, sec. 3.1)."""

import copy
import json
import logging
import math
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader
from transformers import AutoTokenizer

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.labels import HEADS, TASKS
from text2gesture_ros.model_directory import (
    GRAPH,
    INT8_GRAPH,
    open_model,
    save_model,
    save_slots,
    write_file,
)
from text2gesture_ros.training.epochs import EpochTraining
from text2gesture_ros.training.onnx_export import export_graph, export_int8_graph
from text2gesture_ros.training.pace import Plan, Stage
from text2gesture_ros.training.text.batches import Batch, Collator, EpochBatches, Utterances, class_weights
from text2gesture_ros.training.text.data import IntentTrainingConfig, Lines, load_config, read_lines
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

_LOG = logging.getLogger(__name__)


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
    settings, lines, plm = _read(config)
    output.mkdir(parents=True, exist_ok=True)
    write_tokenizer(plm, settings.max_tokens, output / TOKENIZER_FILE)
    reader = TextReader(output / TOKENIZER_FILE)
    training = IntentTraining(settings, plm, reader, lines, device, output)
    training.run(resume=resume)
    data = config.parent / settings.data[0]
    if training.is_writer and any(utterance.split == "test" for utterance in read_utterances(data)):
        metrics = evaluate(IntentClassifier(str(output.resolve()), device="cpu"), data)
        write_file(output / "metrics.json", (json.dumps(metrics, indent=2) + "\n").encode())
    return output


def plan(config: Path, *, device: str = "auto") -> Plan:
    """Return what `train` would do, by a few batches; arguments and errors as there."""
    start = time.monotonic()
    settings, lines, plm = _read(config)
    with tempfile.TemporaryDirectory() as folder:
        write_tokenizer(plm, settings.max_tokens, Path(folder) / TOKENIZER_FILE)
        training = IntentTraining(settings, plm, TextReader(Path(folder) / TOKENIZER_FILE), lines, device)
    making = time.monotonic() - start
    counts = Counter(
        str(line.labels.get("gesture") or "no gesture label") for line in (*lines.training, *lines.corpora)
    )
    return Plan(dict(counts), len(lines.validation), making, training.stages, training.rehearse())


def _read(config: Path) -> tuple[IntentTrainingConfig, Lines, Path]:
    """Return the settings of a training file, its lines and its pre-trained language model."""
    settings = load_config(config)
    if missing := [task for task in TASKS if task not in settings.heads]:
        raise ConfigurationError(f"{config}: a model needs the heads {', '.join(missing)} too")
    if not settings.name.strip():  # before hours of training: no model directory opens without a name
        raise ConfigurationError(f"{config}: a model needs a name")
    return settings, read_lines(settings, config.parent), find_plm(settings.plm, config.parent)


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


class Selection:
    """The weights with the best validation accuracy so far, among each epoch's and their running average.

    Izmailov et al., Averaging Weights Leads to Wider Optima and Better Generalization, UAI 2018.

    Args:
        network: where the training starts.

    Attributes:
        best: the network with the best weights.
        average: the mean of the weights over the last epochs.
        score: mean accuracy and negative loss of the best weights on the validation part.
        epoch: epochs done when they were found.
    """

    def __init__(self, network: IntentNetwork) -> None:
        self.best = copy.deepcopy(network)
        self.average = AveragedModel(self.best)
        self.score = (-1.0, -math.inf)
        self.epoch = 0

    def offer(self, network: nn.Module, score: tuple[float, float], epoch: int) -> None:
        """Take over the weights of a network if they score better."""
        if score > self.score:
            self.score, self.epoch = score, epoch
            self.best.load_state_dict(network.state_dict())


class IntentTraining(EpochTraining):
    """One training of the intent model, on a processor, a GPU or several machines (Accelerate).

    Args:
        settings: the training file.
        plm: directory of the pre-trained language model.
        reader: its tokenizer.
        lines: the training and validation lines.
        device: auto, cpu or cuda.
        output: the model directory to write; None writes nothing.

    Raises:
        ConfigurationError: the PLM or the device cannot be used.
    """

    def __init__(
        self,
        settings: IntentTrainingConfig,
        plm: Path,
        reader: TextReader,
        lines: Lines,
        device: str,
        output: Path | None = None,
    ) -> None:
        super().__init__(settings.seed, output, device, _LOG)
        self.settings, self._reader, self._lines = settings, reader, lines
        network = from_pretrained(
            plm,
            {head: len(HEADS[head]) for head in settings.heads},
            hidden=settings.hidden,
            dropout=settings.dropout,
            pooling=settings.pooling,
        )
        groups = parameter_groups(network, settings)
        self._rates = [group["lr"] for group in groups]
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
        self.selection = Selection(self.accelerator.unwrap_model(self.network))

    def _loader(self, utterances: Sequence[Utterance]) -> DataLoader[Utterance]:
        collate = Collator(self._reader, self.settings.heads)
        return DataLoader(Utterances(utterances), self.settings.batch_size, collate_fn=collate)

    @property
    def finished(self) -> bool:
        """Whether no epoch is left, or too many went by without a better one."""
        waited = self.epoch - self.selection.epoch
        return self.epoch >= self.settings.epochs or waited >= self.settings.patience

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All epochs are alike."""
        return (Stage("text", self.settings.epochs, len(self.batches)),)

    def epoch_seed(self) -> int:
        """Return the seed of the next epoch."""
        return self.settings.seed + 1000 * (self.epoch + 1)

    def state(self) -> tuple[nn.Module, Mapping[str, torch.optim.Optimizer]]:
        """Return the networks and the optimiser."""
        network = self.accelerator.unwrap_model(self.network)
        networks = {"last": network, "best": self.selection.best}
        if self.settings.average_from < 1.0:
            networks["average"] = self.selection.average
        return nn.ModuleDict(networks), {"optimizer": self.optimizer}

    def progress(self) -> dict[str, int | float]:
        """Return the number of epochs done and how the best weights scored."""
        accuracy, score = self.selection.score
        best = {"best_epoch": self.selection.epoch, "best_accuracy": accuracy, "best_score": score}
        return super().progress() | best

    def restore(self, progress: Mapping[str, int | float]) -> None:
        """Take over what `progress` returned."""
        super().restore(progress)
        self.selection.epoch = int(progress["best_epoch"])
        self.selection.score = (progress["best_accuracy"], progress["best_score"])

    def train_epoch(self) -> None:
        """Train on every utterance once and validate."""
        self.order.epoch = self.epoch
        self.network.train()
        total = 0.0
        batches: Iterable[Batch] = self.batches
        for number, (tokens, mask, labels) in enumerate(self.paced(batches)):
            self.set_rates(self.epoch + number / len(self.batches))
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
        self._validate(self.epoch + 1, total / len(self.batches))

    def _validate(self, epoch: int, training_loss: float) -> None:
        self.accelerator.log({"loss/training": training_loss}, step=epoch)
        _LOG.info("epoch %d: loss %.3f", epoch, training_loss)
        network = self.accelerator.unwrap_model(self.network)
        candidates = {"": network}
        if epoch > self.settings.average_from * self.settings.epochs:
            self.selection.average.update_parameters(network)
            candidates["/average"] = self.selection.average.module
        for suffix, candidate in candidates.items():
            logits, labels = predict(candidate, self.validation, self.accelerator.gather_for_metrics)
            loss = float(intent_loss(logits, labels))
            right = accuracies(self.settings.heads, logits, labels)
            log = {"loss": loss} | {f"accuracy/{head}": value for head, value in right.items()}
            self.accelerator.log({f"validation{suffix}/{k}": v for k, v in log.items()}, step=epoch)
            shown = ", ".join(f"{name} {value:.3f}" for name, value in log.items())
            _LOG.info("  validation%s %s", suffix, shown)
            self.selection.offer(candidate, (sum(right.values()) / len(right), -loss), epoch)

    def test(self, utterances: Sequence[Utterance]) -> dict[str, float]:
        """Return how often the best weights are right, for each head that has labels there."""
        return accuracies(self.settings.heads, *predict(self.selection.best.cpu(), self._loader(utterances)))

    def finish(self) -> None:
        """Write the model directory: the best weights, calibrated, and the graphs."""
        assert self.output is not None
        best = self.selection.best
        labels = {head: list(HEADS[head]) for head in self.settings.heads}
        config = {"kind": "intent", "name": self.settings.name, "labels": labels, **describe(best)}
        weights = {name: value.cpu().numpy() for name, value in best.state_dict().items()}
        save_model(self.output, config, weights)
        calibrate(self.output, self._lines.validation)
        export(self.output)

    def set_rates(self, epoch: float) -> None:
        """Set the learning rates: rising over the warm-up, then, with decay, falling to zero, linearly."""
        warm_up, total = self.settings.warm_up * self.settings.epochs, self.settings.epochs
        factor = 1.0
        if epoch < warm_up:
            factor = epoch / warm_up
        elif self.settings.decay:
            factor = (total - epoch) / max(total - warm_up, 1e-9)
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor


def parameter_groups(network: IntentNetwork, settings: IntentTrainingConfig) -> list[dict[str, Any]]:
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
