"""Ways that end at standstill, within position, velocity, acceleration and jerk limits: Ruckig.

Berscheid and Kröger, "Jerk-limited Real-time Trajectory Generation with Arbitrary Target States" (RSS 2021):
from any state to standstill on a target, as fast as the limits allow. Where frames do not come ahead of time,
at an interruption and on the way to rest the robot follows such ways; else a chunk is planned (planning.py).
"""

import copy
import logging
from dataclasses import dataclass

import numpy as np
import ruckig

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.kinematics import Array
from text2gesture_ros.robot import Robot

_LOGGER = logging.getLogger(__name__)

# Part of each limit that a way uses: the rest lets the next chunk, whose jerk changes at its knots only, go on
# from any state on the way.
_USED = 0.95
# Longest way that is believed [s].
_LONGEST = 60.0


@dataclass(frozen=True, eq=False)
class JointState:
    """Position [rad], velocity [rad/s] and acceleration [rad/s^2] of every joint, each (N,)."""

    position: Array
    velocity: Array
    acceleration: Array

    @property
    def still(self) -> bool:
        """Whether nothing moves."""
        return not (np.abs(self.velocity).max() > 1e-9 or np.abs(self.acceleration).max() > 1e-9)


@dataclass(frozen=True, eq=False)
class Samples:
    """States one control period apart.

    Attributes:
        positions: (P, N) [rad].
        velocities: (P, N) [rad/s].
        accelerations: (P, N) [rad/s^2].
    """

    positions: Array
    velocities: Array
    accelerations: Array

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, rows: slice) -> "Samples":
        return Samples(self.positions[rows], self.velocities[rows], self.accelerations[rows])

    def state(self, row: int) -> JointState:
        """Return the state of one row."""
        return JointState(self.positions[row], self.velocities[row], self.accelerations[row])

    def reversed(self) -> "Samples":
        """Return the same path gone backwards: it keeps every limit that the path keeps."""
        return Samples(self.positions[::-1], -self.velocities[::-1], self.accelerations[::-1])


def standing(position: Array) -> Samples:
    """Return one row that stands still at `position` (N,)."""
    zero = np.zeros((1, len(position)))
    return Samples(np.array(position, dtype=np.float64)[None], zero, zero)


def joined(*parts: Samples) -> Samples:
    """Return the rows of all parts, one after the other."""
    return Samples(
        np.concatenate([part.positions for part in parts]),
        np.concatenate([part.velocities for part in parts]),
        np.concatenate([part.accelerations for part in parts]),
    )


class WayFinder:
    """Finds ways from any state to standstill on a target."""

    def __init__(self, robot: Robot, period: float) -> None:
        """Make a limiter.

        Args:
            robot: whose limits count.
            period: time from one sample to the next [s].

        Raises:
            ConfigurationError: the period is not in [0.0005, 1] s.
        """
        if not 0.0005 <= period <= 1.0:
            raise ConfigurationError(f"period must be in [0.0005, 1] s but is {period}")
        self._robot = robot
        self._period = period
        self._joints = len(robot.joint_names)
        self._generator = ruckig.Ruckig(self._joints, period)

    def way(
        self, start: JointState, target: Array, *, ease: float = 1.0, together: float | None = None
    ) -> Samples | None:
        """Return the samples after `start` up to standstill on `target` (N,) [rad], clamped to the limits.

        Args:
            start: where and how the robot moves.
            target: where it is to stand.
            ease: part of velocity and acceleration that is used, in (0, 1].
            together: all joints arrive at once, and this [s] or more after the start; None: each by itself.

        Returns:
            None: there is no way, which a start within the limits never sees.
        """
        robot, joints = self._robot, self._joints
        target = np.minimum(np.maximum(target, robot.lower), robot.upper)
        request = ruckig.InputParameter(joints)
        request.synchronization = ruckig.Synchronization.No
        if together is not None:
            request.synchronization = ruckig.Synchronization.Time
            if together > 0.0:
                request.minimum_duration = together
        request.max_velocity = (_USED * ease * robot.velocity).tolist()
        request.max_acceleration = (_USED * ease * robot.acceleration).tolist()
        request.max_jerk = (_USED * robot.jerk).tolist()
        request.current_position = start.position.tolist()
        request.current_velocity = start.velocity.tolist()
        request.current_acceleration = start.acceleration.tolist()
        request.target_position = target.tolist()
        found = ruckig.Trajectory(joints)
        try:
            result = self._generator.calculate(request, found)
        except ruckig.RuckigError as error:
            _LOGGER.warning("no way to the target: %s", str(error)[:60])
            return None
        if result not in (ruckig.Result.Working, ruckig.Result.Finished) or found.duration > _LONGEST:
            _LOGGER.warning("no way to the target: %s", result)
            return None
        rows = int(np.ceil(found.duration / self._period)) + 1
        values = np.array([found.at_time((row + 1) * self._period)[:3] for row in range(rows)])
        values[-1, 0], values[-1, 1:] = target, 0.0  # to the last digit
        return Samples(values[:, 0], values[:, 1], values[:, 2])


class Limiter:
    """Follows targets as fast as the limits allow."""

    def __init__(self, robot: Robot, period: float) -> None:
        """Make a limiter that stands still at the robot's rest pose.

        Args:
            robot: whose limits count.
            period: time from one step to the next [s].

        Raises:
            ConfigurationError: the period is not in [0.0005, 1] s.
        """
        if not 0.0005 <= period <= 1.0:
            raise ConfigurationError(f"period must be in [0.0005, 1] s but is {period}")
        self._robot = robot
        self._period = period
        joints = len(robot.joint_names)
        self._generator = ruckig.Ruckig(joints, period)
        self._request = ruckig.InputParameter(joints)
        self._request.synchronization = ruckig.Synchronization.No
        self._request.max_velocity = ((1.0 - 1e-6) * robot.velocity).tolist()
        self._request.max_acceleration = ((1.0 - 1e-6) * robot.acceleration).tolist()
        self._request.max_jerk = ((1.0 - 1e-6) * robot.jerk).tolist()
        self.failures = 0
        self.reset(robot.rest)

    @property
    def state(self) -> JointState:
        """What was commanded last."""
        return self._state

    @property
    def target(self) -> Array:
        """Where the commands lead (N,) [rad]."""
        return self._target

    def reset(self, position: Array) -> None:
        """Stand still at `position` (N,), clamped to the limits. For starting, not while the robot moves."""
        position = np.clip(position, self._robot.lower, self._robot.upper)
        self._state = JointState(position, np.zeros_like(position), np.zeros_like(position))
        self._target = position
        self._plan, self._elapsed = self._planned(position), 0.0

    def step(self, target: Array) -> JointState:
        """Return the command one period later on the way to `target` (N,) [rad].

        A target beyond the limits is clamped; where it is not a number, the joint's target before is kept.
        """
        finite = np.isfinite(target)
        if not finite.all():
            target = np.where(finite, target, self._target)
        target = np.minimum(np.maximum(target, self._robot.lower), self._robot.upper)
        if (target != self._target).any():
            try:
                self._plan, self._elapsed = self._planned(target), 0.0
                self._target = target
            except ruckig.RuckigError as error:
                # The plan made before ends at standstill within the limits: it is safe to go on with it.
                self.failures += 1
                _LOGGER.warning("no way to the new target, staying with the one before: %s", str(error)[:60])
        self._elapsed += self._period
        position, velocity, acceleration = self._plan.at_time(self._elapsed)[:3]
        self._state = JointState(np.array(position), np.array(velocity), np.array(acceleration))
        return self._state

    def copy(self) -> "Limiter":
        """Return a limiter in the same state that goes its own way from here."""
        # Shared: the generator and the request, which every step fills anew, and the plan, which no step
        # changes.
        return copy.copy(self)

    def _planned(self, target: Array) -> ruckig.Trajectory:
        request, state = self._request, self._state
        request.current_position = state.position.tolist()
        request.current_velocity = state.velocity.tolist()
        request.current_acceleration = state.acceleration.tolist()
        request.target_position = target.tolist()
        plan = ruckig.Trajectory(len(target))
        self._generator.calculate(request, plan)
        return plan
