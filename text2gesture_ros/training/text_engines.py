"""Compares what can run the intent classifier on a processor: engines, precisions, schemes of quantisation.

Each engine lives in a process of its own, so that memory and load time are its own; they take turns, so that
whatever else the machine does meets them all alike. `python -m text2gesture_ros.training.text_engines` is the
inside of such a process.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from text2gesture_ros.bench import SENTENCES, median_and_p99, resident
from text2gesture_ros.checkpoints import GRAPH, INT8_GRAPH, open_model
from text2gesture_ros.classifier import TOKENIZER_FILE, TextReader, clean_text
from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.labels import TASKS
from text2gesture_ros.training.text_data import Utterance, default_data, read_utterances

Run = Callable[[NDArray[np.int64], NDArray[np.int64]], Sequence[NDArray[np.float32]]]
"""Token numbers and mask, (1, L) each -> the logits of each task, (1, C) each."""

REFERENCE = "ORT float32"
"""The engine whose choices the others are compared with; ORT is ONNX Runtime."""

SHIPPED = "ORT int8 u8s8 per row and channel, 7 bits"
"""What `quantization` makes and the package takes where it can."""

_CALIBRATION = 200  # utterances that static quantisation sees
_BLOCK = 128  # weights that share a scale in weight-only quantisation


@dataclass(frozen=True)
class Engine:
    """One way to run the model.

    Attributes:
        kind: "torch", "session" (a graph of the model directory), "onnxruntime" or "openvino" (an ONNX file).
        file: file name of the graph.
    """

    kind: str
    file: str = ""


ENGINES: Mapping[str, Engine] = {
    "PyTorch eager float32": Engine("torch"),
    REFERENCE: Engine("session", GRAPH),
    SHIPPED: Engine("session", INT8_GRAPH),
    **{
        f"ORT {scheme}": Engine("onnxruntime", f"{scheme}.onnx")
        for scheme in (
            "dynamic u8s8 per tensor",
            "dynamic u8s8 per tensor, 7 bits",
            "dynamic u8s8 per channel",
            "dynamic u8s8 per channel, 7 bits",
            "dynamic u8u8 per channel",
            "static QDQ u8s8 per channel, 7 bits",
            "static QDQ s8s8 per channel",
            "weight-only 8 bits",
            "weight-only 8 bits, integer arithmetic",
        )
    },
    "OpenVINO float32": Engine("openvino", "float32.onnx"),
    "OpenVINO dynamic u8s8 per channel": Engine("openvino", "dynamic u8s8 per channel.onnx"),
    "OpenVINO static QDQ s8s8 per channel": Engine("openvino", "static QDQ s8s8 per channel.onnx"),
}


def compare(
    model: str, count: int, rounds: int, threads: Sequence[int] = (1, 2), data: Path | None = None
) -> dict[str, Any]:
    """Measure every engine.

    Args:
        model: name or path of a model directory.
        count: runs per length and round.
        rounds: how often the engines take turns.
        threads: numbers of threads.
        data: labelled utterances for the accuracy; None takes the held-out ones of the package.

    Returns:
        by engine: accuracy per task, the share of choices equal to those of `REFERENCE`, and by number of
        threads milliseconds per number of words (processor_ms: median of the processor time of all threads,
        whatever else ran), memory_mb resident and load_s with imports; or why it cannot run, as `error`.

    Raises:
        ConfigurationError: a Python package that quantises is missing.
        InputError: the data cannot be used.
    """
    path = open_model(model, "intent").path
    utterances = [u for u in read_utterances(data or default_data()) if u.split in ("", "test")]
    if not utterances:
        raise InputError(f"{data}: no utterance of split 'test'")
    found: dict[str, dict[str, Any]] = {name: {"threads": {}} for name in ENGINES}
    chosen: dict[str, dict[str, list[int]]] = {}
    with tempfile.TemporaryDirectory(prefix="text2gesture_") as folder, ExitStack() as stack:
        write_graphs(path, Path(folder))
        texts = Path(folder) / "texts.json"
        texts.write_text(json.dumps([utterance.text for utterance in utterances]))
        workers = {}
        for name, engine in ENGINES.items():
            for number in threads:
                given = {**asdict(engine), "model": str(path), "folder": folder, "threads": number}
                worker = _Worker(given)
                stack.callback(worker.close)
                try:
                    found[name]["threads"][number] = worker.ask({"do": "load"}) | {"words": {}}
                except ConfigurationError as error:
                    found[name] = {"error": str(error)}
                    break
                workers[name, number] = worker
        for (name, number), worker in workers.items():
            if number == threads[0]:
                chosen[name] = worker.ask({"do": "choose", "texts": str(texts)})
        times: dict[tuple[str, int], dict[str, list[list[float]]]] = {key: {} for key in workers}
        for _ in range(rounds):
            for key, worker in workers.items():
                for length, taken in worker.ask({"do": "time", "count": count}).items():
                    times[key].setdefault(length, []).extend(taken)
        for (name, number), worker in workers.items():
            figures = found[name]["threads"][number]
            for length, taken in times[name, number].items():
                wall, processor = zip(*taken, strict=True)
                cost = median_and_p99(processor)["median_ms"]
                figures["words"][length] = {**median_and_p99(wall), "processor_ms": cost}
            figures["memory_mb"] = worker.ask({"do": "memory"})["memory_mb"]
    for name, choices in chosen.items():
        found[name] |= agreement(choices, chosen[REFERENCE], utterances)
    return {"engines": found, "n": count * rounds, "utterances": len(utterances)}


ROWS = (
    "engine", "#threads", *(f"{length} words [ms]" for length in SENTENCES), "memory [MB]", "load [s]",
    f"{', '.join(TASKS)} [%]", "equal [%]",
)  # fmt: skip
"""The columns of `rows`: median, 99th percentile, processor time; accuracy; least share of equal choices."""


def rows(figures: Mapping[str, Any]) -> list[list[str]]:
    """Return the figures of `compare` as a table, one row per engine and number of threads."""
    table = []
    for name, found in figures["engines"].items():
        if "error" in found:
            table.append([f"{name}: {found['error']}", *[""] * (len(ROWS) - 1)])
            continue
        accuracy = " ".join(f"{100 * share:.1f}" for share in found["accuracy"].values())
        equal = f"{100 * min(found['equal'].values()):.1f}"
        for threads, one in found["threads"].items():
            times = [
                f"{word['median_ms']:.1f} {word['p99_ms']:.1f} {word['processor_ms']:.1f}"
                for word in one["words"].values()
            ]
            sizes = [f"{one['memory_mb']:.0f}", f"{one['load_s']:.2f}"]
            table.append([name, str(threads), *times, *sizes, accuracy, equal])
    return table


def agreement(
    chosen: Mapping[str, Sequence[int]],
    reference: Mapping[str, Sequence[int]],
    utterances: Sequence[Utterance],
) -> dict[str, dict[str, float]]:
    """Return accuracy and equal (the share of choices that are those of the reference) by task.

    Args:
        chosen: index of the label chosen for each utterance, by task.
        reference: the same of the engine to compare with.
        utterances: with their labels; one without a label counts for `equal` alone, and a
            task that no utterance has a label of has no accuracy.
    """
    result: dict[str, dict[str, float]] = {"accuracy": {}, "equal": {}}
    for task, names in TASKS.items():
        labels = [utterance.labels[task] for utterance in utterances]
        right = [names[index] == label for index, label in zip(chosen[task], labels, strict=True) if label]
        equal = [a == b for a, b in zip(chosen[task], reference[task], strict=True)]
        if right:
            result["accuracy"][task] = round(float(np.mean(right)), 4)
        result["equal"][task] = round(float(np.mean(equal)), 4)
    return result


def write_graphs(model: Path, folder: Path) -> None:
    """Write the ONNX files `ENGINES` names, with weights, quantised by ONNX Runtime's own tools.

    Raises:
        ConfigurationError: the packages onnx or sympy, which that takes, are missing.
    """
    import onnx
    import onnxruntime
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static

    directory = open_model(str(model), "intent")
    weights = directory.weights()
    graph = onnx.load(directory.path / GRAPH, load_external_data=False)
    for tensor in graph.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            tensor.CopyFrom(onnx.numpy_helper.from_array(weights[tensor.name], tensor.name))
    # Constants folded, or the tools do not see that a weight that is transposed is a weight.
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    whole = folder / "float32.onnx"
    options.optimized_model_filepath = str(whole)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])

    signed, unsigned = QuantType.QInt8, QuantType.QUInt8
    kinds = {"op_types_to_quantize": ["MatMul"], "extra_options": {"MatMulConstBOnly": True}}
    for name, weight, per_channel, reduced in (
        ("dynamic u8s8 per tensor", signed, False, False),
        ("dynamic u8s8 per tensor, 7 bits", signed, False, True),
        ("dynamic u8s8 per channel", signed, True, False),
        ("dynamic u8s8 per channel, 7 bits", signed, True, True),
        ("dynamic u8u8 per channel", unsigned, True, False),
    ):
        quantize_dynamic(
            whole, folder / f"{name}.onnx", weight_type=weight, per_channel=per_channel,
            reduce_range=reduced, **kinds,
        )  # fmt: skip
    reader = TextReader(directory.path / TOKENIZER_FILE)
    for name, activation, reduced in (
        ("static QDQ u8s8 per channel, 7 bits", unsigned, True),
        ("static QDQ s8s8 per channel", signed, False),
    ):
        quantize_static(
            whole, folder / f"{name}.onnx", _Calibration(reader), quant_format=QuantFormat.QDQ,
            activation_type=activation, weight_type=signed, per_channel=True, reduce_range=reduced, **kinds,
        )  # fmt: skip
    for name, level in (("weight-only 8 bits", 1), ("weight-only 8 bits, integer arithmetic", 4)):
        onnx.save(weight_only(onnx.load(whole), level), folder / f"{name}.onnx")


class _Calibration:
    """Utterances of the training split, one at a time, as `quantize_static` reads them."""

    def __init__(self, reader: TextReader) -> None:
        training = [u.text for u in read_utterances(default_data()) if u.split == "train"]
        step = max(1, len(training) // _CALIBRATION)
        self._inputs = iter([reader([clean_text(text)]) for text in training[::step]])

    def get_next(self) -> dict[str, NDArray[np.int64]] | None:
        pair = next(self._inputs, None)
        return None if pair is None else dict(zip(("tokens", "mask"), pair, strict=True))


def weight_only(model: Any, level: int) -> Any:
    """Return a graph whose weights are 8-bit integers, with a scale for each block of `_BLOCK` (MatMulNBits).

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
        blocks = weight.T.reshape(outputs, inputs // _BLOCK, _BLOCK)
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
                domain="com.microsoft", K=inputs, N=outputs, bits=8, block_size=_BLOCK, accuracy_level=level,
            )
        )  # fmt: skip
    if not any(entry.domain == "com.microsoft" for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return model


class _Worker:
    """An engine in a process of its own: JSON lines in, JSON lines out."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __spec__.name, json.dumps(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, request: Mapping[str, Any]) -> Any:
        """Return the answer.

        Raises:
            ConfigurationError: the engine cannot do it.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": f"ended with status {self._process.wait()}"}
        if "error" in answer:
            raise ConfigurationError(answer["error"])
        return answer

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def _load(kind: str, file: str, model: str, folder: str, threads: int) -> Run:
    if kind == "torch":
        return _torch(model, threads)
    if kind == "openvino":
        return _openvino(Path(folder) / file, threads)
    if kind == "session":
        session = open_model(model, "intent").session(file, threads)
    else:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        path = Path(folder) / file
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda tokens, mask: session.run(list(TASKS), {"tokens": tokens, "mask": mask})


def _torch(model: str, threads: int) -> Run:
    import torch

    from text2gesture_ros.intent_network import from_config

    torch.set_num_threads(threads)
    directory = open_model(model, "intent")
    network = from_config(directory.config, directory.weights())
    order = [list(directory.config["labels"]).index(task) for task in TASKS]

    def run(tokens: NDArray[np.int64], mask: NDArray[np.int64]) -> Sequence[NDArray[np.float32]]:
        with torch.inference_mode():
            logits = network(torch.from_numpy(tokens), torch.from_numpy(mask))
        return [logits[head].numpy() for head in order]

    return run


def _openvino(path: Path, threads: int) -> Run:
    openvino = import_module("openvino")  # for this comparison only, and so in no list of requirements
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    compiled = openvino.Core().compile_model(str(path), "CPU", settings)
    request = compiled.create_infer_request()

    def run(tokens: NDArray[np.int64], mask: NDArray[np.int64]) -> Sequence[NDArray[np.float32]]:
        request.infer({"tokens": tokens, "mask": mask})
        return [request.get_tensor(task).data.copy() for task in TASKS]

    return run


def _serve(given: dict[str, Any], requests: Any, answers: Any) -> None:
    """Answer requests, one JSON line each, until there are no more."""
    for line in requests:
        request = json.loads(line)
        try:
            if request["do"] == "load":
                reader = TextReader(Path(given["model"]) / TOKENIZER_FILE)
                begin = time.perf_counter()
                run = _load(**given)
                run(*reader([SENTENCES[5]]))
                answer: Any = {"load_s": round(time.perf_counter() - begin, 3)}
            elif request["do"] == "choose":
                texts = json.loads(Path(request["texts"]).read_text())
                rows = [run(*reader([clean_text(text)])) for text in texts]
                answer = {
                    task: [int(row[index].argmax()) for row in rows] for index, task in enumerate(TASKS)
                }
            elif request["do"] == "time":
                count = request["count"]
                answer = {length: _times(run, reader, text, count) for length, text in SENTENCES.items()}
            else:
                answer = {"memory_mb": round(resident() / 1e6, 1)}
        except ModuleNotFoundError as error:
            answer = {"error": f"needs the Python package {error.name!r}, which is not installed"}
        except Exception as error:  # noqa: BLE001  # whatever an engine raises is its result
            answer = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _times(run: Run, reader: TextReader, text: str, count: int) -> list[tuple[float, float]]:
    """Return how long a sentence takes and how much processor time [s], `count` times."""
    run(*reader([text]))  # once for nothing: the engine has slept while others had their turn
    taken = []
    for _ in range(count):
        begin, used = time.perf_counter(), time.process_time()
        run(*reader([text]))
        taken.append((time.perf_counter() - begin, time.process_time() - used))
    return taken


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]), sys.stdin, sys.stdout)
