"""How faithfully the motion of a clause was performed.

Compared with the joint reference as it would have been tracked if nothing but the robot's limits stood in the
way: no frame late, no plan late, nothing to keep clear of.
"""

from dataclasses import dataclass

import numpy as np

from text2gesture_ros.control.trajectory import JointSample
from text2gesture_ros.geometry import Array, FloatArray
from text2gesture_ros.labels import ClauseId
from text2gesture_ros.retargeting.spline_tracker import SplineTracker
from text2gesture_ros.robots.robot import Robot

MIN_SHARE = 0.95
"""A motion counts as performed where at least this share of its time was."""

MAX_DEVIATION = 0.1
"""And where no joint was further off than this [rad]."""

LATE_FRAMES, LOAD, CLEARANCE, LIMITS = REASONS = ("late frames", "load", "clearance", "limits")
"""Why a motion was not performed faithfully: its frames came late, plans came too late, the robot's own body
was in the way, or its limits were."""

_MAX_RECORD = 30.0  # of a clause, by which deviations are judged [s]
# A joint may be this much earlier or later [s]: that cannot be seen, and frames that are known half a second
# ahead lead to slightly different plans than a whole clip.
_TIME_TOLERANCE = 0.04


@dataclass(frozen=True)
class Fidelity:
    """How a clause, or several, were performed.

    Attributes:
        wanted: time of the motion [s].
        performed: of that, time for which it was tracked [s].
        deviation: largest deviation of a joint from what its limits permit [rad].
        cause: the most likely cause of what is missing, one of `REASONS`.
    """

    wanted: float
    performed: float
    deviation: float
    cause: str

    @property
    def share(self) -> float:
        """The share of the motion that was performed, in [0, 1]."""
        return min(1.0, self.performed / self.wanted) if self.wanted > 0.0 else 1.0

    @property
    def faithful(self) -> bool:
        """Whether the motion counts as performed."""
        return self.share >= MIN_SHARE and self.deviation <= MAX_DEVIATION

    def __add__(self, other: "Fidelity") -> "Fidelity":
        """Return what holds for both."""
        return Fidelity(
            self.wanted + other.wanted,
            self.performed + other.performed,
            max(self.deviation, other.deviation),
            other.cause if self.faithful else self.cause,
        )

    def __str__(self) -> str:
        performed = f"{100.0 * self.share:.0f} % of the time"
        return f"{performed}, up to {self.deviation:.2f} rad from the intended motion (cause: {self.cause})"


NOTHING_MEASURED = Fidelity(0.0, 0.0, 0.0, "")
"""Before anything was performed."""


class FidelityRecorder:
    """Records the rows of one clause at a time."""

    def __init__(self, robot: Robot, period: float) -> None:
        """Record nothing yet; `period` is the control period [s]."""
        self._period = period
        self._tracker = SplineTracker(robot, period)
        self._clause: ClauseId | None = None
        self.begin(None)

    def begin(self, clause: ClauseId | None) -> None:
        """Forget what was recorded, and record another clause, None: none."""
        self._clause = clause
        self._wanted = self._performed = self._starved = 0
        self._bent = self._late = False
        self._times: list[float] = []  # of positions whose targets are not recorded yet
        self._targets: list[Array] = []
        self._positions: list[Array] = []
        self._start: JointSample | None = None

    @property
    def clause(self) -> ClauseId | None:
        """The clause that is recorded."""
        return self._clause

    def on_plan(self, kind: str) -> None:
        """Take note of what kind of plan is in force."""
        self._bent |= kind in ("bent", "cut")

    def on_late_plan(self) -> None:
        """Take note of a plan that came too late."""
        self._late = True

    def on_starved(self) -> None:
        """Take note of a row for which no frames had come in time."""
        self._wanted += 1
        self._starved += 1

    @property
    def pending(self) -> FloatArray:
        """Times (M,) of the rows that `on_targets` is still to be told of [s]."""
        return np.array(self._times)

    def on_targets(self, targets: Array) -> None:
        """Take note of where the joints (M, N) ought to have been at the times `pending` [rad]."""
        self._targets += list(targets)
        self._times.clear()

    def on_row(self, time: float, sample: JointSample, tracked: bool) -> None:
        """Take note of a row.

        Args:
            time: when it was due [s].
            sample: what was sent.
            tracked: whether the clause was performed in it.
        """
        self._wanted += 1
        if not tracked:
            return
        self._performed += 1
        if self._start is None:
            self._start = sample
        elif len(self._positions) * self._period < _MAX_RECORD:
            self._times.append(time)
            self._positions.append(sample.position)

    def result(self) -> Fidelity | None:
        """Return how the clause was performed so far; None where nothing was wanted."""
        if not self._wanted:
            return None
        missing = self._wanted - self._performed
        if self._starved and self._starved >= missing / 2.0:
            cause = LATE_FRAMES
        elif self._late:
            cause = LOAD
        else:
            cause = CLEARANCE if self._bent else LIMITS
        period = self._period
        return Fidelity(self._wanted * period, self._performed * period, self._deviation(), cause)

    def _deviation(self) -> float:
        """Return the largest deviation of a joint from what its limits permit [rad]."""
        count = len(self._targets)
        grid = self._tracker.grid(count * self._period)
        if self._start is None or len(grid) < 2:
            return 0.0
        rows = np.arange(1, count + 1) * self._period
        targets, positions = np.stack(self._targets), np.stack(self._positions[:count])
        reference = np.stack([np.interp(grid, rows, column) for column in targets.T], axis=1)
        found = self._tracker.follow(self._start, reference)
        if found is None:
            return 0.0
        ideal, tracked = found
        compared, shift = min(tracked, count), round(_TIME_TOLERANCE / self._period)
        padded = np.pad(ideal.positions[:compared], ((shift, shift), (0, 0)), mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * shift + 1, axis=0)  # (M, N, W)
        apart = np.abs(windows - positions[:compared, :, None]).min(axis=-1)
        return float(apart.max(initial=0.0))
