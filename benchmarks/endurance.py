"""Talk for an hour of simulated time, a sentence every 3 s, and see whether memory and latency stay the same.

    python -m benchmarks.endurance --output benchmarks/results/endurance.json

Simulated time goes on by one control period when the robot has been commanded for the one before, as fast as
that goes, up to `--speed`: no tick is late. Plans are made in real time, in a process of its own: much
faster, and they come too late. Processes are watched from beginning to end, so this cannot go on where it was
stopped.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import rclpy
from rclpy.context import Context
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState

from benchmarks.parts import parser, spread, written
from benchmarks.witness import SENTENCES, diagnosed
from text2gesture_ros.measurement import descendants, processor_time, resident
from text2gesture_ros.ros.graph_client import GraphClient, spinning

_EVERY = 3.0  # a sentence, of simulated time [s]
_WARM = 1 / 6  # part of all sentences after which memory has to be flat
_SETTLING = 5.0  # of simulated time, after the last sentence [s]
_PATIENCE = 60.0  # of the world, with simulated time [s]
_LONGEST_STEP = 0.05  # that a command is waited for [s]


class LockstepClock:
    """Publishes /clock while it is entered: one control period further for each command.

    Args:
        context: of rclpy.
        period: of control [s].
        speed: how many times faster than the world's at most.

    Attributes:
        told: what each node told of itself last.
    """

    def __init__(self, context: Context, period: float, speed: float) -> None:
        self._context, self._period, self._speed = context, period, speed
        self._time = round(time.time()) * 10**9
        self._commanded = threading.Event()
        self._ending = threading.Event()

    def __enter__(self) -> Self:
        """Let time pass."""
        with ExitStack() as stack:
            node = rclpy.create_node("clock", context=self._context, use_global_arguments=False)
            stack.callback(node.destroy_node)
            self._publisher = node.create_publisher(Clock, "/clock", 1)
            node.create_subscription(
                JointState, "joint_command", lambda _: self._commanded.set(), 10, raw=True
            )
            self.told = diagnosed(node)
            stack.enter_context(spinning(node, self._context))
            thread = threading.Thread(target=self._run, name="lockstep", daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(self._ending.set)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Let time stand still."""
        self._stack.close()

    def now(self) -> float:
        """Return the time [s]."""
        return self._time * 1e-9

    def pause_until(self, graph: GraphClient, due: float) -> None:
        """Let time pass; a node that ends by itself ends the measurement."""
        graph.wait_until(lambda: self.now() >= due, timeout=_PATIENCE)

    def _run(self) -> None:
        step = round(self._period * 1e9)
        while not self._ending.is_set():
            begin = time.monotonic()
            self._time += step
            self._commanded.clear()
            message = Clock()
            message.clock.sec, message.clock.nanosec = divmod(self._time, 10**9)
            self._publisher.publish(message)
            self._commanded.wait(_LONGEST_STEP)
            time.sleep(max(0.0, begin + self._period / self._speed - time.monotonic()))


def talk(graph: GraphClient, clock: LockstepClock, sentences: int) -> dict[str, Any]:
    """Say sentences and return what it cost.

    Returns:
        sentences; performed, how many of them; seconds, simulated; speed, how many times the world's;
        latency_ms: from text to plan in the world's time, of each sixth of the sentences; memory_mb of each
        node: after each sixth; growth_mb: from the end of the first to the end of the last; processor: share
        of a core; told: what the nodes tell of themselves in the end.
    """
    begin, started = time.monotonic(), clock.now()
    used = _processor(graph)
    said: list[float] = []
    names: list[str] = []  # of the sentences: the classifier answers all, in order
    planned: dict[str, float] = {}  # when the first plan of each came
    memory: list[Mapping[str, float]] = []
    sixth = max(1, round(_WARM * sentences))

    def note() -> None:
        """Keep what is needed of what came; the rest would fill this process."""
        names.extend(item.message.utterance_id for item in graph.log.intents if item.message.clause == 0)
        for item in graph.log.trajectories:
            planned.setdefault(item.message.header.frame_id, item.time)
        for kept in (graph.log.commands, graph.log.trajectories, graph.log.frames, graph.log.intents):
            kept.clear()

    for number in range(sentences):
        said.append(time.monotonic())
        graph.say(SENTENCES[number % len(SENTENCES)])
        clock.pause_until(graph, started + _EVERY * (number + 1))
        with graph.log.news:
            note()
        if (number + 1) % sixth == 0:
            memory.append(_memory(graph))
            print(f"{number + 1}/{sentences} {memory[-1]} {len(planned)} plans", file=sys.stderr)
    seconds, taken = clock.now() - started, time.monotonic() - begin
    after = _processor(graph)
    clock.pause_until(graph, clock.now() + _SETTLING)
    with graph.log.news:
        note()
    names += [""] * (sentences - len(names))
    times = [
        1e3 * (planned[name] - then) if name in planned else None
        for name, then in zip(names, said, strict=True)
    ]
    return {
        "sentences": sentences,
        "performed": sum(value is not None for value in times),
        "seconds": round(seconds),
        "speed": round(seconds / taken, 2),
        "latency_ms": [spread(times[first : first + sixth], 1) for first in range(0, sentences, sixth)],
        "memory_mb": {node: [row[node] for row in memory] for node in memory[0]},
        "growth_mb": {node: round(memory[-1][node] - memory[0][node], 2) for node in memory[0]},
        "processor": {node: round((after[node] - used[node]) / taken, 3) for node in used},
        "told": clock.told,
    }


def _memory(graph: GraphClient) -> dict[str, float]:
    """Return the memory of each node and the processes it has started [MB]; what they share counts twice."""
    pids = {node: (process.pid, *descendants(process.pid)) for node, process in graph.processes.items()}
    return {node: round(sum(map(resident, family)) / 1e6, 2) for node, family in pids.items()}


def _processor(graph: GraphClient) -> dict[str, float]:
    return {node: processor_time(process.pid) for node, process in graph.processes.items()}


def main() -> int:
    """Talk; exit with 1 where a sentence was not performed."""
    arguments = parser(__doc__)
    arguments.add_argument("--sentences", type=int, default=1200)
    arguments.add_argument("--rate", type=float, default=30.0, help="of the control loop [Hz]")
    arguments.add_argument("--speed", type=float, default=2.0, help="of simulated time, at most")
    args = arguments.parse_args()
    clocks: list[LockstepClock] = []

    def clock(context: Context, _: Collection[int]) -> LockstepClock:
        clocks.append(LockstepClock(context, 1.0 / args.rate, args.speed))
        return clocks[0]

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "parameters.yaml"
        file.write_text(f"/**/gesture_retargeter:\n  ros__parameters:\n    rate: {args.rate:.1f}\n")
        with GraphClient(args.robot, params_file=str(file), clock=clock) as graph:
            figures = talk(graph, clocks[0], args.sentences)
    written(args.output, "endurance", {"robot": args.robot, "rate": args.rate, **figures})
    return int(figures["performed"] < args.sentences)


if __name__ == "__main__":
    sys.exit(main())
