"""Node gesture_generator: intents -> human motion, in blocks of frames as they are generated.

Subscribes gesture_intent (GestureIntent) and gesture_cancel (std_msgs/String: the id of an utterance to be
ended, empty: of all), publishes gesture_frames (GestureFrames): the motion of every clause or, where it gets
none or only a part, a message without frames that says why. intent_taken (std_msgs/Header: its time, and the
id of the utterance) tells a recording from when on an utterance was known.
"""

import sys
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from std_msgs.msg import Header, String

from text2gesture_ros.generation.generator import GestureGenerator
from text2gesture_ros.generation.player import POLL_PERIOD, GesturePlayer
from text2gesture_ros.labels import NEUTRAL
from text2gesture_ros.motion.frame_block import ClauseEnd, FrameMessage
from text2gesture_ros.msg import GestureFrames, GestureIntent
from text2gesture_ros.parameters import GestureGeneratorParameters
from text2gesture_ros.ros.conversions import frames_message, read_intent, to_time
from text2gesture_ros.ros.managed_node import ManagedNode, run
from text2gesture_ros.understanding.clauses import MAX_CLAUSES

_MAX_LATENCIES = 200  # the latency of the latest clauses is reported


class GestureGeneratorNode(ManagedNode[GestureGeneratorParameters]):
    """Hands intents to a `GesturePlayer` and publishes what comes of them."""

    def __init__(self, **options: object) -> None:
        super().__init__("gesture_generator", **options)
        self._frames = self.create_lifecycle_publisher(GestureFrames, "gesture_frames", 100)
        self._taken = self.create_lifecycle_publisher(Header, "intent_taken", MAX_CLAUSES)
        self.subscribe(GestureIntent, "gesture_intent", self._receive, MAX_CLAUSES)
        self.subscribe(String, "gesture_cancel", self._cancel, 50)
        self._counts: Counter[str] = Counter()
        self._busy = 0.0  # time that frames took to generate [s]
        self._latencies: deque[float] = deque(maxlen=_MAX_LATENCIES)  # from intent to first block [s]

    def load(self) -> None:
        """Load the model and generate one gesture, so that the first one asked for is as fast as the rest."""
        given = self.parameters
        generator = GestureGenerator(given.model, device=given.device, threads=given.threads)
        for _ in generator.frames(NEUTRAL, max_duration=given.max_duration):
            pass
        self._player = GesturePlayer(generator, given)
        self.get_logger().info(f"generates with model {generator.name!r} on {generator.engine}")

    def changed(self, old: GestureGeneratorParameters) -> None:
        """Let the next clause be played with the new parameters."""
        if self.configured:
            self._player.settings = self.parameters

    def start(self) -> None:
        """Begin to publish blocks when they are nearly due."""
        self._timer = self.create_timer(POLL_PERIOD, self._poll, clock=self.loop_clock)

    def stop(self) -> None:
        """Publish no more; the retargeter brings the robot to rest when frames stop coming."""
        self.destroy_timer(self._timer)
        self._publish(self._player.clear("the generator was stopped", self.loop_now()))

    def _receive(self, message: GestureIntent) -> None:
        arrival, now = time.perf_counter(), self.loop_now()
        self._player.add(read_intent(message, self.now(), self.clock_offset()), now)
        self._publish(self._player.poll(now), arrival)
        if message.clause == 0:
            stamp = to_time(now, self.clock_offset())
            self._taken.publish(Header(stamp=stamp, frame_id=message.utterance_id))

    def _cancel(self, message: String) -> None:
        self._publish(self._player.cancel(message.data, self.loop_now()))

    def _poll(self) -> None:
        self._publish(self._player.poll(self.loop_now()))

    def _publish(self, messages: Iterable[FrameMessage], arrival: float | None = None) -> None:
        """Publish messages one by one as they are generated.

        Args:
            messages: which.
            arrival: of the intent that may have made them due, on time.perf_counter [s].
        """
        before = time.perf_counter()
        for message in messages:
            self._busy += time.perf_counter() - before
            self._frames.publish(frames_message(message, self.clock_offset()))
            if isinstance(message, ClauseEnd):
                self._counts["without motion"] += not message.sequence
            else:
                self._counts["gestures"] += not message.sequence
                self._counts["frames"] += len(message.positions)
                self._counts["late"] += message.due < self.loop_now()
                if arrival is not None and not message.sequence:
                    self._latencies.append(time.perf_counter() - arrival)
            before = time.perf_counter()

    def report(self) -> Mapping[str, object]:
        """Return what was played, what was not, how fast, and what waits."""
        counts, busy = self._counts, self._busy
        latency = np.percentile(self._latencies, (50, 95)) if self._latencies else np.zeros(2)
        return {
            "model": self.parameters.model,
            "gestures": counts["gestures"],
            "clauses without motion": counts["without motion"],
            "utterances waiting": self._player.waiting if self.configured else 0,
            "frames": counts["frames"],
            "frames generated per second": f"{counts['frames'] / busy:.0f}" if busy else "",
            "blocks late": counts["late"],
            "intent to first block, median [ms]": f"{1e3 * latency[0]:.1f}",
            "intent to first block, p95 [ms]": f"{1e3 * latency[1]:.1f}",
        }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is asked to end."""
    return run(GestureGeneratorNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
