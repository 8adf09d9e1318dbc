"""What each gesture needs of a robot: the one table. A motion without one of these labels says so itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

ARMS = ("left_arm", "right_arm")
GROUPS = ("waist", "head", *ARMS)
"""Every joint group a robot may have."""

ALL_GROUPS = frozenset(GROUPS)


@dataclass(frozen=True)
class GestureNeeds:
    """What a motion needs of a robot.

    Attributes:
        groups: joint groups without which it is not understood; the others may be left to someone else, such
            as a gaze node.
        hand_opening: from 0, closed, to 1, open; None: as at rest. Joint positions do not tell.
    """

    groups: frozenset[str] = ALL_GROUPS
    hand_opening: float | None = None


UNKNOWN_NEEDS = GestureNeeds()
"""Of a motion of which nothing is said: all groups, hands as at rest."""

NEEDS: Mapping[str, GestureNeeds] = MappingProxyType(
    {
        gesture: GestureNeeds(frozenset(groups), hand_opening)
        for gesture, groups, hand_opening in (
            # Either hand may do what one hand does: people use the one they prefer. Some handshakes include
            # a bow. Palms are shown, laid on something or given; fingers are bent behind the one that tells.
            ("handshake", (*ARMS, "waist"), 1.0),
            ("point", ARMS, 0.0),
            ("thumbsup", ARMS, 0.0),
            ("wave", ARMS, 1.0),
            ("pat", ARMS, 1.0),
            ("uplift", ARMS, 1.0),
            ("yay", ARMS, 1.0),
            # Said with the head; hands may refuse along with it.
            ("nod", ("head",), None),
            ("shakehead", ("head", *ARMS), None),
            # The hand meets the head, which bends towards it; a shrug tilts the head.
            ("grabhead", ("head", *ARMS), 1.0),
            ("shrug", ("head", *ARMS), 1.0),
            # Small movements while talking: where the robot looks matters more.
            ("neutral", ARMS, None),
        )
    }
)
"""By label of the gesture."""


def needs_of(gesture: str) -> GestureNeeds:
    """Return what a gesture needs, by its label; `UNKNOWN_NEEDS` for an unknown one."""
    return NEEDS.get(gesture, UNKNOWN_NEEDS)


def mirrored(groups: frozenset[str]) -> frozenset[str]:
    """Return the groups with left and right exchanged."""
    other = dict(zip(ARMS, reversed(ARMS), strict=True))
    return frozenset(other.get(group, group) for group in groups)
