"""Nodes in the process of the test, driven by it: no threads, no waiting for time to pass."""

import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import rclpy
from domain_coordinator import domain_id
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.context import Context
from rclpy.parameter import Parameter
from text2gesture_ros.msg import GestureFrames

from text2gesture_ros.gestures import needs_of
from text2gesture_ros.motion.frame_block import ClauseHeader, blocks_of
from text2gesture_ros.ros import gesture_generator, intent_classifier, measured_pose
from text2gesture_ros.ros import managed_node as base
from text2gesture_ros.ros.conversions import frames_message
from text2gesture_ros.skeleton import INDEX, REFERENCE

TIMEOUT = 20.0  # a test that waits longer fails [s]


class Graph:
    """Nodes and a tester that talks to them, all spun by the test itself."""

    def __init__(self) -> None:
        self.context = Context()
        rclpy.init(context=self.context, args=[])
        self.executor = base.Executor(context=self.context)
        self.tester = rclpy.create_node("tester", context=self.context, use_global_arguments=False)
        self.executor.add_node(self.tester)
        self._nodes = [self.tester]
        self._publishers: dict[str, Any] = {}

    def close(self) -> None:
        """End all nodes."""
        for node in self._nodes:
            self.executor.remove_node(node)
            node.destroy_node()
        self.executor.shutdown()
        self.context.try_shutdown()

    def add(
        self, make_node: Callable[..., Any], wait: bool = True, namespace: str = "", **parameters: Any
    ) -> Any:
        """Return a new node with these parameters; with `wait`, it is active."""
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        node = make_node(
            context=self.context,
            use_global_arguments=False,
            namespace=namespace,
            parameter_overrides=overrides,
        )
        self.executor.add_node(node)
        self._nodes.append(node)
        if wait:
            self.spin_until(lambda: node.active)
        return node

    def spin_until(self, condition: Callable[[], Any], timeout: float = TIMEOUT) -> None:
        """Let the nodes work until the condition holds."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            self.executor.spin_once(timeout_sec=0.02)

    def spin_for(self, seconds: float, until: Callable[[], Any] = lambda: False) -> None:
        """Let the nodes work for a while, or until something happens that need not."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not until():
            self.executor.spin_once(timeout_sec=0.01)

    def collect_later(self, kind: type, topic: str) -> list[Any]:
        """Return a list that grows with the messages of a topic that nobody publishes yet."""
        messages: list[Any] = []
        self.tester.create_subscription(kind, topic, messages.append, 1000)
        return messages

    def collect(self, kind: type, topic: str) -> list[Any]:
        """Return a list that grows with the messages of a topic."""
        messages: list[Any] = []
        self.tester.create_subscription(kind, topic, messages.append, 1000)
        self.spin_until(lambda: self.tester.count_publishers(topic))
        return messages

    def publish(self, topic: str, message: Any) -> None:
        """Publish once somebody listens."""
        if topic not in self._publishers:
            self._publishers[topic] = self.tester.create_publisher(type(message), topic, 50)
        publisher = self._publishers[topic]
        self.spin_until(publisher.get_subscription_count)
        publisher.publish(message)

    def call(self, kind: type, service: str, request: Any) -> Any:
        """Return the answer of a service."""
        client = self.tester.create_client(kind, service)
        self.spin_until(client.service_is_ready)
        future = client.call_async(request)
        self.spin_until(future.done)
        self.tester.destroy_client(client)
        return future.result()

    def transition(self, node: Any, transition: int, label: str = "") -> bool:
        """Ask a node to change its state, as `ros2 lifecycle set` does; return whether it did."""
        request = ChangeState.Request()
        request.transition.id, request.transition.label = transition, label
        return bool(self.call(ChangeState, f"{node.get_name()}/change_state", request).success)

    def state(self, node: Any) -> str:
        """Return the lifecycle state that a node says it is in."""
        return str(
            self.call(GetState, f"{node.get_name()}/get_state", GetState.Request()).current_state.label
        )


@pytest.fixture(scope="module", autouse=True)
def models_loaded_once() -> Iterator[None]:
    """Let the nodes of a test file share each model: loading takes longer than most of what is tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gesture_generator, "GestureGenerator", cache(gesture_generator.GestureGenerator))
        patch.setattr(intent_classifier, "IntentClassifier", cache(intent_classifier.IntentClassifier))
        yield


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch) -> Iterator[Graph]:
    """Return a graph of its own for a test."""
    monkeypatch.setattr(measured_pose, "_DISCOVERY", 0.0)  # within one process it takes no time
    graph = Graph()
    yield graph
    graph.close()


@pytest.fixture(scope="session")
def raised_arm() -> Callable[..., Any]:
    """Return a function that makes positions (T, K, 3) of a person who raises an arm and lowers it."""

    def make(count: int, height: float = 0.3) -> Any:
        positions = np.repeat(REFERENCE[None], count, axis=0)
        lift = height * np.sin(np.pi * np.arange(count) / max(1, count - 1))
        for joint, share in (("elbow", 0.3), ("wrist", 1.0), ("hand", 1.2), ("thumb", 1.1)):
            positions[:, INDEX[f"right_{joint}"], 2] += share * lift
            positions[:, INDEX[f"right_{joint}"], 0] += 0.5 * share * lift
        return positions

    return make


@pytest.fixture(scope="session")
def gesture(raised_arm: Callable[..., Any]) -> Callable[..., list[GestureFrames]]:
    """Return a function that makes the messages of one gesture, due on the ROS clock [s]."""

    def make(utterance_id: str, due: float, frames: int = 30, height: float = 0.3) -> list[GestureFrames]:
        header = ClauseHeader(utterance_id, 0, "wave", "neutral", needs=needs_of("wave"))
        blocks = blocks_of(header, raised_arm(frames, height), 60.0, due, 10)
        return [frames_message(block, 0.0) for block in blocks]

    return make


@pytest.fixture
def domain() -> Iterator[int]:
    """Return a ROS domain that no other test uses."""
    with domain_id() as number:
        yield number
