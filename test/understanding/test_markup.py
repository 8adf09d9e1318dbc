"""Markup is not spoken: what is spoken keeps its place, plain text stays, asked-for gestures are noted."""

import csv
import json
import time

import pytest
from fault_cases import FAULTS, needs_faults
from hypothesis import given
from hypothesis import strategies as st

from text2gesture_ros.labels import GESTURES
from text2gesture_ros.parameters import IntentClassifierParameters
from text2gesture_ros.resources import share_directory
from text2gesture_ros.understanding.interpreter import Interpreter
from text2gesture_ros.understanding.markup import Wish, read_markup, requested_gesture
from text2gesture_ros.understanding.utterance import Utterance

GIVEN = IntentClassifierParameters()

# A text, what of it is spoken, and the gestures it asks for.
CASES = [
    ("<speak>I have no idea.</speak>", "I have no idea.", []),
    ('<speak><prosody rate="slow" pitch="+5%">Look!</prosody><break time="500ms"/></speak>', "Look!", []),
    ("It is <emphasis level='strong'>very</emphasis> late.", "It is very late.", []),
    ('<?xml version="1.0"?><!-- a note --><p>One.</p><p>Two.</p>', "One. Two.", []),
    ("<say-as interpret-as=date>2020</say-as> was <b>hard</b>", "2020 was hard", []),
    ("<style>p {x: y}</style>Hello<audio src='a.wav'/>", "Hello", []),
    ('<mark name="wave"/>Hello <mark name="here"/>there', "Hello there", ["wave"]),
    ("<gesture name='nod'/>Yes", "Yes", ["nod"]),
    ("No,<br/> that is not right.<br>", "No, that is not right.", []),
    ("Tea &amp; cake, don&apos;t you&nbsp;think?", "Tea & cake, don' t you think?", []),
    (
        "^start(animations/Stand/Gestures/No_1) No. ^wait(animations/Stand/Gestures/No_1)",
        "No.",
        ["shakehead"],
    ),
    ("^run(animations/Stand/Gestures/Hey_1) Hi ^mode(disabled) all", "Hi all", ["wave"]),
    ("^start(animations/Stand/Gestures/IDontKnow_1) Hm", "Hm", ["shrug"]),
    ("^start(animations/Stand/BodyTalk/BodyTalk_3) So it goes ^stop(all)", "So it goes", []),
    ("\\rspd=80\\ \\vct=110\\ I see. \\pau=500\\ \\rst\\", "I see.", []),
    ("\\\\rspd=80\\\\ I see.", "I see.", []),
    ("[slow]Yes, of[wave]course.", "Yes, of[wave]course.", []),
    ("[pause:0.5s] [slow] Yes, of course.", "Yes, of course.", []),
    ("[wave] Hello! {{nod}} :thumbsup:", "Hello!", ["wave", "nod", "thumbsup"]),
    ("*waves* Hello *shakes his head* you", "Hello you", ["wave", "shakehead"]),
    ("Well (shrugs) who knows.", "Well who knows.", ["shrug"]),
    ("*sighs* I see. (laughs)", "I see.", []),
    ('{"text": "Say \\"hi\\" to K\\u00e4te."}', 'Say " hi" to Kä te.', []),
    ('```json\n{"id": 7, "gesture": "wave", "say": "Hello."}\n```', "Hello.", ["wave"]),
    ('[{"text": "One."}, {"text": "Two."}]', "One. Two.", []),
    ("# Title\n\n- **one** and\n- *two*\n> three `four`", "Title one and two three four", []),
    ("1. First.\n2. Second.", "First. Second.", []),
    ("See [the map](https://a.b/c_d) and ![a dog](dog.png).", "See the map and a dog .", []),
    ("| a | b |\n|---|---|\n| c | d |\n---\n~~no~~ __yes__", "a b c d no yes", []),
]
# What looks like markup and is speech.
PLAIN = [
    "I *",
    "2 * 3 * 4 is 24, and 5 < 6 > 4.",
    "I <3 you, a < b and c > d!",
    "He said (as always) that he knows (nearly) everything.",
    "Meet me at 10:30:20, or look into snake_case_names.",
    'The file is C:\\dir\\file, "quoted", at $5 ^^',
    "1. May is a holiday.",
    "Well - I do not know - perhaps.",
    "AT&T and R&D; no",
    "[a remark that is much too long to be a direction] yes",
    "{}",
    "Good [red]morning, look at items[0]",
    "[url=http://x.example]x[/url]",
    "",
]


def spoken(text):
    return " ".join(read_markup(text).text.split())


@pytest.mark.parametrize(("text", "said", "gestures"), CASES, ids=range(len(CASES)))
def test_what_is_spoken_and_asked_for(text, said, gestures):
    found = read_markup(text)
    assert (spoken(text), [wish.gesture for wish in found.wishes]) == (said, gestures)


@pytest.mark.parametrize("text", PLAIN)
def test_speech_that_looks_like_markup_stays(text):
    assert read_markup(text).text == text
    assert not read_markup(text).wishes


def test_emphasis_is_spoken_and_asks_for_nothing():
    for text, said in (
        ("I *really* mean *no* and *point* out that it *is* so.",) * 2,
        ("*Thanks* Bob, that was **great**!",) * 2,
    ):
        assert spoken(text) == " ".join(said.replace("*", " ").split())
        assert not read_markup(text).wishes


def test_lines_without_markup_come_back_as_they_are():
    with open(share_directory() / "data" / "utterances.csv", encoding="utf-8", newline="") as file:
        lines = [line["text"] for line in csv.DictReader(file)]
    assert len(lines) > 1000
    assert all(read_markup(line).text == line and not read_markup(line).wishes for line in lines)


PIECES = st.sampled_from(
    [*(text for text, *_ in CASES), *"<>*_[](){}\\^&:`#|~\"'\n -", "word", "<p>", "**", '{"text": ', "&amp;"]
)


@given(st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join)))
def test_every_place_keeps_its_number_and_nothing_is_made_up(text):
    found = read_markup(text)
    assert len(found.text) == len(text)
    assert all(0 <= wish.place < len(text) and wish.gesture in GESTURES for wish in found.wishes)
    if not set(text) & {"&", "\\"}:  # entities and escapes become characters
        assert all(new in (old, " ", "\n") for old, new in zip(text, found.text, strict=True))


@pytest.mark.parametrize(
    "piece",
    [
        *'<*_[](){}\\^&:`#|~"-',
        "<a ",
        '<a b="',
        "<!--",
        "<style>",
        "_a ",
        "*a",
        "~~a",
        "[a](",
        '{"',
        "\n- ",
        "&#",
    ],
)
def test_long_junk_is_read_quickly(piece):
    start = time.process_time()
    read_markup((piece * 10_000)[:10_000])
    read_markup((piece + " " * 9_000 + piece) + "x")
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize(
    ("words", "gesture"),
    [
        *(
            ("waves", "wave"),
            ("Hey_1", "wave"),
            ("shakes her head slowly", "shakehead"),
            ("facepalm", "grabhead"),
        ),
        *(("shaking hands", "handshake"), ("IDontKnow_2", "shrug"), ("don't know", "shrug")),
        *(("Yes_1", "nod"), ("yesterday", ""), ("no gesture", ""), ("wavelength", ""), ("", "")),
        *((gesture, gesture) for gesture in GESTURES if gesture != "neutral"),
    ],
)
def test_names_of_gestures_in_many_words(words, gesture):
    assert requested_gesture(words) == gesture


def read(classifier, text, **given):
    return Interpreter(classifier).interpret(Utterance(text), IntentClassifierParameters(**given))


def test_spans_and_times_are_those_of_the_text_given(classifier):
    text = '<speak>Hello there, nice to see you. <break time="1s"/>The toilets are over there.</speak>'
    intents = read(classifier, text, clause_words=5)
    clauses = [text[slice(*intent.span)] for intent in intents]
    assert clauses == ["Hello there, nice to see you.", "The toilets are over there."]
    plain = read(classifier, "Hello there, nice to see you. The toilets are over there.", clause_words=5)
    for one, other in zip(intents, plain, strict=True):
        assert one.gesture.probabilities == pytest.approx(other.gesture.probabilities, abs=1e-6)
        assert one.times == other.times
        assert text[slice(*one.word)] == other.text[slice(*other.word)]


def test_a_wish_is_made_at_the_word_after_it(classifier):
    text = "The shop opens at nine. *waves* Our manager is called Smith. It closes [nod] at ten."
    intents = read(classifier, text, clause_words=5)
    made = {text[slice(*intent.word)]: intent.gesture.chosen for intent in intents if intent.wished}
    assert made == {"Our": "wave", "at": "nod"}
    assert all(intent.accepted for intent in intents if intent.wished)
    assert sum(intent.accepted for intent in intents) == 2


def test_two_wishes_in_one_breath_are_two_clauses(classifier):
    one, two = read(classifier, "[wave] The shop opens [nod] at nine.")
    assert [intent.gesture.chosen for intent in (one, two)] == ["wave", "nod"]
    assert one.times.start < two.times.start


def test_a_wish_alone_is_a_gesture_without_words(classifier):
    (intent,) = read(classifier, "*waves*")
    assert (intent.gesture.chosen, intent.accepted, intent.wished) == ("wave", True, True)


def test_what_the_speaker_demands_goes_before_what_the_text_wishes(classifier):
    utterance = Utterance("[wave] Good bye.", gesture="nod")
    (intent,) = Interpreter(classifier).interpret(utterance, GIVEN)
    assert intent.gesture.chosen == "nod"


@needs_faults
def test_texts_that_were_misread(classifier):
    for line in (FAULTS / "text_markup.jsonl").read_text(encoding="utf-8").splitlines():
        data = json.loads(line)
        (intent,) = read(classifier, data["text"])
        assert (intent.gesture.chosen, intent.accepted) == (data["gesture"], True), data["text"]


def test_a_place_is_where_the_markup_begins():
    assert read_markup("Hi *waves* [nod]").wishes == (Wish(3, "wave"), Wish(11, "nod"))
