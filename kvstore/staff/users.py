"""Find users by id, and name them on pages."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.db import models, router
from django.utils.translation import gettext as _

from kvstore.staff.text import shorten

MAX_ID = 2**63 - 1
SHOWN_NAME = 80
"""characters"""

NAME_FIELDS = (("first_name", "last_name"), ("name",), ("full_name",))
"""fields with a person's name; the first group that the user model has any field of is used"""


class User(NamedTuple):
    """The id and the username of a user."""

    pk: int
    name: str


class Person(NamedTuple):
    """A user, and the text that names the user on pages."""

    pk: int
    username: str
    label: str


def id_from_text(text: str) -> int | None:
    """Return the id that a text of decimal digits contains; None for other texts and for more than 64 bits."""
    is_id = text.isdecimal() and len(text) <= len(str(MAX_ID)) and int(text) <= MAX_ID
    return int(text) if is_id else None


def names_for(ids: Collection[int]) -> dict[int, str]:
    """Return, by id, the texts that name existing users on pages, ``First Last (username)``, in one query.

    Unprintable characters are escaped, and long names are shortened. Not a join: with one, the planner may leave the
    order of the list's index.
    """
    return {person.pk: person.label for person in people_in(all_users().filter(pk__in=ids))} if ids else {}


def display_name(user_id: int, names: Mapping[int, str]) -> str:
    """Return the text of :func:`names_for`, or a placeholder for a deleted user."""
    return names.get(user_id) or _("user %(id)s, deleted") % {"id": user_id}


def all_users() -> Any:
    """Return a query set of all users, also of those that a project's default manager omits."""
    model = get_user_model()
    # Not from a replica: pages would state that a new user is deleted.
    return model._base_manager.using(router.db_for_write(model))


def people_in(users: Any) -> list[Person]:
    """Return the people of a query set."""
    return [person_from(values) for values in users.values_list("pk", get_user_model().USERNAME_FIELD, *name_fields())]


def person_from(values: tuple[Any, ...]) -> Person:
    """Return a person from the id, the username and the values of :func:`name_fields`."""
    pk, username, *names = values
    full = shorten(" ".join(name.strip() for name in names if name and name.strip()), SHOWN_NAME)
    account = shorten(str(username), SHOWN_NAME)
    label = _("%(name)s (%(username)s)") % {"name": full, "username": account} if full else account
    return Person(pk, str(username), label)


def name_fields() -> list[str]:
    """Return the fields of the user model that contain a person's name."""
    texts = text_fields()
    groups = ([name for name in group if name in texts] for group in NAME_FIELDS)
    return [name for name in next(filter(None, groups), []) if name != get_user_model().USERNAME_FIELD]


def text_fields() -> dict[str, Any]:
    """Return the fields of the user model with short texts, by name."""
    fields = get_user_model()._meta.concrete_fields
    return {field.name: field for field in fields if isinstance(field, models.CharField)}
