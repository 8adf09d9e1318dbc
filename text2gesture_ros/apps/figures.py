"""Human and robot as shapes to draw; on both, left is orange and right is green."""

from collections.abc import Mapping, Sequence

import numpy as np

from text2gesture_ros.apps.canvas import INK, Colour, Shape
from text2gesture_ros.geometry import FloatArray, normalise
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.skeleton import INDEX

_LEFT: Colour = (233, 116, 81)
_RIGHT: Colour = (42, 157, 143)
LEGEND = {"its left arm": _LEFT, "its right arm": _RIGHT}
"""What the colours of a figure mean."""

_TORSO: Colour = (74, 98, 138)
_LEGS: Colour = (158, 170, 187)
_SKIN: Colour = (243, 208, 164)
_HAIR: Colour = (92, 70, 60)
_SHELL: Colour = (196, 205, 218)
_GRIP: Colour = (88, 100, 120)
_PALMS = {_SKIN: (252, 234, 208), _GRIP: (226, 231, 238)}
"""Colour of the palm by that of the back of the hand."""
_HUMAN_HAND = 0.04  # half its thickness [m]


def _strand(colour: Colour, *joints: tuple[FloatArray, float], depth: float = 0.0) -> Shape:
    points, radii = zip(*joints, strict=True)
    return Shape(np.array(points), np.array(radii), colour, depth=depth)


def _face(centre: FloatArray, forward: FloatArray, up: FloatArray, radius: float) -> list[Shape]:
    """Return two eyes on a ball, where they can be seen."""
    forward = forward / max(float(np.linalg.norm(forward)), 1e-6)
    left = np.cross(up, forward)
    left = left / max(float(np.linalg.norm(left)), 1e-6)
    eyes = []
    for side in (1.0, -1.0):
        ray = 0.86 * forward + 0.42 * side * left + 0.12 * np.cross(forward, left)
        place = (centre + radius * ray)[None]
        eyes.append(Shape(place, np.array([0.13 * radius]), INK, depth=0.03, facing=ray))
    return eyes


def _hand(
    side: str, points: Sequence[FloatArray], size: float, colour: Colour, opening: float | None
) -> list[Shape]:
    """Return a hand with its thumb, its fingers as far as they are stretched, and its palm where it is seen.

    Args:
        side: whose hand.
        points: wrist, grip and thumb (3,) [m]; the last tells on which side of the hand the thumb is.
        size: half the thickness of the hand [m].
        colour: of its back.
        opening: 0: a fist; 1: fingers stretched; None: it has neither fingers nor thumb.
    """
    wrist, grip, thumb = points
    along, across = normalise(grip - wrist), thumb - wrist
    across = normalise(across - (across @ along) * along)
    palm = np.cross(along, across) if side == "left" else np.cross(across, along)
    middle = grip + 0.3 * size * along + 0.6 * size * palm
    shapes = [Shape(middle[None], np.array([0.62 * size]), _PALMS[colour], depth=0.08, facing=palm)]
    if opening is not None:
        tips = grip + (0.3 + 1.5 * opening) * size * along
        root = grip - 0.4 * size * along + 0.6 * size * across
        tip = root + size * (1.3 * across + 0.5 * along)
        shapes.append(_strand(colour, (grip, size), (tips, 0.75 * size), depth=0.06))
        shapes.append(_strand(colour, (root, 0.4 * size), (tip, 0.34 * size), depth=0.07))
    return shapes


def human_shapes(positions: FloatArray) -> list[Shape]:
    """Return the shapes of one human frame, (K, 3), standing on the origin."""
    ground = np.array([0.0, 0.0, positions[[INDEX["left_ankle"], INDEX["right_ankle"]], 2].min() - 0.05])
    at = {name: positions[index] - ground for name, index in INDEX.items()}
    torso = np.array([at["left_shoulder"], at["right_shoulder"], at["right_hip"], at["left_hip"]])
    face, crown = at["nose"] - at["head"], at["head"] - at["neck"]
    shapes = [
        Shape(torso, np.array([0.065, 0.065, 0.075, 0.075]), _TORSO, filled=True),
        _strand(_SKIN, (at["neck"], 0.05), (at["head"], 0.05), depth=-0.02),
        _strand(_HAIR, (at["head"] + 0.2 * crown - 0.25 * face, 0.118), depth=0.01),
        _strand(_SKIN, (at["head"] - 0.05 * crown + 0.1 * face, 0.107), depth=0.02),
        *_face(at["head"], face, crown, 0.11),
    ]
    for side, colour in (("left", _LEFT), ("right", _RIGHT)):
        shoulder, elbow, wrist = (at[f"{side}_{joint}"] for joint in ("shoulder", "elbow", "wrist"))
        hand, thumb = at[f"{side}_hand"], at[f"{side}_thumb"]
        hip, knee, ankle = (at[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle"))
        toe = ankle + np.array([0.13, 0.0, -0.02])
        shapes += [
            _strand(_LEGS, (hip, 0.08), (knee, 0.06), (ankle, 0.045), (toe, 0.035), depth=-0.1),
            _strand(colour, (shoulder, 0.062), (elbow, 0.05), (wrist, 0.038), depth=0.05),
            _strand(_SKIN, (wrist, 0.034), (hand, 0.042), depth=0.06),
            *_hand(side, (wrist, hand, thumb), _HUMAN_HAND, _SKIN, 1.0),
        ]
    return shapes


def robot_shapes(robot: Robot, angles: FloatArray, scale: float) -> list[Shape]:
    """Return the shapes of a robot in a pose, (N,), standing on the origin and enlarged by `scale`."""
    pose = np.asarray(angles, dtype=np.float64)
    at: dict[str, FloatArray] = {name: robot.axes @ point for name, point in robot.points(pose).items()}
    ends = robot.capsule_ends(pose) @ robot.axes.T
    ground = np.array([0.0, 0.0, vertical_extent(robot)[0] - (0.0 if robot.capsules else 0.04 / scale)])
    at = {name: (point - ground) * scale for name, point in at.items()}
    if not robot.capsules:
        return _wire(robot, pose, at)
    return [*_body(robot, (ends - ground) * scale, at, scale), *_hands(robot, pose, at, scale)]


def _hands(robot: Robot, pose: FloatArray, at: Mapping[str, FloatArray], scale: float) -> list[Shape]:
    """Return hands as thick as the capsules that stand for them."""
    shapes = []
    radii = {capsule.name: capsule.radius * scale for capsule in robot.capsules}
    for arm in robot.arms:
        side = arm.removesuffix("_arm")
        points = [at[f"{side}_{name}"] for name in ("wrist", "hand", "thumb")]
        if f"{side}_hand" in radii:
            shapes += _hand(side, points, radii[f"{side}_hand"], _GRIP, _opening(robot, pose, side))
    return shapes


def _opening(robot: Robot, pose: FloatArray, side: str) -> float | None:
    """Return how far a hand is open, from 0 to 1; None: it cannot be opened."""
    hand = robot.hands.get(f"{side}_hand")
    if hand is None:
        return None
    return float(np.clip((pose[hand.joint] - hand.closed) / (hand.open - hand.closed), 0.0, 1.0))


def _body(robot: Robot, ends: FloatArray, at: dict[str, FloatArray], scale: float) -> list[Shape]:
    """Return the capsules of a robot, whose ends are (C, 2, 3), with a face."""
    colours = dict.fromkeys(range(-1, len(robot.joint_names)), _SHELL)
    for arm, colour in (("left_arm", _LEFT), ("right_arm", _RIGHT)):
        colours |= dict.fromkeys(robot.groups.get(arm, ()), colour)
    shapes = []
    for capsule, (start, end) in zip(robot.capsules, ends, strict=True):
        colour = _GRIP if "hand" in capsule.name else colours[capsule.joint]
        radius = capsule.radius * scale
        points = np.array([start, end] if np.any(start != end) else [start])
        shapes.append(Shape(points, np.full(len(points), radius), colour, round=True))
        if robot.head and capsule.joint == robot.head.joints[-1] and "head" in capsule.name:
            middle = (start + end) / 2.0
            shapes += _face(middle, at["nose"] - at["head"], at["head"] - at["neck"], radius)
    return shapes


def _wire(robot: Robot, pose: FloatArray, at: dict[str, FloatArray]) -> list[Shape]:
    """Return the lines of a robot of which no capsules are known, whose points are `at`, with a face."""
    sides = [arm.removesuffix("arm") for arm in robot.arms]
    shoulders = [at[side + "shoulder"] for side in sides] or [at["neck"]]
    width = float(np.ptp(shoulders, axis=0).max()) or float(
        np.linalg.norm((at[sides[0] + "elbow"] if sides else 2.0 * at["nose"] - at["head"]) - shoulders[0])
    )
    shapes = []
    if robot.head:
        head = float(np.linalg.norm(at["nose"] - at["head"]))
        shapes += [
            _strand(_SHELL, (at["neck"], 0.11 * width), (at["head"], 0.11 * width), depth=-0.02),
            _strand(_SHELL, (at["head"], 0.92 * head), depth=0.02),
            *_face(at["head"], at["nose"] - at["head"], at["head"] - at["neck"], 0.92 * head),
        ]
    for side in sides:
        colour = _LEFT if side == "left_" else _RIGHT
        shoulder, elbow, wrist, hand, thumb = (
            at[side + joint] for joint in ("shoulder", "elbow", "wrist", "hand", "thumb")
        )
        limb = ((shoulder, 0.15 * width), (elbow, 0.12 * width), (wrist, 0.09 * width))
        shapes += [
            _strand(colour, *limb, depth=0.05),
            _strand(_GRIP, (wrist, 0.08 * width), (hand, 0.10 * width), depth=0.06),
            *_hand(side[:-1], (wrist, hand, thumb), 0.10 * width, _GRIP, _opening(robot, pose, side[:-1])),
        ]
    for line in robot.lines:
        if not set(line) & {"head", "left_elbow", "right_elbow", "left_wrist", "right_wrist"}:
            closed = line[0] == line[-1] and len(line) > 3
            points = np.array([at[name] for name in (line[:-1] if closed else line)])
            shapes.append(Shape(points, np.full(len(points), 0.13 * width), _SHELL, closed, depth=-0.1))
    return shapes


def vertical_extent(robot: Robot) -> tuple[float, float]:
    """Return the lowest and highest coordinate of a robot at rest, as it is drawn [m]."""
    heights = [float((robot.axes @ point)[2]) for point in robot.points(robot.rest).values()]
    ends = robot.capsule_ends(robot.rest) @ robot.axes.T
    for capsule, both in zip(robot.capsules, ends, strict=True):
        heights += [float(both[:, 2].min()) - capsule.radius, float(both[:, 2].max()) + capsule.radius]
    return min(heights), max(heights)


def height_of(robot: Robot) -> float:
    """Return the height of a robot at rest, as it is drawn [m]."""
    low, high = vertical_extent(robot)
    return high - low


def reach_of(points: Mapping[str, FloatArray]) -> tuple[FloatArray, float]:
    """Return the middle of the shoulders (3,) and the reach of a hand from it, of points by name [m]."""
    sides = [side for side in ("left_", "right_") if f"{side}shoulder" in points]
    if not sides:  # of a head on its own: the neck, and what is around it
        neck = points["neck"]
        return neck, 2.0 * max(float(np.linalg.norm(point - neck)) for point in points.values())
    arms = [
        np.array([points[side + end] for end in ("shoulder", "elbow", "wrist", "hand")]) for side in sides
    ]
    lengths = [float(np.linalg.norm(np.diff(arm, axis=0), axis=-1).sum()) for arm in arms]
    middle = np.mean([arm[0] for arm in arms], axis=0)
    return middle, max(lengths) + float(np.linalg.norm(arms[0][0] - middle))
