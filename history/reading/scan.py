"""Reads rows and entries of both databases in the order of row ids, in constant memory."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db import models, router

from history.models import PendingHistory, StudentModuleHistory
from history.querysets import on_primary
from history.reading.paging import in_pages, newest_first
from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from kvstore.signals import StateVersion
from kvstore.storage.reading import stored_text

PAGE_SIZE = 200
"""entries with their states in one query; states may be large"""
LINK_PAGE_SIZE = 2000
"""entries without their states in one query"""

KEYS = ("course_id", "module_state_key")

Identity = tuple[int, str, str]
"""the learner, the course and the block"""


class StoredRow(NamedTuple):
    """A row of StudentModule."""

    row_id: int
    student_id: int
    course_id: str
    module_state_key: str
    module_type: str
    state: str | None
    grade: float | None
    max_grade: float | None
    version: int
    modified: datetime
    digest: bytes | None

    @property
    def identity(self) -> Identity:
        return self.student_id, self.course_id, self.module_state_key


def next_row_ids(after: int, count: int) -> list[int]:
    """Return the lowest row ids above ``after`` in the state, the pending and the delivered entries, in order."""
    state = on_primary(StudentModule).filter(pk__gt=after).order_by("pk")
    ids = set(state.values_list("pk", flat=True)[:count])
    # Pending entries first: an entry may be delivered between the two queries.
    for entries in (on_primary(PendingHistory), delivered()):
        above = entries.filter(student_module_id__gt=after).order_by("student_module_id")
        ids |= set(above.values_list("student_module_id", flat=True).distinct()[:count])
    return sorted(ids)[:count]


def rows_between(first: int, last: int, *, with_states: bool = True) -> Mapping[int, StoredRow]:
    """Return the rows with these ids, both included, by id. Without ``with_states`` the states are None."""
    rows = on_primary(StudentModule).filter(pk__range=(first, last))
    columns = stored_columns(StoredRow._fields[1:], with_states=with_states)
    return {values[0]: StoredRow(*values) for values in rows.values_list("pk", *columns)}


def entries_between(first: int, last: int, *, with_states: bool = True) -> Iterator[StateVersion]:
    """Yield the entries of these rows, pending and delivered, by falling row id and version.

    An entry may come twice. Without ``with_states`` the states are None.
    """
    columns = stored_columns(StateVersion._fields, with_states=with_states)
    rows = models.Q(student_module_id__range=(first, last))
    # Pending entries first: an entry may be delivered between the two queries.
    pending = _fetch(on_primary(PendingHistory).filter(rows).values_list(*columns))
    pages = in_pages(
        delivered().filter(rows).values_list(*columns), PAGE_SIZE if with_states else LINK_PAGE_SIZE, _fetch
    )
    return heapq.merge(sorted(pending, key=newest_first), pages, key=newest_first)


def delivered() -> models.QuerySet[StudentModuleHistory]:
    """Return the entries of the history database in a query set that may delete them."""
    return unguarded(StudentModuleHistory, router.db_for_write(StudentModuleHistory))


def stored_columns(names: Iterable[str], *, with_states: bool) -> list[Any]:
    """Return arguments of ``values_list()`` for columns, keys as text; without ``with_states`` the state is None."""
    unread = {} if with_states else {"state": models.Value(None, output_field=models.TextField())}
    return [unread.get(name, stored_text(name) if name in KEYS else name) for name in names]


def _fetch(entries: models.QuerySet[Any]) -> list[StateVersion]:
    return [StateVersion(*values) for values in entries]
