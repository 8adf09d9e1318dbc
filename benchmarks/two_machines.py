"""Models on one machine, the retargeter on another: cut the cable between them again and again.

    sudo --preserve-env=PATH,PYTHONPATH,AMENT_PREFIX_PATH python -m benchmarks.two_machines \
        --output benchmarks/results/two_machines.json

Machines and a switch are network namespaces of Linux (ip-netns(8), root may make them), cables are pairs of
veth. The nodes are the real ones; messages go over UDP alone, never through shared memory. Speaker, robot and
witness are on the retargeter's machine. Goes on where it was stopped.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.parts import measured, parser, spread, written
from benchmarks.witness import PACE, Witness, witness

MODELS, ROBOT, SWITCH = "models", "robot", "switch"
"""The machines."""

_INSIDE = "TEXT2GESTURE_NETWORK"  # set in the process that runs on the robot's machine: the network's name
_CUT = 5.0  # [s]


@dataclass(frozen=True)
class Network:
    """Two machines on a switch.

    Attributes:
        name: what the names of its namespaces begin with.
    """

    name: str

    def run(self, machine: str, *command: str) -> list[str]:
        """Return a command line that runs on a machine."""
        return ["ip", "netns", "exec", f"{self.name}-{machine}", *command]

    def plug(self, machine: str, *, connected: bool) -> None:
        """Plug the cable of a machine in at the switch, or pull it."""
        state = "up" if connected else "down"
        _do(*self.run(SWITCH, "ip", "link", "set", machine, state))


@contextmanager
def network() -> Iterator[Network]:
    """Make a network; take it down at the end, whatever happens."""
    net = Network(f"text2gesture-{os.getpid()}")
    with ExitStack() as stack:
        for machine in (SWITCH, MODELS, ROBOT):
            _do("ip", "netns", "add", f"{net.name}-{machine}")
            stack.callback(_do, "ip", "netns", "delete", f"{net.name}-{machine}")
            _do(*net.run(machine, "ip", "link", "set", "lo", "up"))
        _do(*net.run(SWITCH, "ip", "link", "add", "bridge", "type", "bridge", "mcast_snooping", "0"))
        _do(*net.run(SWITCH, "ip", "link", "set", "bridge", "up"))
        for number, machine in enumerate((MODELS, ROBOT), start=1):
            _do(
                *net.run(SWITCH, "ip", "link", "add", machine, "type", "veth"),
                *("peer", "name", "cable", "netns", f"{net.name}-{machine}"),
            )
            _do(*net.run(SWITCH, "ip", "link", "set", machine, "master", "bridge", "up"))
            _do(*net.run(machine, "ip", "address", "add", f"10.77.0.{number}/24", "dev", "cable"))
            _do(*net.run(machine, "ip", "link", "set", "cable", "up"))
        yield net


def _do(*command: str) -> None:
    subprocess.run(command, check=True)


def cut(watched: Witness, net: Network, number: int) -> dict[str, Any]:
    """Pull the cable for a while in the middle of a conversation, and return what was seen.

    Returns:
        moving: whether the robot moved then; settled_s: from the cut until nothing was performed any more,
        that is, the robot stood or was on its way to rest; home_s: until it was at rest; resumed_s: from when
        the cable is back until a plan for a sentence said after it; at_rest: whether it came to rest in the
        end; violations: limits that were not kept, by kind.
    """
    graph, rest = watched.graph, watched.robot.rest
    chance = np.random.default_rng(number)
    first = len(graph.log.commands)
    watched.converse(f"{number} before", chance.uniform(0.3, 2.0 * PACE), chance)
    net.plug(ROBOT, connected=False)
    since = watched.now()
    moving = any(graph.log.commands[-1].message.velocity)
    watched.converse(f"{number} meanwhile", _CUT, chance)
    course = watched.commanded(graph.log.commands[first:])
    net.plug(ROBOT, connected=True)
    resumed = watched.say_until_planned(f"{number} back", chance)
    at_rest = watched.wait_for_rest()
    return {
        "moving": moving,
        "settled_s": course.settled(since),
        "home_s": course.home(rest, since),
        "resumed_s": resumed,
        "at_rest": at_rest,
        "violations": watched.violations(watched.commanded(graph.log.commands[first:])),
    }


def main() -> int:
    """Cut the cable; exit with 1 where a limit was broken or the robot did not go on afterwards."""
    arguments = parser(__doc__)
    arguments.add_argument("--cuts", type=int, default=20)
    args = arguments.parse_args()
    if _INSIDE not in os.environ:
        with network() as net:
            again = [sys.executable, "-m", "benchmarks.two_machines", *sys.argv[1:]]
            return subprocess.run(
                net.run(ROBOT, *again), env={**os.environ, _INSIDE: net.name}, check=False
            ).returncode
    net = Network(os.environ[_INSIDE])
    environment = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET", "FASTDDS_BUILTIN_TRANSPORTS": "UDPv4"}
    prefixes = {node: net.run(MODELS) for node in ("intent_classifier", "gesture_generator")}
    with witness(args.robot, environment=environment, prefixes=prefixes) as watched:
        parts = measured(args.output, range(args.cuts), lambda number: cut(watched, net, number))
    violations: Counter[str] = sum((Counter(part["violations"]) for part in parts), Counter())
    figures = {
        "robot": args.robot,
        "cuts": len(parts),
        "cut_s": _CUT,
        "while_it_moved": sum(part["moving"] for part in parts),
        "violations": dict(violations),
        "at_rest": sum(part["at_rest"] for part in parts),
        **{key: spread([part[key] for part in parts]) for key in ("settled_s", "home_s", "resumed_s")},
    }
    written(args.output, "two_machines", figures)
    return int(bool(violations) or any(part["resumed_s"] is None for part in parts))


if __name__ == "__main__":
    sys.exit(main())
