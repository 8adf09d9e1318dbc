"""How far the parts of a robot are from each other: capsules, their signed distances and gradients.

A capsule is all points within a radius of a line segment, so that two of them are as far apart as their
segments less their radii. Closest points of two segments: C. Ericson, "Real-Time Collision Detection" (2005),
sec. 5.1.9, whose scalar products of all pairs are read from one Gram matrix of all segments.
"""

import numpy as np
import numpy.typing as npt

from text2gesture_ros.geometry import Array
from text2gesture_ros.robots.robot import BASE, Capsule, Robot

_Indices = npt.NDArray[np.intp]

# As many samples are worked on at once: enough to be quick, little enough to stay in the processor's cache.
_CHUNK = 256
# Shorter than this a segment is a point and a distance none [m].
_SMALLEST = 1e-9
# Squared sine of the angle below which segments count as parallel.
_PARALLEL = 1e-9
# (3, 9): row vectors times this are their cross product matrices, flat.
_CROSS = np.array(
    [[0, 0, 0, 0, 0, -1, 0, 1, 0], [0, 0, 1, 0, 0, 0, -1, 0, 0], [0, -1, 0, 1, 0, 0, 0, 0, 0]], float
)


def closest(aa: Array, bb: Array, ab: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """Return how far along two segments their closest points are, each (...) in [0, 1].

    Args:
        aa: (...) squared length of the first; zero for a point [m^2].
        bb: (...) squared length of the second; zero for a point [m^2].
        ab: (...) product of the vectors along them [m^2].
        a: (...) product of the first with the vector from the second's start to the first's [m^2].
        b: (...) product of the second with that [m^2].
    """
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
        carried: (P, N) 1 where a joint moves the first capsule of a pair, -1 the second, 0 neither or both.
        reach: (P, N) by how much a pair's distance changes at most for a turn of a joint [m/rad].
    """

    def __init__(self, robot: Robot) -> None:
        """Prepare for the capsules and pairs of a robot; it may have none (P = 0)."""
        self._robot = robot
        self.pairs = robot.pairs
        capsules = robot.capsules
        self._joints = np.array([capsule.joint for capsule in capsules], dtype=np.intp)
        self._fixed = np.flatnonzero(self._joints == BASE)
        starts = np.array([capsule.start for capsule in capsules]).reshape(-1, 3)
        ends = np.array([capsule.end for capsule in capsules]).reshape(-1, 3)
        # (C, 2, 3): where the segment starts and what it extends over, in the frame of its joint.
        self._local = np.stack([starts, ends - starts], axis=1)
        radii = np.array([capsule.radius for capsule in capsules])
        one, other = self.pairs.T
        self._one, self._other = one, other
        self._radii = radii[one] + radii[other]
        squares = ((ends - starts) ** 2).sum(axis=1)
        self._aa, self._bb = squares[one], squares[other]
        # Where the products stand in the flat Gram matrix of start and extension of every capsule.
        x, d, y, e = 2 * one, 2 * one + 1, 2 * other, 2 * other + 1
        self._products = np.stack([(d, e), (d, x), (d, y), (e, x), (e, y), (x, x), (x, y), (y, y)])
        self._products = self._products[:, 0] * (2 * len(capsules)) + self._products[:, 1]
        carried = _carried(robot)[self._joints]
        self.carried = carried[one] - carried[other]
        reach = np.array([_reach(robot, capsule) for capsule in capsules]).reshape(-1, len(robot.joint_names))
        self.reach = np.where(self.carried > 0.0, reach[one], reach[other]) * np.abs(self.carried)
        self._axes = np.zeros((len(robot.joint_names), 3, 1))
        for chain in robot.chains.values():
            self._axes[list(chain.joints)] = chain.axes[..., None]

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
            result[chunk] = self._between(self._segments(*self._robot.frames(samples[chunk])))[0]
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
        pairs, distances, gradients = self.near(*self._robot.frames(angles), np.full(len(self.pairs), within))
        return distances[pairs], gradients

    def near(self, turns: Array, places: Array, within: Array) -> tuple[_Indices, Array, Array]:
        """Return which pairs (R,) are nearer than `within` (P,), all distances (P,), these pairs' gradients.

        Gradients are (R, N) [m/rad], distances [m].

        Args:
            turns: (N, 3, 3) rotations of the joints, as from `Robot.frames`.
            places: (N, 3) their origins [m].
            within: (P,) what counts as near for every pair [m].
        """
        if not len(self.pairs):
            return np.empty(0, dtype=np.intp), np.empty(0), np.empty((0, len(places)))
        segments = self._segments(turns, places)
        every, on_one, on_other = self._between(segments)
        pairs = np.flatnonzero(every < within)
        one, other = segments[self._one[pairs]], segments[self._other[pairs]]
        point = one[:, 0] + on_one[pairs, None] * one[:, 1]
        normals = point - other[:, 0] - on_other[pairs, None] * other[:, 1]
        normals /= np.maximum(np.sqrt((normals * normals).sum(axis=1, keepdims=True)), _SMALLEST)
        # A distance changes by the normal n times the velocities of the two points. A turn about an axis w
        # through c moves a point p by w x p + c x w, so that n has it change by w (p x n) + n (c x w); the
        # other point will do for p: it lies on the line through p along n.
        axes = (turns @ self._axes)[..., 0]
        gradients = cross(point, normals) @ axes.T + normals @ cross(places, axes).T
        return pairs, every, gradients * self.carried[pairs]

    def _segments(self, turns: Array, places: Array) -> Array:
        """Return where the segments start and what they extend over, (..., C, 2, 3) in the base frame [m]."""
        segments = self._local @ turns[..., self._joints, :, :].swapaxes(-1, -2)
        segments[..., 0, :] += places[..., self._joints, :]
        segments[..., self._fixed, :, :] = self._local[self._fixed]
        return np.asarray(segments)

    def _between(self, segments: Array) -> tuple[Array, Array, Array]:
        """Return the distances of the pairs (..., P) [m], and how far along the segments they are closest."""
        leading = segments.shape[:-3]
        flat = segments.reshape(*leading, -1, 3)
        gram = (flat @ flat.swapaxes(-1, -2)).reshape(*leading, -1)[..., self._products]
        ab, dx, dy, ex, ey, xx, xy, yy = (gram[..., product, :] for product in range(8))
        a, b = dx - dy, ex - ey
        on_a, on_b = closest(self._aa, self._bb, ab, a, b)
        square = xx - 2.0 * xy + yy + on_a * (on_a * self._aa + 2.0 * (a - on_b * ab))
        square += on_b * (on_b * self._bb - 2.0 * b)
        return np.sqrt(np.maximum(square, 0.0)) - self._radii, on_a, on_b


def _carried(robot: Robot) -> Array:
    """Return which joints move what is fixed to each joint (N + 1, N), 1 or 0; the last row: the base."""
    count = len(robot.joint_names)
    carried = np.zeros((count + 1, count))
    for joint, parent in enumerate(robot.parents):
        carried[joint] = carried[parent]
        carried[joint, joint] = 1.0
    for hand in robot.hands.values():
        carried[hand.joint, hand.joint] = 0.0
    return carried


def _reach(robot: Robot, capsule: Capsule) -> Array:
    """Return how far each joint moves a point of a capsule's segment at most (N,) [m/rad]."""
    axes, origins = np.zeros((2, len(robot.joint_names), 3))
    for chain in robot.chains.values():
        axes[list(chain.joints)], origins[list(chain.joints)] = chain.axes, chain.origins
    reach, joint = np.zeros(len(axes)), capsule.joint
    ends = np.stack([capsule.start, capsule.end])
    beyond = float(np.linalg.norm(ends, axis=-1).max())
    while joint != BASE:
        # The joint it is fixed to moves it about an axis, those before at most about their origin.
        reach[joint] = (
            np.linalg.norm(cross(ends, axes[[joint, joint]]), axis=-1).max()
            if (joint == capsule.joint)
            else beyond
        )
        beyond += float(np.linalg.norm(origins[joint]))
        joint = robot.parents[joint]
    return reach


def cross(a: Array, b: Array) -> Array:
    """Return the cross product over the last axis, (..., 3): quicker than numpy's for a few vectors."""
    return np.asarray(((a @ _CROSS).reshape(*a.shape, 3) @ b[..., None])[..., 0])
