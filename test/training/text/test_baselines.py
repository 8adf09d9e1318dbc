import json

import numpy as np
import pytest
from text_cases import write_plm

from text2gesture_ros.labels import TASKS
from text2gesture_ros.training.text.baselines import BASELINES, DESCRIPTIONS, measure, sentence_vectors
from text2gesture_ros.training.text.data import Lines
from text2gesture_ros.training.text.utterances import Utterance


@pytest.fixture(scope="module")
def plm(tmp_path_factory):
    return write_plm(tmp_path_factory.mktemp("plm"))


def line(text, gesture, emotion=None):
    return Utterance(text, {"subject": None, "gesture": gesture, "emotion": emotion}, {}, "")


LINES = Lines(
    training=[
        *(line(f"hello {other}", "wave", "positive") for other in ("you", "friend", "all")),
        *(line(f"no {other}", "shakehead", "negative") for other in ("you", "friend")),
        line("yes you", None, "positive"),
    ],
    validation=[line("hello all you", "wave", "positive"), line("no all you", "shakehead", "negative")],
    test=[
        line("hello", "wave", "positive"),
        line("no no", "shakehead", "positive"),
        line("no", "shakehead"),
        line("yes", None, "negative"),
    ],
)


def test_the_most_frequent_label_worked_out_by_hand(plm):
    assert measure("majority", LINES, plm) == {"gesture": 1 / 3, "emotion": 2 / 3}


def test_words_that_tell_the_label_are_learnt(plm):
    assert measure("tf-idf + regression", LINES, plm)["gesture"] == 1.0


@pytest.mark.parametrize("baseline", BASELINES)
def test_every_baseline_scores_the_tasks_that_have_labels_the_same_way_each_time(plm, baseline):
    found = measure(baseline, LINES, plm)
    assert list(found) == ["gesture", "emotion"]
    assert all(0.0 <= value <= 1.0 for value in found.values())
    assert found == measure(baseline, LINES, plm)


def test_no_baseline_looks_at_the_labels_of_the_test_lines(plm):
    swapped = Lines(LINES.training, LINES.validation, [line(u.text, "wave") for u in LINES.test])
    for baseline in BASELINES:
        chosen = BASELINES[baseline](LINES, plm)("gesture")
        assert list(chosen) == list(BASELINES[baseline](swapped, plm)("gesture"))


def test_a_description_for_every_label_and_all_different():
    assert {task: tuple(texts) for task, texts in DESCRIPTIONS.items()} == dict(TASKS)
    texts = [text for described in DESCRIPTIONS.values() for text in described.values()]
    assert len(set(texts)) == len(texts), json.dumps(texts)


def test_a_sentence_vector_has_length_one_and_does_not_depend_on_its_neighbours(plm):
    texts = ["hello", "no no no no all", "yes friend"]
    vectors = sentence_vectors(plm, texts)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)
    alone = np.concatenate([sentence_vectors(plm, [text]) for text in texts])
    np.testing.assert_allclose(vectors, alone, atol=1e-5)
