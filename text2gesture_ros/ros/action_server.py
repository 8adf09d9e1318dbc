"""The action perform_gesture: a goal is said for the client as Speech and followed to its end.

What becomes of it is read off the intents and frames that come of it and off what the robot is commanded, as
for every other utterance. Nothing here waits: the control loop calls `follow`, which settles what is over.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse
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
    WAITING,
    Progress,
)
from text2gesture_ros.ros.conversions import read_speech

PATIENCE = 5.0
"""A goal of which nothing is heard for this long, after it ought to have been, has failed [s]."""

# What is missing of a goal, in this order.
_LISTENER = "nobody listens on the topic speech: does intent_classifier run?"
_INTENT = "no intent of it came: is intent_classifier active?"
_FRAMES = "no frames of it came: is gesture_generator active?"
_TIME = "its frames came too late to be performed"
_RESULT_KEPT = 60  # for a client that asks late [s]
_MOST_GOALS = 100  # at the same time


@dataclass(eq=False)
class _Goal:
    """A goal under way: when something of it was heard last [s], and what is missing."""

    handle: ServerGoalHandle
    speech: Speech
    heard: float
    missing: str = _LISTENER
    behind: str = ""  # the utterance whose frames came last when this one was read
    cancelled: bool = False


class Goals:
    """The goals under way, several at once: the generator decides which of them is performed when.

    Args:
        node: offers the action and says the goals on `speech`.
        progress: tells how an utterance goes, None: nothing of it has come.
        cancel: ends an utterance.
        clock: the time [s].
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
        self._results: dict[bytes, PerformGesture.Result] = {}  # of goals that are over and not yet told
        self._open = False
        self._latest = ""  # utterance whose frames came last
        self._server = ActionServer(
            node,
            PerformGesture,
            "perform_gesture",
            self._execute,
            goal_callback=self._consider,
            handle_accepted_callback=self._accept,
            cancel_callback=self._cancel_goal,
            result_timeout=_RESULT_KEPT,
        )

    def open(self) -> None:
        """Accept goals from now on."""
        self._open = True

    def close(self) -> None:
        """Accept no more; those under way end."""
        self._open = False
        self.follow()
        for name in list(self._goals):
            self._settle(name, FAILED, "gesture_retargeter was deactivated")

    def destroy(self) -> None:
        """Take the action away, for good."""
        self._server.destroy()

    @property
    def names(self) -> tuple[str, ...]:
        """The utterances of the goals under way."""
        return tuple(self._goals)

    # What is heard of them

    def intent_came(self, utterance_id: str, begin: float) -> None:
        """Take note that a clause of an utterance was read; its motion may wait until `begin` [s]."""
        goal = self._goals.get(utterance_id)
        if goal is not None and goal.missing in (_LISTENER, _INTENT):  # the first clause counts
            goal.heard, goal.missing, goal.behind = max(begin, self._clock()), _FRAMES, self._latest

    def frames_came(self, block: FrameMessage) -> None:
        """Take note that frames, of whichever utterance, came: others may wait for the end of it."""
        now, name = self._clock(), block.header.utterance_id
        if goal := self._goals.get(name):
            goal.heard, goal.missing = max(goal.heard, now), _TIME
        if isinstance(block, FrameBlock):
            self._latest = name
        for goal in self._goals.values():
            if goal.missing == _FRAMES and goal.behind == name:
                goal.heard = max(goal.heard, now)

    def cancelled(self, utterance_id: str) -> None:
        """Take note that somebody cancels an utterance, all if the id is empty."""
        for name, goal in self._goals.items():
            goal.cancelled |= utterance_id in ("", name)

    def follow(self) -> None:
        """Tell every client how its goal goes, and how it ended."""
        for name, goal in list(self._goals.items()):
            progress = self._progress(name)
            if progress is None:
                progress = self._waiting(goal)
            if progress.state == OVER:
                self._settle(name, progress.outcome, progress.reason, progress.duration, progress.fidelity)
            else:
                goal.handle.publish_feedback(
                    PerformGesture.Feedback(
                        state=progress.state,
                        progress=float(progress.fraction),
                        stop_probability=float(progress.stop_probability),
                        clause=int(progress.clause),
                    )
                )

    def _waiting(self, goal: _Goal) -> Progress:
        """Return how a goal goes of which nothing has come yet."""
        now = self._clock()
        if goal.cancelled:
            return Progress(OVER, 0, 0.0, 0.0, CANCELLED, "cancelled", 0.0)
        if goal.missing == _LISTENER:
            self._say(goal)
        # What was read may have to wait for its turn.
        patience = PATIENCE + (MAX_WAIT if goal.missing == _FRAMES else 0.0)
        if now <= goal.heard + patience:
            return Progress(WAITING, 0, 0.0, 0.0, "", "", 0.0)
        self._cancel(goal.speech.utterance_id)  # or it might still come when nobody waits for it
        return Progress(OVER, 0, 0.0, 0.0, FAILED, f"{goal.missing} (waited {patience:g} s)", 0.0)

    def _say(self, goal: _Goal) -> None:
        """Publish a goal's speech as soon as somebody listens."""
        if self._speech.get_subscription_count():
            self._speech.publish(goal.speech)
            goal.missing = _INTENT

    # What the action server asks

    def _consider(self, request: Any) -> GoalResponse:
        reason = self._objection(request.speech)
        if not reason:
            return GoalResponse.ACCEPT
        self._node.get_logger().warning(f"perform_gesture: goal rejected: {reason}")
        return GoalResponse.REJECT

    def _objection(self, speech: Speech) -> str:
        """Return why a goal cannot be accepted, empty if it can."""
        utterance, complaints = read_speech(speech)
        if not self._open:
            return "the node is not active"
        if complaints:
            return complaints[0]
        if not (utterance.text.strip() or utterance.gesture):
            return "neither text nor gesture is given"
        if len(self._goals) >= _MOST_GOALS:
            return f"{_MOST_GOALS} goals are under way already"
        name = utterance.utterance_id
        if name and (name in self._goals or self._progress(name) is not None):
            return f"utterance_id {name!r} was used already"
        return ""

    def _accept(self, handle: ServerGoalHandle) -> None:
        speech = handle.request.speech
        speech.utterance_id = speech.utterance_id or f"goal-{uuid.uuid4().hex[:12]}"
        goal = self._goals[speech.utterance_id] = _Goal(handle, speech, self._clock())
        self._say(goal)

    def _settle(
        self,
        name: str,
        outcome: str,
        reason: str,
        duration: float = 0.0,
        fidelity: Fidelity = NOTHING_MEASURED,
    ) -> None:
        """Say how a goal ended."""
        handle = self._goals.pop(name).handle
        self._results[bytes(handle.goal_id.uuid)] = PerformGesture.Result(
            utterance_id=name,
            outcome=outcome,
            reason=reason,
            duration=duration,
            performed_share=fidelity.share if duration else 0.0,
            deviation=fidelity.deviation,
        )
        # Only now: rclpy would await a result from here on, and an executor that awaits does not sleep.
        handle.execute()

    def _execute(self, handle: ServerGoalHandle) -> Any:
        result = self._results.pop(bytes(handle.goal_id.uuid))
        if result.outcome in (COMPLETED, DEGRADED):  # it was performed; how well, it says
            handle.succeed()
        elif result.outcome == CANCELLED and handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return result

    def _cancel_goal(self, handle: ServerGoalHandle) -> CancelResponse:
        self._cancel(handle.request.speech.utterance_id)
        return CancelResponse.ACCEPT
