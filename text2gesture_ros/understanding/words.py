"""Words of a text, as they are counted and spoken."""

import re

Span = tuple[int, int]
"""First character and end of a part of a text."""

WORD = re.compile(r"\w+(?:['\u2019.,:-]\w+)*")


def count_words(text: str) -> int:
    """Return how many words a text has."""
    return sum(1 for _ in WORD.finditer(text))
