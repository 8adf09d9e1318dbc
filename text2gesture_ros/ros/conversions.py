"""Between messages and core types: the only file that knows both.

What goes out is made of plain Python numbers and strings: rclpy checks no fields, and aborts on numpy's.
What comes in is checked here, and InputError says what is wrong with it.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from builtin_interfaces.msg import Duration, Time
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from text2gesture_ros.errors import InputError
from text2gesture_ros.generation.request import GestureRequest
from text2gesture_ros.gestures import ALL_GROUPS, GROUPS, GestureNeeds, needs_of
from text2gesture_ros.labels import NEUTRAL, check_label
from text2gesture_ros.motion.frame_block import (
    MAX_BLOCK_FRAMES,
    ClauseEnd,
    ClauseHeader,
    FrameBlock,
    FrameMessage,
)
from text2gesture_ros.motion.motion import FRAME_RATE
from text2gesture_ros.msg import GestureFrames, GestureIntent, LabelProbabilities, Speech
from text2gesture_ros.skeleton import JOINTS, order_joints
from text2gesture_ros.understanding.utterance import Utterance

if TYPE_CHECKING:  # at run time only the node that owns them imports the models' runtimes
    from text2gesture_ros.control.command import Announcement, Command
    from text2gesture_ros.geometry import Array, BoolArray
    from text2gesture_ros.understanding.classifier import Intent, Prediction

LONGEST_ID = 128  # characters of an utterance id
LONGEST_SPEECH = 3600.0  # or an utterance of high priority could keep all others waiting for ever [s]
_LONGEST_REASON = 400  # characters of why there is no motion that are kept
_AS_AT_REST = -1.0  # hand opening of a motion that says nothing of hands
_LONGEST_TRANSPORT = 5.0  # of a message, from one node to the next [s]


def to_time(seconds: float, offset: float = 0.0) -> Time:
    """Return a stamp, of the sum of both; what lies before 1970 becomes zero.

    Whole nanoseconds are added: a float of seconds since 1970 has steps of 240 ns, in which a jerk drowns.
    """
    nanoseconds = max(0, round(seconds * 1e9) + round(offset * 1e9))
    return Time(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)


def to_seconds(stamp: Time) -> float:
    """Return a stamp in seconds."""
    return float(stamp.sec) + float(stamp.nanosec) * 1e-9


def _in_speech(time: float) -> bool:
    """Return whether it is a time in speech [s]."""
    return 0.0 <= time <= LONGEST_SPEECH


def read_speech(message: Speech) -> tuple[Utterance, list[str]]:
    """Return what a Speech says and, one line each, what in it cannot be used and is left out."""
    complaints = []

    def label(task: str, given: str) -> str:
        try:
            return check_label(task, given) if given else ""
        except InputError as error:
            complaints.append(str(error))
            return ""

    gesture, emotion = label("gesture", message.gesture), label("emotion", message.emotion)
    utterance_id = message.utterance_id
    if len(utterance_id) > LONGEST_ID:
        complaints.append(f"utterance_id has {len(utterance_id)} characters, allowed {LONGEST_ID}")
        utterance_id = ""
    duration = float(message.duration)
    if not _in_speech(duration):
        complaints.append(f"duration must be in [0, {LONGEST_SPEECH:g}] s but is {duration}")
        duration = 0.0
    words, starts = tuple(message.words), tuple(float(start) for start in message.word_starts)
    if len(words) != len(starts) or not all(map(_in_speech, starts)):
        complaints.append(
            f"{len(words)} words do not fit {len(starts)} word_starts, or one is no time in speech"
        )
        words, starts = (), ()
    priority = int(message.priority)
    utterance = Utterance(message.text, utterance_id, duration, words, starts, gesture, emotion, priority)
    return utterance, complaints


def intent_message(intent: "Intent", utterance: Utterance, arrival: float, clause: int = 0) -> GestureIntent:
    """Return an intent as a message.

    Args:
        intent: what the text, or a clause of it, means.
        utterance: where the text came from; its id is not empty.
        arrival: when the text arrived [s], on the ROS clock.
        clause: which clause.
    """
    message = GestureIntent(
        utterance_id=utterance.utterance_id,
        clause=clause,
        text=intent.text,
        span_start=int(intent.span[0]),
        span_end=int(intent.span[1]),
        start=float(intent.start),
        stroke=float(intent.stroke),
        end=float(intent.end),
        estimated=bool(intent.estimated),
        speech_probability=float(intent.speech),
        subject=_prediction_message(intent.subject),
        gesture=_prediction_message(intent.gesture),
        emotion=_prediction_message(intent.emotion),
        accepted=bool(intent.accepted),
        reason=intent.reason,
        model=intent.model,
        duration=utterance.duration,
        priority=utterance.priority,
    )
    message.header.stamp = to_time(arrival)
    return message


def _prediction_message(prediction: "Prediction") -> LabelProbabilities:
    return LabelProbabilities(
        chosen=prediction.chosen,
        labels=list(prediction.labels),
        probabilities=prediction.probabilities.tolist(),
    )


def read_intent(message: GestureIntent, now: float) -> GestureRequest:
    """Return what the generator needs of an intent.

    Args:
        message: as it arrived.
        now: when it did [s], on the ROS clock; believed where the stamp tells another time altogether.

    Raises:
        InputError: the utterance has no usable id, a label is unknown, or a time is no time in speech.
    """
    start, stroke, end = float(message.start), float(message.stroke), float(message.end)
    for name, value in (("start", start), ("stroke", stroke), ("end", end)):
        if not _in_speech(value):
            raise InputError(f"{name} must be in [0, {LONGEST_SPEECH:g}] s but is {value}")
    # The last clause ends where the text does. Who writes an intent of his own may leave span and times out.
    more = message.span_end > 0 and bool(message.text[message.span_end :].strip())
    duration = float(message.duration)
    if not more and _in_speech(duration):
        end = max(end, duration)
    timed = start <= stroke <= end and start < end
    stamp = to_seconds(message.header.stamp)
    arrival = stamp if 0.0 <= now - stamp <= _LONGEST_TRANSPORT else now
    gesture = check_label("gesture", message.gesture.chosen)
    accepted = bool(message.accepted)
    shown = gesture if accepted else NEUTRAL
    return GestureRequest(
        header=ClauseHeader(
            utterance_id=_check_id(message.utterance_id),
            clause=int(message.clause),
            gesture=shown,
            emotion=check_label("emotion", message.emotion.chosen),
            more=more,
            priority=int(message.priority),
            needs=needs_of(shown),
        ),
        arrival=arrival,
        begin=arrival + start,
        stroke=stroke - start if timed else None,
        length=end - start if timed and not message.estimated else None,
        estimated=bool(message.estimated),
        accepted=accepted,
        spoken=any(character.isalpha() for character in message.text),
    )


def frames_message(block: FrameMessage, clock_offset: float) -> GestureFrames:
    """Return frames as a message.

    Args:
        block: the frames, or that no more come.
        clock_offset: what to add to `block.due` to have ROS time [s].
    """
    header, opening = block.header, block.header.needs.hand_opening
    message = GestureFrames(
        utterance_id=header.utterance_id,
        clause=int(header.clause),
        gesture=header.gesture,
        emotion=header.emotion,
        sequence=int(block.sequence),
        frame_rate=FRAME_RATE,
        joint_names=list(JOINTS),
        last=True,
        more=bool(header.more),
        priority=int(header.priority),
        groups=sorted(header.needs.groups),
        hand_opening=_AS_AT_REST if opening is None else float(opening),
    )
    if isinstance(block, FrameBlock):
        message.first_frame = int(block.first_frame)
        message.frame_rate = float(block.frame_rate)
        message.positions = block.positions.ravel().tolist()
        message.stop_probabilities = block.stop_probabilities.tolist()
        message.last = bool(block.last)
    else:
        message.reason = block.reason
    message.header.stamp = to_time(block.due + clock_offset)
    message.header.frame_id = "pelvis"
    return message


def read_frames(message: GestureFrames, clock_offset: float) -> FrameMessage:
    """Return the frames of a message, joints matched by name; without frames, the end of the clause.

    Args:
        message: as it arrived.
        clock_offset: what to take from ROS time to have the clock of `FrameBlock.due` [s].

    Raises:
        InputError: the utterance has no usable id, a joint is missing, a count does not fit, a number is no
            position of a human body, or there are no frames in a block that is not the last.
    """
    count = len(message.stop_probabilities)
    if count > MAX_BLOCK_FRAMES:
        raise InputError(f"{count} stop_probabilities, allowed {MAX_BLOCK_FRAMES}, one for each frame")
    names = list(message.joint_names)
    if len(names) != len(JOINTS):
        raise InputError(f"{len(names)} joint_names, expected {len(JOINTS)}")
    order = order_joints(names, "joint_names")
    if len(message.positions) != count * len(JOINTS) * 3:
        raise InputError(
            f"{len(message.positions)} positions, expected {count} frames x {len(JOINTS)} joints x 3"
        )
    header, due = _header(message), to_seconds(message.header.stamp) - clock_offset
    if not count:
        if not message.last:
            raise InputError("frames: a block without frames must be the last of its clause")
        return ClauseEnd(header, int(message.sequence), due, message.reason[:_LONGEST_REASON])
    positions = np.asarray(message.positions, dtype=np.float32).reshape(count, len(JOINTS), 3)
    return FrameBlock(
        header=header,
        sequence=int(message.sequence),
        first_frame=int(message.first_frame),
        frame_rate=float(message.frame_rate),
        due=due,
        positions=positions[:, order],
        stop_probabilities=np.asarray(message.stop_probabilities, dtype=np.float32),
        last=bool(message.last),
    )


def _header(message: GestureFrames) -> ClauseHeader:
    """Return which clause a message is of, and what it needs of the robot."""
    unknown = sorted(set(message.groups) - ALL_GROUPS)
    if unknown:
        raise InputError(f"groups: unknown joint group {unknown[0]!r}. Known: {', '.join(GROUPS)}")
    opening = float(message.hand_opening)
    if not opening <= 1.0:  # NaN neither
        raise InputError(f"hand_opening must be in [0, 1], or negative: as at rest, but is {opening}")
    return ClauseHeader(
        utterance_id=_check_id(message.utterance_id),
        clause=int(message.clause),
        gesture=message.gesture,
        emotion=message.emotion,
        more=bool(message.more),
        priority=int(message.priority),
        needs=GestureNeeds(
            groups=frozenset(message.groups) or ALL_GROUPS,
            hand_opening=None if opening < 0.0 else opening,
        ),
    )


def _check_id(utterance_id: str) -> str:
    if not 1 <= len(utterance_id) <= LONGEST_ID:
        raise InputError(f"utterance_id has {len(utterance_id)} characters, allowed 1 to {LONGEST_ID}")
    return utterance_id


def joint_state_message(names: Sequence[str], command: "Command", offset: float) -> JointState:
    """Return a command for those of the N joints that are owned; `offset` leads to the ROS clock [s]."""
    owned = command.owned
    message = JointState(
        name=_owned_names(names, owned),
        position=command.position[owned].tolist(),
        velocity=command.velocity[owned].tolist(),
    )
    message.header.stamp = to_time(command.time, offset)
    message.header.frame_id = command.utterance_id
    return message


def positions_message(command: "Command", joints: Sequence[int]) -> Float64MultiArray:
    """Return a command for some of the N joints, in this order, as forward controllers read it."""
    return Float64MultiArray(data=command.position[list(joints)].tolist())


def joint_angles_message(
    kind: Any, names: Sequence[str], command: "Command", limits: "Array", offset: float
) -> Any:
    """Return a command for those of the N joints that are owned, as NAOqi takes it.

    NAOqi goes to each position on its own, no faster than a share of the joints' speed.

    Args:
        kind: naoqi_bridge_msgs/JointAnglesWithSpeed.
        names: the N joints.
        command: what to do.
        limits: (N,) speed of each joint [rad/s].
        offset: leads to the ROS clock [s].
    """
    owned = command.owned
    message = kind(
        joint_names=_owned_names(names, owned),
        joint_angles=command.position[owned].tolist(),
        speed=command.speed(limits),
        relative=0,
    )
    message.header.stamp = to_time(command.time, offset)
    message.header.frame_id = command.utterance_id
    return message


def read_joint_states(message: JointState) -> dict[str, float]:
    """Return the positions of a message by joint [rad].

    Raises:
        InputError: names and positions do not fit, or a position is no number.
    """
    if len(message.name) != len(message.position):
        raise InputError(f"{len(message.name)} names do not fit {len(message.position)} positions")
    positions = dict(zip(message.name, (float(value) for value in message.position), strict=True))
    for name, position in positions.items():
        if not math.isfinite(position):
            raise InputError(f"position of {name!r} is {position}")
    return positions


def _owned_names(names: Sequence[str], owned: "BoolArray") -> list[str]:
    return [name for name, is_owned in zip(names, owned.tolist(), strict=True) if is_owned]


def trajectory_message(names: Sequence[str], trajectory: "Announcement", start: float) -> JointTrajectory:
    """Return a look-ahead as a message.

    Args:
        names: the N joints; those that are owned become part of it.
        trajectory: times (P,) after `start` [s], positions (P, N) [rad], velocities (P, N) [rad/s].
        start: when it starts [s], on the ROS clock.
    """
    points = [
        JointTrajectoryPoint(positions=positions, velocities=velocities, time_from_start=_duration(time))
        for time, positions, velocities in zip(
            trajectory.times.tolist(),
            trajectory.positions[:, trajectory.owned].tolist(),
            trajectory.velocities[:, trajectory.owned].tolist(),
            strict=True,
        )
    ]
    message = JointTrajectory(joint_names=_owned_names(names, trajectory.owned), points=points)
    message.header.stamp = to_time(start)
    message.header.frame_id = trajectory.utterance_id
    return message


def _duration(seconds: float) -> Duration:
    nanoseconds = round(seconds * 1e9)
    return Duration(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)
