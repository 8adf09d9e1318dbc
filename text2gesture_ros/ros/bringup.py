"""ROS arguments of the three nodes, for launch/bringup.launch.py and `text2gesture bringup`.

Both use these, so that the two ways to start cannot drift apart.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.parameters import LONGEST_RETURN, MAX_FADE_TIME
from text2gesture_ros.ros.params_file import NODES, check_values

_NAMESPACE = re.compile(r"/?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*")

STOP_TIMEOUT = LONGEST_RETURN + MAX_FADE_TIME + 5.0
"""A node that was asked to end is killed after this; it may bring its robot to rest, and give it back [s]."""


@dataclass(frozen=True)
class Argument:
    """An argument of the start of all nodes; empty: the parameter file or the table decides."""

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


def ros_arguments(node: str, given: Mapping[str, str]) -> list[str]:
    """Return the ROS arguments of a node, which follow `--ros-args`.

    Args:
        node: one of `NODES`.
        given: values of `ARGUMENTS` by name; one that is missing or empty is left to file and table.

    Raises:
        ConfigurationError: an argument is unknown, or its value is not allowed.
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
    check_values(given)
    for name in NODES[node]:
        if given.get(name):
            # Quoted, or YAML would read `y` as true and `1` as a number.
            arguments += ["-p", f"{name}:={json.dumps(given[name])}"]
    return arguments


def check_namespace(namespace: str) -> str:
    """Return a namespace as ROS has it, with a leading slash.

    Raises:
        ConfigurationError: it is no namespace.
    """
    if not _NAMESPACE.fullmatch(namespace):
        raise ConfigurationError(
            f"namespace {namespace!r} is no namespace: words of a-z, 0-9 and _, joined by /"
        )
    return f"/{namespace.removeprefix('/')}"


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
