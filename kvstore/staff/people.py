"""Find users by parts of their names, and by username or e-mail address, in any letter case."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Concat

from kvstore.staff.users import Person, User, all_users, name_fields, people_in, person_from, text_fields

MAX_MATCHES = 5
"""users that the message of a command about an ambiguous name lists"""
MAX_FOUND = 20
"""users that a search returns"""
SCANNED_USERS = 100_000
"""accounts that a search without an index examines, the newest first"""
MAX_TEXT = 254
"""characters of a name or an e-mail address; a longer text matches no user"""


class FoundPeople(NamedTuple):
    """The result of a search for people."""

    people: list[Person]
    more: bool = False
    """whether further users match"""
    is_complete: bool = True
    """whether all accounts were examined, and not only the newest"""


def find_people(words: Sequence[str], *, by_part: bool = True) -> FoundPeople:
    """Return the users that match all words, MAX_FOUND at most.

    First an index finds the username as it was typed, or in lower case; the same for an e-mail address if the user
    model has an index of it. Without a match, and for e-mail addresses, the SCANNED_USERS newest accounts are examined:
    for this username or e-mail address in any letter case, and with ``by_part`` for parts of names and usernames and,
    if a word has an @, of e-mail addresses.
    """
    text = " ".join(words)
    if not text or len(text) > MAX_TEXT:
        return FoundPeople([])
    exact = find_by_index(text)
    if exact and "@" not in text:
        return FoundPeople(exact)
    scanned, oldest = _newest_accounts()
    rows = _matches(scanned, words, text, by_part=by_part and not exact)
    # A user with exactly this username or address is meant, and not others that contain it.
    same = [person_from(row[:-1]) for row in rows if row[-1] == 0]
    found = list(dict.fromkeys([*exact, *same])) or [person_from(row[:-1]) for row in rows]
    return FoundPeople(found[:MAX_FOUND], len(found) > MAX_FOUND, oldest is None)


def find_users(text: str) -> list[User]:
    """Return the users with this username or e-mail address in any letter case, MAX_MATCHES + 1 at most."""
    people = find_people([text], by_part=False).people
    return sorted(User(person.pk, person.username) for person in people[: MAX_MATCHES + 1])


def find_by_index(text: str) -> list[Person]:
    """Return the users with this username or indexed e-mail address; without one, those with it in lower case."""
    name, email = get_user_model().USERNAME_FIELD, _email_field()
    condition, texts = Q(**{f"{name}__in": {text, text.lower()}}), text_fields()
    if email and "@" in text and (texts[email].unique or texts[email].db_index):
        condition |= Q(**{f"{email}__in": {text, text.lower()}})
    people = people_in(all_users().filter(condition))
    if "@" in text:
        return people
    return [person for person in people if person.username == text] or people


def searched_fields(*, with_email: bool) -> list[str]:
    """Return the names of the fields that a search examines."""
    texts, email = text_fields(), _email_field()
    fields = [get_user_model().USERNAME_FIELD, *name_fields(), *([email] if email and with_email else [])]
    return [str(texts[name].verbose_name) for name in dict.fromkeys(fields) if name in texts]


def _newest_accounts() -> tuple[Any, int | None]:
    """Return the accounts that a search examines, and the lowest id of them; None if these are all accounts."""
    # A query of its own, so that the planner has the value when it plans the search.
    ids = all_users().order_by("-pk").values_list("pk", flat=True)
    for oldest in ids[SCANNED_USERS - 1 : SCANNED_USERS]:
        return all_users().filter(pk__gte=oldest), oldest
    return all_users(), None


def _matches(users: Any, words: Sequence[str], text: str, *, by_part: bool) -> list[tuple[Any, ...]]:
    """Return the values of MAX_FOUND + 1 matches, each with 0 if it has this username or e-mail address, otherwise 1.

    Those with 0 come first, then the newest.
    """
    identity = _has_identity(text)
    columns = (get_user_model().USERNAME_FIELD, *name_fields())
    names = Concat(*(part for column in columns for part in (F(column), Value(" "))), output_field=models.TextField())
    found = users.annotate(
        searched_names=names,
        search_rank=Case(When(identity, then=0), default=1, output_field=models.IntegerField()),
    ).filter(identity | _has_parts(words) if by_part else identity)
    values = found.order_by("search_rank", "-pk").values_list("pk", *columns, "search_rank")
    return list(values[: MAX_FOUND + 1])


def _has_identity(text: str) -> Q:
    email = _email_field()
    condition = Q(**{f"{get_user_model().USERNAME_FIELD}__iexact": text})
    return condition | Q(**{f"{email}__iexact": text}) if email and "@" in text else condition


def _has_parts(words: Sequence[str]) -> Q:
    """Return the condition that each word is a part of the names or, with an @, of the e-mail address."""
    email, condition = _email_field(), Q()
    for word in words:
        matches = Q()
        for form in _letter_cases(word):
            matches |= Q(searched_names__icontains=form)
            if email and "@" in word:
                matches |= Q(**{f"{email}__icontains": form})
        condition &= matches
    return condition


def _letter_cases(word: str) -> list[str]:
    """Return the word; with other letters than those of ASCII, of which SQLite compares the case, in each case."""
    return [word] if word.isascii() else sorted({word, word.lower(), word.upper(), word.capitalize()})


def _email_field() -> str | None:
    name = get_user_model().get_email_field_name()
    return name if name in text_fields() else None
