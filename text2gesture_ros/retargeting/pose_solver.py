"""One frame's joint angles of the arms where the closed form does not do: at limits, near the body, unseen.

A few steps of sequential quadratic programming from the frame before. Every step minimises, over the change
of the free arms' joints, the squared angles between the human's bones and the robot's, linearised, and a
little movement; within position limits and a trust region, and with soft rows that keep capsules apart. The
hand turns only joints that move no other bone, so that bones never pay for it. Staying near the frame before,
it neither flips between solutions nor follows what cannot be seen (how far a straight arm's elbow is turned).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import daqp
import numpy as np

from text2gesture_ros.geometry import Array, cross
from text2gesture_ros.retargeting.closed_form import ArmForm
from text2gesture_ros.robots.clearance import Clearance
from text2gesture_ros.robots.robot import Robot

# Movement costs this much beside the same turn of a bone: bones hide from joints that turn them by less.
_DAMPING = 0.02
# And so much of the angle missed, in every step: where bones cannot be had the linearised ones bend less
# than the true ones do, and joints that can hardly turn them would swing to and fro (Levenberg and
# Marquardt).
_CAUTION = 0.5
# The same for the distance from rest, of arms with more joints than bones and hand ask for.
_PULL = 0.01
HAND = 0.3
"""What the directions of hand and thumb count beside a bone's.

They have joints of their own: it only says how much the damping calms them.
"""
# Largest change of a joint in one step [rad]: up to there linearised bones are right within 3 degrees.
_TRUST = 0.3
# How far all steps of a frame lead together, for each that they may be [rad]: an arm that leaves one solution
# for another goes there at a walk.
_WALK = 0.15
# The largest change after which a further step is not worth its time [rad].
_ENOUGH = 0.1
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
        self._bone_points = np.zeros((2, arms, 4, 3, 1))
        # How much a joint turns a bone.
        self._turns = np.zeros((arms, 4, most))
        self._offset = any(form.offset for form in forms)
        self._carries, self._between = np.zeros((2, arms, 4, most, 1))
        self._bends, self._pull = np.zeros((2, len(robot.joint_names)))
        for arm, form in enumerate(forms):
            width = len(form.joints)
            self._axes[arm, :width] = form.chain.axes[..., None]
            for end, bones in enumerate(form.bones):
                for bone, (joint, point) in enumerate(bones):
                    self._bone_joints[end, arm, bone] = form.joints[joint]
                    self._bone_points[end, arm, bone, :, 0] = point
            self._turns[arm, :, :width] = form.aims
            self._carries[arm, 2:, :width, 0] = form.aims[2:]
            for bone in range(2):
                start, end = (form.bones[side][bone][0] for side in range(2))
                self._carries[arm, bone, : start + 1] = 1.0
                self._between[arm, bone, start + 1 : end + 1] = 1.0
            self._bends[form.joints] = form.aims[:2].max(axis=0)
            if not form.determined:
                self._pull[form.joints] = _PULL**2

    def directions(self, turns: Array, places: Array) -> Array:
        """Return the unit directions (..., A, 4, 3) of upper arm, forearm, hand and thumb in the base frame.

        Args:
            turns: (..., N, 3, 3) rotations of the joints, as from `Robot.frames`.
            places: (..., N, 3) their origins [m].
        """
        starts, ends = self._bone_ends(turns, places)
        bones = ends - starts
        return np.asarray(bones / np.sqrt((bones * bones).sum(axis=-1, keepdims=True)))

    def _bone_ends(self, turns: Array, places: Array) -> tuple[Array, Array]:
        joints = self._bone_joints
        points = places[..., joints, :] + (turns[..., joints, :, :] @ self._bone_points)[..., 0]
        return points[..., 0, :, :, :], points[..., 1, :, :, :]

    def solve(
        self,
        start: Array,
        before: Array,
        free: Sequence[int],
        goals: Array,
        targets: Mapping[int, Array],
        counts: Array,
        steps: int,
    ) -> tuple[Array, Array]:
        """Return the angles (N,) [rad] for one frame and by how much each arm's worst bone misses (A,) [rad].

        Args:
            start: (N,) where to begin; joints other than the free arms' stay there.
            before: (N,) the frame before, where to begin with all arms if two parts are too near at `start`.
            free: arms to solve for.
            goals: (A, 4, 3) unit directions in the base frame, zero where unseen.
            targets: (M,) joint angles to stride to instead, for some of these arms.
            counts: (4,) what the directions of upper arm, forearm, hand and thumb count.
            steps: at most so many.
        """
        columns = self._free[tuple(free)]
        weights = ((goals * goals).sum(axis=-1) > 0.5) * counts
        state = self._state(start, goals, weights)
        if (state.spare < 0.0).any():
            start, free = before, range(len(self._widths))
            columns = self._free[tuple(free)]
            state = self._state(start, goals, weights)
        angles = start
        for _ in range(steps):
            change = self._step(state, angles, start, free, targets, steps * _WALK)
            largest = float(np.abs(change * self._bends[columns]).max())
            candidate = angles.copy()
            candidate[columns] += change
            if not (self._clearance.gradient_bounds @ np.abs(candidate - angles) < state.spare).all():
                candidate = self._shortened(angles, candidate, float(state.spare.min(initial=0.0)))
            angles = candidate
            if largest < _ENOUGH or targets:
                break
            state = self._state(angles, goals, weights)
        return angles, state.errors

    def _shortened(self, angles: Array, candidate: Array, least: float) -> Array:
        """Return `candidate` (N,), or what lies towards `angles`, with every pair above its floor.

        Rows are linear, arms are not: a step may lead nearer than its rows said.

        Args:
            angles: (N,) where the step began [rad].
            candidate: (N,) where it leads [rad].
            least: what to accept if even the beginning was below a floor, as the head may bring it about [m].
        """
        steps = angles + np.array([1.0, 0.5, 0.25, 0.125])[:, None] * (candidate - angles)
        room = (self._clearance.distances(steps) - self._floors).min(axis=1, initial=np.inf)
        above = np.flatnonzero(room >= least)
        return np.asarray(steps[above[0]] if len(above) else angles)

    def _state(self, angles: Array, goals: Array, weights: Array) -> "_State":
        """Linearise bones and distances at `angles` (N,)."""
        turns, places = self._robot.frames(angles)
        starts, ends = self._bone_ends(turns, places)
        units = ends - starts
        lengths = np.sqrt((units * units).sum(axis=-1, keepdims=True))
        units /= lengths
        cosine = (units * goals).sum(axis=-1)
        errors = np.arccos(np.minimum(np.maximum(cosine, -1.0), 1.0))
        # Where axes miss the bones each joint has its own lever. Elsewhere
        # a bone u turns by w x u about an axis w, so that joints i and j share u's part of the Hessian
        # (wi x u)(wj x u) = wi wj - (wi u)(wj u). The error is the logarithm: as long as the angle to the
        # goal g is large, along u x g.
        axes = (turns[self._columns] @ self._axes)[..., 0]
        facing = axes.swapaxes(1, 2)
        counts = self._turns * weights[..., None]
        ratio = errors / np.sqrt(np.maximum(1.0 - cosine * cosine, 1e-12)) * weights
        if self._offset:
            levers = self._carries * units[:, :, None]
            levers += self._between * (ends[:, :, None] - places[self._columns][:, None]) / lengths[..., None]
            speeds = cross(axes[:, None], levers)
            speeds -= (speeds @ units[..., None]) * units[:, :, None]
            speeds = (speeds * weights[..., None, None]).swapaxes(1, 2).reshape(*self._columns.shape, 12)
            hessian = speeds @ speeds.swapaxes(1, 2)
            residuals = (goals - cosine[..., None] * units) * ratio[..., None]
            slope = (speeds @ residuals.reshape(-1, 12, 1))[..., 0]
        else:
            along = counts * (units @ facing)
            hessian = (axes @ facing) * (counts.swapaxes(1, 2) @ counts) - along.swapaxes(1, 2) @ along
            slope = (counts * ((cross(units, goals) * ratio[..., None]) @ facing)).sum(axis=1)
        errors = (errors * (weights > 0.0))[:, :2]
        near, distances, gradients = self._clearance.active_pairs(turns, places, self._within)
        return _State(
            hessian=hessian,
            slope=slope,
            errors=errors.max(axis=1),
            missed=np.sqrt((errors * errors).sum(axis=1)),
            spare=distances - self._floors,
            short=(self._margins - distances)[near],
            gradients=gradients,
        )

    def _step(
        self,
        state: "_State",
        angles: Array,
        start: Array,
        free: Sequence[int],
        targets: Mapping[int, Array],
        far: float,
    ) -> Array:
        """Return by how much the free arms' joints change (n,), ending within `far` of `start` [rad]."""
        columns = self._free[tuple(free)]
        count = len(columns)
        hessian, slope, trust = np.zeros((count, count)), np.empty(count), np.full(count, _TRUST)
        caution = np.zeros(count)
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
                caution[part] = _CAUTION * state.missed[arm]
            at = part.stop
        here, robot, pull = angles[columns], self._robot, self._pull[columns]
        hessian.ravel()[:: count + 1] += _DAMPING**2 + caution + pull
        back = start[columns] - here
        slope += _DAMPING**2 * back + pull * (robot.rest[columns] - here)
        rows = len(state.short)
        upper, lower = np.empty((2, count + rows))
        upper[:count] = np.minimum(np.minimum(trust, back + far), robot.upper[columns] - here)
        upper[count:] = np.inf
        lower[:count] = np.maximum(np.maximum(-trust, back - far), robot.lower[columns] - here)
        lower[count:] = state.short
        kinds = np.zeros(count + rows, dtype=np.int32)
        kinds[count:] = _SOFT
        gradients = np.ascontiguousarray(state.gradients[:, columns])
        change, _, flag, _ = daqp.solve(hessian, -slope, gradients, upper, lower, kinds)
        if flag < 1:
            return np.zeros(count)
        return np.asarray(np.minimum(np.maximum(change, lower[:count]), upper[:count]))


@dataclass(frozen=True)
class _State:
    """What one step needs to know.

    Attributes:
        hessian: (A, M, M) of half the squared error, to first order.
        slope: (A, M) how the error falls.
        errors: (A,) angle by which the worst bone of an arm misses [rad].
        missed: (A,) root of the sum of the squared angles by which its bones miss [rad].
        spare: (P,) by how much pairs are above their floors [m].
        short: (R,) how much those that are near lack of their margin [m].
        gradients: (R, N) of their distances [m/rad].
    """

    hessian: Array
    slope: Array
    errors: Array
    missed: Array
    spare: Array
    short: Array
    gradients: Array
