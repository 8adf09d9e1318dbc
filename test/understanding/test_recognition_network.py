from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from text2gesture_ros.errors import ConfigurationError, ModelError
from text2gesture_ros.model_directory import ModelDirectory
from text2gesture_ros.understanding.recogniser import LABELS
from text2gesture_ros.understanding.recognition_network import (
    RecognitionNetwork,
    RecognitionNetworkConfig,
    load_network,
    network_config,
)

SMALL = RecognitionNetworkConfig((4, 6), (8, 12), members=2)


def test_shapes_and_size() -> None:
    network = RecognitionNetwork(RecognitionNetworkConfig()).eval()
    assert sum(parameter.numel() for parameter in network.parameters()) < 1_000_000
    with torch.inference_mode():
        logits, features = network(torch.zeros(2, 31, 21, 3), torch.ones(2, 31))
    assert logits.shape == (2, len(LABELS), 1)
    assert features.shape == (2, network.config.feature_width, 1)


def test_links_begin_as_the_skeletons_and_each_joint_gathers_in_equal_parts() -> None:
    network = RecognitionNetwork(SMALL)
    links = network.members[0].stream[0].graph.links.detach()
    assert torch.equal(links[0], torch.eye(21))
    assert links.shape == (3, 21, 21)
    totals = links.sum(dim=1)
    torch.testing.assert_close(totals[1], torch.tensor([0.0] + [1.0] * 20))  # the pelvis has no parent
    assert set(totals[2].round(decimals=4).tolist()) == {0.0, 1.0}  # fingertips have no children


def test_members_learn_each_for_itself() -> None:
    network = RecognitionNetwork(SMALL)
    logits, _ = network(torch.randn(4, 20, 21, 3), torch.ones(4, 20))
    assert not torch.allclose(logits[..., 0], logits[..., 1])
    logits[..., 0].sum().backward()
    first, second = network.members
    assert first.classify.weight.grad is not None
    assert not second.classify.weight.grad.any()


@pytest.mark.parametrize(
    "change", [{"channels": ()}, {"branch_channels": (4, 0)}, {"dropout": 1.0}, {"members": 0}]
)
def test_sizes_are_checked(change: dict[str, object]) -> None:
    key = next(iter(change))
    with pytest.raises(ConfigurationError, match=key):
        replace(SMALL, **change)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"model: 'network'"):
        network_config({"network": {**asdict(SMALL), **change}}, "model")


def test_weights_that_do_not_fit_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = ModelDirectory(tmp_path, {"network": asdict(SMALL)})
    good = {name: value.numpy() for name, value in RecognitionNetwork(SMALL).state_dict().items()}
    monkeypatch.setattr(ModelDirectory, "weights", lambda self: good)
    load_network(model)
    del good["members.1.classify.bias"]
    with pytest.raises(ModelError, match=r"members\.1\.classify\.bias"):
        load_network(model)
