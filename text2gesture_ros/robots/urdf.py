"""URDF: the joints of a robot as its maker describes them, checked where they are used.

Real files have mimic joints without limits, velocities of 0 or 10000, limits in degrees and links in any
order. Errors of the file as a whole are raised when it is read; those of one joint when that joint is used
(`driven`).
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.geometry import Array, normalise, rotation_from_rpy
from text2gesture_ros.resources import read_limited

MAX_ANGLE = 1.01 * 2.0 * np.pi
"""A turn, with room for how files round it; larger limits are no angles in radians [rad]."""

MAX_VELOCITY = 100.0
"""Larger velocities are placeholders: the fastest hobby servos reach 16 [rad/s]."""

# Above two turns and up to one turn in degrees, a limit is in degrees; some joints do turn twice.
_DEGREES = 2.0 * MAX_ANGLE, 1.01 * 360.0
_USUAL_RANGE = np.pi / 2.0  # of a joint whose limits nobody can mean, either way [rad]
_MAX_CHARACTERS = 8 * 1024 * 1024
_MAX_JOINTS = 2000
_TURNING = ("revolute", "continuous")
_KINDS = (*_TURNING, "prismatic", "fixed", "floating", "planar")


@dataclass(frozen=True, eq=False)
class Joint:
    """One joint, as it is written.

    Attributes:
        name: of the joint.
        kind: `revolute`, `continuous`, `prismatic`, `fixed`, `floating` or `planar`.
        parent: link it hangs on.
        child: link it carries.
        xyz: (3,) its origin in the parent link [m].
        rotation: (3, 3) from its frame to the parent link's at angle zero.
        axis: (3,) unit axis in its own frame.
        lower: minimum angle [rad]; None: not given, as for the others.
        upper: maximum angle [rad].
        velocity: maximum speed [rad/s].
        mimic: the joint it follows.
        in_degrees: whether most limits of the file are in degrees, so that these are too.
    """

    name: str
    kind: str
    parent: str
    child: str
    xyz: Array
    rotation: Array
    axis: Array
    lower: float | None
    upper: float | None
    velocity: float | None
    mimic: str | None
    in_degrees: bool = False

    @property
    def turns(self) -> bool:
        """Whether it is a joint of its own that turns."""
        return self.kind in _TURNING and self.mimic is None

    def doubts(self) -> dict[str, str]:
        """Return what is wrong with its limits, by `lower`, `upper`, `velocity`; empty if all are valid."""
        doubts = {}
        limits = {} if self.kind == "continuous" else {"lower": self.lower, "upper": self.upper}
        for key, value in limits.items():
            if value is None:
                doubts[key] = "missing"
            elif self.in_degrees:
                doubts[key] = f"{value:g}, in degrees as the others of the file are"
            elif self._means_degrees():
                doubts[key] = f"{value:g}, which in radians is more than a turn (degrees?)"
            elif abs(value) > MAX_ANGLE:
                doubts[key] = f"{value:g}, which is more than a turn"
        if not doubts and limits and not (self.lower or 0.0) < (self.upper or 0.0):
            doubts["lower"] = f"{self.lower:g}, not less than upper ({self.upper:g})"
        if self.velocity is None:
            doubts["velocity"] = "missing"
        elif not 0.0 < self.velocity <= MAX_VELOCITY:
            doubts["velocity"] = f"{self.velocity:g}, which no joint can mean"
        return doubts

    def likely_range(self) -> tuple[float, float]:
        """Return the limits [rad] it has, or those it probably means where `doubts` names them."""
        if self.kind == "continuous":
            return -np.pi, np.pi  # as much as an arm needs
        if self.lower is None or self.upper is None or not self.lower < self.upper:
            return -_USUAL_RANGE, _USUAL_RANGE
        limits = np.array([self.lower, self.upper])
        if self._means_degrees():
            limits = np.radians(limits)
        elif np.abs(limits).max() > _DEGREES[1]:
            return -np.pi, np.pi  # without bounds
        low, high = limits.clip(-MAX_ANGLE, MAX_ANGLE)
        return float(low), float(high)

    def _means_degrees(self) -> bool:
        return self.in_degrees or _degrees(self.lower, self.upper)


@dataclass(frozen=True, eq=False)
class Description:
    """A URDF that is a tree.

    Attributes:
        where: the file, for messages.
        name: of the robot.
        root: the link that hangs on no joint.
        joints: by name, parents before children.
        above: the joint each link but the root hangs on, by link.
    """

    where: str
    name: str
    root: str
    joints: Mapping[str, Joint]
    above: Mapping[str, Joint]

    def path(self, base: str, link: str) -> list[Joint]:
        """Return the joints from the link `base` out to `link`, in this order.

        Raises:
            ConfigurationError: there is no such link, or `link` does not hang behind `base`.
        """
        for known in (base, link):
            if known != self.root and known not in self.above:
                raise self.error("link", _shown(known), "a link of this file")
        path: list[Joint] = []
        while (inner := path[-1].parent if path else link) != base:
            if inner == self.root:
                raise self.error(f"link {_shown(link)}", f"not behind {_shown(base)}", "one that hangs on it")
            path.append(self.above[inner])
        return path[::-1]

    def is_behind(self, base: str, link: str) -> bool:
        """Return whether `link` is `base` or hangs behind it."""
        while link != base and link in self.above:
            link = self.above[link].parent
        return link == base

    def driven(self, name: str) -> Joint:
        """Return a joint that can be driven to an angle.

        Raises:
            ConfigurationError: there is no such joint, it does not turn, or it follows another.
        """
        if name not in self.joints:
            raise self.error("joint", _shown(name), f"a joint of this file, such as {self._some()}")
        joint = self.joints[name]
        if joint.kind not in _TURNING:
            raise self.error(f"joint {_shown(name)}", joint.kind, " or ".join(_TURNING))
        if joint.mimic is not None:
            follows = f"one that follows {_shown(joint.mimic)} (mimic)"
            raise self.error(f"joint {_shown(name)}", follows, "a joint that is driven itself")
        return joint

    def place(self, base: str, name: str) -> tuple[Array, Array]:
        """Return the origin (3,) [m] and rotation (3, 3) of a joint's frame at angle zero in the link `base`.

        Joints between the two stand at zero.

        Raises:
            ConfigurationError: as `path`.
        """
        return placed(self.path(base, self.joints[name].child))

    def error(self, element: str, value: str, allowed: str) -> ConfigurationError:
        """Return the error that says where, what was found and what is allowed."""
        return ConfigurationError(f"{self.where}: {element} is {value}. Allowed: {allowed}")

    def _some(self) -> str:
        return ", ".join(name for name, joint in self.joints.items() if joint.turns)[:200]


def _degrees(lower: float | None, upper: float | None) -> bool:
    """Return whether limits can only be in degrees."""
    largest = max(abs(lower or 0.0), abs(upper or 0.0))
    return _DEGREES[0] < largest <= _DEGREES[1]


def placed(path: list[Joint]) -> tuple[Array, Array]:
    """Return the origin (3,) [m] and rotation (3, 3) at the end of joints in series that stand at zero."""
    place, turn = np.zeros(3), np.eye(3)
    for joint in path:
        place, turn = place + turn @ joint.xyz, turn @ joint.rotation
    return place, turn


def load_urdf(path: Path) -> Description:
    """Return the description in a file.

    Raises:
        ConfigurationError: as `urdf_text` and `read_urdf`.
    """
    return read_urdf(urdf_text(path), str(path))


def urdf_text(path: Path) -> str:
    """Return the text of a URDF file.

    Raises:
        ConfigurationError: it cannot be read, or is too large.
    """
    try:
        return read_limited(path, _MAX_CHARACTERS).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: no readable URDF: not UTF-8. Allowed: UTF-8") from None


def read_urdf(text: str, where: str) -> Description:
    """Return the description in a text.

    Args:
        text: the XML.
        where: what messages call it.

    Raises:
        ConfigurationError: it is no URDF, no tree, or a number in it is none; the message names the element,
        what is there and what is allowed.
    """
    if len(text) > _MAX_CHARACTERS:
        raise ConfigurationError(f"{where}: larger than {_MAX_CHARACTERS // 1024**2} MB")
    # Entities are what makes XML dangerous (a few lines that grow to gigabytes, files of others); a URDF
    # needs none.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ConfigurationError(f"{where}: has a DOCTYPE or ENTITY. Allowed: plain URDF without any")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ConfigurationError(f"{where}: no readable XML: {' '.join(str(error).split())}") from None
    if root.tag != "robot":
        raise ConfigurationError(f"{where}: the first element is <{root.tag[:40]}>. Allowed: <robot>")
    if any("xacro" in element.tag for element in root):
        raise ConfigurationError(f"{where}: is a xacro file. Allowed: what `xacro {where}` makes of it")
    return _Reader(where).description(root)


class _Reader:
    def __init__(self, where: str) -> None:
        self._where = where

    def description(self, root: ElementTree.Element) -> Description:
        links = [self._name(link, "link") for link in root.findall("link")]
        known = set(links)
        elements = root.findall("joint")
        if len(elements) > _MAX_JOINTS:
            raise self._error("robot", f"{len(elements)} joints", f"at most {_MAX_JOINTS}")
        joints = [self._joint(element) for element in elements]
        limited = [joint for joint in joints if joint.kind == "revolute" and joint.upper is not None]
        degrees = sum(_degrees(joint.lower, joint.upper) for joint in limited)
        if 2 * degrees > len(limited):
            joints = [replace(joint, in_degrees=joint.kind == "revolute") for joint in joints]
        for kind, names in (("link", links), ("joint", [joint.name for joint in joints])):
            if len(set(names)) < len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise self._error(f"{kind} {_shown(twice)}", "there twice", "one of each name")
        above: dict[str, Joint] = {}
        for joint in joints:
            for end, link in (("parent", joint.parent), ("child", joint.child)):
                if link not in known:
                    raise self._error(
                        f"joint {_shown(joint.name)}, {end}", _shown(link), "a link of the file"
                    )
            if joint.child in above:
                both = f"carried by {_shown(above[joint.child].name)} and {_shown(joint.name)}"
                raise self._error(f"link {_shown(joint.child)}", both, "one joint")
            above[joint.child] = joint
        roots = [link for link in links if link not in above]
        if len(roots) != 1:
            found = ", ".join(map(_shown, roots[:4])) or "none"
            raise self._error("link that hangs on nothing", found, "exactly one")
        return Description(
            where=self._where,
            name=root.get("name", "").strip() or "robot",
            root=roots[0],
            joints=MappingProxyType({joint.name: joint for joint in self._sorted(roots[0], joints)}),
            above=MappingProxyType(above),
        )

    def _sorted(self, root: str, joints: list[Joint]) -> list[Joint]:
        """Return the joints, parents before children."""
        below: dict[str, list[Joint]] = {}
        for joint in joints:
            below.setdefault(joint.parent, []).append(joint)
        result: list[Joint] = []
        links = [root]
        for link in links:  # grows as it goes
            result += below.get(link, [])
            links += [joint.child for joint in below.get(link, [])]
        if len(result) < len(joints):
            inside = next(joint for joint in joints if joint not in result)
            raise self._error(f"joint {_shown(inside.name)}", "part of a ring", "a tree")
        return result

    def _joint(self, element: ElementTree.Element) -> Joint:
        name = self._name(element, "joint")
        where = f"joint {_shown(name)}"
        kind = element.get("type", "")
        if kind not in _KINDS:
            raise self._error(f"{where}, type", _shown(kind), ", ".join(_KINDS))
        ends = {}
        for end in ("parent", "child"):
            found = element.find(end)
            ends[end] = (found.get("link") if found is not None else None) or ""
            if not ends[end]:
                raise self._error(f"{where}, {end}", "missing", f'<{end} link="..."/>')
        origin = element.find("origin")
        xyz, rpy = np.zeros(3), np.zeros(3)
        if origin is not None:
            xyz = self._vector(origin.get("xyz", "0 0 0"), f"{where}, origin xyz")
            rpy = self._vector(origin.get("rpy", "0 0 0"), f"{where}, origin rpy")
        axis = np.array([1.0, 0.0, 0.0])
        along = element.find("axis")
        if kind != "fixed" and along is not None:
            axis = self._vector(along.get("xyz", "1 0 0"), f"{where}, axis xyz")
            if np.linalg.norm(axis) < 1e-6:
                raise self._error(f"{where}, axis xyz", _shown(along.get("xyz", "")), "not all zero")
        limit, mimic = element.find("limit"), element.find("mimic")
        limits: dict[str, float | None] = {}
        for key in ("lower", "upper", "velocity"):
            text = limit.get(key) if limit is not None else None
            # By the specification, missing limits are zero; files mean that they are unknown.
            limits[key] = None if text is None else self._number(text, f"{where}, limit {key}", np.inf)
        return Joint(
            name=name,
            kind=kind,
            parent=ends["parent"],
            child=ends["child"],
            xyz=xyz,
            rotation=rotation_from_rpy(*rpy),
            axis=normalise(axis),
            lower=limits["lower"],
            upper=limits["upper"],
            velocity=limits["velocity"],
            mimic=None if mimic is None else mimic.get("joint", ""),
        )

    def _name(self, element: ElementTree.Element, kind: str) -> str:
        name = element.get("name", "").strip()
        if not name:
            raise self._error(f"a {kind}", "without name", f'<{kind} name="...">')
        return name

    def _vector(self, text: str, where: str) -> Array:
        words = text.split()
        if len(words) != 3:
            raise self._error(where, _shown(text), "three numbers")
        return np.array([self._number(word, where) for word in words])

    def _number(self, text: str, where: str, most: float = 1e9) -> float:
        try:
            value = float(text)
        except ValueError:
            value = np.nan
        if not abs(value) <= most:
            raise self._error(where, _shown(text), "a finite number")
        return value

    def _error(self, element: str, value: str, allowed: str) -> ConfigurationError:
        return ConfigurationError(f"{self._where}: {element} is {value}. Allowed: {allowed}")


def _shown(text: str) -> str:
    """Return a name or value as it fits into a message of one line."""
    return repr(text[:60])
