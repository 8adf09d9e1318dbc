"""Real-time scheduling of the control loop, where the system permits it."""

import ctypes
import gc
import os
import time
from collections.abc import Iterator

_LOCK_ALL = 3  # MCL_CURRENT | MCL_FUTURE of mlockall


def request_realtime(priority: int) -> str:
    """Ask for real-time scheduling of the calling thread; return one line about what was had.

    Processes that it starts are scheduled as usual.

    Args:
        priority: of SCHED_FIFO, 1 to 99.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
        scheduling = f"SCHED_FIFO, priority {priority}"
    except OSError as error:
        scheduling = f"no SCHED_FIFO ({error.strerror}: the user needs an rtprio limit)"
    failed = ctypes.CDLL(None, use_errno=True).mlockall(_LOCK_ALL)
    memory = "no locked memory (the user needs a memlock limit)" if failed else "memory locked"
    return f"real time: {scheduling}; {memory}"


def control_periods(now: float, period: float, longest: float) -> Iterator[float]:
    """Yield the time of each control period when it comes, in this thread.

    Args:
        now: the time on the clock that counts [s]; it need not run.
        period: the control period [s].
        longest: after so long there are no more [s].
    """
    beginning = time.monotonic()
    for step in range(1, round(longest / period)):
        yield now + step * period
        time.sleep(max(0.0, beginning + step * period - time.monotonic()))


def disable_garbage_collector() -> None:
    """Let the garbage collector run only when `collect_garbage` is called: it stops the loop meanwhile."""
    gc.disable()


def collect_garbage() -> None:
    """Collect what became garbage lately; for moments in which nothing moves."""
    gc.collect(1)
