"""Hands that open and close with their arm: joint positions of a human do not tell, the clause does."""

import numpy as np

from text2gesture_ros.geometry import Array
from text2gesture_ros.robots.robot import Robot

# A hand opens with its arm: wholly where a joint of that is so far from rest [rad].
_RAISED = 0.5


def with_hands(robot: Robot, angles: Array, opening: float | None) -> Array:
    """Return the angles with hands opened as a gesture needs, in proportion to how far the arm is raised.

    Args:
        robot: whose hands open and close, if it has any.
        angles: (T, N) joint angles [rad].
        opening: from 0, closed, to 1, open; None: as at rest.
    """
    if opening is None or not robot.hands:
        return angles
    result = angles.copy()
    for name, hand in robot.hands.items():
        arm = list(robot.arms[name.replace("hand", "arm")].joints)
        away = np.abs(angles[:, arm] - robot.rest[arm]).max(axis=1)
        wanted = hand.closed + opening * (hand.open - hand.closed)
        share = np.minimum(away / _RAISED, 1.0)
        result[:, hand.joint] = robot.rest[hand.joint] + share * (wanted - robot.rest[hand.joint])
    return result
