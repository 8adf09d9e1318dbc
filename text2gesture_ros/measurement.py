"""What a benchmark measures of its machine and processes, and how its figures are summarised."""

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np


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


def processor_time(process: int) -> float:
    """Return the processor time a process has used [s]."""
    values = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")  # utime, stime of proc(5)


def described(command: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures with the command that made them, the date and the machine."""
    return {
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "figures": figures,
    }


def machine() -> dict[str, Any]:
    """Return processor, system and mean load of the last minute of this machine."""
    names = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    return {
        "cpu": names[0] if names else platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }


def rounded(value: float | np.floating[Any], digits: int = 3) -> float:
    """Return a figure as it is written down."""
    return round(float(value), digits)
