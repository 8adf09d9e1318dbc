"""Independent check of commanded joint positions against a robot's limits and its own body.

Independent of the planner that made the positions. Velocity, acceleration and jerk are estimated by divided
differences: for any samples of a motion that keeps a limit, n! times the n-th divided difference keeps it too
(mean value theorem), at any rate and even where samples are unevenly spaced. So a motion within the limits is
never rejected.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.geometry import Array, FloatArray
from text2gesture_ros.robots.clearance import Clearance
from text2gesture_ros.robots.robot import Robot

KINDS = ("finite", "position", "velocity", "acceleration", "jerk", "continuity", "clearance")

MIN_CLEARANCE = 0.005
"""Minimum distance between two parts of a robot [m]; their distance at rest if that is less."""

# Relative tolerance of velocity, acceleration and jerk limits.
_TOLERANCE = 1e-3
# Absolute tolerance of position limits [rad].
_POSITION_TOLERANCE = 1e-6
# Rounding of positions in files [rad]; differences amplify it, the third by 8 / period^3.
_RESOLUTION = 1e-9


@dataclass(frozen=True)
class Violation:
    """A limit that was exceeded.

    Attributes:
        joint: name of the joint; of both parts for clearance.
        time: of the last sample that the value is computed from [s].
        kind: one of `KINDS`.
        value: the value that exceeds the limit [rad, rad/s, rad/s^2, rad/s^3; m for clearance].
        limit: the limit, same unit and sign.
    """

    joint: str
    time: float
    kind: str
    value: float
    limit: float

    def __str__(self) -> str:
        return f"{self.joint} at {self.time:.3f} s: {self.kind} {self.value:.6g}, limit {self.limit:.6g}"


@dataclass(frozen=True)
class Report:
    """Result of a check.

    Attributes:
        samples: number of samples that were checked.
        violations: every limit that was exceeded, by kind, then time.
        worst: largest ratio of a value to its limit, by kind. For a position: distance from the middle of the
            range over half the range. For `finite`: the ratio of values that are not finite.
        clearance: smallest distance of two parts of the robot [m]; infinite where it was not checked.
    """

    samples: int
    violations: tuple[Violation, ...]
    worst: Mapping[str, float]
    clearance: float = np.inf

    @property
    def counts(self) -> dict[str, int]:
        """Number of violations of each kind."""
        return {kind: sum(violation.kind == kind for violation in self.violations) for kind in KINDS}


def min_clearance_of(robot: Robot, clearance: Clearance) -> Array:
    """Return the minimum clearance of each pair of parts (P,) [m]: 5 mm, or the distance at rest if less."""
    # Minus a tolerance for rounding.
    return np.minimum(MIN_CLEARANCE, clearance.distances(robot.rest) - 1e-6)


def verify(
    robot: Robot,
    times: FloatArray,
    positions: FloatArray,
    *,
    velocities: FloatArray | None = None,
    clearance: Clearance | None = None,
    min_clearance: Array | float = MIN_CLEARANCE,
) -> Report:
    """Check a motion of the robot against its limits.

    Args:
        robot: whose limits count.
        times: (T,) strictly increasing [s], T >= 1; need not be evenly spaced.
        positions: (T, N) joint angles [rad] in the order of `robot.joint_names`.
        velocities: (V, N) velocities sent along with the last V positions [rad/s]; None: not checked.
        clearance: computes the distances between the parts of the robot; None: not checked.
        min_clearance: minimum distance [m], of all pairs or of each (P,).

    Raises:
        InputError: the shapes do not fit or times do not increase.
    """
    times, positions = (np.asarray(given, dtype=np.float64) for given in (times, positions))
    joints = len(robot.joint_names)
    if times.ndim != 1 or not len(times) or positions.shape != (len(times), joints):
        raise InputError(
            f"verify: times {times.shape} and positions {positions.shape} must be (T,) and (T, {joints})"
        )
    if not (np.isfinite(times).all() and (np.diff(times) > 0).all()):
        raise InputError("verify: times must be finite and increase from sample to sample")
    sent = positions[:0] if velocities is None else np.asarray(velocities)
    first = len(positions) - len(sent)
    # Not finite where either is not.
    both = np.concatenate([positions[:first], positions[first:] + 0.0 * sent])
    finite = np.isfinite(both)
    violations = [
        Violation(robot.joint_names[joint], float(times[row]), "finite", float(both[row, joint]), np.nan)
        for row, joint in np.argwhere(~finite)
    ]
    worst = {"finite": float(1.0 - finite.mean())}

    middle, half = (robot.upper + robot.lower) / 2.0, (robot.upper - robot.lower) / 2.0
    worst["position"] = _judge(
        "position", robot, times, positions - middle, half, _POSITION_TOLERANCE, violations, middle
    )
    # Error of a position from rounding, of its own and of its time.
    rounding = _RESOLUTION + robot.velocity * float(np.spacing(np.abs(times).max()))
    differences, noise = positions, np.broadcast_to(rounding, positions.shape)
    for order, kind in enumerate(("velocity", "acceleration", "jerk"), start=1):
        if len(times) <= order:
            worst[kind] = 0.0
            continue
        span = (times[order:] - times[:-order])[:, None] / order
        differences = np.diff(differences, axis=0) / span
        noise = (noise[1:] + noise[:-1]) / span
        limit: Array = getattr(robot, kind)
        allowance = _TOLERANCE * limit + noise
        worst[kind] = _judge(kind, robot, times[order:], differences, limit, allowance, violations)
    if len(sent) > 1:
        span = np.diff(times[first:])[:, None]
        off = np.diff(positions[first:], axis=0) - span * (sent[1:] + sent[:-1]) / 2.0
        # Error of the trapezoidal rule where the third derivative is bounded.
        allowed = robot.jerk * float(span.max()) ** 3 / 12.0
        allowance = _TOLERANCE * allowed + 2.0 * rounding
        worst["continuity"] = _judge(
            "continuity", robot, times[first + 1 :], off, allowed, allowance, violations
        )
    nearest = np.inf
    if clearance is not None and finite.all():
        distances = clearance.distances(positions)
        nearest = _judge_clearance(robot, times, distances, min_clearance, violations)
    return Report(len(times), tuple(violations), worst, nearest)


def _judge_clearance(
    robot: Robot,
    times: FloatArray,
    distances: Array,
    min_clearance: Array | float,
    violations: list[Violation],
) -> float:
    """Append every pair and time below the minimum clearance [m]; return the smallest distance."""
    minima = np.broadcast_to(min_clearance, distances.shape[1:])
    for row, pair in np.argwhere(distances < minima):
        parts = " and ".join(robot.capsules[part].name for part in robot.pairs[pair])
        violations.append(
            Violation(parts, float(times[row]), "clearance", float(distances[row, pair]), float(minima[pair]))
        )
    return float(distances.min(initial=np.inf))


def _judge(
    kind: str,
    robot: Robot,
    times: FloatArray,
    values: FloatArray,
    limit: Array,
    allowance: Array | float,
    violations: list[Violation],
    offset: Array | float = 0.0,
) -> float:
    """Append what exceeds `limit` (N,) by more than `allowance`; return the largest ratio to the limit."""
    size = np.where(np.isfinite(values), np.abs(values), 0.0)
    offsets = np.broadcast_to(offset, limit.shape)
    for row, joint in np.argwhere(size > limit + allowance):
        value = float(values[row, joint])
        bound = float(offsets[joint] + np.copysign(limit[joint], value))
        name = robot.joint_names[joint]
        violations.append(Violation(name, float(times[row]), kind, value + float(offsets[joint]), bound))
    return float((size / limit).max())


class Verifier:
    """Checks plans as a whole, and commands one by one before they are sent, at a fixed period."""

    def __init__(self, robot: Robot, period: float, clearance: Clearance | None = None) -> None:
        """Make a verifier without a history.

        Args:
            robot: whose limits count.
            period: time between samples [s].
            clearance: computes the distances between the parts of the robot, for plans; None: not checked.

        Raises:
            ConfigurationError: the period is not positive.
        """
        if not 0.0 < period < np.inf:
            raise ConfigurationError(f"period must be positive [s] but is {period}")
        self._robot = robot
        self._period = period
        self._clearance = clearance
        self._history: deque[Array] = deque(maxlen=3)
        self._samples = 0

    @property
    def history(self) -> tuple[Array, ...]:
        """The latest positions (N,), at most three, which the next one continues."""
        return tuple(self._history)

    def judge(
        self,
        before: Sequence[Array],
        positions: Array,
        velocities: Array,
        min_clearance: Array | float = MIN_CLEARANCE,
    ) -> Report:
        """Check a plan as a continuation of earlier samples; times count from its first sample.

        Args:
            before: positions (N,) [rad] that it continues, at most the three latest; not judged again.
            positions: (P, N) [rad].
            velocities: (P, N) [rad/s].
            min_clearance: minimum distance between parts [m], of all pairs or of each (P,).
        """
        start = len(before) * self._period
        whole = np.concatenate([np.reshape(before, (-1, positions.shape[1])), positions])
        times = np.arange(len(whole)) * self._period
        report = verify(
            self._robot,
            times,
            whole,
            velocities=velocities,
            clearance=self._clearance,
            min_clearance=min_clearance,
        )
        new = tuple(
            replace(violation, time=violation.time - start)
            for violation in report.violations
            if violation.time > start - self._period / 2.0
        )
        return replace(report, samples=len(positions), violations=new)

    def check(self, position: Array) -> tuple[Violation, ...]:
        """Return the violations if `position` (N,) [rad] is sent next; times count from the first sample.

        A sample that passes becomes part of the history. One that fails does not: it must not be sent.
        """
        position = np.asarray(position, dtype=np.float64)
        found = () if self._passes(position) else self._explain(position)
        if not found:
            self.accept(position)
        return found

    def accept(self, position: Array) -> None:
        """Append `position` (N,) [rad] to the history unchecked: it was sent in any case."""
        self._history.append(np.asarray(position, dtype=np.float64))
        self._samples += 1

    def reset(self, history: Sequence[Array] = ()) -> None:
        """Replace the history; positions (N,) [rad]."""
        self._history.clear()
        self._history.extend(history)

    def _passes(self, position: Array) -> bool:
        """Return whether every limit is kept without any allowance: fast, and the usual case."""
        robot = self._robot
        # Written so that NaN fails.
        if not ((position >= robot.lower) & (position <= robot.upper)).all():
            return False
        differences = [position, *reversed(self._history)]
        for limit in (robot.velocity, robot.acceleration, robot.jerk)[: len(self._history)]:
            differences = [(new - old) / self._period for new, old in pairwise(differences)]
            if not (np.abs(differences[0]) <= limit).all():
                return False
        return True

    def _explain(self, position: Array) -> tuple[Violation, ...]:
        history = (*self._history, position)
        rows = np.arange(len(history)) * self._period
        # Violations among older samples were reported when they came.
        start = (self._samples - len(self._history)) * self._period
        return tuple(
            replace(violation, time=start + violation.time)
            for violation in verify(self._robot, rows, np.stack(history)).violations
            if violation.time == rows[-1]
        )
