"""The verbs that measure: what they read, count, print and write."""

import json
from inspect import signature

import numpy as np
import pytest

from text2gesture_ros.apps.cli import BAD_INPUT, build_parser, main
from text2gesture_ros.labels import TASKS
from text2gesture_ros.training.motion.evaluate import evaluate as evaluate_motion
from text2gesture_ros.training.recogniser.evaluate import evaluate as evaluate_recogniser
from text2gesture_ros.training.text import evaluate, report
from text2gesture_ros.understanding.recogniser import Recogniser

pytestmark = pytest.mark.usefixtures("loaded_once")


def run_json(capsys, *arguments):
    """Run a verb with --json and return what it printed."""
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def few_outliers(monkeypatch):
    """Let the gate meet one outlier of each kind: all of them take half a minute."""
    found = {kind: (text, kind) for text, kind in evaluate.outliers_by_kind()}
    monkeypatch.setattr(evaluate, "outliers_by_kind", lambda: list(found.values()))


@pytest.mark.usefixtures("few_outliers")
def test_evaluate_text_leaves_null_labels_out(capsys, tmp_path):
    data = tmp_path / "data.jsonl"
    lines = [
        {"text": "Hello!", "subject": "greeting", "gesture": "wave", "emotion": None},
        {"text": "The shop opens at nine.", "subject": "information", "gesture": None, "emotion": None},
    ]
    data.write_text("\n".join(map(json.dumps, lines)))
    found = run_json(capsys, "evaluate", "text", "--data", data)
    assert list(found) == [*TASKS, "performed", "gate", "lines", "left_out"]
    assert [found[task]["n"] for task in TASKS] == [2, 1, 0]
    assert [found[task]["not_scored"] for task in TASKS] == [0, 1, 2]
    for task in TASKS:
        assert {"accuracy", "macro_f1", "n"} <= set(found[task])
    assert 0.0 <= found["subject"]["accuracy"] <= 1.0


@pytest.mark.usefixtures("few_outliers")
def test_evaluate_text_counts_the_lines_of_a_split(capsys, tmp_path):
    data = tmp_path / "data.csv"
    data.write_text(
        "text,gesture,split\nHello!,wave,dev\nThe shop opens at nine.,neutral,dev\nYes.,nod,test\n"
    )
    for options, lines in (([], 1), (["--split", "dev"], 2)):
        found = run_json(capsys, "evaluate", "text", "--data", data, *options)
        assert (found["lines"], found["left_out"]) == (lines, 3 - lines)
    assert main(["evaluate", "text", "--data", str(data), "--split", "train"]) == BAD_INPUT
    assert "no line of split 'train'. Known: dev, test" in capsys.readouterr().err


@pytest.mark.usefixtures("few_outliers")
def test_evaluate_text_says_what_was_not_scored_and_draws(capsys, tmp_path):
    pytest.importorskip("matplotlib")
    data, picture = tmp_path / "data.jsonl", tmp_path / "confusion.png"
    data.write_text(json.dumps({"text": "Hello!", "gesture": "nod", "gesture_ok": ["nod", "wave"]}))
    assert main(["evaluate", "text", "--data", str(data), "--confusion", str(picture)]) == 0
    shown = capsys.readouterr().out
    assert "not scored" in shown
    assert "gate: " in shown
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("few_outliers")
def test_evaluate_text_measures_corpora(capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("TEXT2GESTURE_CORPORA", raising=False)
    entry = "{format: utterances, source: me, licence: mine, validation: own.csv}"
    (tmp_path / "corpora.yaml").write_text(f"root: .\ncorpora:\n  own: {entry}\n")
    (tmp_path / "own.csv").write_text("text,gesture\nHello!,wave\nThe shop opens at nine.,\n")
    given = ("evaluate", "text", "--corpora", str(tmp_path / "corpora.yaml"))
    found = run_json(capsys, *given)
    assert (found["part"], list(found["corpora"])) == ("validation", ["own"])
    assert found["together"]["gesture"]["n"] == 1
    assert main(list(given)) == 0
    assert "together" in capsys.readouterr().out


def test_evaluate_data_describes_a_file(capsys, tmp_path, monkeypatch):
    # The language model, which takes a minute to load, has its own tests.
    monkeypatch.setattr(report, "embed", lambda texts, plm: np.eye(len(texts), dtype=np.float32))
    data = tmp_path / "data.csv"
    data.write_text("text,gesture,split\nHello!,wave,train\nThe shop opens at nine.,neutral,test\n")
    found = run_json(capsys, "evaluate", "data", "--data", data, "--output", tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text()) == found
    assert found["lines"] == 2
    assert main(["evaluate", "data", "--data", str(data)]) == 0
    assert "0 pairs have a cosine of 0.9 or more" in capsys.readouterr().out


def test_defaults_are_those_of_the_functions_behind():
    for line, function, names in (
        ("recognize clip", Recogniser, ("model", "threads")),
        ("evaluate recogniser", evaluate_recogniser, ("model", "part")),
        ("evaluate motion", evaluate_motion, ("model", "repetitions", "seed", "recogniser")),
    ):
        given = vars(build_parser().parse_args(line.split()))
        for name in names:
            assert given[name] == signature(function).parameters[name].default, (line, name)
