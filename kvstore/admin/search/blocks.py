"""Terms that are a block: a key, an address or a short id."""

from typing import Any

from django.utils.translation import gettext as _

from kvstore.admin.search.block_ids import MOST_TYPES, find_blocks
from kvstore.admin.search.exact import certain, key_of
from kvstore.admin.search.meanings import Candidate, InvalidSearch, Meaning
from kvstore.admin.search.terms import Term


def block(term: Term, course: Any) -> Meaning:
    """Return the meaning of ``block:``: a key, an address or a short id."""
    try:
        return certain(*key_of(term.text, "block"), term)
    except InvalidSearch as error:
        meaning = block_by_id(term, course)
        if meaning is None:
            where = _("no block with a learner's state has this id") + (f" ({course})" if course else "")
            raise InvalidSearch(f"{str(error).rstrip('.')}, {where}. {block_limit()}") from error
        return meaning


def block_limit() -> str:
    return _("Up to %(most)d pairs of a course and a block type are searched; keys of older forms are not.") % {
        "most": MOST_TYPES
    }


def block_by_id(term: Term, course: Any) -> Meaning | None:
    found = find_blocks(term.text, course)
    if not found.keys:
        return None
    candidates = [Candidate(key, str(key), f"block:{key}") for key in found.keys]
    return Meaning("module_state_key", term.raw, candidates, found.more)
