"""What a person does for each of the 12 gestures: one file per family, a table of forms per gesture.

Places are given for the reference body as wrist positions (x forward, y outward, z up) [m]; `Manner.vigour`
blends each between its faintest and its grandest form, so that emotion shapes the whole gesture, not only its
speed. The number before each form says how often it comes, relative to the others.
"""

from collections.abc import Mapping

from text2gesture_ros.labels import GESTURES
from text2gesture_ros.training.studio.feelings import GRABHEAD, PAT, SHRUG, UPLIFT, YAY
from text2gesture_ros.training.studio.greetings import HANDSHAKE, WAVE
from text2gesture_ros.training.studio.head import NOD, SHAKEHEAD
from text2gesture_ros.training.studio.manner import Forms, Hand, Manner, Place
from text2gesture_ros.training.studio.showing import POINT, THUMBSUP
from text2gesture_ros.training.studio.talking import NEUTRAL

__all__ = ["PERFORMANCES", "Forms", "Hand", "Manner", "Place"]

_TABLES: Mapping[str, Forms] = {
    "grabhead": GRABHEAD,
    "handshake": HANDSHAKE,
    "neutral": NEUTRAL,
    "nod": NOD,
    "pat": PAT,
    "point": POINT,
    "shakehead": SHAKEHEAD,
    "shrug": SHRUG,
    "thumbsup": THUMBSUP,
    "uplift": UPLIFT,
    "wave": WAVE,
    "yay": YAY,
}
PERFORMANCES: Mapping[str, Forms] = {gesture: _TABLES[gesture] for gesture in GESTURES}
