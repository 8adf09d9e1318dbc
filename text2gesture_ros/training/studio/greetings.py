"""Greetings: waving and shaking hands."""

from collections.abc import Mapping
from functools import partial

from text2gesture_ros.training.studio.body import SIDES
from text2gesture_ros.training.studio.manner import Forms, Manner, Place, Range, arm, arms
from text2gesture_ros.training.studio.score import Score

# A raised hand shows its palm: the thumb points inward.
_PALM = (0.0, -1.0, 0.2)
_BESIDE = Place((0.20, 0.33, 0.60), (0.16, 0.42, 0.74), thumb=_PALM, opening=0.35, elbow=(-0.1, 0.5, -1.0))
_FRONT = Place((0.27, 0.16, 0.56), (0.26, 0.22, 0.68), thumb=_PALM, opening=0.35, elbow=(0.1, 0.6, -1.0))
_OVERHEAD = Place((0.12, 0.28, 0.82), (0.05, 0.34, 0.96), thumb=_PALM, opening=0.35, elbow=(0.2, 1.0, -0.3))
_STRAIGHT_UP = Place(
    (0.14, 0.26, 0.90), (0.08, 0.30, 0.98), thumb=_PALM, opening=0.35, elbow=(0.2, 1.0, -0.3)
)
_SHOULDER = Place((0.20, 0.24, 0.42), (0.22, 0.32, 0.54), thumb=_PALM, opening=0.3)
_CHEST = Place((0.24, 0.18, 0.32), (0.26, 0.24, 0.42), thumb=_PALM, opening=0.3)
_STRETCHED = Place((0.38, 0.20, 0.62), (0.34, 0.28, 0.76), thumb=_PALM, opening=0.3)


def _wave(
    manner: Manner,
    place: Place,
    swing: Mapping[str, Range],
    *,
    aside: Range = (0.0, 0.0),
    frequency: Range = (1.7, 2.6),
    cycles: tuple[int, int] = (2, 4),
    both: bool = False,
    beat: bool = False,
) -> Score:
    """Raise a hand, swing it, take it down.

    Args:
        manner: how.
        place: where the hand is raised to.
        swing: channel -> amplitude [rad].
        aside: how much the hand moves outward and inward [m].
        frequency: [Hz].
        cycles: how many.
        both: both hands.
        beat: swing from the place to one side of it only.
    """
    score = manner.score()
    sides = SIDES if both else (manner.side,)
    hand = manner.hand(place)
    way = manner.way(0.84, 0.68, hand)
    score.move(arms(hand.angles(), sides), way, overshoot=0.03)
    change = hand.change((0.0, manner.between(*aside), 0.0))
    for channel, amplitude in swing.items():
        change[channel] = change.get(channel, 0.0) + manner.between(*amplitude)
    rate = manner.between(*frequency)
    # A wave overhead takes long to come and go, so it has fewer swings.
    count = min(manner.count(*cycles), max(1, round((2.9 - 2.0 * way) * rate)))
    # Some tilt the head towards the waving hand, and look up a little.
    lean = {
        "head_roll": -manner.sign * manner.between(0.0, 0.10),
        "tilt": -manner.sign * manner.between(0.0, 0.04),
        "head_yaw": manner.sign * float(manner.generator.normal(0.0, 0.06)),
    }
    score.accent(lean, 0.1, 0.6, score.clock + count / rate + 0.4, 0.5)
    score.clock -= 0.06
    score.swing(arms(change, sides), count, rate, beat=beat)
    score.rest(1.02 * way)
    return score


_FOLLOWS = {"deviation": (-0.08, -0.22)}  # the hand is dragged along by the forearm
_WAGS = {"deviation": (0.28, 0.42), "twist": (0.05, 0.2)}

WAVE: Forms = {
    "side to side": (2.0, partial(_wave, place=_BESIDE, swing=_FOLLOWS, aside=(0.05, 0.14))),
    "before the face": (1.0, partial(_wave, place=_FRONT, swing=_FOLLOWS, aside=(0.05, 0.13))),
    "from the elbow": (1.5, partial(_wave, place=_SHOULDER, swing={"swivel": (0.20, 0.42)} | _FOLLOWS)),
    "whole arm overhead": (
        1.5,
        partial(
            _wave,
            place=_STRAIGHT_UP,
            swing={"abduction": (0.25, 0.55), "deviation": (-0.05, -0.2)},
            frequency=(0.8, 1.4),
            cycles=(1, 3),
        ),
    ),
    "high from the elbow": (1.0, partial(_wave, place=_OVERHEAD, swing=_FOLLOWS, aside=(0.07, 0.14))),
    "small at the shoulder": (1.5, partial(_wave, place=_SHOULDER, swing=_FOLLOWS, aside=(0.025, 0.06))),
    "small at the chest": (1.0, partial(_wave, place=_CHEST, swing=_FOLLOWS, aside=(0.03, 0.07))),
    "wrist only": (1.0, partial(_wave, place=_BESIDE, swing=_WAGS, frequency=(2.0, 3.0), cycles=(3, 4))),
    "turning hand": (
        0.5,
        partial(_wave, place=_SHOULDER, swing={"twist": (0.35, 0.7)}, frequency=(1.4, 2.2)),
    ),
    "bye-bye": (
        1.0,
        partial(_wave, place=_SHOULDER, swing={"flexion": (0.6, 1.0)}, frequency=(1.8, 2.8), beat=True),
    ),
    "stretched out": (1.0, partial(_wave, place=_STRETCHED, swing=_FOLLOWS, aside=(0.06, 0.14))),
    "raised palm": (0.5, partial(_wave, place=_BESIDE, swing={"deviation": (0.05, 0.15)}, cycles=(1, 2))),
    "both hands": (1.0, partial(_wave, place=_BESIDE, swing=_FOLLOWS, aside=(0.05, 0.13), both=True)),
    "both overhead": (
        0.5,
        partial(_wave, place=_OVERHEAD, swing=_FOLLOWS, aside=(0.08, 0.15), frequency=(1.3, 1.9), both=True),
    ),
}

_OFFERED = Place((0.35, 0.08, 0.10), (0.43, 0.10, 0.22), elbow=(-0.4, 0.4, -1.0), thumb=(0.0, -0.15, 1.0))


def _handshake(
    manner: Manner,
    pump: Range = (0.025, 0.06),
    *,
    frequency: Range = (1.8, 2.8),
    cycles: tuple[int, int] = (2, 4),
    bow: Range = (0.04, 0.09),
    both: bool = False,
    duration: Range = (0.70, 0.54),
) -> Score:
    """The right hand goes forward at belly height and shakes up and down; the other may join.

    Args:
        manner: how; people shake hands with the right, whichever they prefer.
        pump: how much the hand goes up and down [m]; 0: it is only offered.
        frequency: [Hz].
        cycles: how many.
        bow: how much the trunk leans forward [rad].
        both: the left hand takes hold too.
        duration: of the way there [s].
    """
    score = manner.score()
    hand = manner.hand(_OFFERED)
    lean = manner.between(*bow)
    shape = arm("right", hand.angles())
    lift = (0.0, 0.0, manner.between(*pump))
    change = arm("right", hand.change(lift))
    if both:
        beside = (0.33, 0.03, float(hand.wrist[2]) - 0.01)
        joining = manner.hand(Place(beside, beside, (-0.4, 0.6, -1.0), (0.0, -0.5, 1.0), spread=0.01))
        shape |= arm("left", joining.angles())
        change |= arm("left", joining.change(lift))
    way = manner.between(*duration)
    score.move({**shape, "lean": lean, "turn": manner.between(0.04, 0.12)}, way, overshoot=0.03)
    nodding = manner.between(0.06, 0.16) + 0.8 * max(lean - 0.1, 0.0)
    score.accent({"head_pitch": nodding}, score.clock - 0.1, 0.25, score.clock + 0.6, 0.3)
    if pump[1] > 0.0:
        score.swing(change, manner.count(*cycles), manner.between(*frequency))
        score.hold(manner.between(0.1, 0.15))
    else:
        score.hold(manner.between(0.8, 0.6))
    score.rest(manner.between(0.76, 0.58))
    return score


HANDSHAKE: Forms = {
    "plain": (2.0, _handshake),
    "hearty": (1.0, partial(_handshake, pump=(0.05, 0.09), cycles=(3, 4))),
    "both hands": (1.0, partial(_handshake, both=True)),
    "with a bow": (1.0, partial(_handshake, bow=(0.18, 0.32))),
    "slow": (1.0, partial(_handshake, frequency=(1.0, 1.5), cycles=(1, 2), duration=(0.95, 0.8))),
    "one shake": (1.0, partial(_handshake, pump=(0.04, 0.07), cycles=(1, 1), frequency=(1.4, 1.9))),
    "offered only": (1.0, partial(_handshake, pump=(0.0, 0.0))),
}
