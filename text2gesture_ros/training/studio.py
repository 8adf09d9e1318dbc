"""The studio: human gesture clips for all gestures and emotions, synthesised by forward kinematics.

A performance (what the gesture is) is done by a body (how long its bones are) in a manner (how lively, by
which hand): preparation, stroke, hold and retraction, minimum-jerk between key postures, outer joints
trailing the inner ones.
"""

from collections.abc import Mapping

import numpy as np

from text2gesture_ros.labels import EMOTIONS, GESTURES, check_label
from text2gesture_ros.motion import FRAME_RATE, Motion
from text2gesture_ros.skeleton import INDEX, FloatArray
from text2gesture_ros.training.body import CHANNELS, SIDES, Body
from text2gesture_ros.training.performances import PERFORMANCES, Manner
from text2gesture_ros.training.score import LAG, vector

SHORTEST, LONGEST = 60, 180  # frames
FASTEST = 3.5  # of a hand, in people's everyday gestures [m/s]
HEAD_RADIUS = 0.075  # half the breadth of a head; a hand may touch it [m]
_TAKES = 50

# Range of vigour: how grand, how quick. Chance in every choice lets neighbours overlap, as people do.
_VIGOUR: Mapping[str, tuple[float, float]] = {
    "positive": (0.65, 1.0),
    "neutral": (0.35, 0.65),
    "negative": (0.0, 0.35),
}
# How far head and trunk sink (positive: down) for as long as the gesture lasts [rad].
_SINKING: Mapping[str, tuple[float, float]] = {
    "positive": (-0.06, -0.02),
    "neutral": (0.0, 0.0),
    "negative": (0.14, 0.06),
}
# How often each emotion goes with each gesture: positive, negative, neutral.
_MIXED = (0.35, 0.30, 0.35)
_EMOTION_SHARES: Mapping[str, tuple[float, float, float]] = {
    "handshake": (0.55, 0.15, 0.30),
    "thumbsup": (0.60, 0.15, 0.25),
    "wave": (0.55, 0.20, 0.25),
    "yay": (0.70, 0.10, 0.20),
    "uplift": (0.60, 0.15, 0.25),
    "pat": (0.40, 0.35, 0.25),
    "shakehead": (0.15, 0.50, 0.35),
    "shrug": (0.20, 0.40, 0.40),
    "grabhead": (0.15, 0.60, 0.25),
    "neutral": (0.25, 0.25, 0.50),
}


def synthesise(gesture: str, emotion: str, generator: np.random.Generator) -> Motion:
    """Return one clip of a random person doing `gesture` with `emotion`, from rest to rest.

    Args:
        gesture: one of `labels.GESTURES`.
        emotion: one of `labels.EMOTIONS`.
        generator: the source of all chance; the same state gives the same clip.

    Returns:
        60 to 180 frames at 60 Hz, in the pelvis frame.

    Raises:
        InputError: a label is unknown.
        RuntimeError: a performance is so badly timed that no attempt at it is of human speed and length.
    """
    check_label("gesture", gesture)
    check_label("emotion", emotion)
    for _ in range(_TAKES):
        positions = _take(gesture, emotion, generator)
        speed, distance = _peak_hand_speed(positions), _nearest_to_head(positions)
        if len(positions) <= LONGEST and speed <= FASTEST and distance >= HEAD_RADIUS:
            return Motion(positions, FRAME_RATE, gesture, emotion)
    raise RuntimeError(f"{gesture}, {emotion}: none of {_TAKES} takes is fit for a person")


def dataset(seed: int, clips_per_gesture: int = 100) -> list[Motion]:
    """Return clips of all gestures, every emotion among each gesture's, in the order of `labels.GESTURES`.

    Args:
        seed: of all chance; the same seed gives the same bytes, however many clips are asked for.
        clips_per_gesture: how many clips of each gesture.
    """
    clips = []
    for label, gesture in enumerate(GESTURES):
        shares = _EMOTION_SHARES.get(gesture, _MIXED)
        for index in range(clips_per_gesture):
            generator = np.random.default_rng([seed, label, index])
            drawn = str(generator.choice(EMOTIONS, p=shares))
            emotion = EMOTIONS[index] if index < len(EMOTIONS) else drawn
            clips.append(synthesise(gesture, emotion, generator))
    return clips


def _take(gesture: str, emotion: str, generator: np.random.Generator) -> FloatArray:
    """Return (T, K, 3) positions [m] of one attempt, as long and as fast as it turns out."""
    body = Body.drawn(generator)
    side = "right" if generator.random() < 0.6 else "left"
    score = PERFORMANCES[gesture](Manner(float(generator.uniform(*_VIGOUR[emotion])), side, generator))
    head, trunk = _SINKING[emotion]
    span = score.end
    score.accent({"head_pitch": head, "lean": trunk}, 0.0, 0.35 * span, span, 0.35 * span)
    posture, life = _posture(generator), generator.normal(size=4)
    # Outer joints trail the inner ones, and one hand the other.
    delays = generator.uniform(0.6, 1.4) * LAG
    second = str(generator.choice(SIDES))
    delays[[name.startswith(second) for name in CHANNELS]] += generator.uniform(0.0, 0.04)
    count = max(SHORTEST, int(np.ceil((score.end + delays.max()) * FRAME_RATE)) + 1)
    times = np.arange(count) / FRAME_RATE
    return body.positions(score.angles(times, posture, delays) + _idle(times, life))


def _posture(generator: np.random.Generator) -> FloatArray:
    """Return how this person's ease differs from `skeleton.REFERENCE`: (C,) [rad]."""
    spread = {"lean": 0.02, "tilt": 0.008, "head_pitch": 0.03, "head_yaw": 0.02, "head_roll": 0.015}
    arms = {"pitch": 0.04, "elbow": 0.05, "swivel": 0.05, "twist": 0.08}
    shared = {name: generator.normal(0.0, deviation) for name, deviation in arms.items()}
    posture = {name: float(generator.normal(0.0, deviation)) for name, deviation in spread.items()}
    wider, lifted = generator.uniform(-0.02, 0.10), generator.normal(0.0, 0.03)
    for side in SIDES:
        for name, common in shared.items():
            posture[f"{side}_{name}"] = float(common + generator.normal(0.0, 0.25 * arms[name]))
        posture[f"{side}_elbow"] = max(posture[f"{side}_elbow"], -0.12)
        posture[f"{side}_abduction"] = float(wider)
        posture[f"{side}_lift"] = float(lifted)
    return vector(posture)


def _idle(times: FloatArray, life: FloatArray) -> FloatArray:
    """Return breathing and sway, still at both ends: (T,), (4,) -> (T, C) [rad]."""
    window = np.sin(np.pi * times / times[-1]) ** 2
    breath = window * np.sin(2 * np.pi * 0.27 * times + life[0])
    shift = window * np.sin(2 * np.pi * 0.22 * times + life[1])
    rising = vector({"lean": -0.006, "left_lift": 0.012, "right_lift": 0.012, "head_pitch": 0.006})
    swaying = vector({"sway": 0.012, "tilt": -0.010, "head_roll": 0.010, "turn": 0.010, "lean": 0.006})
    return np.asarray(breath[:, None] * rising * (1.0 + 0.3 * life[2]) + shift[:, None] * swaying * life[3])


def _peak_hand_speed(positions: FloatArray) -> float:
    """Return how fast the faster hand gets [m/s]."""
    hands = positions[:, [INDEX["left_hand"], INDEX["right_hand"]]]
    return float(np.linalg.norm(np.diff(hands, axis=0), axis=-1).max() * FRAME_RATE)


def _nearest_to_head(positions: FloatArray) -> float:
    """Return how near either hand comes to the middle of the head [m]."""
    hands = positions[:, [INDEX["left_hand"], INDEX["right_hand"]]]
    return float(np.linalg.norm(hands - positions[:, [INDEX["head"]]], axis=-1).min())
