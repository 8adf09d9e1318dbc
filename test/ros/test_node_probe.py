"""The node as it is measured: a process of its own that starts, answers and is gone."""

from text2gesture_ros.apps import bench
from text2gesture_ros.parameters import IntentClassifierParameters


def test_start_memory_and_answers_of_the_node_are_measured():
    node = bench.text(IntentClassifierParameters(), 1)["node"]
    assert node["words"] == bench.NODE_SENTENCE
    assert node["ready_s"] > 0.0
    assert node["ready_processor_s"] > 0.0
    assert node["memory_mb"] > 50.0
    assert 0.0 < node["median_ms"] == node["p99_ms"]
