"""What a control loop asks of its planner, wherever that runs."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from text2gesture_ros.control.handover import PlanExchange
from text2gesture_ros.control.loop import ControlLoop
from text2gesture_ros.control.ownership import JointOwnership
from text2gesture_ros.control.trajectory import Commit, Plan
from text2gesture_ros.geometry import Array, BoolArray
from text2gesture_ros.motion.frame_block import FrameMessage
from text2gesture_ros.parameters import GestureRetargeterParameters
from text2gesture_ros.retargeting.planner import Planner
from text2gesture_ros.retargeting.progress import PlanningEvents

# At a plan that is asked for; a planner makes one between two rows, and there are fewer kinds of drafts.
_ATTEMPTS = 10
# Control periods for which a plan that is wanted waits to be asked for.
_PATIENCE = 100
# Plans that may wait to be made; the oldest is forgotten. A recording has one or two.
_MAX_ASKED = 32


class PlannerLink(Protocol):
    """The planner as seen from the control loop: in the same thread, or elsewhere."""

    @property
    def stuck(self) -> bool:
        """Whether the robot stands still because no trajectory to rest is within limits and clear."""

    @property
    def breathing(self) -> bool:
        """Whether the robot moves only because it breathes at rest."""

    @property
    def counts(self) -> Counter[str]:
        """Plans that were begun, by kind, and searches that failed (kept, stuck)."""

    @property
    def worst(self) -> Mapping[str, float]:
        """The largest share of each limit that the plans used, and `clearance`: the smallest [m]."""

    def receive(self, block: FrameMessage) -> None:
        """Pass on a block that was admitted."""

    def abandon(self, utterance_ids: Iterable[str] | None) -> None:
        """Perform nothing more of some utterances, None: of all."""

    def hold(self, on: bool) -> None:
        """Let the robot stand still, or go on."""

    def configure(self, old: GestureRetargeterParameters) -> None:
        """Pass on that the parameters of the ownership have changed."""

    def begin_from(self, place: Array) -> None:
        """Pass on that the robot stands still at `place` (N,) [rad]."""

    def displace(self, joints: BoolArray, place: Array) -> None:
        """Pass on that some joints (N,), which are not commanded, are at `place` (N,) [rad]."""

    def advance(self, rows: int) -> None:
        """Pass on that rows were sent."""

    def work(self) -> bool:
        """Plan where planning is done in this thread; return whether there may be a plan to take over."""

    def start(self, on_offer: Callable[[], None] | None = None) -> None:
        """Wait until plans can be made.

        Args:
            on_offer: is called, in another thread, when there is a plan to take over between two commands.

        Raises:
            ConfigurationError: it takes too long.
        """

    def close(self) -> None:
        """End the planner."""


class InlinePlanner:
    """A planner in the thread of the control loop: for offline use, tests, and time that waits for it."""

    def __init__(
        self, loop: ControlLoop, ownership: JointOwnership, exchange: PlanExchange, events: PlanningEvents
    ) -> None:
        """Plan for a loop with which everything is shared."""
        self._planner = Planner(ownership, loop.buffer, loop.clock, events)
        self._exchange = exchange
        self._waits = False  # whether plans are made only when they are asked for
        self._asked: deque[Commit] = deque(maxlen=_MAX_ASKED)  # of the plans that are asked for
        self._unasked: set[int] = set()  # rows before which a plan was wanted, since one was asked for

    @property
    def counts(self) -> Counter[str]:
        """See `PlannerLink`."""
        return self._planner.search.counts

    @property
    def worst(self) -> Mapping[str, float]:
        """See `PlannerLink`."""
        return self._planner.search.worst

    @property
    def stuck(self) -> bool:
        """See `PlannerLink`."""
        return self._planner.stuck

    @property
    def breathing(self) -> bool:
        """See `PlannerLink`."""
        return self._planner.breathing

    def receive(self, block: FrameMessage) -> None:
        """See `PlannerLink`."""
        self._planner.receive(block)

    def abandon(self, utterance_ids: Iterable[str] | None) -> None:
        """See `PlannerLink`."""
        self._planner.abandon(None if utterance_ids is None else set(utterance_ids))

    def hold(self, on: bool) -> None:
        """See `PlannerLink`."""
        self._planner.hold(on)

    def configure(self, old: GestureRetargeterParameters) -> None:
        """See `PlannerLink`."""
        self._planner.configure(old)

    def begin_from(self, place: Array) -> None:
        """See `PlannerLink`."""
        self._planner.begin_from_measured()

    def displace(self, joints: BoolArray, place: Array) -> None:
        """See `PlannerLink`."""
        self._planner.others_moved()

    def advance(self, rows: int) -> None:
        """See `PlannerLink`."""
        self._planner.advance(rows)

    def plan_at(self, commit: Commit) -> None:
        """Make the next plan as this one was made (none if its row is negative), and no further one unasked.

        So the plans of a recording are made once more: when a plan is ready depends on the load of a machine.
        A plan waits for the frames that it was made from, until its first row or a later plan is due.
        """
        self._waits = True
        if commit.row >= 0:
            self._asked.append(commit)
        self._unasked.clear()

    def _next_plan(self) -> Plan | None:
        if not (self._waits and (self._planner.wants_plan or self._asked)):
            return self._planner.plan()
        if not self._asked:
            self._unasked.add(self._planner.view.row)
            if len(self._unasked) > _PATIENCE:  # the recording went another way: better a plan than none
                return self._planner.plan()
        elif any(map(self._ready_for, self._asked)):
            return self._plan_asked(self._asked.popleft())
        self._planner.retarget_waiting()
        return None

    def _ready_for(self, wanted: Commit) -> bool:
        """Return whether the frames have come that a plan is to be made from, or it cannot wait for them."""
        self._planner.retarget_waiting(everything=True)
        return self._planner.reference.knows(wanted) or self._planner.view.row + 1 >= wanted.row

    def _plan_asked(self, wanted: Commit) -> Plan | None:
        for further in range(_ATTEMPTS):
            plan = self._planner.plan(replace(wanted, attempt=wanted.attempt + further))
            if plan is not None or not self._planner.wants_plan:
                return plan
        return None

    def work(self) -> bool:
        """See `PlannerLink`."""
        plan = self._next_plan()
        if plan is not None:
            self._exchange.offer(plan)
        return plan is not None

    def start(self, on_offer: Callable[[], None] | None = None) -> None:
        """See `PlannerLink`: here `work` tells whether there is a plan."""

    def close(self) -> None:
        """See `PlannerLink`."""
