"""`text2gesture play`: performs a clip, or joint positions from a CSV file, through the running nodes."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from text2gesture_ros.apps.commands.verbs import (
    INTERRUPTED,
    Outcome,
    Verbs,
    add_cut,
    add_namespace,
    ending,
    interruptible,
    namespace,
)
from text2gesture_ros.errors import InputError

if TYPE_CHECKING:
    from text2gesture_ros.gestures import GestureNeeds
    from text2gesture_ros.motion.motion import Motion


def add(verbs: Verbs) -> None:
    """Add the verb."""
    verb = verbs.add(
        "play",
        run,
        "Perform a clip or a recording through the running nodes, wait, and tell how it ended. Start them "
        "first: text2gesture bringup. A CSV file of joint positions must be for the robot that they command, "
        "as `retarget` writes it. Ctrl-C cancels it and the robot goes to rest. Exit code 1 if nothing was "
        "performed.",
        [
            "play wave.npz",
            "play take.bvh --start 2 --end 8 --namespace robot1",
            "play wave.csv",
        ],
    )
    verb.add_argument("clip", metavar="CLIP", help="human motion, a recording, or a .csv of joint positions")
    add_cut(verb)
    add_namespace(verb)


def run(args: argparse.Namespace) -> Outcome:
    """Read the file, send its frames, tell how it ended."""
    from text2gesture_ros.gestures import needs_of
    from text2gesture_ros.motion.formats import FORMATS, read_recording
    from text2gesture_ros.motion.formats.recording import unknown_format

    within = namespace(args)
    path = Path(args.clip)
    joints = path.suffix.lower() == ".csv"
    if not joints and path.suffix.lower() not in FORMATS:
        raise unknown_format(path, {".csv": "joint positions, as `retarget` writes them"})
    if joints and not path.is_file():
        raise InputError(f"{args.clip}: no such file")
    if joints and (args.start or args.end is not None):
        raise InputError("--start and --end cut clips and recordings, not CSV files")
    motion = None if joints else read_recording(args.clip, start=args.start, end=args.end).motion

    from text2gesture_ros.ros.clip_player import play_clip
    from text2gesture_ros.ros.running_nodes import RunningNodes

    with interruptible(), RunningNodes(within) as nodes:
        if motion is None:
            robot = nodes.get_parameters("gesture_retargeter", ["robot"])["robot"]
            motion, needs = _motion_of(args.clip, robot)
        else:
            needs = needs_of(motion.gesture)
        sys.stderr.write(f"{motion.duration:.1f} s of motion\n")
        played = play_clip(nodes, motion, needs)
    share = played.share
    data = {
        "clip": args.clip,
        "duration": round(motion.duration, 3),
        "utterance_id": played.utterance_id,
        "outcome": played.outcome,
        "reason": played.reason,
        "performed_share": None if share is None else round(share, 3),
    }

    def show() -> None:
        sys.stdout.write(f"{ending(played.outcome, played.reason)}\n")

    performed = played.outcome in ("completed", "degraded")
    return Outcome(data, show, INTERRUPTED if played.outcome == "cancelled" else 0 if performed else 1)


def _motion_of(file: str, robot_name: str) -> "tuple[Motion, GestureNeeds]":
    """Return joint positions as the motion of a human who does the same, and what it needs of the robot."""
    import numpy as np

    from text2gesture_ros.gestures import GestureNeeds
    from text2gesture_ros.motion.motion import FRAME_RATE, Motion
    from text2gesture_ros.motion.robot_pose import human_of
    from text2gesture_ros.retargeting.hands import opening_of
    from text2gesture_ros.robots.joint_csv import load_joints
    from text2gesture_ros.robots.robot_file import load_robot

    robot = load_robot(robot_name)
    times, angles = load_joints(file, robot.joint_names)
    grid = np.arange(times[0], times[-1], 1.0 / FRAME_RATE)
    sampled = np.stack([np.interp(grid, times, column) for column in np.asarray(angles).T], axis=-1)
    return Motion(human_of(robot, sampled)), GestureNeeds(hand_opening=opening_of(robot, sampled))
