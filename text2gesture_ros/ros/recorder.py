"""Records the topics of running nodes as serialised messages, and publishes on them."""

import time
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from typing import Any, Self

import rclpy
from rcl_interfaces.msg import ParameterEvent
from rclpy.context import Context
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Bool, Header, String

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.msg import PlanCommit, Speech
from text2gesture_ros.ros.conversation_log import TOPICS, OnMessage
from text2gesture_ros.ros.graph_client import Closing, joined, spinning
from text2gesture_ros.ros.stepped_clock import Clock, RealClock

TOPIC_TYPES: Mapping[str, Any] = {
    "speech": Speech,
    "gesture_cancel": String,
    **TOPICS,
    "held": Bool,
    "intent_taken": Header,
    "plan_commit": PlanCommit,
    "plan_request": PlanCommit,
    "/parameter_events": ParameterEvent,
}
"""What can be recorded and published: topic -> type."""

_KEPT = ("held",)  # whose latest message comes to those who join later
_QUEUE_SIZE = 1000  # messages: 10 s of commands, on a busy machine
_SUBSCRIBER_TIMEOUT = 10.0  # [s]
_TRANSPORT_TIME = 0.2  # without a message for this long, all that was sent has come [s]
_MAX_BACKLOG = 30.0  # time to work off messages that have come [s]


class Recorder(Closing):
    """A node that passes on what is published on topics, and publishes on them itself.

    Args:
        topics: which of `TOPIC_TYPES` are recorded.
        on_message: called with every message as it comes, from another thread; topics are resolved.
        namespace: of the nodes.
        context: of rclpy; None: one of its own, with the ROS domain of this process.
        clock: for the times of arrival; None: real time.

    Attributes:
        error: what `on_message` has raised; nothing is recorded any more then.
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
        self._clock = clock or RealClock()
        self._publishers: dict[str, Any] = {}
        self._asked = 0  # when `finish` was called [ns since 1970]
        self._came = 0.0  # when the latest message came that was sent before that, on `time.monotonic` [s]
        self.error: Exception | None = None

    def __enter__(self) -> Self:
        """Begin to record."""
        with ExitStack() as stack:
            context = stack.enter_context(joined(self._context))
            self._node = rclpy.create_node(
                "text2gesture_recorder",
                context=context,
                namespace=self._namespace,
                use_global_arguments=False,
            )
            stack.callback(self._node.destroy_node)
            for topic in self._topics:
                self._subscribe(topic, TOPIC_TYPES[topic])
            stack.enter_context(spinning(self._node, context))
            self._stack = stack.pop_all()
        return self

    def _subscribe(self, topic: str, kind: Any) -> None:
        name = self._node.resolve_topic_name(topic)

        def receive(data: bytes, info: Mapping[str, int]) -> None:
            if info["source_timestamp"] <= self._asked:
                self._came = time.monotonic()
            if self.error is None:
                try:
                    self._on_message(name, kind, self._clock.now(), data)
                except Exception as error:  # noqa: BLE001  # raised in this thread it would be lost
                    self.error = error

        kept = DurabilityPolicy.TRANSIENT_LOCAL if topic in _KEPT else DurabilityPolicy.VOLATILE
        quality = QoSProfile(depth=_QUEUE_SIZE, durability=kept)
        self._node.create_subscription(kind, topic, receive, quality, raw=True)

    def finish(self) -> None:
        """Record what was sent so far, however long a busy machine takes for it.

        Raises:
            Exception: what `on_message` has raised.
        """
        self._asked, self._came = time.time_ns(), time.monotonic()
        deadline = time.monotonic() + _MAX_BACKLOG
        while time.monotonic() < min(self._came + _TRANSPORT_TIME, deadline) and self.error is None:
            time.sleep(_TRANSPORT_TIME / 4.0)
        if self.error is not None:
            raise self.error

    def publish(self, topic: str, message: Any) -> None:
        """Publish a message; `wait_for_subscribers` comes first."""
        self._publishers[topic].publish(message)

    def wait_for_subscribers(self, topics: Collection[str]) -> None:
        """Return when each of the topics has a subscriber.

        Raises:
            ConfigurationError: one has none within 10 s.
        """
        for topic in topics:
            self._publishers[topic] = self._node.create_publisher(TOPIC_TYPES[topic], topic, _QUEUE_SIZE)
        deadline = time.monotonic() + _SUBSCRIBER_TIMEOUT
        for topic, publisher in self._publishers.items():
            mine = topic in self._topics
            while publisher.get_subscription_count() <= mine:
                if time.monotonic() > deadline:
                    raise ConfigurationError(
                        f"no subscriber on {self._node.resolve_topic_name(topic)}: start the nodes first"
                    )
                time.sleep(0.02)
