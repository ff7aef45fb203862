"""Stored values, names and paths as text for people: on one line, no longer than asked, without hidden characters."""

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
"""Names of objects and positions in lists, from a field down; empty for the whole state"""


def format_value(value: Any, limit: int = SHOWN_CHARACTERS) -> str:
    """Return a plain value as JSON on one line, with every character that does not print as an escape.

    Longer texts are cut and say how long they are. Still to be escaped for HTML; safe to write to a terminal.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    except RecursionError:
        return gettext("(nested too deeply to show)")
    return shorten(text, limit)


def format_path(path: Path) -> str:
    """Return a path such as ``student_answers.i4x_1[2]``; names that could be mistaken are quoted, long paths cut."""
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
