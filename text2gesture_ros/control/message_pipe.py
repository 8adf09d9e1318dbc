"""Messages between two processes of ours, over a socket that never makes the sender wait."""

import pickle
import socket
import struct
from collections.abc import Iterator
from typing import Any

_LENGTH = struct.Struct("I")
_CHUNK = 1 << 16
# What may wait to be sent before the receiver counts as stuck [bytes].
_MAX_WAITING = 16 << 20


class PipeClosedError(Exception):
    """The other process has ended, or does not read any more."""


class MessagePipe:
    """One end of a private socket pair. Both ends are processes that this package started itself."""

    def __init__(self, end: socket.socket) -> None:
        """Take over one end of `socket.socketpair()`."""
        end.setblocking(False)
        self._socket = end
        self._outgoing = bytearray()
        self._incoming = bytearray()

    def fileno(self) -> int:
        """Return the descriptor, to wait for."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def send(self, message: Any) -> None:
        """Send a message, now or with one of the next calls of `flush`.

        Raises:
            PipeClosedError: the other end is gone or does not read.
        """
        data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
        self._outgoing += _LENGTH.pack(len(data)) + data
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as the receiver takes it.

        Raises:
            PipeClosedError: the other end is gone or does not read.
        """
        try:
            while self._outgoing:
                del self._outgoing[: self._socket.send(self._outgoing[:_CHUNK])]
        except BlockingIOError:
            pass
        except OSError as error:
            raise PipeClosedError(str(error)) from None
        if len(self._outgoing) > _MAX_WAITING:
            raise PipeClosedError("messages are not read any more")

    def receive(self) -> Iterator[Any]:
        """Yield the messages that have come.

        Raises:
            PipeClosedError: the other end is gone; what it sent before has been yielded.
        """
        gone = ""
        try:
            while data := self._socket.recv(_CHUNK):
                self._incoming += data
            gone = "the process has ended"
        except BlockingIOError:
            pass
        except OSError as error:
            gone = str(error)
        while len(self._incoming) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._incoming)
            if len(self._incoming) < _LENGTH.size + length:
                break
            message = bytes(self._incoming[_LENGTH.size : _LENGTH.size + length])
            del self._incoming[: _LENGTH.size + length]
            yield pickle.loads(message)
        if gone:
            raise PipeClosedError(gone)
