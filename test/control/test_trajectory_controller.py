"""Motion of joints that joint_trajectory_controller moves along the announced trajectories.

The controller is modelled after its documentation (control.ros.org, "Trajectory Representation" and
"Trajectory Replacement"): between points it interpolates by cubics where they tell positions and velocities,
by quintics where they tell accelerations too. A new trajectory takes the place of the old one as it arrives.
Either the old one is forgotten and the controller goes from where it is to the first point of the new one, or
the old one is followed until that point is due.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from numpy.polynomial.polynomial import polyder, polyval
from robot_cases import ROBOTS, blocks_of, lively

from text2gesture_ros.control.handover import LocalExchange
from text2gesture_ros.control.loop import ControlLoop
from text2gesture_ros.control.ownership import JointOwnership
from text2gesture_ros.control.verification import verify
from text2gesture_ros.retargeting.executor import DEFAULTS
from text2gesture_ros.retargeting.planner import Planner
from text2gesture_ros.retargeting.progress import UtteranceTracker

NAMES = ("g1", "nao", "pepper")
CHOSEN = {robot.name: robot for robot in ROBOTS if robot.name in NAMES}
RATE = 100.0  # of the commands [Hz]
CONTROLLER_RATE = 1000.0  # [Hz]
SECONDS = 5.5  # of a simulation
AHEAD = 0.2  # time from the arrival of a block to its due time [s]
INSTANT = 1e-7  # [s]
# A quintic that agrees with a motion in position, velocity and acceleration at both ends has, as its third
# derivative, the projection of the motion's jerk on the quadratics (its moments are the same). That may be
# larger than the jerk by the norm of Legendre's projection of second degree.
JERK_BETWEEN_POINTS = 2.176


class TrajectoryController:
    """A joint_trajectory_controller that commands positions, open loop."""

    def __init__(self, place, *, quintic, blending):
        zero = np.zeros_like(place)
        self.quintic, self.blending = quintic, blending
        self.times, self.points = np.array([-np.inf]), np.stack([place, zero, zero])[None]  # (P,), (P, 3, N)

    def receive(self, announced, start, now):
        """Take an announcement that was made at `start` and arrives `now` [s]."""
        times = start + announced.times
        points = np.stack([announced.positions, announced.velocities, announced.accelerations], axis=1)
        ahead = int(np.searchsorted(times, now, side="right"))
        if self.blending and ahead < len(times):
            times, points = times[ahead:], points[ahead:]
            kept = self.times < times[0]
            self.times = np.concatenate([self.times[kept], times])
            self.points = np.concatenate([self.points[kept], points])
        elif ahead:
            self.times, self.points = times[ahead - 1 :], points[ahead - 1 :]
        else:
            self.points = np.concatenate([self.sample(np.array([now])), points])
            self.times = np.array([now, *times])

    def sample(self, times):
        """Return positions, velocities and accelerations (T, 3, N) at times (T,) [s]."""
        index = np.searchsorted(self.times, times, side="right") - 1
        result = self.points[index].copy()
        within = (index + 1 < len(self.times)) & np.isfinite(self.times[index])
        index = index[within]
        span, passed = (self.times[index + 1] - self.times[index])[:, None], times[within] - self.times[index]
        (p0, v0, a0), (p1, v1, a1) = (self.points[row].swapaxes(0, 1) for row in (index, index + 1))
        # Remaining change of position, velocity and acceleration after the lower powers.
        if self.quintic:
            position = p1 - p0 - span * v0 - span**2 / 2.0 * a0
            velocity, acceleration = v1 - v0 - span * a0, a1 - a0
            powers = [
                p0,
                v0,
                a0 / 2.0,
                (10.0 * position - 4.0 * span * velocity + span**2 / 2.0 * acceleration) / span**3,
                (-15.0 * position + 7.0 * span * velocity - span**2 * acceleration) / span**4,
                (6.0 * position - 3.0 * span * velocity + span**2 / 2.0 * acceleration) / span**5,
            ]
        else:
            position, velocity = p1 - p0 - span * v0, v1 - v0
            powers = [
                p0,
                v0,
                (3.0 * position - span * velocity) / span**2,
                (-2.0 * position + span * velocity) / span**3,
            ]
        for order in range(3):
            derivative = np.stack(polyder(powers, order))
            result[within, order] = polyval(passed[:, None], derivative, tensor=False)
        return result


@cache
def announced(name, lead=1):
    """Return what is commanded (P, N) [rad] and announced, by tick, of gestures that interrupt each other.

    Args:
        name: of the robot.
        lead: periods from the announcement of a trajectory to where it leaves the one before.
    """
    robot = CHOSEN[name]
    ownership, exchange = JointOwnership(robot, DEFAULTS), LocalExchange()
    loop = ControlLoop(ownership, 1.0 / RATE, exchange)
    planner = Planner(ownership, loop.buffer, loop.clock, UtteranceTracker())
    planner.lead = lead
    clips = [
        blocks_of(lively(robot, 1.5, seed), 0.3 + 0.9 * seed, utterance_id=str(seed)) for seed in range(3)
    ]
    blocks = sorted((block for clip in clips for block in clip), key=lambda block: block.due)
    commands, announcements = [], {}
    for tick in range(round(SECONDS * RATE)):
        now = tick / RATE
        loop.begin(now)
        while blocks and blocks[0].due - AHEAD <= now:
            planner.receive(blocks.pop(0))
        commands.append(loop.tick(now).position)
        planner.advance()
        if (plan := planner.plan()) is not None:
            exchange.offer(plan)
            loop.take_over()
            announcements[tick] = loop.look_ahead(now)
    return np.stack(commands), announcements


@dataclass
class Simulation:
    """Commands, and the motion that a controller makes of them.

    Attributes:
        times: (T,) [s].
        states: (T, 3, N) positions, velocities and accelerations of the joints.
        jumps: (P, N) by how much the acceleration jumps at each command [rad/s^2].
        commands: (P, N) positions [rad].
    """

    times: np.ndarray
    states: np.ndarray
    jumps: np.ndarray
    commands: np.ndarray


def simulate(name, *, lead=1, **kind):
    """Announce gestures to a controller of some kind; announcements travel for up to 0.8 periods."""
    commands, announcements = announced(name, lead)
    controller, chance = TrajectoryController(CHOSEN[name].rest, **kind), np.random.default_rng(0)
    times, states, jumps = [], [], []
    for tick in range(len(commands)):
        now = tick / RATE
        moments = now + np.arange(round(CONTROLLER_RATE / RATE)) / CONTROLLER_RATE
        arrival = now + chance.uniform(0.0, 0.8) / RATE if tick in announcements else np.inf
        before, after = controller.sample(np.array([now - INSTANT, now + INSTANT]))[:, 2]
        jumps.append(after - before)
        states.append(controller.sample(moments[moments < arrival]))
        if tick in announcements:
            controller.receive(announcements[tick], now, arrival)
            states.append(controller.sample(moments[moments >= arrival]))
        times.append(moments)
    return Simulation(np.concatenate(times), np.concatenate(states), np.stack(jumps), commands)


def judged(name, simulation):
    return verify(CHOSEN[name], simulation.times, simulation.states[:, 0])


@pytest.mark.parametrize("blending", [False, True], ids=["forgetting", "blending"])
@pytest.mark.parametrize("name", NAMES)
def test_joints_keep_all_limits_along_the_announced_trajectories(name, blending):
    robot, found = CHOSEN[name], simulate(name, quintic=True, blending=blending)
    np.testing.assert_allclose(found.states[:: round(CONTROLLER_RATE / RATE), 0], found.commands, atol=1e-9)
    np.testing.assert_allclose(found.states[-1], [robot.rest, 0.0 * robot.rest, 0.0 * robot.rest], atol=1e-6)
    report = judged(name, found)
    assert not [each for each in report.violations if each.kind != "jerk"]
    assert (np.abs(found.states[:, 1]) <= 1.001 * robot.velocity).all()
    assert (np.abs(found.states[:, 2]) <= 1.001 * robot.acceleration).all()
    assert report.worst["jerk"] <= JERK_BETWEEN_POINTS
    assert (np.abs(found.jumps) <= 2.0 * INSTANT * JERK_BETWEEN_POINTS * robot.jerk).all()


@pytest.mark.parametrize("name", NAMES)
def test_without_accelerations_the_acceleration_of_the_joints_jumps(name):
    whole, without = (simulate(name, quintic=quintic, blending=False) for quintic in (True, False))
    jumps, none = (np.abs(each.jumps / CHOSEN[name].acceleration).max() for each in (without, whole))
    assert jumps > 0.1 > 100.0 * none
    assert judged(name, without).worst["jerk"] > judged(name, whole).worst["jerk"]


@pytest.mark.parametrize("blending", [False, True], ids=["forgetting", "blending"])
def test_a_trajectory_that_arrives_after_its_commit_row_breaks_limits(blending):
    assert judged("g1", simulate("g1", lead=0, quintic=True, blending=blending)).counts["acceleration"]
