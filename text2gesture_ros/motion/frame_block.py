"""Blocks of frames: human motion on its way from generator to retargeter."""

from dataclasses import dataclass

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.labels import ClauseId
from text2gesture_ros.motion.motion import Motion

MAX_BLOCK_FRAMES = 1200  # frames a block may hold: 20 s


PRIORITY = 128
"""Of an utterance of which nothing else is said, in [0, 255]; the messages say the same."""


@dataclass(frozen=True)
class FrameBlock:
    """A few consecutive frames of one gesture, as they travel from generator to retargeter.

    Attributes:
        utterance_id: name of the utterance.
        gesture: label of the gesture.
        emotion: label of the emotion.
        sequence: 0, 1, 2, ... within the clause.
        first_frame: index of the first frame within the clause.
        frame_rate: frames per second at which they are to be played [Hz].
        due: when the first frame is to be seen [s], on the clock of whoever asks.
        positions: (T, K, 3) joint positions [m], pelvis frame; T may be 0 in the last block.
        stop_probabilities: (T,) the stop token after each frame.
        last: whether the gesture ends with this block.
        clause: which clause of the utterance the gesture performs.
        reason: of the last block: why there is no motion, or no more of it; empty: the gesture is whole.
        more: whether another clause of the utterance is still to come.
        priority: of the utterance, in [0, 255].

    Raises:
        InputError: as `Motion`, a block without frames is not the last one, or the stop probabilities are not
            (T,) numbers in [0, 1].
    """

    utterance_id: str
    gesture: str
    emotion: str
    sequence: int
    first_frame: int
    frame_rate: float
    due: float
    positions: FloatArray
    stop_probabilities: FloatArray
    last: bool
    clause: int = 0
    reason: str = ""
    more: bool = False
    priority: int = PRIORITY

    def __post_init__(self) -> None:
        count = len(self.positions)
        if count:
            object.__setattr__(self, "positions", Motion(self.positions, self.frame_rate).positions)
        elif not self.last:
            raise InputError("frames: a block without frames must be the last of its clause")
        stops = np.asarray(self.stop_probabilities, dtype=np.float32)
        if stops.shape != (count,) or not ((stops >= 0) & (stops <= 1)).all():
            raise InputError(f"frames: stop_probabilities must be {count} numbers in [0, 1]")
        object.__setattr__(self, "stop_probabilities", stops)
        if not np.isfinite(self.due):
            raise InputError(f"frames: due time {self.due} is not finite")

    @property
    def name(self) -> ClauseId:
        """Which gesture the block belongs to."""
        return self.utterance_id, self.clause

    @property
    def end(self) -> float:
        """When the last frame is to be seen [s]; without frames: when the block is due."""
        count = len(self.positions)
        return self.due + (count - 1) / self.frame_rate if count else self.due
