"""Compares the joint commands of two bags, utterance by utterance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.geometry import Array
from text2gesture_ros.resources import share_directory
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.ros.bag import Bag

SOURCES: Mapping[str, tuple[str, ...]] = {
    "text": ("speech_text", "speech"),
    "intents": ("gesture_intent",),
    "frames": ("gesture_frames",),
}
"""What can be replayed, and the topics it is made of."""

_AT_REST = 1e-3  # [rad]
_MAX_COMMANDS = 2_000_000  # 5 hours at 100 Hz


@dataclass(frozen=True, eq=False)
class Commands:
    """Joint commands from the beginning of one utterance to that of the next.

    Attributes:
        utterance_id: of the utterance; empty: before any.
        times: (T,) after its first command [s], increasing.
        positions: by joint, (T,) [rad]; NaN where the joint was not commanded.
    """

    utterance_id: str
    times: Array
    positions: Mapping[str, Array]


@dataclass(frozen=True)
class Deviation:
    """Deviation between two recordings of one joint during one utterance.

    Attributes:
        utterance: which, counted from 1.
        joint: its name.
        largest, rms: over time [rad]; infinite where only one of both commands it.
    """

    utterance: int
    joint: str
    largest: float
    rms: float


def source_topics(bag: Bag, source: str) -> list[str]:
    """Return the topics of a bag to replay: what `SOURCES` says, and what was cancelled meanwhile.

    Raises:
        InputError: nothing of the source is in the bag; the message says what is.
    """
    found = [name for name in SOURCES[source] if bag.find(name)]
    if not found:
        there = ", ".join(f"{topic} ({count})" for topic, count in sorted(bag.topics.items()))
        raise InputError(
            f"{bag.path}: no message on {' or '.join(SOURCES[source])}, to replay {source} from. "
            f"There is: {there or 'nothing'}"
        )
    return [*found, *(name for name in ("gesture_cancel",) if bag.find(name))]


def read_commands(bag: Bag) -> list[Commands]:
    """Return the joint commands of a bag, for each utterance in the order in which they were begun.

    The times are those of the stamps, which say when each was due. Empty where there are no commands.

    Raises:
        InputError: the bag is damaged, or has too many of them.
    """
    parts: list[tuple[str, list[int], list[Any]]] = []
    begun: set[str] = set()
    count = 0
    for _, _, message in bag.messages(["joint_command"]):
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        name = message.header.frame_id
        if not parts or (name and name not in begun):
            begun.add(name)
            parts.append((name, [], []))
        _, stamps, messages = parts[-1]
        if stamps and stamp <= stamps[-1]:
            continue  # it came out of order
        if len(message.name) != len(message.position):
            raise InputError(
                f"a joint command has {len(message.position)} positions, {len(message.name)} names"
            )
        stamps.append(stamp)
        messages.append(message)
        count += 1
        if count > _MAX_COMMANDS:
            raise InputError(f"more than {_MAX_COMMANDS} joint commands")
    return [_arranged(*part) for part in parts]


def _arranged(utterance_id: str, stamps: Sequence[int], messages: Sequence[Any]) -> Commands:
    joints = list(dict.fromkeys(name for message in messages for name in message.name))
    table = np.full((len(messages), len(joints)), np.nan)
    for row, message in zip(table, messages, strict=True):
        row[[joints.index(name) for name in message.name]] = message.position
    times = np.array([stamp - stamps[0] for stamp in stamps]) * 1e-9
    return Commands(utterance_id, times, dict(zip(joints, table.T, strict=True)))


def control_rate(commands: Sequence[Commands]) -> float | None:
    """Return the rate of the commands [Hz]; None: there are too few."""
    steps = np.concatenate([np.diff(part.times) for part in commands]) if commands else np.empty(0)
    return float(round(1.0 / np.median(steps), 3)) if len(steps) else None


def robot_of(commands: Sequence[Commands]) -> str:
    """Return the robot that ships, has exactly these joints, and stands at rest in the first or last command.

    Raises:
        InputError: there is none such.
    """
    joints = {joint for part in commands for joint in part.positions}
    for file in sorted((share_directory() / "config" / "robots").glob("*.yaml")):
        robot = load_robot(file.stem)
        if joints != set(robot.joint_names):
            continue
        for part, row in ((commands[0], 0), (commands[-1], -1)):
            stands = np.array([part.positions[joint][row] for joint in robot.joint_names])
            if np.abs(stands - robot.rest).max() < _AT_REST:
                return robot.name
    raise InputError(
        "no robot that ships has the joints and the rest pose of the commands: say which, --robot"
    )


def compare(golden: Sequence[Commands], found: Sequence[Commands]) -> list[Deviation]:
    """Return the deviation of each joint, utterance by utterance.

    Times count from the first command of each utterance. Positions are linear between commands
    and constant before the first and after the last one.

    Raises:
        InputError: one performs another number of utterances than the other.
    """
    golden, found = ([part for part in parts if part.utterance_id] for parts in (golden, found))
    if len(golden) != len(found):
        raise InputError(f"{len(found)} utterances were performed, {len(golden)} in the golden bag")
    return [
        _deviation(number, joint, one, other)
        for number, (one, other) in enumerate(zip(golden, found, strict=True), start=1)
        for joint in dict.fromkeys([*one.positions, *other.positions])
    ]


def _deviation(utterance: int, joint: str, one: Commands, other: Commands) -> Deviation:
    if joint not in one.positions or joint not in other.positions:
        return Deviation(utterance, joint, np.inf, np.inf)
    times = np.union1d(one.times, other.times)
    curves = []
    for part in (one, other):
        there = np.isfinite(part.positions[joint])
        curves.append(np.interp(times, part.times[there], part.positions[joint][there]))
    apart = np.abs(curves[0] - curves[1])
    return Deviation(utterance, joint, float(apart.max()), float(np.sqrt(np.mean(apart**2))))
