"""What travels from generator to retargeter: blocks of frames, and the end of a clause's motion."""

from dataclasses import dataclass

import numpy as np

from text2gesture_ros.errors import InputError
from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.gestures import UNKNOWN_NEEDS, GestureNeeds
from text2gesture_ros.labels import ClauseId
from text2gesture_ros.motion.motion import check_frame_rate
from text2gesture_ros.skeleton import check_positions

MAX_BLOCK_FRAMES = 1200  # 20 s at 60 Hz

PRIORITY = 128
"""Default priority of an utterance, in [0, 255]; the messages say the same."""


@dataclass(frozen=True)
class ClauseHeader:
    """Which clause of which utterance a motion performs, and what it needs of the robot. Carried whole.

    Attributes:
        utterance_id: name of the utterance.
        clause: number of the clause within the utterance.
        gesture: label of the gesture, empty where it has none.
        emotion: label of the emotion.
        more: whether another clause of the utterance follows.
        priority: of the utterance, in [0, 255].
        needs: joint groups and hands.
    """

    utterance_id: str
    clause: int = 0
    gesture: str = ""
    emotion: str = ""
    more: bool = False
    priority: int = PRIORITY
    needs: GestureNeeds = UNKNOWN_NEEDS

    @property
    def name(self) -> ClauseId:
        """What the clause goes by."""
        return self.utterance_id, self.clause


@dataclass(frozen=True)
class FrameBlock:
    """A few consecutive frames of one clause's motion.

    Attributes:
        header: whose frames they are.
        sequence: 0, 1, 2, ... within the clause.
        first_frame: index of the first frame within the clause.
        frame_rate: playback rate [Hz].
        due: when the first frame is to be seen [s], on the clock of the caller.
        positions: (T, K, 3) joint positions [m], pelvis frame, T >= 1.
        stop_probabilities: (T,) the stop token after each frame.
        last: whether the motion ends with this block.

    Raises:
        InputError: there are no frames or too many, a position is not finite or is no human body, or the stop
            probabilities are not (T,) numbers in [0, 1].
    """

    header: ClauseHeader
    sequence: int
    first_frame: int
    frame_rate: float
    due: float
    positions: FloatArray
    stop_probabilities: FloatArray
    last: bool

    def __post_init__(self) -> None:
        positions = np.asarray(self.positions, dtype=np.float32)
        stops = np.asarray(self.stop_probabilities, dtype=np.float32)
        if positions.ndim != 3 or not 1 <= len(positions) <= MAX_BLOCK_FRAMES:
            raise InputError(
                f"frames: positions must be (T, K, 3), T in [1, {MAX_BLOCK_FRAMES}], are {positions.shape}"
            )
        check_positions(positions, "frames")
        check_frame_rate(self.frame_rate, "frames")
        if stops.shape != (len(positions),) or not ((stops >= 0) & (stops <= 1)).all():
            raise InputError(f"frames: stop_probabilities must be {len(positions)} numbers in [0, 1]")
        _check_due(self.due)
        object.__setattr__(self, "positions", positions)
        object.__setattr__(self, "stop_probabilities", stops)

    @property
    def end(self) -> float:
        """When the last frame is to be seen [s]."""
        return self.due + (len(self.positions) - 1) / self.frame_rate


@dataclass(frozen=True)
class ClauseEnd:
    """Tells that no (more) frames of a clause come, and why.

    Attributes:
        header: of which clause.
        sequence: 0 where there was no block of it, else the number of the next one.
        due: when the next frame would have been due [s], on the clock of the caller.
        reason: why there is no motion, or no more of it; empty: the motion is whole.

    Raises:
        InputError: `due` is not finite.
    """

    header: ClauseHeader
    sequence: int
    due: float
    reason: str

    def __post_init__(self) -> None:
        _check_due(self.due)

    @property
    def end(self) -> float:
        """When the motion is over [s]."""
        return self.due


FrameMessage = FrameBlock | ClauseEnd


def blocks_of(
    header: ClauseHeader, positions: FloatArray, frame_rate: float, due: float, size: int
) -> list[FrameBlock]:
    """Return a motion cut into blocks of `size` frames; the last one is marked as such, no stop token is set.

    Args:
        header: of the clause that the motion performs.
        positions: (T, K, 3) joint positions [m], pelvis frame.
        frame_rate: playback rate [Hz].
        due: when the first frame is to be seen [s].
        size: frames per block; the last block may be shorter.

    Raises:
        InputError: as `FrameBlock`.
    """
    blocks: list[FrameBlock] = []
    for start in range(0, len(positions), size):
        frames = positions[start : start + size]
        blocks.append(
            FrameBlock(
                header=header,
                sequence=len(blocks),
                first_frame=start,
                frame_rate=frame_rate,
                due=due + start / frame_rate,
                positions=frames,
                stop_probabilities=np.zeros(len(frames)),
                last=start + size >= len(positions),
            )
        )
    return blocks


def _check_due(due: float) -> None:
    if not np.isfinite(due):
        raise InputError(f"frames: due time {due} is not finite")
