"""The comparison of engines: what is counted, and one engine in its process."""

import json
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.engines import WORKER, weight_only
from benchmarks.text_engines import REFERENCE, ROWS, SHIPPED, agreement, rows
from text2gesture_ros.labels import TASKS
from text2gesture_ros.resources import find_model
from text2gesture_ros.training.text.utterances import Utterance


def ask(given, *requests):
    """Return the answers of an engine in a process of its own."""
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    command = [sys.executable, "-m", "benchmarks.text_engines", WORKER, json.dumps(given)]
    result = subprocess.run(command, input=lines, capture_output=True, text=True, check=True, timeout=60)
    return [json.loads(line) for line in result.stdout.splitlines()]


def given(**change):
    """Return what a process is told."""
    given = {"kind": "session", "file": "graph.onnx", "folder": "", "threads": 1}
    return given | {"model": str(find_model("intent"))} | change


def test_agreement_counts_what_is_labelled_and_compares_everything():
    labels = [{"subject": None, "gesture": "wave", "emotion": "positive"}, dict.fromkeys(TASKS)]
    utterances = [Utterance("", label, {}, "test") for label in labels]
    chosen = {task: [names.index("neutral")] * 2 for task, names in TASKS.items()}
    reference = chosen | {"gesture": [TASKS["gesture"].index("wave"), chosen["gesture"][1]]}
    found = agreement(chosen, reference, utterances)
    assert found["accuracy"] == {"gesture": 0.0, "emotion": 0.0}
    assert found["equal"] == {"subject": 1.0, "gesture": 0.5, "emotion": 1.0}
    assert agreement(reference, reference, utterances)["accuracy"] == {"gesture": 1.0, "emotion": 0.0}


def test_an_engine_loads_chooses_and_is_measured(tmp_path):
    texts = tmp_path / "texts.json"
    texts.write_text(json.dumps(["Hello there!", "Thank you so much!", ""]))
    requests = (
        {"do": "load"},
        {"do": "choose", "texts": str(texts)},
        {"do": "time", "count": 2},
        {"do": "memory"},
    )
    loaded, chosen, times, memory = ask(given(), *requests)
    assert loaded["load_s"] > 0.0
    assert {task: len(indices) for task, indices in chosen.items()} == dict.fromkeys(TASKS, 3)
    assert all(len(taken) == 2 for taken in times.values())
    assert memory["memory_mb"] > 0.0


@pytest.mark.parametrize("change", [{"file": "none.onnx"}, {"kind": "openvino", "file": "none.onnx"}])
def test_an_engine_that_cannot_run_says_why(change):
    (answer,) = ask(given(**change), {"do": "load"})
    assert set(answer) == {"error"}


def test_the_table_has_a_row_for_every_engine_and_number_of_threads():
    words = {
        str(length): {"median_ms": 1.0, "p99_ms": 2.0, "processor_ms": 0.5} for length in (5, 12, 15, 40)
    }
    threads = {number: {"words": words, "memory_mb": 100.0, "load_s": 0.1} for number in (1, 2)}
    shares = dict.fromkeys(TASKS, 0.5)
    engine = {"threads": threads, "accuracy": shares, "equal": shares}
    table = rows({"engines": {REFERENCE: engine, SHIPPED: {"error": "gone"}}})
    assert [len(row) for row in table] == 3 * [len(ROWS)]
    assert "gone" in table[2][0]


@pytest.mark.parametrize("level", [1, 4])
def test_weight_only_keeps_the_product(level):
    random = np.random.default_rng(0)
    weight, x = (random.normal(size=size).astype(np.float32) for size in ((256, 24), (5, 256)))
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weight"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["L", 256])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["L", 24])],
        [numpy_helper.from_array(weight, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    small = weight_only(model, level).SerializeToString()
    session = onnxruntime.InferenceSession(small, providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(
        session.run(None, {"x": x})[0], x @ weight, atol=0.03 * np.abs(x @ weight).max()
    )
