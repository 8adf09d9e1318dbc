"""Stand-ins for unitree_hg, which no wheel has, and for the robot that takes its commands."""

import copy
import sys
from dataclasses import dataclass, field
from types import ModuleType


@dataclass
class MotorCmd:
    mode: int = 0
    q: float = 0.0
    dq: float = 0.0
    tau: float = 0.0
    kp: float = 0.0
    kd: float = 0.0
    reserve: int = 0


@dataclass
class LowCmd:
    mode_pr: int = 0
    mode_machine: int = 0
    motor_cmd: list[MotorCmd] = field(default_factory=lambda: [MotorCmd() for _ in range(35)])
    reserve: list[int] = field(default_factory=lambda: [0] * 4)
    crc: int = 0


@dataclass
class LowState:
    motor_state: list[MotorCmd] = field(default_factory=lambda: [MotorCmd() for _ in range(35)])


def install_unitree_hg(monkeypatch):
    """Let unitree_hg be installed."""
    messages = ModuleType("unitree_hg.msg")
    messages.LowCmd, messages.LowState = LowCmd, LowState
    monkeypatch.setitem(sys.modules, "unitree_hg", ModuleType("unitree_hg"))
    monkeypatch.setitem(sys.modules, "unitree_hg.msg", messages)


class ArmSide:
    """The robot's side of the interface: remembers what comes, and when."""

    topic_name = "/arm_sdk"

    def __init__(self, clock, weight_motor):
        self._clock, self._weight_motor = clock, weight_motor
        self.messages, self.times = [], []

    def publish(self, message):
        self.messages.append(copy.deepcopy(message))
        self.times.append(self._clock())

    @property
    def weights(self):
        return [message.motor_cmd[self._weight_motor].q for message in self.messages]

    def positions(self, motors):
        return [[message.motor_cmd[motor].q for motor in motors] for message in self.messages]
