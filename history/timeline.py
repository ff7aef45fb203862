"""Reading the versions of a block for a learner: those that were committed, delivered or waiting, newest first."""

import heapq
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models, router
from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone
from opaque_keys.edx.keys import LearningContextKey, UsageKey

from history.models import Entry, PendingHistory, StudentModuleHistory
from history.reading import in_time
from kvstore.keys import BlockAddress, block_address
from kvstore.models import StudentModule
from kvstore.reading import CorruptRows

PAGE_SIZE = 1000
"""entries in one query"""

DELETED = StudentModuleHistory.Action.DELETED

Entries = models.QuerySet[StudentModuleHistory]
Columns = Callable[[models.QuerySet[Any]], models.QuerySet[Any]]
"""Chooses what is loaded of each entry."""


class Span(NamedTuple):
    """Which part of a timeline is meant; all of it, unless said."""

    older_than: tuple[int, int] | None = None
    """the id of a row and a version of it"""
    until: datetime | None = None
    """the last moment of it"""

    def covers(self, entry: Entry) -> bool:
        """Return whether the entry is in this part."""
        key = (entry.student_module_id, entry.version)
        return (self.older_than is None or key < self.older_than) and (
            self.until is None or entry.created <= self.until
        )

    def condition(self) -> Q:
        """Return the same as a filter."""
        condition = Q() if self.until is None else Q(created__lte=self.until)
        if self.older_than is not None:
            row_id, version = self.older_than
            condition &= Q(student_module_id__lt=row_id) | Q(student_module_id=row_id, version__lt=version)
        return condition


WHOLE = Span()


class Row(NamedTuple):
    """Whose timeline it is, and the row of the state as it stands, if there is one."""

    student_id: int | None
    row_id: int | None
    version: int | None


def timeline(learner: Any, usage_key: UsageKey, course_key: LearningContextKey | None = None) -> Iterator[Entry]:
    """Return the entries of a block for a learner, a user or a user's id, newest first.

    Entries that wait for delivery are among them, as PendingHistory. Earlier rows of the learner on this block, deleted
    since, are part of it, each ending in its ``deleted`` entry. ``course_key`` completes a usage key of the old form.
    Raises HistoryUnavailable.
    """
    return timeline_of(learner, block_address(usage_key, course_key))


def as_of(
    learner: Any, usage_key: UsageKey, moment: datetime, course_key: LearningContextKey | None = None
) -> Entry | None:
    """Return the entry that held at ``moment``, which knows its time zone: the last one written until then.

    None where the learner had no recorded state yet; an entry that says ``deleted`` where there was none any more.
    Raises HistoryUnavailable.
    """
    if settings.USE_TZ and timezone.is_naive(moment):
        raise ValueError(f"{moment} does not say its time zone; pass an aware datetime.")
    address = block_address(usage_key, course_key)
    return next(timeline_of(learner, address, Span(until=moment), page_size=1), None)


def timeline_of(
    learner: Any,
    address: BlockAddress,
    span: Span = WHOLE,
    *,
    columns: Columns = lambda entries: entries,
    page_size: int | None = None,
) -> Iterator[Entry]:
    """Return the part of a timeline that ``span`` says, in queries of ``page_size`` entries. See :func:`timeline`."""
    return _entries({"student_id": getattr(learner, "pk", learner)}, address, span, columns, page_size)


def parsed_versions(learner: Mapping[str, Any], address: BlockAddress) -> Iterator[tuple[dict[str, Any], datetime]]:
    """Yield the fields and the time of every version, newest first; then raise CorruptState for unreadable ones."""
    corrupt = CorruptRows(StudentModuleHistory._meta.db_table)
    names = ("id", "student_module_id", "version", "action", "state", "created")
    for entry in _entries(learner, address, columns=lambda entries: entries.values_list(*names, named=True)):
        fields = corrupt.parsed(entry.id, entry.state)
        if fields is not None:
            yield fields, entry.created
    corrupt.raise_if_any()


def _entries(
    learner: Mapping[str, Any],
    address: BlockAddress,
    span: Span = WHOLE,
    columns: Columns = lambda entries: entries,
    page_size: int | None = None,
) -> Iterator[Any]:
    # In this order: a version that is delivered between two of the queries is seen twice, never not at all; and
    # one that commits after the first of them is left out of both.
    row = _row(learner, address)
    of_block = {
        "module_state_key": address.usage_key,
        "course_id": address.course_id,
        "student_id": row.student_id,
    }
    waiting = _waiting(row, of_block, columns)
    delivered = _pages(columns(_delivered(row, of_block, waiting).filter(span.condition())), page_size or PAGE_SIZE)
    if not waiting:
        yield from delivered
        return
    covered = [entry for entry in waiting if span.covers(entry)]
    last = None
    for entry in heapq.merge(covered, delivered, key=_newest_first):
        place = _newest_first(entry)
        if place != last:
            yield entry
        last = place


def _newest_first(entry: Any) -> tuple[int, int]:
    return -entry.student_module_id, -entry.version


def _row(learner: Mapping[str, Any], address: BlockAddress) -> Row:
    rows = StudentModule.objects.using(router.db_for_read(StudentModule)).filter(
        module_state_key=address.usage_key, course_id=address.course_id
    )
    if "student_id" in learner:
        # Not first(): there is one at most, and an order by id would offer the planner other indexes.
        for row_id, version in rows.filter(**learner).values_list("id", "version"):
            return Row(learner["student_id"], row_id, version)
        return Row(learner["student_id"], None, None)
    # Asked by name: the learner's id is needed even where no row is left to tell it.
    model = get_user_model()
    users = model._base_manager.using(router.db_for_read(StudentModule))
    own = rows.filter(student_id=OuterRef("pk"))
    named = users.filter(**{column.removeprefix("student__"): value for column, value in learner.items()})
    for values in named.values_list("pk", Subquery(own.values("id")), Subquery(own.values("version"))):
        return Row(*values)
    return Row(None, None, None)


def _waiting(row: Row, of_block: Mapping[str, Any], columns: Columns) -> list[Any]:
    """Return the entries that wait beside the state, where none is that was not committed."""
    pending = columns(PendingHistory.objects.using(router.db_for_read(PendingHistory)).filter(**of_block))
    # What waits for a row above the version read committed since.
    current = [
        entry for entry in pending if entry.student_module_id != row.row_id or entry.version <= (row.version or 0)
    ]
    return sorted(current, key=_newest_first)


def _delivered(row: Row, of_block: Mapping[str, Any], waiting: list[Entry]) -> Entries:
    """Return the entries of the history database whose versions were committed."""
    entries = StudentModuleHistory.objects.using(router.db_for_read(StudentModuleHistory)).filter(**of_block)
    # A row that is gone was there, if an entry says that it was deleted; otherwise its insert was rolled back, and so
    # was what follows its deletion.
    end = entries.filter(action=DELETED, student_module_id=OuterRef("student_module_id"))
    committed = Q(version__lte=Subquery(end.order_by("version").values("version")[:1]))
    for entry in waiting:
        if entry.action == DELETED:
            committed |= Q(student_module_id=entry.student_module_id, version__lt=entry.version)
    if row.row_id is None:
        return entries.filter(committed)
    # An entry above the version of its row was rolled back.
    of_row = Q(student_module_id=row.row_id, version__lte=row.version)
    return entries.filter(of_row | Q(committed, ~Q(student_module_id=row.row_id)))


def _pages(entries: Entries, size: int) -> Iterator[StudentModuleHistory]:
    """Yield entries, newest first, a page to a query; each page starts after the last entry of the one before."""
    newest_first = entries.order_by("-student_module_id", "-version")
    found = _first(newest_first, size + 1)
    while found:
        yield from found[:size]
        # One more than a page tells that another follows.
        if len(found) <= size:
            return
        last = found[size - 1]
        found = _first(newest_first.filter(Span((last.student_module_id, last.version)).condition()), size + 1)


def _first(entries: Entries, count: int) -> list[StudentModuleHistory]:
    return in_time(lambda: list(entries[:count]))
