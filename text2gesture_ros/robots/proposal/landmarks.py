"""Positions of shoulder, elbow, wrist, hand and head, from the geometry of the joints."""

from typing import Any

import numpy as np

from text2gesture_ros.geometry import Array, normalise
from text2gesture_ros.robots.part_names import is_a, names_of
from text2gesture_ros.robots.proposal.proposal import Proposal, point_of
from text2gesture_ros.robots.robot import Chain
from text2gesture_ros.robots.urdf import Description, Joint, placed
from text2gesture_ros.skeleton import INDEX, REFERENCE

# Sine of the angle between axis and bone above which a joint swings the bone; below, it rolls it.
_SWING_SINE = 0.5

GRIP = 0.6
"""Distance of the grip from the wrist, as a ratio of the hand's length."""

HEAD_SIZE = 0.3
"""Radius of a head, and height of its centre above its last joint, as ratios of the shoulders' distance."""

# Points of the body: index of the joint each is fixed to, and where it is with all joints at zero.
Points = dict[str, tuple[int, Array]]


def landmarks(chain: Chain, joints: list[Joint], points: Points) -> dict[str, Any]:
    """Return points as a robot file has them, in the frames of their joints."""
    turns, places = chain.frames(np.zeros(len(joints)))
    return {
        name: {"joint": joints[at].name, "xyz": point_of(turns[at].T @ (point - places[at]))}
        for name, (at, point) in points.items()
    }


def head_points(chain: Chain, axes: Array, size: float) -> Points:
    """Return neck, head and nose; `size` is the distance between the shoulders [m]."""
    turns, places = chain.frames(np.zeros(len(chain.joints)))
    last = len(chain.joints) - 1
    # A head that is mounted with a tilt looks along its own axes.
    forward, up = (
        turns[-1] @ nearest_axis(turns[-1].T @ axis) if np.abs(turns[-1].T @ axis).max() > 0.9 else axis
        for axis in axes[[0, 2]]
    )
    head = places[-1] + HEAD_SIZE * size * up
    # As a human's at ease: then a human who looks ahead has the robot look ahead.
    gaze = normalise(REFERENCE[INDEX["nose"]] - REFERENCE[INDEX["head"]])
    nose = head + HEAD_SIZE * size * (gaze[0] * forward + gaze[2] * up)
    return {"neck": (0, places[0]), "head": (last, head), "nose": (last, nose)}


def arm_points(urdf: Description, chain: Chain, joints: list[Joint], arm: str, result: Proposal) -> Points:
    """Return shoulder, elbow, wrist, hand and thumb, from the geometry of the joints."""
    turns, places = chain.frames(np.zeros(len(joints)))
    directions = np.einsum("mij,mj->mi", turns, chain.axes)
    last = len(joints) - 1
    tip, thumb, is_hand = _ends(urdf, joints[-1])
    end, thumb = (places[-1] + turns[-1] @ point for point in (tip, thumb))
    elbow = _elbow(chain, joints, end)
    if elbow is None:
        result.note(arm, "where its elbow is: taken half-way to the hand")

    def swings(joint: int, towards: Array, least: float) -> bool:
        along = towards - places[joint]
        length, lever = (float(np.linalg.norm(each)) for each in (along, np.cross(directions[joint], along)))
        return length > least and lever > _SWING_SINE * length

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
        is_hand = False
    if is_hand:  # the palm's frame, not a finger's end: where it holds, and on to the end from there
        wrist_at = middle if wrist is None else places[wrist]
        end = wrist_at + (end - wrist_at) / (1.0 - 0.25 * (1.0 - GRIP) if wrist is None else GRIP)
    at = middle + 0.75 * (end - middle) if wrist is None else places[wrist]
    hand = at + GRIP * (end - at)
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


def nearest_axis(vector: Array) -> Array:
    """Return the axis nearest to a direction, (3,)."""
    axis = np.zeros(3)
    largest = int(np.abs(vector).argmax())
    axis[largest] = np.sign(vector[largest])
    return axis


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
        if onward is None or np.linalg.norm(np.cross(axis, normalise(onward))) > _SWING_SINE:
            bends.append((float(min(lengths[:joint].sum(), lengths[joint:].sum())), joint))
    named = [bend for bend in bends if is_a("elbow", *names_of([joints[bend[1]]]))]
    if named:
        return max(named)[1]
    best = max(bends, default=(0.0, 0))
    return best[1] if best[0] > 0.15 * lengths.sum() else None


def _ends(urdf: Description, joint: Joint) -> tuple[Array, Array, bool]:
    """Return the farthest origin of a link behind a joint, that of a thumb, and whether the first is a palm.

    Origins (3,) are in the joint's frame; NaN where there is no thumb. A hand that ends the arm without
    fingers behind it has its frame in the palm.
    """
    behind = [link for link in urdf.above if link != joint.child and urdf.is_behind(joint.child, link)]
    points = {link: placed(urdf.path(joint.child, link))[0] for link in behind}
    thumbs = [point for link, point in points.items() if is_a("thumb", link)]
    nowhere = np.full(3, np.nan)
    farthest = max(points, key=lambda link: float(np.linalg.norm(points[link])), default="")
    thumb = max(thumbs, key=lambda point: float(np.linalg.norm(point)), default=nowhere)
    fixed = farthest in points and urdf.above[farthest].kind == "fixed"
    palm = fixed and is_a("hand", farthest) and not is_a("tip", farthest)
    return points.get(farthest, np.zeros(3)), thumb, palm
