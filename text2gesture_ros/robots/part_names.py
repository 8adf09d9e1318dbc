"""What the names of joints and links say: which part of the body, and which side of it."""

import re
from collections.abc import Collection, Iterable, Mapping

from text2gesture_ros.robots.urdf import Description, Joint

_WORDS = {
    "arm": {"arm", "shoulder", "sho", "elbow", "wrist", "forearm", "bicep", "biceps", "upperarm", "lowerarm"},
    "leg": {"leg", "hip", "knee", "ankle", "ank", "foot", "toe", "thigh", "calf", "shin", "wheel", "crotch"},
    "head": {"head", "neck"},
    "trunk": {"torso", "trunk", "chest", "waist", "body", "spine", "abs", "pelvis", "back", "bust", "lumbar"},
    "hand": {
        *(
            "hand",
            "gripper",
            "grip",
            "finger",
            "fingers",
            "thumb",
            "index",
            "middle",
            "ring",
            "pinky",
            "pinkie",
        ),
        *("little", "palm", "knuckle", "jaw", "grasp", "pip", "mcp"),
    },
    "thumb": {"thumb"},
    "tip": {
        "tip",
        "end",
        "finger",
        "fingers",
        "fingertip",
        "thumb",
        "index",
        "middle",
        "ring",
        "pinky",
        "little",
    },
    "elbow": {"elbow", "elb"},
    "face": {"eye", "eyes", "camera", "cam", "gaze", "nose", "face", "antenna", "jaw", "ear", "mouth", "lip"},
    "gaze": {"pan", "tilt"},
    "nothing": {"joint", "j", "link", "axis", "motor", "servo"},
    "base": {"base", "wheel", "caster", "odom", "world", "root", "mobile", "floating"},
}
_SIDES = {"left": "left", "right": "right", "lft": "left", "rgt": "right", "l": "left", "r": "right"}
_OTHER_SIDE = {"left": "right", "right": "left", "l": "r", "r": "l"}
_LIMBS = _WORDS["arm"] | _WORDS["leg"] | _WORDS["hand"]


def is_a(what: str, *names: str) -> bool:
    """Return whether any name has a word for something."""
    return any(_words(name) & _WORDS[what] for name in names)


def says_nothing(*names: str) -> bool:
    """Return whether names say of no part what it is, as `joint_3` does."""
    return all(_words(name) <= _WORDS["nothing"] for name in names)


def names_of(joints: Iterable[Joint]) -> list[str]:
    """Return the names of joints and of the links they carry."""
    return [name for joint in joints for name in (joint.name, joint.child)]


def sides(urdf: Description) -> Mapping[str, str]:
    """Return the side of every joint by its name: `left`, `right` or nothing.

    Its own name says it, or its link's: by a word (`LARM_ELBOW`, `rwrist`, `arm_left_2`), or as there is
    another that differs in nothing but the side (`LSP` and `RSP`). Else it is on the side of what it hangs
    behind.
    """
    links = {*urdf.above, urdf.root}
    found: dict[str, str] = {}
    for name, joint in urdf.joints.items():
        own = side_of(name, urdf.joints) or side_of(joint.child, links)
        before = urdf.above.get(joint.parent)
        if not own and before is not None and not is_a("trunk", name) and not is_a("head", name):
            own = found[before.name]
        found[name] = own
    return found


def side_of(name: str, names: Collection[str]) -> str:
    """Return the side that a name says, `left`, `right` or nothing; `names` are all of its kind."""
    words = _split(name)
    for word in words:
        if len(word) > 1 and word in _SIDES:
            return _SIDES[word]
        if parts := _side_and_limb(word):
            return _SIDES[parts[0]]
    # One letter may be a side or a roll: its counterpart tells, or that it stands first.
    for match in re.finditer("left|right|l|r", name, re.IGNORECASE):
        letters = match.group()
        other = _OTHER_SIDE[letters.lower()]
        other = other.upper() if letters.isupper() else other.title() if letters[0].isupper() else other
        if name[: match.start()] + other + name[match.end() :] in names:
            return _SIDES[letters.lower()]
    first = words[0] if words else ""
    # A letter that all names begin with is the robot's.
    return _SIDES.get(first, "") if any(_split(other)[:1] != [first] for other in names) else ""


def _side_and_limb(word: str) -> tuple[str, str] | None:
    """Return the parts of a side and a limb written together: rarm, lshoulder, leftelbow, armleft."""
    for side in _OTHER_SIDE:
        for rest in (word.removeprefix(side), word.removesuffix(side)):
            if rest != word and rest in _LIMBS:
                return side, rest
    return None


def _words(name: str) -> set[str]:
    """Return the words of a name, those written together apart."""
    words = _split(name)
    return {*words, *(parts[1] for word in words if (parts := _side_and_limb(word)))}


def _split(name: str) -> list[str]:
    """Return the words of a name: `LShoulderPitch` and `left_arm_2` have three and two."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]
