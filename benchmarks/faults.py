"""Kill each node and the planner, again and again, in the middle of a conversation; see what the robot does.

A node is restarted; the planner, a process of the retargeter's, has to be replaced by that.

    python -m benchmarks.faults --output benchmarks/results/faults.json

Goes on where it was stopped.
"""

import os
import signal
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.parts import measured, parser, spread, written
from benchmarks.witness import PACE, RATE, Course, Witness, witness
from text2gesture_ros.control.point_to_point import PointToPoint
from text2gesture_ros.control.trajectory import JointSample
from text2gesture_ros.measurement import descendants
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.ros.params_file import NODES

PLANNER, NURSERY = "planner", "planner and nursery"
_HOME_IN = 1.0  # [s]
_NURSERY_TOO = 5  # for so many kills of the planner, one of it and the process that forks its successor


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
    after = next_sentences(watched, name, chance)
    told = watched.commanded(graph.log.commands[first:])
    if start is not None:
        jump = float(np.abs(told.positions[0] - start).max())
    return {
        "moving": moving,
        "settled_s": course.settled(since),
        "home_s": course.home(rest, since),
        "jump": jump,
        "violations": violations + watched.violations(told, start),
        **after,
    }


def kill_planner(watched: Witness, what: str, number: int) -> dict[str, Any]:
    """Kill the planner at a random moment and return what was seen.

    Args:
        watched: the running nodes; the robot is at rest.
        what: whether alone, or the process that forks its successor too.
        number: of this kill, its seed.

    Returns:
        as `kill`; settled_s counts for the utterance that was performed, home_s from the death or, where
        motion has begun to come of another utterance since, from the end of that; alone: whether none has;
        fastest_s: how long the way home takes at least, at the limits of velocity, acceleration and jerk;
        replaced: whether there is another planner.
    """
    log, retargeter = watched.graph.log, watched.graph.processes["gesture_retargeter"].pid
    chance = np.random.default_rng([number, *what.encode()])
    name, first = f"{what} {number}", len(log.commands)
    watched.converse(f"{name} before", chance.uniform(0.05, 2.0 * PACE), chance)
    nursery, worker = descendants(retargeter)
    performed = log.commands[-1].message.header.frame_id
    known = {item.message.utterance_id for item in log.frames}
    moving = any(log.commands[-1].message.velocity)
    for process in (nursery, worker) if what == NURSERY else (worker,):
        os.kill(process, signal.SIGKILL)
    died = watched.now()
    watched.pause(PACE / 2.0)
    watched.wait_for_rest()
    commands = log.commands[first:]
    later = {item.message.utterance_id for item in log.frames} - known
    since = max([died, *map(watched.last_frame, later)])
    own = [item for item in commands if performed and item.message.header.frame_id == performed]
    course = watched.commanded(commands)
    home = course.home(watched.robot.rest, since)
    after = next_sentences(watched, name, chance)
    return {
        "moving": moving,
        "settled_s": max(0.0, float(watched.commanded(own).seen[-1]) - died) if own else 0.0,
        "home_s": home,
        "alone": not later,
        "fastest_s": fastest(watched.robot, course, died),
        "jump": 0.0,
        "violations": watched.violations(watched.commanded(log.commands[first:])),
        "replaced": worker not in descendants(retargeter) and len(descendants(retargeter)) == 2,
        **after,
    }


def fastest(robot: Robot, course: Course, time: float) -> float:
    """Return how long the way to rest takes at least from where the robot is at a time [s]."""
    now = max(2, int(np.searchsorted(course.seen, time)))
    velocities = course.velocities[now - 2 : now]
    start = JointSample(course.positions[now - 1], velocities[1], np.diff(velocities, axis=0)[0] * RATE)
    way = PointToPoint(robot, 1.0 / RATE).trajectory(start, robot.rest)
    return len(way) / RATE if way is not None else 0.0


def next_sentences(watched: Witness, name: str, chance: np.random.Generator) -> dict[str, Any]:
    """Say two sentences and return recovered_s, latency_s and at_rest, see `kill`."""
    recovered = watched.say_until_planned(f"{name} back", chance)
    at_rest = watched.wait_for_rest()
    latency = watched.latency(f"{name} after", chance)
    return {
        "recovered_s": recovered,
        "latency_s": latency,
        "at_rest": watched.wait_for_rest() and at_rest,
    }


def summarised(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures of the kills of one process."""
    violations: Counter[str] = sum((Counter(part["violations"]) for part in parts), Counter())
    return {
        "kills": len(parts),
        "while_it_moved": sum(part["moving"] for part in parts),
        "violations": dict(violations),
        "at_rest": sum(part["at_rest"] for part in parts),
        "jump_rad": round(max(part["jump"] for part in parts), 6),
        **(_of_planner(parts) if "replaced" in parts[0] else {}),
        **{
            key: spread([part[key] for part in parts])
            for key in ("settled_s", "home_s", "recovered_s", "latency_s")
        },
    }


def _of_planner(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what is counted of kills of the planner only."""
    alone = [part for part in parts if part["alone"] and part["home_s"] is not None]
    return {
        "replaced": sum(part["replaced"] for part in parts),
        "alone": len(alone),
        "home_in_1_s": sum(part["home_s"] <= _HOME_IN for part in alone),
        "home_in_1_s_at_the_limits": sum(part["fastest_s"] <= _HOME_IN for part in alone),
        "home_alone_s": spread([part["home_s"] for part in alone]),
        "longer_than_at_the_limits_s": spread([part["home_s"] - part["fastest_s"] for part in alone]),
    }


def main() -> int:
    """Kill them; exit with 1 where a limit was broken or the next sentence was not performed."""
    arguments = parser(__doc__)
    arguments.add_argument("--kills", type=int, default=50, help="of each node")
    arguments.add_argument("--planner-kills", type=int, default=100, help="of the planner")
    args = arguments.parse_args()
    counts = {
        **dict.fromkeys(NODES, args.kills),
        PLANNER: args.planner_kills,
        NURSERY: args.planner_kills // _NURSERY_TOO,
    }
    tasks = [
        (what, number)
        for number in range(max(counts.values()))
        for what, count in counts.items()
        if number < count
    ]

    def measure(task: tuple[str, int]) -> dict[str, Any]:
        what, number = task
        return kill(watched, what, number) if what in NODES else kill_planner(watched, what, number)

    with witness(args.robot) as watched:
        parts = measured(args.output, tasks, measure)
    figures = {
        what: summarised([part for task, part in zip(tasks, parts, strict=True) if task[0] == what])
        for what, count in counts.items()
        if count
    }
    written(args.output, "faults", {"robot": args.robot, **figures})
    failed = (
        part["violations"] or part["latency_s"] is None or not part.get("replaced", True) for part in parts
    )
    return int(any(failed))


if __name__ == "__main__":
    sys.exit(main())
