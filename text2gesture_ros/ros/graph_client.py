"""GraphClient: the three nodes as processes of their own, sentences in, everything that comes out.

    with GraphClient("pepper") as graph:
        for text in ("Hello!", "I have no idea."):
            graph.say(text)
            time.sleep(3.0)
        graph.wait_until(graph.quiet, timeout=10.0)
        for performance in graph.performances():
            print(performance.text, performance.latency)

The nodes live in a ROS domain of their own, on this machine only: several clients do not hear each other.
"""

import math
import os
import random
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.labels import NEUTRAL
from text2gesture_ros.msg import GestureFrames, GestureIntent, Speech
from text2gesture_ros.resources import share_directory
from text2gesture_ros.ros.processes import ended, start_processes, stop_processes

# What is received: topic -> type.
TOPICS: Mapping[str, Any] = {
    "speech_text": String,
    "gesture_intent": GestureIntent,
    "gesture_frames": GestureFrames,
    "joint_trajectory": JointTrajectory,
    "joint_command": JointState,
    "gesture_markers": MarkerArray,
    "/diagnostics": DiagnosticArray,
}
VISIBLE = math.radians(0.5)
"""What a joint has to move to be seen to do so [rad]."""

OnMessage = Callable[[str, Any, int, bytes], None]
"""Topic, message type, time of arrival [ns since 1970], serialised message (CDR)."""

_WARM_UP = "warm-up"  # begins the utterance ids of the sentences that show that the nodes are ready
_READY_TIMEOUT = 60.0  # [s]


@dataclass(frozen=True)
class Received:
    """A message and when it came, on `time.monotonic` [s]."""

    time: float
    message: Any


@dataclass(frozen=True)
class Performance:
    """What one sentence became.

    Attributes:
        text: what was said.
        said: when it was published, on `time.monotonic` [s].
        intents: the classifier's answer, one for each clause (GestureIntent); none before it came.
        frames, trajectories, commands: what carries the utterance's id (GestureFrames, JointTrajectory,
            JointState), in order; all empty for a sentence without motion.
    """

    text: str
    said: float
    intents: tuple[Received, ...]
    frames: tuple[Received, ...]
    trajectories: tuple[Received, ...]
    commands: tuple[Received, ...]

    @property
    def intent(self) -> Received | None:
        """The answer for the first clause, which is all of a short sentence."""
        return self.intents[0] if self.intents else None

    @property
    def latency(self) -> float | None:
        """Time from text to first joint trajectory [s]; None where none came."""
        if not self.trajectories:
            return None
        return float(self.trajectories[0].time - self.said)

    @property
    def stages(self) -> dict[str, float]:
        """The latency stage by stage [s], as far as it went: classify, generate, retarget."""
        firsts = [self.intent, *(kind[0] if kind else None for kind in (self.frames, self.trajectories))]
        result: dict[str, float] = {}
        before = self.said
        for stage, first in zip(("classify", "generate", "retarget"), firsts, strict=True):
            if first is None:
                break
            result[stage] = first.time - before
            before = first.time
        return result

    @property
    def visible(self) -> float | None:
        """Time from text to where it can be seen [s]: a joint has gone `VISIBLE` since it took over."""
        for item in self.commands:
            first = self.commands[0].message
            moved = zip(first.name, first.position, item.message.name, item.message.position, strict=False)
            if any(name == other and abs(now - then) >= VISIBLE for name, then, other, now in moved):
                return float(item.time - self.said)
        return None

    @property
    def frame_count(self) -> int:
        """How many frames of motion were generated."""
        return sum(len(block.message.stop_probabilities) for block in self.frames)

    @property
    def duration(self) -> float:
        """How long they last [s]."""
        lengths = [len(item.message.stop_probabilities) / item.message.frame_rate for item in self.frames]
        return float(sum(lengths))


class Closing:
    """What ends, when it is left, all that its beginning has put on a stack."""

    _stack: ExitStack

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, the last first."""
        self._stack.close()


class GraphClient(Closing):
    """Starts the nodes, speaks to them, and keeps what they send.

    Args:
        robot: name or path of the robot.
        device: where the models run.
        params_file: parameters of the nodes, empty: the defaults.
        domain: ROS domain to use; None: one at random.
        on_message: called with every message of `TOPICS` as it comes, from another thread.
        clock: makes what publishes /clock while it is entered, of the context and the ids of the nodes'
            processes; None: the nodes go by the time of the world.
        prefixes: by node, what its command line begins with, such as a program that runs it elsewhere.
        arguments: by node, further ROS arguments.
        environment: variables of the nodes and of this client that differ from what is said above.

    Attributes:
        intents, frames, trajectories, commands: what came since all was ready, in order (Received).
        context: of rclpy, for further nodes that are to see the same graph.
        processes: the nodes by name.
        news: holds what came still while it is held.
    """

    def __init__(
        self,
        robot: str = "pepper",
        *,
        device: str = "auto",
        params_file: str = "",
        domain: int | None = None,
        on_message: OnMessage | None = None,
        clock: Callable[[Context, Collection[int]], AbstractContextManager[Any]] | None = None,
        prefixes: Mapping[str, Sequence[str]] = MappingProxyType({}),
        arguments: Mapping[str, Sequence[str]] = MappingProxyType({}),
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._given = {"robot": robot, "device": device, "params_file": params_file}
        if clock is not None:
            self._given["use_sim_time"] = "true"
        self._clock = clock
        self._prefixes, self._arguments, self._environment = prefixes, arguments, environment
        self._domain = random.SystemRandom().randint(1, 101) if domain is None else domain
        self._on_message = on_message
        self._recording = False
        self.news = threading.Condition()
        self._said: list[tuple[str, float]] = []
        self._trouble = ""
        self.intents: list[Received] = []
        self.frames: list[Received] = []
        self.trajectories: list[Received] = []
        self.commands: list[Received] = []
        self._kept = {
            "gesture_intent": self.intents,
            "gesture_frames": self.frames,
            "joint_trajectory": self.trajectories,
            "joint_command": self.commands,
        }

    def __enter__(self) -> Self:
        """Start the nodes and return when a first sentence has gone all the way through them.

        Raises:
            ConfigurationError: a node cannot start or be configured, or all are not ready within a minute.
        """
        with ExitStack() as stack:
            log = stack.enter_context(tempfile.TemporaryDirectory(prefix="text2gesture_"))
            isolation = {
                "ROS_DOMAIN_ID": str(self._domain),
                "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
                "ROS_LOG_DIR": log,
                "FASTRTPS_DEFAULT_PROFILES_FILE": str(share_directory() / "config" / "fastdds.xml"),
                **self._environment,
            }
            self._log = Path(log) / "nodes.log"
            self._start = partial(
                start_processes,
                self._given,
                environment={**os.environ, **isolation},
                output=stack.enter_context(self._log.open("ab")),
                prefixes=self._prefixes,
                arguments=self._arguments,
            )
            self.processes = self._start()
            stack.callback(stop_processes, self.processes)
            with _environment(isolation):
                self._connect(stack)
            self._warm_up()
            self._stack = stack.pop_all()
        return self

    def kill(self, node: str) -> None:
        """End a node as a crash does; `restart` brings it back."""
        process = self.processes.pop(node)
        process.kill()
        process.wait()

    def restart(self, node: str) -> None:
        """Start a node anew that was killed."""
        self.processes |= self._start(nodes=[node])

    def say(self, text: str) -> None:
        """Publish a sentence on speech_text."""
        with self.news:  # so that no answer is seen before the sentence is noted
            self._said.append((text, time.monotonic()))
            self._text.publish(String(data=text.encode("utf-8", "replace").decode("utf-8")))

    def speak(self, speech: Speech) -> None:
        """Publish a sentence on speech, with what is known of it."""
        with self.news:
            self._said.append((speech.text, time.monotonic()))
            self._speech.publish(speech)

    def wait_until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Return whether `condition` came true within `timeout` [s]; it is asked at each message.

        Raises:
            ConfigurationError: a node has ended or says that it cannot work.
        """
        deadline = time.monotonic() + timeout
        with self.news:
            while not condition():
                trouble = self._trouble or ended(self.processes)
                if trouble:
                    raise ConfigurationError(f"{trouble}. {self._last_error()}".strip())
                if not self.news.wait(min(0.2, deadline - time.monotonic())) and time.monotonic() > deadline:
                    return False
        return True

    def quiet(self) -> bool:
        """Return whether every sentence was answered, nothing more comes and the robot is at rest."""
        last = [kept[-1].time for kept in (self.frames, self.trajectories) if kept]
        last += [item.time + item.message.start for item in self.intents[-1:]]  # later clauses are still due
        return (
            len(self._answers()) >= len(self._said)
            and time.monotonic() - max(last, default=0.0) > 0.5
            and bool(self.commands)
            and not self.commands[-1].message.header.frame_id
        )

    def performances(self) -> list[Performance]:
        """Return what each sentence has become so far, in the order in which they were said."""
        with self.news:
            # The classifier answers every sentence once and in order.
            names = [*self._answers(), *[None] * len(self._said)]
            result = []
            for (text, said), name in zip(self._said, names, strict=False):
                intents = tuple(item for item in self.intents if item.message.utterance_id == name)
                frames = tuple(item for item in self.frames if item.message.utterance_id == name)
                trajectories, commands = (
                    tuple(item for item in kept if item.message.header.frame_id == name)
                    for kept in (self.trajectories, self.commands)
                )
                result.append(Performance(text, said, intents, frames, trajectories, commands))
            return result

    def _answers(self) -> list[str]:
        """Return the utterances that were answered, in order."""
        return [item.message.utterance_id for item in self.intents if item.message.clause == 0]

    def _connect(self, stack: ExitStack) -> None:
        context = Context()
        rclpy.init(context=context, args=[], domain_id=self._domain)
        stack.callback(context.try_shutdown)
        node = rclpy.create_node("text2gesture_client", context=context, use_global_arguments=False)
        stack.callback(node.destroy_node)
        self._text = node.create_publisher(String, "speech_text", 50)
        self._speech = node.create_publisher(Speech, "speech", 50)
        for topic, kind in TOPICS.items():
            # Markers are drawn only while someone looks: one who measures does not.
            if topic != "gesture_markers" or self._on_message:
                node.create_subscription(kind, topic, self._receiver(topic, kind), 200, raw=True)
        stack.enter_context(spinning(node, context))
        if self._clock is not None:
            processes = [process.pid for process in self.processes.values()]
            stack.enter_context(self._clock(context, processes))
        self.context = context

    def _receiver(self, topic: str, kind: Any) -> Callable[[bytes], None]:
        def receive(data: bytes) -> None:
            arrival = time.monotonic()
            try:
                message = deserialize_message(data, kind)
            except rclpy_implementation.RMWError:  # damaged; the nodes do not see it either
                return
            with self.news:
                if topic in self._kept:
                    self._kept[topic].append(Received(arrival, message))
                elif topic == "/diagnostics":
                    errors = [status for status in message.status if status.level == DiagnosticStatus.ERROR]
                    self._trouble = f"{errors[0].name}: {errors[0].message}" if errors else self._trouble
                if self._recording and self._on_message:
                    self._on_message(topic, kind, time.time_ns(), data)
                self.news.notify_all()

        return receive

    def _warm_up(self) -> None:
        # Whether two other nodes have found each other cannot be seen from here; that a sentence comes out at
        # the far end can.
        deadline = time.monotonic() + _READY_TIMEOUT
        attempt = 0
        while not self.wait_until(self._warm, timeout=1.0):
            if time.monotonic() > deadline:
                raise ConfigurationError(f"the nodes are not ready after {_READY_TIMEOUT:g} s")
            if self._speech.get_subscription_count():
                attempt += 1
                self._speech.publish(
                    # No gesture: one would hold the first of the conversation back.
                    Speech(utterance_id=f"{_WARM_UP} {attempt}", text="hello", gesture=NEUTRAL)
                )
        if not self.wait_until(self.quiet, timeout=_READY_TIMEOUT):
            raise ConfigurationError(f"the robot is not at rest {_READY_TIMEOUT:g} s after its first gesture")
        with self.news:
            for kept in self._kept.values():
                kept.clear()
            self._recording = True

    def _warm(self) -> bool:
        return any(item.message.header.frame_id.startswith(_WARM_UP) for item in self.trajectories)

    def _last_error(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        return next((line for line in reversed(lines) if "ERROR" in line or "Error" in line), "")


@contextmanager
def spinning(node: Any, context: Context) -> Iterator[None]:
    """Spin a node in a thread of its own."""
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    ending = threading.Event()

    def spin() -> None:
        while not ending.is_set():
            executor.spin_once(timeout_sec=0.1)

    thread = threading.Thread(target=spin, name=node.get_name(), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()
        executor.shutdown()


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    # ROS and Fast DDS read these when a context is made and at no other time.
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
