"""What can run a step of the motion model: engines, forms of the network, one and two threads, a GPU.

python -m benchmarks.motion_engines --output benchmarks/results/motion_engines.json
"""

import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from benchmarks import engines
from text2gesture_ros.errors import ConfigurationError, InputError, ModelError
from text2gesture_ros.generation.generator import GestureGenerator
from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.labels import GESTURES, NEUTRAL
from text2gesture_ros.measurement import median_and_p99, resident
from text2gesture_ros.model_directory import (
    INITIAL_GRAPH,
    STEP_GRAPH,
    ModelDirectory,
    choose_engine,
    open_model,
)
from text2gesture_ros.motion.motion import Motion

_FUSED, _GRU, _HALF = "fused.onnx", "gru.onnx", "float16.onnx"

REFERENCE = "PyTorch eager float32"
"""The engine whose frames the others are compared with."""

LARGE = 256_000_000
"""Bytes that fit into no cache: what memory bandwidth is measured with."""

_SEED = 1
_TURNS = 5  # times a block is read to measure bandwidth


@dataclass(frozen=True)
class Engine:
    """One way to run the step.

    Attributes:
        kind: "torch", "session" (a graph of the model directory), "onnxruntime" or "openvino" (an ONNX file).
        file: the graph; of "torch" that of the same weights, for their number of bytes.
        form: of "torch": "eager", "traced" (torch.jit), "compiled" (torch.compile) or "graph" (CUDA graph).
        cells: of "torch": GRU cells as they are (""), as one product ("fused") or PyTorch's own ("gru").
        device: cpu or cuda.
        half: whether the GPU computes with float16.
        exact: whether its frames are to be the reference's within 1 mm.
    """

    kind: str
    file: str = STEP_GRAPH
    form: str = "eager"
    cells: str = ""
    device: str = "cpu"
    half: bool = False
    exact: bool = True


ENGINES: Mapping[str, Engine] = MappingProxyType(
    {
        REFERENCE: Engine("torch"),
        "PyTorch eager float32, fused cells": Engine("torch", _FUSED, cells="fused"),
        "PyTorch eager float32, torch.nn.GRU": Engine("torch", cells="gru"),
        "torch.jit float32": Engine("torch", form="traced"),
        "torch.jit float32, fused cells": Engine("torch", _FUSED, form="traced", cells="fused"),
        "torch.compile float32": Engine("torch", form="compiled"),
        "ORT float32, as shipped": Engine("session"),
        "ORT float32, fused cells": Engine("onnxruntime", _FUSED),
        "ORT float32, GRU operators": Engine("onnxruntime", _GRU),
        "ORT float16 weights": Engine("onnxruntime", _HALF, exact=False),
        "OpenVINO float32": Engine("openvino", "float32.onnx"),
        "OpenVINO float32, fused cells": Engine("openvino", _FUSED),
        "PyTorch CUDA float32": Engine("torch", device="cuda"),
        "PyTorch CUDA graph float32": Engine("torch", form="graph", device="cuda"),
        "PyTorch CUDA graph float16": Engine("torch", _HALF, "graph", "", "cuda", True, False),
        "ORT CUDA float32": Engine("session", device="cuda"),
    }
)


def compare(
    model: str,
    count: int,
    rounds: int,
    threads: Sequence[int] = (1, 2),
    names: Sequence[str] = (),
    sizes: Path | None = None,
) -> dict[str, Any]:
    """Measure every engine.

    Args:
        model: name or path of a model directory.
        count: clips per round.
        rounds: how often the engines take turns.
        threads: numbers of threads.
        names: which of `ENGINES`; none: all. The reference is measured in any case.
        sizes: a training file; instead of the model, one of these sizes that has learnt nothing.

    Returns:
        engines, by name: largest_mm and mean_mm distance of a joint to the reference over clips of every
            gesture, length_change (most frames a clip got longer or shorter), recognised (share of the
            clips, where anything can recognise them), bytes of weights a step reads, and by number of
            threads load_s, memory_mb resident after it, frames_per_second (median over clips), frame_ and
            step_ with median_ms and p99_ms, first_frame_ms, bound_ms (the bytes at the measured bandwidth
            of the memory) and cached_ms (at that of a block of so many bytes, read again and again); or why
            it cannot run, as `error`.
        bandwidth: by number of threads, bytes per second of reading `LARGE` bytes; clips, frames_per_step.

    Raises:
        ConfigurationError: the training file is wrong, or the reference cannot run.
        InputError: an engine is unknown.
        ModelError: the model directory is wrong.
    """
    unknown = [name for name in names if name not in ENGINES]
    if unknown:
        raise InputError(f"unknown engine {unknown[0]!r}. Known: {', '.join(ENGINES)}")
    wanted = {name: ENGINES[name] for name in ENGINES if not names or name in (*names, REFERENCE)}
    with tempfile.TemporaryDirectory(prefix="text2gesture_") as folder, ExitStack() as stack:
        path, directory = Path(folder) / "graphs", open_model(model, "motion")
        path.mkdir()
        if sizes:
            from benchmarks.motion_torch_steps import untrained

            untrained(sizes, directory, Path(folder) / "untrained")
            directory = open_model(f"{folder}/untrained", "motion")
        write_graphs(directory, path, {engine.file for engine in wanted.values()})
        found: dict[str, dict[str, Any]] = {
            name: {"bytes": bytes_of(path / engine.file), "threads": {}} for name, engine in wanted.items()
        }
        starts = [
            (name, number, partial(_worker, {**asdict(engine), "folder": str(path), "threads": number}))
            for name, engine in wanted.items()
            for number in (threads if engine.device == "cpu" else threads[:1])
        ]
        workers = engines.load_all(starts, found, REFERENCE, stack)
        readers = {number: _worker({"threads": number}) for number in threads}
        for reader in readers.values():
            stack.callback(reader.close)
        clips = {}
        for (name, number), worker in workers.items():
            if number == threads[0]:
                worker.ask({"do": "clips", "file": f"{folder}/clips"})
                clips[name] = load_file(f"{folder}/clips")
        blocks = sorted({LARGE, *(one["bytes"] for one in found.values() if "bytes" in one)})
        times: dict[tuple[str, int], list[dict[str, list[float]]]] = {key: [] for key in workers}
        rates: dict[int, list[list[float]]] = {number: [] for number in threads}
        for turn in range(rounds):
            for key, worker in workers.items():
                times[key] += worker.ask({"do": "time", "count": count, "first": turn * count})
            for number, reader in readers.items():
                rates[number].append(reader.ask({"do": "read", "sizes": blocks}))
        read = {
            number: dict(zip(blocks, np.median(each, axis=0), strict=True)) for number, each in rates.items()
        }
        for (name, number), measured in times.items():
            figures = found[name]["threads"][number]
            figures |= speeds(measured)
            if ENGINES[name].device == "cpu":
                size = found[name]["bytes"]
                figures["bound_ms"] = round(1e3 * size / read[number][LARGE], 4)
                figures["cached_ms"] = round(1e3 * size / read[number][size], 4)
        recognised = {} if sizes else _recognised(path, clips)
        for name, own in clips.items():
            found[name] |= differences(own, clips[REFERENCE]) | recognised.get(name, {})
    return {
        "engines": found,
        "bandwidth": {number: round(float(each[LARGE])) for number, each in read.items()},
        "clips": count * rounds,
        "frames_per_step": directory.config["network"]["frames_per_step"],
    }


ROWS = (
    "engine", "#threads", "frames/s", "frame [ms]", "step [ms]", "bound, cached [ms]", "first frame [ms]",
    "memory [MB]", "load [s]", "largest, mean [mm]", "#length", "recognised [%]",
)  # fmt: skip
"""The columns of `rows`; of a frame and a step median and 99th percentile; of lengths the largest change."""


def rows(figures: Mapping[str, Any]) -> list[list[str]]:
    """Return the figures of `compare` as a table, one row per engine and number of threads."""
    table = []
    for name, found in figures["engines"].items():
        if "error" in found:
            table.append([f"{name}: {found['error']}", *[""] * (len(ROWS) - 1)])
            continue
        recognised = f"{100 * found['recognised']:.1f}" if "recognised" in found else ""
        accuracy = [f"{found['largest_mm']:.2f} {found['mean_mm']:.3f}", str(found["length_change"])]
        for threads, one in found["threads"].items():
            bound = f"{one['bound_ms']:.2f} {one['cached_ms']:.2f}" if "bound_ms" in one else ""
            pairs = (f"{one[part]['median_ms']:.2f} {one[part]['p99_ms']:.2f}" for part in ("frame", "step"))
            speed = [f"{one['frames_per_second']:.0f}", *pairs, bound, f"{one['first_frame_ms']:.2f}"]
            sizes = [f"{one['memory_mb']:.0f}", f"{one['load_s']:.2f}"]
            table.append([name, str(threads), *speed, *sizes, *accuracy, recognised])
    return table


def speeds(clips: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, Any]:
    """Return what the waits in clips come to.

    Args:
        clips: of each the seconds waited for each of its frames ("frames") and steps ("steps").
    """
    frames = [wait for clip in clips for wait in clip["frames"]]
    steps = [wait for clip in clips for wait in clip["steps"]]
    rate = np.median([len(clip["frames"]) / sum(clip["frames"]) for clip in clips])
    return {
        "frames_per_second": round(float(rate), 1),
        "frame": median_and_p99(frames),
        "step": median_and_p99(steps),
        "first_frame_ms": round(1e3 * float(np.median([clip["frames"][0] for clip in clips])), 3),
    }


def differences(clips: Mapping[str, FloatArray], reference: Mapping[str, FloatArray]) -> dict[str, Any]:
    """Return how far clips are from those of the reference: largest_mm and mean_mm of a joint, length_change.

    Args:
        clips: (T, K, 3) joint positions [m] by name; distances are those of the frames both have.
        reference: the same of the reference.
    """
    distances, changes = [], []
    for name, expected in reference.items():
        length = min(len(expected), len(clips[name]))
        distances.append(np.linalg.norm(clips[name][:length] - expected[:length], axis=-1).ravel())
        changes.append(abs(len(clips[name]) - len(expected)))
    every = 1e3 * np.concatenate(distances)
    return {
        "largest_mm": round(float(every.max()), 3),
        "mean_mm": round(float(every.mean()), 4),
        "length_change": max(changes),
    }


def bytes_of(graph: Path) -> int:
    """Return how many bytes of weights a graph holds or has places for: what each run of it reads."""
    import onnx

    tensors = onnx.load(graph, load_external_data=False).graph.initializer
    sizes = {onnx.TensorProto.FLOAT: 4, onnx.TensorProto.FLOAT16: 2}
    return sum(int(np.prod(tensor.dims)) * sizes.get(tensor.data_type, 1) for tensor in tensors)


def write_graphs(directory: ModelDirectory, folder: Path, files: Collection[str]) -> None:
    """Make of an empty folder a model directory with more graphs.

    Args:
        directory: of kind "motion".
        folder: gets links to its files.
        files: which of the graphs that `ENGINES` names to write; float32.onnx, from which others are made,
            always is.

    Raises:
        ModuleNotFoundError: the package onnx, which that takes, is missing.
    """
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    from benchmarks.motion_torch_steps import write_step

    for file in directory.path.glob("*.*"):
        (folder / file.name).symlink_to(file.resolve())
    whole = folder / "float32.onnx"
    engines.write_whole(directory, STEP_GRAPH, whole)
    if _HALF in files:
        onnx.save(convert_float_to_float16(onnx.load(whole), keep_io_types=True), folder / _HALF)
    for cells, graph in (("fused", _FUSED), ("gru", _GRU)):
        if graph in files:
            write_step(directory, cells, folder / graph)


class Runner:
    """Runs the two graphs of a model, the second of them in an engine, for a `GestureGenerator`."""

    def __init__(self, directory: ModelDirectory, engine: Engine, threads: int) -> None:
        self._initial = directory.session(INITIAL_GRAPH, threads, engine.device)
        self._inputs = [value.name for value in self._initial.get_outputs()]  # frame and state
        outputs = ("frames", "stop_probabilities", *(f"next_{name}" for name in self._inputs[1:]))
        if engine.kind == "session":
            session = directory.session(engine.file, threads, engine.device)
            self._step: engines.Run = partial(session.run, list(outputs))
        else:
            run = engines.run_openvino if engine.kind == "openvino" else engines.run_onnxruntime
            self._step = run(directory.path / engine.file, outputs, threads)

    def initial(self, embedding: FloatArray) -> list[FloatArray]:
        """Return first frame and state."""
        return list(self._initial.run(None, {"embedding": embedding}))

    def step(self, frame: FloatArray, state: list[FloatArray]) -> list[FloatArray]:
        """Return the next frames, their stop probabilities and the new state."""
        return list(self._step(dict(zip(self._inputs, [frame, *state], strict=True))))


def open_engine(directory: ModelDirectory, engine: Engine, threads: int) -> Any:
    """Return an engine that runs a directory of `write_graphs`.

    Raises:
        ConfigurationError: there is no CUDA device.
    """
    if engine.kind != "torch":
        if engine.device == "cuda" and choose_engine("auto") != "onnxruntime-cuda":
            raise ConfigurationError("ONNX Runtime has no CUDA provider here")
        return Runner(directory, engine, threads)
    from benchmarks.motion_torch_steps import TorchRunner

    return TorchRunner(directory, engine.form, engine.cells, engine.device, engine.half, threads)


class _Timed:
    """An engine, and how long its steps took [s]."""

    def __init__(self, engine: Any) -> None:
        self.initial, self._step = engine.initial, engine.step
        self.steps: list[float] = []

    def step(self, frame: FloatArray, state: list[FloatArray]) -> list[FloatArray]:
        begin = time.perf_counter()
        result: list[FloatArray] = self._step(frame, state)
        self.steps.append(time.perf_counter() - begin)
        return result


class _Inside:
    """The engine of this process, or the reader that measures its memory's bandwidth."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = dict(given)
        self._engine: _Timed
        self._generator: GestureGenerator

    def __call__(self, request: Mapping[str, Any]) -> Any:
        """Answer a request."""
        if request["do"] == "load":
            return self._loaded()
        if request["do"] == "read":
            return [bandwidth(size, self._given["threads"]) for size in request["sizes"]]
        if request["do"] == "clips":
            clips = {gesture: self._generator.generate(gesture, seed=_SEED).positions for gesture in GESTURES}
            save_file(clips, request["file"])
            return len(clips)
        self._clip(request["first"])  # once for nothing: the engine has slept while others had their turn
        return [self._clip(index) for index in range(request["first"], request["first"] + request["count"])]

    def _loaded(self) -> dict[str, float]:
        folder, threads = self._given.pop("folder"), self._given.pop("threads")
        directory = open_model(folder, "motion")
        width = directory.config["network"]["embedder_channels"][-1]
        begin = time.perf_counter()
        engine = open_engine(directory, Engine(**self._given), threads)
        frame, *state = engine.initial(np.zeros((1, width), np.float32))
        engine.step(frame, state)
        figures = {"load_s": round(time.perf_counter() - begin, 3), "memory_mb": round(resident() / 1e6, 1)}
        self._engine = _Timed(engine)
        self._generator = GestureGenerator(folder, device="cpu", engine=self._engine)
        return figures

    def _clip(self, index: int) -> dict[str, list[float]]:
        """Return how long the frames of a clip and its steps took [s]."""
        self._engine.steps = []
        waits = []
        begin = time.perf_counter()
        for _ in self._generator.frames(GESTURES[index % len(GESTURES)], seed=index):
            now = time.perf_counter()
            waits.append(now - begin)
            begin = now
        return {"frames": waits, "steps": self._engine.steps}


def bandwidth(size: int, threads: int) -> float:
    """Return how many bytes per second some threads read of a block of `size` bytes, again and again."""
    block = np.ones(size // 4, np.float32)
    parts = np.array_split(block, threads)
    with ThreadPoolExecutor(threads) as pool:
        taken = []
        for _ in range(_TURNS):
            begin = time.perf_counter()
            list(pool.map(lambda part: part @ part, parts))  # a dot product reads and does little else
            taken.append(time.perf_counter() - begin)
    return float(block.nbytes / np.median(taken))


def _worker(given: Mapping[str, Any]) -> engines.Worker:
    # Read by one thread for each of ours; and nothing compiled earlier makes loading look short.
    environment = {"OPENBLAS_NUM_THREADS": "1"}
    if "folder" in given:
        environment["TORCHINDUCTOR_CACHE_DIR"] = f"{given['folder']}/inductor{given['threads']}"
    return engines.Worker(__spec__.name, given, environment)


def _recognised(folder: Path, clips: Mapping[str, Mapping[str, FloatArray]]) -> dict[str, dict[str, float]]:
    """Return by engine the share of its clips that show their gesture, say recogniser or embedder."""
    from text2gesture_ros.training.motion.candidates import ModelCandidate
    from text2gesture_ros.training.motion.judges import EmbedderJudge, Judge, RecogniserJudge

    model = ModelCandidate(str(folder))
    try:
        judge: Judge = RecogniserJudge()
    except ModelError:
        judge = EmbedderJudge(model)
    rate, found = open_model(str(folder)).config["frame_rate"], {}
    for name, own in clips.items():
        motions = [Motion(positions, rate, gesture, NEUTRAL) for gesture, positions in own.items()]
        best = judge.predict(motions)[0].argmax(axis=1)
        right = [GESTURES.index(gesture) == label for gesture, label in zip(own, best, strict=True)]
        found[name] = {"recognised": round(float(np.mean(right)), 4)}
    return found


def main() -> int:
    """Compare the engines."""
    arguments = engines.parser(__doc__, "motion", (6, "clips per round"))
    arguments.add_argument("--engine", action="append", metavar="NAME", help="only this one; may be repeated")
    arguments.add_argument(
        "--sizes",
        type=Path,
        metavar="FILE.yaml",
        help="instead of the model, an untrained one of the sizes of this training file",
    )
    return engines.program(
        "motion_engines",
        arguments,
        lambda args: compare(args.model, args.count, args.rounds, names=args.engine or (), sizes=args.sizes),
        lambda figures: (ROWS, rows(figures)),
        _Inside,
    )


if __name__ == "__main__":
    sys.exit(main())
