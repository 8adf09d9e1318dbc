"""Tracking of a joint reference: a spline trajectory without lag, within every limit, up to standstill.

Each joint moves on a uniform cubic B-spline, whose limits follow from differences of its control points: jerk
is constant between knots and equals the third difference, acceleration is linear and equals the second
difference at the knots, velocity and position lie between the first differences and the points themselves
(convex hull; de Boor, "A Practical Guide to Splines", 2001, ch. IX-XI). So linear bounds on control points
keep the limits at all times, not only at samples. The first three points follow from the state that the
trajectory continues (position, velocity and acceleration are continuous), the last three are equal: the
spline ends at standstill. The others minimise the squared distance to the reference plus a small weight on
squared jerk: a quadratic program. For most joints no bound is active, and the optimum is one matrix product;
the others are solved by DAQP (Arnstrom et al., IEEE TAC 67, 2022).

A trajectory begins on a knot of the one it continues and is no shorter than the remainder of that: the
remainder is then feasible for the new program too, so there always is a solution.
"""

import logging
from dataclasses import dataclass
from functools import lru_cache

import daqp
import numpy as np
import numpy.typing as npt

from text2gesture_ros.control.trajectory import JointSample, SampledTrajectory, concatenated
from text2gesture_ros.geometry import Array, FloatArray
from text2gesture_ros.robots.robot import Robot

_LOGGER = logging.getLogger(__name__)

_Indices = npt.NDArray[np.intp]

# Approximate spacing of the knots [s]: gestures are below 5 Hz, and the reference above 10 Hz is noise.
_KNOT_SPACING = 0.02
# Time to stop after the end of the reference [s].
_STOPPING_TIME = 0.3
# Length of the reference that is solved at once, and the part that is kept if more follows [s].
_WINDOW, _WINDOW_STEP = 1.0, 0.7
# Weight of jerk: at its limit J it costs as much as this distance e from the reference [rad]. An oscillation
# of amplitude A and angular frequency w is reduced by A / (1 + (J / (e w^3))^2): by at most e / 2 = 0.5 mrad
# if its jerk A w^3 is within J.
_JERK_COST = 1e-3
# Ratio of each limit that is used; the rest is above the solver's error.
_LIMIT_RATIO = 1.0 - 2e-4
# Absolute tolerance of the solver, in differences of control points. The smallest bound is that of jerk, and
# `_LIMIT_RATIO` leaves 1.6e-6 rad of it at 1000 rad/s^3.
_SOLVER_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class _QuadraticProgram:
    """The matrices of the quadratic program for n control points, which do not depend on the reference.

    The variables are the n - 5 control points that the initial state and the standstill leave free.

    Attributes:
        state_points: (n, 3) control points by initial state; zero except for the first three.
        variable_points: (n, n - 5) control points by variable.
        reference_cost: (n - 5, R) negative linear cost by reference.
        state_cost: (n - 5, 3) linear cost by initial state.
        hessian: (n - 5, n - 5) quadratic cost.
        inverse_hessian: (n - 5, n - 5) its inverse.
        variable_differences: (C, n - 5) bounded differences of control points by variable.
        state_differences: (C, 3) the same by initial state.
        orders: (C,) index of the limit of each difference: 0 velocity, 1 acceleration, 2 jerk.
    """

    state_points: Array
    variable_points: Array
    reference_cost: Array
    state_cost: Array
    hessian: Array
    inverse_hessian: Array
    variable_differences: Array
    state_differences: Array
    orders: FloatArray


def _basis(times: FloatArray, points: int, derivative: int = 0) -> Array:
    """Return the B-spline basis, or a derivative of it, at `times` (T,) [knots], (T, n)."""
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
def _sampling_matrices(points: int, stride: int, knots_per_row: int, knot: float) -> Array:
    """Return the matrices (3, P, n) from control points to position, velocity, acceleration samples."""
    rows = -(-(points - 3) * stride // knots_per_row)
    times = np.minimum(np.arange(1, rows + 1) * (knots_per_row / stride), points - 3.0)
    return np.stack([_basis(times, points, order) / knot**order for order in range(3)])


@lru_cache(maxsize=256)
def _program(tracked: int, tail: int, knot: float, jerk: float) -> _QuadraticProgram:
    """Return the program for a reference of `tracked` knots and `tail` knots to stop."""
    points = tracked + tail + 3
    state_points = np.zeros((points, 3))
    state_points[:3] = [[1.0, -knot, knot**2 / 3], [1.0, 0.0, -(knot**2) / 6], [1.0, knot, knot**2 / 3]]
    variable_points = np.zeros((points, points - 5))
    variable_points[3:-3] = np.eye(points - 6, points - 5)
    variable_points[-3:, -1] = 1.0
    track = _basis(np.arange(1, 2 * tracked + 1) / 2.0, points)
    differences = [np.diff(np.eye(points), order, axis=0) for order in (1, 2, 3)]
    smooth = 2.0 * (_JERK_COST / (jerk * knot**3)) ** 2  # the reference has two rows per knot
    cost = track.T @ track + smooth * differences[2].T @ differences[2]
    hessian = variable_points.T @ cost @ variable_points
    # The first velocities and accelerations are those of the state.
    rows = [differences[0][2:], differences[1][1:], differences[2]]
    stacked = np.concatenate(rows)
    return _QuadraticProgram(
        state_points=state_points,
        variable_points=variable_points,
        reference_cost=variable_points.T @ track.T,
        state_cost=variable_points.T @ cost @ state_points,
        hessian=np.ascontiguousarray(hessian),
        inverse_hessian=np.asarray(np.linalg.inv(hessian), dtype=np.float64),
        variable_differences=np.ascontiguousarray(stacked @ variable_points),
        state_differences=stacked @ state_points,
        orders=np.repeat([0, 1, 2], [len(row) for row in rows]),
    )


class SplineTracker:
    """Tracks joint references within the limits of a robot.

    Attributes:
        stride: number of samples between two knots, on which one trajectory can continue another.
    """

    def __init__(self, robot: Robot, period: float) -> None:
        """Prepare for a robot.

        Args:
            robot: the robot whose limits are kept.
            period: time between two samples [s].
        """
        self._robot = robot
        self._period = period
        # The knot spacing is a multiple of the period, or the period a multiple of the knot spacing.
        self.stride = max(1, round(_KNOT_SPACING / period))
        self._knots_per_row = 1 if period <= _KNOT_SPACING else round(np.ceil(period / _KNOT_SPACING))
        self._knot = knot = period * self.stride / self._knots_per_row
        self._tail = max(3, round(_STOPPING_TIME / knot))
        limits = (robot.velocity * knot, robot.acceleration * knot**2, robot.jerk * knot**3)
        self._bounds = _LIMIT_RATIO * np.stack(limits)
        # Joints with the same jerk limit share their programs.
        self._joints_by_jerk = [
            (float(jerk), np.flatnonzero(robot.jerk == jerk)) for jerk in np.unique(robot.jerk)
        ]
        self._solvers: dict[tuple[int, float], daqp.Model] = {}

    def grid(self, duration: float) -> FloatArray:
        """Return the times (R,) after the start [s] at which a reference of a duration [s] is sampled."""
        return self.times(2 * max(0, int(duration / self._knot + 1e-6)))

    def times(self, count: int) -> FloatArray:
        """Return the times (R,) after the start [s] of a reference of `count` rows, two per knot."""
        return np.arange(1, count + 1) * self._knot / 2.0

    def follow(self, start: JointSample, reference: Array) -> tuple[SampledTrajectory, int] | None:
        """Return a trajectory that tracks a reference and then stops.

        Args:
            start: the state to continue.
            reference: (R, N) angles at the times of `grid` [rad], R >= 2.

        Returns:
            The samples after `start`, the last at standstill, and the number of them that track the
            reference. None where the limits cannot be kept, which does not happen if the trajectory continues
            another one and ends no sooner.
        """
        window = round(_WINDOW / self._knot)
        step = max(1, round(_WINDOW_STEP / self._knot) // self._knots_per_row) * self._knots_per_row
        parts: list[SampledTrajectory] = []
        while True:
            ahead = reference[: 2 * window]
            samples = self._solve_window(start, ahead)
            if samples is None:
                return None
            if len(reference) == len(ahead):
                break
            parts.append(samples[: step * self.stride // self._knots_per_row])
            start, reference = parts[-1].sample(-1), reference[2 * step :]
        followed = sum(map(len, parts)) + len(ahead) // 2 * self.stride // self._knots_per_row
        return concatenated(*parts, samples), followed

    def _solve_window(self, start: JointSample, reference: Array) -> SampledTrajectory | None:
        tracked = len(reference) // 2
        state = np.stack([start.position, start.velocity, start.acceleration])
        points = np.empty((tracked + self._tail + 3, reference.shape[1]))
        for jerk, joints in self._joints_by_jerk:
            found = self._points(tracked, jerk, joints, state[:, joints], reference[:, joints])
            if found is None:
                return None
            points[:, joints] = found
        return SampledTrajectory(*(self._sampling_matrices(tracked) @ points))

    def _points(
        self, tracked: int, jerk: float, joints: _Indices, state: Array, reference: Array
    ) -> Array | None:
        """Return the control points (n, M) of joints (M,) with the same jerk limit; None if infeasible."""
        program = _program(tracked, self._tail, self._knot, jerk)
        cost = program.state_cost @ state - program.reference_cost @ reference
        variables = -program.inverse_hessian @ cost
        offsets = program.state_differences @ state
        bounds = self._bounds[program.orders][:, joints]
        lower, upper = self._robot.lower[joints], self._robot.upper[joints]
        kept = (np.abs(program.variable_differences @ variables + offsets) <= bounds).all(axis=0)
        kept &= ((variables >= lower) & (variables <= upper)).all(axis=0)
        for joint in np.flatnonzero(~kept):
            column = np.s_[:, joint]
            limits = bounds[column], offsets[column], lower[joint], upper[joint]
            found = self._solve(tracked, jerk, cost[column], *limits)
            if found is None:
                return None
            variables[column] = found
        return np.asarray(program.state_points @ state + program.variable_points @ variables)

    def _solve(
        self,
        tracked: int,
        jerk: float,
        cost: Array,
        bounds: Array,
        offsets: Array,
        lower: float,
        upper: float,
    ) -> Array | None:
        """Return the optimal variables (V,) of one joint within its bounds; None if infeasible."""
        program = _program(tracked, self._tail, self._knot, jerk)
        ends = np.ones(len(cost))
        most = np.concatenate([upper * ends, bounds - offsets])
        least = np.concatenate([lower * ends, -bounds - offsets])
        kinds = np.zeros(len(most), dtype=np.int32)  # no constraint counts as active at first
        solver = self._solvers.get((tracked, jerk))
        if solver is None:
            solver = self._solvers[tracked, jerk] = daqp.Model()
            solver.setup(program.hessian, cost, program.variable_differences, most, least, kinds)
            solver.settings = {**solver.settings, "primal_tol": _SOLVER_TOLERANCE}
        else:
            solver.update(f=cost, bupper=most, blower=least, sense=kinds)
        found, _, flag, _ = solver.solve()
        if flag < 1:
            _LOGGER.info("no spline found: the solver says %d", flag)
            return None
        return np.asarray(found)

    def _sampling_matrices(self, tracked: int) -> Array:
        """Return the matrices (3, P, n) for a reference of `tracked` knots."""
        return _sampling_matrices(tracked + self._tail + 3, self.stride, self._knots_per_row, self._knot)
