"""Which joints of a URDF are arms, head, waist and hands: by names, and by what hangs_behind on what."""

import re
from collections.abc import Iterable

import numpy as np

from text2gesture_ros.gestures import ARMS
from text2gesture_ros.robots.proposal.proposal import Proposal
from text2gesture_ros.robots.urdf import Description, Joint

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
# How many joints of a chain a robot may have.
_MAX_JOINTS = {"waist": 3, "head": 3, "arm": 7}


class Limbs:
    """Which joints are what.

    Attributes:
        arms: joints of "left_arm", "right_arm" or both.
        base: link that all hangs_behind on.
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
            if is_a("hand", name) or (before and self._next(before) is joint):
                continue
            run = [joint]
            while after := self._next(run[-1]):
                run.append(after)
            yield run

    def _next(self, joint: Joint) -> Joint | None:
        """Return the joint that continues a run: the only one behind, on the same side, no hand."""
        after = self.after.get(joint.name, [])
        goes_on = len(after) == 1 and side_of(after[0]) == side_of(joint) and not is_a("hand", after[0].name)
        return after[0] if goes_on else None

    def _find_arms(self, runs: list[list[Joint]]) -> dict[str, list[Joint]]:
        def armlike(run: list[Joint]) -> tuple[bool, float]:
            return is_a("arm", *names_of(run)), sum(float(np.linalg.norm(joint.xyz)) for joint in run)

        legless = [run for run in runs if len(run) >= 2 and not is_a("leg", *names_of(run))]
        named = [run for run in legless if not is_a("face", *names_of(run))]
        arms = {}
        for arm in ARMS:
            sided = [run for run in named if side_of(run[0]) == arm.removesuffix("_arm")]
            if sided:
                arms[arm] = max(sided, key=armlike)
        if not arms:
            unsided = [run for run in legless if is_a("arm", *names_of(run))]
            if not unsided:
                turning = ", ".join(self.before)[:200] or "none"
                allowed = "two or more in series, named left, right or arm"
                raise self._urdf.error("an arm", f"nowhere among the joints that turn ({turning})", allowed)
            found = max(unsided, key=armlike)
            is_left = self._urdf.place(self._urdf.root, found[0].name)[0][1] > 0.02
            arm = "left_arm" if is_left else "right_arm"
            arms[arm] = found
            self._result.note(arm, "whether it stands for a left or a right arm")
        return {arm: self._shortened(joints, "arm", arm) for arm, joints in arms.items()}

    def _shortened(self, joints: list[Joint], kind: str, key: str) -> list[Joint]:
        most = _MAX_JOINTS[kind]
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
            if is_a("leg", *names_of([joint])) or len(waist) == _MAX_JOINTS["waist"]:
                break  # legs carry the trunk of some robots; they are no waist
            waist.insert(0, joint)
        if waist:
            return waist[0].parent, waist
        return common[-1].child if common else self._urdf.root, []

    def _find_head(self, runs: list[list[Joint]]) -> list[Joint]:
        start = self.waist[-1].child if self.waist else self.base
        heads = [run for run in runs if not side_of(run[0]) and is_a("head", *names_of(run))]
        heads = [run for run in heads if run[0] not in self.waist]
        heads = [run for run in heads if hangs_behind(self._urdf, start, run[0].parent)]
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


def hangs_behind(urdf: Description, base: str, link: str) -> bool:
    """Return whether `link` is `base` or hangs_behind behind it."""
    while link != base and link in urdf.above:
        link = urdf.above[link].parent
    return link == base


def is_a(what: str, *names: str) -> bool:
    """Return whether any name has a word for something."""
    return any(_words(name) & _WORDS[what] for name in names)


def names_of(joints: Iterable[Joint]) -> list[str]:
    """Return the names of joints and of the links they carry."""
    return [name for joint in joints for name in (joint.name, joint.child)]


def side_of(joint: Joint) -> str:
    """Return left, right or nothing, by the joint's name or else its link's."""
    for name in (joint.name, joint.child):
        for side in ("left", "right"):
            if is_a(side, name):
                return side
    return ""


def _words(name: str) -> set[str]:
    """Return the words of a name: `LShoulderPitch` and `left_arm_2` have three each."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}
