"""From joint targets to commands within position, velocity, acceleration and jerk limits.

One step of Ruckig (Berscheid and Kröger, "Jerk-limited Real-time Trajectory Generation with Arbitrary Target
States", RSS 2021) per control period and joint, always aimed at standstill on the target. A state that can
stop on a target within the limits is thereby followed by another such state, whatever the next target is, so
that positions stay within limits too.
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

# Part of each limit that is used, so that rounding cannot carry a command beyond it.
_USED = 1.0 - 1e-6


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
        self._request.max_velocity = (_USED * robot.velocity).tolist()
        self._request.max_acceleration = (_USED * robot.acceleration).tolist()
        self._request.max_jerk = (_USED * robot.jerk).tolist()
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
