"""The plan in force, row by row: what was sent last, and what follows if nothing arrives.

Rows count control periods. Behind its end the plan stands still, so that any row may be asked for.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import replace
from itertools import islice

import numpy as np

from text2gesture_ros.control.trajectory import (
    IDLE,
    Commit,
    JointSample,
    Plan,
    SampledTrajectory,
    Span,
    concatenated,
    padded,
    standstill,
)
from text2gesture_ros.geometry import Array, BoolArray

# How much of the path that was taken is kept, to go back on, and how much of it a snapshot has [s].
_TRAIL, _SNAPSHOT_TRAIL = 60.0, 10.0
# Earlier samples by which the next one is judged: a jerk takes four.
_HISTORY = 3


class PlanBuffer:
    """Rows that were sent, and the rows of the plan in force that follow.

    Attributes:
        row: the row that was sent last, -1 before the first.
        sent: the sample of that row.
        number: number of the plan in force, larger for each one; negative where the loop itself made it.
        commit: of the plan that was installed last.
        history: positions (N,) of the rows sent last, at most three [rad].
    """

    def __init__(self, position: Array, period: float) -> None:
        """Make a buffer whose robot stands still at `position` (N,) [rad], rows `period` [s] apart."""
        self.row = -1
        self.number, self.commit = 0, Commit(0)
        self.history: deque[Array] = deque(maxlen=_HISTORY)
        self._trail: deque[JointSample] = deque(maxlen=max(4, round(_TRAIL / period)))
        self._snapshot_rows = round(_SNAPSHOT_TRAIL / period)
        self._set(standstill(position), 0)
        self.number = 0
        self.sent = self.sample(0)

    def stand(self, position: Array) -> None:
        """Let the plan be to stand still at a position (N,) from the next row on, without a past."""
        self._set(standstill(position), self.row + 1)
        self.sent = self.sample(self.row + 1)
        self._trail.clear()
        self.history.clear()

    def replace(self, samples: SampledTrajectory) -> None:
        """Let samples be the plan from the row sent last on, in which nothing is performed."""
        self._set(samples, self.row)

    def _set(self, samples: SampledTrajectory, row: int) -> None:
        self._plan, self._first = samples, row
        self._spans = [Span(min(row, self.row), IDLE, frozenset())]
        self._change()

    def _change(self) -> None:
        self.number = -abs(self.number) - 1

    @property
    def end(self) -> int:
        """The last row of the plan."""
        return self._first + len(self._plan) - 1

    @property
    def over(self) -> bool:
        """Whether all of the plan was sent."""
        return self.row >= self.end

    def sample(self, row: int) -> JointSample:
        """Return what is planned for a row."""
        return self._plan.sample(min(max(row - self._first, 0), len(self._plan) - 1))

    def rows(self, after: int, last: int) -> SampledTrajectory:
        """Return the rows after `after` up to `last`."""
        return padded(self._plan[max(0, after + 1 - self._first) :] or self._plan[-1:], last - after)

    def span(self, row: int) -> Span:
        """Return what is performed at a row."""
        return next(span for span in reversed(self._spans) if span.row <= row)

    @property
    def spans(self) -> tuple[Span, ...]:
        """What is performed from the next row on."""
        return (self.span(self.row + 1), *(span for span in self._spans if span.row > self.row + 1))

    def install(self, plan: Plan) -> None:
        """Let a plan be in force that continues the present one behind a row that was not passed yet."""
        base = plan.commit.row - 1
        self._plan, self._first = concatenated(self.rows(self.row, base), plan.samples), self.row + 1
        spans = [span for span in self._spans if span.row <= base]
        past = [span for span in spans if span.row <= self.row][:-1]
        self._spans = spans[len(past) :]
        self._spans += [replace(span, row=plan.commit.row + span.row) for span in plan.spans]
        self.number, self.commit = plan.number, plan.commit

    def forget(self, utterance_ids: Iterable[str]) -> None:
        """Perform nothing where some utterances would be performed; the trajectory stays."""
        self._spans = [
            Span(span.row, IDLE, frozenset()) if span.clause[0] in utterance_ids else span
            for span in self._spans
        ]

    def displace(self, joints: BoolArray, positions: Array) -> None:
        """Let some joints (N,), which are not commanded, be elsewhere: at `positions` (N,) [rad]."""
        self._plan = replace(self._plan, positions=np.where(joints, positions, self._plan.positions))
        self.sent = replace(self.sent, position=np.where(joints, positions, self.sent.position))
        self.history = deque((np.where(joints, positions, old) for old in self.history), maxlen=_HISTORY)
        self._trail.clear()
        self._change()

    def advance(self) -> JointSample:
        """Go on by a row and return what is planned for it."""
        self.row += 1
        return self.sample(self.row)

    def note(self, sample: JointSample, at_rest: bool) -> None:
        """Take note of what was sent for the row, and whether the robot is at rest there."""
        if at_rest:
            self._trail.clear()
        if not (sample.still and self.sent.still and self._trail):
            self._trail.append(sample)
        self.sent = sample
        self.history.append(sample.position)

    def snapshot(self) -> "PlanBuffer":
        """Return a copy for another process; of a long trail it has the latest part."""
        other = copy(self)
        other._trail = deque(islice(reversed(self._trail), self._snapshot_rows), maxlen=self._trail.maxlen)
        other._trail.reverse()
        other.history, other._spans = self.history.copy(), [*self._spans]
        return other

    @property
    def trail(self) -> Sequence[JointSample]:
        """The path from rest to where the robot stands; empty while it moves."""
        return list(self._trail) if self.over else []
