"""Showing: pointing at something, and the thumb that says good."""

from functools import partial

import numpy as np

from text2gesture_ros.skeleton import INDEX, REFERENCE
from text2gesture_ros.training.studio.body import SIDES
from text2gesture_ros.training.studio.manner import Forms, Manner, Place, Range, Triple, arm, arms
from text2gesture_ros.training.studio.score import Score

_SHOULDER = REFERENCE[INDEX["left_shoulder"]]


def _stretched(direction: Triple, thumb: Triple = (0.0, -0.7, 0.7), extent: Range = (0.51, 0.54)) -> Place:
    """Return the place of a hand stretched out in a direction, `extent` [m] from the shoulder."""
    unit = np.asarray(direction) / np.linalg.norm(direction)
    faint, grand = (tuple(float(x) for x in _SHOULDER + length * unit) for length in extent)
    return Place(faint, grand, (-0.3, 0.3, -1.0), thumb, opening=0.0, spread=0.04)  # type: ignore[arg-type]


def _point(
    manner: Manner,
    place: Place,
    looking: tuple[Range, Range] = ((0.0, 0.0), (0.0, 0.0)),
    *,
    turn: Range = (0.0, 0.0),
    jabs: tuple[int, int] = (0, 0),
    sweep: Triple = (0.0, 0.0, 0.0),
    duration: Range = (0.78, 0.60),
) -> Score:
    """An arm points; eyes and head are there first.

    Args:
        manner: how.
        place: where the hand goes.
        looking: yaw towards the pointing side and pitch of the head [rad].
        turn: of the whole body, legs and all, towards that side [rad].
        jabs: how often the forearm jabs.
        sweep: how much the hand moves on while it points [m].
        duration: of the way there [s].
    """
    score = manner.score()
    hand = manner.hand(place)
    yaw, pitch = (manner.between(*angle) * float(manner.generator.uniform(0.3, 1.1)) for angle in looking)
    bodily = manner.between(*turn)
    head = {
        "head_yaw": manner.sign * yaw,
        "turn": manner.sign * (0.2 * yaw + 0.6 * bodily),
        "yaw": manner.sign * 0.4 * bodily,
        "head_pitch": pitch,
        "lean": manner.between(0.0, 0.04),
    }
    way = manner.way(*duration, hand)
    score.move(head, 0.06 + way)
    score.clock = 0.06
    score.move(arm(manner.side, hand.angles()), way, overshoot=0.04)
    if jabs[1]:
        score.swing(
            {f"{manner.side}_elbow": manner.between(0.12, 0.28)},
            manner.count(*jabs),
            manner.between(1.8, 2.6),
            beat=True,
        )
        score.hold(0.12)
    elif any(sweep):
        score.move(arm(manner.side, hand.angles(sweep)), manner.between(0.7, 0.55))
    else:
        score.hold(manner.between(0.45, 0.65, 0.25))
    score.rest(1.08 * way)
    return score


def _both_sides(manner: Manner) -> Score:
    """One arm points to its side, then the other to the other."""
    score = manner.score()
    place = _stretched((0.4, 1.0, -0.1), (0.6, 0.0, 0.6), (0.44, 0.52))
    for side, sign in ((manner.side, manner.sign), (manner.other, -manner.sign)):
        hand = arm(side, manner.hand(place).angles())
        score.move({**hand, "head_yaw": sign * manner.between(0.2, 0.5)}, manner.between(0.66, 0.56))
        score.hold(manner.between(0.12, 0.18))
        score.rest(manner.between(0.70, 0.60))
        score.clock -= 0.25  # the second arm starts while the first goes down
    return score


def _two_arms(manner: Manner) -> Score:
    """Both arms point the same way, forearms parallel, as to usher people along."""
    score = manner.score()
    near = manner.hand(Place((0.20, 0.38, 0.14), (0.20, 0.46, 0.26), thumb=(0.2, 0.2, 1.0)))
    far = manner.hand(Place((0.30, -0.06, 0.16), (0.32, -0.10, 0.26), thumb=(0.2, 0.2, 1.0)))
    looking = {"head_yaw": manner.sign * manner.between(0.2, 0.5), "turn": manner.sign * 0.12}
    hands = arm(manner.side, near.angles()) | arm(manner.other, far.angles())
    score.move({**hands, **looking}, manner.between(0.76, 0.6), overshoot=0.04)
    score.hold(manner.between(0.4, 0.6, 0.25))
    score.rest(manner.between(0.8, 0.66))
    return score


_LEVEL = (0.6, 0.0, 0.6)  # thumb of a hand that points aside
_AT_SELF = Place((0.20, 0.14, 0.25), (0.22, 0.15, 0.33), (0.0, 1.0, -0.7), (0.0, 0.1, 1.0), 0.75, spread=0.01)
_BENT_ASIDE = Place((0.18, 0.30, 0.26), (0.18, 0.38, 0.38), (-0.4, 0.2, -1.0), (0.2, -0.4, 0.9), opening=0.0)
_BENT_LOW = Place((0.20, 0.27, 0.05), (0.24, 0.36, 0.13), (-0.6, 0.2, -1.0), (0.2, -0.3, 0.9), opening=0.0)
_BENT_AHEAD = Place((0.25, 0.14, 0.17), (0.32, 0.13, 0.30), (-0.5, 0.3, -1.0), (0.0, -0.4, 0.9), opening=0.0)
_INDEX_UP = Place((0.18, 0.24, 0.48), (0.18, 0.28, 0.64), thumb=(-0.3, -1.0, 0.1), opening=0.0)
_OPEN_ASIDE = Place((0.22, 0.34, 0.12), (0.22, 0.46, 0.26), thumb=(0.3, 0.8, 0.5))
_AHEAD = _stretched((1.0, -0.12, -0.12))

POINT: Forms = {
    "aside": (
        1.5,
        partial(_point, place=_stretched((0.45, 1.0, -0.05), _LEVEL), looking=((0.3, 0.7), (0, 0))),
    ),
    "straight aside": (
        0.7,
        partial(_point, place=_stretched((0.0, 1.0, 0.0), _LEVEL), looking=((0.5, 0.9), (0, 0))),
    ),
    "aside and up": (
        0.8,
        partial(_point, place=_stretched((0.4, 0.8, 0.55), _LEVEL), looking=((0.3, 0.6), (-0.1, -0.25))),
    ),
    "aside and down": (
        0.8,
        partial(_point, place=_stretched((0.5, 0.7, -0.7), _LEVEL), looking=((0.3, 0.5), (0.15, 0.3))),
    ),
    "across": (
        1.0,
        partial(
            _point,
            place=_stretched((0.75, -0.7, -0.05), (0.3, 0.0, 1.0), (0.47, 0.52)),
            looking=((-0.3, -0.6), (0, 0)),
        ),
    ),
    "ahead": (1.2, partial(_point, place=_AHEAD)),
    "jabbed": (0.8, partial(_point, place=_AHEAD, jabs=(1, 3))),
    "up": (0.8, partial(_point, place=_stretched((0.5, 0.15, 1.2)), looking=((0.0, 0.1), (-0.2, -0.4)))),
    "up and behind": (
        0.8,
        partial(
            _point,
            place=_stretched((-0.35, 0.55, 0.8), (0.0, 0.0, 1.0), (0.48, 0.53)),
            looking=((0.4, 0.8), (-0.1, -0.2)),
            turn=(0.2, 0.7),
        ),
    ),
    "behind": (
        0.5,
        partial(
            _point,
            place=_stretched((-0.45, 0.8, 0.1), (0.2, 0.2, 1.0), (0.46, 0.52)),
            looking=((0.5, 0.9), (0, 0)),
            turn=(0.3, 0.8),
        ),
    ),
    "down": (0.7, partial(_point, place=_stretched((0.8, 0.1, -0.75)), looking=((0, 0), (0.25, 0.45)))),
    "at self": (0.8, partial(_point, place=_AT_SELF, looking=((0, 0), (0.05, 0.12)))),
    "bent aside": (1.2, partial(_point, place=_BENT_ASIDE, looking=((0.0, 0.4), (0, 0)))),
    "bent low": (1.0, partial(_point, place=_BENT_LOW, looking=((0.0, 0.3), (0.0, 0.15)))),
    "bent ahead": (1.0, partial(_point, place=_BENT_AHEAD)),
    "finger up": (0.5, partial(_point, place=_INDEX_UP, looking=((0, 0), (-0.05, -0.2)))),
    "open hand": (0.8, partial(_point, place=_OPEN_ASIDE, looking=((0.1, 0.5), (0, 0)))),
    "sweeping": (
        0.6,
        partial(
            _point,
            place=_stretched((1.0, 0.1, -0.15), _LEVEL, (0.44, 0.50)),
            sweep=(-0.22, 0.30, 0.0),
            looking=((0.2, 0.6), (0, 0)),
        ),
    ),
    "both sides": (0.7, _both_sides),
    "two arms": (0.5, _two_arms),
}

_UPRIGHT = (-0.15, 0.0, 1.0)
_FIST = (-0.3, 0.5, -1.0)


def _thumb_place(faint: Triple, grand: Triple) -> Place:
    return Place(faint, grand, _FIST, _UPRIGHT, flexion=0.1, opening=0.75)


_NEAR = _thumb_place((0.22, 0.13, 0.25), (0.30, 0.16, 0.36))
_MIDDLE = _thumb_place((0.33, 0.15, 0.24), (0.42, 0.18, 0.40))
_FAR = _thumb_place((0.42, 0.13, 0.36), (0.47, 0.17, 0.50))
_LOW = _thumb_place((0.19, 0.25, 0.02), (0.26, 0.26, 0.12))
_HIGH = _thumb_place((0.30, 0.18, 0.46), (0.37, 0.23, 0.60))
_ASIDE = _thumb_place((0.22, 0.34, 0.30), (0.24, 0.42, 0.46))


def _thumbsup(
    manner: Manner,
    place: Place,
    *,
    shakes: tuple[int, int] = (0, 0),
    thrust: bool = False,
    both: bool = False,
) -> Score:
    """A fist with the thumb up, held, shaken or thrust forward.

    Args:
        manner: how.
        place: where the fist goes.
        shakes: how often it goes up and down.
        thrust: it comes from nearer to the chest, with a stop.
        both: both fists.
    """
    score = manner.score()
    sides = SIDES if both else (manner.side,)
    hand = manner.hand(place)
    looking = {
        "head_pitch": manner.between(0.06, -0.05),
        "head_roll": float(manner.generator.normal(0.0, 0.04)),
    }
    if thrust:
        score.move(arms(hand.angles((-0.14, 0.0, -0.03)), sides), manner.between(0.56, 0.44))
        score.move({**arms(hand.angles(), sides), **looking}, manner.between(0.34, 0.24), overshoot=0.10)
    else:
        score.move({**arms(hand.angles(), sides), **looking}, manner.way(0.72, 0.52, hand), overshoot=0.05)
    hold = manner.between(0.5, 0.75, 0.25)
    end = score.clock + hold
    if manner.chance(0.5):
        nod = manner.between(0.05, 0.16)
        score.accent({"head_pitch": nod}, score.clock, 0.2, score.clock + 0.45, 0.22)
    if shakes[1]:
        lift = (0.03, 0.0, manner.between(0.03, 0.07))
        score.swing(
            arms(hand.change(lift), sides), manner.count(*shakes), manner.between(1.8, 2.8), beat=True
        )
    score.clock = max(score.clock, end)
    score.rest(manner.between(0.76, 0.58))
    return score


THUMBSUP: Forms = {
    "before the chest": (1.5, partial(_thumbsup, place=_MIDDLE)),
    "near the chest": (1.5, partial(_thumbsup, place=_NEAR)),
    "arm stretched": (1.5, partial(_thumbsup, place=_FAR)),
    "high": (1.0, partial(_thumbsup, place=_HIGH)),
    "low at the hip": (1.0, partial(_thumbsup, place=_LOW)),
    "aside": (0.7, partial(_thumbsup, place=_ASIDE)),
    "shaken": (1.2, partial(_thumbsup, place=_MIDDLE, shakes=(2, 3))),
    "thrust": (1.0, partial(_thumbsup, place=_FAR, thrust=True)),
    "both": (1.0, partial(_thumbsup, place=_MIDDLE, both=True)),
    "both shaken": (0.5, partial(_thumbsup, place=_NEAR, shakes=(1, 3), both=True)),
    "both high": (0.5, partial(_thumbsup, place=_HIGH, both=True)),
}
