"""Execution of human motion on a robot: frame blocks in, one checked command per control period out."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from text2gesture_ros.control.command import Announcement, Command
from text2gesture_ros.control.handover import LocalExchange
from text2gesture_ros.control.loop import ControlLoop
from text2gesture_ros.control.ownership import JointOwnership
from text2gesture_ros.control.shared_exchange import SharedExchange
from text2gesture_ros.control.trajectory import IDLE
from text2gesture_ros.errors import ConfigurationError, InputError
from text2gesture_ros.geometry import Array, FloatArray
from text2gesture_ros.gestures import needs_of
from text2gesture_ros.motion.frame_block import ClauseHeader, FrameBlock, FrameMessage, blocks_of
from text2gesture_ros.motion.motion import Motion
from text2gesture_ros.parameters import GestureRetargeterParameters
from text2gesture_ros.retargeting.block_filter import BlockFilter
from text2gesture_ros.retargeting.planner_link import InlinePlanner, PlannerLink
from text2gesture_ros.retargeting.planner_process import PlannerProcess
from text2gesture_ros.retargeting.progress import CANCELLED, FAILED, Progress, UtteranceTracker
from text2gesture_ros.robots.robot import Robot
from text2gesture_ros.skeleton import check_positions

DEFAULTS = GestureRetargeterParameters()

# A measured position may be this far outside its limit [rad]: sensors are off by that.
_MEASURED_TOLERANCE = 0.1
# A clip is fed to the planner in blocks of this length, this long before they are due [s].
_CLIP_BLOCK, _CLIP_LEAD = 1.0, 2.0


class MotionExecutor:
    """Performs frame blocks on a robot. Not thread-safe: one caller at a time.

    Attributes:
        loop: the control loop.
        planner: makes its plans.
        tracker: how every utterance goes.
        counts: what became of the blocks, see `BlockFilter`.
        held: whether the robot is told to stand still.
        robot, description: the robot, and its URDF where that was given.
    """

    def __init__(
        self,
        robot: Robot,
        parameters: GestureRetargeterParameters = DEFAULTS,
        *,
        rate: float | None = None,
        start: Mapping[str, float] | None = None,
        own_process: bool = False,
        description: str | None = None,
    ) -> None:
        """Make an executor whose robot stands still, at rest if nothing else is said.

        Args:
            robot: the robot to drive.
            parameters: of the motion and of the joint groups.
            rate: commands per second [Hz], in [1, 1000]; None: that of the parameters.
            start: where the robot stands, see `begin_from`; None: at rest.
            own_process: whether plans are made in a process of their own, so that commands never wait for
                one; else in this thread, by `prepare`. That process loads the robot that the parameters name.
            description: the URDF of the robot, where that does not come from its file.

        Raises:
            ConfigurationError: the rate is out of its range.
            InputError: see `begin_from`.
        """
        rate = parameters.rate if rate is None else rate
        if not 1.0 <= rate <= 1000.0:
            raise ConfigurationError(f"rate must be in [1, 1000] Hz but is {rate}")
        self._ownership = JointOwnership(robot, parameters)
        self._filter = BlockFilter()
        self.robot, self.description = robot, description
        self.counts = self._filter.counts
        self.tracker = UtteranceTracker()
        exchange = SharedExchange(len(robot.joint_names)) if own_process else LocalExchange()
        self.loop = ControlLoop(self._ownership, 1.0 / rate, exchange)
        self.planner: PlannerLink
        if isinstance(exchange, SharedExchange):
            self.planner = PlannerProcess(
                (parameters.robot, description),
                self.loop,
                self._ownership,
                exchange,
                self.tracker,
                self._on_planner_lost,
            )
        else:
            self.planner = InlinePlanner(self.loop, self._ownership, exchange, self.tracker)
        self.held = False
        if start is not None:
            self.begin_from(start)

    @property
    def period(self) -> float:
        """The control period [s]."""
        return self.loop.clock.period

    @property
    def parameters(self) -> GestureRetargeterParameters:
        """The parameters in force."""
        return self._ownership.parameters

    def progress(self, utterance_id: str) -> Progress | None:
        """Return how an utterance goes; None where nothing of it has come, or long ago."""
        return self.tracker.get(utterance_id)

    # Orders

    def begin_from(self, positions: Mapping[str, float]) -> None:
        """Let the robot stand still where it is, before the first command or after a silence.

        The next command is there; from there the robot goes slowly to rest, or into a gesture. What was
        performed or waited is dropped.

        Args:
            positions: joint positions by name [rad], as measured. Joints that are missing stand at rest;
                names that are not the robot's are ignored. What is a little outside the limits counts as
                being on them.

        Raises:
            InputError: a position is no number, or so far outside its limits that it cannot be true.
        """
        robot = self._ownership.robot
        place = self._ownership.placed(positions, robot.rest)
        for name, value, lower, upper in zip(robot.joint_names, place, robot.lower, robot.upper, strict=True):
            if not lower - _MEASURED_TOLERANCE <= value <= upper + _MEASURED_TOLERANCE:
                raise InputError(
                    f"start: {name} is at {value:.4g} rad, allowed {lower:.4g} to {upper:.4g}: move it there"
                )
        place = np.clip(place, robot.lower, robot.upper)
        self._abandon(None, FAILED, "the robot began anew")
        self._ownership.begin_from(place)
        self.loop.stand(place)
        self.planner.begin_from(place)

    def observe(self, positions: Mapping[str, float]) -> tuple[str, float]:
        """Take note of measured joint positions: joints of others are taken over from there.

        Counts for the groups that are not commanded at the moment, where nothing is performed.

        Args:
            positions: joint positions by name [rad]; others are ignored.

        Returns:
            Which joint that is commanded was measured furthest from its command, and how far [rad].
        """
        buffer = self.loop.buffer
        sent, span = buffer.sent.position, buffer.span(buffer.row)
        owned = self._ownership.owned(sent[None], [span])
        moved, place = self._ownership.moved(positions, owned)
        if span.clause == IDLE and moved.any():
            self._ownership.home = np.where(moved, place, self._ownership.home)
            self.loop.displace(moved, place)
            self.planner.displace(moved, place)
        apart = np.abs(self._ownership.placed(positions, sent) - sent) * owned
        joint = int(apart.argmax())
        return self.robot.joint_names[joint], float(apart[joint])

    def cancel(self, utterance_id: str | None = None) -> None:
        """Drop what plays or waits of an utterance, and go smoothly to rest or on to what else waits.

        Blocks of it that still come are ignored, of whichever clause. The same name may begin anew with its
        first clause after a second: what comes sooner was on its way.

        Args:
            utterance_id: which; None: all that is known.
        """
        chosen = self.tracker.live if utterance_id is None else (utterance_id,)
        self._filter.cancel(chosen, self.loop.clock.time(self.loop.buffer.row))
        self._abandon(None if utterance_id is None else chosen, CANCELLED, "cancelled")

    def hold(self, on: bool) -> None:
        """Come smoothly to a standstill and stay, or go on with what is due then, else to rest.

        What comes in the meantime is taken note of; what of it is over by the end is dropped.
        """
        if on != self.held:
            self.held = on
            self.planner.hold(on)

    def to_rest(self) -> None:
        """Drop what is played, what is to come and a hold, and go to rest."""
        self.hold(False)
        self._abandon(None, CANCELLED, "the robot was sent to rest")

    def configure(self, parameters: GestureRetargeterParameters) -> None:
        """Change the parameters; the robot blends over, nothing jumps. The rate stays as it is."""
        old = self._ownership.parameters
        self._ownership.configure(parameters)
        self.planner.configure(old)

    def close(self) -> None:
        """End the planner; nothing is commanded any more."""
        self.planner.close()

    # What arrives

    def receive(self, block: FrameMessage, now: float) -> bool:
        """Take in a block of frames, or the end of a clause; return whether it will be performed.

        The clause that began last is the one that plays, from the moment its first frame is due. A block that
        comes twice, out of order, too late or of a clause that was preempted is counted and ignored.

        Args:
            block: `due` on the clock of `now`.
            now: the present [s].

        Raises:
            InputError: a position is not finite or is no human body.
        """
        if isinstance(block, FrameBlock):  # once more: an array may have been changed since it was made
            check_positions(block.positions, "frames")
        verdict = self._filter.admits(block, now)
        if verdict not in ("accepted", "empty"):
            return False
        self.tracker.on_block(block, now)
        if verdict == "accepted":
            self.loop.begin(now)
        self.planner.receive(block)
        return verdict == "accepted"

    # What is commanded

    def tick(self, now: float) -> Command:
        """Plan what arrived, then return the command for this control period [s]."""
        self._check_clock(now)
        self.loop.begin(now)
        self.prepare()
        return self.step(now)

    def prepare(self) -> bool:
        """Do what planning there is to do in this thread; return whether a new plan is in force."""
        return self.planner.work() and self.loop.take_over()

    def step(self, now: float) -> Command:
        """Return the command for this control period [s] as planned so far; call it once per period."""
        self._check_clock(now)
        buffer = self.loop.buffer
        before = buffer.row
        command = self.loop.tick(now)
        if command.violations:
            self._abandon(None, FAILED, "a command would have broken a limit")
        self.planner.advance(buffer.row - before)
        time = self.loop.clock.time(buffer.row)
        clause = command.utterance_id, command.clause
        self.tracker.on_command(clause if clause != IDLE else None, time)
        if self.loop.at_rest or (buffer.over and (self.held or self.planner.stuck)):
            self.tracker.on_settled(time)
        return command

    def look_ahead(self, now: float) -> Announcement:
        """Return what will be commanded from the next `step` on if nothing arrives.

        Args:
            now: the present [s]; times count from it.
        """
        return self.loop.look_ahead(now)

    def _check_clock(self, now: float) -> None:
        """Start anew where the clock was set back: what is known belongs to another time."""
        if self.loop.clock.was_set_back(now, self.loop.buffer.row):
            self._abandon(None, FAILED, "the clock was set back")
            self._filter.clear()

    def _on_planner_lost(self, reason: str) -> None:
        """End what is performed: the planner that knew of it has ended. The robot goes to rest."""
        self._abandon(None, FAILED, reason)

    def _abandon(self, utterance_ids: Iterable[str] | None, outcome: str, reason: str) -> None:
        """Perform nothing more of some utterances, None: of all, from the next plan on."""
        buffer = self.loop.buffer
        chosen = set(self.tracker.live) if utterance_ids is None else set(utterance_ids)
        self.tracker.on_abort(chosen, outcome, reason)
        buffer.forget(chosen)
        performed = buffer.span(buffer.row).clause
        self._filter.forget(chosen, None if performed == IDLE else performed)
        self.planner.abandon(None if utterance_ids is None else chosen)


def retarget_motion(
    robot: Robot,
    motion: Motion,
    rate: float = DEFAULTS.rate,
    *,
    scale: float = DEFAULTS.gesture_scale,
    mirror: bool = DEFAULTS.mirror,
    blend_time: float = DEFAULTS.blend_time,
) -> tuple[FloatArray, Array]:
    """Perform a whole clip, from rest to rest, as fast as it can be computed.

    Args:
        robot: the robot to drive.
        motion: the clip; its first frame is due at time 0.
        rate: samples per second [Hz].
        scale: size of the motion, see the parameter `gesture_scale`.
        mirror: whether left and right are exchanged.
        blend_time: see the parameter [s].

    Returns:
        Times (P,) from 0 on [s] and positions (P, N) [rad], until the robot stands still at rest again.

    Raises:
        ConfigurationError: a parameter is out of its range.
    """
    parameters = replace(DEFAULTS, gesture_scale=scale, mirror=mirror, blend_time=blend_time)
    executor = MotionExecutor(robot, parameters, rate=rate)
    size = max(1, round(_CLIP_BLOCK * motion.frame_rate))
    gesture = motion.gesture
    header = ClauseHeader(gesture or "clip", gesture=gesture, emotion=motion.emotion, needs=needs_of(gesture))
    blocks = blocks_of(header, motion.positions, motion.frame_rate, 0.0, size)
    positions: list[Array] = []
    while True:
        time = len(positions) * executor.period
        while blocks and blocks[0].due <= time + _CLIP_LEAD:
            executor.receive(blocks.pop(0), time)
        command = executor.tick(time)
        positions.append(command.position)
        if not blocks and not command.moving and time > motion.duration:
            break
    return np.arange(len(positions)) * executor.period, np.stack(positions)
