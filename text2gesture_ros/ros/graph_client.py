"""GraphClient: the three nodes as processes of their own, sentences in, everything that comes out.

    with GraphClient("pepper") as graph:
        for text in ("Hello!", "I have no idea."):
            graph.say(text)
            time.sleep(3.0)
        graph.wait_until(graph.log.quiet, timeout=10.0)
        for performance in graph.log.performances():
            print(performance.text, performance.latency)

The nodes live in a ROS domain of their own, on this machine only: several clients do not hear each other.
"""

import os
import random
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from std_msgs.msg import String

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.labels import NEUTRAL
from text2gesture_ros.msg import Speech
from text2gesture_ros.resources import share_directory
from text2gesture_ros.ros.conversation_log import TOPICS, ConversationLog, OnMessage
from text2gesture_ros.ros.processes import ended, start_processes, stop_processes

_WARM_UP = "warm-up"  # begins the utterance ids of the sentences that show that the nodes are ready
_READY_TIMEOUT = 60.0  # [s]
_SIMULATED_TIMEOUT = 600.0  # the same where time waits for the nodes: as slow as the machine is busy [s]
_DOMAINS, _FIRST_PORT = range(1, 101), 32768  # as in domain_coordinator


class Closing:
    """A context manager that closes, on exit, all that was put on its stack."""

    _stack: ExitStack

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the stack, the last first."""
        self._stack.close()


class GraphClient(Closing):
    """Starts the nodes, speaks to them, and keeps what they send.

    Args:
        robot: name or path of the robot.
        device: where the models run.
        params_file: parameters of the nodes, empty: the defaults.
        domain: ROS domain to use; None: one that nobody else on this machine has claimed.
        on_message: called with every message of `TOPICS` as it comes, from another thread.
        clock: makes what publishes /clock while it is entered, of the context and the ids of the nodes'
            processes; None: the nodes use real time.
        prefixes: by node, what its command line begins with, such as a program that runs it elsewhere.
        arguments: by node, further ROS arguments.
        environment: variables of the nodes and of this client that differ from what is said above.

    Attributes:
        log: what was said and what came since all was ready.
        context: of rclpy, for further nodes that are to see the same graph.
        processes: the nodes by name.
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
        given = {"robot": robot, "device": device, "params_file": params_file}
        if clock is not None:
            given["use_sim_time"] = "true"
        self._start = partial(start_processes, given, prefixes=prefixes, arguments=arguments)
        self._clock, self._environment = clock, environment
        self._domain = domain
        self._with_markers = on_message is not None
        self.log = ConversationLog(on_message)

    def __enter__(self) -> Self:
        """Start the nodes and return when a first sentence has gone all the way through them.

        Raises:
            ConfigurationError: a node cannot start or be configured, or all are not ready within a minute.
        """
        with ExitStack() as stack:
            domain = stack.enter_context(own_domain()) if self._domain is None else self._domain
            log = stack.enter_context(tempfile.TemporaryDirectory(prefix="text2gesture_"))
            isolation = {
                "ROS_DOMAIN_ID": str(domain),
                "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
                "ROS_LOG_DIR": log,
                "FASTRTPS_DEFAULT_PROFILES_FILE": str(share_directory() / "config" / "fastdds.xml"),
                **self._environment,
            }
            self._output = Path(log) / "nodes.log"
            self._start = partial(
                self._start,
                environment={**os.environ, **isolation},
                output=stack.enter_context(self._output.open("ab")),
            )
            self.processes = self._start()
            stack.callback(stop_processes, self.processes)
            with _environment(isolation):
                self._connect(stack, domain)
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
        with self.log.news:  # so that no answer is seen before the sentence is noted
            self.log.said(text)
            self._text.publish(String(data=text.encode("utf-8", "replace").decode("utf-8")))

    def speak(self, speech: Speech) -> None:
        """Publish a sentence on speech, with what is known of it."""
        with self.log.news:
            self.log.said(speech.text)
            self._speech.publish(speech)

    def wait_until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Return whether `condition` came true within `timeout` [s]; it is asked at each message.

        Raises:
            ConfigurationError: a node has ended or says that it cannot work.
        """
        deadline = time.monotonic() + timeout
        with self.log.news:
            while not condition():
                error = self.log.error or ended(self.processes)
                if error:
                    raise ConfigurationError(f"{error}. {self._last_error()}".strip())
                left = deadline - time.monotonic()
                if not self.log.news.wait(min(0.2, left)) and time.monotonic() > deadline:
                    return False
        return True

    def _connect(self, stack: ExitStack, domain: int) -> None:
        context = stack.enter_context(joined(domain=domain))
        node = rclpy.create_node("text2gesture_client", context=context, use_global_arguments=False)
        stack.callback(node.destroy_node)
        self._text = node.create_publisher(String, "speech_text", 50)
        self._speech = node.create_publisher(Speech, "speech", 50)
        for topic, kind in TOPICS.items():
            # Markers are drawn only while someone looks: one who measures does not.
            if topic != "gesture_markers" or self._with_markers:
                receive = partial(self.log.receive, topic, kind)
                node.create_subscription(kind, topic, receive, 200, raw=True)
        stack.enter_context(spinning(node, context))
        if self._clock is not None:
            processes = [process.pid for process in self.processes.values()]
            stack.enter_context(self._clock(context, processes))
        self.context = context

    def _warm_up(self) -> None:
        # Whether two other nodes have found each other cannot be seen from here; that a sentence comes out at
        # the far end can.
        timeout = _READY_TIMEOUT if self._clock is None else _SIMULATED_TIMEOUT
        deadline = time.monotonic() + timeout
        attempt = 0
        while not self.wait_until(self._warm, timeout=1.0):
            if time.monotonic() > deadline:
                raise ConfigurationError(f"the nodes are not ready after {timeout:g} s")
            if self._speech.get_subscription_count():
                attempt += 1
                self._speech.publish(
                    # No gesture: one would hold the first of the conversation back.
                    Speech(utterance_id=f"{_WARM_UP} {attempt}", text="hello", gesture=NEUTRAL)
                )
        if not self.wait_until(self.log.quiet, timeout=timeout):
            raise ConfigurationError(f"the nodes run, but the robot is not at rest within {timeout:g} s")
        self.log.start()

    def _warm(self) -> bool:
        return any(item.message.header.frame_id.startswith(_WARM_UP) for item in self.log.trajectories)

    def _last_error(self) -> str:
        lines = self._output.read_text(errors="replace").splitlines()
        return next((line for line in reversed(lines) if "ERROR" in line or "Error" in line), "")


@contextmanager
def own_domain() -> Iterator[int]:
    """Claim a ROS domain for a while; whoever else claims one on this machine gets another.

    It is claimed by a port that is bound, as ROS's own package domain_coordinator does it.

    Raises:
        ConfigurationError: all are claimed.
    """
    domains = list(_DOMAINS)
    random.SystemRandom().shuffle(domains)
    for domain in domains:
        with socket.socket() as claim:
            try:
                claim.bind(("", _FIRST_PORT + domain))
            except OSError:
                continue
            yield domain
            return
    raise ConfigurationError("every ROS domain is in use by another replay, demo or test on this machine")


@contextmanager
def joined(context: Context | None = None, domain: int | None = None) -> Iterator[Context]:
    """Join the ROS graph with a context of one's own, unless one is given.

    Args:
        context: that of others, which goes on afterwards.
        domain: which ROS domain a new one joins; None: that of the environment.
    """
    if context is not None:
        yield context
        return
    context = Context()
    rclpy.init(context=context, args=[], domain_id=domain)
    try:
        yield context
    finally:
        context.try_shutdown()


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
