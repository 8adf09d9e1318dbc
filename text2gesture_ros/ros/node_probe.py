"""Measures the node intent_classifier as a robot runs it: a process of its own, texts in, intents out.

    python -m text2gesture_ros.ros.node_probe '{"sentence": "Hello there!", "count": 100, "parameters": {}}'

prints the figures as JSON. Set ROS_DOMAIN_ID to an unused domain.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import rclpy
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from rclpy.executors import SingleThreadedExecutor
from std_msgs.msg import String

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.measurement import processor_time, resident
from text2gesture_ros.msg import GestureIntent
from text2gesture_ros.ros.processes import stop_processes

_NODE = "intent_classifier"
_TIMEOUT = 60.0  # [s]


def probe(sentence: str, count: int, parameters: Mapping[str, object]) -> dict[str, Any]:
    """Start the node, wait until it is active, send a sentence again and again, look at its memory.

    Args:
        sentence: what is sent; the next when the last was answered.
        count: how often, after a first time.
        parameters: of the node.

    Returns:
        ready: time from the start of the process to the lifecycle state active [s]; processor: processor time
        used by then [s], whatever else ran; answers: times from text to intent, through DDS [s], (count);
        memory: resident, after the last answer [bytes].

    Raises:
        ConfigurationError: the node does not become active or does not answer.
    """
    rclpy.init(args=[])
    tester = rclpy.create_node("probe")
    executor = SingleThreadedExecutor()
    executor.add_node(tester)
    answered: list[float] = []
    tester.create_subscription(
        GestureIntent, "gesture_intent", lambda _: answered.append(time.monotonic()), 50
    )
    text = tester.create_publisher(String, "speech_text", 50)
    state = tester.create_client(GetState, f"{_NODE}/get_state")
    command = [sys.executable, "-m", f"text2gesture_ros.ros.{_NODE}", "--ros-args"]
    for name, value in parameters.items():
        command += ["-p", f"{name}:={json.dumps(value)}"]

    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=sys.stderr)

    def wait(condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _TIMEOUT
        while not condition():
            if process.poll() is not None or time.monotonic() > deadline:
                raise ConfigurationError(f"{_NODE} {what}")
            executor.spin_once(timeout_sec=0.002)

    def active() -> bool:
        if not state.service_is_ready():
            return False
        answer = state.call_async(GetState.Request())
        wait(answer.done, "does not tell its state")
        return bool(answer.result().current_state.id == State.PRIMARY_STATE_ACTIVE)

    try:
        wait(active, "does not become active")
        ready, processor = time.monotonic() - begin, processor_time(process.pid)
        wait(lambda: text.get_subscription_count() > 0, "does not subscribe to speech_text")
        taken: list[float] = []
        for _ in range(count + 1):
            said = time.monotonic()
            text.publish(String(data=sentence))
            wait(lambda: len(answered) > len(taken), "does not answer")
            taken.append(answered[len(taken)] - said)
        memory = resident(process.pid)
        return {"ready": ready, "processor": processor, "answers": taken[1:], "memory": memory}
    finally:
        stop_processes({_NODE: process})
        executor.shutdown()
        tester.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(probe(**json.loads(sys.argv[1]))) + "\n")
