"""The rest pose, solved, and a body of capsules around it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from text2gesture_ros.geometry import Array, normalise
from text2gesture_ros.robots.clearance import Clearance
from text2gesture_ros.robots.part_names import is_a
from text2gesture_ros.robots.proposal.landmarks import GRIP, HEAD_SIZE
from text2gesture_ros.robots.proposal.limbs import Limbs
from text2gesture_ros.robots.proposal.proposal import Proposal, point_of
from text2gesture_ros.robots.robot import BASE, Chain, Robot
from text2gesture_ros.robots.robot_file import MAX_RADIUS
from text2gesture_ros.robots.separation import JOINED, NEIGHBOURS, separations
from text2gesture_ros.robots.urdf import Description, placed
from text2gesture_ros.skeleton import INDEX, REFERENCE

# Radii as parts of the length of the bone; for the trunk, of the distance between the shoulders.
_UPPER_ARM, _FOREARM, _HAND, _LEG = 0.2, 0.18, 0.16, 0.14
_CHEST, _BELLY, _NECK = 0.27, 0.24, 0.12
_MIN_CLEARANCE = 0.02  # between capsules at rest [m]
_BOXES = 10_000  # of poses that are looked at for a proof: what stays open is checked
_ALWAYS_CLEAR = 0.03  # pairs that are proved to stay farther apart need no check: sizes are estimates [m]
_IN_SERIES = (("chest", "upper_arm"), ("upper_arm", "forearm"), ("forearm", "hand"))
_BONES = {
    "gaze": ("head", "nose"),
    "upper_arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
    "hand": ("wrist", "hand"),
    "thumb": ("wrist", "thumb"),
}
# Weight of each bone's direction in the rest pose.
_WEIGHTS = {"gaze": 1.0, "upper_arm": 1.0, "forearm": 1.0, "hand": 0.4, "thumb": 0.3}
_REGULARISATION = 0.05  # towards zero angles, for joints that no bone determines [1/rad]


def add_body(urdf: Description, limbs: Limbs, axes: Array, result: Proposal) -> None:
    """Add a body of capsules, the pairs not to check, and a rest pose with room between all others."""
    data, robot = result.data, result.robot()
    result.note("capsules", "how thick it is: radii are parts of lengths; measure yours")
    zero = np.zeros(len(robot.joint_names))
    points, (turns, places) = robot.points(zero), robot.frames(zero)
    size, (_, left, up) = limbs.size, axes
    data["capsules"] = []

    def add(name: str, joint: int, radius: float, start: Array, end: Array) -> None:
        entry: dict[str, Any] = {"name": name}
        if joint != BASE:
            entry["joint"] = robot.joint_names[joint]
            start, end = (turns[joint].T @ (point - places[joint]) for point in (start, end))
        entry["start"] = point_of(start)
        if np.linalg.norm(end - start) > 1e-3:
            entry["end"] = point_of(end)
        data["capsules"].append(entry | {"radius": round(min(radius, MAX_RADIUS), 3)})

    def bar(name: str, joint: int, part: float, down: float, wide: float) -> None:
        """Add a capsule across the trunk, `down` below the shoulders and `wide` to each side."""
        across = wide * size * left
        centre = middle - down * size * up
        add(name, joint, part * size, centre + across, centre - across)

    trunk = robot.waist.joints[-1] if robot.waist else BASE
    if robot.arms:
        shoulders = [points[arm.removesuffix("arm") + "shoulder"] for arm in robot.arms]
        middle = np.mean(shoulders, axis=0)
        if len(shoulders) == 2:
            size = float(np.linalg.norm(shoulders[0] - shoulders[1]))
        else:  # the other one is missing, not the trunk between them
            middle += 0.5 * size * (left if "right_arm" in robot.arms else -left)
        bar("chest", trunk, _CHEST, 0.15, 0.17)
        bar("belly", trunk, _BELLY, 0.6, 0.05)
        bar("hip", BASE, _BELLY, 1.05, 0.1)
    for name, line in limbs.legs().items():
        for number, (start, end) in enumerate(pairwise(line), 1):
            add(f"{name}_{number}", BASE, _LEG * float(np.linalg.norm(end - start)), start, end)
    if robot.head:
        add("neck", trunk, _NECK * size, points["neck"] - 2.0 * _NECK * size * up, points["neck"])
        add("head", robot.head.joints[-1], HEAD_SIZE * size, points["head"], points["head"])
    elif (fixed := _fixed_head(urdf, limbs, robot, up)) is not None:
        add("head", trunk, HEAD_SIZE * size, fixed, fixed)
    for arm, chain in robot.arms.items():
        side = arm.removesuffix("arm")
        at = {name: joint for name, (joint, _) in chain.landmarks.items()}
        shoulder, elbow, wrist, hand = (
            points[side + name] for name in ("shoulder", "elbow", "wrist", "hand")
        )
        upper, fore = (float(np.linalg.norm(bone)) for bone in (elbow - shoulder, wrist - elbow))
        carrier = _carrier(chain, at["shoulder"], at["elbow"], elbow, turns, places)
        add(side + "upper_arm", carrier, _UPPER_ARM * upper, shoulder, elbow)
        carrier = _carrier(chain, at["elbow"], at["wrist"], wrist, turns, places)
        add(side + "forearm", carrier, _FOREARM * fore, elbow, wrist)
        add(side + "hand", chain.joints[-1], _HAND * fore, wrist, wrist + (hand - wrist) / GRIP)
    data["ignored_pairs"] = []
    _fit_chest(result, left, size)
    _ignore_joined(result)
    for apart in np.arange(0.0, 0.6, 0.05):
        _solve_rest(result, float(apart))
        robot = result.robot()
        arms = {joint for chain in robot.arms.values() for joint in chain.joints}
        moved = [any(robot.capsules[index].joint in arms for index in pair) for pair in robot.pairs]
        if (
            Clearance(robot).distances(robot.rest)[np.array(moved, dtype=bool)].min(initial=np.inf)
            >= _MIN_CLEARANCE
        ):
            break
    _ignore_apart(result)


def _carrier(chain: Chain, start: int, end: int, point: Array, turns: Array, places: Array) -> int:
    """Return the joint in whose frame a bone is fixed: that of its start, unless its end moves in it."""
    for index in range(start + 1, end):
        joint = chain.joints[index]
        if np.linalg.norm(np.cross(turns[joint] @ chain.axes[index], point - places[joint])) > 0.005:
            return chain.joints[end - 1]
    return chain.joints[start]


def _fixed_head(urdf: Description, limbs: Limbs, robot: Robot, up: Array) -> Array | None:
    """Return the centre (3,) of a head that does not move, in the base at angles zero; None: no head."""
    shoulders = [urdf.place(limbs.base, joints[0].name)[0] @ up for joints in limbs.arms.values()]
    start = limbs.waist[-1].child if limbs.waist else limbs.base
    heads: list[Array] = []
    for link in urdf.above:
        if is_a("head", link) and urdf.is_behind(start, link):
            path = urdf.path(start, link)
            if all(joint.kind == "fixed" for joint in path):
                place, _ = placed(urdf.path(limbs.base, link))
                heads.append(place)
    if not heads:
        return None
    found = max(heads, key=lambda place: float(place @ up))
    # Makers often leave its frame at that of the trunk.
    lowest = float(np.max(shoulders)) + (HEAD_SIZE + 0.25) * limbs.size
    return np.asarray(found + max(lowest - float(found @ up), 0.0) * up)


def _fit_chest(result: Proposal, left: Array, size: float) -> None:
    """Widen the chest until the upper arms are joined to it in every pose, and leave a gap below the head."""
    entries = {entry["name"]: entry for entry in result.data["capsules"]}
    numbers = {name: number for number, name in enumerate(entries)}
    if "chest" not in entries:
        return
    chest, narrow = entries["chest"], dict(entries["chest"])
    arms = [(numbers["chest"], numbers[name]) for name in numbers if name.endswith("_upper_arm")]
    robot = result.robot()
    turn = np.eye(3)
    if (joint := robot.capsules[numbers["chest"]].joint) != BASE:
        turn = robot.frames(np.zeros(len(robot.joint_names)))[0][joint]
    aside = turn.T @ left * size
    for wider in np.arange(0.0, 0.2, 0.02):
        chest["start"] = point_of(np.array(narrow["start"]) + wider * aside)
        chest["end"] = point_of(np.array(narrow["end"]) - wider * aside)
        if all(found.verdict == JOINED for found in separations(result.robot(), arms, boxes=_BOXES)):
            break
    else:
        chest |= narrow
    if "head" in entries:
        robot = result.robot()
        pair = np.array([[numbers["chest"], numbers["head"]]])
        gap = float(Clearance(replace(robot, pairs=pair)).distances(robot.rest)[0])
        radius = entries["head"]["radius"] - max(_MIN_CLEARANCE - gap, 0.0)
        if radius > 0.6 * entries["head"]["radius"]:
            entries["head"]["radius"] = round(radius, 3)


def _ignore(result: Proposal, one: str, other: str, reason: str) -> None:
    result.data["ignored_pairs"].append([one, other])
    result.reasons.append(reason)


def _ignore_joined(result: Proposal) -> None:
    """Ignore the pairs that overlap in every pose, and those that begin where the other ends."""
    robot = result.robot()
    resting = Clearance(robot).distances(robot.rest)
    for found in separations(robot, robot.pairs[resting <= 0.0], boxes=_BOXES):
        ends = (found.one.removeprefix("left_").removeprefix("right_"), found.other.partition("_")[2])
        if found.verdict == JOINED or (found.verdict == NEIGHBOURS and ends in _IN_SERIES):
            _ignore(result, found.one, found.other, found.reason)


def _ignore_apart(result: Proposal) -> None:
    """Ignore the pairs that are proved to stay apart, and those that touch at rest, which it notes."""
    robot = result.robot()
    # What was joined with the joints at zero may not be at rest.
    names = {capsule.name: number for number, capsule in enumerate(robot.capsules)}
    joined = [sorted((names[one], names[other])) for one, other in result.data["ignored_pairs"]]
    kept = [found.may_be_ignored for found in separations(robot, joined, boxes=_BOXES)]
    for values in (result.data["ignored_pairs"], result.reasons):
        values[:] = [value for value, keep in zip(values, kept, strict=True) if keep]
    robot = result.robot()
    clearance = Clearance(robot)
    poses = np.random.default_rng(0).uniform(robot.lower, robot.upper, (4000, len(robot.lower)))
    near = clearance.distances(poses).min(axis=0) < _ALWAYS_CLEAR
    resting = clearance.distances(robot.rest) <= 0.0
    # What a pose has brought near needs no proof.
    for found in separations(robot, robot.pairs[~near | resting], _ALWAYS_CLEAR, _BOXES):
        if found.may_be_ignored:
            _ignore(result, found.one, found.other, found.reason)
        elif found.distance <= 0.0 and (found.pose == robot.rest).all():
            _ignore(result, found.one, found.other, "in contact at rest")
            what = f"whether {found.one} and {found.other} may touch: by these sizes they do at rest"
            result.note("ignored_pairs", what)


def _solve_rest(result: Proposal, apart: float = 0.0) -> None:
    """Solve for the rest pose: arms and gaze as a human's at ease, the arms `apart` farther out [rad]."""
    data, robot = result.data, result.robot()
    if robot.head:
        goals = {"gaze": _relaxed_direction("", "gaze", 0.0) @ robot.axes}
        _set_rest(result, robot, robot.head, _solved(robot, robot.head, "", ("gaze",), goals))
    for arm, chain in robot.arms.items():
        side = arm.removesuffix("arm")
        bones = ["upper_arm", "forearm", "hand", "thumb"]
        goals = {bone: _relaxed_direction(side, bone, apart) @ robot.axes for bone in bones}
        if data[arm]["landmarks"]["thumb"] == data[arm]["landmarks"]["hand"]:
            bones.remove("thumb")  # unknown: it is placed from the rest pose below
        signs = _mirrored(robot) if arm == "right_arm" and "left_arm" in robot.arms else None
        if signs is None:
            solved = _solved(robot, chain, side, bones, goals)
        else:
            left = [data["rest"][robot.joint_names[joint]] for joint in robot.arms["left_arm"].joints]
            solved = np.clip(signs * left, robot.lower[list(chain.joints)], robot.upper[list(chain.joints)])
        _set_rest(result, robot, chain, solved)
        if "thumb" not in bones:
            rest = np.array([data["rest"][name] for name in robot.joint_names])
            points, (turns, places) = robot.points(rest), robot.frames(rest)
            length = 0.6 * float(np.linalg.norm(points[side + "hand"] - points[side + "wrist"]))
            thumb = points[side + "wrist"] + length * goals["thumb"]
            last = chain.joints[-1]
            data[arm]["landmarks"]["thumb"]["xyz"] = point_of(turns[last].T @ (thumb - places[last]))


def _set_rest(result: Proposal, robot: Robot, chain: Chain, angles: Array) -> None:
    names = [robot.joint_names[joint] for joint in chain.joints]
    angles = np.clip(np.round(angles, 4), robot.lower[list(chain.joints)], robot.upper[list(chain.joints)])
    result.data["rest"] |= {name: float(angle) + 0.0 for name, angle in zip(names, angles, strict=True)}


def _relaxed_direction(side: str, bone: str, apart: float) -> Array:
    """Return the direction (3,) of a bone of a human at ease: forward, left, up."""
    start, end = _BONES[bone]
    direction = normalise(REFERENCE[INDEX[side + end]] - REFERENCE[INDEX[side + start]])
    angle = apart if side == "left_" else -apart
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    return np.asarray(turn @ direction)


def _solved(robot: Robot, chain: Chain, side: str, bones: Sequence[str], goals: Mapping[str, Array]) -> Array:
    """Return the angles (M,) of a chain that bring its bones nearest to `goals`, by damped least squares."""
    joints = list(chain.joints)
    lower, upper = robot.lower[joints], robot.upper[joints]

    def residuals(angles: Array) -> Array:  # (..., M) -> (..., R)
        everything = np.broadcast_to(robot.rest, (*angles.shape[:-1], len(robot.rest))).copy()
        everything[..., joints] = angles
        points = robot.points(everything)
        parts = [_REGULARISATION * angles]
        for bone in bones:
            start, end = _BONES[bone]
            direction = normalise(points[side + end] - points[side + start])
            parts.append(_WEIGHTS[bone] * (direction - goals[bone]))
        return np.concatenate(parts, axis=-1)

    generator = np.random.default_rng(0)
    starts = np.concatenate([np.zeros((1, len(joints))), generator.uniform(lower, upper, (31, len(joints)))])
    angles = np.clip(starts, lower, upper)
    step, eye = 1e-5, np.eye(len(joints))
    for _ in range(60):
        now = residuals(angles)
        slope = (residuals(angles[:, None] + step * eye) - now[:, None]) / step  # (S, M, R)
        # A joint that waits at its limit is left out, so that the others are solved without it.
        push = np.einsum("smr,sr->sm", slope, now)
        held = ((angles <= lower) & (push > 0.0)) | ((angles >= upper) & (push < 0.0))
        slope = np.where(held[..., None], 0.0, slope)
        square = slope @ slope.swapaxes(-1, -2) + 1e-3 * eye
        move = np.linalg.solve(square, np.where(held, 0.0, push)[..., None])[..., 0]
        angles = np.clip(angles - np.clip(move, -0.5, 0.5), lower, upper)
    return np.asarray(angles[np.argmin((residuals(angles) ** 2).sum(-1))])


def _mirrored(robot: Robot) -> Array | None:
    """Return the signs (M,) that turn angles of the left arm into the right's; None if they are no mirror."""
    left, right = robot.arms["left_arm"], robot.arms["right_arm"]
    if len(left.joints) != len(right.joints):
        return None
    across = robot.axes[1]
    turns, _ = robot.frames(np.zeros(len(robot.joint_names)))
    axes, others = (np.einsum("mij,mj->mi", turns[list(chain.joints)], chain.axes) for chain in (left, right))
    # A mirror image rotates the other way about the mirrored axis.
    mirrored = 2.0 * np.outer(axes @ across, across) - axes
    signs = np.einsum("mi,mi->m", mirrored, others)
    return np.asarray(np.sign(signs)) if (np.abs(signs) > 0.99).all() else None
