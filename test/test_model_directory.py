import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from text2gesture_ros.errors import ConfigurationError, ModelError
from text2gesture_ros.labels import EMOTIONS, GESTURES, SUBJECTS
from text2gesture_ros.model_directory import choose_engine, open_model, save_model, save_slots
from text2gesture_ros.training.onnx_export import export_graph

LABELS = {"subject": SUBJECTS, "gesture": GESTURES, "emotion": EMOTIONS}
CONFIG = {"kind": "intent", "name": "tiny", "labels": LABELS}


class TinyClassifier(torch.nn.Module):
    """A BERT with a head: what the intent classifier looks like to an exporter."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = BertModel(
            BertConfig(
                hidden_size=16,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=32,
                vocab_size=50,
                max_position_embeddings=32,
            ),
            add_pooling_layer=False,
        )
        self.head = torch.nn.Linear(16, 3)
        self.head2 = torch.nn.Linear(3, 3)  # a name that begins with another weight's name

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        states = self.encoder(input_ids=tokens, attention_mask=mask).last_hidden_state  # (B, L, D)
        weight = mask[..., None].to(states.dtype)
        return self.head2(self.head((states * weight).sum(1) / weight.sum(1)))  # (B, C)


@pytest.fixture(scope="module")
def classifier() -> TinyClassifier:
    torch.manual_seed(0)
    return TinyClassifier().eval()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, classifier: TinyClassifier) -> Path:
    path = tmp_path_factory.mktemp("exported") / "tiny"
    weights = {name: value.numpy() for name, value in classifier.state_dict().items()}
    save_model(path, CONFIG, {**weights, "table": np.ones((2, 2)), "count": np.array(3)})
    tokens = torch.ones(1, 4, dtype=torch.long)
    axes = {"tokens": {0: "B", 1: "L"}, "mask": {0: "B", 1: "L"}, "logits": {0: "B"}}
    graph = path / "graph.onnx"
    slots = export_graph(classifier, (tokens, tokens), graph, ["tokens", "mask"], ["logits"], axes)
    save_slots(path, {"graph.onnx": slots})
    return path


@pytest.fixture
def model_path(tmp_path: Path, exported: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "tiny"))


def test_torch_and_onnxruntime_agree_on_the_stored_weights(
    model_path: Path, classifier: TinyClassifier
) -> None:
    model = open_model(str(model_path), "intent")
    weights = model.weights()
    assert all(array.dtype == np.float32 for name, array in weights.items() if name != "count")
    stored = TinyClassifier().eval()
    stored.load_state_dict({name: torch.from_numpy(weights[name]) for name in stored.state_dict()})
    session = model.session()
    random = np.random.default_rng(0)
    for batch, length in ((1, 3), (4, 20)):
        tokens = random.integers(0, 50, (batch, length))
        mask = np.ones_like(tokens)
        mask[0, 2:] = 0
        with torch.no_grad():
            expected = stored(torch.from_numpy(tokens), torch.from_numpy(mask)).numpy()
        given = session.run(None, {"tokens": tokens, "mask": mask})[0]
        np.testing.assert_allclose(given, expected, atol=1e-5)


def test_weights_survive_to_half_precision_and_no_further(
    model_path: Path, classifier: TinyClassifier
) -> None:
    model = open_model(str(model_path), "intent")
    weights = model.weights()
    for name, value in classifier.state_dict().items():
        np.testing.assert_array_equal(weights[name], value.numpy().astype(np.float16).astype(np.float32))
    assert weights["count"].shape == ()
    assert weights["count"] == 3
    save_model(model_path, model.config, weights)
    again = open_model(str(model_path), "intent").weights()
    assert all(np.array_equal(again[name], weights[name]) for name in weights)


def test_a_graph_depends_on_the_structure_alone(
    model_path: Path, classifier: TinyClassifier, tmp_path: Path
) -> None:
    other = TinyClassifier().eval()
    tokens = torch.ones(1, 4, dtype=torch.long)
    axes = {"tokens": {0: "B", 1: "L"}, "mask": {0: "B", 1: "L"}, "logits": {0: "B"}}
    before = {name: value.clone() for name, value in other.state_dict().items()}
    export_graph(other, (tokens, tokens), tmp_path / "other.onnx", ["tokens", "mask"], ["logits"], axes)
    assert (tmp_path / "other.onnx").read_bytes() == (model_path / "graph.onnx").read_bytes()
    assert all(torch.equal(before[name], value) for name, value in other.state_dict().items())


def test_no_leftovers_beside_the_written_files(model_path: Path) -> None:
    assert sorted(file.name for file in model_path.iterdir()) == [
        "config.json",
        "graph.onnx",
        "weights.safetensors",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "motion"}, "'kind' is 'motion'"),
        ({"kind": "painting"}, "'kind' is 'painting', but a model of kind 'intent' is needed"),
        ({"kind": 1}, "'kind' must be a text"),
        ({"format": 2}, "'format' must be 1 but is 2"),
        ({"name": " "}, "'name' must be a text"),
    ],
)
def test_a_wrong_config_is_named(model_path: Path, change: dict[str, object], message: str) -> None:
    file = model_path / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(ModelError, match=r"config\.json") as error:
        open_model(str(model_path), "intent")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("labels", "task"),
    [
        ({**LABELS, "gesture": GESTURES[::-1]}, "gesture"),
        ({**LABELS, "gesture": [*GESTURES, "dance"]}, "gesture"),
        ({**LABELS, "emotion": "positive"}, "emotion"),
        (["wave"], "subject"),
        (None, "subject"),
    ],
)
def test_other_labels_than_its_loader_knows_are_named(model_path: Path, labels: object, task: str) -> None:
    file = model_path / "config.json"
    open_model(str(model_path)).check_labels(LABELS)
    file.write_text(json.dumps({**json.loads(file.read_text()), "labels": labels}))
    with pytest.raises(ModelError, match=rf"config\.json: 'labels' must name under '{task}'"):
        open_model(str(model_path)).check_labels(LABELS)


def test_a_model_of_any_kind_is_opened(tmp_path: Path) -> None:
    save_model(tmp_path / "painter", {"kind": "painting", "name": "painter"}, {"brush": np.ones(3)})
    model = open_model(str(tmp_path / "painter"), "painting")
    np.testing.assert_array_equal(model.weights()["brush"], np.ones(3))


@pytest.mark.parametrize(
    ("graphs", "message"),
    [
        (None, r"does not list the weights of graph\.onnx.*text2gesture export"),
        ({}, r"does not list the weights of graph\.onnx.*text2gesture export"),
        ({"graph.onnx": ["head.weight"]}, "must be lists of names"),
        ({"graph.onnx": {"float64": ["head.weight"]}}, "float32, float16, int8"),
        ({"graph.onnx": {"float32": [1]}}, "must be lists of names"),
        ({"graph.onnx": {"float32": ["head.weight"]}}, r"graph\.onnx: does not load or does not fit"),
        ({"graph.onnx": {"int8": ["head.bias"]}}, "head.bias"),
    ],
)
def test_a_graph_whose_weights_are_not_listed_is_a_model_error(
    model_path: Path, graphs: object, message: str
) -> None:
    file = model_path / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "graphs": graphs}))
    with pytest.raises(ModelError, match=message):
        open_model(str(model_path)).session()


def test_a_config_keeps_everything_else_when_graphs_are_listed(model_path: Path) -> None:
    before = dict(open_model(str(model_path)).config)
    save_slots(model_path, {"other.onnx": {"float32": ["head.weight"]}})
    after = dict(open_model(str(model_path)).config)
    assert after.pop("graphs") == {"other.onnx": {"float32": ["head.weight"]}}
    assert before.pop("graphs").keys() == {"graph.onnx"}
    assert after == before


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "\xff\xfe", "[" * 100_000])
def test_a_config_that_is_no_json_object_is_a_model_error(model_path: Path, text: str) -> None:
    (model_path / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError, match=r"config\.json"):
        open_model(str(model_path), "intent")


def test_a_missing_model_lists_the_known_ones(tmp_path: Path) -> None:
    for name in ("no-such-model", str(tmp_path), "../..", ""):
        with pytest.raises(ModelError, match="no model"):
            open_model(name, "intent")


def test_damaged_or_missing_weights_are_a_model_error(model_path: Path) -> None:
    model = open_model(str(model_path), "intent")
    file = model_path / "weights.safetensors"
    whole = file.read_bytes()
    for damaged in (whole[:100], b"", b"\xff" * 64, whole[: len(whole) // 2]):
        file.write_bytes(damaged)
        with pytest.raises(ModelError, match=r"weights\.safetensors"):
            model.weights()
    file.unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        model.session()


def test_graphs_that_do_not_fit_are_a_model_error(model_path: Path) -> None:
    model = open_model(str(model_path), "intent")
    weights = model.weights()
    for change in ({"head.bias": np.zeros(7)}, {"head.weight": np.zeros((3, 3))}):
        save_model(model_path, model.config, {**weights, **change})
        with pytest.raises(ModelError, match=r"graph\.onnx: does not load or does not fit"):
            model.session()
    save_model(model_path, model.config, {name: weights[name] for name in weights if name != "head.bias"})
    with pytest.raises(ModelError, match=r"graph\.onnx: does not load or does not fit"):
        model.session()
    (model_path / "graph.onnx").write_bytes(b"\x08nothing")
    with pytest.raises(ModelError, match=r"graph\.onnx"):
        model.session()
    for outside in ("../graph.onnx", "/etc/hostname", "", "missing.onnx"):
        with pytest.raises(ModelError):
            model.session(outside)


def test_what_half_precision_cannot_hold_is_refused(tmp_path: Path) -> None:
    for value in (np.inf, np.nan, 1e5, -1e5):
        with pytest.raises(ModelError, match="'scale'"):
            save_model(tmp_path / "model", CONFIG, {"scale": np.array([1.0, value])})
    assert not (tmp_path / "model").exists()


def test_numbers_of_the_config_are_checked(model_path: Path) -> None:
    model = open_model(str(model_path), "intent")
    assert model.number("format", 1, 1) == 1
    for key in ("name", "missing", "labels"):
        with pytest.raises(ModelError, match=key):
            model.number(key, 0, 1)
    with pytest.raises(ModelError, match="format"):
        model.number("format", 2, 3)


def test_devices() -> None:
    assert choose_engine("cpu") == "onnxruntime-cpu"
    assert choose_engine("auto").startswith("onnxruntime-")
    with pytest.raises(ConfigurationError, match="auto, cpu, cuda"):
        choose_engine("tpu")


def test_opening_a_model_imports_neither_torch_nor_onnx(model_path: Path) -> None:
    code = (
        "import sys\n"
        "from text2gesture_ros.model_directory import open_model\n"
        "assert not {'onnxruntime', 'safetensors', 'torch', 'onnx'} & set(sys.modules)\n"
        f"open_model({str(model_path)!r}, 'intent').session()\n"
        "assert not {'torch', 'onnx', 'rclpy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
