"""Gesture and emotion -> human motion, frame by frame, until the model's own stop token fires.

Runs on ONNX Runtime; PyTorch is imported only for `device: cuda` where ONNX Runtime has no CUDA provider.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from text2gesture_ros.errors import InputError, ModelError
from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.labels import EMOTIONS, GESTURES, NEUTRAL, check_label
from text2gesture_ros.model_directory import (
    INITIAL_GRAPH,
    STEP_GRAPH,
    ModelDirectory,
    choose_engine,
    open_model,
)
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.parameters import GestureGeneratorParameters
from text2gesture_ros.skeleton import JOINTS, mirror, with_bone_lengths

SHORTEST = 0.5  # No stop token is believed before [s].
_COORDINATES = 3 * len(JOINTS)
_DEFAULTS = GestureGeneratorParameters()


@dataclass(frozen=True)
class Frame:
    """One generated frame.

    Attributes:
        positions: (K, 3) float32 joint positions [m], pelvis frame.
        stop_probability: the model's stop token after this frame, in [0, 1]; 0 for the first frame.
        last: whether the gesture ends with this frame.
    """

    positions: FloatArray
    stop_probability: float
    last: bool


class Engine(Protocol):
    """Runs the two graphs of the model; arrays have a leading axis of one clip."""

    def initial(self, embedding: FloatArray) -> list[FloatArray]:
        """Return first frame and state."""

    def step(self, frame: FloatArray, state: list[FloatArray]) -> list[FloatArray]:
        """Return the next frames, their stop probabilities and the new state."""


class GestureGenerator:
    """The motion model of a directory, ready to generate.

    Whose way of doing a gesture is imitated comes from the embedding: drawn from the Gaussians that stand for
    the training clips of the gesture and emotion or, where the model keeps clips one by one, that of a clip
    moved a little along the line through its nearest neighbour. The network knows right-handed clips alone;
    where the example was left-handed, the frames come out in a mirror.

    Attributes:
        name: what the model calls itself.
        frame_rate: frames per second [Hz].
        engine: what runs the graphs, unless one was given.
        kernel: (W,) weights of the window of frames that every frame is smoothed over, W odd.
        furthest: how far a joint goes from one frame to the next at the most [m].
    """

    def __init__(
        self,
        model: str = "motion",
        *,
        device: str = "auto",
        threads: int = 1,
        engine: Engine | None = None,
    ) -> None:
        """Load the model.

        Args:
            model: name or path of a model directory of kind "motion".
            device: auto, cpu or cuda.
            threads: threads of ONNX Runtime.
            engine: runs the graphs instead of what device and threads call for.

        Raises:
            ModelError: the directory is missing, incomplete or damaged.
            ConfigurationError: the device is unknown or not there.
        """
        directory = open_model(model, "motion")
        directory.check_labels({"gesture": GESTURES, "emotion": EMOTIONS})
        self._where = str(directory.path)
        self.name = directory.name
        self.frame_rate = float(directory.number("frame_rate", 1.0, 1000.0))
        self.engine = choose_engine(device)
        self._max_frames = int(directory.number("max_frames", 1, 100_000))
        self._stops = directory.config.get("stop_token", True) is True
        self.furthest = directory.number("furthest", 1e-4, 1.0) if "furthest" in directory.config else np.inf
        self.kernel = _gaussian(directory.number("smoothing", 0.0, 0.1) * self.frame_rate)
        self._load_tables(directory)
        self._engine: Engine
        if engine is not None:
            self._engine = engine
        elif self.engine == "torch-cuda":
            self._engine = TorchEngine(directory, "cuda")
        else:
            width = next(iter(self._examples.values())).centres.shape[1]
            provider = self.engine.removeprefix("onnxruntime-")
            self._engine = _OnnxEngine(directory, width, threads, provider)

    def frames(
        self,
        gesture: str,
        emotion: str = NEUTRAL,
        *,
        seed: int | None = None,
        variation: float = _DEFAULTS.variation,
        max_duration: float = _DEFAULTS.max_duration,
        mix: Mapping[str, float] | None = None,
    ) -> Iterator[Frame]:
        """Generate a gesture lazily: each frame is computed when it is asked for.

        Args:
            gesture: one of `labels.GESTURES`.
            emotion: one of `labels.EMOTIONS`.
            seed: the same seed gives the same frames; None draws one.
            variation: 0 for the most typical way to do the gesture, 1 for any way the model has seen.
            max_duration: see `longest` [s].
            mix: how much of other gestures, in [0, 1] each and at most 1 together, is in the embedding; the
                rest is `gesture`. Between two gestures the motion changes gradually (paper, fig. 3, row 4).
                May be the probabilities of a classifier.

        Returns:
            An iterator over at least one frame, the final one and no other with `last`.

        Raises:
            InputError: a label is unknown or a number out of range. Raised at once, not at the first frame.
        """
        embedding, mirrored = self.embedding(gesture, emotion, seed=seed, variation=variation, mix=mix)
        return self.frames_of(embedding, mirrored=mirrored, max_duration=max_duration)

    def embedding(
        self,
        gesture: str,
        emotion: str = NEUTRAL,
        *,
        seed: int | None = None,
        variation: float = _DEFAULTS.variation,
        mix: Mapping[str, float] | None = None,
    ) -> tuple[FloatArray, bool]:
        """Draw what `frames` starts from; arguments and errors as there.

        Returns:
            (D,) embedding, and whether its frames are to be seen in a mirror.
        """
        check_label("gesture", gesture)
        check_label("emotion", emotion)
        if not 0.0 <= variation <= 1.0:
            raise InputError(f"variation must be in [0, 1] but is {variation}")
        if seed is not None and seed < 0:
            raise InputError(f"seed must be 0 or more but is {seed}")
        shares = _checked_mix(mix or {})
        random = np.random.default_rng(seed)
        embedding, mirrored = self._examples[gesture, emotion].draw(random, variation)
        embedding = embedding * np.float32(1.0 - sum(shares.values()))
        for other, share in shares.items():
            embedding += np.float32(share) * self._examples[other, emotion].draw(random, variation)[0]
        return embedding, mirrored

    def frames_of(
        self,
        embedding: FloatArray,
        *,
        mirrored: bool = False,
        max_duration: float = _DEFAULTS.max_duration,
    ) -> Iterator[Frame]:
        """Generate, as `frames`, from an embedding of one's own: of a clip, or between two.

        Args:
            embedding: (D,) embedding.
            mirrored: whether the frames come out in a mirror.
            max_duration: see `longest` [s].

        Raises:
            InputError: max_duration is no positive number. Raised at once, not at the first frame.
        """
        frames = self._generated(embedding.astype(np.float32)[None], self.longest(max_duration))
        if mirrored:
            return (replace(frame, positions=mirror(frame.positions)) for frame in frames)
        return frames

    def followed(self, before: FloatArray, wanted: FloatArray) -> FloatArray:
        """Return the pose that follows another: the wanted one or, if a joint would jump, on the way to it.

        Args:
            before: (K, 3) joint positions [m].
            wanted: (K, 3) joint positions [m].
        """
        way = float(np.linalg.norm(wanted - before, axis=1).max())
        if way <= self.furthest:
            return wanted
        return with_bone_lengths(before + self.furthest / way * (wanted - before), self._bone_lengths)

    def longest(self, max_duration: float = _DEFAULTS.max_duration) -> int:
        """Return after how many frames a gesture ends where no stop token has fired.

        Args:
            max_duration: the gesture ends here [s]. It also ends at the longest duration the model was
                trained on, beyond which it would go astray.

        Raises:
            InputError: max_duration is no positive number.
        """
        if not 0.0 < max_duration < np.inf:
            raise InputError(f"max_duration must be a positive number of seconds but is {max_duration}")
        return int(np.clip(max_duration * self.frame_rate + 1e-9, 1, self._max_frames))

    def generate(
        self,
        gesture: str,
        emotion: str = NEUTRAL,
        *,
        seed: int | None = None,
        variation: float = _DEFAULTS.variation,
        max_duration: float = _DEFAULTS.max_duration,
        mix: Mapping[str, float] | None = None,
    ) -> Motion:
        """Generate a whole gesture; arguments and errors as `frames`."""
        frames = self.frames(
            gesture, emotion, seed=seed, variation=variation, max_duration=max_duration, mix=mix
        )
        return Motion(np.stack([frame.positions for frame in frames]), self.frame_rate, gesture, emotion)

    def _load_tables(self, directory: ModelDirectory) -> None:
        weights = directory.weights()
        examples = len(weights.get("examples", ()))
        width = weights["examples"].shape[-1] if examples else 0
        shapes = {
            "examples": (examples, width),
            "example_gestures": (examples,),
            "example_emotions": (examples,),
            "example_mirrored": (examples,),
            "normalisation.mean": (_COORDINATES,),
            "normalisation.deviation": (_COORDINATES,),
            "normalisation.bone_lengths": (len(JOINTS) - 1,),
        }
        if "example_spreads" in weights:
            directions = weights["example_spreads"].shape[1:2]
            shapes |= {
                "example_counts": (examples,),
                "example_spreads": (examples, *directions, width),
            }
        for name, shape in shapes.items():
            if name not in weights or weights[name].shape != shape:
                found = weights[name].shape if name in weights else "missing"
                raise ModelError(f"{self._where}: weight {name!r} must be {shape} but is {found}")
        self._mean = weights["normalisation.mean"]
        self._deviation = weights["normalisation.deviation"]
        self._bone_lengths = weights["normalisation.bone_lengths"]
        self._examples: dict[tuple[str, str], _Examples] = {}
        for g, gesture in enumerate(GESTURES):
            for e, emotion in enumerate(EMOTIONS):
                chosen = (weights["example_gestures"] == g) & (weights["example_emotions"] == e)
                if not chosen.any():
                    raise ModelError(f"{self._where}: no example of gesture {gesture!r}, emotion {emotion!r}")
                parts = [
                    weights[name][chosen] if name in weights else None
                    for name in ("example_counts", "example_spreads")
                ]
                self._examples[gesture, emotion] = _Examples.sorted(
                    weights["examples"][chosen], weights["example_mirrored"][chosen], *parts
                )

    def _generated(self, embedding: FloatArray, limit: int) -> Iterator[Frame]:
        """Yield what the network makes of an embedding, (1, D), as frames without jumps."""
        before: FloatArray | None = None
        for frame in self._smoothed(embedding, limit):
            before = frame.positions if before is None else self.followed(before, frame.positions)
            yield replace(frame, positions=before)

    def _smoothed(self, embedding: FloatArray, limit: int) -> Iterator[Frame]:
        """Yield what the network makes of an embedding, (1, D), smoothed, as frames.

        Smoothing looks ahead by its half width, within the gesture alone: its ends are held.
        """
        half = len(self.kernel) // 2
        window: deque[FloatArray] = deque(maxlen=len(self.kernel))
        waiting: deque[tuple[float, bool]] = deque()
        for values, stop, last in self._raw(embedding, limit):
            window.extend([values] * (1 if window else half + 1))
            waiting.append((stop, last))
            if len(window) == len(self.kernel):
                yield Frame(self._positions(window), *waiting.popleft())
        for _ in range(half):
            window.append(window[-1])
            if len(window) == len(self.kernel):
                yield Frame(self._positions(window), *waiting.popleft())

    def _raw(self, embedding: FloatArray, limit: int) -> Iterator[tuple[FloatArray, float, bool]]:
        """Yield the network's frames, (M,) each, with stop probability and whether it is the last."""
        shortest = SHORTEST * self.frame_rate
        frame, *state = self._engine.initial(embedding)  # (1, M), ...
        yield frame[0], 0.0, limit == 1
        count = 1
        while count < limit:
            frames, stops, *state = self._engine.step(frame, state)  # (1, R, M), (1, R), ...
            frame = frames[:, -1]
            for values, stop in zip(frames[0], stops[0], strict=True):
                count += 1
                last = count == limit or bool(self._stops and stop >= 0.5 and count >= shortest)
                yield values, float(stop), last
                if last:
                    return

    def _positions(self, window: Iterable[FloatArray]) -> FloatArray:
        """Return smoothed joint positions [m] with the mean body's bones: (W, M) -> (K, 3)."""
        values = self.kernel @ np.stack(list(window))  # (M,)
        positions = (values * self._deviation + self._mean).reshape(len(JOINTS), 3)
        return with_bone_lengths(positions, self._bone_lengths)


@dataclass(frozen=True)
class _Examples:
    """Ways to do a gesture with an emotion, the most typical first: clips, or Gaussians that stand for them.

    Attributes:
        centres: (E, D) embeddings.
        mirrored: (E,) how often each is to be done in a mirror, in [0, 1].
        shares: (E,) how often each is drawn, sums to 1.
        spreads: (E, R, D) directions of the Gaussians as long as their deviation; None for clips.
    """

    centres: FloatArray
    mirrored: FloatArray
    shares: FloatArray
    spreads: FloatArray | None

    @classmethod
    def sorted(
        cls,
        centres: FloatArray,
        mirrored: FloatArray,
        counts: FloatArray | None,
        spreads: FloatArray | None,
    ) -> "_Examples":
        """Return them with those first that stand for most clips or, all alike, are nearest to the others."""
        if counts is None or spreads is None:
            order = np.abs(centres[:, None] - centres).mean(axis=(1, 2)).argsort(kind="stable")
            counts, spreads = np.ones(len(centres)), None
        else:
            order = np.argsort(-counts, kind="stable")
            spreads = spreads[order]
        return cls(centres[order], mirrored[order], counts[order] / counts.sum(), spreads)

    def draw(self, generator: np.random.Generator, variation: float) -> tuple[FloatArray, bool]:
        """Return an embedding, (D,), and whether it is to be done in a mirror.

        Args:
            generator: the source of chance.
            variation: 0 for the most typical one, 1 for any.
        """
        count = max(1, round(variation * len(self.centres)))
        if self.spreads is None:
            chosen = int(generator.integers(count))
            example = self.centres[chosen]
            distances = np.abs(self.centres[:count] - example).mean(axis=1)
            neighbour = self.centres[distances.argsort(kind="stable")[:2][-1]]
            # To both sides: towards the neighbour alone, what is fast and unlike is evened out.
            embedding = example + generator.uniform(-0.5, 0.5) * (neighbour - example)
        else:
            chosen = int(generator.choice(count, p=self.shares[:count] / self.shares[:count].sum()))
            steps = variation * generator.standard_normal(self.spreads.shape[1])  # (R,)
            embedding = self.centres[chosen] + steps @ self.spreads[chosen]
        side = float(self.mirrored[chosen])
        mirrored = side >= 0.5 if side in (0.0, 1.0) or not variation else generator.random() < side
        return np.asarray(embedding, dtype=np.float32), bool(mirrored)


def _checked_mix(mix: Mapping[str, float]) -> Mapping[str, float]:
    """Return the shares of other gestures in a mixture.

    Raises:
        InputError: a gesture is unknown, or a share or their sum is outside [0, 1].
    """
    for gesture, share in mix.items():
        check_label("gesture", gesture)
        if not 0.0 <= share <= 1.0:
            raise InputError(f"mix: the share of {gesture!r} must be in [0, 1] but is {share}")
    if sum(mix.values()) > 1.0 + 1e-9:
        raise InputError(f"mix: the shares must sum to at most 1 but sum to {sum(mix.values()):g}")
    return mix


def _gaussian(deviation: float) -> FloatArray:
    """Return the weights of a Gaussian of some deviation [frames]; of one frame alone if it is 0."""
    half = int(np.ceil(3.0 * deviation))
    weights = np.exp(-0.5 * (np.arange(-half, half + 1) / max(deviation, 1e-9)) ** 2)
    return np.asarray(weights / weights.sum(), dtype=np.float32)


class _OnnxEngine:
    """The model in ONNX Runtime."""

    def __init__(self, directory: ModelDirectory, width: int, threads: int, device: str) -> None:
        self._initial = directory.session(INITIAL_GRAPH, threads, device)
        self._step = directory.session(STEP_GRAPH, threads, device)
        self._step_inputs = [value.name for value in self._step.get_inputs()]
        if self._initial.get_inputs()[0].shape != [1, width]:
            raise ModelError(f"{directory.path}: {INITIAL_GRAPH} does not take the examples' {width} numbers")

    def initial(self, embedding: FloatArray) -> list[FloatArray]:
        return list(self._initial.run(None, {"embedding": embedding}))

    def step(self, frame: FloatArray, state: list[FloatArray]) -> list[FloatArray]:
        return list(self._step.run(None, dict(zip(self._step_inputs, [frame, *state], strict=True))))


class TorchEngine:
    """The same model in PyTorch."""

    def __init__(self, directory: ModelDirectory, device: str) -> None:
        import torch

        from text2gesture_ros.generation.motion_network import State, load_network

        self._torch, self._state, self._device = torch, State, device
        self._generator = load_network(directory).generator.to(device)

    def initial(self, embedding: FloatArray) -> list[FloatArray]:
        """Return first frame and state."""
        with self._torch.inference_mode():
            frame, state = self._generator.initial(self._tensor(embedding))
        return [value.cpu().numpy() for value in (frame, *state)]

    def step(self, frame: FloatArray, state: list[FloatArray]) -> list[FloatArray]:
        """Return the next frames, their stop probabilities and the new state."""
        with self._torch.inference_mode():
            frames, logits, new = self._generator.step(
                self._tensor(frame), self._state(*map(self._tensor, state))
            )
            values = (frames, self._torch.sigmoid(logits), *new)
        return [value.cpu().numpy() for value in values]

    def _tensor(self, array: FloatArray) -> Any:
        return self._torch.from_numpy(array).to(self._device)
