"""Rotations and the two geometric subproblems every closed-form solution here is made of.

All functions broadcast over leading axes; vectors are (..., 3), rotations (..., 3, 3), angles (...) [rad].
Source of the subproblems: Murray, Li, Sastry, "A Mathematical Introduction to Robotic Manipulation" (1994),
ch. 3.3.
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_SMALLEST = 1e-9


@dataclass(frozen=True, eq=False)
class Axis:
    """A unit axis with the two matrices every turn about it needs; `vectors @ axis.cross` is axis x vectors.

    Attributes:
        direction: (3,) unit vector.
        cross: (3, 3) gives the cross product with the axis, of row vectors.
        across: (3, 3) gives the part across the axis, of row vectors.
    """

    direction: Array
    cross: Array = field(init=False)
    across: Array = field(init=False)

    def __post_init__(self) -> None:
        x, y, z = self.direction
        object.__setattr__(self, "cross", np.array([[0.0, z, -y], [-z, 0.0, x], [y, -x, 0.0]]))
        object.__setattr__(self, "across", np.eye(3) - np.outer(self.direction, self.direction))


def rotation(axis: Axis, angle: Array) -> Array:
    """Return the rotation about `axis` by `angle` (...), (..., 3, 3) (Rodrigues' formula)."""
    angle = np.asarray(angle, dtype=np.float64)[..., None, None]
    return np.asarray(np.eye(3) + np.sin(angle) * axis.cross.T - (1.0 - np.cos(angle)) * axis.across)


def rotation_from_rpy(roll: float, pitch: float, yaw: float) -> Array:
    """Return the rotation (3, 3) of a URDF `rpy`: about the fixed x, then y, then z."""
    x, y, z = (Axis(direction) for direction in np.eye(3))
    return rotation(z, np.array(yaw)) @ rotation(y, np.array(pitch)) @ rotation(x, np.array(roll))


def normalise(vectors: Array) -> Array:
    """Return the vectors (..., 3) at unit length; a vector of length zero stays zero."""
    return np.asarray(vectors / np.maximum(np.sqrt(dot(vectors, vectors)), _SMALLEST)[..., None])


def dot(a: Array, b: Array) -> Array:
    """Return the scalar product over the last axis, (...)."""
    return np.asarray((a * b).sum(axis=-1))


def wrap(angle: Array, around: Array | float) -> Array:
    """Return the equal angle nearest to `around` [rad]: within half a turn of it."""
    return np.asarray(around + np.remainder(angle - around + np.pi, 2.0 * np.pi) - np.pi)


def rotate(axis: Axis, angle: Array, vector: Array) -> Array:
    """Return `vector` (..., 3) turned about `axis` by `angle` (...)."""
    sine, cosine = np.sin(angle)[..., None], np.cos(angle)[..., None]
    return np.asarray(vector + sine * (vector @ axis.cross) - (1.0 - cosine) * (vector @ axis.across))


def turn_onto(axis: Axis, start: Array, goal: Array) -> Array:
    """Return the angle (...) about `axis` that brings `start` (..., 3) nearest to `goal` (..., 3).

    Paden-Kahan subproblem 1; the nearest direction where none is exact, zero where `goal` lies on the axis.
    """
    return np.asarray(np.arctan2(dot(start @ axis.cross, goal), dot(start @ axis.across, goal)))


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
        ahead = normalise(np.eye(3)[np.abs(first.direction).argmin()] @ first.across)
        self._basis = np.stack([ahead, ahead @ first.cross, first.direction], axis=1)
        across = start @ second.across
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
