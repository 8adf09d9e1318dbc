#!/usr/bin/env python3
"""A voice for the robot: says what comes on the topic `say` (std_msgs/String) and tells when each word comes.

    python demo/speak.py                      # a node that waits for sentences on /say
    python demo/speak.py "Hello there!"       # says this and ends

It needs espeak-ng (`apt install espeak-ng`), which synthesises a sentence faster than it is spoken and tells
the time of every word. So `speech` (text2gesture_ros/Speech) is published with duration and word times at the
moment in which the sound begins, and the gestures come with their words. The sound is played by aplay, paplay
or ffplay, whichever is there; without any the robot gestures in silence. Any other voice that knows how long
it will speak takes the place of this one: publish the same message.
"""

import ctypes
import shutil
import subprocess
import sys
import tempfile
import wave
from collections.abc import Sequence
from ctypes import POINTER, c_char_p, c_int, c_short, c_uint, c_void_p
from dataclasses import dataclass
from pathlib import Path

PLAYERS = (("aplay", "-q"), ("paplay",), ("ffplay", "-nodisp", "-autoexit", "-loglevel", "quiet"))
_LIBRARY = "libespeak-ng.so.1"
_SYNCHRONOUS, _UTF8, _BY_CHARACTER, _WORD, _END = 2, 1, 1, 1, 0  # from espeak-ng/speak_lib.h
_UNTIL_SOUND = 0.05  # from the start of a player to the first sound, about [s]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", c_int),
        ("identifier", c_uint),
        ("text_position", c_int),  # characters, from 1 on
        ("length", c_int),
        ("audio_position", c_int),  # [ms]
        ("sample", c_int),
        ("user_data", c_void_p),
        ("id", c_void_p),
    ]


@dataclass(frozen=True)
class Spoken:
    """A sentence as it is spoken.

    Attributes:
        audio: 16 bit samples of one channel.
        rate: samples per second [Hz].
        words: the words, as they stand in the text.
        word_starts: when each begins [s].
    """

    audio: bytes
    rate: int
    words: list[str]
    word_starts: list[float]

    @property
    def duration(self) -> float:
        """How long it lasts [s]."""
        return len(self.audio) / 2 / self.rate


class Voice:
    """espeak-ng.

    Args:
        name: a voice of espeak-ng: en, en-us, en+f3 ...

    Raises:
        RuntimeError: espeak-ng is not installed or does not know the voice.
    """

    def __init__(self, name: str = "en-us") -> None:
        try:
            self._espeak = ctypes.CDLL(_LIBRARY)
        except OSError:
            raise RuntimeError(f"{_LIBRARY} is missing: apt install espeak-ng") from None
        self._rate = int(self._espeak.espeak_Initialize(_SYNCHRONOUS, 0, None, 0))
        if self._rate <= 0 or self._espeak.espeak_SetVoiceByName(name.encode()) != 0:
            raise RuntimeError(f"espeak-ng has no voice {name!r}: espeak-ng --voices lists those it has")

    def speak(self, text: str) -> Spoken:
        """Return a text as it is spoken."""
        audio = bytearray()
        marks: list[tuple[int, int, int]] = []

        @ctypes.CFUNCTYPE(c_int, POINTER(c_short), c_int, POINTER(_Event))
        def take(samples, count, events):  # type: ignore[no-untyped-def]
            if samples and count > 0:
                audio.extend(ctypes.string_at(samples, 2 * count))
            index = 0
            while events[index].type != _END:
                event = events[index]
                if event.type == _WORD:
                    marks.append((event.text_position - 1, event.length, event.audio_position))
                index += 1
            return 0

        self._espeak.espeak_SetSynthCallback(take)
        data = c_char_p(text.encode())
        size = len(text.encode()) + 1
        self._espeak.espeak_Synth(data, size, c_uint(0), _BY_CHARACTER, c_uint(0), c_uint(_UTF8), None, None)
        self._espeak.espeak_Synchronize()
        words = [text[place : place + length] for place, length, _ in marks]
        return Spoken(bytes(audio), self._rate, words, [milliseconds / 1000.0 for *_, milliseconds in marks])


def play(spoken: Spoken, folder: Path) -> "subprocess.Popen[bytes] | None":
    """Begin to play; return the player, None where there is none."""
    player = next((command for command in PLAYERS if shutil.which(command[0])), None)
    if player is None:
        return None
    file = folder / "speech.wav"
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(spoken.rate)
        sound.writeframes(spoken.audio)
    return subprocess.Popen([*player, str(file)])


def main(sentences: Sequence[str]) -> int:
    """Say some sentences, or what comes on `say` until interrupted."""
    import rclpy
    from rclpy.executors import ExternalShutdownException
    from std_msgs.msg import String
    from text2gesture_ros.msg import Speech

    try:
        voice = Voice()
    except RuntimeError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    rclpy.init()
    node = rclpy.create_node("voice")
    publisher = node.create_publisher(Speech, "speech", 10)
    with tempfile.TemporaryDirectory(prefix="text2gesture_") as folder:

        def say(message: String) -> None:
            spoken = voice.speak(message.data)
            player = play(spoken, Path(folder))
            delay = _UNTIL_SOUND if player else 0.0
            publisher.publish(
                Speech(
                    text=message.data,
                    duration=spoken.duration + delay,
                    words=spoken.words,
                    word_starts=[start + delay for start in spoken.word_starts],
                )
            )
            if player:
                player.wait()

        node.create_subscription(String, "say", say, 10)
        try:
            while sentences and not publisher.get_subscription_count():
                rclpy.spin_once(node, timeout_sec=0.1)
            for sentence in sentences:
                say(String(data=sentence))
            while not sentences:
                rclpy.spin_once(node)
        except (KeyboardInterrupt, ExternalShutdownException):
            pass
    node.destroy_node()
    rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
