"""Say sentences of all gestures beside busy processes, and see whether each is performed whole and in time.

    python -m benchmarks.load --robots pepper nao g1 --output benchmarks/results/load.json

The real nodes, as processes of their own, beside 0, 1 and 2 busy processes per core. Each is in a session of
its own: a busy process weighs as much as a node, whether or not the kernel groups processes by session. All
is read off the messages, with the times at which they were published. Goes on where it was stopped.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from benchmarks.parts import measured, parser, spread, written
from benchmarks.witness import Course, Witness, witness
from text2gesture_ros.apps.documentation import load_table
from text2gesture_ros.control.command import Command
from text2gesture_ros.geometry import Array
from text2gesture_ros.labels import GESTURES
from text2gesture_ros.measurement import machine, processor_time
from text2gesture_ros.motion.frame_block import FrameBlock, FrameMessage
from text2gesture_ros.parameters import GestureGeneratorParameters
from text2gesture_ros.retargeting.executor import DEFAULTS, MotionExecutor
from text2gesture_ros.robots.robot import Robot

SENTENCES = (
    "Hello everyone, welcome to the community centre!",
    "Nice to meet you, let's shake hands.",
    "Look over there, that is the reading corner.",
    "Yes, you are absolutely right about that.",
    "I have no idea where the chessboard is.",
    "Oh no, I completely forgot to book the music room!",
    "Please don't worry, everything will be all right.",
    "No, I'm afraid the pool is closed on Mondays.",
    "Great job, your painting turned out wonderfully!",
    "Hooray, our team has won the table tennis cup!",
    "Come on everybody, you can do it!",
    "The café opens at nine and the library at ten.",
    "Oh dear, I have mixed up all the names again.",
    "Fantastic, everybody is dancing, I am so happy!",
    "Goodbye my friends, see you all tomorrow!",
)
"""They call for all gestures; one is neutral."""

LATE = 1.5
"""Periods after its due time from which on a command is late; the time it should have filled is lost."""

_BUSY = """
import os, sys
while os.getppid() == int(sys.argv[1]):
    for _ in range(100_000):
        pass
"""
_SETTLING = 2.0  # with the busy processes, before the first sentence [s]
_PAUSE = 0.5  # between the end of a motion and the next sentence [s]
_TIMEOUT = 20.0  # of a sentence [s]
_PERIOD = 1.0 / DEFAULTS.rate


@contextmanager
def busy(count: int) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Run processes that compute all the time; they end on leaving, and when this process is killed."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-S", "-c", _BUSY, str(os.getpid())],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        for _ in range(count)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


# --- an utterance -------------------------------------------------------------------------------------------
def frame_time(blocks: Sequence[FrameMessage]) -> float:
    """Return how long the frames of an utterance last [s]."""
    return sum(len(block.positions) / block.frame_rate for block in blocks if isinstance(block, FrameBlock))


def commanded_time(times: Array, period: float) -> float:
    """Return for how long an utterance is commanded [s].

    Args:
        times: (T,) of the commands that perform it [s].
        period: of the control loop [s]; a command holds until the next, if that is not late.
    """
    return float(np.minimum(np.diff(times), (1.0 + LATE) * period).sum() + period) if len(times) else 0.0


def largest_deviation(
    times: Array, positions: Array, ideal: tuple[Array, Array], span: tuple[float, float]
) -> tuple[float, int, float]:
    """Return the largest distance of a joint from where it is in ideal time [rad], which joint, and when [s].

    Args:
        times: (T,) of the commands [s].
        positions: (T, N) [rad].
        ideal: times (P,) and positions (P, N) in ideal time.
        span: first and last time that counts [s].
    """
    counts = (times >= span[0]) & (times <= span[1])
    if not counts.any():
        return np.inf, 0, span[0]
    wanted = np.stack([np.interp(times[counts], ideal[0], joint) for joint in ideal[1].T], axis=1)
    off = np.abs(positions[counts] - wanted)
    row, joint = np.unravel_index(off.argmax(), off.shape)
    return float(off.max()), int(joint), float(times[counts][row])


def due_times(course: Course) -> Array:
    """Return when commands are due (T,) [s]: as stamped, or as published where the motion was paused."""
    paused = course.seen - course.times > (1.0 + LATE) * _PERIOD
    return np.where(paused, course.seen, course.times)


def in_ideal_time(robot: Robot, blocks: Sequence[FrameMessage]) -> tuple[Array, list[Command]]:
    """Perform blocks with a punctual loop and plans that take no time; return times (P,) [s] and commands."""
    executor, waiting = MotionExecutor(robot), list(blocks)
    lead = GestureGeneratorParameters().look_ahead
    end = max(block.end for block in blocks)
    times, commands = [blocks[0].due - 2.0 * lead], [executor.tick(blocks[0].due - 2.0 * lead)]
    while commands[-1].moving or times[-1] <= end:
        now = times[0] + len(times) * _PERIOD
        while waiting and waiting[0].due - lead <= now:
            executor.receive(waiting.pop(0), now)
        commands.append(executor.tick(now))
        times.append(now)
    return np.array(times), commands


def judged(watched: Witness, course: Course, name: str, said: float) -> dict[str, Any]:
    """Return what became of an utterance.

    Args:
        watched: what was seen.
        course: all that was commanded.
        name: of the utterance.
        said: when, on `time.monotonic` [s].

    Returns:
        gestures: of its clauses; frames_s: time of its human frames; share: of that, the time for which it
        was commanded; ideal_share: the same in ideal time; deviation_rad: the largest distance of a joint
        from where it is in ideal time while the frames are due; joint, deviation_at_s: which, and when after
        the first frame; trajectory_ms, motion_ms: from the text to the first joint_trajectory, and to the
        first joint_command that performs it and moves. None where there was no motion.
    """
    blocks, log, robot = watched.blocks(name), watched.graph.log, watched.robot
    frames = [block for block in blocks if isinstance(block, FrameBlock)]
    plans = [item for item in log.trajectories if item.message.header.frame_id == name]
    own = [item for item in log.commands if item.message.header.frame_id == name]
    moving = [item for item in own if any(item.message.velocity)]
    row: dict[str, Any] = {
        "gestures": [block.header.gesture for block in frames if block.sequence == 0],
        "frames_s": round(frame_time(blocks), 3),
        **dict.fromkeys(("share", "ideal_share", "deviation_rad", "joint", "deviation_at_s")),
        "trajectory_ms": round(1e3 * (plans[0].time - said), 1) if plans else None,
        "motion_ms": round(1e3 * (moving[0].time - said), 1) if moving else None,
    }
    if not frames:
        return row
    times, commands = in_ideal_time(robot, blocks)
    performing = np.array([command.utterance_id == name for command in commands])
    positions = np.stack([command.position for command in commands])
    span = frames[0].due, frames[-1].end
    off, joint, at = largest_deviation(due_times(course), course.positions, (times, positions), span)
    commanded = commanded_time(watched.commanded(own).times, _PERIOD) if own else 0.0
    return row | {
        "share": round(commanded / frame_time(blocks), 4),
        "ideal_share": round(commanded_time(times[performing], _PERIOD) / frame_time(blocks), 4),
        "deviation_rad": round(off, 4),
        "joint": robot.joint_names[joint],
        "deviation_at_s": round(at - frames[0].due, 3),
    }


# --- a conversation -----------------------------------------------------------------------------------------
def say(watched: Witness, name: str, text: str) -> float:
    """Say a sentence and wait until its motion is over; return when it was said, on `time.monotonic` [s]."""
    said = watched.speak(name, text)

    def over() -> bool:
        blocks = watched.blocks(name)
        ended = any(is_last(block) and not block.header.more for block in blocks)
        return ended and watched.now() > max(block.end for block in blocks) and watched.quiet()

    while not over() and time.monotonic() - said < _TIMEOUT:
        watched.pause(_PAUSE)
    return said


def is_last(block: FrameMessage) -> bool:
    """Return whether no block of its clause follows."""
    return not isinstance(block, FrameBlock) or block.last


def late_commands(sent: Array, period: float) -> dict[str, float]:
    """Return the shares of commands that came over half and over 1.5 periods late, and the longest gap [ms].

    Args:
        sent: (T,) when they were published [s].
        period: of the control loop [s].
    """
    late = np.diff(sent) - period
    return {
        "half": round(float((late > 0.5 * period).mean()), 6),
        "one_and_a_half": round(float((late > LATE * period).mean()), 6),
        "longest_ms": round(1e3 * float(np.diff(sent).max()), 1),
    }


def measure(robot: str, per_core: int, count: int) -> dict[str, Any]:
    """Say sentences to a robot beside busy processes, and return what was seen."""
    load = round(os.getloadavg()[0], 2)
    processes = per_core * len(os.sched_getaffinity(0))
    with witness(robot) as watched, busy(processes) as others:
        watched.pause(_SETTLING)
        pids = {node: process.pid for node, process in watched.graph.processes.items()}
        pids |= {f"busy {number}": process.pid for number, process in enumerate(others)}
        first, begin = len(watched.graph.log.commands), time.monotonic()
        used = {name: processor_time(pid) for name, pid in pids.items()}
        said = {
            f"sentence {number}": (text, say(watched, f"sentence {number}", text))
            for number, text in enumerate(SENTENCES[:count])
        }
        taken = time.monotonic() - begin
        shares = {name: round((processor_time(pid) - used[name]) / taken, 3) for name, pid in pids.items()}
        running = sum(process.poll() is None for process in others)
    commands = watched.graph.log.commands[first:]
    course = watched.commanded(commands)
    return {
        "load_before": load,
        "busy_processes": running,
        "processor": shares,
        "commands": len(commands),
        "late": late_commands(np.array([item.sent for item in commands]), _PERIOD),
        "violations": dict(watched.violations(course)),
        "each": [{"text": text, **judged(watched, course, name, at)} for name, (text, at) in said.items()],
    }


def summarised(robot: str, per_core: int, part: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of a conversation."""
    each = [row for row in part["each"] if row["frames_s"]]
    figures = {
        key: [row[key] for row in each]
        for key in ("share", "ideal_share", "deviation_rad", "trajectory_ms", "motion_ms")
    }
    return {
        "robot": robot,
        "busy_per_core": per_core,
        "with_motion": len(each),
        "lost": sum(not row["share"] for row in each),
        "missing_gestures": sorted({*GESTURES} - {gesture for row in each for gesture in row["gestures"]}),
        "share": {"median": round(float(np.median(figures["share"])), 4), "worst": min(figures["share"])},
        "ideal_share": {"worst": min(figures["ideal_share"])},
        **{key: spread(figures[key]) for key in ("deviation_rad", "trajectory_ms", "motion_ms")},
        **part,
    }


def main() -> int:
    """Measure; exit with 1 where a limit was broken or nothing of a gesture was performed."""
    arguments = parser(__doc__, robots=("pepper", "nao", "g1"))
    arguments.add_argument("--busy", type=int, nargs="+", default=[0, 1, 2], help="processes per core")
    arguments.add_argument("--sentences", type=int, default=len(SENTENCES), help="how many, of all")
    args = arguments.parse_args()
    before = machine()
    tasks = [(robot, per_core) for robot in args.robots for per_core in args.busy]
    parts = measured(args.output, tasks, lambda task: measure(*task, args.sentences))
    cases = [summarised(*task, part) for task, part in zip(tasks, parts, strict=True)]
    figures = {"rate": DEFAULTS.rate, "load_before": before["load"], "cases": cases}
    written(args.output, "load", figures)
    print(load_table({"machine": before, "figures": figures}))
    return int(any(case["violations"] or case["lost"] for case in cases))


if __name__ == "__main__":
    sys.exit(main())
