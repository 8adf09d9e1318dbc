"""Ways that end at standstill, within position, velocity, acceleration and jerk limits: Ruckig.

Berscheid and Kröger, "Jerk-limited Real-time Trajectory Generation with Arbitrary Target States" (RSS 2021):
from any state to standstill on a target, as fast as the limits allow. Where frames do not come ahead of time,
at an interruption and on the way to rest the robot follows such ways; else a chunk is planned (planning.py).
"""

import logging

import numpy as np
import ruckig

from text2gesture_ros.control.trajectory import JointState, Samples
from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.geometry import Array
from text2gesture_ros.robots.robot import Robot

_LOGGER = logging.getLogger(__name__)

# Part of each limit that a way uses: the rest lets the next chunk, whose jerk changes at its knots only, go
# on from any state on the way.
_USED = 0.95
# Longest way that is believed [s].
_LONGEST = 60.0


class Limiter:
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

    def stop(self, start: JointState) -> Samples | None:
        """Return a way from `start` to standstill, about where it comes to stand soonest."""
        robot = self._robot
        speed, acceleration = start.velocity, start.acceleration
        # First the acceleration is taken back by the jerk, then the speed by the acceleration.
        later = speed + acceleration * np.abs(acceleration) / (2.0 * robot.jerk)
        where = start.position + later * np.abs(later) / (2.0 * _USED * robot.acceleration)
        return self.way(start, where + later * _USED * robot.acceleration / (2.0 * robot.jerk))
