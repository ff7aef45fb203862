"""Words that are the name of a user, or the id of a block."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.utils.translation import gettext as _

from kvstore.admin.search.blocks import block_by_id, block_limit
from kvstore.admin.search.meanings import SHOWN, Candidate, InvalidSearch, Meaning
from kvstore.admin.search.terms import PEOPLE, USER_ID, Term
from kvstore.staff import people
from kvstore.staff.users import display_name, id_from_text, names_for


def named(group: Sequence[Term], course: Any) -> Iterator[Meaning]:
    """Yield the meaning of the words of a name, of which one may be the id of a block instead."""
    column = PEOPLE[group[0].kind or "learner"]
    by_id = _person_by_id(group) if group[0].kind else None
    found = by_id or _person_by_name(group, column)
    if isinstance(found, Meaning):
        yield found
        return
    # An explicit kind belongs to the first word.
    blocks = {term: block_by_id(term, course) for term in group if not term.kind}
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
    label = display_name(user_id, names_for({user_id}))
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
        sentences.append(_("Also searched the ids of blocks that have a learner's state.") + " " + block_limit())
    return " ".join(sentences)
