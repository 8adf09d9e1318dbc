import json
import random

import numpy as np
import pytest
import torch
from text_cases import LINES, OUTLIERS, change, write_training

from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.labels import GATE, HEADS, TASKS
from text2gesture_ros.model_directory import open_model
from text2gesture_ros.training.text import train as train_text
from text2gesture_ros.training.text.data import read_config, read_lines
from text2gesture_ros.training.text.train import (
    Collator,
    EpochBatches,
    Run,
    class_weights,
    train,
    write_tokenizer,
)
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


def make_run(config, reader):
    settings = read_config(config)
    plm = find_plm(settings.plm, config.parent)
    return Run(settings, plm, reader, read_lines(settings, config.parent), "cpu")


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


def test_the_gate_is_an_output_of_its_own_after_the_tasks(config, tmp_path):
    model = open_model(str(train(change(config, epochs=1), tmp_path / "run", device="cpu")), "intent")
    assert list(model.config["labels"]) == [*TASKS, GATE]
    assert model.config["labels"][GATE] == ["no", "yes"]
    tokens = np.ones((2, 5), np.int64)
    (gate,) = model.session().run([GATE], {"tokens": tokens, "mask": tokens})
    assert gate.shape == (2, 2)


def test_outliers_teach_the_gate_and_nothing_else(config, reader):
    lines = read_lines(read_config(config), config.parent)
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
    run = make_run(change(config, heads=["gesture"]), reader)
    before = set(config.parent.rglob("*"))
    run.finish()
    assert run.done == 6
    validation = read_lines(run.settings, config.parent).validation
    assert run.test(validation) == {"gesture": pytest.approx(run.best_score[0])}
    assert set(config.parent.rglob("*")) == before


def test_the_average_is_the_mean_over_the_last_epochs(config, reader):
    run = make_run(change(config, epochs=4, average_from=0.5), reader)
    ends = []
    while not run.finished:
        run.epoch()
        ends.append([value.detach().clone() for value in run.network.parameters()])
    for average, *values in zip(run.average.module.parameters(), *ends[2:], strict=True):
        torch.testing.assert_close(average, torch.stack(values).mean(0))


@pytest.mark.parametrize("decay", [False, True])
def test_rates_fall_to_zero_or_stay(config, reader, decay):
    run = make_run(change(config, decay=decay, warm_up=0.0), reader)
    before = [value.clone() for value in run.network.parameters()]
    run._set_rates(run.settings.epochs)
    assert [group["lr"] for group in run.optimizer.param_groups] == [0.0 if decay else r for r in run.rates]
    run._set_rates(0.0)
    assert [group["lr"] for group in run.optimizer.param_groups] == run.rates
    assert all(map(torch.equal, before, run.network.parameters()))


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
    run = make_run(change(config, corpora="corpora.yaml", corpora_share=0.5, batch_size=1), reader)
    own = len(read_lines(run.settings, config.parent).training)
    assert len(run.batches) == 2 * own
    run.epoch()
    assert run.done == 1


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
