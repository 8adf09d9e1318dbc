"""ROS parameter files, checked before a node starts: ROS itself would only warn, or end with a traceback."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.parameters import PARAMETERS, GestureGeneratorParameters, specification
from text2gesture_ros.resources import is_file, read_limited

_MAX_FILE_BYTES = 1 << 20
_MAX_LINE = 400  # characters of an error; it may quote a value from the file
_SECTION = "ros__parameters"
_SIMILAR = 0.6  # of two names, as difflib has it: "retargeter" and "gesture_retargeter" are by 0.71
_KNOWN_TO_ROS = ("use_sim_time", "qos_overrides", "start_type_description_service")

# Which node takes which argument as a parameter of the same name. Executable, node and module share one name.
NODES: Mapping[str, tuple[str, ...]] = {
    "intent_classifier": ("device",),
    "gesture_generator": ("device",),
    "gesture_retargeter": ("robot",),
}


def check_values(given: Mapping[str, str]) -> None:
    """Raise ConfigurationError for values that a node would refuse only once it runs."""
    from text2gesture_ros.robots.robot_file import load_robot

    if given.get("device"):
        GestureGeneratorParameters(device=given["device"])
    file, space = given.get("params_file"), given.get("namespace", "").strip("/")
    robots = _check_file(file, [f"{space and '/'}{space}/{node}" for node in NODES]) if file else []
    for robot in [given["robot"]] if given.get("robot") else robots:
        load_robot(robot)


def _check_file(file: str, started: Sequence[str]) -> list[str]:
    """Check a parameter file; return the robots it names.

    The file may hold other packages' nodes and other robots' too, but what was meant for a node of ours must
    reach it: with a wrong name, another robot would be commanded without a word.

    Args:
        file: its path.
        started: the nodes that are started, with their namespace.

    Raises:
        ConfigurationError: file, key and what is wrong, on one line.
    """

    def error(where: str, why: object) -> ConfigurationError:
        line = " ".join(f"params_file {file}: {where}{': ' if where else ''}{why}".split())
        return ConfigurationError(line if len(line) <= _MAX_LINE else f"{line[:_MAX_LINE]}...")

    path = Path(file)
    if not is_file(path):  # ROS would only warn and go on with the defaults
        raise ConfigurationError(f"params_file: no file {file!r}")
    try:
        data = _parsed(read_limited(path, _MAX_FILE_BYTES))
    except (ValueError, RecursionError) as problem:
        raise error("", f"no readable parameter file: {problem}") from None
    if not isinstance(data, dict):
        raise error("", "must be a mapping from nodes to their parameters")

    there = f"There are: {', '.join(started)}"
    robots: list[str] = []
    reached: set[str] = set()  # of the nodes that are started
    missed: dict[str, str] = {}  # by node: the section for it in another namespace
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
            if not nodes and _meant_for_ours(name, value):
                raise error(where, f"no such node. {there}, or /** for all")
            try:
                found = _check_section(nodes, value, wildcard="*" in name)
            except ConfigurationError as problem:
                raise error(where, problem) from None
            hit = [node for node in started if nodes and _pattern(where).fullmatch(node)]
            robots += found.robots
            if hit and found.known:
                reached.update(hit)
            elif name in NODES and not hit:
                missed[name] = where
    for name, where in missed.items():
        if not any(node.endswith(f"/{name}") for node in reached):
            raise error(where, f"no such node. {there}. In any namespace: /**/{name}")
    if data and not reached:
        raise error("", f"nothing in it is for a node that is started. {there}, or /** for all")
    return robots


def _meant_for_ours(name: str, section: Mapping[object, object]) -> bool:
    """Return whether a section seems to be for one of our nodes, though none has its name."""
    ours = {item.name for node in NODES for item in fields(PARAMETERS[node])}
    only_ours = bool(section) and ours.issuperset(map(str, section))
    return only_ours or bool(get_close_matches(name, NODES, cutoff=_SIMILAR))


def _pattern(where: str) -> re.Pattern[str]:
    """Return what matches the full names of the nodes that ROS takes a section to be for."""
    forms = {"**": r"(/\w+)*", "*": r"/\w+"}
    parts = where.strip("/").split("/")
    return re.compile("".join(forms.get(part, f"/{re.escape(part)}") for part in parts))


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


@dataclass(frozen=True)
class _Found:
    """What a section holds: the robots it names, and whether any of it is for nodes of ours."""

    robots: list[str]
    known: bool


def _check_section(nodes: Sequence[str], section: Mapping[object, object], *, wildcard: bool) -> _Found:
    """Check parameters against the table of every node they are for.

    In a wildcard section a parameter that none of our nodes has belongs to others.
    """
    robots, known_to_us = [], not wildcard
    tables = [{item.name: item for item in fields(PARAMETERS[node])} for node in nodes]
    for key, value in section.items():
        items = [table[str(key)] for table in tables if str(key) in table]
        known_to_us |= bool(items) or str(key).partition(".")[0] in _KNOWN_TO_ROS
        if nodes and not wildcard and not items and str(key).partition(".")[0] not in _KNOWN_TO_ROS:
            known = ", ".join(dict.fromkeys(name for table in tables for name in table))
            raise ConfigurationError(f"no parameter {key!r}. Known: {known}")
        for item in items:
            kind = type(item.default)
            read = _as_ros_reads(value, kind)
            specification(item).check(item.name, read, kind)
            if item.name == "robot":
                robots.append(str(read))
    return _Found(robots, known_to_us)


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
