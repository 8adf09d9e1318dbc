"""The control loop: one checked command per control period, sampled from the plan in force.

Whatever takes longer than a fraction of a period (retargeting, planning, judging a plan) is done elsewhere;
the loop only takes a plan over that was verified as a whole, continues what was really sent and ends at
standstill.
"""

import logging

import numpy as np

from text2gesture_ros.control.command import Announcement, Command
from text2gesture_ros.control.handover import LoopStatus, PlanExchange
from text2gesture_ros.control.ownership import JointOwnership
from text2gesture_ros.control.plan_buffer import PlanBuffer
from text2gesture_ros.control.point_to_point import PointToPoint
from text2gesture_ros.control.row_clock import RowClock
from text2gesture_ros.control.trajectory import IDLE, JointSample, standstill
from text2gesture_ros.control.verification import Verifier, Violation
from text2gesture_ros.geometry import Array, BoolArray

_LOGGER = logging.getLogger(__name__)


class ControlLoop:
    """Samples the plan in force. Not thread-safe: one caller at a time.

    Attributes:
        buffer: the rows sent and the plan in force.
        clock: when rows are due.
        withheld: how many samples were not sent because the verifier refused them.
        skipped: how many rows were not sent because the loop woke up late.
    """

    def __init__(self, ownership: JointOwnership, period: float, exchange: PlanExchange) -> None:
        """Make a loop whose robot stands at rest.

        Args:
            ownership: which joints are commanded; shared with the executor, which gives the orders.
            period: the control period [s].
            exchange: where plans come from.
        """
        robot = ownership.robot
        self.buffer = PlanBuffer(robot.rest, period)
        self.clock = RowClock(period)
        self.withheld = self.skipped = 0
        self._ownership = ownership
        self._exchange = exchange
        self._verifier = Verifier(robot, period)
        self._stopping = PointToPoint(robot, period)

    @property
    def at_rest(self) -> bool:
        """Whether the robot stands still at home."""
        return self._ownership.at_home(self.buffer.sent)

    def begin(self, now: float) -> None:
        """Let the next row be due now [s], unless the clock has begun."""
        if not self.clock.begun:
            self.clock.begin(now, self.buffer.row + 1)
            self._publish()

    def _publish(self) -> None:
        self._exchange.publish(LoopStatus(self.buffer.row, self.buffer.number, self.clock.origin))

    def take_over(self) -> bool:
        """Put the plan that was offered in force if it continues what was sent; return whether it does."""
        plan = self._exchange.take(self.buffer.number, self.buffer.row)
        if plan is not None:
            self.buffer.install(plan)
        return plan is not None

    def tick(self, now: float) -> Command:
        """Return the command for this control period; call it once per period.

        Args:
            now: the present [s].
        """
        self.take_over()
        self.begin(now)
        violations: tuple[Violation, ...] = ()
        rows = self._rows_due(now)
        if not rows:
            self.clock.pause(now, self.buffer.row)
        self.skipped += max(0, rows - 1)
        for _ in range(max(1, rows)):
            sample = self.buffer.advance()
            if sample.still and self.buffer.sent.still:
                self.clock.catch_up()
            violations = self._verifier.check(sample.position)
            if violations:
                sample = self._brake(violations[0])
            at_rest = self._ownership.at_home(sample)
            self.buffer.note(sample, at_rest)
            if violations:
                break
        row, span = self.buffer.row, self.buffer.span(self.buffer.row)
        self._publish()
        return Command(
            time=self.clock.stamp(row),
            position=sample.position,
            velocity=sample.velocity,
            acceleration=sample.acceleration,
            utterance_id=span.clause[0],
            clause=span.clause[1],
            moving=span.clause != IDLE or not at_rest,
            owned=self._ownership.owned(sample.position[None], [span]),
            violations=violations,
        )

    def look_ahead(self, now: float) -> Announcement:
        """Return what `tick` will command from its next call on if nothing arrives.

        Args:
            now: the present [s]; times count from it.
        """
        buffer, clock = self.buffer, self.clock
        first, last = now + clock.period, buffer.row
        if clock.begun:
            first = max(clock.time(last + 1), now)
            last += max(1, self._rows_due(first)) - 1
        ahead, spans = buffer.rows(last, max(buffer.end, last + 1)), buffer.spans
        return Announcement(
            times=first - now + clock.period * np.arange(len(ahead)),
            positions=ahead.positions,
            velocities=ahead.velocities,
            accelerations=ahead.accelerations,
            owned=self._ownership.owned(ahead.positions, spans),
            utterance_id=max(spans, key=lambda span: (span.clause != IDLE, span.row)).clause[0],
        )

    def _rows_due(self, now: float) -> int:
        buffer = self.buffer
        return self.clock.rows_due(now, buffer.row, buffer.over and buffer.sent.still)

    def stand(self, place: Array) -> None:
        """Let the robot stand still at `place` (N,) [rad], before the first command or after a silence."""
        self.buffer.stand(place)
        self._verifier.reset()

    def displace(self, joints: BoolArray, place: Array) -> None:
        """Let some joints (N,), which are not commanded, be elsewhere: at `place` (N,) [rad]."""
        self.buffer.displace(joints, place)
        self._verifier.reset(list(self.buffer.history))

    def _brake(self, violation: Violation) -> JointSample:
        """Stop instead of sending a sample that breaks a limit; return what is sent instead."""
        self.withheld += 1
        _LOGGER.error("command withheld: %s", violation)
        held = self.buffer.sent
        stop = self._stopping.stop(held)
        if stop is None or self._verifier.check(stop.positions[0]):
            stop = standstill(held.position)
            self._verifier.reset()
            self._verifier.accept(held.position)
            self.buffer.history.clear()
        self.buffer.replace(stop)
        return stop.sample(0)
