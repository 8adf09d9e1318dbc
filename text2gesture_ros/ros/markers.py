"""Markers for RViz: the robot, and beside it the human it follows."""

from collections import deque
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

import numpy as np
from geometry_msgs.msg import Point
from visualization_msgs.msg import Marker, MarkerArray

from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.labels import ClauseId
from text2gesture_ros.motion.frame_block import FrameBlock
from text2gesture_ros.ros.conversions import to_time
from text2gesture_ros.skeleton import BONES

if TYPE_CHECKING:
    from text2gesture_ros.control.command import Command
    from text2gesture_ros.geometry import Array
    from text2gesture_ros.robots.robot import Robot
    from text2gesture_ros.ros.managed_node import ManagedNode

_MAX_BLOCKS = 100  # of frames that wait to be drawn
_ROBOT, _HUMAN = (0.1, 0.4, 0.8), (0.9, 0.5, 0.1)  # colours
_HUMAN_OFFSET = 1.0  # of the human that is drawn, to the left of the robot [m]


class MarkerDisplay:
    """Publishes the robot, and beside it the human frame that it performs, while there is a subscriber."""

    def __init__(self, node: "ManagedNode[Any]") -> None:
        """Offer the topic gesture_markers."""
        self._node = node
        self._publisher = node.create_lifecycle_publisher(MarkerArray, "gesture_markers", 10)
        self._blocks: deque[FrameBlock] = deque(maxlen=_MAX_BLOCKS)

    def remember(self, block: FrameBlock) -> None:
        """Keep the frames of a block until they are performed."""
        self._blocks.append(block)

    def publish(self, robot: "Robot", command: "Command", now: float) -> None:
        """Publish the robot as it is commanded, and the human frame of this time [s] of the loop."""
        if self._publisher.get_subscription_count():
            human = self._frame(now, (command.utterance_id, command.clause))
            message = markers_message(robot, command.position, human, self._node.now())
            self._publisher.publish(message)

    def _frame(self, now: float, clause: ClauseId) -> FloatArray | None:
        """Return the frame (K, 3) that is performed; None at rest."""
        while self._blocks and self._blocks[0].end < now:
            self._blocks.popleft()
        performed = (block for block in self._blocks if block.header.name == clause and block.end >= now)
        block = next(performed, None)
        if block is None:
            return None
        return np.asarray(block.positions[max(0, int((now - block.due) * block.frame_rate))])


def markers_message(robot: "Robot", angles: "Array", human: FloatArray | None, now: float) -> MarkerArray:
    """Return the robot and, beside it, the human it follows, for RViz.

    The robot is drawn by its capsules: balls at their ends, a line as wide as they are between. One marker
    holds all balls or lines of one width, so that even a large robot takes few. Without capsules its lines
    are drawn.

    Args:
        robot: gives the shapes and the frame, its base link.
        angles: (N,) commanded joint angles [rad].
        human: (K, 3) joint positions [m]; None: no human is drawn.
        now: the time [s], on the ROS clock.
    """
    markers = _robot_markers(robot, angles)
    if human is None:
        gone = Marker(ns="human", action=Marker.DELETE)
        gone.header.frame_id = robot.base
        markers.append(gone)
    else:
        beside = ((human + np.array([0.0, _HUMAN_OFFSET, 0.0])) @ robot.axes).tolist()
        ends = [beside[joint] for bone in BONES for joint in bone]
        markers.append(_marker("human", robot.base, ends, _HUMAN))
    for marker in markers:
        marker.header.stamp = to_time(now)
    return MarkerArray(markers=markers)


def _robot_markers(robot: "Robot", angles: "Array") -> list[Marker]:
    if not robot.capsules:
        points = {name: point.tolist() for name, point in robot.points(angles).items()}
        ends = [points[name] for line in robot.lines for pair in pairwise(line) for name in pair]
        return [_marker("robot", robot.base, ends, _ROBOT)]
    widths: dict[float, list[list[float]]] = {}
    for capsule, ends in zip(robot.capsules, robot.capsule_ends(angles).tolist(), strict=True):
        widths.setdefault(2.0 * capsule.radius, []).extend(ends)
    kinds = product(widths.items(), (Marker.LINE_LIST, Marker.SPHERE_LIST))
    return [
        _marker("robot", robot.base, ends, _ROBOT, width=width, kind=kind, index=index)
        for index, ((width, ends), kind) in enumerate(kinds)
    ]


def _marker(
    namespace: str,
    frame: str,
    ends: list[list[float]],
    colour: tuple[float, float, float],
    *,
    width: float = 0.02,
    kind: int = Marker.LINE_LIST,
    index: int = 0,
) -> Marker:
    marker = Marker(
        ns=namespace,
        id=index,
        type=kind,
        action=Marker.ADD,
        points=[Point(x=x, y=y, z=z) for x, y, z in ends],
    )
    marker.header.frame_id = frame
    marker.pose.orientation.w = 1.0
    marker.scale.x = marker.scale.y = marker.scale.z = width
    marker.color.r, marker.color.g, marker.color.b = colour
    marker.color.a = 1.0
    return marker
