"""The studio's body: a posture is a vector of joint angles, forward kinematics turns it into 21 joints.

Arms are computed as left arms, in axes (x forward, y outward, z up); the right arm is the mirror image.
Angles are in radians and named as a physician would: pitch raises the upper arm forward, abduction sideways,
swivel turns it inward about its own length, then elbow flexion, forearm twist (positive: palm up),
wrist flexion (towards the palm) and deviation (towards the thumb). Of a leg, thigh raises the knee forward
and shin bends it. yaw turns the whole person.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.skeleton import INDEX, JOINTS, REFERENCE

SIDES = ("left", "right")
ARM_CHANNELS = (
    "lift",
    "pitch",
    "abduction",
    "swivel",
    "elbow",
    "twist",
    "flexion",
    "deviation",
    "thumb",
)
LEG_CHANNELS = ("thigh", "shin")
BODY_CHANNELS = ("yaw", "lean", "tilt", "turn", "head_pitch", "head_yaw", "head_roll", "knees", "sway")
CHANNELS = BODY_CHANNELS + tuple(
    f"{side}_{channel}" for side in SIDES for channel in ARM_CHANNELS + LEG_CHANNELS
)
CHANNEL = {name: index for index, name in enumerate(CHANNELS)}

# How far a person can turn each joint [rad]; `reach` stays within.
ARM_LIMITS: Mapping[str, tuple[float, float]] = {
    "lift": (-0.10, 0.45),
    "pitch": (-0.90, 3.40),
    "abduction": (-0.60, 2.70),
    "swivel": (-2.30, 1.75),
    "elbow": (0.05, 2.60),
    "twist": (-1.50, 1.50),
    "flexion": (-1.20, 1.20),
    "deviation": (-0.45, 0.55),
    "thumb": (-0.30, 0.90),
}
BODY_LIMITS: Mapping[str, tuple[float, float]] = {
    "lean": (-0.35, 1.30),
    "tilt": (-0.45, 0.45),
    "turn": (-0.90, 0.90),
    "head_pitch": (-0.80, 0.80),
    "head_yaw": (-1.25, 1.25),
    "head_roll": (-0.60, 0.60),
}
_LIMITS = {**BODY_LIMITS, **ARM_LIMITS}
_UNBOUND = (-np.inf, np.inf)
# The same for every channel, unbound where none is given: (C,) lowest and highest angle [rad].
LOWEST, HIGHEST = np.array(
    [_LIMITS.get(name.removeprefix("left_").removeprefix("right_"), _UNBOUND) for name in CHANNELS]
).T


def rotation(axis: str, angle: FloatArray | float) -> FloatArray:
    """Return rotation matrices about "x", "y" or "z" by `angle` [rad]: (...,) -> (..., 3, 3)."""
    angle = np.asarray(angle, dtype=np.float64)
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.zeros((*angle.shape, 3, 3))
    fixed = 3 - first - second
    matrix[..., fixed, fixed] = 1.0
    matrix[..., first, first] = matrix[..., second, second] = np.cos(angle)
    matrix[..., second, first] = np.sin(angle)
    matrix[..., first, second] = -matrix[..., second, first]
    return matrix


def _offset(child: str, parent: str) -> FloatArray:
    return np.asarray(REFERENCE[INDEX[child]] - REFERENCE[INDEX[parent]])


def _apply(matrix: FloatArray, vector: FloatArray) -> FloatArray:
    """Rotate: (..., 3, 3), (..., 3) -> (..., 3)."""
    return np.asarray(np.einsum("...ij,...j->...i", matrix, vector))


_DOWN = np.array([0.0, 0.0, -1.0])
_UPPER = float(np.linalg.norm(_offset("left_elbow", "left_shoulder")))
_FORE = float(np.linalg.norm(_offset("left_wrist", "left_elbow")))


def _shoulder_angles(upper: FloatArray, fore: FloatArray) -> list[dict[str, float]]:
    """Return the two ways to point upper arm and forearm along two unit vectors.

    Each is pitch, abduction, swivel and elbow. The first raises the arm past the front, the second past the
    side, abduction beyond a right angle.
    """
    pitch, abduction = float(np.arctan2(upper[0], -upper[2])), float(np.arcsin(np.clip(upper[1], -1.0, 1.0)))
    local = _forearm_frame(*np.array([pitch, abduction, 0.0])).T @ fore
    swivel, elbow = float(np.arctan2(-local[1], local[0])), float(np.arccos(np.clip(-local[2], -1.0, 1.0)))
    # An arm gets up behind the head past the front, not past the back.
    front = {"pitch": pitch + 2.0 * np.pi * (pitch < -np.pi / 2), "abduction": abduction, "swivel": swivel}
    side = {
        "pitch": pitch - np.pi * np.sign(pitch),
        "abduction": np.pi - abduction,
        "swivel": swivel - np.pi if swivel > -0.5 else swivel + np.pi,
    }
    return [{**front, "elbow": elbow}, {**side, "elbow": elbow}]


def _forearm_frame(pitch: FloatArray, abduction: FloatArray, swivel: FloatArray) -> FloatArray:
    return np.asarray(rotation("y", -pitch) @ rotation("x", abduction) @ rotation("z", -swivel))


_REST_ARM = _shoulder_angles(
    _offset("left_elbow", "left_shoulder") / _UPPER, _offset("left_wrist", "left_elbow") / _FORE
)[0]
_REST_FRAME = _forearm_frame(
    *(np.asarray(_REST_ARM[name]) for name in ("pitch", "abduction", "swivel"))
) @ rotation("y", -_REST_ARM["elbow"])
_HAND = _REST_FRAME.T @ _offset("left_hand", "left_wrist")
_THUMB = _REST_FRAME.T @ _offset("left_thumb", "left_wrist")

# The posture of `skeleton.REFERENCE`: (C,) joint angles.
REST = np.zeros(len(CHANNELS))
for _side in SIDES:
    for _name, _angle in _REST_ARM.items():
        REST[CHANNEL[f"{_side}_{_name}"]] = _angle
REST.flags.writeable = False


def reach(
    wrist: Sequence[float] | FloatArray,
    elbow: Sequence[float] | FloatArray,
    thumb: Sequence[float] | FloatArray,
    like: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Return the arm angles that bring the wrist of the reference body to a place, the torso upright.

    Args:
        wrist: (3,) where [m], pelvis frame with y outward; brought within reach of the shoulder.
        elbow: (3,) direction in which the elbow points away from the line shoulder to wrist.
        thumb: (3,) direction of the thumb's side of the hand.
        like: of the ways to get there, the one nearest to these angles; None: nearest to hanging.

    Returns:
        pitch, abduction, swivel, elbow and twist [rad], within `ARM_LIMITS`.
    """
    line = np.asarray(wrist, dtype=np.float64) - REFERENCE[INDEX["left_shoulder"]]
    distance = float(np.clip(np.linalg.norm(line), 0.19, 0.985 * (_UPPER + _FORE)))
    line = line / np.linalg.norm(line)
    pole = np.asarray(elbow, dtype=np.float64)
    pole = pole - (pole @ line) * line
    pole = pole / np.linalg.norm(pole)
    cosine = (_UPPER**2 + distance**2 - _FORE**2) / (2 * _UPPER * distance)
    upper = cosine * line + np.sqrt(1.0 - cosine**2) * pole
    fore = (distance * line - _UPPER * upper) / _FORE
    near = _REST_ARM if like is None else like
    angles = min(_shoulder_angles(upper, fore), key=lambda way: _effort(way, near))
    frame = _forearm_frame(
        *(np.asarray(angles[name]) for name in ("pitch", "abduction", "swivel"))
    ) @ rotation("y", -angles["elbow"])
    side = frame.T @ np.asarray(thumb, dtype=np.float64)
    angles["twist"] = float(np.arctan2(side[1], side[0]))
    return {name: float(np.clip(angle, *ARM_LIMITS[name])) for name, angle in angles.items()}


def _effort(angles: Mapping[str, float], near: Mapping[str, float]) -> float:
    """Return the distance of a trajectory from `near`, plus a penalty for leaving the joint limits [rad]."""
    beyond = sum(
        max(ARM_LIMITS[name][0] - angle, angle - ARM_LIMITS[name][1], 0.0) for name, angle in angles.items()
    )
    return sum(abs(angle - near[name]) for name, angle in angles.items()) + 10.0 * beyond


@dataclass(frozen=True)
class Body:
    """Proportions relative to `skeleton.REFERENCE`: factors of length, and where joints are taken to be.

    People differ, and so does what different systems call a shoulder, a head or a nose.

    Attributes:
        size: factor of all lengths.
        shoulders: factor of the breadth of the shoulders.
        arms: factor of the length of the arms.
        legs: factor of the length of the legs.
        head: factor of the length of neck and nose.
        neck: part of the head's turning that happens below the joint `head`; the rest moves the nose only.
        shoulder_shift: (3,) forward, outward, up [m].
        head_shift: (3,) forward, left, up [m].
        nose_shift: (3,) forward, left, up [m].
    """

    size: float = 1.0
    shoulders: float = 1.0
    arms: float = 1.0
    legs: float = 1.0
    head: float = 1.0
    neck: float = 0.5
    shoulder_shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    head_shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    nose_shift: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def shoulder_gap(self) -> FloatArray:
        """How far the reference's left shoulder is from this body's, sizes being equal: (3,) [m]."""
        broader = (1.0 - self.shoulders) * REFERENCE[INDEX["left_shoulder"]] * np.array([0.0, 1.0, 0.0])
        return np.asarray(broader - self.shoulder_shift)

    @classmethod
    def drawn(cls, generator: np.random.Generator) -> "Body":
        """Return a random adult of about 1.5 to 1.9 m."""

        def factor(mean: float, deviation: float, low: float, high: float) -> float:
            return float(np.clip(generator.normal(mean, deviation), low, high))

        def shift(*deviations: float) -> tuple[float, float, float]:
            forward, aside, up = (float(d * np.clip(generator.normal(), -2, 2)) for d in deviations)
            return forward, aside, up

        return cls(
            size=factor(1.0, 0.06, 0.86, 1.14),
            shoulders=factor(0.95, 0.09, 0.75, 1.15),
            arms=factor(1.0, 0.035, 0.91, 1.09),
            legs=factor(1.0, 0.04, 0.9, 1.1),
            head=factor(1.0, 0.05, 0.88, 1.12),
            neck=factor(0.45, 0.15, 0.05, 0.8),
            shoulder_shift=shift(0.012, 0.0, 0.015),
            head_shift=shift(0.012, 0.002, 0.012),
            nose_shift=shift(0.006, 0.0, 0.014),
        )

    def positions(self, angles: FloatArray) -> FloatArray:
        """Return the joint positions of postures by forward kinematics.

        Args:
            angles: (T, C) joint angles [rad], in the order of `CHANNELS`.

        Returns:
            (T, K, 3) joint positions [m], pelvis frame. Bone lengths are the same in every frame.
        """
        value = {name: angles[:, index] for name, index in CHANNEL.items()}
        points = np.zeros((len(angles), len(JOINTS), 3))

        def put(child: str, parent: str, frame: FloatArray, bone: FloatArray) -> None:
            points[:, INDEX[child]] = points[:, INDEX[parent]] + _apply(frame, self.size * bone)

        # The spine bends as one arc: the lower half turns half as far.
        def spine(part: float) -> FloatArray:
            return np.asarray(
                rotation("z", part * value["turn"])
                @ rotation("y", part * value["lean"])
                @ rotation("x", part * value["tilt"])
            )

        torso = spine(1.0)
        put("chest", "pelvis", spine(0.5), _offset("chest", "pelvis"))
        put("neck", "chest", torso, _offset("neck", "chest"))

        def skull(part: float) -> FloatArray:
            return np.asarray(
                torso
                @ rotation("z", value["head_yaw"])
                @ rotation("y", part * value["head_pitch"])
                @ rotation("x", part * value["head_roll"])
            )

        put("head", "neck", skull(self.neck), self.head * _offset("head", "neck") + self.head_shift)
        put("nose", "head", skull(1.0), self.head * _offset("nose", "head") + self.nose_shift)

        for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
            arm = {name: value[f"{side}_{name}"] for name in ARM_CHANNELS}
            # Mirrored axes: rotating in the left arm's axes, then changing the sign of y.
            place = torso * np.array([1.0, sign, 1.0])
            clavicle = place @ rotation("x", arm["lift"])
            shoulder = _offset("left_shoulder", "chest") * np.array([1.0, self.shoulders, 1.0])
            shoulder = shoulder + self.shoulder_shift
            put(f"{side}_shoulder", "chest", clavicle, shoulder)
            upper = place @ _forearm_frame(arm["pitch"], arm["abduction"], arm["swivel"])
            put(f"{side}_elbow", f"{side}_shoulder", upper, self.arms * _UPPER * _DOWN)
            fore = upper @ rotation("y", -arm["elbow"])
            put(f"{side}_wrist", f"{side}_elbow", fore, self.arms * _FORE * _DOWN)
            hand = (
                fore
                @ rotation("z", arm["twist"])
                @ rotation("x", -arm["flexion"])
                @ rotation("y", -arm["deviation"])
            )
            put(f"{side}_hand", f"{side}_wrist", hand, _HAND)
            put(f"{side}_thumb", f"{side}_wrist", hand @ rotation("y", -arm["thumb"]), _THUMB)

            # Bent knees and sway move the legs under the pelvis, which is the origin.
            sway = rotation("x", value["sway"])
            put(f"{side}_hip", "pelvis", sway, _offset(f"{side}_hip", "pelvis"))
            raised = value["knees"] + value[f"{side}_thigh"]
            thigh = sway @ rotation("y", -raised)
            put(f"{side}_knee", f"{side}_hip", thigh, self.legs * _offset(f"{side}_knee", f"{side}_hip"))
            bent = 2.0 * value["knees"] + value[f"{side}_shin"]
            shank = sway @ rotation("y", bent - raised)
            put(f"{side}_ankle", f"{side}_knee", shank, self.legs * _offset(f"{side}_ankle", f"{side}_knee"))
        return _apply(rotation("z", value["yaw"])[:, None], points)
