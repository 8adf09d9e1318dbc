"""The plan that is commanded, control period by control period, and when each of its rows is due.

Rows count control periods; `row` was commanded last. Behind the end of the plan the robot stands still, so
that any row may be asked for at any time.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from text2gesture_ros.control.trajectory import (
    NOBODY,
    JointState,
    Plan,
    Samples,
    Span,
    joined,
    padded,
    standing,
)
from text2gesture_ros.geometry import Array, BoolArray

# A clock that falls back by more than this was set anew [s].
_SET_BACK = 1.0
# How much of the way it came is remembered, to go back on [s].
_TRAIL = 60.0


class Timeline:
    """What was commanded last and what follows if nothing arrives.

    Attributes:
        row: what was commanded last.
        sent: the state of that row.
        lag: how much later rows are due than the time that commands tell [s].
        followed: row at which the frames known to the plan end.
    """

    def __init__(self, position: Array, period: float) -> None:
        """Make a timeline that stands still.

        Args:
            position: (N,) where [rad].
            period: time from row to row [s].
        """
        self._period = period
        self.row = -1
        self.lag = 0.0
        self._origin = -np.inf  # when row 0 is due [s]
        self._trail: deque[JointState] = deque(maxlen=max(4, round(_TRAIL / period)))
        self.stand(position, 0)

    def stand(self, position: Array, row: int) -> None:
        """Let the plan from a row on be to stand still at a position (N,)."""
        self.replace(standing(position), row)
        self.sent = self.state(row)
        self._trail.clear()

    def replace(self, samples: Samples, row: int) -> None:
        """Let samples be the plan from a row on, whatever was planned; nobody performs in it."""
        self._plan, self._first, self._knot, self.followed = samples, row, row, row
        self._spans = [Span(min(row, self.row), NOBODY, frozenset())]

    # The clock

    @property
    def begun(self) -> bool:
        """Whether it is known when rows are due."""
        return self._origin > -np.inf

    def begin(self, now: float) -> None:
        """Let row 0 be due now [s], unless that is known already."""
        if not self.begun:
            self._origin = now

    def time(self, row: int) -> float:
        """Return when a row is due [s]."""
        return self._origin + row * self._period

    def before(self, time: float) -> int:
        """Return the last row that is due before a time [s]."""
        return int(np.ceil((time - self._origin) / self._period - 1e-6)) - 1

    def set_back(self, now: float) -> bool:
        """Return whether a clock that says `now` [s] was set back: a simulation was restarted, say."""
        return now < self.time(self.row) - _SET_BACK

    def follow(self, now: float) -> float:
        """Let the next row be due `now` [s]; return by how much later that is than it was.

        Zero where that is jitter of the caller, which is not to be seen.
        """
        if not self.begun:
            self._origin = now - (self.row + 1) * self._period
        late = now - self.time(self.row + 1)
        if abs(late) > self._period:
            self._origin += late
            self.lag += late
        else:
            late = 0.0
        return late

    # The plan

    @property
    def end(self) -> int:
        """The last row of the plan; behind it the robot stands still."""
        return self._first + len(self._plan) - 1

    @property
    def over(self) -> bool:
        """Whether all of the plan was commanded."""
        return self.row >= self.end

    def state(self, row: int) -> JointState:
        """Return what is planned for a row."""
        return self._plan.state(min(max(row - self._first, 0), len(self._plan) - 1))

    def rows(self, after: int, last: int) -> Samples:
        """Return the rows after `after` up to `last`."""
        return padded(self._plan[max(0, after + 1 - self._first) :] or self._plan[-1:], last - after)

    def base(self, row: int, stride: int) -> int:
        """Return the first row from `row` on behind which a plan is well begun: a knot, or a standstill."""
        while (row - self._knot) % stride and not self.state(row).still:
            row += 1
        return row

    def span(self, row: int) -> Span:
        """Return who performs at a row."""
        return next(span for span in reversed(self._spans) if span.row <= row)

    @property
    def spans(self) -> tuple[Span, ...]:
        """Who performs from the next row on."""
        return (self.span(self.row + 1), *(span for span in self._spans if span.row > self.row + 1))

    def install(self, base: int, plan: Plan) -> None:
        """Let a plan follow a row."""
        self._plan, self._first = joined(self.rows(self.row, base), plan.samples), self.row + 1
        spans = [span for span in self._spans if span.row <= base]
        past = [span for span in spans if span.row <= self.row][:-1]
        self._spans = spans[len(past) :] + [replace(span, row=base + span.row) for span in plan.spans]
        self._knot, self.followed = base, base + plan.followed

    def forget(self, utterance_ids: Iterable[str]) -> None:
        """Let nobody perform where some utterances would."""
        self._spans = [
            Span(span.row, NOBODY, frozenset()) if span.name[0] in utterance_ids else span
            for span in self._spans
        ]

    def displace(self, joints: BoolArray, place: Array) -> None:
        """Let some joints (N,), which nobody commands, be elsewhere: at `place` (N,) [rad]."""
        self._plan = replace(self._plan, positions=np.where(joints, place, self._plan.positions))
        self.sent = replace(self.sent, position=np.where(joints, place, self.sent.position))
        self._trail.clear()

    # What was commanded

    def advance(self) -> JointState:
        """Go on by a row and return what is planned for it."""
        if self.sent.still:
            # Time that passes at standstill breaks no limit; it must go on, though, unless the clock was set.
            self.lag = 0.0 if not -_SET_BACK < self.lag < 0.0 else min(0.0, self.lag + self._period / 2.0)
        self.row += 1
        return self.state(self.row)

    def note(self, state: JointState, rests: bool) -> None:
        """Take note of what was commanded in place of the row, and whether the robot rests there."""
        if rests:
            self._trail.clear()
        if not (state.still and self.sent.still and self._trail):
            self._trail.append(state)
        self.sent = state

    @property
    def trail(self) -> Sequence[JointState]:
        """The way from rest to where the robot stands; empty where it does not stand."""
        return list(self._trail) if self.over else []
