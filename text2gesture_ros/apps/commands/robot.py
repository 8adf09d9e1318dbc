"""`text2gesture robot`: a robot file proposed from a URDF, looked at, and those that ship."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from text2gesture_ros.apps.commands.verbs import Outcome, Verbs, check_suffix

if TYPE_CHECKING:
    from text2gesture_ros.robots.robot import Robot
    from text2gesture_ros.robots.urdf import Description

_POSES = 10_000  # random ones, to see how near the capsules come and how far the hands reach


def add(verbs: Verbs) -> None:
    """Add the verb."""
    group = verbs.group(
        "robot",
        "Add a robot: propose its file from a URDF, check and draw it, list those that ship",
        ["robot new my_robot.urdf -o my_robot.yaml", "robot check ./my_robot.yaml --png my_robot.png"],
    )
    verb = group.add(
        "new",
        new,
        "Propose a robot file from a URDF. Finds arms, head, waist, hands, limits, landmarks and a rest "
        "pose, makes a body of capsules, and says what it could not know: edit the file, then check it.",
        [
            "robot new my_robot.urdf -o my_robot.yaml",
            "robot new robot_description.xml --name zora -o zora.yaml",
        ],
    )
    verb.add_argument("urdf", metavar="URDF", help="the description, without xacro")
    verb.add_argument("-o", "--output", metavar="FILE.yaml", help="where the robot goes (default: printed)")
    verb.add_argument("--name", help="of the robot (default: as the output or the URDF is called)")
    verb = group.add(
        "check",
        check,
        "Print joints, limits, reach and clearance of a robot, and draw it. Exit code 1 if its capsules "
        "touch at rest.",
        ["robot check pepper", "robot check ./my_robot.yaml --urdf my_robot.urdf --png my_robot.png"],
    )
    verb.add_argument("robot", metavar="ROBOT", help="a name, or the path of a YAML file")
    verb.add_argument("--urdf", metavar="FILE", help="compare joints with this URDF, or read them from it")
    verb.add_argument("--png", metavar="FILE.png", help="draw it at rest, from the front and the side")
    group.add("list", list_, "Print the robots that ship", ["robot list"])


def new(args: argparse.Namespace) -> Outcome:
    """Propose a robot file from a URDF."""
    from text2gesture_ros.errors import InputError
    from text2gesture_ros.robots.proposal import propose, written
    from text2gesture_ros.robots.urdf import load_urdf

    output = check_suffix(args.output, ".yaml") if args.output else None
    name = args.name or (output or Path(args.urdf)).stem
    if output and output.stem != name:
        raise InputError(f"{output}: the file must be called {name}.yaml, as the robot is")
    proposal = propose(load_urdf(Path(args.urdf)), name)
    text = written(proposal)
    if output:
        output.write_text(text, encoding="utf-8")
    robot = proposal.robot()
    data = {
        "robot": name,
        "base": robot.base,
        "groups": {
            group: [robot.joint_names[joint] for joint in joints] for group, joints in robot.groups.items()
        },
        "could_not_know": proposal.notes,
        "output": str(output) if output else None,
    }

    def show() -> None:
        if not output:
            sys.stdout.write(text)
            return
        sys.stdout.write(f"{output}: {name}, chains from {robot.base}\n")
        for group, joints in robot.groups.items():
            sys.stdout.write(f"  {group}: {', '.join(robot.joint_names[joint] for joint in joints)}\n")
        sys.stdout.write("could not know, look for CHECK in the file:\n")
        for key, notes in proposal.notes.items():
            sys.stdout.writelines(f"  {key}: {note}\n" for note in notes)
        sys.stdout.write(f"then: text2gesture robot check {output} --urdf {args.urdf} --png {name}.png\n")

    return Outcome(data, show)


def check(args: argparse.Namespace) -> Outcome:
    """Look at a robot."""
    import numpy as np

    from text2gesture_ros.robots.clearance import Clearance
    from text2gesture_ros.robots.robot_file import load_robot
    from text2gesture_ros.robots.urdf import read_urdf, urdf_text

    png = check_suffix(args.png, ".png") if args.png else None
    text = urdf_text(Path(args.urdf)) if args.urdf else None
    robot = load_robot(args.robot, text)
    clearance = Clearance(robot)
    poses = np.random.default_rng(0).uniform(robot.lower, robot.upper, (_POSES, len(robot.joint_names)))
    nearest = clearance.distances(poses)
    resting = clearance.distances(robot.rest)
    names = [capsule.name for capsule in robot.capsules]
    pairs = [f"{names[one]} and {names[other]}" for one, other in robot.pairs]
    doubts = _doubts(robot)
    if text is not None:
        doubts += _differences(robot, read_urdf(text, args.urdf))
    touching = [pair for pair, distance in zip(pairs, resting, strict=True) if distance <= 0.0]
    closest = sorted(zip(resting.tolist(), pairs, strict=True))[:3]
    often = sorted(zip((nearest <= 0.0).mean(axis=0).tolist(), pairs, strict=True), reverse=True)[:5]
    data: dict[str, Any] = {
        "robot": robot.name,
        "title": robot.title,
        "base": robot.base,
        "joints": [
            {
                "name": name,
                **{
                    key: round(float(getattr(robot, key)[index]), 6)
                    for key in ("lower", "upper", "rest", "velocity", "acceleration", "jerk")
                },
            }
            for index, name in enumerate(robot.joint_names)
        ],
        "reach": _reach(robot, poses),
        "capsules": len(names),
        "pairs": len(pairs),
        "smallest_clearance_at_rest": round(float(resting.min()), 4) if pairs else None,
        "nearest_at_rest": {pair: round(distance, 4) for distance, pair in closest},
        "in_contact_at_rest": touching,
        "random_poses_in_contact": round(float((nearest <= 0.0).any(axis=1).mean()), 4),
        "most_often_in_contact": {pair: round(share, 4) for share, pair in often if share > 0.0},
        "suspicious": doubts,
        "png": str(png) if png else None,
    }
    if png:
        from text2gesture_ros.apps.rendering import draw_robot

        draw_robot(robot, robot.rest, png)
    return Outcome(data, lambda: _show(data), status=1 if touching else 0)


def _reach(robot: "Robot", poses: Any) -> dict[str, dict[str, Any]]:
    """Return how long each arm is, and the box its hand stays in, as the human's forward, left and up [m]."""
    import numpy as np

    points, resting = robot.points(poses), robot.points(robot.rest)
    reach: dict[str, dict[str, Any]] = {}
    for arm in robot.arms:
        side = arm.removesuffix("arm")
        bones = (("upper_arm", "shoulder", "elbow"), ("forearm", "elbow", "wrist"), ("hand", "wrist", "hand"))
        reach[arm] = {
            bone: round(float(np.linalg.norm(resting[side + end] - resting[side + start])), 4)
            for bone, start, end in bones
        }
        hands = points[side + "hand"] @ robot.axes.T
        for axis, name in enumerate(("forward", "left", "up")):
            reach[arm][name] = [round(float(hands[:, axis].min()), 3), round(float(hands[:, axis].max()), 3)]
    return reach


def _doubts(robot: "Robot") -> list[str]:
    """Return what no check refuses but an owner ought to look at."""
    import numpy as np

    doubts = []
    for index, name in enumerate(robot.joint_names):
        margin = min(robot.rest[index] - robot.lower[index], robot.upper[index] - robot.rest[index])
        if robot.upper[index] - robot.lower[index] > 2.0 * np.pi:
            doubts.append(f"{name}: turns more than once round, cables permitting")
        if robot.upper[index] - robot.lower[index] < 0.1:
            doubts.append(f"{name}: turns less than 6 degrees")
        if robot.velocity[index] > 30.0:
            doubts.append(f"{name}: {robot.velocity[index]:.3g} rad/s is quicker than servos of arms are")
        if index not in [hand.joint for hand in robot.hands.values()] and margin < 1e-6:
            doubts.append(f"{name}: rests at its limit")
    directions, forward, up = robot.bone_directions(robot.rest), robot.axes[0], robot.axes[2]
    for bone, direction in directions.items():
        if bone == "head" and direction @ forward < 0.9:
            doubts.append("at rest the head does not look ahead")
        if bone != "head" and direction @ up > -0.5:
            doubts.append(f"at rest the {bone.replace('_', ' ')} does not hang")
    if not robot.capsules:
        doubts.append("no capsules: nothing keeps it from touching itself")
    return doubts


def _differences(robot: "Robot", description: "Description") -> list[str]:
    """Return where a robot's joints differ from those of a URDF."""
    import numpy as np

    from text2gesture_ros.geometry import normalise

    differences = []
    for group, chain in robot.chains.items():
        link = robot.base
        if group != "waist" and robot.waist:
            link = description.driven(robot.joint_names[robot.waist.joints[-1]]).child
        for index, joint in enumerate(chain.joints):
            written = description.driven(robot.joint_names[joint])
            place, turn = description.place(link, written.name)
            axis = np.linalg.norm(chain.rotations[index] @ chain.axes[index] - turn @ normalise(written.axis))
            link = written.child
            if (apart := float(np.linalg.norm(chain.origins[index] - place))) > 1e-4:
                differences.append(f"{written.name}: {1000 * apart:.2g} mm from where the URDF has it")
            if axis > 1e-3:
                differences.append(
                    f"{written.name}: its axis is {np.degrees(axis):.2g} degrees off the URDF's"
                )
            if written.doubts():
                continue
            if robot.lower[joint] < (written.lower or 0.0) - 1e-4 and written.kind == "revolute":
                differences.append(f"{written.name}: lower is below the URDF's ({written.lower})")
            if robot.upper[joint] > (written.upper or 0.0) + 1e-4 and written.kind == "revolute":
                differences.append(f"{written.name}: upper is above the URDF's ({written.upper})")
            if robot.velocity[joint] > (written.velocity or 0.0) + 1e-4:
                differences.append(f"{written.name}: velocity is above the URDF's ({written.velocity})")
    return differences


def _show(data: dict[str, Any]) -> None:
    from text2gesture_ros.apps.tables import show_table

    limits = ("lower", "upper", "rest", "velocity", "acceleration", "jerk")
    units = ("rad", "rad", "rad", "rad/s", "rad/s^2", "rad/s^3")
    columns = ["joint", *(f"{key} [{unit}]" for key, unit in zip(limits, units, strict=True))]
    rows = [[joint["name"], *(f"{joint[key]:.3f}" for key in limits)] for joint in data["joints"]]
    show_table(f"{data['title']}: {len(rows)} joints, base {data['base']}", columns, rows)
    columns = ["arm", "upper arm [m]", "forearm [m]", "hand [m]", "forward [m]", "left [m]", "up [m]"]
    rows = [
        [
            arm,
            *(f"{reach[bone]:.3f}" for bone in ("upper_arm", "forearm", "hand")),
            *("{:.2f} to {:.2f}".format(*reach[axis]) for axis in ("forward", "left", "up")),
        ]
        for arm, reach in data["reach"].items()
    ]
    show_table("bones, and the box the hand stays in", columns, rows)
    write = sys.stdout.write
    write(f"body: {data['capsules']} capsules, {data['pairs']} pairs\n")
    for pair, distance in data["nearest_at_rest"].items():
        write(f"  at rest {1000 * distance:.1f} mm between {pair}{': CONTACT' if distance <= 0.0 else ''}\n")
    write(f"  {100 * data['random_poses_in_contact']:.1f} % of random poses in contact\n")
    for pair, share in data["most_often_in_contact"].items():
        write(f"    {100 * share:.1f} % {pair}\n")
    write("to look at:\n" if data["suspicious"] else "nothing suspicious\n")
    for doubt in data["suspicious"]:
        write(f"  {doubt}\n")
    for pair in data["in_contact_at_rest"]:
        write(f"error: {pair} are in contact at rest\n")
    if data["png"]:
        write(f"drawn: {data['png']}\n")


def list_(args: argparse.Namespace) -> Outcome:
    """Print the robots that ship."""
    from text2gesture_ros.apps.tables import show_table
    from text2gesture_ros.resources import share_directory
    from text2gesture_ros.robots.robot_file import load_robot

    files = sorted((share_directory() / "config" / "robots").glob("*.yaml"))
    robots = [load_robot(file.stem) for file in files]
    rows = [
        [
            robot.name,
            robot.title,
            ", ".join(f"{group} {len(joints)}" for group, joints in robot.groups.items()),
        ]
        for robot in robots
    ]
    data = [
        {
            "robot": robot.name,
            "title": robot.title,
            "source": robot.source,
            "joints": {group: len(joints) for group, joints in robot.groups.items()},
        }
        for robot in robots
    ]
    return Outcome(data, lambda: show_table("robots", ["name", "robot", "joints"], rows))
