"""A robot's pose as a human's: what joint angles look like on the human skeleton.

The reverse of retargeting, where that is exact.
"""

import numpy as np

from text2gesture_ros.geometry import Array, normalise
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.skeleton import INDEX, JOINTS, REFERENCE

_LEGS = {INDEX[name] for name in JOINTS if name.endswith(("pelvis", "hip", "knee", "ankle"))}
UPPER_BODY = [index for index in range(len(JOINTS)) if index not in _LEGS]
"""The joints that lean with the torso."""


def human_of(robot: Robot, angles: Array) -> Array:
    """Return a human (T, K, 3) of the reference's size who points limbs and gaze as a robot does [m].

    Args:
        robot: the robot; a limb that it lacks hangs as the reference's.
        angles: (T, N) joint angles [rad].
    """
    zero = np.zeros(len(robot.joint_names))
    points, (turns, _) = robot.points(angles), robot.frames(angles)
    body = np.broadcast_to(REFERENCE, (len(angles), *REFERENCE.shape)).copy()

    def turn_of(joint: int) -> Array:
        """Return the rotation (T, 3, 3) of a joint's frame since zero, forward, left and up being x, y, z."""
        since_zero = turns[:, joint] @ robot.frames(zero)[0][joint].T
        return np.asarray(robot.axes @ since_zero @ robot.axes.T)

    def place(child: str, parent: str, direction: Array) -> None:
        length = np.linalg.norm(REFERENCE[INDEX[child]] - REFERENCE[INDEX[parent]])
        body[:, INDEX[child]] = body[:, INDEX[parent]] + length * normalise(direction)

    if robot.waist is not None:
        lean = turn_of(robot.waist.joints[-1])
        body[:, UPPER_BODY] = body[:, UPPER_BODY] @ lean.swapaxes(1, 2)
    if robot.head is not None:
        upright = REFERENCE[INDEX["head"]] - REFERENCE[INDEX["neck"]]
        place("head", "neck", turn_of(robot.head.joints[-1]) @ upright)
        place("nose", "head", (points["nose"] - points["head"]) @ robot.axes.T)
    for arm in robot.arms:
        side = arm.removesuffix("arm")
        for child, parent in (
            ("elbow", "shoulder"),
            ("wrist", "elbow"),
            ("hand", "wrist"),
            ("thumb", "wrist"),
        ):
            direction = (points[side + child] - points[side + parent]) @ robot.axes.T
            place(side + child, side + parent, direction)
    return body
