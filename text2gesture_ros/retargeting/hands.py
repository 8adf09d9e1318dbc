"""Opening of the robot's hands, given by the clause: joint positions of a human do not include fingers."""

import numpy as np

from text2gesture_ros.geometry import Array
from text2gesture_ros.robots.robot import Robot

# Distance of an arm joint from rest at which the hand has its full opening; less in proportion [rad].
_FULL_OPENING_DISTANCE = 0.5


def with_hands(robot: Robot, angles: Array, opening: float | None) -> Array:
    """Return the angles with the hands opened, in proportion to their arm's distance from rest.

    Args:
        robot: the robot; without hands the angles are returned as they are.
        angles: (T, N) joint angles [rad].
        opening: 0 closed, 1 open; None: as at rest.
    """
    if opening is None or not robot.hands:
        return angles
    result = angles.copy()
    for name, hand in robot.hands.items():
        arm = list(robot.arms[name.replace("hand", "arm")].joints)
        distance = np.abs(angles[:, arm] - robot.rest[arm]).max(axis=1)
        wanted = hand.closed + opening * (hand.open - hand.closed)
        ratio = np.minimum(distance / _FULL_OPENING_DISTANCE, 1.0)
        result[:, hand.joint] = robot.rest[hand.joint] + ratio * (wanted - robot.rest[hand.joint])
    return result
