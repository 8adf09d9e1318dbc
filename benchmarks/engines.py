"""What comparisons of engines share: a process for each engine, graphs with their weights, quantised graphs.

Each engine lives in a process of its own, so that memory and load time are its own; they take turns, so that
whatever else the machine does meets them all alike.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from text2gesture_ros.apps.tables import show_table
from text2gesture_ros.errors import ConfigurationError, InputError, Text2GestureError
from text2gesture_ros.measurement import described
from text2gesture_ros.model_directory import ModelDirectory

Arrays = list[NDArray[Any]]
Run = Callable[[Mapping[str, NDArray[Any]]], Arrays]
"""Inputs by name -> outputs, in the order of the names it was opened with."""

DYNAMIC: Mapping[str, tuple[str, bool, bool]] = MappingProxyType(
    {
        "dynamic u8s8 per tensor": ("QInt8", False, False),
        "dynamic u8s8 per tensor, 7 bits": ("QInt8", False, True),
        "dynamic u8s8 per channel": ("QInt8", True, False),
        "dynamic u8s8 per channel, 7 bits": ("QInt8", True, True),
        "dynamic u8u8 per channel": ("QUInt8", True, False),
    }
)
"""Schemes of `quantize_dynamic`: type of the weights, a scale for each output, one bit left out."""

WEIGHT_ONLY: Mapping[str, int] = MappingProxyType(
    {"weight-only 8 bits": 1, "weight-only 8 bits, integer arithmetic": 4}
)
"""Schemes of `weight_only` and their levels."""

BLOCK = 128
"""Weights that share a scale in weight-only quantisation."""


WORKER = "--worker"
"""The argument after which a program of this kind is told what to serve, see `program`."""


class Worker:
    """An engine in a process of its own: JSON lines in, JSON lines out.

    Args:
        module: what runs there as a program, see `program`.
        given: what it is told when it starts.
        environment: variables beside those of this process.
    """

    def __init__(
        self, module: str, given: Mapping[str, Any], environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, WORKER, json.dumps(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )

    def ask(self, request: Mapping[str, Any]) -> Any:
        """Return the answer.

        Raises:
            ConfigurationError: the engine cannot do it.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):  # it has ended: then there is no answer either
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": f"ended with status {self._process.wait()}"}
        if isinstance(answer, Mapping) and "error" in answer:
            raise ConfigurationError(answer["error"])
        return answer

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()


def load_all(
    starts: Iterable[tuple[str, int, Callable[[], Worker]]],
    found: dict[str, dict[str, Any]],
    reference: str,
    stack: ExitStack,
) -> dict[tuple[str, int], Worker]:
    """Start workers and have them load; return those that can, by engine and number of threads.

    Args:
        starts: name of the engine, number of threads, and what starts a worker.
        found: by name of the engine; gets what loading took under "threads", or why it cannot run as "error".
        reference: the engine that must run.
        stack: ends the workers.

    Raises:
        ConfigurationError: the reference cannot run.
    """
    workers: dict[tuple[str, int], Worker] = {}
    for name, number, start in starts:
        if "error" in found[name]:
            continue
        worker = start()
        stack.callback(worker.close)
        try:
            found[name]["threads"][number] = worker.ask({"do": "load"})
            workers[name, number] = worker
        except ConfigurationError as error:
            if name == reference:
                raise ConfigurationError(f"{name}: {error}") from None
            found[name] = {"error": str(error)}
    return {key: worker for key, worker in workers.items() if "error" not in found[key[0]]}


def serve(answered: Callable[[Mapping[str, Any]], Any]) -> None:
    """Answer the requests of standard input, one JSON line each, until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    for line in sys.stdin:
        try:
            answer = answered(json.loads(line))
        except ModuleNotFoundError as error:
            answer = {"error": f"needs the Python package {error.name!r}, which is not installed"}
        except Exception as error:  # noqa: BLE001  # whatever an engine raises is its result
            answer = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def program(
    name: str,
    arguments: argparse.ArgumentParser,
    compare: Callable[[argparse.Namespace], Mapping[str, Any]],
    table: Callable[[Mapping[str, Any]], tuple[Sequence[str], list[list[str]]]],
    worker: Callable[[Mapping[str, Any]], Callable[[Mapping[str, Any]], Any]],
) -> int:
    """Run a comparison as a program, or one of its workers; return the exit status.

    Args:
        name: of the module in benchmarks/.
        arguments: what its command line takes, from `parser`.
        compare: measures what the arguments ask for.
        table: columns and rows that show the figures.
        worker: what a worker answers with, from what it is given.
    """
    if sys.argv[1:2] == [WORKER]:
        serve(worker(json.loads(sys.argv[2])))
        return 0
    args = arguments.parse_args()
    try:
        if args.output and not args.output.parent.is_dir():  # before minutes of measuring
            raise InputError(f"--output: no directory {args.output.parent}")
        figures = compare(args)
    except Text2GestureError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    show_table("", *table(figures))
    if args.output:
        command = " ".join([f"python -m benchmarks.{name}", *sys.argv[1:]])
        args.output.write_text(json.dumps(described(command, figures), indent=2) + "\n")
    return 0


def parser(module: str | None, model: str, count: tuple[int, str]) -> argparse.ArgumentParser:
    """Return a parser of what both comparisons take.

    Args:
        module: the docstring of the comparison's module.
        model: the default model.
        count: default and meaning of --count.
    """
    result = argparse.ArgumentParser(description=(module or "").split("\n\n")[0])
    result.add_argument("--model", default=model, help="name or path of the model (default: %(default)s)")
    result.add_argument(
        "--count", type=_positive, default=count[0], help=f"{count[1]} (default: %(default)s)"
    )
    result.add_argument(
        "--rounds", type=_positive, default=5, help="how often the engines take turns (default: %(default)s)"
    )
    result.add_argument("--output", type=Path, metavar="FILE.json", help="write the result to a file")
    return result


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more but is {value}")
    return value


def run_onnxruntime(path: Path, outputs: Sequence[str], threads: int) -> Run:
    """Return an ONNX file that holds its weights, in ONNX Runtime, as `ModelDirectory.session` sets it up."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda inputs: list(session.run(list(outputs), inputs))


def run_openvino(path: Path, outputs: Sequence[str], threads: int) -> Run:
    """Return an ONNX file that holds its weights, in OpenVINO."""
    openvino = import_module("openvino")  # for comparisons only, and so in no list of requirements
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()

    def run(inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        request.infer(dict(inputs))
        return [request.get_tensor(name).data.copy() for name in outputs]

    return run


def write_whole(directory: ModelDirectory, graph: str, path: Path) -> None:
    """Write a graph of a model directory as an ONNX file that holds its weights, for other tools to read."""
    import onnx
    import onnxruntime

    weights = directory.weights()
    model = onnx.load(directory.path / graph, load_external_data=False)
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            tensor.CopyFrom(onnx.numpy_helper.from_array(weights[tensor.name], tensor.name))
    # Constants folded, or the tools do not see that a weight that is transposed is a weight.
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def write_quantised(whole: Path) -> None:
    """Write beside an ONNX file, its layers MatMul, what schemes of `DYNAMIC` and `WEIGHT_ONLY` make of it.

    Raises:
        ModuleNotFoundError: the packages onnx or sympy, which that takes, are missing.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    for name, (kind, per_channel, reduced) in DYNAMIC.items():
        quantize_dynamic(
            whole, whole.with_name(f"{name}.onnx"), op_types_to_quantize=["MatMul"],
            weight_type=getattr(QuantType, kind), per_channel=per_channel, reduce_range=reduced,
            extra_options={"MatMulConstBOnly": True},
        )  # fmt: skip
    for name, level in WEIGHT_ONLY.items():
        onnx.save(weight_only(onnx.load(whole), level), whole.with_name(f"{name}.onnx"))


def weight_only(model: Any, level: int) -> Any:
    """Return a graph whose weights are 8-bit integers, with a scale for each block of `BLOCK` (MatMulNBits).

    Weights whose inputs do not fill blocks stay as they are.

    Args:
        model: an onnx.ModelProto; changed.
        level: 1 multiplies as float32, 4 in integers, with activations quantised block by block.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type != "MatMul" or node.input[1] not in weights:
            continue
        name = node.input[1]
        weight = numpy_helper.to_array(weights[name])  # (K, N)
        inputs, outputs = weight.shape
        if inputs % BLOCK:
            continue
        blocks = weight.T.reshape(outputs, inputs // BLOCK, BLOCK)
        scales = np.abs(blocks).max(-1) / 127.0
        integers = np.rint(blocks / np.maximum(scales, 1e-12)[..., None]) + 128.0
        graph.initializer.remove(weights[name])
        graph.initializer.append(numpy_helper.from_array(integers.astype(np.uint8), name))
        graph.initializer.append(
            numpy_helper.from_array(scales.reshape(-1).astype(np.float32), f"{name}/scale")
        )
        node.CopyFrom(
            helper.make_node(
                "MatMulNBits", [node.input[0], name, f"{name}/scale"], list(node.output), name=node.name,
                domain="com.microsoft", K=inputs, N=outputs, bits=8, block_size=BLOCK, accuracy_level=level,
            )
        )  # fmt: skip
    if not any(entry.domain == "com.microsoft" for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return model
