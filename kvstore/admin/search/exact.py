"""Terms that are an address, a key or a number."""

from typing import Any

from django.utils.translation import gettext as _

from kvstore.admin.search.meanings import SHOWN, Candidate, InvalidSearch, Meaning
from kvstore.admin.search.terms import KEYS, Term, key_in
from kvstore.exceptions import UnusableKey
from kvstore.keys import key_from_text
from kvstore.staff import page_urls, people
from kvstore.staff.text import shorten
from kvstore.staff.users import id_from_text


def certain(column: str, value: Any, term: Term) -> Meaning:
    return Meaning(column, term.raw, [Candidate(value, shorten(str(value), 2 * SHOWN), term.raw)])


def exact(term: Term, id_column: str) -> tuple[str, Any]:
    """Return the column and the value of an address, a key or a number."""
    text = term.text
    if term.kind == "id":
        return id_column, _id(text)
    if term.kind == "course":
        return key_of(text, "course")
    if page_urls.ADDRESS.match(text):
        return _address(text)
    key = key_in(text)
    if key is not None:
        return key
    users = people.find_by_index(text)
    return ("student_id", users[0].pk) if users else (id_column, _id(text))


def _address(text: str) -> tuple[str, Any]:
    block, course = page_urls.keys_in(text)
    if block is not None:
        return "module_state_key", block
    if course is not None:
        return "course_id", course
    raise InvalidSearch(_("The address %(text)r contains neither a block nor a course.") % {"text": text[: 2 * SHOWN]})


def key_of(text: str, kind: str) -> tuple[str, Any]:
    column, key_class, message = KEYS[kind]
    if page_urls.ADDRESS.match(text):
        text = str(page_urls.keys_in(text)[0 if kind == "block" else 1] or text)
    try:
        return column, key_from_text(text, key_class)
    except UnusableKey as error:
        raise InvalidSearch(f"{message % {'text': text[: 2 * SHOWN]}}.") from error


def _id(text: str) -> int:
    row_id = id_from_text(text)
    if row_id is None:
        raise InvalidSearch(_("%(text)r is not an id.") % {"text": text[:SHOWN]})
    return row_id
