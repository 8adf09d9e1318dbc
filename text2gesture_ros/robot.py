"""Robot: joints, limits, kinematics and rest pose, read from one validated YAML file.

The keys of the file are explained in config/robots/pepper.yaml. Joint angles are always in the order of
`Robot.joint_names`: head, left arm, right arm, each from the base outwards.
"""

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import yaml

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.kinematics import Array, Axis, normalise, rotation, rotation_from_rpy
from text2gesture_ros.resources import find_robot_file

_MAX_FILE_BYTES = 256 * 1024
# Within this, axes count as meeting [m].
_MEETING = 1e-3
# More than this is no angle of a joint in radians: degrees, most likely [rad].
_MAX_ANGLE = 2.0 * np.pi
_ARMS = ("left_arm", "right_arm")
_TIPS = {"head": ("head", "nose"), "left_arm": ("hand", "thumb"), "right_arm": ("hand", "thumb")}
_JOINT_KEYS = ("name", "xyz", "rpy", "axis", "lower", "upper", "velocity")
_OWN_LIMITS = ("acceleration", "jerk")
_KEYS = ("name", "title", "source", "base", "limits", "head", *_ARMS, "rest", "drawing")


@dataclass(frozen=True, eq=False)
class Chain:
    """Joints in series from the base outwards, and points fixed behind the last one.

    Attributes:
        joints: (M,) index of each joint in `Robot.joint_names`.
        origins: (M, 3) origin of each joint in the frame before it [m].
        rotations: (M, 3, 3) rotation from each joint's frame to the frame before it, at angle zero.
        axes: (M, 3) unit axis of each joint in its own frame.
        tips: points (3,) in the last joint's frame [m], by name.
    """

    joints: tuple[int, ...]
    origins: Array
    rotations: Array
    axes: Array
    tips: Mapping[str, Array]

    def frames(self, angles: Array) -> tuple[Array, Array]:
        """Return where every joint's frame is: rotations (..., M, 3, 3) and origins (..., M, 3) in the base.

        Args:
            angles: (..., M) angles of this chain's joints [rad].
        """
        turn = np.broadcast_to(np.eye(3), (*angles.shape[:-1], 3, 3))
        place = np.zeros((*angles.shape[:-1], 3))
        turns, places = [], []
        for index, axis in enumerate(self.axes):
            place = place + turn @ self.origins[index]
            turn = turn @ (self.rotations[index] @ rotation(Axis(axis), angles[..., index]))
            turns.append(turn)
            places.append(place)
        return np.stack(turns, axis=-3), np.stack(places, axis=-2)

    def zero_axes(self) -> Array:
        """Return the unit axes (M, 3) in the base frame with all angles zero (product of exponentials)."""
        turns, _ = self.frames(np.zeros(len(self.joints)))
        return np.asarray(np.einsum("mij,mj->mi", turns, self.axes))


@dataclass(frozen=True, eq=False)
class Robot:
    """A robot's arms and head. Arrays are read-only; N joints in the order of `joint_names`.

    Attributes:
        name: what it is called on the command line; the name of its file.
        title: what people call it.
        source: where its numbers come from and their licence.
        base: link the chains start from, whose frame points are given in.
        joint_names: (N,) as in its URDF.
        lower: (N,) smallest angle [rad].
        upper: (N,) largest angle [rad].
        velocity: (N,) largest speed that may be asked for [rad/s].
        acceleration: (N,) largest acceleration [rad/s^2].
        jerk: (N,) largest jerk [rad/s^3].
        rest: (N,) angles of the rest pose [rad].
        head: yaw and pitch.
        arms: the chains "left_arm" and "right_arm": two shoulder, two elbow joints, perhaps one wrist joint.
        lines: polylines for drawing, each a tuple of names of `points`.
    """

    name: str
    title: str
    source: str
    base: str
    joint_names: tuple[str, ...]
    lower: Array
    upper: Array
    velocity: Array
    acceleration: Array
    jerk: Array
    rest: Array
    head: Chain
    arms: Mapping[str, Chain]
    lines: tuple[tuple[str, ...], ...]
    fixed_points: Mapping[str, Array]

    def points(self, angles: Array) -> dict[str, Array]:
        """Return named points (..., 3) in the base frame [m]: of the head, the arms and the body to draw.

        Args:
            angles: (..., N) joint angles [rad].
        """
        angles = np.asarray(angles, dtype=np.float64)
        leading = angles.shape[:-1]
        result = {name: np.broadcast_to(point, (*leading, 3)) for name, point in self.fixed_points.items()}
        turns, places = self.head.frames(angles[..., list(self.head.joints)])
        result["neck"] = places[..., 0, :]
        result |= {
            name: places[..., -1, :] + turns[..., -1, :, :] @ tip for name, tip in self.head.tips.items()
        }
        for arm, chain in self.arms.items():
            side = arm.removesuffix("arm")
            turns, places = chain.frames(angles[..., list(chain.joints)])
            result[side + "shoulder"] = places[..., 1, :]
            result[side + "elbow"] = places[..., 3, :]
            for name, tip in chain.tips.items():
                result[side + name] = places[..., -1, :] + turns[..., -1, :, :] @ tip
            # Without a wrist joint the forearm ends at the hand.
            result[side + "wrist"] = places[..., 4, :] if len(chain.joints) == 5 else result[side + "hand"]
        return result

    def bone_directions(self, angles: Array) -> dict[str, Array]:
        """Return unit directions (..., 3) in the base frame: `left_upper_arm`, `left_forearm`, ..., `head`.

        Args:
            angles: (..., N) joint angles [rad].
        """
        points = self.points(angles)
        result = {"head": normalise(points["nose"] - points["head"])}
        for side in ("left_", "right_"):
            elbow = points[side + "elbow"]
            result[side + "upper_arm"] = normalise(elbow - points[side + "shoulder"])
            result[side + "forearm"] = normalise(points[side + "wrist"] - elbow)
        return result


def load_robot(robot: str) -> Robot:
    """Return the robot given by name (`pepper`) or by the path of its YAML file.

    Raises:
        ConfigurationError: there is no such robot, or its file is wrong: where, what was given, what is
        allowed.
    """
    path = find_robot_file(robot)
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise ConfigurationError(f"{path}: larger than {_MAX_FILE_BYTES // 1024} kB")
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise ConfigurationError(f"{path}: no readable YAML: {' '.join(str(error).split())}") from None
    return _Reader(path).robot(data)


class _Reader:
    """Turns what YAML gave into a Robot; every complaint names the file and the key."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def robot(self, data: Any) -> Robot:
        top = self._mapping(data, "the file", _KEYS)
        name = self._text(top["name"], "name")
        if name != self._path.stem:
            raise self._error("name", name, f"{self._path.stem!r}, as the file is called")
        limits = self._mapping(top["limits"], "limits", ("velocity_fraction", *_OWN_LIMITS))
        fraction = self._number(limits["velocity_fraction"], "limits.velocity_fraction", above=0.0, most=1.0)
        default = {key: self._number(limits[key], f"limits.{key}", above=0.0) for key in _OWN_LIMITS}

        joints: list[dict[str, Any]] = []
        chains: dict[str, Chain] = {}
        for key, counts in (("head", (2,)), ("left_arm", (4, 5)), ("right_arm", (4, 5))):
            chains[key] = self._chain(top[key], key, counts, joints)
        names = tuple(joint["name"] for joint in joints)

        rest = self._mapping(top["rest"], "rest", names, hint=" (no joint of the chains has this name)")
        for joint in joints:
            where = f"rest.{joint['name']}"
            angle = self._number(rest[joint["name"]], where)
            if not joint["lower"] <= angle <= joint["upper"]:
                raise self._error(where, angle, f"an angle in [{joint['lower']}, {joint['upper']}]")
            joint["rest"] = angle

        def column(key: str, fallback: float = 0.0) -> Array:
            return _frozen([joint.get(key, fallback) for joint in joints])

        fixed, lines = self._drawing(top["drawing"], chains)
        return Robot(
            name=name,
            title=self._text(top["title"], "title"),
            source=self._text(top["source"], "source"),
            base=self._text(top["base"], "base"),
            joint_names=names,
            lower=column("lower"),
            upper=column("upper"),
            velocity=_frozen(fraction * column("velocity")),
            acceleration=column("acceleration", default["acceleration"]),
            jerk=column("jerk", default["jerk"]),
            rest=column("rest"),
            head=chains["head"],
            arms=MappingProxyType({arm: chains[arm] for arm in _ARMS}),
            lines=lines,
            fixed_points=fixed,
        )

    def _chain(self, data: Any, where: str, counts: tuple[int, ...], joints: list[dict[str, Any]]) -> Chain:
        """Read a chain and append its joints to `joints`."""
        chain = self._mapping(data, where, ("joints", "tips"))
        listed = chain["joints"]
        if not isinstance(listed, list) or len(listed) not in counts:
            what = f"a list of {len(listed)}" if isinstance(listed, list) else listed
            raise self._error(f"{where}.joints", what, f"a list of {' or '.join(map(str, counts))} joints")
        first = len(joints)
        origins, rotations, axes = [], [], []
        for index, entry in enumerate(listed):
            here = f"{where}.joints[{index}]"
            if isinstance(entry, dict) and isinstance(entry.get("name"), str):
                here += f" ({_label(entry['name'])})"
            joint = dict(self._mapping(entry, here, _JOINT_KEYS, _OWN_LIMITS))
            joint["name"] = self._text(joint["name"], f"{here}.name")
            if joint["name"] in {other["name"] for other in joints}:
                raise self._error(f"{here}.name", joint["name"], "a name no other joint has")
            joint["lower"] = self._angle(joint["lower"], f"{here}.lower")
            joint["upper"] = self._angle(joint["upper"], f"{here}.upper")
            if joint["lower"] >= joint["upper"]:
                raise self._error(f"{here}.lower", joint["lower"], f"less than upper ({joint['upper']})")
            for key in ("velocity", *_OWN_LIMITS):
                if key in joint:
                    joint[key] = self._number(joint[key], f"{here}.{key}", above=0.0)
            axis = self._vector(joint["axis"], f"{here}.axis")
            if np.linalg.norm(axis) < 1e-6:
                raise self._error(f"{here}.axis", joint["axis"], "three numbers, not all zero")
            origins.append(self._vector(joint["xyz"], f"{here}.xyz"))
            rpy = self._vector(joint["rpy"], f"{here}.rpy")
            rotations.append(rotation_from_rpy(*(self._angle(float(turn), f"{here}.rpy") for turn in rpy)))
            axes.append(normalise(axis))
            joints.append(joint)
        tips = self._mapping(chain["tips"], f"{where}.tips", _TIPS[where])
        result = Chain(
            joints=tuple(range(first, len(joints))),
            origins=_frozen(origins),
            rotations=_frozen(rotations),
            axes=_frozen(axes),
            tips=MappingProxyType(
                {k: _frozen(self._vector(v, f"{where}.tips.{k}")) for k, v in tips.items()}
            ),
        )
        self._check_geometry(result, where, [joint["name"] for joint in joints[first:]])
        return result

    def _check_geometry(self, chain: Chain, where: str, names: list[str]) -> None:
        """Refuse a chain that cannot be solved: axes of a pair parallel or apart, a bone of no length."""
        axes = chain.zero_axes()
        _, places = chain.frames(np.zeros(len(names)))
        for one in range(0, len(names) - 1, 2):
            first, second = _label(names[one]), _label(names[one + 1])
            pair = f"{self._path}: {where}.joints[{one}..{one + 1}] ({first}, {second}): axes"
            if abs(axes[one] @ axes[one + 1]) > 0.99:
                raise ConfigurationError(
                    f"{pair} of {first} and {second} are parallel. Allowed: axes at an angle"
                )
            if where == "head" or one == 0:
                continue  # a gaze, and an upper arm that begins at the second axis, mind no offset between
            # How far along each axis it is nearest to the other.
            apart = places[one + 1] - places[one]
            along, back = np.linalg.lstsq(np.stack([axes[one], -axes[one + 1]], axis=1), apart)[0]
            miss = float(np.linalg.norm(apart + back * axes[one + 1] - along * axes[one]))
            if miss > _MEETING:
                raise ConfigurationError(
                    f"{pair} miss each other by {miss:.2g} m. Allowed: intersecting axes"
                )
            if abs(back) > _MEETING:
                raise ConfigurationError(
                    f"{pair} intersect {abs(back):.2g} m from the origin of {second}."
                    " Allowed: intersecting at its origin"
                )
        if where == "head":
            ends = [("head to nose", chain.tips["head"], chain.tips["nose"])]
        else:
            wrist = places[4] if len(names) == 5 else places[-1] + chain.tips["hand"]
            ends = [("upper arm", places[1], places[3]), ("forearm", places[3], wrist)]
        for bone, start, end in ends:
            if np.linalg.norm(end - start) < 1e-3:
                raise self._error(where, f"{bone} of {np.linalg.norm(end - start):.2g} m", "at least 0.001 m")

    def _drawing(
        self, data: Any, chains: Mapping[str, Chain]
    ) -> tuple[Mapping[str, Array], tuple[tuple[str, ...], ...]]:
        drawing = self._mapping(data, "drawing", ("points", "lines"))
        points = drawing["points"]
        if not isinstance(points, dict):
            raise self._error("drawing.points", points, "a mapping from names to points")
        known = {"neck", *_TIPS["head"]}
        known |= {f"{side}_{end}" for side in ("left", "right") for end in ("shoulder", "elbow", "wrist")}
        known |= {f"{side}_{end}" for side in ("left", "right") for end in _TIPS["left_arm"]}
        fixed: dict[str, Array] = {}
        for name, point in points.items():
            if self._text(name, "drawing.points") in known:
                raise self._error("drawing.points", name, "a name the chains do not give")
            fixed[name] = _frozen(self._vector(point, f"drawing.points.{name}"))
        known |= set(fixed)
        lines = drawing["lines"]
        if not isinstance(lines, list):
            raise self._error("drawing.lines", lines, "a list of lists of point names")
        for index, line in enumerate(lines):
            if not isinstance(line, list) or len(line) < 2:
                raise self._error(f"drawing.lines[{index}]", line, "a list of at least two point names")
            for name in line:
                if not isinstance(name, str) or name not in known:
                    raise self._error(f"drawing.lines[{index}]", name, f"one of {', '.join(sorted(known))}")
        return MappingProxyType(fixed), tuple(tuple(line) for line in lines)

    def _error(self, key: str, value: object, allowed: str) -> ConfigurationError:
        # A few lines of YAML can stand for a value of any size (aliases of aliases): show its beginning.
        shown = reprlib.repr(value)[:80]
        return ConfigurationError(f"{self._path}: {key} is {shown}. Allowed: {allowed}")

    def _mapping(
        self, data: Any, where: str, required: tuple[str, ...], optional: tuple[str, ...] = (), hint: str = ""
    ) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise self._error(where, data, f"a mapping with the keys {', '.join(required)}")
        unknown = [key for key in data if key not in required and key not in optional]
        if unknown:
            allowed = ", ".join((*required, *optional))
            raise ConfigurationError(
                f"{self._path}: {where} has the unknown key {unknown[0]!r}{hint}. Allowed: {allowed}"
            )
        missing = [key for key in required if key not in data]
        if missing:
            raise ConfigurationError(f"{self._path}: {where} lacks the key {missing[0]!r}")
        return data

    def _text(self, value: Any, where: str) -> str:
        if not isinstance(value, str) or not value.strip():
            raise self._error(where, value, "a non-empty text")
        return value

    def _number(self, value: Any, where: str, above: float = -np.inf, most: float = 1e6) -> float:
        # YAML reads `on` as a truth value, which Python counts among the integers.
        if isinstance(value, bool) or not isinstance(value, int | float) or not above < value <= most:
            bound = f"a number above {above:g} and at most {most:g}" if above > -np.inf else "a finite number"
            raise self._error(where, value, bound)
        return float(value)

    def _angle(self, value: Any, where: str) -> float:
        angle = self._number(value, where)
        if abs(angle) > _MAX_ANGLE:
            raise self._error(where, angle, f"radians, at most {_MAX_ANGLE:.4f} (degrees?)")
        return angle

    def _vector(self, value: Any, where: str) -> Array:
        if not isinstance(value, list) or len(value) != 3:
            raise self._error(where, value, "three numbers [x, y, z]")
        return np.array([self._number(number, f"{where}[{axis}]") for axis, number in enumerate(value)])


def _label(name: str) -> str:
    """Return a name as it fits into a message of one line."""
    return " ".join("".join(c if c.isprintable() else " " for c in name[:40]).split()) or "no name"


def _frozen(values: Any) -> Array:
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array
