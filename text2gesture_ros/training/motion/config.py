"""The training file of the motion model."""

import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.generation.motion_network import MotionNetworkConfig
from text2gesture_ros.training.checks import check_values

PADDINGS = ("last", "zero")
STUDIO = ("all", "missing", "none")
_BOUNDS = {
    "seed": (0, 2**31),
    "clips_per_gesture": (3, 100_000),
    "candid_share": (0.0, 1.0),
    "held_out_share": (0.0, 0.5),
    "frames": (2, 10_000),
    "augmentations": (0, 1000),
    "removed_share": (0.0, 0.5),
    "emotion_triplets": (0.0, 100.0),
    "embedding_noise": (0.0, 10.0),
    "components": (0, 100),
    "batch_size": (2, 4096),
    "embedder_epochs": (0, 100_000),
    "generator_epochs": (1, 100_000),
    "embedder_learning_rate": (1e-9, 1.0),
    "learning_rate": (1e-9, 1.0),
    "gradient_clip": (0.0, 1e6),
    "token_threshold": (1e-9, 1.0),
    "embedding_from": (0.0, 1.0),
    "embedding_warm_in": (0, 10**9),
    "true_frames": (0.0, 1.0),
    "true_frames_until": (0.0, 1.0),
    "smoothing": (0.0, 0.1),
    "head_importance": (0.0, 100.0),
}


@dataclass(frozen=True)
class LossWeights:
    """Weights of the generator's losses; the defaults are the paper's (equations 6 to 10).

    Attributes:
        first: first frame (6).
        motion: all frames (7).
        token: stop tokens (8), while it is above the threshold.
        embedding: embedding of the generated clip (9), once the token loss is below the threshold.
        token_cross_entropy: cross-entropy of the stop tokens, always.
        squared: squared error of all frames; it pulls hardest where most is missing.
        velocity: change from frame to frame.
        squared_velocity: its squared error; it asks for what is small and fast: waving, nodding, shaking.
        acceleration: change of that change; without it frames tremble.
        squared_acceleration: its squared error; it weighs most where it is largest: where one step of the
            generator follows the other.
        triplet: triplets (5), while the generator is trained and only if the embedder learns on then.

    Raises:
        ConfigurationError: a weight is negative or no number.
    """

    first: float = 1.0
    motion: float = 1.0
    token: float = 1.0
    embedding: float = 1.0
    token_cross_entropy: float = 0.0
    squared: float = 0.0
    velocity: float = 0.0
    squared_velocity: float = 0.0
    acceleration: float = 0.0
    squared_acceleration: float = 0.0
    triplet: float = 1.0

    def __post_init__(self) -> None:
        check_values(self, {}, others=(0.0, 1e6), prefix="losses.")


@dataclass(frozen=True)
class MotionTrainingConfig:
    """Everything a training of the motion model depends on; the defaults are the paper's.

    Attributes:
        name: what the model calls itself.
        seed: of data, augmentation, weights and order.
        data: folders of recordings of one's own, see `recordings`; relative paths start at the training file.
        studio: what of the studio's clips is trained on: all, none, or "missing": those of gestures that
            `data` lacks.
        clips_per_gesture: clips the studio makes of each gesture.
        candid_share: part of the studio's clips that may begin or end in mid-gesture, see `studio`.
        held_out_share: part of the clips that is not trained on.
        frames: N, to which every clip is padded; 1 and whole steps of the generator.
        padding: what clips are padded with: their last frame, or zero (in the network's coordinates: the mean
            pose).
        count_padding: whether the losses of the motion count the padding too.
        stop_token: whether the model learns to stop; without, every gesture has N frames.
        augmentations: augmented versions of each clip, beside the clip itself.
        removed_share: at most this part of an augmented clip's frames is removed.
        network: the sizes of the model.
        emotion_triplets: weight of a second triplet loss of the embedder, over clips of one gesture, whose
            classes are the emotions.
        embedder_learns: whether the embedder goes on learning with the generator, from its losses too.
        embedding_noise: deviation of the noise on what the generator is given in training, in deviations of
            the embeddings: neighbours in the space shall be alike.
        components: Gaussians that stand for the embedded clips of each gesture and emotion, from which new
            embeddings are drawn; 0 keeps every clip's.
        batch_size: clips per batch.
        embedder_epochs: epochs of the embedder; an epoch is every version of every clip once.
        generator_epochs: epochs of the generator.
        embedder_learning_rate: of Adam.
        learning_rate: of Adam, for the generator.
        cosine: whether the generator's learning rate falls to zero along a cosine, or stays.
        gradient_clip: largest norm of the generator's gradient; 0 for any.
        token_threshold: token loss below which equation 10 goes over to the embedding loss.
        embedding_from: part of the generator's epochs after which the embedding loss begins in any case,
            beside the token loss; 1 for never.
        true_frames: how often the generator's steps go on from the clip's frame in the beginning (scheduled
            sampling); 0, the paper's, for never.
        true_frames_until: part of the generator's epochs in which that falls to never.
        embedding_warm_in: batches over which the embedding loss then grows to its weight; 0 for at once.
        smoothing: deviation of the Gaussian in time that generated frames pass through [s]; 0 for none.
        head_importance: factor on the head's errors, which are few coordinates beside those of the arms.
        losses: what each loss counts.

    Raises:
        ConfigurationError: a value is out of range.
    """

    name: str = "motion"
    seed: int = 0
    data: tuple[str, ...] = ()
    studio: str = "all"
    clips_per_gesture: int = 100
    candid_share: float = 0.0
    held_out_share: float = 0.05
    frames: int = 181
    padding: str = "last"
    count_padding: bool = False
    stop_token: bool = True
    augmentations: int = 10
    removed_share: float = 0.1
    network: MotionNetworkConfig = field(default_factory=MotionNetworkConfig)
    emotion_triplets: float = 0.0
    embedder_learns: bool = False
    embedding_noise: float = 0.0
    components: int = 0
    batch_size: int = 32
    embedder_epochs: int = 500
    generator_epochs: int = 500
    embedder_learning_rate: float = 1e-4
    learning_rate: float = 1e-4
    cosine: bool = False
    gradient_clip: float = 0.0
    token_threshold: float = 0.01
    embedding_from: float = 1.0
    embedding_warm_in: int = 0
    true_frames: float = 0.0
    true_frames_until: float = 0.5
    smoothing: float = 0.0
    head_importance: float = 1.0
    losses: LossWeights = field(default_factory=LossWeights)

    def __post_init__(self) -> None:
        check_values(self, _BOUNDS, {"padding": PADDINGS, "studio": STUDIO})
        self._check_data()
        if (self.frames - 1) % self.network.frames_per_step:
            raise ConfigurationError(
                f"frames must be 1 more than a multiple of frames_per_step"
                f" ({self.network.frames_per_step}) but is {self.frames}"
            )
        if self.network.whole_clip not in (0, self.frames):
            raise ConfigurationError(
                f"network.whole_clip must be 0 or frames ({self.frames}) but is {self.network.whole_clip}"
            )
        if self.network.condition == "class" and (self.losses.embedding or self.embedder_learns):
            raise ConfigurationError(
                "network.condition 'class' embeds no clips:"
                " losses.embedding must be 0 and embedder_learns false"
            )

    def _check_data(self) -> None:
        if isinstance(self.data, str) or not all(isinstance(item, str) and item for item in self.data):
            raise ConfigurationError(f"data must be a list of folders but is {self.data!r}")
        object.__setattr__(self, "data", tuple(self.data))
        if not self.data and self.studio != "all":
            raise ConfigurationError(f"studio {self.studio!r} without data leaves nothing to train on")

    @property
    def steps(self) -> int:
        """Steps of the generator that make a clip of N frames."""
        return (self.frames - 1) // self.network.frames_per_step

    def true_frames_share(self, passed: float) -> float:
        """Return how often a step goes on from a true frame after a part of the training has passed."""
        until = self.true_frames_until
        return self.true_frames * max(0.0, 1.0 - passed / until) if until else 0.0

    def rate_factor(self, passed: float) -> float:
        """Return the factor on the learning rates after a part of the generator's training has passed."""
        return 0.5 + 0.5 * math.cos(math.pi * passed) if self.cosine else 1.0


_PARTS: dict[str, type] = {"network": MotionNetworkConfig, "losses": LossWeights}


def load_config(path: Path) -> MotionTrainingConfig:
    """Read a training file (YAML).

    Its key `base` names another training file, beside it, whose values hold where this one says nothing.

    Raises:
        ConfigurationError: it cannot be read, has an unknown key, or a value is out of range.
    """
    values = _read(path)
    try:
        for key, part in _PARTS.items():
            if key in values:
                values[key] = part(**values[key])
        return MotionTrainingConfig(**values)
    except (ConfigurationError, TypeError) as error:
        raise ConfigurationError(f"{path}: {error}") from None


def _read(path: Path, heirs: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Return the values of a training file merged into those of its base, with absolute folders of data."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
    base = values.pop("base", None) if isinstance(values, dict) else None
    try:
        values = _known(values, MotionTrainingConfig, "")
        for key, part in _PARTS.items():
            if key in values:
                values[key] = _known(values[key], part, f"{key}.")
        if base is not None and not isinstance(base, str):
            raise ConfigurationError(f"base must be the name of a training file but is {base!r}")
        if path.resolve() in heirs:
            raise ConfigurationError("is a base of itself")
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None
    if isinstance(values.get("data"), list):
        values["data"] = [
            str(path.parent / folder) if isinstance(folder, str) and folder else folder
            for folder in values["data"]
        ]
    if base is None:
        return values
    inherited = _read(path.parent / base, (*heirs, path.resolve()))
    merged = {key: {**inherited.get(key, {}), **values.get(key, {})} for key in _PARTS}
    return {**inherited, **values, **merged}


def _known(values: object, kind: type, prefix: str) -> dict[str, Any]:
    known = [part.name for part in fields(kind)]
    if not isinstance(values, dict):
        raise ConfigurationError(f"{prefix.rstrip('.') or 'the file'} must be a mapping with keys of {known}")
    unknown = [key for key in values if key not in known]
    if unknown:
        raise ConfigurationError(f"unknown key '{prefix}{unknown[0]}'. Known: {', '.join(known)}")
    return dict(values)
