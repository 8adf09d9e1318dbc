"""Server of the action perform_gesture: each goal is published as Speech and tracked to its end.

Progress and result come from the intents, the frames and the commands of the utterance, as for all others.
Nothing here blocks: the control loop calls `update`, which publishes feedback and finishes goals that are
over.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.lifecycle import LifecycleNode

from text2gesture_ros.action import PerformGesture
from text2gesture_ros.generation.schedule import MAX_WAIT
from text2gesture_ros.motion.frame_block import FrameBlock, FrameMessage
from text2gesture_ros.msg import Speech
from text2gesture_ros.retargeting.fidelity import NOTHING_MEASURED, Fidelity
from text2gesture_ros.retargeting.progress import (
    CANCELLED,
    COMPLETED,
    DEGRADED,
    FAILED,
    OVER,
    REFUSED,
    WAITING,
    Progress,
)
from text2gesture_ros.ros.conversions import read_speech

UPSTREAM_TIMEOUT = 5.0
"""A goal fails if the next message about it from upstream is later than this [s]."""

# What a goal waits for, in this order: why it fails if that does not come.
_NO_SUBSCRIBER = "the topic speech has no subscriber: does intent_classifier run?"
_NO_INTENT = "no intent of it came: is intent_classifier active?"
_NO_FRAMES = "no frames of it came: is gesture_generator active?"
_NO_COMMAND = "its frames came too late to be performed"
_INACTIVE = "the node is not active"
_RESULT_TIMEOUT = 60  # how long results are kept for clients [s]
_MAX_GOALS = 100  # under way at the same time


@dataclass(eq=False)
class _Goal:
    """A goal under way."""

    handle: ServerGoalHandle
    speech: Speech
    last_heard: float  # time of the latest message about it, or until when it may have to wait [s]
    missing: str = _NO_SUBSCRIBER
    queued_behind: str = ""  # utterance whose frames came last when the intent of this one came
    cancelled: bool = False
    no_gesture: str = ""  # why the text got talking motion at most; empty: a clause has a gesture


class PerformGestureServer:
    """Serves perform_gesture, several goals at once: the generator decides which one is performed when.

    Args:
        node: offers the action and publishes goals on `speech`.
        progress: returns the progress of an utterance, None: no block of it has come.
        cancel: cancels an utterance.
        clock: returns the time [s].
    """

    def __init__(
        self,
        node: LifecycleNode,
        progress: Callable[[str], Progress | None],
        cancel: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._node, self._progress, self._cancel, self._clock = node, progress, cancel, clock
        self._speech = node.create_lifecycle_publisher(Speech, "speech", 50)
        self._goals: dict[str, _Goal] = {}
        self._results: dict[bytes, PerformGesture.Result] = {}  # of finished goals, not sent yet
        self._closed = _INACTIVE  # why no goal is accepted; empty: they are
        self._latest = ""  # utterance whose frames came last
        self._server = ActionServer(
            node,
            PerformGesture,
            "perform_gesture",
            self._execute,
            handle_accepted_callback=self._on_accepted,
            cancel_callback=self._on_cancel_request,
            result_timeout=_RESULT_TIMEOUT,
        )

    def open(self) -> None:
        """Accept goals from now on."""
        self._closed = ""

    def wait(self, reason: str) -> None:
        """Accept no goals yet, for a reason."""
        self._closed = reason

    def close(self) -> None:
        """Accept no more goals, and finish those under way."""
        self._closed = _INACTIVE
        self.update()
        for name in list(self._goals):
            self._finish(name, FAILED, "gesture_retargeter was deactivated")

    def destroy(self) -> None:
        """Destroy the action server."""
        self._server.destroy()

    @property
    def utterance_ids(self) -> tuple[str, ...]:
        """The utterances of the goals under way."""
        return tuple(self._goals)

    # Messages about goals

    def on_intent(self, utterance_id: str, begin: float, no_gesture: str) -> None:
        """Record the intent of a clause.

        Args:
            utterance_id: of which utterance.
            begin: until when its motion may wait [s].
            no_gesture: why the clause gets no gesture; empty: it gets one.
        """
        goal = self._goals.get(utterance_id)
        if goal is None:
            return
        if goal.missing in (_NO_SUBSCRIBER, _NO_INTENT):  # the first clause counts
            goal.last_heard, goal.missing = max(begin, self._clock()), _NO_FRAMES
            goal.queued_behind, goal.no_gesture = self._latest, no_gesture
        elif not no_gesture:
            goal.no_gesture = ""

    def on_frames(self, block: FrameMessage) -> None:
        """Record frames of any utterance: goals may be waiting for the end of that one."""
        now, name = self._clock(), block.header.utterance_id
        if goal := self._goals.get(name):
            goal.last_heard, goal.missing = max(goal.last_heard, now), _NO_COMMAND
        if isinstance(block, FrameBlock):
            self._latest = name
        for goal in self._goals.values():
            if goal.missing == _NO_FRAMES and goal.queued_behind == name:
                goal.last_heard = max(goal.last_heard, now)

    def on_cancel(self, utterance_id: str) -> None:
        """Record the cancellation of an utterance; of all if the id is empty."""
        for name, goal in self._goals.items():
            goal.cancelled |= utterance_id in ("", name)

    def update(self) -> None:
        """Send feedback to every client, and the result where a goal is over."""
        for name, goal in list(self._goals.items()):
            progress = self._progress(name) or self._progress_without_frames(goal)
            if progress.state == OVER:
                self._finish(name, progress.outcome, progress.reason, progress.duration, progress.fidelity)
            else:
                goal.handle.publish_feedback(
                    PerformGesture.Feedback(
                        state=progress.state,
                        progress=float(progress.fraction),
                        stop_probability=float(progress.stop_probability),
                        clause=int(progress.clause),
                    )
                )

    def _progress_without_frames(self, goal: _Goal) -> Progress:
        """Return the progress of a goal before its first frames."""
        now = self._clock()
        if goal.cancelled:
            return Progress(OVER, 0, 0.0, 0.0, CANCELLED, "cancelled", 0.0)
        if goal.missing == _NO_SUBSCRIBER:
            self._publish_speech(goal)
        # Once the intent has come, the generator may let it wait for its turn.
        timeout = UPSTREAM_TIMEOUT + (MAX_WAIT if goal.missing == _NO_FRAMES else 0.0)
        if now <= goal.last_heard + timeout:
            return Progress(WAITING, 0, 0.0, 0.0, "", "", 0.0)
        self._cancel(goal.speech.utterance_id)  # otherwise its motion might still come after the result
        return Progress(OVER, 0, 0.0, 0.0, FAILED, f"{goal.missing} (waited {timeout:g} s)", 0.0)

    def _publish_speech(self, goal: _Goal) -> None:
        """Publish a goal's speech if the topic has a subscriber."""
        if self._speech.get_subscription_count():
            self._speech.publish(goal.speech)
            goal.missing = _NO_INTENT

    # Callbacks of the action server

    def _refusal(self, speech: Speech) -> str:
        """Return why a goal is refused, empty if it is not."""
        utterance, complaints = read_speech(speech)
        if self._closed:
            return self._closed
        if complaints:
            return complaints[0]
        if not (utterance.text.strip() or utterance.gesture):
            return "neither text nor gesture is given"
        if len(self._goals) >= _MAX_GOALS:
            return f"{_MAX_GOALS} goals are under way already"
        name = utterance.utterance_id
        if name and (name in self._goals or self._progress(name) is not None):
            return f"utterance_id {name!r} was used already"
        return ""

    def _on_accepted(self, handle: ServerGoalHandle) -> None:
        speech = handle.request.speech
        # A rejection in the sense of ROS could not say why: what is refused is accepted and ends at once.
        if reason := self._refusal(speech):
            self._node.get_logger().warning(f"perform_gesture: goal refused: {reason}")
            self._end(handle, PerformGesture.Result(outcome=REFUSED, reason=reason))
            return
        speech.utterance_id = speech.utterance_id or f"goal-{uuid.uuid4().hex[:12]}"
        goal = self._goals[speech.utterance_id] = _Goal(handle, speech, self._clock())
        self._publish_speech(goal)

    def _finish(
        self,
        name: str,
        outcome: str,
        reason: str,
        duration: float = 0.0,
        fidelity: Fidelity = NOTHING_MEASURED,
    ) -> None:
        """Store the result of a goal and let the action server send it."""
        goal = self._goals.pop(name)
        if goal.no_gesture and goal.no_gesture not in reason:
            reason = "; ".join(filter(None, (reason, f"no gesture: {goal.no_gesture}")))
        result = PerformGesture.Result(
            utterance_id=name,
            outcome=outcome,
            reason=reason,
            duration=duration,
            performed_share=fidelity.share if duration else 0.0,
            deviation=fidelity.deviation,
        )
        self._end(goal.handle, result)

    def _end(self, handle: ServerGoalHandle, result: PerformGesture.Result) -> None:
        self._results[bytes(handle.goal_id.uuid)] = result
        # Not before: from here on rclpy awaits the result, and an executor that awaits never sleeps.
        handle.execute()

    def _execute(self, handle: ServerGoalHandle) -> Any:
        result = self._results.pop(bytes(handle.goal_id.uuid))
        if result.outcome in (COMPLETED, DEGRADED):  # the result tells how well it was performed
            handle.succeed()
        elif result.outcome == CANCELLED and handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return result

    def _on_cancel_request(self, handle: ServerGoalHandle) -> CancelResponse:
        self._cancel(handle.request.speech.utterance_id)
        return CancelResponse.ACCEPT
