"""The studio: human gesture clips for all gestures and emotions, synthesised by forward kinematics.

A performance (what is done: one form of a gesture) is done by a performer (whose body, whose habits) in a
manner (how lively, by which hand): preparation, stroke, hold and retraction, lopsided bells of speed between
key postures, outer joints trailing the inner ones, eyes and head ahead of the hands, and the noise of a
living body.
"""

from collections.abc import Callable, Collection, Mapping

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.labels import EMOTIONS, GESTURES, check_label
from text2gesture_ros.motion.motion import FRAME_RATE, Motion
from text2gesture_ros.skeleton import INDEX
from text2gesture_ros.training.pace import paced
from text2gesture_ros.training.studio.body import CHANNELS, SIDES
from text2gesture_ros.training.studio.distractors import DISTRACTORS
from text2gesture_ros.training.studio.performers import Performer, stance
from text2gesture_ros.training.studio.repertoire import PERFORMANCES, Forms, Manner
from text2gesture_ros.training.studio.score import Score, vector

SHORTEST, LONGEST = 60, 180  # frames
FASTEST = 4.0  # of a hand, in people's everyday gestures [m/s]
HEAD_RADIUS = 0.075  # half the breadth of a head; a hand may touch it [m]
TRUNK_RADIUS = 0.11  # from the spine to the surface of a slim trunk, front to back [m]
HANDS_APART = 0.05  # between the middles of two hands that touch [m]
CANDID_SHARE = 0.4
_TAKES, _PATIENCE = 60, 12
_ADJUSTMENTS = 4

# Vigour (how grand, how quick): mean and deviation. Neighbours overlap, as people do.
_VIGOUR: Mapping[str, tuple[float, float]] = {
    "positive": (0.76, 0.14),
    "neutral": (0.50, 0.12),
    "negative": (0.22, 0.14),
}
# How far head, trunk and shoulders sink (positive: down) for as long as the gesture lasts [rad].
_SINKING: Mapping[str, tuple[float, float, float]] = {
    "positive": (-0.07, -0.03, -0.01),
    "neutral": (0.0, 0.0, 0.0),
    "negative": (0.15, 0.06, 0.03),
}
# Factor of all durations.
_SLOWNESS: Mapping[str, float] = {"positive": 0.94, "neutral": 1.0, "negative": 1.10}
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
_GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0


def synthesise(gesture: str, emotion: str, generator: np.random.Generator, form: str = "") -> Motion:
    """Return one clip of a random person doing `gesture` with `emotion`, from arms hanging to arms hanging.

    Args:
        gesture: one of `labels.GESTURES`.
        emotion: one of `labels.EMOTIONS`.
        generator: the source of all chance; the same state gives the same clip.
        form: which form of the gesture, one of `PERFORMANCES[gesture]`; "": any.

    Returns:
        60 to 180 frames at 60 Hz, in the pelvis frame.

    Raises:
        InputError: a label or the form is unknown.
        RuntimeError: a performance is so badly timed that no attempt at it is of human speed and length.
    """
    check_label("gesture", gesture)
    check_label("emotion", emotion)
    forms = PERFORMANCES[gesture]
    if form and form not in forms:
        raise InputError(f"unknown form {form!r} of {gesture}. Known: {', '.join(forms)}")
    return _perform(
        forms,
        form or _drawn(forms, generator.random()),
        gesture,
        emotion,
        Performer.drawn(generator),
        generator,
        candid=False,
    )


def dataset(
    seed: int,
    clips_per_gesture: int = 100,
    candid_share: float = CANDID_SHARE,
    *,
    gestures: Collection[str] = GESTURES,
) -> list[Motion]:
    """Return clips of all gestures, every emotion among each gesture's, in the order of `labels.GESTURES`.

    Clip i of every gesture is done by performer i of this seed. A candid clip is caught in passing: the
    performer need not stand with hanging arms, and it may begin or end in the middle of the gesture.

    Args:
        seed: of all chance; the same seed gives the same bytes, however many clips are asked for.
        clips_per_gesture: how many clips of each gesture.
        candid_share: part of the clips that are candid; 0 to learn whole gestures from rest to rest.
        gestures: of which clips are made.
    """
    wanted = [
        (label, index)
        for label, gesture in enumerate(GESTURES)
        for index in range(clips_per_gesture)
        if gesture in gestures
    ]
    return [_clip(seed, label, index, candid_share) for label, index in paced(wanted, "clips of the studio")]


def parts(
    seed: int,
    clips_per_gesture: int,
    held_out_share: float = 0.05,
    candid_share: float = CANDID_SHARE,
    *,
    gestures: Collection[str] = GESTURES,
) -> tuple[list[Motion], list[Motion]]:
    """Return the clips of `dataset` in two parts, for training and held out; no performer is in both.

    Args:
        seed: of all chance.
        clips_per_gesture: how many clips of each gesture, both parts together.
        held_out_share: part of the performers to hold out; who is does not depend on how many there are.
        candid_share: see `dataset`.
        gestures: see `dataset`.
    """
    clips = dataset(seed, clips_per_gesture, candid_share, gestures=gestures)
    held_out = [is_held_out(index % clips_per_gesture, held_out_share) for index in range(len(clips))]
    return (
        [clip for clip, out in zip(clips, held_out, strict=True) if not out],
        [clip for clip, out in zip(clips, held_out, strict=True) if out],
    )


def is_held_out(performer: int, share: float) -> bool:
    """Whether a performer, by number, is among the `share` held out: one in 1 / share is."""
    return int((performer + 1) * share + 1e-9) > int(performer * share + 1e-9)


def performer(seed: int, index: int) -> Performer:
    """Return performer `index` of a seed, always the same person."""
    return Performer.drawn(np.random.default_rng([seed, len(GESTURES), index]))


def distractors(seed: int, count: int) -> list[Motion]:
    """Return clips of what people also do but what is none of the gestures; their labels are empty.

    Args:
        seed: of all chance; the same seed gives the same bytes, however many clips are asked for.
        count: how many; each kind of `DISTRACTORS` has its turn.
    """
    clips = []
    for index in paced(range(count), "clips of other motion"):
        generator = np.random.default_rng([seed, len(GESTURES) + 1, index])
        form = _drawn(DISTRACTORS, (index * _GOLDEN + 0.5) % 1.0)
        who = Performer.drawn(generator)
        emotion = str(generator.choice(EMOTIONS))
        clips.append(_perform(DISTRACTORS, form, "", emotion, who, generator, candid=True))
    return clips


def form_of(seed: int, gesture: str, index: int) -> str:
    """Return which form of a gesture clip `index` of a seed shows: all have their turn, by their shares."""
    start = np.random.default_rng([seed, len(GESTURES) + 2, GESTURES.index(gesture)]).random()
    return _drawn(PERFORMANCES[gesture], (start + index * _GOLDEN) % 1.0)


def _clip(seed: int, label: int, index: int, candid_share: float) -> Motion:
    gesture = GESTURES[label]
    generator = np.random.default_rng([seed, label, index])
    drawn = str(generator.choice(EMOTIONS, p=_EMOTION_SHARES.get(gesture, _MIXED)))
    emotion = EMOTIONS[index] if index < len(EMOTIONS) else drawn
    candid = bool(generator.random() < candid_share)
    form, who = form_of(seed, gesture, index), performer(seed, index)
    return _perform(PERFORMANCES[gesture], form, gesture, emotion, who, generator, candid=candid)


def _drawn(forms: Forms, chance: float) -> str:
    """Return the form at `chance`, in [0, 1), of the shares laid end to end."""
    shares = np.cumsum([share for share, _ in forms.values()])
    return list(forms)[min(int(np.searchsorted(shares / shares[-1], chance, "right")), len(forms) - 1)]


def _perform(
    forms: Forms,
    form: str,
    gesture: str,
    emotion: str,
    who: Performer,
    generator: np.random.Generator,
    *,
    candid: bool,
) -> Motion:
    """Return the first take that is fit for a person.

    Where this body cannot do the form it does another; where it can do none another performer is drawn.
    """
    home = stance(who.stance if candid else "hanging")
    for take in range(_TAKES):
        if take == _PATIENCE:  # a stance may not suit a body, or stand in the way of a gesture
            home = stance("hanging")
        if take >= 2 * _PATIENCE:
            form = _drawn(forms, generator.random())
        if take >= 3 * _PATIENCE:
            who = Performer.drawn(generator)
        positions = _take(forms[form][1], emotion, who, home, generator, candid)
        if positions is not None:
            return Motion(positions, FRAME_RATE, gesture, emotion if gesture else "")
    raise RuntimeError(f"{gesture or 'distractor'}, {emotion}: none of {_TAKES} takes is fit for a person")


def _take(
    perform: Callable[[Manner], Score],
    emotion: str,
    who: Performer,
    home: FloatArray,
    generator: np.random.Generator,
    candid: bool,
) -> FloatArray | None:
    """Return (T, K, 3) positions [m] of one attempt; None if no person could or would move like that."""
    mean, deviation = _VIGOUR[emotion]
    vigour = float(np.clip(generator.normal(mean, deviation) + who.vigour, 0.0, 1.0))
    side = who.hand if generator.random() < 0.85 else SIDES[who.hand == "left"]
    score = perform(Manner(vigour, side, generator, home, who.body.shoulder_gap))
    head, trunk, shoulders = (generator.normal(1.0, 0.4) * sinking for sinking in _SINKING[emotion])
    span = score.end
    sinking = {"head_pitch": head, "lean": trunk, "left_lift": -shoulders, "right_lift": -shoulders}
    score.accent(sinking, 0.0, 0.35 * span, span, 0.35 * span)
    timing = who.timing(generator)
    begin, end = 0.0, span + float(timing.delays.max())
    tempo = float(np.exp(generator.normal(0.0, 0.06))) / (who.pace * _SLOWNESS[emotion])
    if candid:
        begin, end = _caught(score, begin, end, SHORTEST / FRAME_RATE * tempo, generator)
    # A performance too slow for a clip is sped up; one too fast for a person is slowed down or reduced.
    longest = LONGEST - 1 if generator.random() < 0.5 else generator.uniform(0.8, 1.0) * (LONGEST - 1)
    tempo = max(tempo, (end - begin) * FRAME_RATE / longest)
    slowest = (end - begin) * FRAME_RATE / (LONGEST - 1)
    facing = vector({"yaw": float(generator.normal(0.0, 0.10)) if candid else 0.0})
    size = np.ones(len(CHANNELS))
    size[[name.startswith(SIDES[side == "left"]) for name in CHANNELS]] -= who.unevenness
    for _ in range(_ADJUSTMENTS):
        count = max(SHORTEST, int(np.floor((end - begin) / tempo * FRAME_RATE + 1e-6)) + 1)
        times = np.arange(count) / FRAME_RATE
        # Nobody keeps time exactly.
        rate, phase = generator.uniform(0.3, 1.0), generator.uniform(0.0, 2.0 * np.pi)
        wobble = 0.02 * (np.sin(2.0 * np.pi * rate * times + phase) - np.sin(phase))
        clean = home + size * (score.angles(begin + tempo * (times + wobble), timing) - home)
        positions = who.body.positions(who.alive(clean, times, generator) + facing)
        speed = peak_hand_speed(positions)
        if speed <= FASTEST:
            return positions if _is_clear(positions) else None
        if tempo <= slowest:
            size = 0.95 * size  # not much less: a hand would no longer get to where it belongs
        tempo = max(0.93 * tempo * FASTEST / speed, slowest)
    return None


def _caught(
    score: Score, begin: float, end: float, shortest: float, generator: np.random.Generator
) -> tuple[float, float]:
    """Return the part of a performance that a chance recording holds [s], `shortest` at least."""
    starts_raised, is_held = generator.random() < 0.35, generator.random() < 0.35
    if starts_raised and score.prepared:
        begin = score.prepared - generator.uniform(0.0, 0.25)
    else:
        begin -= generator.uniform(0.0, 0.2)
    if is_held and score.released is not None and score.released - begin > shortest:
        return begin, score.released + generator.uniform(0.0, 0.1)
    return begin, max(end, begin + shortest) + generator.uniform(0.0, 0.2)


def _is_clear(positions: FloatArray) -> bool:
    """Whether no hand or forearm is inside the head or the trunk, nor one hand in the other."""
    at = {name: positions[:, index] for name, index in INDEX.items()}
    hands = [at[f"{side}_hand"] for side in SIDES]
    if np.linalg.norm(hands[0] - hands[1], axis=-1).min() < HANDS_APART:
        return False
    for side in SIDES:
        elbow, wrist, hand = (at[f"{side}_{joint}"] for joint in ("elbow", "wrist", "hand"))
        if np.linalg.norm(hand - at["head"], axis=-1).min() < HEAD_RADIUS:
            return False
        if np.linalg.norm(wrist - at["head"], axis=-1).min() < HEAD_RADIUS:
            return False
        for point in (elbow, (elbow + wrist) / 2, wrist, hand):
            for start, stop in (("pelvis", "chest"), ("chest", "neck")):
                if _to_segment(point, at[start], at[stop]).min() < TRUNK_RADIUS:
                    return False
    return True


def _to_segment(points: FloatArray, start: FloatArray, end: FloatArray) -> FloatArray:
    """Return the distance of points to a segment, all (T, 3) -> (T,) [m]."""
    axis = end - start
    along = np.clip(((points - start) * axis).sum(-1) / (axis * axis).sum(-1), 0.0, 1.0)
    return np.asarray(np.linalg.norm(points - start - along[:, None] * axis, axis=-1))


def peak_hand_speed(positions: FloatArray) -> float:
    """Return how fast the faster hand gets [m/s]."""
    hands = positions[:, [INDEX["left_hand"], INDEX["right_hand"]]]
    return float(np.linalg.norm(np.diff(hands, axis=0), axis=-1).max() * FRAME_RATE)
