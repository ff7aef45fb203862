"""Find users by name, e-mail address or id, and name them on pages."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.db import router
from django.db.models import Q
from django.utils.translation import gettext as _

MAX_ID = 2**63 - 1
MAX_MATCHES = 5
"""users that a message about an ambiguous name lists"""


class User(NamedTuple):
    """The id and the username of a user."""

    pk: int
    name: str


def find_users(text: str) -> list[User]:
    """Return the users with this username or e-mail address, one more than MAX_MATCHES at most."""
    model = get_user_model()
    name, email = model.USERNAME_FIELD, model.get_email_field_name()
    condition = Q(**{name: text})
    if "@" in text and email in {field.name for field in model._meta.get_fields()}:
        condition |= Q(**{email: text})
    return [User(*values) for values in _users().filter(condition).values_list("pk", name)[: MAX_MATCHES + 1]]


def id_from_text(text: str) -> int | None:
    """Return the id that a text of decimal digits contains; None for other texts and for more than 64 bits."""
    is_id = text.isdecimal() and len(text) <= len(str(MAX_ID)) and int(text) <= MAX_ID
    return int(text) if is_id else None


def usernames_for(ids: Collection[int]) -> dict[int, str]:
    """Return the usernames of existing users by id, in one query.

    Not a join: with one, the planner may leave the order of the list's index.
    """
    return dict(_users().filter(pk__in=ids).values_list("pk", get_user_model().USERNAME_FIELD)) if ids else {}


def display_name(user_id: int, usernames: Mapping[int, str]) -> str:
    """Return the username, or a placeholder for a deleted user."""
    return usernames.get(user_id) or _("user %(id)s, deleted") % {"id": user_id}


def _users() -> Any:
    model = get_user_model()
    return model._base_manager.using(router.db_for_read(model))
