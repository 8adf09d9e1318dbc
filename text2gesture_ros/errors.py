"""The errors this package raises. Each message says where, what was given and what is allowed."""


class Text2GestureError(Exception):
    """Base of every error a caller may want to catch; its message is one line fit for a person."""


class ConfigurationError(Text2GestureError):
    """A parameter, a robot file or a training file is wrong or missing."""


class ModelError(Text2GestureError):
    """A model directory is missing, incomplete or does not fit the code."""


class InputError(Text2GestureError):
    """Data that came from outside (a clip, a message, a data set line) cannot be used."""
