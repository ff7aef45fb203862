"""What staff type into the admin's search box, as exact filters that an index serves."""

import re
from typing import Any

from django.contrib.auth import get_user_model
from django.db import router
from opaque_keys.edx.keys import LearningContextKey, UsageKey

from kvstore.exceptions import UnusableKey
from kvstore.keys import key_from_text

TERM = re.compile(r"(?:(learner|course|block|id):)?(\S+)")
MAX_ID = 2**63 - 1

HELP = "learner:NAME, course:KEY, block:KEY or id:NUMBER, one or more of them; or just a name or a key"


class NothingFound(ValueError):
    """A term that no row can match."""


def filters_for(search: str, id_column: str) -> dict[str, Any]:
    """Return the filter that the terms spell. Raises NothingFound where one names nobody or nothing."""
    filters: dict[str, Any] = {}
    for kind, text in TERM.findall(search):
        filters |= FILTERS[kind or _kind_of(text)](text, id_column)
    return filters


def _kind_of(text: str) -> str:
    for kind, key_class in (("block", UsageKey), ("course", LearningContextKey)):
        try:
            key_from_text(text, key_class)
        except UnusableKey:
            continue
        return kind
    return "learner"


def _learner(text: str, id_column: str) -> dict[str, Any]:
    model = get_user_model()
    users = model._base_manager.using(router.db_for_read(model))
    email = model.get_email_field_name()
    lookup = {email: text} if "@" in text and email else {model.USERNAME_FIELD: text}
    ids = list(users.filter(**lookup).values_list("pk", flat=True)[:100])
    ids = ids or list(users.filter(**{model.USERNAME_FIELD: text}).values_list("pk", flat=True))
    if not ids:
        raise NothingFound(text)
    return {"student_id__in": ids}


def _course(text: str, id_column: str) -> dict[str, Any]:
    return {"course_id": _key(text, LearningContextKey)}


def _block(text: str, id_column: str) -> dict[str, Any]:
    return {"module_state_key": _key(text, UsageKey)}


def _id(text: str, id_column: str) -> dict[str, Any]:
    if not text.isdecimal() or int(text[:30]) > MAX_ID:
        raise NothingFound(text)
    return {id_column: int(text)}


def _key(text: str, key_class: Any) -> Any:
    try:
        return key_from_text(text, key_class)
    except UnusableKey as error:
        raise NothingFound(text) from error


FILTERS = {"learner": _learner, "course": _course, "block": _block, "id": _id}
