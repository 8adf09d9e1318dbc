"""A training in small: one that learns, goes on where it stopped, and is measured."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.geometry import softmax
from text2gesture_ros.labels import GESTURES
from text2gesture_ros.resources import share_directory
from text2gesture_ros.training.recogniser import train as train_recogniser
from text2gesture_ros.training.recogniser.evaluate import draw_confusion, evaluate
from text2gesture_ros.training.recogniser.train import (
    RecogniserTraining,
    RecogniserTrainingConfig,
    calibrated,
    load_config,
    train,
)
from text2gesture_ros.understanding.recogniser import LABELS, OTHER, Recogniser
from text2gesture_ros.understanding.recognition_network import RecognitionNetworkConfig

pytestmark = pytest.mark.usefixtures("studio_once")

SMALL = RecogniserTrainingConfig(
    clips_per_gesture=4,
    held_out_share=0.25,
    distractors=8,
    wild=4,
    wild_others=4,
    batch_size=16,
    epochs=2,
    batches=4,
    network=RecognitionNetworkConfig((6, 8), (12, 16), dropout=0.0, members=2),
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    RecogniserTraining(SMALL, path, "cpu").run()
    return path


def test_the_loss_falls(tmp_path: Path) -> None:
    easy = {"slowest": 1.0, "pause": 0.0, "rest": 0.0, "rig": 0.0, "upright": 0.0, "jitter": 0.0}
    config = replace(
        SMALL,
        epochs=1,
        batches=30,
        wild_share=0.0,
        learning_rate=0.03,
        network=replace(SMALL.network, members=1),
        augmentation=train_recogniser.Augmentation(**easy, rounded=0.0, random=0.0, lacking=0.0),
    )
    training = RecogniserTraining(config, tmp_path, "cpu")
    training.run()
    assert "epoch 1 of 1" in (tmp_path / "training" / "log.txt").read_text()
    assert np.mean(training.history[-8:]) < 0.9 * np.mean(training.history[:5])


def test_without_clips_held_out_there_is_nothing_to_calibrate_by(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"held_out_share 0\.0"):
        RecogniserTraining(replace(SMALL, held_out_share=0.0), tmp_path, "cpu")


def test_a_resumed_training_ends_where_an_uninterrupted_one_ends(model: Path, tmp_path: Path) -> None:
    RecogniserTraining(SMALL, tmp_path, "cpu").run_epoch()
    RecogniserTraining(SMALL, tmp_path, "cpu").run(resume=True)
    for file in ("weights.safetensors", "config.json", "graph.onnx"):
        assert (tmp_path / file).read_bytes() == (model / file).read_bytes()


def test_what_a_training_leaves_recognises_and_is_measured(model: Path, tmp_path: Path) -> None:
    recogniser = Recogniser(str(model))
    assert 0.0 <= recogniser.threshold <= 1.0
    clip = train_recogniser.parts(0, 4, 0.25)[1][0]
    clip.save(tmp_path / "wave_me_1.npz")
    table = tmp_path / "table.yaml"
    table.write_text("validation: {wave: [wave_me_1.npz]}")
    report = evaluate(str(model), clips_per_gesture=1, recordings=tmp_path, table=table)
    assert report["studio"]["gestures"] == report["studio"]["others"] == len(GESTURES)
    (row,) = report["clips"]
    assert row["rank"] == [label for label, _ in recogniser.read(clip).gestures].index("wave") + 1
    assert report["active"]["by_source"]["me"]["top1"] == float(row["rank"] == 1)
    assert evaluate(str(model), clips_per_gesture=1, recordings=tmp_path, table=table) == report
    with pytest.raises(InputError, match="Known: me"):
        evaluate(str(model), clips_per_gesture=1, recordings=tmp_path, table=table, source=["you"])
    draw_confusion(tmp_path / "confusion.png", report, "title")
    assert (tmp_path / "confusion.png").read_bytes().startswith(b"\x89PNG")


def test_calibration_finds_the_temperature_and_rejects_its_share() -> None:
    generator = np.random.default_rng(0)
    true = 2.0 * generator.normal(size=(4000, len(LABELS)))
    labels = np.array([generator.choice(len(LABELS), p=p) for p in softmax(true)])
    found = calibrated(3.0 * true, labels, 0.1)
    assert found["temperature"] == pytest.approx(3.0, rel=0.1)
    probabilities = softmax(3.0 * true / found["temperature"])
    right = (probabilities.argmax(axis=1) == labels) & (labels != LABELS.index(OTHER))
    assert np.mean(probabilities[right].max(axis=1) < found["threshold"]) == pytest.approx(0.1, abs=0.01)


def test_the_shipped_training_file_is_read_whole() -> None:
    path = share_directory() / "config" / "training" / "recogniser.yaml"
    assert load_config(path).name == yaml.safe_load(path.read_text())["name"] == "recogniser"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch: 3", "epoch"),
        ("epochs: 0", "epochs must be in"),
        ("epochs: 1.5", "epochs must be an int"),
        ("rejected: 2", "rejected must be in"),
        ("precision: half", "precision must be"),
        ("{wild_share: 0.6, recordings_share: 0.5}", "leave the studio none"),
        ("augmentation: {pause: many}", r"augmentation\.pause"),
        ("network: {dropout: 2}", "dropout"),
        ("name: ''", "name"),
        ("- a", "no training file"),
        ("{", "no training file"),
    ],
)
def test_a_wrong_training_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "file.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        train(tmp_path / "file.yaml", tmp_path / "out", device="cpu")
