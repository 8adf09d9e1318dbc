"""A text that is spoken, with what is known of its timing."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from text2gesture_ros.motion.frame_block import PRIORITY

if TYPE_CHECKING:  # at run time only the node that owns them imports the models' runtimes
    pass


@dataclass(frozen=True)
class Utterance:
    """What is about to be said, as far as the speaker knows.

    Attributes:
        text: the words.
        utterance_id: its name, empty when it has none yet.
        duration: length of the speech [s], 0 when unknown.
        words, word_starts: the words and when each starts [s], both empty when unknown.
        gesture, emotion: what to do whatever the text says, empty: what the text says.
        priority: in [0, 255].
    """

    text: str
    utterance_id: str = ""
    duration: float = 0.0
    words: tuple[str, ...] = ()
    word_starts: tuple[float, ...] = ()
    gesture: str = ""
    emotion: str = ""
    priority: int = PRIORITY
