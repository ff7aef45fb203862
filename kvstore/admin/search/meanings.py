"""The meanings of the terms of a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

SHOWN = 100
"""characters of a term in a message"""

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


def merge(lookups: Lookups, more: Lookups) -> None:
    """Add lookups to ``lookups``. Raises InvalidSearch if two of them contradict each other."""
    for name, value in more.items():
        if lookups.setdefault(name, value) != value:
            both = {"one": lookups[name], "other": value}
            raise InvalidSearch(_("No row matches both %(one)s and %(other)s.") % both)
