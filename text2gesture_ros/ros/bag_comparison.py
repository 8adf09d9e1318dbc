"""Compares the joint commands of two bags, utterance by utterance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
_LEFT_OUT = 0.05  # time for which a late loop leaves commands out, at most [s]
_MAX_TEXT = 40  # characters of a sentence that names an utterance
_MAX_COMMANDS = 2_000_000  # 5 hours at 100 Hz


@dataclass(frozen=True, eq=False)
class Commands:
    """Joint commands from the beginning of one utterance to that of the next.

    Attributes:
        utterance_id: of the utterance; empty: before any.
        start: when its first command was due, on the clock of the recording [s].
        times: (T,) after its first command [s], increasing.
        positions: by joint, (T,) [rad]; NaN where the joint was not commanded.
    """

    utterance_id: str
    start: float
    times: Array
    positions: Mapping[str, Array]


@dataclass(frozen=True)
class Deviation:
    """Deviation between two recordings of one joint during one utterance.

    Attributes:
        utterance: which, counted from 1.
        joint: its name.
        largest, rms: over time [rad]; infinite where only one of both commands it.
        time: when they are furthest apart, after the first command of the utterance [s].
    """

    utterance: int
    joint: str
    largest: float
    rms: float
    time: float = 0.0


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
    return Commands(utterance_id, stamps[0] * 1e-9, times, dict(zip(joints, table.T, strict=True)))


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


@dataclass(frozen=True)
class Comparison:
    """What two recordings of a robot have in common, and what only one of them has.

    Attributes:
        deviations: of each joint in each utterance that both have.
        missing: the utterances of the golden recording, counted from 1, that the other one lacks.
        added: ids of the utterances that only the other one has.
    """

    deviations: Sequence[Deviation]
    missing: Sequence[int] = ()
    added: Sequence[str] = ()

    @property
    def largest(self) -> float:
        """The largest deviation [rad]; infinite where an utterance is in one of both only."""
        if self.missing or self.added:
            return float("inf")
        return max((item.largest for item in self.deviations), default=0.0)


def compare(golden: Sequence[Commands], found: Sequence[Commands]) -> Comparison:
    """Compare the joint commands of two recordings, utterance by utterance.

    Utterances are those of the same id; where no id is in both, those in the same place. Times are those of
    both clocks, which are as far apart as the beginnings of most utterances (a late loop leaves commands out,
    the first of an utterance perhaps). Where an utterance begins at another time than that, they count from
    its first command. Positions are linear between commands and constant after the last.
    """
    golden, found = ([part for part in parts if part.utterance_id] for parts in (golden, found))
    names = {part.utterance_id: part for part in found}
    if not any(part.utterance_id in names for part in golden):
        names = {one.utterance_id: other for one, other in zip(golden, found, strict=False)}
    pairs = [(one, names[one.utterance_id]) for one in golden if one.utterance_id in names]
    apart = float(np.median([other.start - one.start for one, other in pairs])) if pairs else 0.0
    deviations, missing = [], []
    for number, one in enumerate(golden, start=1):
        other = names.get(one.utterance_id)
        if other is None:
            missing.append(number)
            continue
        later = other.start - one.start - apart
        if abs(later) <= _LEFT_OUT:
            other = replace(other, times=other.times + later)
        joints = dict.fromkeys([*one.positions, *other.positions])
        deviations += [_deviation(number, joint, one, other) for joint in joints]
    used = [other for _, other in pairs]
    added = [part.utterance_id for part in found if not any(part is other for other in used)]
    return Comparison(deviations, missing, added)


def _deviation(utterance: int, joint: str, one: Commands, other: Commands) -> Deviation:
    if joint not in one.positions or joint not in other.positions:
        return Deviation(utterance, joint, np.inf, np.inf)
    times = np.union1d(one.times, other.times)
    times = times[times >= max(one.times[0], other.times[0])]
    curves = []
    for part in (one, other):
        there = np.isfinite(part.positions[joint])
        curves.append(np.interp(times, part.times[there], part.positions[joint][there]))
    apart = np.abs(curves[0] - curves[1])
    worst = int(apart.argmax())
    rms = float(np.sqrt(np.mean(apart**2)))
    return Deviation(utterance, joint, float(apart[worst]), rms, float(times[worst]))


def utterance_texts(bag: Bag) -> dict[str, str]:
    """Return the text of each utterance, by its id."""
    return {m.utterance_id: m.text for _, _, m in bag.messages(["gesture_intent"])}


def reasons_of(bag: Bag) -> dict[str, str]:
    """Return why utterances got no motion, or not all of it, by their id."""
    frames = (message for _, _, message in bag.messages(["gesture_frames"]))
    return {m.utterance_id: m.reason for m in frames if not len(m.stop_probabilities) and m.reason}


def differences(
    compared: Comparison,
    golden: Sequence[Commands],
    texts: Mapping[str, str],
    reasons: Mapping[str, str],
    tolerance: float,
) -> list[str]:
    """Return in words what differs by more than a tolerance [rad], one line for each utterance.

    Args:
        compared: the comparison.
        golden: the commands that it was made with.
        texts: of the utterances, by id.
        reasons: why utterances are without motion now, by id.
        tolerance: largest difference of a joint position that does not count [rad].
    """
    names = [part.utterance_id for part in golden if part.utterance_id]
    lines = []
    for number, name in enumerate(names, start=1):
        title = f"utterance {number} ({_shortened(texts.get(name, name))!r})"
        apart = [d for d in compared.deviations if d.utterance == number and d.largest > tolerance]
        if number in compared.missing:
            why = reasons.get(name, "nothing says why")
            lines.append(f"{title}: was performed, now it is not: {why}")
        elif apart:
            worst = max(apart, key=lambda item: item.largest)
            far = f"{worst.largest:.3f} rad apart" if np.isfinite(worst.largest) else "only in one of both"
            others = f", and {len(apart) - 1} more joints" if len(apart) > 1 else ""
            lines.append(f"{title}: {worst.joint} {far}, {worst.time:.2f} s after its beginning{others}")
    lines += [
        f"utterance ({_shortened(texts.get(name, name))!r}) is performed now, and was not before"
        for name in compared.added
    ]
    return lines


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}..."
