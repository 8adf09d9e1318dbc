import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from robot_cases import ROBOTS, name_of, random_angles

from text2gesture_ros.control.verification import KINDS, Verifier, verify
from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.robots.clearance import Clearance

RATE = 100.0


def smooth(robot, times, part=0.5):
    """Return a sinusoidal motion (T, N) that reaches the ratio `part` of its tightest limit."""
    frequency = 2.0
    reach = np.minimum(robot.upper - robot.rest, robot.rest - robot.lower)
    middle = np.where(reach < 0.05, (robot.upper + robot.lower) / 2.0, robot.rest)
    swing = part * np.minimum.reduce(
        [
            0.9 * np.minimum(robot.upper - middle, middle - robot.lower),
            robot.velocity / frequency,
            robot.acceleration / frequency**2,
            robot.jerk / frequency**3,
        ]
    )
    return middle + swing * np.sin(frequency * np.asarray(times)[:, None])


def polynomial(robot, kind, times, part):
    """Return a motion whose derivative `kind` is `part` of its limit, about the middle of the range."""
    order = ("position", "velocity", "acceleration", "jerk").index(kind)
    span = times - times.mean()
    middle = (robot.upper + robot.lower) / 2.0
    if order == 0:
        return np.tile(middle + part * (robot.upper - robot.lower) / 2.0, (len(times), 1))
    factorial = (1.0, 1.0, 2.0, 6.0)[order]
    return middle + part * getattr(robot, kind) / factorial * span[:, None] ** order


@pytest.mark.parametrize("robot", ROBOTS, ids=name_of)
class TestEveryRobot:
    @settings(max_examples=25, deadline=None)
    @given(seed=st.integers(0, 2**32 - 1), rate=st.floats(5.0, 1000.0), part=st.floats(0.0, 1.0))
    def test_a_motion_within_limits_is_never_rejected_at_any_sampling(self, robot, seed, rate, part):
        gaps = np.random.default_rng(seed).uniform(0.5, 1.5, 200) / rate
        times = np.cumsum(gaps)
        report = verify(robot, times, smooth(robot, times, part))
        assert not report.violations
        assert report.samples == 200
        assert max(report.worst.values()) <= 1.0 + 1e-6

    @pytest.mark.parametrize("kind", ["position", "velocity", "acceleration", "jerk"])
    def test_each_exceeded_limit_is_found(self, robot, kind):
        for rate in (20.0, 100.0, 1000.0):
            # So short that the lower derivatives stay far below their limits.
            times = np.arange(4) / rate
            kept = verify(robot, times, polynomial(robot, kind, times, 0.999))
            assert not [violation for violation in kept.violations if violation.kind == kind]
            assert kept.worst[kind] == pytest.approx(0.999, rel=2e-3)
            # At a high rate the rounding error of jerk is large relative to a small limit.
            excess = 1.2 if (kind, rate) == ("jerk", 1000.0) else 1.02
            for sign in (1.0, -1.0):
                broken = verify(robot, times, polynomial(robot, kind, times, sign * excess))
                found = [violation for violation in broken.violations if violation.kind == kind]
                assert {violation.joint for violation in found} == set(robot.joint_names)
                assert broken.counts[kind] == len(found)
                assert broken.worst[kind] == pytest.approx(excess, rel=2e-3)
                for violation in found:
                    assert abs(violation.value) > abs(violation.limit) or kind == "position"

    def test_one_bad_sample_is_named_by_joint_and_time(self, robot):
        times = np.arange(100) / RATE
        positions = smooth(robot, times)
        positions[50, 2] += 0.5
        report = verify(robot, times, positions)
        assert {violation.joint for violation in report.violations} == {robot.joint_names[2]}
        assert {violation.kind for violation in report.violations} >= {"velocity", "acceleration", "jerk"}
        assert all(0.5 <= violation.time <= 0.53 + 1e-9 for violation in report.violations)
        assert robot.joint_names[2] in str(report.violations[0])

    def test_values_that_are_not_finite_are_found(self, robot):
        for value in [np.nan, np.inf, -np.inf]:
            times = np.arange(30) / RATE
            positions = smooth(robot, times)
            positions[7, 1] = value
            report = verify(robot, times, positions)
            assert [(v.kind, v.joint, v.time) for v in report.violations if v.kind == "finite"] == [
                ("finite", robot.joint_names[1], times[7])
            ]
            assert report.worst["finite"] > 0.0

    def test_a_jump_is_found(self, robot):
        times = np.arange(20) / RATE
        positions = np.tile(robot.rest, (20, 1))
        middle = (robot.upper + robot.lower) / 2.0
        positions[10:, 0] = middle[0] + 0.2
        assert verify(robot, times, positions).counts["velocity"] == 1

    def test_rounding_to_nine_digits_is_no_violation(self, robot):
        times = np.round(np.arange(300) / 60.0, 9)
        positions = np.round(smooth(robot, times, 0.999), 9)
        assert not verify(robot, times, positions).violations

    def test_times_since_1970_are_no_violation(self, robot):
        times = np.arange(300) / 60.0
        assert not verify(robot, 1.7e9 + times, smooth(robot, times, 0.99)).violations

    def test_a_single_sample_has_a_position_only(self, robot):
        assert not verify(robot, [0.0], robot.rest[None]).violations
        assert verify(robot, [0.0], robot.upper[None] + 1.0).counts["position"] == len(robot.joint_names)

    def test_times_that_do_not_increase_are_refused(self, robot):
        for times in [[0.0, 0.0], [1.0, 0.0], [0.0, np.nan], [0.0, np.inf]]:
            with pytest.raises(InputError, match="times"):
                verify(robot, times, np.tile(robot.rest, (2, 1)))

    def test_shapes_that_do_not_fit_are_refused(self, robot):
        for times, positions in (([0.0], np.zeros((2, len(robot.joint_names)))), ([], np.zeros((0, 3)))):
            with pytest.raises(InputError, match="positions"):
                verify(robot, times, positions)

    def test_sample_by_sample_finds_what_the_whole_finds(self, robot):
        times = np.arange(200) / RATE
        good = smooth(robot, times, 0.999)
        verifier = Verifier(robot, 1.0 / RATE)
        assert not any(verifier.check(position) for position in good)
        for kind in ("position", "velocity", "acceleration", "jerk"):
            short = np.arange(4) / RATE
            bad = polynomial(robot, kind, short, 1.02)
            verifier = Verifier(robot, 1.0 / RATE)
            found = {violation.kind for position in bad for violation in verifier.check(position)}
            assert kind in found

    def test_a_sample_that_is_not_finite_does_not_pass(self, robot):
        for value in [np.nan, np.inf]:
            verifier = Verifier(robot, 1.0 / RATE)
            position = robot.rest.copy()
            position[0] = value
            assert {violation.kind for violation in verifier.check(position)} == {"finite"}
            assert not verifier.check(robot.rest)

    def test_a_failing_sample_does_not_become_history(self, robot):
        verifier = Verifier(robot, 1.0 / RATE)
        for _ in range(4):
            assert not verifier.check(robot.rest)
        jump = (robot.rest + robot.upper) / 2.0
        for _ in range(3):
            assert verifier.check(jump)
        assert not verifier.check(robot.rest)
        verifier.reset()
        assert not verifier.check(jump)

    def test_velocities_that_do_not_belong_to_the_positions_are_found(self, robot):
        times = np.arange(100) / RATE
        positions = smooth(robot, times, 0.9)
        velocities = 2.0 * (positions - smooth(robot, times - 1e-6, 0.9)) / 2e-6
        assert not verify(robot, times, positions, velocities=velocities).violations
        velocities[40, 1] += 0.05
        found = verify(robot, times, positions, velocities=velocities).violations
        assert {(v.kind, v.joint) for v in found} == {("continuity", robot.joint_names[1])}

    def test_a_body_that_touches_itself_is_found(self, robot):
        clearance = Clearance(robot)
        angles = random_angles(robot, 400)
        distances = clearance.distances(angles).min(axis=-1, initial=np.inf)
        nearest = int(distances.argmin())
        times = np.arange(3.0)
        positions = np.stack([robot.rest, angles[nearest], robot.rest])
        report = verify(robot, times, positions, clearance=clearance, min_clearance=distances[nearest] + 1e-6)
        (found,) = [violation for violation in report.violations if violation.kind == "clearance"]
        assert found.time == 1.0
        assert report.clearance == found.value == pytest.approx(distances[nearest])
        assert all(part in {c.name for c in robot.capsules} for part in found.joint.split(" and "))
        assert not verify(robot, times, positions).counts["clearance"]

    def test_a_plan_is_judged_with_what_it_continues(self, robot):
        verifier = Verifier(robot, 1.0 / RATE, Clearance(robot))
        before = np.tile(robot.rest, (3, 1))
        still = np.tile(robot.rest, (20, 1))
        assert not verifier.judge(before, still, np.zeros_like(still), 0.0).violations
        jump = verifier.judge(before, still + 0.01, np.zeros_like(still), -1.0)
        assert {violation.kind for violation in jump.violations} >= {"acceleration", "jerk"}
        unknown = np.where(np.arange(20)[:, None] == 7, np.nan, np.zeros_like(still))
        assert verifier.judge(before, still, unknown, 0.0).counts["finite"] == still.shape[1]
        assert not verifier.judge(before[:0], still, np.zeros_like(still), 0.0).violations
        # Violations before the plan are not its own.
        assert not verifier.judge([before[0] + 0.3, before[1]], still, np.zeros_like(still), 0.0).counts[
            "velocity"
        ]

    def test_a_period_out_of_range_is_refused(self, robot):
        for period in [0.0, -1.0, np.nan, np.inf]:
            with pytest.raises(ConfigurationError, match="period"):
                Verifier(robot, period)


def test_kinds_are_counted_even_when_there_are_none():
    robot = ROBOTS[0]
    assert verify(robot, [0.0], robot.rest[None]).counts == dict.fromkeys(KINDS, 0)
