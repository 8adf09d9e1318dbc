from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from text2gesture_ros.errors import ConfigurationError, ModelError
from text2gesture_ros.generation.motion_network import (
    COORDINATES,
    Body,
    Embedder,
    GRUCell,
    MotionGenerator,
    MotionNetwork,
    MotionNetworkConfig,
    State,
    load_network,
    network_config,
)
from text2gesture_ros.model_directory import ModelDirectory, open_model
from text2gesture_ros.resources import share_directory
from text2gesture_ros.skeleton import JOINTS, REFERENCE, bone_lengths, with_bone_lengths
from text2gesture_ros.training.motion.config import load_config

SMALL = MotionNetworkConfig((8, 8, 8, 8, 12), hidden_width=16, recurrent_width=20, frames_per_step=3)


def linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def gru(inputs: int, width: int) -> int:
    return 3 * (linear(inputs, width) + linear(width, width))


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_papers_sizes() -> None:
    config = load_config(share_directory() / "config" / "training" / "motion_paper.yaml").network
    assert config == MotionNetworkConfig()
    channels = (COORDINATES, 64, 128, 256, 512, 1024)
    kernels = (7, 3, 3, 3, 3)
    expected = sum(
        2 * before + linear(before * kernel, after)
        for before, after, kernel in zip(channels, channels[1:], kernels, strict=False)
    )
    embedder = Embedder(config.embedder_channels)
    assert count(embedder) == expected

    generator = MotionGenerator(config)
    hidden = linear(512, 512)
    initial = linear(1024, 512) + 2 * hidden + linear(512, 63)
    pre_net = linear(63, 512) + hidden + gru(512, 512) + 2 * hidden
    recurrent = gru(512, 1024) + gru(1024, 1024)
    post_net = linear(1024, 512) + hidden + gru(512, 512) + hidden + linear(512, 63)
    token_net = linear(1024, 512) + hidden + linear(512, 1)
    assert count(generator) == initial + pre_net + recurrent + post_net + token_net

    shapes = {name: tuple(value.shape) for name, value in generator.named_parameters()}
    for name, shape in {
        "initial_state.0.weight": (512, 1024),
        "initial_state.2.weight": (512, 512),
        "initial_frame.1.weight": (512, 512),
        "initial_frame.3.weight": (63, 512),
        "pre_net.before.0.weight": (512, 63),
        "pre_net.gru.input.weight": (3 * 512, 512),
        "first_gru.input.weight": (3 * 1024, 512),
        "second_gru.hidden.weight": (3 * 1024, 1024),
        "post_net.before.0.weight": (512, 1024),
        "post_net.after.2.weight": (63, 512),
        "token_net.0.weight": (512, 1024),
        "token_net.4.weight": (1, 512),
    }.items():
        assert shapes[name] == shape, name

    with torch.no_grad():
        embedding = embedder.eval()(torch.zeros(2, 180, COORDINATES))
        assert embedding.shape == (2, 1024)
        frames, logits = generator(embedding, 3)
    assert frames.shape == (2, 4, COORDINATES)
    assert logits.shape == (2, 3)


def test_the_gru_cell_is_a_gru_cell() -> None:
    torch.manual_seed(0)
    cell, reference = GRUCell(5, 7), torch.nn.GRUCell(5, 7)
    reference.load_state_dict(
        {
            "weight_ih": cell.input.weight,
            "bias_ih": cell.input.bias,
            "weight_hh": cell.hidden.weight,
            "bias_hh": cell.hidden.bias,
        }
    )
    features, state = torch.randn(4, 5), torch.randn(4, 7)
    torch.testing.assert_close(cell(features, state), reference(features, state))


def test_a_step_is_residual_and_shares_one_state_between_pre_net_and_post_net() -> None:
    torch.manual_seed(0)
    generator = MotionGenerator(SMALL).eval()
    embedding = torch.randn(2, 12)
    frame, state = generator.initial(embedding)
    assert frame.shape == (2, COORDINATES)
    # The second FC layer's output is the initial state of the shared GRU, and what the frame is made from.
    torch.testing.assert_close(state.shared, generator.initial_state(embedding))
    torch.testing.assert_close(frame, generator.initial_frame(state.shared))
    with torch.no_grad():
        frames, logits, new = generator.step(frame, state)
        moved, _, _ = generator.step(frame, State(state.shared + 1.0, *state[1:]))
        features, shared = generator.pre_net(frame, state.shared)
        second = generator.second_gru(generator.first_gru(features, state.first), state.second)
        change, shared = generator.post_net(second, shared)
    assert frames.shape == (2, 3, COORDINATES)
    assert logits.shape == (2, 3)
    torch.testing.assert_close(frames, frame[:, None] + change.reshape(2, 3, COORDINATES))
    torch.testing.assert_close(new.shared, shared)
    assert not torch.allclose(moved, frames)


def test_without_changes_every_frame_is_the_first() -> None:
    generator = MotionGenerator(SMALL)
    torch.nn.init.zeros_(generator.post_net.after[-1].weight)
    torch.nn.init.zeros_(generator.post_net.after[-1].bias)
    frames, _ = generator(torch.randn(2, 12), 4)
    torch.testing.assert_close(frames, frames[:, :1].expand(-1, 13, -1))


def test_the_body_is_that_of_the_skeleton() -> None:
    generator = np.random.default_rng(0)
    mean, deviation = generator.normal(size=COORDINATES), generator.uniform(0.1, 1.0, COORDINATES)
    lengths = generator.uniform(0.1, 0.5, len(JOINTS) - 1)
    frames = generator.normal(size=(2, 5, COORDINATES))
    body = Body().double()
    for name, value in (("mean", mean), ("deviation", deviation), ("lengths", lengths)):
        getattr(body, name).copy_(torch.from_numpy(value))
    given = body(torch.from_numpy(frames)).numpy() * deviation + mean
    positions = (frames * deviation + mean).reshape(2, 5, len(JOINTS), 3)
    np.testing.assert_allclose(
        given.reshape(2, 5, len(JOINTS), 3), with_bone_lengths(positions, lengths), atol=1e-6
    )


def test_bones_do_not_stretch_where_the_body_is_in_the_network() -> None:
    torch.manual_seed(0)
    generator = MotionGenerator(replace(SMALL, bone_true=True))
    lengths = np.linspace(0.1, 0.4, len(JOINTS) - 1, dtype=np.float32)
    generator.set_body(REFERENCE.flatten().astype(np.float32), np.full(COORDINATES, 0.1, np.float32), lengths)
    frames, _ = generator(torch.randn(2, 12), 4)
    positions = frames.detach().numpy() * 0.1 + REFERENCE.flatten()
    found = bone_lengths(positions.reshape(2, 13, len(JOINTS), 3))
    np.testing.assert_allclose(found, np.broadcast_to(lengths, found.shape), rtol=1e-4)
    frames.sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in generator.post_net.parameters())


def test_cumulative_changes_add_up_and_are_the_papers_with_one_frame_per_step() -> None:
    torch.manual_seed(0)
    plain = MotionGenerator(SMALL).eval()
    added = MotionGenerator(replace(SMALL, cumulative=True)).eval()
    added.load_state_dict(plain.state_dict())
    frame, state = plain.initial(torch.randn(2, 12))
    changes = plain.step(frame, state)[0] - frame[:, None]
    torch.testing.assert_close(added.step(frame, state)[0], frame[:, None] + changes.cumsum(dim=1))
    one = [
        MotionGenerator(replace(SMALL, frames_per_step=1, cumulative=cumulative))
        for cumulative in (False, True)
    ]
    one[1].load_state_dict(one[0].state_dict())
    embedding = torch.randn(2, 12)
    torch.testing.assert_close(one[0](embedding, 4), one[1](embedding, 4))


def test_the_recurrent_states_may_start_from_the_embedding() -> None:
    torch.manual_seed(0)
    embedding = torch.randn(2, 12)
    _, zero = MotionGenerator(SMALL).initial(embedding)
    assert not zero.first.any()
    assert not zero.second.any()
    _, state = MotionGenerator(replace(SMALL, embedded_states=True)).initial(embedding)
    assert state.first.shape == state.second.shape == (2, 20)
    for part in (state.first, state.second):
        assert not torch.allclose(part[0], part[1])


def test_each_step_carries_out_its_own_part_of_the_plan() -> None:
    torch.manual_seed(0)
    generator = MotionGenerator(replace(SMALL, planned_steps=2)).eval()
    frame, state = generator.initial(torch.randn(2, 12))
    assert state.plan.shape == (2, 2, 12)
    for step in range(3):
        without = state._replace(plan=torch.zeros_like(state.plan))
        added = generator.step(frame, state)[0] - generator.step(frame, without)[0]  # (B, R, M)
        expected = state.plan[:, 0] @ generator.planned_changes.weight.T
        torch.testing.assert_close(added.flatten(1), expected, rtol=1e-3, atol=1e-5)
        assert bool(expected.any()) == (step < 2)  # nothing is planned beyond
        frame, state = frame + 1.0, generator.step(frame, state)[2]


def test_the_embedder_may_read_the_whole_clip() -> None:
    torch.manual_seed(0)
    network = MotionNetwork(replace(SMALL, whole_clip=25)).eval()
    clips, base = torch.randn(3, 25, COORDINATES), Embedder(SMALL.embedder_channels).eval()
    base.load_state_dict({k: v for k, v in network.embedder.state_dict().items() if "whole" not in k})
    read = network.embedder.whole(clips[:, ::4].flatten(1))
    torch.testing.assert_close(network.embedder(clips), base(clips) + read)


def test_true_frames_are_fed_as_often_as_asked_for() -> None:
    torch.manual_seed(0)
    generator, embedding = MotionGenerator(SMALL).eval(), torch.randn(2, 12)
    clips = torch.randn(2, 7, COORDINATES)
    free, never = generator(embedding, 2), generator(embedding, 2, clips, 0.0)
    torch.testing.assert_close(never, free)
    frames, _ = generator(embedding, 2, clips, 1.0)
    _, state = generator.initial(embedding)
    block, _, state = generator.step(clips[:, 0], state)
    torch.testing.assert_close(frames[:, 1:4], block)
    torch.testing.assert_close(frames[:, 4:], generator.step(clips[:, 3], state)[0])


def test_every_class_has_a_vector_of_its_own() -> None:
    network = MotionNetwork(replace(SMALL, condition="class"))
    gestures, emotions = torch.meshgrid(torch.arange(12), torch.arange(3), indexing="ij")
    vectors = network.class_vectors(gestures.flatten(), emotions.flatten())
    assert vectors.shape == (36, 12)
    assert len(torch.unique(vectors, dim=0)) == 36


def test_an_untrained_network_may_stand_still() -> None:
    torch.manual_seed(0)
    still = MotionGenerator(replace(SMALL, still_start=True, bone_true=True, planned_steps=4))
    frames, _ = still(torch.randn(2, 12), 4)
    torch.testing.assert_close(frames, frames[:, :1].expand(-1, 13, -1))
    frames.square().sum().backward()
    assert still.post_net.after[-1].weight.grad.abs().sum() > 0.0  # type: ignore[union-attr, operator]


def test_a_longer_roll_out_begins_like_a_shorter_one() -> None:
    torch.manual_seed(0)
    generator, embedding = MotionGenerator(SMALL), torch.randn(2, 12)
    short, long = generator(embedding, 2), generator(embedding, 5)
    torch.testing.assert_close(long[0][:, :7], short[0])
    torch.testing.assert_close(long[1][:, :6], short[1])


def test_the_shipped_config_is_the_shipped_models() -> None:
    shipped = load_config(share_directory() / "config" / "training" / "motion.yaml")
    model = open_model("motion", "motion")
    assert network_config(model.config, "") == shipped.network
    assert model.config["max_frames"] == shipped.frames
    load_network(model)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_width": 0},
        {"recurrent_width": 1.5},
        {"frames_per_step": 0},
        {"embedder_channels": (1, 2)},
        {"bone_true": 1},
        {"cumulative": "no"},
        {"embedded_states": None},
        {"still_start": 0},
        {"whole_clip": -1},
        {"planned_steps": 1.0},
        {"condition": "mood"},
    ],
)
def test_sizes_are_checked(change: dict[str, object]) -> None:
    key = next(iter(change))
    with pytest.raises(ConfigurationError, match="widths" if key.endswith("width") else key):
        replace(SMALL, **change)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"model: 'network'"):
        network_config({"network": {**asdict(SMALL), **change}}, "model")


def test_sizes_must_be_complete() -> None:
    for network in (None, {}, {**asdict(SMALL), "depth": 3}):
        with pytest.raises(ModelError, match="hidden_width"):
            network_config({"network": network}, "model")


def test_models_of_the_first_release_name_fewer_sizes() -> None:
    first = ("embedder_channels", "hidden_width", "recurrent_width", "frames_per_step")
    sizes = {name: value for name, value in asdict(SMALL).items() if name in first}
    assert network_config({"network": sizes}, "model") == SMALL


def test_weights_that_do_not_fit_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = ModelDirectory(tmp_path, {"network": asdict(SMALL)})
    good = {f"generator.{name}": value.numpy() for name, value in MotionGenerator(SMALL).state_dict().items()}
    good |= {f"embedder.{n}": v.numpy() for n, v in Embedder(SMALL.embedder_channels).state_dict().items()}
    name = "generator.first_gru.input.weight"
    for change in ({name: np.zeros((2, 2))}, {}):
        bad = {key: value for key, value in good.items() if key != name} | change
        monkeypatch.setattr(ModelDirectory, "weights", lambda self, bad=bad: bad)
        with pytest.raises(ModelError, match=name):
            load_network(model)
    monkeypatch.setattr(ModelDirectory, "weights", lambda self: good)
    load_network(model)
