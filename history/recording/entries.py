"""Entries as tuples of their columns: they are written by the hundred, and none needs an instance."""

from __future__ import annotations

from history.models import Entry
from kvstore.signals import StateVersion

COLUMNS = StateVersion._fields


def values_of(entry: Entry) -> StateVersion:
    """Return the values of a stored entry, its keys as text."""
    values = StateVersion(*(getattr(entry, name) for name in COLUMNS))
    return values._replace(
        action=str(entry.action), course_id=str(entry.course_id), module_state_key=str(entry.module_state_key)
    )
