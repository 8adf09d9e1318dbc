"""Opening of the robot's hands, given by the clause: joint positions of a human do not include fingers."""

import numpy as np

from text2gesture_ros.geometry import Array
from text2gesture_ros.robots.robot import Robot

# Distance of an arm joint from rest at which the hand has its full opening; less in proportion [rad].
_FULL_OPENING_DISTANCE = 0.5
# Share of its range by which a hand leaves rest if a motion opens or closes it.
_MOVED = 0.1


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


def opening_of(robot: Robot, angles: Array) -> float | None:
    """Return the opening with which `with_hands` makes hands most like those of a motion; None: as at rest.

    Args:
        robot: the robot.
        angles: (T, N) joint angles, hands among them [rad].
    """
    wanted = []
    for hand in robot.hands.values():
        off = angles[:, hand.joint] - robot.rest[hand.joint]
        furthest = angles[int(np.abs(off).argmax()), hand.joint]
        if np.abs(off).max() > _MOVED * abs(hand.open - hand.closed):
            wanted.append((furthest - hand.closed) / (hand.open - hand.closed))
    return float(np.clip(np.mean(wanted), 0.0, 1.0)) if wanted else None
