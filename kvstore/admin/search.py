"""Parse the search box into lookups that an index serves, or that a list applies to a limited number of rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from django.db.models import Model
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from opaque_keys.edx.keys import LearningContextKey, UsageKey

from kvstore.admin.block_ids import MOST_TYPES, find_blocks
from kvstore.exceptions import UnusableKey
from kvstore.keys import key_from_text
from kvstore.staff import page_urls, people
from kvstore.staff.text import shorten
from kvstore.staff.users import display_name, id_from_text, usernames_for

KINDS = "learner|actor|course|block|id|reason|request"
KIND = re.compile(rf"({KINDS}):\s*(.+)", re.IGNORECASE | re.DOTALL)
TERM = re.compile(rf"""((?:(?:{KINDS}):\s*)?(?:"[^"]*"|'[^']*'|\S+))""", re.IGNORECASE)
MAX_TERMS = 8
SHOWN = 100
"""characters of a term in a message"""
USER_ID = "id:"

HELP = gettext_lazy(
    "A name or a part of it, an e-mail address, a block id, a key, a row number, or the address of a courseware page. "
    "Or learner:NAME, actor:NAME, course:KEY, block:ID, id:NUMBER, request:ID, reason:TEXT; one or more of them."
)
EXAMPLES = (
    ("tariq rahman", gettext_lazy("a learner, by parts of the first name, the last name or the user name")),
    ("tariq@school.example", gettext_lazy("a learner, by the e-mail address")),
    ("learner:id:42", gettext_lazy("a learner, also a deleted one, by the id of the account")),
    ("block:problem_3", gettext_lazy("a block, by its id in any course, or by its complete key")),
    ("course:course-v1:Org+Course+Run", gettext_lazy("a course, by its key")),
    ("actor:robin", gettext_lazy("history entries, by the user who made the change")),
    ("request:ID", gettext_lazy("history entries, by the id of the request")),
    ('reason:"nightly regrade"', gettext_lazy("history entries, by a part of the reason")),
)
"""searches, and the meaning of each"""

KEYS: dict[str, tuple[str, Any, Any]] = {
    "block": ("module_state_key", UsageKey, gettext_lazy("%(text)r is not the key of a block")),
    "course": ("course_id", LearningContextKey, gettext_lazy("%(text)r is not the key of a course")),
}
"""the column, the class and the error message of each kind of key"""
PEOPLE = {"learner": "student_id", "actor": "actor_id"}
"""the columns with ids of users"""
ENTRY_LOOKUPS = {"actor": "actor_id", "reason": "reason__icontains", "request": "request_id"}
"""the lookups that only lists of entries have"""
TITLES = {
    "student_id": gettext_lazy("learner"),
    "actor_id": gettext_lazy("changed by"),
    "course_id": gettext_lazy("course"),
    "module_state_key": gettext_lazy("block"),
    "reason__icontains": gettext_lazy("reason contains"),
    "request_id": gettext_lazy("request"),
}

Lookups = dict[str, Any]


class InvalidSearch(ValueError):
    """A search cannot match anything; the message is for staff."""


class Candidate(NamedTuple):
    """One meaning of a term."""

    value: Any
    label: str
    term: str
    """the term that has this meaning only"""


class Meaning(NamedTuple):
    """The column that a term restricts, and the candidates for its value."""

    column: str
    raw: str
    """the term as typed"""
    candidates: Sequence[Candidate]
    more: bool = False
    """whether there are further candidates"""


class Choice(NamedTuple):
    """One of the searches that an ambiguous search may mean."""

    label: str
    search: str
    column: str
    value: Any


class AmbiguousSearch(InvalidSearch):
    """A term has several meanings; the message is for staff."""

    def __init__(self, message: str, choices: list[Choice], lookups: Lookups) -> None:
        super().__init__(message)
        self.choices = choices
        self.lookups = lookups
        """of the other terms"""


class Understood(NamedTuple):
    """A search without ambiguity."""

    lookups: Lookups
    descriptions: list[tuple[str, str]]
    """the title and the value of each lookup, for staff"""


class Term(NamedTuple):
    """A word, or a kind with a text."""

    raw: str
    kind: str
    text: str


def lookups_for(search: str, model: type[Model], id_column: str) -> Lookups:
    """Return the lookups of a search. Raises InvalidSearch."""
    return understand(search, model, id_column, {}).lookups


def understand(search: str, model: type[Model], id_column: str, known: Mapping[str, Any]) -> Understood:
    """Return the lookups of a search in a list of ``model``; ``id_column`` contains the ids of rows.

    ``known`` contains the lookups of the filters. Words that are no address, key or number are the name of one learner,
    and the short ids of blocks. ``learner:NUMBER`` is the id of a user, who may be deleted, if no user has that name.
    Raises InvalidSearch, and AmbiguousSearch if a term has several meanings.
    """
    terms = [_term(raw) for raw in TERM.findall(search)]
    if len(terms) > MAX_TERMS:
        raise InvalidSearch(_("A search takes up to %(most)d terms.") % {"most": MAX_TERMS})
    columns = {field.name for field in model._meta.get_fields()}
    meanings: list[Meaning] = []
    lookups: Lookups = {}
    for group in _groups(terms):
        course = lookups.get("course_id", known.get("course_id"))
        for meaning in _meanings(group, columns, id_column, course):
            meanings.append(meaning)
            if len(meaning.candidates) == 1:
                merge(lookups, {meaning.column: meaning.candidates[0].value})
    ambiguous = next((meaning for meaning in meanings if len(meaning.candidates) > 1), None)
    if ambiguous is not None:
        raise _ambiguity(ambiguous, meanings, lookups)
    found = [(meaning.column, meaning.candidates[0].label) for meaning in meanings]
    return Understood(lookups, [(str(TITLES.get(column, _("row"))), label) for column, label in found])


def merge(lookups: Lookups, more: Lookups) -> None:
    """Add lookups to ``lookups``. Raises InvalidSearch if two of them contradict each other."""
    for name, value in more.items():
        if lookups.setdefault(name, value) != value:
            both = {"one": lookups[name], "other": value}
            raise InvalidSearch(_("No row matches both %(one)s and %(other)s.") % both)


def _term(raw: str) -> Term:
    text = _unquoted(raw)
    match = KIND.fullmatch(text)
    return Term(raw, match[1].lower(), _unquoted(match[2])) if match else Term(raw, "", text)


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _groups(terms: Sequence[Term]) -> list[list[Term]]:
    """Group the words of a name: the words after ``learner:`` or ``actor:``, and all other words.

    Groups with a course come first, because a course restricts the search for a block id.
    """
    groups: list[list[Term]] = []
    words: list[Term] = []
    follows: list[Term] | None = None
    for term in terms:
        if term.text and _is_word(term):
            target = words if follows is None else follows
            target.append(term)
        elif term.text:
            groups.append([term])
            is_id = id_from_text(term.text.removeprefix(USER_ID)) is not None
            is_open = term.kind in PEOPLE and not is_id and not term.raw.endswith(("'", '"'))
            follows = groups[-1] if is_open else None
    if words:
        groups.append(words)
    return sorted(groups, key=lambda group: group[0].kind != "course")


def _is_word(term: Term) -> bool:
    is_number = id_from_text(term.text) is not None
    return not (term.kind or is_number or page_urls.ADDRESS.match(term.text) or _key_in(term.text))


def _key_in(text: str) -> tuple[str, Any] | None:
    """Return the column and the value of a key; None if the text is not a key."""
    for column, key_class, _message in KEYS.values():
        try:
            return column, key_from_text(text, key_class)
        except UnusableKey:
            continue
    return None


def _meanings(group: Sequence[Term], columns: set[str], id_column: str, course: Any) -> Iterator[Meaning]:
    """Yield the meanings of a term or of the words of a name. Raises InvalidSearch."""
    term = group[0]
    if term.kind in ENTRY_LOOKUPS and ENTRY_LOOKUPS[term.kind].partition("__")[0] not in columns:
        raise InvalidSearch(
            _("This list cannot be searched for %(kind)s: its rows do not have it. Search the history entries.")
            % {"kind": f"{term.kind}:"}
        )
    if term.kind in PEOPLE or (not term.kind and _is_word(term)):
        yield from _people(group, course)
    elif term.kind == "block":
        yield _block(term, course)
    elif term.kind in ENTRY_LOOKUPS:
        yield _certain(ENTRY_LOOKUPS[term.kind], term.text, term)
    else:
        yield _certain(*_exact(term, id_column), term)


def _certain(column: str, value: Any, term: Term) -> Meaning:
    return Meaning(column, term.raw, [Candidate(value, shorten(str(value), 2 * SHOWN), term.raw)])


def _exact(term: Term, id_column: str) -> tuple[str, Any]:
    """Return the column and the value of an address, a key or a number."""
    text = term.text
    if term.kind == "id":
        return id_column, _id(text)
    if term.kind == "course":
        return _key(text, "course")
    if page_urls.ADDRESS.match(text):
        return _address(text)
    key = _key_in(text)
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


def _key(text: str, kind: str) -> tuple[str, Any]:
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


def _block(term: Term, course: Any) -> Meaning:
    """Return the meaning of ``block:``: a key, an address or a short id."""
    try:
        return _certain(*_key(term.text, "block"), term)
    except InvalidSearch as error:
        meaning = _block_id(term, course)
        if meaning is None:
            where = _("no block with a learner's state has this id") + (f" ({course})" if course else "")
            raise InvalidSearch(f"{str(error).rstrip('.')}, {where}. {_block_limit()}") from error
        return meaning


def _block_limit() -> str:
    return _("Up to %(most)d pairs of a course and a block type are searched; keys of older forms are not.") % {
        "most": MOST_TYPES
    }


def _block_id(term: Term, course: Any) -> Meaning | None:
    found = find_blocks(term.text, course)
    if not found.keys:
        return None
    candidates = [Candidate(key, str(key), f"block:{key}") for key in found.keys]
    return Meaning("module_state_key", term.raw, candidates, found.more)


def _people(group: Sequence[Term], course: Any) -> Iterator[Meaning]:
    """Yield the meaning of the words of a name, of which one may be the id of a block instead."""
    column = PEOPLE[group[0].kind or "learner"]
    by_id = _person_by_id(group) if group[0].kind else None
    found = by_id or _person_by_name(group, column)
    if isinstance(found, Meaning):
        yield found
        return
    # An explicit kind belongs to the first word.
    blocks = {term: _block_id(term, course) for term in group if not term.kind}
    names = [term for term in group if blocks.get(term) is None]
    if len(names) == len(group):
        raise InvalidSearch(_not_found(group, found))
    yield from (block for block in blocks.values() if block is not None)
    if names:
        found = _person_by_name(names, column)
        if not isinstance(found, Meaning):
            raise InvalidSearch(_not_found(names, found))
        yield found


def _person_by_id(group: Sequence[Term]) -> Meaning | None:
    """Return the user with the id ``id:NUMBER``, or ``NUMBER`` if no user has that name; the user may be deleted."""
    (text, *others) = (term.text for term in group)
    user_id = id_from_text(text.removeprefix(USER_ID))
    is_name = user_id is not None and not text.startswith(USER_ID) and people.find_by_index(text)
    if user_id is None or is_name or others:
        return None
    label = display_name(user_id, usernames_for({user_id}))
    return Meaning(PEOPLE[group[0].kind], group[0].raw, [Candidate(user_id, label, group[0].raw)])


def _person_by_name(group: Sequence[Term], column: str) -> Meaning | people.FoundPeople:
    """Return the users with a name; if there are none, the empty result."""
    found = people.find_people([word for term in group for word in term.text.split()])
    if not found.people:
        return found
    kind = next(kind for kind, name in PEOPLE.items() if name == column)
    candidates = [Candidate(person.pk, person.label, f"{kind}:{USER_ID}{person.pk}") for person in found.people]
    return Meaning(column, " ".join(term.raw for term in group), candidates, found.more)


def _not_found(group: Sequence[Term], found: people.FoundPeople) -> str:
    """Return the sentences about a name that was not found: the name, where it was searched, and the limit."""
    text = " ".join(term.text for term in group)[:SHOWN]
    sentences = [
        _("No learner has the name or e-mail address %(text)r.") % {"text": text}
        if group[0].kind == "learner"
        else _("No user has the name or e-mail address %(text)r.") % {"text": text}
        if group[0].kind
        else _("No learner, block or course matches %(text)r.") % {"text": text}
    ]
    fields = ", ".join(people.searched_fields(with_email="@" in text))
    if found.is_complete:
        sentences.append(_("Searched all accounts for parts of: %(fields)s, in any letter case.") % {"fields": fields})
    else:
        sentences.append(
            _(
                "Searched the newest %(count)d accounts for parts of: %(fields)s, in any letter case. An older account "
                "is found by its exact user name, or by learner:id:NUMBER."
            )
            % {"fields": fields, "count": people.SCANNED_USERS}
        )
    if not group[0].kind:
        sentences.append(_("Also searched the ids of blocks that have a learner's state.") + " " + _block_limit())
    return " ".join(sentences)


def _ambiguity(ambiguous: Meaning, meanings: Sequence[Meaning], lookups: Lookups) -> AmbiguousSearch:
    message = (
        _("Several blocks have the id %(text)s. Choose one:")
        if ambiguous.column == "module_state_key"
        else _("Several learners match %(text)s. Choose one:")
        if ambiguous.column == "student_id"
        else _("Several users match %(text)s. Choose one:")
    ) % {"text": shorten(ambiguous.raw, SHOWN)}
    if ambiguous.more:
        message += " " + _("There are more than these %(count)d; add to the search to see fewer.") % {
            "count": len(ambiguous.candidates)
        }
    others = [
        meaning.candidates[0].term if len(meaning.candidates) == 1 else meaning.raw
        for meaning in meanings
        if meaning is not ambiguous
    ]
    choices = [
        Choice(candidate.label, " ".join([*others, candidate.term]), ambiguous.column, candidate.value)
        for candidate in ambiguous.candidates
    ]
    return AmbiguousSearch(message, choices, lookups)
