"""The demonstration: a conversation played through the three nodes; its results as table, bag, pictures."""

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from text2gesture_ros.apps.rendering import Painter, Scene
from text2gesture_ros.control.verification import min_clearance_of, verify
from text2gesture_ros.errors import InputError
from text2gesture_ros.generation.generator import GestureGenerator
from text2gesture_ros.labels import GESTURES, NEUTRAL, TASKS
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.parameters import GestureGeneratorParameters, GestureRetargeterParameters
from text2gesture_ros.retargeting.executor import retarget_motion
from text2gesture_ros.retargeting.fidelity import MIN_SHARE
from text2gesture_ros.robots.clearance import Clearance
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.ros.bag import BagWriter
from text2gesture_ros.ros.conversation_log import Performance, Received
from text2gesture_ros.ros.graph_client import GraphClient
from text2gesture_ros.skeleton import JOINTS
from text2gesture_ros.understanding.clauses import speaking_time

_SETTLING = 20.0  # the last gesture has ended and the robot is at rest long before this [s]
_AFTERWARDS = 1.0  # how much of the way back to rest a picture shows [s]


# A motion that the next one leaves less time than this is not judged, and two commands that are further apart
# than this leave a gap [s].
_SHORTEST_JUDGED, _LONGEST_STEP = 0.3, 0.1


@dataclass(frozen=True)
class Line:
    """The result of one sentence.

    Attributes:
        sentence: what was said.
        reason: why no gesture was recognised, empty when one was.
        labels: the likeliest label of each task and its probability.
        gesture, emotion: what was performed.
        frames: how many frames of human motion.
        seconds: how long they last [s].
        latency: from text to the first joint trajectory [s]; None: no command came.
        performed: share of the time of its motion for which the robot was commanded to perform it, in [0, 1],
            as far as the next sentence left it the time; None: there was no motion.
        violations: limits not kept while it was performed.
    """

    sentence: str
    reason: str
    labels: Mapping[str, tuple[str, float]]
    gesture: str
    emotion: str
    frames: int
    seconds: float
    latency: float | None
    performed: float | None
    violations: int

    @property
    def lost(self) -> bool:
        """Whether a part of the motion was lost."""
        return self.performed is not None and self.performed < MIN_SHARE


@dataclass(frozen=True)
class Conversation:
    """The results of a conversation.

    Attributes:
        robot: the robot that was commanded.
        performances: what each sentence became, as messages.
        commands: every joint command, in order.
        messages: how many messages each topic had.
    """

    robot: Robot
    performances: Sequence[Performance]
    commands: Sequence[Received]
    messages: Mapping[str, int]

    def lines(self) -> list[Line]:
        """Return one line per sentence, limits verified over the commands as they were received."""
        found = self._violations()
        starts = [
            min((_seconds(block.message.header) for block in performance.frames), default=math.inf)
            for performance in self.performances
        ]
        return [
            _line(performance, min(starts[number + 1 :], default=math.inf), found[_utterance(performance)])
            if performance.intent
            else _unheard(performance)
            for number, performance in enumerate(self.performances)
        ]

    def violations(self) -> int:
        """Return the number of limit violations of all commands, including the return to rest."""
        return sum(self._violations().values())

    def _violations(self) -> Counter[str]:
        # By the stamps, which say when each was due: times of arrival would put the network's jitter into the
        # derivatives, and even spacing would take a lost message, or a pause at standstill, for a jump.
        messages = [command.message for command in self.commands]
        stamps = [message.header.stamp.sec * 10**9 + message.header.stamp.nanosec for message in messages]
        newest = np.maximum.accumulate([-1, *stamps])
        kept = [index for index, stamp in enumerate(stamps) if stamp > newest[index]]
        if not kept:
            return Counter()
        # Counted from the first in whole nanoseconds: seconds since 1970 would leave too few digits.
        times = np.array([stamps[index] - stamps[kept[0]] for index in kept]) * 1e-9
        positions = np.array([_angles(self.robot, messages[index]) for index in kept])
        clearance = Clearance(self.robot)
        min_clearance = min_clearance_of(self.robot, clearance)
        report = verify(self.robot, times, positions, clearance=clearance, min_clearance=min_clearance)
        return Counter(
            messages[kept[int(np.searchsorted(times, violation.time))]].header.frame_id
            for violation in report.violations
        )

    def clips(self) -> dict[str, Scene]:
        """Return for each gesture that occurred its clearest performance, as it was sent and commanded."""
        best: dict[str, tuple[float, Scene]] = {}
        gestures = [
            (performance, [block.message for block in blocks])
            for performance in self.performances
            # One without frames tells only that there is no motion, or no more of it.
            for moving in [[block for block in performance.frames if block.message.stop_probabilities]]
            for _, blocks in groupby(moving, key=lambda block: block.message.clause)
        ]
        starts = [*(_seconds(blocks[0].header) for _, blocks in gestures[1:]), math.inf]
        for (performance, blocks), next_start in zip(gestures, starts, strict=True):
            clip = self._clip(performance, blocks, next_start)
            gesture = blocks[0].gesture
            intent = performance.intents[blocks[0].clause].message
            clearness = max(intent.gesture.probabilities)
            if clip is not None and clearness > best.get(gesture, (-1.0, clip))[0]:
                best[gesture] = (clearness, clip)
        return {gesture: clip for gesture, (_, clip) in best.items()}

    def _clip(self, performance: Performance, blocks: Sequence[Any], next_start: float) -> Scene | None:
        """Return a gesture as a clip, or None if the next one, which starts then [s], took over too soon."""
        positions = np.concatenate([np.reshape(block.positions, (-1, len(JOINTS), 3)) for block in blocks])
        motion = Motion(positions, blocks[0].frame_rate, blocks[0].gesture, blocks[0].emotion)
        start = _seconds(blocks[0].header)
        end = min(start + motion.duration + _AFTERWARDS, next_start)
        if not blocks[-1].last or end < start + motion.duration:
            return None
        shown = [item.message for item in self.commands if start <= _seconds(item.message.header) <= end]
        if not shown:
            return None
        return Scene(
            performance.text,
            motion,
            np.array([_seconds(message.header) - start for message in shown]),
            np.array([_angles(self.robot, message) for message in shown]),
        )


def converse(
    robot: str,
    sentences: Sequence[str],
    pace: float | None,
    bag: Path,
    console: Console,
    *,
    domain: int | None = None,
) -> Conversation:
    """Start the nodes, publish the sentences one after the other, and return the results.

    Args:
        robot: name or path of the robot.
        sentences: what to say.
        pace: time given to each sentence [s]; None: as long as it takes to say.
        bag: the .mcap file to write.
        console: where progress is shown.
        domain: ROS domain of the nodes; None: one of their own.

    Raises:
        ConfigurationError: the robot is unknown, or the nodes do not come up or do not stay up.
    """
    loaded = load_robot(robot)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with BagWriter(bag) as writer, Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("starting three nodes", total=None)
        _tell(console, "starting three nodes")
        with GraphClient(robot, domain=domain, on_message=writer.write) as graph:
            progress.update(task, total=len(sentences))
            due = time.monotonic()
            for number, sentence in enumerate(sentences, start=1):
                progress.update(task, description=f"“{sentence}”")
                _tell(console, f"{number:3}/{len(sentences)}  {sentence}")
                graph.say(sentence)
                due += speaking_time(sentence) if pace is None else pace
                # Nothing to wait for but time; a node that ends meanwhile ends the demonstration.
                graph.wait_until(lambda: False, timeout=due - time.monotonic())
                progress.advance(task)
            graph.wait_until(graph.log.quiet, timeout=_SETTLING)
            performances = graph.log.performances()
        return Conversation(loaded, performances, list(graph.log.commands), dict(writer.counts))


def draw(conversation: Conversation, output: Path, console: Console) -> list[Path]:
    """Draw one GIF for every gesture and a contact sheet of all; return the files.

    A gesture that did not occur is generated and retargeted here, without the nodes, and labelled so.
    """
    clips = conversation.clips()
    painter = Painter(conversation.robot)
    missing = [gesture for gesture in GESTURES if gesture not in clips]
    generator = GestureGenerator(GestureGeneratorParameters().model) if missing else None
    files = []
    with Progress(TextColumn("{task.description}"), BarColumn(), console=console, transient=True) as progress:
        _tell(console, "drawing")
        for gesture in progress.track(GESTURES, description="drawing"):
            if gesture not in clips and generator is not None:
                motion = generator.generate(gesture, seed=0)
                times, angles = retarget_motion(
                    conversation.robot, motion, GestureRetargeterParameters().rate
                )
                caption = "(not in the conversation: generated for this picture)"
                clips[gesture] = Scene(caption, motion, times, angles)
            files.append(output / f"{gesture}.gif")
            painter.save_gif(files[-1], clips[gesture])
    files.append(output / "contact_sheet.png")
    painter.save_contact_sheet(files[-1], [clips[gesture] for gesture in GESTURES])
    return files


def summarise(conversation: Conversation, lines: Sequence[Line]) -> dict[str, Any]:
    """Return the result of a demonstration as JSON types."""
    # Talking motion may wait for the end of a gesture: that is no latency.
    latencies = [1000.0 * line.latency for line in lines if line.latency is not None and not line.reason]
    shares = [line.performed for line in lines if line.performed is not None]
    return {
        "robot": conversation.robot.name,
        "sentences": len(lines),
        "commanded": sum(line.latency is not None for line in lines),
        "without_command": [
            {"sentence": line.sentence, "reason": line.reason} for line in lines if line.latency is None
        ],
        "violations": conversation.violations(),
        "latency_ms": {
            "median": round(float(np.median(latencies)), 2) if latencies else None,
            "p95": round(float(np.percentile(latencies, 95)), 2) if latencies else None,
        },
        "performed_share": {
            "median": round(float(np.median(shares)), 3) if shares else None,
            "worst": round(min(shares), 3) if shares else None,
        },
        "gestures": dict(Counter(line.gesture for line in lines if line.gesture)),
        "joint_commands": len(conversation.commands),
        "messages": dict(conversation.messages),
        "conversation": [
            {
                "sentence": line.sentence,
                **{task: label for task, (label, _) in line.labels.items()},
                "performed": line.gesture,
                "reason": line.reason,
                "frames": line.frames,
                "seconds": round(line.seconds, 3),
                "latency_ms": None if line.latency is None else round(1000.0 * line.latency, 2),
                "performed_share": None if line.performed is None else round(line.performed, 3),
                "violations": line.violations,
            }
            for line in lines
        ],
    }


def table_rows(lines: Sequence[Line]) -> list[tuple[str, ...]]:
    """Return the table for people: a row per sentence, in the order of `TABLE`."""
    return [
        (
            str(number),
            line.sentence,
            *(f"{label} {probability:.2f}" for label, probability in line.labels.values()),
            str(line.frames),
            f"{line.seconds:.1f}",
            "" if line.latency is None else f"{1000.0 * line.latency:.0f}",
            "" if line.performed is None else f"{line.performed:.0%}",
            str(line.violations),
            "no gesture was called for" if line.reason == NEUTRAL else line.reason,
        )
        for number, line in enumerate(lines, start=1)
    ]


TABLE = (
    *("#", "sentence", *TASKS, "#frames", "motion [s]", "text to trajectory [ms]"),
    *("#performed", "#violations", "why no gesture"),
)


def check_pace(pace: str) -> float | None:
    """Return the seconds per sentence that `--pace` asks for, None for speaking time.

    Raises:
        InputError: it is neither.
    """
    if pace == "speaking":
        return None
    try:
        seconds = float(pace)
    except ValueError:
        seconds = float("nan")
    if not 0.1 <= seconds <= 60.0:
        raise InputError(f"--pace must be 'speaking' or seconds in [0.1, 60] but is {pace!r}")
    return seconds


def _tell(console: Console, line: str) -> None:
    """Print a line where the console shows no progress bar."""
    if not console.is_terminal:
        console.print(line, markup=False, highlight=False)


def _line(performance: Performance, next_start: float, violations: int) -> Line:
    assert performance.intent is not None
    intent = performance.intent.message
    labels = {}
    for task in TASKS:
        found = getattr(intent, task)
        index = int(np.argmax(found.probabilities))
        labels[task] = (found.labels[index], float(found.probabilities[index]))
    first = performance.frames[0].message if performance.frames else None
    return Line(
        performance.text,
        intent.reason,
        labels,
        first.gesture if first else "",
        first.emotion if first else "",
        performance.frame_count,
        performance.duration,
        performance.latency,
        _performed(performance, next_start),
        violations,
    )


def _performed(performance: Performance, next_start: float) -> float | None:
    """Return the share of the motion that was commanded, up to the next motion; None without motion."""
    blocks = [block.message for block in performance.frames if block.message.stop_probabilities]
    if not blocks:
        return None
    begin = min(_seconds(block.header) for block in blocks)
    ends = (_seconds(b.header) + len(b.stop_probabilities) / b.frame_rate for b in blocks)
    end = min(max(ends), next_start)
    stamps = np.array([_seconds(item.message.header) for item in performance.commands])
    stamps = stamps[(stamps >= begin) & (stamps <= end)]
    if end - begin < _SHORTEST_JUDGED:
        return None
    # A command counts up to the next; a row that was skipped on a busy machine is part of that.
    commanded = np.minimum(np.diff(stamps, append=end), _LONGEST_STEP).sum()
    return float(min(1.0, commanded / (end - begin)))


def _unheard(performance: Performance) -> Line:
    unknown = dict.fromkeys(TASKS, ("", 0.0))
    return Line(performance.text, "", unknown, "", "", 0, 0.0, None, None, 0)


def _utterance(performance: Performance) -> str:
    return str(performance.intent.message.utterance_id) if performance.intent else ""


def _angles(robot: Robot, message: Any) -> list[float]:
    by_name = dict(zip(message.name, message.position, strict=True))
    return [by_name[name] for name in robot.joint_names]


def _seconds(header: Any) -> float:
    return float(header.stamp.sec) + 1e-9 * float(header.stamp.nanosec)
