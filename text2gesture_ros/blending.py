"""What the joints ought to do at any time: play, hold, blend over, return to rest. No limits yet."""

from dataclasses import dataclass

import numpy as np

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.kinematics import Array
from text2gesture_ros.motion import Name
from text2gesture_ros.parameters import GestureRetargeterParameters
from text2gesture_ros.retargeting import MAX_SCALE, scaled
from text2gesture_ros.robot import Robot

# The node's defaults are ours.
DEFAULTS = GestureRetargeterParameters()

# How far ahead of time frames are read [s]: the limiter, always ready to stop, trails smooth targets by about
# this.
LEAD = 0.05

# Frames played this long ago are forgotten [s].
_MEMORY = 1.0
# Way back to rest: part of a joint's velocity and acceleration that it may take.
_EASE = 0.5


@dataclass(frozen=True)
class Settings:
    """What may change while the robot moves.

    Attributes:
        scale: size of the gestures, in [0, 2]; counts at once.
        mirror: exchange left and right; counts from the next gesture on.
        blend_time: how long taking over from the present command lasts [s], in [0, 10].
        frame_timeout: how long the last frame is held when no more come [s], in [0, 60].

    Raises:
        ConfigurationError: a value is out of its range.
    """

    scale: float = DEFAULTS.gesture_scale
    mirror: bool = DEFAULTS.mirror
    blend_time: float = DEFAULTS.blend_time
    frame_timeout: float = DEFAULTS.frame_timeout

    def __post_init__(self) -> None:
        for name, most in (("scale", MAX_SCALE), ("blend_time", 10.0), ("frame_timeout", 60.0)):
            if not 0.0 <= getattr(self, name) <= most:
                raise ConfigurationError(f"{name} must be in [0, {most:g}] but is {getattr(self, name)}")


@dataclass(frozen=True, eq=False)
class Clip:
    """Joint angles of one gesture, as far as they have come: times (T,) [s] and unscaled angles (T, N)."""

    name: Name
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


class Score:
    """Says where the joints ought to be at a time: in a gesture, at rest, or blending from one to the other.

    Holds only values that are replaced, never changed, so that copy.copy makes an independent twin.
    """

    def __init__(self, robot: Robot, settings: Settings) -> None:
        self.robot = robot
        self.settings = settings
        self.playing: Clip | None = None
        self.next: Clip | None = None
        self.blend_due = False
        self._offset = np.zeros_like(robot.rest)
        self._start = 0.0
        self._duration = 0.0

    def target(self, time: float, position: Array) -> Array:
        """Return the target (N,) at a time [s]; blends start from the present command `position` (N,)."""
        time += LEAD
        if self.next is not None and time >= self.next.times[0]:
            self.playing, self.next, self.blend_due = self.next, None, True
        if self.playing is not None:
            patience = 0.0 if self.playing.complete else LEAD + self.settings.frame_timeout
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
        ratio = max(0.0, time - self._start) / self._duration
        # Minimum jerk (Flash and Hogan, 1985). It is the distance at the start that fades, not the gesture:
        # one that starts where the robot is loses nothing of its first movement.
        weight = ratio**3 * (10.0 + ratio * (6.0 * ratio - 15.0))
        return np.asarray(goal + (1.0 - weight) * self._offset)

    def extend(self, clip: Clip, now: float) -> None:
        """Append `clip` to what is to be played of its gesture; `now` is the present [s]."""
        pending = self.next is not None
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
        )
        if pending:
            self.next = joined
        else:
            self.playing = joined
            # Frames that come after their time find the robot waiting where the last one left it.
            self.blend_due |= now + LEAD > known.times[-1]

    def _ease(self, position: Array) -> float:
        """Return how long a minimum-jerk move to rest takes that is easy for every joint [s]."""
        distance = np.abs(position - self.robot.rest)
        # Peaks of minimum jerk over a distance d in a time T: 1.875 d / T and 5.774 d / T^2.
        by_velocity = 1.875 * distance / (_EASE * self.robot.velocity)
        by_acceleration = np.sqrt(5.774 * distance / (_EASE * self.robot.acceleration))
        return float(np.maximum(by_velocity, by_acceleration).max())
