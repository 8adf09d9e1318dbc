"""Node gesture_retargeter: human motion -> commands for the robot. No other node commands it.

In: gesture_frames (GestureFrames); joint_states (sensor_msgs/JointState), if they are published;
gesture_intent (GestureIntent), which tells what may still come and when the text arrived; if its parameters
say so, a URDF from robot_description (std_msgs/String) while it is configured.

Out: joint_command (sensor_msgs/JointState) at the control rate, joint_trajectory
(trajectory_msgs/JointTrajectory) whenever there is a new plan, or what else the parameter `outputs` names;
and gesture_markers for RViz. Commands name only the joints that are the retargeter's at that time (parameters
head, left_arm, ...). The stamp of a command is when it was due: over the stamps every limit is kept, however
late a busy machine sends. The first command is where joint_states tells that the robot is, and comes only
when that is known. Where nobody publishes it, it is the rest pose, and the robot is expected to stand in it
already; if it turns out to be elsewhere while nothing is performed, it is commanded anew from there.

The action perform_gesture (PerformGesture) says a text, on speech, and follows it to its end. gesture_cancel
(std_msgs/String), the id of an utterance or nothing for all, ends what is performed and what waits; so do a
cancelled goal and the service stop (std_srvs/Trigger), which publish it. The service hold (std_srvs/SetBool)
lets the robot stand still where it is, to listen.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from text2gesture_ros.control.loop_statistics import LoopStatistics
from text2gesture_ros.control.realtime import (
    collect_garbage,
    control_periods,
    disable_garbage_collector,
    request_realtime,
)
from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.geometry import Array
from text2gesture_ros.motion.frame_block import FrameBlock
from text2gesture_ros.msg import GestureFrames, GestureIntent, PlanCommit
from text2gesture_ros.parameters import LONGEST_RETURN, MAX_FADE_TIME, GestureRetargeterParameters
from text2gesture_ros.retargeting.executor import MotionExecutor
from text2gesture_ros.retargeting.planner_link import InlinePlanner
from text2gesture_ros.retargeting.progress import Progress
from text2gesture_ros.retargeting.statistics import UtteranceStatistics
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.robots.robot_file import load_robot
from text2gesture_ros.ros.action_server import PerformGestureServer
from text2gesture_ros.ros.command_outputs import CommandOutputs, check_outputs
from text2gesture_ros.ros.conversions import (
    MAX_ID_LENGTH,
    MAX_REASON_LENGTH,
    plan_commit,
    read_frames,
    read_joint_states,
    read_plan_commit,
    to_seconds,
)
from text2gesture_ros.ros.decisions import Decisions
from text2gesture_ros.ros.managed_node import ManagedNode, run
from text2gesture_ros.ros.markers import MarkerDisplay
from text2gesture_ros.ros.measured_pose import TOPIC, MeasuredPose
from text2gesture_ros.ros.robot_description import robot_description
from text2gesture_ros.understanding.clauses import MAX_CLAUSES
from text2gesture_ros.understanding.word_times import in_speech

_MARKER_RATE = 15.0  # [Hz]
_FEEDBACK_RATE = 10.0  # of the action [Hz]
_COLLECTION = 10.0  # time between two garbage collections, at rest [s]


class GestureRetargeterNode(ManagedNode[GestureRetargeterParameters]):
    """One loop at a fixed rate commands the robot, whatever arrives or does not arrive."""

    def __init__(self, **options: object) -> None:
        super().__init__("gesture_retargeter", **options)
        self._markers = MarkerDisplay(self)
        self._decisions = Decisions(self)
        self._own_cancels: list[str] = []  # published, and not come back yet
        self._statistics = UtteranceStatistics(self._progress)
        self._goals = PerformGestureServer(self, self._progress, self._cancel, self.loop_now)
        self.subscribe(GestureFrames, "gesture_frames", self._receive, 100)
        self.subscribe(GestureIntent, "gesture_intent", self._note_intent, MAX_CLAUSES)
        self.subscribe(String, "gesture_cancel", self._receive_cancel, 100)
        # Reliable and best-effort publishers are heard.
        self.subscribe(JointState, "joint_states", self._observe, qos_profile_sensor_data)
        if not self.parameters.planner_process:
            self.subscribe(PlanCommit, "plan_request", self._plan_at, 100)
        self.create_service(Trigger, "stop", self._serve_stop)
        self.create_service(SetBool, "hold", self._serve_hold)
        self._loop = LoopStatistics()
        self._announced = (0, "")  # number of the plan, and its utterance
        self._collected = 0.0
        self._pose = MeasuredPose(self)

    def load(self) -> None:
        """Read the robot file."""
        description = robot_description(self) if self.parameters.robot_description else None
        robot = load_robot(self.parameters.robot, description)
        self._executor = self._new_executor(robot, description)
        try:
            self._outputs = CommandOutputs(self, robot, self.parameters)
        except ConfigurationError:
            self._executor.close()
            raise
        self.get_logger().info(f"commands {robot.title} at {self.parameters.rate:g} Hz")

    def _new_executor(self, robot: Robot, description: str | None) -> MotionExecutor:
        given = self.parameters
        executor = MotionExecutor(robot, given, own_process=given.planner_process, description=description)
        try:
            executor.planner.start(self._on_offer)
        except ConfigurationError:
            executor.close()
            raise
        return executor

    def unload(self) -> None:
        """Give the publishers of the commands and the planner up."""
        self._executor.close()
        self._outputs.close()

    def start(self) -> None:
        """Begin to command the robot, from where it is."""
        self._executor.configure(self.parameters)
        self._hold(False)
        self._own_cancels.clear()
        self._pose.begin(self._executor.robot)
        if self._pose.awaited:
            self._wait(self._pose.waiting_for())
        else:
            self._begin("the rest pose: bring the robot there first")
        if self.parameters.realtime_priority:
            self.get_logger().info(request_realtime(self.parameters.realtime_priority))
        self._timer = self.create_timer(self._executor.period, self._tick_now, clock=self.loop_clock)

    def _begin(self, origin: str) -> None:
        """Command the robot from now on; one that is taken over little by little, where it stands."""
        self._pose.awaited, self._pose.origin = False, origin
        self.get_logger().info(f"starts from {origin}")
        if self._outputs.in_force:
            self._open()
        else:
            self._wait("takes the arms over little by little, and performs nothing before")

    def _wait(self, why: str) -> None:
        self.get_logger().info(why)
        self._goals.wait(f"the node {why}")

    def _open(self) -> None:
        """Perform what comes from now on."""
        self._goals.open()
        self._loop.begin(self.loop_now())

    def _begin_from_pose(self) -> None:
        """Command the robot from where it is, once that is known."""
        if not self._pose.known(self.loop_now()):
            return
        try:
            self._executor.begin_from(self._pose.positions)
        except InputError as error:
            self._pose.refusal = str(error)
            self.reject(TOPIC, error)
            return
        if self._pose.missing:
            names = ", ".join(self._pose.missing)
            self.get_logger().warning(f"{TOPIC} does not tell, taken as at rest: {names}")
        self._begin(f"where {TOPIC} tells that the robot is")

    def stop(self) -> None:
        """Bring the robot to rest, give it back, and only then fall silent.

        The loop's own clock may stand still meanwhile: simulated time needs the executor, which waits for us.
        """
        self.destroy_timer(self._timer)
        period = self._executor.period
        if self._commanding:
            self._executor.configure(replace(self.parameters, idle_motion=0.0))
            self._executor.to_rest()
            for now in control_periods(self.loop_now(), period, LONGEST_RETURN):
                self._tick(now)
                if not self._loop.moving or self._executor.planner.stuck:
                    break  # it is at rest, or stands still and no trajectory there is safe
        for now in control_periods(self.loop_now(), period, 2.0 * MAX_FADE_TIME):
            if self._outputs.fade_out(self._place, now):
                break
        self._goals.close()

    @property
    def _commanding(self) -> bool:
        """Whether commands are sent and the robot does them."""
        return not self._pose.awaited and self._outputs.in_force

    @property
    def _place(self) -> Array:
        """Where the joints were commanded last (N,) [rad], or stand before the first command."""
        return self._executor.loop.buffer.sent.position

    def check(self, new: GestureRetargeterParameters) -> None:
        """Refuse another rate while the robot performs: every sample sent so far was made for the old one."""
        taking_over = self.active and not self._outputs.in_force
        moving = self._loop.moving and not self._executor.planner.breathing
        if new.rate != self.parameters.rate and (moving or taking_over):
            raise ConfigurationError("rate can be changed only while the robot is at rest, and it moves")
        if self.configured:
            check_outputs(self._executor.robot, new)

    def changed(self, old: GestureRetargeterParameters) -> None:
        """Let new parameters take effect without a jump."""
        if not self.configured:
            return
        self._executor.configure(self.parameters)
        if self._rate_changes:
            if self._loop.moving:  # it breathes, and is at rest in a moment
                self._executor.configure(replace(self.parameters, idle_motion=0.0))
            else:
                self._change_rate()

    @property
    def _rate_changes(self) -> bool:
        return abs(self._executor.period * self.parameters.rate - 1.0) > 1e-9

    def _change_rate(self) -> None:
        old = self._executor
        self._executor = self._new_executor(old.robot, old.description)
        self._executor.hold(old.held)
        old.close()
        if self.active:
            self.destroy_timer(self._timer)
            self._loop.begin(self.loop_now())
            self._timer = self.create_timer(self._executor.period, self._tick_now, clock=self.loop_clock)

    # What arrives

    def _receive(self, message: GestureFrames) -> None:
        if not self._commanding:
            missing = "it is known where the robot is" if self._pose.awaited else "the arms are taken over"
            raise InputError(f"no frames are taken before {missing}")
        now = self.loop_now()
        block = read_frames(message, self.clock_offset())
        self._goals.on_frames(block)
        taken = self._executor.receive(block, now)
        self._statistics.on_block(block, now)
        if not taken or not isinstance(block, FrameBlock):
            return
        self._markers.remember(block)
        # Planning in this thread takes as long as several commands: best right after one. Only the beginning
        # of an utterance is worth the risk of a late command: people wait for it.
        begins = block.sequence == 0 or block.header.utterance_id != self._announced[1]
        if begins or self.parameters.planner_process:
            self._plan(now)

    def _note_intent(self, message: GestureIntent) -> None:
        """Take note of what may still come, and of how old the text is."""
        times = message.start, message.stroke
        if len(message.utterance_id) > MAX_ID_LENGTH or not all(map(in_speech, times)):
            return  # cannot be right: nothing more will come of it
        refusal = "" if message.accepted else message.reason[:MAX_REASON_LENGTH]
        self._goals.on_intent(message.utterance_id, self.loop_now() + max(times), refusal)
        if message.clause == 0:
            arrival = to_seconds(message.header.stamp, self.clock_offset())
            self._statistics.on_text(message.utterance_id, arrival)

    def _plan_at(self, message: PlanCommit) -> None:
        """Make a plan when a recording tells, see `InlinePlanner.plan_at`."""
        clock, planner = self._executor.loop.clock, self._executor.planner
        if isinstance(planner, InlinePlanner) and clock.begun:
            planner.plan_at(read_plan_commit(message, clock, self.clock_offset()))
        self._plan(self.loop_now())

    def _observe(self, message: JointState) -> None:
        now = self.loop_now()
        told = read_joint_states(message, self._executor.robot.joint_names)
        first = self._pose.note(told, now)
        if self._pose.awaited:
            self._begin_from_pose()
            return
        joint, distance = self._executor.observe(told)
        # What is measured trails the commands, so it is compared only where the robot has come to stand; but
        # a robot that tells for the first time where it is may be anywhere.
        tolerance = self.parameters.pose_tolerance
        if 0.0 < tolerance < distance and (first or self._pose.stands(now)):
            known = dict(zip(self._executor.robot.joint_names, self._place.tolist(), strict=True))
            self._executor.begin_from(known | self._pose.positions)
            self._pose.on_command(True, now)
            self.get_logger().warning(
                f"{joint} is {distance:.3g} rad from its command, says {TOPIC}: the robot begins anew from "
                f"where it is (pose_tolerance is {tolerance:g} rad)"
            )

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
        self._decisions.cancel(utterance_id)

    def _end(self, utterance_id: str) -> None:
        self._executor.cancel(utterance_id or None)
        if not utterance_id:  # also what was said, of which nothing has come yet
            for name in {*self._goals.utterance_ids, *self._statistics.awaited}:
                self._executor.cancel(name)
        self._goals.on_cancel(utterance_id)

    def _serve_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self.active
        response.message = "the node is not active"
        if self.active:
            response.message = "the robot goes to rest" if self._loop.moving else "the robot is at rest"
            self._cancel("")
            self._hold(False)
        return response

    def _serve_hold(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        response.success = self.active
        response.message = "the node is not active"
        if self.active:
            self._hold(request.data)
            held = "the robot stands still until 'text2gesture hold off', or stop"
            response.message = held if request.data else "it goes on"
        return response

    def _hold(self, on: bool) -> None:
        self._executor.hold(on)
        self._decisions.hold(on)

    # The loop

    def _tick_now(self) -> None:
        self._tick(self.loop_now())

    def _tick(self, now: float) -> None:
        """Send the command of this control period, then do what has time until the next."""
        if self._pose.awaited:
            self._begin_from_pose()
            return
        if not self._outputs.in_force:
            if self._outputs.fade_in(self._place, now):
                self._open()
            return
        command = self._executor.step(now)
        self._pose.on_command(command.moving, now)
        self._outputs.publish_command(command, self.clock_offset())
        self._loop.on_tick(now, self._executor.period, command)
        self._plan(now)
        if self._is_turn(_FEEDBACK_RATE):
            self._goals.update()
            for name, progress in self._statistics.settle(now):
                self.get_logger().debug(f"utterance {name!r} {progress.outcome} {progress.reason}")
        if self.parameters.publish_markers and self._is_turn(_MARKER_RATE):
            self._markers.publish(self._executor.robot, command, now)
        if not command.moving:
            if self._rate_changes:
                self._change_rate()
            elif now > self._collected + _COLLECTION:
                self._collected = now
                collect_garbage()

    def _on_offer(self) -> None:
        """Take a plan over at once, not only with the next command; called in another thread."""
        if self.executor is not None:
            self.executor.create_task(self._take_over)

    def _take_over(self) -> None:
        if self.active and self._commanding:
            self._plan(self.loop_now())

    def _plan(self, now: float) -> None:
        """Take plans over that there are, or make them if that is done in this thread, and publish them."""
        while self._executor.prepare():
            self._announce(now)
        self._announce(now)

    def _announce(self, now: float) -> None:
        """Publish the trajectory ahead if there is a new plan."""
        loop = self._executor.loop
        if loop.buffer.number == self._announced[0]:
            return
        offset = self.clock_offset()
        if loop.buffer.number > 0:
            self._decisions.plan(plan_commit(loop.buffer.commit, loop.clock, offset))
        announcement = self._executor.look_ahead(now)
        if announcement.utterance_id != self._announced[1]:
            self._statistics.on_announced(announcement.utterance_id, self.loop_now())
        self._announced = loop.buffer.number, announcement.utterance_id
        self._outputs.publish_plan(announcement, now + offset)

    def _is_turn(self, rate: float) -> bool:
        """Return whether this tick is one of about `rate` per second."""
        return self._loop.ticks % max(1, round(self.parameters.rate / rate)) == 0

    def _progress(self, utterance_id: str) -> Progress | None:
        return self._executor.progress(utterance_id)

    def destroy_node(self) -> None:
        """Take the node away, with its action and its planner."""
        self._goals.destroy()
        if self.configured:
            self._executor.close()
        super().destroy_node()

    def report(self) -> Mapping[str, object]:
        """Return the counts of the loop and of what arrived."""
        counts: dict[str, object] = {
            "robot": self.parameters.robot,
            "started from": self._pose.origin if self.active else "",
            "goals under way": len(self._goals.utterance_ids),
            "held": self.configured and self._executor.held,
        }
        figures, warnings = self._statistics.report(self.loop_now())
        loop_figures, loop_warnings = self._loop.report()
        counts |= loop_figures | figures
        warnings += loop_warnings
        if self.configured:
            counts |= {f"blocks {what.replace('_', ' ')}": n for what, n in self._executor.counts.items()}
            counts |= {f"plans {what}": number for what, number in self._executor.planner.counts.items()}
            for kind, worst in self._executor.planner.worst.items():
                unit = "smallest [m]" if kind == "clearance" else "share of limit used"
                counts[f"{kind}, {unit}"] = f"{worst:.4g}"
        if self.configured and self._executor.planner.stuck:
            warnings.append("no trajectory to rest is within limits and clear: the robot stands still")
        if self.active and self._pose.awaited:
            warnings.append(self._pose.waiting_for())
        elif self.active and not self._outputs.in_force:
            warnings.append("the arms of the robot are being taken over: nothing is performed yet")
        if self.configured:
            counts["conflicts"] = self._outputs.other_writers()
        return counts | {"warning": "; ".join(warnings)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is asked to end."""
    disable_garbage_collector()
    return run(GestureRetargeterNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
