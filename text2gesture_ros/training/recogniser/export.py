"""The recogniser as an ONNX graph."""

from pathlib import Path

import torch

from text2gesture_ros.model_directory import GRAPH, save_slots
from text2gesture_ros.skeleton import JOINTS
from text2gesture_ros.training.onnx_export import export_graph
from text2gesture_ros.understanding.recogniser import INPUTS, OUTPUTS
from text2gesture_ros.understanding.recognition_network import RecognitionNetwork, RecognitionNetworkConfig


def export_graphs(path: Path, config: RecognitionNetworkConfig) -> None:
    """Write graph.onnx, for any number of windows of any length, into a model directory; list its weights."""
    slots = export_graph(
        RecognitionNetwork(config),
        (torch.zeros(2, 32, len(JOINTS), 3), torch.ones(2, 32)),
        path / GRAPH,
        INPUTS,
        OUTPUTS,
        {name: {0: "windows", 1: "frames"} for name in INPUTS} | {name: {0: "windows"} for name in OUTPUTS},
    )
    save_slots(path, {GRAPH: slots})
