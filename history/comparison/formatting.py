"""Formats stored values and paths as one line of text, shortened, with unprintable characters escaped."""

import json
import re
from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext

from kvstore.staff.text import shorten

SHOWN_CHARACTERS = 200
MAX_PATH_CHARACTERS = 300

PLAIN_NAME = re.compile(r"[\w-]+")

Path = tuple[str | int, ...]
"""Names in objects and positions in lists, beginning with the field; empty for the whole state"""


def format_value(value: Any, limit: int = SHOWN_CHARACTERS) -> str:
    """Return a value as JSON on one line, with unprintable characters escaped.

    A text longer than ``limit`` characters is shortened and ends with its length. Safe for terminals, not for HTML.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    except RecursionError:
        return gettext("(nested too deeply to show)")
    return shorten(text, limit)


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


def first_difference(one: str, other: str) -> int:
    """Return the position of the first character that differs, or the length of the shorter text."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((position for position, (left, right) in pairs if left != right), min(len(one), len(other)))
