"""Node gesture_retargeter: human motion -> commands for the robot. The only one that commands it.

In: gesture_frames (GestureFrames); joint_states (sensor_msgs/JointState), where somebody publishes them;
gesture_intent (GestureIntent), of which it reads what may still come, and how old a text is; where its
parameters say so, a URDF from robot_description (std_msgs/String) while it is configured.

Out: joint_command (sensor_msgs/JointState) at the control rate, joint_trajectory
(trajectory_msgs/JointTrajectory) whenever there is a new plan, or what else the parameter `outputs` names;
and gesture_markers for RViz. Commands name only the joints that are the retargeter's at that time (parameters
head, left_arm, ...). The stamp of a command is when it was due: over the stamps every limit is kept, however
late a busy machine sends. The first command is where joint_states tells that the robot is; without, it is
the rest pose of the robot file, and the robot is expected to stand in it already.

The action perform_gesture (PerformGesture) says a text, on speech, and follows it to its end. gesture_cancel
(std_msgs/String), the id of an utterance or nothing for all, ends what is performed and what waits; so do a
cancelled goal and the service stop (std_srvs/Trigger), which publish it. The service hold (std_srvs/SetBool)
lets the robot stand still where it is, to listen.
"""

import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.wait_for_message import wait_for_message
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger
from visualization_msgs.msg import MarkerArray

from text2gesture_ros.control.command import Command
from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.geometry import FloatArray
from text2gesture_ros.motion.frame_block import FrameBlock
from text2gesture_ros.msg import GestureFrames, GestureIntent
from text2gesture_ros.parameters import LONGEST_RETURN, GestureRetargeterParameters
from text2gesture_ros.retargeting.executor import MotionExecutor
from text2gesture_ros.retargeting.progress import Progress
from text2gesture_ros.retargeting.statistics import UtteranceStatistics
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.ros.action_server import Goals
from text2gesture_ros.ros.command_outputs import Outputs, check_outputs
from text2gesture_ros.ros.conversions import (
    MAX_ID_LENGTH,
    MAX_SPEECH_DURATION,
    read_frames,
    read_joint_states,
    to_seconds,
)
from text2gesture_ros.ros.managed_node import ManagedNode, run
from text2gesture_ros.ros.markers import markers_message
from text2gesture_ros.understanding.clauses import MAX_CLAUSES

_MARKER_RATE = 15.0  # [Hz]
_FEEDBACK_RATE = 10.0  # of the action [Hz]
_DESCRIPTION_WAIT = 5.0  # [s]
_DISCOVERY = 1.0  # after its start a node may not have seen yet who publishes what [s]
_JOINT_STATES_WAIT = 2.0  # when the node is activated, for a robot whose joints are published [s]
_LATE_ALLOWED = 0.01  # part of the commands that may be late before it is worth a warning
_FEWEST = 100  # commands, before that can be judged


class GestureRetargeterNode(ManagedNode[GestureRetargeterParameters]):
    """One loop at a fixed rate commands the robot, whatever arrives or does not arrive."""

    def __init__(self, **options: object) -> None:
        super().__init__("gesture_retargeter", **options)
        self._born = time.monotonic()
        self._outputs: Outputs | None = None
        self._markers = self.create_lifecycle_publisher(MarkerArray, "gesture_markers", 10)
        self._cancels = self.create_lifecycle_publisher(String, "gesture_cancel", 100)
        self._own_cancels: list[str] = []  # published, and not come back yet
        self._statistics = UtteranceStatistics(self._progress)
        self._goals = Goals(self, self._progress, self._cancel, self.loop_now)
        self.subscribe(GestureFrames, "gesture_frames", self._receive, 100)
        self.subscribe(GestureIntent, "gesture_intent", self._note_intent, MAX_CLAUSES)
        self.subscribe(String, "gesture_cancel", self._receive_cancel, 100)
        self.subscribe(JointState, "joint_states", self._observe, 1)
        self.create_service(Trigger, "stop", self._serve_stop)
        self.create_service(SetBool, "hold", self._serve_hold)
        self._shown: deque[FrameBlock] = deque(maxlen=100)
        self._moving = False
        self._announced: str | None = None  # utterance of the latest trajectory
        self._prepared = False  # since the last tick
        self._ticks = self._late = self._violations = 0

    def load(self) -> None:
        """Read the robot file."""
        description = self._description() if self.parameters.robot_description else None
        self._robot = load_robot(self.parameters.robot, description)
        self._outputs = Outputs(self, self._robot, self.parameters)
        self._make_executor()
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

    def unload(self) -> None:
        """Give the publishers of the commands up."""
        if self._outputs is not None:
            self._outputs.close()
            self._outputs = None

    def start(self) -> None:
        """Begin to command the robot, from where it is."""
        place = self._place()
        if place:
            self._executor.begin_from(place)
            self.get_logger().info("starts from where joint_states tells that the robot is")
        else:
            self.get_logger().info("starts from the rest pose: bring the robot there first")
        self._executor.configure(self.parameters)
        self._own_cancels.clear()
        self._goals.open()
        self._begin_loop()

    def _begin_loop(self) -> None:
        self._last_tick = self.loop_now()
        self._announced = None
        self._timer = self.create_timer(self._executor.period, self._tick_now, clock=self.loop_clock)

    def _place(self) -> dict[str, float]:
        """Return where the robot's joints are [rad], as far as somebody tells; nothing: at rest."""
        topic, wanted = "joint_states", self.parameters.start_from
        if wanted == "rest" or (wanted == "auto" and not self._is_published(topic)):
            return {}
        found: dict[str, float] = {}
        missing, silent = list(self._robot.joint_names), True
        deadline = time.monotonic() + _JOINT_STATES_WAIT
        while missing and (left := deadline - time.monotonic()) > 0.0:
            came, message = wait_for_message(JointState, self, topic, time_to_wait=left)
            if not came:
                break
            try:
                told = read_joint_states(message)
            except InputError as error:
                self.reject(topic, error)
                continue
            silent = False
            found |= {name: told[name] for name in missing if name in told}
            missing = [name for name in missing if name not in found]
        if silent or (wanted == "joint_states" and not found):  # a robot may be anywhere that does not tell
            raise ConfigurationError(
                f"no joint of {self.parameters.robot} came on {self.resolve_topic_name(topic)} "
                f"(sensor_msgs/JointState) within {_JOINT_STATES_WAIT:g} s: start what publishes them first, "
                "or set start_from to rest"
            )
        if missing:
            self.get_logger().warning(f"{topic} does not tell, taken as at rest: {', '.join(missing)}")
        return found

    def _is_published(self, topic: str) -> bool:
        """Return whether somebody else publishes a topic; wait until that can be known."""
        own = self.get_namespace(), self.get_name()
        while True:
            for info in self.get_publishers_info_by_topic(topic):
                if (info.node_namespace, info.node_name) != own:
                    return True
            if time.monotonic() > self._born + _DISCOVERY:
                return False
            time.sleep(0.02)

    def stop(self) -> None:
        """Bring the robot to rest, and only then fall silent."""
        self.destroy_timer(self._timer)
        self._executor.configure(replace(self.parameters, idle_motion=0.0))
        self._executor.to_rest()
        # The loop's own clock may stand still here: simulated time needs the executor, which waits for us.
        now, beginning, period = self.loop_now(), time.monotonic(), self._executor.period
        for step in range(1, round(LONGEST_RETURN / period)):
            self._tick(now + step * period)
            if not self._moving or self._executor.planner.stuck:
                break  # it is at rest, or stands still and no trajectory there is safe
            time.sleep(max(0.0, beginning + step * period - time.monotonic()))
        self._goals.close()

    def check(self, new: GestureRetargeterParameters) -> None:
        """Refuse another rate while the robot performs: every sample sent so far was made for the old one."""
        if self._moving and new.rate != self.parameters.rate and not self._executor.planner.breathing:
            raise ConfigurationError("rate can be changed only while the robot is at rest, and it moves")
        if self.configured:
            check_outputs(self._robot, new)

    def changed(self, old: GestureRetargeterParameters) -> None:
        """Let new parameters take effect without a jump."""
        if not self.configured:
            return
        self._executor.configure(self.parameters)
        if self.parameters.rate != self._rate:
            if self._moving:
                self._executor.configure(
                    replace(self.parameters, idle_motion=0.0)
                )  # it breathes, and is at rest in a moment
            else:
                self._change_rate()

    def _change_rate(self) -> None:
        held = self._executor.held
        self._make_executor()
        self._executor.hold(held)
        if self.active:
            self.destroy_timer(self._timer)
            self._begin_loop()

    def _make_executor(self) -> None:
        given = self.parameters
        self._rate = given.rate
        self._executor = MotionExecutor(self._robot, given)

    # What arrives

    def _receive(self, message: GestureFrames) -> None:
        now = self.loop_now()
        block = read_frames(message, self.clock_offset())
        self._goals.frames_came(block)
        taken = self._executor.receive(block, now)
        self._statistics.on_block(block, now)
        if not taken or not isinstance(block, FrameBlock):
            return
        self._shown.append(block)
        # Planning takes as long as many commands: once between two of them, and best right after one. Only
        # the beginning of an utterance is worth the risk of a late command: somebody waits for it.
        begins = block.sequence == 0 or block.header.utterance_id != self._announced
        if begins and not self._prepared:
            self._prepare(now)

    def _note_intent(self, message: GestureIntent) -> None:
        """Take note of what may still come, and of how old the text is."""
        times = message.start, message.stroke
        if len(message.utterance_id) > MAX_ID_LENGTH or not all(
            0.0 <= time <= MAX_SPEECH_DURATION for time in times
        ):
            return  # cannot be right: nothing more will come of it
        self._goals.intent_came(message.utterance_id, self.loop_now() + max(times))
        if message.clause == 0:
            arrival = to_seconds(message.header.stamp) - self.clock_offset()
            self._statistics.on_text(message.utterance_id, arrival)

    def _observe(self, message: JointState) -> None:
        self._executor.observe(read_joint_states(message))

    # What ends it

    def _receive_cancel(self, message: String) -> None:
        if len(message.data) > MAX_ID_LENGTH:
            raise InputError(f"utterance id has {len(message.data)} characters, allowed {MAX_ID_LENGTH}")
        if message.data in self._own_cancels:
            self._own_cancels.remove(message.data)  # is done already
        else:
            self._end(message.data)

    def _cancel(self, utterance_id: str) -> None:
        """End an utterance, all if the id is empty, here and in the generator."""
        self._end(utterance_id)
        self._own_cancels.append(utterance_id)
        self._cancels.publish(String(data=utterance_id))

    def _end(self, utterance_id: str) -> None:
        self._executor.cancel(utterance_id or None)
        if not utterance_id:  # also what was said, of which nothing has come yet
            for name in {*self._goals.names, *self._statistics.awaited}:
                self._executor.cancel(name)
        self._goals.cancelled(utterance_id)

    def _serve_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self.active
        response.message = "the node is not active"
        if self.active:
            response.message = "the robot goes to rest" if self._moving else "the robot is at rest"
            self._cancel("")
            self._executor.hold(False)
        return response

    def _serve_hold(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        response.success = self.active
        response.message = "the node is not active"
        if self.active:
            self._executor.hold(request.data)
            response.message = "the robot stands still until hold is false" if request.data else "it goes on"
        return response

    # The loop

    def _prepare(self, now: float) -> None:
        """Plan what arrived, and say so."""
        if self._executor.prepare():
            self._publish_trajectory(now)
            self._prepared = True

    def _publish_trajectory(self, now: float) -> None:
        trajectory = self._executor.look_ahead(now)
        if trajectory.utterance_id != self._announced:
            self._statistics.on_announced(trajectory.utterance_id, self.loop_now())
        self._announced = trajectory.utterance_id
        if self._outputs is not None:
            self._outputs.plan(trajectory, now + self.clock_offset())

    def _tick_now(self) -> None:
        now = self.loop_now()
        self._late += now - self._last_tick > 1.5 * self._executor.period
        self._last_tick = now
        self._tick(now)

    def _tick(self, now: float) -> None:
        command = self._command(now)
        self._ticks += 1
        self._prepared = False
        self._prepare(now)
        if self._is_turn(_FEEDBACK_RATE):
            self._goals.follow()
            for name, progress in self._statistics.settle(now):
                self.get_logger().debug(f"utterance {name!r} {progress.outcome} {progress.reason}")
        wanted = self.parameters.publish_markers and self._is_turn(_MARKER_RATE)
        if wanted and self._markers.get_subscription_count():
            human = self._human(now, command)
            self._markers.publish(markers_message(self._robot, command.position, human, self.now()))
        if self.parameters.rate != self._rate and not self._moving:
            self._change_rate()

    def _is_turn(self, rate: float) -> bool:
        """Return whether this tick is one of about `rate` per second."""
        return self._ticks % max(1, round(self.parameters.rate / rate)) == 0

    def _human(self, now: float, command: Command) -> FloatArray | None:
        """Return the frame (K, 3) that is performed; None at rest."""
        while self._shown and self._shown[0].end < now:
            self._shown.popleft()
        performed = (
            block for block in self._shown if block.header.name == (command.utterance_id, command.clause)
        )
        block = next((block for block in performed if block.end >= now), None)
        if block is None:
            return None
        frame = max(0, int((now - block.due) * block.frame_rate))
        return np.asarray(block.positions[frame])

    def _command(self, now: float) -> Command:
        command = self._executor.step(now)
        self._violations += len(command.violations)
        self._moving = command.moving
        if self._outputs is not None:
            self._outputs.command(command, self.clock_offset())
        return command

    def _progress(self, utterance_id: str) -> Progress | None:
        return self._executor.progress(utterance_id)

    def destroy_node(self) -> None:
        """Take the node away, with its action."""
        self._goals.destroy()
        super().destroy_node()

    def report(self) -> Mapping[str, object]:
        """Return the counts of the loop and of what arrived."""
        counts: dict[str, object] = {
            "robot": self.parameters.robot,
            "goals under way": len(self._goals.names),
            "commands": self._ticks,
            "commands late": self._late,
            "limit violations withheld": self._violations,
        }
        figures, warnings = self._statistics.report(self.loop_now())
        counts |= figures
        if self.configured:
            counts |= {f"blocks {what.replace('_', ' ')}": n for what, n in self._executor.counts.items()}
            counts |= {f"plans {what}": number for what, number in self._executor.planner.counts.items()}
            for kind, worst in self._executor.planner.worst.items():
                unit = "smallest [m]" if kind == "clearance" else "share of limit used"
                counts[f"{kind}, {unit}"] = f"{worst:.4g}"
        if self._violations:
            warnings.append(f"{self._violations} commands would have exceeded a limit and were withheld")
        if self.configured and self._executor.planner.stuck:
            warnings.append("no way to rest is within limits and clear: the robot stands still")
        if self._ticks >= _FEWEST and self._late > _LATE_ALLOWED * self._ticks:
            warnings.append(f"{self._late} of {self._ticks} commands were late")
        return counts | {"warning": "; ".join(warnings)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is asked to end."""
    return run(GestureRetargeterNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
