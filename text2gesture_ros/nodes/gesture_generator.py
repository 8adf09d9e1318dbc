"""Node gesture_generator: what a sentence calls for -> human motion, in blocks of frames as it is made.

Subscribes gesture_intent (GestureIntent), publishes gesture_frames (GestureFrames).
"""

import math
import sys
from collections import deque
from collections.abc import Mapping, Sequence

from text2gesture_ros.generator import GestureGenerator, GestureStream
from text2gesture_ros.labels import NEUTRAL
from text2gesture_ros.msg import GestureFrames, GestureIntent
from text2gesture_ros.nodes.base import ManagedNode, run
from text2gesture_ros.nodes.conversions import MOST_CLAUSES, GestureRequest, frames_message, read_intent
from text2gesture_ros.parameters import GestureGeneratorParameters

# At every poll about twice as much motion is sent as is played until the next: the look-ahead fills up soon,
# and the retargeter has time to command the robot between the blocks [s].
_POLL_PERIOD = 0.05


class GestureGeneratorNode(ManagedNode[GestureGeneratorParameters]):
    """Plays one gesture at a time; a new one takes the place of the one being played.

    The clauses of the latest utterance wait for their time. Talking motion, for a clause without a gesture,
    also waits for the end of a gesture that is being played, unless the next clause comes first.
    """

    def __init__(self, **options: object) -> None:
        super().__init__("gesture_generator", **options)
        self._frames = self.create_lifecycle_publisher(GestureFrames, "gesture_frames", 100)
        self.subscribe(GestureIntent, "gesture_intent", self._receive, MOST_CLAUSES)
        self._utterance_id = ""
        self._pending: deque[tuple[float, GestureRequest]] = deque()  # with when each is spoken [s]
        self._stream: GestureStream | None = None
        self._gesture_end = -math.inf  # of the latest one that was recognised [s]
        self._time = -math.inf
        self._gestures = self._replaced = self._without_motion = self._frames_sent = 0

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
        self._forget()

    def _forget(self) -> None:
        self._pending.clear()
        self._stream = None
        self._gesture_end = -math.inf

    def _check_clock(self) -> None:
        now = self.loop_now()
        if now < self._time:  # a simulation was restarted: what is known belongs to another time
            self._forget()
        self._time = now

    def _receive(self, message: GestureIntent) -> None:
        self._check_clock()
        request = read_intent(message, self.now())
        if request.clause == 0 or request.utterance_id != self._utterance_id:
            self._utterance_id = request.utterance_id
            self._pending.clear()
        if request.accepted or (request.spoken and self.parameters.neutral_motion):
            self._pending.append((request.begin - self.clock_offset(), request))
            self._send()
        else:
            self._without_motion += 1

    def _begin_what_is_due(self) -> None:
        soon = self.loop_now() + _POLL_PERIOD
        while self._pending and self._pending[0][0] <= soon:
            begin, request = self._pending[0]
            overtaken = len(self._pending) > 1 and self._pending[1][0] <= soon
            if request.accepted or (not overtaken and self._gesture_end < math.inf):
                self._begin(request, begin)
            elif not overtaken:
                return
            self._pending.popleft()

    def _begin(self, request: GestureRequest, begin: float) -> None:
        given = self.parameters
        start = max(begin, self.loop_now()) + given.start_delay
        if request.accepted:
            self._gesture_end = math.inf
        else:
            start = max(start, self._gesture_end)
        self._replaced += self._stream is not None
        self._gestures += 1
        gesture = request.gesture if request.accepted else NEUTRAL
        self._stream = GestureStream(
            self._generator.frames(
                gesture,
                request.emotion,
                seed=None if given.seed < 0 else given.seed,
                variation=given.variation,
                max_duration=given.max_duration * given.speed_scale,  # of playback -> of the model
            ),
            utterance_id=request.utterance_id,
            clause=request.clause,
            gesture=gesture,
            emotion=request.emotion,
            start=start,
            frame_rate=self._generator.frame_rate * given.speed_scale,
            block_size=given.block_size,
            look_ahead=max(given.look_ahead, given.start_delay),
        )

    def _send(self) -> None:
        self._check_clock()
        self._begin_what_is_due()
        sent = 0.0
        while self._stream is not None and sent < 2.0 * _POLL_PERIOD:
            block = self._stream.poll(self.loop_now())
            if block is None:
                return
            if block.last:
                self._gesture_end = min(self._gesture_end, self._stream.end)
                self._stream = None
            self._frames.publish(frames_message(block, self.clock_offset()))
            self._frames_sent += len(block.positions)
            sent += len(block.positions) / block.frame_rate

    def report(self) -> Mapping[str, object]:
        """Return how many gestures were played, replaced or not called for."""
        return {
            "gestures": self._gestures,
            "gestures replaced": self._replaced,
            "intents without motion": self._without_motion,
            "frames": self._frames_sent,
            "model": self.parameters.model,
        }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is asked to end."""
    return run(GestureGeneratorNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
