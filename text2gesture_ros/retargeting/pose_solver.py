"""Optimised joint angles of the arms for one frame, where the closed form does not apply.

That is at limits, near the body, or where a goal is unobservable. A few steps of sequential quadratic
programming start from the previous frame. Each minimises, over the change of the free arms' joints, the
squared angles between the human's bones and the robot's, linearised, plus damping; within position limits and
a trust region, with soft constraints that keep capsules apart. Hand and thumb are aimed only by joints that
move no other bone, so they never compromise the bones. Starting from the previous frame, the solution neither
switches between branches nor follows what is unobservable (the elbow's yaw of a straight arm).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import daqp
import numpy as np
import numpy.typing as npt

from text2gesture_ros.geometry import Array, cross
from text2gesture_ros.retargeting.closed_form import ArmClosedForm
from text2gesture_ros.robots.clearance import Clearance
from text2gesture_ros.robots.robot import Robot

# Tikhonov damping of joint motion relative to a bone-direction error of the same size [-]; joints with a
# smaller Jacobian column are effectively ignored.
_DAMPING = 0.02
# Levenberg-Marquardt damping, proportional to the residual: near unreachable targets the linearisation
# underestimates the curvature, and weakly coupled joints would oscillate.
_LM_DAMPING = 0.5
# Attraction of redundant arms to the rest pose, relative to a bone-direction error of the same size [-].
_REST_ATTRACTION = 0.01
HAND_WEIGHT = 0.3
"""Weight of the directions of hand and thumb relative to a bone's.

They have joints of their own, so it does not trade them against bones: it sets how strongly they are damped.
"""
# Maximum change of a joint in one step [rad]; linearised bones are then within 3 degrees of the true ones.
_TRUST_REGION = 0.3
# Trust region on the total joint change per frame, per allowed iteration [rad]; limits the speed of a switch
# between branches of the inverse kinematics.
_FRAME_TRUST_REGION = 0.15
# No further step if the last one changed no joint of a bone by more than this [rad].
_CONVERGED = 0.1
# Maximum change of a joint per frame on the way to another branch [rad].
_BRANCH_SWITCH_STEP = 0.12
# Minimum activation distance of a collision constraint [m].
_ACTIVATION_DISTANCE = 0.10
# Constraint type of daqp: may be violated, at a cost.
_DAQP_SOFT = 8


@dataclass(frozen=True, eq=False)
class _StackedArms:
    """The constant geometry of all arms of a robot, as arrays. A arms, M joints of the longest one.

    Shorter arms are padded with their last joint, which then aims nothing.

    Attributes:
        widths: (A,) number of joints of each arm.
        columns: (A, M) indices of the joints in the robot.
        free_columns: indices (n,) of the joints of some arms, by these arms.
        axes: (A, M, 3, 1) rotation axes in the joint frames.
        bone_joints: (2, A, 4) joints that the start and end of each bone are fixed to.
        bone_points: (2, A, 4, 3, 1) the points in these joints' frames [m].
        aims: (A, 4, M) 1 where a joint aims a bone, else 0.
        has_offsets: whether axes and bones do not intersect in some arm.
        carries: (A, 4, M, 1) 1 where a joint moves a bone as a whole, else 0.
        bends: (A, 4, M, 1) 1 where a joint lies between start and end of a bone, else 0.
        moves_bone: (N,) 1 where a joint aims upper arm or forearm, else 0.
        rest_attraction: (N,) squared `_REST_ATTRACTION` for joints of redundant arms, else 0.
    """

    widths: tuple[int, ...]
    columns: npt.NDArray[np.intp]
    free_columns: Mapping[tuple[int, ...], npt.NDArray[np.intp]]
    axes: Array
    bone_joints: npt.NDArray[np.intp]
    bone_points: Array
    aims: Array
    has_offsets: bool
    carries: Array
    bends: Array
    moves_bone: Array
    rest_attraction: Array

    @classmethod
    def of(cls, robot: Robot, arms: Sequence[ArmClosedForm]) -> "_StackedArms":
        """Stack the geometry of the arms of a robot."""
        widths = tuple(len(arm.joints) for arm in arms)
        count, width = len(arms), max(widths)
        axes, aims = np.zeros((count, width, 3, 1)), np.zeros((count, 4, width))
        bone_joints = np.zeros((2, count, 4), dtype=np.intp)
        bone_points = np.zeros((2, count, 4, 3, 1))
        carries, bends = np.zeros((2, count, 4, width, 1))
        moves_bone, rest_attraction = np.zeros((2, len(robot.joint_names)))
        for index, arm in enumerate(arms):
            own = len(arm.joints)
            axes[index, :own] = arm.chain.axes[..., None]
            for end, bones in enumerate(arm.bones):
                for bone, (joint, point) in enumerate(bones):
                    bone_joints[end, index, bone] = arm.joints[joint]
                    bone_points[end, index, bone, :, 0] = point
            aims[index, :, :own] = arm.aims
            carries[index, 2:, :own, 0] = arm.aims[2:]
            for bone in range(2):
                first, last = (arm.bones[end][bone][0] for end in range(2))
                carries[index, bone, : first + 1] = 1.0
                bends[index, bone, first + 1 : last + 1] = 1.0
            moves_bone[arm.joints] = arm.aims[:2].max(axis=0)
            if arm.redundant:
                rest_attraction[arm.joints] = _REST_ATTRACTION**2
        return cls(
            widths=widths,
            columns=np.array([arm.joints + arm.joints[-1:] * (width - len(arm.joints)) for arm in arms]),
            free_columns={
                free: np.concatenate([arms[index].joints for index in free])
                for free in [(0,), (1,), (0, 1)]
                if max(free) < count
            },
            axes=axes,
            bone_joints=bone_joints,
            bone_points=bone_points,
            aims=aims,
            has_offsets=any(arm.has_offsets for arm in arms),
            carries=carries,
            bends=bends,
            moves_bone=moves_bone,
            rest_attraction=rest_attraction,
        )


class PoseSolver:
    """Solves the arms of one robot frame by frame; it keeps no state between frames."""

    def __init__(
        self,
        robot: Robot,
        arms: Sequence[ArmClosedForm],
        clearance: Clearance,
        preferred_clearance: Array,
        min_clearance: Array,
    ) -> None:
        """Prepare for a robot.

        Args:
            robot: the robot.
            arms: its arms.
            clearance: of the same robot.
            preferred_clearance: (P,) distance of every pair that the optimisation aims for [m].
            min_clearance: (P,) distance that no step goes below, unless the start is below it already [m].
        """
        self._robot, self._clearance = robot, clearance
        self._preferred, self._minimum = preferred_clearance, min_clearance
        self._activation_distance = np.maximum(preferred_clearance, _ACTIVATION_DISTANCE)
        self._arms = _StackedArms.of(robot, arms)

    def directions(self, rotations: Array, positions: Array) -> Array:
        """Return the unit directions (..., A, 4, 3) of upper arm, forearm, hand and thumb in the base frame.

        Args:
            rotations: (..., N, 3, 3) of the joint frames, as from `Robot.frames`.
            positions: (..., N, 3) of their origins [m].
        """
        starts, ends = self._bone_ends(rotations, positions)
        bones = ends - starts
        return np.asarray(bones / np.sqrt((bones * bones).sum(axis=-1, keepdims=True)))

    def _bone_ends(self, rotations: Array, positions: Array) -> tuple[Array, Array]:
        joints = self._arms.bone_joints
        points = positions[..., joints, :] + (rotations[..., joints, :, :] @ self._arms.bone_points)[..., 0]
        return points[..., 0, :, :, :], points[..., 1, :, :, :]

    def solve(
        self,
        start: Array,
        previous: Array,
        free: Sequence[int],
        goals: Array,
        targets: Mapping[int, Array],
        weights: Array,
        max_steps: int,
    ) -> tuple[Array, Array]:
        """Return the angles (N,) [rad] for one frame, and the error of each arm's worst bone (A,) [rad].

        Args:
            start: (N,) initial angles; joints other than the free arms' stay there.
            previous: (N,) the previous frame: initial angles, of all arms, if parts are too near at `start`.
            free: the arms to solve for.
            goals: (A, 4, 3) unit directions in the base frame, zero where unknown.
            targets: joint angles (M,) to approach instead of the goals, by arm: another branch.
            weights: (4,) of the directions of upper arm, forearm, hand and thumb.
            max_steps: maximum number of steps.
        """
        columns = self._arms.free_columns[tuple(free)]
        weights = ((goals * goals).sum(axis=-1) > 0.5) * weights
        model = self._linearise(start, goals, weights)
        if (model.spare < 0.0).any():
            start, free = previous, range(len(self._arms.widths))
            columns = self._arms.free_columns[tuple(free)]
            model = self._linearise(start, goals, weights)
        angles = start
        for _ in range(max_steps):
            change = self._step(model, angles, start, free, targets, max_steps * _FRAME_TRUST_REGION)
            largest = float(np.abs(change * self._arms.moves_bone[columns]).max())
            candidate = angles.copy()
            candidate[columns] += change
            if not (self._clearance.gradient_bounds @ np.abs(candidate - angles) < model.spare).all():
                candidate = self._shortened(angles, candidate, float(model.spare.min(initial=0.0)))
            angles = candidate
            if largest < _CONVERGED or targets:
                break
            model = self._linearise(angles, goals, weights)
        return angles, model.errors

    def _shortened(self, angles: Array, candidate: Array, min_spare: float) -> Array:
        """Return `candidate` (N,), or a shorter step from `angles`, with every pair above its minimum.

        Needed because the constraints are linearised: a step may lead nearer than they predict.

        Args:
            angles: (N,) where the step begins [rad].
            candidate: (N,) where it ends [rad].
            min_spare: accepted distance above the minimum; negative where the head has brought a pair below
                its minimum already [m].
        """
        steps = angles + np.array([1.0, 0.5, 0.25, 0.125])[:, None] * (candidate - angles)
        spare = (self._clearance.distances(steps) - self._minimum).min(axis=1, initial=np.inf)
        accepted = np.flatnonzero(spare >= min_spare)
        return np.asarray(steps[accepted[0]] if len(accepted) else angles)

    def _linearise(self, angles: Array, goals: Array, weights: Array) -> "_LinearModel":
        """Linearise bones and distances at `angles` (N,); weights (A, 4)."""
        arms = self._arms
        rotations, positions = self._robot.frames(angles)
        starts, ends = self._bone_ends(rotations, positions)
        units = ends - starts
        lengths = np.sqrt((units * units).sum(axis=-1, keepdims=True))
        units /= lengths
        cosine = (units * goals).sum(axis=-1)
        errors = np.arccos(np.minimum(np.maximum(cosine, -1.0), 1.0))
        # With offsets each joint has a lever of its own. Without, a bone u turns by w x u about an axis w, so
        # that the contribution of u to the Hessian at joints i and j is
        # (wi x u)(wj x u) = wi wj - (wi u)(wj u). The residual is the logarithm: as long as the angle to the
        # goal g, along u x g.
        axes = (rotations[arms.columns] @ arms.axes)[..., 0]
        axes_t = axes.swapaxes(1, 2)
        aims = arms.aims * weights[..., None]
        ratio = errors / np.sqrt(np.maximum(1.0 - cosine * cosine, 1e-12)) * weights
        if arms.has_offsets:
            levers = arms.carries * units[:, :, None]
            levers += arms.bends * (ends[:, :, None] - positions[arms.columns][:, None]) / lengths[..., None]
            jacobian = cross(axes[:, None], levers)
            jacobian -= (jacobian @ units[..., None]) * units[:, :, None]
            jacobian = (jacobian * weights[..., None, None]).swapaxes(1, 2).reshape(*arms.columns.shape, 12)
            hessian = jacobian @ jacobian.swapaxes(1, 2)
            residuals = (goals - cosine[..., None] * units) * ratio[..., None]
            descent = (jacobian @ residuals.reshape(-1, 12, 1))[..., 0]
        else:
            along = aims * (units @ axes_t)
            hessian = (axes @ axes_t) * (aims.swapaxes(1, 2) @ aims) - along.swapaxes(1, 2) @ along
            descent = (aims * ((cross(units, goals) * ratio[..., None]) @ axes_t)).sum(axis=1)
        errors = (errors * (weights > 0.0))[:, :2]
        pairs, distances, gradients = self._clearance.active_pairs(
            rotations, positions, self._activation_distance
        )
        return _LinearModel(
            hessian=hessian,
            descent=descent,
            errors=errors.max(axis=1),
            residual=np.sqrt((errors * errors).sum(axis=1)),
            spare=distances - self._minimum,
            shortfall=(self._preferred - distances)[pairs],
            gradients=gradients,
        )

    def _step(
        self,
        model: "_LinearModel",
        angles: Array,
        start: Array,
        free: Sequence[int],
        targets: Mapping[int, Array],
        max_change: float,
    ) -> Array:
        """Return the change (n,) of the free arms' joints, ending within `max_change` of `start` [rad]."""
        arms, robot = self._arms, self._robot
        columns = arms.free_columns[tuple(free)]
        count = len(columns)
        hessian, descent, trust = np.zeros((count, count)), np.empty(count), np.full(count, _TRUST_REGION)
        damping = np.zeros(count)
        begin = 0
        for arm in free:
            part = slice(begin, begin + arms.widths[arm])
            width = slice(arms.widths[arm])
            if arm in targets:
                hessian[part, part] = np.eye(arms.widths[arm])
                descent[part] = targets[arm] - angles[columns[part]]
                trust[part] = _BRANCH_SWITCH_STEP
            else:
                hessian[part, part] = model.hessian[arm, width, width]
                descent[part] = model.descent[arm, width]
                damping[part] = _LM_DAMPING * model.residual[arm]
            begin = part.stop
        here, attraction = angles[columns], arms.rest_attraction[columns]
        hessian.ravel()[:: count + 1] += _DAMPING**2 + damping + attraction
        back = start[columns] - here
        descent += _DAMPING**2 * back + attraction * (robot.rest[columns] - here)
        rows = len(model.shortfall)
        upper, lower = np.empty((2, count + rows))
        upper[:count] = np.minimum(np.minimum(trust, back + max_change), robot.upper[columns] - here)
        upper[count:] = np.inf
        lower[:count] = np.maximum(np.maximum(-trust, back - max_change), robot.lower[columns] - here)
        lower[count:] = model.shortfall
        kinds = np.zeros(count + rows, dtype=np.int32)
        kinds[count:] = _DAQP_SOFT
        gradients = np.ascontiguousarray(model.gradients[:, columns])
        change, _, flag, _ = daqp.solve(hessian, -descent, gradients, upper, lower, kinds)
        if flag < 1:
            return np.zeros(count)
        return np.asarray(np.minimum(np.maximum(change, lower[:count]), upper[:count]))


@dataclass(frozen=True)
class _LinearModel:
    """Bone directions and distances linearised at a pose. R active pairs.

    Attributes:
        hessian: (A, M, M) Gauss-Newton Hessian of half the squared error.
        descent: (A, M) negative gradient of half the squared error.
        errors: (A,) angle by which the worst bone of an arm misses its goal [rad].
        residual: (A,) root of the sum of the squared angles of its bones [rad].
        spare: (P,) distances of pairs above their minimum [m].
        shortfall: (R,) distances by which the active pairs are below their preferred clearance [m].
        gradients: (R, N) of the active pairs' distances [m/rad].
    """

    hessian: Array
    descent: Array
    errors: Array
    residual: Array
    spare: Array
    shortfall: Array
    gradients: Array
