import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from robot_cases import ROBOTS, name_of, random_angles

from text2gesture_ros.control.point_to_point import Limiter
from text2gesture_ros.control.trajectory import JointState, Samples, joined, standing
from text2gesture_ros.control.verification import verify
from text2gesture_ros.errors import ConfigurationError

RATES = [20.0, 60.0, 100.0, 200.0, 1000.0]


def check(robot, start, samples, rate):
    """Check positions by finite differences, and what is said of velocities."""
    whole = joined(Samples(*(value[None] for value in vars(start).values())), samples)
    times = np.arange(len(whole)) / rate
    report = verify(robot, times, whole.positions, velocities=whole.velocities)
    assert not report.violations, report.violations[:3]
    assert samples.state(-1).still


def moving(robot, rate, seed):
    """Return a state in the middle of a way, as any plan may leave it."""
    limiter = Limiter(robot, 1.0 / rate)
    one, two = random_angles(robot, 2, seed)
    way = limiter.way(standing(one).state(0), two)
    return way.state(len(way) // 2)


@pytest.mark.parametrize("robot", ROBOTS, ids=name_of)
class TestEveryRobot:
    @settings(max_examples=15, deadline=None)
    @given(
        seed=st.integers(0, 2**32 - 1),
        rate=st.sampled_from(RATES),
        ease=st.floats(0.2, 1.0),
        together=st.one_of(st.none(), st.floats(0.0, 2.0)),
    )
    def test_from_any_way_to_any_target_within_limits(self, robot, seed, rate, ease, together):
        start = moving(robot, rate, seed)
        target = np.random.default_rng(seed).uniform(-4.0, 4.0, len(robot.joint_names))
        # With ease only from standstill: who is faster than that may need the whole range to slow down.
        start = start if ease == 1.0 else standing(start.position).state(0)
        way = Limiter(robot, 1.0 / rate).way(start, target, ease=ease, together=together)
        check(robot, start, way, rate)
        np.testing.assert_array_equal(way.positions[-1], np.clip(target, robot.lower, robot.upper))
        if together is not None and not np.allclose(way.positions[-1], start.position):
            assert len(way) >= int(together * rate)

    @pytest.mark.parametrize("rate", RATES)
    def test_it_turns_round_within_limits_whenever_the_target_changes(self, robot, rate):
        limiter = Limiter(robot, 1.0 / rate)
        generator = np.random.default_rng(0)
        parts, state = [], standing(robot.rest).state(0)
        for _ in range(12):
            way = limiter.way(state, generator.uniform(-9.0, 9.0, len(robot.joint_names)))
            parts.append(way[: max(1, int(rate * 0.13))])
            state = parts[-1].state(-1)
        parts.append(limiter.stop(state))
        check(robot, standing(robot.rest).state(0), joined(*parts), rate)

    @settings(max_examples=15, deadline=None)
    @given(seed=st.integers(0, 2**32 - 1))
    def test_a_stop_is_short(self, robot, seed):
        start = moving(robot, 100.0, seed)
        way = Limiter(robot, 0.01).stop(start)
        check(robot, start, way, 100.0)
        longest = (robot.velocity / robot.acceleration + 4.0 * robot.acceleration / robot.jerk).max()
        assert len(way) * 0.01 <= 1.2 * longest + 0.02

    def test_where_it_is_already_it_stays(self, robot):
        way = Limiter(robot, 0.01).way(standing(robot.rest).state(0), robot.rest, ease=0.5, together=0.0)
        np.testing.assert_array_equal(way.positions, np.tile(robot.rest, (len(way), 1)))

    def test_a_way_gone_backwards_keeps_the_limits_too(self, robot):
        limiter = Limiter(robot, 0.01)
        way = limiter.way(standing(robot.rest).state(0), robot.upper)
        back = Samples(way.positions[::-1], -way.velocities[::-1], way.accelerations[::-1])
        again = limiter.way(back.state(len(back) // 2), robot.upper)
        check(robot, back.state(0), joined(back[1 : len(back) // 2 + 1], again), 100.0)

    @pytest.mark.parametrize("period", [0.0, -0.01, np.nan, np.inf, 2.0])
    def test_a_period_out_of_range_is_refused(self, robot, period):
        with pytest.raises(ConfigurationError, match="period"):
            Limiter(robot, period)

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_where_there_is_no_way_none_is_returned(self, robot, value):
        broken = JointState(robot.rest, np.full_like(robot.rest, value), np.zeros_like(robot.rest))
        assert Limiter(robot, 0.01).way(broken, robot.upper) is None
