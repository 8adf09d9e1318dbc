"""Clocks for a replay: real time, and simulated time that waits until every node has done its work."""

import os
import threading
import time
from collections.abc import Collection
from contextlib import ExitStack
from typing import Protocol, Self

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rosgraph_msgs.msg import Clock as ClockMessage

from text2gesture_ros.generation.player import POLL_PERIOD
from text2gesture_ros.ros.graph_client import Closing, spinning
from text2gesture_ros.ros.params_file import NODES

# The robot first: a command then knows nothing of what is sent at the same time.
_TOPICS = ("/clock", "/clock_of_those_before")
# Nodes start at multiples of this, so that their timers have the same phase in every run [ns].
_START_RASTER = 100_000_000
# Simulated time begins early: a float of seconds since 1970 has steps of 240 ns today, which can decide what
# a tick sees [ns].
_START_TIME = 1000 * 10**9
_POLL = round(POLL_PERIOD * 1e9)  # period of the generator's timer [ns]
_STARTUP_STEP_TIME = 0.01  # real time of a step while the nodes start [s]
_WORK_TIMEOUT = 10.0  # real time that the work of one step may take [s]
_POLL_PERIOD = 1e-3  # of the state of the nodes' threads [s]
_MAX_IDLE_POLLS = 4
_RUNNING = frozenset(b"RD")  # states of a thread in proc(5)
_MAX_STAT = 1024  # bytes of what proc(5) tells of a thread

ARGUMENTS = dict.fromkeys(list(NODES)[:-1], ("-r", f"/clock:={_TOPICS[1]}"))
"""ROS arguments of the nodes that follow a `SteppedClock`."""


class Clock(Protocol):
    """A monotonic clock [ns since 1970]."""

    def now(self) -> int:
        """Return the time."""


class RealClock:
    """Real time that is monotonic: later changes of the system clock do not count."""

    def __init__(self) -> None:
        self._offset = time.time_ns() - time.monotonic_ns()

    def now(self) -> int:
        """Return the time."""
        return time.monotonic_ns() + self._offset


class SteppedClock(Closing):
    """Simulated time that advances when every node is idle.

    So the outcome of the same messages does not depend on how fast or busy the machine is. While the nodes
    start it advances by itself; from the first `run_until` on only as far as that says.

    Args:
        context: of rclpy.
        processes: ids of the nodes' processes.
        period: of control, and of a step [s].
    """

    def __init__(self, context: Context, processes: Collection[int], period: float) -> None:
        self._context = context
        self._threads = _Threads([*processes, os.getpid()])  # here what comes is recorded
        self._period = round(period * 1e9)
        self._time = self._raster = _START_TIME
        self._active: set[str] = set()
        self._started = threading.Event()

    def __enter__(self) -> Self:
        """Begin to publish /clock."""
        with ExitStack() as stack:
            node = rclpy.create_node("text2gesture_clock", context=self._context, use_global_arguments=False)
            stack.callback(node.destroy_node)
            stack.callback(self._threads.close)
            self._publishers = [node.create_publisher(ClockMessage, topic, 1) for topic in _TOPICS]
            node.create_subscription(DiagnosticArray, "/diagnostics", self._note, 10)
            stack.enter_context(spinning(node, self._context))
            self._starting = threading.Thread(target=self._start, name="clock", daemon=True)
            self._starting.start()
            stack.callback(self._end_start)
            self._stack = stack.pop_all()
        return self

    def now(self) -> int:
        """Return the time."""
        return self._time

    def run_until(self, end: int) -> None:
        """Advance to the step nearest to `end` [ns], if it is ahead."""
        self._end_start()
        self.wait_until_idle()
        while self._raster + self._period // 2 < end:
            self._step(self._period)

    def visit(self, time: int) -> None:
        """Advance to exactly this time [ns]; the step after it ends where it would without this one."""
        self._end_start()
        self.wait_until_idle()
        while self._raster + self._period <= time:
            self._step(self._period)
        if time > self._time:
            poll = time // _POLL * _POLL
            if self._time < poll:
                self._publish(poll)
            self._publish(time)

    def align(self) -> None:
        """Advance to the next multiple of the start raster, where timers have the same phase in every run."""
        self._end_start()
        self.run_until(-(-self._time // _START_RASTER) * _START_RASTER)

    def wait_until_idle(self) -> None:
        """Return when every node is idle."""
        deadline = time.monotonic() + _WORK_TIMEOUT
        before: dict[str, bytes] | None = None
        idle_polls = 0
        while time.monotonic() < deadline:
            run = self._threads.run_so_far()
            idle_polls = 0 if run is None else idle_polls + 1
            # Idle, and no thread has run since the last poll; or idle several times in a row, where polls are
            # so rare that some housekeeping always comes between.
            if run is not None and (run == before or idle_polls == _MAX_IDLE_POLLS):
                return
            before = run
            time.sleep(_POLL_PERIOD)

    def _start(self) -> None:
        while not self._started.wait(_STARTUP_STEP_TIME):
            self._step(self._period if self._active.issuperset(NODES) else _START_RASTER)

    def _note(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if any(item.key == "state" and item.value == "active" for item in status.values):
                self._active.add(status.name.rpartition("/")[2])

    def _end_start(self) -> None:
        self._started.set()
        self._starting.join()

    def _step(self, step: int) -> None:
        # The generator's timer would be late by up to a step otherwise.
        poll = -(-(self._raster + 1) // _POLL) * _POLL
        if self._time < poll < self._raster + step and step == self._period:
            self._publish(poll)
        self._raster += step
        self._publish(self._raster)

    def _publish(self, time: int) -> None:
        self._time = time
        message = ClockMessage()
        message.clock.sec, message.clock.nanosec = divmod(time, 10**9)
        for publisher in self._publishers:
            publisher.publish(message)
            if self._active.issuperset(NODES):
                self.wait_until_idle()


class _Threads:
    """The threads of some processes, as proc(5) tells of them. Its files stay open: they are read often."""

    def __init__(self, processes: Collection[int]) -> None:
        self._folders = [f"/proc/{process}/task" for process in processes]
        self._files: dict[str, tuple[int, int]] = {}  # thread -> its stat and schedstat

    def close(self) -> None:
        for thread in list(self._files):
            self._forget(thread)

    def run_so_far(self) -> dict[str, bytes] | None:
        """Return how long each thread but this has run; None: one runs or waits for a processor."""
        result, own = {}, f"/{threading.get_native_id()}"
        for folder in self._folders:
            for thread in _listed(folder):
                if thread.endswith(own):
                    continue
                try:
                    stat, schedstat = self._files.get(thread) or self._opened(thread)
                    told = os.pread(stat, _MAX_STAT, 0)
                    result[thread] = os.pread(schedstat, _MAX_STAT, 0)
                except OSError:  # it has just ended
                    self._forget(thread)
                    continue
                if told[told.rindex(b")") + 2] in _RUNNING:
                    return None
        return result

    def _opened(self, thread: str) -> tuple[int, int]:
        stat = os.open(f"{thread}/stat", os.O_RDONLY)
        try:
            self._files[thread] = stat, os.open(f"{thread}/schedstat", os.O_RDONLY)
        except OSError:
            os.close(stat)
            raise
        return self._files[thread]

    def _forget(self, thread: str) -> None:
        for file in self._files.pop(thread, ()):
            os.close(file)


def _listed(folder: str) -> list[str]:
    try:
        return [f"{folder}/{name}" for name in os.listdir(folder)]
    except OSError:  # the process has ended
        return []
