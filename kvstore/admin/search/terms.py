"""Split a search into terms, and find the words that belong together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy
from opaque_keys.edx.keys import LearningContextKey, UsageKey

from kvstore.exceptions import UnusableKey
from kvstore.keys import key_from_text
from kvstore.staff import page_urls
from kvstore.staff.users import id_from_text

KINDS = "learner|actor|course|block|id|reason|request"
KIND = re.compile(rf"({KINDS}):\s*(.+)", re.IGNORECASE | re.DOTALL)
TERM = re.compile(rf"""((?:(?:{KINDS}):\s*)?(?:"[^"]*"|'[^']*'|\S+))""", re.IGNORECASE)
USER_ID = "id:"

KEYS: dict[str, tuple[str, Any, Any]] = {
    "block": ("module_state_key", UsageKey, gettext_lazy("%(text)r is not the key of a block")),
    "course": ("course_id", LearningContextKey, gettext_lazy("%(text)r is not the key of a course")),
}
"""the column, the class and the error message of each kind of key"""
PEOPLE = {"learner": "student_id", "actor": "actor_id"}
"""the columns with ids of users"""


class Term(NamedTuple):
    """A word, or a kind with a text."""

    raw: str
    kind: str
    text: str


def terms_of(search: str) -> list[Term]:
    return [_term(raw) for raw in TERM.findall(search)]


def _term(raw: str) -> Term:
    text = _unquoted(raw)
    match = KIND.fullmatch(text)
    return Term(raw, match[1].lower(), _unquoted(match[2])) if match else Term(raw, "", text)


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def groups(terms: Sequence[Term]) -> list[list[Term]]:
    """Group the words of a name: the words after ``learner:`` or ``actor:``, and all other words.

    Groups with a course come first, because a course restricts the search for a block id.
    """
    found: list[list[Term]] = []
    words: list[Term] = []
    follows: list[Term] | None = None
    for term in terms:
        if term.text and is_word(term):
            target = words if follows is None else follows
            target.append(term)
        elif term.text:
            found.append([term])
            is_id = id_from_text(term.text.removeprefix(USER_ID)) is not None
            is_open = term.kind in PEOPLE and not is_id and not term.raw.endswith(("'", '"'))
            follows = found[-1] if is_open else None
    if words:
        found.append(words)
    return sorted(found, key=lambda group: group[0].kind != "course")


def is_word(term: Term) -> bool:
    is_number = id_from_text(term.text) is not None
    return not (term.kind or is_number or page_urls.ADDRESS.match(term.text) or key_in(term.text))


def key_in(text: str) -> tuple[str, Any] | None:
    """Return the column and the value of a key; None if the text is not a key."""
    for column, key_class, _message in KEYS.values():
        try:
            return column, key_from_text(text, key_class)
        except UnusableKey:
            continue
    return None
