"""What staff type into the admin's search box, as exact filters that an index serves."""

import re
from collections.abc import Callable
from typing import Any

from django.contrib.auth import get_user_model
from django.db import router
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from opaque_keys.edx.keys import LearningContextKey, UsageKey

from kvstore.exceptions import UnusableKey
from kvstore.keys import key_from_text
from kvstore.staff import page_urls

KIND = re.compile(r"(learner|course|block|id):\s*(.+)", re.IGNORECASE | re.DOTALL)
TERM = re.compile(r"""((?:(?:learner|course|block|id):\s*)?(?:"[^"]*"|'[^']*'|\S+))""", re.IGNORECASE)
MAX_ID = 2**63 - 1
MAX_DIGITS = len(str(MAX_ID))
MAX_TERMS = 8
NAMED = 5
"""how many of the learners who share an e-mail address are named"""

HELP = gettext_lazy(
    "learner:NAME, course:KEY, block:KEY or id:NUMBER, one or more of them; or just a user name, an e-mail address, "
    "a key, a number, or the address of a courseware page"
)

Lookups = dict[str, Any]


class InvalidSearch(ValueError):
    """What a search asks for cannot be found; the message says what, to staff."""


def lookups_for(search: str, id_column: str) -> Lookups:
    """Return the filter that the terms of a search spell; ``id_column`` holds the ids of rows.

    A term without a kind is an address, a key, a user name, an e-mail address, or, where nobody has that name, an id.
    ``learner:NUMBER`` finds by the user's id where nobody has that name: users that are gone have no other.
    Raises NothingFound.
    """
    lookups: Lookups = {}
    terms = TERM.findall(search)
    if len(terms) > MAX_TERMS:
        raise InvalidSearch(_("A search takes up to %(most)d terms.") % {"most": MAX_TERMS})
    for term in terms:
        for column, value in _lookup(term, id_column).items():
            if lookups.setdefault(column, value) != value:
                raise InvalidSearch(_("Nothing is of both %(one)s and %(other)s.") % _two(lookups[column], value))
    return lookups


def _two(one: Any, other: Any) -> dict[str, Any]:
    return {"one": one, "other": other}


def _lookup(term: str, id_column: str) -> Lookups:
    kind, text = _kind_and_text(_unquoted(term))
    if not text:
        return {}
    if kind == "id":
        return {id_column: _number(text)}
    if kind:
        return KINDS[kind](text)
    return _of_any_kind(text, id_column)


def _kind_and_text(term: str) -> tuple[str, str]:
    found = KIND.fullmatch(term)
    return (found[1].lower(), _unquoted(found[2])) if found else ("", term)


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _of_any_kind(text: str, id_column: str) -> Lookups:
    if page_urls.ADDRESS.match(text):
        return _address(text)
    for key_class, column in ((UsageKey, "module_state_key"), (LearningContextKey, "course_id")):
        try:
            return {column: key_from_text(text, key_class)}
        except UnusableKey:
            continue
    found = _learner_named(text)
    if found is not None:
        return {"student_id": found}
    if _is_number(text):
        return {id_column: _number(text)}
    raise InvalidSearch(
        _("There is no learner %(text)r, and it is no key of a block or course.") % {"text": text[:100]}
    )


def _address(text: str) -> Lookups:
    block, course = page_urls.keys_in(text)
    if block is not None:
        return {"module_state_key": block}
    if course is not None:
        return {"course_id": course}
    raise InvalidSearch(_("The address %(text)r names no block and no course.") % {"text": text[:200]})


def _learner(text: str) -> Lookups:
    found = _learner_named(text)
    if found is None and _is_number(text):
        found = _number(text)
    if found is None:
        raise InvalidSearch(_("There is no learner %(text)r.") % {"text": text[:100]})
    return {"student_id": found}


def _learner_named(text: str) -> int | None:
    """Return the id of the user with this name or e-mail address. Raises NothingFound where several share it."""
    model = get_user_model()
    name, email = model.USERNAME_FIELD, model.get_email_field_name()
    who = Q(**{name: text})
    if "@" in text and email in {field.name for field in model._meta.get_fields()}:
        who |= Q(**{email: text})
    users = model._base_manager.using(router.db_for_read(model)).filter(who)
    found = list(users.values_list("pk", name)[: NAMED + 1])
    if len(found) > 1:
        names = ", ".join(f'learner:"{username}"' for _pk, username in found[:NAMED])
        raise InvalidSearch(
            _("Several learners share %(text)r; search for one of them: %(names)s.") % {"text": text, "names": names}
        )
    return found[0][0] if found else None


def _course(text: str) -> Lookups:
    return {"course_id": _key(text, LearningContextKey, _("%(text)r is no key of a course."))}


def _block(text: str) -> Lookups:
    return {"module_state_key": _key(text, UsageKey, _("%(text)r is no key of a block."))}


def _key(text: str, key_class: Any, otherwise: str) -> Any:
    if page_urls.ADDRESS.match(text):
        text = str(page_urls.keys_in(text)[0 if key_class is UsageKey else 1] or text)
    try:
        return key_from_text(text, key_class)
    except UnusableKey as error:
        raise InvalidSearch(otherwise % {"text": text[:200]}) from error


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= MAX_DIGITS and int(text) <= MAX_ID


def _number(text: str) -> int:
    if not _is_number(text):
        raise InvalidSearch(_("%(text)r is no id.") % {"text": text[:100]})
    return int(text)


KINDS: dict[str, Callable[[str], Lookups]] = {"learner": _learner, "course": _course, "block": _block}
