"""Clips in the wild: the gestures as strangers do them, animators draw them and cameras catch them.

The studio teaches how a gesture is done well, and the motion model learns from it; the recogniser has to
know it done in any way. So here the studio's forms, and more of them, are performed too small or too grand,
in haste or at leisure, out of any posture, walking or seated, moved in key postures, with a head and an idle
arm that do something else. Nothing is refused for being too quick or for touching the body: figures do.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.labels import GESTURES
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.training.pace import paced
from text2gesture_ros.training.recogniser.forms import MORE
from text2gesture_ros.training.studio.body import ARM_CHANNELS, CHANNEL, SIDES, reach
from text2gesture_ros.training.studio.distractors import DISTRACTORS
from text2gesture_ros.training.studio.performers import STANCES, Performer, stance
from text2gesture_ros.training.studio.repertoire import PERFORMANCES, Forms, Hand, Manner, Place
from text2gesture_ros.training.studio.score import Score, vector
from text2gesture_ros.understanding.recogniser import OTHER

RATE = 30.0  # of the clips [Hz]
_LONGEST = 4.0  # [s] as much as a window can be cut from
_SHORTEST = 0.5  # [s]
_HEAD = ("nod", "shakehead")  # the gestures whose message is in the head
_ONE_HAND = ("wave", "thumbsup", "yay", "grabhead", "pat")  # what people also do with both at once
_ARMS = {
    side: [CHANNEL[f"{side}_{name}"] for name in ARM_CHANNELS if name not in ("lift", "thumb")]
    for side in SIDES
}


@dataclass(frozen=True)
class _Loose(Manner):
    """A manner with more chance in it: hands get only about where they should."""

    looseness: float = 1.0

    def between(self, faint: float, grand: float, spread: float = 0.10) -> float:
        return super().between(faint, grand, spread + 0.15 * self.looseness)

    def hand(self, place: Place) -> Hand:
        hand = super().hand(place)
        noise = self.looseness * self.generator.normal(size=(3, 3))
        held = {
            name: angle + self.looseness * float(self.generator.normal(0.0, 0.2))
            for name, angle in hand.held.items()
        }
        deviation = 0.012 + 0.8 * place.spread
        return Hand(
            hand.wrist + deviation * noise[0], hand.elbow + 0.25 * noise[1], hand.thumb + 0.3 * noise[2], held
        )


def wild(seed: int, clips_per_label: int, others: int) -> list[Motion]:
    """Return clips of every gesture, then clips of what is none of them, at `RATE`.

    Args:
        seed: of all chance; the same seed gives the same clips, however many are asked for.
        clips_per_label: of each gesture.
        others: how many of no gesture; their label is empty.
    """
    counts = {**dict.fromkeys(GESTURES, clips_per_label), OTHER: others}
    wanted = [
        (label, number, index)
        for number, (label, count) in enumerate(counts.items())
        for index in range(count)
    ]
    return [
        _clip(label, np.random.default_rng([seed, 77, number, index]))
        for label, number, index in paced(wanted, "clips in the wild")
    ]


def _clip(label: str, generator: np.random.Generator) -> Motion:
    forms: Forms = DISTRACTORS if label == OTHER else PERFORMANCES[label]
    forms = {**forms, **MORE.get(label, {})}
    shares = np.array([share for share, _ in forms.values()])
    _, perform = list(forms.values())[generator.choice(len(forms), p=shares / shares.sum())]
    who = Performer.drawn(generator)
    home = _home(generator)
    side = str(generator.choice(SIDES))
    vigour = float(generator.uniform(-0.15, 1.2))
    looseness = float(generator.uniform(0.0, 1.0))
    score = perform(_Loose(vigour, side, generator, home, who.body.shoulder_gap, looseness))
    times, count = _times(score, generator)
    angles = score.angles(times, who.timing(generator))
    if label in _ONE_HAND and generator.random() < 0.1:  # with both hands
        other = SIDES[side == "left"]
        angles[:, _ARMS[other]] = angles[:, _ARMS[side]]
    if generator.random() < 0.3:
        angles = _keyed(angles, generator)
    angles = who.alive(angles, np.arange(count) / RATE, generator)
    angles = angles + _meanwhile(count, label, generator)
    return Motion(who.body.positions(angles), RATE, "" if label == OTHER else label)


def _home(generator: np.random.Generator) -> FloatArray:
    """Return the posture before and after a clip, standing or sitting: (C,) [rad]; each arm on its own."""
    posture = np.array(stance("hanging"))
    kinds = list(STANCES)
    first = str(generator.choice(kinds))
    alike = generator.random() < 0.75
    for side in SIDES:
        if generator.random() < (0.35 if side == "left" or not alike else 0.1):
            continue
        wrist, elbow, thumb = STANCES[first if alike else str(generator.choice(kinds))]
        near = np.asarray(wrist) + generator.normal(0.0, 0.03, 3)
        for channel, angle in reach(near, elbow, thumb).items():
            posture[CHANNEL[f"{side}_{channel}"]] = angle
    return posture


def _times(score: Score, generator: np.random.Generator) -> tuple[FloatArray, int]:
    """Return at what time of a score each frame is taken [s], (T,), and T.

    The tempo is anybody's; a recording may begin with the hands raised, end before they sink, hurry here and
    linger there.
    """
    tempo = float(np.exp(generator.normal(0.0, 0.3)))
    begin, end = -float(generator.uniform(0.0, 0.3)), score.end + float(generator.uniform(0.0, 0.4))
    if score.prepared and generator.random() < 0.25:
        begin = score.prepared * float(generator.uniform(0.3, 1.0))
    if score.released is not None and generator.random() < 0.3:
        end = max(score.released + float(generator.uniform(-0.1, 0.3)), begin + _SHORTEST)
    length = float(np.clip((end - begin) / tempo, _SHORTEST, _LONGEST))
    # Tempo within it changes: a course through random speeds.
    knots = np.exp(generator.normal(0.0, generator.uniform(0.0, 0.5), 6))
    frames = np.linspace(0.0, 1.0, max(2, int(length * RATE)))
    speed = np.interp(frames, np.linspace(0.0, 1.0, 6), knots)
    course = np.concatenate([[0.0], np.cumsum(speed[:-1] + speed[1:])])
    times = begin + (end - begin) * course / course[-1]
    if score.released is not None and generator.random() < 0.35:  # linger before the way home
        held = int(generator.uniform(0.2, 1.5) * RATE)
        at = int(np.searchsorted(times, score.released))
        times = np.concatenate([times[:at], np.full(held, score.released), times[at:]])
    times = times[: int(_LONGEST * RATE)]
    return times, len(times)


def _keyed(angles: FloatArray, generator: np.random.Generator) -> FloatArray:
    """Return the course of an animation: key postures and the plain ways between, (T, C) [rad]."""
    step = int(generator.integers(3, 9))
    keys = np.unique([*range(0, len(angles), step), len(angles) - 1])
    at = np.interp(np.arange(len(angles)), keys, np.arange(len(keys)))
    left = np.minimum(at.astype(int), len(keys) - 2) if len(keys) > 1 else np.zeros(len(angles), dtype=int)
    phase = at - left
    if generator.random() < 0.5:
        phase = phase * phase * (3.0 - 2.0 * phase)  # ease in, ease out
    right = np.minimum(left + 1, len(keys) - 1)
    return np.asarray((1 - phase[:, None]) * angles[keys[left]] + phase[:, None] * angles[keys[right]])


def _meanwhile(count: int, label: str, generator: np.random.Generator) -> FloatArray:
    """Return what else a body does while it gestures, to add to its angles: (T, C) [rad]."""
    head = 0.25 if label in _HEAD else 1.0
    still: Mapping[str, float] = {
        "head_pitch": 0.15,
        "head_yaw": 0.2,
        "head_roll": 0.06,
        "lean": 0.07,
        "tilt": 0.04,
        "turn": 0.10,
        "left_lift": 0.05,
        "right_lift": 0.05,
    }
    added = np.tile(
        vector({name: float(generator.normal(0.0, deviation)) for name, deviation in still.items()}),
        (count, 1),
    )
    moving: Mapping[str, float] = {
        "head_pitch": 0.10 * head,
        "head_yaw": 0.15 * head,
        "head_roll": 0.06 * head,
        "lean": 0.04,
        "tilt": 0.03,
        "turn": 0.08,
    }
    size = float(generator.exponential(0.7))
    for name, deviation in moving.items():
        added[:, CHANNEL[name]] += size * deviation * _wander(count, generator)
    size = float(generator.exponential(0.5))
    for side in SIDES:
        for name in ("pitch", "abduction", "swivel", "elbow"):
            added[:, CHANNEL[f"{side}_{name}"]] += size * 0.07 * _wander(count, generator)
    chance = generator.random()
    times = np.arange(count) / RATE
    if chance < 0.12:  # walking on the spot
        phase = 2.0 * np.pi * generator.uniform(0.6, 1.2) * times + generator.uniform(0.0, 2.0 * np.pi)
        step = generator.uniform(0.15, 0.5)
        for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
            added[:, CHANNEL[f"{side}_thigh"]] += sign * step * np.sin(phase)
            added[:, CHANNEL[f"{side}_shin"]] += step * (1.0 - np.cos(phase + sign))
            added[:, CHANNEL[f"{side}_pitch"]] -= 0.3 * sign * step * np.sin(phase)
    elif chance < 0.22:  # seated
        bent = generator.normal(1.4, 0.15)
        for side in SIDES:
            added[:, CHANNEL[f"{side}_thigh"]] += bent
            added[:, CHANNEL[f"{side}_shin"]] += generator.normal(1.4, 0.2)
    elif chance < 0.32:  # on springy knees
        phase = 2.0 * np.pi * generator.uniform(0.5, 2.5) * times
        added[:, CHANNEL["knees"]] += generator.uniform(0.05, 0.3) * (1.0 - np.cos(phase))
    return added


def _wander(count: int, generator: np.random.Generator) -> FloatArray:
    """Return a smooth course of deviation 1 about zero: (T,)."""
    knots = generator.normal(size=max(4, int(count / RATE / generator.uniform(0.25, 0.8)) + 3))
    at = np.linspace(1.0, len(knots) - 2.001, count)
    left = at.astype(int)
    u = at - left
    p0, p1, p2, p3 = (knots[np.clip(left + shift, 0, len(knots) - 1)] for shift in (-1, 0, 1, 2))
    return np.asarray(  # Catmull-Rom
        p1 + 0.5 * u * (p2 - p0 + u * (2 * p0 - 5 * p1 + 4 * p2 - p3 + u * (3 * (p1 - p2) + p3 - p0)))
    )
