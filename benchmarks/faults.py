"""Kill each node again and again in the middle of a conversation, restart it, and see what the robot does.

    python -m benchmarks.faults --output benchmarks/results/faults.json

Goes on where it was stopped.
"""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.parts import measured, parser, spread, written
from benchmarks.witness import PACE, Witness, witness
from text2gesture_ros.ros.params_file import NODES


def kill(watched: Witness, node: str, number: int) -> dict[str, Any]:
    """Kill a node at a random moment, restart it, and return what was seen.

    Args:
        watched: the running nodes; the robot is at rest.
        node: which one.
        number: of this kill, its seed.

    Returns:
        moving: whether the robot moved then; settled_s: from the death (of the classifier: from the end of
        the frames that come of what it has answered, if that is later) until nothing was performed any more,
        that is, the robot stood or was on its way to rest; home_s: until it was at rest; recovered_s: from
        the restart until a plan for a sentence said after it; latency_s: of another sentence; jump: between
        where the robot was and the first command after the restart [rad]; at_rest: whether it came to rest in
        the end; violations: limits that were not kept, by kind.
    """
    graph, rest = watched.graph, watched.robot.rest
    chance = np.random.default_rng([number, *node.encode()])
    name = f"{node} {number}"
    first = len(graph.log.commands)
    watched.converse(f"{name} before", chance.uniform(0.05, 2.0 * PACE), chance)
    graph.kill(node)
    died = since = watched.now()
    moving = any(graph.log.commands[-1].message.velocity)
    watched.converse(f"{name} meanwhile", 0.2, chance)
    commands, jump, start = len(graph.log.commands), 0.0, None
    violations: Counter[str] = Counter()
    if node == "gesture_retargeter":
        course = watched.continued(watched.commanded(graph.log.commands[first:commands]))
        violations += watched.violations(course)
        watched.pause(max(0.0, course.seen[-1] - watched.now()))
        first, start = commands, watched.position()
    else:
        watched.wait_for_rest()
        if node == "intent_classifier":
            since = max(died, watched.last_frame(name))
        course = watched.commanded(graph.log.commands[first:])
    graph.restart(node)
    recovered = watched.say_until_planned(f"{name} back", chance)
    at_rest = watched.wait_for_rest()
    latency = watched.latency(f"{name} after", chance)
    at_rest = watched.wait_for_rest() and at_rest
    told = watched.commanded(graph.log.commands[first:])
    if start is not None:
        jump = float(np.abs(told.positions[0] - start).max())
    return {
        "moving": moving,
        "settled_s": course.settled(since),
        "home_s": course.home(rest, since),
        "recovered_s": recovered,
        "latency_s": latency,
        "jump": jump,
        "at_rest": at_rest,
        "violations": violations + watched.violations(told, start),
    }


def summarised(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures of kills of one node."""
    violations: Counter[str] = sum((Counter(part["violations"]) for part in parts), Counter())
    return {
        "kills": len(parts),
        "while_it_moved": sum(part["moving"] for part in parts),
        "violations": dict(violations),
        "at_rest": sum(part["at_rest"] for part in parts),
        "jump_rad": round(max(part["jump"] for part in parts), 6),
        **{
            key: spread([part[key] for part in parts])
            for key in ("settled_s", "home_s", "recovered_s", "latency_s")
        },
    }


def main() -> int:
    """Kill the nodes; exit with 1 where a limit was broken or the next sentence was not performed."""
    arguments = parser(__doc__)
    arguments.add_argument("--kills", type=int, default=50, help="of each node")
    args = arguments.parse_args()
    tasks = [(node, number) for number in range(args.kills) for node in NODES]
    with witness(args.robot) as watched:
        parts = measured(args.output, tasks, lambda task: kill(watched, *task))
    of_node = {
        node: [part for task, part in zip(tasks, parts, strict=True) if task[0] == node] for node in NODES
    }
    figures = {node: summarised(own) for node, own in of_node.items()}
    written(args.output, "faults", {"robot": args.robot, **figures})
    return int(any(part["violations"] or part["latency_s"] is None for part in parts))


if __name__ == "__main__":
    sys.exit(main())
