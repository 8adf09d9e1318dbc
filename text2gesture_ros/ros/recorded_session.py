"""A session as a bag tells it: the parameters of the nodes, and what was sent to them.

What decides motion beside the topics: the seed and all other parameters (`parameter_events`), stop and hold
(`gesture_cancel`, `held`), the names of the utterances, which are seeds too, when their text came
(`gesture_intent`), and when the generator got what it calls for (`intent_taken`); and from which row on each
plan was commanded, and what it was made from (`plan_commit`), which depends on how busy the machine was.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from text2gesture_ros.generation.player import POLL_PERIOD
from text2gesture_ros.msg import PlanCommit, Speech
from text2gesture_ros.parameters import PARAMETERS, specification
from text2gesture_ros.ros.bag import Bag
from text2gesture_ros.ros.params_file import NODES
from text2gesture_ros.ros.recorder import TOPIC_TYPES

_DECISIONS = ("held", "intent_taken", "plan_commit")
_COMPARED = 200  # characters of a text by which it is known again
_WINDOW = 10**9  # a message may have to be sent this much before it came, at most [ns]
# What a replay decides itself, or what decides nothing.
_NOT_REPLAYED = ("autostart", "device", "threads", "outputs", "planner_process", "realtime_priority")
_BEFORE_COMMIT = 0.6  # of a period: after the row before, and before that of the plan


@dataclass(frozen=True)
class Event:
    """Something to send to the nodes.

    Attributes:
        due: when, on the clock of the recording [ns].
        topic: where; `held` and `parameter` are services, `intents` lets those of an utterance pass.
        message: a ROS message; for `held` a truth value, for `parameter` node, name and value, for `intents`
            the id of the utterance.
    """

    due: int
    topic: str
    message: Any


@dataclass(frozen=True)
class _Answer:
    """The answer of the classifier to a text: when that came, when the generator got the answer [ns]."""

    stamp: int
    passed_on: int
    utterance_id: str
    text: str

    def is_of(self, speech: Speech) -> bool:
        """Return whether it may answer a sentence."""
        named = speech.utterance_id in ("", self.utterance_id)
        return named and self.text[:_COMPARED] == speech.text[:_COMPARED]

    def events(self, speech: Speech) -> Iterator[Event]:
        """Yield the sentence, and that its intents are passed on."""
        yield Event(self.stamp, "speech", speech)
        yield Event(max(self.stamp, self.passed_on), "intents", self.utterance_id)


@dataclass
class RecordedSession:
    """A bag, read as a replay needs it.

    Attributes:
        bag: where the session is recorded.
        topics: which of its topics a replay sends.
        rate: of its commands [Hz].
        parameters: values by node and name, at the beginning; empty where the bag has none.
    """

    bag: Bag
    topics: Sequence[str]
    rate: float
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for topic in (*self.topics, *_DECISIONS):
            next(self.bag.messages([topic]), None)  # one of another type is refused before nodes are started
        first: dict[str, int] = {}
        for stamp, node, values in self._parameter_events():
            if stamp <= first.setdefault(node, stamp):
                self.parameters.setdefault(node, {}).update(values)
        self._first = first

    @property
    def planned(self) -> bool:
        """Whether the bag tells when plans began."""
        return self.bag.find("plan_commit") is not None

    def raster(self) -> tuple[int, int | None]:
        """Return when a command was due, and when the generator was polled, modulo its period [ns]."""
        stamps = (stamp_of(m) for _, _, m in self.bag.messages(["joint_command"]))
        tick = next(stamps, 0)
        period = round(POLL_PERIOD * 1e9)
        sent = [s for _, s, m in self.bag.messages(["gesture_frames"]) if m.sequence]
        if not sent:
            return tick, None
        angles = 2.0 * np.pi * (np.array(sent) % period) / period
        mean = np.angle(np.exp(1j * angles).mean()) % (2.0 * np.pi)
        return tick, int(mean / (2.0 * np.pi) * period)

    def events(self) -> Iterator[Event]:
        """Yield what to send, in the order in which it is due."""
        waiting: list[tuple[int, int, Event]] = []
        for event in self._said():
            heapq.heappush(waiting, (event.due, len(waiting), event))
        for number, (came, event) in enumerate(self._arrivals(), start=len(waiting)):
            heapq.heappush(waiting, (event.due, number, event))
            while waiting and waiting[0][0] <= came - _WINDOW:
                yield heapq.heappop(waiting)[2]
        while waiting:
            yield heapq.heappop(waiting)[2]

    def _arrivals(self) -> Iterator[tuple[int, Event]]:
        """Yield when a message came, and what to send for it."""
        held = False
        sent = [topic for topic in self.topics if topic not in ("speech", "speech_text")]
        names = [*sent, "held", "parameter_events", *(["plan_commit"] if self.planned else [])]
        ours = {f"{self._namespace()}/{node}": node for node in NODES}
        for topic, came, given in self.bag.messages(names):
            if topic == "held":
                if given.data != held:
                    held = given.data
                    yield came, Event(came, "held", held)
            elif topic == "parameter_events":
                node = ours.get(given.node)
                if node is not None and came > self._first.get(node, came):
                    for parameter in given.changed_parameters:
                        if parameter.name in _live(node):
                            value = _value(parameter.value)
                            yield came, Event(came, "parameter", (node, parameter.name, value))
            elif topic == "plan_commit":
                due = min(came, stamp_of(given) - round(_BEFORE_COMMIT * 1e9 / self.rate))
                yield came, Event(due, "plan_request", ros_message(given, PlanCommit))
            else:
                message = ros_message(given, TOPIC_TYPES[topic])
                yield came, Event(came, topic, message)

    def _said(self) -> Iterator[Event]:
        """Yield the sentences that were answered, with the name that each got, and when it was passed on.

        What nothing answered did not reach the classifier; of what only the answer is in the bag, that tells
        the text.
        """
        answers = list(self._read_answers())
        names = [topic for topic in ("speech", "speech_text") if topic in self.topics]
        for _, came, given in self.bag.messages(names):
            speech = ros_message(given, Speech) if hasattr(given, "text") else Speech(text=given.data)
            for index, answer in enumerate(answers):
                if answer.is_of(speech) and abs(answer.stamp - came) < _WINDOW:
                    del answers[index]
                    speech.utterance_id = answer.utterance_id
                    yield from answer.events(speech)
                    break
        for answer in answers if names else ():
            yield from answer.events(Speech(text=answer.text, utterance_id=answer.utterance_id))

    def _read_answers(self) -> "Iterator[_Answer]":
        """Yield the answers of the classifier, in order."""
        messages = self.bag.messages(["intent_taken"])
        taken = {given.frame_id: _nanoseconds(given.stamp) for _, _, given in messages}
        for _, came, intent in self.bag.messages(["gesture_intent"]):
            if intent.clause == 0:
                passed_on = taken.get(intent.utterance_id, came)
                yield _Answer(stamp_of(intent), passed_on, intent.utterance_id, intent.text)

    def _namespace(self) -> str:
        topic = self.bag.find("joint_command") or self.bag.find(self.topics[0]) or ""
        return topic.rpartition("/")[0]

    def _parameter_events(self) -> Iterator[tuple[int, str, dict[str, Any]]]:
        ours = {f"{self._namespace()}/{node}": node for node in NODES}
        for _, stamp, event in self.bag.messages(["parameter_events"]):
            if event.node in ours and event.new_parameters:
                node = ours[event.node]
                known = {item.name for item in fields(PARAMETERS[node])} - set(_NOT_REPLAYED)
                values = {p.name: _value(p.value) for p in event.new_parameters if p.name in known}
                yield stamp, node, values


def stamp_of(message: Any) -> int:
    """Return the stamp of a message's header [ns]."""
    return _nanoseconds(message.header.stamp)


def _nanoseconds(stamp: Any) -> int:
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)


def shifted(message: Any, shift: int) -> Any:
    """Return a message whose stamps are later by `shift` [ns]."""
    header = getattr(message, "header", None)
    for stamp in (header and header.stamp, getattr(message, "known_until", None)):
        if stamp is not None:
            stamp.sec, stamp.nanosec = divmod(max(0, _nanoseconds(stamp) + shift), 10**9)
    return message


def _live(node: str) -> set[str]:
    live = {item.name for item in fields(PARAMETERS[node]) if specification(item).live}
    return live - set(_NOT_REPLAYED)


def _value(value: Any) -> Any:
    """Return a ParameterValue as a Python value; None for what none of our parameters is."""
    kinds = {1: "bool_value", 2: "integer_value", 3: "double_value", 4: "string_value"}
    return getattr(value, kinds[value.type]) if value.type in kinds else None


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
