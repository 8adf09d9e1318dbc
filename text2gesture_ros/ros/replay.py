"""Replays a bag to the nodes, with the timing it was recorded with, and records what they make of it."""

import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rclpy.context import Context
from rclpy.serialization import deserialize_message

from text2gesture_ros.msg import GestureIntent
from text2gesture_ros.ros.bag import TYPES, Bag, BagWriter
from text2gesture_ros.ros.graph_client import GraphClient
from text2gesture_ros.ros.recorder import KINDS, Tap
from text2gesture_ros.ros.stepped_clock import ARGUMENTS, Clock, SteppedClock, WorldClock

_STILL = 5 * 10**8  # a robot that has stood still for so long, with nothing coming, is at rest [ns]
_SETTLING = 20 * 10**9  # it is so long before this [ns]
_GLANCE = 10**8  # how often it is looked whether it is [ns]


@dataclass(frozen=True)
class Played:
    """What was done.

    Attributes:
        sent: messages sent, by topic.
        recorded: messages recorded, by topic.
        late: how much later than it should one was sent at most [s].
    """

    sent: Mapping[str, int]
    recorded: Mapping[str, int]
    late: float


@contextmanager
def stage(robot: str, rate: float, seed: int, *, domain: int | None = None) -> Iterator["Stage"]:
    """Start the nodes in a ROS domain and with a clock of their own.

    Args:
        robot: name or path of the robot.
        rate: of control [Hz].
        seed: of the generator.
        domain: ROS domain; None: one at random.

    Raises:
        ConfigurationError: the robot is unknown, or the nodes do not come up.
    """
    given = {
        "/**/gesture_generator": {"ros__parameters": {"seed": seed}},
        "/**/gesture_retargeter": {"ros__parameters": {"rate": float(rate)}},
    }
    clocks: list[SteppedClock] = []

    def clock(context: Context, processes: Collection[int]) -> SteppedClock:
        clocks.append(SteppedClock(context, processes, 1.0 / rate))
        return clocks[-1]

    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(given, file)
        file.flush()
        client = GraphClient(robot, params_file=file.name, domain=domain, clock=clock, arguments=ARGUMENTS)
        with client as graph:
            yield Stage(graph, clocks[0])


@dataclass(frozen=True)
class Stage:
    """Nodes that were started for a replay, and the clock they follow."""

    graph: GraphClient
    clock: SteppedClock


def replay(
    bag: Bag, topics: Sequence[str], output: Path, *, namespace: str = "", own: Stage | None = None
) -> Played:
    """Send messages of a bag as they were sent then, and record what comes until the robot is at rest.

    Args:
        bag: where they are.
        topics: which to send.
        output: where speech, intents, frames and joint commands are recorded.
        namespace: of the nodes.
        own: the nodes that were started for it; None: those that run already.

    Raises:
        ConfigurationError: nobody listens, or a node ends.
        InputError: the bag is damaged.
    """
    clock = WorldClock() if own is None else own.clock
    context = None if own is None else own.graph.context

    def run_until(end: int) -> None:
        """Let time pass, and raise what has gone wrong meanwhile."""
        if own is not None:
            own.clock.run_until(end)
            own.graph.wait_until(lambda: False, timeout=0.0)
        else:
            time.sleep(max(0.0, (end - clock.now()) * 1e-9))
        if tap.trouble is not None:
            raise tap.trouble

    def settle() -> None:
        """Let time pass until the robot is at rest."""
        end = clock.now() + _SETTLING
        while not heard.quiet() and clock.now() < end:
            run_until(clock.now() + _GLANCE)

    with BagWriter(output) as writer:
        heard = _Heard(writer, clock)
        tap = Tap(tuple(TYPES), heard.take, namespace=namespace, context=context, clock=clock)
        with tap:
            tap.wait_for_listeners(topics)
            settle()
            if own is not None:
                own.clock.align()
            heard.recording = True
            sent = dict.fromkeys(topics, 0)
            late = 0
            for topic, due, message in _timed(bag.messages(topics), clock):
                run_until(due)
                late = max(late, clock.now() - due)
                tap.publish(topic, message)
                sent[topic] += 1
            run_until(clock.now())
            settle()
    return Played(sent, dict(writer.counts), late * 1e-9)


class _Heard:
    """Records what comes, and knows when nothing comes any more."""

    def __init__(self, writer: BagWriter, clock: Clock) -> None:
        self.recording = False
        self._writer = writer
        self._clock = clock
        self._busy = clock.now() + _STILL  # until when something is going on [ns]

    def take(self, topic: str, kind: Any, stamp: int, data: bytes) -> None:
        """Take in one message."""
        if self.recording:
            self._writer.write(topic, kind, stamp, data)
        lasts = _lasts(topic.rpartition("/")[2], kind, data)
        if lasts is not None:
            self._busy = max(self._busy, self._clock.now() + round(1e9 * lasts) + _STILL)

    def quiet(self) -> bool:
        """Return whether the robot is at rest and nothing is to come."""
        return self._clock.now() > self._busy


def _lasts(name: str, kind: Any, data: bytes) -> float | None:
    """Return for how long yet this message says that something goes on [s]; None: nothing does."""
    if name not in ("gesture_intent", "joint_command"):
        return 0.0
    message = deserialize_message(data, kind)
    if isinstance(message, GestureIntent):
        return float(message.start)
    return 0.0 if message.header.frame_id or any(message.velocity) else None


def _timed(messages: Iterator[tuple[str, int, Any]], clock: Clock) -> Iterator[tuple[str, int, Any]]:
    """Yield topic, time to send it [ns] and message of ROS, its stamp moved as the time is."""
    shift: int | None = None
    for topic, stamp, given in messages:
        if shift is None:
            shift = clock.now() - stamp
        message = ros_message(given, KINDS[topic])
        if hasattr(message, "header"):
            then = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
            message.header.stamp.sec, message.header.stamp.nanosec = divmod(max(0, then + shift), 10**9)
        yield topic, stamp + shift, message


def ros_message(given: Any, kind: Any) -> Any:
    """Return what rosbags has read as a message of ROS; a field its definition lacked keeps the default."""
    message = kind()
    for name in kind.get_fields_and_field_types():
        if hasattr(given, name):
            value, default = getattr(given, name), getattr(message, name)
            if hasattr(default, "get_fields_and_field_types"):
                value = ros_message(value, type(default))
            setattr(message, name, value.tolist() if isinstance(value, np.ndarray) else value)
    return message
