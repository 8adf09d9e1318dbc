import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from robot_cases import ROBOTS, lively, name_of

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.limiting import Limiter
from text2gesture_ros.retargeting import Retargeter
from text2gesture_ros.verification import verify

RATES = [20.0, 60.0, 100.0, 200.0, 1000.0]


def follow(limiter, targets):
    """Return the state before the first step and after every one."""
    states = [limiter.state]
    states += [limiter.step(target) for target in targets]
    return states


def check(robot, states, rate):
    """Check positions by finite differences, the rest by what the limiter says of itself."""
    positions = np.stack([state.position for state in states])
    report = verify(robot, np.arange(len(positions)) / rate, positions)
    assert not report.violations, report.violations[:3]
    for kind in ("velocity", "acceleration"):
        values = np.abs([getattr(state, kind) for state in states])
        assert (values <= getattr(robot, kind) * (1 + 1e-6)).all()


def storm(robot, kind, steps, seed=0):
    """Return targets (steps, N) nobody should ask for."""
    generator = np.random.default_rng(seed)
    shape = (steps, len(robot.joint_names))
    if kind == "white noise":
        return generator.uniform(-4.0, 4.0, shape)
    if kind == "steps":
        return np.repeat(np.where(generator.random((steps // 7 + 1, shape[1])) < 0.5, -9.0, 9.0), 7, 0)[
            :steps
        ]
    if kind == "near the limits":
        return (
            np.where(generator.random(shape) < 0.5, robot.lower, robot.upper)
            + generator.normal(size=shape) * 0.05
        )
    if kind == "broken numbers":
        choice = generator.choice([np.nan, np.inf, -np.inf, 1e300, -1e300, 0.0], size=shape)
        return np.where(generator.random(shape) < 0.5, choice, generator.uniform(-2.0, 2.0, shape))
    fast = Retargeter(robot).motion(lively(robot, 10.0, seed))[::10]
    return np.resize(fast, shape)


@pytest.mark.parametrize("robot", ROBOTS, ids=name_of)
class TestEveryRobot:
    @pytest.mark.parametrize("rate", RATES)
    @pytest.mark.parametrize(
        "kind", ["white noise", "steps", "near the limits", "broken numbers", "ten times too fast"]
    )
    def test_no_limit_is_exceeded_whatever_is_asked(self, robot, rate, kind):
        check(robot, follow(Limiter(robot, 1.0 / rate), storm(robot, kind, 400)), rate)

    @settings(max_examples=25, deadline=None)
    @given(
        seed=st.integers(0, 2**32 - 1),
        rate=st.floats(10.0, 500.0),
        hold=st.integers(1, 30),
        reach=st.floats(0.0, 9.0),
    )
    def test_no_limit_is_exceeded_at_any_rate_and_rhythm(self, robot, seed, rate, hold, reach):
        generator = np.random.default_rng(seed)
        targets = generator.normal(size=(1 + 150 // hold, len(robot.joint_names))) * reach
        check(robot, follow(Limiter(robot, 1.0 / rate), np.repeat(targets, hold, axis=0)), rate)

    def test_it_stands_still_at_rest_before_it_is_asked(self, robot):
        limiter = Limiter(robot, 0.01)
        np.testing.assert_array_equal(limiter.state.position, robot.rest)
        assert limiter.state.still
        np.testing.assert_allclose(limiter.step(robot.rest).position, robot.rest, atol=1e-12)

    def test_it_arrives_and_stands_still(self, robot):
        limiter = Limiter(robot, 0.01)
        follow(limiter, storm(robot, "white noise", 50))
        target = (robot.lower + robot.upper) / 2.0
        states = follow(limiter, np.tile(target, (400, 1)))
        np.testing.assert_allclose(states[-1].position, target, atol=1e-9)
        assert states[-1].still
        assert not states[10].still

    def test_it_stops_from_any_state_by_staying_with_its_target(self, robot):
        for seed in range(5):
            limiter = Limiter(robot, 0.01)
            before = follow(limiter, storm(robot, "steps", 37, seed))
            after = follow(limiter, [np.full(len(robot.joint_names), np.nan)] * 400)
            assert after[-1].still
            check(robot, before + after[1:], 100.0)

    def test_targets_beyond_the_limits_lead_to_the_limits(self, robot):
        states = follow(Limiter(robot, 0.01), np.full((500, len(robot.joint_names)), 100.0))
        np.testing.assert_allclose(states[-1].position, robot.upper, atol=1e-9)
        states = follow(Limiter(robot, 0.01), np.full((500, len(robot.joint_names)), -100.0))
        np.testing.assert_allclose(states[-1].position, robot.lower, atol=1e-9)

    def test_a_number_that_is_none_keeps_only_its_joint(self, robot):
        target = (robot.rest + robot.upper) / 2.0
        broken = target.copy()
        broken[3] = np.nan
        states = follow(Limiter(robot, 0.01), np.tile(broken, (400, 1)))
        expected = target.copy()
        expected[3] = robot.rest[3]
        np.testing.assert_allclose(states[-1].position, expected, atol=1e-9)

    def test_smooth_targets_are_followed_closely(self, robot):
        targets = robot.rest + 0.1 * np.sin(np.arange(300)[:, None] / 100.0 * 3.0) ** 2
        targets = np.clip(targets, robot.lower, robot.upper)
        states = follow(Limiter(robot, 0.01), targets)
        errors = np.abs([state.position for state in states[1:]] - targets)
        assert errors.max() < 0.03

    def test_a_copy_goes_its_own_way(self, robot):
        limiter = Limiter(robot, 0.01)
        follow(limiter, storm(robot, "white noise", 20))
        twin, other = limiter.copy(), limiter.copy()
        targets = storm(robot, "steps", 30, seed=1)
        expected = [state.position for state in follow(other, targets)]
        follow(twin, storm(robot, "white noise", 30, seed=2))
        found = [state.position for state in follow(limiter, targets)]
        np.testing.assert_array_equal(found, expected)

    def test_where_no_way_is_found_the_one_before_is_gone_on(self, robot, monkeypatch):
        import ruckig

        limiter = Limiter(robot, 0.01)
        before = follow(limiter, storm(robot, "steps", 20))
        goal = limiter.target
        real = limiter._planned

        def fail(target):
            raise ruckig.RuckigError("no solution")

        monkeypatch.setattr(limiter, "_planned", fail)
        blind = follow(limiter, storm(robot, "white noise", 100))
        assert limiter.failures == 100
        np.testing.assert_array_equal(limiter.target, goal)
        monkeypatch.setattr(limiter, "_planned", real)
        after = follow(limiter, storm(robot, "white noise", 100, seed=3))
        assert limiter.failures == 100
        check(robot, before + blind[1:] + after[1:], 100.0)

    @pytest.mark.parametrize("period", [0.0, -0.01, np.nan, np.inf, 2.0])
    def test_a_period_out_of_range_is_refused(self, robot, period):
        with pytest.raises(ConfigurationError, match="period"):
            Limiter(robot, period)

    def test_it_starts_anywhere_within_limits(self, robot):
        limiter = Limiter(robot, 0.01)
        limiter.reset(robot.upper + 1.0)
        np.testing.assert_array_equal(limiter.state.position, robot.upper)
        assert limiter.state.still
