"""Node gesture_retargeter: human motion -> commands for the robot. The only one that commands it.

Subscribes gesture_frames (GestureFrames); where its parameters say so, it reads a URDF from robot_description
(std_msgs/String) while it is configured. Publishes joint_command (sensor_msgs/JointState) at the control
rate, joint_trajectory (trajectory_msgs/JointTrajectory) whenever there is a new plan, and gesture_markers for
RViz. Both name only the joints that are the retargeter's at that time (parameters head, left_arm, ...). The
stamp of a command is when it was due: over the stamps every limit is kept, however late a busy machine sends.
The first command is the rest pose of the robot file: the robot is expected to stand in it already.
"""

import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.wait_for_message import wait_for_message
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from text2gesture_ros.errors import ConfigurationError
from text2gesture_ros.motion import FrameBlock
from text2gesture_ros.msg import GestureFrames
from text2gesture_ros.nodes.base import ManagedNode, run
from text2gesture_ros.nodes.conversions import (
    joint_state_message,
    markers_message,
    read_frames,
    trajectory_message,
)
from text2gesture_ros.ownership import GROUPS
from text2gesture_ros.parameters import LONGEST_RETURN, GestureRetargeterParameters
from text2gesture_ros.performing import Command, Performer
from text2gesture_ros.robot import load_robot
from text2gesture_ros.skeleton import FloatArray

_MARKER_RATE = 15.0  # [Hz]
_DESCRIPTION_WAIT = 5.0  # [s]
_LATE_ALLOWED = 0.01  # part of the commands that may be late before it is worth a warning
_FEWEST = 100  # commands, before that can be judged


class GestureRetargeterNode(ManagedNode[GestureRetargeterParameters]):
    """One loop at a fixed rate commands the robot, whatever arrives or does not arrive."""

    def __init__(self, **options: object) -> None:
        super().__init__("gesture_retargeter", **options)
        self._commands = self.create_lifecycle_publisher(JointState, "joint_command", 10)
        self._trajectories = self.create_lifecycle_publisher(JointTrajectory, "joint_trajectory", 10)
        self._markers = self.create_lifecycle_publisher(MarkerArray, "gesture_markers", 10)
        self.subscribe(GestureFrames, "gesture_frames", self._receive, 100)
        self._shown: deque[FrameBlock] = deque(maxlen=100)
        self._moving = False
        self._announced: str | None = None  # utterance of the latest trajectory
        self._prepared = False  # since the last tick
        self._ticks = self._late = self._violations = 0

    def load(self) -> None:
        """Read the robot file."""
        description = self._description() if self.parameters.robot_description else None
        self._robot = load_robot(self.parameters.robot, description)
        self._make_performer()
        self.get_logger().info(f"commands {self._robot.title} at {self.parameters.rate:g} Hz")

    def _description(self) -> str:
        """Return the URDF that robot_state_publisher, say, has published."""
        kept = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        came, message = wait_for_message(
            String, self, "robot_description", qos_profile=kept, time_to_wait=_DESCRIPTION_WAIT
        )
        if not came:
            topic = self.resolve_topic_name("robot_description")
            raise ConfigurationError(
                f"no robot description came on {topic} (std_msgs/String, transient local) within "
                f"{_DESCRIPTION_WAIT:g} s: start what publishes it first, or set robot_description to false"
            )
        return str(message.data)

    def start(self) -> None:
        """Begin to command the robot, from its rest pose."""
        self.get_logger().info("starts from the rest pose: bring the robot there first")
        self._last_tick = self.loop_now()
        self._announced = None
        self._timer = self.create_timer(self._performer.period, self._tick, clock=self.loop_clock)

    def stop(self) -> None:
        """Bring the robot to rest, and only then fall silent."""
        self.destroy_timer(self._timer)
        now = self.loop_now()
        self._performer.to_rest()
        self._publish_trajectory(now)
        # The loop's own clock may stand still here: simulated time needs the executor, which waits for us.
        beginning, period = time.monotonic(), self._performer.period
        for step in range(1, round(LONGEST_RETURN / period)):
            if not self._command(now + step * period).moving:
                break
            self._performer.prepare()
            time.sleep(max(0.0, beginning + step * period - time.monotonic()))

    def check(self, new: GestureRetargeterParameters) -> None:
        """Refuse another rate while the robot moves: every sample sent so far was made for the old one."""
        if self._moving and new.rate != self.parameters.rate:
            raise ConfigurationError("rate can be changed only while the robot is at rest, and it moves")

    def changed(self, old: GestureRetargeterParameters) -> None:
        """Let new parameters take effect without a jump."""
        new = self.parameters
        if self.configured and new.rate != old.rate:
            self._make_performer()
            if self.active:
                self.destroy_timer(self._timer)
                self.start()
        elif self.configured:
            self._performer.configure(**_settings(new))

    def _make_performer(self) -> None:
        given = self.parameters
        self._performer = Performer(self._robot, rate=given.rate, **_settings(given))

    def _receive(self, message: GestureFrames) -> None:
        now = self.loop_now()
        block = read_frames(message, self.clock_offset())
        if not self._performer.receive(block, now):
            return
        self._shown.append(block)
        # Planning takes as long as many commands: once between two of them, and best right after one. Only
        # the beginning of an utterance is worth the risk of a late command: somebody waits for it.
        begins = block.sequence == 0 or block.utterance_id != self._announced
        if begins and not self._prepared:
            self._prepare(now)

    def _prepare(self, now: float) -> None:
        """Plan what arrived, and say so."""
        if self._performer.prepare():
            self._publish_trajectory(now)
            self._prepared = True

    def _publish_trajectory(self, now: float) -> None:
        trajectory = self._performer.look_ahead(now)
        self._announced = trajectory.utterance_id
        if trajectory.owned.any():
            names = self._robot.joint_names
            self._trajectories.publish(trajectory_message(names, trajectory, now + self.clock_offset()))

    def _tick(self) -> None:
        now = self.loop_now()
        self._late += now - self._last_tick > 1.5 * self._performer.period
        self._last_tick = now
        command = self._command(now)
        self._ticks += 1
        self._prepared = False
        self._prepare(now)
        every = max(1, round(self.parameters.rate / _MARKER_RATE))
        wanted = self.parameters.publish_markers and self._ticks % every == 0
        if wanted and self._markers.get_subscription_count():
            human = self._human(now, command)
            self._markers.publish(markers_message(self._robot, command.position, human, self.now()))

    def _human(self, now: float, command: Command) -> FloatArray | None:
        """Return the frame (K, 3) that is performed; None at rest."""
        while self._shown and self._shown[0].end < now:
            self._shown.popleft()
        performed = (block for block in self._shown if block.name == (command.utterance_id, command.clause))
        block = next((block for block in performed if block.end >= now), None)
        if block is None:
            return None
        frame = max(0, int((now - block.due) * block.frame_rate))
        return np.asarray(block.positions[frame])

    def _command(self, now: float) -> Command:
        command = self._performer.step(now)
        self._violations += len(command.violations)
        self._moving = command.moving
        if command.owned.any():
            names = self._robot.joint_names
            self._commands.publish(joint_state_message(names, command, self.clock_offset()))
        return command

    def report(self) -> Mapping[str, object]:
        """Return the counts of the loop and of what arrived."""
        counts: dict[str, object] = {
            "robot": self.parameters.robot,
            "commands": self._ticks,
            "commands late": self._late,
            "limit violations withheld": self._violations,
        }
        if self.configured:
            counts |= {f"blocks {what.replace('_', ' ')}": n for what, n in self._performer.counts.items()}
            counts |= {f"plans {what}": number for what, number in self._performer.plans.items()}
            for kind, worst in self._performer.worst.items():
                unit = "smallest [m]" if kind == "clearance" else "share of limit used"
                counts[f"{kind}, {unit}"] = f"{worst:.4g}"
        if self._violations:
            counts["warning"] = f"{self._violations} commands would have exceeded a limit and were withheld"
        elif self.configured and self._performer.stuck:
            counts["warning"] = "no way to rest is within limits and clear: the robot stands still"
        elif self._ticks >= _FEWEST and self._late > _LATE_ALLOWED * self._ticks:
            counts["warning"] = f"{self._late} of {self._ticks} commands were late"
        return counts


def _settings(given: GestureRetargeterParameters) -> dict[str, Any]:
    return {
        "scale": given.gesture_scale,
        "mirror": given.mirror,
        "blend_time": given.blend_time,
        "frame_timeout": given.frame_timeout,
        **{group: getattr(given, group) for group in GROUPS},
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is asked to end."""
    return run(GestureRetargeterNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
