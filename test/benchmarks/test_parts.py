"""A measurement that was stopped goes on, and what it writes tells where it comes from."""

import json

import pytest

from benchmarks.parts import measured, spread, written


def test_what_was_measured_before_is_not_measured_again(tmp_path, capsys):
    output = tmp_path / "figures.json"
    asked = []

    def measure(task):
        if task == "third" and "again" not in asked:
            raise KeyboardInterrupt
        asked.append(task)
        return {"length": len(task)}

    tasks = ["first", "second", "third"]
    with pytest.raises(KeyboardInterrupt):
        measured(output, tasks, measure)
    asked.append("again")
    assert measured(output, tasks, measure) == [{"length": 5}, {"length": 6}, {"length": 5}]
    assert asked == ["first", "second", "again", "third"]
    written(output, "lengths", {"sum": 16})
    assert json.loads(capsys.readouterr().out) == {"sum": 16}
    page = json.loads(output.read_text())
    assert page["figures"] == {"sum": 16}
    assert page["command"].startswith("python -m benchmarks.lengths")
    assert list(tmp_path.iterdir()) == [output]


def test_a_spread_tells_what_was_missed():
    assert spread([0.1, None, 0.3]) == {"median": 0.2, "p95": 0.29, "max": 0.3, "missed": 1}
    assert spread([None]) == {"missed": 1}
