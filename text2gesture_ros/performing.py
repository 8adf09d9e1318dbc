"""The real-time core of the retargeter: frames with due times in, one checked command per control period out.

Frames are turned into joint angles when they arrive. Every tick reads off the angles due now (`_Score`), lets
the limiter take one step towards them and has the verifier check it. All state that the future depends on can
be copied cheaply, so a look-ahead is the same code run on a copy: it cannot differ from what will be
commanded.
"""

import copy
import logging
from collections import Counter, OrderedDict
from dataclasses import asdict, dataclass

import numpy as np

from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.kinematics import Array
from text2gesture_ros.limiting import JointState, Limiter
from text2gesture_ros.motion import FrameBlock, Motion
from text2gesture_ros.retargeting import MAX_SCALE, Retargeter, scaled
from text2gesture_ros.robot import Robot
from text2gesture_ros.skeleton import FloatArray
from text2gesture_ros.verification import Verifier, Violation

_LOGGER = logging.getLogger(__name__)

# Frames due later than this are a mistake of somebody's clock [s].
_MAX_AHEAD = 10.0
_MAX_FRAMES = 1200
# Frames played this long ago are forgotten [s].
_MEMORY = 1.0
_REMEMBERED_UTTERANCES = 256
_HORIZON = 3.0
# How far ahead of time frames are read [s]: the limiter, always ready to stop, trails smooth targets by about
# this.
_LEAD = 0.05
# Way back to rest: part of a joint's velocity and acceleration that it may take.
_EASE = 0.5


@dataclass(frozen=True, eq=False)
class Command:
    """What the robot is to do now.

    Attributes:
        position: (N,) [rad].
        velocity: (N,) [rad/s].
        acceleration: (N,) [rad/s^2].
        utterance_id: what is performed, empty at rest and on the way there.
        moving: whether something moves or is performed.
        violations: what the verifier found in the sample that was due, which was therefore not sent.
    """

    position: Array
    velocity: Array
    acceleration: Array
    utterance_id: str
    moving: bool
    violations: tuple[Violation, ...]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Commands to come; the last one stands still.

    Attributes:
        times: (P,) after the moment it was asked for [s], increasing, evenly spaced, the first positive.
        positions: (P, N) [rad].
        velocities: (P, N) [rad/s].
    """

    times: FloatArray
    positions: Array
    velocities: Array


@dataclass(frozen=True)
class Settings:
    """What may change while the robot moves.

    Attributes:
        scale: size of the gestures, in [0, 2]; counts at once.
        mirror: exchange left and right; counts from the next utterance on.
        blend_time: how long taking over from the present command lasts [s], in [0, 10].
        frame_timeout: how long the last frame is held when no more come [s], in [0, 60].

    Raises:
        ConfigurationError: a value is out of its range.
    """

    scale: float = 1.0
    mirror: bool = False
    blend_time: float = 0.3
    frame_timeout: float = 0.3

    def __post_init__(self) -> None:
        for name, most in (("scale", MAX_SCALE), ("blend_time", 10.0), ("frame_timeout", 60.0)):
            if not 0.0 <= getattr(self, name) <= most:
                raise ConfigurationError(f"{name} must be in [0, {most:g}] but is {getattr(self, name)}")


@dataclass(frozen=True, eq=False)
class _Clip:
    """Joint angles of one utterance, as far as they have come: times (T,) [s] and unscaled angles (T, N)."""

    utterance_id: str
    times: Array
    angles: Array
    complete: bool

    def at(self, time: float) -> Array:
        """Return the angles (N,) at a time [s]: linear between frames, the first or last one held outside."""
        index = int(np.searchsorted(self.times, time))
        if index == 0:
            return np.asarray(self.angles[0])
        if index == len(self.times):
            return np.asarray(self.angles[-1])
        before, after = self.times[index - 1], self.times[index]
        weight = (time - before) / (after - before)
        return np.asarray(self.angles[index - 1] + weight * (self.angles[index] - self.angles[index - 1]))


class _Score:
    """Says where the joints ought to be at a time: in a gesture, at rest, or blending from one to the other.

    Holds only values that are replaced, never changed, so that copy.copy makes an independent twin.
    """

    def __init__(self, robot: Robot, settings: Settings) -> None:
        self.robot = robot
        self.settings = settings
        self.playing: _Clip | None = None
        self.next: _Clip | None = None
        self.blend_due = False
        self._offset = np.zeros_like(robot.rest)
        self._start = 0.0
        self._duration = 0.0

    def target(self, time: float, position: Array) -> Array:
        """Return the target (N,) at a time [s]; blends start from the present command `position` (N,)."""
        time += _LEAD
        if self.next is not None and time >= self.next.times[0]:
            self.playing, self.next, self.blend_due = self.next, None, True
        if self.playing is not None:
            patience = 0.0 if self.playing.complete else _LEAD + self.settings.frame_timeout
            if time > self.playing.times[-1] + patience:
                self.playing, self.blend_due = None, True
        if self.playing is None:
            goal = self.robot.rest
        else:
            goal = scaled(self.robot, self.playing.at(time), self.settings.scale)
        if self.blend_due:
            self.blend_due = False
            self._offset, self._start, self._duration = position - goal, time, self.settings.blend_time
            if self.playing is None:
                self._duration = max(self._duration, self._ease(position))
        if time >= self._start + self._duration:
            return goal
        ratio = (time - self._start) / self._duration
        # Minimum jerk (Flash and Hogan, 1985). It is the distance at the start that fades, not the gesture:
        # one that starts where the robot is loses nothing of its first movement.
        weight = ratio**3 * (10.0 + ratio * (6.0 * ratio - 15.0))
        return np.asarray(goal + (1.0 - weight) * self._offset)

    def _ease(self, position: Array) -> float:
        """Return how long a minimum-jerk move to rest takes that is easy for every joint [s]."""
        distance = np.abs(position - self.robot.rest)
        # Peaks of minimum jerk over a distance d in a time T: 1.875 d / T and 5.774 d / T^2.
        by_velocity = 1.875 * distance / (_EASE * self.robot.velocity)
        by_acceleration = np.sqrt(5.774 * distance / (_EASE * self.robot.acceleration))
        return float(np.maximum(by_velocity, by_acceleration).max())


class Performer:
    """Plays frame blocks on a robot, one tick per control period. Not thread-safe: one caller at a time.

    Attributes:
        counts: how many blocks were accepted and how many rejected for which reason (stale, duplicate,
            out_of_order, unknown, future), and how many samples the verifier kept from being sent (withheld).
    """

    def __init__(
        self,
        robot: Robot,
        *,
        rate: float = 100.0,
        scale: float = 1.0,
        mirror: bool = False,
        blend_time: float = 0.3,
        frame_timeout: float = 0.3,
    ) -> None:
        """Make a performer whose robot stands still at rest.

        Args:
            robot: the robot to drive.
            rate: ticks per second [Hz], in [1, 1000].
            scale: see `Settings`.
            mirror: see `Settings`.
            blend_time: see `Settings` [s].
            frame_timeout: see `Settings` [s].

        Raises:
            ConfigurationError: a value is out of its range.
        """
        if not 1.0 <= rate <= 1000.0:
            raise ConfigurationError(f"rate must be in [1, 1000] Hz but is {rate}")
        self._robot = robot
        self._period = 1.0 / rate
        self._settings = Settings(scale, mirror, blend_time, frame_timeout)
        self._score = _Score(robot, self._settings)
        self._limiter = Limiter(robot, self._period)
        self._verifier = Verifier(robot, self._period)
        self._retargeter = Retargeter(robot)
        # Of every utterance of late: the highest sequence number seen and when its last frame is due.
        self._utterances: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._latest = ""
        self._time = -np.inf
        self.counts: Counter[str] = Counter()

    @property
    def period(self) -> float:
        """Time from tick to tick [s]."""
        return self._period

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    @property
    def failures(self) -> int:
        """How often the limiter found no way to a target and stayed with the one before."""
        return self._limiter.failures

    def configure(self, **changes: float | bool) -> None:
        """Change some of the `Settings`; the robot blends over, nothing jumps.

        Raises:
            ConfigurationError: a name is unknown or a value out of its range; nothing has changed then.
        """
        unknown = [name for name in changes if name not in Settings.__dataclass_fields__]
        if unknown:
            known = ", ".join(Settings.__dataclass_fields__)
            raise ConfigurationError(f"unknown setting {unknown[0]!r}. Known: {known}")
        settings = Settings(**{**asdict(self._settings), **changes})
        self._score.blend_due |= settings.scale != self._settings.scale
        self._settings = self._score.settings = settings

    def receive(self, block: FrameBlock, now: float) -> bool:
        """Take in a block of frames; return whether it will be played.

        The utterance that began last is the one that plays, from the moment its first frame is due. A block
        that comes twice, out of order, too late or from an utterance that was replaced is counted and
        ignored.

        Args:
            block: the frames, `due` on the clock of `now`.
            now: the present [s].

        Raises:
            InputError: the block has more frames than anybody plays at once.
        """
        if len(block.positions) > _MAX_FRAMES:
            raise InputError(f"frames: {len(block.positions)} in a block, allowed {_MAX_FRAMES}")
        reason = self._refusal(block, now)
        if reason:
            self.counts[reason] += 1
            _LOGGER.debug("frames %d of utterance %r ignored: %s", block.sequence, block.utterance_id, reason)
            return False
        self.counts["accepted"] += 1
        if block.sequence == 0:
            self._latest = block.utterance_id
            self._retargeter = Retargeter(self._robot, mirror=self._settings.mirror)
            self._score.next = None
        self._utterances[block.utterance_id] = (block.sequence, block.end)
        self._utterances.move_to_end(block.utterance_id)
        while len(self._utterances) > _REMEMBERED_UTTERANCES:
            self._utterances.popitem(last=False)
        self._append(block, now)
        return True

    def tick(self, now: float) -> Command:
        """Return the command for this control period [s]; call it once per period, whatever arrives."""
        if now < self._time - _MEMORY:
            # The clock was set back (simulation restarted): what is buffered belongs to another time.
            self.to_rest()
        self._time = self._next_time(now)
        violations: tuple[Violation, ...] = ()
        before = self._limiter.copy()
        target = self._score.target(self._time, before.state.position)
        state = self._limiter.step(target)
        violations = self._verifier.check(state.position)
        if violations:
            self.counts["withheld"] += 1
            _LOGGER.error("command withheld: %s", violations[0])
            state = self._recover(before)
        playing = self._score.playing
        return Command(
            position=state.position,
            velocity=state.velocity,
            acceleration=state.acceleration,
            utterance_id=playing.utterance_id if playing else "",
            moving=playing is not None or not state.still,
            violations=violations,
        )

    def look_ahead(self, now: float) -> Trajectory:
        """Return what `tick` will command from its next call on if nothing arrives, up to standstill.

        Args:
            now: the present [s], on the clock of `tick`; times count from it.
        """
        score, limiter = copy.copy(self._score), self._limiter.copy()
        first = max(self._time + self._period, now) if np.isfinite(self._time) else now + self._period
        states: list[JointState] = []
        for index in range(round(_HORIZON / self._period)):
            target = score.target(first + index * self._period, limiter.state.position)
            states.append(limiter.step(target))
            if (
                score.playing is None
                and score.next is None
                and states[-1].still
                and (target == self._robot.rest).all()
            ):
                break
        # Beyond the horizon: to where the commands lead just then, which ends at standstill.
        while not states[-1].still:
            states.append(limiter.step(limiter.target))
        return Trajectory(
            times=first - now + self._period * np.arange(len(states)),
            positions=np.stack([state.position for state in states]),
            velocities=np.stack([state.velocity for state in states]),
        )

    def to_rest(self) -> None:
        """Drop what is played and what is to come, and go to rest."""
        self._score.next = self._score.playing = None
        self._score.blend_due = True
        self._latest = ""

    def _next_time(self, now: float) -> float:
        """Return the time to play: ticks count it, so that jitter of the caller does not reach the robot."""
        expected = self._time + self._period
        return expected if abs(now - expected) <= self._period / 2.0 else now

    def _refusal(self, block: FrameBlock, now: float) -> str:
        """Return why a block is not played, empty if it is."""
        if block.due > now + _MAX_AHEAD or block.end > now + 2.0 * _MAX_AHEAD:
            return "future"
        seen = self._utterances.get(block.utterance_id)
        if block.sequence == 0:
            # The same name again, later than all of it before, is a new performance.
            if seen is not None and block.due <= seen[1]:
                return "duplicate" if block.utterance_id == self._latest else "stale"
        elif seen is None:
            return "unknown"
        elif block.utterance_id != self._latest:
            return "stale"
        elif block.sequence == seen[0]:
            return "duplicate"
        elif block.sequence < seen[0] or block.due <= seen[1]:
            return "out_of_order"
        return "stale" if block.end < now else ""

    def _append(self, block: FrameBlock, now: float) -> None:
        times = block.due + np.arange(len(block.positions)) / block.frame_rate
        angles = self._retargeter.motion(block.positions)
        score = self._score
        clip = _Clip(block.utterance_id, times, angles, block.last)
        if block.sequence == 0:
            score.next = clip
            return
        pending = score.next is not None
        known = score.next if pending else score.playing
        if known is None or known.utterance_id != block.utterance_id:
            # Its frames stopped coming for so long that the robot left for rest: it takes up from there.
            score.next = clip
            return
        recent = known.times >= min(now, self._time) - _MEMORY
        recent[-1] = True
        # Frames that come after their time find the robot waiting where the last one left it.
        score.blend_due |= not pending and self._time > known.times[-1]
        clip = _Clip(
            block.utterance_id,
            np.concatenate([known.times[recent], times]),
            np.concatenate([known.angles[recent], angles]),
            block.last,
        )
        if pending:
            score.next = clip
        else:
            score.playing = clip

    def _recover(self, before: Limiter) -> JointState:
        """Return what is sent instead: the next step to the target before, else no movement."""
        self._limiter = before
        state = before.step(before.target)
        if self._verifier.check(state.position):
            held = before.copy().state.position
            self._limiter.reset(held)
            self._verifier.reset()
            self._verifier.accept(held)
            state = self._limiter.state
        return state


def retarget_motion(
    robot: Robot,
    motion: Motion,
    rate: float = 100.0,
    *,
    scale: float = 1.0,
    mirror: bool = False,
    blend_time: float = 0.3,
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
