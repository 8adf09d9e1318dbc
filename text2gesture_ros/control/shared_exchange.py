"""Plans handed over between two processes, through memory that they share."""

import json
import mmap
import os
import struct
import zlib

import numpy as np

from text2gesture_ros.control.handover import LoopStatus, PlanExchange, continues
from text2gesture_ros.control.trajectory import Commit, Plan, SampledTrajectory, Span
from text2gesture_ros.gestures import GROUPS

# Counters of the shared memory: plans offered so far, signs of life of the planner, version of the status.
_OFFERED, _BEATS, _VERSION = range(3)
_STATUS = struct.Struct("qqd")  # row, number, origin
_HEADER = struct.Struct("qqqqqI")  # number, parent, commit row, rows, bytes of what else is told, checksum
_COUNTERS_BYTES, _STATUS_BYTES, _TOLD_BYTES = 64, 64, 64 * 1024
_MAX_ROWS = 8000  # of a plan: the way back on the trail, 60 s at 100 Hz, and more
_RETRIES = 100  # of reading a status that is being written


class SharedExchange(PlanExchange):
    """An exchange of one control loop and one planner. Neither side waits for the other or can harm it.

    A plan is written into one of two slots, and only then counted as offered: a planner that is killed while
    it writes leaves nothing behind. A checksum covers what memory ordering does not.
    """

    def __init__(self, joints: int, descriptors: tuple[int, int] | None = None) -> None:
        """Make the shared memory, or map what another process has made.

        Args:
            joints: number N of joints.
            descriptors: of the memory and of the event that tells of an offer, see `descriptors`; None: new
                ones, which vanish with the last process that has them.
        """
        self._joints = joints
        self._slot_bytes = _HEADER.size + 8 + _TOLD_BYTES + 3 * 8 * joints * _MAX_ROWS
        size = _COUNTERS_BYTES + _STATUS_BYTES + 2 * self._slot_bytes
        new = descriptors is None
        if descriptors is None:
            descriptors = os.memfd_create("text2gesture_plans"), os.eventfd(0)
            os.ftruncate(descriptors[0], size)
        self.descriptors = descriptors
        self._memory = mmap.mmap(descriptors[0], size)
        self._counters = np.frombuffer(self._memory, dtype=np.int64, count=_COUNTERS_BYTES // 8)
        self._taken = int(self._counters[_OFFERED])
        if new:
            self.publish(LoopStatus(-1, 0, float("-inf")))

    def close(self) -> None:
        """Give the memory up."""
        del self._counters
        self._memory.close()
        for descriptor in self.descriptors:
            os.close(descriptor)

    # The planner's side

    def offer(self, plan: Plan) -> None:
        """See `PlanExchange`. A plan that is too long for a slot is not handed over."""
        samples, commit = plan.samples, plan.commit
        made = [*commit.clause, commit.known_until, commit.attempt, commit.failed_at]
        told = json.dumps([made, *([s.row, *s.clause, sorted(s.groups)] for s in plan.spans)]).encode()
        if len(samples) > _MAX_ROWS or len(told) > _TOLD_BYTES:
            return
        body = np.stack([samples.positions, samples.velocities, samples.accelerations]).tobytes()
        numbers = plan.number, plan.parent, commit.row, len(samples), len(told)
        count = int(self._counters[_OFFERED]) + 1
        start = self._slot(count)
        _HEADER.pack_into(self._memory, start, *numbers, _checksum(numbers, told, body))
        start += _HEADER.size + 8
        self._memory[start : start + len(told)] = told
        start += _TOLD_BYTES
        self._memory[start : start + len(body)] = body
        self._counters[_OFFERED] = count
        self.ring()

    def status(self) -> LoopStatus:
        """See `PlanExchange`."""
        for _ in range(_RETRIES):
            version = int(self._counters[_VERSION])
            status = LoopStatus(*_STATUS.unpack_from(self._memory, _COUNTERS_BYTES))
            if version % 2 == 0 and version == self._counters[_VERSION]:
                break
        return status

    def beat(self) -> None:
        """Give a sign of life."""
        self._counters[_BEATS] += 1

    def ring(self) -> None:
        """Wake up whoever waits for an offer."""
        os.eventfd_write(self.descriptors[1], 1)

    # The loop's side

    def wait_for_offer(self) -> None:
        """Wait until `ring` was called since the last time."""
        os.eventfd_read(self.descriptors[1])

    def take(self, number: int, row: int) -> Plan | None:
        """See `PlanExchange`."""
        offered = int(self._counters[_OFFERED])
        if offered == self._taken:
            return None
        self._taken = offered
        plan = self._read(offered)
        return plan if plan is not None and continues(plan, number, row) else None

    def publish(self, status: LoopStatus) -> None:
        """See `PlanExchange`."""
        self._counters[_VERSION] += 1  # odd while it is written
        _STATUS.pack_into(self._memory, _COUNTERS_BYTES, status.row, status.number, status.origin)
        self._counters[_VERSION] += 1

    @property
    def beats(self) -> int:
        """How many signs of life the planner gave."""
        return int(self._counters[_BEATS])

    def _slot(self, count: int) -> int:
        return _COUNTERS_BYTES + _STATUS_BYTES + (count % 2) * self._slot_bytes

    def _read(self, count: int) -> Plan | None:
        """Return the plan that was offered as the `count`-th; None where it is not whole."""
        start = self._slot(count)
        *numbers, checksum = _HEADER.unpack_from(self._memory, start)
        number, parent, commit_row, rows, told_bytes = numbers
        if not (0 < rows <= _MAX_ROWS and 0 < told_bytes <= _TOLD_BYTES):
            return None
        start += _HEADER.size + 8
        told = bytes(self._memory[start : start + told_bytes])
        start += _TOLD_BYTES
        body = bytes(self._memory[start : start + 3 * 8 * self._joints * rows])
        if _checksum(numbers, told, body) != checksum:
            return None
        (latest, latest_clause, *made), *spans = json.loads(told)
        positions, velocities, accelerations = np.frombuffer(body).reshape(3, rows, self._joints)
        return Plan(
            number=number,
            parent=parent,
            commit=Commit(commit_row, (latest, latest_clause), *made),
            samples=SampledTrajectory(positions, velocities, accelerations),
            spans=tuple(
                Span(row, (utterance_id, clause), frozenset(groups) & frozenset(GROUPS))
                for row, utterance_id, clause, groups in spans
            ),
        )


def _checksum(numbers: "tuple[int, ...] | list[int]", told: bytes, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(told, zlib.crc32(repr(tuple(numbers)).encode())))
