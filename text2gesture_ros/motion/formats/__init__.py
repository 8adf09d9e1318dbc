"""Readers of recordings in many formats.

`recording.read_recording` reads any of them. A module per format reads a `Take`; `normalisation` brings it to
the skeleton, frame and rate of this package.
"""

from text2gesture_ros.motion.formats.completion import fill, missing_joints
from text2gesture_ros.motion.formats.joint_names import read_map
from text2gesture_ros.motion.formats.recording import FORMATS, GLTF, Recording, read_recording

__all__ = ["FORMATS", "GLTF", "Recording", "fill", "missing_joints", "read_map", "read_recording"]
