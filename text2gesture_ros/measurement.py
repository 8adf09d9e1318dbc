"""What a benchmark measures of its machine and processes, and how its figures are summarised."""

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

# Of x86 processors, those that decide how fast the models and solvers are.
_EXTENSIONS = ("avx2", "avx512f", "avx512_vnni", "amx_tile")


def median_and_p99(seconds: Sequence[float]) -> dict[str, float]:
    """Return median and 99th percentile in milliseconds."""
    return {
        "median_ms": rounded(1000.0 * np.median(seconds)),
        "p99_ms": rounded(1000.0 * np.percentile(seconds, 99)),
    }


def median_and_p95(seconds: Sequence[float]) -> dict[str, float]:
    """Return median and 95th percentile in milliseconds."""
    return {
        "median_ms": rounded(1000.0 * np.median(seconds)),
        "p95_ms": rounded(1000.0 * np.percentile(seconds, 95)),
    }


def resident(process: int | str = "self") -> int:
    """Return the resident memory of a process [bytes]."""
    with Path(f"/proc/{process}/status").open(encoding="utf-8") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def descendants(process: int) -> list[int]:
    """Return the running processes that a process has started, and those that these have started."""
    started = [
        int(child)
        for path in Path(f"/proc/{process}/task").glob("*/children")
        for child in path.read_text(encoding="utf-8").split()
    ]
    return [each for child in started for each in (child, *descendants(child))]


def processor_time(process: int) -> float:
    """Return the processor time that a process and its running descendants have used [s]."""
    total = 0
    for each in (process, *descendants(process)):
        values = Path(f"/proc/{each}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        total += int(values[11]) + int(values[12])  # utime, stime of proc(5)
    return total / os.sysconf("SC_CLK_TCK")


def described(command: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures with the command that made them, the date and the machine."""
    return {
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "figures": figures,
    }


def machine() -> dict[str, Any]:
    """Return processor, its vector extensions, system and mean load of the last minute of this machine."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    # One line of each kind for every core; other processors than x86 have neither.
    told = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return {
        "cpu": told.get("model name", platform.machine()),
        "extensions": [name for name in _EXTENSIONS if name in told.get("flags", "").split()],
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }


def rounded(value: float | np.floating[Any], digits: int = 3) -> float:
    """Return a figure as it is written down."""
    return round(float(value), digits)
