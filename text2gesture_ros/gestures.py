"""Which joint groups a gesture uses, so that the others may be left to someone else: a gaze node, say."""

from collections.abc import Mapping
from types import MappingProxyType

ALWAYS, WHEN_USED, NEVER = MODES = ("always", "when_used", "never")
"""When a group is ours: at any time, while a gesture uses it and until it is back at rest, at no time."""

GROUPS = ("waist", "head", "left_arm", "right_arm")
"""Every group a robot may have."""

_ARMS = ("left_arm", "right_arm")

USED_BY: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        gesture: frozenset(groups)
        for gesture, groups in {
            # Either hand may do what one hand does: people do it with the one they prefer. A bow is part of
            # some handshakes.
            "handshake": (*_ARMS, "waist"),
            "point": _ARMS,
            "thumbsup": _ARMS,
            "wave": _ARMS,
            "pat": _ARMS,
            "uplift": _ARMS,
            "yay": _ARMS,
            # Said with the head alone; hands may refuse along with it.
            "nod": ("head",),
            "shakehead": ("head", *_ARMS),
            # The hand meets the head, which bends towards it; who shrugs tilts the head.
            "grabhead": ("head", *_ARMS),
            "shrug": ("head", *_ARMS),
            # Small movements of talking: where the robot looks is more than they are.
            "neutral": _ARMS,
        }.items()
    }
)
"""The groups without which a gesture is not understood, by its label."""


def used_by(gesture: str, mirrored: bool = False) -> frozenset[str]:
    """Return the groups a gesture uses; all for one that is unknown."""
    groups = USED_BY.get(gesture, frozenset(GROUPS))
    if not mirrored:
        return groups
    other = dict(zip(_ARMS, reversed(_ARMS), strict=True))
    return frozenset(other.get(group, group) for group in groups)


OPENINGS: Mapping[str, float] = MappingProxyType(
    {
        # Palms are shown, laid on something or given.
        "wave": 1.0,
        "handshake": 1.0,
        "pat": 1.0,
        "grabhead": 1.0,
        "shrug": 1.0,
        "uplift": 1.0,
        "yay": 1.0,
        # Fingers are bent behind the one that tells.
        "thumbsup": 0.0,
        "point": 0.0,
    }
)
"""From 0, closed, to 1, open, by gesture; in the others hands stay as they are at rest."""
