"""What the joints ought to do at any time: which gesture plays, how it takes over. No limits yet."""

from dataclasses import dataclass, replace

import numpy as np

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.geometry import Array, BoolArray, FloatArray, minimum_jerk
from text2gesture_ros.gestures import GROUPS
from text2gesture_ros.labels import ClauseId
from text2gesture_ros.parameters import ALWAYS, MODES, NEVER, GestureRetargeterParameters
from text2gesture_ros.retargeting.retargeter import FOREARM_WEIGHTS, MAX_SCALE, scaled
from text2gesture_ros.robots.robot import Robot

# The node's defaults are ours.
DEFAULTS = GestureRetargeterParameters()

# Frames from which the next moments are foreseen, and by how many of its standard deviations a rate of change
# is trusted less.
_FORESEEN_FROM, _DOUBT = 8, 4.0
# Frames played this long ago are forgotten [s].
_MEMORY = 1.0
# Range of each setting that is a number.
_RANGES = {
    "scale": (0.0, MAX_SCALE),
    "forearm_weight": FOREARM_WEIGHTS,
    "blend_time": (0.0, 10.0),
    "frame_timeout": (0.0, 60.0),
    "idle_motion": (0.0, 1.0),
}


@dataclass(frozen=True)
class Settings:
    """What may change while the robot moves.

    Attributes:
        scale: size of the gestures, in [0, 2]; counts at once.
        mirror: exchange left and right; counts from the next gesture on.
        forearm_weight: weight of the forearm's direction relative to the upper arm's where both cannot be
            reached, in [0.1, 10]; from the next gesture on.
        blend_time: how long taking over from the present command lasts [s], in [0, 10].
        frame_timeout: how long the last frame is held when no more come [s], in [0, 60].
        idle_motion: size of a movement like breathing while the robot is at rest, in [0, 1].
        waist, head, left_arm, right_arm: when the group is commanded, one of `parameters.MODES`.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    scale: float = DEFAULTS.gesture_scale
    mirror: bool = DEFAULTS.mirror
    forearm_weight: float = DEFAULTS.forearm_weight
    blend_time: float = DEFAULTS.blend_time
    frame_timeout: float = DEFAULTS.frame_timeout
    idle_motion: float = DEFAULTS.idle_motion
    waist: str = DEFAULTS.waist
    head: str = DEFAULTS.head
    left_arm: str = DEFAULTS.left_arm
    right_arm: str = DEFAULTS.right_arm

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            if not least <= getattr(self, name) <= most:
                given = getattr(self, name)
                raise ConfigurationError(f"{name} must be in [{least:g}, {most:g}] but is {given}")
        for name in GROUPS:
            if getattr(self, name) not in MODES:
                raise ConfigurationError(
                    f"{name} must be one of {', '.join(MODES)} but is {getattr(self, name)!r}"
                )

    def commands(self, group: str, used: frozenset[str]) -> bool:
        """Return whether a group is commanded while a gesture uses the groups `used`."""
        mode = getattr(self, group)
        return bool(mode == ALWAYS or (mode != NEVER and group in used))


@dataclass(frozen=True, eq=False)
class Clip:
    """Joint angles of one gesture, as far as they have come.

    Attributes:
        name: which gesture.
        times: (T,) when each frame is due [s], increasing.
        angles: (T, N) unscaled [rad].
        complete: whether the gesture ends with the last frame.
        used: the joint groups it uses.
    """

    name: ClauseId
    times: Array
    angles: Array
    complete: bool
    used: frozenset[str] = frozenset(GROUPS)

    @property
    def begin(self) -> float:
        """When the first frame is due [s]."""
        return float(self.times[0])

    @property
    def end(self) -> float:
        """When the last frame is due [s]."""
        return float(self.times[-1])

    def until(self, time: float) -> "Clip":
        """Return the clip as if no frame were known that is due later than a time [s]."""
        count = max(1, int(np.searchsorted(self.times, time, side="right")))
        return replace(self, times=self.times[:count], angles=self.angles[:count], complete=False)

    def foreseen(self, time: float) -> "Clip":
        """Return the clip with a frame more at a time [s] soon after its end, where the joints seem to go.

        Speed and acceleration are those of the parabola nearest to the last frames (least squares). Each is
        trusted the less the less it stands out of the noise, which is what these frames are off the parabola.
        """
        times, angles = self.times[-_FORESEEN_FROM:] - self.end, self.angles[-_FORESEEN_FROM:]
        powers = times[:, None] ** np.arange(3.0)
        spare = len(times) - powers.shape[1]
        if spare < 1 or time <= self.end:
            return self
        fit = np.linalg.pinv(powers)
        rates = (fit @ angles)[1:]
        noise = ((angles - powers @ (fit @ angles)) ** 2).sum(axis=0) / spare
        unsure = _DOUBT**2 * (fit[1:] ** 2).sum(axis=1)[:, None] * noise
        trust = np.maximum(0.0, 1.0 - unsure / np.maximum(rates * rates, 1e-12))
        ahead = self.angles[-1] + np.array([time - self.end, (time - self.end) ** 2]) @ (trust * rates)
        return replace(
            self, times=np.append(self.times, time), angles=np.concatenate([self.angles, ahead[None]])
        )

    def at(self, times: FloatArray) -> Array:
        """Return the angles (M, N) at times (M,) [s]: cubic between frames, held outside.

        Through the frames, with slopes of central differences (Catmull and Rom, 1974): straight lines would
        cut every curve short, and turn at every frame faster than any joint can.
        """
        if len(self.times) == 1:
            return np.repeat(self.angles, len(times), axis=0)
        # What the times need, and a frame more on either side for the slopes.
        first = max(0, int(np.searchsorted(self.times, times.min(initial=np.inf))) - 2)
        last = int(np.searchsorted(self.times, times.max(initial=-np.inf))) + 2
        frames, angles = self.times[first:last], self.angles[first:last]
        if len(frames) < 2:
            return np.repeat(self.angles[-1:], len(times), axis=0)
        slopes = np.gradient(angles, frames, axis=0)
        index = np.clip(np.searchsorted(frames, times, side="right") - 1, 0, len(frames) - 2)
        span = (frames[index + 1] - frames[index])[:, None]
        u = np.clip((times - frames[index])[:, None] / span, 0.0, 1.0)
        before, after = angles[index], angles[index + 1]
        inner = u * (1.0 - u) * span
        return np.asarray(
            before
            + u * u * (3.0 - 2.0 * u) * (after - before)
            + inner * ((1.0 - u) * slopes[index] - u * slopes[index + 1])
        )


@dataclass(frozen=True, eq=False)
class Fade:
    """A distance (N,) [rad] that vanishes in `duration` from `start` on [s], along a minimum-jerk curve."""

    offset: Array
    start: float
    duration: float

    def at(self, times: FloatArray) -> Array:
        """Return what is left of the distance (M, N) at times (M,) [s]."""
        elapsed = np.maximum(0.0, times - self.start)
        ratio = np.minimum(1.0, elapsed / self.duration) if self.duration > 0.0 else np.ones_like(elapsed)
        return np.asarray((1.0 - minimum_jerk(ratio)[0])[:, None] * self.offset)


class Score:
    """What is played and what comes next.

    Attributes:
        home: (N,) where the robot is between gestures: the rest pose, and joints of others where they are.
        playing: the gesture that has begun, None: none has.
        next: one that will take over when its first frame is due, None: none will.
    """

    def __init__(self, robot: Robot, settings: Settings) -> None:
        self.robot = robot
        self.home: Array = robot.rest
        self.settings = settings
        self.playing: Clip | None = None
        self.next: Clip | None = None

    def cast(self, time: float) -> tuple[Clip | None, Clip | None]:
        """Return what plays at a time [s], as far as is known now, and what takes over after it."""
        if self.next is not None and time >= self.next.begin:
            return self.next, None
        playing = self.playing
        if playing is not None and playing.complete and time > playing.end:
            playing = None
        return playing, self.next

    def advance(self, time: float) -> None:
        """Let what begins by a time [s] begin, and what is complete end."""
        self.playing, self.next = self.cast(time)

    def expired(self, time: float) -> bool:
        """Return whether frames have been missing for so long at a time [s] that no more are waited for."""
        playing = self.playing
        return playing is not None and time > playing.end + self.settings.frame_timeout

    def wanted(self, clip: Clip, times: FloatArray) -> Array:
        """Return where the joints ought to be (M, N) at times (M,) [s] of a clip, within position limits."""
        angles = scaled(self.robot, clip.at(times), self.settings.scale)
        return np.where(self.commanded(clip.used), angles, self.home)

    def commanded(self, used: frozenset[str]) -> BoolArray:
        """Return which joints (N,) are commanded while a gesture uses the groups `used`."""
        found = np.zeros(len(self.robot.rest), dtype=np.bool_)
        for group, joints in self.robot.groups.items():
            found[list(joints)] = self.settings.commands(group, used)
        return found

    def drop(self, utterance_id: str) -> None:
        """Forget the frames of an utterance."""
        if self.playing is not None and self.playing.name[0] == utterance_id:
            self.playing = None
        if self.next is not None and self.next.name[0] == utterance_id:
            self.next = None

    def finish(self, name: ClauseId) -> None:
        """Let a gesture end with the frames that have come."""
        if self.playing is not None and self.playing.name == name:
            self.playing = replace(self.playing, complete=True)
        if self.next is not None and self.next.name == name:
            self.next = replace(self.next, complete=True)

    def extend(self, clip: Clip, now: float) -> None:
        """Append `clip` to what is to be played of its gesture; `now` is the present [s]."""
        known = self.next or self.playing
        if known is None or known.name != clip.name:
            # Its frames had stopped coming for so long that the robot left for rest: it takes up from there.
            self.next = clip
            return
        kept = known.times >= now - _MEMORY
        kept[-1] = True
        joined = Clip(
            clip.name,
            np.concatenate([known.times[kept], clip.times]),
            np.concatenate([known.angles[kept], clip.angles]),
            clip.complete,
            clip.used,
        )
        if self.next is not None:
            self.next = joined
        else:
            self.playing = joined
