"""Gestures for a robot while it speaks: text -> intent -> human motion -> joint commands.

Axes named in the shape comments of this package:
    B batch, T frames (time), K skeleton joints (21), N robot joints, L tokens, C classes, D width,
    M members of an ensemble.
Units are SI (metres, radians, seconds) unless a name says otherwise. Space is x forward, y left, z up.
"""

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING

# The generated messages (text2gesture_ros.msg) live in the built overlay; this package may be imported
# from the source tree. Both must be visible under one name.
__path__ = pkgutil.extend_path(__path__, __name__)

__version__ = "0.1.0"

if TYPE_CHECKING:
    from text2gesture_ros.control.loop import ControlLoop
    from text2gesture_ros.control.verification import Verifier, verify
    from text2gesture_ros.errors import ConfigurationError, InputError, ModelError, Text2GestureError
    from text2gesture_ros.generation.generator import GestureGenerator
    from text2gesture_ros.generation.player import GesturePlayer
    from text2gesture_ros.motion.formats import read_recording
    from text2gesture_ros.motion.frame_block import ClauseEnd, ClauseHeader, FrameBlock
    from text2gesture_ros.motion.motion import Motion, load_motion
    from text2gesture_ros.retargeting.executor import MotionExecutor, retarget_motion
    from text2gesture_ros.retargeting.planner import Planner
    from text2gesture_ros.retargeting.retargeter import Retargeter
    from text2gesture_ros.robots.robot import Robot
    from text2gesture_ros.robots.robot_file import load_robot
    from text2gesture_ros.understanding.classifier import IntentClassifier
    from text2gesture_ros.understanding.intent import Intent
    from text2gesture_ros.understanding.recogniser import Recogniser

# Where each public name lives; a module is imported when its name is first asked for.
_HOMES = {
    "ClauseEnd": "motion.frame_block",
    "ClauseHeader": "motion.frame_block",
    "ConfigurationError": "errors",
    "ControlLoop": "control.loop",
    "FrameBlock": "motion.frame_block",
    "GestureGenerator": "generation.generator",
    "GesturePlayer": "generation.player",
    "InputError": "errors",
    "Intent": "understanding.intent",
    "IntentClassifier": "understanding.classifier",
    "ModelError": "errors",
    "Motion": "motion.motion",
    "MotionExecutor": "retargeting.executor",
    "Planner": "retargeting.planner",
    "Recogniser": "understanding.recogniser",
    "Retargeter": "retargeting.retargeter",
    "Robot": "robots.robot",
    "Text2GestureError": "errors",
    "Verifier": "control.verification",
    "load_motion": "motion.motion",
    "load_robot": "robots.robot_file",
    "read_recording": "motion.formats",
    "retarget_motion": "retargeting.executor",
    "verify": "control.verification",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    """Return a public name, importing its module (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted({*globals(), *__all__})
