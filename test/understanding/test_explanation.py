"""The weight of a word is what the label loses without it."""

import copy

import numpy as np
import pytest

from text2gesture_ros.labels import GATE, TASKS
from text2gesture_ros.parameters import IntentClassifierParameters
from text2gesture_ros.training.text.data import default_data
from text2gesture_ros.training.text.utterances import read_utterances
from text2gesture_ros.understanding.explanation import EXPLAINED, explain
from text2gesture_ros.understanding.utterance import Utterance

GIVEN = IntentClassifierParameters()
TURN = "Hello there!  The toilets are on your left. I am so sorry, but the café is closed all day today."


def best(intent, task):
    return float(getattr(intent, task).probabilities.max())


@pytest.mark.parametrize("text", [TURN, " Oh no, I forgot!\n", "well 😀 done — friend", "你好"])
def test_words_are_those_of_the_clauses_in_order_and_leaving_one_out_takes_its_weight(classifier, text):
    found = []
    for intent in classifier.read(Utterance(text), GIVEN):
        words = explain(classifier, intent)
        found += [word.text for word in words]
        start, end = intent.span
        for word in words:
            first, last = word.span
            assert start <= first < last <= end
            assert intent.text[first:last] == word.text
            (without,) = classifier.classify([text[start:first] + text[last:end]], 0.0)
            for task in EXPLAINED if len(words) > 1 else ():
                index = int(getattr(intent, task).probabilities.argmax())
                lost = (
                    getattr(intent, task).probabilities[index] - getattr(without, task).probabilities[index]
                )
                assert word.weights[task] == pytest.approx(lost, abs=1e-5)
            # Where no word is left there is no speech either, so this holds for the only word too.
            assert word.weights[GATE] == pytest.approx(intent.speech - without.speech, abs=1e-5)
    assert found == text.split()


@pytest.mark.parametrize("text", ["Hello!", "  Goodbye", "Hello ..."])
def test_the_only_word_carries_all(classifier, text):
    (intent,) = classifier.read(Utterance(text), GIVEN)
    word = explain(classifier, intent)[0]
    everything = {**{task: best(intent, task) for task in TASKS}, GATE: intent.speech}
    assert word.weights == pytest.approx(everything, abs=1e-5)


def test_a_model_without_a_gate_has_no_weights_for_it(classifier, ungated):
    assert (classifier.gated, ungated.gated) == (True, False)
    (intent,) = ungated.read(Utterance("Hello there!"), GIVEN)
    for word, same in zip(explain(ungated, intent), explain(classifier, intent), strict=True):
        assert word.weights == {task: same.weights[task] for task in EXPLAINED}


@pytest.mark.parametrize("text", ["", "  ", "...", "42 !"])
def test_where_nothing_is_read_nothing_is_explained(classifier, text):
    (intent,) = classifier.read(Utterance(text), GIVEN)
    assert explain(classifier, intent) == []


def test_explaining_changes_nothing(classifier):
    intents = classifier.read(Utterance(TURN), GIVEN)
    before = copy.deepcopy(intents)
    for intent in intents:
        explain(classifier, intent)
    for one, two in zip(intents, before, strict=True):
        assert (one.text, one.span, one.accepted, one.reason) == (
            two.text,
            two.span,
            two.accepted,
            two.reason,
        )
        np.testing.assert_array_equal(one.gesture.probabilities, two.gesture.probabilities)


def test_what_is_explained_is_the_likeliest_label_whatever_is_accepted(classifier):
    (sure,) = classifier.read(Utterance("Hello there!"), GIVEN)
    (unsure,) = classifier.read(
        Utterance("Hello there!"), IntentClassifierParameters(confidence_threshold=1.0)
    )
    assert not unsure.accepted
    assert explain(classifier, unsure) == explain(classifier, sure)


def test_the_word_that_carries_a_gesture_is_one_without_which_the_gesture_loses(classifier):
    """Leaving tokens out of the mean finds it in no time, leaving words out of the text in earnest."""
    texts = [line.text for line in read_utterances(default_data()) if line.split == "test"][::9]
    equal = near = count = 0
    for intent in classifier.classify(texts, 0.4, 0.5):
        words = explain(classifier, intent)
        if intent.accepted and len(words) > 2:
            found = [word.span for word in words].index(intent.word)
            order = np.argsort([-word.weights["gesture"] for word in words])
            equal += found == order[0]
            near += found in order[:2] or abs(found - order[0]) <= 1
            count += 1
    assert count > 50
    assert equal > 0.35 * count  # by chance it were one in nine
    assert near > 0.6 * count
