"""Speech without punctuation is read in clauses: at words that begin one, at pauses, and by length."""

import csv
import re

import pytest
from fault_cases import FAULTS, needs_faults
from hypothesis import given
from hypothesis import strategies as st

from text2gesture_ros.parameters import IntentClassifierParameters
from text2gesture_ros.resources import share_directory
from text2gesture_ros.understanding.clauses import MIN_WORDS, pauses_in, split
from text2gesture_ros.understanding.interpreter import Interpreter
from text2gesture_ros.understanding.utterance import Utterance

VOCABULARY = [
    *(
        "i",
        "you",
        "the",
        "a",
        "and",
        "but",
        "so",
        "yes",
        "no",
        "please",
        "thank",
        "hello",
        "robot",
        "kitchen",
    ),
    *("kitchen", "is", "are", "can", "see", "to", "over", "i'm", "42"),
]
speech = st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=120).map(" ".join)


def clauses(text, clause_words=12, pauses=()):
    return [text[slice(*span)] for span in split(text, clause_words, pauses)]


@pytest.mark.parametrize(
    "expected",
    [
        [
            "good evening ladies and gentlemen",
            "i would like to welcome you to our hotel",
            "the breakfast is served from seven to ten",
            "and the pool is on the roof",
            "please do not run there",
            "thank you very much",
        ],
        ["i think you are right", "but i do not know where the keys are", "because nobody told me"],
        [
            "oh no i lost my wallet on the train",
            "and i really do not know what to do now",
            "could you please call the station for me",
        ],
    ],
    ids=lambda expected: expected[0][:20],
)
def test_clauses_begin_where_a_listener_hears_them_begin(expected):
    assert clauses(" ".join(expected)) == expected
    assert clauses(" ".join(expected).capitalize())[1:] == expected[1:]


@given(speech, st.integers(3, 20))
def test_no_clause_is_too_short_or_far_too_long(text, clause_words):
    found = clauses(text, clause_words)
    lengths = [len(clause.split()) for clause in found]
    assert " ".join(found) == text
    assert len(found) == 1 or len(text.split()) > clause_words
    assert len(found) == 1 or min(lengths) >= MIN_WORDS
    assert max(lengths) <= max(3 * clause_words, 2 * MIN_WORDS - 1)


def test_words_without_any_cue_are_divided_by_length():
    words = [f"word{index}" for index in range(60)]
    lengths = [len(clause.split()) for clause in clauses(" ".join(words))]
    assert 4 <= len(lengths) <= 8
    assert max(lengths) <= 14


def test_what_is_punctuated_stays_as_it_is():
    sentence = "The tour through the old town takes about two hours and ends at the market hall"
    assert len(clauses(sentence)) > 1  # as a recogniser would write it
    assert clauses(f"{sentence}.") == [f"{sentence}."]
    listed = f"{sentence[:40]}, {sentence[40:]}"
    assert clauses(listed) == [listed]


def test_a_pause_divides_where_words_do_not():
    colours = ("blue", "green", "red", "yellow", "black", "white", "brown", "orange", "purple", "golden")
    words = [*colours, "silver", "pink", "grey", "violet"]
    starts = [0.4 * index + (1.0 if index >= 5 else 0.0) for index in range(len(words))]
    text = " ".join(words)
    pauses = pauses_in(text, words, starts)
    assert pauses == [text.index("white")]
    assert text.index("white") in [start for start, _ in split(text, 12, pauses)]
    assert clauses(text)[0] != " ".join(words[:5])


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=12), min_size=2, max_size=30), st.floats(0.02, 0.2))
def test_steady_speech_has_no_pauses(words, pace):
    starts = [sum((len(word) + 1) * pace for word in words[:index]) for index in range(len(words))]
    assert pauses_in(" ".join(words), words, starts) == []


def test_borders_of_lines_run_together_are_found_better_than_by_length():
    with open(share_directory() / "data" / "utterances.csv", encoding="utf-8", newline="") as file:
        lines = [line["text"] for line in csv.DictReader(file) if line["split"] == "test"]
    scores = []
    for divide in (clauses, by_length):
        right = wrong = missed = 0
        for first in range(0, len(lines) - 4, 5):
            sentences = [
                part for line in lines[first : first + 5] for part in re.split(r"(?<=[.!?])\s", line)
            ]
            bare = [" ".join(re.sub(r"[^\w' ]", " ", sentence).lower().split()) for sentence in sentences]
            text = " ".join(sentence for sentence in bare if sentence)
            truth = begins([sentence for sentence in bare if sentence])
            found = begins(divide(text))
            right, wrong, missed = (
                right + len(found & truth),
                wrong + len(found - truth),
                missed + len(truth - found),
            )
        scores.append(2 * right / (2 * right + wrong + missed))
    assert scores[0] > 0.4
    assert scores[0] > 2.0 * scores[1]


def begins(parts):
    return {sum(len(part) + 1 for part in parts[:index]) for index in range(1, len(parts))}


def by_length(text):
    words = text.split()
    return [" ".join(words[first : first + 7]) for first in range(0, len(words), 7)]


def test_each_clause_gets_its_own_gesture(classifier):
    text = (
        "hello good morning to all of you i do not know where the keys are please look over there at the door"
    )
    given_ = IntentClassifierParameters(cool_down=0.0)
    made = [intent.gesture.chosen for intent in Interpreter(classifier).interpret(Utterance(text), given_)]
    assert made == ["wave", "shrug", "point"]


@needs_faults
def test_the_text_that_was_read_as_one_clause(classifier):
    text = (FAULTS / "text_without_punctuation.txt").read_text(encoding="utf-8").strip()
    intents = Interpreter(classifier).interpret(Utterance(text), IntentClassifierParameters())
    assert len(intents) > 5
    assert intents[0].gesture.chosen == intents[-1].gesture.chosen == "wave"
    assert {"point", "shakehead"} <= {intent.gesture.chosen for intent in intents}
