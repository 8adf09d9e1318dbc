"""Drafts of plans: track the reference, stop, return to rest.

A draft continues a state and ends at standstill. It is judged elsewhere, as a whole. A draft that failed is
built once more with care: bent away from the robot's own body, and by detours to rest.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from text2gesture_ros.control.ownership import VISIBLE
from text2gesture_ros.control.point_to_point import PointToPoint
from text2gesture_ros.control.trajectory import (
    IDLE,
    JointSample,
    SampledTrajectory,
    Span,
    concatenated,
    padded,
)
from text2gesture_ros.control.verification import verify
from text2gesture_ros.geometry import Array, BoolArray, minimum_jerk
from text2gesture_ros.labels import ClauseId
from text2gesture_ros.retargeting.reference import BlendOffset, JointClip, Reference
from text2gesture_ros.retargeting.spline_tracker import SplineTracker
from text2gesture_ros.robots.clearance import Clearance
from text2gesture_ros.robots.robot import Robot

MIN_TRACKING_HORIZON = 0.04
"""Shortest reference that is tracked by a spline; below it a point-to-point trajectory is used [s]."""

# Extrapolation time of the target of such a trajectory [s]: about as long as it takes.
_EXTRAPOLATION_TIME = 0.05

RETURN_SPEED_SCALE, INITIAL_RETURN_SPEED_SCALE, URGENT_RETURN_SPEED_SCALE = 0.5, 0.15, 1.0
"""Fraction of velocity and acceleration limits on the way to rest; from a measured pose; after a fault."""

# Duration of a return to rest that is tracked, where the direct one leaves a joint's range [s].
_STEERED_RETURN = 0.6
# Breathing: amplitude of arms and head [rad], joints of an arm that take part, time in and out [s].
_BREATH, _BREATHING_JOINTS, _BREATH_IN, _BREATH_OUT = 0.03, 4, 4.0, 6.0
# Bending a reference away from a collision: iterations, distance added to what is missing [m], half width in
# time [s], joint angle at most [rad], and samples at most.
_BENDS, _EXTRA_DISTANCE, _BEND_WIDTH, _MAX_BEND, _MAX_BEND_SAMPLES = 2, 0.004, 0.12, 0.3, 8


@dataclass(frozen=True, eq=False)
class Draft:
    """A plan that was not judged yet, with what the planner notes if it passes.

    Attributes:
        samples: what is commanded; the last one stands still.
        spans: what is performed; rows count from the first sample on.
        tracked: samples up to the end of the known reference.
        blend: of the last clip in it: its clause, the row behind which it takes over, and how.
        bent: whether the reference was bent away from the robot's own body.
    """

    samples: SampledTrajectory
    spans: tuple[Span, ...]
    tracked: int = 0
    blend: tuple[ClauseId, int, BlendOffset] | None = None
    bent: bool = False


class PlanBuilder:
    """Builds drafts for one robot.

    Attributes:
        period: the control period [s].
    """

    def __init__(self, robot: Robot, period: float, clearance: Clearance) -> None:
        """Prepare the solvers.

        Args:
            robot: whose limits count.
            period: time between samples [s].
            clearance: tells how near the parts of the robot are to each other.
        """
        self._robot = robot
        self.period = period
        self._clearance = clearance
        self._tracker = SplineTracker(robot, period)
        self._point_to_point = PointToPoint(robot, period)
        self._breath = _breath(robot)

    @property
    def stride(self) -> int:
        """How many samples apart the states are that a plan is best continued from."""
        return self._tracker.stride

    def halt(self, start: JointSample, clip: JointClip | None = None) -> Draft | None:
        """Return a draft that comes to a standstill soon, within a clip or within none; None: not found."""
        span = Span(0, IDLE, frozenset()) if clip is None else Span(0, clip.clause, clip.groups)
        return _drafted(self._point_to_point.stop(start), (span,))

    def breathe(self, start: JointSample, reference: Reference) -> Draft:
        """Return a draft for half a breath from standstill: in from home, or back there."""
        home = reference.ownership.home
        inwards = bool(np.abs(start.position - home).max() < VISIBLE)
        ours = reference.ownership.commanded(frozenset())
        target = home + reference.ownership.parameters.idle_motion * self._breath * (ours & inwards)
        duration = _BREATH_IN if inwards else _BREATH_OUT
        rows = max(1, round(duration / self.period))
        distance = target - start.position
        curve = [part[:, None] * distance for part in minimum_jerk(np.arange(1, rows + 1) / rows)]
        samples = SampledTrajectory(start.position + curve[0], curve[1] / duration, curve[2] / duration**2)
        samples.positions[-1] = target  # to the last digit
        return Draft(samples, (Span(0, IDLE, frozenset()),))

    def follow(
        self,
        start: JointSample,
        time: float,
        reference: Reference,
        blend: tuple[ClauseId, BlendOffset] | None,
        *,
        min_clearance: Array | None = None,
        trail: Sequence[JointSample] = (),
        without_next: bool = False,
        until: float = np.inf,
        speed_scale: float = RETURN_SPEED_SCALE,
    ) -> Draft | None:
        """Return a draft for what the reference knows now.

        Args:
            start: the state to continue.
            time: when the robot is there [s].
            reference: what plays and what comes next.
            blend: how the clip that plays took over, None: it takes over now.
            min_clearance: (P,) distance of each pair of parts that is kept [m]; None: not regarded.
            trail: the samples by which the robot came from rest, where it stands still.
            without_next: whether the next clip is left out.
            until: only frames that are due until then count [s].
            speed_scale: fraction of the velocity and acceleration limits on the way to rest.

        Returns:
            None where nothing was found.
        """
        clip, upcoming = reference.active_and_next(time + self.period)
        if clip is not None and until < clip.end:
            clip, without_next = clip.until(until), True
        plan = self._part(start, time, reference, clip, blend, min_clearance, trail, speed_scale)
        if plan is None or upcoming is None or without_next:
            return plan
        rows = int(np.ceil((upcoming.begin - time) / self.period - 1e-6)) - 1
        rows -= max(0, rows) % self.stride
        if rows <= 0:
            return self._part(start, time, reference, upcoming, None, min_clearance, trail)
        before = padded(plan.samples, rows)
        handed = time + rows * self.period
        then = self._part(before.sample(-1), handed, reference, upcoming, None, min_clearance, ())
        if then is None:
            return None
        spans = [span for span in plan.spans if span.row < rows]
        spans += [Span(span.row + rows, span.clause, span.groups) for span in then.spans]
        taken = (then.blend[0], then.blend[1] + rows, then.blend[2]) if then.blend else None
        samples = concatenated(before, then.samples)
        return Draft(samples, tuple(spans), rows + then.tracked, taken, plan.bent or then.bent)

    def _part(
        self,
        start: JointSample,
        time: float,
        reference: Reference,
        clip: JointClip | None,
        blend: tuple[ClauseId, BlendOffset] | None,
        min_clearance: Array | None,
        trail: Sequence[JointSample],
        speed_scale: float = RETURN_SPEED_SCALE,
    ) -> Draft | None:
        """Return a draft for one clip, or for none."""
        if clip is None:
            home = self._return(start, reference, min_clearance, trail, speed_scale)
            return _drafted(home, (Span(0, IDLE, frozenset()),))
        if blend is None or blend[0] != clip.clause:
            offset = start.position - reference.targets(clip, np.array([time]))[0]
            blend = clip.clause, BlendOffset(offset, time, reference.ownership.parameters.blend_time)
        timeout = 0.0 if clip.complete else reference.ownership.parameters.frame_timeout
        over = max(0, int((clip.end + timeout - time) / self.period + 1e-6))
        spans = (Span(0, clip.clause, clip.groups), Span(over, IDLE, frozenset()))
        taken = blend[0], 0, blend[1]

        times = time + self._tracker.grid(clip.end - time)
        if clip.end - time >= MIN_TRACKING_HORIZON and len(times):
            targets = reference.targets(clip, times) + blend[1].at(times)
            found = self._chunk(start, targets, min_clearance, reference.ownership.commanded(clip.groups))
            if found is not None and found[1]:
                samples, tracked, bent = found
                if clip.complete:
                    home = self._return(samples.sample(tracked - 1), reference, min_clearance, ())
                    if home is not None:
                        samples = concatenated(samples[:tracked], home)
                return Draft(samples, spans, tracked, taken, bent)
            target = targets[-1]
        elif clip.complete:
            home = self._return(start, reference, min_clearance, trail, speed_scale)
            return _drafted(home, spans, taken)
        else:
            soon = clip.extrapolated(min(time, clip.end) + _EXTRAPOLATION_TIME)
            target = (reference.targets(soon, np.array([soon.end])) + blend[1].at(np.array([time])))[0]
        return _drafted(self._point_to_point.trajectory(start, target), spans, taken)

    def _chunk(
        self, start: JointSample, targets: Array, min_clearance: Array | None, commanded: BoolArray
    ) -> tuple[SampledTrajectory, int, bool] | None:
        """Return samples that track targets (R, N) and then stop, how many track, and whether they are bent.

        With a minimum clearance the targets of the joints that are `commanded` (N,) are bent away first.
        """
        reference, bent = self._within(targets), False
        found = self._tracker.follow(start, reference)
        for _ in range(_BENDS if min_clearance is not None else 0):
            if found is None or min_clearance is None:
                break
            push = self._push(found[0], len(reference), min_clearance, commanded)
            if push is None:
                break
            reference, bent = self._within(reference + push), True
            found = self._tracker.follow(start, reference) or found
        return None if found is None else (*found, bent)

    def _push(
        self, samples: SampledTrajectory, count: int, min_clearance: Array, commanded: BoolArray
    ) -> Array | None:
        """Return the offset (R, N) that bends `count` rows of targets off a collision; None: no need."""
        distances = self._clearance.distances(samples.positions)
        close = np.flatnonzero((distances < min_clearance).any(axis=1))
        if not len(close):
            return None
        times = self._tracker.times(count)
        push, weights = np.zeros((count, samples.positions.shape[1])), np.zeros(count)
        for row in close[:: -(-len(close) // _MAX_BEND_SAMPLES)]:
            wanted = min_clearance + _EXTRA_DISTANCE
            pairs, _, gradients = self._clearance.active_pairs(
                *self._robot.frames(samples.positions[row]), wanted
            )
            gradients = gradients * commanded
            missing = (wanted - distances[row])[pairs]
            # The smallest joint motion that restores all distances, to first order (damped least squares).
            square = gradients @ gradients.T + 1e-6 * np.eye(len(pairs))
            turn = gradients.T @ np.linalg.solve(square, missing)
            away = np.minimum(np.abs(times - min((row + 1) * self.period, times[-1])) / _BEND_WIDTH, 1.0)
            weight = (1.0 + np.cos(np.pi * away)) / 2.0
            push += weight[:, None] * np.clip(turn, -_MAX_BEND, _MAX_BEND)
            weights += weight
        return push / np.maximum(weights, 1.0)[:, None]

    def _return(
        self,
        start: JointSample,
        reference: Reference,
        min_clearance: Array | None,
        trail: Sequence[JointSample],
        speed_scale: float = RETURN_SPEED_SCALE,
    ) -> SampledTrajectory | None:
        """Return the first trajectory to rest, else to standstill, that is clear; without care: in range."""
        for found in self._returns(start, reference, trail, speed_scale):
            if found is None:
                continue
            if self._in_range(found) if min_clearance is None else self._clear(start, found, min_clearance):
                return found
        return None

    def _in_range(self, samples: SampledTrajectory) -> bool:
        positions = samples.positions
        return bool(((positions >= self._robot.lower) & (positions <= self._robot.upper)).all())

    def _returns(
        self, start: JointSample, reference: Reference, trail: Sequence[JointSample], speed_scale: float
    ) -> Iterator[SampledTrajectory | None]:
        """Yield trajectories home: slow, fast, back along the trail, tracked, and only to standstill."""
        rest = reference.ownership.home
        visible = np.abs(start.position - rest).max() > VISIBLE
        blend = reference.ownership.parameters.blend_time if visible else 0.0
        yield self._point_to_point.trajectory(start, rest, speed_scale=speed_scale, min_duration=blend)
        if speed_scale > INITIAL_RETURN_SPEED_SCALE:
            yield self._point_to_point.trajectory(start, rest)
        if trail:
            # Backwards the trail keeps every limit that it kept, and it was clear: sooner or later there is
            # a place from which the direct trajectory is.
            back = SampledTrajectory.of(trail).reversed()
            rows = max(1, round(0.25 / self.period))
            while rows < 2 * len(back):
                part = back[:rows]
                rest_of_it = self._direct(part.sample(-1), rest, speed_scale)
                yield None if rest_of_it is None else concatenated(part, rest_of_it)
                rows *= 2
        if not start.still:
            yield self._steered(start, rest, speed_scale)
            yield self._point_to_point.stop(start)

    def _steered(self, start: JointSample, target: Array, speed_scale: float) -> SampledTrajectory | None:
        """Return a trajectory to a target (N,) within the range of joints that move near an end of it."""
        times = self._tracker.grid(_STEERED_RETURN)
        aimed = target + BlendOffset(start.position - target, 0.0, _STEERED_RETURN).at(times)
        found = self._tracker.follow(start, self._within(aimed))
        if found is None:
            return None
        samples = found[0][: found[1]]
        rest_of_it = self._direct(samples.sample(-1), target, speed_scale)
        return None if rest_of_it is None else concatenated(samples, rest_of_it)

    def _direct(self, start: JointSample, target: Array, speed_scale: float) -> SampledTrajectory | None:
        return self._point_to_point.trajectory(start, target, speed_scale=speed_scale, min_duration=0.0)

    def _clear(self, start: JointSample, samples: SampledTrajectory, min_clearance: Array) -> bool:
        positions = np.concatenate([start.position[None], samples.positions])
        times = self.period * np.arange(len(positions))
        return not verify(
            self._robot, times, positions, clearance=self._clearance, min_clearance=min_clearance
        ).violations

    def _within(self, angles: Array) -> Array:
        return np.minimum(np.maximum(angles, self._robot.lower), self._robot.upper)


def _breath(robot: Robot) -> Array:
    """Return the amplitude of each joint (N,) [rad] as the robot breathes in: a little into its range."""
    moved = np.zeros(len(robot.rest))
    for arm in robot.arms.values():
        moved[list(arm.joints[:_BREATHING_JOINTS])] = _BREATH
    if robot.head:
        moved[list(robot.head.joints)] = _BREATH
    middle = (robot.lower + robot.upper) / 2.0
    return np.asarray(np.clip(middle - robot.rest, -moved, moved))


def _drafted(
    samples: SampledTrajectory | None,
    spans: tuple[Span, ...],
    blend: tuple[ClauseId, int, BlendOffset] | None = None,
) -> Draft | None:
    return None if samples is None else Draft(samples, spans, 0, blend)
