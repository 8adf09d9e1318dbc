"""How far the parts of a robot are from each other: capsules, their signed distances and gradients.

A capsule is all points within a radius of a line segment, so that two of them are as far apart as their
segments less their radii. Closest points of two segments: C. Ericson, "Real-Time Collision Detection" (2005),
sec. 5.1.9. Coordinates come first in the arrays here, (3, ...): numpy then works on long rows.
"""

import numpy as np
import numpy.typing as npt

from text2gesture_ros.kinematics import Array
from text2gesture_ros.robot import BASE, Robot

_Indices = npt.NDArray[np.intp]

# As many samples are worked on at once: enough to be quick, little enough to stay in the processor's cache.
_CHUNK = 512
# Shorter than this a segment is a point and a distance none [m].
_SMALLEST = 1e-9
# Squared sine of the angle below which segments count as parallel.
_PARALLEL = 1e-9


def closest(start_a: Array, along_a: Array, start_b: Array, along_b: Array) -> tuple[Array, Array]:
    """Return how far along two segments (3, ...) their closest points are, each (...) in [0, 1].

    Args:
        start_a: (3, ...) where one begins.
        along_a: (3, ...) from its beginning to its end; zero for a point.
        start_b: (3, ...) where the other begins.
        along_b: (3, ...) from its beginning to its end; zero for a point.
    """
    between = start_a - start_b
    aa, bb, ab = _dot(along_a, along_a), _dot(along_b, along_b), _dot(along_a, along_b)
    a, b = _dot(along_a, between), _dot(along_b, between)
    square = aa * bb
    across = square - ab * ab
    # Of the equal points of parallel segments the middle: it is the last to jump when they turn.
    parallel = across <= _PARALLEL * square
    on_a = np.where(parallel, 0.5, (ab * b - bb * a) / np.where(parallel, 1.0, across))
    on_a = np.minimum(np.maximum(on_a, 0.0), 1.0)
    on_b = np.minimum(np.maximum((ab * on_a + b) / np.maximum(bb, _SMALLEST**2), 0.0), 1.0)
    on_a = np.minimum(np.maximum((ab * on_b - a) / np.maximum(aa, _SMALLEST**2), 0.0), 1.0)
    return on_a, on_b


class Clearance:
    """Signed distances between the capsules of one robot.

    Attributes:
        pairs: (P, 2) indices of the capsules compared, `Robot.pairs`.
    """

    def __init__(self, robot: Robot) -> None:
        """Prepare for the capsules and pairs of a robot; it may have none (P = 0)."""
        self._robot = robot
        self.pairs = robot.pairs
        capsules = robot.capsules
        self._joints = np.array([capsule.joint for capsule in capsules], dtype=np.intp)
        starts = np.array([capsule.start for capsule in capsules]).reshape(-1, 3)
        ends = np.array([capsule.end for capsule in capsules]).reshape(-1, 3)
        self._starts, self._alongs = starts, ends - starts
        radii = np.array([capsule.radius for capsule in capsules])
        self._one, self._other = self.pairs[:, 0], self.pairs[:, 1]
        self._radii = radii[self._one] + radii[self._other]
        carried = _carried(robot)[self._joints]
        self._carried_one, self._carried_other = carried[self._one], carried[self._other]
        self._axes = np.zeros((len(robot.joint_names), 3))
        for chain in robot.chains.values():
            self._axes[list(chain.joints)] = chain.axes

    def distances(self, angles: Array) -> Array:
        """Return the signed distance of every pair (..., P) [m]; negative where two go into each other.

        Args:
            angles: (..., N) joint angles [rad].
        """
        angles = np.asarray(angles, dtype=np.float64)
        samples = angles.reshape(-1, angles.shape[-1])
        result = np.empty((len(samples), len(self.pairs)))
        for first in range(0, len(samples), _CHUNK) if len(self.pairs) else ():
            chunk = slice(first, first + _CHUNK)
            starts, alongs = self._segments(*self._robot.frames(samples[chunk]))
            result[chunk] = self._between(starts, alongs, self._one, self._other)[0].T - self._radii
        return result.reshape(*angles.shape[:-1], len(self.pairs))

    def smallest(self, angles: Array) -> Array:
        """Return the smallest distance of any pair (...) [m]; infinite if the robot has no pairs.

        Args:
            angles: (..., N) joint angles [rad].
        """
        return np.asarray(np.min(self.distances(angles), axis=-1, initial=np.inf))

    def rows(self, angles: Array, within: float) -> tuple[Array, Array]:
        """Return distances (R,) [m] and their gradients (R, N) [m/rad] of the pairs nearer than `within`.

        Args:
            angles: (N,) joint angles [rad].
            within: what counts as near [m].
        """
        return self.near(*self._robot.frames(angles), np.full(len(self.pairs), within))[1:]

    def near(self, turns: Array, places: Array, within: Array) -> tuple[_Indices, Array, Array]:
        """Return which pairs (R,) are nearer than `within` (P,), their distances (R,) and gradients (R, N).

        Args:
            turns: (N, 3, 3) rotations of the joints, as from `Robot.frames`.
            places: (N, 3) their origins [m].
            within: (P,) what counts as near for every pair [m].
        """
        if not len(self.pairs):
            return np.empty(0, dtype=np.intp), np.empty(0), np.empty((0, len(places)))
        starts, alongs = self._segments(turns[None], places[None])
        starts, alongs = starts[..., 0], alongs[..., 0]
        # First by the balls around the segments, which is most of the pairs with little work.
        middles, halves = starts + 0.5 * alongs, 0.5 * np.sqrt(_dot(alongs, alongs))
        reach = self._radii + within + halves[self._one] + halves[self._other]
        apart = middles[:, self._one] - middles[:, self._other]
        pairs = np.flatnonzero(_dot(apart, apart) < reach * reach)
        distances, on_one, on_other, normals = self._between(
            starts, alongs, self._one[pairs], self._other[pairs]
        )
        distances = distances - self._radii[pairs]
        kept = distances < within[pairs]
        pairs, normals = pairs[kept], normals[:, kept].T
        # A distance changes by the normal times the velocity of the two points. Of a turn about an axis w
        # through c, a point p has the velocity w x (p - c) = w x p + c x w.
        axes = (turns @ self._axes[..., None])[..., 0]
        moments = cross(places, axes)
        sweep = normals @ moments.T
        gradients = (cross(on_one[:, kept].T, normals) @ axes.T + sweep) * self._carried_one[pairs]
        gradients -= (cross(on_other[:, kept].T, normals) @ axes.T + sweep) * self._carried_other[pairs]
        return pairs, distances[kept], gradients

    def _segments(self, turns: Array, places: Array) -> tuple[Array, Array]:
        """Return where the segments start and what they extend over, (3, C, S), for frames of S samples."""
        base = self._joints == BASE
        turns, places = turns[:, self._joints], places[:, self._joints]
        starts = places + (turns @ self._starts[..., None])[..., 0]
        alongs = (turns @ self._alongs[..., None])[..., 0]
        starts[:, base], alongs[:, base] = self._starts[base], self._alongs[base]
        return np.ascontiguousarray(starts.T), np.ascontiguousarray(alongs.T)

    @staticmethod
    def _between(starts: Array, alongs: Array, one: _Indices, other: _Indices) -> tuple[Array, ...]:
        """Return the distance (R, ...) of segments, their closest points and the unit vector between them.

        Points and vector are (3, R, ...); the vector points to the first, and is zero where they cross.
        """
        start_a, along_a, start_b, along_b = (
            starts[:, one],
            alongs[:, one],
            starts[:, other],
            alongs[:, other],
        )
        on_a, on_b = closest(start_a, along_a, start_b, along_b)
        point_a, point_b = start_a + on_a * along_a, start_b + on_b * along_b
        apart = point_a - point_b
        distance = np.sqrt(_dot(apart, apart))
        return distance, point_a, point_b, apart / np.maximum(distance, _SMALLEST)


def _carried(robot: Robot) -> Array:
    """Return which joints move what is fixed to each joint (N + 1, N), 1 or 0; the last row is of the base."""
    count = len(robot.joint_names)
    carried = np.zeros((count + 1, count))
    for joint, parent in enumerate(robot.parents):
        carried[joint] = carried[parent]
        carried[joint, joint] = 1.0
    for hand in robot.hands.values():
        carried[hand.joint, hand.joint] = 0.0
    return carried


def _dot(a: Array, b: Array) -> Array:
    return np.asarray(a[0] * b[0] + a[1] * b[1] + a[2] * b[2])


def cross(a: Array, b: Array) -> Array:
    """Return the cross product over the last axis, (..., 3)."""
    x, y, z = a[..., 0], a[..., 1], a[..., 2]
    u, v, w = b[..., 0], b[..., 1], b[..., 2]
    return np.stack([y * w - z * v, z * u - x * w, x * v - y * u], axis=-1)
