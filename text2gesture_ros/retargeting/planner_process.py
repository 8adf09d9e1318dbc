"""The planner's process as seen from the control loop: started, told, watched and replaced."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from text2gesture_ros.control.loop import ControlLoop
from text2gesture_ros.control.message_pipe import MessagePipe, PipeClosedError
from text2gesture_ros.control.ownership import JointOwnership
from text2gesture_ros.control.shared_exchange import SharedExchange
from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.geometry import Array, BoolArray
from text2gesture_ros.motion.frame_block import FrameMessage
from text2gesture_ros.parameters import GestureRetargeterParameters
from text2gesture_ros.retargeting.planner_link import PlannerLink
from text2gesture_ros.retargeting.planner_worker import Attachment, PlannerState
from text2gesture_ros.retargeting.progress import PlanningEvents

_LOGGER = logging.getLogger(__name__)

# A worker that gives no sign of life for this long is stuck [s].
_STUCK = 1.5
# Timeout for the start of the nursery [s].
_START = 30.0
_PROGRAM = "from text2gesture_ros.retargeting.planner_worker import main; main()"


@dataclass
class _Worker:
    """The worker at present."""

    pipe: MessagePipe
    pid: int = 0  # 0 until it is known
    ready: bool = False
    beats: int = -1  # signs of life so far
    seen: float = 0.0  # when the latest one was seen [s]
    fault: str = ""  # why nothing could be sent to it


@dataclass(frozen=True)
class _Nursery:
    """The process that forks workers."""

    process: "subprocess.Popen[bytes]"
    control: socket.socket

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def close(self) -> None:
        self.control.close()
        self.process.kill()
        self.process.wait()


class _OfferWatch:
    """A thread that calls a function whenever a plan is offered."""

    def __init__(self, exchange: SharedExchange, on_offer: Callable[[], None]) -> None:
        self._exchange, self._on_offer = exchange, on_offer
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            self._exchange.wait_for_offer()
            if self._closing.is_set():
                return
            self._on_offer()

    def close(self) -> None:
        self._closing.set()
        self._exchange.ring()
        self._thread.join()


class PlannerProcess(PlannerLink):
    """Plans are made by a worker process; whatever becomes of it, the control loop goes on."""

    def __init__(
        self,
        robot: tuple[str, str | None],
        loop: ControlLoop,
        ownership: JointOwnership,
        exchange: SharedExchange,
        events: PlanningEvents,
        lost: Callable[[str], None],
    ) -> None:
        """Start the process.

        Args:
            robot: its name or the path of its file, and its URDF where that does not come from the file.
            loop: for which plans are made.
            ownership: shared with the loop.
            exchange: through which plans come.
            events: is told what becomes of clauses.
            lost: is told, with the reason, that the planner has ended; another one takes its place and knows
                of no frames.
        """
        self._robot = "\0".join(part or "" for part in robot)
        self._loop, self._ownership, self._exchange = loop, ownership, exchange
        self._events, self._lost = events, lost
        self._held = False
        self._watch: _OfferWatch | None = None
        self._state = PlannerState(False, False, Counter(), {})
        self._restarts: Counter[str] = Counter()
        self._nursery = self._start_nursery()
        self._worker = self._attach()

    @property
    def stuck(self) -> bool:
        """See `PlannerLink`."""
        return self._state.stuck

    @property
    def breathing(self) -> bool:
        """See `PlannerLink`."""
        return self._state.breathing

    @property
    def counts(self) -> "Counter[str]":
        """See `PlannerLink`; `restarted`: how often the planner was replaced."""
        return self._state.counts + self._restarts

    @property
    def worst(self) -> Mapping[str, float]:
        """See `PlannerLink`."""
        return self._state.worst

    @property
    def pid(self) -> int:
        """Process id of the worker, 0 until it is known."""
        return self._worker.pid

    def start(self, on_offer: Callable[[], None] | None = None) -> None:
        """See `PlannerLink`: wait for the first worker."""
        deadline = time.monotonic() + _START
        while not self._worker.ready:
            if self._nursery.ended or time.monotonic() > deadline:
                raise ConfigurationError("the planner's process does not start: see what it has logged")
            time.sleep(0.005)
            self._listen()
        if on_offer is not None:
            self._watch = _OfferWatch(self._exchange, on_offer)

    def receive(self, block: FrameMessage) -> None:
        """See `PlannerLink`."""
        self._send("block", block)

    def abandon(self, utterance_ids: Iterable[str] | None) -> None:
        """See `PlannerLink`."""
        self._send("abandon", None if utterance_ids is None else frozenset(utterance_ids))
        if self._loop.buffer.number < 0:  # the loop itself has changed what is commanded
            self._send("buffer", self._loop.buffer.snapshot())

    def hold(self, on: bool) -> None:
        """See `PlannerLink`."""
        self._held = on
        self._send("hold", on)

    def configure(self, old: GestureRetargeterParameters) -> None:
        """See `PlannerLink`."""
        self._send("configure", self._ownership.parameters)

    def begin_from(self, place: Array) -> None:
        """See `PlannerLink`."""
        self._send("begin_from", place, self._loop.buffer.snapshot())

    def displace(self, joints: BoolArray, place: Array) -> None:
        """See `PlannerLink`."""
        self._send("displace", self._ownership.home, self._loop.buffer.snapshot())

    def advance(self, rows: int) -> None:
        """See `PlannerLink`."""
        worker, now = self._worker, time.monotonic()
        beats = self._exchange.beats
        if beats != worker.beats or not worker.ready:
            worker.beats, worker.seen = beats, now
        elif now > worker.seen + _STUCK:
            self._replace("gives no sign of life")
            return
        self._listen()

    def work(self) -> bool:
        """See `PlannerLink`: the work is done elsewhere, and there may be a plan at any time."""
        return True

    def close(self) -> None:
        """See `PlannerLink`."""
        if self._watch is not None:
            self._watch.close()
        self._kill()
        self._nursery.close()
        self._exchange.close()

    def _send(self, name: str, *given: object) -> None:
        try:
            self._worker.pipe.send((name, *given))
        except PipeClosedError as error:
            self._worker.fault = str(error)  # it is replaced when it is listened to

    def _listen(self) -> None:
        """Take the messages of the worker."""
        worker = self._worker
        try:
            if worker.fault:
                raise PipeClosedError(worker.fault)
            worker.pipe.flush()
            for name, *given in worker.pipe.receive():
                if name == "pid":
                    (worker.pid,) = given
                elif name == "ready":
                    worker.ready = True
                elif name == "state":
                    (self._state,) = given
                elif name == "preempted":
                    self._events.on_preempted(*given)
                elif name == "fidelity":
                    self._events.on_fidelity(*given)
                elif name == "clause_end":
                    self._events.on_clause_end(*given)
        except PipeClosedError as error:
            self._replace(str(error))

    def _replace(self, reason: str) -> None:
        """Let another worker take the place of one that has ended or is stuck."""
        self._kill()
        self._restarts["restarted"] += 1
        _LOGGER.error("the planner was replaced: %s", reason)
        if self._nursery.ended:
            self._nursery.close()
            self._nursery = self._start_nursery()
        self._worker = self._attach()
        self._lost(f"the planner was replaced: {reason}")

    def _kill(self) -> None:
        if self._worker.pid:
            with suppress(ProcessLookupError):
                os.kill(self._worker.pid, signal.SIGKILL)
        self._worker.pipe.close()

    def _start_nursery(self) -> _Nursery:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        source = str(Path(__file__).parents[2])
        paths = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH", ""))))
        nursery = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
            start_new_session=True,  # Ctrl-C reaches it through us
        )
        theirs.close()
        ours.send(self._robot.encode())
        return _Nursery(nursery, ours)

    def _attach(self) -> _Worker:
        """Ask the nursery for a worker and tell it where the loop is."""
        ours, theirs = socket.socketpair()
        with suppress(OSError):  # the nursery has ended just now: seen when the pipe is read
            socket.send_fds(self._nursery.control, [b"w"], [theirs.fileno(), *self._exchange.descriptors])
        theirs.close()
        worker = _Worker(MessagePipe(ours))
        period, parameters = self._loop.clock.period, self._ownership.parameters
        snapshot = self._loop.buffer.snapshot()
        begin = Attachment(period, parameters, self._ownership.home, self._held, snapshot)
        with suppress(PipeClosedError):
            worker.pipe.send(("attach", begin))
        return worker
