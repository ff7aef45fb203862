"""Text for display: unprintable characters escaped, long texts shortened, and scores."""

import json
import re
from typing import Any

from django.utils.translation import gettext

# Python counts these characters as printable, but they have no visible form: fillers, joiners, variation selectors.
INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U00016fe4\U0001d159\U000e0100-\U000e01ef]"
)


def escape_unprintable(text: str) -> str:
    r"""Replace controls, lone surrogates, bidirectional overrides and invisible characters by ``\u`` escapes."""
    if text.isprintable() and not INVISIBLE.search(text):
        return text
    return "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    if character.isprintable() and not INVISIBLE.match(character):
        return character
    return json.dumps(character)[1:-1]


def shorten(text: str, limit: int) -> str:
    """Escape a text and cut it after ``limit`` characters; if cut, state its length."""
    begin = escape_unprintable(text[:limit])
    if len(text) <= limit and len(begin) <= limit:
        return begin
    return gettext("{begin}… ({count} characters)").format(begin=begin[:limit], count=len(text))


def score_text(row: Any) -> str:
    """Return the score of a row or an entry with every significant digit; empty without a grade."""
    if row.grade is None:
        return ""
    grade, most = (f"{score:.15g}" if score is not None else "?" for score in (row.grade, row.max_grade))
    return f"{grade} / {most}"
