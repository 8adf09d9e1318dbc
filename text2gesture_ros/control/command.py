"""What goes out to the robot: a command per control period, and the trajectory announced ahead of them."""

from dataclasses import dataclass

import numpy as np

from text2gesture_ros.control.verification import Violation
from text2gesture_ros.geometry import Array, BoolArray, FloatArray

# Share of its speed that a joint may always use that goes where it ought to be on its own, and how much more
# than the command needs.
_SLOWEST, _CATCH_UP = 0.1, 1.5


@dataclass(frozen=True, eq=False)
class Command:
    """What the robot is to do now.

    Attributes:
        time: when it is to be there [s], on the clock of `tick`. One control period after the command before,
            however late the tick: over these times every limit is kept. They catch up where the robot stands.
        position: (N,) [rad].
        velocity: (N,) [rad/s].
        acceleration: (N,) [rad/s^2].
        utterance_id: what is performed, empty at rest and on the way there.
        clause: which clause of it.
        moving: whether something moves or is performed.
        owned: (N,) which joints are commanded; the others stand at rest here, and are left to whom they
            belong.
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
        """Return the share of their speed that the joints need which go to their position on their own.

        What the fastest of those that are owned needs, and half as much again to catch up, in [0.1, 1].

        Args:
            limits: (N,) speed of each joint [rad/s].
        """
        share = float(np.max(np.abs(self.velocity) / limits, where=self.owned, initial=0.0))
        return min(1.0, max(_SLOWEST, _CATCH_UP * share))


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Commands to come; the last one stands still.

    Attributes:
        times: (P,) after the moment it was asked for [s], increasing, evenly spaced; the first is 0 where the
            next command is due or late, else positive.
        positions: (P, N) [rad].
        velocities: (P, N) [rad/s].
        owned: (N,) which joints are commanded at any of these times.
        utterance_id: the last that is performed, empty where none is.
    """

    times: FloatArray
    positions: Array
    velocities: Array
    owned: BoolArray
    utterance_id: str
