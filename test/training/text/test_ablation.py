import json
import tempfile
from statistics import mean, stdev

import pytest
from text_cases import change, write_training

from text2gesture_ros.errors import InputError
from text2gesture_ros.labels import TASKS
from text2gesture_ros.training.text import ablation as study
from text2gesture_ros.training.text.ablation import PAPER, RECIPE, ROWS, ablation, table

TRAINED = "gesture+emotion"


@pytest.fixture
def config(tmp_path):
    return change(write_training(tmp_path), heads=list(TASKS), outliers="", epochs=2)


@pytest.fixture
def done(monkeypatch):
    """The runs that were done, which are only pretended: accuracy is seed / 10."""
    done = []

    def do(job):
        done.append((job.row, job.settings.seed))
        accuracy = dict.fromkeys(job.settings.heads, job.settings.seed / 10)
        return {
            "row": job.row, "seed": job.settings.seed, "fingerprint": job.fingerprint, "accuracy": accuracy,
            "epochs": 1, "best_epoch": 1, "seconds": 1.0,
        }  # fmt: skip

    monkeypatch.setattr(study, "_do", do)
    return done


def test_real_runs_score_the_heads_they_trained_and_leave_nothing(config, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    before = set(tmp_path.rglob("*"))
    output = tmp_path / "ablation.json"
    result = ablation(config, config, output, rows=["majority", TRAINED], seeds=2, device="cpu")
    assert set(tmp_path.rglob("*")) - before == {output}
    assert json.loads(output.read_text()) == result
    assert list(result["rows"]) == ["majority", TRAINED]
    assert set(result["rows"][TRAINED]["accuracy"]) == {"gesture", "emotion"}
    assert [(run["row"], run["seed"]) for run in result["runs"]] == [
        ("majority", 1),
        (TRAINED, 1),
        (TRAINED, 2),
    ]
    assert [run["epochs"] for run in result["runs"]] == [0, 2, 2]
    assert result["data"] == {"training": 9, "validation": 3, "test": 1}


def test_mean_and_deviation_of_the_seeds(config, tmp_path, done):
    result = ablation(config, config, tmp_path / "a.json", seeds=3)
    assert sorted(done) == sorted(
        (row, seed) for row in ROWS for seed in (1, 2, 3) if row in (*PAPER, RECIPE) or seed == 1
    )
    for row, figures in result["rows"].items():
        assert figures["paper"] == PAPER.get(row, {})
        seeds = [0.1, 0.2, 0.3] if row in (*PAPER, RECIPE) else [0.1]
        for value in figures["accuracy"].values():
            std = stdev(seeds) if len(seeds) > 1 else None
            assert value == {"mean": mean(seeds), "std": std, "runs": len(seeds)}
    columns, rows = table(result)
    assert [row[0] for row in rows] == list(ROWS)
    assert {len(row) for row in rows} == {len(columns)}
    assert rows[ROWS.index("gesture")][2:] == ["", "", "20.0 ± 10.0", "46.12", "", ""]


def test_what_stands_in_the_file_is_not_done_again(config, tmp_path, done):
    output = tmp_path / "a.json"
    first = ablation(config, config, output, rows=["gesture"], seeds=2)
    del done[:]
    assert ablation(config, config, output, rows=["gesture"], seeds=2) == first
    assert done == []
    second = ablation(config, config, output, rows=["gesture", RECIPE], seeds=3)
    assert sorted(done) == [("gesture", 3), *((RECIPE, seed) for seed in (1, 2, 3))]
    assert [run for run in second["runs"] if run in first["runs"]] == first["runs"]


@pytest.mark.parametrize("what", ["settings", "data"])
def test_other_settings_or_data_are_other_runs(config, tmp_path, done, what):
    output = tmp_path / "a.json"
    ablation(config, config, output, rows=["gesture", RECIPE], seeds=1)
    del done[:]
    if what == "settings":
        recipe = change(config, tmp_path / "recipe.yaml", label_smoothing=0.2)
        expected = [(RECIPE, 1)]
    else:
        with (tmp_path / "data.csv").open("a") as file:
            file.write("hello hello,greeting,wave,positive,train\n")
        recipe, expected = config, [("gesture", 1), (RECIPE, 1)]
    result = ablation(config, recipe, output, rows=["gesture", RECIPE], seeds=1)
    assert done == expected
    assert len(result["runs"]) == 2


def test_an_interruption_keeps_the_runs_before_it(config, tmp_path, done, monkeypatch):
    do = study._do

    def interrupted(job):
        if job.settings.seed == 2:
            raise KeyboardInterrupt
        return do(job)

    output = tmp_path / "a.json"
    with monkeypatch.context() as patch:
        patch.setattr(study, "_do", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ablation(config, config, output, rows=["gesture"], seeds=3)
    ablation(config, config, output, rows=["gesture"], seeds=3)
    assert done == [("gesture", 1), ("gesture", 2), ("gesture", 3)]


def test_files_of_two_halves_make_the_whole(config, tmp_path, done):
    whole = ablation(config, config, tmp_path / "whole.json", rows=["gesture", RECIPE], seeds=2)
    for name, row in (("a", "gesture"), ("b", RECIPE)):
        ablation(config, config, tmp_path / f"{name}.json", rows=[row], seeds=2)
    del done[:]
    assert ablation(config, config, tmp_path / "a.json", rows=[], merge=[tmp_path / "b.json"]) == whole
    assert json.loads((tmp_path / "a.json").read_text()) == whole
    assert done == []


def test_all_rows_have_the_lines_of_the_first_file(config, tmp_path):
    recipe = change(
        config, tmp_path / "recipe.yaml", data=["more.csv"], lines=5, heads=["gesture"], corpora="c.yaml"
    )
    jobs = study._jobs(config, recipe, "cpu")
    assert tuple(jobs) == ROWS
    for job in jobs.values():
        assert (job.settings.data, job.settings.lines, job.settings.corpora) == (["data.csv"], 0, "")
    for row, paper in PAPER.items():
        assert set(jobs[row].settings.heads) == set(paper)
    assert jobs[RECIPE].settings.heads == list(TASKS)


def test_wrong_rows_and_files_are_named(config, tmp_path):
    with pytest.raises(InputError, match=r"unknown row 'gestures'\. Known: majority, .*recipe"):
        ablation(config, config, tmp_path / "a.json", rows=["gestures"])
    for run in ('{"row": "gesture"}', '{"row": "gesture", "seed": 1, "accuracy": {"gesture": 1.0}}'):
        (tmp_path / "a.json").write_text(f'{{"runs": [{run}]}}')
        with pytest.raises(InputError, match=r"a\.json: no file of results"):
            ablation(config, config, tmp_path / "a.json")
    with pytest.raises(InputError, match=r"none\.json: no file of results"):
        ablation(config, config, tmp_path / "b.json", merge=[tmp_path / "none.json"])
