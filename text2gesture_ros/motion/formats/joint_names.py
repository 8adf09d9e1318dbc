"""Joint names of other skeletons: one table for the files of many makers.

Covered: CMU (as cgspeed's MotionBuilder-friendly, Daz-friendly and original ASF names), Mixamo,
MotionBuilder, Bandai-Namco, Unity, VRM and VRoid, Unreal, 3ds Max biped, Character Creator, DAZ, Poser,
Motive, Xsens, Kinect, SMPL, 100STYLE, rigify, mocopi. A name is read as words: what most names of a file
begin or end with is left out, and the side may stand anywhere. What is still unknown is said in a map.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import yaml

from text2gesture_ros.errors import InputError
from text2gesture_ros.resources import read_limited
from text2gesture_ros.skeleton import INDEX, JOINTS

# Words run together, numbers without leading zeros, best first: a file that has several gets the first, and
# what one joint has taken is no other's. `end` after a name: the end of that bone, where no joint follows it.
_MIDDLE = {
    "pelvis": (
        *("hips", "pelvis", "hip", "hipcenter", "hipscenter", "centerhip", "midhip", "spinebase"),
        *("root", "bodyroot", "reference"),
    ),
    "chest": (
        *(
            "chest4",
            "chest3",
            "upperchest",
            "chestupper",
            "chest2",
            "chest",
            "spinechest",
            "thorax",
            "torso7",
        ),
        *("t8", "spine4", "spine3", "spine2", "spine1", "spine", "spinemid"),
    ),
    # CMU's Neck lies below the shoulders, its Neck1 (upperneck) above them.
    "neck": (
        *("upperneck", "neckupper", "neck1", "neck", "neck0", "necklower", "necktwist1"),
        *("shouldercenter", "spineshoulder", "centershoulder"),
    ),
    "head": ("head", "forehead", "skull"),
    "nose": ("nose",),
}
_SIDED = {
    "shoulder": ("upperarm", "uparm", "uarm", "shldr", "humerus", "arm", "shoulder"),
    "elbow": ("lowerarm", "lowarm", "forearm", "farm", "elbow", "radius", "arm"),
    "wrist": ("fingerbase", "wrist", "hand"),
    "hand": (
        *("handmiddle1", "middleproximal", "middle1", "fmiddle1", "finger2", "mid1", "inhandmiddle"),
        *("fingersend", "handindex1end", "handindex1", "indexproximal", "index1", "findex1", "finger1"),
        *("fingers", "palm", "hand", "handend", "wristend"),
    ),
    "thumb": (
        *("handthumb3", "thumbdistal", "thumb3", "finger02", "thumb2", "handthumb2"),
        *("thumbend", "handthumb1", "thumbproximal", "thumb1", "thumb"),
    ),
    "hip": ("upperleg", "upleg", "thigh", "femur", "hip", "leg"),
    "knee": ("lowerleg", "lowleg", "shin", "shank", "calf", "tibia", "knee", "leg"),
    "ankle": ("ankle", "foot"),
}
_SIDES = {"left": ("left", "l", "lft", "lf", "lt"), "right": ("right", "r", "rgt", "rt")}
_SIDE_OF = {spelling: side for side, spellings in _SIDES.items() for spelling in spellings}
# Words that say nothing: what kind of thing it is, or that it belongs to no side.
_EMPTY = frozenset(("jnt", "joint", "bone", "bend", "def", "org", "bind", "c", "m"))
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
# Acclaim's "wrist" is the second part of the forearm, and ends where the hand begins.
_ACCLAIM = "radius"
_MAX_BYTES = 1 << 20  # of a map


def _table() -> dict[str, list[tuple[str, int]]]:
    """Return the joints that each spelling may mean, with their ranks; sides written before or behind."""
    table: dict[str, list[tuple[str, int]]] = {}
    for joint, names in _MIDDLE.items():
        for rank, name in enumerate(names):
            table.setdefault(name, []).append((joint, rank))
    for part, names in _SIDED.items():
        for rank, name in enumerate(names):
            bare, end = (name[:-3], "end") if name.endswith("end") else (name, "")
            for spelling, side in _SIDE_OF.items():
                for variant in {spelling + bare + end, bare + spelling + end}:
                    table.setdefault(variant, []).append((f"{side}_{part}", rank))
    return table


_TABLE: Mapping[str, list[tuple[str, int]]] = _table()
# In an order in which each takes the best that those before it have left.
_ORDER = (*_MIDDLE, *(f"{side}_{part}" for side in _SIDES for part in _SIDED))


def map_joints(names: Sequence[str], given: Mapping[str, str] = MappingProxyType({})) -> dict[str, int]:
    """Return the index of the best name for each joint of our skeleton that is among `names`.

    Args:
        names: joints of a file; the end of a bone is called as the bone and `_end`.
        given: which joint of ours some of them are; empty: none. The others are told by their names.

    Raises:
        InputError: a given name is not among them.
    """
    absent = [name for name in given if name not in names]
    if absent:
        raise InputError(
            f"the map names {absent[0]!r}, which is no joint here. Here: {', '.join(_bones(names))[:400]}"
        )
    found = {joint: names.index(name) for name, joint in given.items() if joint}
    spelled = _without_common([_words(name) for name in names])
    acclaim = any(words[-1:] == [_ACCLAIM] or "".join(words)[1:] == _ACCLAIM for words in spelled)
    candidates: dict[str, list[tuple[int, int]]] = {}
    for index, words in enumerate(spelled):
        if names[index] in given or (acclaim and "".join(words).endswith("wrist")):
            continue
        for joint, rank in _meanings(words):
            candidates.setdefault(joint, []).append((rank, index))
    for joint in _ORDER:
        free = [entry for entry in candidates.get(joint, []) if entry[1] not in found.values()]
        if free and joint not in found:
            found[joint] = min(free)[1]
    return found


def check_mapped(names: Sequence[str], mapped: Mapping[str, int]) -> None:
    """Refuse a body whose trunk is not known: below, above, and which of two joints is the left one.

    Raises:
        InputError: it is not; with a map to fill in.
    """
    pairs = [part for part in ("hip", "shoulder") if {f"left_{part}", f"right_{part}"} <= set(mapped)]
    bottom = "pelvis" in mapped or "hip" in pairs
    top = bool({"neck", "head"} & set(mapped)) or "shoulder" in pairs
    lacking = (
        *([] if bottom else ["no pelvis or hips"]),
        *([] if top else ["no neck, head or shoulders"]),
        *([] if pairs else ["neither both hips nor both shoulders"]),
    )
    if lacking:
        raise InputError(
            f"joints: {', '.join(lacking)} among their names. Allowed: names as of CMU, Mixamo, VRM, Unreal, "
            "SMPL, Kinect and many more; or a map (text2gesture import --map FILE.yaml; their name: one of "
            f"{', '.join(JOINTS)}, null for none), to be filled in from this: {template(names, mapped)}"
        )


def template(names: Sequence[str], mapped: Mapping[str, int]) -> str:
    """Return a map of names to our joints, in YAML on one line; null where none is known.

    Args:
        names: joints of a file.
        mapped: the index of those that are known, by our names.
    """
    ours = {index: joint for joint, index in mapped.items()}
    lines = {name: ours.get(names.index(name)) for name in _bones(names)}
    return yaml.safe_dump(
        lines, default_flow_style=True, sort_keys=False, width=10**9, allow_unicode=True
    ).strip()


def read_map(path: Path) -> dict[str, str]:
    """Return which joint of ours each name of others is, from a YAML or JSON file; empty: none of them.

    Raises:
        InputError: it cannot be read, or names a joint that we have not, or one twice.
    """
    try:
        data = yaml.safe_load(read_limited(path, _MAX_BYTES, InputError).decode("utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: no YAML: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(data, dict) or not data:
        raise InputError(f"{path}: {type(data).__name__}. Allowed: lines of their name: ours")
    for name, joint in data.items():
        if joint is not None and not (isinstance(joint, str) and joint in INDEX):
            said = repr(joint[:40]) if isinstance(joint, str) else type(joint).__name__
            raise InputError(f"{path}: {name}: {said} is no joint. Allowed: {', '.join(JOINTS)} or null")
        if joint is not None and list(data.values()).count(joint) > 1:
            raise InputError(f"{path}: {name}: {joint!r} is given to several. Allowed: each joint once")
    return {str(name): joint or "" for name, joint in data.items()}


def _words(name: str) -> list[str]:
    """Return the words of a name in lower case, without what stands before the last colon or bar."""
    words = _WORD.findall(re.split(r"[:|]", name)[-1])
    return [str(int(word[:9])) if word.isdecimal() else word.lower() for word in words]


def _without_common(spelled: list[list[str]]) -> list[list[str]]:
    """Return names without the words most of them begin or end with, and without a running number."""
    numbered = [words[-1] for words in spelled if len(words) > 1 and words[-1].isdecimal()]
    if len(numbered) > 0.8 * len(spelled) > 2.0 and len(set(numbered)) == len(numbered):
        spelled = [words[:-1] if words[-1:] and words[-1].isdecimal() else words for words in spelled]
    for _ in "before", "behind":  # turned round twice
        spelled = [words[::-1] for words in _without_common_start(spelled)]
    return spelled


def _without_common_start(spelled: list[list[str]]) -> list[list[str]]:
    while len(spelled) > 2:
        first = Counter(words[0] for words in spelled if len(words) > 1)
        word, count = first.most_common(1)[0] if first else ("", 0)
        if count <= 0.5 * len(spelled) or word in _SIDE_OF or word == "end":
            break
        spelled = [words[1:] if len(words) > 1 and words[0] == word else words for words in spelled]
    return spelled


def _meanings(words: Sequence[str]) -> list[tuple[str, int]]:
    """Return the joints that a name may mean, with their ranks."""
    told = [word for word in words if word not in _EMPTY]
    sides = {_SIDE_OF[word] for word in told if word in _SIDE_OF}
    if len(sides) == 1:
        found = _TABLE.get(sides.pop() + "".join(word for word in told if word not in _SIDE_OF))
        if found:
            return found
    return _TABLE.get("".join(told), [])


def _bones(names: Sequence[str]) -> list[str]:
    return [name for name in names if name and not name.endswith("_end")]
