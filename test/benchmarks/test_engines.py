"""What comparisons of engines share."""

from contextlib import ExitStack
from functools import partial

import pytest

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
