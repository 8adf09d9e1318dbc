"""Commands over the arm interface of Unitree's humanoids: unitree_hg/LowCmd on the topic arm_sdk.

The robot's own controller drives the same motors all the while. One number in every command, the weight, is
the share of the motors that is ours; it moves by small equal steps, so that arms change hands without a jump.
"""

import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from text2gesture_ros.geometry import Array
from text2gesture_ros.robots.arm_interface import ArmInterface

# A command may go out this much early, half the shortest control period, as the loop wakes up unevenly [s].
_EARLY = 2.5e-3
# A byte with its bits in reverse order.
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class ArmSdk:
    """Sends the commands of an arm interface at its rate, and moves their weight.

    Attributes:
        weight: share of the motors that is ours, as it was sent last.
    """

    def __init__(self, publish: Callable[[Any], None], kind: Any, interface: ArmInterface) -> None:
        """Have no share of the motors yet.

        Args:
            publish: sends a message.
            kind: unitree_hg/LowCmd.
            interface: motors, gains, rate and weight of the robot.
        """
        self._publish, self._kind, self._interface = publish, kind, interface
        self._due = -np.inf  # time of the next command [s]
        self.weight = 0.0

    def send(self, position: Array, time: float, weight: float) -> None:
        """Send a command if it is time for one, its weight a step nearer to what is wanted.

        Args:
            position: (N,) where the joints are to be [rad].
            time: of this control period [s].
            weight: the weight that is wanted, 0 or 1.
        """
        period = 1.0 / self._interface.rate
        if self._due - 2.0 * period < time < self._due - _EARLY:
            return
        # Evenly, not a period after each command: what is late would add up. After a silence it begins anew.
        self._due = (self._due if abs(time - self._due) < period else time) + period
        step = period / self._interface.fade_time
        self.weight += min(step, max(-step, weight - self.weight))
        self._publish(low_command(self._kind, self._interface, position, self.weight))


def low_command(kind: Any, interface: ArmInterface, position: Array, weight: float) -> Any:
    """Return a command of an arm interface.

    Velocity and torque stay zero and `mode` is left alone, as in the maker's examples
    (g1_arm7_sdk_dds_example, h1_2_arm_sdk_dds_example): should no other command come, it is a place to stay.

    Args:
        kind: unitree_hg/LowCmd.
        interface: motors and gains of the robot.
        position: (N,) where the joints are to be [rad].
        weight: share of the motors that is ours, in [0, 1].
    """
    message = kind()
    rows = zip(*(of.tolist() for of in (interface.motors, position, interface.kp, interface.kd)), strict=True)
    for motor, q, kp, kd in rows:
        command = message.motor_cmd[motor]
        command.q, command.kp, command.kd = q, kp, kd
    message.motor_cmd[interface.weight_motor].q = weight
    message.crc = checksum(message)
    return message


def checksum(message: Any) -> int:
    """Return what unitree_hg/LowCmd carries in `crc`: CRC-32/MPEG-2 over the 32-bit words before it.

    The words are those of the C structure, little-endian, as in `get_crc` of unitree_ros2 and `CRC` of
    unitree_sdk2_python; every word counts from its highest bit.
    """
    packed = struct.pack("<2B2x", message.mode_pr, message.mode_machine)
    for motor in message.motor_cmd:
        row = motor.mode, motor.q, motor.dq, motor.tau, motor.kp, motor.kd, motor.reserve
        packed += struct.pack("<B3x5fI", *row)
    packed += struct.pack("<4I", *map(int, message.reserve))
    words = np.frombuffer(packed, "<u4").astype(">u4").tobytes()
    # zlib has the same polynomial with all bits in reverse order, and inverts what comes out.
    return int(f"{zlib.crc32(words.translate(_REVERSED)) ^ 0xFFFFFFFF:032b}"[::-1], 2)
