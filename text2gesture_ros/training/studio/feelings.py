"""Feelings shown: not knowing, dismay, joy, comfort given, courage given."""

from collections.abc import Mapping
from functools import partial

from text2gesture_ros.training.studio.body import SIDES
from text2gesture_ros.training.studio.manner import Forms, Manner, Place, Range, Triple, arm, arms
from text2gesture_ros.training.studio.score import Score

_ELBOWS_IN = (-0.5, 0.1, -1.0)
_PALMS_UP = Place((0.22, 0.32, 0.09), (0.20, 0.43, 0.22), _ELBOWS_IN, (0.0, 1.0, -0.15), flexion=-0.35)
_PALMS_SIDE = Place((0.06, 0.44, 0.10), (0.06, 0.50, 0.24), (-0.4, 0.1, -1.0), (-0.7, 0.5, 0.1), flexion=-0.4)
_PALMS_AHEAD = Place((0.20, 0.24, 0.14), (0.22, 0.30, 0.27), _ELBOWS_IN, (0.0, 1.0, 0.3), flexion=-0.3)
_PALMS_HIGH = Place((0.16, 0.38, 0.32), (0.12, 0.46, 0.46), (-0.3, 0.2, -1.0), (-0.3, 0.9, 0.3), flexion=-0.4)
_PALMS_LOW = Place((0.11, 0.32, -0.04), (0.14, 0.40, 0.05), (-0.7, 0.1, -0.6), (0.4, 0.9, 0.1), flexion=-0.3)


def _shrug(
    manner: Manner,
    place: Place | None = _PALMS_UP,
    lift: Range = (0.18, 0.34),
    roll: Range = (0.0, 0.05),
    *,
    one: bool = False,
    hold: Range = (0.35, 0.55),
    shake: bool = False,
    cycles: int = 1,
) -> Score:
    """Shoulders up and down.

    Args:
        manner: how.
        place: where the open hands go; None: the arms hang.
        lift: how much the shoulders rise [rad].
        roll: how much the head tilts [rad].
        one: one arm and mostly one shoulder.
        hold: how long it lasts [s].
        shake: the head says no meanwhile.
        cycles: how often.
    """
    score = manner.score()
    sides = (manner.side,) if one else SIDES
    sign = manner.either()
    raised = {f"{side}_lift": manner.between(*lift) for side in SIDES}
    if one:
        raised[f"{manner.other}_lift"] *= 0.3
        sign = manner.sign
    head = {
        "head_roll": sign * manner.between(*roll),
        "head_pitch": manner.between(0.06, -0.04),
        "lean": manner.between(0.03, -0.03),
    }
    # Without hands the arms at least turn outward a little.
    turned = {
        "twist": manner.between(0.1, 0.5),
        "abduction": float(manner.home[0]) + manner.between(0.10, 0.2),
    }
    shape = arms(turned if place is None else manner.hand(place).angles(), sides)
    rise = manner.between(0.64, 0.44) * (0.7 if place is None else 1.0)
    score.move({**shape, **head, **raised}, rise, overshoot=0.08)
    for _ in range(cycles - 1):
        lowered = {name: 0.3 * angle for name, angle in raised.items()}
        score.move(lowered, 0.6 * rise)
        score.move(raised, 0.6 * rise)
    held = manner.between(*hold, 0.2)
    if shake:
        score.swing({"head_yaw": sign * manner.between(0.12, 0.26)}, 1.5, 1.6, start=score.clock - 0.1)
        held = max(held, 0.8)
    score.hold(held)
    score.rest(manner.between(0.72, 0.54))
    return score


_TILTED = (0.10, 0.26)
SHRUG: Forms = {
    "palms up": (2.0, _shrug),
    "head tilted": (1.5, partial(_shrug, roll=_TILTED)),
    "forearms aside": (1.2, partial(_shrug, place=_PALMS_SIDE, roll=(0.0, 0.15))),
    "palms ahead": (1.2, partial(_shrug, place=_PALMS_AHEAD, lift=(0.0, 0.16))),
    "hands high": (1.0, partial(_shrug, place=_PALMS_HIGH, lift=(0.2, 0.4))),
    "hands low": (1.2, partial(_shrug, place=_PALMS_LOW, lift=(0.22, 0.38))),
    "shoulders only": (1.2, partial(_shrug, place=None, lift=(0.26, 0.44), roll=(0.0, 0.12))),
    "shoulders twice": (0.5, partial(_shrug, place=None, lift=(0.26, 0.44), cycles=2, hold=(0.1, 0.2))),
    "one hand": (1.0, partial(_shrug, one=True, roll=_TILTED)),
    "short": (0.8, partial(_shrug, hold=(0.05, 0.1), lift=(0.22, 0.38))),
    "long": (0.8, partial(_shrug, hold=(1.0, 1.3))),
    "shaking the head": (1.0, partial(_shrug, shake=True)),
}

_TEMPLES = Place((0.09, 0.165, 0.62), (0.08, 0.175, 0.66), (0.5, 1.0, -0.6), (-0.8, -0.2, 0.3), 0.25)
_SIDES_WIDE = Place((0.02, 0.19, 0.63), (0.00, 0.21, 0.67), (0.0, 1.0, 0.0), (-0.6, -0.2, -0.4), 0.35)
_FOREHEAD = Place((0.155, 0.11, 0.63), (0.15, 0.12, 0.66), (0.6, 0.7, -0.8), (-0.5, -0.6, -0.3), 0.25)
_FACE = Place((0.18, 0.09, 0.50), (0.18, 0.10, 0.53), (0.3, 0.6, -1.0), (0.0, 1.0, 0.2), 0.15)
_CHEEK = Place((0.12, 0.12, 0.50), (0.12, 0.13, 0.54), (0.3, 0.7, -1.0), (-0.9, 0.1, 0.4), 0.1)
_BACK = Place((-0.03, 0.17, 0.64), (-0.05, 0.18, 0.68), (0.1, 1.0, -0.1), (0.0, -0.2, -1.0), 0.35)
_TOP = Place((0.06, 0.16, 0.69), (0.04, 0.18, 0.72), (0.3, 1.0, 0.0), (-0.8, 0.0, -0.3), 0.25)
_CHIN = Place((0.15, 0.09, 0.45), (0.15, 0.09, 0.50), (0.1, 0.5, -1.0), (-0.6, 0.5, 0.6), 0.1)
_TEMPLE = Place((0.12, 0.15, 0.55), (0.11, 0.16, 0.59), (0.3, 0.6, -1.0), (-0.8, 0.0, 0.5), 0.2)
_PROP = Place((0.23, 0.02, 0.10), (0.23, 0.02, 0.12), (-0.3, 0.9, -0.5), (0.3, 0.0, 1.0))


def _grabhead(
    manner: Manner,
    place: Place,
    *,
    both: bool = True,
    down: Range = (0.34, 0.16),
    lean: Range = (0.10, 0.02),
    shake: float = 0.4,
    scratch: float = 0.0,
    propped: bool = False,
    roll: Range = (0.0, 0.05),
) -> Score:
    """One or both hands to the head.

    Args:
        manner: how.
        place: where.
        both: both hands.
        down: how much the head sinks [rad].
        lean: how much the trunk sinks [rad].
        shake: how likely the head shakes in the hands.
        scratch: how much the hand moves to and fro [m].
        propped: the other forearm lies before the belly, under the elbow.
        roll: how much the head tilts into the hand [rad].
    """
    score = manner.score()
    sides = SIDES if both else (manner.side,)
    # A hand has to meet the head, so its place has little freedom.
    hand = manner.hand(Place(**{**vars(place), "spread": 0.008}))
    shape = arms(hand.angles(), sides)
    if propped:
        shape |= arm(manner.other, manner.hand(_PROP).angles())
    tilt = -manner.sign * manner.between(*roll) * (0.3 if both else 1.0)
    sunk = {"head_pitch": manner.between(*down), "lean": manner.between(*lean), "head_roll": tilt}
    way = manner.way(0.98, 0.80, hand)
    score.move({**shape, **sunk}, way)
    if scratch:
        change = hand.change((0.3 * scratch, 0.5 * scratch, scratch))
        score.swing(arms(change, sides), 2, manner.between(2.2, 3.2))
    elif manner.chance(shake):
        yaw = manner.either() * manner.between(0.06, 0.16)
        score.swing({"head_yaw": yaw, "turn": 0.15 * yaw}, 1.5, manner.between(1.3, 1.8))
    else:
        score.hold(manner.between(0.8, 0.55, 0.2))
    score.rest(1.04 * way)
    return score


_think = partial(_grabhead, both=False, shake=0.1, down=(0.14, -0.02), lean=(0.04, 0.0))
GRABHEAD: Forms = {
    "temples": (1.5, partial(_grabhead, place=_TEMPLES)),
    "elbows out": (1.0, partial(_grabhead, place=_SIDES_WIDE, down=(0.2, 0.0), lean=(0.05, -0.03))),
    "forehead": (1.2, partial(_grabhead, place=_FOREHEAD, both=False)),
    "face in one hand": (1.2, partial(_grabhead, place=_FACE, both=False, down=(0.42, 0.22))),
    "face in both hands": (1.5, partial(_grabhead, place=_FACE, down=(0.36, 0.10))),
    "both cheeks": (0.7, partial(_grabhead, place=_CHEEK, down=(0.14, -0.05), lean=(0.04, 0.0))),
    "back of the head": (
        1.0,
        partial(_grabhead, place=_BACK, both=False, scratch=0.02, down=(0.2, 0.05), roll=(0.0, 0.15)),
    ),
    "behind the head, both": (0.6, partial(_grabhead, place=_BACK, down=(0.2, -0.05))),
    "top": (0.8, partial(_grabhead, place=_TOP)),
    "top, one hand": (0.6, partial(_grabhead, place=_TOP, both=False, shake=0.2)),
    "chin": (1.0, partial(_think, place=_CHIN)),
    "chin, arm propped": (
        0.5,
        partial(_think, place=_CHIN, propped=True),
    ),
    "one temple": (0.8, partial(_think, place=_TEMPLE, roll=(0.05, 0.2))),
}

_VEE = Place((0.14, 0.30, 0.78), (0.05, 0.42, 0.91), (0.1, 1.0, -0.1), (-0.5, -0.8, 0.1), opening=0.0)
_STEEP = Place((0.12, 0.22, 0.84), (0.04, 0.24, 0.97), (0.2, 1.0, -0.1), (-0.5, -0.8, 0.1), opening=0.0)
_WIDE = Place((0.08, 0.44, 0.66), (0.02, 0.56, 0.78), (-0.2, 0.3, -1.0), (-0.3, -0.8, 0.6), opening=0.0)
_FISTS = Place((0.22, 0.24, 0.46), (0.22, 0.28, 0.56), (-0.1, 0.8, -1.0), (-0.6, -0.5, 0.4), opening=0.0)
_CHIN_FISTS = Place((0.20, 0.10, 0.46), (0.20, 0.12, 0.54), (0.0, 0.7, -1.0), (-0.6, 0.2, 0.7), opening=0.0)
_ELATED: Mapping[str, Range] = {"head_pitch": (-0.03, -0.22), "lean": (0.0, -0.06)}


def _yay(
    manner: Manner,
    place: Place = _VEE,
    *,
    pump: Triple = (0.0, 0.0, 0.0),
    pumps: tuple[int, int] = (1, 3),
    frequency: Range = (1.8, 2.8),
    jump: Range = (0.05, 0.16),
    jumps: bool = False,
    both: bool = True,
) -> Score:
    """Both arms, or one, go up in joy.

    Args:
        manner: how.
        place: where the hands go.
        pump: how far they go from there and back [m].
        pumps: how often.
        frequency: of pumping and jumping [Hz].
        jump: how much the knees bend for the rise [rad].
        jumps: the knees bend with each pump too.
        both: both arms.
    """
    score = manner.score()
    sides = SIDES if both else (manner.side,)
    hand = manner.hand(place)
    knees = manner.between(*jump)
    score.accent({"knees": knees}, 0.0, 0.28, 0.62, 0.3)
    elated = {channel: manner.between(*angle) for channel, angle in _ELATED.items()}
    way = manner.way(0.88, 0.74, hand)
    score.move({**arms(hand.angles(), sides), **elated}, way, overshoot=0.03)
    if any(pump):
        factor = manner.between(0.7, 1.1)
        change = arms(hand.change([factor * way for way in pump]), sides)
        if jumps:
            change["knees"] = 1.8 * knees
        rate = manner.between(*frequency)
        score.swing(change, min(manner.count(*pumps), max(1, round((2.8 - 2 * way) * rate))), rate, beat=True)
        score.hold(0.05)
    else:
        score.hold(manner.between(0.4, 0.7, 0.2))
    score.rest(1.03 * way)
    return score


def _alternate(manner: Manner) -> Score:
    """One fist goes up while the other comes down."""
    score = manner.score()
    first, second = manner.hand(_VEE), manner.hand(_VEE)
    drop = (0.10, -0.03, -0.24)
    elated = {channel: manner.between(*angle) for channel, angle in _ELATED.items()}
    hands = arm(manner.side, first.angles()) | arm(manner.other, second.angles(drop))
    way = manner.way(0.82, 0.70, first)
    score.move({**hands, **elated}, way)
    back = {name: -angle for name, angle in second.change(drop).items()}
    swap = arm(manner.side, first.change(drop)) | arm(manner.other, back)
    score.swing(swap, manner.count(1, 2), manner.between(1.3, 1.9), beat=True)
    score.rest(1.03 * way)
    return score


def _fist_pull(manner: Manner) -> Score:
    """A fist is raised and pulled down to the ribs: yes!"""
    score = manner.score()
    high = Place((0.26, 0.20, 0.50), (0.22, 0.24, 0.66), thumb=(-0.6, -0.5, 0.5), opening=0.0)
    low = Place((0.24, 0.18, 0.20), (0.22, 0.20, 0.24), (-1.0, 0.2, -0.6), (-0.3, 0.2, 1.0), opening=0.0)
    score.move(arm(manner.side, manner.hand(high).angles()), manner.between(0.7, 0.56))
    pulled = arm(manner.side, manner.hand(low).angles())
    tense = {"knees": manner.between(0.05, 0.15), "lean": 0.05, "head_pitch": manner.between(0.02, 0.1)}
    for stroke in range(manner.count(1, 2)):
        if stroke:
            score.move(arm(manner.side, manner.hand(high).angles()), manner.between(0.42, 0.34))
        score.move({**pulled, **tense}, manner.between(0.40, 0.28), overshoot=0.06)
    score.hold(manner.between(0.3, 0.45))
    score.rest(manner.between(0.75, 0.62))
    return score


YAY: Forms = {
    "arms as a V": (1.5, _yay),
    "fists pumping": (1.5, partial(_yay, pump=(0.06, 0.03, -0.13))),
    "arms steep": (1.0, partial(_yay, place=_STEEP)),
    "arms wide": (1.0, partial(_yay, place=_WIDE)),
    "wide, pumping": (0.7, partial(_yay, place=_WIDE, pump=(0.03, -0.05, -0.14))),
    "jumping": (
        1.0,
        partial(_yay, pump=(0.04, 0.02, -0.08), jump=(0.15, 0.35), jumps=True, frequency=(1.7, 2.3)),
    ),
    "one arm": (1.0, partial(_yay, place=_STEEP, both=False)),
    "one arm pumping": (1.0, partial(_yay, place=_STEEP, both=False, pump=(0.08, 0.04, -0.18))),
    "alternate": (0.8, _alternate),
    "fists at the shoulders": (1.0, partial(_yay, place=_FISTS, pump=(0.03, 0.0, -0.10))),
    "fists before the chin": (1.0, partial(_yay, place=_CHIN_FISTS, pump=(0.02, 0.0, -0.05))),
    "fists held": (0.6, partial(_yay, place=_CHIN_FISTS)),
    "fist pulled": (0.8, _fist_pull),
}

_PALM_DOWN = (0.1, -1.0, 0.0)
_PARTNER = Place((0.36, 0.12, 0.42), (0.43, 0.15, 0.50), (-0.2, 0.7, -0.8), _PALM_DOWN, 0.1)
_BESIDE = Place((0.24, 0.34, 0.40), (0.28, 0.40, 0.48), (-0.2, 0.7, -0.8), _PALM_DOWN, 0.1)
_CHILD = Place((0.32, 0.16, -0.02), (0.40, 0.20, 0.12), (-0.5, 0.6, -0.6), _PALM_DOWN, 0.0)
_TALL = Place((0.38, 0.14, 0.54), (0.42, 0.16, 0.62), (-0.1, 0.7, -0.8), _PALM_DOWN, 0.1)
_BELLY = Place((0.32, 0.10, 0.18), (0.38, 0.12, 0.30), (-0.3, 0.7, -0.8), _PALM_DOWN, 0.1)


def _pat(
    manner: Manner,
    place: Place = _PARTNER,
    *,
    depth: Range = (0.05, 0.11),
    frequency: Range = (1.6, 2.7),
    rub: Triple = (0.0, 0.0, 0.0),
    bow: Range = (0.03, 0.09),
    looking: tuple[Range, Range] = ((0.0, 0.0), (0.14, 0.05)),
    both: bool = False,
) -> Score:
    """A hand, palm down, pats something that stands in front.

    Args:
        manner: how.
        place: where the hand waits between two strokes.
        depth: how far down it goes [m].
        frequency: strokes per second [Hz].
        rub: move so far instead of down [m].
        bow: how much the trunk leans forward [rad].
        looking: yaw towards that side, and pitch of the head [rad].
        both: both hands.
    """
    score = manner.score()
    sides = SIDES if both else (manner.side,)
    hand = manner.hand(place)
    yaw = manner.sign * manner.between(*looking[0])
    turned = {"lean": manner.between(*bow), "head_pitch": manner.between(*looking[1]), "head_yaw": yaw}
    score.move({**arms(hand.angles(), sides), **turned, "turn": 0.25 * yaw}, manner.between(0.78, 0.60))
    stroke = rub if any(rub) else (0.0, 0.0, -manner.between(*depth))
    change = hand.change(stroke)
    if not any(rub):
        change["flexion"] = change.get("flexion", 0.0) + manner.between(0.1, 0.35)
    score.swing(arms(change, sides), manner.count(2, 4), manner.between(*frequency), beat=not any(rub))
    score.hold(0.1)
    score.rest(manner.between(0.80, 0.64))
    return score


_DOWNWARD = ((0.0, 0.1), (0.36, 0.24))
PAT: Forms = {
    "shoulder ahead": (2.0, _pat),
    "shoulder beside": (1.5, partial(_pat, place=_BESIDE, looking=((0.2, 0.4), (0.12, 0.04)))),
    "a child's head": (1.5, partial(_pat, place=_CHILD, bow=(0.12, 0.26), looking=_DOWNWARD)),
    "somebody tall": (1.0, partial(_pat, place=_TALL)),
    "at the belly": (1.0, partial(_pat, place=_BELLY, depth=(0.04, 0.08))),
    "slow and soft": (1.0, partial(_pat, frequency=(1.0, 1.5), depth=(0.03, 0.06))),
    "hearty": (0.8, partial(_pat, depth=(0.10, 0.15), frequency=(1.8, 2.4))),
    "rubbing": (0.8, partial(_pat, rub=(0.0, 0.05, 0.0), frequency=(1.2, 1.9))),
    "stroking a head": (
        0.7,
        partial(_pat, place=_CHILD, rub=(0.06, 0.02, 0.0), bow=(0.1, 0.2), looking=_DOWNWARD),
    ),
    "both shoulders": (0.8, partial(_pat, both=True)),
}

_UP = (0.0, 1.0, 0.0)  # thumb of a palm that faces up
_LOW = Place((0.26, 0.18, 0.04), (0.26, 0.20, 0.00), (-0.4, 0.5, -1.0), _UP)
_CHEST = Place((0.32, 0.20, 0.24), (0.33, 0.24, 0.34), (-0.4, 0.5, -1.0), _UP, -0.1)
_SHOULDER = Place((0.34, 0.22, 0.38), (0.33, 0.28, 0.56), (-0.2, 0.6, -1.0), (-0.2, 1.0, 0.2), -0.2)
_OVERHEAD = Place((0.22, 0.28, 0.72), (0.12, 0.34, 0.90), (0.0, 1.0, -0.4), (-0.6, 0.8, 0.2), -0.4)
_OPENED = Place((0.18, 0.48, 0.26), (0.10, 0.58, 0.46), (-0.4, 0.1, -1.0), (-0.5, 0.6, 0.4), -0.3)
_BESIDE_HEAD = Place((0.14, 0.30, 0.58), (0.10, 0.40, 0.72), (-0.1, 0.4, -1.0), (-0.6, 0.5, 0.4), -0.3)


def _uplift(
    manner: Manner,
    place: Place = _SHOULDER,
    *,
    times: int = 1,
    both: bool = True,
    from_home: bool = False,
    hold: Range = (0.2, 0.4),
    bounce: float = 0.0,
) -> Score:
    """Hands, palms up, rise to rouse others.

    Args:
        manner: how.
        place: how high.
        times: how often; between two rises the hands do not sink all the way.
        both: both hands.
        from_home: straight there, without showing the palms at the belly first.
        hold: how long they stay [s].
        bounce: how far they go up and down meanwhile [m].
    """
    score = manner.score()
    sides = SIDES if both else (manner.side,)
    low, high = manner.hand(_LOW), manner.hand(place)
    below, above = arms(low.angles(), sides), arms(high.angles(), sides)
    rise = manner.way(0.66, 0.54, high) * (0.8 if times > 1 else 1.0) * (1.25 if from_home else 1.0)
    if not from_home:
        score.move({**below, "lean": manner.between(0.02, 0.05)}, manner.between(0.56, 0.44))
    upright = {"head_pitch": -manner.between(0.02, 0.16), "lean": -manner.between(0.0, 0.05)}
    partly = {name: above[name] + 0.7 * (below[name] - above[name]) for name in above}
    for stroke in range(times):
        if stroke:
            score.move(partly, 0.9 * rise)
        score.move({**above, **upright}, rise, overshoot=0.04)
    if bounce:
        change = arms(high.change((0.0, 0.0, -manner.between(0.7, 1.2) * bounce)), sides)
        score.swing(change, manner.count(1, 3), manner.between(1.5, 2.2), beat=True)
    else:
        score.hold(manner.between(*hold, 0.2))
    score.rest(manner.way(0.84, 0.72, high))
    return score


UPLIFT: Forms = {
    "to the shoulders": (1.5, _uplift),
    "to the chest": (1.0, partial(_uplift, place=_CHEST)),
    "overhead": (1.2, partial(_uplift, place=_OVERHEAD)),
    "twice to the shoulders": (1.0, partial(_uplift, times=2, hold=(0.06, 0.1))),
    "twice to the chest": (1.0, partial(_uplift, place=_CHEST, times=2, hold=(0.06, 0.1))),
    "arms opened": (1.5, partial(_uplift, place=_OPENED, hold=(0.4, 0.6))),
    "arms opened at once": (1.0, partial(_uplift, place=_OPENED, from_home=True, hold=(0.5, 0.8))),
    "one arm": (1.0, partial(_uplift, both=False)),
    "one arm twice": (0.6, partial(_uplift, place=_CHEST, both=False, times=2, hold=(0.06, 0.1))),
    "beside the head": (1.2, partial(_uplift, place=_BESIDE_HEAD, from_home=True, hold=(0.6, 0.8))),
    "bouncing": (1.0, partial(_uplift, place=_SHOULDER, from_home=True, bounce=0.12)),
    "bouncing beside the head": (0.8, partial(_uplift, place=_BESIDE_HEAD, from_home=True, bounce=0.10)),
}
