"""Reading the versions of a block for a learner: those that were committed, delivered or waiting, newest first."""

import heapq
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.db import DatabaseError, InterfaceError, OperationalError, connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import OuterRef, Q, Subquery
from django.utils.connection import ConnectionDoesNotExist
from opaque_keys.edx.keys import LearningContextKey, UsageKey

from history.conf import conf
from history.deadline import bounded
from history.exceptions import HistoryUnavailable
from history.models import Entry, PendingHistory, StudentModuleHistory
from kvstore.keys import BlockAddress, block_address
from kvstore.models import StudentModule
from kvstore.reading import CorruptRows

PAGE_SIZE = 1000
"""entries in one query"""

PATIENCE = 2
"""how many times longer than a write a page may take"""

Entries = models.QuerySet[StudentModuleHistory]
DELETED = StudentModuleHistory.Action.DELETED


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
    address = block_address(usage_key, course_key)
    return _entries({"student_id": getattr(learner, "pk", learner)}, address, ())


def parsed_versions(learner: Mapping[str, Any], address: BlockAddress) -> Iterator[tuple[dict[str, Any], datetime]]:
    """Yield the fields and the time of every version, newest first; then raise CorruptState for unreadable ones."""
    corrupt = CorruptRows(StudentModuleHistory._meta.db_table)
    for entry in _entries(learner, address, ("id", "student_module_id", "version", "action", "state", "created")):
        fields = corrupt.parsed(entry.id, entry.state)
        if fields is not None:
            yield fields, entry.created
    corrupt.raise_if_any()


def _entries(learner: Mapping[str, Any], address: BlockAddress, columns: tuple[str, ...]) -> Iterator[Any]:
    """Yield the entries, as instances, or as tuples of these columns."""
    # In this order: a version that is delivered between two of the queries is seen twice, never not at all; and
    # one that commits after the first of them is left out of both.
    row = _row(learner, address)
    of_block = {
        "module_state_key": address.usage_key,
        "course_id": address.course_id,
        "student_id": row.student_id,
    }
    waiting = _waiting(row, of_block, columns)
    delivered = _pages(_only(_delivered(row, of_block, waiting), columns))
    if not waiting:
        yield from delivered
        return
    last = None
    for entry in heapq.merge(waiting, delivered, key=_newest_first):
        place = _newest_first(entry)
        if place != last:
            yield entry
        last = place


def _only(entries: models.QuerySet[Any], columns: tuple[str, ...]) -> models.QuerySet[Any]:
    return entries.values_list(*columns, named=True) if columns else entries


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


def _waiting(row: Row, of_block: Mapping[str, Any], columns: tuple[str, ...]) -> list[Any]:
    """Return the entries that wait beside the state, where none is that was not committed."""
    pending = PendingHistory.objects.using(router.db_for_read(PendingHistory)).filter(**of_block)
    # What waits for a row above the version read committed since.
    current = [
        entry
        for entry in _only(pending, columns)
        if entry.student_module_id != row.row_id or entry.version <= (row.version or 0)
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


def _pages(entries: Entries) -> Iterator[StudentModuleHistory]:
    """Yield entries, newest first, a page to a query; each page starts after the last entry of the one before."""
    newest_first = entries.order_by("-student_module_id", "-version")
    found = _fetched(newest_first)
    while found:
        yield from found[:PAGE_SIZE]
        # One more than a page tells that another follows.
        if len(found) <= PAGE_SIZE:
            return
        last = found[PAGE_SIZE - 1]
        older = Q(student_module_id__lt=last.student_module_id) | Q(
            student_module_id=last.student_module_id, version__lt=last.version
        )
        found = _fetched(newest_first.filter(older))


def _fetched(entries: Entries) -> list[StudentModuleHistory]:
    try:
        connection = connections[entries.db]
        kept = connection.connection is not None
        try:
            return _in_time(entries, connection)
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block:
                raise
            # A connection that was kept may have died long ago; a new one tells whether the server did.
            connection.close()
            if not kept:
                raise
            return _in_time(entries, connection)
    except (DatabaseError, InterfaceError, ConnectionDoesNotExist) as error:
        raise HistoryUnavailable(f"The history database {entries.db!r} cannot be read: {error}.") from error


def _in_time(entries: Entries, connection: BaseDatabaseWrapper) -> list[StudentModuleHistory]:
    with bounded(connection, conf.HISTORY_TIMEOUT * PATIENCE):
        return list(entries[: PAGE_SIZE + 1])
