"""The real-time core of the retargeter: frames with due times in, one checked command per control period out.

What arrives is admitted or not (`Admission`) and turned into joint angles (`Reader`). Of what the joints
ought to do (`Score`) a plan is composed (`Composer`): samples at the control rate that end at standstill. The
verifier judges it as a whole before its first sample is sent; a plan that fails is never begun, and the robot
goes on with the one before, which stops by itself. So a tick only reads the next sample (`Timeline`), and
looking ahead is reading the others. Whatever is done at a time is bounded, so that commands can be sent in
between: some frames are read, or one plan is tried.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from text2gesture_ros.control.command import Command, Trajectory
from text2gesture_ros.control.plan_buffer import Timeline
from text2gesture_ros.control.trajectory import NOBODY, JointState, Plan, Span, standing
from text2gesture_ros.control.verification import Verifier, least_clearance
from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.geometry import Array, BoolArray, FloatArray
from text2gesture_ros.gestures import needs_of
from text2gesture_ros.labels import ClauseId
from text2gesture_ros.motion.frame_block import ClauseHeader, FrameBlock, FrameMessage
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.retargeting.block_filter import Admission
from text2gesture_ros.retargeting.frame_queue import Reader
from text2gesture_ros.retargeting.plan_builder import AHEAD, EASE, SEEN, WALK, Composer
from text2gesture_ros.retargeting.progress import CANCELLED, FAILED, Ledger, Progress
from text2gesture_ros.retargeting.reference import DEFAULTS, Clip, Fade, Score, Settings
from text2gesture_ros.robots.clearance import Clearance
from text2gesture_ros.robots.robot import Robot

_LOGGER = logging.getLogger(__name__)

# Plans that come nearer to the robot itself than this are bent [m]: servos trail their commands, and two
# arms that move do so by some millimetres.
_ROOMY = 0.010
# Where more frames come, the plan is made anew from so long before the end of those known [s]: about there it
# began to stop. From 0.2 s on, fast joints had begun before; from 0.4 s on, planning takes a fourth longer.
_ANEW = 0.3
# A robot that has waited this long for a frame blends into the one that comes at last [s].
_WAITED = 0.1
# A plan that fails is cut so long before the moment at which it does [s]: stopping takes as long.
_CUT = 0.35
# A gesture that could not be gone on with is tried again after so long [s].
_RETRY = 0.1
# How long the robot has been at rest before it breathes [s].
_RESTED = 0.5
# By how much a joint may be measured outside its limits and is still believed [rad]: sensors are off by that.
_OFF = 0.1
# By how much a joint of others has to move to be looked at anew [rad].
_MOVED = 0.01


class Performer:
    """Plays frame blocks on a robot, one tick per control period. Not thread-safe: one caller at a time.

    Attributes:
        counts: what became of the blocks, see `Admission`.
        plans: how many plans were begun (begun), how many of them had to be made with more care (bent) or
            stop before a moment that does not pass (cut), how often none passed and the one before was kept
            (kept), how often not even a way to rest passed (stuck), and how many samples of a plan the
            verifier kept from being sent after all (withheld).
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
        # How near the parts of each pair may come (P,) [m], and how near they come where there is room.
        self._least = least_clearance(robot, self._clearance)
        rest = self._clearance.distances(robot.rest)
        self._roomy = np.maximum(self._least, np.minimum(_ROOMY, rest - 1e-3))
        self._composer = Composer(robot, self._period, self._clearance)
        self._verifier = Verifier(robot, self._period, self._clearance)
        self._admission = Admission()
        self._reader = Reader(robot, self._period)
        self._ledger = Ledger()
        self._line = Timeline(robot.rest, self._period)

        self._fade: tuple[ClauseId, int, Fade] | None = None  # how the latest gesture in the plan takes over
        self._asked: int | None = None  # row from which on another plan is wanted
        self._failed = 0  # how many plans have been tried for that
        self._broken = np.inf  # when the latest of them fails [s]
        self._retry = 0  # row from which on a gesture that stopped halfway is tried again
        self._stuck = False
        self._held = False
        self._breathing = False
        self._walking = False  # to rest for the first time, from wherever the robot was
        self._rested = 0  # how many rows the robot has been at rest
        self.counts = self._admission.counts
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

    @property
    def breathing(self) -> bool:
        """Whether what moves, if anything does, is the robot that breathes at rest."""
        return self._breathing

    @property
    def held(self) -> bool:
        """Whether the robot is told to stand still where it is."""
        return self._held

    def progress(self, utterance_id: str) -> Progress | None:
        """Return how an utterance goes; None where nothing of it has come, or long ago."""
        return self._ledger.of(utterance_id)

    # Orders

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
        self._abandon(self._known(), FAILED, "the robot began anew")
        self._line.stand(place, self._line.row + 1)
        self._verifier.reset()
        self._score.home = np.where(self._score.commanded(frozenset()), robot.rest, place)
        self._walking = True

    def observe(self, positions: Mapping[str, float]) -> None:
        """Take note of where the robot is (joint states): joints of others are taken over from there.

        Counts for the groups that are not commanded at the moment, where nothing is performed.

        Args:
            positions: joint positions by name [rad]; others are ignored, as is what is no number.
        """
        span, home = self._line.span(self._line.row), self._score.home
        if span.name != NOBODY:
            return
        place = np.clip(self._placed(positions, home), self._robot.lower, self._robot.upper)
        moved = ~self._owned(self._line.sent.position[None], [span]) & (np.abs(place - home) > _MOVED)
        if not moved.any():
            return
        self._score.home = np.where(moved, place, home)
        self._line.displace(moved, place)
        self._verifier.reset([np.where(moved, place, position) for position in self._verifier.history])
        if self._score.next is not None or self._score.playing is not None:
            self._ask(self._line.row)  # what is planned for these joints begins elsewhere

    def cancel(self, utterance_id: str | None = None) -> None:
        """Drop what plays or waits of an utterance, and go smoothly to rest or on to what else waits.

        Blocks of it that still come are ignored, of whichever clause. The same name may begin anew with its
        first clause once a second has gone by: what comes sooner was on its way.

        Args:
            utterance_id: which; None: all that is known.
        """
        chosen = self._known() if utterance_id is None else {utterance_id}
        self._admission.cancel(chosen, self._line.time(self._line.row))
        self._abandon(chosen, CANCELLED, "cancelled")

    def hold(self, on: bool) -> None:
        """Come smoothly to a standstill and stay, or go on with what is due then, else to rest.

        What comes in the meantime is taken note of; what of it is over by the end is dropped.
        """
        if on != self._held:
            self._held, self._fade, self._stuck = on, None, False
            self._failed = 0
            self._ask(self._line.row)

    def to_rest(self) -> None:
        """Drop what is played, what is to come and a hold, and go to rest."""
        self._held = False
        self._abandon(self._known(), CANCELLED, "the robot was sent to rest")

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
            self._ask(self._line.row)

    # What arrives

    def receive(self, block: FrameMessage, now: float) -> bool:
        """Take in a block of frames; return whether it will be played.

        The gesture that began last is the one that plays, from the moment its first frame is due; each clause
        of an utterance has its own. A block that comes twice, out of order, too late or of a gesture that was
        replaced is counted and ignored. One without frames ends its gesture with those that have come.

        Args:
            block: the frames, `due` on the clock of `now`.
            now: the present [s].
        """
        verdict = self._admission.admits(block, now)
        if verdict not in ("accepted", "empty"):
            _LOGGER.debug("frames %d of %r ignored: %s", block.sequence, block.header.name, verdict)
            return False
        self._ledger.received(block, now)
        if verdict == "accepted":
            self._line.begin(now)
        self._reader.renew()
        while self._reader.changes(block) and self._reader.ready:
            self._read()
        if self._reader.take(block):
            self._read()
        return verdict == "accepted"

    def _read(self) -> None:
        """Read some of what arrived, and ask for the plan it calls for."""
        part = self._reader.read(self._settings)
        line, score = self._line, self._score
        if part.begins or part.clip is None:
            self._failed = 0  # other plans are to be tried now
        if part.begins and score.next is not None:
            self._ledger.dropped(score.next.name[0], part.name[0])
            self._ask(line.before(score.next.begin))
            score.next = None
        if part.clip is None:
            score.finish(part.name)
            self._ask(line.row)
            return
        if part.first:
            if self._fade is not None and self._fade[0] == part.name:
                self._fade = None  # was that of a performance before
            score.next = part.clip
            self._ask(line.before(part.clip.begin))
            return
        now = line.time(line.row)
        known, upcoming = score.cast(now)
        if upcoming is None and known is not None and now > known.end + _WAITED:
            self._fade = None
        score.extend(part.clip, now)
        planned = self._fade is not None and self._fade[0] == part.name
        self._ask(line.followed - round(_ANEW / self._period) if planned else line.row)

    # What is commanded

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
        line, home = self._line, self._score.home
        state = line.advance()
        violations = self._verifier.check(state.position)
        if violations:
            self.plans["withheld"] += 1
            _LOGGER.error("command withheld: %s", violations[0])
            state = self._recover()
        rests = state.still and bool(np.abs(state.position - home).max() < 1e-9)
        line.note(state, rests)
        self._go_on(rests)
        span = line.span(line.row)
        time = line.time(line.row)
        self._ledger.performs(span.name if span.name != NOBODY else None, time)
        if rests or (line.over and (self._held or self._stuck)):
            self._ledger.settled(time)
        return Command(
            time=time - line.lag,
            position=state.position,
            velocity=state.velocity,
            acceleration=state.acceleration,
            utterance_id=span.name[0],
            clause=span.name[1],
            moving=span.name != NOBODY or not rests,
            owned=self._owned(state.position[None], [span]),
            violations=violations,
        )

    def _go_on(self, rests: bool) -> None:
        """Let what is due begin and what is over end; ask for a plan where there is none that goes on."""
        line, score = self._line, self._score
        row, time = line.row, line.time(line.row)
        before = score.playing
        score.advance(time)
        if before is not None and score.playing is not before:
            ended = score.playing is None or (before.complete and time > before.end)
            if ended and not self._comes_again(before):
                self._ledger.ended(before.name, "the robot was told to hold still" if self._held else "")
            if score.playing is not None:  # also where neither of them is performed
                self._ledger.dropped(before.name[0], score.playing.name[0])
        if (line.over or score.next is not None) and score.playing is not None and score.expired(time):
            missing = f"no frames came for {self._settings.frame_timeout:g} s"
            if not self._comes_again(score.playing):
                self._ledger.ended(score.playing.name, missing)
            score.playing = None
            self._ask(row)
        playing = score.playing
        if playing is not before:
            self._failed = 0  # other plans are to be tried now
        if playing is None:
            if line.over and not (rests or self._stuck or self._held):
                self._ask(row)
        elif playing is not before and (self._fade is None or self._fade[0] != playing.name):
            self._ask(row)  # there was no way into it, perhaps there is one now
        elif line.over and playing.end > time + AHEAD and row >= self._retry and not self._held:
            self._fade = None  # the plan had to stop halfway, perhaps there is a way on now
            self._ask(row)
        self._rested = self._rested + 1 if line.over and rests and not self._held else 0
        if rests:
            self._walking = False
            if self._settings.idle_motion > 0.0 and self._rested > _RESTED / self._period:
                self._rested = 0
                self._ask(row)

    def _comes_again(self, clip: Clip) -> bool:
        """Return whether a gesture waits to be performed once more."""
        return self._score.next is not None and self._score.next.name == clip.name

    def look_ahead(self, now: float) -> Trajectory:
        """Return what `tick` will command from its next call on if nothing arrives or is left to be planned.

        Ends at standstill.

        Args:
            now: the present [s], on the clock of `tick`; times count from it.
        """
        line = self._line
        first = max(line.time(line.row + 1), now) if line.begun else now + self._period
        self._follow(first)
        if self._asked is not None:  # what is to be read has time until the next tick
            self.prepare()
        ahead, spans = line.rows(line.row, max(line.end, line.row + 1)), line.spans
        return Trajectory(
            times=first - now + self._period * np.arange(len(ahead)),
            positions=ahead.positions,
            velocities=ahead.velocities,
            owned=self._owned(ahead.positions, spans),
            utterance_id=max(spans, key=lambda span: (span.name != NOBODY, span.row)).name[0],
        )

    def _follow(self, now: float) -> None:
        """Let the next row be due `now` [s]."""
        if self._line.set_back(now):
            # What is known belongs to another time.
            self._abandon(self._ledger.live, FAILED, "the clock was set back")
            self._score.playing = self._score.next = None
            self._reader.clear()
            self._admission.clear()
        late = self._line.follow(now)
        # What has ended and is on its way to rest only comes there later.
        if late and (self._score.playing is not None or self._score.next is not None):
            if abs(late) > _WAITED:
                self._fade = None
            self._ask(self._line.row)

    # The plan

    def _ask(self, row: int) -> None:
        """Want another plan from a row on."""
        self._asked = row if self._asked is None else min(row, self._asked)

    def prepare(self) -> bool:
        """Try one plan that what arrived asks for, else read more of it; return whether there is a new plan.

        It takes over from the next sample on, or one soon after it.
        """
        if self._asked is None or not self._line.begun:
            self._reader.renew()
            if self._reader.ready:
                self._read()
            return False
        line = self._line
        base = max(line.row, self._asked, 0)  # the first command of all is where the robot stands
        clip, upcoming = self._score.cast(line.time(base) + self._period)
        follows = clip is not None and not self._held
        base = line.base(base, self._composer.stride) if follows else base
        start, time = line.state(base), line.time(base)
        if self._held and base >= line.end and start.still:
            self._asked = None
            return False
        fade = None
        if self._fade is not None and base > self._fade[1]:
            fade = self._fade[0], self._fade[2]
        # What is nearer to itself already may only come away from there.
        here = self._clearance.distances(start.position) - 1e-6
        drafts = self._drafts(start, time, fade, np.minimum(self._least, here), np.minimum(self._roomy, here))
        for kind, least, draft in islice(drafts, self._failed, None):
            plan = _drafted(draft)
            if plan is not None and self._install(base, plan, least):
                self._asked, self._failed = None, 0
                self._breathing = kind == "idle"
                self.plans["begun"] += 1
                self.plans[kind] += 1
                return True
            self._failed += 1
            self._broken = self._broken if plan is not None else 0.0
            if follows or upcoming is not None:
                return False  # there is time for one between two commands
        self._give_up(follows)
        return False

    def _give_up(self, follows: bool) -> None:
        """Keep the plan there is: none of those tried passed."""
        line = self._line
        self._asked, self._failed = None, 0
        self._retry = line.row + round(_RETRY / self._period)
        self.plans["kept"] += 1
        if not line.over:
            if not follows:
                self._ask(line.row + 1)  # there may be a way from there
        elif self._score.playing is None and not self._stuck:
            self._stuck = True
            self.plans["stuck"] += 1
            _LOGGER.error("no way to rest is within limits and clear: the robot stands still where it is")

    def _drafts(
        self, start: JointState, time: float, fade: tuple[ClauseId, Fade] | None, near: Array, roomy: Array
    ) -> Iterator[tuple[str, Array, Callable[[], Plan | None]]]:
        """Yield plans to be tried, the best first: kind, how near parts may come (P,) [m], how to make it.

        Args:
            start: the state to continue.
            time: when the robot is there [s].
            fade: how the gesture that plays took over, None: it takes over now.
            near: (P,) how near parts may come [m].
            roomy: (P,) how near they come where there is room [m].
        """
        composer, score = self._composer, self._score
        if self._held:
            yield "held", near, partial(composer.halt, start)
            return
        playing, upcoming = score.cast(time + self._period)
        idle = playing is None and upcoming is None and not self._walking
        if idle and self._settings.idle_motion > 0.0 and start.still:
            yield "idle", roomy, partial(composer.breathe, start, score)
        ease = WALK if self._walking else EASE
        compose = partial(composer.compose, start, time, score, fade, ease=ease)
        yield "plain", roomy, compose
        careful = partial(compose, trail=self._line.trail)
        yield "bent", near, partial(careful, least=roomy)
        if (near < roomy).any():
            yield "bent", near, partial(careful, least=near)
        if upcoming is not None:
            yield "bent", near, partial(careful, least=near, alone=True)
        if playing is not None:
            until = time + self._broken - _CUT
            if until > time + AHEAD:
                yield "cut", near, partial(careful, least=near, until=until)
            yield "cut", near, partial(composer.halt, start, playing)

    def _install(self, base: int, plan: Plan, least: Array) -> bool:
        """Take over a plan behind a row, if all of it passes."""
        line = self._line
        before = [*self._verifier.history, *line.rows(line.row, base).positions][-3:]
        report = self._verifier.judge(before, plan.samples.positions, plan.samples.velocities, least)
        if report.violations:
            _LOGGER.info("plan not begun: %s", report.violations[0])
            self._broken = min(violation.time for violation in report.violations)
            return False
        for kind, worst in report.worst.items():
            self.worst[kind] = max(worst, self.worst.get(kind, 0.0))
        self.worst["clearance"] = min(report.clearance, self.worst.get("clearance", np.inf))
        line.install(base, plan)
        self._stuck = False
        if plan.fade is not None:
            name, row, fade = plan.fade
            self._fade = name, base + row if row or self._fade is None else self._fade[1], fade
        return True

    def _known(self) -> set[str]:
        """Return the utterances that play, wait or are to be told how they ended."""
        clips = (self._score.playing, self._score.next)
        return {*self._ledger.live, *(clip.name[0] for clip in clips if clip is not None)}

    def _abandon(self, utterance_ids: Iterable[str], outcome: str, reason: str) -> None:
        """Perform nothing more of some utterances from the next plan on."""
        chosen = set(utterance_ids)
        self._ledger.stopped(chosen, outcome, reason)
        self._reader.forget(chosen)
        for name in chosen:
            self._score.drop(name)
        if self._fade is not None and self._fade[0][0] in chosen:
            self._fade = None
        self._admission.forget(chosen, self._score.playing.name if self._score.playing else None)
        self._line.forget(chosen)
        self._stuck, self._failed = False, 0
        self._ask(self._line.row)

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

    def _recover(self) -> JointState:
        """Return what is sent instead of a sample that failed: the begin of a stop, else no movement."""
        held = self._line.sent
        plan = _drafted(partial(self._composer.halt, held))
        way = plan.samples if plan is not None else standing(held.position)
        if plan is None or self._verifier.check(way.positions[0]):
            way = standing(held.position)
            self._verifier.reset()
            self._verifier.accept(held.position)
        self._line.replace(way, self._line.row)
        self._abandon(self._ledger.live, FAILED, "a command would have broken a limit")
        self._score.playing = self._score.next = self._fade = None
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
    gesture = motion.gesture
    header = ClauseHeader(gesture or "clip", gesture=gesture, emotion=motion.emotion, needs=needs_of(gesture))
    blocks = [
        FrameBlock(
            header=header,
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
