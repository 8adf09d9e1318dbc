"""The order in which drafts of a plan are tried, and how each is judged before it becomes a plan."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from text2gesture_ros.control.trajectory import JointSample
from text2gesture_ros.control.verification import Verifier, min_clearance_of
from text2gesture_ros.geometry import Array
from text2gesture_ros.labels import ClauseId
from text2gesture_ros.retargeting.plan_builder import (
    MIN_TRACKING_HORIZON,
    RETURN_SPEED_SCALE,
    Draft,
    PlanBuilder,
)
from text2gesture_ros.retargeting.reference import BlendOffset, Reference
from text2gesture_ros.robots.clearance import Clearance
from text2gesture_ros.robots.robot import Robot

_LOGGER = logging.getLogger(__name__)

# Clearance that drafts keep where there is room [m]: servos trail their commands, so that two moving arms are
# some millimetres nearer to each other than planned.
_PREFERRED_CLEARANCE = 0.010
# A draft that fails is cut this long before the sample that does [s]: stopping takes as long.
_STOPPING_TIME = 0.35


@dataclass(frozen=True, eq=False)
class Situation:
    """What a draft is made for.

    Attributes:
        start: the sample to continue.
        time: when the robot is there [s].
        blend: how the clip that plays took over, None: it takes over now.
        trail: the samples by which the robot came from rest, where it stands still.
        held: whether the robot is to stand still.
        return_speed_scale: fraction of the velocity and acceleration limits on the way to rest.
        fails_at: when the latest draft failed, after `time` [s].
        bent: whether the plan in force is bent away from the robot's own body: without, the next one fails.
    """

    start: JointSample
    time: float
    blend: tuple[ClauseId, BlendOffset] | None
    trail: Sequence[JointSample]
    held: bool
    return_speed_scale: float
    fails_at: float
    bent: bool


@dataclass(frozen=True, eq=False)
class Attempt:
    """One draft to be tried: what kind it is, the clearance (P,) it must keep [m], and how it is made."""

    kind: str
    min_clearance: Array
    build: Callable[[], Draft | None]

    def draft(self) -> Draft | None:
        """Return the draft; None where nothing was found, for whatever reason."""
        try:
            return self.build()
        except Exception:  # of a solver, say: the plan in force is safe to go on with, no plan at all is not
            _LOGGER.exception("no plan could be made")
            return None


class PlanSearch:
    """Yields drafts, the best first, and judges them.

    Attributes:
        worst: how much of its limit the accepted drafts used at most, by kind, and `clearance`: the smallest
            [m].
        counts: accepted drafts, in all (begun) and by kind.
    """

    def __init__(self, robot: Robot, period: float) -> None:
        """Prepare the solvers; `period` is the control period [s]."""
        self._clearance = Clearance(robot)
        self._builder = PlanBuilder(robot, period, self._clearance)
        self._verifier = Verifier(robot, period, self._clearance)
        self._min_clearance = min_clearance_of(robot, self._clearance)  # (P,)
        at_rest = self._clearance.distances(robot.rest)
        self._preferred = np.maximum(self._min_clearance, np.minimum(_PREFERRED_CLEARANCE, at_rest - 1e-3))
        self.counts: Counter[str] = Counter()
        self.worst: dict[str, float] = {}

    @property
    def stride(self) -> int:
        """How many samples apart the knots are on which a tracked trajectory is best continued."""
        return self._builder.stride

    def attempts(self, situation: Situation, reference: Reference) -> Iterator[Attempt]:
        """Yield what is to be tried, the best first."""
        builder, start, time = self._builder, situation.start, situation.time
        # A pose that is nearer to itself already may only come away from there.
        here = self._clearance.distances(start.position) - 1e-6
        minimum, preferred = np.minimum(self._min_clearance, here), np.minimum(self._preferred, here)
        if situation.held:
            yield Attempt("held", minimum, partial(builder.halt, start))
            return
        playing, upcoming = reference.active_and_next(time + builder.period)
        scale = situation.return_speed_scale
        idle = playing is None and upcoming is None and scale == RETURN_SPEED_SCALE
        if idle and reference.ownership.parameters.idle_motion > 0.0 and start.still:
            yield Attempt("idle", preferred, partial(builder.breathe, start, reference))
        follow = partial(builder.follow, start, time, reference, situation.blend, speed_scale=scale)
        if not situation.bent:
            yield Attempt("plain", preferred, follow)
        careful = partial(follow, trail=situation.trail)
        yield Attempt("bent", minimum, partial(careful, min_clearance=preferred))
        if (minimum < preferred).any():
            yield Attempt("bent", minimum, partial(careful, min_clearance=minimum))
        if upcoming is not None:
            yield Attempt("bent", minimum, partial(careful, min_clearance=minimum, without_next=True))
        if playing is not None:
            until = time + situation.fails_at - _STOPPING_TIME
            if until > time + MIN_TRACKING_HORIZON:
                yield Attempt("cut", minimum, partial(careful, min_clearance=minimum, until=until))
            yield Attempt("cut", minimum, partial(builder.halt, start, playing))

    def judge(self, attempt: Attempt, draft: Draft, before: Sequence[Array]) -> float | None:
        """Return None for a draft that passes, else when it fails after its start [s].

        Args:
            attempt: what the draft was made for.
            draft: judged as a whole.
            before: positions (N,) [rad] that it continues, the three last at most.
        """
        samples = draft.samples
        report = self._verifier.judge(before, samples.positions, samples.velocities, attempt.min_clearance)
        if report.violations:
            _LOGGER.info("draft rejected: %s", report.violations[0])
            return min(violation.time for violation in report.violations)
        for kind, worst in report.worst.items():
            self.worst[kind] = max(worst, self.worst.get(kind, 0.0))
        self.worst["clearance"] = min(report.clearance, self.worst.get("clearance", np.inf))
        self.counts["begun"] += 1
        self.counts[attempt.kind] += 1
        return None
