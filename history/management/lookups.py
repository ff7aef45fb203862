"""Finds the learner and the block, and parses the time, that a command-line argument names."""

from argparse import ArgumentTypeError
from datetime import datetime

from django.core.management.base import CommandError
from django.utils.translation import gettext as _
from opaque_keys.edx.keys import LearningContextKey, UsageKey

from kvstore.exceptions import UnusableKey
from kvstore.keys import BlockAddress, block_address, key_from_text
from kvstore.staff.dates import InvalidFilterValue, earliest
from kvstore.staff.page_urls import ADDRESS, keys_in
from kvstore.staff.people import MAX_MATCHES, find_users
from kvstore.staff.users import User, id_from_text, names_for

ID_PREFIX = "id:"


class UsernameCache:
    """Usernames by user id; queries each user once."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}

    def __call__(self, user_id: int) -> str:
        """Return the username; empty for a deleted user."""
        if user_id not in self._names:
            self._names[user_id] = names_for({user_id}).get(user_id, "")
        return self._names[user_id]


def learner(text: str) -> User:
    """Return the learner with this username, e-mail address or, after ``id:``, id. Raises CommandError.

    An id need not exist: the history contains those of deleted users.
    """
    if text.startswith(ID_PREFIX):
        number = id_from_text(text.removeprefix(ID_PREFIX))
        if number is None:
            raise CommandError(_("%(text)r is not the id of a user; write it like id:42.") % {"text": text[:100]})
        return User(number, UsernameCache()(number))
    users = find_users(text)
    # A username is preferred to the e-mail address of another user.
    users = [user for user in users if user.name == text] or users
    if len(users) > 1:
        ids = ", ".join(f"id:{user.pk}" for user in users[:MAX_MATCHES])
        raise CommandError(_("Several users have %(text)r: %(ids)s.") % {"text": text[:100], "ids": ids})
    if users:
        return users[0]
    raise CommandError(
        _("No user has the username or e-mail address %(text)r. Use id:NUMBER for a deleted user.")
        % {"text": text[:100]}
    )


def block(text: str, course: str | None = None) -> BlockAddress:
    """Return the address of the block with this usage key, or with the usage key in this URL. Raises CommandError.

    ``course`` applies to keys of the old form only, which do not contain their run.
    """
    try:
        course_key = key_from_text(course, LearningContextKey) if course else None
        return block_address(_usage_key(text), course_key)
    except UnusableKey as error:
        hint = "" if course else _(" For a key of the old form, name its course with --course.")
        raise CommandError(f"{error}{hint}") from error


def moment(text: str) -> datetime:
    """Parse a date or a time, in the current time zone unless the text names another. Raises ArgumentTypeError."""
    try:
        return earliest(text)
    except InvalidFilterValue as error:
        raise ArgumentTypeError(str(error)) from error


def _usage_key(text: str) -> UsageKey:
    found = keys_in(text)[0] if ADDRESS.match(text) else None
    return found or key_from_text(text, UsageKey)
