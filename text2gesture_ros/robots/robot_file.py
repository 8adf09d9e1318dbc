"""A robot from its YAML file, checked throughout; the keys are explained in config/robots/pepper.yaml."""

import fnmatch
from collections.abc import Mapping
from itertools import combinations, pairwise, product
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import yaml

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.geometry import Array, dot, normalise, rotation_from_rpy
from text2gesture_ros.gestures import ARMS, GROUPS
from text2gesture_ros.resources import find_robot_file, read_limited
from text2gesture_ros.robots.arm_interface import read_arm_interface
from text2gesture_ros.robots.checked_values import CheckedValues, label
from text2gesture_ros.robots.robot import BASE, Capsule, Chain, Hand, Robot
from text2gesture_ros.robots.urdf import Description, load_urdf, read_urdf

MAX_FILE_BYTES = 256 * 1024
"""Of a robot file."""

MAX_RADIUS = 2.0
"""Of a capsule; robots with larger ones are not given in metres [m]."""

# More capsules are a mistake: their pairs would take minutes to check.
_MAX_CAPSULES = 64
# Points closer than this coincide [m].
_SAME_PLACE = 1e-3
# Sine of the angle between two axes below which they count as parallel.
_PARALLEL = 0.02
# Minimum and maximum number of joints of each chain, in the order of the joints of a robot.
_CHAINS = {group: (2, 7) if group in ARMS else (1, 3) for group in GROUPS}
_ARM_LANDMARKS = ("shoulder", "elbow", "wrist", "hand", "thumb")
_LANDMARKS = {
    "waist": (),
    "head": ("neck", "head", "nose"),
    **dict.fromkeys(ARMS, _ARM_LANDMARKS),
}
_JOINT_KEYS = ("name", "xyz", "rpy", "axis", "lower", "upper", "velocity")
_OWN_LIMITS = ("acceleration", "jerk")
_KEYS = ("name", "title", "source", "base", "limits", "rest")
_MORE_KEYS = ("urdf", "axes", *_CHAINS, "hands", "arm_sdk", "capsules", "ignored_pairs", "drawing")


def load_robot(robot: str, description: str | None = None) -> Robot:
    """Return the robot given by name (`pepper`) or by the path of its YAML file.

    Args:
        robot: name or path; behind a colon the name of a set of its limits (`g1:seated`), else its first.
        description: a URDF, as /robot_description carries it, in place of the file under the key `urdf`;
            ignored where the YAML has no such key.

    Raises:
        ConfigurationError: there is no such robot, or its file is wrong: where, what was given, what is
        allowed.
    """
    name, limit_set = named_limits(robot)
    return read_robot(find_robot_file(name), description, limit_set)


def named_limits(robot: str) -> tuple[str, str]:
    """Return name or path of a robot and the set of limits behind a colon, empty where there is none."""
    name, colon, limit_set = robot.rpartition(":")
    return (name, limit_set) if colon and limit_set.isidentifier() and name else (robot, "")


def read_robot(path: Path, description: str | None = None, limit_set: str = "") -> Robot:
    """Return the robot of a YAML file; see `load_robot`."""
    try:
        data = yaml.safe_load(read_limited(path, MAX_FILE_BYTES).decode("utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise ConfigurationError(f"{path}: no readable YAML: {' '.join(str(error).split())}") from None
    return robot_of(data, path, description, limit_set)


def robot_of(data: Any, path: Path, description: str | None = None, limit_set: str = "") -> Robot:
    """Return the robot of a parsed file; `path` is named in errors and gives the robot its name.

    Raises:
        ConfigurationError: as `load_robot`.
    """
    return _RobotFile(path, description, limit_set).robot(data)


class _RobotFile(CheckedValues):
    """Reads a Robot from the values of its file."""

    def __init__(self, path: Path, description: str | None, limit_set: str) -> None:
        super().__init__(path)
        self._limit_set = limit_set
        self._text_given = description
        self._description: Description | None = None
        self._joints: list[dict[str, Any]] = []

    def robot(self, data: Any) -> Robot:
        top = self.mapping(data, "the file", _KEYS, _MORE_KEYS)
        name = self.text(top["name"], "name")
        if name != self.path.stem:
            raise self.error("name", name, f"{self.path.stem!r}, as the file is called")
        limit_set, limits = self._limits(top["limits"])
        if not set(top) & {*ARMS, "head"}:
            raise ConfigurationError(f"{self.path}: the file lacks an arm or a head: {', '.join(ARMS)}, head")
        self._description = self._described(top["urdf"]) if "urdf" in top else None
        start = base = self.text(top["base"], "base")
        chains: dict[str, Chain] = {}
        for key in _CHAINS:
            if key in top:
                chains[key] = self._chain(top[key], key, start)
            if key == "waist" and key in top:
                start = self._joints[-1]["child"]
        hands = self._hands(top.get("hands", {}), chains)
        joints = self._joints
        names = tuple(joint["name"] for joint in joints)

        rest = self.mapping(top["rest"], "rest", names, hint=" (no joint of the chains has this name)")
        for joint in joints:
            where = f"rest.{joint['name']}"
            angle = self.number(rest[joint["name"]], where)
            if not joint["lower"] <= angle <= joint["upper"]:
                raise self.error(where, angle, f"an angle in [{joint['lower']}, {joint['upper']}]")
            joint["rest"] = angle

        def column(key: str, fallback: float = 0.0) -> Array:
            return _frozen([joint.get(key, fallback) for joint in joints])

        def most(joint: dict[str, Any], key: str) -> float:
            own = float(joint.get(key, limits[key]))
            return min(own, limits[key]) if limit_set else own

        cap, in_hands = limits.get("velocity", np.inf), {hand.joint for hand in hands.values()}
        capsules = self._capsules(top.get("capsules", []), names)
        fixed, lines = self._drawing(top.get("drawing"), chains)
        return Robot(
            name=name,
            title=self.text(top["title"], "title"),
            source=self.text(top["source"], "source"),
            base=base,
            axes=self._axes(top.get("axes", {"forward": [1, 0, 0], "up": [0, 0, 1]})),
            joint_names=names,
            lower=column("lower"),
            upper=column("upper"),
            velocity=_frozen(
                [
                    # What a hand counts in is its own: no cap in rad/s applies to it.
                    min(limits["velocity_fraction"] * joint["velocity"], np.inf if at in in_hands else cap)
                    for at, joint in enumerate(joints)
                ]
            ),
            acceleration=_frozen([most(joint, "acceleration") for joint in joints]),
            jerk=_frozen([most(joint, "jerk") for joint in joints]),
            limit_set=limit_set,
            arm_interface=read_arm_interface(self, top["arm_sdk"], names) if "arm_sdk" in top else None,
            rest=column("rest"),
            waist=chains.get("waist"),
            head=chains.get("head"),
            arms=MappingProxyType({arm: chains[arm] for arm in ARMS if arm in chains}),
            hands=MappingProxyType(hands),
            capsules=capsules,
            pairs=self._pairs(top.get("ignored_pairs", []), capsules),
            lines=lines,
            fixed_points=fixed,
        )

    def _limits(self, data: Any) -> tuple[str, dict[str, float]]:
        """Return the name and the values of the set of limits that was asked for, or of the first."""
        required = ("velocity_fraction", *_OWN_LIMITS)
        name, where, limits = "", "limits", data
        if isinstance(data, dict) and not set(data) & {*required, "velocity"} and data:
            for known in data:
                self.mapping(data[known], f"limits.{known}", required, ("velocity",))
            name = self._limit_set or str(next(iter(data)))
            if name not in data:
                raise self.error("limits", name, f"one of {', '.join(map(str, data))}")
            where, limits = f"limits.{name}", data[name]
        elif self._limit_set:
            raise self.error("limits", self._limit_set, "no name, as this file has one set of limits only")
        limits = self.mapping(limits, where, required, ("velocity",))
        return name, {
            key: self.number(value, f"{where}.{key}", 0.0, 1.0 if key == "velocity_fraction" else 1e6)
            for key, value in limits.items()
        }

    def _described(self, file: Any) -> Description:
        """Return the URDF that was given, or else that in a file beside this one."""
        if self._text_given is not None:
            return read_urdf(self._text_given, "robot_description")
        folder = self.path.resolve().parent
        path = (folder / self.text(file, "urdf")).resolve()
        if not path.is_relative_to(folder):
            raise self.error("urdf", file, f"a file in {folder}, or in a folder of it")
        return load_urdf(path)

    def _chain(self, data: Any, where: str, start: str) -> Chain:
        """Read a chain that starts from the link `start` and append its joints."""
        chain = self.mapping(data, where, ("joints",), ("tips", "landmarks") if _LANDMARKS[where] else ())
        listed = chain["joints"]
        least, most = _CHAINS[where]
        if not isinstance(listed, list) or not least <= len(listed) <= most:
            what = f"a list of {len(listed)}" if isinstance(listed, list) else listed
            raise self.error(f"{where}.joints", what, f"a list of {least} to {most} joints")
        first = len(self._joints)
        for index, entry in enumerate(listed):
            here = f"{where}.joints[{index}]"
            if isinstance(entry, dict) and isinstance(entry.get("name"), str):
                here += f" ({label(entry['name'])})"
            self._joints.append(self._joint(entry, here, self._joints[-1]["child"] if index else start))
        joints = self._joints[first:]
        result = Chain(
            joints=tuple(range(first, len(self._joints))),
            origins=_frozen([joint["xyz"] for joint in joints]),
            rotations=_frozen([joint["rotation"] for joint in joints]),
            axes=_frozen([joint["axis"] for joint in joints]),
            landmarks=MappingProxyType(self._landmarks(chain, where, joints)),
        )
        self._check_geometry(result, where, [label(joint["name"]) for joint in joints])
        return result

    def _joint(self, entry: Any, here: str, before: str) -> dict[str, Any]:
        """Read a joint; `before` is the link of the one before it, of use where there is a URDF."""
        required = _JOINT_KEYS if self._description is None else ("name",)
        optional = _OWN_LIMITS if self._description is None else (*_JOINT_KEYS[1:], *_OWN_LIMITS)
        joint = dict(self.mapping(entry, here, required, optional))
        joint["name"] = self._new_name(joint["name"], here)
        joint["child"] = ""
        if self._description is not None:
            joint = self._from_description(self._description, joint, here, before) | joint
            joint["child"] = self._description.joints[joint["name"]].child
        joint["lower"] = self.angle(joint["lower"], f"{here}.lower")
        joint["upper"] = self.angle(joint["upper"], f"{here}.upper")
        if joint["lower"] >= joint["upper"]:
            raise self.error(f"{here}.lower", joint["lower"], f"less than upper ({joint['upper']})")
        for key in ("velocity", *_OWN_LIMITS):
            if key in joint:
                joint[key] = self.number(joint[key], f"{here}.{key}", above=0.0)
        joint["axis"] = self.direction(joint["axis"], f"{here}.axis")
        joint["xyz"] = self.vector(joint["xyz"], f"{here}.xyz")
        if "rpy" in joint:
            rpy = self.vector(joint["rpy"], f"{here}.rpy")
            joint["rotation"] = rotation_from_rpy(*(self.angle(float(turn), f"{here}.rpy") for turn in rpy))
        return joint

    def _from_description(
        self, description: Description, joint: dict[str, Any], here: str, before: str
    ) -> dict[str, Any]:
        """Return a joint as the URDF has it; limits that are invalid there must be in the YAML."""
        written = description.driven(joint["name"])
        for key, doubt in written.doubts().items():
            if key not in joint:
                raise description.error(
                    f"joint {label(joint['name'])!r}, limit {key}", doubt, f"{key} in {self.path}, {here}"
                )
        place, turn = description.place(before, joint["name"])
        return {
            "xyz": place.tolist(),
            "rotation": turn,
            "axis": written.axis.tolist(),
            # A continuous joint may turn half a turn either way, as much as an arm needs.
            "lower": -np.pi if written.kind == "continuous" else written.lower,
            "upper": np.pi if written.kind == "continuous" else written.upper,
            "velocity": written.velocity,
        }

    def _landmarks(
        self, chain: dict[str, Any], where: str, joints: list[dict[str, Any]]
    ) -> dict[str, tuple[int, Array]]:
        """Return the points of a chain: those of joints, those behind the last one (tips), the usual ones."""
        names, known = [joint["name"] for joint in joints], _LANDMARKS[where]
        result = {}
        if where == "head":
            result["neck"] = (0, _frozen(np.zeros(3)))
        elif len(joints) in (
            4,
            5,
        ):  # two shoulder joints, two elbow joints, perhaps one that rolls the forearm
            usual = {"shoulder": 1, "elbow": 3} | ({"wrist": 4} if len(joints) == 5 else {})
            result = {name: (joint, _frozen(np.zeros(3))) for name, joint in usual.items()}
        tips = self.mapping(chain.get("tips", {}), f"{where}.tips", (), known)
        for name, point in tips.items():
            result[name] = (len(names) - 1, _frozen(self.vector(point, f"{where}.tips.{name}")))
        landmarks = self.mapping(chain.get("landmarks", {}), f"{where}.landmarks", (), known)
        for name, entry in landmarks.items():
            here = f"{where}.landmarks.{name}"
            if name in tips:
                raise self.error(here, entry, "a name that is not among the tips")
            point = self.mapping(entry, here, ("joint", "xyz"))
            joint = self.one_of(point["joint"], f"{here}.joint", names)
            result[name] = (names.index(joint), _frozen(self.vector(point["xyz"], f"{here}.xyz")))
        if where in ARMS and len(joints) == 4 and "hand" in result:
            result.setdefault("wrist", result["hand"])  # without a wrist joint the forearm ends at the hand
        missing = [name for name in known if name not in result]
        if missing:
            raise ConfigurationError(
                f"{self.path}: {where} lacks the landmark {missing[0]!r}, under landmarks or tips"
            )
        return {name: result[name] for name in known}

    def _check_geometry(self, chain: Chain, where: str, names: list[str]) -> None:
        """Refuse chains without a solution: a bone of no length, or that no joint turns; coinciding axes."""
        axes = chain.zero_axes()
        turns, places = chain.frames(np.zeros(len(names)))
        for one, (axis, other) in enumerate(pairwise(axes)):
            apart = np.cross(places[one + 1] - places[one], axis)
            if np.linalg.norm(np.cross(axis, other)) < _PARALLEL and np.linalg.norm(apart) < _SAME_PLACE:
                raise ConfigurationError(
                    f"{self.path}: {where}.joints[{one}..{one + 1}]: {names[one]} and {names[one + 1]} turn"
                    " about the same line. Allowed: axes that are parallel and apart, or at an angle"
                )
        points = {name: places[at] + turns[at] @ point for name, (at, point) in chain.landmarks.items()}
        bones = {"head to nose": ("head", "nose")}
        if where in ARMS:
            bones = {"upper arm": ("shoulder", "elbow"), "forearm": ("elbow", "wrist")}
        for bone, (start, end) in bones.items() if points else ():
            along = points[end] - points[start]
            if np.linalg.norm(along) < _SAME_PLACE:
                raise ConfigurationError(
                    f"{self.path}: {where}: {bone} is {np.linalg.norm(along):.2g} m long."
                    f" Allowed: at least {_SAME_PLACE} m from {start} to {end}"
                )
            moving = axes[: chain.landmarks[end][0] + 1]
            if not (np.linalg.norm(np.cross(moving, normalise(along)), axis=-1) > _PARALLEL).any():
                raise ConfigurationError(
                    f"{self.path}: {where}: no joint turns the {bone}. Allowed: a joint before it, across it"
                )

    def _hands(self, data: Any, chains: Mapping[str, Chain]) -> dict[str, Hand]:
        """Read the hands and append their joints."""
        allowed = tuple(arm.replace("arm", "hand") for arm in ARMS if arm in chains)
        hands = {}
        for key, entry in self.mapping(data, "hands", (), allowed).items():
            where = f"hands.{key}"
            joint = dict(self.mapping(entry, where, ("name", "open", "closed", "velocity"), _OWN_LIMITS))
            joint["name"] = self._new_name(joint["name"], where)
            opened, closed = (self.number(joint[state], f"{where}.{state}") for state in ("open", "closed"))
            if opened == closed:
                raise self.error(f"{where}.open", opened, "another position than closed")
            joint["lower"], joint["upper"] = min(opened, closed), max(opened, closed)
            for limit in ("velocity", *_OWN_LIMITS):
                if limit in joint:
                    joint[limit] = self.number(joint[limit], f"{where}.{limit}", above=0.0)
            hands[key] = Hand(len(self._joints), opened, closed)
            self._joints.append(joint)
        return hands

    def _axes(self, data: Any) -> Array:
        axes = self.mapping(data, "axes", ("forward", "up"))
        forward, up = (self.direction(axes[key], f"axes.{key}") for key in ("forward", "up"))
        if abs(dot(forward, up)) > 1e-3:
            raise self.error("axes.up", axes["up"], "a direction at a right angle to forward")
        left = normalise(np.cross(up, forward))
        return _frozen([forward, left, np.cross(forward, left)])

    def _capsules(self, data: Any, names: tuple[str, ...]) -> tuple[Capsule, ...]:
        if not isinstance(data, list) or len(data) > _MAX_CAPSULES:
            raise self.error("capsules", data, f"a list of at most {_MAX_CAPSULES} capsules")
        capsules: dict[str, Capsule] = {}
        for index, entry in enumerate(data):
            where = f"capsules[{index}]"
            capsule = self.mapping(entry, where, ("name", "start", "radius"), ("joint", "end"))
            name = self.text(capsule["name"], f"{where}.name")
            where += f" ({label(name)})"
            if name in capsules:
                raise self.error(f"{where}.name", name, "a name no other capsule has")
            joint = BASE
            if "joint" in capsule:
                joint = names.index(self.one_of(capsule["joint"], f"{where}.joint", names))
            start = self.vector(capsule["start"], f"{where}.start")
            end = self.vector(capsule["end"], f"{where}.end") if "end" in capsule else start
            radius = self.number(capsule["radius"], f"{where}.radius", above=0.0, most=MAX_RADIUS)
            capsules[name] = Capsule(name, joint, _frozen(start), _frozen(end), radius)
        return tuple(capsules.values())

    def _pairs(self, data: Any, capsules: tuple[Capsule, ...]) -> np.ndarray[Any, np.dtype[np.intp]]:
        """Return the pairs (P, 2) that may touch: not on one link, and not ignored."""
        if not isinstance(data, list):
            raise self.error("ignored_pairs", data, "a list of pairs of names of capsules")
        index = {capsule.name: number for number, capsule in enumerate(capsules)}
        ignored = set()
        for number, pair in enumerate(data):
            where = f"ignored_pairs[{number}]"
            if not isinstance(pair, list) or len(pair) != 2:
                raise self.error(where, pair, "two names of capsules")
            ignored |= set(map(frozenset, product(*(self._matching(name, where, index) for name in pair))))
        pairs = [
            pair
            for pair in combinations(range(len(capsules)), 2)
            if capsules[pair[0]].joint != capsules[pair[1]].joint and frozenset(pair) not in ignored
        ]
        array = np.array(pairs, dtype=np.intp).reshape(-1, 2)
        array.flags.writeable = False
        return array

    def _matching(self, pattern: Any, where: str, index: Mapping[str, int]) -> list[int]:
        """Return the numbers of the capsules a name means, in which `*` stands for anything."""
        found = [index[name] for name in fnmatch.filter(index, self.text(pattern, where))]
        if not found:
            raise self.error(where, pattern, f"one of {', '.join(index)}, or a pattern like left_*")
        return found

    def _drawing(
        self, data: Any, chains: Mapping[str, Chain]
    ) -> tuple[Mapping[str, Array], tuple[tuple[str, ...], ...]]:
        sides = [arm.removesuffix("arm") for arm in ARMS if arm in chains]
        known = set(_LANDMARKS["head"] if "head" in chains else ())
        known |= {side + name for side in sides for name in _ARM_LANDMARKS}
        if data is None:  # what every robot has
            limbs = [(side, line) for side in sides for line in (_ARM_LANDMARKS[:4], ("wrist", "thumb"))]
            lines = [tuple(side + name for name in line) for side, line in limbs]
            lines += [_LANDMARKS["head"]] if "head" in chains else []
            return MappingProxyType({}), tuple(lines)
        drawing = self.mapping(data, "drawing", ("points", "lines"))
        points = drawing["points"]
        if not isinstance(points, dict):
            raise self.error("drawing.points", points, "a mapping from names to points")
        fixed: dict[str, Array] = {}
        for name, point in points.items():
            if self.text(name, "drawing.points") in known:
                raise self.error("drawing.points", name, "a name the chains do not give")
            fixed[name] = _frozen(self.vector(point, f"drawing.points.{name}"))
        known |= set(fixed)
        listed = drawing["lines"]
        if not isinstance(listed, list):
            raise self.error("drawing.lines", listed, "a list of lists of point names")
        for index, line in enumerate(listed):
            if not isinstance(line, list) or len(line) < 2:
                raise self.error(f"drawing.lines[{index}]", line, "a list of at least two point names")
            for name in line:
                self.one_of(name, f"drawing.lines[{index}]", sorted(known))
        return MappingProxyType(fixed), tuple(tuple(line) for line in listed)

    def _new_name(self, value: Any, where: str) -> str:
        """Return the name of a joint."""
        if self.text(value, f"{where}.name") in {other["name"] for other in self._joints}:
            raise self.error(f"{where}.name", value, "a name no other joint has")
        return str(value)


def _frozen(values: Any) -> Array:
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array
