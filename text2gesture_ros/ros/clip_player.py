"""Plays a clip of human motion through running nodes: publishes its frames as a generator does."""

import time
import uuid
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from text2gesture_ros.gestures import GestureNeeds
from text2gesture_ros.motion.frame_block import ClauseHeader, blocks_of
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.msg import GestureFrames
from text2gesture_ros.retargeting.fidelity import MIN_SHARE
from text2gesture_ros.retargeting.progress import CANCELLED, COMPLETED, DEGRADED, FAILED, HELD, PREEMPTED
from text2gesture_ros.ros.conversions import frames_message, to_seconds
from text2gesture_ros.ros.running_nodes import RunningNodes

_BLOCK = 0.5  # of motion in a message [s]
_LEAD = 2.0  # how early before it is due a block is sent [s]
_START = 0.4  # until the first frame [s]
_MATCHING = (
    0.3  # a subscriber that is known knows of its publisher a little later; before, frames are lost [s]
)
_SETTLING = 1.0  # after the last frame: commands are behind it, and on their way [s]
_POLL_PERIOD = 0.02  # [s]
_LONGEST_STEP = 0.1  # commands further apart leave a gap [s]


@dataclass(frozen=True)
class PlayedClip:
    """How a clip ended.

    Attributes:
        utterance_id: the name it had in all messages.
        outcome: completed, degraded, cancelled, preempted or failed.
        reason: why it was not completed.
        share: of its time that was commanded, in [0, 1]; None: nobody tells, without joint_command.
    """

    utterance_id: str
    outcome: str
    reason: str
    share: float | None


class _Listener:
    """Notes what becomes of an utterance."""

    def __init__(self, name: str) -> None:
        self.stamps: list[float] = []  # of the commands that perform it [s]
        self.cancelled = False
        self.successor = ""
        self.name = name

    def on_command(self, message: JointState) -> None:
        """Note a command."""
        performed = message.header.frame_id
        if performed == self.name:
            self.stamps.append(to_seconds(message.header.stamp))
        elif performed and self.stamps:
            self.successor = performed

    def on_cancel(self, message: String) -> None:
        """Note a cancellation."""
        self.cancelled |= message.data in ("", self.name)


def play_clip(nodes: RunningNodes, motion: Motion, needs: GestureNeeds) -> PlayedClip:
    """Perform a clip and return how it ended; what is performed meanwhile is taken over from.

    Ctrl-C cancels it: the robot goes to rest.

    Args:
        nodes: the running nodes.
        motion: what to perform.
        needs: the joint groups and hands it needs.

    Raises:
        ConfigurationError: the retargeter is not there.
    """
    node, name = nodes.node, f"clip-{uuid.uuid4().hex[:12]}"
    settings = nodes.get_parameters("gesture_retargeter", ["outputs", "use_sim_time"])
    node.set_parameters([Parameter("use_sim_time", value=settings["use_sim_time"])])
    listener = _Listener(name)
    frames = node.create_publisher(GestureFrames, "gesture_frames", 100)
    cancels = node.create_publisher(String, "gesture_cancel", 10)
    node.create_subscription(JointState, "joint_command", listener.on_command, 1000)
    node.create_subscription(String, "gesture_cancel", listener.on_cancel, 10)
    for publisher in (frames, cancels):
        nodes.wait_for_subscriber(publisher)
    time.sleep(_MATCHING)
    header = ClauseHeader(name, gesture=motion.gesture, emotion=motion.emotion, needs=needs)
    try:
        _stream(node, frames, motion, header, listener)
    except KeyboardInterrupt:
        cancels.publish(String(data=name))
        time.sleep(_SETTLING)  # or it would not be sent any more
        return PlayedClip(name, CANCELLED, "by Ctrl-C", None)
    if "joint_command" not in settings["outputs"]:
        return PlayedClip(name, CANCELLED if listener.cancelled else COMPLETED, "", None)
    steps = np.minimum(np.diff(listener.stamps), _LONGEST_STEP)
    share = min(1.0, float(steps.sum()) / motion.duration)
    return PlayedClip(name, *_outcome(nodes, listener, share), share)


def _stream(node: Any, frames: Any, motion: Motion, header: ClauseHeader, listener: _Listener) -> None:
    """Publish the frames, each a while before it is due, until all are performed or something ends it."""

    def now() -> float:
        return float(node.get_clock().now().nanoseconds) * 1e-9

    start = now() + _START
    size = max(1, round(_BLOCK * motion.frame_rate))
    blocks = blocks_of(header, motion.positions, motion.frame_rate, start, size)
    while not (listener.cancelled or listener.successor):
        while blocks and blocks[0].due <= now() + _LEAD:
            frames.publish(frames_message(blocks.pop(0), 0.0))
        if not blocks and now() > start + motion.duration + _SETTLING:
            return
        time.sleep(_POLL_PERIOD)


def _outcome(nodes: RunningNodes, listener: _Listener, share: float) -> tuple[str, str]:
    """Return outcome and reason."""
    if listener.cancelled:
        return CANCELLED, "by the service stop or the topic gesture_cancel"
    if listener.successor:
        return PREEMPTED, f"{listener.successor} took over"
    if share >= MIN_SHARE:
        return COMPLETED, ""
    if listener.stamps:
        return DEGRADED, f"{100.0 * share:.0f} % of the time"
    told = nodes.status(["gesture_retargeter"]).get("gesture_retargeter")
    values = {item.key: item.value for item in told.values} if told else {}
    if values.get("held") == "True":
        return FAILED, HELD
    # What is told of others, of an utterance before this one perhaps, is no reason.
    return FAILED, told.message if told and listener.name in told.message else "nothing was commanded"
