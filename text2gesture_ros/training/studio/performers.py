"""Performers of the studio: people who differ in body, ease, habits and the small noise of being alive."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.training.studio.body import CHANNEL, CHANNELS, HIGHEST, LOWEST, REST, SIDES, Body, reach
from text2gesture_ros.training.studio.score import LAG, Timing, vector

_Triple = tuple[float, float, float]
# How people stand while they do nothing: wrist [m], where the elbow and where the thumb points.
# "hanging" is the reference itself. "spread" is the A-pose many recordings and animations begin with.
STANCES: Mapping[str, tuple[_Triple, _Triple, _Triple]] = {
    "bent": ((0.14, 0.24, -0.02), (-0.6, 0.5, -0.4), (0.8, -0.5, 0.3)),
    "folded": ((0.21, 0.09, 0.01), (-0.4, 0.8, -0.4), (0.3, -0.6, 0.8)),
    "hips": ((0.01, 0.225, 0.03), (-0.5, 1.0, 0.0), (-0.9, 0.1, 0.3)),
    "behind": ((-0.19, 0.10, -0.02), (-0.7, 0.8, 0.0), (-0.2, -0.5, -0.8)),
    "ready": ((0.27, 0.15, 0.12), (-0.5, 0.6, -1.0), (0.1, -0.4, 1.0)),
    "spread": ((-0.01, 0.50, 0.02), (-1.0, 0.3, 0.3), (1.0, 0.0, 0.0)),
    "outstretched": ((-0.03, 0.72, 0.44), (-1.0, 0.0, -0.2), (1.0, 0.0, 0.0)),
}
_STANCE_SHARES: Mapping[str, float] = {
    "hanging": 0.22,
    "bent": 0.20,
    "folded": 0.18,
    "hips": 0.06,
    "behind": 0.06,
    "ready": 0.10,
    "spread": 0.12,
    "outstretched": 0.06,
}
# Frequencies of unwilled small motion: slow wander of every joint, and tremor of the arms [Hz].
_WANDER, _TREMOR = (0.3, 3.0), (6.0, 11.0)
_WAVES = 4  # sinusoids that make up each


def stance(name: str) -> FloatArray:
    """Return a standing posture: `STANCES` or "hanging" says: (C,) [rad]."""
    posture = np.array(REST)
    if name != "hanging":
        for side in SIDES:
            for channel, angle in reach(*STANCES[name]).items():
                posture[CHANNEL[f"{side}_{channel}"]] = angle
    return posture


@dataclass(frozen=True)
class Performer:
    """A person in front of the camera.

    Attributes:
        body: its bones.
        posture: (C,) how its ease differs from that of others [rad].
        stance: posture at rest unless a clip asks for hanging arms; "hanging" or one of `STANCES`.
        pace: factor of all durations; below 1 is a quick person.
        vigour: added to the vigour of every gesture.
        hand: the hand it prefers, "left" or "right".
        trailing: the hand that follows the other.
        asynchrony: by how much [s].
        lag: factor of how long outer joints trail the inner ones.
        lead: how long eyes and head are ahead of the hands [s].
        skew: of its strokes, see `score.stroke`.
        overshoot: factor of all overshoots.
        unevenness: part by which the weaker hand does less.
        wander: deviation of the slow unwilled motion of every joint [rad].
        tremor: deviation of the tremor of the arms [rad].
        breath: breaths per second [Hz].
        sway: factor on the shift of weight.
        drag: how long the hand's own inertia holds it back [s].
    """

    body: Body
    posture: FloatArray
    stance: str
    pace: float
    vigour: float
    hand: str
    trailing: str
    asynchrony: float
    lag: float
    lead: float
    skew: float
    overshoot: float
    unevenness: float
    wander: float
    tremor: float
    breath: float
    sway: float
    drag: float

    @classmethod
    def drawn(cls, generator: np.random.Generator) -> "Performer":
        """Return a random person."""

        def normal(mean: float, deviation: float, low: float, high: float) -> float:
            return float(np.clip(generator.normal(mean, deviation), low, high))

        def one(*options: str, shares: tuple[float, ...] | None = None) -> str:
            return str(generator.choice(options, p=shares))

        return cls(
            body=Body.drawn(generator),
            posture=_habit(generator),
            stance=one(*_STANCE_SHARES, shares=tuple(_STANCE_SHARES.values())),
            pace=float(np.exp(generator.normal(-0.05, 0.14))),
            vigour=normal(0.0, 0.10, -0.2, 0.2),
            hand=one("left", "right", shares=(0.3, 0.7)),
            trailing=one(*SIDES),
            asynchrony=abs(normal(0.0, 0.03, -0.08, 0.08)),
            lag=normal(1.0, 0.35, 0.2, 2.0),
            lead=normal(0.08, 0.05, 0.0, 0.2),
            skew=normal(0.14, 0.16, -0.25, 0.5),
            overshoot=normal(1.0, 0.5, 0.0, 2.2),
            unevenness=abs(normal(0.0, 0.05, -0.15, 0.15)),
            wander=float(0.006 * np.exp(generator.normal(0.0, 0.6))),
            tremor=float(0.0008 * np.exp(generator.normal(0.0, 0.8))),
            breath=normal(0.27, 0.05, 0.17, 0.40),
            sway=normal(1.0, 0.5, 0.1, 2.2),
            drag=normal(0.03, 0.02, 0.0, 0.08),
        )

    def timing(self, generator: np.random.Generator) -> Timing:
        """Return how this person times one clip."""
        delays = self.lag * generator.uniform(0.7, 1.3) * LAG
        arms = np.array([name.startswith(SIDES) for name in CHANNELS])
        delays[arms] += self.lead
        delays[[name.startswith(self.trailing) for name in CHANNELS]] += self.asynchrony
        skew = self.skew + generator.normal(0.0, 0.10, len(CHANNELS))
        return Timing(delays, np.clip(skew, -0.6, 0.8), self.overshoot)

    def alive(self, angles: FloatArray, times: FloatArray, generator: np.random.Generator) -> FloatArray:
        """Add to a clean course what a body adds: habit, breath, sway, inertia of the hand, wander, tremor.

        Args:
            angles: (T, C) [rad].
            times: (T,) [s].
            generator: the source of chance.

        Returns:
            (T, C) angles [rad], hardly beyond the joints' limits where the clean course was within.
        """
        phases = generator.uniform(0.0, 2.0 * np.pi, 3)
        breath = np.sin(2.0 * np.pi * self.breath * times + phases[0])
        shift = np.sin(2.0 * np.pi * 0.22 * times + phases[1]) + 0.5 * np.sin(1.1 * np.pi * times + phases[2])
        rising = vector({"lean": -0.006, "left_lift": 0.012, "right_lift": 0.012, "head_pitch": 0.006})
        swaying = vector({"sway": 0.010, "tilt": -0.008, "head_roll": 0.008, "turn": 0.010, "lean": 0.006})
        added = self.posture + breath[:, None] * rising + self.sway * shift[:, None] * swaying
        added = added + self.wander * _noise(times, _WANDER, generator) * _LOOSENESS
        added = added + self.tremor * _noise(times, _TREMOR, generator) * _ARMS
        for side in SIDES:
            bending = angles[:, CHANNEL[f"{side}_pitch"]] + angles[:, CHANNEL[f"{side}_elbow"]]
            turning = angles[:, CHANNEL[f"{side}_swivel"]] + angles[:, CHANNEL[f"{side}_abduction"]]
            for channel, course in (("flexion", bending), ("deviation", turning)):
                held_back = -np.tanh(2.5 * self.drag * np.gradient(course, times)) / 2.5
                added[:, CHANNEL[f"{side}_{channel}"]] += held_back
        return _within(angles + added, angles)


# Amplitude of each channel's random sway: the head most, the legs of a standing person none.
_WANDERING = {"head": 1.4, "lean": 0.5, "tilt": 0.5, "turn": 0.6, "sway": 0.15, "lift": 0.5, "yaw": 0.0}
_STILL = ("knees", "thigh", "shin")
_LOOSENESS = np.array(
    [
        0.0
        if name.endswith(_STILL)
        else next((factor for key, factor in _WANDERING.items() if key in name), 1.2)
        for name in CHANNELS
    ]
)
_ARMS = np.array([float(name.startswith(SIDES) and not name.endswith(_STILL)) for name in CHANNELS])


def _within(angles: FloatArray, clean: FloatArray) -> FloatArray:
    """Return angles cut off a little beyond the limits, or beyond where the clean course already was."""
    low, high = np.minimum(LOWEST, clean.min(axis=0)), np.maximum(HIGHEST, clean.max(axis=0))
    return np.asarray(np.clip(angles, low - 0.1, high + 0.1))


def _noise(times: FloatArray, band: tuple[float, float], generator: np.random.Generator) -> FloatArray:
    """Return smooth noise of deviation 1 whose power falls with frequency: (T,) [s], [Hz] -> (T, C)."""
    size = (_WAVES, len(CHANNELS))
    low, high = band
    frequencies = low * (high / low) ** generator.random(size)
    weights = generator.normal(size=size) * low / frequencies
    weights *= np.sqrt(2.0) / np.maximum(np.linalg.norm(weights, axis=0), 1e-9)
    phases = generator.uniform(0.0, 2.0 * np.pi, size)
    waves = np.sin(2.0 * np.pi * times[:, None, None] * frequencies + phases)  # (T, W, C)
    return np.asarray((waves * weights).sum(axis=1))


def _habit(generator: np.random.Generator) -> FloatArray:
    """Return how a person's ease differs from that of others: (C,) [rad]."""
    spread = {"lean": 0.025, "tilt": 0.01, "turn": 0.02, "head_pitch": 0.06, "head_yaw": 0.03}
    posture = {name: float(generator.normal(0.0, deviation)) for name, deviation in spread.items()}
    posture["head_roll"] = float(generator.normal(0.0, 0.025))
    arms = {"pitch": 0.05, "elbow": 0.06, "swivel": 0.06, "twist": 0.12, "flexion": 0.08, "deviation": 0.05}
    shared = {name: generator.normal(0.0, deviation) for name, deviation in arms.items()}
    wider, lifted = generator.uniform(-0.02, 0.10), generator.normal(0.0, 0.04)
    for side in SIDES:
        for name, common in shared.items():
            posture[f"{side}_{name}"] = float(common + generator.normal(0.0, 0.4 * arms[name]))
        posture[f"{side}_elbow"] = max(posture[f"{side}_elbow"], -0.12)
        posture[f"{side}_abduction"] = float(wider + generator.normal(0.0, 0.01))
        posture[f"{side}_lift"] = float(max(lifted, -0.06))
    return vector(posture)
