"""Which joints of a URDF are arms, head, waist and hands: by names, by what hangs behind what, or by hand."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from text2gesture_ros.geometry import Array
from text2gesture_ros.gestures import ARMS
from text2gesture_ros.robots.part_names import is_a, names_of, says_nothing, sides
from text2gesture_ros.robots.proposal.proposal import Proposal
from text2gesture_ros.robots.urdf import Description, Joint, placed

# How many joints of a chain a robot may have.
_MAX_JOINTS = {"waist": 3, "head": 3, "arm": 7}
_SAME_PLACE = 0.1  # arms whose mirror images are nearer than this part of their distance are a pair
_SAME_JOINT = 0.15  # joints of a leg closer to each other count as one [m]
_NAMED = 8  # joints that a note names at most


@dataclass(frozen=True)
class Given:
    """Chains that a person names, each by the link it starts from and the link it ends at.

    Attributes:
        arms: links by `left_arm` or `right_arm`; by a number where the side is to be found.
        head: links of the head.
    """

    arms: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    head: tuple[str, str] | None = None


class Limbs:
    """Which joints are what.

    Attributes:
        arms: joints of "left_arm", "right_arm", both or none.
        base: link that all hangs behind.
        waist: joints between the base and the arms, perhaps none.
        head: joints, perhaps none.
        after: the joints that turn right behind each, by its name; behind the root under no name.
        sides: `left`, `right` or nothing, of each joint by its name.
    """

    def __init__(self, description: Description, result: Proposal, given: Given) -> None:
        self._urdf, self._result = description, result
        self.sides = sides(description)
        self.after: dict[str, list[Joint]] = {}
        self._before: dict[str, Joint | None] = {}
        for joint in description.joints.values():
            if joint.turns:
                path = description.path(description.root, joint.parent)
                before = next((other for other in reversed(path) if other.turns), None)
                self._before[joint.name] = before
                self.after.setdefault(before.name if before else "", []).append(joint)
        runs = list(self._runs())
        self.arms = self._given_arms(given.arms) if given.arms else self._find_arms(runs)
        if given.head:
            self.head = self._shortened(self._between(given.head), "head", "head")
        else:
            self.head = self._find_head(runs)
        if not self.arms and not self.head:
            turning = ", ".join(self._before)[:200] or "none"
            allowed = (
                "two or more in series named left, right or arm, or a head or neck; or name them with"
                " --arm LINK:LINK or --head LINK:LINK"
            )
            raise description.error("an arm", f"nowhere among the joints that turn ({turning})", allowed)
        self.base, self.waist = self._find_base()
        if not self.head:
            result.note("head", "whether it moves: found no joints of a head or neck")
        self._note_left_out()

    def _runs(self) -> Iterable[list[Joint]]:
        """Yield joints in series without a branch, of one side, no hands."""
        for name, before in self._before.items():
            joint = self._urdf.joints[name]
            if is_a("hand", name) or (before and self._next(before) is joint):
                continue
            run = [joint]
            while after := self._next(run[-1]):
                run.append(after)
            yield run

    def _next(self, joint: Joint) -> Joint | None:
        """Return the joint that continues a run: the only one behind, on the same side, no hand."""
        after = [other for other in self.after.get(joint.name, []) if not is_a("hand", other.name)]
        hands = len(self.after.get(joint.name, [])) - len(after)
        # Fingers beside a wrist do not end the arm.
        if len(after) != 1 or (hands and not is_a("arm", after[0].name)):
            return None
        return after[0] if self.sides[after[0].name] == self.sides[joint.name] else None

    def _between(self, ends: tuple[str, str]) -> list[Joint]:
        """Return the joints that turn between two links.

        Raises:
            ConfigurationError: the file has no such links, or no joint between them turns.
        """
        joints = [joint for joint in self._urdf.path(*ends) if joint.turns]
        if not joints:
            raise self._urdf.error(f"links {ends[0]!r} to {ends[1]!r}", "without a joint that turns", "some")
        return joints

    def _given_arms(self, given: Mapping[str, tuple[str, str]]) -> dict[str, list[Joint]]:
        chains = {key: self._between(ends) for key, ends in given.items()}
        arms = {key: joints for key, joints in chains.items() if key in ARMS}
        for key, joints in chains.items():
            if key not in ARMS:
                arm = f"{self.sides[joints[0].name]}_arm"
                others = [other for other in chains.values() if other is not joints]
                if arm not in ARMS:
                    across = self._across(joints, others)
                    arm = "left_arm" if across > 0.0 else "right_arm"
                    self._result.note(arm, "whether it is a left or a right arm: taken from its place")
                if arm in arms:
                    arm = next(other for other in ARMS if other != arm)
                arms[arm] = joints
        return {arm: self._shortened(arms[arm], "arm", arm) for arm in ARMS if arm in arms}

    def _find_arms(self, runs: list[list[Joint]]) -> dict[str, list[Joint]]:
        def length(run: list[Joint]) -> float:
            return sum(float(np.linalg.norm(joint.xyz)) for joint in run)

        def armlike(run: list[Joint]) -> tuple[bool, bool, float]:
            high = self._start(run)[2] > 0.5 * max(self._start(other)[2] for other in legless)
            return is_a("arm", *names_of(run)), bool(high), length(run)

        legless = [run for run in runs if len(run) >= 2 and not is_a("leg", *names_of(run))]
        legless = [run for run in legless if not is_a("face", *names_of(run))]
        arms = {}
        for arm in ARMS:
            sided = [run for run in legless if self.sides[run[0].name] == arm.removesuffix("_arm")]
            if sided:
                arms[arm] = max(sided, key=armlike)
        unsided = [run for run in legless if not self.sides[run[0].name] and not is_a("head", *names_of(run))]
        unsided = [run for run in unsided if is_a("arm", *names_of(run)) or says_nothing(*_own_names(run))]
        if not arms and (pair := self._mirrored(unsided)):
            arms = dict(zip(ARMS, pair, strict=True))
            for arm in arms:
                self._result.note(arm, "whether it is a left or a right arm: taken from its place")
        # Four joints in series that are called nothing else are an arm.
        unsided = [run for run in unsided if is_a("arm", *names_of(run)) or len(run) > 3]
        if not arms and unsided:
            found = max(unsided, key=armlike)
            arm = "left_arm" if self._across(found, []) > 0.02 else "right_arm"
            arms[arm] = found
            self._result.note(arm, "whether it stands for a left or a right arm")
        return {arm: self._shortened(joints, "arm", arm) for arm, joints in arms.items()}

    def _start(self, run: list[Joint]) -> Array:
        """Return where a run starts (3,) in the root [m]."""
        return self._urdf.place(self._urdf.root, run[0].name)[0]

    def _across(self, run: list[Joint], others: list[list[Joint]]) -> float:
        """Return how far left a run starts of the middle between it and others, if y is left [m]."""
        places = [self._start(each)[1] for each in (run, *others)]
        return float(places[0] - (np.mean(places) if others else 0.0))

    def _mirrored(self, runs: list[list[Joint]]) -> tuple[list[Joint], list[Joint]] | None:
        """Return the two longest runs that start at mirror images of a place, the left one first."""
        found: list[tuple[int, list[Joint], list[Joint]]] = []
        for run in runs:
            for other in runs:
                place, image = self._start(run), self._start(other) * [1.0, -1.0, 1.0]
                apart = 2.0 * place[1]
                near = float(np.linalg.norm(place - image)) < _SAME_PLACE * apart
                if apart > 0.02 and near and len(run) == len(other):
                    found.append((len(run), run, other))
        return max(found, key=lambda pair: pair[0])[1:] if found else None

    def _shortened(self, joints: list[Joint], kind: str, key: str) -> list[Joint]:
        most = _MAX_JOINTS[kind]
        if len(joints) > most:
            left_out = ", ".join(joint.name for joint in joints[most:])
            matter = "matters" if len(joints) == most + 1 else "matter"
            self._result.note(
                key, f"whether {left_out} {matter}: left out, at zero, as {most} joints are the most"
            )
        return joints[:most]

    def _find_base(self) -> tuple[str, list[Joint]]:
        ends = [joints[0].parent for joints in (*self.arms.values(), self.head) if joints]
        paths = [self._urdf.path(self._urdf.root, link) for link in ends]
        common = [steps[0] for steps in zip(*paths, strict=False) if len(set(steps)) == 1]
        waist: list[Joint] = []
        for joint in reversed([joint for joint in common if joint.turns]):
            # Legs carry the trunk of some robots, wheels that of others; they are no waist.
            carries = is_a("leg", *names_of([joint])) or bool(self.sides[joint.name])
            carries = carries or (is_a("base", joint.name) and not is_a("trunk", joint.name))
            if carries or len(waist) == _MAX_JOINTS["waist"]:
                break
            waist.insert(0, joint)
        if waist:
            return waist[0].parent, waist
        return common[-1].child if common else self._urdf.root, []

    def _find_head(self, runs: list[list[Joint]]) -> list[Joint]:
        ends = [joints[0].parent for joints in self.arms.values()]
        paths = [self._urdf.path(self._urdf.root, link) for link in ends]
        shared = [steps[0] for steps in zip(*paths, strict=False) if len(set(steps)) == 1]
        start = shared[-1].child if shared else self._urdf.root
        while start in self._urdf.above and self._urdf.above[start].kind == "fixed":
            start = self._urdf.above[start].parent
        free = [run for run in runs if not self.sides[run[0].name] and run[0] not in shared]
        free = [run for run in free if run not in list(self.arms.values())]
        # With the arms behind a waist or, failing that, anywhere.
        for place in (start, self._urdf.root):
            for kind in ("head", "gaze"):  # a pan-tilt unit may do for a neck
                heads = [
                    run
                    for run in free
                    if is_a(kind, *names_of(run)) and self._urdf.is_behind(place, run[0].parent)
                ]
                if heads:
                    found = max(heads, key=len)
                    named = [joint for joint in found if is_a(kind, *names_of([joint]))]
                    return self._shortened(found if self.arms else named, "head", "head")
        return []

    def _note_left_out(self) -> None:
        """Note the joints that move but are not commanded: followers, slides, and what no chain takes."""
        taken = {joint.name for chain in (self.waist, self.head, *self.arms.values()) for joint in chain}
        taken |= {joint.name for joint in self.hands.values()}
        chains = {"waist": self.waist, "head": self.head, **self.arms}
        left_out: dict[tuple[str, str], list[str]] = {}
        for name, joint in self._urdf.joints.items():
            if joint.kind == "fixed" or name in taken:
                continue
            key = next(
                (
                    key
                    for key, chain in chains.items()
                    if key != "waist" and chain and self._urdf.is_behind(chain[0].child, joint.parent)
                ),
                "base",
            )
            if joint.mimic is not None:
                what = f"follows {joint.mimic} (mimic), is not commanded and taken to stand at zero"
                if is_a("hand", name, joint.child):
                    what = "joints of the hand that follow others (mimic) are not commanded"
            elif is_a("hand", name, joint.child) and key in ARMS:
                what = "joints of the hand are not commanded"
            elif is_a("leg", name, joint.child) or is_a("base", name):
                continue  # nobody takes legs and wheels for part of a gesture
            else:
                what = "left out, taken to stand at zero"
                if joint.kind not in ("revolute", "continuous"):
                    what = f"{joint.kind}, " + what
            left_out.setdefault((key, what), []).append(name)
        for (key, what), names in left_out.items():
            shown = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if names[_NAMED:] else "")
            self._result.note(key, f"{shown}: {what}")

    @property
    def hands(self) -> dict[str, Joint]:
        """The one joint that opens and closes a hand, by the arm; of hands with more joints none."""
        found = {
            arm: [joint for joint in self.after.get(joints[-1].name, []) if is_a("hand", joint.name)]
            for arm, joints in self.arms.items()
        }
        return {arm: joints[0] for arm, joints in found.items() if len(joints) == 1}

    def legs(self) -> dict[str, list[Array]]:
        """Return where each leg bends (3,) [m], from the trunk outwards in the base, by name of the leg."""
        urdf, top = self._urdf, self.base
        while top in urdf.above and urdf.above[top].kind == "fixed":
            top = urdf.above[top].parent
        origin, turn = placed(urdf.path(top, self.base))
        legs: dict[str, list[Array]] = {}
        for name, joint in urdf.joints.items():
            is_leg = joint.turns and self.sides[name] and is_a("leg", *names_of([joint]))
            if is_leg and urdf.is_behind(top, joint.parent):
                place = turn.T @ (urdf.place(top, name)[0] - origin)
                line = legs.setdefault(f"{self.sides[name]}_leg", [])
                if not line or np.linalg.norm(place - line[-1]) > _SAME_JOINT:
                    line.append(place)
        return legs

    @property
    def size(self) -> float:
        """Distance between the shoulders, or what it would be [m]."""
        places = [self._urdf.place(self.base, joints[0].name)[0] for joints in self.arms.values()]
        if len(places) == 2:
            return float(np.linalg.norm(places[0] - places[1]))
        if not places:  # of a head on its own: as much as it rises
            rise = float(np.linalg.norm(self._urdf.place(self.base, self.head[-1].name)[0]))
            return min(max(2.0 * rise, 0.1), 0.4)
        (joints,) = self.arms.values()
        reach = sum(float(np.linalg.norm(joint.xyz)) for joint in joints[1:])
        aside = 2.0 * abs(float(places[0][1]))
        return aside if aside > 0.2 * reach else 0.7 * reach


def _own_names(run: list[Joint]) -> list[str]:
    """Return the names of joints without what all of them begin with, as the robot's own name."""
    names = [joint.name for joint in run]
    same = [len(set(letters)) == 1 for letters in zip(*names, strict=False)]
    shared = same.index(False) if False in same else len(same)
    return [name[shared:] or "joint" for name in names]
