"""How punctual the control loop is."""

from text2gesture_ros.control.command import Command

# Fraction of late commands that is worth a warning, and the fewest commands by which that is judged.
_LATE_ALLOWED, _MIN_TICKS = 0.01, 100


class LoopStatistics:
    """Counts commands, and those that went out late.

    Attributes:
        ticks: commands so far.
        half_late, late: of them, more than half a period and more than one and a half periods after they
            were due.
        violations: limits that withheld samples would have broken.
        moving: whether the robot moves or performs.
    """

    def __init__(self) -> None:
        self.ticks = self.half_late = self.late = self.violations = 0
        self.moving = False
        self._last = 0.0

    def begin(self, now: float) -> None:
        """Begin to measure [s]; the first command is due one period later."""
        self._last = now

    def on_tick(self, now: float, period: float, command: Command) -> None:
        """Take note of a command sent now [s] by a loop of this period [s]."""
        late = now - self._last - period
        self._last = now
        self.ticks += 1
        self.half_late += late > 0.5 * period
        self.late += late > 1.5 * period
        self.violations += len(command.violations)
        self.moving = command.moving

    def report(self) -> tuple[dict[str, object], list[str]]:
        """Return the counts by name, and warnings."""
        counts: dict[str, object] = {
            "commands": self.ticks,
            "commands late by over half a period": self.half_late,
            "commands late by over one and a half periods": self.late,
            "limit violations withheld": self.violations,
        }
        warnings = []
        if self.violations:
            warnings.append(f"{self.violations} commands would have exceeded a limit and were withheld")
        if self.ticks >= _MIN_TICKS and self.late > _LATE_ALLOWED * self.ticks:
            warnings.append(f"{self.late} of {self.ticks} commands were late")
        return counts, warnings
