"""Reads the rows and the entries of both databases in the order of the row ids, in constant memory."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import models, router

from history.models import Entry, PendingHistory, StudentModuleHistory
from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from kvstore.signals import StateVersion
from kvstore.storage.reading import stored_text

PAGE_SIZE = 200
"""entries in one query, with their states, which may be large"""
LINK_PAGE_SIZE = 2000
"""entries in one query, without their states"""

KEYS = ("course_id", "module_state_key")

Identity = tuple[int, str, str]
"""the learner, the course and the block"""


class StoredRow(NamedTuple):
    """A row of the state as it stands."""

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
        """The learner, the course and the block."""
        return self.student_id, self.course_id, self.module_state_key


def next_row_ids(after: int, count: int) -> list[int]:
    """Return the lowest ids above ``after`` that the state, pending or delivered entries have, in order."""
    state = StudentModule.objects.using(router.db_for_write(StudentModule)).filter(pk__gt=after).order_by("pk")
    ids = set(state.values_list("pk", flat=True)[:count])
    # What is pending before what is delivered: it may be delivered in between.
    for entries in (_pending(), delivered()):
        above = entries.filter(student_module_id__gt=after).order_by("student_module_id")
        ids |= set(above.values_list("student_module_id", flat=True).distinct()[:count])
    return sorted(ids)[:count]


def rows_between(first: int, last: int, *, with_states: bool = True) -> Mapping[int, StoredRow]:
    """Return the rows of the state with these ids, both included, by id; the states are None if they are not read."""
    rows = StudentModule.objects.using(router.db_for_write(StudentModule)).filter(pk__range=(first, last))
    columns = _columns(StoredRow._fields[1:], with_states=with_states)
    return {values[0]: StoredRow(*values) for values in rows.values_list("pk", *columns)}


def entries_between(first: int, last: int, *, with_states: bool = True) -> Iterator[StateVersion]:
    """Yield the entries of these rows, pending and delivered, in falling order of row and version.

    An entry that is delivered meanwhile comes twice. The states are None if they are not read.
    """
    columns = _columns(StateVersion._fields, with_states=with_states)
    # What is pending before what is delivered: it may be delivered in between.
    pending = list(_values(_pending().filter(student_module_id__range=(first, last)), columns))
    delivered_ones = _delivered_between(first, last, columns, PAGE_SIZE if with_states else LINK_PAGE_SIZE)
    return heapq.merge(sorted(pending, key=_newest_first), delivered_ones, key=_newest_first)


def delivered() -> models.QuerySet[StudentModuleHistory]:
    """Return the entries of the history database, without the guards against removing them."""
    return unguarded(StudentModuleHistory, router.db_for_write(StudentModuleHistory))


def _pending() -> models.QuerySet[PendingHistory]:
    return PendingHistory.objects.using(router.db_for_write(PendingHistory))


def _columns(names: Iterable[str], *, with_states: bool) -> list[Any]:
    unread = {} if with_states else {"state": models.Value(None, output_field=models.TextField())}
    return [unread.get(name, stored_text(name) if name in KEYS else name) for name in names]


def _values(entries: models.QuerySet[Any], columns: Sequence[Any]) -> Iterator[StateVersion]:
    return (StateVersion(*values) for values in entries.values_list(*columns))


def _delivered_between(first: int, last: int, columns: Sequence[Any], size: int) -> Iterator[StateVersion]:
    """Yield the entries of these rows, in falling order of row and version, a page to a query.

    The last version of a page is read again with the next one; equal entries count once.
    """
    entries = delivered().filter(student_module_id__range=(first, last))
    newest_first = entries.order_by("-student_module_id", "-version")
    below = models.Q()
    while True:
        page = list(_values(newest_first.filter(below)[: size + 1], columns))
        yield from page
        if len(page) <= size:
            return
        row_id, version = page[-1].student_module_id, page[-1].version
        if _newest_first(page[0]) == _newest_first(page[-1]):
            yield from _values(entries.filter(student_module_id=row_id, version=version), columns)
            version -= 1
        below = models.Q(student_module_id__lt=row_id) | models.Q(student_module_id=row_id, version__lte=version)


def _newest_first(entry: Entry | StateVersion) -> tuple[int, int]:
    return -entry.student_module_id, -entry.version
