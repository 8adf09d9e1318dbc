"""What can run the intent classifier on a processor: engines, float32 and kinds of int8, one and two threads.

python -m benchmarks.text_engines --output benchmarks/results/text_engines.json
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import engines
from text2gesture_ros.apps.bench import SENTENCES
from text2gesture_ros.errors import InputError
from text2gesture_ros.labels import TASKS
from text2gesture_ros.measurement import median_and_p99, resident
from text2gesture_ros.model_directory import GRAPH, INT8_GRAPH, open_model
from text2gesture_ros.training.text.data import default_data
from text2gesture_ros.training.text.utterances import Utterance, read_utterances
from text2gesture_ros.understanding.classifier import TOKENIZER_FILE, TextReader, clean_text

Run = Callable[[NDArray[np.int64], NDArray[np.int64]], Sequence[NDArray[np.float32]]]
"""Token numbers and mask, (1, L) each -> the logits of each task, (1, C) each."""

REFERENCE = "ORT float32"
"""The engine whose choices the others are compared with; ORT is ONNX Runtime."""

SHIPPED = "ORT int8 u8s8 per row and channel, 7 bits"
"""What `quantization` makes and the package takes where it can."""

_CALIBRATION = 200  # utterances that static quantisation sees


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
            *engines.DYNAMIC,
            "static QDQ u8s8 per channel, 7 bits",
            "static QDQ s8s8 per channel",
            *engines.WEIGHT_ONLY,
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
        ConfigurationError: the reference cannot run.
        ModuleNotFoundError: a Python package that quantises is missing.
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
        shared = {"model": str(path), "folder": folder}
        starts = [
            (
                name,
                number,
                partial(engines.Worker, __spec__.name, asdict(engine) | shared | {"threads": number}),
            )
            for name, engine in ENGINES.items()
            for number in threads
        ]
        workers = engines.load_all(starts, found, REFERENCE, stack)
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
            figures["words"] = {}
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
        ModuleNotFoundError: the packages onnx or sympy, which that takes, are missing.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    directory = open_model(str(model), "intent")
    whole = folder / "float32.onnx"
    engines.write_whole(directory, GRAPH, whole)
    engines.write_quantised(whole)
    reader = TextReader(directory.path / TOKENIZER_FILE)
    for name, activation, reduced in (
        ("static QDQ u8s8 per channel, 7 bits", QuantType.QUInt8, True),
        ("static QDQ s8s8 per channel", QuantType.QInt8, False),
    ):
        quantize_static(
            whole, folder / f"{name}.onnx", _Calibration(reader), quant_format=QuantFormat.QDQ,
            activation_type=activation, weight_type=QuantType.QInt8, per_channel=True, reduce_range=reduced,
            op_types_to_quantize=["MatMul"], extra_options={"MatMulConstBOnly": True},
        )  # fmt: skip


class _Calibration:
    """Utterances of the training split, one at a time, as `quantize_static` reads them."""

    def __init__(self, reader: TextReader) -> None:
        training = [u.text for u in read_utterances(default_data()) if u.split == "train"]
        step = max(1, len(training) // _CALIBRATION)
        self._inputs = iter([reader([clean_text(text)]) for text in training[::step]])

    def get_next(self) -> dict[str, NDArray[np.int64]] | None:
        pair = next(self._inputs, None)
        return None if pair is None else dict(zip(("tokens", "mask"), pair, strict=True))


def _load(kind: str, file: str, model: str, folder: str, threads: int) -> Run:
    if kind == "torch":
        return _torch(model, threads)
    if kind == "session":
        session = open_model(model, "intent").session(file, threads)
        return lambda tokens, mask: session.run(list(TASKS), {"tokens": tokens, "mask": mask})
    run = engines.run_openvino if kind == "openvino" else engines.run_onnxruntime
    opened = run(Path(folder) / file, list(TASKS), threads)
    return lambda tokens, mask: opened({"tokens": tokens, "mask": mask})


def _torch(model: str, threads: int) -> Run:
    import torch

    from text2gesture_ros.understanding.intent_network import from_config

    torch.set_num_threads(threads)
    directory = open_model(model, "intent")
    network = from_config(directory.config, directory.weights())
    order = [list(directory.config["labels"]).index(task) for task in TASKS]

    def run(tokens: NDArray[np.int64], mask: NDArray[np.int64]) -> Sequence[NDArray[np.float32]]:
        with torch.inference_mode():
            logits = network(torch.from_numpy(tokens), torch.from_numpy(mask))
        return [logits[head].numpy() for head in order]

    return run


class _Inside:
    """The engine of this process."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given
        self._run: Run
        self._reader: TextReader

    def __call__(self, request: Mapping[str, Any]) -> Any:
        """Answer a request."""
        if request["do"] == "load":
            self._reader = TextReader(Path(self._given["model"]) / TOKENIZER_FILE)
            begin = time.perf_counter()
            self._run = _load(**self._given)
            self._run(*self._reader([SENTENCES[5]]))
            return {"load_s": round(time.perf_counter() - begin, 3)}
        if request["do"] == "choose":
            texts = json.loads(Path(request["texts"]).read_text())
            rows = [self._run(*self._reader([clean_text(text)])) for text in texts]
            return {task: [int(row[index].argmax()) for row in rows] for index, task in enumerate(TASKS)}
        if request["do"] == "time":
            count = request["count"]
            return {
                length: _times(self._run, self._reader, text, count) for length, text in SENTENCES.items()
            }
        return {"memory_mb": round(resident() / 1e6, 1)}


def _times(run: Run, reader: TextReader, text: str, count: int) -> list[tuple[float, float]]:
    """Return how long a sentence takes and how much processor time [s], `count` times."""
    run(*reader([text]))  # once for nothing: the engine has slept while others had their turn
    taken = []
    for _ in range(count):
        begin, used = time.perf_counter(), time.process_time()
        run(*reader([text]))
        taken.append((time.perf_counter() - begin, time.process_time() - used))
    return taken


def main() -> int:
    """Compare the engines."""
    arguments = engines.parser(__doc__, "intent", (20, "runs per length and round"))
    arguments.add_argument(
        "--data",
        type=Path,
        metavar="FILE",
        help="labelled sentences, CSV or JSONL (default: the held-out ones that ship)",
    )
    return engines.program(
        "text_engines",
        arguments,
        lambda args: compare(args.model, args.count, args.rounds, data=args.data),
        lambda figures: (ROWS, rows(figures)),
        _Inside,
    )


if __name__ == "__main__":
    sys.exit(main())
