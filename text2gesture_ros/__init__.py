"""Gestures for a robot while it speaks: text -> intent -> human motion -> joint commands.

Axes named in the shape comments of this package:
    B batch, T frames (time), K skeleton joints (21), N robot joints, L tokens, C classes, D width,
    M members of an ensemble.
Units are SI (metres, radians, seconds) unless a name says otherwise. Space is x forward, y left, z up.
"""

import pkgutil

# The generated messages (text2gesture_ros.msg) live in the built overlay; this package may be imported
# from the source tree. Both must be visible under one name.
__path__ = pkgutil.extend_path(__path__, __name__)

__version__ = "0.1.0"
