import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from robot_cases import ROBOTS, name_of

from text2gesture_ros.control.point_to_point import PointToPoint
from text2gesture_ros.control.trajectory import JointSample, concatenated, standstill
from text2gesture_ros.control.verification import verify
from text2gesture_ros.motion.formats import qianim
from text2gesture_ros.retargeting.reference import JointClip
from text2gesture_ros.retargeting.spline_tracker import SplineTracker
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.skeleton import REFERENCE

RATES = [10.0, 60.0, 100.0]
ANIMATIONS = Path(os.environ.get("TEXT2GESTURE_MOTION", "missing")) / "pepper_qianim"


def infeasible_reference(robot, kind, times, seed=0):
    """Return a reference (R, N) within position limits that breaks other limits."""
    generator = np.random.default_rng(seed)
    shape = (len(times), len(robot.joint_names))
    if kind == "white noise":
        values = generator.uniform(-4.0, 4.0, shape)
    elif kind == "steps":
        values = np.repeat(np.where(generator.random((shape[0] // 7 + 1, shape[1])) < 0.5, -9.0, 9.0), 7, 0)
        values = values[: shape[0]]
    elif kind == "near the limits":
        ends = np.where(generator.random(shape) < 0.5, robot.lower, robot.upper)
        values = ends + generator.normal(size=shape) * 0.05
    elif kind == "frozen":
        values = np.tile(generator.uniform(-2.0, 2.0, shape[1]), (shape[0], 1))
    else:
        phase, rate = generator.uniform(0.0, 6.0, shape[1]), generator.uniform(20.0, 70.0, shape[1])
        values = robot.rest + 0.5 * np.sin(times[:, None] * rate + phase)
    return np.clip(values, robot.lower, robot.upper)


KINDS = ["white noise", "steps", "near the limits", "frozen", "ten times too fast"]


def check(robot, start, samples, rate):
    whole = concatenated(standstill(start.position), samples)
    velocities = np.concatenate([start.velocity[None], samples.velocities])
    report = verify(robot, np.arange(len(whole)) / rate, whole.positions, velocities=velocities)
    assert not report.violations, report.violations[:3]
    assert samples.sample(-1).still


@pytest.mark.parametrize("robot", ROBOTS, ids=name_of)
class TestEveryRobot:
    def test_no_limit_is_exceeded_for_any_reference(self, robot):
        for kind in KINDS:
            rate = RATES[(ROBOTS.index(robot) + KINDS.index(kind)) % len(RATES)]  # every kind at every rate
            tracker = SplineTracker(robot, 1.0 / rate)
            start = standstill(robot.rest).sample(0)
            samples, followed = tracker.follow(start, infeasible_reference(robot, kind, tracker.grid(1.7)))
            check(robot, start, samples, rate)
            assert 1.6 * rate - 1 <= followed <= 1.7 * rate + 1
            assert followed < len(samples)

    @settings(max_examples=6, deadline=None)
    @given(
        seed=st.integers(0, 2**32 - 1),
        rate=st.sampled_from([20.0, 60.0, 100.0, 200.0]),
        kinds=st.lists(st.sampled_from(KINDS), min_size=2, max_size=4),
    )
    @example(seed=497, rate=60.0, kinds=["white noise"] * 3)  # Romeo: the solver stops short of its tolerance
    def test_a_trajectory_can_be_continued_from_any_knot(self, robot, seed, rate, kinds):
        """Also where it is about to stop: its remainder is feasible for the next, if that is no shorter."""
        generator = np.random.default_rng(seed)
        tracker = SplineTracker(robot, 1.0 / rate)
        start = state = standstill(robot.rest).sample(0)
        parts, left = [], 0.0
        for index, kind in enumerate(kinds):
            duration = max(generator.uniform(0.1, 0.6), left)
            found = tracker.follow(
                state, infeasible_reference(robot, kind, tracker.grid(duration), seed + index)
            )
            assert found is not None
            rows = int(generator.integers(1, len(found[0]) // tracker.stride)) * tracker.stride
            parts.append(found[0][:rows])
            state, left = parts[-1].sample(-1), (found[1] - rows + 1) / rate
        parts.append(found[0][rows:])
        check(robot, start, concatenated(*parts), rate)

    def test_it_continues_a_point_to_point_trajectory(self, robot):
        point_to_point, tracker = PointToPoint(robot, 0.01), SplineTracker(robot, 0.01)
        trajectory = point_to_point.trajectory(
            standstill(robot.rest).sample(0), (robot.lower + robot.upper) / 2.0
        )
        for row in range(0, len(trajectory), 3):
            state = trajectory.sample(row)
            samples, _ = tracker.follow(state, infeasible_reference(robot, "white noise", tracker.grid(0.2)))
            check(
                robot, standstill(robot.rest).sample(0), concatenated(trajectory[: row + 1], samples), 100.0
            )

    def test_a_reference_within_the_limits_is_tracked_exactly_and_without_lag(self, robot):
        tracker = SplineTracker(robot, 0.01)
        times = tracker.grid(3.0)
        # From standstill, with less than half of every limit.
        swing = np.minimum(0.3, 0.4 * np.maximum(robot.upper - robot.rest, robot.rest - robot.lower))
        swing = swing * np.where(robot.upper - robot.rest > robot.rest - robot.lower, 1.0, -1.0)
        wave = (1.0 - np.cos(np.pi * times)) ** 2 / 4.0
        samples, followed = tracker.follow(
            standstill(robot.rest).sample(0), robot.rest + wave[:, None] * swing
        )
        now = np.arange(1, followed + 1) * 0.01
        expected = robot.rest + ((1.0 - np.cos(np.pi * now)) ** 2 / 4.0)[:, None] * swing
        np.testing.assert_allclose(samples.positions[:followed], expected, atol=1e-3)

    def test_the_result_does_not_depend_on_the_windows(self, robot):
        tracker = SplineTracker(robot, 0.01)
        reference = robot.rest + 0.1 * np.sin(3.0 * tracker.grid(4.0))[:, None] ** 2
        reference = np.clip(reference, robot.lower, robot.upper)
        long, _ = tracker.follow(standstill(robot.rest).sample(0), reference)
        short, followed = tracker.follow(standstill(robot.rest).sample(0), reference[: 2 * 45])
        np.testing.assert_allclose(
            long.positions[: followed - 10], short.positions[: followed - 10], atol=2e-3
        )

    def test_where_the_solver_fails_none_is_returned(self, robot):
        tracker = SplineTracker(robot, 0.01)
        # Faster than allowed, and beyond the range: nothing within limits continues this.
        state = standstill(robot.upper + 1.0).sample(0)
        assert tracker.follow(state, infeasible_reference(robot, "frozen", tracker.grid(0.3))) is None


def animations():
    return sorted(ANIMATIONS.glob("*.qianim"))


def angles_of(path, monkeypatch):
    """Return the joint angles (T, N) of an animation at 60 frames a second [rad]."""
    seen = []

    def keep(robot, angles):
        seen.append(qianim.joint_angles(robot, angles))
        return np.tile(REFERENCE, (len(seen[-1]), 1, 1))

    monkeypatch.setattr(qianim, "human_of", keep)
    qianim.read_qianim(path)
    return seen[0]


@pytest.mark.skipif(not animations(), reason="TEXT2GESTURE_MOTION has no pepper_qianim")
def test_animations_within_the_limits_are_tracked_exactly(monkeypatch):
    """Each of Pepper's animations, on a Pepper whose limits just allow the animation.

    Exceptions are joints that turn so abruptly between two keys that they need three times Pepper's jerk and
    more: that lasts less than a knot of the plan, which rounds it off by some milliradians.
    """
    pepper, rate, unchanged = load_robot("pepper"), 100.0, 0
    for path in animations():
        angles = angles_of(path, monkeypatch)
        clip = JointClip((path.stem, 0), np.arange(len(angles)) / 60.0, angles, True)
        positions = clip.at(np.arange(int(clip.end * rate + 1e-6) + 1) / rate)
        needed = [np.abs(np.diff(positions, order, axis=0)).max(axis=0) * rate**order for order in (1, 2, 3)]
        names = ("velocity", "acceleration", "jerk")
        robot = replace(
            pepper,
            lower=np.minimum(pepper.lower, positions.min(axis=0)),
            upper=np.maximum(pepper.upper, positions.max(axis=0)),
            **{
                name: np.maximum(getattr(pepper, name), 1.02 * largest)
                for name, largest in zip(names, needed, strict=True)
            },
        )
        tracker = SplineTracker(robot, 1.0 / rate)
        # Some animations are moving in their first frame.
        speed = (4.0 * positions[1] - 3.0 * positions[0] - positions[2]) * rate / 2.0
        turn = (positions[0] - 2.0 * positions[1] + positions[2]) * rate**2
        speed = np.clip(speed, -robot.velocity, robot.velocity)
        start = JointSample(positions[0], speed, np.clip(turn, -robot.acceleration, robot.acceleration))
        samples, followed = tracker.follow(start, clip.at(tracker.grid(clip.end)))
        off = np.abs(samples.positions[:followed] - positions[1 : followed + 1]).max(axis=0)
        smooth = needed[2] <= 3.0 * pepper.jerk
        assert off[smooth].max() <= 1e-3, path.name
        assert off.max() <= 6e-3, path.name
        unchanged += off.max() <= 1e-3
    assert unchanged >= 71
