"""Parse the search box into lookups that an index serves, or that a list applies to a limited number of rows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db.models import Model
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kvstore.admin.search.blocks import block
from kvstore.admin.search.exact import certain, exact
from kvstore.admin.search.meanings import (
    SHOWN,
    AmbiguousSearch,
    Choice,
    InvalidSearch,
    Lookups,
    Meaning,
    Understood,
    merge,
)
from kvstore.admin.search.names import named
from kvstore.admin.search.terms import PEOPLE, Term, groups, is_word, terms_of
from kvstore.staff.text import shorten

MAX_TERMS = 8

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

ENTRY_LOOKUPS = {"actor": "actor_id", "reason": "reason__icontains", "request": "request_id"}
"""the lookups that only lists of entries have"""
TITLES = {
    "student_id": gettext_lazy("learner"),
    "actor_id": gettext_lazy("actor"),
    "course_id": gettext_lazy("course"),
    "module_state_key": gettext_lazy("block"),
    "reason__icontains": gettext_lazy("reason contains"),
    "request_id": gettext_lazy("request"),
}


def lookups_for(search: str, model: type[Model], id_column: str) -> Lookups:
    """Return the lookups of a search. Raises InvalidSearch."""
    return understand(search, model, id_column, {}).lookups


def understand(search: str, model: type[Model], id_column: str, known: Mapping[str, Any]) -> Understood:
    """Return the lookups of a search in a list of ``model``; ``id_column`` contains the ids of rows.

    ``known`` contains the lookups of the filters. Words that are no address, key or number are the name of one learner,
    and the short ids of blocks. ``learner:NUMBER`` is the id of a user, who may be deleted, if no user has that name.
    Raises InvalidSearch, and AmbiguousSearch if a term has several meanings.
    """
    terms = terms_of(search)
    if len(terms) > MAX_TERMS:
        raise InvalidSearch(_("A search takes up to %(most)d terms.") % {"most": MAX_TERMS})
    columns = {field.name for field in model._meta.get_fields()}
    meanings: list[Meaning] = []
    lookups: Lookups = {}
    for group in groups(terms):
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


def _meanings(group: Sequence[Term], columns: set[str], id_column: str, course: Any) -> Iterator[Meaning]:
    """Yield the meanings of a term or of the words of a name. Raises InvalidSearch."""
    term = group[0]
    if term.kind in ENTRY_LOOKUPS and ENTRY_LOOKUPS[term.kind].partition("__")[0] not in columns:
        raise InvalidSearch(
            _("This list cannot be searched for %(kind)s: its rows do not have it. Search the history entries.")
            % {"kind": f"{term.kind}:"}
        )
    if term.kind in PEOPLE or (not term.kind and is_word(term)):
        yield from named(group, course)
    elif term.kind == "block":
        yield block(term, course)
    elif term.kind in ENTRY_LOOKUPS:
        yield certain(ENTRY_LOOKUPS[term.kind], term.text, term)
    else:
        yield certain(*exact(term, id_column), term)


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
