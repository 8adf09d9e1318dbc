from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from text2gesture_ros.errors import ModelError
from text2gesture_ros.labels import GESTURES
from text2gesture_ros.model_directory import save_model
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.training.motion.candidates import ModelCandidate
from text2gesture_ros.training.motion.evaluate import REAL, evaluate
from text2gesture_ros.training.motion.judges import EmbedderJudge, Judge, RecogniserJudge
from text2gesture_ros.training.recogniser.export import export_graphs
from text2gesture_ros.training.studio.synthesis import dataset
from text2gesture_ros.understanding.recogniser import LABELS, Recogniser
from text2gesture_ros.understanding.recognition_network import RecognitionNetwork, RecognitionNetworkConfig

pytestmark = pytest.mark.usefixtures("studio_once")

SMALL = RecognitionNetworkConfig((4, 6), (8, 12))


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the path of a recogniser that has learnt nothing."""
    torch.manual_seed(0)
    path: Path = tmp_path_factory.mktemp("model")
    config = {
        "kind": "recogniser",
        "name": "small",
        "labels": {"gesture": list(GESTURES)},
        "temperature": 1.0,
        "threshold": 0.2,
        "network": asdict(SMALL),
    }
    weights = RecognitionNetwork(SMALL).state_dict()
    save_model(path, config, {name: value.numpy() for name, value in weights.items()})
    export_graphs(path, SMALL)
    return str(path)


@pytest.fixture(scope="module")
def clips() -> list[Motion]:
    return dataset(20_002, 1, candid_share=0.0)


@pytest.mark.parametrize("kind", ["recogniser", "embedder"])
def test_judges_give_probabilities_of_the_gestures_and_features(
    kind: str, recogniser: str, clips: list[Motion]
) -> None:
    judge: Judge = (
        RecogniserJudge(recogniser) if kind == "recogniser" else EmbedderJudge(ModelCandidate("motion"))
    )
    probabilities, features = judge.predict(clips)
    assert judge.name == kind
    assert probabilities.shape[1] >= len(GESTURES)
    assert len(probabilities) == len(features) == len(clips)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)
    again, same = judge.predict(clips[3:5])  # a clip is judged alone, whatever stands beside it
    np.testing.assert_allclose(again, probabilities[3:5], atol=1e-5)
    np.testing.assert_allclose(same, features[3:5], rtol=1e-3, atol=1e-3 * np.abs(features).max())


def test_columns_are_the_gestures_in_order(recogniser: str, clips: list[Motion]) -> None:
    assert LABELS[: len(GESTURES)] == GESTURES
    best = Recogniser(recogniser).read(clips[0]).gestures[0][0]
    assert LABELS[int(RecogniserJudge(recogniser).predict(clips[:1])[0].argmax())] == best


def test_the_embedder_knows_the_typical_example_of_its_own() -> None:
    model = ModelCandidate("motion")
    wanted = [Motion(np.zeros((1, 21, 3)), gesture=gesture, emotion="neutral") for gesture in GESTURES]
    shown = [each.motion for each in model.generate(wanted, [0] * len(wanted))]
    right = EmbedderJudge(model).predict(shown)[0].argmax(axis=1) == np.arange(len(GESTURES))
    assert right.mean() > 0.7


def test_the_recogniser_judges_first_and_the_embedder_beside_it(recogniser: str) -> None:
    found = evaluate(
        "motion", clips_per_gesture=2, repetitions=1, seed=20_000, rows=[REAL], recogniser=recogniser
    )
    assert found["judges"] == ["recogniser", "embedder"]
    assert {"recognition", "recognition_embedder"} <= set(found["rows"][REAL]["metrics"])


def test_a_missing_recogniser() -> None:
    with pytest.raises(ModelError):
        RecogniserJudge("no-such-model")
