"""Queue of frames to be retargeted, first in first out, with a budget per control period.

Retargeting takes as long as planning, and plans are due in between. So the number of frames that are
retargeted per period is bounded, and the others wait for the next periods.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from text2gesture_ros.gestures import mirrored
from text2gesture_ros.labels import ClauseId
from text2gesture_ros.motion.frame_block import FrameBlock, FrameMessage
from text2gesture_ros.parameters import GestureRetargeterParameters
from text2gesture_ros.retargeting.hands import with_hands
from text2gesture_ros.retargeting.reference import JointClip
from text2gesture_ros.retargeting.retargeter import Retargeter
from text2gesture_ros.robots.robot import Robot

# Retargeting budget: frames per second, and the minimum per control period. Above any playback rate.
_BUDGET_RATE, _MIN_BUDGET = 1600.0, 8
# Minimum number of frames per period if several blocks come at once: the last frames of a clip must not
# delay the beginning of the next.
_BURST = 32
# Number of the first frames of a clause that a plan is made with before the others are retargeted: the robot
# sets out towards them, and more come before it is there.
_FIRST_BATCH = 2


@dataclass(frozen=True, eq=False)
class QueuedFrames:
    """Joint angles of some frames, or the end of a clause.

    Attributes:
        clause: whose frames they are.
        clip: their joint angles; None: the clause ends with those that have come.
        begins: whether another clause, or the same one anew, begins with them.
        first: whether they include the first frame of the clause.
    """

    clause: ClauseId
    clip: JointClip | None
    begins: bool
    first: bool


class FrameQueue:
    """Queues blocks of frames and retargets them within a budget."""

    def __init__(self, robot: Robot, period: float) -> None:
        """Make an empty queue.

        Args:
            robot: the robot to retarget to.
            period: the control period [s].
        """
        self._robot = robot
        self._budget = max(_MIN_BUDGET, round(_BUDGET_RATE * period))
        self._burst = max(_BURST, self._budget)
        self._remaining = self._burst  # frames left in the budget of this period
        self._waiting: deque[tuple[FrameMessage, range]] = deque()  # and which of its frames
        self._clause: ClauseId | None = None  # whose frames were retargeted last
        self._retargeter = Retargeter(robot)
        self._mirrored = False

    @property
    def ready(self) -> bool:
        """Whether frames wait and the budget of this period is not used up."""
        return bool(self._waiting) and self._remaining > 0

    def reset_budget(self) -> None:
        """Begin another control period."""
        self._remaining = self._burst

    def changes(self, block: FrameMessage) -> bool:
        """Return whether a block begins or ends a clause: earlier frames are best retargeted before it."""
        return not isinstance(block, FrameBlock) or self._begins(block)

    def append(self, block: FrameMessage) -> bool:
        """Append a block; return whether it is the next one, and the budget allows it."""
        if self._waiting and isinstance(block, FrameBlock) and self._begins(block):
            self._make_way(block)
        self._waiting.append((block, range(len(block.positions) if isinstance(block, FrameBlock) else 0)))
        return self.ready and len(self._waiting) == 1

    def retarget(self, parameters: GestureRetargeterParameters) -> QueuedFrames:
        """Retarget the oldest frames, as many as the budget allows; call it only where the queue is `ready`.

        Args:
            parameters: `mirror` and `forearm_weight` take effect where a clause begins.
        """
        block, frames = self._waiting.popleft()
        if not isinstance(block, FrameBlock):
            return QueuedFrames(block.header.name, None, False, False)
        first = block.sequence == frames.start == 0
        batch = frames[: min(_FIRST_BATCH if first else self._budget, self._remaining)]
        self._remaining -= len(batch)
        if batch.stop < frames.stop:
            self._waiting.appendleft((block, frames[len(batch) :]))
        begins = first or block.header.name != self._clause
        if begins:
            self._clause, self._mirrored = block.header.name, parameters.mirror
            self._retargeter = Retargeter(
                self._robot, mirror=parameters.mirror, forearm_weight=parameters.forearm_weight
            )
        angles = self._retargeter.motion(block.positions[batch.start : batch.stop])
        clip = JointClip(
            block.header.name,
            block.due + np.array(batch) / block.frame_rate,
            with_hands(self._robot, angles, block.header.needs.hand_opening),
            block.last and batch.stop == len(block.positions),
            mirrored(block.header.needs.groups) if self._mirrored else block.header.needs.groups,
        )
        return QueuedFrames(block.header.name, clip, begins, first)

    def forget(self, utterance_ids: Collection[str]) -> None:
        """Drop the frames of some utterances."""
        self._waiting = deque(
            item for item in self._waiting if item[0].header.utterance_id not in utterance_ids
        )

    def clear(self) -> None:
        """Drop all frames."""
        self._waiting.clear()

    def _begins(self, block: FrameMessage) -> bool:
        before = self._waiting[-1][0].header.name if self._waiting else self._clause
        return block.sequence == 0 or block.header.name != before

    def _make_way(self, new: FrameBlock) -> None:
        """Drop waiting frames that are due after a new clause begins: they would delay it.

        The first frame of a clause that has not begun is kept, so that the clause is counted as preempted.
        """
        queued, self._waiting = self._waiting, deque()
        cut: set[ClauseId] = set()
        for block, frames in queued:
            if block.header.name in cut:
                continue
            keep_until = frames.start + (block.sequence == frames.start == 0)
            if not isinstance(block, FrameBlock):
                self._waiting.append((block, frames))
                continue
            before = int(np.ceil((new.due - block.due) * block.frame_rate))
            kept = range(frames.start, min(frames.stop, max(keep_until, before)))
            if len(kept) < len(frames):
                cut.add(block.header.name)
            if kept:
                self._waiting.append((block, kept))
