"""`text2gesture param`: reads and sets parameters of the running nodes."""

import argparse
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING, Any

from text2gesture_ros.apps.commands.verbs import Outcome, Verbs, add_namespace, namespace
from text2gesture_ros.apps.tables import show_table
from text2gesture_ros.errors import InputError, did_you_mean
from text2gesture_ros.parameters import PARAMETERS, defaults, specification

if TYPE_CHECKING:
    from text2gesture_ros.ros.running_nodes import RunningNodes


def add(verbs: Verbs) -> None:
    """Add the verb."""
    group = verbs.group(
        "param",
        "Read and set parameters of the running nodes. README lists them all.",
        ["param get", "param set gesture_scale 0.5"],
    )
    get = group.add(
        "get",
        _get,
        "Print parameters of the running nodes.",
        ["param get", "param get rate gesture_scale", "param get --node gesture_generator --json"],
    )
    get.add_argument("names", nargs="*", metavar="NAME", help="which (default: all)")
    put = group.add(
        "set",
        _set,
        "Set a parameter of the running nodes. One that is read only when a node is configured (README: "
        "live no) needs --reconfigure: the robot goes to rest and the node begins anew.",
        [
            "param set gesture_scale 0.5",
            "param set robot nao --reconfigure",
            "param set threads 2 --node intent_classifier --reconfigure",
        ],
    )
    put.add_argument("name", metavar="NAME")
    put.add_argument("value", metavar="VALUE")
    put.add_argument("--reconfigure", action="store_true", help="configure the node anew with it")
    for verb in (get, put):
        verb.add_argument("--node", choices=tuple(PARAMETERS), help="where several have such a parameter")
        add_namespace(verb)


def _nodes_with(name: str, node: str | None) -> list[str]:
    """Return the nodes that have a parameter.

    Raises:
        InputError: there is none; the message says what there is.
    """
    among = [node] if node else list(PARAMETERS)
    found = [each for each in among if name in defaults(each)]
    if not found:
        known = list(dict.fromkeys(known for each in among for known in defaults(each)))
        who = f"{node} has no" if node else "no node has a"
        meant = did_you_mean(name, known) or f". Known: {', '.join(known)}"  # which are many
        raise InputError(f"{who} parameter {name!r}{meant}")
    return found


def _get(args: argparse.Namespace) -> Outcome:
    within = namespace(args)
    wanted: dict[str, list[str]] = {}
    if args.names:
        for name in args.names:
            for node in _nodes_with(name, args.node):
                wanted.setdefault(node, []).append(name)
    else:
        wanted = {node: list(defaults(node)) for node in ([args.node] if args.node else PARAMETERS)}

    from text2gesture_ros.ros.running_nodes import RunningNodes

    with RunningNodes(within) as nodes:
        found = {node: nodes.get_parameters(node, names) for node, names in wanted.items()}
    rows = [
        (node, name, _text(value), "" if value == defaults(node)[name] else _text(defaults(node)[name]))
        for node, values in found.items()
        for name, value in values.items()
    ]
    return Outcome(found, lambda: show_table("", ("node", "parameter", "value", "default, if another"), rows))


def _set(args: argparse.Namespace) -> Outcome:
    within = namespace(args)
    owners = _nodes_with(args.name, args.node)
    if len(owners) > 1:
        raise InputError(f"{' and '.join(owners)} have a parameter {args.name!r}: say which, --node")
    (node,) = owners
    (item,) = (item for item in fields(PARAMETERS[node]) if item.name == args.name)
    value = _parsed(args.name, args.value, type(defaults(node)[args.name]))
    entry = specification(item)
    entry.check(args.name, value, type(defaults(node)[args.name]))
    if not (entry.live or args.reconfigure):
        raise InputError(
            f"{args.name} is read only when {node} is configured: --reconfigure lets it begin anew "
            "(a robot goes to rest first)"
        )

    from text2gesture_ros.ros.running_nodes import RunningNodes

    with RunningNodes(within) as nodes:
        if entry.live:
            nodes.set_parameter(node, args.name, value)
        else:
            nodes.reconfigure(node, args.name, value)
        origin = "" if entry.live else _origin(nodes, node)
    data = {"node": node, "parameter": args.name, "value": value}
    line = f"{node}: {args.name} is {_text(value)}"
    return Outcome(data, partial(print, f"{line}; it starts from {origin}" if origin else line))


def _origin(nodes: "RunningNodes", node: str) -> str:
    """Return where a node that was configured anew takes its robot to stand; empty: it moves none."""
    told = nodes.status([node]).get(node)
    values = {item.key: item.value for item in told.values} if told else {}
    return str(values.get("started from", ""))


def _parsed(name: str, text: str, kind: type) -> Any:
    """Return a value as the type of its parameter.

    Raises:
        InputError: it is none.
    """
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise InputError(f"{name} must be true or false but is {text!r}")
        return text.lower() == "true"
    try:
        return kind(text)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise InputError(f"{name} must be {what} but is {text!r}") from None


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
