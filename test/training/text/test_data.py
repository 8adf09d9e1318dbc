import json
from collections import Counter
from pathlib import Path

import pytest
from text_cases import change

from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.labels import HEADS, TASKS
from text2gesture_ros.training.text.data import (
    cut_validation,
    default_data,
    load_config,
    read_lines,
    read_outliers,
    stratify,
)
from text2gesture_ros.training.text.utterances import read_utterances

CONFIG = Path(__file__).parents[3] / "config" / "training" / "text.yaml"


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_csv_and_jsonl_read_alike(tmp_path):
    rows = [
        {"text": 'Hi, "you"!', "subject": "greeting", "gesture": "wave", "emotion": "positive"},
        {"text": "Hm.", "subject": "", "gesture": "neutral", "emotion": ""},
    ]
    table = write(
        tmp_path / "a.csv",
        "text,subject,gesture,emotion",
        '"Hi, ""you""!",greeting,wave,positive',
        "Hm.,,neutral,",
    )
    lines = write(tmp_path / "a.jsonl", *map(json.dumps, rows))
    assert read_utterances(table) == read_utterances(lines)
    assert read_utterances(table)[1].labels == {"subject": None, "gesture": "neutral", "emotion": None}


def test_accepted_labels_are_sets(tmp_path):
    line = '{"text": "No.", "gesture": null, "gesture_ok": ["shakehead", "neutral"], "emotion_ok": null}'
    (utterance,) = read_utterances(write(tmp_path / "a.jsonl", line))
    assert utterance.accepted == {"gesture": {"shakehead", "neutral"}}


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("a.jsonl", ["{}"], ":1: needs the field text"),
        ("a.jsonl", ['{"text": "a"}', "{"], ":2: not JSON"),
        ("a.jsonl", ["[1]"], ":1: needs the field text"),
        ("a.jsonl", ['{"text": "a", "gesture": "waive"}'], "'waive' (did you mean wave?). Known: handshake"),
        ("a.jsonl", ['{"text": "a", "gesture_ok": 5}'], ":1: gesture_ok must be a list of labels but is 5"),
        ("a.jsonl", ['{"text": "a", "gesture_ok": {"wave": 1}}'], ":1: gesture_ok must be a list of labels"),
        ("a.jsonl", ["[" * 100_000], ":1: not JSON"),
        ("a.jsonl", ['{"text": "a", "gesture": ["wave"]}'], ":1:"),
        ("a.csv", ["text,gesture", "a,wave,extra"], ":2: needs"),
        ("a.csv", ["text,gesture", "a,yes"], ":2: unknown gesture 'yes'"),
        ("a.txt", ["a"], "Known: .csv, .jsonl"),
    ],
)
def test_bad_lines_are_named(tmp_path, name, lines, message):
    with pytest.raises(InputError) as error:
        read_utterances(write(tmp_path / name, *lines))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_and_binary_files(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    for name, why in (("none.csv", "No such file or directory"), ("folder.csv", "Is a directory")):
        for read, kind in (
            (read_utterances, InputError),
            (read_outliers, InputError),
            (load_config, ConfigurationError),
        ):
            with pytest.raises(kind) as error:
                read(tmp_path / name)
            assert str(error.value) == f"{tmp_path / name}: cannot be read: {why}"
    (tmp_path / "b.csv").write_bytes(b"text\n\xff\xfe\n")
    with pytest.raises(InputError, match="cannot be read"):
        read_utterances(tmp_path / "b.csv")


def test_validation_is_cut_the_same_way_every_time_and_from_every_gesture():
    utterances = [u for u in read_utterances(default_data()) if u.split == "train"]
    training, validation = cut_validation(utterances, 0.2, seed=3)
    assert (training, validation) == cut_validation(utterances, 0.2, seed=3)
    assert validation != cut_validation(utterances, 0.2, seed=4)[1]
    assert Counter(u.text for u in training + validation) == Counter(u.text for u in utterances)
    assert {u.labels["gesture"] for u in validation} == set(TASKS["gesture"])


def test_every_beginning_has_each_gesture_in_proportion():
    utterances = [u for u in read_utterances(default_data()) if u.split == "train"]
    ordered = stratify(utterances, 5)
    assert Counter(map(id, ordered)) == Counter(map(id, utterances))
    total = Counter(u.labels["gesture"] for u in utterances)
    seen = Counter()
    for number, utterance in enumerate(ordered, start=1):
        seen[utterance.labels["gesture"]] += 1
        for gesture, count in total.items():
            assert abs(seen[gesture] - count * number / len(ordered)) < 1.5


def settings_with(tmp_path, **entries):
    return load_config(change(CONFIG, tmp_path / "text.yaml", **entries))


def test_fewer_lines_are_some_of_the_same_lines_whatever_the_seed(tmp_path):
    file = [str(default_data())]
    few, more, every = (
        read_lines(settings_with(tmp_path, data=file, lines=lines, heads=list(TASKS), seed=lines), tmp_path)
        for lines in (100, 400, 0)
    )
    assert (len(few.training), len(more.training)) == (100, 400)
    assert more.training[:100] == few.training
    assert every.training[:400] == more.training
    assert few.validation == more.validation == every.validation
    texts = [{u.text for u in part} for part in (every.training, every.validation, every.test)]
    assert not texts[0] & texts[1] | texts[0] & texts[2] | texts[1] & texts[2]


def test_too_few_lines_and_missing_outliers_are_named(tmp_path):
    lines = write(tmp_path / "a.csv", "text,gesture", *(f"line {n},wave" for n in range(40)))
    with pytest.raises(InputError, match=r"a\.csv: 36 training lines are too few for lines 37"):
        read_lines(settings_with(tmp_path, data=[lines.name], lines=37, heads=["gesture"]), tmp_path)
    with pytest.raises(InputError, match=r"none\.csv: cannot be read"):
        read_lines(settings_with(tmp_path, data=[lines.name], outliers="none.csv"), tmp_path)


def test_outliers_have_no_label_but_that_they_are_no_speech(tmp_path):
    (outlier,) = read_outliers(write(tmp_path / "o.csv", "text,kind,split", "xkcd qwert,string,train"))
    assert (outlier.text, outlier.kind, outlier.split) == ("xkcd qwert", "string", "train")
    assert [outlier.label(head) for head in HEADS] == [None, None, None, "no"]
    for name, lines in (("o.csv", ["text,split", "xkcd,train"]), ("o.jsonl", ['{"text": "a", "kind": 3}'])):
        with pytest.raises(InputError, match=rf"{name}:{len(lines)}: needs the field kind"):
            read_outliers(write(tmp_path / name, *lines))
    (line,) = read_utterances(write(tmp_path / "u.csv", "text,gesture", "Hello!,wave"))
    assert [line.label(head) for head in HEADS] == [None, "wave", None, "yes"]


def test_shipped_utterances_cover_all_labels_and_keep_the_splits_apart():
    utterances = read_utterances(default_data())
    texts = {}
    for split in ("train", "test"):
        part = [u for u in utterances if u.split == split]
        texts[split] = {u.text.casefold() for u in part}
        for task, names in TASKS.items():
            assert {u.labels[task] for u in part} >= set(names)
    assert not texts["train"] & texts["test"]


def test_shipped_training_file_is_valid():
    settings = load_config(CONFIG)
    assert (settings.hidden, settings.dropout, settings.batch_size) == (256, 0.3, 32)  # the paper's
    assert (CONFIG.parent / settings.data[0]).resolve() == default_data().resolve()


def test_the_training_file_of_the_paper_says_what_the_paper_says():
    settings = load_config(CONFIG.with_name("text_paper.yaml"))
    assert settings.heads == list(TASKS)
    assert settings.encoder_learning_rate == settings.head_learning_rate == 1e-5
    assert (settings.layer_decay, settings.decay, settings.warm_up, settings.train_embeddings) == (
        1,
        False,
        0,
        True,
    )
    assert (settings.hidden, settings.dropout, settings.batch_size, settings.epochs) == (256, 0.3, 32, 100)
    assert settings.lines == len(read_lines(settings, CONFIG.parent).training) == 1050
    assert not any((settings.label_smoothing, settings.class_weight, settings.gradient_norm))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("batch_size: 32", "batch_size: 0", "batch_size must be in [1, 65536] but is 0"),
        ("batch_size: 32", "batch_size: many", "batch_size must be an int but is the str 'many'"),
        ("batch_size: 32", "batch_sise: 32", "unknown batch_sise, missing batch_size"),
        ("pooling: mean", "pooling: max", "pooling must be one of mean, cls"),
        ("heads: [subject, gesture", "heads: [gesture, subject", "heads must be some of subject, gesture,"),
        ("data: [", "data: [7, ", "data must be a list of texts but is [7"),
        ("data: [../../data/utterances.csv]", 'data: [""]', "data must be names of files but is ['']"),
        ("data: [../../data/utterances.csv]", "data: []", "data must be names of files but is []"),
        ("outliers: ../../data/outliers.csv", 'outliers: ""', "the head speech needs outliers"),
        ("corpora_share: 0.0", "corpora_share: 0.3", "corpora_share is 0.3 but there are no corpora"),
        ("dropout: 0.3", "dropout: .nan", "dropout must be in"),
        ("seed: 1", "seed: [", "cannot be read"),
    ],
)
def test_wrong_settings_are_one_clear_line(tmp_path, old, new, message):
    text = CONFIG.read_text(encoding="utf-8")
    assert old in text
    path = write(tmp_path / "text.yaml", text.replace(old, new))
    with pytest.raises(ConfigurationError) as error:
        load_config(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
