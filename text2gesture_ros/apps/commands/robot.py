"""`text2gesture robot`: proposes a robot file from a URDF, checks one, lists those that ship."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from text2gesture_ros.apps.commands.verbs import Outcome, Verbs, add_overwrite, check_suffix, check_unused

if TYPE_CHECKING:
    from text2gesture_ros.robots.robot import Robot


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
            "robot new my_robot.urdf --arm left=torso:l_hand --arm right=torso:r_hand --head torso:camera",
        ],
    )
    verb.add_argument("urdf", metavar="URDF", help="the description, without xacro")
    verb.add_argument("-o", "--output", metavar="FILE.yaml", help="where the robot goes (default: printed)")
    add_overwrite(verb)
    verb.add_argument("--name", help="of the robot (default: as the output or the URDF is called)")
    verb.add_argument(
        "--arm",
        metavar="[SIDE=]LINK:LINK",
        action="append",
        default=[],
        help="an arm by the links it starts from and ends at, where it is not found; perhaps left= or right="
        " (give it once for each arm)",
    )
    verb.add_argument("--head", metavar="LINK:LINK", help="the head likewise")
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
    if output:
        check_unused(args)  # it may have been edited since
    given = _given(args.arm, args.head)
    proposal = propose(load_urdf(Path(args.urdf)), name, given)
    text = written(proposal)
    if output:
        output.write_text(text, encoding="utf-8")
    robot = proposal.robot()
    data = {
        "robot": name,
        "base": robot.base,
        "groups": _chains(robot),
        "hands": _hands(robot),
        "could_not_know": proposal.notes,
        "output": str(output) if output else None,
    }

    def show() -> None:
        if not output:
            sys.stdout.write(text)
            return
        sys.stdout.write(f"{output}: {name}, chains from {robot.base}\n")
        for group, joints in _chains(robot).items():
            sys.stdout.write(f"  {group}: {', '.join(joints)}\n")
        for hand, joint in _hands(robot).items():
            sys.stdout.write(f"  {hand}: {joint}, opens and closes\n")
        sys.stdout.write("could not know, look for CHECK in the file:\n")
        for key, notes in proposal.notes.items():
            sys.stdout.writelines(f"  {key}: {note}\n" for note in notes)
        sys.stdout.write(f"then: text2gesture robot check {output} --urdf {args.urdf} --png {name}.png\n")

    return Outcome(data, show)


def _given(arms: list[str], head: str | None) -> Any:
    """Return the chains given by hand.

    Raises:
        InputError: they are not written as they must be.
    """
    from text2gesture_ros.errors import InputError
    from text2gesture_ros.robots.proposal import Given

    def ends(text: str, option: str) -> tuple[str, str]:
        start, colon, end = text.partition(":")
        if not (start and colon and end):
            raise InputError(f"{option} is {text!r}. Allowed: LINK:LINK, where it starts from and ends at")
        return start, end

    chains = {}
    for number, text in enumerate(arms):
        side, equals, links = text.rpartition("=")
        key = f"{side}_arm" if equals else str(number)
        if (equals and side not in ("left", "right")) or key in chains or number > 1:
            raise InputError(f"--arm is {text!r}. Allowed: two arms at most, each LINK:LINK, left= or right=")
        chains[key] = ends(links, "--arm")
    return Given(chains, ends(head, "--head") if head else None)


def _chains(robot: "Robot") -> dict[str, list[str]]:
    """Return the joints of waist, head and arms, each from the base outwards, without the hands."""
    hands = {hand.joint for hand in robot.hands.values()}
    return {
        group: [robot.joint_names[joint] for joint in joints if joint not in hands]
        for group, joints in robot.groups.items()
    }


def _hands(robot: "Robot") -> dict[str, str]:
    """Return the joint of each hand that opens and closes."""
    return {name: robot.joint_names[hand.joint] for name, hand in robot.hands.items()}


def check(args: argparse.Namespace) -> Outcome:
    """Look at a robot."""
    from text2gesture_ros.robots.inspection import inspect
    from text2gesture_ros.robots.proposal import open_checks
    from text2gesture_ros.robots.robot_file import load_robot
    from text2gesture_ros.robots.urdf import read_urdf, urdf_text

    png = check_suffix(args.png, ".png") if args.png else None
    text = urdf_text(Path(args.urdf)) if args.urdf else None
    robot = load_robot(args.robot, text)
    found = inspect(robot, read_urdf(text, args.urdf) if text is not None else None)
    closest = sorted(found.clearance_at_rest.items(), key=lambda item: item[1])
    often = sorted(found.contact_shares.items(), key=lambda item: -item[1])
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
        "reach": {
            arm: {name: round(length, 4) for name, length in lengths.items()}
            | {axis: [round(low, 3), round(high, 3)] for axis, (low, high) in found.hand_boxes[arm].items()}
            for arm, lengths in found.bone_lengths.items()
        },
        "capsules": len(robot.capsules),
        "pairs": len(robot.pairs),
        "smallest_clearance_at_rest": round(closest[0][1], 4) if closest else None,
        "nearest_at_rest": {pair: round(distance, 4) for pair, distance in closest[:3]},
        "in_contact_at_rest": found.in_contact_at_rest,
        "random_poses_in_contact": round(found.contact_share, 4),
        "most_often_in_contact": {pair: round(share, 4) for pair, share in often[:5] if share > 0.0},
        "ignored_pairs": [
            {"pair": [pair.one, pair.other], "verdict": pair.verdict, "reason": pair.reason}
            for pair in found.ignored
        ],
        "open_checks": open_checks(args.robot),
        "suspicious": found.suspicious,
        "png": str(png) if png else None,
    }
    if png:
        from text2gesture_ros.apps.rendering import draw_robot

        draw_robot(robot, robot.rest, png)
    return Outcome(data, lambda: _show(data), status=1 if found.in_contact_at_rest else 0)


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
    reasons: dict[str, list[str]] = {}
    for ignored in data["ignored_pairs"]:
        reasons.setdefault(ignored["reason"], []).append(" and ".join(ignored["pair"]))
    if reasons:
        write(f"  {len(data['ignored_pairs'])} pairs are not checked:\n")
    for reason, pairs in reasons.items():
        write(f"    {reason}: {', '.join(pairs)}\n")
    write("to look at:\n" if data["suspicious"] else "nothing suspicious\n")
    for doubt in data["suspicious"]:
        write(f"  {doubt}\n")
    if data["open_checks"]:
        write("still open in the file (delete each CHECK that you have settled):\n")
    for note in data["open_checks"]:
        write(f"  {note}\n")
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
            ", ".join(
                [*(f"{group} {len(joints)}" for group, joints in _chains(robot).items()), *_hands(robot)]
            ),
        ]
        for robot in robots
    ]
    data = [
        {
            "robot": robot.name,
            "title": robot.title,
            "source": robot.source,
            "joints": {group: len(joints) for group, joints in _chains(robot).items()},
            "hands": _hands(robot),
        }
        for robot in robots
    ]
    return Outcome(data, lambda: show_table("robots", ["name", "robot", "joints"], rows))
