"""How benchmarks see what becomes of a robot whose nodes die; one of them, dying."""

import numpy as np
import pytest
from domain_coordinator import domain_id

from benchmarks.faults import kill
from benchmarks.witness import Course, witness


def course(positions, performing):
    times = 0.1 * np.arange(len(positions))
    positions = np.asarray(positions, dtype=float)[:, None]
    return Course(times, times + 5.0, positions, np.gradient(positions, 0.1, axis=0), np.array(performing))


def test_a_course_tells_when_nothing_was_performed_and_when_it_was_at_rest():
    told = course([0.0, 0.2, 0.4, 0.2, 0.1, 0.0, 0.0], [False, True, True, True, False, False, False])
    assert told.settled(since=5.15) == pytest.approx(0.15)
    assert told.home(np.zeros(1), since=5.15) == pytest.approx(0.25)
    assert told.settled(since=5.45) == told.home(np.zeros(1), since=5.45) == 0.0
    assert course([0.0, 0.1], [True, True]).settled(since=5.0) is None
    assert course([0.0, 0.1], [True, True]).home(np.zeros(1), since=5.0) is None


def test_a_course_is_smooth_between_its_samples():
    times = np.linspace(0.0, 1.0, 6)
    cubic = np.polynomial.Polynomial([0.3, -1.0, 2.0, 0.5])
    told = Course(times, times, cubic(times)[:, None], cubic.deriv()(times)[:, None], np.ones(6, dtype=bool))
    for time in (0.0, 0.13, 0.5, 0.99):
        position, velocity = told.at(time)
        assert position[0] == pytest.approx(cubic(time))
        assert velocity[0] == pytest.approx(cubic.deriv()(time))
    position, velocity = told.at(7.0)
    assert (position[0], velocity[0]) == (pytest.approx(cubic(1.0)), 0.0)


def test_a_retargeter_that_is_killed_leaves_a_robot_that_settles_and_goes_on_from_where_it_is():
    with domain_id() as domain, witness("pepper", domain=domain) as watched:
        seen = kill(watched, "gesture_retargeter", 0)
    assert not seen["violations"]
    assert seen["settled_s"] is not None
    assert seen["jump"] < 1e-6
    assert seen["at_rest"]
    assert seen["latency_s"] is not None
