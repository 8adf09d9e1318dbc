"""Tap: hears what the nodes of a graph say to each other, byte by byte, and can say the same again."""

import time
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from typing import Any, Self

import rclpy
from rclpy.context import Context
from std_msgs.msg import String

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.msg import Speech
from text2gesture_ros.ros.conversation_log import TOPICS, OnMessage
from text2gesture_ros.ros.graph_client import Closing, spinning
from text2gesture_ros.ros.stepped_clock import Clock, WorldClock

KINDS: Mapping[str, Any] = {"speech": Speech, "gesture_cancel": String, **TOPICS}
"""What can be heard and said: topic -> type."""

_DEPTH = 1000  # messages that may wait for a busy machine: 10 s of commands
_LISTENERS_WAIT = 10.0  # [s]
_UNDERWAY = 0.2  # what was sent comes before this, or after more that was [s]
_LONGEST_BACKLOG = 30.0  # [s]


class Tap(Closing):
    """A node that hears, and speaks on, the topics of a graph.

    Args:
        topics: which of `KINDS` it hears.
        on_message: called with every message as it comes, from another thread; topics are resolved.
        namespace: of the nodes.
        context: of rclpy; None: one of its own, with the ROS domain of this process.
        clock: tells when a message came; None: the world's.

    Attributes:
        trouble: what `on_message` has raised; nothing is heard any more then.
    """

    def __init__(
        self,
        topics: Collection[str],
        on_message: OnMessage,
        *,
        namespace: str = "",
        context: Context | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._topics = topics
        self._on_message = on_message
        self._namespace = namespace
        self._context = context
        self._clock = clock or WorldClock()
        self._publishers: dict[str, Any] = {}
        self._asked = 0  # when `finish` was called [ns since 1970]
        self._came = 0.0  # when the latest message came that was sent before that, on `time.monotonic` [s]
        self.trouble: Exception | None = None

    def __enter__(self) -> Self:
        """Begin to hear."""
        with ExitStack() as stack:
            context = self._context
            if context is None:
                context = Context()
                rclpy.init(context=context, args=[])
                stack.callback(context.try_shutdown)
            self._node = rclpy.create_node(
                "text2gesture_tap", context=context, namespace=self._namespace, use_global_arguments=False
            )
            stack.callback(self._node.destroy_node)
            for topic in self._topics:
                self._hear(topic, KINDS[topic])
            stack.enter_context(spinning(self._node, context))
            self._stack = stack.pop_all()
        return self

    def _hear(self, topic: str, kind: Any) -> None:
        name = self._node.resolve_topic_name(topic)

        def receive(data: bytes, info: Mapping[str, int]) -> None:
            if info["source_timestamp"] <= self._asked:
                self._came = time.monotonic()
            if self.trouble is None:
                try:
                    self._on_message(name, kind, self._clock.now(), data)
                except Exception as error:  # noqa: BLE001  # raised in this thread, nobody would see it
                    self.trouble = error

        self._node.create_subscription(kind, topic, receive, _DEPTH, raw=True)

    def finish(self) -> None:
        """Hear what was sent so far, however long a busy machine takes for it.

        Raises:
            Exception: what `on_message` has raised.
        """
        self._asked, self._came = time.time_ns(), time.monotonic()
        deadline = time.monotonic() + _LONGEST_BACKLOG
        while time.monotonic() < min(self._came + _UNDERWAY, deadline) and self.trouble is None:
            time.sleep(_UNDERWAY / 4.0)
        if self.trouble is not None:
            raise self.trouble

    def publish(self, topic: str, message: Any) -> None:
        """Say something; `wait_for_listeners` comes first."""
        self._publishers[topic].publish(message)

    def wait_for_listeners(self, topics: Collection[str]) -> None:
        """Return when somebody hears each of the topics.

        Raises:
            ConfigurationError: nobody does within 10 s.
        """
        for topic in topics:
            self._publishers[topic] = self._node.create_publisher(KINDS[topic], topic, _DEPTH)
        deadline = time.monotonic() + _LISTENERS_WAIT
        for topic, publisher in self._publishers.items():
            mine = topic in self._topics
            while publisher.get_subscription_count() <= mine:
                if time.monotonic() > deadline:
                    raise ConfigurationError(
                        f"nobody listens on {self._node.resolve_topic_name(topic)}: start the nodes first"
                    )
                time.sleep(0.02)
