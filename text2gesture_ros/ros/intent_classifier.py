"""Node intent_classifier: what the robot is about to say -> an intent for each clause.

Subscribes speech_text (std_msgs/String) and speech (Speech), publishes gesture_intent (GestureIntent).
"""

import itertools
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace

from std_msgs.msg import String

from text2gesture_ros.errors import InputError
from text2gesture_ros.msg import GestureIntent, Speech
from text2gesture_ros.parameters import IntentClassifierParameters
from text2gesture_ros.ros.conversions import intent_message, read_speech
from text2gesture_ros.ros.managed_node import ManagedNode, run
from text2gesture_ros.understanding.classifier import IntentClassifier
from text2gesture_ros.understanding.clauses import MAX_CLAUSES
from text2gesture_ros.understanding.interpreter import Interpreter
from text2gesture_ros.understanding.utterance import Utterance


class IntentClassifierNode(ManagedNode[IntentClassifierParameters]):
    """Answers every text with an intent for each of its clauses, accepted or not; with one at least."""

    def __init__(self, **options: object) -> None:
        super().__init__("intent_classifier", **options)
        self._intents = self.create_lifecycle_publisher(GestureIntent, "gesture_intent", MAX_CLAUSES)
        self.subscribe(String, "speech_text", lambda message: self._answer(Utterance(message.data)), 50)
        self.subscribe(Speech, "speech", self._answer_speech, 50)
        self._new_ids = (f"{uuid.uuid4().hex[:8]}-{number}" for number in itertools.count(1))
        self._texts = self._clauses = self._accepted = 0

    def load(self) -> None:
        """Load the model and read one sentence, so that the first one is answered as fast as the rest."""
        given = self.parameters
        classifier = IntentClassifier(given.model, device=given.device, threads=given.threads)
        classifier.read(Utterance("hello"), given)
        self._interpreter = Interpreter(classifier)
        self.get_logger().info(f"reads with model {classifier.name!r} on {classifier.engine}")

    def _answer_speech(self, message: Speech) -> None:
        utterance, complaints = read_speech(message)
        for complaint in complaints:
            self.reject("speech", InputError(complaint))
        self._answer(utterance)

    def _answer(self, utterance: Utterance) -> None:
        arrival = self.now()
        if not utterance.utterance_id:
            utterance = replace(utterance, utterance_id=next(self._new_ids))
        self._texts += 1
        for clause, intent in enumerate(self._interpreter.interpret(utterance, self.parameters, arrival)):
            self._clauses += 1
            self._accepted += intent.accepted
            self._intents.publish(intent_message(intent, utterance, arrival, clause))

    def report(self) -> Mapping[str, object]:
        """Return how many texts and clauses were read and how many called for a gesture."""
        return {
            "texts": self._texts,
            "clauses": self._clauses,
            "accepted": self._accepted,
            "model": self.parameters.model,
        }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is asked to end."""
    return run(IntentClassifierNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
