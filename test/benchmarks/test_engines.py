"""What comparisons of engines share, and their commands."""

import json
import sys
from contextlib import ExitStack
from functools import partial

import pytest

from benchmarks import motion_engines, text_engines
from benchmarks.engines import Worker, load_all
from text2gesture_ros.errors import ConfigurationError


class Loading:
    """A worker that loads, or cannot."""

    def __init__(self, error: str = "") -> None:
        self.error, self.closed = error, False

    def ask(self, request: dict) -> dict:
        if self.error:
            raise ConfigurationError(self.error)
        return {"load_s": 0.1}

    def close(self) -> None:
        self.closed = True


def test_an_engine_whose_process_has_ended_says_so_whenever_it_is_asked():
    worker = Worker("json", {})  # a package, which is no program
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="ended with status 1"):
            worker.ask({"do": "load"})
    worker.close()


def test_an_engine_that_fails_with_any_number_of_threads_is_left_out():
    workers = {("a", 1): Loading(), ("b", 1): Loading(), ("b", 2): Loading("no"), ("c", 1): Loading("gone")}
    starts = [(name, number, partial(dict.get, workers, (name, number))) for name, number in workers]
    found = {name: {"threads": {}} for name in "abc"}
    with ExitStack() as stack:
        assert list(load_all(starts, found, "a", stack)) == [("a", 1)]
    assert found == {
        "a": {"threads": {1: {"load_s": 0.1}}},
        "b": {"error": "no"},
        "c": {"error": "gone"},
    }
    assert all(worker.closed for worker in workers.values())
    with ExitStack() as stack, pytest.raises(ConfigurationError, match="c: gone"):
        load_all(starts, {name: {"threads": {}} for name in "abc"}, "c", stack)


@pytest.mark.parametrize(
    ("module", "given"),
    [(text_engines, {"data": "own.csv"}), (motion_engines, {"engine": "ORT float32, as shipped"})],
    ids=["text", "motion"],
)
def test_a_comparison_is_a_command_that_writes_its_figures(module, given, tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(module, "compare", lambda *args, **named: asked.append((args, named)) or {"n": 1})
    monkeypatch.setattr(module, "rows", lambda figures: [["row of it", *[""] * (len(module.ROWS) - 1)]])
    file = tmp_path / "figures.json"
    options = [word for name, value in given.items() for word in (f"--{name}", value)]
    line = ["--count", "2", "--rounds", "3", "--model", "mine", *options, "--output", str(file)]
    monkeypatch.setattr(sys, "argv", ["it", *line])
    assert module.main() == 0
    assert asked[0][0] == ("mine", 2, 3)
    assert "row of it" in capsys.readouterr().out
    page = json.loads(file.read_text())
    assert page["figures"] == {"n": 1}
    assert page["command"] == " ".join([f"python -m {module.__name__}", *line])


@pytest.mark.parametrize(
    ("module", "line", "said"),
    [
        (text_engines, ["--model", "none"], "no model 'none'"),
        (text_engines, ["--data", "missing.csv"], "missing.csv"),
        (motion_engines, ["--engine", "abacus"], "unknown engine 'abacus'"),
        (motion_engines, ["--sizes", "missing.yaml"], "missing.yaml"),
        (motion_engines, ["--output", "no/such/figures.json"], "no directory no/such"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(module, line, said, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["it", *line])
    assert module.main() == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_comparison_takes_positive_numbers_alone(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["it", "--rounds", "0"])
    with pytest.raises(SystemExit, match="2"):
        text_engines.main()
