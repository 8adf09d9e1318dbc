"""How far a hand is open in each gesture: joint positions do not tell, what the gesture means does."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from text2gesture_ros.kinematics import Array
from text2gesture_ros.robot import Robot

OPENINGS: Mapping[str, float] = MappingProxyType(
    {
        # Palms are shown, laid on something or given.
        "wave": 1.0,
        "handshake": 1.0,
        "pat": 1.0,
        "grabhead": 1.0,
        "shrug": 1.0,
        "uplift": 1.0,
        "yay": 1.0,
        # Fingers are bent behind the one that tells.
        "thumbsup": 0.0,
        "point": 0.0,
    }
)
"""From 0, closed, to 1, open, by gesture; in the others hands stay as they are at rest."""

# A hand opens with its arm: wholly where a joint of that is so far from rest [rad].
_RAISED = 0.5


def with_hands(robot: Robot, angles: Array, gesture: str) -> Array:
    """Return the angles with hands as a gesture wants them, each as far as its arm is raised.

    Args:
        robot: whose hands open and close, if it has any.
        angles: (T, N) joint angles [rad].
        gesture: its label.
    """
    opening = OPENINGS.get(gesture)
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
