"""Node gesture_generator: what a sentence calls for -> human motion, in blocks of frames as it is made.

Subscribes gesture_intent (GestureIntent), publishes gesture_frames (GestureFrames).
"""

import sys
from collections.abc import Mapping, Sequence

from text2gesture_ros.generator import GestureGenerator, GestureStream
from text2gesture_ros.labels import NEUTRAL
from text2gesture_ros.msg import GestureFrames, GestureIntent
from text2gesture_ros.nodes.base import ManagedNode, run
from text2gesture_ros.nodes.conversions import MOST_CLAUSES, GestureRequest, frames_message, read_intent
from text2gesture_ros.pacing import Schedule
from text2gesture_ros.parameters import GestureGeneratorParameters

# At every poll about twice as much motion is sent as is played until the next: the look-ahead fills up soon,
# and the retargeter has time to command the robot between the blocks [s].
_POLL_PERIOD = 0.05


class GestureGeneratorNode(ManagedNode[GestureGeneratorParameters]):
    """Plays one gesture at a time, each when its `Schedule` says so."""

    def __init__(self, **options: object) -> None:
        super().__init__("gesture_generator", **options)
        self._frames = self.create_lifecycle_publisher(GestureFrames, "gesture_frames", 100)
        self.subscribe(GestureIntent, "gesture_intent", self._receive, MOST_CLAUSES)
        self._schedule: Schedule[GestureRequest] = Schedule(_POLL_PERIOD)
        self._stream: GestureStream | None = None
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
        self._schedule.clear()
        self._stream = None

    def _check_clock(self) -> None:
        if self._schedule.went_back(self.loop_now()):
            self._stream = None

    def _receive(self, message: GestureIntent) -> None:
        self._check_clock()
        request = read_intent(message, self.now())
        moves = request.accepted or (request.spoken and self.parameters.neutral_motion)
        self._schedule.add(request, request.begin - self.clock_offset(), moves=moves)
        if moves:
            self._send()
        else:
            self._without_motion += 1

    def _begin(self, request: GestureRequest, start: float) -> None:
        given = self.parameters
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
        try:
            self._play()
        except BaseException:
            self._forget()  # or talking motion would wait for the end of a gesture that has none
            raise

    def _play(self) -> None:
        while due := self._schedule.due(self.loop_now(), self.parameters.start_delay):
            self._begin(*due)
        sent = 0.0
        while self._stream is not None and sent < 2.0 * _POLL_PERIOD:
            block = self._stream.poll(self.loop_now())
            if block is None:
                return
            if block.last:
                self._schedule.ended(self._stream.end)
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
