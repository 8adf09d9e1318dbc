"""Two rotations in series that aim a vector: a geometric subproblem of closed-form inverse kinematics.

Source of the subproblems: Murray, Li, Sastry, "A Mathematical Introduction to Robotic Manipulation" (1994),
ch. 3.3.
"""

import math
from typing import NamedTuple

import numpy as np

from text2gesture_ros.geometry import Array, Axis, normalise

_MIN_RADIUS = 1e-9  # a vector nearer to the axis has no azimuth


class Cylindrical(NamedTuple):
    """A unit vector in cylindrical coordinates about an axis; all zero where there is no vector.

    Attributes:
        azimuth: about the axis [rad].
        radius: distance from the axis.
        height: along the axis.
    """

    azimuth: float
    radius: float
    height: float


class TwoRotations:
    """Aims a unit vector by two rotations in series: the second sets its height, the first its azimuth.

    Paden-Kahan subproblem 2 for intersecting axes, in cylindrical coordinates about the first axis. Scalars
    instead of arrays: for one goal that is far faster. At the second angle q the vector is at
    constant + cos(q) cosine + sin(q) sine, three vectors that do not depend on q.
    """

    def __init__(self, first: Axis, second: Axis, start: Array) -> None:
        """Prepare for two axes that are not parallel and a vector that is not along the second one.

        Args:
            first: the axis that is nearer to the base.
            second: the axis that is nearer to the vector.
            start: (3,) the vector at zero angles.
        """
        ahead = normalise(np.eye(3)[np.abs(first.direction).argmin()] @ first.orthogonal)
        self._basis = np.stack([ahead, ahead @ first.cross, first.direction], axis=1)
        cosine = start @ second.orthogonal
        parts = np.stack([start - cosine, cosine, start @ second.cross]) @ self._basis
        self._x, self._y, self._z = parts.T.tolist()
        _, cosine_height, sine_height = self._z
        self._height_amplitude = max(math.hypot(cosine_height, sine_height), _MIN_RADIUS)
        self._height_phase = math.atan2(sine_height, cosine_height)

    def cylindrical(self, goals: Array) -> list[Cylindrical]:
        """Return the cylindrical coordinates of goals (T, 3) about the first axis."""
        return [
            Cylindrical(math.atan2(y, x), math.hypot(x, y), z) for x, y, z in (goals @ self._basis).tolist()
        ]

    def solutions(self, goal: Cylindrical) -> list[tuple[float, float]]:
        """Return both pairs of angles (first, second) that aim at a goal [rad].

        Where no pair is exact, those of the nearest direction.
        """
        cosine = (goal.height - self._z[0]) / self._height_amplitude
        half = math.acos(min(max(cosine, -1.0), 1.0))
        seconds = self._height_phase + half, self._height_phase - half
        return [(self.best_first(goal, second), second) for second in seconds]

    def best_first(self, goal: Cylindrical, second: float) -> float:
        """Return the first angle that aims nearest to a goal, given the second [rad]."""
        x, y, _ = self._rotated(second)
        return goal.azimuth - math.atan2(y, x)

    def best_second(self, goal: Cylindrical, first: float) -> float:
        """Return the second angle that aims nearest to a goal, given the first [rad]."""
        azimuth = goal.azimuth - first
        x, y = goal.radius * math.cos(azimuth), goal.radius * math.sin(azimuth)
        (_, cosine_x, sine_x), (_, cosine_y, sine_y), (_, cosine_z, sine_z) = self._x, self._y, self._z
        sine = x * sine_x + y * sine_y + goal.height * sine_z
        return math.atan2(sine, x * cosine_x + y * cosine_y + goal.height * cosine_z)

    def error(self, goal: Cylindrical, first: float, second: float) -> float:
        """Return the angle between a goal and the vector at two angles [rad]."""
        x, y, height = self._rotated(second)
        azimuth = goal.azimuth - first
        product = goal.radius * (x * math.cos(azimuth) + y * math.sin(azimuth)) + height * goal.height
        return math.acos(min(max(product, -1.0), 1.0))

    def _rotated(self, second: float) -> tuple[float, float, float]:
        """Return the vector at a second angle, the first at zero: x, y, height."""
        cosine, sine = math.cos(second), math.sin(second)
        (x, cosine_x, sine_x), (y, cosine_y, sine_y), (z, cosine_z, sine_z) = self._x, self._y, self._z
        return (
            x + cosine_x * cosine + sine_x * sine,
            y + cosine_y * cosine + sine_y * sine,
            z + cosine_z * cosine + sine_z * sine,
        )
