"""The real-time core of the retargeter: frames with due times in, one checked command per control period out.

Frames are turned into joint angles when they arrive. Of what the joints ought to do (`Score`) a plan is
composed (`Composer`): samples at the control rate that end at standstill. The verifier judges it as a whole
before its first sample is sent; a plan that fails is never begun, and the robot goes on with the one before,
which stops by itself. So a tick only reads the next sample, and looking ahead is reading the others.
"""

import logging
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from text2gesture_ros.blending import DEFAULTS, Clip, Fade, Score, Settings
from text2gesture_ros.collision import Clearance
from text2gesture_ros.composing import EASE, NOBODY, SEEN, WALK, Composer, Plan, Span, padded
from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.kinematics import Array, BoolArray
from text2gesture_ros.limiting import JointState, Samples, joined, standing
from text2gesture_ros.motion import MAX_BLOCK_FRAMES, FrameBlock, Motion, Name
from text2gesture_ros.ownership import used_by
from text2gesture_ros.progress import CANCELLED, FAILED, Ledger, Progress
from text2gesture_ros.retargeting import Retargeter
from text2gesture_ros.robot import Robot
from text2gesture_ros.skeleton import FloatArray
from text2gesture_ros.verification import Verifier, Violation, least_clearance

_LOGGER = logging.getLogger(__name__)

# Frames due later than this are a mistake of somebody's clock [s].
_MAX_AHEAD = 10.0
# Plans that come nearer to the robot itself than this are bent [m]: servos trail their commands, and two
# arms that move do so by some millimetres.
_ROOMY = 0.010
_REMEMBERED_GESTURES = 256
_NO_MORE = 1 << 32  # a sequence number that none exceeds
# A clock that falls back by more than this was set anew [s].
_SET_BACK = 1.0
# Where more frames come, the plan is made anew from so long before the end of those known [s]: about there it
# began to stop. From 0.3 s on it followed no better, and solving took twice as long.
_ANEW = 0.2
# A robot that has waited this long for a frame blends into the one that comes at last [s].
_WAITED = 0.1
# An utterance that was cancelled may begin anew so much later [s]: what comes sooner was on its way.
_FORGIVEN = 1.0
# How long the robot has been at rest before it breathes [s].
_RESTED = 0.5
# By how much a joint may be measured outside its limits and is still believed [rad]: sensors are off by that.
_OFF = 0.1
# By how much a joint of others has to move to be looked at anew [rad].
_MOVED = 0.01
# How much of the way it came is remembered, to go back on [s].
_TRAIL = 60.0


@dataclass(frozen=True, eq=False)
class Command:
    """What the robot is to do now.

    Attributes:
        time: when it is to be there [s], on the clock of `tick`. One control period after the command before,
            however late the tick: over these times every limit is kept. They catch up where the robot stands.
        position: (N,) [rad].
        velocity: (N,) [rad/s].
        acceleration: (N,) [rad/s^2].
        utterance_id: what is performed, empty at rest and on the way there.
        clause: which clause of it.
        moving: whether something moves or is performed.
        owned: (N,) which joints are commanded; the others stand at rest here, and are left to whom they
            belong.
        violations: what the verifier found in the sample that was due, which was therefore not sent.
    """

    time: float
    position: Array
    velocity: Array
    acceleration: Array
    utterance_id: str
    clause: int
    moving: bool
    owned: BoolArray
    violations: tuple[Violation, ...]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Commands to come; the last one stands still.

    Attributes:
        times: (P,) after the moment it was asked for [s], increasing, evenly spaced; the first is 0 where the
            next command is due or late, else positive.
        positions: (P, N) [rad].
        velocities: (P, N) [rad/s].
        owned: (N,) which joints are commanded at any of these times.
        utterance_id: the last that is performed, empty where none is.
    """

    times: FloatArray
    positions: Array
    velocities: Array
    owned: BoolArray
    utterance_id: str


class Performer:
    """Plays frame blocks on a robot, one tick per control period. Not thread-safe: one caller at a time.

    Attributes:
        counts: how many blocks were accepted and how many rejected for which reason (stale, duplicate,
            out_of_order, unknown, future, cancelled) or were without frames (empty).
        plans: how many plans were begun (begun), how many of them had to be made with more care (bent), how
            often none passed and the one before was kept (kept), how often not even a way to rest passed
            (stuck), and how many samples of a plan the verifier kept from being sent after all (withheld).
        worst: how much of its limit was used at most, by kind, and `clearance`: the smallest [m].
    """

    def __init__(
        self,
        robot: Robot,
        *,
        rate: float = DEFAULTS.rate,
        start: Mapping[str, float] | None = None,
        **settings: Any,
    ) -> None:
        """Make a performer whose robot stands still, at rest if nothing else is said.

        Args:
            robot: the robot to drive.
            rate: ticks per second [Hz], in [1, 1000].
            start: where it stands, see `begin_from`; None: at rest.
            settings: see `Settings`.

        Raises:
            ConfigurationError: a setting is unknown or a value out of its range.
            InputError: see `begin_from`.
        """
        if not 1.0 <= rate <= 1000.0:
            raise ConfigurationError(f"rate must be in [1, 1000] Hz but is {rate}")
        self._robot = robot
        self._period = 1.0 / rate
        self._settings = _changed(Settings(), settings)
        self._score = Score(robot, self._settings)
        self._clearance = Clearance(robot)
        self._least = least_clearance(robot, self._clearance)
        self._roomy = max(self._least, min(_ROOMY, float(self._clearance.smallest(robot.rest)) - 1e-3))
        self._composer = Composer(robot, self._period, self._clearance)
        self._verifier = Verifier(robot, self._period, self._clearance)
        self._retargeter = Retargeter(robot)
        self._mirrored = self._settings.mirror
        # Of every gesture of late: the highest sequence number seen and when its last frame is due.
        self._gestures: OrderedDict[Name, tuple[int, float]] = OrderedDict()
        self._latest: Name | None = None
        self._cancelled: OrderedDict[str, float] = OrderedDict()  # when each utterance was [s]
        self._ledger = Ledger()

        # Rows count control periods; `_row` was sent last. The plan begins with the row `_first`.
        self._row = -1
        self._plan, self._first = standing(robot.rest), 0
        self._spans = [Span(-1, NOBODY, frozenset())]
        self._sent = self._plan.state(0)
        self._trail: deque[JointState] = deque(maxlen=max(4, round(_TRAIL * rate)))
        self._origin = -np.inf  # when row 0 is due [s]
        self._lag = 0.0  # of `Command.time` [s]
        self._knot = 0  # a row from which plans are well continued
        self._followed = 0  # row at which the frames known to the plan end
        self._fade: tuple[Name, int, Fade] | None = None  # how the latest gesture in the plan takes over
        self._asked: int | None = None  # row from which on another plan is wanted
        self._stuck = False
        self._held = False
        self._walking = False  # to rest for the first time, from wherever the robot was
        self._rested = 0  # how many rows the robot has been at rest
        self.counts: Counter[str] = Counter()
        self.plans: Counter[str] = Counter()
        self.worst: dict[str, float] = {}
        if start is not None:
            self.begin_from(start)

    @property
    def period(self) -> float:
        """Time from tick to tick [s]."""
        return self._period

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    @property
    def stuck(self) -> bool:
        """Whether the robot stands still because no way to rest is within limits and clear."""
        return self._stuck

    def progress(self, utterance_id: str) -> Progress | None:
        """Return how an utterance goes; None where nothing of it has come, or long ago."""
        return self._ledger.of(utterance_id)

    def begin_from(self, positions: Mapping[str, float]) -> None:
        """Let the robot stand still where it is, before the first command or after a silence.

        The next command is there; from there the robot walks to rest, or into a gesture. What was performed
        or waited is dropped.

        Args:
            positions: joint positions by name [rad], as measured. Joints that are missing stand at rest;
                names that are not the robot's are ignored. What is a little outside the limits counts as
                being on them.

        Raises:
            InputError: a position is no number, or so far outside its limits that it cannot be true.
        """
        robot = self._robot
        place = self._placed(positions, robot.rest)
        for name, value, lower, upper in zip(robot.joint_names, place, robot.lower, robot.upper, strict=True):
            if not lower - _OFF <= value <= upper + _OFF:
                raise InputError(
                    f"start: {name} is at {value:.4g} rad, allowed {lower:.4g} to {upper:.4g}: move it there"
                )
        place = np.clip(place, robot.lower, robot.upper)
        self._abandon(self._ledger.live, FAILED, "the robot began anew")
        self._stand(place, self._row + 1)
        self._verifier.reset()
        self._score.home = np.where(self._score.commanded(frozenset()), robot.rest, place)
        self._walking = True

    def observe(self, positions: Mapping[str, float]) -> None:
        """Take note of where the robot is (joint states): joints of others are taken over from there.

        Counts for the groups that are not commanded at the moment, where nothing is performed.

        Args:
            positions: joint positions by name [rad]; others are ignored, as is what is no number.
        """
        span, home = self._span(self._row), self._score.home
        if span.name != NOBODY:
            return
        place = np.clip(self._placed(positions, home), self._robot.lower, self._robot.upper)
        moved = ~self._owned(self._sent.position[None], [span]) & (np.abs(place - home) > _MOVED)
        if not moved.any():
            return
        self._score.home = np.where(moved, place, home)
        self._plan = replace(self._plan, positions=np.where(moved, place, self._plan.positions))
        self._sent = replace(self._sent, position=np.where(moved, place, self._sent.position))
        self._verifier.reset([np.where(moved, place, position) for position in self._verifier.history])
        self._trail.clear()
        if self._score.next is not None or self._score.playing is not None:
            self._ask(self._row)  # what is planned for these joints begins elsewhere

    def cancel(self, utterance_id: str | None = None) -> None:
        """Drop what plays or waits of an utterance, and go smoothly to rest or on to what else waits.

        Blocks of it that still come are ignored, of whichever clause. The same name may begin anew with its
        first clause once a second has gone by: what comes sooner was on its way.

        Args:
            utterance_id: which; None: all that is known.
        """
        known = [clip.name[0] for clip in (self._score.playing, self._score.next) if clip is not None]
        chosen = {*self._ledger.live, *known} if utterance_id is None else {utterance_id}
        for name in chosen:
            self._cancelled[name] = self._time(self._row)
            self._cancelled.move_to_end(name)
            if len(self._cancelled) > _REMEMBERED_GESTURES:
                self._cancelled.popitem(last=False)
        self._abandon(chosen, CANCELLED, "cancelled")

    def hold(self, on: bool) -> None:
        """Come smoothly to a standstill and stay, or go on with what is due then, else to rest.

        What comes in the meantime is taken note of; what of it is over by the end is dropped.
        """
        if on != self._held:
            self._held, self._fade, self._stuck = on, None, False
            self._ask(self._row)

    def configure(self, **changes: float | bool | str) -> None:
        """Change some of the `Settings`; the robot blends over, nothing jumps.

        Raises:
            ConfigurationError: a name is unknown or a value out of its range; nothing has changed then.
        """
        settings, old = _changed(self._settings, changes), self._settings
        self._settings = self._score.settings = settings
        # The others count from the next event on.
        later = replace(
            old,
            mirror=settings.mirror,
            blend_time=settings.blend_time,
            frame_timeout=settings.frame_timeout,
        )
        ours = self._score.commanded(frozenset())
        self._score.home = np.where(ours, self._robot.rest, self._score.home)
        if settings != later:
            self._fade = None
            self._ask(self._row)

    def receive(self, block: FrameBlock, now: float) -> bool:
        """Take in a block of frames; return whether it will be played.

        The gesture that began last is the one that plays, from the moment its first frame is due; each clause
        of an utterance has its own. A block that comes twice, out of order, too late or of a gesture that was
        replaced is counted and ignored.

        Args:
            block: the frames, `due` on the clock of `now`.
            now: the present [s].

        Raises:
            InputError: the block has more frames than anybody plays at once.
        """
        if len(block.positions) > MAX_BLOCK_FRAMES:
            raise InputError(f"frames: {len(block.positions)} in a block, allowed {MAX_BLOCK_FRAMES}")
        reason = "cancelled" if self._is_cancelled(block, now) else self._refusal(block)
        if not reason and block.end > now + _MAX_AHEAD:
            reason = "future"
        if not reason and not len(block.positions):
            self.counts["empty"] += 1
            self._ledger.received(block, now)
            if block.name in self._gestures:
                self._gestures[block.name] = _NO_MORE, self._gestures[block.name][1]
                self._score.finish(block.name)
                self._ask(self._row)
            return False
        if not reason:
            self._note(block)
            # Counts as begun, so that what follows it can still be seen.
            if block.end < now:
                reason = "stale"
        self.counts[reason or "accepted"] += 1
        if reason:
            _LOGGER.debug("frames %d of %r ignored: %s", block.sequence, block.name, reason)
            return False
        self._ledger.received(block, now)
        clip = Clip(
            block.name,
            block.due + np.arange(len(block.positions)) / block.frame_rate,
            self._retargeter.motion(block.positions),
            block.last,
            used_by(block.gesture, self._mirrored),
        )
        if self._origin == -np.inf:
            self._origin = now
        if block.sequence == 0:
            self._score.next = clip
            self._ask(int(np.ceil((clip.begin - self._origin) / self._period - 1e-6)) - 1)
            return True
        now = max(now, self._time(self._row))
        known, upcoming = self._score.cast(now)
        if upcoming is None and known is not None and now > known.end + _WAITED:
            self._fade = None
        self._score.extend(clip, now)
        planned = self._fade is not None and self._fade[0] == clip.name
        self._ask(self._followed - round(_ANEW / self._period) if planned else self._row)
        return True

    def tick(self, now: float) -> Command:
        """Return the command for this control period [s]; call it once per period, whatever arrives.

        What arrived is planned before. Who must send the command in time calls `step`, sends it, then
        `prepare`.
        """
        self._follow(now)
        self.prepare()
        return self.step(now)

    def step(self, now: float) -> Command:
        """Return the command for this control period [s] as it was planned so far."""
        self._follow(now)
        self._row += 1
        state = self._state(self._row)
        violations = self._verifier.check(state.position)
        if violations:
            self.plans["withheld"] += 1
            _LOGGER.error("command withheld: %s", violations[0])
            state = self._recover()
        self._remember(state)
        time = self._time(self._row)
        before = self._score.playing
        self._score.advance(time)
        if before is not None and self._score.playing is None:
            self._ledger.ended(before.name)
        over = self._row >= self._end
        waits = self._score.next is not None
        if self._score.playing is not None and (over or waits) and self._score.expired(time):
            missing = f"no frames came for {self._settings.frame_timeout:g} s"
            self._ledger.ended(self._score.playing.name, missing)
            self._score.playing = None
            self._ask(self._row)
        playing = self._score.playing
        if (
            playing is not None
            and playing is not before
            and (self._fade is None or self._fade[0] != playing.name)
        ):
            self._ask(self._row)  # there was no way into it, perhaps there is one now
        rests = state.still and bool(np.abs(state.position - self._score.home).max() < 1e-9)
        if over and playing is None and not (rests or self._stuck or self._held):
            self._ask(self._row)
        span = self._span(self._row)
        self._rested = self._rested + 1 if over and rests and not self._held else 0
        if rests:
            self._walking = False
            if self._settings.idle_motion > 0.0 and self._rested > _RESTED / self._period:
                self._rested = 0
                self._ask(self._row)
        self._ledger.performs(span.name if span.name != NOBODY else None, time)
        if rests or (over and (self._held or self._stuck)):
            self._ledger.settled(time)
        return Command(
            time=time - self._lag,
            position=state.position,
            velocity=state.velocity,
            acceleration=state.acceleration,
            utterance_id=span.name[0],
            clause=span.name[1],
            moving=span.name != NOBODY or not rests,
            owned=self._owned(state.position[None], [span]),
            violations=violations,
        )

    def prepare(self) -> bool:
        """Make the plan that what arrived asks for; return whether there is a new one.

        It takes over from the next sample on, or one soon after it.
        """
        if self._asked is None or self._origin == -np.inf:
            return False
        base = max(self._row, self._asked, 0)  # the first command of all is where the robot stands
        clip, upcoming = self._score.cast(self._time(base) + self._period)
        follows = clip is not None and not self._held
        base = self._base(base) if follows else base
        self._asked = None
        start, time = self._state(base), self._time(base)
        if self._held and base >= self._end and start.still:
            return False
        fade = None
        if self._fade is not None and base > self._fade[1]:
            fade = self._fade[0], self._fade[2]
        # What is nearer to itself already may only come away from there.
        here = float(self._clearance.smallest(start.position)) - 1e-6
        near, roomy = min(self._least, here), min(self._roomy, here)
        for number, (least, draft) in enumerate(self._drafts(start, time, fade, near, roomy)):
            plan = _drafted(draft)
            if plan is not None and self._install(base, plan, least):
                self.plans["begun"] += 1
                self.plans["bent"] += number > 0
                return True
        self.plans["kept"] += 1
        if not follows and self._row < self._end:
            self._ask(self._row + 1)  # there may be a way from there
        elif clip is None and upcoming is None and not self._stuck:
            self._stuck = True
            self.plans["stuck"] += 1
            _LOGGER.error("no way to rest is within limits and clear: the robot stands still where it is")
        return False

    def _drafts(
        self,
        start: JointState,
        time: float,
        fade: tuple[Name, Fade] | None,
        near: float,
        roomy: float,
    ) -> Iterator[tuple[float, Callable[[], Plan | None]]]:
        """Yield plans to be tried, the best first, and how near each may come to the robot itself [m]."""
        composer, score = self._composer, self._score
        if self._held:
            yield near, partial(composer.halt, start)
            return
        alone = score.cast(time + self._period) == (None, None)
        if alone and self._settings.idle_motion > 0.0 and start.still and not self._walking:
            yield roomy, partial(composer.breathe, start, score)
        trail = list(self._trail) if self._row >= self._end else []
        compose = partial(composer.compose, start, time, score, fade, ease=WALK if self._walking else EASE)
        yield roomy, compose
        yield near, partial(compose, least=roomy, trail=trail)
        if near < roomy:
            yield near, partial(compose, least=near, trail=trail)
        if score.next is not None:
            yield near, partial(compose, least=near, trail=trail, alone=True)

    def look_ahead(self, now: float) -> Trajectory:
        """Return what `tick` will command from its next call on if nothing arrives, up to standstill.

        Args:
            now: the present [s], on the clock of `tick`; times count from it.
        """
        first = max(self._time(self._row + 1), now) if self._origin > -np.inf else now + self._period
        self._follow(first)
        self.prepare()
        ahead = self._rows(self._row, max(self._end, self._row + 1))
        spans = [span for span in self._spans if span.row > self._row]
        spans.append(next(span for span in reversed(self._spans) if span.row <= self._row + 1))
        return Trajectory(
            times=first - now + self._period * np.arange(len(ahead)),
            positions=ahead.positions,
            velocities=ahead.velocities,
            owned=self._owned(ahead.positions, spans),
            utterance_id=max(spans, key=lambda span: (span.name != NOBODY, span.row)).name[0],
        )

    def to_rest(self) -> None:
        """Drop what is played, what is to come and a hold, and go to rest."""
        self._held = False
        self._abandon(self._ledger.live, CANCELLED, "the robot was sent to rest")

    # The clock

    def _time(self, row: int) -> float:
        return self._origin + row * self._period

    def _follow(self, now: float) -> None:
        """Let the next row be due `now` [s], unless that is jitter of the caller, which is not to be seen."""
        if now < self._time(self._row) - _SET_BACK:
            # A simulation was restarted, say: what is known belongs to another time.
            self._abandon(self._ledger.live, FAILED, "the clock was set back")
            self._gestures.clear()
            self._cancelled.clear()
        if self._origin == -np.inf:
            self._origin = now - (self._row + 1) * self._period
        late = now - self._time(self._row + 1)
        if abs(late) > self._period:
            self._origin += late
            self._lag += late
            # What has ended and is on its way to rest only comes there later.
            if self._score.playing is not None or self._score.next is not None:
                if abs(late) > _WAITED:
                    self._fade = None
                self._ask(self._row)
        if self._sent.still:
            # Time that passes at standstill breaks no limit; it must go on, though, unless the clock was set.
            self._lag = 0.0 if not -_SET_BACK < self._lag < 0.0 else min(0.0, self._lag + self._period / 2.0)

    # The plan

    @property
    def _end(self) -> int:
        """The last row of the plan; behind it the robot stands still."""
        return self._first + len(self._plan) - 1

    def _state(self, row: int) -> JointState:
        return self._plan.state(min(max(row - self._first, 0), len(self._plan) - 1))

    def _rows(self, after: int, last: int) -> Samples:
        """Return the rows after `after` up to `last`."""
        return padded(self._plan[max(0, after + 1 - self._first) :] or self._plan[-1:], last - after)

    def _ask(self, row: int) -> None:
        """Want another plan from a row on."""
        self._asked = row if self._asked is None else min(row, self._asked)

    def _base(self, row: int) -> int:
        """Return the first row from `row` on behind which a plan is well begun."""
        while (row - self._knot) % self._composer.stride and not self._state(row).still:
            row += 1
        return row

    def _install(self, base: int, plan: Plan, least: float) -> bool:
        """Take over a plan behind a row, if all of it passes."""
        kept = self._rows(self._row, base)
        before = [*self._verifier.history, *kept.positions][-3:]
        report = self._verifier.judge(before, plan.samples.positions, plan.samples.velocities, least)
        if report.violations:
            _LOGGER.info("plan not begun: %s", report.violations[0])
            return False
        for kind, worst in report.worst.items():
            self.worst[kind] = max(worst, self.worst.get(kind, 0.0))
        self.worst["clearance"] = min(report.clearance, self.worst.get("clearance", np.inf))
        self._plan, self._first = joined(kept, plan.samples), self._row + 1
        spans = [span for span in self._spans if span.row <= base]
        past = [span for span in spans if span.row <= self._row][:-1]
        self._spans = spans[len(past) :] + [replace(span, row=base + span.row) for span in plan.spans]
        self._knot, self._followed, self._stuck = base, base + plan.followed, False
        if plan.fade is not None:
            name, row, fade = plan.fade
            self._fade = name, base + row if row or self._fade is None else self._fade[1], fade
        return True

    def _span(self, row: int) -> Span:
        """Return who performs at a row."""
        return next(span for span in reversed(self._spans) if span.row <= row)

    def _stand(self, position: Array, row: int) -> None:
        """Let the plan from a row on be to stand still at a position (N,)."""
        self._plan, self._first, self._knot, self._followed = standing(position), row, row, row
        self._spans = [Span(min(row, self._row), NOBODY, frozenset())]
        self._sent = self._plan.state(0)
        self._trail.clear()

    def _abandon(self, utterance_ids: Iterable[str], outcome: str, reason: str) -> None:
        """Perform nothing more of some utterances from the next plan on."""
        chosen = set(utterance_ids)
        self._ledger.stopped(chosen, outcome, reason)
        for name in chosen:
            self._score.drop(name)
        if self._fade is not None and self._fade[0][0] in chosen:
            self._fade = None
        if self._latest is not None and self._latest[0] in chosen:
            self._latest = self._score.playing.name if self._score.playing is not None else None
        nobody = Span(self._row, NOBODY, frozenset())
        self._spans = [
            replace(nobody, row=span.row) if span.name[0] in chosen else span for span in self._spans
        ]
        self._stuck = False
        self._ask(self._row)

    def _placed(self, positions: Mapping[str, float], default: Array) -> Array:
        """Return positions by name as (N,) [rad]; `default` (N,) where one is missing."""
        names = self._robot.joint_names
        return np.array([positions.get(name, known) for name, known in zip(names, default, strict=True)])

    def _owned(self, positions: Array, spans: Sequence[Span]) -> BoolArray:
        """Return which joints (N,) are commanded where gestures perform and positions (P, N) are passed."""
        away: BoolArray = np.any(np.abs(positions - self._score.home) > SEEN, axis=0)
        owned = np.zeros(len(away), dtype=np.bool_)
        for group, joints in self._robot.groups.items():
            index = list(joints)
            wanted = any(self._settings.commands(group, span.used) for span in spans)
            # What is no longer wanted is given back at rest, where it was taken.
            owned[index] = wanted or away[index].any()
        return owned

    def _remember(self, state: JointState) -> None:
        """Note what is sent, and the way from rest."""
        if state.still and np.abs(state.position - self._score.home).max() < 1e-9:
            self._trail.clear()
        if not (state.still and self._sent.still and self._trail):
            self._trail.append(state)
        self._sent = state

    def _is_cancelled(self, block: FrameBlock, now: float) -> bool:
        """Return whether a block belongs to an utterance that was cancelled, not to a new one of its name."""
        when = self._cancelled.get(block.utterance_id)
        if when is not None and block.clause == block.sequence == 0 and now > when + _FORGIVEN:
            del self._cancelled[block.utterance_id]
            when = None
        return when is not None

    def _refusal(self, block: FrameBlock) -> str:
        """Return why a block does not continue the latest gesture nor begin another, empty if it does."""
        sequence, end = self._gestures.get(block.name, (-1, -np.inf))
        latest = block.name == self._latest
        if not len(block.positions):
            # That no more comes may be said at any time.
            return "" if block.sequence == 0 or latest else "stale"
        if block.sequence == 0:
            # The same name again, later than all of it before, is a new performance.
            return "" if block.due > end else "duplicate" if latest else "stale"
        if sequence < 0:
            return "unknown"
        if not latest:
            return "stale"
        if block.sequence == sequence:
            return "duplicate"
        return "" if block.sequence > sequence and block.due > end else "out_of_order"

    def _note(self, block: FrameBlock) -> None:
        if block.sequence == 0:
            self._latest = block.name
            self._mirrored = self._settings.mirror
            self._retargeter = Retargeter(self._robot, mirror=self._mirrored)
            if self._score.next is not None:
                self._ledger.dropped(self._score.next.name[0], block.utterance_id)
            self._score.next = None
        self._gestures[block.name] = (block.sequence, block.end)
        self._gestures.move_to_end(block.name)
        if len(self._gestures) > _REMEMBERED_GESTURES:
            self._gestures.popitem(last=False)

    def _recover(self) -> JointState:
        """Return what is sent instead of a sample that failed: the begin of a stop, else no movement."""
        held = self._sent
        plan = _drafted(partial(self._composer.halt, held))
        way = plan.samples if plan is not None else standing(held.position)
        if plan is None or self._verifier.check(way.positions[0]):
            way = standing(held.position)
            self._verifier.reset()
            self._verifier.accept(held.position)
        self._plan, self._first, self._knot, self._followed = way, self._row, self._row, self._row
        self._spans = [Span(self._row, NOBODY, frozenset())]
        self._fade = None
        self._abandon(self._ledger.live, FAILED, "a command would have broken a limit")
        return way.state(0)


def retarget_motion(
    robot: Robot,
    motion: Motion,
    rate: float = DEFAULTS.rate,
    *,
    scale: float = DEFAULTS.gesture_scale,
    mirror: bool = DEFAULTS.mirror,
    blend_time: float = DEFAULTS.blend_time,
) -> tuple[FloatArray, Array]:
    """Play a whole clip through a `Performer`, from rest to rest.

    Args:
        robot: the robot to drive.
        motion: the clip; its first frame is due at time 0.
        rate: samples per second [Hz].
        scale: see `Settings`.
        mirror: see `Settings`.
        blend_time: see `Settings` [s].

    Returns:
        Times (P,) from 0 on [s] and positions (P, N) [rad], until the robot stands still at rest again.

    Raises:
        ConfigurationError: a parameter is out of its range.
    """
    performer = Performer(robot, rate=rate, scale=scale, mirror=mirror, blend_time=blend_time)
    size = max(1, round(motion.frame_rate))
    blocks = [
        FrameBlock(
            utterance_id=motion.gesture or "clip",
            gesture=motion.gesture,
            emotion=motion.emotion,
            sequence=index,
            first_frame=start,
            frame_rate=motion.frame_rate,
            due=start / motion.frame_rate,
            positions=motion.positions[start : start + size],
            stop_probabilities=np.zeros(len(motion.positions[start : start + size])),
            last=start + size >= len(motion),
        )
        for index, start in enumerate(range(0, len(motion), size))
    ]
    positions: list[Array] = []
    fed = 0
    while True:
        time = len(positions) * performer.period
        while fed < len(blocks) and blocks[fed].due <= time + 2.0:
            performer.receive(blocks[fed], time)
            fed += 1
        command = performer.tick(time)
        positions.append(command.position)
        if fed == len(blocks) and not command.moving and time > motion.duration:
            break
    return np.arange(len(positions)) * performer.period, np.stack(positions)


def _changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Return settings with some values changed.

    Raises:
        ConfigurationError: a name is unknown or a value out of its range.
    """
    known = asdict(settings)
    unknown = [name for name in changes if name not in known]
    if unknown:
        raise ConfigurationError(f"unknown setting {unknown[0]!r}. Known: {', '.join(known)}")
    return Settings(**{**known, **changes})


def _drafted(draft: Callable[[], Plan | None]) -> Plan | None:
    """Return a plan; None where nothing was found, for whatever reason."""
    try:
        return draft()
    except Exception:  # of a solver, say: the plan before is safe to go on with, no plan at all is not
        _LOGGER.exception("no plan could be made")
        return None
