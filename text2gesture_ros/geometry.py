"""Array types, vectors and rotations, the minimum-jerk curve and the softmax.

All functions broadcast over leading axes; vectors are (..., 3), rotations (..., 3, 3), angles (...) [rad].
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
FloatArray = npt.NDArray[np.floating]
BoolArray = npt.NDArray[np.bool_]

_MIN_LENGTH = 1e-9  # shorter vectors count as zero
# (3, 9): row vectors times this are their cross product matrices, flat.
_CROSS = np.array(
    [[0, 0, 0, 0, 0, -1, 0, 1, 0], [0, 0, 1, 0, 0, 0, -1, 0, 0], [0, -1, 0, 1, 0, 0, 0, 0, 0]], float
)


@dataclass(frozen=True, eq=False)
class Axis:
    """A unit axis with the matrices that rotations about it need; `vectors @ axis.cross` is axis x vectors.

    Attributes:
        direction: (3,) unit vector.
        cross: (3, 3) gives the cross product with the axis, of row vectors.
        orthogonal: (3, 3) projects row vectors onto the plane orthogonal to the axis.
    """

    direction: Array
    cross: Array = field(init=False)
    orthogonal: Array = field(init=False)

    def __post_init__(self) -> None:
        x, y, z = self.direction
        object.__setattr__(self, "cross", np.array([[0.0, z, -y], [-z, 0.0, x], [y, -x, 0.0]]))
        object.__setattr__(self, "orthogonal", np.eye(3) - np.outer(self.direction, self.direction))


def rotation(axis: Axis, angle: Array) -> Array:
    """Return the rotation about `axis` by `angle` (...), (..., 3, 3) (Rodrigues' formula)."""
    angle = np.asarray(angle, dtype=np.float64)[..., None, None]
    return np.asarray(np.eye(3) + np.sin(angle) * axis.cross.T - (1.0 - np.cos(angle)) * axis.orthogonal)


def rotation_from_rpy(roll: float, pitch: float, yaw: float) -> Array:
    """Return the rotation (3, 3) of a URDF `rpy`: about the fixed x, then y, then z."""
    x, y, z = (Axis(direction) for direction in np.eye(3))
    return rotation(z, np.array(yaw)) @ rotation(y, np.array(pitch)) @ rotation(x, np.array(roll))


def normalise(vectors: Array) -> Array:
    """Return the vectors (..., 3) at unit length; a vector of length zero stays zero."""
    return np.asarray(vectors / np.maximum(np.sqrt(dot(vectors, vectors)), _MIN_LENGTH)[..., None])


def dot(a: Array, b: Array) -> Array:
    """Return the scalar product over the last axis, (...)."""
    return np.asarray((a * b).sum(axis=-1))


def cross(a: Array, b: Array) -> Array:
    """Return the cross product over the last axis, (..., 3): faster than NumPy's for a few vectors."""
    return np.asarray(((a @ _CROSS).reshape(*a.shape, 3) @ b[..., None])[..., 0])


def wrap(angle: Array, around: Array | float) -> Array:
    """Return the equal angle nearest to `around` [rad]: within half a turn of it."""
    return np.asarray(around + np.remainder(angle - around + np.pi, 2.0 * np.pi) - np.pi)


def rotate(axis: Axis, angle: Array, vector: Array) -> Array:
    """Return `vector` (..., 3) rotated about `axis` by `angle` (...)."""
    sine, cosine = np.sin(angle)[..., None], np.cos(angle)[..., None]
    return np.asarray(vector + sine * (vector @ axis.cross) - (1.0 - cosine) * (vector @ axis.orthogonal))


def angle_onto(axis: Axis, start: Array, goal: Array) -> Array:
    """Return the angle (...) about `axis` that rotates `start` (..., 3) closest to `goal` (..., 3).

    Paden-Kahan subproblem 1; the nearest direction where none is exact, zero where `goal` lies on the axis.
    """
    return np.asarray(np.arctan2(dot(start @ axis.cross, goal), dot(start @ axis.orthogonal, goal)))


def minimum_jerk(ratio: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the minimum-jerk curve from 0 to 1, and its first and second derivative by `ratio`.

    Flash and Hogan, "The coordination of arm movements" (1985).

    Args:
        ratio: (M,) elapsed time as a ratio of the duration, in [0, 1].
    """
    left = 1.0 - ratio
    return (
        ratio**3 * (10.0 + ratio * (6.0 * ratio - 15.0)),
        30.0 * (ratio * left) ** 2,
        60.0 * ratio * left * (left - ratio),
    )


def softmax(logits: FloatArray) -> FloatArray:
    """Return the probabilities of logits over the last axis, in their floating-point type."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
