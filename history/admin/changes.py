"""The change of each listed entry since the previous version: its fields, its flags, and the score before."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from history.comparison.diff import Difference, diff
from history.comparison.flags import Flag, flags_for, has_lower_grade
from history.comparison.json_diff import ChangeKind
from history.models import Entry, PendingHistory
from history.reading.chain import LINK_COLUMNS
from history.reading.committed import EntryKey
from history.reading.predecessors import entries_by_key, pending_by_key, previous_key
from kvstore.admin.rendering import score_text
from kvstore.staff.text import shorten

COMPARED_BYTES = 20_000
"""a larger state is not compared in a list, which reads up to 500 states at once"""

SHOWN_FIELDS = 6
SHOWN_NAME = 40
"""characters"""

FILTERED_FLAGS = (Flag.ANSWERS_EMPTIED, Flag.FIELD_REMOVED, Flag.GRADE_DECREASED, Flag.ATTEMPTS_DECREASED)
"""flags that a list can be filtered by; each compares a version with the previous one"""

GRADE_COLUMNS = (*LINK_COLUMNS, "grade", "max_grade")
NO_DIFFERENCE = Difference((), 0, ())


@dataclass(frozen=True)
class EntryChange:
    """The difference of a listed entry from the version that it follows."""

    flags: tuple[Flag, ...] = ()
    changed: Mapping[str, ChangeKind] = field(default_factory=dict)
    """every changed field, sorted by name; empty if the states were not compared"""
    score_before: str = ""
    is_too_large: bool = False
    """whether a state has more than COMPARED_BYTES"""
    is_unknown: bool = False
    """whether the previous version was not found"""

    @property
    def fields(self) -> Sequence[tuple[str, ChangeKind]]:
        """The shortened names of the first changed fields, and the kind of each change."""
        return [(shorten(name, SHOWN_NAME), kind) for name, kind in islice(self.changed.items(), SHOWN_FIELDS)]

    @property
    def more_fields(self) -> int:
        return max(len(self.changed) - SHOWN_FIELDS, 0)

    def may_have(self, flags: Collection[Flag]) -> bool:
        """Return whether the entry has one of these flags, or may have one because a state is too large to compare."""
        return self.is_too_large or not set(flags).isdisjoint(self.flags)


def add_changes(entries: Sequence[Any]) -> int:
    """Set ``change`` on entries of one model; return how many characters of states were read.

    The states are read in one query, and in one more on ``default`` for those that are not delivered. Pending entries
    are compared with pending entries only: their list does not read the history database.
    """
    stored = _stored(entries, {entry.key for entry in entries} | _previous_keys(entries), _with_states)
    for entry in entries:
        entry.change = _change(stored.get(entry.key), _before(entry, stored))
    return sum(len(one.small_state or "") for one in stored.values())


def with_lower_grade(entries: Sequence[Any]) -> list[Any]:
    """Return those entries that have the flag GRADE_DECREASED. Reads no states."""
    stored = _stored(entries, _previous_keys(entries), lambda versions: versions.only(*GRADE_COLUMNS))
    pairs = [(entry, _before(entry, stored)) for entry in entries]
    return [entry for entry, before in pairs if before is not None and has_lower_grade(entry, before)]


def comparable(entries: Iterable[Any]) -> list[Any]:
    """Return those entries that may have one of FILTERED_FLAGS: not the first version of a row, and no deletion."""
    return [entry for entry in entries if entry.previous is not None and entry.action != Entry.Action.DELETED]


def _with_states(entries: Any) -> Any:
    return entries.with_state_up_to(COMPARED_BYTES).only(*GRADE_COLUMNS, "request_id")


def _previous_keys(entries: Iterable[Any]) -> set[EntryKey]:
    return {key for key in map(previous_key, entries) if key is not None}


def _before(entry: Any, stored: Mapping[EntryKey, Any]) -> Any:
    key = previous_key(entry)
    return None if key is None else stored.get(key)


def _stored(entries: Sequence[Any], keys: Collection[EntryKey], prepare: Any) -> dict[EntryKey, Any]:
    read = pending_by_key if entries and isinstance(entries[0], PendingHistory) else entries_by_key
    return read(keys, prepare) if keys else {}


def _change(entry: Any, before: Any) -> EntryChange:
    """Compare an entry with the version it follows. Both have the columns of :func:`_with_states`, or are None."""
    if entry is None:
        # Delivered, and so removed from this table, since the list was read.
        return EntryChange(is_unknown=True)
    is_unknown = before is None and entry.previous is not None
    versions = [version for version in (entry, before) if version is not None]
    is_too_large = any(version.size is not None and version.small_state is None for version in versions)
    for version in versions:
        version.state = version.small_state
    is_compared = not (is_unknown or is_too_large)
    difference = diff(before.state if before else None, entry.state, limit=0) if is_compared else NO_DIFFERENCE
    return EntryChange(
        flags=flags_for(entry, before, difference),
        changed=difference.changed_fields(),
        score_before=score_text(before) if before else "",
        is_too_large=is_too_large,
        is_unknown=is_unknown,
    )
