"""The motion model: an embedder of clips and an autoregressive generator with a stop token (paper, sec. 3.2).

Frames here are normalised joint positions with joints and axes in one axis: (B, M) with M = K * 3.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from text2gesture_ros.errors import ConfigurationError, ModelError
from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.labels import EMOTIONS, GESTURES
from text2gesture_ros.model_directory import ModelDirectory
from text2gesture_ros.skeleton import JOINTS, PARENTS

COORDINATES = 3 * len(JOINTS)  # M
# Kernel and stride of the embedder's convolutions; their channels are in the configuration.
_CONVOLUTIONS = ((7, 2), (3, 2), (3, 2), (3, 1), (3, 1))
WHOLE_CLIP_EVERY = 4  # of the frames, one is read by the layer that sees the whole clip
CONDITIONS = ("clip", "class")
# What every model's configuration names; the keys that came later have the default of models without them.
_REQUIRED = {"embedder_channels", "hidden_width", "recurrent_width", "frames_per_step"}


@dataclass(frozen=True)
class MotionNetworkConfig:
    """The sizes of the motion model; the defaults are the paper's.

    Attributes:
        embedder_channels: channels of the embedder's five convolutions; the last is the embedding's width.
        hidden_width: width of every layer of initial generator, pre-net, post-net and token net.
        recurrent_width: width of the two GRUs between pre-net and post-net.
        frames_per_step: consecutive frames, each with its stop token, that one autoregressive step emits.
            1 is the paper. More (the reduction factor of Tacotron) divides the cost of training.
        cumulative: whether each frame of a step is a change of the one before it, or all are changes of the
            last one of the step before. With one frame per step that is the same.
        embedded_states: whether the states of the two GRUs between pre-net and post-net start from the
            embedding, by a layer of their own, or at zero.
        whole_clip: frames N of the clips that the embedder also reads as a whole, every fourth of them, by
            one linear layer; 0 for no such layer. A mean over time of what convolutions see tells how a
            head moves, hardly when.
        planned_steps: for how many steps the embedding itself gives a part of the change, by a layer of its
            own for each. What GRUs carry along is learnt slowest where it is fast: when and how often a head
            shakes; straight from the embedding it is learnt at once. 0 for none.
        still_start: whether the layers that make the changes start at zero; else their first random numbers
            are trembling that training has to undo.
        bone_true: whether every frame is put on fixed bone lengths before it goes out and back in.
        condition: what the generator starts from: the embedding of a clip (the paper), or a vector learnt for
            each gesture and emotion, of the same width.

    Raises:
        ConfigurationError: a size is out of range.
    """

    embedder_channels: tuple[int, ...] = (64, 128, 256, 512, 1024)
    hidden_width: int = 512
    recurrent_width: int = 1024
    frames_per_step: int = 1
    cumulative: bool = False
    embedded_states: bool = False
    whole_clip: int = 0
    planned_steps: int = 0
    still_start: bool = False
    bone_true: bool = False
    condition: str = "clip"

    def __post_init__(self) -> None:
        object.__setattr__(self, "embedder_channels", tuple(self.embedder_channels))
        if len(self.embedder_channels) != len(_CONVOLUTIONS):
            raise ConfigurationError(
                f"embedder_channels must be {len(_CONVOLUTIONS)} numbers but are {self.embedder_channels}"
            )
        widths = (*self.embedder_channels, self.hidden_width, self.recurrent_width)
        if not all(isinstance(width, int) and 1 <= width <= 8192 for width in widths):
            raise ConfigurationError(f"widths must be whole numbers in [1, 8192] but are {widths}")
        if not isinstance(self.frames_per_step, int) or not 1 <= self.frames_per_step <= 60:
            raise ConfigurationError(f"frames_per_step must be in [1, 60] but is {self.frames_per_step}")
        for key, most in (("whole_clip", 10_000), ("planned_steps", 1000)):
            if not isinstance(getattr(self, key), int) or not 0 <= getattr(self, key) <= most:
                raise ConfigurationError(f"{key} must be in [0, {most}] but is {getattr(self, key)}")
        for key in ("cumulative", "embedded_states", "still_start", "bone_true"):
            if not isinstance(getattr(self, key), bool):
                raise ConfigurationError(f"{key} must be true or false but is {getattr(self, key)!r}")
        if self.condition not in CONDITIONS:
            raise ConfigurationError(
                f"condition must be one of {', '.join(CONDITIONS)} but is {self.condition!r}"
            )

    @property
    def embedding_width(self) -> int:
        """Width of the embedding vector."""
        return self.embedder_channels[-1]


class State(NamedTuple):
    """What the generator remembers from step to step."""

    shared: Tensor  # (B, D) of the GRU in pre-net and post-net
    first: Tensor  # (B, D') of the first GRU between them
    second: Tensor  # (B, D') of the second
    plan: Tensor  # (B, S, W) what the embedding gives the steps to come; S = 0 without a plan


class Embedder(nn.Module):
    """Maps a clip to a vector in which clips of one gesture lie together."""

    def __init__(self, channels: tuple[int, ...], whole_clip: int = 0) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = COORDINATES
        for channel, (kernel, stride) in zip(channels, _CONVOLUTIONS, strict=True):
            convolution = nn.Conv1d(width, channel, kernel, stride, padding=kernel // 2)
            layers += [nn.BatchNorm1d(width), nn.ReLU(), convolution]
            width = channel
        self.layers = nn.Sequential(*layers)
        if whole_clip:
            self.whole = nn.Linear(len(range(0, whole_clip, WHOLE_CLIP_EVERY)) * COORDINATES, width)
        self._whole_clip = whole_clip

    def forward(self, clips: Tensor) -> Tensor:
        """Return the embeddings of clips of one length: (B, T, M) -> (B, D)."""
        features: Tensor = self.layers(clips.transpose(1, 2))  # (B, D, T / 8)
        embedding = features.mean(dim=2)  # (B, D)
        if self._whole_clip:
            embedding = embedding + self.whole(clips[:, ::WHOLE_CLIP_EVERY].flatten(1))
        return embedding


class GRUCell(nn.Module):
    """A GRU cell as two linear layers: what `torch.nn.GRUCell` computes, but exported with named weights."""

    def __init__(self, input_width: int, width: int) -> None:
        super().__init__()
        self.input = nn.Linear(input_width, 3 * width)
        self.hidden = nn.Linear(width, 3 * width)

    def forward(self, features: Tensor, state: Tensor) -> Tensor:
        """Return the new state: (B, D_in), (B, D) -> (B, D)."""
        reset_in, update_in, new_in = self.input(features).chunk(3, dim=1)  # 3 x (B, D)
        reset_hidden, update_hidden, new_hidden = self.hidden(state).chunk(3, dim=1)
        update = torch.sigmoid(update_in + update_hidden)
        new = torch.tanh(new_in + torch.sigmoid(reset_in + reset_hidden) * new_hidden)
        return new + update * (state - new)


class RecurrentNet(nn.Module):
    """Pre-net and post-net: two FC layers, a GRU, two FC layers."""

    def __init__(self, input_width: int, width: int, output: nn.Module) -> None:
        super().__init__()
        self.before = nn.Sequential(
            nn.Linear(input_width, width), nn.LeakyReLU(), nn.Linear(width, width), nn.LeakyReLU()
        )
        self.gru = GRUCell(width, width)
        self.after = nn.Sequential(nn.Linear(width, width), nn.LeakyReLU(), output)

    def forward(self, features: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return output and new state: (B, D_in), (B, D) -> (B, D_out), (B, D)."""
        state = self.gru(self.before(features), state)
        return self.after(state), state


class Body(nn.Module):
    """Puts frames on a body: every bone keeps its direction and gets its length, as `with_bone_lengths` does.

    Differentiable, all bones at once: a joint's position is the sum of the bones that lead to it.
    """

    mean: Tensor
    deviation: Tensor
    lengths: Tensor
    parents: Tensor
    chains: Tensor

    def __init__(self) -> None:
        super().__init__()
        count = len(JOINTS)
        self.register_buffer("mean", torch.zeros(COORDINATES))
        self.register_buffer("deviation", torch.ones(COORDINATES))
        self.register_buffer("lengths", torch.ones(count - 1))
        chains = torch.zeros(count, count - 1)  # which bones (columns) lead to a joint (rows)
        for joint, parent in enumerate(PARENTS):
            if parent >= 0:
                chains[joint] = chains[parent]
                chains[joint, joint - 1] = 1.0
        self.register_buffer("chains", chains, persistent=False)
        self.register_buffer("parents", torch.tensor(PARENTS[1:]), persistent=False)

    def forward(self, frames: Tensor) -> Tensor:
        """Return the frames on the body, normalised as they came: (..., M) -> (..., M)."""
        positions = (frames * self.deviation + self.mean).reshape(*frames.shape[:-1], len(JOINTS), 3)
        bones = positions[..., 1:, :] - positions.index_select(-2, self.parents)  # (..., K - 1, 3)
        norms = (bones.square().sum(dim=-1, keepdim=True) + 1e-12).sqrt()
        positions = positions[..., :1, :] + self.chains @ (bones / norms * self.lengths[:, None])
        normalised: Tensor = (positions.flatten(-2) - self.mean) / self.deviation
        return normalised


class MotionGenerator(nn.Module):
    """Makes motion from an embedding, step by step, and says with a token when it is over.

    Where the paper leaves it open: the states of the two GRUs start at zero unless asked otherwise; the token
    net reads what the second of them gives; the layer that makes the frame has no activation, since changes
    have both signs.
    """

    def __init__(self, config: MotionNetworkConfig) -> None:
        super().__init__()
        self.config = config
        width, recurrent, count = config.hidden_width, config.recurrent_width, config.frames_per_step
        self.initial_state = nn.Sequential(
            nn.Linear(config.embedding_width, width), nn.LeakyReLU(), nn.Linear(width, width)
        )
        self.initial_frame = nn.Sequential(
            nn.LeakyReLU(), nn.Linear(width, width), nn.LeakyReLU(), nn.Linear(width, COORDINATES)
        )
        self.pre_net = RecurrentNet(
            COORDINATES, width, nn.Sequential(nn.Linear(width, width), nn.LeakyReLU())
        )
        self.first_gru = GRUCell(width, recurrent)
        self.second_gru = GRUCell(recurrent, recurrent)
        changes = nn.Linear(width, count * COORDINATES)
        self.post_net = RecurrentNet(recurrent, width, changes)
        self.token_net = nn.Sequential(
            nn.Linear(recurrent, width),
            nn.LeakyReLU(),
            nn.Linear(width, width),
            nn.LeakyReLU(),
            nn.Linear(width, count),
        )
        if config.embedded_states:
            self.recurrent_states = nn.Linear(config.embedding_width, 2 * recurrent)
        if config.planned_steps:
            self.plan = nn.Linear(config.embedding_width, config.planned_steps * config.embedding_width)
            self.planned_changes = nn.Linear(config.embedding_width, count * COORDINATES)
        if config.still_start:
            for layer in (changes, self.planned_changes) if config.planned_steps else (changes,):
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)
        self.body = Body() if config.bone_true else nn.Identity()

    def set_body(self, mean: FloatArray, deviation: FloatArray, bone_lengths: FloatArray) -> None:
        """Take over the body that frames are put on, where the configuration asks for one.

        Args:
            mean: (M,) of every coordinate [m].
            deviation: (M,) standard deviation [m].
            bone_lengths: (K - 1,) bone lengths [m].
        """
        if isinstance(self.body, Body):
            for name, value in (("mean", mean), ("deviation", deviation), ("lengths", bone_lengths)):
                getattr(self.body, name).copy_(torch.from_numpy(value))

    def initial(self, embedding: Tensor) -> tuple[Tensor, State]:
        """Return the first frame and the state: (B, D) -> (B, M), state."""
        shared = self.initial_state(embedding)  # (B, D)
        if self.config.embedded_states:
            first, second = torch.tanh(self.recurrent_states(embedding)).chunk(2, dim=1)  # 2 x (B, D')
        else:
            first = second = shared.new_zeros(len(shared), self.config.recurrent_width)  # (B, D')
        steps, width = self.config.planned_steps, self.config.embedding_width
        plan = self.plan(embedding) if steps else shared.new_zeros(len(shared), 0)
        state = State(shared, first, second, plan.unflatten(1, (steps, width)))
        return self.body(self.initial_frame(shared)), state

    def step(self, frame: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """Return the frames that follow `frame`, the logits of their stop tokens and the new state.

        The GRU state of pre-net and post-net is one: each continues where the other left it. The frames are
        changes added to `frame` (the residual connection).

        Args:
            frame: (B, M) last frame so far.
            state: what `initial` or the previous `step` returned.

        Returns:
            (B, R, M) frames, (B, R) logits, state; R frames per step.
        """
        features, shared = self.pre_net(frame, state.shared)  # (B, D), (B, D)
        first = self.first_gru(features, state.first)  # (B, D')
        second = self.second_gru(first, state.second)  # (B, D')
        change, shared = self.post_net(second, shared)  # (B, R * M), (B, D)
        plan = state.plan
        if self.config.planned_steps:
            change = change + self.planned_changes(plan[:, 0])
            plan = torch.cat([plan[:, 1:], torch.zeros_like(plan[:, :1])], dim=1)
        change = change.unflatten(1, (self.config.frames_per_step, COORDINATES))  # (B, R, M)
        if self.config.cumulative:
            change = change.cumsum(dim=1)
        frames = self.body(frame[:, None] + change)
        return frames, self.token_net(second), State(shared, first, second, plan)

    def forward(
        self, embedding: Tensor, steps: int, clips: Tensor | None = None, true_share: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Generate; without clips no teacher forces: every step sees only what the model itself made.

        Args:
            embedding: (B, D).
            steps: how many steps.
            clips: (B, T, M) what is to be generated; needed for a `true_share` above 0.
            true_share: how often, in [0, 1], a step goes on from the clip's frame instead of the model's own
                (scheduled sampling, Bengio et al. 2015).

        Returns:
            (B, T, M) frames with T = 1 + steps * R, and (B, T - 1) logits of the stop tokens from frame 1 on.
        """
        frame, state = self.initial(embedding)
        frames, logits = [frame[:, None]], []
        for step in range(steps):
            last = frames[-1][:, -1]
            if clips is not None and true_share > 0.0:
                fed = torch.rand(len(last), 1, device=last.device) < true_share
                last = torch.where(fed, clips[:, step * self.config.frames_per_step], last)
            block, tokens, state = self.step(last, state)
            frames.append(block)
            logits.append(tokens)
        return torch.cat(frames, dim=1), torch.cat(logits, dim=1)


class MotionNetwork(nn.Module):
    """Embedder and generator: everything that is learnt, under the names of weights.safetensors."""

    def __init__(self, config: MotionNetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.embedder = Embedder(config.embedder_channels, config.whole_clip)
        self.generator = MotionGenerator(config)
        if config.condition == "class":
            self.classes = nn.Embedding(len(GESTURES) * len(EMOTIONS), config.embedding_width)

    def class_vectors(self, gestures: Tensor, emotions: Tensor) -> Tensor:
        """Return the vectors learnt for classes, where the condition is "class": (B,), (B,) -> (B, D)."""
        vectors: Tensor = self.classes(gestures * len(EMOTIONS) + emotions)
        return vectors


def network_config(config: Mapping[str, Any], where: str) -> MotionNetworkConfig:
    """Read the sizes from the "network" part of a model's config.json.

    Raises:
        ModelError: it is missing, has unknown or missing keys, or a size is out of range.
    """
    sizes = config.get("network")
    known = asdict(MotionNetworkConfig())
    if not isinstance(sizes, Mapping) or not _REQUIRED <= set(sizes) <= set(known):
        raise ModelError(f"{where}: 'network' must have exactly the keys {', '.join(known)}")
    try:
        return MotionNetworkConfig(**sizes)
    except (ConfigurationError, TypeError) as error:
        raise ModelError(f"{where}: 'network': {error}") from None


def load_network(model: ModelDirectory) -> MotionNetwork:
    """Return the network of a model directory with its weights, ready to generate.

    Raises:
        ModelError: sizes and weights do not fit.
    """
    network = MotionNetwork(network_config(model.config, str(model.path)))
    weights = {name: torch.from_numpy(array) for name, array in model.weights().items()}
    known = network.state_dict()
    missing = [name for name in known if name not in weights]
    if missing:
        raise ModelError(f"{model.path}: weights.safetensors lacks {missing[0]!r}")
    for name, value in known.items():
        if weights[name].shape != value.shape:
            raise ModelError(
                f"{model.path}: weight {name!r} is {tuple(weights[name].shape)}, must be {tuple(value.shape)}"
            )
    network.load_state_dict({name: weights[name] for name in known})
    return network.eval()
