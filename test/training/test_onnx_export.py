"""Integers in place of numbers: the same answers, whatever else is read, from the one file of weights."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnxruntime.quantization.quant_utils import quantize_data

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.labels import EMOTIONS, GESTURES, SUBJECTS, TASKS
from text2gesture_ros.model_directory import (
    CONFIG_FILE,
    GRAPH,
    INT8_GRAPH,
    open_model,
    save_model,
    save_slots,
)
from text2gesture_ros.quantization import ACTIVATION_LEVELS, WEIGHT_LEVELS, quantise
from text2gesture_ros.training.onnx_export import export_graph, export_int8_graph
from text2gesture_ros.training.text.data import default_data
from text2gesture_ros.training.text.utterances import read_utterances
from text2gesture_ros.understanding.classifier import IntentClassifier

CONFIG = {
    "kind": "intent",
    "name": "tiny",
    "labels": {"subject": SUBJECTS, "gesture": GESTURES, "emotion": EMOTIONS},
}
SENTENCES = (
    "Hi!",
    "Hello, nice to see you!",
    "I am so sorry to hear that your grandmother is ill.",
    "Look over there, the reading corner is right next to the window beside the door.",
    "No idea, honestly; perhaps the lady at the desk can tell you when the next tour of the old town begins. "
    * 3,
)


class Tiny(torch.nn.Module):
    """What a graph is changed for: a table, layers over rows, a head over one row."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(20, 16)
        self.up = torch.nn.Linear(16, 64)
        self.down = torch.nn.Linear(64, 16, bias=False)
        self.head = torch.nn.Linear(16, 3)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        states = self.table(tokens)  # (B, L, D)
        return self.head((states + self.down(torch.relu(self.up(states)))).mean(1))  # (B, C)


def save(path: Path, network: Tiny) -> None:
    """Write the weights of a network; graphs that are there stay listed."""
    config = open_model(str(path)).config if (path / CONFIG_FILE).is_file() else CONFIG
    save_model(path, config, {name: value.numpy() for name, value in network.state_dict().items()})


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """Return a model directory with both graphs."""
    torch.manual_seed(0)
    network = Tiny().eval()
    save(tmp_path, network)
    tokens = torch.ones(2, 4, dtype=torch.long)
    axes = {"tokens": {0: "B", 1: "L"}, "logits": {0: "B"}}
    slots = export_graph(network, (tokens,), tmp_path / GRAPH, ["tokens"], ["logits"], axes)
    save_slots(
        tmp_path, {GRAPH: slots, INT8_GRAPH: export_int8_graph(tmp_path / GRAPH, tmp_path / INT8_GRAPH)}
    )
    return tmp_path


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9), st.floats(1e-3, 1e3))
def test_a_weight_is_its_integers_times_their_scales(seed, outputs, inputs, size):
    weight = np.random.default_rng(seed).normal(0.0, size, (outputs, inputs)).astype(np.float32)
    integers, scales = quantise(weight)
    assert integers.dtype == np.int8
    assert integers.shape == (inputs, outputs)
    assert np.abs(integers).max() <= WEIGHT_LEVELS
    steps = scales * ACTIVATION_LEVELS
    assert (np.abs(integers * steps - weight.T) <= 0.501 * steps).all()


def test_the_integers_are_those_of_onnxruntimes_own_quantiser():
    weight = np.random.default_rng(0).normal(0.0, 0.05, (12, 48)).astype(np.float32)
    integers, scales = quantise(weight)
    for row, column, scale in zip(weight, integers.T, scales, strict=True):
        zero, step, theirs = quantize_data(row, onnx.TensorProto.INT8, symmetric=True, reduce_range=True)
        assert int(zero) == 0
        assert float(step) == pytest.approx(float(scale) * ACTIVATION_LEVELS, rel=1e-6)
        np.testing.assert_array_equal(theirs, column)


def test_a_row_of_zeros_stays_one():
    integers, scales = quantise(np.zeros((3, 5)))
    assert not integers.any()
    assert (scales > 0.0).all()


def test_no_pair_of_products_overflows_16_bits():
    # What processors without VNNI add up in 16 bits (vpmaddubsw) when activations are 0 to 255.
    assert np.iinfo(np.int16).max >= 2 * 255 * WEIGHT_LEVELS


def test_the_integer_graph_answers_nearly_as_the_other(tiny):
    model = open_model(str(tiny))
    whole, small = model.session(GRAPH), model.session(INT8_GRAPH)
    tokens = np.random.default_rng(0).integers(0, 20, (64, 7))
    expected, found = (session.run(None, {"tokens": tokens})[0] for session in (whole, small))
    assert np.abs(expected - found).max() < 0.05 * np.abs(expected).max()
    assert np.abs(expected - found).max() > 0.0


def test_rows_do_not_change_their_neighbours(tiny):
    session = open_model(str(tiny)).session(INT8_GRAPH)
    tokens = np.random.default_rng(0).integers(0, 20, (8, 7))
    together = session.run(None, {"tokens": tokens})[0]
    alone = [session.run(None, {"tokens": row[None]})[0][0] for row in tokens]
    np.testing.assert_allclose(together, alone, rtol=0.0, atol=1e-6)


def test_rows_of_zeros_are_read(tiny):
    network = Tiny()
    torch.nn.init.zeros_(network.table.weight)
    torch.nn.init.zeros_(network.up.bias)
    save(tiny, network)
    found = open_model(str(tiny)).session(INT8_GRAPH).run(None, {"tokens": np.zeros((1, 3), np.int64)})[0]
    np.testing.assert_allclose(found[0], network.head.bias.detach().numpy(), atol=1e-3)


def test_the_graph_holds_no_weights_and_follows_those_beside_it(tiny):
    graph = onnx.load(tiny / INT8_GRAPH, load_external_data=False).graph
    places = {t.name: t for t in graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL}
    assert {"table.weight", "up.weight", "up.weight.scale", "down.weight", "head.weight"} <= set(places)
    assert not any(place.raw_data or place.float_data for place in places.values())
    kinds = {name: onnx.TensorProto.DataType.Name(place.data_type) for name, place in places.items()}
    assert kinds["table.weight"] == "FLOAT16"
    assert kinds["up.weight"] == kinds["down.weight"] == "INT8"
    assert kinds["head.weight"] == kinds["up.weight.scale"] == "FLOAT"
    tokens = {"tokens": np.arange(6)[None]}
    before = open_model(str(tiny)).session(INT8_GRAPH).run(None, tokens)[0]
    save(tiny, Tiny())
    after = open_model(str(tiny)).session(INT8_GRAPH).run(None, tokens)[0]
    assert np.abs(after - before).max() > 0.1


@pytest.fixture(scope="module")
def shipped() -> IntentClassifier:
    """Return the shipped model as a robot's processor runs it."""
    classifier = IntentClassifier(device="cpu")
    assert classifier.precision == "int8"
    return classifier


def test_what_a_sentence_means_does_not_depend_on_the_sentences_beside_it(shipped):
    together = shipped.classify(SENTENCES, 0.0)
    for text, intent in zip(SENTENCES, together, strict=True):
        (alone,) = shipped.classify([text], 0.0)
        for task in TASKS:
            given, expected = getattr(intent, task).probabilities, getattr(alone, task).probabilities
            np.testing.assert_allclose(given, expected, atol=0.01)


def test_the_shipped_model_means_the_same_in_integers_on_any_processor(shipped):
    utterances = [utterance for utterance in read_utterances(default_data()) if utterance.split == "test"][
        ::3
    ]
    assert len(utterances) > 200
    whole = IntentClassifier(device="cpu", precision="float32")
    texts = [utterance.text for utterance in utterances]
    found, expected = (
        [
            intent
            for begin in range(0, len(texts), 32)
            for intent in model.classify(texts[begin : begin + 32], 0.0)
        ]
        for model in (shipped, whole)
    )
    for task, names in TASKS.items():
        chosen, wanted = (
            np.array([names[getattr(intent, task).probabilities.argmax()] for intent in intents])
            for intents in (found, expected)
        )
        assert np.mean(chosen == wanted) >= 0.95, task
        labels = np.array([utterance.labels[task] or "" for utterance in utterances])
        told = labels != ""
        accuracy, float32 = (np.mean(choices[told] == labels[told]) for choices in (chosen, wanted))
        assert accuracy >= float32 - 0.01, task


def test_precisions_are_checked():
    with pytest.raises(ConfigurationError, match="auto, float32, int8"):
        IntentClassifier(precision="int4")
