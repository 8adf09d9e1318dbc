"""Clauses cover every word once and in order, keep what is short whole, and begin one after the other."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from text2gesture_ros.understanding.clauses import MIN_WORDS, clause_times, speaking_time, split

PIECES = st.sampled_from(
    [
        *(
            "Hello",
            "we",
            "I",
            "the café",
            "Mr.",
            "U.S.",
            "9 a.m.",
            "3.5",
            "No. 5",
            "don't",
            "42",
            "word-word",
        ),
        *(
            ".",
            "!",
            "?",
            "…",
            "...",
            ", and ",
            ", but ",
            "; ",
            ": ",
            " \u2013 ",
            "\u2014",
            "\n",
            "  ",
            "“",
            '"',
            ")",
        ),
        *("😀", "你好", "\u0301", "\x00", "\u2028"),
    ]
)
TEXTS = st.one_of(
    st.lists(PIECES, max_size=60).map(" ".join), st.lists(PIECES, max_size=60).map("".join), st.text()
)
WORDS = st.integers(3, 20)


def times(text, spans, **options):
    """Return the times of clauses whose first word carries the gesture."""
    return clause_times(text, spans, [first for first, _ in spans], **options)


def clauses(text, clause_words=12):
    return [text[start:end] for start, end in split(text, clause_words)]


@given(TEXTS, WORDS)
@example("Hello! " * 500, 3)
@example("a" * 10_000, 3)
@example(". " * 5_000, 3)
def test_every_character_but_blanks_is_in_exactly_one_clause_in_order(text, clause_words):
    spans = split(text, clause_words)
    ends = [0, *(place for span in spans for place in span), len(text)]
    assert ends == sorted(ends)
    assert all(start < end for start, end in spans)
    assert not any(text[end:start].strip() for end, start in zip(ends[::2], ends[1::2], strict=True))
    assert all(clause == clause.strip() for clause in clauses(text, clause_words))


@given(st.lists(st.sampled_from(["Yes!", "Oh,", "and", "we", "go.", "I;", "3.5"]), max_size=12), WORDS)
def test_what_is_short_stays_whole(words, clause_words):
    text = " ".join(words[:clause_words])
    assert clauses(text, clause_words) == ([text] if text else [])


@given(
    st.lists(st.sampled_from(["Yes!", "we", "left,", "and", "but", "go.", "on;", "—"]), max_size=80), WORDS
)
def test_no_clause_is_shorter_than_a_few_words_unless_the_text_is(words, clause_words):
    found = clauses(" ".join(words), clause_words)
    lengths = [sum(any(map(str.isalpha, word)) for word in clause.split()) for clause in found]
    assert len(found) <= 1 or min(lengths) >= MIN_WORDS


@given(TEXTS, WORDS)
def test_dividing_a_clause_again_changes_nothing(text, clause_words):
    for clause in clauses(text, clause_words):
        assert clauses(clause, clause_words) == [clause]


@pytest.mark.parametrize(
    "expected",
    [
        [
            "Hello everybody, and welcome to the museum!",
            "My name is Pepper.",
            "The toilets are on your left.",
            "We have three floors full of paintings.",
            "Unfortunately the café is closed today, but the garden is open.",
        ],
        [
            "Unfortunately the café on the second floor is closed for the whole day today,",
            "but you will find coffee and cake right at the entrance of the garden.",
        ],
        [
            "Hello! Welcome to the clinic.",
            "Dr. Smith will see you at 3.5 p.m.",
            "Please take a seat over there.",
        ],
        ["In the U.S. we do that every single day, e.g. on the street.", "You do not, Mr. Brandt? Oh!"],
        ["We open at 9 a.m. and close at 5 p.m. on Mondays.", "So do I.", "Let us meet at the door."],
        ["“You are all very welcome here!”", "(Really, you are.)", "He said “Stop!” and then he went home."],
        ["Well... I do not know... maybe you could ask at the desk…", "They know almost everything there."],
        ["Take the lift to the third floor:", "the café is right there;", "it is open until late at night."],
        ["The tour lasts one hour", "and begins at nine in the morning", "every day except Mondays"],
    ],
    ids=lambda expected: expected[0][:24],
)
def test_turns_as_a_robot_says_them(expected):
    separator = "\n" if expected[0].endswith("hour") else " "
    assert clauses(separator.join(expected)) == expected


@given(TEXTS, WORDS, st.floats(0.1, 100.0), st.floats(0.5, 10.0))
def test_clauses_begin_one_after_the_other_within_the_speech(text, clause_words, duration, rate):
    spans = split(text, clause_words)
    for options in ({"duration": duration}, {"speaking_rate": rate}):
        found = times(text, spans, **options)
        starts = [clause.start for clause in found]
        assert all(clause.start == clause.stroke <= clause.end for clause in found)
        assert all(earlier.end <= later.start + 1e-9 for earlier, later in pairwise(found))
        assert len(starts) == len(spans)
        assert starts[:1] in ([], [0.0])
        assert all(earlier < later for earlier, later in pairwise(starts))
        assert "duration" not in options or all(start < duration for start in starts)
        assert "duration" not in options or not found or found[-1].end == pytest.approx(duration)


@given(TEXTS, WORDS, st.data())
def test_with_word_times_a_clause_begins_with_its_first_word(text, clause_words, data):
    spans = split(text, clause_words)
    words = text.split()
    gaps = data.draw(st.lists(st.floats(0.0, 1.0), min_size=len(words), max_size=len(words)))
    starts = [sum(gaps[: index + 1]) for index in range(len(words))]
    found = [clause.start for clause in times(text, spans, words=words, word_starts=starts)]
    assert len(found) == len(spans)
    assert all(earlier <= later for earlier, later in pairwise(found))
    if any(map(str.isalnum, text)):
        assert set(found) <= set(starts)


def test_words_that_are_spoken_otherwise_than_written_still_give_the_time():
    text = "Lunch costs 12 euros today and is served at 1. Please wait over there until we call you."
    words = text.lower().replace("12", "twelve").replace("1.", "one").split()
    starts = [0.5 * index for index in range(len(words))]
    spans = split(text)
    first, second = times(text, spans, words=words, word_starts=starts, duration=10.0)
    assert first.start == 0.0
    assert second.start == pytest.approx(starts[words.index("please")], abs=0.5)
    assert (first.end, second.end) == (second.start, 10.0)


@pytest.mark.parametrize(
    "options",
    [{"duration": 4.0}, {"words": ["so", "I", "say", "no"], "word_starts": [0.0, 0.5, 1.0, 3.0]}, {}],
)
def test_the_stroke_comes_with_its_word(options):
    text = "So I say no"
    (clause,) = clause_times(text, [(0, len(text))], [text.index("no")], **options)
    if "words" in options:
        assert clause.stroke == 3.0
    assert 0.6 * clause.end < clause.stroke < clause.end
    assert clause.end == pytest.approx(options.get("duration", clause.end))


def test_more_words_take_longer_and_a_faster_voice_is_done_sooner():
    assert speaking_time("one two three") > speaking_time("one two") > speaking_time("") > 0.0
    assert speaking_time("one two", 5.0) < speaking_time("one two", 2.0)
