"""A chunk of motion that follows a reference without lag, within every limit, up to standstill.

Each joint moves on a uniform cubic B-spline, whose differences say everything about its limits: jerk is
constant between knots and equals the third difference of the control points, acceleration is linear and
equals the second difference at the knots, velocity and position lie between the first differences and the
points themselves (convex hull; de Boor, "A Practical Guide to Splines", 2001, ch. IX-XI). So linear bounds on
control points keep the limits at all times, not at samples alone. The first three points are given by the
state that the chunk continues (position, velocity and acceleration are continuous), the last three are equal:
the spline ends at standstill. Between them the squared distance to the reference, with a little squared jerk,
is least: a quadratic program. Most joints need no bound, and their least is one product with a matrix; the
others are solved by PIQP (Schwan et al., CDC 2023).

A chunk begins on a knot of the one before and is no shorter than what is left of it: what the one before
would have gone on with is then a solution of the new program too, so that there always is one.
"""

import logging
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import piqp

from text2gesture_ros.control.trajectory import JointSample, SampledTrajectory, concatenated
from text2gesture_ros.geometry import Array, FloatArray
from text2gesture_ros.robots.robot import Robot

_LOGGER = logging.getLogger(__name__)

Indices = npt.NDArray[np.intp]

# Distance of knots, about [s]: gestures live below 5 Hz, and what is above 10 Hz is noise of the reference.
_KNOT = 0.02
# How long the robot may take to stop behind the last frame [s].
TAIL = 0.3
# Reference that is solved for at once, and how much of that is kept where more follows [s].
_WINDOW, _KEPT = 1.0, 0.7
# Jerk at its limit J costs as much as this distance, e [rad]. A swing of amplitude A and rate w is shrunk by
# A / (1 + (J / (e w^3))^2): by e / 2 = 0.5 mrad at most if its jerk, A w^3, keeps J.
_SMOOTHED = 1e-3
# Part of each limit that is used: what the solver may be off by is less.
_USED = 1.0 - 2e-4
# To what the solver works, in differences of control points: what `_USED` leaves of the smallest bound, the
# jerk's, is 1.6e-6 of a radian at 1000 rad/s^3.
_ACCURACY = 3e-7


@dataclass(frozen=True, eq=False)
class _Program:
    """What the quadratic program of a number of knots consists of, whatever joint and reference.

    Attributes:
        start: (n, 3) control points of a state; zero but for the first three.
        free: (n, n - 5) control points of the variables.
        pull: (n - 5, R) linear cost of a reference, negative.
        carry: (n - 5, 3) linear cost of a state.
        hessian: (n - 5, n - 5).
        least: (n - 5, n - 5) its inverse.
        bounded, given: differences of first, second and third order: (C, n - 5) of the variables, (C, 3) of
            a state.
        orders: (C,) which order each is of.
    """

    start: Array
    free: Array
    pull: Array
    carry: Array
    hessian: Array
    least: Array
    bounded: Array
    given: Array
    orders: FloatArray


def _basis(times: FloatArray, points: int, derivative: int = 0) -> Array:
    """Return what each control point adds at `times` (T,) [knots], or to a derivative there, (T, n)."""
    segment = np.minimum(np.floor(times + 1e-9).astype(int), points - 4)
    u = times - segment
    one = np.ones_like(u)
    if derivative == 0:
        weights = [(1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, -3 * u**3 + 3 * u**2 + 3 * u + 1, u**3]
        values = np.stack(weights, axis=1) / 6.0
    elif derivative == 1:
        weights = [-((1 - u) ** 2), 3 * u**2 - 4 * u, -3 * u**2 + 2 * u + one, u**2]
        values = np.stack(weights, axis=1) / 2.0
    else:
        values = np.stack([1 - u, 3 * u - 2 * one, one - 3 * u, u], axis=1)
    result = np.zeros((len(times), points))
    for offset in range(4):
        result[np.arange(len(times)), segment + offset] = values[:, offset]
    return result


@lru_cache(maxsize=256)
def _sampling(points: int, stride: int, knots_per_row: int, knot: float) -> Array:
    """Return (3, P, n): positions, velocities and accelerations at every sample up to the end."""
    rows = -(-(points - 3) * stride // knots_per_row)
    times = np.minimum(np.arange(1, rows + 1) * (knots_per_row / stride), points - 3.0)
    return np.stack([_basis(times, points, order) / knot**order for order in range(3)])


@lru_cache(maxsize=256)
def _program(tracked: int, tail: int, knot: float, jerk: float) -> _Program:
    points = tracked + tail + 3
    start = np.zeros((points, 3))
    start[:3] = [[1.0, -knot, knot**2 / 3], [1.0, 0.0, -(knot**2) / 6], [1.0, knot, knot**2 / 3]]
    free = np.zeros((points, points - 5))
    free[3:-3] = np.eye(points - 6, points - 5)
    free[-3:, -1] = 1.0
    track = _basis(np.arange(1, 2 * tracked + 1) / 2.0, points)
    differences = [np.diff(np.eye(points), order, axis=0) for order in (1, 2, 3)]
    smooth = 2.0 * (_SMOOTHED / (jerk * knot**3)) ** 2  # of the reference there are two rows to a knot
    cost = track.T @ track + smooth * differences[2].T @ differences[2]
    hessian = free.T @ cost @ free
    # Of the lower orders the first are the state's own.
    rows = [differences[0][2:], differences[1][1:], differences[2]]
    stacked = np.concatenate(rows)
    return _Program(
        start=start,
        free=free,
        pull=free.T @ track.T,
        carry=free.T @ cost @ start,
        hessian=hessian,
        least=np.asarray(np.linalg.inv(hessian), dtype=np.float64),
        bounded=stacked @ free,
        given=stacked @ start,
        orders=np.repeat([0, 1, 2], [len(row) for row in rows]),
    )


class SplineTracker:
    """Follows references within the limits of a robot.

    Attributes:
        stride: a chunk that continues another one begins a multiple of so many samples after it.
        solved: for how many joints the solver was asked so far.
    """

    def __init__(self, robot: Robot, period: float) -> None:
        """Make a planner.

        Args:
            robot: whose limits count.
            period: time between the samples it returns [s].
        """
        self._robot = robot
        self._period = period
        # A knot is a whole number of samples, or a sample a whole number of knots.
        self.stride = max(1, round(_KNOT / period))
        self._knots_per_row = 1 if period <= _KNOT else round(np.ceil(period / _KNOT))
        self._knot = knot = period * self.stride / self._knots_per_row
        self._tail = max(3, round(TAIL / knot))
        limits = (robot.velocity * knot, robot.acceleration * knot**2, robot.jerk * knot**3)
        self._bounds = _USED * np.stack(limits)
        # Joints that share a jerk limit share their programs.
        self._alike = [(float(jerk), np.flatnonzero(robot.jerk == jerk)) for jerk in np.unique(robot.jerk)]
        self._solvers: dict[tuple[int, float], piqp.DenseSolver] = {}
        self.solved = 0

    def grid(self, duration: float) -> FloatArray:
        """Return the times (R,) [s] at which `follow` wants a reference of this duration [s]."""
        return self.times(2 * max(0, int(duration / self._knot + 1e-6)))

    def times(self, count: int) -> FloatArray:
        """Return the times after the start [s] of a reference of `count` rows."""
        return np.arange(1, count + 1) * self._knot / 2.0

    def follow(self, start: JointSample, reference: Array) -> tuple[SampledTrajectory, int] | None:
        """Return samples that follow a reference and then stop.

        Args:
            start: the state to continue.
            reference: (R, N) angles at the times of `grid` [rad], R >= 2.

        Returns:
            The samples after `start`, the last at standstill, and how many of them follow the reference. None
            where there is no way, which does not happen to a chunk that continues another one and ends no
            sooner.
        """
        window = round(_WINDOW / self._knot)
        kept = max(1, round(_KEPT / self._knot) // self._knots_per_row) * self._knots_per_row
        parts: list[SampledTrajectory] = []
        while True:
            ahead = reference[: 2 * window]
            chunk = self._chunk(start, ahead)
            if chunk is None:
                return None
            if len(reference) == len(ahead):
                break
            parts.append(chunk[: kept * self.stride // self._knots_per_row])
            start, reference = parts[-1].sample(-1), reference[2 * kept :]
        followed = sum(map(len, parts)) + len(ahead) // 2 * self.stride // self._knots_per_row
        return concatenated(*parts, chunk), followed

    def _chunk(self, start: JointSample, reference: Array) -> SampledTrajectory | None:
        tracked = len(reference) // 2
        state = np.stack([start.position, start.velocity, start.acceleration])
        points = np.empty((tracked + self._tail + 3, reference.shape[1]))
        for jerk, joints in self._alike:
            found = self._points(tracked, jerk, joints, state[:, joints], reference[:, joints])
            if found is None:
                return None
            points[:, joints] = found
        return SampledTrajectory(*(self._sampling(tracked) @ points))

    def _points(
        self, tracked: int, jerk: float, joints: Indices, state: Array, reference: Array
    ) -> Array | None:
        """Return the control points (n, M) of joints (M,) that share a jerk limit."""
        program = _program(tracked, self._tail, self._knot, jerk)
        cost = program.carry @ state - program.pull @ reference
        free = -program.least @ cost
        given = program.given @ state
        bounds = self._bounds[program.orders][:, joints]
        lower, upper = self._robot.lower[joints], self._robot.upper[joints]
        kept = (np.abs(program.bounded @ free + given) <= bounds).all(axis=0)
        kept &= ((free >= lower) & (free <= upper)).all(axis=0)
        for joint in np.flatnonzero(~kept):
            column = np.s_[:, joint]
            limits = bounds[column], given[column], lower[joint], upper[joint]
            least = self._solve(tracked, jerk, cost[column], *limits)
            if least is None:
                return None
            free[column] = least
        return np.asarray(program.start @ state + program.free @ free)

    def _solve(
        self,
        tracked: int,
        jerk: float,
        cost: Array,
        bounds: Array,
        given: Array,
        lower: float,
        upper: float,
    ) -> Array | None:
        """Return the variables (V,) of one joint that keep its bounds at least cost."""
        self.solved += 1
        limits = {
            "h_l": -bounds - given,
            "h_u": bounds - given,
            "x_l": np.full(len(cost), lower),
            "x_u": np.full(len(cost), upper),
        }
        solver = self._solvers.get((tracked, jerk))
        if solver is None:
            solver = self._solvers[tracked, jerk] = piqp.DenseSolver()
            solver.settings.eps_abs = solver.settings.eps_duality_gap_abs = _ACCURACY
            solver.settings.eps_rel = solver.settings.eps_duality_gap_rel = 0.0
            program = _program(tracked, self._tail, self._knot, jerk)
            hessian, bounded = (np.asfortranarray(given) for given in (program.hessian, program.bounded))
            solver.setup(hessian, cost, G=bounded, **limits)
        else:
            solver.update(c=cost, **limits)
        status = solver.solve()
        found = np.asarray(solver.result.x)
        if status != piqp.PIQP_SOLVED:
            # What it came to is good enough where it keeps the limits, if not as exactly as asked for.
            differences = _program(tracked, self._tail, self._knot, jerk).bounded @ found + given
            kept = (np.abs(differences) <= (2.0 - _USED) * bounds).all()
            if not (kept and ((found >= lower - _ACCURACY) & (found <= upper + _ACCURACY)).all()):
                _LOGGER.info("no chunk found: %s", status)
                return None
        return found

    def _sampling(self, tracked: int) -> Array:
        """Return what makes positions, velocities and accelerations of control points: (3, P, n)."""
        return _sampling(tracked + self._tail + 3, self.stride, self._knots_per_row, self._knot)
