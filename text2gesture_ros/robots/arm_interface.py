"""A maker's arm interface as data: motors instead of joints, gains, and a weight that takes the arms over."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from text2gesture_ros.geometry import Array
from text2gesture_ros.parameters import MAX_FADE_TIME
from text2gesture_ros.robots.checked_values import CheckedValues

MOTORS = 35
"""Motors in a command of the interface (unitree_hg/LowCmd)."""

_MAX_RATE, _MAX_GAIN = 200.0, 1e4  # [Hz], [N m/rad] and [N m s/rad]


@dataclass(frozen=True, eq=False)
class ArmInterface:
    """How the arm interface of Unitree's humanoids takes commands for a robot's N joints.

    Beside them the robot's own controller drives the same motors; the weight is the share of the commands.

    Attributes:
        rate: commands per second [Hz].
        fade_time: how long the weight takes from 0 to 1, and back [s].
        weight_motor: index of the motor whose position carries the weight; none is there.
        motors: (N,) index of the motor that drives each joint.
        kp: (N,) stiffness of each joint [N m/rad].
        kd: (N,) damping of each joint [N m s/rad].
    """

    rate: float
    fade_time: float
    weight_motor: int
    motors: npt.NDArray[np.intp]
    kp: Array
    kd: Array


def read_arm_interface(values: CheckedValues, data: Any, joints: tuple[str, ...]) -> ArmInterface:
    """Return the arm interface that stands under the key `arm_sdk` of a robot file.

    Args:
        values: checks the values of that file.
        data: what stands under the key.
        joints: the robot's joints.

    Raises:
        ConfigurationError: a key is unknown or missing, a number is out of range, or two joints
        have one motor.
    """
    top = values.mapping(data, "arm_sdk", ("rate", "fade_time", "weight_motor", "motors"))
    listed = values.mapping(top["motors"], "arm_sdk.motors", joints, hint=" (no joint of the chains)")
    taken = {_motor(values, top["weight_motor"], "arm_sdk.weight_motor"): "weight_motor"}
    rows = []
    for name in joints:
        where = f"arm_sdk.motors.{name}"
        row = values.mapping(listed[name], where, ("motor", "kp", "kd"))
        motor = _motor(values, row["motor"], f"{where}.motor")
        if motor in taken:
            raise values.error(f"{where}.motor", motor, f"another than that of {taken[motor]}")
        taken[motor] = name
        kp, kd = (values.number(row[gain], f"{where}.{gain}", 0.0, _MAX_GAIN) for gain in ("kp", "kd"))
        rows.append((motor, kp, kd))
    motors, stiffness, damping = zip(*rows, strict=True)
    return ArmInterface(
        rate=values.number(top["rate"], "arm_sdk.rate", 0.0, _MAX_RATE),
        fade_time=values.number(top["fade_time"], "arm_sdk.fade_time", 0.0, MAX_FADE_TIME),
        weight_motor=next(iter(taken)),
        motors=_frozen(np.array(motors, np.intp)),
        kp=_frozen(np.array(stiffness)),
        kd=_frozen(np.array(damping)),
    )


def _motor(values: CheckedValues, value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < MOTORS:
        raise values.error(where, value, f"the index of a motor, a whole number from 0 to {MOTORS - 1}")
    return value


def _frozen(array: Any) -> Any:
    array.flags.writeable = False
    return array
