"""The timeline of a block for a learner: its committed entries, delivered and pending, newest first."""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import takewhile
from operator import attrgetter
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone
from opaque_keys.edx.keys import LearningContextKey, UsageKey

from history.database.connection import read_history
from history.models import Entry, PendingHistory, StudentModuleHistory
from history.querysets import on_primary
from history.reading.chain import LINK_COLUMNS, Chain, Head, Standing, anchored, decide, followed
from history.reading.paging import in_pages, newest_first, older_than
from kvstore.keys import BlockAddress, block_address
from kvstore.models import StudentModule
from kvstore.storage.reading import CorruptRows

PAGE_SIZE = 1000
"""entries in one query"""
NEXT_ABOVE = 50
"""entries above a version that are read first, to decide whether it was committed"""

Entries = models.QuerySet[Any]
Prepare = Callable[[Any], Entries]
"""Selects the columns that a query set of entries loads."""


class TimelinePart(NamedTuple):
    """A part of a timeline; without arguments, the whole."""

    older_than: tuple[int, int] | None = None
    """a row id and a version of it, which is not included"""
    until: datetime | None = None
    """the last moment that is included"""

    def includes(self, entry: Entry) -> bool:
        is_older = self.older_than is None or (entry.student_module_id, entry.version) < self.older_than
        return is_older and (self.until is None or entry.created <= self.until)

    def omits_newer_of(self, row_id: int) -> bool:
        """Return whether this part may omit entries of the row that are newer than those in it."""
        return self.until is not None or (self.older_than is not None and self.older_than[0] == row_id)

    def as_filter(self) -> Q:
        condition = Q() if self.until is None else Q(created__lte=self.until)
        return condition if self.older_than is None else condition & older_than(*self.older_than)


WHOLE = TimelinePart()


class CurrentRow(NamedTuple):
    """The learner, and the learner's row of the block with its current version if there is one."""

    student_id: int | None
    row_id: int | None
    version: int
    digest: bytes | None

    def head_of(self, row_id: int) -> Head | None:
        """Return the current version of a row, None if the block has no row with this id now."""
        return Head(self.version, self.digest) if row_id == self.row_id else None


def timeline(learner: Any, usage_key: UsageKey, course_key: LearningContextKey | None = None) -> Iterator[Entry]:
    """Return the committed entries of a block for a learner, newest first.

    ``learner`` is a user or a user's id. Pending entries are included, as PendingHistory. So are the entries of deleted
    rows of the learner on this block, each row ending with its ``deleted`` entry. If a deleted row exists again, for
    example after its database was restored from a backup, ``is_branch`` is true for the versions from which its state
    does not descend. ``course_key`` completes a usage key of the old form. Raises HistoryUnavailable.
    """
    return timeline_of(learner, block_address(usage_key, course_key))


def as_of(
    learner: Any, usage_key: UsageKey, moment: datetime, course_key: LearningContextKey | None = None
) -> Entry | None:
    """Return the entry that was current at ``moment``, an aware datetime: the last one written until then.

    None if the learner had no recorded state yet; an entry with the action ``deleted`` if the row was deleted before.
    Raises HistoryUnavailable.
    """
    if settings.USE_TZ and timezone.is_naive(moment):
        raise ValueError(f"{moment} has no time zone; pass an aware datetime.")
    address = block_address(usage_key, course_key)
    return next(timeline_of(learner, address, TimelinePart(until=moment), page_size=1), None)


def timeline_of(
    learner: Any,
    address: BlockAddress,
    part: TimelinePart = WHOLE,
    *,
    prepare: Prepare = lambda entries: entries,
    page_size: int | None = None,
    row: CurrentRow | None = None,
) -> Iterator[Entry]:
    """Return a part of a timeline, in queries of ``page_size`` entries. See :func:`timeline`.

    With ``row``, which was read before, versions that were committed after that are left out.
    """
    of_learner = {"student_id": getattr(learner, "pk", learner)}
    for entry, standing in all_entries(of_learner, address, part, prepare, page_size, row):
        if standing is not Standing.UNREACHED:
            entry.is_branch = standing is Standing.BRANCH
            yield entry


def parsed_versions(learner: Mapping[str, Any], address: BlockAddress) -> Iterator[tuple[dict[str, Any], datetime]]:
    """Yield the fields and the time of every readable version, newest first; then raise CorruptState for the others."""
    corrupt = CorruptRows(StudentModuleHistory._meta.db_table)
    columns = ("id", "state", *LINK_COLUMNS)
    entries = all_entries(learner, address, prepare=lambda entries: entries.values_list(*columns, named=True))
    for entry, standing in entries:
        if standing is not Standing.UNREACHED and (fields := corrupt.parsed(entry.id, entry.state)) is not None:
            yield fields, entry.created
    corrupt.raise_if_any()


def entries_at(
    student_id: int, address: BlockAddress, row_id: int, version: int, prepare: Prepare = lambda entries: entries
) -> Iterator[tuple[Any, Standing]]:
    """Yield every stored entry of one version of a row, with its standing."""
    part = TimelinePart(older_than=(row_id, version + 1))
    return takewhile(
        lambda pair: (pair[0].student_module_id, pair[0].version) == (row_id, version),
        all_entries({"student_id": student_id}, address, part, prepare, page_size=2),
    )


def all_entries(
    learner: Mapping[str, Any],
    address: BlockAddress,
    part: TimelinePart = WHOLE,
    prepare: Prepare = lambda entries: entries,
    page_size: int | None = None,
    row: CurrentRow | None = None,
) -> Iterator[tuple[Any, Standing]]:
    """Yield every stored entry of a block for a learner, newest first, with its standing."""
    # The order of the queries matters: an entry that is delivered meanwhile is read twice and deduplicated, never
    # missed; a version that commits after the row was read is left out.
    row = row or _current_row(learner, address)
    of_block = {
        "module_state_key": address.usage_key,
        "course_id": address.course_id,
        "student_id": row.student_id,
    }
    pending = list(prepare(on_primary(PendingHistory).filter(**of_block)))
    delivered = on_primary(StudentModuleHistory).filter(**of_block)

    def chain_of(row_id: int, version: int) -> Chain:
        head = row.head_of(row_id)
        if not part.omits_newer_of(row_id) or (head and head.version == version):
            return Chain(head)
        above = [entry for entry in pending if entry.student_module_id == row_id and entry.version > version]
        return _chain_below(head, version, above, delivered.filter(student_module_id=row_id, version__gt=version))

    pages = in_pages(prepare(delivered.filter(part.as_filter())), page_size or PAGE_SIZE, _fetch)
    included = sorted(filter(part.includes, pending), key=newest_first)
    return decide(heapq.merge(included, pages, key=newest_first), chain_of)


def _current_row(learner: Mapping[str, Any], address: BlockAddress) -> CurrentRow:
    rows = on_primary(StudentModule).filter(module_state_key=address.usage_key, course_id=address.course_id)
    columns = ("id", "version", "digest")
    if "student_id" in learner:
        # Not first(): there is at most one row, and ORDER BY id would let the planner choose another index.
        for values in rows.filter(**learner).values_list(*columns):
            return CurrentRow(learner["student_id"], *values)
        return CurrentRow(learner["student_id"], None, 0, None)
    # The learner is given by name. The id is needed even if there is no row.
    users = get_user_model()._base_manager.using(rows.db)
    own = rows.filter(student_id=OuterRef("pk"))
    named = users.filter(**{column.removeprefix("student__"): value for column, value in learner.items()})
    for values in named.values_list("pk", *(Subquery(own.values(column)) for column in columns)):
        return CurrentRow(values[0], values[1], values[2] or 0, values[3])
    return CurrentRow(None, None, 0, None)


def _chain_below(head: Head | None, version: int, pending: Sequence[Any], delivered: Entries) -> Chain:
    """Return the chain of a row for ``version`` and those below, from as few of the entries above as possible."""
    links = delivered.order_by("version").values_list(*LINK_COLUMNS, named=True)
    if head is not None and version < head.version:
        nearest = _fetch(links[:NEXT_ABOVE])
        if len(nearest) < NEXT_ABOVE:
            return followed(head, [*pending, *nearest])
        # The last version may have more entries than were read.
        complete = [link for link in (*pending, *nearest) if link.version < nearest[-1].version]
        chain = anchored(head, sorted(complete, key=attrgetter("version")))
        if chain is not None:
            return chain
    return followed(head, [*pending, *_fetch(links)])


def _fetch(entries: Entries) -> list[Any]:
    return read_history(lambda: list(entries))
