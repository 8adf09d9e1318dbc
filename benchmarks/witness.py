"""Speaks to running nodes, is the robot they command, and judges what it was told to do.

The robot has the controller that joint_trajectory is meant for: it follows the last plan to its end,
whatever has become of whoever sent it, and tells on joint_states where it is.
"""

import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import JointState
from text2gesture_ros.msg import Speech

from text2gesture_ros.control.verification import min_clearance_of, verify
from text2gesture_ros.geometry import Array, BoolArray
from text2gesture_ros.motion.frame_block import FrameMessage
from text2gesture_ros.robots.clearance import Clearance
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.ros.conversation_log import Received
from text2gesture_ros.ros.conversions import read_frames
from text2gesture_ros.ros.graph_client import GraphClient, spinning

RATE = 100.0
"""Of the commands, and of what the robot tells of itself [Hz]."""

SENTENCES = (
    "Hello everyone, welcome to the community centre!",
    "I have no idea where the chessboard is.",
    "Hooray, our team has won the table tennis cup!",
    "Look over there, that is the reading corner.",
    "No, I'm afraid the pool is closed on Mondays.",
    "Come on everybody, you can do it!",
    "Oh no, I completely forgot to book the music room!",
    "Goodbye my friends, see you all tomorrow!",
)
"""Each calls for a gesture."""

PACE = 1.5
"""Of a conversation: shorter than many gestures [s]."""

_PARAMETERS = "/**/intent_classifier:\n  ros__parameters:\n    cool_down: 0.0\n"  # none is held back
_AGAIN = 0.25  # until a sentence that was not answered is said again [s]
_PATIENCE = 20.0  # with a node that starts [s]
_STANDS = 0.1  # a robot that has stood at rest for so long stays there [s]
_AT_REST = 1e-4  # from its rest pose [rad]
_SETTLING = 15.0  # nothing that ends at all takes longer [s]


@dataclass(frozen=True)
class Course:
    """What a robot was told to do.

    Attributes:
        times: (T,) [s], by the stamps, over which every limit is kept.
        seen: (T,) when it was published [s], same clock; later by what commands that were late add up to.
        positions: (T, N) [rad].
        velocities: (T, N) [rad/s].
        performing: (T,) whether it was to perform something; if not, it stood or was on its way to rest.
    """

    times: Array
    seen: Array
    positions: Array
    velocities: Array
    performing: BoolArray

    def joined(self, other: "Course") -> "Course":
        """Return this path and what comes after it."""
        return Course(
            np.concatenate([self.times, other.times]),
            np.concatenate([self.seen, other.seen]),
            np.concatenate([self.positions, other.positions]),
            np.concatenate([self.velocities, other.velocities]),
            np.concatenate([self.performing, other.performing]),
        )

    def at(self, time: float) -> tuple[Array, Array]:
        """Return position and velocity (N,) at a time [s], on cubics between the samples."""
        if time >= self.times[-1] or len(self.times) < 2:
            return self.positions[-1], np.zeros_like(self.positions[-1])
        index = max(0, int(np.searchsorted(self.times, time, side="right")) - 1)
        span = self.times[index + 1] - self.times[index]
        part = min(1.0, max(0.0, (time - self.times[index]) / span))
        start, end = self.positions[index : index + 2]
        leaving, arriving = self.velocities[index : index + 2] * span
        rest, bend = end - start, leaving + arriving - 2.0 * (end - start)
        position = start + part * (leaving + part * (rest - leaving - bend + part * bend))
        velocity = leaving + part * (2.0 * (rest - leaving - bend) + 3.0 * part * bend)
        return position, velocity / span

    def settled(self, since: float) -> float | None:
        """Return how long after `since` the robot last performed something [s]; None: to the end."""
        later = self.seen[(self.seen >= since) & self.performing]
        if len(later) and later[-1] == self.seen[-1]:
            return None
        return float(later[-1] - since) if len(later) else 0.0

    def home(self, rest: Array, since: float) -> float | None:
        """Return how long after `since` the robot was at rest, to stay [s]; None: it was not."""
        later = self.seen >= since
        away = self.seen[later & (np.abs(self.positions - rest).max(axis=1) > _AT_REST)]
        if not later.any() or (len(away) and away[-1] == self.seen[-1]):
            return None
        return float(away[-1] - since) if len(away) else 0.0


class Witness:
    """A node beside those of a graph: speaker, robot and judge.

    Args:
        graph: the nodes, running.
        robot: the one they command.

    Attributes:
        told: what each node told of itself last.
    """

    def __init__(self, graph: GraphClient, robot: Robot) -> None:
        self.graph = graph
        self.robot = robot
        self._clearance = Clearance(robot)
        self._min_clearance = min_clearance_of(robot, self._clearance)
        # Stamps are counted from here on: seconds since 1970 leave too few digits for a jerk.
        self._epoch = int(time.time())
        self._offset = time.time() - self._epoch - time.monotonic()
        stands = np.zeros_like(robot.rest)
        never = np.array([-np.inf])
        self._plans = [Course(never, never, robot.rest[None], stands[None], np.zeros(1, dtype=bool))]
        self._read = 0
        self._lock = threading.Lock()  # of the two above

    def __enter__(self) -> Self:
        """Begin to be a robot."""
        with ExitStack() as stack:
            context = self.graph.context
            self.node = rclpy.create_node("robot", context=context, use_global_arguments=False)
            stack.callback(self.node.destroy_node)
            self._speech = self.node.create_publisher(Speech, "speech", 50)
            self._states = self.node.create_publisher(JointState, "joint_states", 10)
            self.node.create_timer(1.0 / RATE, self._tell)
            self.told = diagnosed(self.node)
            stack.enter_context(spinning(self.node, context))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Tell no more."""
        self._stack.close()

    def now(self) -> float:
        """Return the time on the clock of the stamps [s]."""
        return time.monotonic() + self._offset

    def seconds(self, stamp: Any) -> float:
        """Return a stamp [s]."""
        return float(stamp.sec - self._epoch) + 1e-9 * float(stamp.nanosec)

    def speak(self, name: str, text: str, **more: Any) -> float:
        """Say a text under a name; return when, on `time.monotonic` [s]."""
        said = time.monotonic()
        self._speech.publish(Speech(utterance_id=name, text=text, **more))
        return said

    def converse(self, name: str, duration: float, chance: np.random.Generator) -> None:
        """Say one sentence after the other for a while [s]."""
        end = time.monotonic() + duration
        turn = 0
        while (left := end - time.monotonic()) > 0.0:
            self.speak(f"{name} {turn}", str(chance.choice(SENTENCES)))
            self.pause(min(left, PACE))
            turn += 1

    def say_until_planned(self, name: str, chance: np.random.Generator, **more: Any) -> float | None:
        """Say a sentence again and again until a plan comes; return how long it took [s], None: too long."""
        began, count = time.monotonic(), len(self.graph.log.trajectories)

        def planned() -> bool:
            fresh = self.graph.log.trajectories[count:]
            return any(item.message.header.frame_id.startswith(name) for item in fresh)

        text = str(chance.choice(SENTENCES))
        attempt = 0
        while not planned() and time.monotonic() - began < _PATIENCE:
            self.speak(f"{name} {attempt}", text, **more)
            attempt += 1
            self.graph.wait_until(planned, timeout=_AGAIN)
        return time.monotonic() - began if planned() else None

    def latency(self, name: str, chance: np.random.Generator, **more: Any) -> float | None:
        """Say a sentence; return the time until the plan for it came [s], None where none did."""
        said = self.speak(name, str(chance.choice(SENTENCES)), **more)
        if not self.graph.wait_until(lambda: bool(self._planned(name)), timeout=_PATIENCE):
            return None
        return self._planned(name)[0].time - said

    def pause(self, seconds: float) -> None:
        """Let time pass; a node that ends by itself ends the measurement."""
        self.graph.wait_until(lambda: False, timeout=seconds)

    def position(self) -> Array:
        """Return where the robot is now (N,) [rad]."""
        return self._state(self.now())[0]

    def _state(self, now: float) -> tuple[Array, Array]:
        with self._lock:
            fresh = self.graph.log.trajectories[self._read :]
            self._read += len(fresh)
            self._plans += [self._planned_course(item.message) for item in fresh]
            # A plan takes over when its first point is due.
            while len(self._plans) > 1 and self._plans[1].times[0] <= now:
                self._plans.pop(0)
            return self._plans[0].at(now)

    def _planned_course(self, message: Any) -> Course:
        order = [message.joint_names.index(name) for name in self.robot.joint_names]
        start = self.seconds(message.header.stamp)
        froms = (point.time_from_start for point in message.points)
        times = [start + float(span.sec) + 1e-9 * float(span.nanosec) for span in froms]
        return Course(
            np.array(times),
            np.array(times),
            np.array([point.positions for point in message.points])[:, order],
            np.array([point.velocities for point in message.points])[:, order],
            np.full(len(times), bool(message.header.frame_id)),
        )

    def _tell(self) -> None:
        position, velocity = self._state(self.now())
        message = JointState(
            name=list(self.robot.joint_names), position=position.tolist(), velocity=velocity.tolist()
        )
        message.header.stamp = self.node.get_clock().now().to_msg()
        self._states.publish(message)

    def _planned(self, name: str) -> list[Received]:
        """Return the plans that perform an utterance."""
        return [item for item in self.graph.log.trajectories[-500:] if item.message.header.frame_id == name]

    def blocks(self, name: str) -> list[FrameMessage]:
        """Return the motion that came for an utterance, in order; due on the clock of the stamps."""
        with self.graph.log.news:
            messages = [item.message for item in self.graph.log.frames if item.message.utterance_id == name]
        return [read_frames(message, self._epoch) for message in messages]

    def last_frame(self, name: str) -> float:
        """Return when the last frame is due of utterances whose names begin so [s]; -inf: there is none."""
        blocks = [
            item.message for item in self.graph.log.frames if item.message.utterance_id.startswith(name)
        ]
        ends = [
            self.seconds(block.header.stamp) + len(block.stop_probabilities) / block.frame_rate
            for block in blocks
            if block.stop_probabilities
        ]
        return max(ends, default=-np.inf)

    def commanded(self, commands: Sequence[Received]) -> Course:
        """Return commands as a path; one that is stamped no later than one before is left out."""
        order: list[int] = []
        rows: list[tuple[float, float, Sequence[float], Sequence[float], bool]] = []
        for item in commands:
            message = item.message
            order = order or [message.name.index(name) for name in self.robot.joint_names]
            at = self.seconds(message.header.stamp)
            if not rows or at > rows[-1][0]:
                seen = item.sent - self._epoch
                rows.append((at, seen, message.position, message.velocity, bool(message.header.frame_id)))
        times, came, positions, velocities, performing = zip(*rows, strict=True)
        return Course(
            np.array(times),
            np.array(came),
            np.array(positions)[:, order],
            np.array(velocities)[:, order],
            np.array(performing),
        )

    def continued(self, told: Course) -> Course:
        """Return commands and, behind them, what the plan that was announced last goes on with, held a while.

        Commands are stamped as if none had been late, plans with when they are due: positions tell where in
        the plan the last command is.
        """
        plan = self._planned_course(self.graph.log.trajectories[-1].message)
        same = np.flatnonzero(np.abs(plan.positions - told.positions[-1]).max(axis=1) < 1e-9)
        nearest = np.abs(plan.times[same] - told.times[-1])
        begin = int(same[nearest.argmin()]) + 1 if len(same) else 0  # of a plan that had not begun: all
        positions, velocities = plan.positions[begin:], plan.velocities[begin:]
        hold = round(2.0 * RATE * _STANDS)
        last = positions[-1] if len(positions) else told.positions[-1]
        positions = np.concatenate([positions, np.tile(last, (hold, 1))])
        velocities = np.concatenate([velocities, np.zeros((hold, len(last)))])
        later = np.arange(1, len(positions) + 1) / RATE
        performing = np.abs(velocities).max(axis=1) > 0.0
        return told.joined(
            Course(told.times[-1] + later, told.seen[-1] + later, positions, velocities, performing)
        )

    def violations(self, course: Course, start: Array | None = None) -> Counter[str]:
        """Return how many limits a course breaks, by kind.

        Args:
            course: what was commanded.
            start: (N,) where the robot stood before [rad]; None: what was before is not judged.
        """
        times, positions, velocities = course.times - course.times[0], course.positions, course.velocities
        if start is not None:
            times = np.concatenate([np.arange(-3, 0) / RATE, times])
            positions = np.concatenate([np.tile(start, (3, 1)), positions])
            velocities = np.concatenate([np.zeros((3, len(start))), velocities])
        report = verify(
            self.robot,
            times,
            positions,
            velocities=velocities,
            clearance=self._clearance,
            min_clearance=self._min_clearance,
        )
        return Counter({kind: count for kind, count in report.counts.items() if count})

    def quiet(self) -> bool:
        """Return whether the robot is told to stand at rest, and has been for a while."""
        last = self.graph.log.commands[-round(RATE * _STANDS) :]
        if not last or any(item.message.header.frame_id or any(item.message.velocity) for item in last):
            return False
        return bool(np.abs(self.commanded(last[-1:]).positions - self.robot.rest).max() < _AT_REST)

    def wait_for_rest(self) -> bool:
        """Return whether the robot came to rest before long."""
        return self.graph.wait_until(self.quiet, timeout=_SETTLING)


def diagnosed(node: Any) -> dict[str, dict[str, str]]:
    """Return what nodes tell of themselves, by their name: it grows and changes while `node` is spun."""
    told: dict[str, dict[str, str]] = defaultdict(lambda: defaultdict(lambda: "0"))

    def note(message: DiagnosticArray) -> None:
        for status in message.status:
            told[status.name.rpartition("/")[2]].update((item.key, item.value) for item in status.values)

    node.create_subscription(DiagnosticArray, "/diagnostics", note, 10)
    return told


@contextmanager
def witness(robot: str, **options: Any) -> Iterator[Witness]:
    """Start the nodes, with options of `GraphClient`, and the robot."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "parameters.yaml"
        file.write_text(_PARAMETERS)
        with (
            GraphClient(robot, params_file=str(file), **options) as graph,
            Witness(graph, load_robot(robot)) as found,
        ):
            found.wait_for_rest()
            yield found
