"""What of a text is spoken: markup for voices, screens and stages is skipped, gestures it asks for are noted.

Texts come as voices and language models write them: SSML, NAOqi's ^start(...) and \\rspd=80\\, HTML,
Markdown, JSON around the words, stage directions as *waves*. Parsers of these formats return the words
without their places, refuse what is not well formed, and know one format each; a robot gets them mixed and
cut off. So what is not spoken is blanked where it stands, and every place of the text keeps its number.
"""

import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

# What in a markup asks for which gesture, by its words in lower case, the strongest first.
_REQUESTS = tuple(
    (gesture, re.compile(pattern))
    for gesture, pattern in (
        ("shakehead", r"shak(e|es|ing) (\w+ )?head\b|\bhead ?shak|\bshakehead\b"),
        ("handshake", r"\bhandshak|\bshak(e|es|ing) (\w+ )?hands?\b"),
        ("grabhead", r"\bface ?palm|\b(grab|hold|clutch|scratch)(s|es|ing)? ?(\w+ )?head\b|\bdesperate\b"),
        ("thumbsup", r"\bthumbs? ?up\b"),
        ("shrug", r"\bshrug|\bi? ?don ?t know\b|\bdunno\b"),
        ("wave", r"\bwav(e|es|ing)\b|\bgreet(s|ing|ings)?\b|\bgoodbye\b|\bfarewell\b"),
        ("nod", r"\bnod(s|ding)?\b"),
        ("point", r"\bpoint(s|ing)?\b|^show"),
        ("yay", r"\byay\b|\bcelebrat|\bcheer(s|ing)?\b|\bhurr?ay\b|\bhooray\b|\benthusias|\bexcited\b"),
        ("uplift", r"\buplift|\bencourag"),
        ("pat", r"\bpat(s|ting)?\b|\bcomfort(s|ing)\b|\bconsol(e|es|ing)\b|\bcalm ?down\b"),
    )
)
# Words that ask for one only if they stand alone: [yes], ^start(animations/Stand/Gestures/Hey_1).
_ALONE = {
    **dict.fromkeys(("hey", "hi", "hello", "bye", "bye bye"), "wave"),
    **dict.fromkeys(("yes", "agree"), "nod"),
    **dict.fromkeys(("no", "disagree"), "shakehead"),
    **dict.fromkeys(("far", "there", "look"), "point"),
}
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")

# JSON: the values of these keys are spoken, those of these ask for a gesture.
_SPOKEN_KEYS = frozenset(
    ("text", "speech", "say", "utterance", "content", "message", "ssml", "response", "answer", "reply")
)
_GESTURE_KEYS = frozenset(("gesture", "animation", "action", "motion"))
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)", re.DOTALL)

# SSML and HTML. A name must follow the bracket at once, and what follows the name must look like attributes.
_TAG = re.compile(
    r"""<!--.{0,2000}?-->|<!\[CDATA\[|\]\]>|<[?!][A-Za-z][^<>]*>|<\|[^|<>]*\|>"""
    r"""|<(?P<close>/)?(?P<name>[A-Za-z][\w:.-]*)(?P<attributes>(?:\s+[\w:.-]+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'<>]+))?)*)"""
    r"""\s*/?>""",
    re.DOTALL,
)
_VALUE = re.compile(r"""=\s*["']?([^"'<>]*)""")
_SILENT = re.compile(r"<(script|style|desc|metadata)\b[^<>]*>.{0,2000}?</\1\s*>", re.DOTALL | re.IGNORECASE)
_BORDERS = frozenset(("br", "p", "s", "div", "li", "tr", "h1", "h2", "h3", "break", "paragraph", "sentence"))
_ASKING_TAGS = frozenset(("mark", "bookmark", "gesture", "animation", "anim", "action", "motion"))
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,8});")

# NAOqi: ^start(...) \rspd=80\, and what voices of Nuance and Acapela take.
_NAOQI = re.compile(r"(?<!\w)\^(?P<do>[A-Za-z]\w*)(?:\((?P<what>[^()\n]*)\))?")
_ASKING_CALLS = frozenset(("start", "run", "startTag", "runTag", "runSound", "gesture"))
_VOICE = re.compile(r"(?<![\w:\\])\\{1,2}[A-Za-z]\w*(?:=[^\\\n]{0,60})?\\{1,2}")

_LINK = re.compile(r"!?\[(?P<text>[^\[\]\n]*)\]\([^()\s]*(?:\s\"[^\"]*\")?\)")
_BRACKETS = re.compile(r"\[(?P<a>[^\[\]\n/]{1,40})\]|\{\{?(?P<b>[^{}\n/]{1,40})\}?\}")
_SHORTCODE = re.compile(r"(?<![\w:]):(?P<code>[a-z][a-z0-9_+-]{1,30}):(?![\w:])")
_STARS = re.compile(r"(?<![\w*])(?P<mark>\*{1,3})(?=\S)(?P<inside>[^*\n]+?)(?<=\S)(?P=mark)(?![\w*])")
_ROUND = re.compile(r"\((?P<inside>[a-z][a-z' ]{2,40})\)")
_MOST_WORDS = 4  # of a direction in brackets; more are an aside that is spoken

# Markdown.
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[^\n]*$", re.MULTILINE)
_RULE = re.compile(
    r"^[ \t]*(?:[-*_][ \t]*){3,}$|^(?:[ \t]*\|)?(?:[ \t]*:?-{2,}:?[ \t]*\|)+[-: \t]*$", re.MULTILINE
)
_LINE_START = re.compile(
    r"^[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|[*+\u2022-][ \t]+(?:\[[ xX]\][ \t])?)+", re.MULTILINE
)
_NUMBERED = re.compile(r"^[ \t]*\d{1,3}[.)][ \t]+", re.MULTILINE)
_EMPHASIS = (
    re.compile(r"(?P<mark>\*{1,3}|~~)(?=\S)(?:[^*~\n]+?)(?<=\S)(?P=mark)"),
    re.compile(r"(?<![\w_])(?P<mark>_{1,3})(?=[^\s_])(?:[^\n]{1,200}?)(?<=[^\s_])(?P=mark)(?![\w_])"),
    re.compile(r"(?P<mark>`{1,2})(?=\S)(?:[^`\n]+)(?P=mark)"),
)
_CELLS = re.compile(r"^[ \t]*\|.*\|[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Wish:
    """A gesture that the markup of a text asks for.

    Attributes:
        place: first character of the markup.
        gesture: its label.
    """

    place: int
    gesture: str


@dataclass(frozen=True)
class SpokenText:
    """What of a text is spoken.

    Attributes:
        text: as long as the text it was; what is not spoken is blank.
        wishes: the gestures its markup asks for, in their order.
    """

    text: str
    wishes: tuple[Wish, ...] = ()


def read_markup(text: str) -> SpokenText:
    """Return what of a text is spoken, every character where it was, and the gestures its markup asks for.

    Args:
        text: any text; one without markup comes back as it is.
    """
    reader = _Reader(text)
    for step in (
        *(_Reader.wrappers, _Reader.tags, _Reader.entities, _Reader.calls, _Reader.links),
        *(_Reader.directions, _Reader.markdown),
    ):
        step(reader)
    return SpokenText(reader.text, tuple(sorted(reader.wishes, key=lambda wish: wish.place)))


def requested_gesture(words: str, *, alone: bool = True) -> str:
    """Return the gesture that a name or a few words in a markup ask for; empty: none.

    Args:
        words: as waves, shakes his head, Hey_1.
        alone: whether a word such as yes counts, where nothing else stands.
    """
    plain = " ".join(word.lower() for word in _WORD.findall(words.replace("'", " ")))
    found = next((gesture for gesture, pattern in _REQUESTS if pattern.search(plain)), "")
    return found or (_ALONE.get(plain, "") if alone else "")


class _Reader:
    """A text whose markup is blanked, kind by kind."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.wishes: list[Wish] = []

    def _edit(self, pattern: re.Pattern[str], change: Callable[[re.Match[str]], str]) -> None:
        """Replace each match by `change`, filled up with blanks to its length."""

        def filled(match: re.Match[str]) -> str:
            return change(match).ljust(len(match[0]))

        self.text = pattern.sub(filled, self.text)

    def _ask(self, place: int, words: str, *, alone: bool = True) -> bool:
        """Note a wish, if some words ask for a gesture; return whether they do."""
        gesture = requested_gesture(words, alone=alone)
        if gesture:
            self.wishes.append(Wish(place, gesture))
        return bool(gesture)

    def wrappers(self) -> None:
        """Blank JSON around the words."""
        self._edit(_FENCE, lambda match: "")
        stripped = self.text.strip()
        if not (stripped[:1] + stripped[-1:] in ("{}", "[]") and '"' in stripped):
            return
        try:
            json.loads(stripped)
        except (ValueError, RecursionError):
            return
        spoken = [" "] * len(self.text)
        key = "text"  # a list of texts is spoken
        for match in _STRING.finditer(self.text):
            if match[2]:
                key = match[1].lower()
            elif key in _SPOKEN_KEYS:
                value = _ESCAPE.sub(lambda at: json.loads(f'"{at[0]}"').ljust(len(at[0])), match[1])
                spoken[match.start(1) : match.end(1)] = value.encode("utf-8", "replace").decode()
                spoken[match.start()] = "\n"  # one value after the other
            elif key in _GESTURE_KEYS:
                self._ask(match.start(), match[1])
        self.text = "".join(spoken) if "".join(spoken).strip() else self.text

    def tags(self) -> None:
        """Blank SSML and HTML."""
        self._edit(_SILENT, lambda match: "")

        def change(match: re.Match[str]) -> str:
            name = (match["name"] or "").lower()
            if name and not match["close"]:
                values = _VALUE.findall(match["attributes"]) if name in _ASKING_TAGS else []
                if not any(self._ask(match.start(), value) for value in values):
                    self._ask(match.start(), name, alone=False)
            return "\n" if name in _BORDERS else ""

        self._edit(_TAG, change)

    def entities(self) -> None:
        """Put characters where their HTML names stand."""

        def change(match: re.Match[str]) -> str:
            character = html.unescape(match[0])
            return character if len(character) == 1 else match[0]

        self._edit(_ENTITY, change)

    def calls(self) -> None:
        """Blank NAOqi's calls and the tags of its voices."""

        def change(match: re.Match[str]) -> str:
            if match["do"] in _ASKING_CALLS:
                self._ask(match.start(), (match["what"] or "").rpartition("/")[2])
            return ""

        self._edit(_NAOQI, change)
        self._edit(_VOICE, lambda match: "")

    def links(self) -> None:
        """Leave of Markdown's links the text."""
        self._edit(_LINK, lambda match: " " * (match.start("text") - match.start()) + match["text"])

    def directions(self) -> None:
        """Blank directions for the stage: [wave], *waves*, (laughs), :wave:."""

        def brackets(match: re.Match[str]) -> str:
            inside = match["a"] or match["b"]
            before, after = self.text[: match.start()], self.text[match.end() :]
            if before[-1:].isalnum():
                return match[0]  # items[0]
            asks = self._ask(match.start(), inside)
            apart = not before.strip() or not after[:1].isalnum()  # no direction: a [red]brick
            return "" if asks or (apart and len(inside.split()) <= _MOST_WORDS) else match[0]

        def code(match: re.Match[str]) -> str:
            self._ask(match.start(), match["code"])
            return ""

        def said_of_somebody(match: re.Match[str]) -> str:
            inside = match["inside"]
            first, *more = inside.split()
            by_itself = self._stands_by_itself(match)
            acts = first.islower() and (first.endswith("ing") or (first.endswith("s") and len(first) > 3))
            asks = (acts or (by_itself and len(more) < _MOST_WORDS)) and requested_gesture(
                inside, alone=False
            )
            if asks:
                self.wishes.append(Wish(match.start(), asks))
            return "" if asks or (acts and by_itself and len(more) < _MOST_WORDS) else match[0]

        self._edit(_BRACKETS, brackets)
        self._edit(_SHORTCODE, code)
        self._edit(_STARS, said_of_somebody)
        self._edit(_ROUND, said_of_somebody)

    def _stands_by_itself(self, match: re.Match[str]) -> bool:
        """Return whether a sentence may end before a match, and one begin after it."""
        before, after = self.text[: match.start()].rstrip(" "), self.text[match.end() :].lstrip(" ")
        return (not before or before[-1] in ".!?…\n,;:\"'”") and (not after or not after[0].islower())

    def markdown(self) -> None:
        """Blank what Markdown puts before lines and around words."""
        self._edit(_RULE, lambda match: "")
        self._edit(_CELLS, lambda match: match[0].replace("|", " "))
        self._edit(_LINE_START, lambda match: "")
        if len(_NUMBERED.findall(self.text)) > 1:
            self._edit(_NUMBERED, lambda match: "")
        for pattern in _EMPHASIS:
            for _ in range(2):  # one may stand within the other
                self._edit(pattern, _without_marks)


def _without_marks(match: re.Match[str]) -> str:
    size = len(match["mark"])
    return " " * size + match[0][size:-size]
