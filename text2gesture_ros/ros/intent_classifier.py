"""Node intent_classifier: what the robot is about to say -> what it calls for, clause by clause.

Subscribes speech_text (std_msgs/String) and speech (Speech), publishes gesture_intent (GestureIntent).
"""

import itertools
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace

from std_msgs.msg import String

from text2gesture_ros.errors import InputError
from text2gesture_ros.generation.schedule import MOST_CLAUSES
from text2gesture_ros.labels import NEUTRAL
from text2gesture_ros.msg import GestureIntent, Speech
from text2gesture_ros.parameters import IntentClassifierParameters
from text2gesture_ros.ros.conversions import intent_message, read_speech
from text2gesture_ros.ros.managed_node import ManagedNode, run
from text2gesture_ros.understanding.classifier import Intent, IntentClassifier
from text2gesture_ros.understanding.cool_down import Pacer
from text2gesture_ros.understanding.utterance import Utterance


class IntentClassifierNode(ManagedNode[IntentClassifierParameters]):
    """Answers every text with an intent for each of its clauses, accepted or not; with one at least."""

    def __init__(self, **options: object) -> None:
        super().__init__("intent_classifier", **options)
        self._intents = self.create_lifecycle_publisher(GestureIntent, "gesture_intent", MOST_CLAUSES)
        self.subscribe(String, "speech_text", lambda message: self._answer(Utterance(message.data)), 50)
        self.subscribe(Speech, "speech", self._answer_speech, 50)
        self._new_ids = (f"{uuid.uuid4().hex[:8]}-{number}" for number in itertools.count(1))
        self._texts = self._clauses = self._accepted = 0

    def load(self) -> None:
        """Load the model and read one sentence, so that the first one is answered as fast as the rest."""
        given = self.parameters
        self._classifier = IntentClassifier(given.model, device=given.device, threads=given.threads)
        self._classifier.read("hello", given)
        self._pacer = Pacer()
        self.get_logger().info(f"reads with model {self._classifier.name!r} on {self._classifier.engine}")

    def _answer_speech(self, message: Speech) -> None:
        utterance, complaints = read_speech(message)
        for complaint in complaints:
            self.reject("speech", InputError(complaint))
        self._answer(utterance)

    def _answer(self, utterance: Utterance) -> None:
        arrival = self.now()
        if not utterance.utterance_id:
            utterance = replace(utterance, utterance_id=next(self._new_ids))
        intents = self._read(utterance, arrival)
        self._texts += 1
        for clause, intent in enumerate(intents):
            self._clauses += 1
            self._accepted += intent.accepted
            if utterance.emotion:  # the probabilities stay the model's
                intent = replace(intent, emotion=replace(intent.emotion, chosen=utterance.emotion))
            self._intents.publish(intent_message(intent, utterance, arrival, clause))

    def _read(self, utterance: Utterance, arrival: float) -> list[Intent]:
        intents = self._classifier.read(
            utterance.text,
            self.parameters,
            duration=utterance.duration,
            words=utterance.words,
            word_starts=utterance.word_starts,
            gesture=utterance.gesture,
        )
        if not utterance.gesture:
            return self._pacer.pace(intents, self.parameters, arrival)
        if utterance.gesture != NEUTRAL:  # nothing holds back what the speaker has chosen
            self._pacer.note(arrival)
        return intents

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
