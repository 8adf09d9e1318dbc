"""`text2gesture retarget`: converts human motion to joint positions of a robot."""

import argparse

from text2gesture_ros.apps.commands.verbs import Outcome, Verbs, add_parameters, check_suffix, parameters
from text2gesture_ros.apps.tables import show_pairs
from text2gesture_ros.parameters import GestureRetargeterParameters


def add(verbs: Verbs) -> None:
    """Add the verb."""
    verb = verbs.add(
        "retarget",
        run,
        "Turn human motion into joint positions of a robot, within its limits, at the control rate. "
        "Writes CSV: time [s] and one column per joint [rad].",
        [
            "retarget wave.npz --robot pepper -o wave.csv",
            "retarget wave.npz --robot ./my_robot.yaml --rate 50 -o wave.csv --gif wave.gif",
        ],
    )
    verb.add_argument(
        "clip", metavar="CLIP", help="human motion, as `generate` or `import` writes it, or a recording"
    )
    verb.add_argument("-o", "--output", required=True, metavar="OUT.csv", help="where the joints go")
    verb.add_argument("--gif", metavar="FILE.gif", help="also draw the human beside the robot")
    add_parameters(verb, "gesture_retargeter", "robot", "rate", "gesture_scale")
    verb.add_argument("--mirror", action="store_true", help="exchange left and right")


def run(args: argparse.Namespace) -> Outcome:
    """Retarget a clip to a robot and write its joints."""
    from text2gesture_ros.control.verification import min_clearance_of
    from text2gesture_ros.control.verification import verify as check
    from text2gesture_ros.motion.formats import read_recording
    from text2gesture_ros.retargeting.executor import retarget_motion
    from text2gesture_ros.robots.clearance import Clearance
    from text2gesture_ros.robots.joint_csv import save_joints
    from text2gesture_ros.robots.robot_file import load_robot

    given = parameters(GestureRetargeterParameters, args)
    output = check_suffix(args.output, ".csv")
    gif = check_suffix(args.gif, ".gif") if args.gif else None
    robot = load_robot(given.robot)
    motion = read_recording(args.clip).motion
    times, angles = retarget_motion(robot, motion, given.rate, scale=given.gesture_scale, mirror=given.mirror)
    save_joints(output, robot.joint_names, times, angles)
    clearance = Clearance(robot)
    minimum = min_clearance_of(robot, clearance)
    report = check(robot, times, angles, clearance=clearance, min_clearance=minimum)
    if gif is not None:
        from text2gesture_ros.apps.rendering import Painter, Scene

        Painter(robot).save_gif(gif, Scene(robot.title, motion, times, angles))
    data = {
        "robot": robot.name,
        "joints": len(robot.joint_names),
        "samples": len(times),
        "rate": given.rate,
        "duration": round(float(times[-1] - times[0]), 6),
        "violations": len(report.violations),
        "output": str(output),
        "gif": str(gif) if gif else None,
    }
    return Outcome(data, lambda: show_pairs(data))
