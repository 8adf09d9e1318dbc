"""The judges of the soak find what is wrong and accuse nothing that is right."""

import numpy as np
import pytest
from robot_cases import ROBOTS, name_of

from benchmarks import motions
from benchmarks.judging import CLEARANCE, KINDS, _between, clearance, judge, judge_continuity
from benchmarks.soak_retarget import Take, raw
from text2gesture_ros.robots.robot_file import load_robot

RATE = 100.0


def swing(robot, part, joint=0):
    """Return a sine (S, N) about the middle of a joint's range that uses `part` of each of its limits."""
    velocity, acceleration, jerk = robot.velocity[joint], robot.acceleration[joint], robot.jerk[joint]
    frequency = min(acceleration / velocity, jerk / acceleration)
    reach = (robot.upper - robot.lower)[joint] / 2.0
    amplitude = min(reach, velocity / frequency, acceleration / frequency**2, jerk / frequency**3)
    positions = np.tile(robot.rest, (400, 1))
    positions[:, joint] = (robot.upper + robot.lower)[joint] / 2.0
    positions[:, joint] += part * amplitude * np.sin(frequency * np.arange(400) / RATE)
    return positions


def test_segments_are_as_far_apart_as_their_nearest_points():
    generator = np.random.default_rng(0)
    ends = generator.normal(size=(4, 60, 3))
    ends[1, :6] = ends[0, :6]  # balls
    ends[3, 3:9] = ends[2, 3:9]
    ends[3, 9:20] = ends[2, 9:20] + (ends[1] - ends[0])[9:20]  # parallel
    steps = np.linspace(0.0, 1.0, 201)[:, None, None]
    one, other = (start + steps * (end - start) for start, end in (ends[:2], ends[2:]))
    sampled = np.linalg.norm(one[:, None] - other[None], axis=-1).min(axis=(0, 1))
    exact = _between(*ends)
    assert (exact <= sampled + 1e-9).all()
    assert exact == pytest.approx(sampled, abs=0.02)


@pytest.mark.parametrize("robot", ROBOTS, ids=name_of)
def test_motion_within_limits_is_not_accused_and_motion_beyond_is(robot):
    allowed, beyond = swing(robot, 0.99), swing(robot, 1.03)
    for positions, excess in ((allowed, False), (beyond, True)):
        verdict = judge(robot, positions, np.arange(len(positions)) / RATE, before=3)
        found = {kind for kind in KINDS[:5] if verdict.violations[kind]}
        assert bool(found) == excess, found


@pytest.mark.parametrize("robot", ROBOTS, ids=name_of)
def test_so_it_is_where_samples_are_left_out(robot):
    kept = np.flatnonzero(np.random.default_rng(1).random(len(swing(robot, 0.99))) < 0.7)
    for share, excess in ((0.99, False), (1.3, True)):
        verdict = judge(robot, swing(robot, share)[kept], kept / RATE, before=3)
        assert bool([kind for kind in KINDS[:5] if verdict.violations[kind]]) == excess


def test_each_kind_is_found():
    robot = load_robot("pepper")
    still, times = np.tile(robot.rest, (50, 1)), np.arange(50) / RATE
    assert not sum(judge(robot, still, times).violations.values())
    for kind, size in (("finite", np.nan), ("position", 3.0), ("velocity", 0.2)):
        wrong = still.copy()
        wrong[20, 0] += size
        assert judge(robot, wrong, times).violations[kind]
    velocities = np.zeros_like(still)
    assert not sum(judge_continuity(robot, velocities, velocities, still, times).violations.values())
    velocities[25:, 1] = 1.0
    assert judge_continuity(robot, velocities, np.zeros_like(still), still, times).violations["continuity"]


def test_hands_that_meet_are_found():
    robot = load_robot("pepper")
    names = dict(zip(robot.joint_names, range(len(robot.joint_names)), strict=True))
    crossed = np.tile(robot.rest, (2, 1))
    for side, sign in (("L", 1.0), ("R", -1.0)):
        crossed[1, names[f"{side}ShoulderPitch"]] = 0.8
        crossed[1, names[f"{side}ShoulderRoll"]] = sign * 0.01
        crossed[1, names[f"{side}ElbowYaw"]] = 0.0
        crossed[1, names[f"{side}ElbowRoll"]] = sign * -1.4
    apart, near = clearance(robot, crossed)
    assert apart > CLEARANCE > near


def test_the_closed_form_alone_fails():
    robot = load_robot("pepper")
    take = Take(0.1, motions.noisy(motions.conversation(10.0, crossing=True)), motions.RATE, complete=True)
    found = judge(robot, raw(robot, [take], 1000, RATE), np.arange(1000) / RATE).violations
    assert all(found[kind] for kind in ("velocity", "acceleration", "jerk", "clearance"))
