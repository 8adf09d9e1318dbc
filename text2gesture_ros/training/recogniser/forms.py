"""More forms of the gestures, for the recogniser alone: what people and figures do beside the studio's forms.

Referees, traffic officers, cheering crowds, figures of games: common knowledge of how the twelve are done, as
broad as the gesture's meaning. Places are wrist positions as in the studio.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from text2gesture_ros.training.studio.body import SIDES
from text2gesture_ros.training.studio.manner import Perform, Range, Triple, arms
from text2gesture_ros.training.studio.repertoire import Forms, Manner, Place
from text2gesture_ros.training.studio.score import Score
from text2gesture_ros.understanding.recogniser import OTHER

_NOTHING: Range = (0.0, 0.0)


def _act(
    manner: Manner,
    places: tuple[Place, ...],
    *,
    both: bool = False,
    swing: Mapping[str, Range] | None = None,
    stroke: Triple = (0.0, 0.0, 0.0),
    cycles: tuple[int, int] = (1, 3),
    frequency: Range = (0.8, 2.0),
    beat: bool = False,
    opposed: bool = False,
    times: tuple[int, int] = (1, 1),
    hold: Range = (0.3, 0.9),
    way: Range = (0.75, 0.45),
    head: Mapping[str, Range] | None = None,
    knees: Range = _NOTHING,
) -> Score:
    """Bring one hand or both to places, one after the other, and swing or hold them at the last.

    Args:
        manner: how.
        places: where, one after the other.
        both: both hands.
        swing: channels of the arm that swing, and how far [rad].
        stroke: how much the hand swings [m].
        cycles: how often; not at all where nothing swings.
        frequency: [Hz].
        beat: to one side of the place only.
        opposed: one hand goes where the other comes from.
        times: how often all of it is done.
        hold: how long the hands stay [s].
        way: how long each way takes [s].
        head: channels of head and trunk that go along [rad]; head_yaw towards this side.
        knees: how far they bend with each swing, or on the way [rad].
    """
    score = manner.score()
    sides = SIDES if both else (manner.side,)
    hands = [manner.hand(place) for place in places]
    signed = ("head_yaw", "turn", "tilt", "head_roll")
    along = {
        name: (manner.sign if name in signed else 1.0) * manner.between(*angle)
        for name, angle in (head or {}).items()
    }
    bent = manner.between(*knees)
    if bent and not (swing or any(stroke)):
        score.accent({"knees": bent}, 0.0, 0.25, 0.6, 0.3)
    for _ in range(manner.count(*times)):
        for hand in hands:
            score.move({**arms(hand.angles(), sides), **along}, manner.way(*way, hand), overshoot=0.03)
        if swing or any(stroke):
            change = hands[-1].change([manner.between(part, part, 0.25) for part in stroke])
            for channel, amplitude in (swing or {}).items():
                change[channel] = change.get(channel, 0.0) + manner.between(*amplitude)
            moving = arms(change, sides)
            if opposed:
                moving |= {name: -angle for name, angle in moving.items() if name.startswith(manner.other)}
            moving["knees"] = bent
            score.swing(moving, manner.count(*cycles), manner.between(*frequency), beat=beat)
        else:
            score.hold(manner.between(*hold, 0.3))
    score.rest(manner.way(*way, hands[-1]))
    return score


def _look(
    manner: Manner,
    channel: str,
    size: Range,
    *,
    cycles: tuple[float, float] = (1.0, 3.0),
    frequency: Range = (0.5, 2.4),
    uneven: bool = False,
    also: Mapping[str, float] | None = None,
) -> Score:
    """The head alone goes to and fro about one axis.

    Args:
        manner: how.
        channel: which axis.
        size: how far [rad].
        cycles: how often.
        frequency: [Hz].
        uneven: farther to one side than to the other.
        also: other channels that go along, by their part of the angle.
    """
    score = manner.score()
    way = manner.either() if channel != "head_pitch" or manner.chance(0.25) else 1.0
    change = {channel: way * manner.between(*size)}
    change |= {name: part * change[channel] for name, part in (also or {}).items()}
    generator = manner.generator
    rate, count = manner.between(*frequency), round(2.0 * generator.uniform(*cycles)) / 2.0
    count = max(1.0, min(count, 3.4 * rate))
    score.clock = manner.between(0.1, 0.1, 0.5)
    beat = uneven or (channel == "head_pitch" and manner.chance(0.5))
    if uneven:
        score.accent({channel: -0.5 * change[channel]}, 0.0, 0.3, score.clock + count / rate + 0.3, 0.3)
    score.swing(change, max(1.0, round(count)) if beat else count, rate, beat=beat)
    score.hold(manner.between(0.1, 0.2, 0.4))
    return score


def _form(share: float, *places: Place, **how: Any) -> tuple[float, Perform]:
    return share, partial(_act, places=places, **how)


def _looking(share: float, channel: str, size: Range, **how: Any) -> tuple[float, Perform]:
    return share, partial(_look, channel=channel, size=size, **how)


_PALM = (0.0, -1.0, 0.2)  # where the thumb is: palm ahead, up, down, open to the side
_UP = (0.0, 1.0, 0.0)
_DOWN = (0.1, -1.0, 0.0)
_OUT = (-0.3, 0.8, 0.4)
_BELOW = (-0.3, 0.2, -1.0)  # where the elbow is
_BESIDE = (0.0, 1.0, -0.4)

_SQUARE = Place((0.06, 0.40, 0.66), (0.02, 0.48, 0.76), (-0.1, 1.0, -0.5), _PALM, opening=0.3)
_HIGH_ASIDE = Place((0.10, 0.45, 0.80), (0.05, 0.55, 0.86), (0.0, 0.6, -0.8), _PALM, opening=0.3)
_HIGH_AHEAD = Place((0.34, 0.16, 0.80), (0.28, 0.20, 0.92), (0.2, 0.6, -0.8), _PALM, opening=0.3)
_AT_HIP = Place((0.20, 0.30, 0.10), (0.24, 0.36, 0.22), (-0.5, 0.4, -0.8), _PALM, opening=0.3)
_AT_FACE = Place((0.28, 0.02, 0.56), (0.28, 0.07, 0.70), (0.0, 0.8, -0.8), _PALM, opening=0.3)
_ELBOW: Mapping[str, Range] = {"swivel": (0.25, 0.6), "deviation": (-0.05, -0.2)}
_WAVE: Forms = {
    "elbow out": _form(3.0, _SQUARE, swing=_ELBOW, cycles=(1, 4), frequency=(1.0, 2.4)),
    "elbow out, slow": _form(1.5, _SQUARE, swing=_ELBOW, frequency=(0.5, 1.0), cycles=(1, 2)),
    "sweeping overhead": _form(
        2.0, _HIGH_ASIDE, swing={"abduction": (0.3, 0.8)}, frequency=(0.4, 1.2), way=(0.9, 0.6)
    ),
    "sweeping from ahead": _form(1.0, _HIGH_AHEAD, stroke=(0.0, 0.25, 0.0), frequency=(0.5, 1.3)),
    "swung from the side": _form(
        1.0, _HIGH_ASIDE, stroke=(0.10, -0.30, 0.05), beat=True, frequency=(0.4, 1.0), cycles=(1, 3)
    ),
    "across the face": _form(1.0, _AT_FACE, stroke=(0.0, 0.10, 0.0), frequency=(1.0, 2.4), cycles=(1, 4)),
    "at the hip": _form(0.8, _AT_HIP, swing=_ELBOW, frequency=(1.2, 2.6), cycles=(2, 4)),
    "hand flapping": _form(
        1.0, _SQUARE, swing={"flexion": (0.3, 0.9), "elbow": (0.05, 0.3)}, frequency=(1.2, 2.6), cycles=(2, 4)
    ),
    "both, elbows out": _form(1.0, _SQUARE, swing=_ELBOW, both=True, cycles=(1, 4)),
    "both sweeping overhead": _form(
        0.8, _HIGH_ASIDE, swing={"abduction": (0.3, 0.7)}, both=True, frequency=(0.5, 1.2)
    ),
}

_SIDEWAYS = Place((0.02, 0.68, 0.46), (-0.02, 0.72, 0.48), (-0.2, 0.1, -1.0), (1.0, 0.0, 0.0), opening=0.0)
_SIDE_HIGH = Place((0.05, 0.58, 0.66), (0.02, 0.62, 0.74), (-0.2, 0.1, -1.0), (1.0, 0.0, 0.3), opening=0.0)
_STRAIGHT_UP = Place((0.12, 0.20, 0.92), (0.06, 0.22, 0.98), (0.0, 1.0, 0.0), (0.0, -1.0, 0.0), opening=0.0)
_STRAIGHT_AHEAD = Place((0.50, 0.14, 0.42), (0.53, 0.16, 0.50), _BELOW, (0.0, -0.6, 0.8), opening=0.0)
_HALF_SIDE = Place((0.35, 0.50, 0.38), (0.38, 0.54, 0.48), _BELOW, (0.3, -0.3, 0.8), opening=0.0)
_FOREARM = Place((0.26, 0.22, 0.16), (0.32, 0.30, 0.34), (-0.6, 0.1, -1.0), (0.1, -0.4, 0.9), opening=0.0)
_FOREARM_OUT = Place((0.12, 0.44, 0.18), (0.12, 0.48, 0.36), (-0.3, 0.0, -1.0), (0.4, -0.3, 0.9), opening=0.0)
_TO_SIDE: Mapping[str, Range] = {"head_yaw": (0.0, 0.8), "turn": (0.0, 0.15)}
_POINT: Forms = {
    "sideways": _form(3.0, _SIDEWAYS, head=_TO_SIDE, hold=(0.3, 1.5)),
    "sideways, looking ahead": _form(1.5, _SIDEWAYS, hold=(0.3, 1.5)),
    "up, then sideways": _form(2.0, _STRAIGHT_UP, _SIDEWAYS, head=_TO_SIDE, hold=(0.3, 0.9)),
    "ahead, then sideways": _form(1.0, _STRAIGHT_AHEAD, _SIDEWAYS, hold=(0.3, 0.9)),
    "sideways, then ahead": _form(0.8, _SIDEWAYS, _STRAIGHT_AHEAD, hold=(0.3, 0.9)),
    "sideways and high": _form(1.5, _SIDE_HIGH, head=_TO_SIDE, hold=(0.3, 1.2)),
    "half aside": _form(2.0, _HALF_SIDE, head=_TO_SIDE, hold=(0.3, 1.5)),
    "straight ahead": _form(1.5, _STRAIGHT_AHEAD, hold=(0.2, 1.5)),
    "straight up": _form(0.8, _STRAIGHT_UP, hold=(0.4, 1.5), head={"head_pitch": (0.0, -0.4)}),
    "forearm": _form(2.0, _FOREARM, head=_TO_SIDE, hold=(0.2, 1.2)),
    "forearm aside": _form(1.5, _FOREARM_OUT, head=_TO_SIDE, hold=(0.2, 1.2)),
    "jabbing sideways": _form(
        0.8, _SIDEWAYS, swing={"elbow": (0.15, 0.4)}, beat=True, frequency=(1.2, 2.4), head=_TO_SIDE
    ),
    "sweeping aside": _form(0.8, _STRAIGHT_AHEAD, _HALF_SIDE, _SIDEWAYS, hold=(0.05, 0.4), way=(0.6, 0.4)),
}

_HANDS_HIGH = Place((0.10, 0.32, 0.58), (0.04, 0.42, 0.74), (-0.2, 0.8, -0.9), (-0.7, -0.3, 0.3), -0.1)
_OVERHEAD = Place((0.10, 0.24, 0.90), (0.02, 0.30, 0.97), (0.0, 1.0, 0.0), (-0.5, -0.4, 0.2))
_SPREAD_HIGH = Place((0.06, 0.55, 0.66), (0.00, 0.62, 0.80), _BELOW, _OUT, -0.2)
_SPREAD = Place((0.12, 0.60, 0.38), (0.02, 0.70, 0.50), _BELOW, _OUT, -0.2)
_SPREAD_LOW = Place((0.18, 0.46, 0.20), (0.10, 0.58, 0.34), _BELOW, _OUT, -0.2)
_AHEAD_HIGH = Place((0.40, 0.20, 0.42), (0.42, 0.26, 0.62), _BELOW, _UP, -0.2)
_AT_BELLY = Place((0.28, 0.18, 0.10), (0.30, 0.20, 0.14), _BELOW, _UP)
_UPWARDS: Mapping[str, Range] = {"head_pitch": (0.0, -0.4), "lean": (0.0, -0.08)}
_LONG: Range = (0.4, 1.6)
_UPLIFT: Forms = {
    "hands beside the head": _form(3.0, _HANDS_HIGH, both=True, hold=_LONG),
    "arms up from the sides": _form(
        2.0, _SPREAD, _OVERHEAD, both=True, times=(1, 2), hold=(0.1, 0.8), way=(0.7, 0.45)
    ),
    "arms up and down": _form(
        2.0, _OVERHEAD, _SPREAD_LOW, both=True, times=(1, 3), hold=(0.05, 0.3), way=(0.8, 0.5)
    ),
    "arms raised and held": _form(1.0, _OVERHEAD, both=True, hold=(0.5, 1.2), way=(1.0, 0.7)),
    "arms spread": _form(2.0, _SPREAD, both=True, hold=_LONG, head=_UPWARDS),
    "arms spread high": _form(1.5, _SPREAD_HIGH, both=True, hold=_LONG, head=_UPWARDS),
    "arms spread low": _form(1.0, _SPREAD_LOW, both=True, hold=_LONG, head=_UPWARDS),
    "arms opened from the belly": _form(1.5, _AT_BELLY, _SPREAD, both=True, hold=_LONG, head=_UPWARDS),
    "arms raised ahead": _form(1.0, _AT_BELLY, _AHEAD_HIGH, both=True, times=(1, 3), hold=(0.1, 0.5)),
    "palms pumping up": _form(
        1.5, _AHEAD_HIGH, stroke=(0.0, 0.0, -0.16), beat=True, both=True, frequency=(0.8, 1.8), cycles=(2, 4)
    ),
    "one palm pumping up": _form(
        0.6, _AHEAD_HIGH, stroke=(0.0, 0.0, -0.16), beat=True, frequency=(0.8, 1.8), cycles=(2, 4)
    ),
}

_FIST_UP = Place((0.16, 0.24, 0.76), (0.08, 0.26, 0.94), (0.1, 1.0, -0.4), (-0.6, -0.6, 0.2), opening=0.0)
_FIST_BENT = Place((0.20, 0.24, 0.48), (0.18, 0.30, 0.66), (-0.2, 0.8, -1.0), (-0.6, -0.4, 0.4), opening=0.0)
_FIST_SIDE = Place((0.16, 0.28, 0.20), (0.14, 0.32, 0.26), (-1.0, 0.4, -0.6), (-0.3, 0.2, 1.0), opening=0.0)
_FLEXED = Place((0.06, 0.40, 0.60), (0.02, 0.46, 0.70), (-0.1, 1.0, -0.4), (-0.6, -0.3, 0.4), opening=0.0)
_VEE = Place((0.10, 0.36, 0.80), (0.02, 0.46, 0.90), (0.0, 1.0, -0.3), (-0.5, -0.7, 0.1), opening=0.0)
_PUMP = {"stroke": (0.06, 0.02, -0.20), "beat": True, "frequency": (1.2, 3.0), "cycles": (1, 4)}
_SPRINGY: Range = (0.05, 0.5)
_YAY: Forms = {
    "fist into the air": _form(
        3.0, _FIST_SIDE, _FIST_UP, times=(1, 2), hold=(0.1, 0.7), way=(0.5, 0.3), knees=_SPRINGY
    ),
    "fist pumping high": _form(2.0, _FIST_UP, knees=_SPRINGY, way=(0.6, 0.35), **_PUMP),
    "fist pumping": _form(1.5, _FIST_BENT, knees=_SPRINGY, way=(0.5, 0.35), **_PUMP),
    "fist drawn to the side": _form(
        1.5, _FIST_BENT, _FIST_SIDE, times=(1, 2), hold=(0.2, 0.7), way=(0.5, 0.3)
    ),
    "arms thrown up": _form(2.0, _VEE, both=True, knees=(0.1, 0.6), way=(0.6, 0.35), hold=(0.3, 1.2)),
    "arms pumping high": _form(2.0, _VEE, both=True, knees=_SPRINGY, way=(0.6, 0.35), **_PUMP),
    "arms cheering in turn": _form(
        2.0,
        _FIST_BENT,
        both=True,
        stroke=(-0.02, 0.0, 0.18),
        opposed=True,
        frequency=(1.0, 2.4),
        cycles=(2, 4),
        knees=(0.0, 0.3),
    ),
    "fists shaken": _form(
        1.5, _FIST_BENT, both=True, stroke=(0.02, 0.0, 0.07), frequency=(2.0, 3.2), cycles=(2, 5)
    ),
    "flexed": _form(1.0, _FLEXED, both=True, hold=(0.3, 1.2), way=(0.6, 0.4)),
    "jumping, arms high": _form(
        1.5, _VEE, both=True, stroke=(0.02, 0.0, -0.10), knees=(0.3, 0.8), frequency=(1.2, 2.2), cycles=(1, 4)
    ),
}

_CROWN = Place((0.02, 0.13, 0.72), (-0.02, 0.15, 0.76), (0.3, 1.0, 0.1), (-0.6, 0.0, -0.5), 0.4)
_NAPE = Place((-0.04, 0.17, 0.62), (-0.06, 0.18, 0.68), (0.2, 1.0, 0.1), (0.0, -0.2, -1.0), 0.4)
_TEMPLE = Place((0.08, 0.17, 0.60), (0.06, 0.18, 0.66), (0.3, 1.0, -0.6), (-0.8, 0.0, 0.2), 0.3)
_BROW = Place((0.17, 0.10, 0.60), (0.16, 0.12, 0.66), (0.4, 0.9, -0.8), (-0.5, -0.4, 0.1), 0.3)
_JAW = Place((0.18, 0.10, 0.44), (0.18, 0.10, 0.52), (0.0, 0.6, -1.0), (-0.6, 0.4, 0.6), 0.1)
_EARS = Place((0.04, 0.18, 0.58), (0.02, 0.19, 0.62), (0.2, 1.0, -0.4), (-0.7, 0.0, 0.4), 0.2)
_RUB = {"stroke": (0.0, 0.015, 0.03), "frequency": (1.5, 4.0), "cycles": (2, 5)}
_GAZE: Mapping[str, Range] = {"head_yaw": (-0.3, 0.3), "head_pitch": (0.25, -0.15), "head_roll": (-0.1, 0.15)}
_GRABHEAD: Forms = {
    "scratching the crown": _form(2.0, _CROWN, head=_GAZE, **_RUB),
    "scratching the nape": _form(1.5, _NAPE, head=_GAZE, **_RUB),
    "scratching the temple": _form(2.0, _TEMPLE, head=_GAZE, **_RUB),
    "hand on the crown": _form(1.0, _CROWN, head=_GAZE, hold=_LONG),
    "hand on the temple": _form(1.5, _TEMPLE, head=_GAZE, hold=_LONG),
    "hand on the brow": _form(1.5, _BROW, head=_GAZE, hold=_LONG),
    "hand on the jaw": _form(1.5, _JAW, head=_GAZE, hold=_LONG),
    "both hands on the crown": _form(1.0, _CROWN, both=True, head=_GAZE, hold=_LONG),
    "both hands at the temples": _form(1.5, _TEMPLE, both=True, head=_GAZE, hold=_LONG),
    "both hands over the ears": _form(1.0, _EARS, both=True, head=_GAZE, hold=_LONG),
    "both hands before the face": _form(1.5, _BROW, both=True, head=_GAZE, hold=_LONG),
}

_ASIDE = Place((0.16, 0.40, 0.12), (0.10, 0.50, 0.28), (-0.3, 0.0, -1.0), _OUT, -0.3)
_ASIDE_LEVEL = Place((0.10, 0.46, 0.14), (0.04, 0.52, 0.20), (-0.2, 0.0, -1.0), _OUT, -0.3)
_ASIDE_LOW = Place((0.12, 0.36, -0.02), (0.10, 0.44, 0.08), (-0.5, 0.1, -1.0), _OUT, -0.3)
_ASIDE_AHEAD = Place((0.28, 0.26, 0.12), (0.26, 0.34, 0.26), (-0.4, 0.1, -1.0), _UP, -0.3)
_LIFT: Mapping[str, Range] = {"head_roll": (-0.2, 0.2), "left_lift": (0.0, 0.3), "right_lift": (0.0, 0.3)}
_NO_LIFT: Mapping[str, Range] = {"head_roll": (-0.2, 0.2), "head_pitch": (-0.1, 0.1)}
_SHRUG: Forms = {
    "forearms opened": _form(2.5, _ASIDE, both=True, hold=_LONG, head=_NO_LIFT),
    "forearms opened, shoulders up": _form(2.0, _ASIDE, both=True, hold=(0.2, 0.9), head=_LIFT),
    "forearms level": _form(2.0, _ASIDE_LEVEL, both=True, hold=_LONG, head=_NO_LIFT),
    "forearms low": _form(1.0, _ASIDE_LOW, both=True, hold=_LONG, head=_LIFT),
    "forearms ahead": _form(1.5, _ASIDE_AHEAD, both=True, hold=_LONG, head=_NO_LIFT),
    "from the belly": _form(1.0, _ASIDE_AHEAD, _ASIDE, both=True, hold=_LONG, head=_LIFT),
    "opened twice": _form(0.6, _ASIDE_AHEAD, _ASIDE_LEVEL, both=True, times=(2, 2), hold=(0.1, 0.3)),
    "one forearm": _form(0.6, _ASIDE, hold=(0.2, 0.9), head=_LIFT),
}

_NOD: Forms = {
    "faint": _looking(2.0, "head_pitch", (0.10, 0.24)),
    "plain": _looking(2.0, "head_pitch", (0.18, 0.40)),
    "deep": _looking(1.0, "head_pitch", (0.35, 0.65), frequency=(0.5, 1.4), cycles=(1.0, 2.0)),
    "trunk and all": _looking(1.0, "head_pitch", (0.12, 0.35), also={"lean": 0.25}),
}
_SHAKEHEAD: Forms = {
    "faint": _looking(2.0, "head_yaw", (0.10, 0.28)),
    "plain": _looking(2.0, "head_yaw", (0.22, 0.60)),
    "wide": _looking(1.0, "head_yaw", (0.45, 0.90), frequency=(0.4, 1.0), cycles=(1.0, 2.0)),
    "uneven": _looking(1.5, "head_yaw", (0.20, 0.60), uneven=True),
    "trunk and all": _looking(1.0, "head_yaw", (0.15, 0.50), also={"turn": 0.25}),
    "rolling": _looking(0.8, "head_yaw", (0.15, 0.45), also={"head_roll": 0.3}),
}

_BELT = Place((0.22, 0.14, 0.04), (0.30, 0.22, 0.18), (-0.5, 0.5, -1.0), (0.0, 0.3, 1.0), spread=0.04)
_BREAST = Place((0.22, 0.12, 0.16), (0.30, 0.20, 0.34), (-0.4, 0.6, -1.0), (0.0, 0.1, 1.0), spread=0.04)
_HEART = Place((0.18, 0.06, 0.26), (0.18, 0.07, 0.34), (-0.1, 1.0, -0.7), (0.0, 0.1, 1.0), 0.3, spread=0.02)
_HIP = Place((0.02, 0.24, 0.03), (0.00, 0.25, 0.03), (-0.5, 1.0, 0.0), (-0.9, 0.1, 0.3), spread=0.02)
_CLASPED = Place((0.22, 0.08, 0.00), (0.22, 0.09, 0.10), (-0.4, 0.8, -0.4), (0.3, -0.6, 0.8), spread=0.02)
_TALK = {"frequency": (0.8, 2.2), "cycles": (2, 5), "beat": True}
_TALKING: Mapping[str, Range] = {"head_yaw": (-0.25, 0.25), "head_pitch": (-0.1, 0.12)}
_NEUTRAL: Forms = {
    "both hands talk": _form(3.0, _BELT, both=True, stroke=(0.04, 0.03, 0.06), head=_TALKING, **_TALK),
    "both hands talk, high": _form(
        1.5, _BREAST, both=True, stroke=(0.04, 0.04, 0.07), head=_TALKING, **_TALK
    ),
    "hands talk in turn": _form(
        1.5, _BELT, both=True, stroke=(0.04, 0.03, 0.06), opposed=True, head=_TALKING, frequency=(0.6, 1.6)
    ),
    "hands roam": _form(2.0, _BELT, _BREAST, _BELT, both=True, hold=(0.05, 0.4), head=_TALKING),
    "one hand talks": _form(2.0, _BREAST, stroke=(0.05, 0.05, 0.06), head=_TALKING, **_TALK),
    "one hand roams": _form(1.5, _BREAST, _BELT, _BREAST, hold=(0.05, 0.4), head=_TALKING),
    "hand to the heart": _form(1.5, _HEART, hold=_LONG, head=_TALKING),
    "hands clasped": _form(2.0, _CLASPED, both=True, hold=(1.0, 2.5), head=_TALKING),
    "hand on the hip": _form(1.5, _HIP, hold=(1.0, 2.5), head=_TALKING),
    "hands on the hips": _form(0.8, _HIP, both=True, hold=(1.0, 2.5), head=_TALKING),
}

_ANYWHERE = Place((0.10, 0.16, 0.00), (0.40, 0.40, 0.60), spread=0.12)
_FLAT_AHEAD = Place((0.42, 0.14, 0.36), (0.48, 0.18, 0.50), (-0.2, 0.4, -1.0), _PALM, -0.6)
_PUNCH = Place((0.18, 0.16, 0.36), (0.20, 0.18, 0.44), _BELOW, (0.0, -0.8, 0.4), opening=0.0)
_WEIGHED = Place((0.24, 0.20, 0.12), (0.28, 0.30, 0.24), _BELOW, _UP, -0.2)
_BECKON = Place((0.30, 0.14, 0.24), (0.44, 0.30, 0.46), _BELOW, _UP)
_OTHER: Forms = {
    "from place to place": _form(1.5, _ANYWHERE, _ANYWHERE, _ANYWHERE, hold=(0.05, 0.5)),
    "both from place to place": _form(1.0, _ANYWHERE, _ANYWHERE, _ANYWHERE, both=True, hold=(0.05, 0.5)),
    "stop": _form(1.0, _FLAT_AHEAD, hold=_LONG),
    "pushing": _form(0.8, _PUNCH, _FLAT_AHEAD, both=True, times=(1, 2), hold=(0.1, 0.4)),
    "boxing": _form(
        1.0, _PUNCH, both=True, stroke=(0.26, -0.06, 0.06), opposed=True, frequency=(1.0, 2.5), cycles=(2, 5)
    ),
    "weighing": _form(
        1.5, _WEIGHED, both=True, stroke=(0.0, 0.0, 0.10), opposed=True, frequency=(0.4, 1.2), cycles=(1, 3)
    ),
    "beckoning from the elbow": _form(
        1.5, _BECKON, swing={"elbow": (0.3, 0.9), "flexion": (0.1, 0.5)}, beat=True, frequency=(0.7, 2.0)
    ),
    "glancing": _looking(2.0, "head_yaw", (0.4, 1.0), cycles=(0.5, 1.0), frequency=(0.15, 0.4)),
    "looking down": _looking(1.0, "head_pitch", (0.3, 0.7), cycles=(0.5, 1.0), frequency=(0.15, 0.4)),
}

MORE: Mapping[str, Forms] = {
    "wave": _WAVE,
    "point": _POINT,
    "uplift": _UPLIFT,
    "yay": _YAY,
    "grabhead": _GRABHEAD,
    "shrug": _SHRUG,
    "nod": _NOD,
    "shakehead": _SHAKEHEAD,
    "neutral": _NEUTRAL,
    OTHER: _OTHER,
}
"""Label -> forms beside `PERFORMANCES` and `DISTRACTORS`."""
