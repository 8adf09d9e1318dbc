"""Where the parts of a body are while it performs a gesture: a human's, or a robot's by forward kinematics.

All points are in one frame: x forward, y left, z up, as the body stands before it moves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from text2gesture_ros.geometry import Array, FloatArray, normalise
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.skeleton import INDEX, JOINTS, REFERENCE

SIDES = ("left", "right")
_ARM = ("shoulder", "elbow", "wrist", "hand", "thumb")
_BONES = (("shoulder", "elbow"), ("elbow", "wrist"), ("wrist", "hand"), ("wrist", "thumb"))
_HEAD_RADIUS = 0.11  # of the reference human, hair included [m]
_TRUNK = [INDEX[name] for name in JOINTS if not name.endswith(("pelvis", "hip", "knee", "ankle"))]
_NOSE = REFERENCE[INDEX["nose"]] - REFERENCE[INDEX["head"]]
_GAZE = _NOSE / np.linalg.norm(_NOSE)  # of a head that looks ahead
_SWEEP = 9  # angles of a joint at which it is looked at how far it moves something


@dataclass(frozen=True, eq=False)
class Arm:
    """An arm over time; T moments.

    Attributes:
        side: 1 for the left arm, -1 for the right.
        shoulder, elbow, wrist, hand, thumb: (T, 3) [m]; the hand is its grip.
    """

    side: float
    shoulder: Array
    elbow: Array
    wrist: Array
    hand: Array
    thumb: Array

    @property
    def length(self) -> float:
        """Length of upper arm and forearm, the unit in which places of hands are given [m]."""
        bones = (self.elbow - self.shoulder, self.wrist - self.elbow)
        return float(sum(np.median(np.linalg.norm(bone, axis=-1)) for bone in bones))


@dataclass(frozen=True, eq=False)
class Body:
    """A body over time; T moments.

    Attributes:
        rate: moments per second [Hz].
        arms: by "left" and "right"; those it has.
        gaze: (T, 3) unit vector, where the face looks; where no head moves, it turns with the trunk.
        head: (T, 3) middle of the head [m].
        head_radius: of the head [m].
        neck: (T, 3) [m].
        abilities: how far the body can change a signal of `signals`, in the signal's unit; one that is not
            named it can change as far as anybody.
    """

    rate: float
    arms: Mapping[str, Arm]
    gaze: Array
    head: Array
    head_radius: float
    neck: Array
    abilities: Mapping[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.gaze)


def human_body(motion: Motion) -> Body:
    """Return the body of a human who moves, turned so that the shoulders face ahead on the mean."""
    positions = _facing_ahead(np.asarray(motion.positions, dtype=np.float64))
    at = {name: positions[:, index] for name, index in INDEX.items()}
    arms = {
        side: Arm(1.0 if side == "left" else -1.0, *(at[f"{side}_{name}"] for name in _ARM)) for side in SIDES
    }
    # A person looks ahead with the nose a little below the middle of the head.
    size = float(np.median(np.linalg.norm(at["nose"] - at["head"], axis=-1)) / np.linalg.norm(_NOSE))
    gaze = normalise(at["nose"] - at["head"])
    return Body(motion.frame_rate, arms, gaze, at["head"], _HEAD_RADIUS * size, at["neck"])


def _facing_ahead(positions: Array) -> Array:
    """Return positions (T, K, 3) turned about the vertical until the shoulders face ahead on the mean."""
    left, right = (positions[:, INDEX[f"{side}_shoulder"], :2].mean(axis=0) for side in SIDES)
    across = left - right
    length = float(np.linalg.norm(across))
    if length < 1e-6:
        return positions
    sine, cosine = -across[0] / length, across[1] / length
    turn = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    # The left shoulder comes to lie at the left: the columns of the transpose.
    return np.asarray(positions @ turn)


def robot_body(robot: Robot, times: FloatArray, angles: FloatArray) -> Body:
    """Return the body of a robot whose joints are as commanded.

    Args:
        robot: who.
        times: (T,) evenly spaced [s].
        angles: (T, N) joint positions [rad].
    """
    pose = np.asarray(angles, dtype=np.float64)
    at = {name: point @ robot.axes.T for name, point in robot.points(pose).items()}
    arms = {}
    for side in SIDES:
        if f"{side}_arm" in robot.arms:
            arms[side] = Arm(1.0 if side == "left" else -1.0, *(at[f"{side}_{name}"] for name in _ARM))
    head, radius = _head(robot, pose, at)
    neck = at.get("neck", head)
    rate = (len(times) - 1) / float(times[-1] - times[0]) if len(times) > 1 else 1.0
    return Body(rate, arms, gaze_of(robot, pose), head, radius, neck, _abilities(robot))


def gaze_of(robot: Robot, angles: Array) -> Array:
    """Return where a robot's face looks, or without a head its trunk, as unit vectors (..., 3)."""
    if robot.head is not None:
        return np.asarray(robot.bone_directions(angles)["head"] @ robot.axes.T)
    return np.asarray(trunk_turn(robot, angles) @ _GAZE)


def trunk_turn(robot: Robot, angles: Array) -> Array:
    """Return how the waist has turned the trunk, (..., 3, 3), in forward, left and up; upright: identity."""
    if robot.waist is None:
        return np.broadcast_to(np.eye(3), (*angles.shape[:-1], 3, 3))
    last = robot.waist.joints[-1]
    turned, _ = robot.frames(angles)
    upright, _ = robot.frames(np.zeros(len(robot.joint_names)))
    return np.asarray(robot.axes @ turned[..., last, :, :] @ upright[last].T @ robot.axes.T)


def _head(robot: Robot, angles: Array, at: Mapping[str, Array]) -> tuple[Array, float]:
    """Return the middle (T, 3) and the radius of a robot's head [m]."""
    for index, capsule in enumerate(robot.capsules):
        if capsule.name == "head":
            return robot.capsule_ends(angles)[:, index].mean(axis=1) @ robot.axes.T, capsule.radius
    if robot.head is not None:
        return at["head"], float(np.median(np.linalg.norm(at["nose"] - at["head"], axis=-1)))
    shoulders = np.mean([at[f"{arm.removesuffix('arm')}shoulder"] for arm in robot.arms], axis=0)
    # As in a human, whose head is a third of an arm's length above the shoulders.
    length = max(
        float(np.linalg.norm(at[f"{arm.removesuffix('arm')}wrist"] - shoulders, axis=-1).max())
        for arm in robot.arms
    )
    return shoulders + np.array([0.0, 0.0, length / 3.0]), length / 5.0


@lru_cache(maxsize=16)
def _abilities(robot: Robot) -> Mapping[str, float]:
    """Return how far a robot can change what bodies differ in, see `Body.abilities`.

    Its gaze: the most that one joint of waist or head can do. Shoulders are fixed to the trunk.
    """
    down, left = [0.0], [0.0]
    for chain in (robot.waist, robot.head):
        for joint in chain.joints if chain else ():
            gaze = gaze_of(robot, _swept(robot, joint))
            down.append(float(np.ptp(pitch_of(gaze))))
            left.append(float(np.ptp(yaw_of(gaze))))
    rolls = all(_rolls_hand(robot, arm) for arm in robot.arms)
    return {
        "gaze_down": max(down),
        "gaze_left": max(left),
        "gaze_off": max(left),
        "shoulder_lift": 0.0,
        "thumb_tilt": 180.0 if rolls else 0.0,
    }


def _rolls_hand(robot: Robot, arm: str) -> bool:
    """Return whether a joint of an arm turns the thumb about the hand and moves no bone."""
    side = arm.removesuffix("arm")
    for joint in robot.arms[arm].joints:
        at = robot.points(_swept(robot, joint))
        bones = np.concatenate([at[side + "elbow"], at[side + "wrist"]], axis=1)
        thumb = normalise(at[side + "thumb"] - at[side + "wrist"])
        if np.ptp(bones, axis=0).max() < 1e-3 and (thumb @ thumb.T).min() < np.cos(np.radians(30.0)):
            return True
    return False


def _swept(robot: Robot, joint: int) -> Array:
    """Return rest poses (M, N) in which one joint goes through all of its range."""
    angles = np.tile(robot.rest, (_SWEEP, 1))
    angles[:, joint] = np.linspace(robot.lower[joint], robot.upper[joint], _SWEEP)
    return angles


def pitch_of(directions: Array) -> Array:
    """Return how far directions (..., 3) look down [degree]."""
    return np.degrees(np.arcsin(np.clip(-directions[..., 2], -1.0, 1.0)))


def yaw_of(directions: Array) -> Array:
    """Return how far directions (..., 3) look to the left [degree], without jumps over time."""
    return np.degrees(np.unwrap(np.arctan2(directions[..., 1], directions[..., 0])))


def human_like(robot: Robot, angles: Array) -> Array:
    """Return humans (T, K, 3) whose trunk, arms and gaze point as the robot's do [m].

    Args:
        robot: who.
        angles: (T, N) joint positions [rad].
    """
    points, positions = robot.points(angles), np.tile(REFERENCE, (len(angles), 1, 1))
    positions[:, _TRUNK] = REFERENCE[_TRUNK] @ trunk_turn(robot, angles).swapaxes(1, 2)
    for side in (arm.removesuffix("arm") for arm in robot.arms):
        for start, end in _BONES:
            bone = (points[side + end] - points[side + start]) @ robot.axes.T
            positions[:, INDEX[side + end]] = positions[:, INDEX[side + start]] + bone
    if robot.head:
        gaze = gaze_of(robot, angles)
        positions[:, INDEX["nose"]] = positions[:, INDEX["head"]] + np.linalg.norm(_NOSE) * gaze
    return positions
