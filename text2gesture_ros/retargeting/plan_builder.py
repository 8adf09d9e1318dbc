"""Plans out of what is to be played: follow the frames that are known, stop, return to rest.

A plan continues a state and ends at standstill. What is composed here is judged elsewhere, as a whole; where
it failed it is composed once more with care: bent away from the robot's own body, by detours to rest.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from text2gesture_ros.control.point_to_point import Limiter
from text2gesture_ros.control.trajectory import (
    NOBODY,
    JointState,
    Plan,
    Samples,
    Span,
    joined,
    padded,
)
from text2gesture_ros.control.verification import verify
from text2gesture_ros.geometry import Array, BoolArray, minimum_jerk
from text2gesture_ros.labels import ClauseId
from text2gesture_ros.retargeting.reference import Clip, Fade, Score
from text2gesture_ros.retargeting.spline_tracker import Planner
from text2gesture_ros.robots.clearance import Clearance
from text2gesture_ros.robots.robot import Robot

AHEAD = 0.04
"""A chunk is worth its while from so much known motion on; less is aimed at [s]."""

# Where less is known the robot aims at where it seems to be needed after this time: a way takes about as long
# [s].
_LEAD = 0.05

EASE, WALK = 0.5, 0.15
"""Way to rest: part of velocity and acceleration that it takes, and where the robot stood anywhere before."""

# How long the way to rest is steered where the straight one leaves a joint's range [s].
_STEERED = 0.6
# Breathing: how far arms and head go at most [rad], how many joints of an arm take part, how long in and out
# take together, ten seconds [s].
_BREATH, _BREATHING_JOINTS, _IN, _OUT = 0.03, 4, 4.0, 6.0
# A distance from rest that can be seen [rad].
SEEN = 1e-3
# Where a plan comes too near to the robot itself its frames are bent away: how often, by how much more than
# is missing [m], how far around in time [s], how far a joint at most [rad], and at how many samples at most.
_BENDS, _EXTRA, _AROUND, _BENT, _PLACES = 2, 0.004, 0.12, 0.3, 8


class Composer:
    """Composes plans for one robot."""

    def __init__(self, robot: Robot, period: float, clearance: Clearance) -> None:
        """Make a composer.

        Args:
            robot: whose limits count.
            period: time between samples [s].
            clearance: tells how near the parts of the robot are to each other.
        """
        self._robot = robot
        self._period = period
        self._clearance = clearance
        self._planner = Planner(robot, period)
        self._limiter = Limiter(robot, period)
        self._breath = _breath(robot)

    @property
    def stride(self) -> int:
        """How many samples apart the states are that a plan is best continued from."""
        return self._planner.stride

    def halt(self, start: JointState, clip: Clip | None = None) -> Plan | None:
        """Return a plan to come to a standstill soon, as part of a gesture or of none; None: no way."""
        span = Span(1, NOBODY, frozenset()) if clip is None else Span(1, clip.name, clip.used)
        return _planned(self._limiter.stop(start), (span,))

    def breathe(self, start: JointState, score: Score) -> Plan:
        """Return a plan for half a breath from standstill: in from home, or back there."""
        home = score.home
        inwards = bool(np.abs(start.position - home).max() < SEEN)
        ours = score.commanded(frozenset())
        target = home + score.settings.idle_motion * self._breath * (ours & inwards)
        duration = _IN if inwards else _OUT
        rows = max(1, round(duration / self._period))
        way = [
            part[:, None] * (target - start.position) for part in minimum_jerk(np.arange(1, rows + 1) / rows)
        ]
        samples = Samples(start.position + way[0], way[1] / duration, way[2] / duration**2)
        samples.positions[-1] = target  # to the last digit
        return Plan(samples, (Span(1, NOBODY, frozenset()),))

    def compose(
        self,
        start: JointState,
        time: float,
        score: Score,
        fade: tuple[ClauseId, Fade] | None,
        *,
        least: Array | None = None,
        trail: Sequence[JointState] = (),
        alone: bool = False,
        until: float = np.inf,
        ease: float = EASE,
    ) -> Plan | None:
        """Return a plan for what the score knows now.

        Args:
            start: the state to continue.
            time: when the robot is there [s].
            score: what plays and what comes next.
            fade: how the gesture that plays took over, None: it takes over now.
            least: (P,) smallest distance of each pair of parts to keep with care [m]; None: without care.
            trail: the states the robot came through, where it stands still.
            alone: without what comes next.
            until: only with frames that are due until then [s].
            ease: part of velocity and acceleration that the way to rest takes.

        Returns:
            None: nothing was found.
        """
        clip, upcoming = score.cast(time + self._period)
        if clip is not None and until < clip.end:
            clip, alone = clip.until(until), True
        plan = self._part(start, time, score, clip, fade, least, trail, ease)
        if plan is None or upcoming is None or alone:
            return plan
        rows = int(np.ceil((upcoming.begin - time) / self._period - 1e-6)) - 1
        rows -= max(0, rows) % self.stride
        if rows <= 0:
            return self._part(start, time, score, upcoming, None, least, trail)
        before = padded(plan.samples, rows)
        handed = time + rows * self._period
        then = self._part(before.state(-1), handed, score, upcoming, None, least, ())
        if then is None:
            return None
        spans = [span for span in plan.spans if span.row <= rows]
        spans += [Span(span.row + rows, span.name, span.used) for span in then.spans]
        taken = (then.fade[0], then.fade[1] + rows, then.fade[2]) if then.fade else None
        return Plan(joined(before, then.samples), tuple(spans), rows + then.followed, taken)

    def _part(
        self,
        start: JointState,
        time: float,
        score: Score,
        clip: Clip | None,
        fade: tuple[ClauseId, Fade] | None,
        least: Array | None,
        trail: Sequence[JointState],
        ease: float = EASE,
    ) -> Plan | None:
        """Return a plan for one clip, or for none."""
        if clip is None:
            home = self._home(start, score, least, trail, ease)
            return _planned(home, (Span(1, NOBODY, frozenset()),))
        if fade is None or fade[0] != clip.name:
            offset = start.position - score.wanted(clip, np.array([time]))[0]
            fade = clip.name, Fade(offset, time, score.settings.blend_time)
        patience = 0.0 if clip.complete else score.settings.frame_timeout
        over = max(1, int((clip.end + patience - time) / self._period + 1e-6) + 1)
        spans = (Span(1, clip.name, clip.used), Span(over, NOBODY, frozenset()))
        taken = fade[0], 0, fade[1]

        times = time + self._planner.grid(clip.end - time)
        if clip.end - time >= AHEAD and len(times):
            wanted = score.wanted(clip, times) + fade[1].at(times)
            found = self._chunk(start, wanted, least, score.commanded(clip.used))
            if found is not None and found[1]:
                samples, followed = found
                if clip.complete:
                    home = self._home(samples.state(followed - 1), score, least, ())
                    if home is not None:
                        samples = joined(samples[:followed], home)
                return Plan(samples, spans, followed, taken)
            target = wanted[-1]
        elif clip.complete:
            home = self._home(start, score, least, trail, ease)
            return _planned(home, spans, taken)
        else:
            soon = clip.foreseen(min(time, clip.end) + _LEAD)
            target = (score.wanted(soon, np.array([soon.end])) + fade[1].at(np.array([time])))[0]
        way = self._limiter.way(start, target)
        return _planned(way, spans, taken)

    def _chunk(
        self, start: JointState, wanted: Array, least: Array | None, commanded: BoolArray
    ) -> tuple[Samples, int] | None:
        """Return samples that follow `wanted` (R, N) and stop, and how many follow; bent away with care.

        Only the joints that are `commanded` (N,) are bent: others belong to somebody else.
        """
        reference = self._within(wanted)
        found = self._planner.follow(start, reference)
        for _ in range(_BENDS if least is not None else 0):
            if found is None or least is None:
                break
            push = self._push(found[0], len(reference), least, commanded)
            if push is None:
                break
            reference = self._within(reference + push)
            found = self._planner.follow(start, reference) or found
        return found

    def _push(self, samples: Samples, count: int, least: Array, commanded: BoolArray) -> Array | None:
        """Return what bends a reference of `count` rows away from the robot's body (R, N); None: no need."""
        distances = self._clearance.distances(samples.positions)
        near = np.flatnonzero((distances < least).any(axis=1))
        if not len(near):
            return None
        times = self._planner.times(count)
        push, weights = np.zeros((count, samples.positions.shape[1])), np.zeros(count)
        for row in near[:: -(-len(near) // _PLACES)]:
            wanted = least + _EXTRA
            pairs, _, gradients = self._clearance.near(*self._robot.frames(samples.positions[row]), wanted)
            gradients = gradients * commanded
            missing = (wanted - distances[row])[pairs]
            # The least turn that opens all gaps, to first order (damped least squares).
            square = gradients @ gradients.T + 1e-6 * np.eye(len(pairs))
            turn = gradients.T @ np.linalg.solve(square, missing)
            away = np.minimum(np.abs(times - min((row + 1) * self._period, times[-1])) / _AROUND, 1.0)
            weight = (1.0 + np.cos(np.pi * away)) / 2.0
            push += weight[:, None] * np.clip(turn, -_BENT, _BENT)
            weights += weight
        return push / np.maximum(weights, 1.0)[:, None]

    def _home(
        self,
        start: JointState,
        score: Score,
        least: Array | None,
        trail: Sequence[JointState],
        ease: float = EASE,
    ) -> Samples | None:
        """Return the first way to rest, else to standstill, that is clear; without care: in range."""
        for way in self._ways_home(start, score, trail, ease):
            if way is not None and (self._in_range(way) if least is None else self._clear(start, way, least)):
                return way
        return None

    def _in_range(self, way: Samples) -> bool:
        positions = way.positions
        return bool(((positions >= self._robot.lower) & (positions <= self._robot.upper)).all())

    def _ways_home(
        self, start: JointState, score: Score, trail: Sequence[JointState], ease: float
    ) -> Iterator[Samples | None]:
        """Yield ways home: easily, fast, back the way the robot came, steered, and only to standstill."""
        rest = score.home
        # What nobody sees takes no time.
        blend = score.settings.blend_time if np.abs(start.position - rest).max() > SEEN else 0.0
        yield self._limiter.way(start, rest, ease=ease, together=blend)
        if ease > WALK:
            yield self._limiter.way(start, rest)
        if trail:
            # Gone backwards a path keeps every limit it kept, and it was clear: sooner or later there is a
            # place from which the straight way is.
            back = Samples.of(trail).reversed()
            rows = max(1, round(0.25 / self._period))
            while rows < 2 * len(back):
                part = back[:rows]
                way = self._limiter.way(part.state(-1), rest, ease=ease, together=0.0)
                yield None if way is None else joined(part, way)
                rows *= 2
        if not start.still:
            yield self._steered(start, rest, ease)
            yield self._limiter.stop(start)

    def _steered(self, start: JointState, target: Array, ease: float) -> Samples | None:
        """Return a way to a target (N,) that stays within the range of joints that move near an end of it."""
        times = self._planner.grid(_STEERED)
        aimed = target + Fade(start.position - target, 0.0, _STEERED).at(times)
        found = self._planner.follow(start, self._within(aimed))
        if found is None:
            return None
        samples = found[0][: found[1]]
        way = self._limiter.way(samples.state(-1), target, ease=ease, together=0.0)
        return None if way is None else joined(samples, way)

    def _clear(self, start: JointState, way: Samples, least: Array) -> bool:
        positions = np.concatenate([start.position[None], way.positions])
        times = self._period * np.arange(len(positions))
        return not verify(self._robot, times, positions, clearance=self._clearance, least=least).violations

    def _within(self, angles: Array) -> Array:
        return np.minimum(np.maximum(angles, self._robot.lower), self._robot.upper)


def _breath(robot: Robot) -> Array:
    """Return how far each joint goes (N,) [rad] as the robot breathes in: a little into its range."""
    moved = np.zeros(len(robot.rest))
    for arm in robot.arms.values():
        moved[list(arm.joints[:_BREATHING_JOINTS])] = _BREATH
    if robot.head:
        moved[list(robot.head.joints)] = _BREATH
    middle = (robot.lower + robot.upper) / 2.0
    return np.asarray(np.clip(middle - robot.rest, -moved, moved))


def _planned(
    way: Samples | None, spans: tuple[Span, ...], fade: tuple[ClauseId, int, Fade] | None = None
) -> Plan | None:
    return None if way is None else Plan(way, spans, 0, fade)
