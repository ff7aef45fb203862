"""Whom and what a command is about, as it is typed: a learner, a block, a moment."""

from argparse import ArgumentTypeError
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.core.management.base import CommandError
from django.db import router
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from opaque_keys.edx.keys import LearningContextKey, UsageKey

from kvstore.exceptions import UnusableKey
from kvstore.keys import BlockAddress, block_address, key_from_text
from kvstore.staff.page_urls import ADDRESS, keys_in

ID_PREFIX = "id:"
MAX_ID = 2**63 - 1


class Learner(NamedTuple):
    """Somebody who has, or had, state."""

    pk: int
    name: str
    """empty where the user is gone"""


class Names:
    """The names of users by id, each asked for once."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}

    def __call__(self, user_id: int) -> str:
        """Return the name; empty where the user is gone."""
        if user_id not in self._names:
            users = _users().filter(pk=user_id).values_list(get_user_model().USERNAME_FIELD, flat=True)
            self._names[user_id] = next(iter(users), "")
        return self._names[user_id]


def learner(text: str) -> Learner:
    """Return the learner with this name, e-mail address or, after ``id:``, id. Raises CommandError.

    An id is taken as it is: those of users that are gone are in the history still.
    """
    if text.startswith(ID_PREFIX):
        number = text.removeprefix(ID_PREFIX)
        if not (number.isdecimal() and len(number) < 20 and int(number) <= MAX_ID):
            raise CommandError(_("%(text)r is not the id of a user; write it like id:42.") % {"text": text[:100]})
        return Learner(int(number), Names()(int(number)))
    model = get_user_model()
    for column in (model.USERNAME_FIELD, _email_column()):
        found = [Learner(*values) for values in _named(column, text)] if column else []
        if len(found) > 1:
            several = ", ".join(f"id:{one.pk}" for one in found)
            raise CommandError(
                _("Several users have %(text)r: %(several)s.") % {"text": text[:100], "several": several}
            )
        if found:
            return found[0]
    raise CommandError(
        _("There is no user with the name or e-mail address %(text)r; one who was deleted is found by id:NUMBER.")
        % {"text": text[:100]}
    )


def block(text: str, course: str | None = None) -> BlockAddress:
    """Return where the state of a block is that a usage key, or a URL with one in it, names. Raises CommandError.

    ``course`` is needed, and used, for keys of the old form alone, which do not say their run.
    """
    try:
        course_key = key_from_text(course, LearningContextKey) if course else None
        return block_address(_usage_key(text), course_key)
    except UnusableKey as error:
        hint = "" if course else _(" The option --course says the course of a key of the old form.")
        raise CommandError(f"{error}{hint}") from error


def moment(text: str) -> datetime:
    """Read a moment in ISO 8601; in the current time zone, unless it says its own. A day is its beginning."""
    try:
        found = parse_datetime(text)
        aware = found if found is None or timezone.is_aware(found) else timezone.make_aware(found)
        # Databases are asked in UTC, where the first and last hours of the calendar may be no moments.
        aware = aware and aware.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ArgumentTypeError(f"{text!r:.60} is not a moment: {error}") from error
    if aware is None:
        raise ArgumentTypeError(f"{text!r:.60} is not a moment like 2026-01-31T14:30 or 2026-01-31T14:30:00.5+01:00")
    return aware


def _usage_key(text: str) -> UsageKey:
    found = keys_in(text)[0] if ADDRESS.match(text) else None
    return found or key_from_text(text, UsageKey)


def _users() -> Any:
    model = get_user_model()
    return model._base_manager.using(router.db_for_read(model))


def _named(column: str, text: str) -> Any:
    return _users().filter(**{column: text}).values_list("pk", get_user_model().USERNAME_FIELD)[:5]


def _email_column() -> str:
    model = get_user_model()
    try:
        return model._meta.get_field(model.get_email_field_name()).name
    except FieldDoesNotExist:
        return ""
