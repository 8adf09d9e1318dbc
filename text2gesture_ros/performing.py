"""The real-time core of the retargeter: frames with due times in, one checked command per control period out.

Frames are turned into joint angles when they arrive. Every tick reads off the angles due now (`Score`), lets
the limiter take one step towards them and has the verifier check it. All state that the future depends on can
be copied cheaply, so a look-ahead is the same code run on a copy: it cannot differ from what will be
commanded.
"""

import copy
import logging
from collections import Counter, OrderedDict
from dataclasses import asdict, dataclass

import numpy as np

from text2gesture_ros.blending import DEFAULTS, Clip, Score, Settings
from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.kinematics import Array
from text2gesture_ros.limiting import JointState, Limiter
from text2gesture_ros.motion import MAX_BLOCK_FRAMES, FrameBlock, Motion, Name
from text2gesture_ros.retargeting import Retargeter
from text2gesture_ros.robot import Robot
from text2gesture_ros.skeleton import FloatArray
from text2gesture_ros.verification import Verifier, Violation

_LOGGER = logging.getLogger(__name__)

# Frames due later than this are a mistake of somebody's clock [s].
_MAX_AHEAD = 10.0
_REMEMBERED_GESTURES = 256
_HORIZON = 3.0
# A clock that falls back by more than this was set anew [s].
_SET_BACK = 1.0


@dataclass(frozen=True, eq=False)
class Command:
    """What the robot is to do now.

    Attributes:
        position: (N,) [rad].
        velocity: (N,) [rad/s].
        acceleration: (N,) [rad/s^2].
        utterance_id: what is performed, empty at rest and on the way there.
        clause: which clause of it.
        moving: whether something moves or is performed.
        violations: what the verifier found in the sample that was due, which was therefore not sent.
    """

    position: Array
    velocity: Array
    acceleration: Array
    utterance_id: str
    clause: int
    moving: bool
    violations: tuple[Violation, ...]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Commands to come; the last one stands still.

    Attributes:
        times: (P,) after the moment it was asked for [s], increasing, evenly spaced; the first is 0 where the
            next command is due or late, else positive.
        positions: (P, N) [rad].
        velocities: (P, N) [rad/s].
    """

    times: FloatArray
    positions: Array
    velocities: Array


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
        rate: float = DEFAULTS.rate,
        scale: float = DEFAULTS.gesture_scale,
        mirror: bool = DEFAULTS.mirror,
        blend_time: float = DEFAULTS.blend_time,
        frame_timeout: float = DEFAULTS.frame_timeout,
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
        self._score = Score(robot, self._settings)
        self._limiter = Limiter(robot, self._period)
        self._verifier = Verifier(robot, self._period)
        self._retargeter = Retargeter(robot)
        # Of every gesture of late: the highest sequence number seen and when its last frame is due.
        self._gestures: OrderedDict[Name, tuple[int, float]] = OrderedDict()
        self._latest: Name | None = None
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
        reason = self._refusal(block)
        if not reason and block.due > now + _MAX_AHEAD:
            reason = "future"
        if not reason:
            self._note(block)
            # Counts as begun, so that what follows it can still be seen.
            if block.end < now:
                reason = "stale"
        self.counts[reason or "accepted"] += 1
        if reason:
            _LOGGER.debug("frames %d of %r ignored: %s", block.sequence, block.name, reason)
            return False
        clip = Clip(
            block.name,
            block.due + np.arange(len(block.positions)) / block.frame_rate,
            self._retargeter.motion(block.positions),
            block.last,
        )
        if block.sequence == 0:
            self._score.next = clip
        else:
            self._score.extend(clip, max(now, self._time))
        return True

    def tick(self, now: float) -> Command:
        """Return the command for this control period [s]; call it once per period, whatever arrives."""
        if now < self._time - _SET_BACK:
            # A simulation was restarted, say: what is known belongs to another time.
            self.to_rest()
            self._gestures.clear()
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
        utterance_id, clause = playing.name if playing else ("", 0)
        return Command(
            position=state.position,
            velocity=state.velocity,
            acceleration=state.acceleration,
            utterance_id=utterance_id,
            clause=clause,
            moving=playing is not None or not self._rests(self._limiter),
            violations=violations,
        )

    def look_ahead(self, now: float) -> Trajectory:
        """Return what `tick` will command from its next call on if nothing arrives, up to standstill.

        Args:
            now: the present [s], on the clock of `tick`; times count from it.
        """
        score, limiter = copy.copy(self._score), self._limiter.copy()
        first = max(self._time + self._period, now) if np.isfinite(self._time) else now + self._period
        time = first
        states: list[JointState] = []
        for _ in range(round(_HORIZON / self._period)):
            states.append(limiter.step(score.target(time, limiter.state.position)))
            time += self._period
            if score.playing is None and score.next is None and self._rests(limiter):
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
        self._latest = None

    def _rests(self, limiter: Limiter) -> bool:
        return limiter.state.still and bool((limiter.target == self._robot.rest).all())

    def _next_time(self, now: float) -> float:
        """Return the time to play: ticks count it, so that jitter of the caller does not reach the robot."""
        expected = self._time + self._period
        return expected if abs(now - expected) <= self._period / 2.0 else now

    def _refusal(self, block: FrameBlock) -> str:
        """Return why a block does not continue the latest gesture nor begin another, empty if it does."""
        sequence, end = self._gestures.get(block.name, (-1, -np.inf))
        latest = block.name == self._latest
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
            self._retargeter = Retargeter(self._robot, mirror=self._settings.mirror)
            self._score.next = None
        self._gestures[block.name] = (block.sequence, block.end)
        self._gestures.move_to_end(block.name)
        if len(self._gestures) > _REMEMBERED_GESTURES:
            self._gestures.popitem(last=False)

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
