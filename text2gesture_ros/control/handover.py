"""Plans handed over from the planner to the control loop, and what the planner needs to know of the loop."""

from dataclasses import dataclass
from typing import Protocol

from text2gesture_ros.control.trajectory import Plan


@dataclass(frozen=True)
class LoopStatus:
    """Where the control loop is.

    Attributes:
        row: sent last.
        number: number of the plan in force.
        origin: when row 0 is due [s].
    """

    row: int
    number: int
    origin: float


class PlanExchange(Protocol):
    """One slot for a plan, and the status of the loop. Neither side ever waits for the other."""

    def offer(self, plan: Plan) -> None:
        """Put a plan into the slot, in place of one that was not taken."""

    def take(self, number: int, row: int) -> Plan | None:
        """Empty the slot; return its plan if it continues plan `number` behind `row`, sent last.

        A plan that came too late, or continues another one, is dropped.
        """

    def publish(self, status: LoopStatus) -> None:
        """Tell the planner where the loop is."""

    def status(self) -> LoopStatus:
        """Return what the loop told last."""


def continues(plan: Plan, number: int, row: int) -> bool:
    """Return whether a plan continues plan `number`, of which `row` was sent last."""
    return plan.parent == number and plan.commit.row > row


class LocalExchange:
    """An exchange within one thread."""

    def __init__(self) -> None:
        self._plan: Plan | None = None
        self._status = LoopStatus(-1, 0, float("-inf"))

    def offer(self, plan: Plan) -> None:
        """See `PlanExchange`."""
        self._plan = plan

    def take(self, number: int, row: int) -> Plan | None:
        """See `PlanExchange`."""
        plan, self._plan = self._plan, None
        return plan if plan is not None and continues(plan, number, row) else None

    def publish(self, status: LoopStatus) -> None:
        """See `PlanExchange`."""
        self._status = status

    def status(self) -> LoopStatus:
        """See `PlanExchange`."""
        return self._status
