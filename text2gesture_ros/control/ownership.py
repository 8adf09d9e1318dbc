"""Which joints are commanded at a time: the others are left to someone else, such as a gaze controller."""

from collections.abc import Mapping, Sequence

import numpy as np

from text2gesture_ros.control.trajectory import JointSample, Span
from text2gesture_ros.geometry import Array, BoolArray
from text2gesture_ros.parameters import GestureRetargeterParameters
from text2gesture_ros.robots.robot import Robot

VISIBLE = 1e-3
"""A distance from rest that can be seen [rad]."""

# A joint of others that was measured elsewhere by more than this is taken over from there [rad].
_MOVED = 0.01


class JointOwnership:
    """Joint groups that are commanded always, while they are used, or never; and where they are otherwise.

    Attributes:
        robot: its joint groups count.
        parameters: `waist`, `head`, `left_arm` and `right_arm` count.
        home: (N,) where the joints are between gestures [rad]: at rest, or where others have them.
    """

    def __init__(self, robot: Robot, parameters: GestureRetargeterParameters) -> None:
        """Take over the joints of a robot that is at rest."""
        self.robot = robot
        self.parameters = parameters
        self.home: Array = robot.rest

    def commanded(self, groups: frozenset[str]) -> BoolArray:
        """Return which joints (N,) are commanded while a motion uses some joint groups."""
        found = np.zeros(len(self.robot.rest), dtype=np.bool_)
        for group, joints in self.robot.groups.items():
            found[list(joints)] = self.parameters.commands(group, groups)
        return found

    def owned(self, positions: Array, spans: Sequence[Span]) -> BoolArray:
        """Return which joints (N,) are commanded in some spans while positions (P, N) are passed.

        A joint that is not needed any more is given back once it is where it was taken over.
        """
        away: BoolArray = np.any(np.abs(positions - self.home) > VISIBLE, axis=0)
        owned = np.zeros(len(away), dtype=np.bool_)
        for group, joints in self.robot.groups.items():
            index = list(joints)
            wanted = any(self.parameters.commands(group, span.groups) for span in spans)
            owned[index] = wanted or away[index].any()
        return owned

    def at_home(self, sample: JointSample) -> bool:
        """Return whether the robot stands still at home."""
        return sample.still and bool(np.abs(sample.position - self.home).max() < 1e-9)

    def placed(self, positions: Mapping[str, float], default: Array) -> Array:
        """Return joint positions by name as (N,) [rad]; `default` (N,) where one is missing."""
        names = self.robot.joint_names
        return np.array([positions.get(name, known) for name, known in zip(names, default, strict=True)])

    def begin_from(self, place: Array) -> None:
        """Take over a robot that stands at `place` (N,) [rad]: joints of others stay there."""
        self.home = np.where(self.commanded(frozenset()), self.robot.rest, place)

    def configure(self, parameters: GestureRetargeterParameters) -> None:
        """Change the parameters; joints that are always commanded have their home at rest."""
        self.parameters = parameters
        self.home = np.where(self.commanded(frozenset()), self.robot.rest, self.home)

    def moved(self, positions: Mapping[str, float], owned: BoolArray) -> tuple[BoolArray, Array]:
        """Return which joints (N,) that are not owned were measured elsewhere, and where all are (N,) [rad].

        Args:
            positions: joint positions by name [rad], within or near the limits; others are ignored.
            owned: (N,) which joints are commanded now.
        """
        place = np.clip(self.placed(positions, self.home), self.robot.lower, self.robot.upper)
        return ~owned & (np.abs(place - self.home) > _MOVED), place
