"""The time base of the control loop: rows are control periods, counted from the first command on."""

import numpy as np

# A clock that falls back by more than this was set anew, such as a simulation that was restarted [s].
_SET_BACK = 1.0
# A loop that wakes up later than this pauses the motion instead of skipping rows [s].
_MAX_SKIP = 0.25


class RowClock:
    """Tells when rows are due.

    Attributes:
        period: time from row to row [s].
        origin: when row 0 is due [s]; -inf until `begin`.
        lag: how much later rows are due than the stamps of their commands say [s]: the time for which the
            motion was paused. It vanishes while the robot stands still.
    """

    def __init__(self, period: float) -> None:
        """Make a clock that has not begun; `period` in [s]."""
        self.period = period
        self.origin = -np.inf
        self.lag = 0.0

    @property
    def begun(self) -> bool:
        """Whether it is known when rows are due."""
        return self.origin > -np.inf

    def begin(self, now: float, row: int = 0) -> None:
        """Let a row be due now [s], unless the clock has begun."""
        if not self.begun:
            self.origin = now - row * self.period

    def time(self, row: int) -> float:
        """Return when a row is due [s]."""
        return self.origin + row * self.period

    def stamp(self, row: int) -> float:
        """Return the time that the command of a row carries [s]: over these times every limit is kept."""
        return self.time(row) - self.lag

    def before(self, time: float) -> int:
        """Return the last row that is due before a time [s]."""
        return int(np.ceil((time - self.origin) / self.period - 1e-6)) - 1

    def was_set_back(self, now: float, row: int) -> bool:
        """Return whether a clock that says `now` [s] after `row` was set back."""
        return now < self.time(row) - _SET_BACK

    def rows_due(self, now: float, row: int, at_rest: bool) -> int:
        """Return how many rows are due now [s] after `row` was sent, at least one; 0: motion has to pause.

        A loop that wakes up late goes on with the row that is due now: the rows in between belong to the same
        verified trajectory, so the step keeps every limit over the time that really passed. After a longer
        gap (the process was suspended) the motion pauses: it goes on where it was.

        Args:
            now: the present [s].
            row: sent last.
            at_rest: whether nothing moves, so that time may pass.
        """
        late = now - self.time(row + 1)
        if abs(late) <= self.period:
            return 1
        return 1 + int(late / self.period + 1e-6) if late > 0.0 and (at_rest or late <= _MAX_SKIP) else 0

    def pause(self, now: float, row: int) -> None:
        """Let the row after `row` be due now [s], and all others as much later."""
        late = now - self.time(row + 1)
        self.origin += late
        self.lag += late

    def catch_up(self) -> None:
        """Let stamps come nearer to the due times by what one row at standstill allows."""
        # Time that passes at standstill breaks no limit; it has to pass, though, unless the clock was set.
        self.lag = 0.0 if not -_SET_BACK < self.lag < 0.0 else min(0.0, self.lag + self.period / 2.0)
