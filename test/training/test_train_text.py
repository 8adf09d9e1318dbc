import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from text2gesture_ros.checkpoints import open_model
from text2gesture_ros.classifier import IntentClassifier
from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.labels import HEADS, TASKS
from text2gesture_ros.training import train_text
from text2gesture_ros.training.text_data import read_utterances
from text2gesture_ros.training.train_text import class_weights, train

SHIPPED = Path(__file__).parents[2] / "config" / "training" / "text.yaml"
LINES = [
    ("hello friend", "greeting", "wave", "positive"),
    ("hello you", "greeting", "wave", "positive"),
    ("hello all", "greeting", "wave", ""),
    ("goodbye friend", "farewell", "wave", "neutral"),
    ("goodbye you", "", "wave", "neutral"),
    ("goodbye all", "farewell", "wave", "neutral"),
    ("no friend", "anger", "shakehead", "negative"),
    ("no you", "anger", "shakehead", "negative"),
    ("no all", "anger", "shakehead", "negative"),
    ("yes friend", "praise", "nod", "positive"),
    ("yes you", "praise", "", "positive"),
    ("yes all", "praise", "nod", "positive"),
]
OUTLIERS = ["friend friend", "you you you", "friend you", "you all", "all friend all"]


@pytest.fixture
def config(tmp_path):
    """A training file of twelve lines and a tiny random BERT."""
    words = sorted({word for line in LINES for word in line[0].split()})
    vocabulary = {word: index for index, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    plm = tmp_path / "plm"
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=32
    ).save_pretrained(plm)
    BertModel(
        BertConfig(
            vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=32, max_position_embeddings=32,
        )
    ).save_pretrained(plm)  # fmt: skip
    table = ["text,subject,gesture,emotion,split", *(",".join([*line, "train"]) for line in LINES)]
    # A test line the training must not look at: its label would be an error nobody could overlook.
    (tmp_path / "data.csv").write_text("\n".join([*table, "hello no,anger,yay,negative,test"]) + "\n")
    outliers = ["text,kind,split", *(f"{text},string,train" for text in OUTLIERS), "all all,string,test"]
    (tmp_path / "outliers.csv").write_text("\n".join(outliers) + "\n")
    settings = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    settings |= {
        "plm": "plm", "data": ["data.csv"], "outliers": "outliers.csv", "epochs": 6, "batch_size": 4,
        "patience": 6, "validation_part": 0.25, "average_from": 0.5,
        "encoder_learning_rate": 1e-2, "head_learning_rate": 1e-2, "dropout": 0.1,
    }  # fmt: skip
    path = tmp_path / "text.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def losses(caplog):
    return [float(record.args[1]) for record in caplog.records if record.msg.startswith("epoch")]


def test_training_lowers_the_loss_and_writes_a_model_that_runs(config, tmp_path, caplog):
    caplog.set_level("INFO")
    model = train(config, tmp_path / "run", device="cpu")
    assert len(losses(caplog)) == 6
    assert losses(caplog)[-1] < losses(caplog)[0]
    assert list((model / "training").rglob("events.out.tfevents*"))
    (intent,) = IntentClassifier(str(model), device="cpu").classify(["hello friend"], 0.0)
    assert intent.gesture.probabilities.sum() == pytest.approx(1.0)
    assert set(open_model(str(model), "intent").config["temperature"]) == set(HEADS)
    metrics = json.loads((model / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["gesture"]["n"] == 1
    assert not list(model.rglob("*.bin"))
    assert not list(model.rglob("*.pkl"))


def test_an_interrupted_training_resumes_to_the_same_weights(config, tmp_path, monkeypatch):
    whole = train(config, tmp_path / "whole", device="cpu")
    epoch = train_text.Run.epoch

    def stop_after_two(run):
        if run.done == 2:
            raise KeyboardInterrupt
        epoch(run)

    with monkeypatch.context() as patch:
        patch.setattr(train_text.Run, "epoch", stop_after_two)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "halves", device="cpu")
    halves = train(config, tmp_path / "halves", resume=True, device="cpu")
    ours, theirs = (open_model(str(path), "intent").weights() for path in (whole, halves))
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        np.testing.assert_array_equal(value, theirs[name])
    assert json.loads((whole / "config.json").read_text()) == json.loads((halves / "config.json").read_text())


def test_resuming_without_a_checkpoint_is_one_clear_line(config, tmp_path):
    with pytest.raises(ConfigurationError, match=r"state\.safetensors: nothing to resume from"):
        train(config, tmp_path / "new", resume=True, device="cpu")


def test_too_little_data(config, tmp_path):
    (tmp_path / "data.csv").write_text("text,gesture,split\nhello,wave,test\n")
    with pytest.raises(InputError, match="0 training lines are too few"):
        train(config, tmp_path / "run", device="cpu")


def test_class_weights_average_to_one_over_the_lines(config):
    utterances = [u for u in read_utterances(config.parent / "data.csv") if u.split == "train"]
    for power in (0.0, 0.5, 1.0):
        for head, weights in zip(TASKS, class_weights(utterances, list(TASKS), power), strict=True):
            names, labels = TASKS[head], [u.labels[head] for u in utterances if u.labels[head]]
            mean = sum(float(weights[names.index(label)]) for label in labels) / len(labels)
            assert mean == pytest.approx(1.0)
    gesture = class_weights(utterances, ["gesture"], 1.0)[0]
    wave, nod = (float(gesture[TASKS["gesture"].index(name)]) for name in ("wave", "nod"))
    assert nod / wave == pytest.approx(6 / 2)
