import json
import os
import pickle
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load, save

from text2gesture_ros.errors import ConfigurationError, InputError, ModelError
from text2gesture_ros.generation.engines import TorchEngine
from text2gesture_ros.generation.generator import GestureGenerator
from text2gesture_ros.generation.motion_network import MotionNetworkConfig
from text2gesture_ros.labels import GESTURES
from text2gesture_ros.model_directory import STATE_FILE, open_model, unfinished
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.resources import share_directory
from text2gesture_ros.skeleton import INDEX, REFERENCE
from text2gesture_ros.training.motion import losses
from text2gesture_ros.training.motion.clips import motion_clips
from text2gesture_ros.training.motion.config import LossWeights, MotionTrainingConfig, load_config
from text2gesture_ros.training.motion.train import MotionTraining, export, plan, train
from text2gesture_ros.training.state import read_state, write_state

pytestmark = pytest.mark.usefixtures("studio_once")

TINY = {
    "name": "tiny",
    "clips_per_gesture": 3,
    "held_out_share": 0.0,
    "frames": 193,
    "augmentations": 1,
    "network": {
        "embedder_channels": [8, 8, 8, 8, 8],
        "hidden_width": 8,
        "recurrent_width": 12,
        "frames_per_step": 48,
    },
    "batch_size": 16,
    "embedder_epochs": 1,
    "generator_epochs": 2,
    "embedder_learning_rate": 1e-2,
    "learning_rate": 1e-2,
    "cosine": True,
    "losses": {"token_cross_entropy": 0.5, "velocity": 1.0, "acceleration": 1.0},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY))
    return path


def test_training_lowers_the_loss_and_writes_a_model_that_generates(file: Path, tmp_path: Path) -> None:
    config = replace(load_config(file), generator_epochs=6)
    training = MotionTraining(config, tmp_path / "model", "cpu")
    before = _motion_loss(training)
    training.run()
    assert _motion_loss(training) < 0.9 * before
    log = (tmp_path / "model" / "training" / "log.txt").read_text()
    assert "triplet" in log
    assert "generator, epoch 7, batch 4 of 4" in log
    assert list((tmp_path / "model" / "training").rglob("events.out.tfevents.*"))

    generator = GestureGenerator(str(tmp_path / "model"), device="cpu")
    assert generator.name == "tiny"
    assert len(generator.generate("wave", seed=0)) >= 30
    weights = open_model(str(tmp_path / "model"), "motion").weights()
    for name, value in training.network.state_dict().items():
        np.testing.assert_allclose(weights[name], value.numpy(), rtol=1e-3, atol=1e-6)


def test_every_extra_at_once_trains_resumes_and_generates(file: Path, tmp_path: Path) -> None:
    sizes: Any = TINY["network"]
    extras = {
        **TINY,
        "clips_per_gesture": 4,
        "held_out_share": 0.25,
        "network": {
            **sizes,
            **{"cumulative": True, "embedded_states": True, "bone_true": True},
            **{"whole_clip": 193, "planned_steps": 8},
        },
        "emotion_triplets": 0.5,
        "embedder_learns": True,
        "embedding_noise": 0.2,
        "components": 2,
        "true_frames": 0.5,
        "embedding_from": 0.5,
        "padding": "zero",
        "count_padding": True,
    }
    file.write_text(yaml.safe_dump(extras))
    train(file, tmp_path / "model", device="cpu")
    log = (tmp_path / "model" / "training" / "log.txt").read_text()
    assert "held out, epoch 3: variance_ratio" in log
    assert "  embedding " in log
    model = open_model(str(tmp_path / "model"), "motion")
    weights = model.weights()
    np.testing.assert_array_equal(weights["generator.body.lengths"], weights["normalisation.bone_lengths"])
    assert len(weights["examples"]) <= 12 * 3 * 2
    onnx = GestureGenerator(str(model.path), device="cpu")
    torch_engine = GestureGenerator(str(model.path), device="cpu", engine=TorchEngine(model, "cpu"))
    expected, given = (engine.generate("wave", seed=0).positions for engine in (torch_engine, onnx))
    np.testing.assert_allclose(given, expected, atol=1e-3)


def test_the_whole_clip_is_first_seen_as_principal_components(file: Path, tmp_path: Path) -> None:
    config = load_config(file)
    config = replace(config, network=replace(config.network, whole_clip=config.frames))
    training = MotionTraining(config, tmp_path, "cpu")
    clips = torch.stack([training.data.clips[index]["frames"] for index in range(len(training.data.clips))])
    with torch.no_grad():
        seen = training.network.embedder.whole(clips[:, ::4].flatten(1)).numpy()
    np.testing.assert_allclose(np.cov(seen.T), np.eye(seen.shape[1]), atol=0.02)
    np.testing.assert_allclose(seen.mean(axis=0), 0.0, atol=1e-3)
    with pytest.raises(ConfigurationError, match="whole_clip must be 0 or frames"):
        replace(config, frames=97)


def test_a_model_of_classes_and_one_without_stop(file: Path, tmp_path: Path) -> None:
    sizes: Any = TINY["network"]
    rows = {
        "network": {**sizes, "condition": "class"},
        "stop_token": False,
        "losses": {"embedding": 0.0},
        "generator_epochs": 1,
    }
    file.write_text(yaml.safe_dump({**TINY, **rows}))
    training = MotionTraining(load_config(file), tmp_path / "model", "cpu")
    before = training.network.classes.weight.clone()
    training.run()
    assert (training.network.classes.weight != before).any()
    generator = GestureGenerator(str(tmp_path / "model"), device="cpu")
    assert len(generator.generate("wave", seed=0, max_duration=9.0)) == 193
    assert len(open_model(str(tmp_path / "model"), "motion").weights()["examples"]) == 36


def test_feeding_of_true_frames_falls_to_nothing() -> None:
    config = replace(MotionTrainingConfig(), true_frames=0.8, true_frames_until=0.5)
    shares = [config.true_frames_share(passed) for passed in (0.0, 0.25, 0.5, 1.0)]
    assert shares == pytest.approx([0.8, 0.4, 0.0, 0.0])


def test_the_embedding_loss_can_begin_by_time(file: Path, tmp_path: Path) -> None:
    config = replace(load_config(file), token_threshold=1e-9, embedding_from=0.5, losses=LossWeights())
    training = MotionTraining(config, tmp_path, "cpu")
    batch = next(iter(training.loader))
    training.embedder.eval()
    with torch.no_grad():
        embedding = training.embedder(batch["frames"])
        frames, logits = training.generator(embedding, config.steps)
        early, late = (
            training.objective.losses(batch, embedding, frames, logits, passed) for passed in (0.4, 0.5)
        )
    assert "embedding" not in early
    # The token loss goes on beside it: it has not converged.
    torch.testing.assert_close(late["total"], early["total"] + late["embedding"])


def test_recordings_join_the_studio_or_take_its_place(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    for gesture in ("wave", "nod"):
        (folder / gesture).mkdir(parents=True)
        for take in range(4):
            positions = np.repeat(REFERENCE[None], 60 + take, axis=0)
            Motion(positions).save(folder / gesture / f"{take}.npz")
    config = replace(MotionTrainingConfig(), data=(str(folder),), clips_per_gesture=4, held_out_share=0.25)
    counts = {}
    for studio in ("all", "missing"):
        training, held_out = motion_clips(replace(config, studio=studio))
        assert {clip.gesture for clip in training} == set(GESTURES)
        counts[studio] = [sum(clip.gesture == "wave" for clip in part) for part in (training, held_out)]
    assert counts == {"all": [6, 2], "missing": [3, 1]}
    with pytest.raises(InputError, match=r"no clips of handshake, point.*--studio missing"):
        motion_clips(replace(config, studio="none"))


def test_a_plan_has_the_clips_and_batches_of_the_training(tmp_path: Path) -> None:
    folder = tmp_path / "own" / "wave"
    folder.mkdir(parents=True)
    for take in range(4):
        Motion(np.repeat(REFERENCE[None], 60 + take, axis=0)).save(folder / f"{take}.npz")
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump({**TINY, "held_out_share": 0.25, "clips_per_gesture": 4}))
    found = plan(file, device="cpu", data=[str(tmp_path / "own")], studio="missing")
    config = replace(load_config(file), data=(str(tmp_path / "own"),), studio="missing")
    training, held_out = motion_clips(config)
    assert found.clips == Counter(clip.gesture for clip in training)
    assert found.held_out == len(held_out)
    assert found.stages == MotionTraining(config, tmp_path / "model", "cpu").stages
    assert set(found.per_batch) == {"embedder", "generator"}
    assert found.seconds > found.making > 0.0
    assert not (tmp_path / "model" / "config.json").exists()


def test_a_training_that_is_stopped_says_so(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    training = MotionTraining(load_config(file), folder, "cpu")
    training.run_epoch()
    with pytest.raises(
        ModelError, match=r"stopped after 1 of 3 epochs; --resume goes on\. There is no model"
    ):
        open_model(str(folder), "motion")
    training.run_epoch()
    assert "stopped after 2 of 3 epochs" in unfinished(open_model(str(folder), "motion").path)
    train(file, folder, resume=True, device="cpu")
    assert unfinished(folder) == ""


def test_a_resumed_training_ends_at_the_same_numbers(file: Path, tmp_path: Path) -> None:
    train(file, tmp_path / "whole", device="cpu")
    stopped = MotionTraining(load_config(file), tmp_path / "stopped", "cpu")
    stopped.run_epoch()
    stopped.run_epoch()
    train(file, tmp_path / "stopped", resume=True, device="cpu")
    whole, resumed = (open_model(str(tmp_path / name), "motion").weights() for name in ("whole", "stopped"))
    assert sorted(whole) == sorted(resumed)
    for name in whole:
        np.testing.assert_array_equal(whole[name], resumed[name])
    suffixes = {path.suffix for path in (tmp_path / "stopped").rglob("*") if "tfevents" not in path.name}
    assert suffixes - {""} == {".json", ".safetensors", ".onnx", ".txt"}  # nothing is pickled


def test_exported_graphs_are_those_of_the_training(file: Path, tmp_path: Path) -> None:
    train(file, tmp_path / "model", device="cpu")
    graphs = {path: path.read_bytes() for path in (tmp_path / "model").glob("*.onnx")}
    assert sorted(path.name for path in graphs) == ["initial.onnx", "step.onnx"]
    for path in graphs:
        path.unlink()
    export(tmp_path / "model")
    assert all(path.read_bytes() == data for path, data in graphs.items())
    with pytest.raises(ModelError):
        export(tmp_path)


def test_equation_10_on_the_papers_weights(file: Path, tmp_path: Path) -> None:
    config = replace(load_config(file), losses=LossWeights())
    for threshold, converged in ((1e-9, 0), (1.0, 1)):
        training = MotionTraining(replace(config, token_threshold=threshold), tmp_path, "cpu")
        batch = next(iter(training.loader))
        with torch.no_grad():
            training.embedder.eval()
            embedding = training.embedder(batch["frames"])
            frames, logits = training.generator(embedding, config.steps)
            parts = training.objective.losses(batch, embedding, frames, logits)
            again = training.embedder(losses.frozen(frames, batch["length"]))
        first = losses.first_frame_loss(frames, batch["frames"])
        motion = losses.motion_loss(frames, batch["frames"], batch["length"])
        token = losses.token_loss(logits, batch["tokens"][:, 1:])
        last = losses.embedding_loss(again, embedding) if converged else token
        torch.testing.assert_close(parts["total"], first + motion + last)
        assert training.objective.converged == converged


def test_the_embedding_loss_reaches_the_generator_alone(file: Path, tmp_path: Path) -> None:
    config = replace(load_config(file), token_threshold=1.0, losses=LossWeights(first=0.0, motion=0.0))
    training = MotionTraining(config, tmp_path, "cpu")
    batch = next(iter(training.loader))
    embedding = training.embedder.eval()(batch["frames"]).detach()
    frames, logits = training.generator(embedding, config.steps)
    training.objective.losses(batch, embedding, frames, logits)["total"].backward()
    assert all(parameter.grad is None for parameter in training.embedder.parameters())
    assert any(parameter.grad.abs().sum() > 0 for parameter in training.generator.parameters())


def test_importance_is_a_factor_on_the_heads_errors(file: Path, tmp_path: Path) -> None:
    totals = []
    for importance, joint in ((1.0, "nose"), (3.0, "nose"), (1.0, "left_hand"), (3.0, "left_hand")):
        config = replace(load_config(file), head_importance=importance)
        training = MotionTraining(config, tmp_path, "cpu")
        batch = next(iter(training.loader))
        frames = batch["frames"].clone()
        frames[..., 3 * INDEX[joint]] += 1.0
        logits = torch.zeros_like(batch["tokens"][:, 1:])
        parts = training.objective.losses(batch, torch.zeros(len(frames), 8), frames, logits)
        totals.append(float(parts["motion"]))
    assert totals == pytest.approx([1 / 63, 3 / 63, 1 / 63, 1 / 63], rel=1e-4)


def test_nothing_to_resume(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nothing to resume"):
        train(file, tmp_path / "empty", resume=True, device="cpu")
    with pytest.raises(ConfigurationError, match="device"):
        train(file, tmp_path / "empty", device="abacus")


def test_a_state_that_does_not_fit_is_named(file: Path, tmp_path: Path) -> None:
    config = load_config(file)
    MotionTraining(config, tmp_path / "model", "cpu").run()
    path = tmp_path / "model" / STATE_FILE
    good, tensors = path.read_bytes(), load(path.read_bytes())
    moment = "optimizer/0/exp_avg"
    progress = {"epoch": 1, "converged": 0}
    damaged = {
        "empty": b"",
        "cut": good[:-100],
        "pickle": pickle.dumps({"epoch": 1}),
        "no metadata": save(tensors),
        "no json": save(tensors, {"progress": "{"}),
        "no object": save(tensors, {"progress": "[]"}),
        "negative": save(tensors, {"progress": json.dumps({**progress, "epoch": -1})}),
        "text": save(tensors, {"progress": json.dumps({**progress, "epoch": "1"})}),
        "missing": _state({k: v for k, v in tensors.items() if k != moment}, progress),
        "shape": _state({**tensors, moment: torch.zeros(3)}, progress),
        "unknown": _state({**tensors, "optimizer/999/step": torch.zeros(())}, progress),
    }
    for name, data in damaged.items():
        path.write_bytes(data)
        with pytest.raises(ConfigurationError, match=r"state\.safetensors: nothing to resume") as error:
            MotionTraining(config, tmp_path / "model", "cpu").run(resume=True)
        assert "\n" not in str(error.value), name
    path.write_bytes(good)
    wider = replace(config, network=replace(config.network, recurrent_width=13))
    with pytest.raises(ConfigurationError, match=r"state\.safetensors: nothing to resume"):
        MotionTraining(wider, tmp_path / "model", "cpu").run(resume=True)
    MotionTraining(config, tmp_path / "model", "cpu").run(resume=True)


def test_a_kill_before_the_new_state_is_complete_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    network, path = torch.nn.Linear(2, 1), tmp_path / STATE_FILE
    write_state(path, network, {}, {"epoch": 1})
    old = {name: value.clone() for name, value in network.state_dict().items()}
    torch.nn.init.zeros_(network.weight)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            write_state(path, network, {}, {"epoch": 2})
    assert read_state(path, network, {}, {"epoch": 0}) == {"epoch": 1}
    assert all(torch.equal(old[name], value) for name, value in network.state_dict().items())


def test_the_learning_rate_falls_to_zero_on_half_a_cosine_or_stays() -> None:
    config = MotionTrainingConfig()
    passed = np.linspace(0.0, 1.0, 9)
    assert [config.rate_factor(part) for part in passed] == [1.0] * 9
    falling = [replace(config, cosine=True).rate_factor(part) for part in passed]
    assert falling == pytest.approx(0.5 + 0.5 * np.cos(np.pi * passed))


def _state(tensors: dict[str, torch.Tensor], progress: dict[str, int]) -> bytes:
    data: bytes = save(tensors, {"progress": json.dumps(progress)})
    return data


def test_the_papers_training_file_is_the_default() -> None:
    paper = load_config(share_directory() / "config" / "training" / "motion_paper.yaml")
    assert paper == replace(MotionTrainingConfig(), name=paper.name)


def test_every_training_file_of_a_motion_model_is_valid() -> None:
    for path in (share_directory() / "config" / "training").glob("motion*.yaml"):
        assert load_config(path).name == path.stem


def test_rows_of_the_ablation_differ_from_their_base_and_each_other() -> None:
    folder = share_directory() / "config" / "training"
    paths = sorted((folder / "ablation_motion").glob("*.yaml"))
    configs = [load_config(path) for path in paths]
    assert [config.name for config in configs] == [path.stem for path in paths]
    shipped = load_config(folder / "motion.yaml")
    alike = {repr(replace(config, name="row")) for config in [shipped, *configs]}
    assert len(alike) == 1 + len(configs) > 5
    short = [config.generator_epochs for config in configs if config.name != "paper_small"]
    assert len(set(short)) == 1


def test_the_small_model_of_the_paper_is_the_papers_but_for_sizes_and_time() -> None:
    folder = share_directory() / "config" / "training"
    paper, small = (
        load_config(folder / f"{n}.yaml") for n in ("motion_paper", "ablation_motion/paper_small")
    )
    names = ("name", "network", "embedder_epochs", "generator_epochs")
    rates = ("embedder_learning_rate", "learning_rate")
    assert replace(small, **{name: getattr(paper, name) for name in (*names, *rates)}) == paper
    sizes = ("embedder_channels", "hidden_width", "recurrent_width")
    assert replace(small.network, **{name: getattr(paper.network, name) for name in sizes}) == paper.network


def test_a_training_file_says_only_what_differs_from_its_base(file: Path, tmp_path: Path) -> None:
    path = tmp_path / "rows" / "row.yaml"
    path.parent.mkdir()
    path.write_text("base: ../tiny.yaml\nname: row\nlosses: {velocity: 2.0}\ndata: [mine]\n")
    config, base = load_config(path), load_config(file)
    assert config == replace(
        base, name="row", losses=replace(base.losses, velocity=2.0), data=(str(path.parent / "mine"),)
    )
    for text, message in (
        ("base: row.yaml", "base of itself"),
        ("base: none.yaml", r"none\.yaml: cannot be read"),
        ("base: 3", "base must be"),
        ("base: ../tiny.yaml\nlosses: 3", "losses must be a mapping"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigurationError, match=message):
            load_config(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 3}, "unknown key 'epochs'"),
        ({"network": {"depth": 3}}, "unknown key 'network.depth'"),
        ({"network": 3}, "network must be a mapping"),
        ({"losses": {"motion": -1.0}}, "losses.motion must be in"),
        ({"losses": {"motion": "much"}}, "losses.motion"),
        ({"batch_size": 1.5}, "batch_size must be an int"),
        ({"generator_epochs": 0}, "generator_epochs"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"cosine": "yes please"}, "cosine"),
        ({"name": ""}, "name"),
        ({"frames": 200}, "frames must be 1 more than a multiple"),
        ({"network": {"hidden_width": 0}}, "widths"),
        ({"held_out_share": 0.9}, "held_out_share"),
        ({"padding": "mirror"}, "padding must be one of last, zero"),
        ({"stop_token": 1}, "stop_token must be a bool"),
        ({"studio": "none"}, "leaves nothing to train on"),
        ({"data": "mine"}, "data must be a list"),
        ({"data": [3]}, "data must be a list"),
        ({"embedding_from": 2.0}, "embedding_from"),
        ({"network": {"condition": "class"}}, "embeds no clips"),
    ],
)
def test_wrong_training_files_are_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump({**TINY, **change}))
    with pytest.raises(ConfigurationError, match=r"wrong\.yaml: ") as error:
        load_config(path)
    assert message in str(error.value)


@pytest.mark.parametrize("text", ["", "- a", "a: [", "\x00"])
def test_what_is_no_training_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"wrong\.yaml: "):
        load_config(path)
    with pytest.raises(ConfigurationError, match=r"missing\.yaml: "):
        load_config(tmp_path / "missing.yaml")


def _motion_loss(training: MotionTraining) -> float:
    training.embedder.eval()
    values = []
    with torch.no_grad():
        for batch in training.loader:
            frames, _ = training.generator(training.embedder(batch["frames"]), training.config.steps)
            values.append(float(losses.motion_loss(frames, batch["frames"], batch["length"])))
    return sum(values) / len(values)


def test_sizes_reach_the_network() -> None:
    config = MotionTrainingConfig(network=MotionNetworkConfig(frames_per_step=48), frames=193)
    assert config.steps == 4
