"""What the tests of the robot side share: every robot that ships, human bodies made from robot poses."""

from dataclasses import replace

import numpy as np

from text2gesture_ros.geometry import Array
from text2gesture_ros.gestures import needs_of
from text2gesture_ros.legibility.body import human_like
from text2gesture_ros.motion import frame_block
from text2gesture_ros.motion.frame_block import ClauseEnd, ClauseHeader, FrameBlock
from text2gesture_ros.resources import share_directory
from text2gesture_ros.retargeting.executor import DEFAULTS, MotionExecutor
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.robots.robot_file import load_robot

ROBOT_FILES = sorted((share_directory() / "config" / "robots").glob("*.yaml"))
# At their quickest: what is done to the slow sets of limits of standing robots has tests of its own.
ROBOTS = [
    load_robot(path.stem + (":fixed_base" if "fixed_base:" in path.read_text() else ""))
    for path in ROBOT_FILES
]


def name_of(robot: Robot) -> str:
    return robot.name


def random_angles(robot: Robot, count: int, seed: int = 0) -> Array:
    """Return angles (count, N) all over the robot's range [rad]."""
    generator = np.random.default_rng(seed)
    return robot.lower + generator.random((count, len(robot.joint_names))) * (robot.upper - robot.lower)


def lively(robot: Robot, seconds: float, seed: int = 0, amplitude: float = 0.4) -> Array:
    """Return a human (T, K, 3) at 60 frames a second who moves everything, smoothly, about the rest pose."""
    generator = np.random.default_rng(seed)
    times = np.arange(round(seconds * 60.0))[:, None] / 60.0
    joints = len(robot.joint_names)
    phase, rate = generator.uniform(0.0, 6.0, joints), generator.uniform(2.0, 7.0, joints)
    reach = np.minimum(robot.upper - robot.rest, robot.rest - robot.lower)
    middle = robot.rest + 0.3 * (robot.upper + robot.lower - 2.0 * robot.rest) / 2.0
    swing = np.minimum(amplitude, 0.1 + reach)
    angles = np.clip(middle + swing * np.sin(rate * times + phase), robot.lower, robot.upper)
    return human_like(robot, angles)


def blocks_of(
    positions: Array,
    due: float,
    *,
    utterance_id: str = "a",
    size: int = 8,
    complete: bool = True,
    clause: int = 0,
    gesture: str = "wave",
    more: bool = False,
) -> list[FrameBlock]:
    """Return a clip at 60 frames a second in blocks, the first frame due at `due` [s]."""
    header = ClauseHeader(utterance_id, clause, gesture, "neutral", more, needs=needs_of(gesture))
    blocks = frame_block.blocks_of(header, positions, 60.0, due, size)
    return blocks if complete else [*blocks[:-1], replace(blocks[-1], last=False)]


def end_of(block: FrameBlock, reason: str = "", *, due: float | None = None, sequence: int = 0) -> ClauseEnd:
    """Return what ends the clause of a block, in its place: `sequence` blocks later, due at another time."""
    return ClauseEnd(block.header, block.sequence + sequence, block.due if due is None else due, reason)


def executor_for(robot: Robot, *, rate: float = 100.0, start=None, **parameters) -> MotionExecutor:
    """Return an executor with some parameters other than the defaults."""
    return MotionExecutor(robot, replace(DEFAULTS, **parameters), rate=rate, start=start)


def set_parameters(executor: MotionExecutor, **changes) -> None:
    """Change some parameters of an executor."""
    executor.configure(replace(executor.parameters, **changes))
