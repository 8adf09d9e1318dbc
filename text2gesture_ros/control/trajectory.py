"""Joint trajectories sampled at the control rate, and plans made of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from text2gesture_ros.geometry import Array
from text2gesture_ros.labels import ClauseId

IDLE: ClauseId = ("", 0)
"""The clause of a span in which no motion is performed."""


@dataclass(frozen=True, eq=False)
class JointSample:
    """Position [rad], velocity [rad/s] and acceleration [rad/s^2] of every joint, each (N,)."""

    position: Array
    velocity: Array
    acceleration: Array

    @property
    def still(self) -> bool:
        """Whether nothing moves."""
        return not (np.abs(self.velocity).max() > 1e-9 or np.abs(self.acceleration).max() > 1e-9)


@dataclass(frozen=True, eq=False)
class SampledTrajectory:
    """Samples one control period apart.

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

    def __getitem__(self, rows: slice) -> "SampledTrajectory":
        return SampledTrajectory(self.positions[rows], self.velocities[rows], self.accelerations[rows])

    @classmethod
    def of(cls, samples: Sequence[JointSample]) -> "SampledTrajectory":
        """Return samples as rows."""
        return cls(
            np.stack([sample.position for sample in samples]),
            np.stack([sample.velocity for sample in samples]),
            np.stack([sample.acceleration for sample in samples]),
        )

    def sample(self, row: int) -> JointSample:
        """Return one row."""
        return JointSample(self.positions[row], self.velocities[row], self.accelerations[row])

    def reversed(self) -> "SampledTrajectory":
        """Return the same path backwards: it keeps every limit that the path keeps."""
        return SampledTrajectory(self.positions[::-1], -self.velocities[::-1], self.accelerations[::-1])


def standstill(position: Array) -> SampledTrajectory:
    """Return one row that stands still at `position` (N,)."""
    zero = np.zeros((1, len(position)))
    return SampledTrajectory(np.array(position, dtype=np.float64)[None], zero, zero)


def concatenated(*parts: SampledTrajectory) -> SampledTrajectory:
    """Return the rows of all parts, one after the other."""
    return SampledTrajectory(
        np.concatenate([part.positions for part in parts]),
        np.concatenate([part.velocities for part in parts]),
        np.concatenate([part.accelerations for part in parts]),
    )


def padded(samples: SampledTrajectory, rows: int) -> SampledTrajectory:
    """Return the first `rows` rows; a trajectory that is shorter stands still at its end."""
    missing = rows - len(samples)
    if missing <= 0:
        return samples[:rows]
    last = standstill(samples.positions[-1])
    return concatenated(samples, *[last] * missing)


@dataclass(frozen=True, eq=False)
class Span:
    """From which row on a clause is performed, and which joint groups it uses."""

    row: int
    clause: ClauseId
    groups: frozenset[str]


@dataclass(frozen=True)
class Commit:
    """From where on a plan is commanded, and what it was made from: with that it can be made once more.

    Attributes:
        row: the first row it replaces. Nothing at or behind it may have been sent when it is taken over.
        clause: the latest clause of which a frame was known; `IDLE` if none was.
        known_until: when the latest of these frames is due [s].
        attempt: how many drafts were tried before.
        failed_at: when the latest of these failed, after its start [s]; inf: none was.
    """

    row: int
    clause: ClauseId = IDLE
    known_until: float = 0.0
    attempt: int = 0
    failed_at: float = np.inf


@dataclass(frozen=True, eq=False)
class Plan:
    """A verified trajectory to standstill that replaces the rest of another one.

    Attributes:
        number: what the plan goes by.
        parent: number of the plan that it continues.
        commit: from where on, and what it was made from.
        samples: what is commanded from that row on; the last one stands still.
        spans: what is performed, rows counted from the commit row on; the first is 0.
    """

    number: int
    parent: int
    commit: Commit
    samples: SampledTrajectory
    spans: tuple[Span, ...]
