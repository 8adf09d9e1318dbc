"""Laws of recognition that hold for any weights."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from text2gesture_ros.apps import cli
from text2gesture_ros.errors import ModelError
from text2gesture_ros.labels import GESTURES
from text2gesture_ros.model_directory import open_model, save_model
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.skeleton import REFERENCE, mirror
from text2gesture_ros.training.recogniser.export import export_graphs
from text2gesture_ros.understanding.recogniser import LABELS, RATE, WINDOW, Recogniser, normalised, stacked
from text2gesture_ros.understanding.recognition_network import (
    RecognitionNetwork,
    RecognitionNetworkConfig,
    load_network,
)

SMALL = RecognitionNetworkConfig((4, 6), (8, 12), members=2)
CONFIG = {
    "kind": "recogniser",
    "name": "small",
    "labels": {"gesture": list(GESTURES)},
    "temperature": 1.0,
    "threshold": 0.2,
    "network": asdict(SMALL),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model")
    network = RecognitionNetwork(SMALL)
    for parameter in network.parameters():
        parameter.data.normal_(0.0, 0.5)
    for _ in range(3):  # statistics that are not those of a fresh normalisation
        network(torch.randn(8, 40, 21, 3), torch.ones(8, 40))
    save_model(path, CONFIG, {name: value.numpy() for name, value in network.state_dict().items()})
    export_graphs(path, SMALL)
    return path


@pytest.fixture(scope="module")
def recogniser(model: Path) -> Recogniser:
    return Recogniser(str(model))


def moving(frames: int, seed: int = 0) -> np.ndarray:
    """Return a body whose joints all wander smoothly: (T, K, 3)."""
    generator = np.random.default_rng(seed)
    waves = generator.normal(0.0, 0.03, (4, *REFERENCE.shape))
    times = np.arange(frames)[:, None] * 0.05 * np.arange(1, 5)
    return REFERENCE + np.einsum("tf,fkc->tkc", np.sin(times), waves)


def probabilities(recogniser: Recogniser, positions: np.ndarray, rate: float = RATE) -> np.ndarray:
    found = dict(recogniser.read(Motion(positions, rate)).gestures)
    return np.array([found[label] for label in LABELS])


def turned(positions: np.ndarray, angle: float) -> np.ndarray:
    cosine, sine = np.cos(angle), np.sin(angle)
    return positions @ np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]]).T


@pytest.mark.parametrize(
    "change",
    [
        lambda p: turned(p, 2.4),
        lambda p: p + np.array([0.4, -1.0, 0.7]),
        lambda p: 1.3 * p,
        lambda p: mirror(p),
        lambda p: 0.8 * turned(mirror(p), -1.0) + 0.2,
    ],
    ids=["turned", "moved", "larger", "mirrored", "all"],
)
@pytest.mark.parametrize("frames", [40, 150])
def test_what_a_gesture_is_does_not_depend_on(recogniser, change, frames) -> None:
    positions = moving(frames)
    expected = probabilities(recogniser, positions)
    np.testing.assert_allclose(probabilities(recogniser, change(positions)), expected, atol=1e-4)
    other = probabilities(recogniser, moving(frames, seed=1))
    assert np.abs(other - expected).max() > 1e-3  # and yet it does depend on the motion


def test_one_arm_longer_is_the_same_gesture() -> None:
    positions = moving(30)
    longer = positions.copy()
    longer[:, 7:10] += 0.5 * (positions[:, 7:8] - positions[:, 6:7])  # from the left elbow on
    np.testing.assert_allclose(normalised(longer), normalised(positions), atol=1e-5)


def test_normalising_twice_is_normalising_once() -> None:
    once = normalised(moving(30))
    np.testing.assert_allclose(normalised(once), once, atol=1e-5)


def test_what_lies_beyond_the_end_changes_nothing(model: Path) -> None:
    network = load_network(open_model(str(model)))
    clips = [normalised(moving(frames)) for frames in (2, 37, 38, 39, 40, 60)]
    positions, mask = stacked(clips)
    with torch.inference_mode():
        together, _ = network(torch.from_numpy(positions), torch.from_numpy(mask))
        for clip, logits in zip(clips, together, strict=True):
            alone, _ = network(torch.from_numpy(clip)[None], torch.ones(1, len(clip)))
            torch.testing.assert_close(alone[0], logits, atol=1e-4, rtol=1e-4)
        positions[mask == 0.0] = 3.0  # masked, so it does not matter what is there
        garbage, _ = network(torch.from_numpy(positions), torch.from_numpy(mask))
    torch.testing.assert_close(garbage, together, atol=1e-4, rtol=1e-4)


def test_the_graph_computes_the_mean_of_what_pytorch_computes(model: Path, recogniser: Recogniser) -> None:
    network = load_network(open_model(str(model)))
    clips = [moving(frames, seed=frames) for frames in (5, 33, WINDOW)]
    positions, mask = stacked([normalised(clip) for clip in clips])
    with torch.inference_mode():
        both = [
            network(torch.from_numpy(each), torch.from_numpy(mask)) for each in (positions, mirror(positions))
        ]
    motions = [Motion(clip, RATE) for clip in clips]
    for own, one, other in zip(recogniser.outputs(motions), *both, strict=True):
        np.testing.assert_allclose(own, (one + other).mean(dim=-1).numpy() / 2.0, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("frames", [1, 20, WINDOW, WINDOW + 1, 200])
def test_a_recording_gets_every_label_best_first(recogniser: Recogniser, frames: int) -> None:
    found = recogniser.read(Motion(moving(frames), RATE))
    values = [probability for _, probability in found.gestures]
    assert sorted(label for label, _ in found.gestures) == sorted(LABELS)
    assert values == sorted(values, reverse=True)
    assert sum(values) == pytest.approx(1.0, abs=1e-5)
    seconds = frames / RATE
    assert max(window.end for window in found.windows) == pytest.approx(seconds)
    assert min(window.start for window in found.windows) == 0.0
    assert all(window.end - window.start <= WINDOW / RATE + 1e-9 for window in found.windows)
    best, probability = found.gestures[0]
    assert found.best in found.windows
    assert found.accepted == (best != "other" and probability >= recogniser.threshold)


def test_the_frame_rate_of_a_recording_hardly_matters(recogniser: Recogniser) -> None:
    fine = moving(119)
    slow, quick = probabilities(recogniser, fine[::2], 30.0), probabilities(recogniser, fine, 60.0)
    np.testing.assert_allclose(slow, quick, atol=1e-4)


@pytest.mark.parametrize(("key", "value"), [("temperature", 0.0), ("threshold", 2.0), ("threshold", "high")])
def test_numbers_of_the_model_are_checked(model: Path, tmp_path: Path, key: str, value: object) -> None:
    save_model(tmp_path, {**CONFIG, key: value}, open_model(str(model)).weights())
    export_graphs(tmp_path, SMALL)
    with pytest.raises(ModelError, match=key):
        Recogniser(str(tmp_path))


def test_the_verb_prints_every_label_of_every_file(model: Path, tmp_path: Path, capsys) -> None:
    files = [str(tmp_path / name) for name in ("a.npz", "b.npz")]
    for seed, file in enumerate(files):
        Motion(moving(60, seed), 30.0).save(file)
    assert cli.main(["recognize", *files, "--model", str(model), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["file"] for each in found] == files
    for each in found:
        values = [gesture["probability"] for gesture in each["gestures"]]
        assert sorted(gesture["label"] for gesture in each["gestures"]) == sorted(LABELS)
        assert values == sorted(values, reverse=True)
        assert isinstance(each["accepted"], bool)
        assert (each["start"], each["end"]) == (0.0, 2.0)
    assert cli.main(["recognize", files[0], "--model", str(model), "--start", "0.5"]) == 0
    shown = capsys.readouterr().out
    assert "a.npz" in shown
    assert "0.5 to 2.0 s" in shown  # times are those of the file


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.npz"], "none.npz"),
        (["none.txt"], "none.txt"),
        (["none.npz", "--threads", "0"], "threads must be"),
        (["{clip}", "--start", "9"], "9"),
        (["{clip}", "--model", "intent"], "recogniser"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, capsys, arguments: list[str], message: str) -> None:
    clip = tmp_path / "clip.npz"
    Motion(moving(60), RATE).save(clip)
    assert cli.main(["recognize", *(word.format(clip=clip) for word in arguments)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
