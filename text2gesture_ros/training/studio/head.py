"""The head says yes or no."""

from functools import partial

from text2gesture_ros.training.studio.body import SIDES
from text2gesture_ros.training.studio.manner import Forms, Manner, Place, Range, arms
from text2gesture_ros.training.studio.score import Score


def _nod(
    manner: Manner,
    depth: Range,
    cycles: tuple[int, int] = (1, 1),
    frequency: Range = (1.0, 1.6),
    *,
    bow: Range = (0.0, 0.03),
    to_and_fro: bool = False,
) -> Score:
    """The head goes down and up.

    Args:
        manner: how.
        depth: how far down [rad]; negative: up first.
        cycles: how often.
        frequency: [Hz].
        bow: how much the trunk goes along [rad].
        to_and_fro: as far up as down, instead of down and back.
    """
    score = manner.score()
    change = {"head_pitch": manner.between(*depth), "lean": manner.between(*bow)}
    score.hold(manner.between(0.12, 0.08))
    if not to_and_fro:
        # A person lifts the head slightly before a nod.
        score.accent({"head_pitch": -0.14 * change["head_pitch"]}, 0.0, 0.22, 0.5, 0.25)
        score.hold(0.1)
    score.swing(change, manner.count(*cycles), manner.between(*frequency), beat=not to_and_fro)
    score.hold(manner.between(0.25, 0.15))
    return score


NOD: Forms = {
    "once": (1.5, partial(_nod, depth=(0.26, 0.45))),
    "twice": (1.5, partial(_nod, depth=(0.22, 0.42), cycles=(2, 2), frequency=(1.2, 1.8))),
    "several": (2.0, partial(_nod, depth=(0.18, 0.36), cycles=(3, 4), frequency=(1.4, 2.1))),
    "small and fast": (1.5, partial(_nod, depth=(0.10, 0.20), cycles=(3, 5), frequency=(2.0, 2.8))),
    "deep and slow": (1.0, partial(_nod, depth=(0.42, 0.66), cycles=(1, 2), frequency=(0.65, 0.95))),
    "with the trunk": (
        1.0,
        partial(_nod, depth=(0.24, 0.40), cycles=(1, 3), frequency=(1.0, 1.6), bow=(0.08, 0.18)),
    ),
    "up first": (0.6, partial(_nod, depth=(-0.18, -0.34), cycles=(1, 2), frequency=(1.1, 1.6))),
    "to and fro": (
        1.5,
        partial(_nod, depth=(0.14, 0.28), cycles=(2, 4), frequency=(0.9, 1.8), to_and_fro=True),
    ),
    "slowly to and fro": (
        0.7,
        partial(_nod, depth=(0.16, 0.30), cycles=(1, 2), frequency=(0.45, 0.8), to_and_fro=True),
    ),
}

# A flat hand that refuses shows its palm; fingers up, or the forearm level.
_REFUSING = Place((0.28, 0.20, 0.24), (0.34, 0.24, 0.38), thumb=(0.0, -0.9, 0.5), flexion=-0.5)
_LEVEL = Place((0.30, 0.12, 0.14), (0.36, 0.14, 0.26), thumb=(-0.3, -1.0, 0.0), flexion=-0.1)
_WAGGING = Place((0.26, 0.18, 0.40), (0.28, 0.20, 0.54), thumb=(0.0, -1.0, 0.2), opening=0.0)
_ASTRIDE = Place((0.31, 0.16, 0.20), (0.35, 0.17, 0.32), thumb=(0.0, -0.9, 0.4), flexion=-0.35)


def _shake(
    manner: Manner,
    width: Range = (0.26, 0.50),
    cycles: tuple[float, float] = (2.0, 3.0),
    frequency: Range = (1.2, 1.8),
    *,
    bowed: Range = (0.12, 0.02),
    place: Place | None = None,
    both: bool = False,
    aside: Range = (0.05, 0.10),
    wag: Range = (0.0, 0.0),
) -> Score:
    """The head turns left and right; hands may say no along with it.

    Args:
        manner: how.
        width: how far to either side [rad].
        cycles: how often, in halves.
        frequency: [Hz].
        bowed: how far down the face is meanwhile [rad].
        place: where a refusing hand is raised to; None: the arms stay.
        both: both hands refuse.
        aside: how much the hand moves out and in [m].
        wag: how much the hand wags from the wrist [rad].
    """
    score = manner.score()
    rate = manner.between(*frequency)
    count = manner.count(round(2 * cycles[0]), round(2 * cycles[1])) / 2.0
    sign = manner.either()
    start = manner.between(0.18, 0.1)
    if place is not None:
        sides = SIDES if both else (manner.side,)
        hand = manner.hand(place)
        score.move(arms(hand.angles(), sides), manner.between(0.58, 0.45))
        start = score.clock - 0.15
        change = hand.change((0.0, manner.between(*aside), 0.0))
        change["deviation"] = change.get("deviation", 0.0) + manner.between(*wag)
        score.swing(arms(change, sides), max(count, 1.5), rate * manner.between(1.0, 1.15), start=start)
    turning = {"head_yaw": sign * manner.between(*width), "turn": sign * manner.between(0.01, 0.05)}
    turning["head_roll"] = float(manner.generator.normal(0.0, 0.03))
    score.swing(turning, count, rate, start=start)
    score.accent({"head_pitch": manner.between(*bowed)}, 0.0, 0.4, start + count / rate + 0.35, 0.4)
    score.clock = max(start + max(count, 1.5 if place else 0.0) / rate, score.clock)
    if place is not None:
        score.rest(manner.between(0.64, 0.52))
    return score


SHAKEHEAD: Forms = {
    "once and a half": (1.5, partial(_shake, cycles=(1.0, 1.5), width=(0.32, 0.58), frequency=(1.0, 1.5))),
    "several": (2.5, _shake),
    "small": (1.5, partial(_shake, width=(0.13, 0.24), cycles=(2.0, 4.0), frequency=(1.6, 2.4))),
    "slow and wide": (1.5, partial(_shake, width=(0.45, 0.85), cycles=(1.0, 1.5), frequency=(0.55, 0.85))),
    "looking down": (1.0, partial(_shake, bowed=(0.45, 0.25), frequency=(0.9, 1.4), cycles=(1.5, 2.0))),
    "hand refusing": (1.0, partial(_shake, place=_REFUSING)),
    "level hand": (0.7, partial(_shake, place=_LEVEL, aside=(0.08, 0.14), cycles=(1.0, 2.0))),
    "finger wagging": (0.7, partial(_shake, place=_WAGGING, aside=(0.02, 0.05), wag=(0.2, 0.35))),
    "both hands": (0.8, partial(_shake, place=_REFUSING, both=True)),
    "hands crossing": (
        0.8,
        partial(
            _shake, place=_ASTRIDE, both=True, aside=(0.09, 0.12), cycles=(1.0, 2.0), frequency=(1.0, 1.4)
        ),
    ),
}
