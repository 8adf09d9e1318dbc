"""Rotations and the two geometric subproblems every closed-form solution here is made of.

All functions broadcast over leading axes; vectors are (..., 3), rotations (..., 3, 3), angles (...) [rad].
Source of the subproblems: Murray, Li, Sastry, "A Mathematical Introduction to Robotic Manipulation" (1994),
ch. 3.3.
"""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_SMALLEST = 1e-9


def rotation(axis: Array, angle: Array) -> Array:
    """Return the rotation about the unit `axis` (3,) by `angle` (...), (..., 3, 3) (Rodrigues' formula)."""
    angle = np.asarray(angle, dtype=np.float64)[..., None, None]
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross))


def rotation_from_rpy(roll: float, pitch: float, yaw: float) -> Array:
    """Return the rotation (3, 3) of a URDF `rpy`: about the fixed x, then y, then z."""
    x, y, z = np.eye(3)
    return rotation(z, np.array(yaw)) @ rotation(y, np.array(pitch)) @ rotation(x, np.array(roll))


def normalise(vectors: Array) -> Array:
    """Return the vectors (..., 3) at unit length; a vector of length zero stays zero."""
    length = np.sqrt((vectors * vectors).sum(-1, keepdims=True))
    return np.asarray(vectors / np.maximum(length, _SMALLEST))


def cross(a: Array, b: Array) -> Array:
    """Return the cross product, (..., 3). Several times faster than numpy's on small arrays."""
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)


def dot(a: Array, b: Array) -> Array:
    """Return the scalar product over the last axis, (...)."""
    return np.asarray((a * b).sum(-1))


def wrap(angle: Array, around: Array | float) -> Array:
    """Return the equal angle nearest to `around` [rad]: within half a turn of it."""
    return np.asarray(around + np.remainder(angle - around + np.pi, 2.0 * np.pi) - np.pi)


def rotate(axis: Array, angle: Array, vector: Array) -> Array:
    """Return `vector` (..., 3) turned about the unit `axis` (3,) by `angle` (...)."""
    sine, cosine = np.sin(angle)[..., None], np.cos(angle)[..., None]
    along = dot(vector, axis)[..., None] * axis
    return np.asarray(along + cosine * (vector - along) + sine * cross(axis, vector))


def turn_onto(axis: Array, start: Array, goal: Array) -> Array:
    """Return the angle (...) about `axis` (3,) that brings `start` (..., 3) nearest to `goal` (..., 3).

    Paden-Kahan subproblem 1; the nearest direction where none is exact, zero where `goal` lies on the axis.
    """
    side = cross(np.broadcast_to(axis, start.shape), start)
    flat = start - dot(start, axis)[..., None] * axis
    return np.asarray(np.arctan2(dot(side, goal), dot(flat, goal)))


def two_turns_onto(first: Array, second: Array, start: Array, goal: Array) -> tuple[Array, Array]:
    """Return both pairs of angles with rotation(first) rotation(second) start = goal.

    Paden-Kahan subproblem 2 for axes that meet. Where no pair is exact, the nearest direction that is.

    Args:
        first: (3,) unit axis turned about last.
        second: (3,) unit axis turned about first, not parallel to `first`.
        start: (3,) unit vector.
        goal: (..., 3) unit vectors.

    Returns:
        Angles about `first` and about `second`, each (2, ...) [rad].
    """
    parallel = float(first @ second)
    height = float(second @ start)
    square = 1.0 - parallel * parallel
    goal_height = dot(goal, first)
    # The vector between the two turns lies on a circle about each axis: z = a first + b second +- c normal.
    a = (goal_height - parallel * height) / square
    b = (height - parallel * goal_height) / square
    c2 = (1.0 - a * a - b * b - 2.0 * a * b * parallel) / square
    c = np.sqrt(np.maximum(c2, 0.0))[..., None]
    in_plane = a[..., None] * first + b[..., None] * second
    # Circles that do not meet: the point of start's circle, in the plane of the axes, that comes nearest.
    outward = (first - parallel * second) / np.sqrt(square)
    reach = np.sqrt(max(1.0 - height * height, 0.0)) * np.where(a < 0.0, -1.0, 1.0)
    in_plane = np.where(c2[..., None] < 0.0, height * second + reach[..., None] * outward, in_plane)
    normal = c * cross(first, second)
    between = np.stack([in_plane + normal, in_plane - normal])
    about_second = turn_onto(second, np.broadcast_to(start, between.shape), between)
    about_first = turn_onto(first, between, np.broadcast_to(goal, between.shape))
    return about_first, about_second
