"""Between messages and core types: the only file that knows both.

What goes out is made of plain Python numbers and strings: rclpy checks no fields, and aborts on numpy's.
What comes in is checked here, and InputError says what is wrong with it.
"""

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from builtin_interfaces.msg import Duration, Time
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from text2gesture_ros.control.trajectory import Commit
from text2gesture_ros.errors import InputError
from text2gesture_ros.generation.request import GestureRequest, request_of
from text2gesture_ros.gestures import ALL_GROUPS, GROUPS, GestureNeeds
from text2gesture_ros.labels import check_label
from text2gesture_ros.motion.frame_block import (
    MAX_BLOCK_FRAMES,
    ClauseEnd,
    ClauseHeader,
    FrameBlock,
    FrameMessage,
)
from text2gesture_ros.motion.motion import FRAME_RATE
from text2gesture_ros.msg import GestureFrames, GestureIntent, LabelProbabilities, PlanCommit, Speech
from text2gesture_ros.skeleton import JOINTS, order_joints
from text2gesture_ros.understanding.clauses import ClauseTimes
from text2gesture_ros.understanding.intent import Intent, Prediction
from text2gesture_ros.understanding.utterance import Utterance
from text2gesture_ros.understanding.word_times import MAX_SPEECH_DURATION, checked_times, in_speech

if TYPE_CHECKING:
    from text2gesture_ros.control.command import Announcement, Command
    from text2gesture_ros.control.row_clock import RowClock
    from text2gesture_ros.geometry import Array, BoolArray

MAX_ID_LENGTH = 128  # characters of an utterance id
MAX_REASON_LENGTH = 400  # characters that are kept of why there is no gesture or no motion
_HANDS_AT_REST = -1.0  # hand opening of a motion that says nothing of hands
_MAX_TRANSPORT_TIME = 5.0  # of a message; a stamp that is older is of another clock [s]


def to_time(seconds: float, offset: float = 0.0) -> Time:
    """Return a stamp, of the sum of both; what lies before 1970 becomes zero.

    Whole nanoseconds are added: a float of seconds since 1970 has steps of 240 ns, in which a jerk drowns.
    """
    nanoseconds = max(0, round(seconds * 1e9) + round(offset * 1e9))
    return Time(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)


def to_seconds(stamp: Time, offset: float = 0.0) -> float:
    """Return a stamp less an offset [s]; the inverse of `to_time`, and as exact."""
    nanoseconds = int(stamp.sec) * 10**9 + int(stamp.nanosec) - round(offset * 1e9)
    return nanoseconds * 1e-9


def plan_commit(commit: Commit, clock: "RowClock", offset: float) -> PlanCommit:
    """Return when a plan begins, and what it was made from; `offset` leads to the ROS clock [s]."""
    utterance_id, clause = commit.clause
    message = PlanCommit(clause=clause, attempt=commit.attempt, failed_at=commit.failed_at)
    message.header.stamp, message.header.frame_id = to_time(clock.time(commit.row), offset), utterance_id
    message.known_until = to_time(commit.known_until, offset)
    return message


def read_plan_commit(message: PlanCommit, clock: "RowClock", offset: float) -> Commit:
    """Return what a message tells of a plan; `offset` leads to the ROS clock [s]."""
    begin = to_seconds(message.header.stamp, offset)
    return Commit(
        round((begin - clock.origin) / clock.period),
        (message.header.frame_id, message.clause),
        to_seconds(message.known_until, offset),
        message.attempt,
        message.failed_at,
    )


def read_speech(message: Speech) -> tuple[Utterance, list[str]]:
    """Return what a Speech says and, one line each, what is wrong in it, and repaired or left out."""
    complaints = []

    def label(task: str, given: str) -> str:
        try:
            return check_label(task, given) if given else ""
        except InputError as error:
            complaints.append(str(error))
            return ""

    gesture, emotion = label("gesture", message.gesture), label("emotion", message.emotion)
    refusal = "; ".join(complaints)  # another gesture than the one that was asked for would be a surprise
    utterance_id = message.utterance_id
    if len(utterance_id) > MAX_ID_LENGTH:
        complaints.append(f"utterance_id has {len(utterance_id)} characters, allowed {MAX_ID_LENGTH}")
        utterance_id = ""
    starts = [float(start) for start in message.word_starts]
    times = checked_times(message.text, float(message.duration), message.words, starts)
    complaints += times.complaints
    utterance = Utterance(
        message.text,
        utterance_id,
        times.duration,
        times.words,
        times.starts,
        gesture,
        emotion,
        int(message.priority),
        refusal,
    )
    return utterance, complaints


def intent_message(intent: Intent, utterance: Utterance, arrival: float, clause: int = 0) -> GestureIntent:
    """Return an intent as a message.

    Args:
        intent: what the text, or a clause of it, means.
        utterance: where the text came from; its id is not empty.
        arrival: when the text arrived [s], on the ROS clock.
        clause: number of the clause within the utterance.
    """
    message = GestureIntent(
        utterance_id=utterance.utterance_id,
        clause=clause,
        text=intent.text,
        span_start=int(intent.span[0]),
        span_end=int(intent.span[1]),
        start=float(intent.times.start),
        stroke=float(intent.times.stroke),
        end=float(intent.times.end),
        estimated=bool(intent.times.estimated),
        speech_probability=float(intent.speech),
        subject=_prediction_message(intent.subject),
        gesture=_prediction_message(intent.gesture),
        emotion=_prediction_message(intent.emotion),
        accepted=bool(intent.accepted),
        reason=intent.reason,
        model=intent.model,
        priority=utterance.priority,
    )
    message.header.stamp = to_time(arrival)
    return message


def _prediction_message(prediction: Prediction) -> LabelProbabilities:
    return LabelProbabilities(
        chosen=prediction.chosen,
        labels=list(prediction.labels),
        probabilities=prediction.probabilities.tolist(),
    )


def read_intent(message: GestureIntent, now: float, clock_offset: float) -> GestureRequest:
    """Return what an intent asks of the generator.

    Args:
        message: as it arrived; span and times may be left out.
        now: when it did [s], on the ROS clock; stands for a stamp that is of another clock.
        clock_offset: what to take from ROS time to have the clock of the request [s].

    Raises:
        InputError: the utterance has no usable id, a label is unknown, or a time is out of range.
    """
    times = ClauseTimes(
        float(message.start), float(message.stroke), float(message.end), bool(message.estimated)
    )
    for name in ("start", "stroke", "end"):
        if not in_speech(value := getattr(times, name)):
            raise InputError(f"{name} must be in [0, {MAX_SPEECH_DURATION:g}] s but is {value}")
    arrival = to_seconds(message.header.stamp, clock_offset)
    if not 0.0 <= now - clock_offset - arrival <= _MAX_TRANSPORT_TIME:
        arrival = now - clock_offset
    check_label("gesture", message.gesture.chosen)
    check_label("emotion", message.emotion.chosen)
    text_end = len(message.text)
    intent = Intent(
        text=message.text,
        span=(int(message.span_start), int(message.span_end) or text_end),
        word=(0, 0),
        times=times,
        speech=float(message.speech_probability),
        subject=_read_prediction(message.subject),
        gesture=_read_prediction(message.gesture),
        emotion=_read_prediction(message.emotion),
        accepted=bool(message.accepted),
        reason=message.reason[:MAX_REASON_LENGTH],
        model=message.model,
    )
    return request_of(
        intent,
        _check_id(message.utterance_id),
        arrival,
        clause=int(message.clause),
        priority=int(message.priority),
    )


def _read_prediction(message: LabelProbabilities) -> Prediction:
    return Prediction(tuple(message.labels), np.asarray(message.probabilities, np.float64), message.chosen)


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
        hand_opening=_HANDS_AT_REST if opening is None else float(opening),
    )
    if isinstance(block, FrameBlock):
        message.first_frame = int(block.first_frame)
        message.frame_rate = float(block.frame_rate)
        message.positions = block.positions.ravel().tolist()
        message.stop_probabilities = block.stop_probabilities.tolist()
        message.last = bool(block.last)
    else:
        message.reason = block.reason
    message.header.stamp = to_time(block.due, clock_offset)
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
    header, due = _header(message), to_seconds(message.header.stamp, clock_offset)
    if not count:
        if not message.last:
            raise InputError("frames: a block without frames must be the last of its clause")
        return ClauseEnd(header, int(message.sequence), due, message.reason[:MAX_REASON_LENGTH])
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
    if not 1 <= len(utterance_id) <= MAX_ID_LENGTH:
        raise InputError(f"utterance_id has {len(utterance_id)} characters, allowed 1 to {MAX_ID_LENGTH}")
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


def read_joint_states(message: JointState, names: Collection[str]) -> dict[str, float]:
    """Return the positions [rad] of those joints of a message that are among `names`.

    A position that is no number, or no position at all, tells nothing: drivers publish that for wheels, and
    for motors that do not answer.

    Raises:
        InputError: names and positions do not fit.
    """
    if not message.position:
        return {}
    if len(message.name) != len(message.position):
        raise InputError(f"{len(message.name)} names do not fit {len(message.position)} positions")
    told = zip(message.name, message.position, strict=True)
    return {name: float(value) for name, value in told if name in names and math.isfinite(value)}


def _owned_names(names: Sequence[str], owned: "BoolArray") -> list[str]:
    return [name for name, is_owned in zip(names, owned.tolist(), strict=True) if is_owned]


def trajectory_message(names: Sequence[str], trajectory: "Announcement", start: float) -> JointTrajectory:
    """Return a look-ahead as a message.

    Args:
        names: the N joints; those that are owned become part of it.
        trajectory: what is ahead; times count from `start`.
        start: when it starts [s], on the ROS clock.
    """
    owned = trajectory.owned
    points = [
        # With accelerations, joint_trajectory_controller interpolates by quintics, whose acceleration has no
        # jump from point to point.
        JointTrajectoryPoint(
            positions=positions,
            velocities=velocities,
            accelerations=accelerations,
            time_from_start=_duration(time),
        )
        for time, positions, velocities, accelerations in zip(
            trajectory.times.tolist(),
            trajectory.positions[:, owned].tolist(),
            trajectory.velocities[:, owned].tolist(),
            trajectory.accelerations[:, owned].tolist(),
            strict=True,
        )
    ]
    message = JointTrajectory(joint_names=_owned_names(names, owned), points=points)
    message.header.stamp = to_time(start)
    message.header.frame_id = trajectory.utterance_id
    return message


def _duration(seconds: float) -> Duration:
    nanoseconds = round(seconds * 1e9)
    return Duration(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)
