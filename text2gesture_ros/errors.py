"""The errors this package raises. Each message says where, what was given and what is allowed."""

from collections.abc import Collection
from difflib import get_close_matches

_LONGEST_NAME = 100  # that is compared, in characters


class Text2GestureError(Exception):
    """Base of every error a caller may want to catch; its message is one line fit for a person."""


class ConfigurationError(Text2GestureError):
    """A parameter, a robot file or a training file is wrong or missing."""


class ModelError(Text2GestureError):
    """A model directory is missing, incomplete or does not fit the code."""


class InputError(Text2GestureError):
    """Data that came from outside (a clip, a message, a data set line) cannot be used."""


def did_you_mean(given: str, known: Collection[str]) -> str:
    """Return the question that follows an unknown name: the known one most like it; empty if none is."""
    found = get_close_matches(given[:_LONGEST_NAME], known, n=1)
    return f" (did you mean {found[0]}?)" if found else ""
