"""Reading the versions of a block for a learner: those that were committed, delivered or waiting, newest first."""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models, router
from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone
from opaque_keys.edx.keys import LearningContextKey, UsageKey

from history.database.connection import read_history
from history.models import Entry, PendingHistory, StudentModuleHistory
from history.reading.chain import LINK_COLUMNS, Chain, Head, Standing, anchored, decide, followed
from kvstore.keys import BlockAddress, block_address
from kvstore.models import StudentModule
from kvstore.storage.reading import CorruptRows

PAGE_SIZE = 1000
"""entries in one query"""
NEXT_ABOVE = 50
"""entries above a version that are read first, to decide about it"""

Entries = models.QuerySet[Any]
Prepare = Callable[[models.QuerySet[Any]], models.QuerySet[Any]]
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

    def is_cut_above(self, row_id: int) -> bool:
        """Return whether entries of this row may be left out that are newer than those in this part."""
        return self.until is not None or (self.older_than is not None and self.older_than[0] == row_id)

    def condition(self) -> Q:
        """Return the same as a filter."""
        condition = Q() if self.until is None else Q(created__lte=self.until)
        if self.older_than is not None:
            row_id, version = self.older_than
            condition &= Q(student_module_id__lt=row_id) | Q(student_module_id=row_id, version__lt=version)
        return condition


WHOLE = Span()


class CurrentRow(NamedTuple):
    """The learner, and the learner's row of the block with its current version, if there is one."""

    student_id: int | None
    row_id: int | None
    version: int
    digest: bytes | None

    def head_of(self, row_id: int) -> Head | None:
        """Return the current version of a row id, None where there is no such row of this block now."""
        return Head(self.version, self.digest) if row_id == self.row_id else None


def timeline(learner: Any, usage_key: UsageKey, course_key: LearningContextKey | None = None) -> Iterator[Entry]:
    """Return the entries of a block for a learner, a user or a user's id, newest first.

    Entries that wait for delivery are among them, as PendingHistory. Earlier rows of the learner on this block, deleted
    since, are part of it, each ending in its ``deleted`` entry. If a deleted row exists again, for example after its
    database was restored from a backup, ``is_branch`` is true for the versions from which its state does not descend.
    ``course_key`` completes a usage key of the old form. Raises HistoryUnavailable.
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
    prepare: Prepare = lambda entries: entries,
    page_size: int | None = None,
) -> Iterator[Entry]:
    """Return the part of a timeline that ``span`` says, in queries of ``page_size`` entries. See :func:`timeline`."""
    of_learner = {"student_id": getattr(learner, "pk", learner)}
    for entry, standing in reached(of_learner, address, span, prepare, page_size):
        entry.is_branch = standing is Standing.BRANCH
        yield entry


def parsed_versions(learner: Mapping[str, Any], address: BlockAddress) -> Iterator[tuple[dict[str, Any], datetime]]:
    """Yield the fields and the time of every version, newest first; then raise CorruptState for unreadable ones."""
    corrupt = CorruptRows(StudentModuleHistory._meta.db_table)
    names = ("id", "state", *LINK_COLUMNS)
    for entry, _standing in reached(learner, address, prepare=lambda entries: entries.values_list(*names, named=True)):
        fields = corrupt.parsed(entry.id, entry.state)
        if fields is not None:
            yield fields, entry.created
    corrupt.raise_if_any()


def reached(
    learner: Mapping[str, Any],
    address: BlockAddress,
    span: Span = WHOLE,
    prepare: Prepare = lambda entries: entries,
    page_size: int | None = None,
) -> Iterator[tuple[Any, Standing]]:
    """Yield the entries that heads lead to, newest first, with their standing."""
    found = all_entries(learner, address, span, prepare, page_size)
    return ((entry, standing) for entry, standing in found if standing is not Standing.UNREACHED)


def all_entries(
    learner: Mapping[str, Any],
    address: BlockAddress,
    span: Span = WHOLE,
    prepare: Prepare = lambda entries: entries,
    page_size: int | None = None,
) -> Iterator[tuple[Any, Standing]]:
    """Yield every stored entry of a block for a learner, newest first, with its standing."""
    # In this order: a version that is delivered between two of the queries is seen twice, never not at all; and
    # one that commits after the first of them is not led to by the row that was read.
    row = _current_row(learner, address)
    of_block = {
        "module_state_key": address.usage_key,
        "course_id": address.course_id,
        "student_id": row.student_id,
    }
    pending = list(prepare(_stored(PendingHistory).filter(**of_block)))
    delivered = _stored(StudentModuleHistory).filter(**of_block)

    def chain_of(row_id: int, version: int) -> Chain:
        head = row.head_of(row_id)
        if not span.is_cut_above(row_id) or (head and head.version == version):
            return Chain(head)
        above = [entry for entry in pending if entry.student_module_id == row_id and entry.version > version]
        return _chain_below(head, version, above, delivered.filter(student_module_id=row_id, version__gt=version))

    pages = _pages(prepare(delivered.filter(span.condition())), page_size or PAGE_SIZE)
    covered = sorted(filter(span.covers, pending), key=_newest_first)
    return decide(heapq.merge(covered, pages, key=_newest_first), chain_of)


def _newest_first(entry: Any) -> tuple[int, int]:
    return -entry.student_module_id, -entry.version


def _stored(model: type[Entry]) -> models.QuerySet[Any]:
    # Where entries are written: a replica may lack one that decides about another.
    return model._base_manager.using(router.db_for_write(model))


def _current_row(learner: Mapping[str, Any], address: BlockAddress) -> CurrentRow:
    using = router.db_for_write(StudentModule)
    rows = StudentModule.objects.using(using).filter(module_state_key=address.usage_key, course_id=address.course_id)
    columns = ("id", "version", "digest")
    if "student_id" in learner:
        # Not first(): there is one at most, and an order by id would offer the planner other indexes.
        for values in rows.filter(**learner).values_list(*columns):
            return CurrentRow(learner["student_id"], *values)
        return CurrentRow(learner["student_id"], None, 0, None)
    # Asked by name: the learner's id is needed even where no row is left to tell it.
    users = get_user_model()._base_manager.using(using)
    own = rows.filter(student_id=OuterRef("pk"))
    named = users.filter(**{column.removeprefix("student__"): value for column, value in learner.items()})
    for values in named.values_list("pk", *(Subquery(own.values(column)) for column in columns)):
        return CurrentRow(values[0], values[1], values[2] or 0, values[3])
    return CurrentRow(None, None, 0, None)


def _chain_below(head: Head | None, version: int, pending: Sequence[Any], delivered: Entries) -> Chain:
    """Return the chain of a row id for ``version`` and those below, from as few of the entries above as suffice."""
    links = delivered.order_by("version").values_list(*LINK_COLUMNS, named=True)
    if head is not None and version < head.version:
        found = read_history(lambda: list(links[:NEXT_ABOVE]))
        if len(found) == NEXT_ABOVE:
            last = found[-1].version
            near = [link for link in (*pending, *found) if link.version < last]
            chain = anchored(head, sorted(near, key=attrgetter("version")))
            if chain is not None:
                return chain
        else:
            return followed(head, [*pending, *found])
    return followed(head, [*pending, *read_history(lambda: list(links))])


def _pages(entries: Entries, size: int) -> Iterator[Any]:
    """Yield entries, newest first, in pages; the last version of a page is read again with the next one."""
    newest_first = entries.order_by("-student_module_id", "-version")
    below = Q()
    while True:
        # One more than a page tells whether another page follows.
        found = _first(newest_first.filter(below), size + 1)
        yield from found
        if len(found) <= size:
            return
        row_id, version = found[-1].student_module_id, found[-1].version
        if _newest_first(found[0]) == _newest_first(found[-1]):
            # The version alone may fill the page.
            yield from _first(entries.filter(student_module_id=row_id, version=version), None)
        else:
            version += 1
        below = Span(older_than=(row_id, version)).condition()


def _first(entries: Entries, count: int | None) -> list[Any]:
    return read_history(lambda: list(entries[:count]))
