"""Starts the nodes as processes and stops them together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import IO

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.ros.bringup import STOP_TIMEOUT, ros_arguments
from text2gesture_ros.ros.params_file import NODES


def start_processes(
    given: Mapping[str, str],
    *,
    environment: Mapping[str, str] | None = None,
    output: IO[bytes] | None = None,
    nodes: Collection[str] = tuple(NODES),
    prefixes: Mapping[str, Sequence[str]] = MappingProxyType({}),
    arguments: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> dict[str, "subprocess.Popen[bytes]"]:
    """Start nodes, each as a process of its own; return them by name.

    Args:
        given: as for `ros_arguments`.
        environment: their environment variables; None: ours.
        output: where their log goes; None: to our standard error.
        nodes: which to start.
        prefixes: by node, what its command line begins with, such as a program that runs it elsewhere.
        arguments: by node, further ROS arguments.

    Raises:
        ConfigurationError: as `ros_arguments`, or the system cannot start a process; none is left running.
    """
    commands = {
        node: [
            *prefixes.get(node, ()),
            *(sys.executable, "-m", f"text2gesture_ros.ros.{node}", "--ros-args"),
            *ros_arguments(node, given),
            *arguments.get(node, ()),
        ]
        for node in nodes
    }
    variables = dict(os.environ if environment is None else environment)
    source = str(Path(__file__).parents[2])
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, (source, variables.get("PYTHONPATH", ""))))
    processes: dict[str, subprocess.Popen[bytes]] = {}
    with ExitStack() as stack:
        stack.callback(stop_processes, processes)
        for node, command in commands.items():
            try:
                processes[node] = subprocess.Popen(
                    command,
                    env=variables,
                    stdout=output,
                    stderr=output,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C reaches them through `stop_processes`, once
                )
            except OSError as error:
                raise ConfigurationError(f"cannot start {node}: {error}") from None
        stack.pop_all()
    return processes


def ended(processes: Mapping[str, "subprocess.Popen[bytes]"]) -> str:
    """Return one line about a process that has ended; empty: all run."""
    for node, process in processes.items():
        status = process.poll()
        if status is not None:
            return f"{node} has ended with status {status}"
    return ""


def stop_processes(processes: Mapping[str, "subprocess.Popen[bytes]"]) -> None:
    """Terminate every process, the last in the chain first; kill what does not end in `STOP_TIMEOUT`."""
    for process in reversed(list(processes.values())):
        if process.poll() is None:
            process.terminate()  # not SIGINT: a node that is still importing would print where it was
    deadline = time.monotonic() + STOP_TIMEOUT
    for process in processes.values():
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def asked_to_end() -> Iterator[list[int]]:
    """Catch Ctrl-C and SIGTERM: yield a list that the signals are appended to."""
    asked: list[int] = []
    previous = {
        number: signal.signal(number, lambda got, _frame: asked.append(got))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield asked
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def run(given: Mapping[str, str]) -> int:
    """Run the nodes until Ctrl-C, SIGTERM or the end of one of them; return the exit status.

    Raises:
        ConfigurationError: as `start_processes`.
    """
    processes: dict[str, subprocess.Popen[bytes]] = {}
    with asked_to_end() as asked:
        try:
            processes = start_processes(given)
            while not asked and not ended(processes):
                time.sleep(0.1)
            error = "" if asked else ended(processes)
        finally:
            stop_processes(processes)
    if error:
        sys.stderr.write(f"{error}; the others were stopped\n")
        return 1
    return 0
