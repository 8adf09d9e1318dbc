"""Joint names of other skeletons: one table for the files of many makers.

Covered: CMU (as cgspeed's MotionBuilder-friendly, Daz-friendly and original ASF names), Mixamo,
MotionBuilder, Bandai-Namco, Unity, VRM and VRoid, Unreal, 3ds Max biped, SMPL, Poser, 100STYLE, rigify.
"""

import re
from collections.abc import Mapping, Sequence

# Without case and signs, best first: a file that has several gets the first. `end` after a name is the end
# of that bone, where no joint follows it. Sides may stand before or behind, as left, l, right, r.
_MIDDLE = {
    "pelvis": ("hips", "pelvis", "hip", "root"),
    "chest": (
        *("chest3", "upperchest", "chest2", "chest", "thorax", "spine3", "spine03", "spine2", "spine02"),
        *("spine1", "spine01", "spine"),
    ),
    # CMU's Neck lies below the shoulders, its Neck1 (upperneck) above them.
    "neck": ("upperneck", "neck1", "neck", "neck01"),
    "head": ("head",),
}
_SIDED = {
    "shoulder": ("upperarm", "uparm", "arm", "shldr", "humerus", "shoulder"),
    "elbow": ("lowerarm", "lowarm", "forearm", "elbow", "radius"),
    "wrist": ("fingerbase", "hand", "wrist"),  # CMU's hand is the second part of the forearm
    "hand": (
        *("handmiddle1", "middleproximal", "middle1", "middle01", "finger2", "mid1"),
        *("fingersend", "handindex1end", "handindex1", "indexproximal", "index1", "index01", "finger1"),
        *("fingers", "handend", "wristend"),
    ),
    "thumb": (
        *("handthumb3", "thumbdistal", "thumb3", "thumb03", "finger02", "thumb2", "thumb02", "handthumb2"),
        *("thumbend", "handthumb1", "thumbproximal", "thumb1", "thumb01", "thumb"),
    ),
    "hip": ("upperleg", "upleg", "thigh", "femur", "hip"),
    "knee": ("lowerleg", "lowleg", "leg", "shin", "calf", "tibia", "knee"),
    "ankle": ("foot", "ankle"),
}
_SIDES = {"left": ("left", "l"), "right": ("right", "r")}
# What some programs write before every name.
_PREFIX = re.compile(r"^(mixamorig\d*|character\d*|valvebiped|bip0*1?|jbipc?|joint|def|org)(?=.)")


def _table() -> dict[str, tuple[str, int]]:
    """Return the joint and the rank of every name in use."""
    table = {name: (joint, rank) for joint, names in _MIDDLE.items() for rank, name in enumerate(names)}
    for side, words in _SIDES.items():
        for joint, names in _SIDED.items():
            for rank, name in enumerate(names):
                part, end = (name[:-3], "end") if name.endswith("end") else (name, "")
                for word in words:
                    for variant in (word + part + end, part + word + end):
                        table[variant] = (f"{side}_{joint}", rank)
    return table


_TABLE: Mapping[str, tuple[str, int]] = _table()


def map_joints(names: Sequence[str]) -> dict[str, int]:
    """Return the index of the best name for each joint of our skeleton that is among `names`.

    Args:
        names: joints of a file; the end of a bone is called as the bone and `_end`.
    """
    best: dict[str, tuple[int, int]] = {}
    for index, name in enumerate(names):
        plain = re.sub(r"[^a-z0-9]", "", name.rsplit(":", 1)[-1].lower())
        found = _TABLE.get(plain) or _TABLE.get(_PREFIX.sub("", plain))
        if found and (found[0] not in best or found[1] < best[found[0]][0]):
            best[found[0]] = (found[1], index)
    return {joint: index for joint, (_, index) in best.items()}
