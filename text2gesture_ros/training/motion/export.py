"""The motion generator as two ONNX graphs: the first frame, and one autoregressive step."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from text2gesture_ros.generation.motion_network import MotionGenerator, MotionNetworkConfig, State
from text2gesture_ros.model_directory import INITIAL_GRAPH, STEP_GRAPH, Slots, save_slots
from text2gesture_ros.training.onnx_export import export_graph


class _InitialGraph(nn.Module):
    """What initial.onnx computes."""

    def __init__(self, generator: MotionGenerator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, embedding: Tensor) -> tuple[Tensor, ...]:
        frame, state = self.generator.initial(embedding)
        return frame, *state[: len(state_names(self.generator.config))]


class StepGraph(nn.Module):
    """What step.onnx computes, with the weights of a generator."""

    def __init__(self, generator: MotionGenerator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, frame: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Return frames, stop probabilities and the new state."""
        plan = state[3:] or (frame.new_zeros(len(frame), 0, 0),)
        frames, logits, new = self.generator.step(frame, State(*state[:3], *plan))
        return (frames, torch.sigmoid(logits), *new[: len(state)])


def state_names(config: MotionNetworkConfig) -> tuple[str, ...]:
    """Return the names of what the graphs hand on from step to step: without a plan there is none."""
    return State._fields if config.planned_steps else State._fields[:-1]


def step_names(config: MotionNetworkConfig) -> tuple[list[str], list[str]]:
    """Return the names of what the step's graph takes and gives."""
    states = state_names(config)
    return ["frame", *states], ["frames", "stop_probabilities", *(f"next_{name}" for name in states)]


def export_graphs(path: Path, config: MotionNetworkConfig) -> Mapping[str, Slots]:
    """Write initial.onnx and step.onnx, for one clip at a time, into a model directory; list their weights.

    Returns:
        what config.json says under `graphs` now.
    """
    generator = MotionGenerator(config)
    frame, state = generator.initial(torch.zeros(1, config.embedding_width))
    names, outputs = step_names(config)
    initial = export_graph(
        _InitialGraph(generator),
        (torch.zeros(1, config.embedding_width),),
        path / INITIAL_GRAPH,
        ["embedding"],
        names,
    )
    step = export_graph(
        StepGraph(generator),
        (frame.detach(), *(part.detach() for part in state[: len(names) - 1])),
        path / STEP_GRAPH,
        names,
        outputs,
    )
    graphs = {INITIAL_GRAPH: initial, STEP_GRAPH: step}
    save_slots(path, graphs)
    return graphs
