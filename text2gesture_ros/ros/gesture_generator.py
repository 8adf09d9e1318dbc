"""Node gesture_generator: what a sentence calls for -> human motion, in blocks of frames as it is made.

Subscribes gesture_intent (GestureIntent) and gesture_cancel (std_msgs/String: the id of an utterance that is
to end, empty: of all), publishes gesture_frames (GestureFrames): the motion of every clause or, where it gets
none or only a part, a block without frames that says why.
"""

import math
import sys
import time
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np
from std_msgs.msg import String

from text2gesture_ros.generation.generator import Frame, GestureGenerator
from text2gesture_ros.generation.request import GestureRequest
from text2gesture_ros.generation.schedule import MOST_CLAUSES, Schedule
from text2gesture_ros.generation.stream import CLOSE, GestureStream
from text2gesture_ros.labels import NEUTRAL
from text2gesture_ros.motion.frame_block import ClauseEnd
from text2gesture_ros.msg import GestureFrames, GestureIntent
from text2gesture_ros.parameters import GestureGeneratorParameters
from text2gesture_ros.ros.conversions import frames_message, read_intent
from text2gesture_ros.ros.managed_node import ManagedNode, run

# At every poll about twice as much motion is sent as is played until the next: the look-ahead fills up soon,
# and the retargeter has time to command the robot between the blocks [s].
_POLL_PERIOD = 0.05
_REMEMBERED = 100  # utterances that were cancelled
_LATENCIES = 200  # of so many gestures, the latest, the latency is reported


class GestureGeneratorNode(ManagedNode[GestureGeneratorParameters]):
    """Plays one gesture at a time, each when its `Schedule` says so."""

    def __init__(self, **options: object) -> None:
        super().__init__("gesture_generator", **options)
        self._frames = self.create_lifecycle_publisher(GestureFrames, "gesture_frames", 100)
        self.subscribe(GestureIntent, "gesture_intent", self._receive, MOST_CLAUSES)
        self.subscribe(String, "gesture_cancel", self._cancel, 50)
        self._schedule: Schedule = Schedule(_POLL_PERIOD)
        self._stream: GestureStream | None = None
        # When each utterance was cancelled, or all of them (""), of late [s], on the ROS clock.
        self._cancelled: OrderedDict[str, float] = OrderedDict()
        self._cut: list[ClauseEnd] = []  # what is still to be told of gestures that were cut off
        self._arrival: float | None = None  # of an intent being answered, on time.perf_counter [s]
        self._latencies: deque[float] = deque(maxlen=_LATENCIES)
        self._gestures = self._without_motion = self._frames_sent = self._late = 0
        self._busy = 0.0  # how long frames were made [s]

    def load(self) -> None:
        """Load the model and make one gesture, so that the first one asked for starts as fast as the rest."""
        given = self.parameters
        self._generator = GestureGenerator(given.model, device=given.device, threads=given.threads)
        for _ in self._generator.frames(NEUTRAL, max_duration=given.max_duration):
            pass
        self.get_logger().info(f"moves with model {self._generator.name!r} on {self._generator.engine}")

    def start(self) -> None:
        """Begin to send the blocks of what is being played when they are nearly due."""
        self._timer = self.create_timer(_POLL_PERIOD, self._send, clock=self.loop_clock)

    def stop(self) -> None:
        """Send no more; the retargeter brings the robot to rest when frames stop coming."""
        self.destroy_timer(self._timer)
        self._forget("the generator was stopped")

    def _cancel(self, message: String) -> None:
        self._cancelled[message.data] = self.now()  # counts for what is still being read, too
        self._cancelled.move_to_end(message.data)
        if len(self._cancelled) > _REMEMBERED:
            self._cancelled.popitem(last=False)
        self._forget("cancelled", message.data)

    def _forget(self, reason: str, utterance_id: str = "") -> None:
        """Drop an utterance, all if the id is empty: what is played of it and what is to come."""
        self._schedule.cancel(utterance_id, reason)
        played = "" if self._stream is None else self._stream.header.utterance_id
        if utterance_id in ("", played):
            self._schedule.ended(self.loop_now())
            self._end_stream(reason)
        self._tell()

    def _end_stream(self, reason: str) -> None:
        if self._stream is not None:
            self._cut.append(self._stream.cut(reason))
            self._stream = None

    def _check_clock(self) -> None:
        if self._schedule.went_back(self.loop_now()):
            self._cancelled.clear()
            self._end_stream("the clock was set back")

    def _receive(self, message: GestureIntent) -> None:
        self._arrival = time.perf_counter()
        self._check_clock()
        request = read_intent(message, self.now())
        if any(
            request.arrival < self._cancelled.get(name, -math.inf)
            for name in ("", request.header.utterance_id)
        ):
            self._schedule.refuse(request, "cancelled")
        elif not (request.accepted or request.spoken):
            self._schedule.refuse(request, "there are no words")
        else:
            still = ""
            if not (request.accepted or self.parameters.neutral_motion):
                still = f"no gesture ({message.reason}), and neutral_motion is off"
            begin = request.begin - _lead(request) - self.clock_offset()
            policy = self.parameters.preemption
            self._schedule.add(request, begin, self.loop_now(), still=still, preemption=policy)
        self._send()
        self._arrival = None  # what begins later does so because it is due

    def _begin(self, request: GestureRequest, due: float, start: float) -> None:
        given = self.parameters
        before = self._stream
        if before is not None:
            same = request.header.utterance_id == before.header.utterance_id
            self._end_stream("" if same else f"replaced by utterance {request.header.utterance_id!r}")
            if same and request.header.clause <= before.header.clause:
                self._tell()  # said again: what ends has the same name as what begins
                same = False
            before = before if same else None
        self._gestures += 1
        header = request.header
        begin = due + _lead(request)
        # A guess is none the worse for counting from the motion, and one text always looks the same.
        spoken = start if request.estimated and not request.header.clause else begin
        self._stream = GestureStream(
            self._generate(header.gesture, header.emotion, 0),
            header=header,
            start=start,
            frame_rate=self._generator.frame_rate * given.speed_scale,
            block_size=given.block_size,
            look_ahead=max(given.look_ahead, given.start_delay),
            stroke=None if request.stroke is None or not request.accepted else spoken + request.stroke,
            end=None if request.length is None else begin + request.length,
            estimated=request.estimated,
            after=before,
            talk=partial(self._generate, NEUTRAL, header.emotion) if given.neutral_motion else None,
        )

    def _generate(self, gesture: str, emotion: str, number: int) -> Iterator[Frame]:
        """Return the frames of a gesture, another way of doing it for each number."""
        given = self.parameters
        return self._generator.frames(
            gesture,
            emotion,
            seed=None if given.seed < 0 else given.seed + number,
            variation=given.variation,
            max_duration=given.max_duration * given.speed_scale,  # of playback -> of the model
        )

    def _send(self) -> None:
        self._check_clock()
        try:
            self._play()
        except BaseException:
            # Or talking motion would wait for the end of a gesture that has none.
            self._forget("the generator failed")
            raise
        self._tell()

    def _play(self) -> None:
        while due := self._schedule.due(self.loop_now(), self.parameters.start_delay):
            self._begin(*due)
        sent = 0.0
        while self._stream is not None and sent < 2.0 * _POLL_PERIOD:
            before, now = time.perf_counter(), self.loop_now()
            block = self._stream.poll(now, self._schedule.follows)
            self._busy += time.perf_counter() - before
            if block is None:
                return
            if block.last:
                self._schedule.ended(self._stream.end)
                self._stream = None
            self._frames.publish(frames_message(block, self.clock_offset()))
            self._frames_sent += len(block.positions)
            self._late += block.due < now
            if block.sequence == 0 and self._arrival is not None:
                self._latencies.append(time.perf_counter() - self._arrival)
            sent += len(block.positions) / block.frame_rate

    def _tell(self) -> None:
        """Say of what got no motion, or only a part, why; after what took over has begun."""
        for request, reason in self._schedule.dropped:
            self._cut.append(ClauseEnd(request.header, 0, self.loop_now(), reason))
            self._without_motion += 1
        self._schedule.dropped.clear()
        for block in self._cut:
            self._frames.publish(frames_message(block, self.clock_offset()))
        self._cut.clear()

    def report(self) -> Mapping[str, object]:
        """Return what was played, what was not, how fast, and what waits."""
        latency = np.percentile(self._latencies, (50, 95)) if self._latencies else np.zeros(2)
        return {
            "model": self.parameters.model,
            "gestures": self._gestures,
            "clauses without motion": self._without_motion,
            "utterances waiting": self._schedule.waiting,
            "frames": self._frames_sent,
            "frames made per second": f"{self._frames_sent / self._busy:.0f}" if self._busy else "",
            "blocks late": self._late,
            "intent to first block, median [ms]": f"{1e3 * latency[0]:.1f}",
            "intent to first block, p95 [ms]": f"{1e3 * latency[1]:.1f}",
        }


def _lead(request: GestureRequest) -> float:
    """Return how long before its words a clause is due [s], so that its gesture can be prepared in time."""
    if request.header.clause == 0 or not request.accepted or request.stroke is None:
        return 0.0
    return max(0.0, CLOSE - request.stroke)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is asked to end."""
    return run(GestureGeneratorNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
