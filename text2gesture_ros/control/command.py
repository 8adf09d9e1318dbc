"""What goes out to the robot: a command every control period, and the trajectory announced ahead of them."""

from dataclasses import dataclass

import numpy as np

from text2gesture_ros.control.verification import Violation
from text2gesture_ros.geometry import Array, BoolArray, FloatArray

# Speed fraction for position-controlled joints: lower bound, and margin over the commanded velocity.
_MIN_SPEED_FRACTION, _SPEED_MARGIN = 0.1, 1.5


@dataclass(frozen=True, eq=False)
class Command:
    """What the robot is to do now.

    Attributes:
        time: when the robot is to be there [s], on the clock of `ControlLoop.tick`. Over these times every
            limit is kept, however late a tick comes.
        position: (N,) [rad].
        velocity: (N,) [rad/s].
        acceleration: (N,) [rad/s^2].
        utterance_id: what is performed, empty at rest and on the way there.
        clause: which clause of it.
        moving: whether something moves or is performed.
        owned: (N,) which joints are commanded; the others are at home here, and are left to others.
        violations: what the verifier found in the sample that was due, which was therefore not sent.
    """

    time: float
    position: Array
    velocity: Array
    acceleration: Array
    utterance_id: str
    clause: int
    moving: bool
    owned: BoolArray
    violations: tuple[Violation, ...]

    def speed(self, limits: Array) -> float:
        """Return the fraction of its speed limit that a joint needs which is position-controlled by itself.

        That of the fastest joint that is commanded, with a margin to catch up, in [0.1, 1].

        Args:
            limits: (N,) velocity limit of each joint [rad/s].
        """
        fraction = float(np.max(np.abs(self.velocity) / limits, where=self.owned, initial=0.0))
        return min(1.0, max(_MIN_SPEED_FRACTION, _SPEED_MARGIN * fraction))


@dataclass(frozen=True, eq=False)
class Announcement:
    """The commands to come, as far as they are planned; the last one stands still.

    Attributes:
        times: (P,) after the moment of the announcement [s], increasing, evenly spaced; the first is 0 where
            the next command is due or late, else positive.
        positions: (P, N) [rad].
        velocities: (P, N) [rad/s].
        accelerations: (P, N) [rad/s^2].
        owned: (N,) which joints are commanded at any of these times.
        utterance_id: the last that is performed, empty where none is.
    """

    times: FloatArray
    positions: Array
    velocities: Array
    accelerations: Array
    owned: BoolArray
    utterance_id: str
