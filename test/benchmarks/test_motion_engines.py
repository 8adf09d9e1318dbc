"""The comparison of engines of the motion model: all compute the same step, and what is counted."""

import json
from dataclasses import asdict

import numpy as np
import onnx
import pytest
import torch

from benchmarks import engines as training_engines
from benchmarks import motion_engines as engines
from benchmarks.engines import Worker
from benchmarks.motion_engines import (
    ENGINES,
    REFERENCE,
    ROWS,
    bytes_of,
    differences,
    open_engine,
    rows,
    speeds,
    write_graphs,
)
from benchmarks.motion_torch_steps import CELLS, untrained, with_cells
from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.generation.generator import GestureGenerator
from text2gesture_ros.generation.motion_network import State, load_network
from text2gesture_ros.labels import GESTURES
from text2gesture_ros.model_directory import ModelDirectory, open_model

SIZES = """
name: tiny
frames: 61
network:
  embedder_channels: [4, 4, 4, 4, 8]
  hidden_width: 128
  recurrent_width: 128
  frames_per_step: 3
  cumulative: true
  bone_true: true
"""
# Compiling takes half a minute, and what comes out is the traced step's.
RUNNABLE = [name for name, e in ENGINES.items() if e.device == "cpu" and e.form != "compiled"]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> ModelDirectory:
    """Return a small model that has learnt nothing, with the graphs of every engine."""
    folder = tmp_path_factory.mktemp("engines")
    (folder / "tiny.yaml").write_text(SIZES)
    untrained(folder / "tiny.yaml", open_model("motion", "motion"), folder / "model")
    (folder / "graphs").mkdir()
    files = {engine.file for engine in ENGINES.values()}
    write_graphs(open_model(str(folder / "model"), "motion"), folder / "graphs", files)
    return open_model(str(folder / "graphs"), "motion")


def clips(directory: ModelDirectory, name: str) -> dict[str, np.ndarray]:
    """Return what an engine makes of a few gestures."""
    if ENGINES[name].kind == "openvino":
        pytest.importorskip("openvino")
    engine = open_engine(directory, ENGINES[name], 1)
    generator = GestureGenerator(str(directory.path), device="cpu", engine=engine)
    return {gesture: generator.generate(gesture, seed=0).positions for gesture in GESTURES[:3]}


@pytest.fixture(scope="module")
def reference(directory: ModelDirectory) -> dict[str, np.ndarray]:
    return clips(directory, REFERENCE)


@pytest.mark.parametrize("name", RUNNABLE)
def test_engines_make_the_same_motion(directory, reference, name):
    found = differences(clips(directory, name), reference)
    assert found["largest_mm"] < (1.0 if ENGINES[name].exact else 5.0)
    assert found["length_change"] == 0
    assert all(np.ptp(positions, axis=0).max() > 0.01 for positions in reference.values())


@pytest.mark.parametrize("cells", CELLS)
def test_other_cells_compute_the_same_step(directory, cells):
    generator = load_network(directory).generator
    torch.manual_seed(0)
    width, recurrent = generator.config.hidden_width, generator.config.recurrent_width
    states = [torch.randn(2, w) for w in (width, recurrent, recurrent)]
    frame, state = torch.randn(2, 63), State(*states, torch.zeros(2, 0, 0))
    with torch.no_grad():
        expected, given = (g.step(frame, state) for g in (generator, with_cells(generator, cells)))
    for a, b in zip((*expected[:2], *expected[2]), (*given[:2], *given[2]), strict=True):
        torch.testing.assert_close(a, b, rtol=0.0, atol=1e-4)


def test_bytes_are_those_of_the_weights(tmp_path):
    kinds = (("FLOAT", (2, 3)), ("FLOAT16", (4,)), ("INT8", (5,)))
    graph = onnx.helper.make_graph([], "weights", [], [])
    for kind, dims in kinds:
        values = np.zeros(dims, onnx.helper.tensor_dtype_to_np_dtype(getattr(onnx.TensorProto, kind)))
        graph.initializer.append(onnx.numpy_helper.from_array(values, kind))
    onnx.save(onnx.helper.make_model(graph), tmp_path / "graph.onnx")
    assert bytes_of(tmp_path / "graph.onnx") == 4 * 6 + 2 * 4 + 5


def test_an_engine_lives_in_a_process_of_its_own(directory):
    given = {**asdict(ENGINES["ORT float32, as shipped"]), "folder": str(directory.path), "threads": 1}
    worker = Worker("benchmarks.motion_engines", given)
    loaded = worker.ask({"do": "load"})
    timed = worker.ask({"do": "time", "count": 2, "first": 0})
    worker.close()
    assert loaded["load_s"] > 0.0
    assert loaded["memory_mb"] > 0.0
    assert [len(clip["frames"]) for clip in timed] == [61, 61]
    assert [len(clip["steps"]) for clip in timed] == [20, 20]


class InProcess:
    """A worker without a process: what is asked and answered is the same JSON."""

    def __init__(self, module, given, environment):
        self._inside = engines._Inside(json.loads(json.dumps(given)))

    def ask(self, request):
        return json.loads(json.dumps(self._inside(json.loads(json.dumps(request)))))

    def close(self):
        pass


def test_a_comparison_measures_what_was_asked_for_beside_the_reference(directory, monkeypatch):
    monkeypatch.setattr(training_engines, "Worker", InProcess)
    monkeypatch.setattr(engines, "LARGE", 1 << 20)
    found = engines.compare(
        str(directory.path.parent / "model"), 2, 2, threads=(1,), names=["ORT float16 weights"]
    )
    assert list(found["engines"]) == [REFERENCE, "ORT float16 weights"]
    assert (found["clips"], found["frames_per_step"], list(found["bandwidth"])) == (4, 3, [1])
    for one in found["engines"].values():
        assert one["threads"][1]["bound_ms"] > 0.0
        assert one["threads"][1]["frames_per_second"] > 0.0
        assert 0.0 <= one["recognised"] <= 1.0
    reference, small = found["engines"].values()
    assert (reference["largest_mm"], reference["length_change"]) == (0.0, 0)
    assert 0.0 < small["largest_mm"] < 5.0
    assert small["bytes"] < reference["bytes"]
    assert [row[0] for row in rows(found)] == list(found["engines"])


def test_only_graphs_that_are_asked_for_are_written(directory, tmp_path):
    write_graphs(open_model(str(directory.path.parent / "model"), "motion"), tmp_path, {"float16.onnx"})
    written = {path.name for path in tmp_path.iterdir() if not path.is_symlink()}
    assert written == {"float16.onnx", "float32.onnx"}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("name", [name for name, engine in ENGINES.items() if engine.device == "cuda"])
def test_engines_of_a_gpu_say_that_there_is_none(directory, name):
    with pytest.raises(ConfigurationError, match="CUDA"):
        open_engine(directory, ENGINES[name], 1)


def test_distances_are_those_of_the_frames_both_have():
    expected = {"wave": np.zeros((4, 2, 3)), "nod": np.zeros((2, 2, 3))}
    given = {"wave": np.zeros((3, 2, 3)), "nod": np.zeros((2, 2, 3))}
    given["nod"][1, 0] = 0.003, 0.0, 0.004
    found = differences(given, expected)
    assert found == {"largest_mm": 5.0, "mean_mm": 0.5, "length_change": 1}


def test_speeds_are_over_whole_clips():
    clip = {"frames": [0.04, 0.01, 0.01, 0.04], "steps": [0.02, 0.03]}
    found = speeds([clip, {"frames": [0.01, 0.01], "steps": [0.01]}, clip])
    assert found["frames_per_second"] == pytest.approx(40.0)
    assert found["first_frame_ms"] == pytest.approx(40.0)
    assert found["step"]["median_ms"] == pytest.approx(20.0)


def test_the_table_has_a_row_for_every_engine_and_number_of_threads():
    speed = speeds([{"frames": [0.01, 0.01], "steps": [0.01]}])
    one = {**speed, "memory_mb": 100.0, "load_s": 0.1}
    threads = {1: one | {"bound_ms": 1.0, "cached_ms": 0.5}, 2: one}
    accuracy = {"largest_mm": 0.1, "mean_mm": 0.01, "length_change": 0}
    found = {"a": {"threads": threads, **accuracy, "recognised": 1.0}, "b": {"error": "gone"}}
    table = rows({"engines": found})
    assert [len(row) for row in table] == 3 * [len(ROWS)]
    assert "gone" in table[2][0]
