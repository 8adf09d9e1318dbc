"""Frames to joint angles, in the order in which they came and so many at a time.

Turning frames into angles takes as long as planning, and commands are to be sent in between. So what is read
at a time is bounded, however many frames come at once; the rest is read in the control periods that follow.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from text2gesture_ros.gestures import mirrored
from text2gesture_ros.labels import ClauseId
from text2gesture_ros.motion.frame_block import FrameBlock, FrameMessage
from text2gesture_ros.retargeting.hands import with_hands
from text2gesture_ros.retargeting.reference import Clip, Settings
from text2gesture_ros.retargeting.retargeter import Retargeter
from text2gesture_ros.robots.robot import Robot

# Frames read in a control period: a second's share of so many, and at least so many. It is more than anybody
# performs.
_SHARE, _LEAST = 1600.0, 8
# Frames read at a time at most, where that is more than a share: what live blocks leave unread when another
# gesture begins is read at once.
_AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class Part:
    """What was read.

    Attributes:
        name: of which gesture.
        clip: some of its frames; None: it ends with those that have come.
        begins: whether it is another gesture, or another performance, than what was read before.
        first: whether the clip begins with the first frame of the gesture.
    """

    name: ClauseId
    clip: Clip | None
    begins: bool
    first: bool


class Reader:
    """Reads blocks of frames as there is time for it."""

    def __init__(self, robot: Robot, period: float) -> None:
        """Make a reader.

        Args:
            robot: whose joint angles are wanted.
            period: time from command to command [s].
        """
        self._robot = robot
        self._share = max(_LEAST, round(_SHARE * period))
        self._most = max(_AT_ONCE, self._share)
        self._left = self._most  # frames that may still be read this time
        self._unread: deque[tuple[FrameMessage, range]] = deque()  # which of its frames
        self._name: ClauseId | None = None  # of which gesture frames were read last
        self._retargeter = Retargeter(robot)
        self._mirrored = False

    @property
    def ready(self) -> bool:
        """Whether something is left to be read, and may be read this time."""
        return bool(self._unread) and self._left > 0

    def renew(self) -> None:
        """Allow for as much to be read as is at a time."""
        self._left = self._most

    def changes(self, block: FrameMessage) -> bool:
        """Return whether a block begins a gesture or ends one: what came before it is best read first."""
        return not isinstance(block, FrameBlock) or self._begins(block)

    def take(self, block: FrameMessage) -> bool:
        """Take in a block; return whether it is the next to be read, and may be read this time."""
        if self._unread and isinstance(block, FrameBlock) and self._begins(block):
            self._give_way(block)
        self._unread.append((block, range(len(block.positions) if isinstance(block, FrameBlock) else 0)))
        return self.ready and len(self._unread) == 1

    def read(self, settings: Settings) -> Part:
        """Read the oldest frames, as many as may be; the reader is ready.

        Args:
            settings: `mirror` and `forearm_weight` count where a gesture begins.
        """
        block, frames = self._unread.popleft()
        if not isinstance(block, FrameBlock):
            return Part(block.header.name, None, False, False)
        now = frames[: min(self._share, self._left)]
        self._left -= len(now)
        if now.stop < frames.stop:
            self._unread.appendleft((block, frames[len(now) :]))
        first = block.sequence == now.start == 0
        begins = first or block.header.name != self._name
        if begins:
            self._name, self._mirrored = block.header.name, settings.mirror
            self._retargeter = Retargeter(
                self._robot, mirror=settings.mirror, forearm_weight=settings.forearm_weight
            )
        angles = self._retargeter.motion(block.positions[now.start : now.stop])
        clip = Clip(
            block.header.name,
            block.due + np.array(now) / block.frame_rate,
            with_hands(self._robot, angles, block.header.needs.hand_opening),
            block.last and now.stop == len(block.positions),
            mirrored(block.header.needs.groups) if self._mirrored else block.header.needs.groups,
        )
        return Part(block.header.name, clip, begins, first)

    def forget(self, utterance_ids: Collection[str]) -> None:
        """Leave out what is unread of some utterances."""
        self._unread = deque(
            item for item in self._unread if item[0].header.utterance_id not in utterance_ids
        )

    def clear(self) -> None:
        """Leave out all that is unread."""
        self._unread.clear()

    def _begins(self, block: FrameMessage) -> bool:
        before = self._unread[-1][0].header.name if self._unread else self._name
        return block.sequence == 0 or block.header.name != before

    def _give_way(self, new: FrameBlock) -> None:
        """Leave out what is due when another gesture has begun: it is not to wait for that.

        Of a gesture that has not begun one frame stays, which tells that another took its place.
        """
        unread, self._unread = self._unread, deque()
        cut: set[ClauseId] = set()
        for block, frames in unread:
            if block.header.name in cut:
                continue
            least = frames.start + (block.sequence == frames.start == 0)
            if not isinstance(block, FrameBlock):
                self._unread.append((block, frames))
                continue
            before = int(np.ceil((new.due - block.due) * block.frame_rate))
            kept = range(frames.start, min(frames.stop, max(least, before)))
            if len(kept) < len(frames):
                cut.add(block.header.name)
            if kept:
                self._unread.append((block, kept))
