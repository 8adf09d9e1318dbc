"""Joints that a recording lacks, placed from those it has by the proportions of the reference body.

Kinect has no head rotation, HumanML3D no hands. What is filled in is plausible and smooth, not measured:
unseen arms hang, legs stand, and a thumb lies as on a forearm that is not rolled.
"""

from collections.abc import Callable, Sequence

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.geometry import Array, FloatArray, cross, dot, normalise
from text2gesture_ros.skeleton import INDEX, JOINTS, REFERENCE

# Pairs whose distances say how large a body is: lengths of limbs, not widths, which differ more.
_MEASURES = (
    ("pelvis", "head"),
    ("pelvis", "neck"),
    *(
        (f"{side}_{start}", f"{side}_{end}")
        for side in ("left", "right")
        for start, end in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
    ),
)
# Directions in which an unseen elbow points (backwards, outwards and down) and an unseen knee (ahead).
_ELBOW_POLE = np.array([-0.4, 0.3, -1.0])
_KNEE_POLE = np.array([1.0, 0.0, 0.0])
# The rotation of an arm is the smallest one from this direction. It is ambiguous at the opposite one only:
# behind the back and above the other shoulder, where no upper arm reaches.
_ARM_AHEAD = normalise(np.array([0.5, 0.7, -0.5]))
_STIFF = 1.03  # A limb whose length varies by less than this ratio has no joint between its ends.
_MIN_LENGTH = 1e-6


def missing_joints(names: Sequence[str]) -> tuple[str, ...]:
    """Return the skeleton's joints that are not in `names`: those that `fill` fills."""
    return tuple(name for name in JOINTS if name not in names)


def check_joints(names: Sequence[str]) -> None:
    """Refuse names that are no joints of the skeleton, or given twice.

    Raises:
        InputError: one is.
    """
    wrong = [name for name in names if name not in INDEX or list(names).count(name) > 1]
    if wrong:
        raise InputError(f"joint {wrong[0]!r} is unknown or given twice. Known: {', '.join(JOINTS)}")


def body_size(positions: FloatArray, names: Sequence[str]) -> float:
    """Return the size of a body, relative to the reference body: by the median lengths of trunk and limbs.

    Args:
        positions: (T, J, 3) joint positions.
        names: (J,) which joints these are.

    Raises:
        InputError: no trunk and no limb is there, or they have no length.
    """
    at = {name: positions[:, index] for index, name in enumerate(names)}
    pairs = [pair for pair in _MEASURES if pair[0] in at and pair[1] in at]
    here = sum(float(np.nanmedian(np.linalg.norm(at[b] - at[a], axis=-1))) for a, b in pairs)
    if not here > _MIN_LENGTH:
        raise InputError("joints: no trunk and no limb of any length among them, by which to tell the size")
    return here / sum(float(np.linalg.norm(_offset(a, b))) for a, b in pairs)


def fill(positions: FloatArray, names: Sequence[str]) -> Array:
    """Return all joints of the skeleton: those given as they are, the missing ones by proportion.

    It follows the body: one twice as large, or turned about the vertical, gets such joints.

    Args:
        positions: (T, J, 3) joint positions [m], z up; without a pelvis the origin is taken for it.
        names: (J,) which joints these are.

    Returns:
        (T, K, 3) joint positions [m].

    Raises:
        InputError: a name is unknown or given twice, or the shape does not fit the names.
    """
    check_joints(names)
    if positions.ndim != 3 or positions.shape[1:] != (len(names), 3):
        raise InputError(f"fill: positions must be (T, {len(names)}, 3) but are {positions.shape}")
    body = _Body(np.asarray(positions, dtype=np.float64), tuple(names))
    body.fill_trunk()
    for side, outwards in (("left", 1.0), ("right", -1.0)):
        body.fill_arm(side, outwards)
        body.fill_leg(side)
    return body.joints


class _Body:
    """A body that is being completed: `joints` (T, K, 3), and which of them are present."""

    def __init__(self, positions: Array, names: tuple[str, ...]) -> None:
        self.joints = np.zeros((len(positions), len(JOINTS), 3))
        self.joints[:, [INDEX[name] for name in names]] = positions
        self._present = set(names)
        self._put("pelvis", self._pelvis)
        there = [name for name in JOINTS if name in self._present]
        self._scale = body_size(self.joints[:, [INDEX[name] for name in there]], there)

    def _has(self, *names: str) -> bool:
        return self._present.issuperset(names)

    def __getitem__(self, name: str) -> Array:
        return np.asarray(self.joints[:, INDEX[name]])

    def _put(self, name: str, value: Callable[[], Array | float]) -> None:
        """Place a joint if it is missing."""
        if name not in self._present:
            self.joints[:, INDEX[name]] = value()
            self._present.add(name)

    def _put_on_torso(self, parent: str, child: str) -> None:
        """Place a joint if it is missing: as on the reference body, turned as the torso."""
        self._put(child, lambda: self[parent] + self._turned(self.torso, _offset(parent, child)))

    def _pelvis(self) -> Array | float:
        if not self._has("left_hip", "right_hip"):
            return 0.0
        width = _length(_left(self.joints, "hip")) / _length(_left(REFERENCE, "hip"))
        return np.asarray(_middle(self.joints, "hip") - width * _middle(REFERENCE, "hip"))

    def _across(self) -> tuple[str, ...]:
        """Return the parts whose line from right to left says where the body looks."""
        return tuple(part for part in ("shoulder", "hip") if self._has(f"left_{part}", f"right_{part}"))

    def fill_trunk(self) -> None:
        across = self._across()
        top = next((name for name in ("neck", "head", "chest") if self._has(name)), "")
        middle = "shoulder" in across and top != "neck"

        def torso(joints: Array) -> tuple[Array, Array]:
            """Return left and up."""
            left = sum((_left(joints, part) for part in across), start=np.zeros(3))
            left = left if across else np.array([0.0, 1.0, 0.0])
            pelvis = joints[..., INDEX["pelvis"], :]
            if middle:
                return left, _middle(joints, "shoulder") - pelvis
            return left, joints[..., INDEX[top], :] - pelvis if top else np.array([0.0, 0.0, 1.0])

        left, up = (np.broadcast_to(axis, (len(self.joints), 3)) for axis in torso(self.joints))
        self.torso = basis(left, up) @ np.swapaxes(basis(*torso(REFERENCE)), -1, -2)
        self.upright = basis(left, np.broadcast_to([0.0, 0.0, 1.0], left.shape))

        reach = _length(up) / float(np.linalg.norm(torso(REFERENCE)[1]))  # the trunk's own size, (T, 1)
        self._put(
            "chest",
            lambda: self["pelvis"] + float(np.median(reach)) * _apply(self.torso, _offset("pelvis", "chest")),
        )
        if "shoulder" in across:
            from_shoulders = REFERENCE[INDEX["neck"]] - _middle(REFERENCE, "shoulder")
            self._put(
                "neck", lambda: _middle(self.joints, "shoulder") + self._turned(self.torso, from_shoulders)
            )
        elif self._has("head"):
            share = np.linalg.norm(_offset("chest", "neck")) / np.linalg.norm(_offset("chest", "head"))
            self._put("neck", lambda: self["chest"] + share * (self["head"] - self["chest"]))
        self._put_on_torso("chest", "neck")
        self._put_on_torso("neck", "head")
        self._put_on_torso("chest", "left_shoulder")
        self._put_on_torso("chest", "right_shoulder")
        self._put("nose", lambda: self["head"] + self._turned(self._head(left), _offset("head", "nose")))

    def _head(self, left: Array) -> Array:
        """Return how the head is turned (T, 3, 3): upwards along the neck, across as the shoulders are."""
        up = self["head"] - self["neck"]
        here = basis(left, np.where(_length(up) > _MIN_LENGTH, up, self.torso[:, :, 2]))
        return np.asarray(here @ basis(np.array([0.0, 1.0, 0.0]), _offset("neck", "head")).T)

    def fill_arm(self, side: str, outwards: float) -> None:
        shoulder, elbow, wrist, hand, thumb = (
            f"{side}_{part}" for part in ("shoulder", "elbow", "wrist", "hand", "thumb")
        )
        mirrored = np.array([1.0, outwards, 1.0])
        end = next((name for name in (wrist, hand) if self._has(name)), "")
        if end:
            pole = _apply(self.torso, _ELBOW_POLE * mirrored)
            self._put(elbow, lambda: self._bent(shoulder, elbow, end, pole))
        self._put(elbow, lambda: self[shoulder] + self._turned(self.torso, _offset(shoulder, elbow)))
        if self._has(wrist, hand, thumb):
            return
        # The rotation of the arm: the smallest at the shoulder, then the smallest at the elbow.
        at_rest, ahead = normalise(_offset(shoulder, elbow)), _ARM_AHEAD * mirrored
        upper = normalise(_apply(np.swapaxes(self.torso, -1, -2), self[elbow] - self[shoulder]))
        arm = self.torso @ shortest(ahead, upper) @ shortest(at_rest, ahead)
        if self._has(hand):
            lengths = [np.linalg.norm(_offset(*pair)) for pair in ((elbow, wrist), (wrist, hand))]
            share = lengths[0] / sum(lengths)
            self._put(wrist, lambda: self[elbow] + share * (self[hand] - self[elbow]))
        self._put(wrist, lambda: self[elbow] + self._turned(arm, _offset(elbow, wrist)))
        forearm = normalise(_apply(np.swapaxes(arm, -1, -2), self[wrist] - self[elbow]))
        arm = arm @ shortest(normalise(_offset(elbow, wrist)), forearm)
        self._put(hand, lambda: self[wrist] + self._turned(arm, _offset(wrist, hand)))
        grip = normalise(_apply(np.swapaxes(arm, -1, -2), self[hand] - self[wrist]))
        arm = arm @ shortest(normalise(_offset(wrist, hand)), grip)
        self._put(thumb, lambda: self[wrist] + self._turned(arm, _offset(wrist, thumb)))

    def fill_leg(self, side: str) -> None:
        hip, knee, ankle = (f"{side}_{part}" for part in ("hip", "knee", "ankle"))
        self._put(hip, lambda: self["pelvis"] + self._turned(self.upright, _offset("pelvis", hip)))
        if self._has(ankle):
            self._put(knee, lambda: self._bent(hip, knee, ankle, _apply(self.upright, _KNEE_POLE)))
        self._put(knee, lambda: self[hip] + self._turned(self.upright, _offset(hip, knee)))
        self._put(ankle, lambda: self[knee] + self._turned(self.upright, _offset(knee, ankle)))

    def _turned(self, rotations: Array, offset: Array) -> Array:
        """Return an offset (3,) of the reference body at this body's size, turned, (T, 3)."""
        return self._scale * _apply(rotations, offset)

    def _bent(self, start: str, middle: str, end: str, pole: Array) -> Array:
        """Return where the joint between two is, (T, 3): by the law of cosines, towards `pole` (T, 3)."""
        whole = self[end] - self[start]
        distance = np.maximum(_length(whole), _MIN_LENGTH)
        first, second = (
            self._scale * float(np.linalg.norm(_offset(*pair))) for pair in ((start, middle), (middle, end))
        )
        longest = float(distance.max())
        stiff = longest < _STIFF * float(distance.min())
        stretch = longest / (first + second) if stiff else max(1.0, longest / (first + second))
        first, second = first * stretch, second * stretch
        near = np.clip(distance, abs(first - second) + _MIN_LENGTH, first + second)
        along = (first**2 - second**2 + near**2) / (2.0 * near)
        away = np.sqrt(np.maximum(first**2 - along**2, 0.0))
        unit = whole / distance
        sideways = normalise(pole - dot(pole, unit)[..., None] * unit)
        return np.asarray(self[start] + along * unit + away * sideways)


def _offset(parent: str, child: str) -> Array:
    return np.asarray(REFERENCE[INDEX[child]] - REFERENCE[INDEX[parent]])


def _left(joints: Array, part: str) -> Array:
    return np.asarray(joints[..., INDEX[f"left_{part}"], :] - joints[..., INDEX[f"right_{part}"], :])


def _middle(joints: Array, part: str) -> Array:
    return np.asarray(joints[..., INDEX[f"left_{part}"], :] + joints[..., INDEX[f"right_{part}"], :]) / 2.0


def _length(vectors: Array) -> Array:
    return np.asarray(np.linalg.norm(vectors, axis=-1, keepdims=True))


def _apply(rotations: Array, vector: Array) -> Array:
    """Return vectors (..., 3) turned by rotations (..., 3, 3)."""
    return np.asarray(np.einsum("...ij,...j->...i", rotations, vector))


def basis(left: Array, up: Array) -> Array:
    """Return the rotation (..., 3, 3) whose columns are forward, left, up; up is exact, left nearly.

    Without a left or an up worth the name, the frame's own is taken.
    """
    up = normalise(np.where(_length(up) > _MIN_LENGTH, up, np.array([0.0, 0.0, 1.0])))
    forward = cross(left, up)
    forward = np.where(_length(forward) > _MIN_LENGTH, forward, cross(np.array([0.0, 1.0, 0.0]), up))
    forward = normalise(forward)
    return np.stack([forward, cross(up, forward), up], axis=-1)


def shortest(start: Array, goal: Array) -> Array:
    """Return the smallest rotation (..., 3, 3) that brings unit vector `start` to `goal` (Rodrigues)."""
    start, goal = np.broadcast_arrays(start, goal)
    axis, cosine = cross(start, goal), dot(start, goal)[..., None, None]
    turn = np.zeros((*axis.shape, 3))  # the cross product with the axis
    for row, column, entry in ((1, 0, 2), (2, 1, 0), (0, 2, 1)):
        turn[..., row, column], turn[..., column, row] = axis[..., entry], -axis[..., entry]
    return np.asarray(np.eye(3) + turn + turn @ turn / np.maximum(1.0 + cosine, _MIN_LENGTH))
