"""Messages between processes: in order, whole, and never waited for."""

import socket
import time

import numpy as np
import pytest

from text2gesture_ros.control.message_pipe import MessagePipe, PipeClosedError


@pytest.fixture
def ends():
    one, other = (MessagePipe(end) for end in socket.socketpair())
    yield one, other
    one.close()
    other.close()


def collect(pipe, found):
    for message in pipe.receive():
        found.append(message)


def repeat(count, action):
    for _ in range(count):
        action()


def test_messages_come_whole_and_in_order(ends):
    one, other = ends
    sent = [("block", np.arange(100_000) + number) for number in range(20)]
    for message in sent:
        one.send(message)
    found = []
    while len(found) < len(sent):
        one.flush()
        found += other.receive()
    for (_, wanted), (name, array) in zip(sent, found, strict=True):
        assert name == "block"
        np.testing.assert_array_equal(array, wanted)


def test_a_receiver_that_does_not_read_is_noticed_and_never_waited_for(ends):
    one, _ = ends
    message = np.zeros(1 << 17)
    begin = time.monotonic()
    with pytest.raises(PipeClosedError):
        repeat(1000, lambda: one.send(message))
    assert time.monotonic() - begin < 10.0


def test_what_was_sent_before_the_end_still_comes(ends):
    one, other = ends
    one.send("last words")
    one.close()
    found = []
    with pytest.raises(PipeClosedError):
        repeat(100, lambda: collect(other, found))
    assert found == ["last words"]


def test_sending_to_one_that_is_gone_is_an_error(ends):
    one, other = ends
    other.close()
    with pytest.raises(PipeClosedError):
        repeat(3, lambda: one.send("hello?"))
