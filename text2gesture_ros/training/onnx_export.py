"""PyTorch modules as ONNX graphs without weights, and the same graphs in eight-bit arithmetic."""

import copy
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from text2gesture_ros.model_directory import SLOT_TYPES, WEIGHTS_FILE, Slots, write_file
from text2gesture_ros.quantization import ACTIVATION_LEVELS, SCALE, ZERO_POINT

if TYPE_CHECKING:
    import onnx
    import torch


def export_graph(
    module: "torch.nn.Module",
    example_inputs: "tuple[torch.Tensor, ...]",
    path: Path,
    input_names: Sequence[str],
    output_names: Sequence[str],
    dynamic_axes: Mapping[str, Mapping[int, str]] | None = None,
) -> Slots:
    """Write a module as an ONNX graph without weights; each weight's slot carries its name in state_dict.

    The graph depends on the module's structure alone, not on what it has learnt.

    Args:
        module: what to export; it is not changed.
        example_inputs: one tensor per argument of `module.forward`.
        path: the .onnx file to write.
        input_names: names of the graph's inputs, in the order of `example_inputs`.
        output_names: names of the graph's outputs.
        dynamic_axes: axes of inputs and outputs that vary, by name; None for none.

    Returns:
        the weights the graph takes, for `model_directory.save_slots`.
    """
    import onnx
    import torch

    module = copy.deepcopy(module).eval()
    with torch.no_grad():
        # The exporter merges weights of equal content (two zero biases) into one. None are equal now.
        for weight in module.state_dict().values():
            if weight.is_floating_point():
                weight.normal_()
    with tempfile.TemporaryDirectory() as directory, warnings.catch_warnings():
        # The TorchScript exporter is the one that keeps parameter names; it says at length that it is old.
        warnings.simplefilter("ignore")
        file = Path(directory) / path.name
        torch.onnx.export(
            module,
            example_inputs,
            file,
            input_names=list(input_names),
            output_names=list(output_names),
            dynamic_axes={name: dict(axes) for name, axes in (dynamic_axes or {}).items()},
            do_constant_folding=False,
            dynamo=False,
        )
        model = onnx.load(file)
    known = module.state_dict()
    for tensor in model.graph.initializer:
        if tensor.name in known:
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value=WEIGHTS_FILE)
    write_file(path, model.SerializeToString())
    return _slots(model)


def export_int8_graph(graph: Path, path: Path) -> Slots:
    """Write the graph that computes the same as another of `export_graph`, mostly with integers.

    It too has slots for the weights of weights.safetensors and no weights; see `quantization`.

    Args:
        graph: the .onnx file to read.
        path: the .onnx file to write.

    Returns:
        the weights the graph takes, for `model_directory.save_slots`.
    """
    import onnx

    model = onnx.load(graph, load_external_data=False)
    quantise_graph(model)
    write_file(path, model.SerializeToString())
    return _slots(model)


def _slots(model: "onnx.ModelProto") -> Slots:
    """Return the weights a graph takes, by type; scales are not listed, they come with their int8 weight."""
    from onnx import TensorProto

    types = {TensorProto.FLOAT: "float32", TensorProto.FLOAT16: "float16", TensorProto.INT8: "int8"}
    slots: dict[str, list[str]] = {kind: [] for kind in SLOT_TYPES}
    for tensor in model.graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL and not tensor.name.endswith(SCALE):
            slots[types[tensor.data_type]].append(tensor.name)
    return {kind: sorted(names) for kind, names in slots.items() if names}


def quantise_graph(model: "onnx.ModelProto") -> None:
    """Let a graph without weights compute with integers where it multiplies rows by a weight (MatMul).

    The slots of the weights stay: one that is multiplied by becomes int8, transposed, and gets another slot
    beside it for its scales (`SCALE`); one that rows are taken from (word embeddings) becomes float16, as it
    is stored. Layers that read one row (Gemm) stay as they are.

    Args:
        model: as `export_graph` writes it, of opset 18 or later; changed in slot.
    """
    from onnx import TensorProto, helper

    graph = model.graph
    slots = {t.name: t for t in graph.initializer if t.data_location == TensorProto.EXTERNAL}
    transposed = {
        n.output[0]: n.input[0] for n in graph.node if n.op_type == "Transpose" and n.input[0] in slots
    }
    old = list(graph.node)
    del graph.node[:]

    def add(kind: str, inputs: Sequence[str], output: str, **attributes: int) -> None:
        graph.node.append(helper.make_node(kind, inputs, [output], name=f"{output}/{kind}", **attributes))

    rows: set[str] = set()  # already quantised: query, key and value share their input
    for node in old:
        if node.op_type == "MatMul" and node.input[1] in transposed:
            x, weight, y = node.input[0], transposed[node.input[1]], node.output[0]
            if x not in rows:
                rows.add(x)
                add("Abs", [x], f"{x}/size")
                add("ReduceMax", [f"{x}/size", "int8/axes"], f"{x}/largest", keepdims=1)
                add("Div", [x, f"{x}/largest"], f"{x}/share")
                add("QuantizeLinear", [f"{x}/share", "int8/step", "int8/zero"], f"{x}/int8")
            add("MatMulInteger", [f"{x}/int8", weight, "int8/zero"], f"{y}/int32")
            add("Cast", [f"{y}/int32"], f"{y}/float", to=TensorProto.FLOAT)
            add("Mul", [f"{y}/float", weight + SCALE], f"{y}/share")
            # By this a row of zeros, whose shares are no numbers, gives zeros again.
            add("Mul", [f"{y}/share", f"{x}/largest"], y)
            _quantise_slot(graph, slots[weight])
        elif node.op_type == "Gather" and node.input[0] in slots:
            output = node.output[0]
            slots[node.input[0]].data_type = TensorProto.FLOAT16
            add("Gather", node.input, f"{output}/half")
            add("Cast", [f"{output}/half"], output, to=TensorProto.FLOAT)
        elif node.output[0] not in transposed:
            graph.node.append(node)
    for name, kind, dims, value in (
        ("int8/axes", TensorProto.INT64, [1], -1),
        ("int8/step", TensorProto.FLOAT, [], 1.0 / ACTIVATION_LEVELS),
        ("int8/zero", TensorProto.UINT8, [], ZERO_POINT),
    ):
        graph.initializer.append(helper.make_tensor(name, kind, dims, [value]))


def _quantise_slot(graph: "onnx.GraphProto", slot: "onnx.TensorProto") -> None:
    """Turn the slot of a weight, (N, K), into one of integers, (K, N), and add one of its scales, (N)."""
    from onnx import TensorProto

    if slot.data_type == TensorProto.INT8:
        return
    scale = graph.initializer.add()
    scale.CopyFrom(slot)
    scale.name = slot.name + SCALE
    outputs, inputs = slot.dims
    scale.dims[:] = [outputs]
    slot.dims[:] = [inputs, outputs]
    slot.data_type = TensorProto.INT8
