"""A robot file proposed from a URDF: chains, axes, limits, landmarks, rest pose and body.

Names tell left from right and arms from legs; all else is read from the geometry. What a URDF does not say is
filled in by proportion and said in `Proposal.notes`: the file is a beginning that a person completes.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from text2gesture_ros.collision import Clearance
from text2gesture_ros.kinematics import Array, normalise
from text2gesture_ros.robot import ARMS, BASE, Chain, Robot
from text2gesture_ros.robot_file import robot_of
from text2gesture_ros.skeleton import INDEX, REFERENCE
from text2gesture_ros.urdf import MAX_ANGLE, Description, Joint, placed

_WORDS = {
    "left": {"left", "l"},
    "right": {"right", "r"},
    "arm": {"arm", "shoulder", "elbow", "wrist", "forearm", "bicep", "biceps", "upperarm"},
    "leg": {"leg", "hip", "knee", "ankle", "foot", "toe", "thigh", "calf", "wheel"},
    "head": {"head", "neck"},
    "hand": {"hand", "gripper", "finger", "fingers", "thumb", "index", "middle", "ring", "pinky"},
    "thumb": {"thumb"},
    "elbow": {"elbow"},
    "face": {"eye", "camera", "cam", "gaze", "nose", "face", "antenna"},
}
_CHAIN_KEYS = ("waist", "head", *ARMS)
_MOST = {"waist": 3, "head": 3, "arm": 7}
# What stands in where a URDF says nothing [rad/s, rad/s^2, rad/s^3, rad]. Slow on purpose: a robot that is
# too slow gets a complaint, one that is too quick a repair.
_VELOCITY, _ACCELERATION, _JERK, _RANGE = 2.0, 10.0, 400.0, 1.5
# Sine of the angle to a bone from which on a joint swings it; below, it turns the bone on itself.
_SWINGS = 0.5
# Radii as parts of the length of the bone; of the distance between the shoulders for the trunk and the head.
_UPPER_ARM, _FOREARM, _HAND, _LEG = 0.2, 0.18, 0.16, 0.14
_CHEST, _BELLY, _HEAD = 0.27, 0.24, 0.3
_GRIP = 0.6  # where the grip is, from the wrist to the tips
_ROOM = 0.02  # the least that ought to be between capsules at rest [m]
_BEND = 0.15  # joints of a leg that are nearer to each other are one place [m]
_FAR = 0.05  # capsules that random poses bring no nearer are out of each other's reach [m]


@dataclass
class Proposal:
    """What a robot file may say.

    Attributes:
        data: the file, as YAML gives it.
        notes: what could not be known, by key of the file.
    """

    data: dict[str, Any]
    notes: dict[str, list[str]] = field(default_factory=dict)

    def robot(self) -> Robot:
        """Return the robot the data makes."""
        return robot_of(self.data, Path(f"{self.data['name']}.yaml"))

    def note(self, key: str, text: str) -> None:
        """Remember what could not be known."""
        self.notes.setdefault(key, []).append(text)


def written(proposal: Proposal) -> str:
    """Return the text of a robot file, with what could not be known above the keys it is about."""
    lines = [
        f"# {proposal.data['title']}, as `text2gesture robot new` proposes it.",
        "# Where it says CHECK, something could not be known and was filled in with care.",
        "# The keys are explained in config/robots/pepper.yaml. Units: metres, radians, seconds.",
    ]
    for key, value in proposal.data.items():
        lines += [""] if isinstance(value, dict | list) else []
        lines += [f"# CHECK {note}." for note in proposal.notes.get(key, [])]
        if key in _CHAIN_KEYS:
            lines += [f"{key}:", "  joints:"]
            for joint in value["joints"]:
                first = {name: joint[name] for name in ("name", "xyz", "rpy", "axis")}
                rest = {name: value for name, value in joint.items() if name not in first}
                lines += [f"    - {{{_flow(first)},", f"       {_flow(rest)}}}"]
            if "landmarks" in value:
                lines += ["  landmarks:"]
                lines += [f"    {name}: {{{_flow(point)}}}" for name, point in value["landmarks"].items()]
        elif key == "hands":
            lines += ["hands:", *(f"  {name}: {{{_flow(hand)}}}" for name, hand in value.items())]
        elif isinstance(value, dict):
            lines += [f"{key}:", *(f"  {_flow({name: entry})}" for name, entry in value.items())]
        elif isinstance(value, list):
            lines += [f"{key}:", *(f"  - {_value(entry)}" for entry in value)]
        else:
            lines.append(_flow({key: value}))
    loose = [
        f"# CHECK {note}."
        for key in proposal.notes
        if key not in proposal.data
        for note in proposal.notes[key]
    ]
    return "\n".join([*lines[:3], *loose, *lines[3:]]) + "\n"


def _flow(entries: Mapping[str, Any]) -> str:
    return ", ".join(f"{_value(name)}: {_value(value)}" for name, value in entries.items())


def _value(value: Any) -> str:
    """Return a value in one line of YAML."""
    if isinstance(value, dict):
        return f"{{{_flow(value)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float):
        # YAML takes 1e-06 for a text: it wants a point.
        return np.format_float_positional(value, trim="0")
    return yaml.safe_dump(value, width=1000, allow_unicode=True).removesuffix("...\n").strip()


def propose(description: Description, name: str) -> Proposal:
    """Return a robot file for a URDF.

    Args:
        description: the URDF.
        name: of the robot.

    Raises:
        ConfigurationError: no arm is found in it, or what is found makes no robot.
    """
    result = Proposal({"name": name})
    limbs = _Limbs(description, result)
    start = limbs.waist[-1].child if limbs.waist else limbs.base
    chains = {"waist": limbs.waist, "head": limbs.head, **limbs.arms}
    chains = {key: joints for key, joints in chains.items() if joints}
    axes = _forward_left_up(description, limbs, start, result)
    result.data |= {
        "title": description.name.replace("_", " "),
        "source": f"{Path(description.where).name} (robot {description.name!r})",
        "base": limbs.base,
        "axes": {"forward": _plain(axes[0]), "up": _plain(axes[2])},
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
            points = _arm_points(description, chain, joints, key, result)
            result.data[key]["landmarks"] = _landmarks(chain, joints, points)
        elif key == "head":
            result.data[key]["landmarks"] = _landmarks(chain, joints, _head_points(chain, axes, limbs.size))
            result.note("head", "how large it is")
    result.data |= _hands(limbs, result)
    entries = [entry for key in chains for entry in result.data[key]["joints"]]
    result.data["rest"] = {entry["name"]: min(max(0.0, entry["lower"]), entry["upper"]) for entry in entries}
    result.data["rest"] |= {hand["name"]: hand["open"] for hand in result.data.get("hands", {}).values()}
    _embody(description, limbs, axes, result)
    return result


class _Limbs:
    """Which joints are what.

    Attributes:
        arms: joints of "left_arm", "right_arm" or both.
        base: link that all hangs on.
        waist: joints between the base and the arms, perhaps none.
        head: joints, perhaps none.
    """

    def __init__(self, description: Description, result: Proposal) -> None:
        self._urdf, self._result = description, result
        self.before: dict[str, Joint | None] = {}
        self.after: dict[str, list[Joint]] = {}
        for joint in description.joints.values():
            if joint.turns:
                path = description.path(description.root, joint.parent)
                before = next((other for other in reversed(path) if other.turns), None)
                self.before[joint.name] = before
                self.after.setdefault(before.name if before else "", []).append(joint)
        runs = list(self._runs())
        self.arms = self._find_arms(runs)
        self.base, self.waist = self._find_base()
        self.head = self._find_head(runs)

    def _runs(self) -> Iterable[list[Joint]]:
        """Yield joints in series without a branch, of one side, no hands."""
        for name, before in self.before.items():
            joint = self._urdf.joints[name]
            if _is("hand", name) or (before and self._next(before) is joint):
                continue
            run = [joint]
            while after := self._next(run[-1]):
                run.append(after)
            yield run

    def _next(self, joint: Joint) -> Joint | None:
        """Return the joint that continues a run: the only one behind, on the same side, no hand."""
        after = self.after.get(joint.name, [])
        goes_on = len(after) == 1 and _side(after[0]) == _side(joint) and not _is("hand", after[0].name)
        return after[0] if goes_on else None

    def _find_arms(self, runs: list[list[Joint]]) -> dict[str, list[Joint]]:
        def armlike(run: list[Joint]) -> tuple[bool, float]:
            return _is("arm", *_names(run)), sum(float(np.linalg.norm(joint.xyz)) for joint in run)

        legless = [run for run in runs if len(run) >= 2 and not _is("leg", *_names(run))]
        named = [run for run in legless if not _is("face", *_names(run))]
        arms = {}
        for arm in ARMS:
            sided = [run for run in named if _side(run[0]) == arm.removesuffix("_arm")]
            if sided:
                arms[arm] = max(sided, key=armlike)
        if not arms:
            alone = [run for run in legless if _is("arm", *_names(run))]
            if not alone:
                turning = ", ".join(self.before)[:200] or "none"
                allowed = "two or more in series, named left, right or arm"
                raise self._urdf.error("an arm", f"nowhere among the joints that turn ({turning})", allowed)
            found = max(alone, key=armlike)
            is_left = self._urdf.place(self._urdf.root, found[0].name)[0][1] > 0.02
            arm = "left_arm" if is_left else "right_arm"
            arms[arm] = found
            self._result.note(arm, "whether it stands for a left or a right arm")
        return {arm: self._shortened(joints, "arm", arm) for arm, joints in arms.items()}

    def _shortened(self, joints: list[Joint], kind: str, key: str) -> list[Joint]:
        most = _MOST[kind]
        if len(joints) > most:
            left_out = ", ".join(joint.name for joint in joints[most:])
            self._result.note(
                key, f"whether {left_out} matter: left out, at zero, as {most} joints are the most"
            )
        return joints[:most]

    def _find_base(self) -> tuple[str, list[Joint]]:
        ends = [joints[0].parent for joints in self.arms.values()]
        paths = [self._urdf.path(self._urdf.root, link) for link in ends]
        common = [steps[0] for steps in zip(*paths, strict=False) if len(set(steps)) == 1]
        waist: list[Joint] = []
        for joint in reversed([joint for joint in common if joint.turns]):
            if _is("leg", *_names([joint])) or len(waist) == _MOST["waist"]:
                break  # legs carry the trunk of some robots; they are no waist
            waist.insert(0, joint)
        if waist:
            return waist[0].parent, waist
        return common[-1].child if common else self._urdf.root, []

    def _find_head(self, runs: list[list[Joint]]) -> list[Joint]:
        start = self.waist[-1].child if self.waist else self.base
        heads = [run for run in runs if not _side(run[0]) and _is("head", *_names(run))]
        heads = [
            run for run in heads if run[0] not in self.waist and _hangs(self._urdf, start, run[0].parent)
        ]
        if not heads:
            self._result.note("head", "whether it moves: found no joints of a head or neck")
            return []
        return self._shortened(max(heads, key=len), "head", "head")

    @property
    def size(self) -> float:
        """Distance between the shoulders, or what it would be [m]."""
        places = [self._urdf.place(self.base, joints[0].name)[0] for joints in self.arms.values()]
        if len(places) == 2:
            return float(np.linalg.norm(places[0] - places[1]))
        (joints,) = self.arms.values()
        reach = sum(float(np.linalg.norm(joint.xyz)) for joint in joints[1:])
        aside = 2.0 * abs(float(places[0][1]))
        return aside if aside > 0.2 * reach else 0.7 * reach


def _forward_left_up(urdf: Description, limbs: _Limbs, start: str, result: Proposal) -> Array:
    """Return forward, left and up (3, 3) in the base: its axes nearest to where shoulders and head lie."""
    up = np.array([0.0, 0.0, 1.0])
    if len(limbs.arms) < 2:
        result.note("axes", "which way is forward: taken as x, with z up")
        return np.eye(3)
    left_arm, right_arm = (urdf.place(start, limbs.arms[arm][0].name)[0] for arm in ARMS)
    left = _snapped(left_arm - right_arm)
    if limbs.head:
        above = urdf.place(start, limbs.head[-1].name)[0] - (left_arm + right_arm) / 2.0
        above -= (above @ left) * left
        # A head is above the shoulders, but on some robots well in front of them too.
        if above @ up < 0.3 * np.linalg.norm(above):
            up = _snapped(above)
            result.note("axes", "which way is up: taken from shoulders to head")
    if abs(up @ left) > 0.5:
        up = np.roll(np.abs(left), 1)
        result.note("axes", "which way is up")
    return np.array([np.cross(left, up), left, up])


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
            "xyz": _plain(chain.origins[index]),
            "rpy": _plain(_rpy(chain.rotations[index])),
            "axis": _plain(joint.axis),
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
    """Return lower, upper and velocity, with something careful in place of what is in doubt."""
    lower, upper, velocity = joint.lower, joint.upper, joint.velocity
    doubts = joint.doubts()
    if joint.kind == "continuous":
        lower, upper = -np.pi, np.pi
    elif lower is not None and upper is not None and lower < upper and {"lower", "upper"} & set(doubts):
        lower, upper = np.radians([lower, upper]).clip(-MAX_ANGLE, MAX_ANGLE)
    elif doubts.keys() & {"lower", "upper"}:
        lower, upper = -_RANGE, _RANGE
    if "velocity" in doubts:
        velocity = _VELOCITY
    values = {"lower": lower, "upper": upper, "velocity": velocity}
    return {name: _rounded(float(value or 0.0)) for name, value in values.items()}


# Points of the body: index of the joint each is fixed to, and where it is with all joints at zero.
_Points = dict[str, tuple[int, Array]]


def _landmarks(chain: Chain, joints: list[Joint], points: _Points) -> dict[str, Any]:
    """Return points as a robot file has them, in the frames of their joints."""
    turns, places = chain.frames(np.zeros(len(joints)))
    return {
        name: {"joint": joints[at].name, "xyz": _point(turns[at].T @ (point - places[at]))}
        for name, (at, point) in points.items()
    }


def _head_points(chain: Chain, axes: Array, size: float) -> _Points:
    turns, places = chain.frames(np.zeros(len(chain.joints)))
    last = len(chain.joints) - 1
    # A head that is mounted with a tilt looks along its own axes.
    forward, up = (
        turns[-1] @ _snapped(turns[-1].T @ axis) if np.abs(turns[-1].T @ axis).max() > 0.9 else axis
        for axis in axes[[0, 2]]
    )
    head = places[-1] + _HEAD * size * up
    # As a human's at ease: then a human who looks ahead has the robot look ahead.
    gaze = normalise(REFERENCE[INDEX["nose"]] - REFERENCE[INDEX["head"]])
    nose = head + _HEAD * size * (gaze[0] * forward + gaze[2] * up)
    return {"neck": (0, places[0]), "head": (last, head), "nose": (last, nose)}


def _arm_points(urdf: Description, chain: Chain, joints: list[Joint], arm: str, result: Proposal) -> _Points:
    """Return shoulder, elbow, wrist, hand and thumb, from what the joints do."""
    turns, places = chain.frames(np.zeros(len(joints)))
    directions = np.einsum("mij,mj->mi", turns, chain.axes)
    last = len(joints) - 1
    end, thumb = (places[-1] + turns[-1] @ point for point in _ends(urdf, joints[-1]))
    elbow = _elbow(chain, joints, end)
    if elbow is None:
        result.note(arm, "where its elbow is: taken half-way to the hand")

    def swings(joint: int, towards: Array, least: float) -> bool:
        along = towards - places[joint]
        length = float(np.linalg.norm(along))
        return length > least and float(np.linalg.norm(np.cross(directions[joint], along))) > _SWINGS * length

    middle = places[elbow] if elbow is not None else (places[0] + end) / 2.0
    shoulder = max((j for j in range(elbow or last + 1) if swings(j, middle, 0.02)), default=0)
    upper = middle - places[shoulder]
    length = float(np.linalg.norm(upper))
    after = range(last + 1 if elbow is None else elbow + 1, last + 1)
    far = [joint for joint in after if np.linalg.norm(places[joint] - middle) > 0.25 * length]
    # Where the hand bends; if it does not, the last joint of the forearm.
    bends = [joint for joint in far if swings(joint, middle, 0.0)]
    wrist = bends[0] if bends else far[-1] if far else None
    fore = normalise((end if wrist is None else places[wrist]) - middle)
    # The hand, and without a wrist the whole forearm, may end where the URDF has no link.
    begin, least, usual = (middle, 0.4, 1.2) if wrist is None else (places[wrist], 0.15, 0.4)
    if np.linalg.norm(end - begin) < least * length:
        result.note(arm, "how far the hand reaches: nothing in the URDF is at its end")
        end = begin + usual * length * (normalise(upper) if wrist is None else fore)
    at = middle + 0.75 * (end - middle) if wrist is None else places[wrist]
    hand = at + _GRIP * (end - at)
    if np.isnan(thumb).any():
        result.note(arm, "where a human's thumb would be: taken to point forward and inward at rest")
        thumb = hand
    return {
        "shoulder": (shoulder, places[shoulder]),
        "elbow": (elbow if elbow is not None else last, middle),
        "wrist": (wrist if wrist is not None else last, at),
        "hand": (last, hand),
        "thumb": (last, thumb),
    }


def _elbow(chain: Chain, joints: list[Joint], end: Array) -> int | None:
    """Return the joint that bends with the most arm on both of its sides; `end` (3,) is in the base."""
    turns, places = chain.frames(np.zeros(len(joints)))
    line = np.concatenate([places, end[None]])
    lengths = np.linalg.norm(np.diff(line, axis=0), axis=-1)
    bends = []
    for joint in range(1, len(joints)):
        onward = next(
            (line[k] - line[joint] for k in range(joint, len(line)) if lengths[joint:k].sum() > 0.02), None
        )
        axis = turns[joint] @ chain.axes[joint]
        if onward is None or np.linalg.norm(np.cross(axis, normalise(onward))) > _SWINGS:
            bends.append((float(min(lengths[:joint].sum(), lengths[joint:].sum())), joint))
    named = [bend for bend in bends if _is("elbow", *_names([joints[bend[1]]]))]
    if named:
        return max(named)[1]
    best = max(bends, default=(0.0, 0))
    return best[1] if best[0] > 0.15 * lengths.sum() else None


def _ends(urdf: Description, joint: Joint) -> tuple[Array, Array]:
    """Return the farthest origin of a link behind a joint, and of a thumb, (3,) in its frame; none is NaN."""
    behind = [link for link in urdf.above if link != joint.child and _hangs(urdf, joint.child, link)]
    points = {link: placed(urdf.path(joint.child, link))[0] for link in behind}
    thumbs = [point for link, point in points.items() if _is("thumb", link)]
    nowhere = np.full(3, np.nan)
    farthest = max(points.values(), key=lambda point: float(np.linalg.norm(point)), default=np.zeros(3))
    return farthest, max(thumbs, key=lambda point: float(np.linalg.norm(point)), default=nowhere)


def _hands(limbs: _Limbs, result: Proposal) -> dict[str, Any]:
    """Return the hands that one joint of their own opens and closes, under the key of the file."""
    hands = {}
    for arm, joints in limbs.arms.items():
        found = [joint for joint in limbs.after.get(joints[-1].name, []) if _is("hand", joint.name)]
        if len(found) == 1:
            _note_doubts(found, "hands", result)
            limits = _limits(found[0])
            hands[arm.replace("arm", "hand")] = {
                "name": found[0].name,
                "open": limits["upper"],
                "closed": limits["lower"],
                "velocity": limits["velocity"],
            }
    if hands:
        result.note("hands", "which end is open: taken to be the upper")
    return {"hands": hands} if hands else {}


def _hang(result: Proposal, apart: float = 0.0) -> None:
    """Solve for the rest pose: arms and gaze as a human's at ease, the arms `apart` farther out [rad]."""
    data, robot = result.data, result.robot()
    if robot.head:
        goals = {"gaze": _at_ease("", "gaze", 0.0) @ robot.axes}
        _settle(result, robot, robot.head, _solved(robot, robot.head, "", ("gaze",), goals))
    for arm, chain in robot.arms.items():
        side = arm.removesuffix("arm")
        bones = ("upper_arm", "forearm", "hand", "thumb")
        goals = {bone: _at_ease(side, bone, apart) @ robot.axes for bone in bones}
        if data[arm]["landmarks"]["thumb"] == data[arm]["landmarks"]["hand"]:
            bones = bones[:3]  # nobody knows where the thumb is: it shall then be where it belongs at rest
        signs = _mirrored(robot) if arm == "right_arm" and "left_arm" in robot.arms else None
        if signs is None:
            solved = _solved(robot, chain, side, bones, goals)
        else:
            left = [data["rest"][robot.joint_names[joint]] for joint in robot.arms["left_arm"].joints]
            solved = np.clip(signs * left, robot.lower[list(chain.joints)], robot.upper[list(chain.joints)])
        _settle(result, robot, chain, solved)
        if "thumb" not in bones:
            rest = np.array([data["rest"][name] for name in robot.joint_names])
            points, (turns, places) = robot.points(rest), robot.frames(rest)
            length = 0.6 * float(np.linalg.norm(points[side + "hand"] - points[side + "wrist"]))
            thumb = points[side + "wrist"] + length * goals["thumb"]
            last = chain.joints[-1]
            data[arm]["landmarks"]["thumb"]["xyz"] = _point(turns[last].T @ (thumb - places[last]))


def _settle(result: Proposal, robot: Robot, chain: Chain, angles: Array) -> None:
    names = [robot.joint_names[joint] for joint in chain.joints]
    angles = np.clip(np.round(angles, 4), robot.lower[list(chain.joints)], robot.upper[list(chain.joints)])
    result.data["rest"] |= {name: float(angle) + 0.0 for name, angle in zip(names, angles, strict=True)}


_BONES = {
    "gaze": ("head", "nose"),
    "upper_arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
    "hand": ("wrist", "hand"),
    "thumb": ("wrist", "thumb"),
}
# How much a bone counts in the rest pose.
_COUNTS = {"gaze": 1.0, "upper_arm": 1.0, "forearm": 1.0, "hand": 0.4, "thumb": 0.3}
_PULL = 0.05  # of what no bone asks for, towards zero [1/rad]


def _at_ease(side: str, bone: str, apart: float) -> Array:
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
        parts = [_PULL * angles]
        for bone in bones:
            start, end = _BONES[bone]
            direction = normalise(points[side + end] - points[side + start])
            parts.append(_COUNTS[bone] * (direction - goals[bone]))
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
    axes = left.zero_axes()
    # What turns about an axis turns, in a mirror, the other way about the mirrored axis.
    mirrored = 2.0 * np.outer(axes @ across, across) - axes
    signs = np.einsum("mi,mi->m", mirrored, right.zero_axes())
    return np.asarray(np.sign(signs)) if (np.abs(signs) > 0.99).all() else None


def _embody(urdf: Description, limbs: _Limbs, axes: Array, result: Proposal) -> None:
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
        entry |= {"start": _point(start)} | (
            {"end": _point(end)} if np.linalg.norm(end - start) > 1e-3 else {}
        )
        data["capsules"].append(entry | {"radius": round(radius, 3)})

    def bar(name: str, joint: int, part: float, down: float, wide: float) -> None:
        """Add what lies across the trunk: so far below the shoulders, so wide to each side."""
        across = wide * size * left
        centre = middle - down * size * up
        add(name, joint, part * size, centre + across, centre - across)

    shoulders = [points[arm.removesuffix("arm") + "shoulder"] for arm in robot.arms]
    middle = np.mean(shoulders, axis=0)
    if len(shoulders) == 2:
        size = float(np.linalg.norm(shoulders[0] - shoulders[1]))
    else:  # the other one is missing, not the trunk between them
        middle += 0.5 * size * (left if "right_arm" in robot.arms else -left)
    trunk = robot.waist.joints[-1] if robot.waist else BASE
    bar("chest", trunk, _CHEST, 0.15, 0.17)
    bar("belly", trunk, _BELLY, 0.6, 0.05)
    bar("hip", BASE, _BELLY, 1.05, 0.1)
    for name, line in _legs(urdf, limbs).items():
        for number, (start, end) in enumerate(pairwise(line), 1):
            add(f"{name}_{number}", BASE, _LEG * float(np.linalg.norm(end - start)), start, end)
    if robot.head:
        add("head", robot.head.joints[-1], _HEAD * size, points["head"], points["head"])
    else:
        bar("head", trunk, _HEAD, -_HEAD - 0.25, 0.0)
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
        add(side + "hand", chain.joints[-1], _HAND * fore, wrist, wrist + (hand - wrist) / _GRIP)
    data["ignored_pairs"] = [["head", "chest"]] + ([["belly", "hip"]] if robot.waist else [])
    for arm in robot.arms:
        side = arm.removesuffix("arm")
        data["ignored_pairs"] += [[side + "upper_arm", "chest"], [side + "upper_arm", side + "forearm"]]
        data["ignored_pairs"] += [[side + "forearm", side + "hand"]]
    for apart in np.arange(0.0, 0.6, 0.05):
        _hang(result, float(apart))
        robot = result.robot()
        arms = {joint for chain in robot.arms.values() for joint in chain.joints}
        moved = [any(robot.capsules[index].joint in arms for index in pair) for pair in robot.pairs]
        if Clearance(robot).distances(robot.rest)[moved].min(initial=np.inf) >= _ROOM:
            break
    _ignore(result)


def _legs(urdf: Description, limbs: _Limbs) -> dict[str, list[Array]]:
    """Return where each leg bends (3,) [m], from the trunk outwards in the base, by name of the leg."""
    top = limbs.base
    while top in urdf.above and urdf.above[top].kind == "fixed":
        top = urdf.above[top].parent
    origin, turn = placed(urdf.path(top, limbs.base))
    legs: dict[str, list[Array]] = {}
    for name, joint in urdf.joints.items():
        is_leg = joint.turns and _side(joint) and _is("leg", *_names([joint]))
        if is_leg and _hangs(urdf, top, joint.parent):
            place = turn.T @ (urdf.place(top, name)[0] - origin)
            line = legs.setdefault(f"{_side(joint)}_leg", [])
            if not line or np.linalg.norm(place - line[-1]) > _BEND:
                line.append(place)
    return legs


def _carrier(chain: Chain, start: int, end: int, point: Array, turns: Array, places: Array) -> int:
    """Return the joint in whose frame a bone is fixed: that of its start, unless its end moves in it."""
    for index in range(start + 1, end):
        joint = chain.joints[index]
        if np.linalg.norm(np.cross(turns[joint] @ chain.axes[index], point - places[joint])) > 0.005:
            return chain.joints[end - 1]
    return chain.joints[start]


def _ignore(result: Proposal) -> None:
    """Ignore what touches at rest, and what random poses never bring near."""
    robot = result.robot()
    clearance = Clearance(robot)
    generator = np.random.default_rng(0)
    poses = generator.uniform(robot.lower, robot.upper, (4000, len(robot.lower)))
    nearest = clearance.distances(poses).min(axis=0)
    resting = clearance.distances(robot.rest)
    names = [capsule.name for capsule in robot.capsules]
    ignored = result.data["ignored_pairs"]
    far, touching = nearest > _FAR, resting <= 0.0
    for index, name in enumerate(names):
        if far[(robot.pairs == index).any(axis=1)].all():
            ignored.append([name, "*"])
            far &= ~(robot.pairs == index).any(axis=1)
    for (one, other), is_far, touches in zip(robot.pairs, far, touching, strict=True):
        if touches:
            what = f"whether {names[one]} and {names[other]} may touch: by these sizes they do at rest"
            result.note("ignored_pairs", what)
        if touches or is_far:
            ignored.append([names[one], names[other]])


def _hangs(urdf: Description, base: str, link: str) -> bool:
    """Return whether `link` is `base` or hangs behind it."""
    while link != base and link in urdf.above:
        link = urdf.above[link].parent
    return link == base


def _words(name: str) -> set[str]:
    """Return the words of a name: `LShoulderPitch` and `left_arm_2` have three each."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def _is(what: str, *names: str) -> bool:
    """Return whether any name has a word for something."""
    return any(_words(name) & _WORDS[what] for name in names)


def _names(joints: Iterable[Joint]) -> list[str]:
    return [name for joint in joints for name in (joint.name, joint.child)]


def _side(joint: Joint) -> str:
    """Return left, right or nothing, by the joint's name or else its link's."""
    for name in (joint.name, joint.child):
        for side in ("left", "right"):
            if _is(side, name):
                return side
    return ""


def _snapped(vector: Array) -> Array:
    """Return the axis nearest to a direction, (3,)."""
    axis = np.zeros(3)
    largest = int(np.abs(vector).argmax())
    axis[largest] = np.sign(vector[largest])
    return axis


def _rpy(turn: Array) -> Array:
    """Return roll, pitch and yaw (3,) of a rotation (3, 3) [rad]."""
    pitch = np.arctan2(-turn[2, 0], np.hypot(turn[0, 0], turn[1, 0]))
    if np.cos(pitch) < 1e-6:  # looking straight up or down: all is roll
        return np.array([np.arctan2(-turn[1, 2], turn[1, 1]), pitch, 0.0])
    return np.array([np.arctan2(turn[2, 1], turn[2, 2]), pitch, np.arctan2(turn[1, 0], turn[0, 0])])


def _rounded(value: float) -> float:
    """Return a number as a file shows it: what adds up to nothing anywhere is left out."""
    return float(f"{value:.8g}") if abs(value) > 1e-7 else 0.0


def _plain(vector: Array) -> list[float]:
    return [_rounded(float(value)) for value in vector]


def _point(vector: Array) -> list[float]:
    """Return a point of the body, of which a tenth of a millimetre is plenty."""
    return [round(float(value), 4) + 0.0 for value in vector]
