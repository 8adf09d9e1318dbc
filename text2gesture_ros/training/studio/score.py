"""A score: which posture is reached when, and what swings meanwhile; read out at any time as joint angles."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.training.studio.body import CHANNEL, CHANNELS, REST

# How long each joint trails the one before it [s]: shoulder, elbow, forearm, wrist, thumb; torso before head.
_LAGS = {"head": 0.02, "elbow": 0.025, "twist": 0.035, "flexion": 0.06, "deviation": 0.06, "thumb": 0.05}
LAG = np.array([max((lag for key, lag in _LAGS.items() if key in name), default=0.0) for name in CHANNELS])
LAG.flags.writeable = False
_SETTLING = 0.16


def minimum_jerk(phase: FloatArray) -> FloatArray:
    """Return the minimum-jerk course from 0 to 1 over `phase` 0 to 1 (Flash and Hogan, 1985, eq. 12)."""
    phase = np.clip(phase, 0.0, 1.0)
    return np.asarray(phase**3 * (10.0 - 15.0 * phase + 6.0 * phase**2))


def vector(channels: Mapping[str, float]) -> FloatArray:
    """Return named channels as (C,) numbers, the others zero."""
    result = np.zeros(len(CHANNELS))
    for name, value in channels.items():
        result[CHANNEL[name]] = value
    return result


def stroke(phase: FloatArray, skew: FloatArray | float) -> FloatArray:
    """Return a course from 0 to 1 whose speed is a lopsided bell, as people's is.

    Args:
        phase: (...,) 0 to 1.
        skew: in (-1, 1); above 0 the peak comes early (a quick start), below 0 late; 0 is minimum jerk.
    """
    phase = np.clip(phase, 0.0, 1.0)
    return minimum_jerk(phase + skew * phase * (1.0 - phase))


@dataclass(frozen=True)
class Timing:
    """How a person times what a score asks for.

    Attributes:
        delays: (C,) how long each channel trails the score [s].
        skew: (C,) of every stroke, see `stroke`.
        overshoot: factor of all overshoots.
    """

    delays: FloatArray = field(default_factory=lambda: np.zeros(len(CHANNELS)))
    skew: FloatArray = field(default_factory=lambda: np.zeros(len(CHANNELS)))
    overshoot: float = 1.0


@dataclass
class Score:
    """Key postures and swings on one clock, starting from the posture at home.

    Attributes:
        home: (C,) where everything begins and `rest` ends [rad].
        clock: where the next move begins [s].
        posture: (C,) the posture reached by then [rad].
        prepared: when the first move was done [s]; 0 where there is none.
        released: when the way home began [s]; None: never.
    """

    home: FloatArray = field(default_factory=lambda: REST)
    clock: float = 0.0
    posture: FloatArray = field(init=False)
    prepared: float = 0.0
    released: float | None = None
    _moves: list[tuple[float, float, FloatArray, float]] = field(default_factory=list)
    _swings: list[tuple[float, float, float, FloatArray, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.posture = np.array(self.home)

    def move(self, target: Mapping[str, float], duration: float, overshoot: float = 0.0) -> None:
        """Go to `target` (channels it does not name stay) and advance the clock.

        Args:
            target: channel -> angle [rad].
            duration: [s].
            overshoot: by what part of the way the target is passed before settling.
        """
        goal = self.posture.copy()
        for name, angle in target.items():
            goal[CHANNEL[name]] = angle
        self._moves.append((self.clock, duration, goal - self.posture, overshoot))
        self.posture = goal
        self.clock += duration
        self.prepared = self.prepared or self.clock

    def hold(self, duration: float) -> None:
        """Stay [s]."""
        self.clock += duration

    def rest(self, duration: float) -> None:
        """Go home within `duration` [s]."""
        self.released = self.clock
        self.move({name: float(self.home[index]) for name, index in CHANNEL.items()}, duration)

    def accent(self, change: Mapping[str, float], start: float, rise: float, end: float, fall: float) -> None:
        """Add a change that comes and goes beside the moves, without touching the clock.

        Args:
            change: channel -> angle to add [rad].
            start: when it begins [s].
            rise: how long it takes to come [s].
            end: when it has gone [s].
            fall: how long it takes to go [s].
        """
        step = vector(change)
        self._moves.append((start, rise, step, 0.0))
        self._moves.append((end - fall, fall, -step, 0.0))

    def swing(
        self,
        change: Mapping[str, float],
        cycles: float,
        frequency: float,
        start: float | None = None,
        beat: bool = False,
    ) -> None:
        """Add an oscillation that starts and ends at zero; without `start` it advances the clock.

        Args:
            change: channel -> amplitude [rad].
            cycles: how many.
            frequency: cycles per second [Hz].
            start: when it begins [s]; the clock when missing.
            beat: go to `change` and back each cycle, instead of as far to either side.
        """
        self._swings.append((self.clock if start is None else start, cycles, frequency, vector(change), beat))
        if start is None:
            self.clock += cycles / frequency

    def angles(self, times: FloatArray, timing: Timing) -> FloatArray:
        """Return the joint angles at `times`: (T,) [s] -> (T, C) [rad]."""
        local = times[:, None] - timing.delays  # (T, C)
        result = np.tile(np.asarray(self.home, dtype=np.float64), (len(times), 1))
        for start, duration, step, overshoot in self._moves:
            own = np.flatnonzero(step)
            since = local[:, own] - start
            course = stroke(since / duration, timing.skew[own])
            if overshoot:
                apart = np.clip((since - duration) / _SETTLING, -1.0, 1.0)
                course += timing.overshoot * overshoot * (1.0 - apart**2) ** 3
            result[:, own] += step[own] * course
        for start, cycles, frequency, change, beat in self._swings:
            own = np.flatnonzero(change)
            phase = np.clip((local[:, own] - start) * frequency, 0.0, cycles)
            if beat:
                # One stroke there and one back; each beat a little smaller than the one before, as people do.
                course = stroke(1.0 - np.abs(1.0 - 2.0 * (phase % 1.0)), timing.skew[own])
                course *= 0.85 ** np.floor(phase)
            else:
                ramp = min(0.75, cycles / 2)
                envelope = minimum_jerk(phase / ramp) * minimum_jerk((cycles - phase) / ramp)
                course = np.sin(2 * np.pi * phase) * envelope
            result[:, own] += change[own] * course
        return result

    @property
    def end(self) -> float:
        """When everything has come to rest [s]."""
        ends = [start + duration for start, duration, _, _ in self._moves]
        ends += [start + cycles / frequency for start, cycles, frequency, _, _ in self._swings]
        return max(ends, default=0.0)
