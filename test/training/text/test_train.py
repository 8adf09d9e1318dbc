import json
import random
import re

import numpy as np
import pytest
import torch
from text_cases import LINES, OUTLIERS, change, write_training

from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.labels import GATE, HEADS, TASKS
from text2gesture_ros.model_directory import open_model
from text2gesture_ros.training.text.batches import Collator, EpochBatches, class_weights
from text2gesture_ros.training.text.data import load_config, read_lines
from text2gesture_ros.training.text.train import IntentTraining, train, write_tokenizer
from text2gesture_ros.training.text.utterances import read_utterances
from text2gesture_ros.understanding.classifier import TOKENIZER_FILE, IntentClassifier, TextReader
from text2gesture_ros.understanding.intent_network import MISSING, find_plm


@pytest.fixture
def config(tmp_path):
    return write_training(tmp_path)


@pytest.fixture
def reader(config):
    write_tokenizer(config.parent / "plm", 32, config.parent / TOKENIZER_FILE)
    return TextReader(config.parent / TOKENIZER_FILE)


def training_of(config, reader, output=None):
    settings = load_config(config)
    plm = find_plm(settings.plm, config.parent)
    return IntentTraining(settings, plm, reader, read_lines(settings, config.parent), "cpu", output)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a training file and the model directory it led to."""
    config = write_training(tmp_path_factory.mktemp("trained"))
    return config, train(config, config.parent / "run", device="cpu")


def test_training_lowers_the_loss_and_writes_a_model_that_runs(trained):
    model = trained[1]
    log = (model / "training" / "log.txt").read_text()
    losses = [float(loss) for loss in re.findall(r"epoch \d+: loss ([\d.]+)", log)]
    assert len(losses) == 6
    assert losses[-1] < losses[0]
    assert list((model / "training").rglob("events.out.tfevents*"))
    (intent,) = IntentClassifier(str(model), device="cpu").classify(["hello friend"], 0.0)
    assert intent.gesture.probabilities.sum() == pytest.approx(1.0)
    assert set(open_model(str(model), "intent").config["temperature"]) == set(HEADS)
    metrics = json.loads((model / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["gesture"]["n"] == 1
    assert not list(model.rglob("*.bin"))
    assert not list(model.rglob("*.pkl"))


def test_an_interrupted_training_resumes_to_the_same_weights(trained, tmp_path):
    config, whole = trained
    write_tokenizer(config.parent / "plm", 32, tmp_path / TOKENIZER_FILE)
    interrupted = training_of(config, TextReader(tmp_path / TOKENIZER_FILE), tmp_path / "halves")
    interrupted.run_epoch()
    interrupted.run_epoch()
    halves = train(config, tmp_path / "halves", resume=True, device="cpu")
    ours, theirs = (open_model(str(path), "intent").weights() for path in (whole, halves))
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        np.testing.assert_array_equal(value, theirs[name])
    assert json.loads((whole / "config.json").read_text()) == json.loads((halves / "config.json").read_text())


def test_the_gate_is_an_output_of_its_own_after_the_tasks(trained):
    model = open_model(str(trained[1]), "intent")
    assert list(model.config["labels"]) == [*TASKS, GATE]
    assert model.config["labels"][GATE] == ["no", "yes"]
    tokens = np.ones((2, 5), np.int64)
    (gate,) = model.session().run([GATE], {"tokens": tokens, "mask": tokens})
    assert gate.shape == (2, 2)


def test_outliers_teach_the_gate_and_nothing_else(config, reader):
    lines = read_lines(load_config(config), config.parent)
    *_, labels = Collator(reader, list(HEADS))([*lines.training, *lines.validation])
    gate = labels[:, list(HEADS).index(GATE)].tolist()
    assert (gate.count(0), gate.count(1)) == (len(OUTLIERS), len(LINES))
    for row in labels[labels[:, -1] == 0].tolist():
        assert row[:-1] == [MISSING] * len(TASKS)


def test_a_model_without_the_gate_still_runs(config, tmp_path):
    change(config, heads=list(TASKS), outliers="", epochs=1)
    model = train(config, tmp_path / "run", device="cpu")
    assert list(open_model(str(model), "intent").config["labels"]) == list(TASKS)
    (intent,) = IntentClassifier(str(model), device="cpu").classify(["hello friend"], 0.0)
    assert intent.gesture.probabilities.sum() == pytest.approx(1.0)


def test_a_model_directory_needs_the_three_tasks(config, tmp_path):
    with pytest.raises(ConfigurationError, match="a model needs the heads subject, emotion too"):
        train(change(config, heads=["gesture"]), tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_one_head_trains_alone_and_writes_nothing(config, reader):
    training = training_of(change(config, heads=["gesture"]), reader)
    before = set(config.parent.rglob("*"))
    training.run()
    assert training.epoch == 6
    validation = read_lines(training.settings, config.parent).validation
    assert training.test(validation) == {"gesture": pytest.approx(training.selection.score[0])}
    assert set(config.parent.rglob("*")) == before


def test_the_average_is_the_mean_over_the_last_epochs(config, reader):
    training = training_of(change(config, epochs=4, average_from=0.5), reader)
    ends = []
    while not training.finished:
        training.run_epoch()
        ends.append([value.detach().clone() for value in training.network.parameters()])
    for average, *values in zip(training.selection.average.module.parameters(), *ends[2:], strict=True):
        torch.testing.assert_close(average, torch.stack(values).mean(0))


@pytest.mark.parametrize("decay", [False, True])
def test_rates_fall_to_zero_or_stay(config, reader, decay):
    training = training_of(change(config, decay=decay, warm_up=0.0), reader)
    before = [value.clone() for value in training.network.parameters()]
    rates = [group["lr"] for group in training.optimizer.param_groups]
    training.set_rates(training.settings.epochs)
    fallen = [group["lr"] for group in training.optimizer.param_groups]
    assert fallen == [0.0 if decay else rate for rate in rates]
    training.set_rates(0.0)
    assert [group["lr"] for group in training.optimizer.param_groups] == rates
    assert all(map(torch.equal, before, training.network.parameters()))


def test_each_epoch_has_every_own_line_once_and_a_new_draw_of_the_others():
    generator = random.Random(0)
    lengths = [generator.randint(3, 40) for _ in range(1000)]
    batches = EpochBatches(lengths, own=301, drawn=100, batch_size=8, seed=3)
    draws = []
    for epoch in (0, 1):
        batches.epoch = epoch
        epochs_batches = list(batches)
        assert epochs_batches == list(batches)
        assert len(epochs_batches) == len(batches)
        assert [len(batch) for batch in epochs_batches[:-1]] == [8] * (len(batches) - 1)
        lines = [line for batch in epochs_batches for line in batch]
        assert sorted(line for line in lines if line < 301) == list(range(301))
        draws.append({line for line in lines if line >= 301})
        assert len(draws[-1]) == 100
        padded = sum(len(batch) * max(lengths[line] for line in batch) for batch in epochs_batches)
        assert padded < 1.15 * sum(lengths[line] for line in lines)
    assert draws[0] != draws[1]
    assert draws[0] != {
        line for batch in EpochBatches(lengths, 301, 100, 8, seed=4) for line in batch if line >= 301
    }


def test_the_corpora_have_their_share_of_an_epoch(config, reader):
    (config.parent / "more.csv").write_text("text,gesture\n" + "\n".join(f"yes {n},nod" for n in range(50)))
    entry = "{format: utterances, source: us, licence: ours, train: more.csv}"
    (config.parent / "corpora.yaml").write_text(f"root: .\ncorpora:\n  mine: {entry}\n")
    training = training_of(change(config, corpora="corpora.yaml", corpora_share=0.5, batch_size=1), reader)
    own = len(read_lines(training.settings, config.parent).training)
    assert len(training.batches) == 2 * own
    training.run_epoch()
    assert training.epoch == 1


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
