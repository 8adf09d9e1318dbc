"""Each loss against a value worked out by hand."""

import math

import pytest
import torch

from text2gesture_ros.training.motion import losses


def test_triplets() -> None:
    # Mean L1 distances: 0-1: 0.1, 0-2: 0.12, 1-2: 0.02. Labels: 0 and 1 are one gesture, 2 another.
    embeddings = torch.tensor([[0.0, 0.0], [0.1, 0.1], [0.12, 0.12]])
    labels = torch.tensor([0, 0, 1])
    # Anchor 0: [0.1 - 0.12 + 0.05] = 0.03. Anchor 1: [0.1 - 0.02 + 0.05] = 0.13. Both count.
    assert losses.triplet_loss(embeddings, labels).item() == pytest.approx((0.03 + 0.13) / 2, abs=1e-6)
    # With margin 0.01 anchor 0 is in order (0.1 - 0.12 + 0.01 < 0) and anchor 1 alone counts.
    assert losses.triplet_loss(embeddings, labels, 0.01).item() == pytest.approx(0.09, abs=1e-6)


def test_triplets_need_a_positive_and_a_negative() -> None:
    embeddings = torch.randn(3, 4)
    for labels in ([0, 0, 0], [0, 1, 2]):
        assert losses.triplet_loss(embeddings, torch.tensor(labels)).item() == 0.0


def test_triplets_within_groups() -> None:
    # Labels are emotions; only clips 1, 2 and 3 are of one group. Distances 1-2: 0.02, 1-3: 0.2, 2-3: 0.18.
    # Anchor 1, positive 3, negative 2: [0.2 - 0.02 + 0.05] = 0.23.
    # Anchor 3, positive 1, negative 2: [0.2 - 0.18 + 0.05] = 0.07. Clip 0 belongs to nobody.
    embeddings = torch.tensor([0.0, 0.1, 0.12, 0.3])[:, None].expand(-1, 2)
    labels, groups = torch.tensor([0, 0, 1, 0]), torch.tensor([5, 6, 6, 6])
    loss = losses.triplet_loss(embeddings, labels, groups=groups)
    assert loss.item() == pytest.approx((0.23 + 0.07) / 2, abs=1e-6)


def test_first_frame_counts_the_first_frame_alone() -> None:
    generated, clips = torch.zeros(2, 3, 2), torch.zeros(2, 3, 2)
    generated[0, 0] = torch.tensor([1.0, -3.0])
    generated[:, 1:] = 100.0
    assert losses.first_frame_loss(generated, clips).item() == pytest.approx((1 + 3) / 4)


def test_motion_leaves_the_padding_out() -> None:
    generated, clips = torch.zeros(2, 3, 2), torch.zeros(2, 3, 2)
    generated[0] = torch.tensor([[1.0, 1.0], [2.0, 4.0], [99.0, 99.0]])
    generated[1] = torch.tensor([[5.0, 5.0], [99.0, 99.0], [99.0, 99.0]])
    lengths = torch.tensor([2, 1])
    assert losses.motion_loss(generated, clips, lengths).item() == pytest.approx((1 + 3 + 5) / 3)
    squared = (1 + (4 + 16) / 2 + 25) / 3
    assert losses.squared_loss(generated, clips, lengths).item() == pytest.approx(squared)
    # Changes inside the clips: only clip 0 has one, by 1 and 3.
    assert losses.velocity_loss(generated, clips, lengths).item() == pytest.approx((1 + 3) / 2)
    assert losses.squared_velocity_loss(generated, clips, lengths).item() == pytest.approx((1 + 9) / 2)


def test_acceleration_is_the_second_difference() -> None:
    generated, clips = torch.zeros(1, 5, 1), torch.zeros(1, 5, 1)
    generated[0, :, 0] = torch.tensor([0.0, 1.0, 4.0, 9.0, 99.0])  # second differences 2, 2, 85
    lengths = torch.tensor([4])
    assert losses.acceleration_loss(generated, clips, lengths).item() == pytest.approx(2.0)
    # With its third frame at 5 the differences are 1, 4, 4, those of the second order 3 and 0.
    generated[0, 2, 0] = 5.0
    assert losses.squared_acceleration_loss(generated, clips, lengths).item() == pytest.approx((9 + 0) / 2)


def test_tokens() -> None:
    logits = torch.tensor([[0.0, math.log(3.0)]])  # sigmoid: 0.5, 0.75
    tokens = torch.tensor([[0.0, 1.0]])
    assert losses.token_loss(logits, tokens).item() == pytest.approx((0.5 + 0.25) / 2)
    expected = -(math.log(0.5) + math.log(0.75)) / 2
    assert losses.token_cross_entropy(logits, tokens).item() == pytest.approx(expected)


def test_embedding() -> None:
    generated, given = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 4.0]])
    assert losses.embedding_loss(generated, given).item() == pytest.approx(1.5)


def test_frozen_frames_repeat_the_end() -> None:
    frames = torch.arange(8.0).reshape(2, 4, 1)
    held = losses.frozen(frames, torch.tensor([2, 4]))
    assert held[..., 0].tolist() == [[0.0, 1.0, 1.0, 1.0], [4.0, 5.0, 6.0, 7.0]]
    zeroed = losses.frozen(frames, torch.tensor([2, 4]), zero=True)
    assert zeroed[..., 0].tolist() == [[0.0, 1.0, 0.0, 0.0], [4.0, 5.0, 6.0, 7.0]]
