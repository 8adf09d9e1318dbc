"""One frame's joint angles of the arms where the closed form does not do: at limits, near the body, unseen.

A few steps of sequential quadratic programming from the frame before. Every step minimises, over the change of
the free arms' joints, the squared angles between the human's bones and the robot's, linearised, and a little
movement; within position limits and a trust region, and with soft rows that keep capsules apart. The hand turns
only joints that move no other bone, so that bones never pay for it. Staying near the frame before, it neither
flips between solutions nor follows what cannot be seen (how far a straight arm's elbow is turned).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import daqp
import numpy as np

from text2gesture_ros.closed_form import ArmForm
from text2gesture_ros.collision import Clearance, cross
from text2gesture_ros.kinematics import Array
from text2gesture_ros.robot import Robot

# Movement costs this much beside the same turn of a bone: bones hide from joints that turn them by less.
_DAMPING = 0.03
# The same for the distance from rest, of arms with more joints than bones and hand ask for.
_PULL = 0.01
# What the directions of hand and thumb count beside a bone's. They have joints of their own: it only says how
# much the damping calms them.
_HAND = 0.3
# Largest change of a joint in one step [rad]: up to there linearised bones are right within 3 degrees.
_TRUST = 0.3
# Steps in one frame, and the largest change after which a further one is not worth its time [rad].
_STEPS = 4
_ENOUGH = 0.06
# Where a target in joint space is given: how far towards it in one frame [rad].
_STRIDE = 0.12
# Pairs nearer than this get a row [m].
_NEAR = 0.10
# What the solver calls a row that may be broken, at a price.
_SOFT = 8


class PoseSolver:
    """Solves frames for one robot; it remembers nothing. A arms of at most M joints."""

    def __init__(
        self, robot: Robot, forms: Sequence[ArmForm], clearance: Clearance, margins: Array, floors: Array
    ) -> None:
        """Prepare for a robot.

        Args:
            robot: the robot.
            forms: its arms.
            clearance: of the same robot.
            margins: (P,) distance that every pair ought to keep [m].
            floors: (P,) distance below which no step leads, if it is kept at the start [m].
        """
        self._robot, self._clearance = robot, clearance
        self._margins, self._floors = margins, floors
        self._within = np.maximum(margins, _NEAR)
        self._widths = [len(form.joints) for form in forms]
        most, arms = max(self._widths), len(forms)
        # A shorter arm's row is filled up with its last joint, which then counts nothing.
        # A shorter arm's row is filled up with its last joint, which then counts nothing.
        self._columns = np.array(
            [form.joints + form.joints[-1:] * (most - len(form.joints)) for form in forms]
        )
        self._free = {
            free: np.concatenate([forms[arm].joints for arm in free])
            for free in [(0,), (1,), (0, 1)]
            if max(free) < arms
        }
        self._axes = np.zeros((arms, most, 3, 1))
        self._bone_joints = np.zeros((2, arms, 4), dtype=np.intp)
        self._bone_points = np.zeros((2, arms, 4, 3))
        carries = np.zeros((2, arms, 4, most, 1))
        self._counts = np.zeros((arms, 4, most))
        self._pull = np.zeros(len(robot.joint_names))
        for arm, form in enumerate(forms):
            width = len(form.joints)
            self._axes[arm, :width] = form.chain.axes[..., None]
            for end, bones in enumerate(form.bones):
                for bone, (joint, point) in enumerate(bones):
                    self._bone_joints[end, arm, bone] = form.joints[joint]
                    self._bone_points[end, arm, bone] = point
                    carries[end, arm, bone, : joint + 1] = 1.0
            self._counts[arm, :2, :width] = 1.0
            for bone, aimed in ((2, form.aims_hand), (3, form.aims_thumb)):
                self._counts[arm, bone, form.tail] = _HAND * aimed
            if not form.determined:
                self._pull[form.joints] = _PULL**2
        self._carries_start, self._carries_end = carries
        self._carries_between = self._carries_end - self._carries_start
        self._rows = np.array([1.0, 1.0, _HAND, _HAND])[:, None]
        # How far a point of an arm moves at most when its joints turn [m/rad].
        self._reach = max(form.reach for form in forms)

    def directions(self, turns: Array, places: Array) -> Array:
        """Return the unit directions (..., A, 4, 3) of upper arm, forearm, hand and thumb in the base frame.

        Args:
            turns: (..., N, 3, 3) rotations of the joints, as from `Robot.frames`.
            places: (..., N, 3) their origins [m].
        """
        start, end = self._bone_ends(turns, places)
        bones = end - start
        return np.asarray(bones / np.sqrt((bones * bones).sum(axis=-1, keepdims=True)))

    def solve(
        self,
        start: Array,
        free: Sequence[int],
        goals: Array,
        targets: Mapping[int, Array],
        stroke: float = 1.0,
        steps: int = _STEPS,
    ) -> tuple[Array, Array]:
        """Return the angles (N,) [rad] for one frame and by how much each arm's worst bone misses (A,) [rad].

        Args:
            start: (N,) where to begin; joints other than the free arms' stay there.
            free: arms to solve for.
            goals: (A, 4, 3) unit directions in the base frame, zero where unseen.
            targets: (M,) joint angles to stride to instead, for some of these arms.
            stroke: what the forearm's direction counts beside the upper arm's.
            steps: at most so many.
        """
        columns = self._free[tuple(free)]
        weights = ((goals * goals).sum(axis=-1) > 0.5) * np.array([1.0, math.sqrt(stroke), 1.0, 1.0])
        angles, state = start, self._state(start, goals, weights)
        for _ in range(steps):
            change = self._step(state, angles, start, free, targets)
            largest = float(np.abs(change).max())
            candidate = angles.copy()
            candidate[columns] += change
            if largest < _ENOUGH and state.room > self._reach * float(np.abs(change).sum()):
                return candidate, state.errors
            reached = self._state(candidate, goals, weights)
            while reached.room < min(0.0, state.room) and largest > 1e-3:
                # The rows are linear, the arms are not: come less far.
                change, largest = change / 2.0, largest / 2.0
                candidate = angles.copy()
                candidate[columns] += change
                reached = self._state(candidate, goals, weights)
            if reached.room < min(0.0, state.room):
                break
            angles, state = candidate, reached
            if largest < _ENOUGH or targets:
                break
        return angles, state.errors

    def _state(self, angles: Array, goals: Array, weights: Array) -> "_State":
        """Linearise bones and distances at `angles` (N,)."""
        turns, places = self._robot.frames(angles)
        start, end = self._bone_ends(turns, places)
        bones = end - start
        lengths = np.sqrt((bones * bones).sum(axis=-1))[..., None]
        units = bones / lengths
        cosine = (units * goals).sum(axis=-1)
        errors = np.arccos(np.minimum(np.maximum(cosine, -1.0), 1.0))
        # The logarithm: as long as the angle, along the way to the goal.
        ratio = errors / np.sqrt(np.maximum(1.0 - cosine * cosine, 1e-12))
        residuals = (goals - cosine[..., None] * units) * (ratio * weights)[..., None]
        # Of a turn about an axis w through c, a point p has the velocity w x (p - c) = w x p + c x w.
        axes = (turns[self._columns] @ self._axes)[..., 0]
        moments = cross(places[self._columns], axes)
        levers = self._carries_end * end[:, :, None] - self._carries_start * start[:, :, None]
        speeds = cross(axes[:, None], levers) + self._carries_between * moments[:, None]
        speeds -= (speeds @ units[..., None]) * units[:, :, None]
        speeds *= (self._counts * (weights[..., None] / lengths))[..., None]
        arms, _, most, _ = speeds.shape
        jacobian = speeds.swapaxes(1, 2).reshape(arms, most, 12)
        near, distances, gradients = self._clearance.near(turns, places, self._within)
        return _State(
            hessian=jacobian @ jacobian.swapaxes(1, 2),
            slope=(jacobian @ (residuals * self._rows).reshape(arms, 12, 1))[..., 0],
            errors=(errors * (weights > 0.0))[:, :2].max(axis=1),
            room=float((distances - self._floors[near]).min(initial=_NEAR / 2.0)),
            short=self._margins[near] - distances,
            gradients=gradients,
        )

    def _step(
        self, state: "_State", angles: Array, start: Array, free: Sequence[int], targets: Mapping[int, Array]
    ) -> Array:
        """Return by how much the free arms' joints are to change (n,) [rad]."""
        columns = self._free[tuple(free)]
        count = len(columns)
        hessian, slope, trust = np.zeros((count, count)), np.empty(count), np.full(count, _TRUST)
        at = 0
        for arm in free:
            part = slice(at, at + self._widths[arm])
            width = slice(self._widths[arm])
            if arm in targets:
                hessian[part, part] = np.eye(self._widths[arm])
                slope[part] = targets[arm] - angles[columns[part]]
                trust[part] = _STRIDE
            else:
                hessian[part, part] = state.hessian[arm, width, width]
                slope[part] = state.slope[arm, width]
            at = part.stop
        hessian[np.arange(count), np.arange(count)] += _DAMPING**2 + self._pull[columns]
        slope += _DAMPING**2 * (start[columns] - angles[columns])
        slope += self._pull[columns] * (self._robot.rest[columns] - angles[columns])
        rows = len(state.short)
        upper = np.full(count + rows, np.inf)
        lower = np.empty(count + rows)
        upper[:count] = np.minimum(trust, self._robot.upper[columns] - angles[columns])
        lower[:count] = np.maximum(-trust, self._robot.lower[columns] - angles[columns])
        lower[count:] = state.short
        kinds = np.zeros(count + rows, dtype=np.int32)
        kinds[count:] = _SOFT
        gradients = np.ascontiguousarray(state.gradients[:, columns])
        change, _, flag, _ = daqp.solve(hessian, -slope, gradients, upper, lower, kinds)
        if flag < 1:
            return np.zeros(count)
        return np.minimum(np.maximum(change, lower[:count]), upper[:count])

    def _bone_ends(self, turns: Array, places: Array) -> Array:
        """Return where the bones start and end, (2, ..., A, 4, 3)."""
        joints = self._bone_joints
        ends = places[..., joints, :] + (turns[..., joints, :, :] @ self._bone_points[..., None])[..., 0]
        return np.moveaxis(ends, -4, 0)


@dataclass(frozen=True)
class _State:
    """What one step needs to know.

    Attributes:
        hessian: (A, M, M) of half the squared error, to first order.
        slope: (A, M) how the error falls.
        errors: (A,) angle by which the worst bone of an arm misses [rad].
        room: by how much the nearest pair is above its floor, at most half of `_NEAR` [m].
        short: (R,) how much near pairs lack of their margin [m].
        gradients: (R, N) of their distances [m/rad].
    """

    hessian: Array
    slope: Array
    errors: Array
    room: float
    short: Array
    gradients: Array
