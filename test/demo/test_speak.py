"""The voice of the demo tells when its words come."""

import importlib.util
import sys
from itertools import pairwise
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "demo" / "speak.py"


@pytest.fixture(scope="module")
def speak():
    spec = importlib.util.spec_from_file_location("speak", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["speak"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["speak"]


def test_every_word_has_its_time(speak):
    try:
        voice = speak.Voice()
    except RuntimeError as error:
        pytest.skip(str(error))
    text = "Hello there, the café is on your left."
    spoken = voice.speak(text)
    assert spoken.words == ["Hello", "there", "the", "café", "is", "on", "your", "left"]
    assert all(earlier <= later for earlier, later in pairwise(spoken.word_starts))
    assert 0.0 <= spoken.word_starts[0] < 0.3
    assert 1.0 < spoken.word_starts[-1] < spoken.duration < 6.0
    assert voice.speak("Hi.").duration < spoken.duration  # and it can be used again
    with pytest.raises(RuntimeError, match="no voice 'klingon!'"):
        speak.Voice("klingon!")


def test_without_espeak_it_is_said_what_is_missing(speak, monkeypatch):
    monkeypatch.setattr(speak, "_LIBRARY", "libno-such-thing.so.1")
    with pytest.raises(RuntimeError, match="missing: apt install espeak-ng"):
        speak.Voice()
