"""The vocabularies of the paper."""

import pytest

from text2gesture_ros.errors import InputError
from text2gesture_ros.labels import GATE, HEADS, NEUTRAL, TASKS, check_label


def test_vocabularies_have_the_sizes_of_the_paper():
    assert {task: len(set(labels)) for task, labels in TASKS.items()} == {
        "subject": 16,
        "gesture": 12,
        "emotion": 3,
    }
    assert all(NEUTRAL in labels for labels in TASKS.values())


def test_the_gate_comes_after_the_tasks_and_is_none_of_them():
    assert list(HEADS) == [*TASKS, GATE]
    assert HEADS[GATE] == ("no", "yes")
    assert all(HEADS[task] == TASKS[task] for task in TASKS)


def test_known_labels_pass_and_unknown_ones_are_answered_with_the_list():
    assert check_label("gesture", "wave") == "wave"
    with pytest.raises(InputError, match=r"unknown gesture 'dance'\. Known: handshake, .*neutral"):
        check_label("gesture", "dance")
    with pytest.raises(InputError, match="unknown task 'mood'"):
        check_label("mood", "wave")


def test_a_label_that_is_all_but_right_is_asked_back():
    with pytest.raises(InputError, match=r"unknown gesture 'wav' \(did you mean wave\?\)\. Known: "):
        check_label("gesture", "wav")
    with pytest.raises(InputError, match=r"unknown gesture 'zzz'\. Known: "):
        check_label("gesture", "zzz")
