"""Parse the admin's search box into exact lookups that an index serves."""

import re
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from opaque_keys.edx.keys import LearningContextKey, UsageKey

from kvstore.exceptions import UnusableKey
from kvstore.keys import key_from_text
from kvstore.staff import page_urls
from kvstore.staff.users import MAX_MATCHES, find_users, id_from_text

KIND = re.compile(r"(learner|course|block|id):\s*(.+)", re.IGNORECASE | re.DOTALL)
TERM = re.compile(r"""((?:(?:learner|course|block|id):\s*)?(?:"[^"]*"|'[^']*'|\S+))""", re.IGNORECASE)
MAX_TERMS = 8

HELP = gettext_lazy(
    "learner:NAME, course:KEY, block:KEY or id:NUMBER, one or more of them; or just a user name, an e-mail address, "
    "a key, a number, or the address of a courseware page"
)

KEYS: dict[str, tuple[str, Any, Any]] = {
    "block": ("module_state_key", UsageKey, gettext_lazy("%(text)r is not the key of a block.")),
    "course": ("course_id", LearningContextKey, gettext_lazy("%(text)r is not the key of a course.")),
}
"""the column, the class and the error message of each kind of key"""

Lookups = dict[str, Any]


class InvalidSearch(ValueError):
    """A search cannot match anything; the message is for staff."""


def lookups_for(search: str, id_column: str) -> Lookups:
    """Return the lookups of a search; ``id_column`` contains the ids of rows. Raises InvalidSearch.

    A term without a kind is an address, a key, a username, an e-mail address or, if no user has that name, an id.
    ``learner:NUMBER`` is the id of a user, who may be deleted, if no user has that name.
    """
    lookups: Lookups = {}
    terms = TERM.findall(search)
    if len(terms) > MAX_TERMS:
        raise InvalidSearch(_("A search takes up to %(most)d terms.") % {"most": MAX_TERMS})
    for term in terms:
        merge(lookups, _parse(term, id_column))
    return lookups


def merge(lookups: Lookups, more: Lookups) -> None:
    """Add lookups to ``lookups``. Raises InvalidSearch if two of them contradict each other."""
    for name, value in more.items():
        if lookups.setdefault(name, value) != value:
            both = {"one": lookups[name], "other": value}
            raise InvalidSearch(_("No row matches both %(one)s and %(other)s.") % both)


def _parse(term: str, id_column: str) -> Lookups:
    term = _unquoted(term)
    match = KIND.fullmatch(term)
    kind, text = (match[1].lower(), _unquoted(match[2])) if match else ("", term)
    if not text:
        return {}
    if kind == "id":
        return {id_column: _id(text)}
    if kind == "learner":
        return _learner(text)
    return _key(text, kind) if kind else _without_kind(text, id_column)


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _without_kind(text: str, id_column: str) -> Lookups:
    if page_urls.ADDRESS.match(text):
        return _address(text)
    for column, key_class, _message in KEYS.values():
        try:
            return {column: key_from_text(text, key_class)}
        except UnusableKey:
            continue
    user_id, row_id = _user_id(text), id_from_text(text)
    if user_id is not None:
        return {"student_id": user_id}
    if row_id is not None:
        return {id_column: row_id}
    raise InvalidSearch(_("No learner, block or course matches %(text)r.") % {"text": text[:100]})


def _address(text: str) -> Lookups:
    block, course = page_urls.keys_in(text)
    if block is not None:
        return {"module_state_key": block}
    if course is not None:
        return {"course_id": course}
    raise InvalidSearch(_("The address %(text)r contains neither a block nor a course.") % {"text": text[:200]})


def _learner(text: str) -> Lookups:
    user_id = _user_id(text)
    user_id = id_from_text(text) if user_id is None else user_id
    if user_id is None:
        raise InvalidSearch(_("No learner has the name or e-mail address %(text)r.") % {"text": text[:100]})
    return {"student_id": user_id}


def _user_id(text: str) -> int | None:
    """Return the id of the user with this name or e-mail address. Raises InvalidSearch if several users match."""
    users = find_users(text)
    if len(users) > 1:
        names = ", ".join(f'learner:"{user.name}"' for user in users[:MAX_MATCHES])
        raise InvalidSearch(
            _("Several learners match %(text)r; search for one of them: %(names)s.") % {"text": text, "names": names}
        )
    return users[0].pk if users else None


def _key(text: str, kind: str) -> Lookups:
    column, key_class, message = KEYS[kind]
    if page_urls.ADDRESS.match(text):
        text = str(page_urls.keys_in(text)[0 if kind == "block" else 1] or text)
    try:
        return {column: key_from_text(text, key_class)}
    except UnusableKey as error:
        raise InvalidSearch(message % {"text": text[:200]}) from error


def _id(text: str) -> int:
    row_id = id_from_text(text)
    if row_id is None:
        raise InvalidSearch(_("%(text)r is not an id.") % {"text": text[:100]})
    return row_id
