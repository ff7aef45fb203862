"""Formats stored values and paths as one line of text, shortened, with unprintable characters escaped."""

import json
import re
from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext

from kvstore.staff.text import escape_unprintable, shorten

SHOWN_CHARACTERS = 200
MAX_PATH_CHARACTERS = 300

BEFORE_DIFFERENCE = 100
"""characters of a long text before its first difference"""

PLAIN_NAME = re.compile(r"[\w-]+")

Path = tuple[str | int, ...]
"""Names in objects and positions in lists, beginning with the field; empty for the whole state"""


def json_text(value: Any) -> str:
    """Return a value as JSON on one line. Unprintable characters are not escaped."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    except RecursionError:
        return gettext("(nested too deeply to show)")


def format_value(value: Any, limit: int = SHOWN_CHARACTERS) -> str:
    """Return a value as JSON on one line, with unprintable characters escaped.

    A text longer than ``limit`` characters is shortened and ends with its length. Safe for terminals, not for HTML.
    """
    return shorten(json_text(value), limit)


def format_changed_value(value: Any, other: Any) -> str:
    """Return a value as :func:`format_value` does; of a long text, the part around its first difference from other."""
    text = json_text(value)
    start = first_difference(text, json_text(other))
    before = escape_unprintable(text[max(0, start - BEFORE_DIFFERENCE) : start])
    if start <= BEFORE_DIFFERENCE and len(before) <= BEFORE_DIFFERENCE:
        return shorten(text, SHOWN_CHARACTERS)
    return "…" + before[-BEFORE_DIFFERENCE:] + shorten(text[start:], SHOWN_CHARACTERS - BEFORE_DIFFERENCE)


def format_path(path: Path) -> str:
    """Return a path as text, such as ``student_answers.i4x_1[2]``. Ambiguous names are quoted, long paths shortened."""
    if not path:
        return gettext("(the whole state)")
    return shorten("".join(_steps(path)).removeprefix("."), MAX_PATH_CHARACTERS)


def _steps(path: Path) -> Iterator[str]:
    for step in path:
        if isinstance(step, int):
            yield f"[{step}]"
        elif PLAIN_NAME.fullmatch(step):
            yield f".{step}"
        else:
            yield f".{json.dumps(step, ensure_ascii=False)}"


def escape_json(text: str) -> str:
    """Return a text as in a JSON string, without quotes, with unprintable characters escaped."""
    return escape_unprintable(json.dumps(text, ensure_ascii=False)[1:-1])


def first_difference(one: str, other: str) -> int:
    """Return the position of the first character that differs, or the length of the shorter text."""
    begin, end = 0, min(len(one), len(other))
    # Slices are compared much faster than characters.
    while begin < end:
        middle = (begin + end + 1) // 2
        if one[begin:middle] == other[begin:middle]:
            begin = middle
        else:
            end = middle - 1
    return begin
