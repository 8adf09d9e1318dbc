"""A robot file proposed from a URDF: chains, axes, limits, landmarks, rest pose and body.

Names tell left from right and arms from legs; all else is read from the geometry. What a URDF does not say is
filled in by proportion and said in `Proposal.notes`: the file is a beginning that a person completes.
"""

from pathlib import Path
from typing import Any

import numpy as np

from text2gesture_ros.geometry import Array
from text2gesture_ros.gestures import ARMS
from text2gesture_ros.robots.inspection import length_doubts
from text2gesture_ros.robots.proposal.body import add_body
from text2gesture_ros.robots.proposal.landmarks import arm_points, head_points, landmarks, nearest_axis
from text2gesture_ros.robots.proposal.limbs import Given, Limbs
from text2gesture_ros.robots.proposal.proposal import Proposal, numbers, open_checks, rounded, written
from text2gesture_ros.robots.robot import Chain
from text2gesture_ros.robots.urdf import Description, Joint, placed

__all__ = ["Given", "Proposal", "open_checks", "propose", "written"]

# Defaults where a URDF gives no limit [rad/s, rad/s^2, rad/s^3]. Slow on purpose: a robot that is too
# slow gets a complaint, one that is too fast a repair.
_VELOCITY, _ACCELERATION, _JERK = 2.0, 10.0, 400.0


def propose(description: Description, name: str, given: Given | None = None) -> Proposal:
    """Return a robot file for a URDF.

    Args:
        description: the URDF.
        name: of the robot.
        given: the chains that a person names; None: all are found.

    Raises:
        ConfigurationError: neither arm nor head is found in it, or what is found makes no robot.
    """
    result = Proposal({"name": name}, where=description.where)
    limbs = Limbs(description, result, given or Given())
    start = limbs.waist[-1].child if limbs.waist else limbs.base
    chains = {"waist": limbs.waist, "head": limbs.head, **limbs.arms}
    chains = {key: joints for key, joints in chains.items() if joints}
    axes = _forward_left_up(description, limbs, result)
    _, upright = placed(description.path(limbs.base, start))  # from the frame of head and arms to the base
    result.data |= {
        "title": description.name.replace("_", " "),
        "source": f"{Path(description.where).name} (robot {description.name!r})",
        "base": limbs.base,
        "axes": {"forward": numbers(axes[0]), "up": numbers(axes[2])},
        "limits": {"velocity_fraction": 0.9, "acceleration": _ACCELERATION, "jerk": _JERK},
    }
    result.note("source", "where the URDF comes from and under which licence")
    result.note("limits", "acceleration and jerk: a URDF has none; these are low")
    if limbs.waist:
        result.note("waist", "whether it is yours to move: leave it out if another controller keeps balance")
    for key, joints in chains.items():
        chain = _chain(description, limbs.base if key == "waist" else start, joints)
        result.data[key] = {"joints": _entries(chain, joints, key, result)}
        if key in ARMS:
            points = arm_points(description, chain, joints, key, result)
            result.data[key]["landmarks"] = landmarks(chain, joints, points)
        elif key == "head":
            points = head_points(chain, axes @ upright, limbs.size)
            result.data[key]["landmarks"] = landmarks(chain, joints, points)
            result.note("head", "how large it is")
    result.data |= _hands(limbs, result)
    entries = [entry for key in chains for entry in result.data[key]["joints"]]
    result.data["rest"] = {entry["name"]: min(max(0.0, entry["lower"]), entry["upper"]) for entry in entries}
    result.data["rest"] |= {hand["name"]: hand["open"] for hand in result.data.get("hands", {}).values()}
    add_body(description, limbs, axes, result)
    for doubt in length_doubts(result.robot()):
        result.note("base", doubt)
    return result


def _forward_left_up(urdf: Description, limbs: Limbs, result: Proposal) -> Array:
    """Return forward, left and up (3, 3) in the base: its axes nearest to where shoulders and head lie."""
    # By convention (REP 103) the root has x forward and z up; the base may be turned against it.
    _, turn = placed(urdf.path(urdf.root, limbs.base))
    ahead, up = nearest_axis(turn.T[:, 0]), nearest_axis(turn.T[:, 2])
    if len(limbs.arms) < 2:
        result.note("axes", "which way is forward: taken as x of the root, with z up")
        return np.array([ahead, np.cross(up, ahead), up])
    left_arm, right_arm = (urdf.place(limbs.base, limbs.arms[arm][0].name)[0] for arm in ARMS)
    left, middle = nearest_axis(left_arm - right_arm), (left_arm + right_arm) / 2.0
    if limbs.head:
        above = urdf.place(limbs.base, limbs.head[-1].name)[0] - middle
        above -= (above @ left) * left
        # A head is above the shoulders, but on some robots well in front of them too.
        if above @ up < 0.3 * np.linalg.norm(above):
            up = nearest_axis(above)
            result.note("axes", "which way is up: taken from shoulders to head")
    feet = [line[-1] for line in limbs.legs().values()]
    if feet:
        above = middle - np.mean(feet, axis=0)
        above -= (above @ left) * left
        if above @ up < 0.5 * np.linalg.norm(above):
            up = nearest_axis(above)
            result.note("axes", "which way is up: taken from feet to shoulders")
    if abs(up @ left) > 0.5:
        up = np.roll(np.abs(left), 1)
        result.note("axes", "which way is up")
    forward = np.cross(left, up)
    if forward @ ahead < 0.5:
        result.note("axes", "which way is forward: by the names of the sides it is not x of the root")
    return np.array([forward, left, up])


def _chain(urdf: Description, start: str, joints: list[Joint]) -> Chain:
    """Return joints as a chain without landmarks."""
    links = [start, *(joint.child for joint in joints)]
    places = [urdf.place(link, joint.name) for link, joint in zip(links, joints, strict=False)]
    return Chain(
        joints=tuple(range(len(joints))),
        origins=np.array([place for place, _ in places]),
        rotations=np.array([turn for _, turn in places]),
        axes=np.array([joint.axis for joint in joints]),
        landmarks={},
    )


def _entries(chain: Chain, joints: list[Joint], key: str, result: Proposal) -> list[dict[str, Any]]:
    _note_doubts(joints, key, result)
    return [
        {
            "name": joint.name,
            "xyz": numbers(chain.origins[index]),
            "rpy": numbers(_rpy(chain.rotations[index])),
            "axis": numbers(joint.axis),
            **_limits(joint),
        }
        for index, joint in enumerate(joints)
    ]


def _note_doubts(joints: list[Joint], key: str, result: Proposal) -> None:
    names: dict[str, list[str]] = {}
    for joint in joints:
        for limit, doubt in joint.doubts().items():
            names.setdefault(f"{limit}, in the URDF {doubt}: ", []).append(joint.name)
    for doubt, doubted in names.items():
        result.note(key, doubt + ", ".join(doubted))


def _limits(joint: Joint) -> dict[str, float]:
    """Return lower, upper and velocity, with cautious defaults in place of invalid ones."""
    (lower, upper), velocity, doubts = joint.likely_range(), joint.velocity, joint.doubts()
    if "velocity" in doubts:
        velocity = _VELOCITY
    values = {"lower": lower, "upper": upper, "velocity": velocity}
    return {name: rounded(float(value or 0.0)) for name, value in values.items()}


def _hands(limbs: Limbs, result: Proposal) -> dict[str, Any]:
    """Return the hands that one joint of their own opens and closes, under the key of the file."""
    hands = {}
    for arm, joint in limbs.hands.items():
        _note_doubts([joint], "hands", result)
        limits = _limits(joint)
        hands[arm.replace("arm", "hand")] = {
            "name": joint.name,
            "open": limits["upper"],
            "closed": limits["lower"],
            "velocity": limits["velocity"],
        }
    if hands:
        result.note("hands", "which end is open: taken to be the upper")
    return {"hands": hands} if hands else {}


def _rpy(turn: Array) -> Array:
    """Return roll, pitch and yaw (3,) of a rotation (3, 3) [rad]."""
    pitch = np.arctan2(-turn[2, 0], np.hypot(turn[0, 0], turn[1, 0]))
    if np.cos(pitch) < 1e-6:  # looking straight up or down: all is roll
        return np.array([np.arctan2(-turn[1, 2], turn[1, 1]), pitch, 0.0])
    return np.array([np.arctan2(turn[2, 1], turn[2, 2]), pitch, np.arctan2(turn[1, 0], turn[0, 0])])
