"""Recordings of people, and of figures, in the formats they come in -> Motion.

`recording` is the front door; a module per format reads a `Take`, `placing` brings it into the pelvis frame.
"""

from text2gesture_ros.motion.formats.completion import fill, missing_joints
from text2gesture_ros.motion.formats.recording import FORMATS, Recording, read_recording

__all__ = ["FORMATS", "Recording", "fill", "missing_joints", "read_recording"]
