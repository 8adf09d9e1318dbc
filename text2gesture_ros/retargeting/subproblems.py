"""Two rotations in series that aim a vector: a geometric subproblem of closed-form inverse kinematics.

Source of the subproblems: Murray, Li, Sastry, "A Mathematical Introduction to Robotic Manipulation" (1994),
ch. 3.3.
"""

import math
from typing import NamedTuple

import numpy as np

from text2gesture_ros.geometry import Array, Axis, normalise

_SMALLEST = 1e-9  # radius below which a vector has no azimuth


class Polar(NamedTuple):
    """A unit vector as seen along an axis.

    Attributes:
        azimuth: about the axis [rad].
        radius: distance from the axis; with `height` zero where there is no vector.
        height: along the axis.
    """

    azimuth: float
    radius: float
    height: float


class TwoTurns:
    """Two turns in series and the unit vector they turn: the second sets its height, the first its azimuth.

    Seen along the first axis, Paden-Kahan subproblem 2 for axes that meet is arithmetic of a few numbers,
    which for one goal is far quicker than arrays: at the second's angle q the vector is at
    still + cos(q) across + sin(q) aside.
    """

    def __init__(self, first: Axis, second: Axis, start: Array) -> None:
        """Prepare for axes that are not parallel and a vector (3,) off the second one.

        Args:
            first: axis turned about last.
            second: axis turned about first.
            start: (3,) the vector, with both angles at zero.
        """
        ahead = normalise(np.eye(3)[np.abs(first.direction).argmin()] @ first.orthogonal)
        self._basis = np.stack([ahead, ahead @ first.cross, first.direction], axis=1)
        across = start @ second.orthogonal
        parts = np.stack([start - across, across, start @ second.cross]) @ self._basis
        self._x, self._y, self._z = parts.T.tolist()
        _, across_height, aside_height = self._z
        self._swing = max(math.hypot(across_height, aside_height), _SMALLEST)
        self._phase = math.atan2(aside_height, across_height)

    def polar(self, goals: Array) -> list[Polar]:
        """Return how goals (T, 3) are seen along the first axis."""
        return [Polar(math.atan2(y, x), math.hypot(x, y), z) for x, y, z in (goals @ self._basis).tolist()]

    def onto(self, goal: Polar) -> list[tuple[float, float]]:
        """Return both pairs of angles about the first and the second axis that aim at a goal.

        Where no pair is exact, those of the nearest direction.
        """
        cosine = (goal.height - self._z[0]) / self._swing
        half = math.acos(min(max(cosine, -1.0), 1.0))
        return [(self.first(goal, second), second) for second in (self._phase + half, self._phase - half)]

    def first(self, goal: Polar, second: float) -> float:
        """Return the angle about the first axis that comes nearest to a goal, given the second."""
        x, y, _ = self._at(second)
        return goal.azimuth - math.atan2(y, x)

    def second(self, goal: Polar, first: float) -> float:
        """Return the angle about the second axis that comes nearest to a goal, given the first."""
        back = goal.azimuth - first
        x, y = goal.radius * math.cos(back), goal.radius * math.sin(back)
        (_, across_x, aside_x), (_, across_y, aside_y), (_, across_z, aside_z) = self._x, self._y, self._z
        aside = x * aside_x + y * aside_y + goal.height * aside_z
        return math.atan2(aside, x * across_x + y * across_y + goal.height * across_z)

    def missed(self, goal: Polar, first: float, second: float) -> float:
        """Return the angle between a goal and where two angles aim [rad]."""
        x, y, height = self._at(second)
        back = goal.azimuth - first
        product = goal.radius * (x * math.cos(back) + y * math.sin(back)) + height * goal.height
        return math.acos(min(max(product, -1.0), 1.0))

    def _at(self, second: float) -> tuple[float, float, float]:
        """Return where the vector is with the first at zero: x, y, height."""
        cosine, sine = math.cos(second), math.sin(second)
        (x, across_x, aside_x), (y, across_y, aside_y), (z, across_z, aside_z) = self._x, self._y, self._z
        return (
            x + across_x * cosine + aside_x * sine,
            y + across_y * cosine + aside_y * sine,
            z + across_z * cosine + aside_z * sine,
        )
