"""Replays a bag to the nodes, with the timing of the recording, and records the outcome."""

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
from text2gesture_ros.ros.recorder import TOPIC_TYPES, Recorder
from text2gesture_ros.ros.stepped_clock import ARGUMENTS, Clock, RealClock, SteppedClock

_REST_TIME = 5 * 10**8  # a robot that has stood still for this long, with nothing pending, is at rest [ns]
_REST_TIMEOUT = 20 * 10**9  # [ns]
_REST_POLL_PERIOD = 10**8  # [ns]


@dataclass(frozen=True)
class Played:
    """The outcome of a replay.

    Attributes:
        sent: messages sent, by topic.
        recorded: messages recorded, by topic.
        late: maximum delay of a message [s].
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
        # Plans are made between two commands: the clock waits for that.
        "/**/gesture_retargeter": {"ros__parameters": {"rate": float(rate), "planner_process": False}},
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
    """Send messages of a bag with the timing of the recording; record until the robot is at rest.

    Args:
        bag: with the messages.
        topics: which to send.
        output: where speech, intents, frames and joint commands are recorded.
        namespace: of the nodes.
        own: nodes that were started for the replay; None: those that run already.

    Raises:
        ConfigurationError: a topic has no subscriber, or a node ends.
        InputError: the bag is damaged.
    """
    clock = RealClock() if own is None else own.clock
    context = None if own is None else own.graph.context

    def run_until(end: int) -> None:
        """Let time pass, and raise errors of that time."""
        if own is not None:
            own.clock.run_until(end)
            own.graph.wait_until(lambda: False, timeout=0.0)
        else:
            time.sleep(max(0.0, (end - clock.now()) * 1e-9))
        if recorder.error is not None:
            raise recorder.error

    def settle() -> None:
        """Let time pass until the robot is at rest."""
        end = clock.now() + _REST_TIMEOUT
        while not activity.quiet() and clock.now() < end:
            run_until(clock.now() + _REST_POLL_PERIOD)

    with BagWriter(output) as writer:
        activity = _Activity(writer, clock)
        recorder = Recorder(tuple(TYPES), activity.take, namespace=namespace, context=context, clock=clock)
        with recorder:
            recorder.wait_for_subscribers(topics)
            settle()
            if own is not None:
                own.clock.align()
            activity.recording = True
            sent = dict.fromkeys(topics, 0)
            late = 0
            for topic, due, message in _timed(bag.messages(topics), clock):
                run_until(due)
                late = max(late, clock.now() - due)
                recorder.publish(topic, message)
                sent[topic] += 1
            run_until(clock.now())
            settle()
    return Played(sent, dict(writer.counts), late * 1e-9)


class _Activity:
    """Records messages and tells from them until when something goes on."""

    def __init__(self, writer: BagWriter, clock: Clock) -> None:
        self.recording = False
        self._writer = writer
        self._clock = clock
        self._busy = clock.now() + _REST_TIME  # until then something goes on [ns]

    def take(self, topic: str, kind: Any, stamp: int, data: bytes) -> None:
        """Receive one message."""
        if self.recording:
            self._writer.write(topic, kind, stamp, data)
        lasts = _lasts(topic.rpartition("/")[2], kind, data)
        if lasts is not None:
            self._busy = max(self._busy, self._clock.now() + round(1e9 * lasts) + _REST_TIME)

    def quiet(self) -> bool:
        """Return whether the robot is at rest and nothing is pending."""
        return self._clock.now() > self._busy


def _lasts(name: str, kind: Any, data: bytes) -> float | None:
    """Return for how long something still goes on, by this message [s]; None: nothing does."""
    if name not in ("gesture_intent", "joint_command"):
        return 0.0
    message = deserialize_message(data, kind)
    if isinstance(message, GestureIntent):
        return float(message.start)
    return 0.0 if message.header.frame_id or any(message.velocity) else None


def _timed(messages: Iterator[tuple[str, int, Any]], clock: Clock) -> Iterator[tuple[str, int, Any]]:
    """Yield topic, time to send it [ns] and ROS message, its stamp shifted by the same time."""
    shift: int | None = None
    for topic, stamp, given in messages:
        if shift is None:
            shift = clock.now() - stamp
        message = ros_message(given, TOPIC_TYPES[topic])
        if hasattr(message, "header"):
            then = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
            message.header.stamp.sec, message.header.stamp.nanosec = divmod(max(0, then + shift), 10**9)
        yield topic, stamp + shift, message


def ros_message(given: Any, kind: Any) -> Any:
    """Convert a message of rosbags to one of ROS; a field that its definition lacked keeps the default."""
    message = kind()
    for name in kind.get_fields_and_field_types():
        if hasattr(given, name):
            value, default = getattr(given, name), getattr(message, name)
            if hasattr(default, "get_fields_and_field_types"):
                value = ros_message(value, type(default))
            setattr(message, name, value.tolist() if isinstance(value, np.ndarray) else value)
    return message
