"""`text2gesture verify`: checks joint positions against limits and self-collision of a robot."""

import argparse
import math
import sys
from dataclasses import asdict

from text2gesture_ros.apps.commands.verbs import Outcome, Verbs, add_parameters, parameters
from text2gesture_ros.parameters import GestureRetargeterParameters


def add(verbs: Verbs) -> None:
    """Add the verb."""
    verb = verbs.add(
        "verify",
        run,
        "Check that joint positions stay within a robot's position, velocity, acceleration and jerk limits, "
        "and that no two parts of the robot come nearer to each other than 5 mm. Exit code 1 if they do not.",
        ["verify wave.csv --robot pepper", "verify wave.csv --robot nao --json"],
    )
    verb.add_argument("joints", metavar="OUT.csv", help="time and joints, as `retarget` writes them")
    add_parameters(verb, "gesture_retargeter", "robot")


def run(args: argparse.Namespace) -> Outcome:
    """Check joints against a robot's limits."""
    from text2gesture_ros.control.verification import min_clearance_of
    from text2gesture_ros.control.verification import verify as check
    from text2gesture_ros.robots.clearance import Clearance
    from text2gesture_ros.robots.joint_csv import load_joints
    from text2gesture_ros.robots.robot_file import load_robot

    robot = load_robot(parameters(GestureRetargeterParameters, args).robot)
    times, positions = load_joints(args.joints, robot.joint_names)
    clearance = Clearance(robot)
    min_clearance = min_clearance_of(robot, clearance)
    report = check(robot, times, positions, clearance=clearance, min_clearance=min_clearance)
    nearest = report.clearance if math.isfinite(report.clearance) else None  # a robot without capsules
    data = {
        "robot": robot.name,
        "samples": report.samples,
        "violations": [asdict(violation) for violation in report.violations],
        "worst": dict(report.worst),
        "clearance": nearest,
    }

    def show() -> None:
        shares = (item for item in report.worst.items() if item[0] != "finite")  # which has no limit
        worst = ", ".join(f"{kind} {100 * ratio:.1f} %" for kind, ratio in shares)
        sys.stdout.write(f"{robot.name}: {report.samples} samples, {len(report.violations)} violations\n")
        sys.stdout.write(f"nearest to a limit: {worst}\n")
        if nearest is not None:
            allowed = f"{1000 * min_clearance.min():.1f} mm allowed"
            sys.stdout.write(f"nearest parts: {1000 * nearest:.1f} mm apart, {allowed}\n")
        for violation in report.violations[:10]:
            sys.stdout.write(f"  {violation}\n")

    return Outcome(data, show, status=1 if report.violations else 0)
