"""The planner in a process of its own: follows the control loop through shared memory and hands plans over.

Run by `PlannerProcess`. A process that has loaded everything (the nursery) forks one worker at a time, so
that a worker that dies is replaced within milliseconds.
"""

import logging
import math
import os
import select
import signal
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from text2gesture_ros.control.message_pipe import MessagePipe, PipeClosedError
from text2gesture_ros.control.ownership import JointOwnership
from text2gesture_ros.control.plan_buffer import PlanBuffer
from text2gesture_ros.control.row_clock import RowClock
from text2gesture_ros.control.shared_exchange import SharedExchange
from text2gesture_ros.control.trajectory import Plan
from text2gesture_ros.geometry import Array
from text2gesture_ros.labels import ClauseId
from text2gesture_ros.motion.frame_block import ClauseHeader, FrameMessage, blocks_of
from text2gesture_ros.motion.motion import FRAME_RATE
from text2gesture_ros.parameters import GestureRetargeterParameters
from text2gesture_ros.retargeting.fidelity import Fidelity
from text2gesture_ros.retargeting.planner import Planner
from text2gesture_ros.retargeting.progress import UtteranceTracker
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.skeleton import REFERENCE

# The commit row lies ahead by this quantile of the latest planning times, and their number. First plans of
# clauses count apart: they have the fewest frames, and people wait for them.
_QUANTILE, _PLANNING_TIMES = 0.9, 30
# Planning time before the first measurement [s].
_FIRST_PLANNING_TIME = 0.02
# One row passes until the loop takes a plan over, another until a trajectory controller has the announcement:
# it plays exactly what is planned only if it knows of it before the plan in force is left.
_MIN_LEAD = 2
# Rows that the commit row lies further ahead after plans came too late, at most: each in time halves them.
_MAX_EXTRA_ROWS = 20
# The state is told this often at most [s].
_STATE_INTERVAL = 0.05
# Frames that are planned for at a rehearsal.
_REHEARSED = 48


@dataclass(frozen=True, eq=False)
class Attachment:
    """What a worker begins with."""

    period: float
    parameters: GestureRetargeterParameters
    home: Array
    held: bool
    buffer: PlanBuffer


@dataclass(frozen=True)
class PlannerState:
    """What a worker tells of itself."""

    stuck: bool
    breathing: bool
    counts: "Counter[str]"
    worst: "dict[str, float]"


class PlannerWorker:
    """Plans for a control loop in another process. Each method whose name begins with on_ takes a message."""

    def __init__(self, robot: Robot, pipe: MessagePipe, exchange: SharedExchange, begin: Attachment) -> None:
        """Follow a control loop from where it is."""
        self._pipe, self._exchange = pipe, exchange
        self._ownership = JointOwnership(robot, begin.parameters)
        self._ownership.home = begin.home
        self._clock = RowClock(begin.period)
        self._planner = Planner(self._ownership, begin.buffer, self._clock, self)
        self._pending: Plan | None = None
        self._times = {
            first: deque([_FIRST_PLANNING_TIME], maxlen=_PLANNING_TIMES) for first in (True, False)
        }
        self._extra_rows = 0
        self._told: tuple[float, PlannerState | None] = (0.0, None)
        if begin.held:
            self._planner.hold(True)
        self._planner.return_at_once()

    def run(self) -> None:
        """Work until the other end of the pipe is closed."""
        period = self._clock.period
        messages: deque[tuple[object, ...]] = deque()
        while True:
            self._exchange.beat()
            if messages or (self._pending is None and self._planner.busy):
                timeout = 0.0
            else:
                timeout = period if self._pending is None else period / 4.0
            select.select([self._pipe], [], [], timeout)
            messages.extend(self._pipe.receive())
            # Frames wait for a plan that is wanted, since people wait for it; orders do not.
            can_plan = self._follow() and self._pending is None
            if messages and not (can_plan and self._planner.wants_plan and _only_frames(messages)):
                name, *given = messages.popleft()
                getattr(self, f"on_{name}")(*given)
            elif can_plan and self._planner.busy:
                self._plan()
            self._tell()
            self._pipe.flush()

    # Messages of the control loop

    def on_block(self, block: FrameMessage) -> None:
        """Frames, or the end of a clause."""
        self._follow()
        if block.sequence == 0:
            self._extra_rows = 0  # the way home took long to plan, perhaps: that says nothing of this
        self._planner.receive(block)

    def on_abandon(self, utterance_ids: "frozenset[str] | None") -> None:
        """Nothing more of some utterances is performed, None: of all."""
        chosen = (
            {span.clause[0] for span in self._planner.view.spans} if utterance_ids is None else utterance_ids
        )
        self._planner.view.forget(chosen)
        self._planner.abandon(utterance_ids)

    def on_hold(self, on: bool) -> None:
        """The robot stands still, or goes on."""
        self._planner.hold(on)

    def on_configure(self, parameters: GestureRetargeterParameters) -> None:
        """The parameters have changed."""
        old = self._ownership.parameters
        self._ownership.configure(parameters)
        self._planner.configure(old)

    def on_begin_from(self, place: Array, buffer: PlanBuffer) -> None:
        """The robot stands still in a measured pose."""
        self._ownership.begin_from(place)
        self.on_buffer(buffer)
        self._planner.begin_from_measured()

    def on_displace(self, home: Array, buffer: PlanBuffer) -> None:
        """Joints that are not commanded are elsewhere."""
        self._ownership.home = home
        self.on_buffer(buffer)
        self._planner.others_moved()

    def on_buffer(self, buffer: PlanBuffer) -> None:
        """The loop itself has changed what is commanded."""
        self._planner.view = buffer
        if self._pending is not None:
            self._pending = None
            self._planner.rejected()

    # What the planner tells

    def on_preempted(self, utterance_id: str, by: str) -> None:
        """See `PlanningEvents`."""
        self._pipe.send(("preempted", utterance_id, by))

    def on_clause_end(self, clause: ClauseId, reason: str = "") -> None:
        """See `PlanningEvents`."""
        self._pipe.send(("clause_end", clause, reason))

    def on_fidelity(self, clause: ClauseId, fidelity: Fidelity) -> None:
        """See `PlanningEvents`."""
        self._pipe.send(("fidelity", clause, fidelity))

    def _follow(self) -> bool:
        """Take note of the rows that were sent; return whether it is known what is commanded."""
        status, view, pending = self._exchange.status(), self._planner.view, self._pending
        self._clock.origin = status.origin
        if pending is not None and status.number == pending.number:
            view.install(pending)
            self._pending = None
            self._extra_rows //= 2
        elif status.number != view.number:
            return False  # the loop has changed it; how, is on its way
        elif pending is not None and status.row >= pending.commit.row:
            self._pending = None
            self._planner.search.counts["too late"] += 1
            self._extra_rows = min(_MAX_EXTRA_ROWS, self._extra_rows + max(1, self._planner.lead))
            self._planner.rejected()
        rows = status.row - view.row
        for _ in range(rows):
            sample = view.advance()
            view.note(sample, self._ownership.at_home(sample))
        if rows > 0:
            self._planner.advance(rows)
        return True

    def _plan(self) -> None:
        """Make one attempt at a plan, and hand it over."""
        reference = self._planner.reference
        awaited = (reference.next or reference.playing) is not None
        times = self._times[awaited and self._planner.view.over]
        expected = float(np.quantile(times, _QUANTILE))
        self._planner.lead = _MIN_LEAD + math.floor(expected / self._clock.period) + self._extra_rows
        begin = time.perf_counter()
        plan = self._planner.plan()
        if plan is None:
            return
        self._exchange.offer(plan)
        self._pending = plan
        times.append(time.perf_counter() - begin)

    def _tell(self) -> None:
        """Tell the state where it has changed, not too often."""
        now, (last, told) = time.monotonic(), self._told
        if now < last + _STATE_INTERVAL:
            return
        planner = self._planner
        counts, worst = Counter(planner.search.counts), dict(planner.search.worst)
        state = PlannerState(planner.stuck, planner.breathing, counts, worst)
        if state != told:
            self._pipe.send(("state", state))
            self._told = now, state


def _only_frames(messages: "Iterable[tuple[object, ...]]") -> bool:
    return all(message[0] == "block" for message in messages)


def rehearse(robot: Robot) -> None:
    """Plan a little for nobody: workers are forked from this process, and find made what is made once."""
    parameters = GestureRetargeterParameters()
    period, ownership = 1.0 / parameters.rate, JointOwnership(robot, parameters)
    clock = RowClock(period)
    clock.begin(0.0)
    planner = Planner(ownership, PlanBuffer(robot.rest, period), clock, UtteranceTracker())
    frames = np.tile(REFERENCE, (_REHEARSED, 1, 1))
    for block in blocks_of(ClauseHeader("rehearsal"), frames, FRAME_RATE, period, _REHEARSED // 2):
        planner.receive(block)
    planner.plan()
    planner.return_at_once()
    planner.plan()


def serve(control: socket.socket) -> None:
    """Fork a worker for every request on a socket, until that is closed.

    The first message names the robot. A request carries the descriptors of a pipe and of the exchange.
    """
    source, description = control.recv(1 << 20).decode().split("\0", 1)
    robot = load_robot(source, description or None)
    rehearse(robot)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # workers that end leave nothing behind
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, 1, 3)
        if not data:
            return
        if os.fork() == 0:
            control.close()
            own, memory, event = descriptors
            pipe = MessagePipe(socket.socket(fileno=own))
            work(robot, pipe, SharedExchange(len(robot.joint_names), (memory, event)))
        for descriptor in descriptors:
            os.close(descriptor)


def work(robot: Robot, pipe: MessagePipe, exchange: SharedExchange) -> None:
    """Be a worker until the control loop is gone; the process ends here."""
    status = 0
    try:
        pipe.send(("pid", os.getpid()))
        begin: Attachment | None = None
        while begin is None:
            select.select([pipe], [], [])
            for name, *given in pipe.receive():
                assert name == "attach"  # the first message, and nothing is sent before it is answered
                (begin,) = given
                pipe.send(("ready",))
                break
        PlannerWorker(robot, pipe, exchange, begin).run()
    except PipeClosedError:
        pass
    except Exception:
        logging.getLogger(__name__).exception("the planner fails")
        status = 1
    finally:
        os._exit(status)


def main() -> None:
    """Be the nursery; the argument is the descriptor of its socket."""
    logging.basicConfig(level=logging.WARNING, format="[planner] %(levelname)s %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with the process it plans for
    serve(socket.socket(fileno=int(sys.argv[1])))
