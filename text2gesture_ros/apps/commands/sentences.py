"""Sentences to be spoken, one per line, from a file or standard input."""

import sys
from pathlib import Path

from text2gesture_ros.errors import InputError
from text2gesture_ros.resources import read_limited

_MAX_BYTES = 16 * 1024 * 1024


def read_sentences(path: Path | str) -> list[str]:
    """Read sentences, one per line; empty lines and lines that begin with '# ' are left out.

    Raises:
        InputError: the file cannot be read, is no UTF-8 text, or holds no sentence.
    """
    return _sentences(read_limited(path, _MAX_BYTES, InputError, pipe=True), str(path))


def piped_sentences() -> list[str]:
    """Read sentences from standard input, as from a file.

    Raises:
        InputError: as `read_sentences`.
    """
    return _sentences(sys.stdin.buffer.read(_MAX_BYTES + 1), "standard input")


def _sentences(data: bytes, where: str) -> list[str]:
    if len(data) > _MAX_BYTES:
        raise InputError(f"{where}: larger than {_MAX_BYTES // 2**20} MB")
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: no UTF-8 text: {error.reason} at byte {error.start}") from None
    found = [line.strip() for line in lines if line.strip() and not line.startswith("# ")]
    if not found:
        raise InputError(f"{where}: no sentence in it")
    return found
