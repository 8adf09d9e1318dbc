"""The three nodes and how they are started: read by launch/bringup.launch.py and by `text2gesture bringup`.

Both give a node the same ROS arguments, made here, so that the two ways to start cannot drift apart.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from datetime import date
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import IO

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.parameters import LONGEST_RETURN, PARAMETERS, GestureGeneratorParameters, specification
from text2gesture_ros.resources import is_file

_NAMESPACE = re.compile(r"/?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*")
_MAX_FILE_BYTES = 1_000_000
_LONGEST_LINE = 400  # characters of a complaint; a value from the file may be quoted in it
_SECTION = "ros__parameters"
_KNOWN_TO_ROS = ("use_sim_time", "qos_overrides", "start_type_description_service")

PATIENCE = LONGEST_RETURN + 5.0
"""A node that was asked to end is given this long: it may bring its robot to rest first [s]."""


@dataclass(frozen=True)
class Argument:
    """What may be said when the nodes are started; empty: what the parameter file or the table says."""

    name: str
    default: str
    description: str


ARGUMENTS = (
    Argument("robot", "", "name of a robot that ships (pepper, nao), or path of a robot file"),
    Argument("params_file", "", "YAML file with parameters of the nodes, as config/text2gesture.yaml"),
    Argument("namespace", "", "namespace of the nodes and their topics"),
    Argument("device", "", "where the models run: auto, cpu or cuda"),
    Argument("use_sim_time", "false", "true: the nodes follow the topic /clock"),
)

# Which node takes which argument as a parameter of the same name. Executable, node and module share one name.
NODES: Mapping[str, tuple[str, ...]] = {
    "intent_classifier": ("device",),
    "gesture_generator": ("device",),
    "gesture_retargeter": ("robot",),
}


def ros_arguments(node: str, given: Mapping[str, str]) -> list[str]:
    """Return what a node is told after `--ros-args`.

    Args:
        node: one of `NODES`.
        given: values of `ARGUMENTS` by name; one that is missing or empty is left to file and table.

    Raises:
        ConfigurationError: an argument is unknown, or its value cannot be right.
    """
    unknown = sorted(set(given) - {argument.name for argument in ARGUMENTS})
    if unknown:
        known = ", ".join(argument.name for argument in ARGUMENTS)
        raise ConfigurationError(f"unknown argument {unknown[0]!r}. Known: {known}")
    arguments: list[str] = []
    namespace = given.get("namespace", "")
    if namespace:
        arguments += ["-r", f"__ns:={check_namespace(namespace)}"]
    file = given.get("params_file", "")
    if file:
        arguments += ["--params-file", file]
    simulated = given.get("use_sim_time", "") or "false"
    if simulated.lower() not in ("true", "false"):
        raise ConfigurationError(f"use_sim_time must be true or false but is {simulated!r}")
    arguments += ["-p", f"use_sim_time:={simulated.lower()}"]
    _check_values(given)
    for name in NODES[node]:
        if given.get(name):
            # Quoted, or YAML would read `y` as true and `1` as a number.
            arguments += ["-p", f"{name}:={json.dumps(given[name])}"]
    return arguments


def check_namespace(namespace: str) -> str:
    """Return a namespace as ROS has it, with a leading slash.

    Raises:
        ConfigurationError: it is none.
    """
    if not _NAMESPACE.fullmatch(namespace):
        raise ConfigurationError(f"namespace {namespace!r} is none: words of a-z, 0-9 and _, joined by /")
    return f"/{namespace.removeprefix('/')}"


def _check_values(given: Mapping[str, str]) -> None:
    """Raise ConfigurationError for what a node would complain about only once it runs."""
    from text2gesture_ros.robot import load_robot  # here: the command line imports this module for its help

    if given.get("device"):
        GestureGeneratorParameters(device=given["device"])
    robots = _check_file(given["params_file"]) if given.get("params_file") else []
    for robot in [given["robot"]] if given.get("robot") else robots:
        load_robot(robot)


def _check_file(file: str) -> list[str]:
    """Check the parameters of our nodes in a parameter file; return the robots it names.

    Raises:
        ConfigurationError: file, key and what is wrong, on one line.
    """

    def error(where: str, why: object) -> ConfigurationError:
        line = " ".join(f"params_file {file}: {where}{': ' if where else ''}{why}".split())
        return ConfigurationError(line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}...")

    path = Path(file)
    if not is_file(path):  # ROS would only warn and go on with the defaults
        raise ConfigurationError(f"params_file: no file {file!r}")
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise error("", f"larger than {_MAX_FILE_BYTES // 1000} kB")
        data = _parsed(path.read_bytes())
    except (OSError, ValueError, RecursionError) as trouble:
        raise error("", f"no readable parameter file: {trouble}") from None
    if not isinstance(data, dict):
        raise error("", "must be a mapping from nodes to their parameters")

    robots: list[str] = []
    todo = [("", data)]
    for where, content in todo:  # grows: namespaces may be written as mappings around a node
        for key, value in content.items():
            inside = f"{where}/{key}" if where else str(key)
            if not isinstance(value, dict):
                raise error(inside, f"must be a mapping, parameters stand under {_SECTION}")
            if key != _SECTION:
                todo.append((inside, value))
                continue
            name = where.rpartition("/")[2]
            nodes = [node for node in NODES if node == name or "*" in name]
            # The file may hold other packages' nodes too; one that is nearly ours is a slip.
            if not nodes and get_close_matches(name, NODES, cutoff=0.8):
                raise error(where, f"no such node. Known: {', '.join(NODES)}, or /** for all")
            try:
                robots += _check_section(nodes, value, everyones="*" in name)
            except ConfigurationError as trouble:
                raise error(where, trouble) from None
    return robots


@lru_cache(maxsize=1)  # one start asks once per node
def _parsed(content: bytes) -> object:
    """Return what a YAML file says, {} if nothing; raise ValueError unless ROS could read it."""
    import yaml

    try:
        text = content.decode()
        data = yaml.safe_load(text)  # first: it refuses deep nesting, which the events below take long for
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            raise ValueError("ROS knows no YAML aliases (*name)")
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    return {} if data is None else data


def _check_section(nodes: Sequence[str], section: Mapping[object, object], *, everyones: bool) -> list[str]:
    """Check parameters against the table of every node they are for; return the robots among them.

    In a section for everyone's nodes a parameter that none of ours has belongs to others.
    """
    robots = []
    tables = [{item.name: item for item in fields(PARAMETERS[node])} for node in nodes]
    for key, value in section.items():
        items = [table[str(key)] for table in tables if str(key) in table]
        if nodes and not everyones and not items and str(key).partition(".")[0] not in _KNOWN_TO_ROS:
            known = ", ".join(dict.fromkeys(name for table in tables for name in table))
            raise ConfigurationError(f"no parameter {key!r}. Known: {known}")
        for item in items:
            kind = type(item.default)
            read = _as_ros_reads(value, kind)
            specification(item).check(item.name, read, kind)
            if item.name == "robot":
                robots.append(str(read))
    return robots


def _as_ros_reads(value: object, kind: type) -> object:
    """Return a value as ROS takes it where PyYAML differs: 1e-3 is a number, y is true, a date is a text."""
    if isinstance(value, date):
        return str(value)
    if isinstance(value, str) and kind is float:
        try:
            return float(value)
        except ValueError:
            return value
    if isinstance(value, str) and kind is bool:
        return {"y": True, "Y": True, "n": False, "N": False}.get(value, value)
    return value


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
        output: where what they log goes; None: to our standard error.
        nodes: which.
        prefixes: by node, what its command line begins with, such as a program that runs it elsewhere.
        arguments: by node, further ROS arguments.

    Raises:
        ConfigurationError: as `ros_arguments`, or the system cannot start a process; none is left running.
    """
    commands = {
        node: [
            *prefixes.get(node, ()),
            *(sys.executable, "-m", f"text2gesture_ros.nodes.{node}", "--ros-args"),
            *ros_arguments(node, given),
            *arguments.get(node, ()),
        ]
        for node in nodes
    }
    variables = dict(os.environ if environment is None else environment)
    source = str(Path(__file__).parents[1])
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
    """Return one line about a process that has ended, empty while all run."""
    for node, process in processes.items():
        status = process.poll()
        if status is not None:
            return f"{node} has ended with status {status}"
    return ""


def stop_processes(processes: Mapping[str, "subprocess.Popen[bytes]"]) -> None:
    """Ask every process to end, the last in the chain first, and make sure that it does."""
    for process in reversed(list(processes.values())):
        if process.poll() is None:
            process.terminate()  # not SIGINT: a node that is still importing would print where it was
    deadline = time.monotonic() + PATIENCE
    for process in processes.values():
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def asked_to_end() -> Iterator[list[int]]:
    """Give a list that is empty until Ctrl-C or SIGTERM, which do nothing else meanwhile."""
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
            trouble = "" if asked else ended(processes)
        finally:
            stop_processes(processes)
    if trouble:
        sys.stderr.write(f"{trouble}; the others were stopped\n")
        return 1
    return 0


def as_mapping(arguments: Sequence[str]) -> dict[str, str]:
    """Return `name:=value` arguments as ros2 launch takes them as a mapping.

    Raises:
        ConfigurationError: one of them has another form.
    """
    pairs = [argument.partition(":=") for argument in arguments]
    for name, separator, _ in pairs:
        if not separator:
            raise ConfigurationError(f"{name!r} is no name:=value")
    return {name: value for name, _, value in pairs}
