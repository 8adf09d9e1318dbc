"""Gesture and emotion -> human motion, frame by frame, until the model's own stop token fires.

Runs on ONNX Runtime; PyTorch is imported only for `device: cuda` where ONNX Runtime has no CUDA provider.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.generation.engines import Engine, make_engine
from text2gesture_ros.generation.examples import load_examples
from text2gesture_ros.generation.pose_decoder import PoseDecoder
from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.labels import EMOTIONS, GESTURES, NEUTRAL, check_label
from text2gesture_ros.model_directory import choose_engine, open_model
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.parameters import GestureGeneratorParameters
from text2gesture_ros.skeleton import mirror

MIN_DURATION = 0.5
"""The stop token is ignored before this time [s]."""

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


class GestureGenerator:
    """Generates motion with the model of a directory.

    The embedding decides which performance is imitated. It is drawn from Gaussians over the training clips of
    the gesture and emotion or, where the model keeps single clips, it is that of a clip, moved a little along
    the line through its nearest neighbour. The network knows right-handed clips only; if the example was
    left-handed, the frames are mirrored.

    Attributes:
        name: name of the model.
        frame_rate: frames per second [Hz].
        engine: what runs the graphs, unless one was given.
        poses: makes joint positions of what the network gives.
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
        self.name = directory.name
        self.frame_rate = float(directory.number("frame_rate", 1.0, 1000.0))
        self.engine = choose_engine(device)
        self._max_frames = int(directory.number("max_frames", 1, 100_000))
        self._stops = directory.config.get("stop_token", True) is True
        weights = directory.weights()
        self.poses = PoseDecoder(directory, weights, self.frame_rate)
        self._examples = load_examples(directory, weights)
        width = next(iter(self._examples.values())).centres.shape[1]
        self._engine = engine or make_engine(directory, self.engine, width, threads)

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
            variation: 0 for the most typical performance of the gesture, 1 for any that the model has seen.
            max_duration: see `longest` [s].
            mix: weights of other gestures in the embedding, in [0, 1] each and at most 1 in sum; the rest is
                `gesture`. Between two gestures the motion changes gradually (paper, fig. 3, row 4). May be
                the probabilities of a classifier.

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
        """Draw the embedding that `frames` starts from; arguments and errors as there.

        Returns:
            (D,) embedding, and whether its frames are mirrored.
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
            mirrored: whether the frames are mirrored.
            max_duration: see `longest` [s].

        Raises:
            InputError: max_duration is no positive number. Raised at once, not at the first frame.
        """
        frames = self._generated(embedding.astype(np.float32)[None], self.longest(max_duration))
        if mirrored:
            return (replace(frame, positions=mirror(frame.positions)) for frame in frames)
        return frames

    def longest(self, max_duration: float = _DEFAULTS.max_duration) -> int:
        """Return after how many frames a gesture ends where no stop token has fired.

        Args:
            max_duration: the gesture ends here [s]. It also ends at the maximum duration the model was
                trained on, beyond which it would diverge.

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

    def _generated(self, embedding: FloatArray, limit: int) -> Iterator[Frame]:
        """Yield what the network makes of an embedding, (1, D), as frames without jumps."""
        before: FloatArray | None = None
        for frame in self._smoothed(embedding, limit):
            before = frame.positions if before is None else self.poses.limit_step(before, frame.positions)
            yield replace(frame, positions=before)

    def _smoothed(self, embedding: FloatArray, limit: int) -> Iterator[Frame]:
        """Yield what the network makes of an embedding, (1, D), smoothed, as frames.

        Smoothing looks ahead by its half width, within the gesture alone: its ends are held.
        """
        half = len(self.poses.kernel) // 2
        window: deque[FloatArray] = deque(maxlen=len(self.poses.kernel))
        waiting: deque[tuple[float, bool]] = deque()
        for values, stop, last in self._raw(embedding, limit):
            window.extend([values] * (1 if window else half + 1))
            waiting.append((stop, last))
            if len(window) == len(self.poses.kernel):
                yield Frame(self.poses.decode(window), *waiting.popleft())
        for _ in range(half):
            window.append(window[-1])
            if len(window) == len(self.poses.kernel):
                yield Frame(self.poses.decode(window), *waiting.popleft())

    def _raw(self, embedding: FloatArray, limit: int) -> Iterator[tuple[FloatArray, float, bool]]:
        """Yield the network's frames, (M,) each, with stop probability and whether it is the last."""
        shortest = MIN_DURATION * self.frame_rate
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
