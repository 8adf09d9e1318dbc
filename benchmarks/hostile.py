"""Send every input of the nodes what nobody should, and see whether they live, stay small and still serve.

    python -m benchmarks.hostile --output benchmarks/results/hostile.json

Texts of anything up to a megabyte, numbers that are none, counts that do not fit, stamps of other times,
sequence numbers and names of before, bytes that are no message: as fast as a thousand a second. Goes on where
it was stopped, input by input.
"""

import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from text2gesture_ros.msg import GestureFrames, GestureIntent, LabelProbabilities, Speech

from benchmarks.parts import measured, parser, written
from benchmarks.witness import Witness, witness
from text2gesture_ros.gestures import GROUPS
from text2gesture_ros.labels import EMOTIONS, GESTURES
from text2gesture_ros.measurement import resident
from text2gesture_ros.skeleton import JOINTS, REFERENCE

LONGEST = 1_000_000
"""Characters of a text."""

_RATE = 1000.0  # messages per second, where they can be made as fast
_LOOK = 0.25  # from one look at the nodes to the next [s]
_PARTS = 5  # into which the messages are divided, to see how memory grows
_CHARACTERS = (
    *("abcdefghijklmnopqrstuvwxyz   ", " ", ".,;!?", "0123456789", "\t\n\r", "{}[]()<>&%$#@`'\"\\|/"),
    *(
        "äöüßéèñçåø",
        "你好谢谢再见",
        "привет",
        "שלום",
        "مرحبا",
        "😀👋🏽👨‍👩‍👧",
        "\u200b\u202e\ufeff\x7f\x01\x1b",
        "e\u0301\u0327",
    ),
)
_WORDS = (
    "hello",
    "no",
    "thank you",
    "look over there!",
    "I have no idea.",
    "wave",
    "yes",
    "",
    "the",
    "goodbye",
)


class Hostile:
    """Makes messages of all kinds; the same ones for the same seed.

    Args:
        seed: of chance.
        joints: names of the robot's joints.
        longest: characters of a text.
    """

    def __init__(self, seed: int, joints: tuple[str, ...], longest: int = LONGEST) -> None:
        self._chance = np.random.default_rng(seed)
        self._joints = joints
        self._longest = longest
        self._names = ["", "warm-up 1", *(f"utterance {number}" for number in range(5))]

    def one_of(self, *choices: Any) -> Any:
        """Return one of these; a function is called."""
        chosen = choices[int(self._chance.integers(len(choices)))]
        return chosen() if callable(chosen) else chosen

    def text(self, longest: int = LONGEST) -> str:
        """Return a text of anything, mostly a short one."""
        source = _sources()[int(self._chance.integers(len(_sources())))]
        length = int(min(longest, self._longest) ** self._chance.random()) - 1
        begin = int(self._chance.integers(LONGEST - length + 1))
        return source[begin : begin + length]

    def number(self) -> float:
        """Return a number, or none at all."""
        return float(self.one_of(math.nan, math.inf, -math.inf, 1e300, -1.0, 0.0, 5e-324, 0.5, 1.0, 60.0))

    def numbers(self, most: int) -> list[float]:
        """Return up to so many numbers."""
        return [self.number() for _ in range(int(self._chance.integers(most + 1)))]

    def name(self) -> str:
        """Return the id of an utterance: of this one, of another, of none."""
        return str(self.one_of(*self._names, lambda: self.text(300)))

    def stamp(self) -> Time:
        """Return a time, perhaps the present."""
        present = int(time.time()) + int(self.one_of(0, 0, 0, 1, -1, 60, -3600))
        seconds = self.one_of(0, -1, 2**31 - 1, -(2**31), *(present,) * 4)
        return Time(sec=seconds, nanosec=int(self.one_of(0, 5 * 10**8, 2**32 - 1)))

    def count(self) -> int:
        """Return an unsigned number: small, replayed, or as large as can be."""
        return int(self.one_of(0, 0, 1, 2, 3, 2**31, 2**32 - 1))

    def priority(self) -> int:
        """Return a priority."""
        return int(self.one_of(128, 128, 128, 0, 255))

    def label(self, known: tuple[str, ...]) -> str:
        """Return a label, mostly a known one."""
        return str(self.one_of(*known, "", "WAVE", lambda: self.text(100)))

    def speech_text(self) -> String:
        """Return a text."""
        return String(data=self.text())

    def speech(self) -> Speech:
        """Return a text with what a speaker might claim of it."""
        words = [self.text(30) for _ in range(int(self._chance.integers(20)))]
        return Speech(
            utterance_id=self.name(),
            text=self.text(10_000),
            duration=self.number(),
            words=words,
            word_starts=self.one_of(lambda: self.numbers(20), [0.1 * at for at in range(len(words))]),
            gesture=self.one_of("", lambda: self.label(GESTURES)),
            emotion=self.one_of("", lambda: self.label(EMOTIONS)),
            priority=self.priority(),
        )

    def _prediction(self, known: tuple[str, ...]) -> LabelProbabilities:
        return LabelProbabilities(
            chosen=self.label(known),
            labels=self.one_of(list(known), [], ["", ""]),
            probabilities=[abs(value) if value < 1e30 else 0.0 for value in self.numbers(20)],
        )

    def gesture_intent(self) -> GestureIntent:
        """Return what no classifier says."""
        text = self.text(10_000)
        message = GestureIntent(
            utterance_id=self.name(),
            clause=self.count(),
            text=text,
            span_start=self.count(),
            span_end=self.count(),
            start=self.number(),
            stroke=self.number(),
            end=self.number(),
            estimated=self.one_of(True, False),
            speech_probability=float(self.one_of(math.nan, 0.5, -1.0)),
            gesture=self._prediction(GESTURES),
            emotion=self._prediction(EMOTIONS),
            accepted=self.one_of(True, False),
            priority=self.priority(),
        )
        message.header.stamp = self.stamp()
        return message

    def gesture_frames(self) -> GestureFrames:
        """Return what no generator sends."""
        frames = int(self.one_of(0, 1, 8, 8, 8, 60, 700))
        body = np.tile(REFERENCE.ravel(), frames) + self._chance.normal(
            0.0, self.one_of(0.0, 0.05, 10.0), frames * REFERENCE.size
        )
        positions = body.tolist()
        if frames and self._chance.random() < 0.3:
            positions[int(self._chance.integers(len(positions)))] = float(
                self.one_of(math.nan, math.inf, 1e30)
            )
        names = list(JOINTS)
        message = GestureFrames(
            utterance_id=self.name(),
            gesture=self.label(GESTURES),
            emotion=self.label(EMOTIONS),
            clause=self.count(),
            sequence=self.count(),
            first_frame=self.count(),
            frame_rate=self.one_of(60.0, 60.0, self.number),
            joint_names=self.one_of(names, names, names[::-1], names[1:], [names[0]] * len(names), []),
            positions=self.one_of(positions, positions, positions[1:], []),
            stop_probabilities=[float(self.one_of(0.0, 0.0, 1.0, -1.0, math.nan)) * 0.1] * frames,
            last=self.one_of(True, False),
            more=self.one_of(True, False),
            priority=self.priority(),
            groups=self.one_of([], list(GROUPS), ["left_arm", "head"], ["head"] * 100, [self.text(100)]),
            hand_opening=float(self.one_of(-1.0, 0.0, 1.0, 2.0, math.nan, math.inf)),
        )
        message.header.stamp = self.stamp()
        return message

    def gesture_cancel(self) -> String:
        """Return a name, which cancels, or anything else."""
        return String(data=self.one_of(self.name, lambda: self.text(10_000)))

    def joint_states(self) -> JointState:
        """Return what no robot tells of itself."""
        names = self.one_of(list(self._joints), list(self._joints)[:3], [self.text(50)] * 100, [])
        return JointState(
            name=names,
            position=self.one_of([self.number() for _ in names], lambda: self.numbers(100)),
            velocity=self.numbers(20),
            effort=self.numbers(20),
        )

    def damaged(self, message: Any) -> bytes:
        """Return the bytes of a message, some of them wrong or missing."""
        data = bytearray(serialize_message(message))
        for _ in range(int(self._chance.integers(4))):
            data[int(self._chance.integers(4, len(data)))] = int(self._chance.integers(256))
        return bytes(data[: int(self._chance.integers(4, len(data) + 1))])

    def messages(self, topic: str, count: int) -> Iterator[Any]:
        """Yield messages for a topic; every one in ten is sent twice or thrice, some as damaged bytes."""
        make: Callable[[], Any] = getattr(self, topic)
        sent = 0
        while sent < count:
            message = make()
            if self._chance.random() < 0.1:
                message = self.damaged(message)
            for _ in range(min(count - sent, int(self.one_of(*(1,) * 9, 3)))):
                yield message
                sent += 1


@cache
def _sources() -> tuple[str, ...]:
    """Return long texts: of words, of every character there is here, and of each kind alone."""
    chance = np.random.default_rng(0)
    words = " ".join(chance.choice(_WORDS, size=LONGEST // 2))
    pools = ["".join(_CHARACTERS), *_CHARACTERS]
    return words, *("".join(np.array(list(pool))[chance.integers(len(pool), size=LONGEST)]) for pool in pools)


INPUTS: Mapping[str, Any] = {
    "speech_text": String,
    "speech": Speech,
    "gesture_intent": GestureIntent,
    "gesture_frames": GestureFrames,
    "gesture_cancel": String,
    "joint_states": JointState,
}
"""Topic -> type."""


def attack(watched: Witness, topic: str, count: int) -> dict[str, Any]:
    """Send an input so many messages, then a sentence; return what became of the nodes.

    Returns:
        sent; per_second; memory_mb: of each node, before, after each fifth and afterwards; waiting:
        utterances in the generator's queue, at most; answered_s: from the last message until a plan for a
        sentence said after it; latency_s: of another sentence; violations: limits that the commands meanwhile
        did not keep. Both are said with the highest priority: others may have been sent with it.
    """
    graph = watched.graph
    chance = np.random.default_rng([count, *topic.encode()])
    hostile = Hostile(int(chance.integers(1 << 30)), watched.robot.joint_names)
    publisher = watched.node.create_publisher(INPUTS[topic], topic, 50)
    graph.wait_until(lambda: publisher.get_subscription_count() > 0, timeout=10.0)
    first = len(graph.log.commands)
    memory, waiting = [_memory(watched)], 0
    began = looked = time.monotonic()
    for number, message in enumerate(hostile.messages(topic, count), start=1):
        publisher.publish(message)
        now = time.monotonic()
        time.sleep(max(0.0, began + number / _RATE - now))
        if now > looked + _LOOK:
            looked, told = now, watched.told["gesture_generator"]["utterances waiting"]
            waiting = max(waiting, int(told))
            graph.wait_until(lambda: True, timeout=0.0)  # a node that has ended ends the measurement
        if number % math.ceil(count / _PARTS) == 0:
            memory.append(_memory(watched))
    taken = time.monotonic() - began
    answered = watched.say_until_planned(f"{topic} {count} after", chance, priority=255)
    watched.wait_for_rest()
    latency = watched.latency(f"{topic} {count} later", chance, priority=255)
    watched.wait_for_rest()
    memory.append(_memory(watched))
    watched.node.destroy_publisher(publisher)
    return {
        "sent": count,
        "per_second": round(count / taken),
        "waiting": waiting,
        "memory_mb": {node: [row[node] for row in memory] for node in memory[0]},
        "answered_s": answered,
        "latency_s": latency,
        "violations": watched.violations(watched.commanded(graph.log.commands[first:])),
    }


def _memory(watched: Witness) -> dict[str, float]:
    return {node: round(resident(process.pid) / 1e6, 1) for node, process in watched.graph.processes.items()}


def main() -> int:
    """Attack every input; exit with 1 where a limit was broken or a sentence was not performed afterwards."""
    arguments = parser(__doc__)
    arguments.add_argument("--count", type=int, default=10_000, help="messages to each input")
    args = arguments.parse_args()
    with witness(args.robot) as watched:
        # Once around, so that no memory of a first time counts as growth.
        for topic in INPUTS:
            attack(watched, topic, min(300, args.count))
        parts = measured(args.output, list(INPUTS), lambda topic: attack(watched, topic, args.count))
    violations: Counter[str] = sum((Counter(part["violations"]) for part in parts), Counter())
    figures = {"robot": args.robot, "violations": dict(violations), **dict(zip(INPUTS, parts, strict=True))}
    written(args.output, "hostile", figures)
    return int(bool(violations) or any(part["latency_s"] is None for part in parts))


if __name__ == "__main__":
    sys.exit(main())
