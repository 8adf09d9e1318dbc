import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from robot_cases import ROBOTS, name_of, random_angles

from text2gesture_ros.control.point_to_point import PointToPoint
from text2gesture_ros.control.trajectory import JointSample, SampledTrajectory, concatenated, standstill
from text2gesture_ros.control.verification import verify
from text2gesture_ros.errors import ConfigurationError

RATES = [20.0, 60.0, 100.0, 200.0, 1000.0]


def check(robot, start, samples, rate):
    """Check positions by finite differences, and that velocities belong to them."""
    whole = concatenated(SampledTrajectory(*(value[None] for value in vars(start).values())), samples)
    times = np.arange(len(whole)) / rate
    report = verify(robot, times, whole.positions, velocities=whole.velocities)
    assert not report.violations, report.violations[:3]
    assert samples.sample(-1).still


def moving(robot, rate, seed):
    """Return a state in the middle of a trajectory, as when a plan is replaced."""
    planner = PointToPoint(robot, 1.0 / rate)
    one, two = random_angles(robot, 2, seed)
    trajectory = planner.trajectory(standstill(one).sample(0), two)
    return trajectory.sample(len(trajectory) // 2)


@pytest.mark.parametrize("robot", ROBOTS, ids=name_of)
class TestEveryRobot:
    @settings(max_examples=15, deadline=None)
    @given(
        seed=st.integers(0, 2**32 - 1),
        rate=st.sampled_from(RATES),
        speed_scale=st.floats(0.2, 1.0),
        min_duration=st.one_of(st.none(), st.floats(0.0, 2.0)),
    )
    def test_from_any_state_to_any_target_within_limits(self, robot, seed, rate, speed_scale, min_duration):
        start = moving(robot, rate, seed)
        target = np.random.default_rng(seed).uniform(-4.0, 4.0, len(robot.joint_names))
        # A speed scale only from standstill: a faster start may need the whole range to slow down.
        start = start if speed_scale == 1.0 else standstill(start.position).sample(0)
        trajectory = PointToPoint(robot, 1.0 / rate).trajectory(
            start, target, speed_scale=speed_scale, min_duration=min_duration
        )
        check(robot, start, trajectory, rate)
        np.testing.assert_array_equal(trajectory.positions[-1], np.clip(target, robot.lower, robot.upper))
        if min_duration is not None and not np.allclose(trajectory.positions[-1], start.position):
            assert len(trajectory) >= int(min_duration * rate)

    def test_a_change_of_the_target_keeps_the_limits(self, robot):
        for rate in RATES:
            planner = PointToPoint(robot, 1.0 / rate)
            generator = np.random.default_rng(0)
            parts, state = [], standstill(robot.rest).sample(0)
            for _ in range(12):
                trajectory = planner.trajectory(state, generator.uniform(-9.0, 9.0, len(robot.joint_names)))
                parts.append(trajectory[: max(1, int(rate * 0.13))])
                state = parts[-1].sample(-1)
            parts.append(planner.stop(state))
            check(robot, standstill(robot.rest).sample(0), concatenated(*parts), rate)

    @settings(max_examples=15, deadline=None)
    @given(seed=st.integers(0, 2**32 - 1))
    def test_a_stop_is_short(self, robot, seed):
        start = moving(robot, 100.0, seed)
        trajectory = PointToPoint(robot, 0.01).stop(start)
        check(robot, start, trajectory, 100.0)
        longest = (robot.velocity / robot.acceleration + 4.0 * robot.acceleration / robot.jerk).max()
        assert len(trajectory) * 0.01 <= 1.2 * longest + 0.02

    def test_at_the_target_it_stays(self, robot):
        trajectory = PointToPoint(robot, 0.01).trajectory(
            standstill(robot.rest).sample(0), robot.rest, speed_scale=0.5, min_duration=0.0
        )
        np.testing.assert_array_equal(trajectory.positions, np.tile(robot.rest, (len(trajectory), 1)))

    def test_a_reversed_trajectory_can_be_continued_within_limits(self, robot):
        planner = PointToPoint(robot, 0.01)
        trajectory = planner.trajectory(standstill(robot.rest).sample(0), robot.upper)
        back = SampledTrajectory(
            trajectory.positions[::-1], -trajectory.velocities[::-1], trajectory.accelerations[::-1]
        )
        again = planner.trajectory(back.sample(len(back) // 2), robot.upper)
        check(robot, back.sample(0), concatenated(back[1 : len(back) // 2 + 1], again), 100.0)

    def test_a_period_out_of_range_is_refused(self, robot):
        for period in [0.0, -0.01, np.nan, np.inf, 2.0]:
            with pytest.raises(ConfigurationError, match="period"):
                PointToPoint(robot, period)

    def test_where_there_is_no_trajectory_none_is_returned(self, robot):
        for value in [np.nan, np.inf]:
            broken = JointSample(robot.rest, np.full_like(robot.rest, value), np.zeros_like(robot.rest))
            assert PointToPoint(robot, 0.01).trajectory(broken, robot.upper) is None
