"""From an utterance to its intents: what the model reads, what the speaker demands, what is held back."""

from collections.abc import Sequence
from dataclasses import replace

from text2gesture_ros.labels import NEUTRAL
from text2gesture_ros.parameters import IntentClassifierParameters
from text2gesture_ros.understanding.classifier import IntentClassifier
from text2gesture_ros.understanding.cool_down import CoolDown
from text2gesture_ros.understanding.intent import Intent
from text2gesture_ros.understanding.utterance import Utterance


class Interpreter:
    """Reads one utterance after the other; gestures that follow each other too soon are held back.

    Args:
        classifier: the model.
    """

    def __init__(self, classifier: IntentClassifier) -> None:
        self._classifier = classifier
        self._cool_down = CoolDown()

    def interpret(
        self, utterance: Utterance, settings: IntentClassifierParameters, now: float = 0.0
    ) -> Sequence[Intent]:
        """Return the intents of the clauses of an utterance, at least one, in order.

        Args:
            utterance: its gesture and emotion, where it has any, go before what the text says.
            settings: how to read.
            now: when the speech starts [s], on a clock that is the same for all utterances.
        """
        intents = self._classifier.read(utterance, settings)
        if utterance.refusal:
            return [intent.held_back(utterance.refusal) for intent in intents]
        if not utterance.gesture:
            intents = self._cool_down.apply(intents, settings, now)
        elif utterance.gesture != NEUTRAL:  # nothing holds back what the speaker has chosen
            self._cool_down.note(now)
        if utterance.emotion:  # the probabilities stay the model's
            intents = [
                replace(intent, emotion=replace(intent.emotion, chosen=utterance.emotion))
                for intent in intents
            ]
        return intents
