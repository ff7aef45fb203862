"""Parses the criteria that staff type into a selection, and formats the command for typed criteria."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from opaque_keys.edx.keys import LearningContextKey, UsageKey

from history.exceptions import UnusableSelection
from history.incident.selection import Selection
from kvstore.exceptions import UnusableKey
from kvstore.keys import key_from_text
from kvstore.staff.dates import InvalidFilterValue, earliest, latest
from kvstore.staff.page_urls import ADDRESS, keys_in
from kvstore.staff.people import find_users
from kvstore.staff.users import id_from_text

CRITERIA = ("course", "block", "block_type", "actor", "request_id", "recorded_reason", "since", "until")
"""the names of the criteria: of the page's inputs, and with hyphens of the command's options"""

ID_PREFIX = "id:"

Texts = Mapping[str, str]
"""typed criteria by name; a missing one and an empty one are no criterion"""


def selection_from(texts: Texts) -> Selection:
    """Return the selection of typed criteria. Raises UnusableSelection.

    A course and a block are keys or the addresses of pages that contain them; the actor is a username, an e-mail
    address or ``id:`` and the id of a user, who may be deleted. Times are ISO 8601, by default in the current time
    zone. The end of a date is the beginning of the next day.
    """
    given = {name: text for name in CRITERIA if (text := texts.get(name, "").strip())}
    for text in given.values():
        _check_text(text)
    keys = {name: _key(given, name) for name in ("course", "block")}
    return Selection(
        **keys,
        block_type=given.get("block_type", ""),
        actor_id=_user_id(given["actor"]) if "actor" in given else None,
        # Not stripped: the recorded texts may begin or end with white space.
        request_id=texts.get("request_id", "") if "request_id" in given else "",
        reason=texts.get("recorded_reason", "") if "recorded_reason" in given else "",
        since=_moment(given["since"], is_end=False) if "since" in given else None,
        until=_moment(given["until"], is_end=True) if "until" in given else None,
    )


def command_line(texts: Texts, *options: str) -> str:
    """Return the complete command for typed criteria, quoted for a shell."""
    criteria = [f"{option_name(name)}={texts[name]}" for name in CRITERIA if texts.get(name, "").strip()]
    return shlex.join(["manage.py", "restore_history", *criteria, *options])


def option_name(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _check_text(text: str) -> None:
    """Raise UnusableSelection for a text that a database does not take."""
    if "\0" in text or any(0xD800 <= ord(character) <= 0xDFFF for character in text):
        raise UnusableSelection(_("%(text)r contains NUL or a lone surrogate.") % {"text": text[:100]})


def _key(given: Texts, name: str) -> Any:
    text = given.get(name)
    if text is None:
        return None
    if ADDRESS.match(text):
        block, course = keys_in(text)
        text = str((block if name == "block" else course) or text)
    try:
        # A plus sign that was not encoded in an address arrives as a space, which keys cannot contain.
        return key_from_text(text.replace(" ", "+"), UsageKey if name == "block" else LearningContextKey)
    except UnusableKey as error:
        raise UnusableSelection(str(error)) from error


def _user_id(text: str) -> int:
    if text.startswith(ID_PREFIX):
        number = id_from_text(text.removeprefix(ID_PREFIX))
        if number is None:
            raise UnusableSelection(_("%(text)r is not the id of a user; write it like id:42.") % {"text": text[:100]})
        return number
    users = find_users(text)
    # A username is preferred to the e-mail address of another user.
    users = [user for user in users if user.name == text] or users
    if len(users) > 1:
        raise UnusableSelection(_("Several users have the e-mail address %(text)r.") % {"text": text[:100]})
    if not users:
        raise UnusableSelection(
            _("No user has the username or e-mail address %(text)r. Write a deleted user like id:42.")
            % {"text": text[:100]}
        )
    return users[0].pk


def _moment(text: str, *, is_end: bool) -> datetime:
    try:
        return latest(text) if is_end else earliest(text)
    except InvalidFilterValue as error:
        raise UnusableSelection(str(error)) from error
