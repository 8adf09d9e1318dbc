"""How much is done and left is said within the first minute, and is right where work goes on steadily."""

import logging
from itertools import pairwise

import pytest

from text2gesture_ros.training import pace
from text2gesture_ros.training.pace import Plan, Stage, TrainingPace, duration, paced


class Time:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    clock = Time()
    monkeypatch.setattr(pace, "time", clock)
    return clock


@pytest.mark.parametrize("each", [0.5, 2.0, 7.0])
def test_no_minute_is_silent_and_what_is_left_is_right(
    time: Time, each: float, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    said, done = [0.0], 0
    for _ in paced(range(400), "clips"):
        time.now += each
        done += 1
        if len(caplog.messages) >= len(said):
            said.append(time.now)
    assert done == 400
    assert said[1] <= 10.0 + 2 * each
    assert max(later - earlier for earlier, later in pairwise(said)) <= 30.0 + 2 * each
    number = int(caplog.messages[-1].split()[1])
    assert caplog.messages[-1] == f"clips: {number} of 400, about {duration(each * (400 - number))} left"


def test_quick_work_says_nothing(time: Time, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert list(paced(range(100), "clips")) == list(range(100))
    assert not caplog.messages


def test_what_is_left_counts_every_stage(time: Time, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    found = TrainingPace((Stage("first", 1, 10), Stage("second", 3, 20)))
    for epoch, each in ((0, 2.0), (1, 5.0), (2, 5.0)):
        for _ in found.over(range(10 if epoch == 0 else 20), epoch):
            time.now += each
    assert found.per_batch() == pytest.approx({"first": 2.0, "second": 5.0})
    assert "first, epoch 1 of 1, batch 5 of 10: about 10 s left, and then the second" in caplog.messages
    assert any("second, epoch 1 of 3" in line for line in caplog.messages)
    done = int(caplog.messages[-1].split("batch ")[1].split()[0])
    left = duration(5.0 * (20 - done + 20))
    assert caplog.messages[-1] == f"second, epoch 2 of 3, batch {done} of 20: about {left} left"


def test_a_plan_adds_up() -> None:
    stages = (Stage("one", 2, 10), Stage("two", 3, 5))
    plan = Plan({"nod": 4}, 1, 7.0, stages, {"one": 1.0, "two": 2.0})
    assert plan.seconds == pytest.approx(7.0 + 20.0 + 30.0)
    assert [duration(seconds) for seconds in (5.0, 600.0, 36_000.0)] == ["5 s", "10 min", "10.0 h"]
