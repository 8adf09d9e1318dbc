"""What was said to the nodes and what came of it: all messages, and what each sentence became."""

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from text2gesture_ros.msg import GestureFrames, GestureIntent

TOPICS: Mapping[str, Any] = {
    "speech_text": String,
    "gesture_intent": GestureIntent,
    "gesture_frames": GestureFrames,
    "joint_trajectory": JointTrajectory,
    "joint_command": JointState,
    "gesture_markers": MarkerArray,
    "/diagnostics": DiagnosticArray,
}
"""What is received: topic -> type."""

VISIBLE = math.radians(0.5)
"""Minimum movement of a joint that can be seen [rad]."""

OnMessage = Callable[[str, Any, int, bytes], None]
"""Topic, message type, time of arrival [ns since 1970], serialised message (CDR)."""


@dataclass(frozen=True)
class Received:
    """A message that came.

    Attributes:
        time: when it came, on `time.monotonic` [s].
        message: the message.
        sent: when it was published [s since 1970].
    """

    time: float
    message: Any
    sent: float


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


class ConversationLog:
    """Keeps what was said and what the nodes sent. Written to and read from different threads.

    Args:
        on_message: called with every message of `TOPICS` as it comes, once `start` was called.

    Attributes:
        intents, frames, trajectories, commands: what came since `start`, in order (Received).
        news: notified of each message; while it is held nothing is added.
        error: of a node that says that it cannot work; empty: none does.
    """

    def __init__(self, on_message: OnMessage | None = None) -> None:
        self.news = threading.Condition()
        self.error = ""
        self.intents: list[Received] = []
        self.frames: list[Received] = []
        self.trajectories: list[Received] = []
        self.commands: list[Received] = []
        self._said: list[tuple[str, float]] = []
        self._on_message = on_message
        self._started = False

    def start(self) -> None:
        """Forget what came so far; from now on messages are passed on."""
        with self.news:
            for kept in self._kept.values():
                kept.clear()
            self._started = True

    @property
    def _kept(self) -> Mapping[str, list[Received]]:
        return {
            "gesture_intent": self.intents,
            "gesture_frames": self.frames,
            "joint_trajectory": self.trajectories,
            "joint_command": self.commands,
        }

    def said(self, text: str) -> None:
        """Note a sentence that is being said now."""
        self._said.append((text, time.monotonic()))

    def receive(self, topic: str, kind: Any, data: bytes, info: Mapping[str, int]) -> None:
        """Keep a serialised message that has just come, and when it was published."""
        arrival = time.monotonic()
        try:
            message = deserialize_message(data, kind)
        except rclpy_implementation.RMWError:  # damaged; the nodes do not see it either
            return
        with self.news:
            if topic in self._kept:
                self._kept[topic].append(Received(arrival, message, 1e-9 * info["source_timestamp"]))
            elif topic == "/diagnostics":
                errors = [status for status in message.status if status.level == DiagnosticStatus.ERROR]
                self.error = f"{errors[0].name}: {errors[0].message}" if errors else self.error
            if self._started and self._on_message:
                self._on_message(topic, kind, time.time_ns(), data)
            self.news.notify_all()

    def quiet(self) -> bool:
        """Return whether every sentence was answered, nothing more comes and the robot is at rest."""
        last = [kept[-1].time for kept in (self.frames, self.trajectories) if kept]
        last += [item.time + item.message.start for item in self.intents[-1:]]  # later clauses are still due
        return (
            len(self._answered()) >= len(self._said)
            and time.monotonic() - max(last, default=0.0) > 0.5
            and bool(self.commands)
            and not self.commands[-1].message.header.frame_id
        )

    def performances(self) -> list[Performance]:
        """Return what each sentence has become so far, in the order in which they were said."""
        with self.news:
            # The classifier answers every sentence once and in order.
            names = [*self._answered(), *[None] * len(self._said)]
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

    def _answered(self) -> list[str]:
        """Return the utterances that were answered, in order."""
        return [item.message.utterance_id for item in self.intents if item.message.clause == 0]
