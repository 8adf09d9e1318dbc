"""What people also do, and none of the 12 gestures: for a recogniser that must say "none of these"."""

from functools import partial

import numpy as np

from text2gesture_ros.training.studio.body import ARM_LIMITS, CHANNEL, REST, SIDES
from text2gesture_ros.training.studio.manner import Forms, Manner, Place, Range, Triple, arm, arms
from text2gesture_ros.training.studio.score import Score

_SITTING = {f"{side}_{joint}": angle for side in SIDES for joint, angle in (("thigh", 1.45), ("shin", 1.45))}


def _walk(manner: Manner, swing: Range, stride: Range, frequency: Range, elbow: Range, lean: Range) -> Score:
    """Arms and legs swing in opposition, the trunk turns along, all the way through the clip."""
    score = manner.score()
    rate, way = manner.between(*frequency), manner.either()
    pitch, step = way * manner.between(*swing), way * manner.between(*stride)
    bent = {f"{side}_elbow": float(REST[CHANNEL["left_elbow"]]) + manner.between(*elbow) for side in SIDES}
    hanging = arms({name: float(REST[CHANNEL[f"left_{name}"]]) for name in ARM_LIMITS})
    # Bent forearms swing beside the belly, not through it.
    hanging |= arms({"abduction": hanging["left_abduction"] + 0.15 * max(elbow), "swivel": -0.1 * max(elbow)})
    score.move({**hanging, **bent, "lean": manner.between(*lean)}, 0.5)
    score.clock = 0.2
    swinging = {
        "left_pitch": pitch,
        "right_pitch": -pitch,
        "left_elbow": 0.4 * pitch,
        "right_elbow": -0.4 * pitch,
    }
    walking = {"left_thigh": -step, "right_thigh": step, "turn": -0.1 * way, "tilt": 0.02}
    # Knees bend while they come forward: a quarter of a cycle before the thigh is in front.
    cycles = manner.between(1.6, 2.6) * rate
    score.swing(swinging | walking, cycles, rate)
    for side, begin in (("left", 0.25), ("right", 0.75)):
        knee = {f"{side}_shin": 1.5 * abs(step)}
        score.swing(
            knee, np.floor(cycles), rate, start=0.2 + (begin if way > 0 else 1 - begin) / rate, beat=True
        )
    score.hold(0.05)
    return score


def _do(
    manner: Manner,
    place: Place | None,
    stroke: Triple = (0.0, 0.0, 0.0),
    *,
    both: bool = False,
    opposed: bool = False,
    cycles: tuple[int, int] = (2, 4),
    frequency: Range = (1.2, 2.4),
    extra: dict[str, float] | None = None,
    looking: tuple[float, float, float] = (0.0, 0.0, 0.0),
    other: Place | None = None,
    lean: float = 0.0,
    sitting: bool = False,
    hold: Range = (0.4, 0.8),
) -> Score:
    """Bring a hand somewhere and do something with it.

    Args:
        manner: how.
        place: where the hand goes; None: it stays.
        stroke: how far it moves there, and back, each cycle [m].
        both: both hands.
        opposed: one hand goes where the other comes from.
        cycles: how many; none without a stroke.
        frequency: [Hz].
        extra: channels of the arm that swing too, and how far [rad].
        looking: pitch, yaw towards that side and roll of the head [rad].
        other: where the other hand goes meanwhile.
        lean: of the trunk [rad].
        sitting: sit down too.
        hold: how long, without a stroke [s].
    """
    score = manner.score()
    sides = SIDES if both else (manner.side,)
    pitch, yaw, roll = (angle * manner.between(0.8, 1.2) for angle in looking)
    shape = {"head_pitch": pitch, "head_yaw": manner.sign * yaw, "head_roll": manner.sign * roll}
    shape["lean"] = lean * manner.between(0.8, 1.2)
    if sitting:
        shape |= _SITTING
    if other is not None:
        shape |= arm(manner.other, manner.hand(other).angles())
    hand = manner.hand(place) if place is not None else None
    if hand is not None:
        shape |= arms(hand.angles(), sides)
    score.move(shape, manner.between(0.85, 0.65), overshoot=0.02)
    if hand is not None and (any(stroke) or extra):
        change = hand.change(stroke)
        for name, angle in (extra or {}).items():
            change[name] = change.get(name, 0.0) + angle
        moving = arms(change, sides)
        if opposed:
            moving |= {name: -angle for name, angle in moving.items() if name.startswith(manner.other)}
        score.swing(moving, manner.count(*cycles), manner.between(*frequency), beat=not opposed)
    else:
        score.hold(manner.between(*hold, 0.2))
    score.rest(manner.between(0.85, 0.7))
    return score


def _look_around(manner: Manner) -> Score:
    """The head, and a little of the trunk, goes slowly to one side, then to the other."""
    score = manner.score()
    sign = manner.either()
    for way, factor in ((sign, 1.0), (-sign, manner.between(0.7, 1.0))):
        yaw = way * factor * manner.between(0.5, 0.9)
        pitch = float(manner.generator.normal(0.0, 0.10))
        score.move({"head_yaw": yaw, "turn": 0.25 * yaw, "head_pitch": pitch}, manner.between(0.8, 0.6))
        score.hold(manner.between(0.25, 0.1, 0.4))
    score.rest(manner.between(0.7, 0.5))
    return score


def _turn(manner: Manner) -> Score:
    """Turn the whole body to one side and stay there."""
    score = manner.score()
    angle = manner.either() * manner.between(0.7, 1.5)
    score.move({"head_yaw": 0.5 * np.sign(angle), "turn": 0.2 * np.sign(angle)}, 0.4)
    score.clock = 0.1
    score.move({"yaw": angle}, manner.between(1.4, 1.0))
    score.clock -= 0.4
    score.move({"head_yaw": 0.0, "turn": 0.0}, 0.5)
    step = {"left_thigh": 0.25, "left_shin": 0.5}
    score.swing(step, 2, 1.4, start=0.2, beat=True)
    score.hold(0.3)
    return score


def _bow(manner: Manner) -> Score:
    """Bow from the hips, and come up again."""
    score = manner.score()
    bent = {"lean": manner.between(0.45, 0.9), "head_pitch": manner.between(0.15, 0.3)}
    along = arms({"pitch": float(manner.home[CHANNEL["left_pitch"]]) + 0.45 * bent["lean"]})
    score.move({**bent, **(along if manner.chance(0.6) else {})}, manner.between(1.0, 0.75))
    score.hold(manner.between(0.4, 0.2, 0.4))
    score.rest(manner.between(1.0, 0.8))
    return score


def _sit(manner: Manner) -> Score:
    """Sit down, hands to the knees, and stay."""
    score = manner.score()
    hands = manner.hand(Place((0.30, 0.16, -0.02), (0.34, 0.18, 0.02), (-0.5, 0.6, 0.0), (0.2, -1.0, 0.2)))
    score.move({**_SITTING, "lean": 0.4, **arms(hands.angles())}, manner.between(1.1, 0.9))
    score.move({"lean": 0.02}, 0.5)
    score.hold(manner.between(0.5, 0.8, 0.3))
    return score


def _posture(manner: Manner, size: float) -> dict[str, float]:
    """Return a random posture, `size` of the way from rest to where the joints end [rad]."""
    draw = manner.generator.uniform
    posture: dict[str, float] = {
        "lean": size * draw(-0.15, 0.4),
        "tilt": size * draw(-0.2, 0.2),
        "turn": size * draw(-0.4, 0.4),
        "head_pitch": size * draw(-0.4, 0.5),
        "head_yaw": size * draw(-0.6, 0.6),
        "head_roll": size * draw(-0.25, 0.25),
    }
    for side in SIDES:
        rest = {name: float(REST[CHANNEL[f"left_{name}"]]) for name in ARM_LIMITS}
        drawn = {name: float(draw(*limits)) for name, limits in ARM_LIMITS.items()}
        drawn["pitch"] = float(draw(-0.4, 2.2))
        posture |= arm(side, {name: rest[name] + size * (drawn[name] - rest[name]) for name in rest})
    return posture


def _wander(manner: Manner) -> Score:
    """Move from one random posture to the next."""
    score = manner.score()
    for _ in range(manner.count(2, 4)):
        score.move(
            _posture(manner, float(manner.generator.uniform(0.3, 0.9))), manner.between(0.95, 0.6, 0.25)
        )
        score.hold(abs(float(manner.generator.normal(0.0, 0.15))))
    return score


def _fidget(manner: Manner) -> Score:
    """Every joint swings on its own around a random posture: smoothed noise."""
    score = manner.score()
    draw = manner.generator
    score.move(_posture(manner, float(draw.uniform(0.1, 0.6))), 0.7)
    size = manner.between(0.1, 0.45)
    for name in CHANNEL:
        if (
            not name.endswith(("knees", "thigh", "shin", "thumb", "yaw", "lift", "sway", "lean"))
            or name == "head_yaw"
        ):
            rate = float(draw.uniform(0.5, 2.0))
            factor = 0.3 if name in ("tilt", "turn") or name.startswith("head") else 1.0
            score.swing({name: factor * size * float(draw.normal())}, 2.2 * rate, rate, start=0.3)
    score.clock = 2.5
    return score


def _balance(manner: Manner) -> Score:
    """Weigh one palm against the other."""
    place = Place((0.26, 0.20, 0.10), (0.28, 0.26, 0.22), (-0.4, 0.3, -1.0), (0.0, 1.0, 0.0), -0.2)
    rate = (0.6, 1.1)
    return _do(manner, place, (0.0, 0.0, 0.09), both=True, opposed=True, cycles=(1, 3), frequency=rate)


_ELBOW = (-0.3, 0.6, -1.0)
_MOUTH = Place((0.20, 0.06, 0.44), (0.20, 0.06, 0.48), (0.0, 0.7, -1.0), (-0.7, 0.2, 0.6), spread=0.012)
_EAR = Place((0.08, 0.17, 0.50), (0.07, 0.18, 0.54), (0.1, 0.8, -1.0), (-0.6, -0.3, 0.6), spread=0.012)
_EYES = Place((0.17, 0.10, 0.56), (0.17, 0.11, 0.58), (0.2, 0.8, -0.9), (-0.6, 0.2, 0.4), spread=0.01)
_WATCH = Place((0.26, 0.02, 0.24), (0.28, 0.02, 0.32), (-0.1, 1.0, -0.5), (0.2, -0.3, 1.0))
_CLAP = Place((0.30, 0.13, 0.22), (0.30, 0.15, 0.34), (-0.3, 0.7, -1.0), (-0.3, -0.1, 1.0), spread=0.01)
_TABLE = Place((0.32, 0.12, 0.02), (0.36, 0.16, 0.08), (-0.4, 0.7, -0.7), (0.1, -1.0, 0.1))
_KNEE = Place((0.22, 0.16, -0.16), (0.26, 0.16, -0.20), (-0.6, 0.5, 0.0), (0.2, -0.8, 0.3))
_ABOVE = Place((0.02, 0.16, 0.92), (-0.04, 0.22, 0.99), (0.0, 1.0, 0.0), (-0.9, -0.2, 0.0))
_CROSSED = Place((0.21, -0.04, 0.22), (0.22, -0.05, 0.24), (-0.1, 1.0, -0.6), (0.1, 0.1, 1.0), spread=0.01)
_CROSSED_UNDER = Place(
    (0.19, 0.03, 0.13), (0.19, 0.03, 0.15), (-0.2, 1.0, -0.5), (0.1, 0.1, 1.0), spread=0.01
)
_BECKON = Place((0.32, 0.14, 0.22), (0.40, 0.16, 0.36), _ELBOW, (0.0, 0.9, 0.4))
_SALUTE = Place((0.13, 0.18, 0.64), (0.12, 0.20, 0.67), (0.2, 1.0, -0.5), (-0.6, -0.4, -0.4), spread=0.01)
_WHEEL = Place((0.38, 0.16, 0.28), (0.40, 0.18, 0.34), (-0.2, 0.8, -0.8), (-0.1, -0.8, 0.6))
_POCKET = Place((0.04, 0.235, -0.04), (0.04, 0.235, -0.02), (-1.0, 0.6, 0.0), (0.8, -0.2, 0.2), spread=0.01)

DISTRACTORS: Forms = {
    "walking": (
        2.0,
        partial(
            _walk,
            swing=(0.2, 0.5),
            stride=(0.3, 0.5),
            frequency=(0.8, 1.1),
            elbow=(0, 0.2),
            lean=(0.02, 0.05),
        ),
    ),
    "running": (
        1.0,
        partial(
            _walk,
            swing=(0.4, 0.7),
            stride=(0.5, 0.8),
            frequency=(1.2, 1.5),
            elbow=(1.1, 1.3),
            lean=(0.1, 0.2),
        ),
    ),
    "sitting down": (1.0, _sit),
    "sitting": (0.7, partial(_do, place=_TABLE, sitting=True, hold=(1.0, 1.4))),
    "bowing": (1.2, _bow),
    "clapping": (
        1.2,
        partial(_do, place=_CLAP, stroke=(0.0, -0.06, 0.0), both=True, cycles=(3, 5), frequency=(2.0, 3.0)),
    ),
    "stretching": (1.0, partial(_do, place=_ABOVE, both=True, looking=(-0.25, 0, 0), lean=-0.08)),
    "looking around": (1.5, _look_around),
    "turning": (1.0, _turn),
    "scratching the leg": (
        0.8,
        partial(_do, place=_KNEE, stroke=(0, 0, 0.03), frequency=(2.2, 3), lean=0.5, looking=(0.3, 0.1, 0)),
    ),
    "checking a watch": (1.0, partial(_do, place=_WATCH, looking=(0.35, 0.05, 0))),
    "drinking": (
        1.0,
        partial(
            _do,
            place=_MOUTH,
            looking=(-0.18, 0, 0),
            extra={"deviation": 0.15},
            cycles=(1, 1),
            frequency=(0.8, 1.2),
        ),
    ),
    "laughing behind a hand": (
        1.0,
        partial(
            _do,
            place=_MOUTH,
            extra={"lift": 0.06, "pitch": 0.04},
            cycles=(2, 4),
            frequency=(2, 3.2),
            looking=(0.1, 0, 0.1),
        ),
    ),
    "on the phone": (1.0, partial(_do, place=_EAR, looking=(0.05, 0, -0.12), hold=(0.8, 1.2))),
    "rubbing the eyes": (
        0.5,
        partial(_do, place=_EYES, stroke=(0, 0.015, 0), frequency=(2, 3), looking=(0.15, 0, 0)),
    ),
    "beckoning": (
        1.5,
        partial(
            _do,
            place=_BECKON,
            stroke=(-0.10, 0.0, 0.06),
            extra={"flexion": 0.6},
            frequency=(1.2, 2.0),
            cycles=(2, 3),
        ),
    ),
    "balancing": (1.2, _balance),
    "wiping a table": (
        0.8,
        partial(
            _do, place=_TABLE, stroke=(0.0, 0.16, 0.0), lean=0.3, looking=(0.3, 0, 0), frequency=(0.9, 1.5)
        ),
    ),
    "typing": (
        0.6,
        partial(
            _do,
            place=_TABLE,
            stroke=(0.0, 0.0, 0.015),
            both=True,
            opposed=True,
            frequency=(2.5, 4.0),
            cycles=(3, 6),
            looking=(0.25, 0, 0),
        ),
    ),
    "crossing the arms": (1.0, partial(_do, place=_CROSSED, other=_CROSSED_UNDER, hold=(0.6, 1.0))),
    "saluting": (0.6, partial(_do, place=_SALUTE)),
    "steering": (
        0.5,
        partial(
            _do,
            place=_WHEEL,
            stroke=(0.0, 0.0, 0.07),
            both=True,
            opposed=True,
            sitting=True,
            frequency=(0.6, 1.0),
        ),
    ),
    "hand to the pocket": (0.8, partial(_do, place=_POCKET, looking=(0.1, 0, 0))),
    "wandering": (1.5, _wander),
    "fidgeting": (1.5, _fidget),
}
