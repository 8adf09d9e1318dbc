"""The joint reference: which clip of joint angles is played at a time, and how it takes over.

Velocity, acceleration and clearance are not regarded yet: that is what plans are made for.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from text2gesture_ros.control.ownership import JointOwnership
from text2gesture_ros.control.trajectory import IDLE, Commit
from text2gesture_ros.geometry import Array, FloatArray, minimum_jerk
from text2gesture_ros.gestures import ALL_GROUPS
from text2gesture_ros.labels import ClauseId
from text2gesture_ros.retargeting.retargeter import scaled

# Extrapolation: number of frames that a parabola is fitted to, and by how many standard deviations the
# magnitude of its slope and curvature is reduced.
_FIT_FRAMES, _SHRINKAGE = 8, 4.0
# Frames that were due this long ago are dropped [s].
_MEMORY = 1.0
# Frames that are due within this time of one another are the same [s].
_SAME_FRAME = 0.004


@dataclass(frozen=True, eq=False)
class JointClip:
    """Joint angles of the motion of one clause, as far as they have come.

    Attributes:
        clause: which clause is performed.
        times: (T,) when each frame is due [s], increasing.
        angles: (T, N) unscaled [rad].
        complete: whether the motion ends with the last frame.
        groups: the joint groups it uses.
    """

    clause: ClauseId
    times: Array
    angles: Array
    complete: bool
    groups: frozenset[str] = ALL_GROUPS

    @property
    def begin(self) -> float:
        """When the first frame is due [s]."""
        return float(self.times[0])

    @property
    def end(self) -> float:
        """When the last frame is due [s]."""
        return float(self.times[-1])

    def until(self, time: float) -> "JointClip":
        """Return the clip as if no frame were known that is due later than a time [s]."""
        count = max(1, int(np.searchsorted(self.times, time, side="right")))
        return replace(self, times=self.times[:count], angles=self.angles[:count], complete=False)

    def extrapolated(self, time: float) -> "JointClip":
        """Return the clip with one more frame, extrapolated to a time [s] soon after its end.

        Velocity and acceleration are those of a parabola through the last frames (least squares), each
        shrunk towards zero by its standard error, which is estimated from the residuals.
        """
        times, angles = self.times[-_FIT_FRAMES:] - self.end, self.angles[-_FIT_FRAMES:]
        powers = times[:, None] ** np.arange(3.0)
        spare = len(times) - powers.shape[1]
        if spare < 1 or time <= self.end:
            return self
        fit = np.linalg.pinv(powers)
        rates = (fit @ angles)[1:]
        noise = ((angles - powers @ (fit @ angles)) ** 2).sum(axis=0) / spare
        uncertainty = _SHRINKAGE**2 * (fit[1:] ** 2).sum(axis=1)[:, None] * noise
        trust = np.maximum(0.0, 1.0 - uncertainty / np.maximum(rates * rates, 1e-12))
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
class BlendOffset:
    """An offset (N,) [rad] that decays to zero in `duration` from `start` on [s], along a minimum-jerk curve.

    It lets a clip take over from any pose without a jump (inertialization).
    """

    offset: Array
    start: float
    duration: float

    def at(self, times: FloatArray) -> Array:
        """Return what is left of the offset (M, N) at times (M,) [s]."""
        elapsed = np.maximum(0.0, times - self.start)
        ratio = np.minimum(1.0, elapsed / self.duration) if self.duration > 0.0 else np.ones_like(elapsed)
        return np.asarray((1.0 - minimum_jerk(ratio)[0])[:, None] * self.offset)


class Reference:
    """Where the joints ought to be at any time, without regard to velocity, acceleration and clearance.

    Attributes:
        ownership: which joints are commanded, where the others are, and the parameters.
        playing: the clip that has begun, None: none has.
        next: a clip that takes over when its first frame is due, None: none will.
    """

    def __init__(self, ownership: JointOwnership) -> None:
        """Make a reference with nothing to play."""
        self.ownership = ownership
        self.playing: JointClip | None = None
        self.next: JointClip | None = None

    def active_and_next(self, time: float) -> tuple[JointClip | None, JointClip | None]:
        """Return the clip that plays at a time [s], as far as is known now, and the one that comes next."""
        if self.next is not None and time >= self.next.begin:
            return self.next, None
        playing = self.playing
        if playing is not None and playing.complete and time > playing.end:
            playing = None
        return playing, self.next

    @property
    def latest(self) -> JointClip | None:
        """The clip that frames came of last."""
        return self.next or self.playing

    def commit(self, row: int, attempt: int, failed_at: float) -> Commit:
        """Return from where on a plan is commanded that is made of this, see `Commit`."""
        latest = self.latest
        known = (latest.clause, latest.end) if latest is not None else (IDLE, 0.0)
        return Commit(row, *known, attempt, failed_at)

    def knows(self, commit: Commit) -> bool:
        """Return whether the frames have come that a plan was made from."""
        clips = [clip for clip in (self.playing, self.next) if clip is not None]
        ends = [clip.end for clip in clips if clip.clause == commit.clause]
        return commit.clause == IDLE or max(ends, default=-np.inf) >= commit.known_until - _SAME_FRAME

    def as_of(self, commit: Commit) -> "Reference":
        """Return the reference as if only those frames were known that a plan was made from."""
        past, until = Reference(self.ownership), commit.known_until + _SAME_FRAME
        past.playing, past.next = self.playing, self.next
        if past.next is not None and past.next.clause != commit.clause:
            past.next = None
        latest = past.latest
        if latest is None or latest.end <= until:
            return past
        known = latest.until(until) if latest.clause == commit.clause else None
        past.playing, past.next = (past.playing, known) if past.next is latest else (known, None)
        return past

    def advance(self, time: float) -> None:
        """Begin the clip that is due by a time [s], and end one that is complete."""
        self.playing, self.next = self.active_and_next(time)

    def timed_out(self, time: float) -> bool:
        """Return whether frames have been missing for longer than the timeout at a time [s]."""
        playing = self.playing
        return playing is not None and time > playing.end + self.ownership.parameters.frame_timeout

    def targets(self, clip: JointClip, times: FloatArray) -> Array:
        """Return where the joints ought to be (M, N) at times (M,) [s] of a clip, within position limits."""
        ownership = self.ownership
        angles = scaled(ownership.robot, clip.at(times), ownership.parameters.gesture_scale)
        return np.where(ownership.commanded(clip.groups), angles, ownership.home)

    def drop(self, utterance_ids: Collection[str]) -> None:
        """Forget the clips of some utterances."""
        if self.playing is not None and self.playing.clause[0] in utterance_ids:
            self.playing = None
        if self.next is not None and self.next.clause[0] in utterance_ids:
            self.next = None

    def finish(self, clause: ClauseId) -> None:
        """Let a clip end with the frames that have come."""
        if self.playing is not None and self.playing.clause == clause:
            self.playing = replace(self.playing, complete=True)
        if self.next is not None and self.next.clause == clause:
            self.next = replace(self.next, complete=True)

    def extend(self, clip: JointClip, now: float) -> None:
        """Append frames to the clip they continue; `now` is the present [s]."""
        known = self.latest
        if known is None or known.clause != clip.clause:
            # Its frames had timed out and the robot left for rest: it blends in from there.
            self.next = clip
            return
        kept = known.times >= now - _MEMORY
        kept[-1] = True
        joined = JointClip(
            clip.clause,
            np.concatenate([known.times[kept], clip.times]),
            np.concatenate([known.angles[kept], clip.angles]),
            clip.complete,
            clip.groups,
        )
        if self.next is not None:
            self.next = joined
        else:
            self.playing = joined
