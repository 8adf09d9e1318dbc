"""Plain talk: small beats of the hands, small moves of the head, and standing there."""

from functools import partial

from text2gesture_ros.training.studio.body import SIDES
from text2gesture_ros.training.studio.manner import Forms, Manner, Place, Range, Triple, arm, arms
from text2gesture_ros.training.studio.score import Score

_ELBOW = (-0.5, 0.5, -1.0)
_BEATING = Place((0.24, 0.17, 0.03), (0.28, 0.20, 0.12), _ELBOW, (0.0, 0.1, 1.0))
_NARROW = Place((0.24, 0.10, 0.06), (0.27, 0.11, 0.14), (-0.4, 0.7, -0.9), (0.0, -0.2, 1.0))
_CHEST_HIGH = Place((0.26, 0.15, 0.14), (0.30, 0.18, 0.24), _ELBOW, (0.0, 0.1, 1.0))
_FOLDED = Place((0.21, 0.09, 0.01), (0.22, 0.095, 0.06), (-0.4, 0.8, -0.4), (0.3, -0.6, 0.8), spread=0.01)
_STEEPLE = Place((0.24, 0.095, 0.12), (0.26, 0.10, 0.18), (-0.2, 0.9, -0.6), (-0.3, 0.1, 1.0), spread=0.01)
_ON_CHEST = Place(
    (0.19, 0.06, 0.27), (0.19, 0.06, 0.34), (-0.1, 1.0, -0.7), (0.0, 0.1, 1.0), 0.35, spread=0.01
)
_ON_HIP = Place((0.02, 0.225, 0.03), (0.01, 0.225, 0.03), (-0.5, 1.0, 0.0), (-0.9, 0.1, 0.3), spread=0.005)


def _talking_head(manner: Manner, size: float = 1.0) -> dict[str, float]:
    """Return the amplitudes of the head during one beat [rad]."""
    sign = manner.either()
    return {
        "head_pitch": size * manner.between(0.03, 0.08),
        "head_yaw": size * sign * manner.between(0.03, 0.10),
        "head_roll": size * sign * manner.between(0.0, 0.05),
    }


def _beat(
    manner: Manner,
    place: Place = _BEATING,
    stroke: Triple = (0.04, 0.01, 0.05),
    *,
    both: bool = True,
    opening: float = 0.0,
    cycles: tuple[int, int] = (1, 3),
    frequency: Range = (1.1, 1.9),
    uneven: bool = False,
) -> Score:
    """Hands come up to the belly and beat a little; the head moves along.

    Args:
        manner: how.
        place: where the hands beat.
        stroke: how far one beat goes [m].
        both: both hands.
        opening: how much the palms turn up with each beat [rad].
        cycles: how many beats.
        frequency: beats per second [Hz].
        uneven: the other hand only joins in a little.
    """
    score = manner.score()
    sides = SIDES if both else (manner.side,)
    hand = manner.hand(place)
    size = manner.between(0.6, 1.15, 0.2)
    change = hand.change([size * way for way in stroke])
    change["twist"] = change.get("twist", 0.0) + manner.between(0.5, 1.0) * opening
    change["flexion"] = change.get("flexion", 0.0) - 0.12
    score.move(arms(hand.angles(), sides), manner.between(0.68, 0.50))
    count, rate = manner.count(*cycles), manner.between(*frequency)
    score.swing(_talking_head(manner), count, rate, start=score.clock + 0.04, beat=True)
    beats = arms(change, sides)
    if uneven:
        beats = {
            name: angle * (0.25 if name.startswith(manner.other) else 1.0) for name, angle in beats.items()
        }
    score.swing(beats, count, rate, beat=True)
    score.rest(manner.between(0.74, 0.56))
    return score


def _stand(
    manner: Manner,
    place: Place | None = None,
    *,
    both: bool = True,
    shift: Range = (0.0, 0.02),
    roll: Range = (0.0, 0.05),
    head: float = 1.0,
) -> Score:
    """Stand there with the hands somewhere, while the head moves a little.

    Args:
        manner: how.
        place: where the hands are put; None: nowhere.
        both: both hands.
        shift: how much the weight goes to one side [rad].
        roll: how much the head tilts [rad].
        head: factor of how much it moves.
    """
    score = manner.score()
    sides = SIDES if both else (manner.side,)
    sign = manner.either()
    weight = sign * manner.between(*shift)
    posed = {"sway": weight, "tilt": -1.2 * weight, "head_roll": sign * manner.between(*roll)}
    if place is not None:
        posed |= arms(manner.hand(place).angles(), sides)
    score.move(posed, manner.between(0.75, 0.6))
    count, rate = manner.count(1, 2), manner.between(0.8, 1.3)
    score.swing(_talking_head(manner, head), count, rate, start=0.5 * score.clock, beat=manner.chance(0.5))
    score.hold(manner.between(0.7, 0.9, 0.2))
    score.rest(manner.between(0.8, 0.65))
    return score


def _one_then_other(manner: Manner) -> Score:
    """On the one hand, on the other hand."""
    score = manner.score()
    score.swing(_talking_head(manner), 2, 0.8, start=0.4)
    for side in (manner.side, manner.other):
        hand = manner.hand(_BEATING)
        score.move(arm(side, hand.angles()), manner.between(0.58, 0.46))
        score.swing(arm(side, hand.change((0.05, 0.06, 0.02))), 1, manner.between(1.2, 1.7), beat=True)
    score.rest(manner.between(0.74, 0.58))
    return score


NEUTRAL: Forms = {
    "one hand beats": (1.5, partial(_beat, both=False)),
    "both hands beat": (1.5, _beat),
    "small beats": (
        1.0,
        partial(_beat, place=_NARROW, stroke=(0.02, 0.01, 0.02), cycles=(2, 4), frequency=(1.4, 2.2)),
    ),
    "opening": (1.0, partial(_beat, stroke=(0.03, 0.08, 0.02), opening=0.7)),
    "one hand opens": (0.8, partial(_beat, stroke=(0.03, 0.08, 0.02), opening=0.7, both=False)),
    "chest-high beats": (1.0, partial(_beat, place=_CHEST_HIGH)),
    "hands together": (0.8, partial(_beat, place=_NARROW, stroke=(0.03, 0.02, 0.04))),
    "one leads": (0.8, partial(_beat, uneven=True)),
    "one then the other": (0.8, _one_then_other),
    "hands folded": (1.5, partial(_stand, place=_FOLDED)),
    "steeple": (0.7, partial(_stand, place=_STEEPLE)),
    "hand on the chest": (1.0, partial(_stand, place=_ON_CHEST, both=False)),
    "standing": (1.2, partial(_stand, shift=(0.01, 0.05))),
    "listening, hand on the hip": (0.7, partial(_stand, place=_ON_HIP, both=False, shift=(0.01, 0.04))),
    "head tilted": (0.8, partial(_stand, roll=(0.08, 0.22), head=0.6)),
    "head only": (0.8, partial(_stand, head=1.4)),
}
