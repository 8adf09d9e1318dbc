"""The manner of a performance, and the functions with which performances are written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.skeleton import INDEX, REFERENCE
from text2gesture_ros.training.studio.body import REST, SIDES, reach
from text2gesture_ros.training.studio.score import Score

Point = Sequence[float] | FloatArray
Range = tuple[float, float]  # at the faintest, at the grandest
Triple = tuple[float, float, float]

_NEAR = 0.70  # the hand's way to the height of the shoulders [m]


@dataclass(frozen=True)
class Place:
    """Where a hand goes, and how the arm bends and turns on arrival.

    Attributes:
        faint: wrist of the faintest form [m].
        grand: wrist of the grandest form [m].
        elbow: direction in which the elbow points away from the line shoulder to wrist.
        thumb: direction of the thumb's side of the hand.
        flexion: of the wrist, towards the palm [rad].
        deviation: of the wrist, towards the thumb [rad].
        opening: spread of the thumb [rad].
        spread: deviation of the place from one performance to the next [m].
    """

    faint: Triple
    grand: Triple
    elbow: Triple = (-0.2, 0.5, -1.0)
    thumb: Triple = (0.0, 0.0, 1.0)
    flexion: float = 0.0
    deviation: float = 0.0
    opening: float = 0.2
    spread: float = 0.022


@dataclass(frozen=True)
class Hand:
    """A hand at a place, as one performance has it.

    Attributes:
        wrist: (3,) [m].
        elbow: (3,) direction, as in `Place`.
        thumb: (3,) direction, as in `Place`.
        held: angles of wrist and thumb [rad].
    """

    wrist: FloatArray
    elbow: FloatArray
    thumb: FloatArray
    held: Mapping[str, float]

    def angles(self, shift: Point = (0.0, 0.0, 0.0)) -> dict[str, float]:
        """Return the angles of the arm with its wrist `shift` away [m]."""
        here = reach(self.wrist, self.elbow, self.thumb)
        if any(shift):
            here = reach(self.wrist + np.asarray(shift), self.elbow, self.thumb, like=here)
        return {**here, **self.held}

    def change(self, shift: Point) -> dict[str, float]:
        """Return what has to change to come from here to `shift` away [m]."""
        there = self.angles(shift)
        return {name: there[name] - angle for name, angle in self.angles().items()}


@dataclass(frozen=True)
class Manner:
    """The manner of a performance of a gesture.

    Attributes:
        vigour: 0 faint and slow to 1 grand and quick.
        side: the hand of a one-handed gesture, "left" or "right".
        generator: where the remaining choices come from.
        home: (C,) how this person stands before and after [rad].
        gap: (3,) offset of the reference's shoulder from this person's [m], see `Body.shoulder_gap`.
    """

    vigour: float
    side: str
    generator: np.random.Generator
    home: FloatArray = field(default_factory=lambda: REST)
    gap: FloatArray = field(default_factory=lambda: np.zeros(3))

    @property
    def sign(self) -> float:
        """1 where the side is left, which is positive for turns and tilts, else -1."""
        return 1.0 if self.side == "left" else -1.0

    @property
    def other(self) -> str:
        """The other side."""
        return SIDES[self.side == "left"]

    def score(self) -> Score:
        """Return an empty score that begins and ends where this person stands at ease."""
        return Score(self.home)

    def between(self, faint: float, grand: float, spread: float = 0.10) -> float:
        """Return a number between both ends by vigour, with a little chance."""
        return (faint + (grand - faint) * self.vigour) * float(np.exp(self.generator.normal(0.0, spread)))

    def hand(self, place: Place) -> Hand:
        """Return a hand between both ends of a place by vigour, with a little chance."""
        faint, grand = np.asarray(place.faint), np.asarray(place.grand)
        noise = self.generator.normal(size=(3, 3))
        held = {"flexion": place.flexion, "deviation": place.deviation, "thumb": place.opening}
        looseness = self.generator.normal(0.0, 0.08, 3)
        return Hand(
            # Narrow shoulders meet the same face, the same other hand.
            faint + (grand - faint) * self.vigour + place.spread * noise[0] + self.gap,
            np.asarray(place.elbow) + 0.15 * noise[1],
            np.asarray(place.thumb) + 0.12 * noise[2],
            {
                name: angle + float(loose)
                for (name, angle), loose in zip(held.items(), looseness, strict=True)
            },
        )

    def way(self, faint: float, grand: float, hand: Hand) -> float:
        """Return how long a hand takes from hanging to its place [s]: longer where it is farther."""
        distance = float(np.linalg.norm(hand.wrist - REFERENCE[INDEX["left_wrist"]]))
        return self.between(faint, grand) * float(max(1.0, (distance / _NEAR) ** 0.8))

    def count(self, low: int, high: int) -> int:
        """Return how often something is repeated; more often with vigour."""
        return int(
            np.clip(round(low + (high - low) * self.vigour + self.generator.normal(0.0, 0.5)), low, high)
        )

    def chance(self, probability: float) -> bool:
        """Return True with `probability`."""
        return bool(self.generator.random() < probability)

    def either(self) -> float:
        """Return 1 or -1."""
        return 1.0 if self.chance(0.5) else -1.0


Perform = Callable[[Manner], Score]
Forms = Mapping[str, tuple[float, Perform]]
"""Name of a form -> how often it comes, relative to the others, and what is done."""


def arm(side: str, angles: Mapping[str, float]) -> dict[str, float]:
    """Name the angles of an arm by its side."""
    return {f"{side}_{name}": angle for name, angle in angles.items()}


def arms(angles: Mapping[str, float], sides: Sequence[str] = SIDES) -> dict[str, float]:
    """Name the same angles for several arms."""
    return {name: angle for side in sides for name, angle in arm(side, angles).items()}
