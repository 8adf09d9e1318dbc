"""Benchmarks measure what they say; how fast anything is, no test asks."""

import json
from datetime import datetime
from types import SimpleNamespace

import pytest

from text2gesture_ros.apps import bench
from text2gesture_ros.apps.cli import main
from text2gesture_ros.errors import ModelError
from text2gesture_ros.labels import GESTURES


def performance(said, intent, frames, trajectory, command):
    """Return what a sentence became, with these times of the first messages [s]."""
    stages = {"classify": intent - said, "generate": frames - intent, "retarget": trajectory - frames}
    commands = () if command is None else (SimpleNamespace(time=command),)
    seen = None if command is None else command + 0.05 - said
    return SimpleNamespace(
        said=said, latency=trajectory - said, stages=stages, commands=commands, visible=seen
    )


SILENT = SimpleNamespace(said=0.0, latency=None, stages={"classify": 0.1}, commands=(), visible=None)


def test_latency_is_told_in_milliseconds_and_stage_by_stage():
    given = [
        performance(0.0, 0.01, 0.02, 0.04, 0.08),
        SILENT,
        performance(1.0, 1.02, 1.05, 1.06, None),
        performance(2.0, 2.01, 2.02, 2.03, 2.10),
    ]
    figures = bench.latency_figures(given)
    assert (figures["gestures"], figures["n"]) == (4, 3)
    assert figures["median_ms"] == pytest.approx(40.0)
    assert figures["p95_ms"] == pytest.approx(58.0)
    medians = {stage: values["median_ms"] for stage, values in figures["stages"].items()}
    assert medians == pytest.approx({"classify": 10, "generate": 10, "retarget": 10})
    assert sum(values["share"] for values in figures["stages"].values()) == pytest.approx(1.0, abs=2e-3)
    assert figures["first_motion"]["median_ms"] == pytest.approx(90.0)
    assert figures["visible"]["median_ms"] == pytest.approx(140.0)


@pytest.mark.parametrize("given", [[], [SILENT]])
def test_latency_of_nothing_is_refused(given):
    with pytest.raises(ModelError, match=f"none of {len(given)}"):
        bench.latency_figures(given)


@pytest.mark.parametrize(
    ("what", "keys"),
    [
        ("generator", {"frames_per_second", "p99_ms", "engine", "threads"}),
        ("text", {"words", "n", "engine", "precision", "threads"}),
    ],
)
def test_figures_are_printed_and_written_with_where_they_come_from(what, keys, capsys, tmp_path):
    file = tmp_path / "figures.json"
    arguments = ["bench", what, "--count", "1", "--json", "--output", str(file)]
    assert main(arguments) == 0
    figures = json.loads(capsys.readouterr().out)
    assert keys <= set(figures)
    assert figures["threads"] == 1
    page = json.loads(file.read_text())
    assert page["figures"] == figures
    assert page["command"] == " ".join(["text2gesture", *arguments])
    assert page["machine"]["cores"] >= 1
    assert datetime.fromisoformat(page["date"]).tzinfo


def test_generator_counts_every_frame_of_every_gesture(capsys):
    assert main(["bench", "generator", "--count", "2", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["clips"] == 2 * len(GESTURES)
    assert figures["frames"] > figures["clips"]
    assert figures["frames_per_second"] > 0.0
    assert figures["p99_ms"] > 0.0


def test_sentences_have_the_lengths_they_stand_for():
    assert {length: len(text.split()) for length, text in bench.SENTENCES.items()} == {
        5: 5,
        12: 12,
        15: 15,
        40: 40,
    }
