"""What the client works out from what it has received."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from text2gesture_ros.ros.conversation_log import VISIBLE, Performance, Received


def test_a_motion_is_seen_when_a_joint_has_gone_half_a_degree_from_where_it_took_over():
    def command(time, angle):
        return Received(time, SimpleNamespace(name=["neck"], position=[angle]), time)

    still = [command(1.0 + 0.01 * tick, 0.3 + 1e-3 * tick) for tick in range(8)]
    performance = Performance("Hello!", 0.9, (), (), (), tuple(still))
    assert performance.visible is None
    seen = replace(performance, commands=(*still, command(1.08, 0.3 + VISIBLE)))
    assert seen.visible == pytest.approx(0.18)
