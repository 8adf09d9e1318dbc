"""What runs the network of the motion model: ONNX Runtime or PyTorch, on the same weights."""

from typing import Any, Protocol

from text2gesture_ros.errors import ModelError
from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.model_directory import INITIAL_GRAPH, STEP_GRAPH, ModelDirectory


class Engine(Protocol):
    """Runs the two steps of the network; arrays have a leading axis of one clip."""

    def initial(self, embedding: FloatArray) -> list[FloatArray]:
        """Return first frame and state."""

    def step(self, frame: FloatArray, state: list[FloatArray]) -> list[FloatArray]:
        """Return the next frames, their stop probabilities and the new state."""


class OnnxEngine:
    """The model in ONNX Runtime."""

    def __init__(self, directory: ModelDirectory, width: int, threads: int, device: str) -> None:
        self._initial = directory.session(INITIAL_GRAPH, threads, device)
        self._step = directory.session(STEP_GRAPH, threads, device)
        self._step_inputs = [value.name for value in self._step.get_inputs()]
        if self._initial.get_inputs()[0].shape != [1, width]:
            raise ModelError(f"{directory.path}: {INITIAL_GRAPH} does not take the examples' {width} numbers")

    def initial(self, embedding: FloatArray) -> list[FloatArray]:
        """Return first frame and state."""
        return list(self._initial.run(None, {"embedding": embedding}))

    def step(self, frame: FloatArray, state: list[FloatArray]) -> list[FloatArray]:
        """Return the next frames, their stop probabilities and the new state."""
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


def make_engine(directory: ModelDirectory, engine: str, width: int, threads: int) -> Engine:
    """Return what `choose_engine` has chosen.

    Args:
        directory: of the model.
        engine: torch-cuda, or onnxruntime- and the provider.
        width: of the embeddings.
        threads: of ONNX Runtime.

    Raises:
        ModelError: the directory is incomplete or its graphs take other embeddings.
    """
    if engine == "torch-cuda":
        return TorchEngine(directory, "cuda")
    return OnnxEngine(directory, width, threads, engine.removeprefix("onnxruntime-"))
