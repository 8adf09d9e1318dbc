"""A text that is spoken, with what is known of its timing."""

from dataclasses import dataclass

from text2gesture_ros.motion.frame_block import PRIORITY


@dataclass(frozen=True)
class Utterance:
    """What is about to be said, with what the speaker knows of it.

    Attributes:
        text: the words.
        utterance_id: its name; empty: it has none yet.
        duration: length of the speech [s]; 0: unknown.
        words: as they are spoken; empty: unknown.
        word_starts: when each word begins after the start of speech [s].
        gesture: the one to make whatever the text says; empty: what the text says.
        emotion: the same for the emotion.
        priority: in [0, 255].
        refusal: why it gets no gesture, whatever the text says; empty: it may get one.
    """

    text: str
    utterance_id: str = ""
    duration: float = 0.0
    words: tuple[str, ...] = ()
    word_starts: tuple[float, ...] = ()
    gesture: str = ""
    emotion: str = ""
    priority: int = PRIORITY
    refusal: str = ""
