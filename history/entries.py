"""What an entry says, as a tuple of its columns: entries are written by the hundred, and none needs an instance."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from history.context import Change
from history.models import Entry
from kvstore.signals import StateVersion


class EntryValues(NamedTuple):
    """One version, delivered or waiting: the columns that both have, keys as their text."""

    student_module_id: int
    version: int
    action: str
    student_id: int
    course_id: str
    module_state_key: str
    module_type: str
    state: str | None
    grade: float | None
    max_grade: float | None
    created: datetime
    actor_id: int | None = None
    reason: str = ""
    request_id: str = ""
    source_id: int | None = None
    source_version: int | None = None

    @classmethod
    def of(cls, entry: Entry) -> EntryValues:
        """Return what a stored entry says."""
        values = cls(*(getattr(entry, name) for name in cls._fields))
        return values._replace(course_id=str(entry.course_id), module_state_key=str(entry.module_state_key))


def entries_of(versions: Iterable[StateVersion], change: Change) -> list[EntryValues]:
    """Return the entries of versions that are just being made, with what is known of the change."""
    known = (change.actor_id, change.reason, change.request_id, *(change.source or (None, None)))
    return [
        EntryValues(
            version.student_module_id,
            version.version,
            version.action,
            version.student_id,
            version.course_id,
            version.module_state_key,
            version.module_type,
            version.state,
            version.grade,
            version.max_grade,
            version.modified,
            *known,
        )
        for version in versions
    ]
