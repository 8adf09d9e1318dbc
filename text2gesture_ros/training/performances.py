"""What a person does for each of the 12 gestures: key postures, strokes, and the few forms each gesture has.

Places are given for the reference body as wrist positions (x forward, y outward, z up) [m]; `vigour` blends
each between its faintest and its grandest form, so that emotion shapes the whole gesture, not only its speed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from text2gesture_ros.skeleton import FloatArray
from text2gesture_ros.training.body import REST, SIDES, reach
from text2gesture_ros.training.score import Score

Point = Sequence[float] | FloatArray


@dataclass(frozen=True)
class Manner:
    """How somebody does a gesture.

    Attributes:
        vigour: 0 faint and slow to 1 grand and quick.
        side: the hand of a one-handed gesture, "left" or "right".
        generator: where the remaining choices come from.
    """

    vigour: float
    side: str
    generator: np.random.Generator
    home: FloatArray = field(default_factory=lambda: REST)

    def score(self) -> Score:
        """Return an empty score that begins and ends where this person stands at ease."""
        return Score(self.home)

    def between(self, faint: float, grand: float, spread: float = 0.05) -> float:
        """Return a number between both ends by vigour, with a little chance."""
        return (faint + (grand - faint) * self.vigour) * float(np.exp(self.generator.normal(0.0, spread)))

    def place(self, faint: Point, grand: Point, spread: float = 0.012) -> FloatArray:
        """Return a place between both ends by vigour, with a little chance [m]."""
        low, high = np.asarray(faint, dtype=np.float64), np.asarray(grand, dtype=np.float64)
        return np.asarray(low + (high - low) * self.vigour + self.generator.normal(0.0, spread, 3))

    def count(self, low: int, high: int) -> int:
        """Return how often something is repeated; more often with vigour."""
        return int(
            np.clip(round(low + (high - low) * self.vigour + self.generator.normal(0.0, 0.35)), low, high)
        )

    def chance(self, probability: float) -> bool:
        """Return True with `probability`."""
        return bool(self.generator.random() < probability)

    def choose(self, *options: str, weights: Sequence[float] | None = None) -> str:
        """Return one of `options`."""
        return str(self.generator.choice(options, p=weights))


def arm(side: str, angles: Mapping[str, float]) -> dict[str, float]:
    """Name the angles of an arm by its side."""
    return {f"{side}_{name}": angle for name, angle in angles.items()}


def arms(angles: Mapping[str, float], sides: Sequence[str] = SIDES) -> dict[str, float]:
    """Name the same angles for several arms."""
    return {name: angle for side in sides for name, angle in arm(side, angles).items()}


def apart(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    """Return what has to change to come from one arm posture to another."""
    return {name: other[name] - angle for name, angle in one.items()}


def wave(manner: Manner) -> Score:
    """A raised hand whose forearm swings from side to side: at head height, high overhead, or small."""
    score = manner.score()
    form = manner.choose("beside", "high", "small", weights=(0.5, 0.25, 0.25))
    faint, grand = {
        "beside": ((0.20, 0.33, 0.60), (0.16, 0.42, 0.72)),
        "high": ((0.16, 0.34, 0.74), (0.10, 0.38, 0.90)),
        "small": ((0.24, 0.26, 0.54), (0.24, 0.30, 0.60)),
    }[form]
    wrist = manner.place(faint, grand)
    swing = np.array([0.0, manner.between(0.06, 0.13 if form != "small" else 0.09), 0.0])
    elbow, thumb = (-0.1, 0.5, -1.0), (0.0, -1.0, 0.2)
    centre, outer = reach(wrist, elbow, thumb), reach(wrist + swing, elbow, thumb)
    score.move(arm(manner.side, {**centre, "deviation": 0.0, "thumb": 0.35}), manner.between(0.90, 0.83))
    cycles = manner.count(2, 3)
    frequency = manner.between(1.9, 2.6)
    change = {**apart(centre, outer), "deviation": -manner.between(0.10, 0.22)}
    sign = 1.0 if manner.side == "left" else -1.0
    end = score.clock + cycles / frequency
    score.accent(
        {"head_roll": -sign * manner.between(0.02, 0.10), "tilt": -sign * manner.between(0.0, 0.04)},
        0.1,
        0.6,
        end + 0.4,
        0.5,
    )
    score.clock -= 0.06
    score.swing(arm(manner.side, change), cycles, frequency)
    score.rest(manner.between(0.90, 0.83))
    return score


def nod(manner: Manner) -> Score:
    """The head goes down and up, one to three times; sometimes the trunk goes along."""
    score = manner.score()
    form = manner.choose("single", "repeated", "bowing", weights=(0.25, 0.5, 0.25))
    cycles = 1 if form == "single" else manner.count(2, 3)
    frequency = manner.between(1.15, 1.8) * (0.85 if form == "single" else 1.0)
    change = {"head_pitch": manner.between(0.24, 0.42), "lean": manner.between(0.01, 0.03)}
    if form == "bowing":
        change["lean"] = manner.between(0.06, 0.11)
    score.hold(0.12)
    # A person lifts the head slightly before a nod.
    score.accent({"head_pitch": -manner.between(0.03, 0.07)}, 0.0, 0.22, 0.5, 0.25)
    score.hold(0.1)
    score.swing(change, cycles, frequency, beat=True)
    score.hold(manner.between(0.25, 0.15))
    return score


def shakehead(manner: Manner) -> Score:
    """The head turns left and right; sometimes one or both hands, raised flat, say no along with it."""
    score = manner.score()
    form = manner.choose("head", "hand", "hands", weights=(0.6, 0.25, 0.15))
    cycles, frequency = manner.count(2, 3), manner.between(1.25, 1.75)
    sign = 1.0 if manner.chance(0.5) else -1.0
    start = 0.15
    if form != "head":
        sides = SIDES if form == "hands" else (manner.side,)
        wrist = manner.place((0.28, 0.22, 0.26), (0.32, 0.24, 0.36))
        elbow, thumb = (-0.2, 0.5, -1.0), (0.0, -0.9, 0.5)
        centre = reach(wrist, elbow, thumb)
        outer = reach(wrist + np.array([0.0, manner.between(0.05, 0.10), 0.0]), elbow, thumb)
        score.move(arms({**centre, "flexion": -0.45}, sides), manner.between(0.54, 0.47))
        start = score.clock - 0.15
        score.swing(arms(apart(centre, outer), sides), cycles, frequency, start=start)
    score.swing(
        {"head_yaw": sign * manner.between(0.28, 0.50), "turn": sign * 0.04}, cycles, frequency, start=start
    )
    score.accent({"head_pitch": manner.between(0.14, 0.05)}, 0.0, 0.4, start + cycles / frequency + 0.35, 0.4)
    score.clock = start + cycles / frequency
    if form != "head":
        score.rest(manner.between(0.6, 0.52))
    return score


def shrug(manner: Manner) -> Score:
    """Shoulders up, elbows in, forearms out with palms up, head tilted: with both arms, one, or a shake."""
    score = manner.score()
    form = manner.choose("both", "one", "shaking", weights=(0.6, 0.2, 0.2))
    sides = (manner.side,) if form == "one" else SIDES
    wrist = manner.place((0.22, 0.33, 0.09), (0.21, 0.43, 0.22))
    angles = reach(wrist, (-0.5, 0.1, -1.0), (0.0, 1.0, -0.15))
    sign = 1.0 if manner.chance(0.5) else -1.0
    head = {
        "head_roll": sign * manner.between(0.12, 0.22),
        "head_pitch": manner.between(0.06, -0.04),
        "lean": manner.between(0.03, -0.03),
    }
    rise = manner.between(0.62, 0.46)
    lifted = {f"{side}_lift": manner.between(0.20, 0.34) for side in SIDES}
    shape = arms({**angles, "flexion": -0.35, "thumb": 0.2}, sides)
    score.move({**shape, **head, **lifted}, rise, overshoot=0.08)
    hold = manner.between(0.35, 0.55, 0.2)
    if form == "shaking":
        score.swing({"head_yaw": sign * manner.between(0.12, 0.2)}, 1.5, 1.6, start=score.clock - 0.1)
        hold = max(hold, 0.8)
    score.hold(hold)
    score.rest(manner.between(0.72, 0.58))
    return score


def thumbsup(manner: Manner) -> Score:
    """A fist forward at chest height with the thumb up, held or given a shake; one hand or both."""
    score = manner.score()
    form = manner.choose("held", "shaken", "both", weights=(0.4, 0.4, 0.2))
    sides = SIDES if form == "both" else (manner.side,)
    wrist = manner.place((0.33, 0.15, 0.24), (0.42, 0.18, 0.36))
    elbow, thumb = (-0.3, 0.5, -1.0), (-0.15, 0.0, 1.0)
    angles = reach(wrist, elbow, thumb)
    shape = arms({**angles, "deviation": 0.0, "flexion": 0.1, "thumb": 0.75}, sides)
    score.move(
        {**shape, "head_pitch": manner.between(0.08, -0.04)}, manner.between(0.66, 0.5), overshoot=0.05
    )
    hold = manner.between(0.45, 0.65, 0.2)
    end = score.clock + hold
    score.accent({"head_pitch": manner.between(0.05, 0.14)}, score.clock, 0.2, score.clock + 0.45, 0.22)
    if form == "shaken":
        raised = reach(wrist + np.array([0.03, 0.0, manner.between(0.035, 0.07)]), elbow, thumb)
        score.swing(
            arms(apart(angles, raised), sides), manner.count(2, 3), manner.between(2.0, 2.8), beat=True
        )
    score.clock = max(score.clock, end)
    score.rest(manner.between(0.72, 0.58))
    return score


def grabhead(manner: Manner) -> Score:
    """One or both hands to the head, which sinks: at the temples, on the forehead, or on top."""
    score = manner.score()
    form = manner.choose("temples", "forehead", "top", weights=(0.45, 0.35, 0.2))
    sides = (manner.side,) if form == "forehead" else SIDES
    faint, grand, elbow, thumb = {
        "temples": ((0.09, 0.165, 0.62), (0.08, 0.175, 0.66), (0.5, 1.0, -0.6), (-0.8, -0.2, 0.3)),
        "forehead": ((0.155, 0.11, 0.63), (0.15, 0.12, 0.66), (0.6, 0.7, -0.8), (-0.5, -0.6, -0.3)),
        "top": ((0.06, 0.16, 0.69), (0.04, 0.18, 0.72), (0.3, 1.0, 0.0), (-0.8, 0.0, -0.3)),
    }[form]
    wrist = manner.place(faint, grand, 0.006)
    shape = arms({**reach(wrist, elbow, thumb), "flexion": 0.25}, sides)
    down = manner.between(0.34, 0.22)
    sign = 1.0 if manner.side == "left" else -1.0
    score.move({**shape, "head_pitch": down, "lean": manner.between(0.10, 0.03)}, manner.between(1.0, 0.92))
    if manner.chance(0.5):
        score.swing(
            {"head_yaw": sign * manner.between(0.06, 0.13), "turn": sign * 0.02},
            1.5,
            manner.between(1.5, 1.7),
        )
    else:
        score.hold(manner.between(0.75, 0.5, 0.15))
    score.rest(manner.between(1.0, 0.92))
    return score


def yay(manner: Manner) -> Score:
    """Both arms up above the head: held as a V, pumped, or bounced with the knees."""
    score = manner.score()
    form = manner.choose("vee", "pump", "bounce", weights=(0.35, 0.4, 0.25))
    wrist = manner.place((0.15, 0.30, 0.80), (0.06, 0.40, 0.91))
    elbow, thumb = (0.1, 1.0, -0.1), (-0.5, -0.8, 0.1)
    high, low = reach(wrist, elbow, thumb), reach(wrist - np.array([-0.05, -0.03, 0.12]), elbow, thumb)
    looking = {"head_pitch": -manner.between(0.05, 0.20), "lean": -manner.between(0.0, 0.06)}
    score.accent({"knees": manner.between(0.06, 0.2)}, 0.0, 0.28, 0.62, 0.3)
    score.move({**arms(high), **looking}, manner.between(1.08, 1.02), overshoot=0.02)
    if form == "vee":
        score.hold(manner.between(0.35, 0.55, 0.15))
    else:
        change = arms(apart(high, low))
        if form == "bounce":
            change = {**{name: 0.5 * angle for name, angle in change.items()}, "knees": 0.26}
        score.swing(change, manner.count(1, 2), manner.between(2.2, 2.8), beat=True)
        score.hold(0.02)
    score.rest(manner.between(1.08, 1.02))
    return score


def handshake(manner: Manner) -> Score:
    """The right hand goes forward at belly height and shakes up and down; the other may join."""
    score = manner.score()
    form = manner.choose("plain", "bowing", "both", weights=(0.5, 0.3, 0.2))
    wrist = manner.place((0.37, 0.08, 0.15), (0.42, 0.10, 0.20))
    elbow, thumb = (-0.4, 0.4, -1.0), (0.0, -0.15, 1.0)
    centre = reach(wrist, elbow, thumb)
    up = reach(wrist + np.array([0.0, 0.0, manner.between(0.03, 0.05)]), elbow, thumb)
    shape = arm("right", {**centre, "thumb": 0.25})
    if form == "both":
        other = reach(
            wrist * np.array([1.0, -1.0, 1.0]) + np.array([-0.07, 0.13, -0.02]), elbow, (0.0, -0.5, 1.0)
        )
        shape = {**shape, **arm("left", other)}
    lean = manner.between(0.05, 0.09) + (0.10 if form == "bowing" else 0.0)
    score.move({**shape, "lean": lean, "turn": 0.08}, manner.between(0.66, 0.54))
    cycles, frequency = manner.count(2, 4), manner.between(2.1, 2.9)
    change = arm("right", apart(centre, up))
    if form == "both":
        change |= arm("left", apart(centre, up))
    score.accent({"head_pitch": manner.between(0.08, 0.16)}, score.clock - 0.1, 0.25, score.clock + 0.6, 0.3)
    score.swing(change, cycles, frequency)
    score.hold(manner.between(0.1, 0.15))
    score.rest(manner.between(0.7, 0.58))
    return score


def point(manner: Manner) -> Score:
    """An arm points aside, at the listener, up, or at oneself; the head follows."""
    score = manner.score()
    form = manner.choose("aside", "listener", "up", "self", weights=(0.4, 0.25, 0.15, 0.2))
    sign = 1.0 if manner.side == "left" else -1.0
    shoulder = np.array([-0.01, 0.19, 0.46])
    forward, outward, upward, extent = {
        "aside": (manner.between(0.55, 0.35), 1.0, manner.between(-0.15, 0.05), manner.between(0.515, 0.535)),
        "listener": (1.0, -0.15, manner.between(-0.22, 0.0), manner.between(0.505, 0.53)),
        "up": (0.55, 0.12, manner.between(0.9, 1.4), manner.between(0.51, 0.535)),
        "self": (1.0, 0.0, 0.0, 0.0),
    }[form]
    if form == "self":
        wrist = manner.place((0.19, 0.15, 0.26), (0.21, 0.16, 0.32), 0.008)
        shape = {**reach(wrist, (0.0, 1.0, -0.7), (0.0, 0.1, 1.0)), "flexion": 0.75}
        turned = 0.0
    else:
        direction = np.array([forward, outward, upward])
        wrist = shoulder + min(extent, 0.537) * direction / np.linalg.norm(direction)
        shape = reach(wrist, (-0.3, 0.3, -1.0), (0.0, -0.7, 0.7) if form != "aside" else (0.6, 0.0, 0.6))
        turned = sign * (manner.between(0.35, 0.65) if form == "aside" else 0.0)
    head = {
        "head_yaw": turned,
        "turn": 0.2 * turned,
        "head_pitch": {"up": -manner.between(0.15, 0.32), "self": 0.08}.get(form, 0.0),
        "lean": 0.05 if form == "listener" else 0.0,
    }
    # The eyes are there first.
    duration = manner.between(0.74, 0.64) * (1.25 if form == "up" else 1.0)
    score.move(head, 0.08 + duration)
    score.clock = 0.08
    score.move(arm(manner.side, {**shape, "thumb": 0.0}), duration, overshoot=0.04 if form != "self" else 0.0)
    if manner.chance(0.4):
        score.swing({f"{manner.side}_elbow": manner.between(0.12, 0.22)}, manner.count(1, 2), 2.2, beat=True)
        score.hold(0.15)
    else:
        score.hold(manner.between(0.45, 0.6, 0.2))
    score.rest(1.1 * duration)
    return score


def pat(manner: Manner) -> Score:
    """A hand, palm down, pats something at shoulder height in front, two to four small strokes."""
    score = manner.score()
    form = manner.choose("ahead", "aside", weights=(0.65, 0.35))
    inward = 0.14 if form == "ahead" else 0.30
    wrist = manner.place((0.36, inward, 0.42), (0.42, inward, 0.50))
    elbow, thumb = (-0.2, 0.7, -0.8), (0.1, -1.0, 0.0)
    high = reach(wrist, elbow, thumb)
    low = reach(wrist - np.array([0.0, 0.0, manner.between(0.06, 0.10)]), elbow, thumb)
    lean = {"lean": manner.between(0.04, 0.09), "head_pitch": manner.between(0.12, 0.05)}
    if form == "aside":
        sign = 1.0 if manner.side == "left" else -1.0
        lean |= {"head_yaw": sign * 0.25, "turn": sign * 0.06}
    score.move({**arm(manner.side, {**high, "flexion": 0.1}), **lean}, manner.between(0.72, 0.58))
    change = {**apart(high, low), "flexion": manner.between(0.15, 0.3)}
    score.swing(arm(manner.side, change), manner.count(2, 4), manner.between(1.95, 2.8), beat=True)
    score.hold(0.1)
    score.rest(manner.between(0.74, 0.62))
    return score


def uplift(manner: Manner) -> Score:
    """Both hands, palms up, rise from the belly to the shoulders or above, once or again, to rouse others."""
    score = manner.score()
    form = manner.choose("once", "repeated", "wide", weights=(0.4, 0.4, 0.2))
    width = 0.10 if form == "wide" else 0.0
    elbow, thumb = (-0.4, 0.5, -1.0), (0.0, 1.0, 0.0)
    low = reach(manner.place((0.27, 0.19 + width, 0.05), (0.27, 0.20 + width, 0.02)), elbow, thumb)
    faint, grand = (0.35, 0.22 + width, 0.38), (0.34, 0.28 + width, 0.58)
    high = reach(manner.place(faint, grand), (-0.2, 0.6, -1.0), (-0.2, 1.0, 0.2))
    score.move({**arms({**low, "flexion": 0.0}), "lean": 0.04}, manner.between(0.55, 0.44))
    times = 2 if form == "repeated" else 1
    rise = manner.between(0.64, 0.56) * (0.75 if times > 1 else 1.0)
    raised = {**arms({**high, "flexion": -0.2}), "head_pitch": -manner.between(0.02, 0.14), "lean": -0.02}
    if times > 1:
        # Between two rises the hands do not sink all the way.
        partly = {name: raised[name] + 0.7 * (arms(low).get(name, 0.0) - raised[name]) for name in raised}
    for stroke in range(times):
        score.move(raised, rise, overshoot=0.04)
        if stroke < times - 1:
            score.move(partly, 0.9 * rise)
    score.hold(manner.between(0.3, 0.4, 0.2) if times == 1 else 0.06)
    score.rest(manner.between(0.84, 0.80))
    return score


def neutral(manner: Manner) -> Score:
    """Talking: one or both hands come up to the belly and beat a little, the head moves along."""
    score = manner.score()
    form = manner.choose("one", "both", "opening", weights=(0.4, 0.3, 0.3))
    sides = (manner.side,) if form == "one" else SIDES
    wrist = manner.place((0.25, 0.17, 0.03), (0.28, 0.20, 0.10))
    elbow, thumb = (-0.5, 0.5, -1.0), (0.0, 0.1, 1.0)
    base = reach(wrist, elbow, thumb)
    stroke = {
        "one": np.array([0.05, 0.01, 0.04]),
        "both": np.array([0.03, 0.0, 0.05]),
        "opening": np.array([0.03, 0.07, 0.02]),
    }[form] * manner.between(0.6, 1.15)
    open_thumb = (0.0, 0.6, 1.0) if form == "opening" else thumb
    change = apart(base, reach(wrist + stroke, elbow, open_thumb))
    score.move(arms(base, sides), manner.between(0.6, 0.48))
    cycles, frequency = manner.count(1, 3), manner.between(1.3, 1.9)
    sign = 1.0 if manner.chance(0.5) else -1.0
    head = {
        "head_pitch": manner.between(0.04, 0.09),
        "head_yaw": sign * manner.between(0.04, 0.10),
        "head_roll": sign * 0.04,
    }
    score.swing(head, cycles, frequency, start=score.clock + 0.04, beat=True)
    score.swing(arms({**change, "flexion": -0.12}, sides), cycles, frequency, beat=True)
    score.rest(manner.between(0.7, 0.56))
    return score


def _walk(manner: Manner) -> Score:
    """Arms and legs swing in opposition."""
    score = manner.score()
    swing = manner.between(0.25, 0.5)
    change = {"left_pitch": swing, "right_pitch": -swing, "left_thigh": -0.4, "right_thigh": 0.4}
    score.swing(change, manner.between(1.5, 3.0), manner.between(0.8, 1.1))
    return score


Forms = Mapping[str, tuple[float, Callable[[Manner], Score]]]
PERFORMANCES: Mapping[str, Forms] = {
    performance.__name__: {"any": (1.0, performance)}
    for performance in (
        *(handshake, point, thumbsup, nod, shakehead, wave),
        *(grabhead, pat, uplift, yay, shrug, neutral),
    )
}
DISTRACTORS: Forms = {"walk": (1.0, _walk)}
