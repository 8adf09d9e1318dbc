"""Eight-bit arithmetic for a graph without weights, and the numbers it needs, computed when it is loaded.

Vector-wise quantisation: Dettmers et al., LLM.int8(), NeurIPS 2022, sec. 3.1. Each row of activations (each
token) has a scale of its own, so what a sentence means does not depend on the sentences read with it, as it
would with ONNX Runtime's own dynamic quantisation, which has one scale for a whole batch.

Weights take 7 of the 8 bits: a processor without VNNI adds products in pairs in 16 bits, where 2 * 255 * 64
fits.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

WEIGHT_LEVELS = 64
"""Weights become integers in [-64, 64]."""

ACTIVATION_LEVELS = 127
"""Activations become integers in [-127, 127], kept as 1 to 255 (unsigned with zero point 128)."""

SCALE = ".scale"
"""What the scales of a weight are called: its own name and this."""

_ZERO_POINT = 128


def quantise(weight: NDArray[np.floating[Any]]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return the integers of a linear layer and what its integer products are multiplied by.

    Args:
        weight: of `torch.nn.Linear`, (N, K) with N outputs.

    Returns:
        integers, (K, N), and scales, (N): weight.T is nearly integers * scales * `ACTIVATION_LEVELS`.
    """
    weight = np.asarray(weight, np.float32)
    largest = np.abs(weight).max(axis=1)  # (N)
    step = np.where(largest > 0.0, largest / WEIGHT_LEVELS, 1.0).astype(np.float32)
    integers = np.rint(weight / step[:, None]).astype(np.int8)
    return np.ascontiguousarray(integers.T), step / np.float32(ACTIVATION_LEVELS)


def quantise_graph(model: "onnx.ModelProto", gemm: Callable[[str], bool]) -> None:
    """Let a graph without weights compute with integers where it multiplies rows by a weight (MatMul).

    The places of the weights stay: one that is multiplied by becomes int8, turned, and gets another place
    beside it for its scales (`SCALE`); one that rows are taken from (word embeddings) becomes float16, as it
    is stored. Layers that read one row (Gemm) stay as they are unless asked for.

    Args:
        model: as `checkpoints.export_graph` writes it, of opset 18 or later; changed in place.
        gemm: says of a weight's name whether its layer, if it reads one row (Gemm), is to use integers too.
    """
    from onnx import TensorProto, helper

    graph = model.graph
    places = {t.name: t for t in graph.initializer if t.data_location == TensorProto.EXTERNAL}
    turned = {
        n.output[0]: n.input[0] for n in graph.node if n.op_type == "Transpose" and n.input[0] in places
    }
    old = list(graph.node)
    del graph.node[:]

    def add(kind: str, inputs: Sequence[str], output: str, **attributes: int) -> None:
        graph.node.append(helper.make_node(kind, inputs, [output], name=f"{output}/{kind}", **attributes))

    rows: set[str] = set()  # what is integers already: query, key and value are made of the same rows
    for node in old:
        if node.op_type == "MatMul" and node.input[1] in turned:
            x, weight, y = node.input[0], turned[node.input[1]], node.output[0]
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
            _turn(graph, places[weight])
        elif node.op_type == "Gemm" and node.input[1] in places and gemm(node.input[1]):
            x, weight, bias = node.input
            y = node.output[0]
            if x not in rows:
                rows.add(x)
                parts = [f"{x}/int8", f"{x}/step", f"{x}/zero"]
                graph.node.append(helper.make_node("DynamicQuantizeLinear", [x], parts, name=f"{x}/quantise"))
            # One row needs no scale of its own. These operators ONNX Runtime knows as one: seven times fewer.
            add("MatMulInteger", [f"{x}/int8", weight, f"{x}/zero"], f"{y}/int32")
            add("Cast", [f"{y}/int32"], f"{y}/float", to=TensorProto.FLOAT)
            add("Mul", [weight + SCALE, "int8/levels"], f"{y}/weight_step")
            add("Mul", [f"{x}/step", f"{y}/weight_step"], f"{y}/step")
            add("Mul", [f"{y}/float", f"{y}/step"], f"{y}/product")
            add("Add", [f"{y}/product", bias], y)
            _turn(graph, places[weight])
        elif node.op_type == "Gather" and node.input[0] in places:
            output = node.output[0]
            places[node.input[0]].data_type = TensorProto.FLOAT16
            add("Gather", node.input, f"{output}/half")
            add("Cast", [f"{output}/half"], output, to=TensorProto.FLOAT)
        elif node.output[0] not in turned:
            graph.node.append(node)
    for name, kind, dims, value in (
        ("int8/axes", TensorProto.INT64, [1], -1),
        ("int8/step", TensorProto.FLOAT, [], 1.0 / ACTIVATION_LEVELS),
        ("int8/zero", TensorProto.UINT8, [], _ZERO_POINT),
        ("int8/levels", TensorProto.FLOAT, [], ACTIVATION_LEVELS),
    ):
        graph.initializer.append(helper.make_tensor(name, kind, dims, [value]))


def _turn(graph: "onnx.GraphProto", place: "onnx.TensorProto") -> None:
    """Let the place of a weight, (N, K), be one of integers, (K, N), and add that of its scales, (N)."""
    from onnx import TensorProto

    if place.data_type == TensorProto.INT8:
        return
    scale = graph.initializer.add()
    scale.CopyFrom(place)
    scale.name = place.name + SCALE
    outputs, inputs = place.dims
    scale.dims[:] = [outputs]
    place.dims[:] = [inputs, outputs]
    place.data_type = TensorProto.INT8
