"""The motion generator's step in PyTorch: eager, traced, compiled, as a CUDA graph, with other GRU cells.

Apart from `engines`, so that what runs without PyTorch is measured without it.
"""

import copy
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from text2gesture_ros.generation.motion_network import GRUCell, MotionGenerator, MotionNetwork, load_network
from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.labels import EMOTIONS, GESTURES
from text2gesture_ros.model_directory import ModelDirectory, check_torch_device, save_model
from text2gesture_ros.training.motion.config import load_config
from text2gesture_ros.training.motion.export import StepGraph, export_graphs, state_names, step_names

Step = Callable[..., tuple[Tensor, ...]]
"""frame, state -> frames, stop probabilities, state: what step.onnx computes."""

_SEED = 1
_NEVER = -9.0  # logit of the stop token of an untrained model: every clip gets its full length


class FusedCell(nn.Module):
    """A GRU cell with one product: features and state times the weights of all gates.

    Reset and update gate read both; the new state is made of a part of each, which the other's weights leave
    alone by being zero: a third more weights to read, half as many products.
    """

    def __init__(self, cell: GRUCell) -> None:
        super().__init__()
        inputs, width = cell.input.in_features, cell.hidden.in_features
        both = (cell.input, cell.hidden)
        # The rows of reset and update gate, then those of the new state.
        (w, w_new), (u, u_new) = (torch.tensor_split(layer.weight.detach(), [2 * width]) for layer in both)
        (b, b_new), (c, c_new) = (torch.tensor_split(layer.bias.detach(), [2 * width]) for layer in both)
        rows = (
            torch.cat([w, u], dim=1),
            torch.cat([w_new, torch.zeros(width, width)], dim=1),
            torch.cat([torch.zeros(width, inputs), u_new], dim=1),
        )
        self.gates = nn.Linear(inputs + width, 4 * width)
        self.gates.weight = nn.Parameter(torch.cat(rows))
        self.gates.bias = nn.Parameter(torch.cat([b + c, b_new, c_new]))

    def forward(self, features: Tensor, state: Tensor) -> Tensor:
        """Return the new state: (B, D_in), (B, D) -> (B, D)."""
        reset, update, new_in, new_hidden = self.gates(torch.cat([features, state], dim=1)).chunk(4, dim=1)
        new = torch.tanh(new_in + torch.sigmoid(reset) * new_hidden)
        return new + torch.sigmoid(update) * (state - new)


class LibraryCell(nn.Module):
    """A GRU cell that PyTorch itself computes, and that becomes one operator of an ONNX graph."""

    def __init__(self, cell: GRUCell) -> None:
        super().__init__()
        self.gru = nn.GRU(cell.input.in_features, cell.hidden.in_features)
        parts = (("ih", cell.input), ("hh", cell.hidden))
        self.gru.load_state_dict(
            {
                f"{kind}_{name}_l0": getattr(layer, kind)
                for name, layer in parts
                for kind in ("weight", "bias")
            }
        )

    def forward(self, features: Tensor, state: Tensor) -> Tensor:
        """Return the new state: (B, D_in), (B, D) -> (B, D)."""
        new: Tensor = self.gru(features[None], state[None])[1][0]
        return new


CELLS: dict[str, Callable[[GRUCell], nn.Module]] = {"fused": FusedCell, "gru": LibraryCell}


def with_cells(generator: MotionGenerator, cells: str) -> MotionGenerator:
    """Return a copy of a generator, its GRU cells as they are ("") or one of `CELLS`."""
    generator = copy.deepcopy(generator).eval()
    for name, module in list(generator.named_modules()):
        if isinstance(module, GRUCell) and cells:
            parent, _, last = name.rpartition(".")
            setattr(generator.get_submodule(parent), last, CELLS[cells](module))
    return generator


def write_step(directory: ModelDirectory, cells: str, path: Path) -> None:
    """Write the step with other cells as an ONNX file that holds its weights."""
    generator = with_cells(load_network(directory).generator, cells)
    inputs, outputs = step_names(generator.config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's age, see `onnx_export.export_graph`
        torch.onnx.export(
            StepGraph(generator).eval(), _examples(generator), path,
            input_names=inputs, output_names=outputs, dynamo=False,
        )  # fmt: skip


class TorchRunner:
    """Runs a model directory in PyTorch; the state stays on the device from step to step."""

    def __init__(
        self, directory: ModelDirectory, form: str, cells: str, device: str, half: bool, threads: int
    ) -> None:
        """Load the model.

        Args:
            directory: of kind "motion".
            form: "eager", "traced", "compiled" or "graph" (a CUDA graph).
            cells: as for `with_cells`.
            device: cpu or cuda.
            half: whether to compute with float16.
            threads: of the processor.

        Raises:
            ConfigurationError: there is no CUDA device.
        """
        check_torch_device(device)
        torch.set_num_threads(threads)
        generator = with_cells(load_network(directory).generator, cells)
        self._type, self._device = torch.float16 if half else torch.float32, device
        self._generator = generator.to(device, self._type)
        module, examples = StepGraph(self._generator).eval(), _examples(self._generator)
        with torch.inference_mode():
            self._step: Step = {"eager": lambda *_: module, **_FORMS}[form](module, examples)

    def initial(self, embedding: FloatArray) -> list[Any]:
        """Return first frame and state."""
        with torch.inference_mode():
            frame, state = self._generator.initial(self._tensor(embedding))
        return [frame.float().cpu().numpy(), *state[: len(state_names(self._generator.config))]]

    def step(self, frame: FloatArray, state: list[Tensor]) -> list[Any]:
        """Return the next frames, their stop probabilities and the new state."""
        with torch.inference_mode():
            frames, stops, *new = self._step(self._tensor(frame), *state)
        return [frames.float().cpu().numpy(), stops.float().cpu().numpy(), *new]

    def _tensor(self, array: FloatArray) -> Tensor:
        return torch.from_numpy(array).to(self._device, self._type)


def _examples(generator: MotionGenerator) -> tuple[Tensor, ...]:
    """Return what a step takes: a first frame and the state after it."""
    like = next(generator.parameters())
    with torch.no_grad():
        frame, state = generator.initial(like.new_zeros(1, generator.config.embedding_width))
    return (frame, *state[: len(state_names(generator.config))])


def _traced(module: nn.Module, examples: tuple[Tensor, ...]) -> Step:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        traced: Step = torch.jit.freeze(torch.jit.trace(module, examples))  # type: ignore[no-untyped-call]
    return traced


def _compiled(module: nn.Module, examples: tuple[Tensor, ...]) -> Step:
    compiled: Step = torch.compile(module, dynamic=False)
    compiled(*examples)
    return compiled


def _captured(module: nn.Module, examples: tuple[Tensor, ...]) -> Step:
    """Return a step whose kernels the GPU starts by itself, all at once."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    with torch.cuda.stream(stream):  # libraries choose their kernels before anything is captured
        for _ in range(3):
            module(*examples)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        outputs = module(*examples)

    def step(*given: Tensor) -> tuple[Tensor, ...]:
        for place, value in zip(examples, given, strict=True):
            place.copy_(value)
        graph.replay()
        return tuple(value.clone() for value in outputs)

    return step


_FORMS = {"traced": _traced, "compiled": _compiled, "graph": _captured}


def untrained(sizes: Path, like: ModelDirectory, path: Path) -> None:
    """Write the directory of an untrained model of the sizes of a training file.

    Its stop token never fires, so that its clips have the full length.

    Args:
        sizes: a training file.
        like: a model directory, whose tables of gestures and bodies it gets.
        path: the directory to write.

    Raises:
        ConfigurationError: the training file is wrong.
    """
    config = load_config(sizes)
    torch.manual_seed(_SEED)
    network = MotionNetwork(config.network)
    network.generator.token_net[-1].bias.data.fill_(_NEVER)  # type: ignore[operator]
    weights = {name: array for name, array in like.weights().items() if name.startswith("normalisation.")}
    network.generator.set_body(
        *(weights[f"normalisation.{n}"] for n in ("mean", "deviation", "bone_lengths"))
    )
    pairs = [(g, e) for g in range(len(GESTURES)) for e in range(len(EMOTIONS))]
    weights["example_gestures"], weights["example_emotions"] = np.array(pairs).T
    weights["example_mirrored"] = np.zeros(len(pairs), np.int64)
    weights["examples"] = np.random.default_rng(_SEED).normal(
        size=(len(pairs), config.network.embedding_width)
    )
    weights |= {name: value.numpy() for name, value in network.state_dict().items()}
    page = {**like.config, "name": config.name, "max_frames": config.frames, "smoothing": config.smoothing}
    save_model(path, {**page, "network": asdict(config.network)}, weights)
    export_graphs(path, config.network)
