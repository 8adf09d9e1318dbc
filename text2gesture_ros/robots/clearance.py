"""Clearance between the parts of a robot: signed distances of capsules, and their gradients.

A capsule is all points within a radius of a line segment, so that the distance of two capsules is that of
their segments less the sum of their radii. Closest points of two segments: C. Ericson, "Real-Time Collision
Detection" (2005), sec. 5.1.9, whose scalar products of all pairs are read from one Gram matrix.
"""

import numpy as np
import numpy.typing as npt

from text2gesture_ros.geometry import Array, cross
from text2gesture_ros.robots.robot import BASE, Capsule, Robot

_Indices = npt.NDArray[np.intp]

# Samples in one batch: enough for vectorised speed, few enough to stay in the processor's cache.
_BATCH = 256
# Shorter segments are points, shorter normals have no direction [m].
_MIN_LENGTH = 1e-9
# Squared sine of the angle between two segments below which they count as parallel.
_PARALLEL = 1e-9


def closest(aa: Array, bb: Array, ab: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """Return where on two segments their closest points are, as a ratio of each length (...) in [0, 1].

    Args:
        aa: (...) squared length of the first; zero for a point [m^2].
        bb: (...) squared length of the second; zero for a point [m^2].
        ab: (...) product of the vectors along them [m^2].
        a: (...) product of the first with the vector from the second's start to the first's [m^2].
        b: (...) product of the second with that [m^2].
    """
    square = aa * bb
    across = square - ab * ab
    # On parallel segments many pairs of points are closest: starting from the middle, the result is the last
    # to jump when the segments turn.
    parallel = across <= _PARALLEL * square
    on_a = np.where(parallel, 0.5, (ab * b - bb * a) / np.where(parallel, 1.0, across))
    on_a = np.minimum(np.maximum(on_a, 0.0), 1.0)
    on_b = np.minimum(np.maximum((ab * on_a + b) / np.maximum(bb, _MIN_LENGTH**2), 0.0), 1.0)
    on_a = np.minimum(np.maximum((ab * on_b - a) / np.maximum(aa, _MIN_LENGTH**2), 0.0), 1.0)
    return on_a, on_b


class Clearance:
    """Signed distances between the capsules of one robot.

    Attributes:
        gradient_bounds: (P, N) upper bound on the change of a pair's distance by a joint's angle, in any pose
            [m/rad].
    """

    def __init__(self, robot: Robot) -> None:
        """Prepare for the capsules and pairs of a robot; it may have none (P = 0)."""
        self._robot = robot
        self._pairs = robot.pairs.T  # (2, P): capsules
        one, other = self._pairs
        capsules = robot.capsules
        self._joints = np.array([capsule.joint for capsule in capsules], dtype=np.intp)
        self._fixed = np.flatnonzero(self._joints == BASE)
        starts = np.array([capsule.start for capsule in capsules]).reshape(-1, 3)
        ends = np.array([capsule.end for capsule in capsules]).reshape(-1, 3)
        # (C, 2, 3): where the segment starts and its extension, in the frame of its joint.
        self._local = np.stack([starts, ends - starts], axis=1)
        radii = np.array([capsule.radius for capsule in capsules])
        self._radii = radii[one] + radii[other]
        squares = ((ends - starts) ** 2).sum(axis=1)
        self._squares = squares[one], squares[other]
        # Indices of the products in the flat Gram matrix of start and extension of every capsule.
        x, d, y, e = 2 * one, 2 * one + 1, 2 * other, 2 * other + 1
        self._products = np.stack([(d, e), (d, x), (d, y), (e, x), (e, y), (x, x), (x, y), (y, y)])
        self._products = self._products[:, 0] * (2 * len(capsules)) + self._products[:, 1]
        moved = _moved(robot)[self._joints]
        # (P, N): 1 where a joint moves the first capsule of a pair, -1 the second, 0 neither or both.
        self._signs = moved[one] - moved[other]
        bounds = np.array([_speed_bounds(robot, capsule) for capsule in capsules])
        bounds = bounds.reshape(-1, len(robot.joint_names))
        self.gradient_bounds = np.where(self._signs > 0.0, bounds[one], bounds[other]) * np.abs(self._signs)
        self._axes = np.zeros((len(robot.joint_names), 3, 1))
        for chain in robot.chains.values():
            self._axes[list(chain.joints)] = chain.axes[..., None]

    def distances(self, angles: Array) -> Array:
        """Return the signed distance of every pair of `Robot.pairs` (..., P) [m]; negative in penetration.

        Args:
            angles: (..., N) joint angles [rad].
        """
        angles = np.asarray(angles, dtype=np.float64)
        samples = angles.reshape(-1, angles.shape[-1])
        result = np.empty((len(samples), len(self._radii)))
        for first in range(0, len(samples), _BATCH) if len(self._radii) else ():
            batch = slice(first, first + _BATCH)
            result[batch] = self._between(self._segments(*self._robot.frames(samples[batch])))[0]
        return result.reshape(*angles.shape[:-1], len(self._radii))

    def active_pairs(
        self, rotations: Array, positions: Array, activation_distance: Array
    ) -> tuple[_Indices, Array, Array]:
        """Return the pairs that are closer than their activation distance, and what bounds their motion.

        Args:
            rotations: (N, 3, 3) of the joint frames, as from `Robot.frames`.
            positions: (N, 3) of their origins [m].
            activation_distance: (P,) of every pair [m].

        Returns:
            indices (R,) of the active pairs in `Robot.pairs`; signed distances (P,) of all pairs [m];
            gradients (R, N) of the active pairs' distances by the joint angles [m/rad].
        """
        if not len(self._radii):
            return np.empty(0, dtype=np.intp), np.empty(0), np.empty((0, len(positions)))
        segments = self._segments(rotations, positions)
        every, on_one, on_other = self._between(segments)
        pairs = np.flatnonzero(every < activation_distance)
        one, other = segments[self._pairs[0, pairs]], segments[self._pairs[1, pairs]]
        point = one[:, 0] + on_one[pairs, None] * one[:, 1]
        normals = point - other[:, 0] - on_other[pairs, None] * other[:, 1]
        normals /= np.maximum(np.sqrt((normals * normals).sum(axis=1, keepdims=True)), _MIN_LENGTH)
        # A distance changes by the normal n times the velocities of the two points. A rotation about an axis
        # w through c moves a point p by w x p + c x w, and so the distance by w (p x n) + n (c x w). Either
        # point may be p: both lie on one line along n.
        axes = (rotations @ self._axes)[..., 0]
        gradients = cross(point, normals) @ axes.T + normals @ cross(positions, axes).T
        return pairs, every, gradients * self._signs[pairs]

    def _segments(self, rotations: Array, positions: Array) -> Array:
        """Return start and extension of every segment, (..., C, 2, 3) in the base frame [m]."""
        segments = self._local @ rotations[..., self._joints, :, :].swapaxes(-1, -2)
        segments[..., 0, :] += positions[..., self._joints, :]
        segments[..., self._fixed, :, :] = self._local[self._fixed]
        return np.asarray(segments)

    def _between(self, segments: Array) -> tuple[Array, Array, Array]:
        """Return the distances of the pairs (..., P) [m], and where on their segments, see `closest`."""
        leading = segments.shape[:-3]
        flat = segments.reshape(*leading, -1, 3)
        gram = (flat @ flat.swapaxes(-1, -2)).reshape(*leading, -1)[..., self._products]
        ab, dx, dy, ex, ey, xx, xy, yy = (gram[..., product, :] for product in range(8))
        a, b = dx - dy, ex - ey
        aa, bb = self._squares
        on_a, on_b = closest(aa, bb, ab, a, b)
        square = xx - 2.0 * xy + yy + on_a * (on_a * aa + 2.0 * (a - on_b * ab))
        square += on_b * (on_b * bb - 2.0 * b)
        return np.sqrt(np.maximum(square, 0.0)) - self._radii, on_a, on_b


def _moved(robot: Robot) -> Array:
    """Return which joints move what is fixed to each joint (N + 1, N), 1 or 0; the last row: the base."""
    count = len(robot.joint_names)
    moved = np.zeros((count + 1, count))
    for joint, parent in enumerate(robot.parents):
        moved[joint] = moved[parent]
        moved[joint, joint] = 1.0
    for hand in robot.hands.values():
        moved[hand.joint, hand.joint] = 0.0
    return moved


def _speed_bounds(robot: Robot, capsule: Capsule) -> Array:
    """Return the maximum speed of a capsule's segment by that of each joint (N,), in any pose [m/rad]."""
    axes, origins = np.zeros((2, len(robot.joint_names), 3))
    for chain in robot.chains.values():
        axes[list(chain.joints)], origins[list(chain.joints)] = chain.axes, chain.origins
    bounds, joint = np.zeros(len(axes)), capsule.joint
    ends = np.stack([capsule.start, capsule.end])
    beyond = float(np.linalg.norm(ends, axis=-1).max())
    while joint != BASE:
        # The joint it is fixed to moves it by its lever about the axis, those before by at most its distance.
        own = joint == capsule.joint
        lever = np.linalg.norm(cross(ends, axes[[joint, joint]]), axis=-1).max() if own else beyond
        bounds[joint] = lever
        beyond += float(np.linalg.norm(origins[joint]))
        joint = robot.parents[joint]
    return bounds
