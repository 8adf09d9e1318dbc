"""The gesture recogniser: a few small graph networks over skeleton and time, after EfficientGCN.

They differ by chance alone, and their mean knows motions unlike those learnt better than each does
(Lakshminarayanan et al., Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles, 2017).
In each, three early branches (places, velocities, bones), then one stream; each block is a convolution over
the skeleton graph and a separable one over time (Song et al., Constructing Stronger and Faster Baselines for
Skeleton-based Action Recognition, 2021, sec. 3). Frames beyond a motion's end are zero after every block,
which is what the temporal convolutions pad with, so they change nothing.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from text2gesture_ros.errors import ConfigurationError, ModelError
from text2gesture_ros.model_directory import ModelDirectory
from text2gesture_ros.skeleton import BONES, INDEX, JOINTS
from text2gesture_ros.understanding.recogniser import LABELS

_KERNEL = 5  # frames
_PARTITIONS = 3  # a joint itself, its parent, its children (Yan et al., ST-GCN, 2018, sec. 3.3)
_BRANCHES = 3
_INPUT_CHANNELS = 6  # of each branch


@dataclass(frozen=True)
class RecognitionNetworkConfig:
    """The sizes of the recogniser.

    Attributes:
        branch_channels: channels of the two blocks of each branch; the first halves the frame rate.
        channels: channels of the blocks of the main stream; the first and the last halve the frame rate.
        dropout: part of the features left out in training before the last layer.
        members: how many networks there are.

    Raises:
        ConfigurationError: a size is out of range.
    """

    branch_channels: tuple[int, ...] = (16, 24)
    channels: tuple[int, ...] = (64, 96, 128)
    dropout: float = 0.2
    members: int = 1

    def __post_init__(self) -> None:
        for key in ("branch_channels", "channels"):
            sizes = tuple(getattr(self, key))
            object.__setattr__(self, key, sizes)
            if not sizes or not all(isinstance(size, int) and 1 <= size <= 1024 for size in sizes):
                raise ConfigurationError(f"{key} must be whole numbers in [1, 1024] but are {sizes}")
        if not 0.0 <= self.dropout < 1.0:
            raise ConfigurationError(f"dropout must be in [0, 1) but is {self.dropout}")
        if not isinstance(self.members, int) or not 1 <= self.members <= 64:
            raise ConfigurationError(f"members must be a whole number in [1, 64] but is {self.members}")

    @property
    def feature_width(self) -> int:
        """Width of the features the last layer reads: mean and maximum of every channel."""
        return 2 * self.channels[-1]


class _GraphConvolution(nn.Module):
    """Mixes each joint with its neighbours; the links begin as the skeleton's and are learnt from there.

    So the hand can come to see the head, which no bone joins it to.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        links = np.zeros((_PARTITIONS, len(JOINTS), len(JOINTS)), dtype=np.float32)
        links[0] = np.eye(len(JOINTS))
        for parent, child in BONES:
            links[1, parent, child] = links[2, child, parent] = 1.0  # [from, to]
        links /= np.maximum(links.sum(axis=1, keepdims=True), 1.0)
        self.links = nn.Parameter(torch.from_numpy(links))
        self.mix = nn.Conv2d(inputs, _PARTITIONS * outputs, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, features: Tensor) -> Tensor:
        """(B, D_in, T, K) -> (B, D_out, T, K)."""
        parts = self.mix(features).chunk(_PARTITIONS, dim=1)
        mixed: Tensor = parts[0] @ self.links[0] + parts[1] @ self.links[1] + parts[2] @ self.links[2]
        return self.norm(mixed)  # type: ignore[no-any-return]


class _Attention(nn.Module):
    """Weighs the channels of every joint by what the whole motion shows there."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.Linear(channels, channels // 4), nn.ReLU(), nn.Linear(channels // 4, channels), nn.Sigmoid()
        )

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        mean = features.sum(dim=2) / mask.sum(dim=2)  # (B, D, K)
        weights: Tensor = self.weigh(mean.transpose(1, 2))  # (B, K, D)
        return features * weights.transpose(1, 2)[:, :, None]


class _Block(nn.Module):
    """A separable convolution: over time by channel, then over graph and channels; added to what came in."""

    def __init__(self, inputs: int, outputs: int, stride: int, attention: bool) -> None:
        super().__init__()
        self.stride = stride
        self.time = nn.Conv2d(
            inputs, inputs, (_KERNEL, 1), (stride, 1), (_KERNEL // 2, 0), groups=inputs, bias=False
        )
        self.graph = _GraphConvolution(inputs, outputs)
        same = inputs == outputs and stride == 1
        self.skip = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, (stride, 1), bias=False)
        self.attention = _Attention(outputs) if attention else None

    def forward(self, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, D_in, T, K), (B, 1, T, 1) -> (B, D_out, T / stride, K) and the mask of these frames."""
        mask = mask[:, :, :: self.stride]
        result = torch.relu(self.graph(self.time(features)) + self.skip(features)) * mask
        if self.attention is not None:
            result = self.attention(result, mask)
        return result, mask


class _Stem(nn.Module):
    """Halves the frame rate first, since what follows costs in proportion: a full convolution over time."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.time = nn.Conv2d(inputs, outputs, (_KERNEL, 1), (2, 1), (_KERNEL // 2, 0), bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, D_in, T, K), (B, 1, T, 1) -> (B, D_out, T / 2, K) and the mask of these frames."""
        mask = mask[:, :, ::2]
        return torch.relu(self.norm(self.time(features))) * mask, mask


class _Member(nn.Module):
    """One of the networks."""

    def __init__(self, config: RecognitionNetworkConfig) -> None:
        super().__init__()
        joints = len(JOINTS)
        self.norms = nn.ModuleList(nn.BatchNorm1d(_INPUT_CHANNELS * joints) for _ in range(_BRANCHES))
        branches = []
        for _ in range(_BRANCHES):
            widths = (_INPUT_CHANNELS, *config.branch_channels)
            branches.append(
                nn.ModuleList(
                    _Stem(before, after) if index == 0 else _Block(before, after, 2, attention=False)
                    for index, (before, after) in enumerate(pairwise(widths))
                )
            )
        self.branches = nn.ModuleList(branches)
        widths = (_BRANCHES * config.branch_channels[-1], *config.channels)
        last = len(config.channels) - 1
        self.stream = nn.ModuleList(
            _Block(before, after, 2 if index == last else 1, attention=True)
            for index, (before, after) in enumerate(pairwise(widths))
        )
        self.dropout = nn.Dropout(config.dropout)
        self.classify = nn.Linear(config.feature_width, len(LABELS))
        parents, children = (list(ends) for ends in zip(*BONES, strict=True))
        self.starts: Tensor
        self.ends: Tensor
        self.register_buffer("starts", torch.tensor([0, *parents]), persistent=False)
        self.register_buffer("ends", torch.tensor([0, *children]), persistent=False)

    def forward(self, positions: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, K, 3), (B, T) -> (B, C) logits, (B, D) features."""
        mask = mask[:, None, :, None]  # (B, 1, T, 1)
        streams = []
        inputs = self._inputs(positions, mask)
        for values, norm, blocks in zip(inputs, self.norms, self.branches, strict=True):
            features, kept = self._normed(values, norm) * mask, mask
            for block in blocks:  # type: ignore[attr-defined]
                features, kept = block(features, kept)
            streams.append(features)
        features = torch.cat(streams, dim=1)  # (B, D, T / 2, K)
        for block in self.stream:
            features, kept = block(features, kept)
        mean = (features.sum(dim=2) / kept.sum(dim=2)).mean(dim=2)  # (B, D)
        pooled = torch.cat([mean, features.amax(dim=(2, 3))], dim=1)  # (B, 2 * D)
        return self.classify(self.dropout(pooled)), pooled

    def _inputs(self, positions: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what the branches see, each (B, 6, T, K): places, velocities, bones."""
        places = positions.permute(0, 3, 1, 2) * mask  # (B, 3, T, K)
        # From the chest and from the head: where a hand is at the head matters as much as where it is.
        chest, head = INDEX["chest"], INDEX["head"]
        near = torch.cat(
            [places - places[..., chest : chest + 1], places - places[..., head : head + 1]], dim=1
        )
        steps = []
        for step in (1, 2):  # frames, as in EfficientGCN
            moved = (places[:, :, step:] - places[:, :, :-step]) * mask[:, :, step:]
            steps.append(nn.functional.pad(moved, (0, 0, 0, step)))
        bones = places[..., self.ends] - places[..., self.starts]  # (B, 3, T, K); the pelvis' is zero
        mean = bones.sum(dim=2, keepdim=True) / mask.sum(dim=2, keepdim=True)
        # From their mean over the motion too: where a skeleton has its joints differs by who recorded it.
        return near, torch.cat(steps, dim=1), torch.cat([bones, bones - mean], dim=1)

    @staticmethod
    def _normed(inputs: Tensor, norm: nn.Module) -> Tensor:
        channels, frames, joints = inputs.shape[1:]
        flat = inputs.permute(0, 1, 3, 2).reshape(-1, channels * joints, frames)
        shaped: Tensor = norm(flat).reshape(-1, channels, joints, frames).permute(0, 1, 3, 2)
        return shaped


class RecognitionNetwork(nn.Module):
    """What a normalised motion shows: logits of `recogniser.LABELS`, and the features they are read from."""

    def __init__(self, config: RecognitionNetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.members = nn.ModuleList(_Member(config) for _ in range(config.members))

    def forward(self, positions: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and features of each member.

        Args:
            positions: (B, T, K, 3) as `recogniser.normalised` makes them.
            mask: (B, T) 1 for the motion's frames, 0 beyond its end.

        Returns:
            (B, C, M) logits, (B, D, M) features.
        """
        found = (member(positions, mask) for member in self.members)
        logits, features = (torch.stack(each, dim=-1) for each in zip(*found, strict=True))
        return logits, features


def network_config(config: Mapping[str, Any], where: str) -> RecognitionNetworkConfig:
    """Read the sizes from the "network" part of a model's config.json.

    Raises:
        ModelError: it is missing, has unknown or missing keys, or a size is out of range.
    """
    sizes = config.get("network")
    known = asdict(RecognitionNetworkConfig())
    if not isinstance(sizes, Mapping) or set(sizes) != set(known):
        raise ModelError(f"{where}: 'network' must have exactly the keys {', '.join(known)}")
    try:
        return RecognitionNetworkConfig(**sizes)
    except (ConfigurationError, TypeError) as error:
        raise ModelError(f"{where}: 'network': {error}") from None


def load_network(model: ModelDirectory) -> RecognitionNetwork:
    """Return the network of a model directory with its weights, ready to recognise.

    Raises:
        ModelError: sizes and weights do not fit.
    """
    network = RecognitionNetwork(network_config(model.config, str(model.path)))
    weights = {name: torch.from_numpy(array) for name, array in model.weights().items()}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ModelError(f"{model.path}: {' '.join(str(error).split())}") from None
    return network.eval()
