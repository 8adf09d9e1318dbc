import math

import pytest
import torch
from transformers import BertConfig, BertModel, RobertaConfig, RobertaModel

from text2gesture_ros.errors import ConfigurationError, ModelError
from text2gesture_ros.labels import TASKS
from text2gesture_ros.understanding.intent_network import (
    MISSING,
    IntentNetwork,
    describe,
    find_plm,
    from_config,
    from_pretrained,
    intent_loss,
)

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
CLASSES = {task: len(names) for task, names in TASKS.items()}


def tiny(pooling="mean", kind=BertModel, config=BertConfig):
    torch.manual_seed(0)
    encoder = kind(config(vocab_size=50, **SIZES), add_pooling_layer=False)
    return IntentNetwork(encoder, CLASSES, pooling=pooling).eval()


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize(("kind", "config"), [(BertModel, BertConfig), (RobertaModel, RobertaConfig)])
def test_one_row_of_logits_per_sentence_and_task(pooling, kind, config):
    tokens = torch.randint(2, 50, (3, 7))
    logits = tiny(pooling, kind, config)(tokens, torch.ones_like(tokens))
    assert [scores.shape for scores in logits] == [(3, count) for count in CLASSES.values()]


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_padding_changes_nothing(pooling):
    network = tiny(pooling)
    tokens = torch.randint(2, 50, (1, 5))
    padded = torch.cat([tokens, torch.zeros(1, 4, dtype=torch.int64)], dim=1)
    mask = (torch.arange(9) < 5).long()[None]
    for bare, filled in zip(network(tokens, torch.ones_like(tokens)), network(padded, mask), strict=True):
        torch.testing.assert_close(bare, filled)


def test_heads_read_the_mean_of_the_token_states():
    network = tiny()
    tokens = torch.randint(2, 50, (1, 5))
    mask = torch.ones_like(tokens)
    sentence = network.encoder(input_ids=tokens, attention_mask=mask).last_hidden_state.mean(1)
    torch.testing.assert_close(network.sentences(tokens, mask), sentence)
    for logits, head in zip(network(tokens, mask), network.heads.values(), strict=True):
        torch.testing.assert_close(logits, head(sentence))


def test_heads_are_those_of_the_paper():
    for task, head in tiny().heads.items():
        first, activation, dropout, last = head
        assert first.out_features == last.in_features == 256
        assert isinstance(activation, torch.nn.ReLU)
        assert dropout.p == 0.3
        assert last.out_features == CLASSES[task]


def test_loss_is_the_sum_of_cross_entropies():
    logits = [torch.zeros(2, 16), torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0]]), torch.zeros(2, 3)]
    labels = torch.tensor([[5, 0, 2], [0, 1, 1]])
    gesture = (math.log(4 / 3) + math.log(2)) / 2
    torch.testing.assert_close(
        float(intent_loss(logits, labels)), math.log(16) + gesture + math.log(3), atol=1e-6, rtol=0
    )


def test_loss_leaves_out_missing_labels():
    torch.manual_seed(1)
    logits = [torch.randn(3, 16), torch.randn(3, 12), torch.randn(3, 3)]
    labels = torch.tensor([[1, 2, MISSING], [MISSING, 3, MISSING], [4, MISSING, MISSING]])
    by_hand = torch.nn.functional.cross_entropy(logits[0][[0, 2]], labels[[0, 2], 0])
    by_hand = by_hand + torch.nn.functional.cross_entropy(logits[1][:2], labels[:2, 1])
    torch.testing.assert_close(intent_loss(logits, labels), by_hand)


def test_loss_without_any_label_is_zero_and_can_be_differentiated():
    scores = torch.randn(2, 3, requires_grad=True)
    loss = intent_loss([scores], torch.full((2, 1), MISSING))
    assert loss.item() == 0.0
    loss.backward()
    assert not scores.grad.any()


def test_config_and_weights_make_the_same_network():
    network = tiny("cls")
    config = describe(network) | {"labels": TASKS}
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    tokens = torch.randint(2, 50, (2, 6))
    mask = torch.ones_like(tokens)
    for ours, theirs in zip(network(tokens, mask), from_config(config, weights)(tokens, mask), strict=True):
        torch.testing.assert_close(ours, theirs, atol=0, rtol=0)


def test_weights_that_do_not_fit_are_named():
    network = tiny()
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    del weights["heads.emotion.3.bias"]
    with pytest.raises(ModelError, match=r"heads\.emotion\.3\.bias"):
        from_config(describe(network) | {"labels": TASKS}, weights)
    with pytest.raises(ModelError, match="pooling"):
        from_config(
            {key: value for key, value in describe(network).items() if key != "pooling"} | {"labels": {}}
        )


def test_unknown_plm_is_one_line_with_what_is_known(tmp_path):
    with pytest.raises(ConfigurationError, match="all-MiniLM-L6-v2"):
        find_plm("no-such-model", tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="not a local Hugging Face"):
        from_pretrained(find_plm(".", tmp_path), CLASSES)


def test_default_plm_comes_with_a_package():
    assert (find_plm("all-MiniLM-L6-v2") / "model.safetensors").is_file()
