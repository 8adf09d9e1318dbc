"""Clocks to replay by: the world's, and one that waits until every node has done its work."""

import os
import threading
import time
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol, Self

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rosgraph_msgs.msg import Clock as ClockMessage

from text2gesture_ros.ros.graph_client import Closing, spinning
from text2gesture_ros.ros.params_file import NODES

# The robot first: a command then knows nothing of what is sent at the same time.
_TOPICS = ("/clock", "/clock_of_those_before")
# Timers of nodes that are started on this raster have one phase to each other, in every run [ns].
_RASTER = 100_000_000
# Early: floats of seconds since 1970 have steps of 240 ns today, which can decide what a tick sees [ns].
_BEGINNING = 1000 * 10**9
_STARTING_PACE = 0.01  # of the world, for one step while the nodes start [s]
_LONGEST_WORK = 10.0  # of the world, that is waited for at one time [s]
_LOOK = 1e-3  # between two looks at the nodes [s]
_LOOKS = 4
_AT_WORK = frozenset("RD")  # states of a thread in proc(5)

ARGUMENTS = dict.fromkeys(list(NODES)[:-1], ("-r", f"/clock:={_TOPICS[1]}"))
"""ROS arguments of the nodes that follow a `SteppedClock`."""


class Clock(Protocol):
    """What tells the time [ns since 1970]; it never goes back."""

    def now(self) -> int:
        """Return the time."""


class WorldClock:
    """The time of this machine when it was made, and what has passed since, whoever sets the clock."""

    def __init__(self) -> None:
        self._offset = time.time_ns() - time.monotonic_ns()

    def now(self) -> int:
        """Return the time."""
        return time.monotonic_ns() + self._offset


class SteppedClock(Closing):
    """Simulated time: it goes on when every node sleeps, that is, has done all there was to do.

    So what the nodes make of the same messages does not depend on how fast or busy the machine is. While the
    nodes start it goes on by itself; from the first `run_until` on only as far as that says.

    Args:
        context: of rclpy.
        processes: of the nodes.
        period: of control; a step [s].
    """

    def __init__(self, context: Context, processes: Collection[int], period: float) -> None:
        self._context = context
        self._processes = processes
        self._period = round(period * 1e9)
        self._time = _BEGINNING
        self._active: set[str] = set()
        self._started = threading.Event()

    def __enter__(self) -> Self:
        """Let time pass."""
        with ExitStack() as stack:
            node = rclpy.create_node("text2gesture_clock", context=self._context, use_global_arguments=False)
            stack.callback(node.destroy_node)
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
        """Let time pass up to the step nearest to `end` [ns]."""
        self._end_start()
        self.let_work()
        while self._time + self._period // 2 < end:
            self._step(self._period)

    def align(self) -> None:
        """Let time pass up to where the timers of all nodes are, in every run, as far as here."""
        self._end_start()
        self.run_until(-(-self._time // _RASTER) * _RASTER)

    def let_work(self) -> None:
        """Return when every node sleeps."""
        deadline = time.monotonic() + _LONGEST_WORK
        before, looks = None, 0
        while time.monotonic() < deadline:
            run = self._run_so_far()
            looks = 0 if run is None else looks + 1
            # Asleep, and nobody has woken up since we looked last; or, where we look so seldom that somebody
            # always has, for his own housekeeping, asleep again and again.
            if run is not None and (run == before or looks == _LOOKS):
                return
            before = run
            time.sleep(_LOOK)

    def _run_so_far(self) -> dict[str, str] | None:
        """Return how long each thread of the nodes has run; None where one runs or waits for a processor."""
        result = {}
        for process in self._processes:
            for task in _listed(f"/proc/{process}/task"):
                try:
                    state = Path(task, "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
                    result[task] = Path(task, "schedstat").read_text(encoding="utf-8")
                except OSError:  # it has just ended
                    continue
                if state in _AT_WORK:
                    return None
        return result

    def _start(self) -> None:
        while not self._started.wait(_STARTING_PACE):
            self._step(self._period if self._active.issuperset(NODES) else _RASTER)

    def _note(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if any(item.key == "state" and item.value == "active" for item in status.values):
                self._active.add(status.name.rpartition("/")[2])

    def _end_start(self) -> None:
        self._started.set()
        self._starting.join()

    def _step(self, step: int) -> None:
        self._time += step
        message = ClockMessage()
        message.clock.sec, message.clock.nanosec = divmod(self._time, 10**9)
        for publisher in self._publishers:
            publisher.publish(message)
            if self._active.issuperset(NODES):
                self.let_work()


def _listed(folder: str) -> list[str]:
    try:
        return [f"{folder}/{name}" for name in os.listdir(folder)]
    except OSError:  # the process has ended
        return []
