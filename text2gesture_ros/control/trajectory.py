"""Joint trajectories sampled at the control rate, and plans made of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from text2gesture_ros.geometry import Array
from text2gesture_ros.labels import ClauseId
from text2gesture_ros.retargeting.reference import Fade


@dataclass(frozen=True, eq=False)
class JointState:
    """Position [rad], velocity [rad/s] and acceleration [rad/s^2] of every joint, each (N,)."""

    position: Array
    velocity: Array
    acceleration: Array

    @property
    def still(self) -> bool:
        """Whether nothing moves."""
        return not (np.abs(self.velocity).max() > 1e-9 or np.abs(self.acceleration).max() > 1e-9)


@dataclass(frozen=True, eq=False)
class Samples:
    """States one control period apart.

    Attributes:
        positions: (P, N) [rad].
        velocities: (P, N) [rad/s].
        accelerations: (P, N) [rad/s^2].
    """

    positions: Array
    velocities: Array
    accelerations: Array

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, rows: slice) -> "Samples":
        return Samples(self.positions[rows], self.velocities[rows], self.accelerations[rows])

    @classmethod
    def of(cls, states: Sequence[JointState]) -> "Samples":
        """Return states as rows."""
        return cls(
            np.stack([state.position for state in states]),
            np.stack([state.velocity for state in states]),
            np.stack([state.acceleration for state in states]),
        )

    def state(self, row: int) -> JointState:
        """Return the state of one row."""
        return JointState(self.positions[row], self.velocities[row], self.accelerations[row])

    def reversed(self) -> "Samples":
        """Return the same path gone backwards: it keeps every limit that the path keeps."""
        return Samples(self.positions[::-1], -self.velocities[::-1], self.accelerations[::-1])


def standing(position: Array) -> Samples:
    """Return one row that stands still at `position` (N,)."""
    zero = np.zeros((1, len(position)))
    return Samples(np.array(position, dtype=np.float64)[None], zero, zero)


def joined(*parts: Samples) -> Samples:
    """Return the rows of all parts, one after the other."""
    return Samples(
        np.concatenate([part.positions for part in parts]),
        np.concatenate([part.velocities for part in parts]),
        np.concatenate([part.accelerations for part in parts]),
    )


NOBODY: ClauseId = ("", 0)
"""Who performs when no gesture does."""


@dataclass(frozen=True, eq=False)
class Span:
    """From which sample on a gesture performs, and which joint groups it uses."""

    row: int
    name: ClauseId
    used: frozenset[str]


@dataclass(frozen=True, eq=False)
class Plan:
    """A plan behind a state.

    Attributes:
        samples: what is commanded; the last one stands still.
        spans: who performs.
        followed: how many samples it takes to the end of the frames that are known.
        fade: how the last gesture in it takes over, and from which sample on.
    """

    samples: Samples
    spans: tuple[Span, ...]
    followed: int = 0
    fade: tuple[ClauseId, int, Fade] | None = None


def padded(samples: Samples, rows: int) -> Samples:
    """Return the first rows; behind its end a plan stands still."""
    missing = rows - len(samples)
    if missing <= 0:
        return samples[:rows]
    last = standing(samples.positions[-1])
    return joined(samples, *[last] * missing)
