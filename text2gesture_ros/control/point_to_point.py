"""Point-to-point trajectories within position, velocity, acceleration and jerk limits: Ruckig.

Berscheid and Kröger, "Jerk-limited Real-time Trajectory Generation with Arbitrary Target States" (RSS 2021):
from any state to standstill on a target, as fast as the limits allow. They are used where frames do not come
ahead of time, at an interruption and on the way to rest.
"""

import logging

import numpy as np
import ruckig

from text2gesture_ros.control.trajectory import JointSample, SampledTrajectory
from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.geometry import Array
from text2gesture_ros.robots.robot import Robot

_LOGGER = logging.getLogger(__name__)

# Part of each limit that is used: the margin lets a spline, whose jerk changes at its knots only, continue
# from any state on the trajectory.
_LIMIT_SHARE = 0.95
# A longer solution is rejected [s].
_MAX_DURATION = 60.0


class PointToPoint:
    """Finds trajectories from any state to standstill on a target."""

    def __init__(self, robot: Robot, period: float) -> None:
        """Prepare the solver.

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

    def trajectory(
        self,
        start: JointSample,
        target: Array,
        *,
        speed_scale: float = 1.0,
        min_duration: float | None = None,
    ) -> SampledTrajectory | None:
        """Return the samples after `start` up to standstill on `target` (N,) [rad], clamped to the limits.

        Args:
            start: the state to continue.
            target: where the robot is to stand.
            speed_scale: fraction of the velocity and acceleration limits that is used, in (0, 1].
            min_duration: all joints arrive at the same time, and not before this [s]; None: each arrives as
                soon as it can.

        Returns:
            None where there is none, which does not happen to a start within the limits.
        """
        robot, joints = self._robot, self._joints
        target = np.minimum(np.maximum(target, robot.lower), robot.upper)
        request = ruckig.InputParameter(joints)
        request.synchronization = ruckig.Synchronization.No
        if min_duration is not None:
            request.synchronization = ruckig.Synchronization.Time
            if min_duration > 0.0:
                request.minimum_duration = min_duration
        request.max_velocity = (_LIMIT_SHARE * speed_scale * robot.velocity).tolist()
        request.max_acceleration = (_LIMIT_SHARE * speed_scale * robot.acceleration).tolist()
        request.max_jerk = (_LIMIT_SHARE * robot.jerk).tolist()
        request.current_position = start.position.tolist()
        request.current_velocity = start.velocity.tolist()
        request.current_acceleration = start.acceleration.tolist()
        request.target_position = target.tolist()
        found = ruckig.Trajectory(joints)
        try:
            try:
                result = self._generator.calculate(request, found)
            except ruckig.RuckigError:  # it cannot always synchronise joints that are all but there
                request.synchronization = ruckig.Synchronization.No
                result = self._generator.calculate(request, found)
        except ruckig.RuckigError as error:
            _LOGGER.warning("no trajectory to the target: %s", str(error)[:60])
            return None
        if result not in (ruckig.Result.Working, ruckig.Result.Finished) or found.duration > _MAX_DURATION:
            _LOGGER.warning("no trajectory to the target: %s", result)
            return None
        rows = int(np.ceil(found.duration / self._period)) + 1
        values = np.array([found.at_time((row + 1) * self._period)[:3] for row in range(rows)])
        values[-1, 0], values[-1, 1:] = target, 0.0  # to the last digit
        return SampledTrajectory(values[:, 0], values[:, 1], values[:, 2])

    def stop(self, start: JointSample) -> SampledTrajectory | None:
        """Return a trajectory from `start` to standstill, about where it comes to stand soonest."""
        robot = self._robot
        speed, acceleration = start.velocity, start.acceleration
        # First the acceleration is taken back by the jerk, then the speed by the acceleration.
        later = speed + acceleration * np.abs(acceleration) / (2.0 * robot.jerk)
        where = start.position + later * np.abs(later) / (2.0 * _LIMIT_SHARE * robot.acceleration)
        return self.trajectory(start, where + later * _LIMIT_SHARE * robot.acceleration / (2.0 * robot.jerk))
