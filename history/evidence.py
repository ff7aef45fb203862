"""Reads the rows and the entries of both databases side by side, in constant memory, and checks each row's chain."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from django.db import models, router

from history.chain import Chain, Head, Link, Standing
from history.entries import COLUMNS
from history.models import Entry, PendingHistory, StudentModuleHistory
from kvstore.digests import FORMAT, digest_of, format_of
from kvstore.models import StudentModule
from kvstore.reading import stored_text
from kvstore.signals import DELETED, StateVersion

PAGE_SIZE = 200
"""entries in one query, with their states, which may be large"""

KEYS = ("course_id", "module_state_key")


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


Identity = tuple[int, str, str]


@dataclass
class RowCheck:
    """A row id and a learner's block, with the entries that belong to both, gathered from the newest to the oldest."""

    row_id: int
    identity: Identity
    row: StoredRow | None
    """None where no such row is there now"""
    entries: int = 0
    newest: StateVersion | None = None
    """the newest entry from which the present state, or the deletion of the row, descends"""
    committed: int = 0
    """the number of those entries"""
    lowest: int = 0
    """the lowest version of those entries"""
    missing: list[tuple[int, int]] = field(default_factory=list)
    """the first and the last version of each gap between them"""
    outside: list[Link] = field(default_factory=list)
    """the entries from which the present state does not descend, without their states"""
    deleted_outside: bool = False
    altered: list[int] = field(default_factory=list)
    """the versions whose values do not have the digest that they are stored with"""
    unknown_format: list[int] = field(default_factory=list)

    def add(self, entry: StateVersion, standing: Standing, *, with_digest: bool) -> None:
        """Take in the next entry."""
        self.entries += 1
        if with_digest:
            self._check_digest(entry)
        if standing is not Standing.CURRENT:
            self.outside.append(entry._replace(state=None))
            self.deleted_outside |= standing is Standing.BRANCH
            return
        expected = self.lowest - 1 if self.newest else (self.row.version if self.row else entry.version)
        if entry.version < expected:
            self.missing.append((entry.version + 1, expected))
        self.newest = self.newest or entry
        self.lowest = entry.version
        self.committed += 1

    def _check_digest(self, entry: StateVersion) -> None:
        stored_format = format_of(entry.digest)
        if stored_format not in (0, FORMAT):
            self.unknown_format.append(entry.version)
        elif stored_format == 0 or digest_of(entry) != entry.digest:
            self.altered.append(entry.version)

    @property
    def differs(self) -> bool:
        """Whether the row holds other values than the entry of its current version."""
        if self.row is None or self.newest is None or self.newest.digest != self.row.digest:
            return False
        return self.newest[7:10] != (self.row.state, self.row.grade, self.row.max_grade)


def next_row_ids(after: int, count: int) -> list[int]:
    """Return the lowest ids above ``after`` that the state or the history has, in order."""
    state = StudentModule.objects.using(router.db_for_write(StudentModule)).filter(pk__gt=after).order_by("pk")
    history = delivered().filter(student_module_id__gt=after).order_by("student_module_id")
    ids = set(state.values_list("pk", flat=True)[:count])
    ids |= set(history.values_list("student_module_id", flat=True).distinct()[:count])
    return sorted(ids)[:count]


def checks_between(first: int, last: int, *, with_digests: bool) -> Iterator[RowCheck]:
    """Yield a check of each row with these ids, both included, and of each block that had such an id, newest id first.

    ``with_digests`` computes the digest of every entry.
    """
    rows = rows_between(first, last)
    # What is pending before what is delivered: it may be delivered in between.
    pending = list(_values(_pending().filter(student_module_id__range=(first, last))))
    entries = heapq.merge(sorted(pending, key=_newest_first), _delivered_between(first, last), key=_newest_first)
    seen = set()
    for row_id, of_row in groupby(entries, key=attrgetter("student_module_id")):
        for check in _checked(row_id, rows.get(row_id), of_row, with_digests=with_digests):
            seen.add(row_id) if check.row else None
            yield check
    for row_id in sorted(rows.keys() - seen, reverse=True):
        yield RowCheck(row_id, rows[row_id].identity, rows[row_id])


def _checked(
    row_id: int, row: StoredRow | None, entries: Iterable[StateVersion], *, with_digests: bool
) -> Collection[RowCheck]:
    checks: dict[Identity, tuple[RowCheck, Chain]] = {}
    for _version, level in groupby(entries, key=attrgetter("version")):
        beside: dict[Identity, dict[bytes, StateVersion]] = {}
        for entry in level:
            identity = (entry.student_id, entry.course_id, entry.module_state_key)
            beside.setdefault(identity, {}).setdefault(entry.digest, entry)
        for identity, by_digest in beside.items():
            own = row if row and row.identity == identity else None
            if identity not in checks:
                head = Head(own.version, own.digest) if own else None
                checks[identity] = RowCheck(row_id, identity, own), Chain(head)
            check, chain = checks[identity]
            newest_first = sorted(by_digest.values(), key=attrgetter("created"), reverse=True)
            for entry, standing in zip(newest_first, chain.decide(newest_first), strict=True):
                check.add(entry, standing, with_digest=with_digests)
    return [check for check, _chain in checks.values()]


def rows_between(first: int, last: int) -> Mapping[int, StoredRow]:
    """Return the rows of the state with these ids, both included, by id."""
    rows = StudentModule.objects.using(router.db_for_write(StudentModule)).filter(pk__range=(first, last))
    columns = [stored_text(name) if name in KEYS else name for name in StoredRow._fields[1:]]
    return {values[0]: StoredRow(*values) for values in rows.values_list("pk", *columns)}


def delivered() -> models.QuerySet[StudentModuleHistory]:
    """Return the entries of the history database, without the guards against removing them."""
    return models.QuerySet(StudentModuleHistory, using=router.db_for_write(StudentModuleHistory))


def _pending() -> models.QuerySet[PendingHistory]:
    return PendingHistory.objects.using(router.db_for_write(PendingHistory))


def _values(entries: models.QuerySet[Any]) -> Iterator[StateVersion]:
    columns = [stored_text(name) if name in KEYS else name for name in COLUMNS]
    return (StateVersion(*values) for values in entries.values_list(*columns))


def _delivered_between(first: int, last: int) -> Iterator[StateVersion]:
    """Yield the entries of these rows, in falling order of row and version, a page to a query.

    The last version of a page is read again with the next one; equal entries count once.
    """
    entries = delivered().filter(student_module_id__range=(first, last))
    newest_first = entries.order_by("-student_module_id", "-version")
    below = models.Q()
    while True:
        page = list(_values(newest_first.filter(below)[: PAGE_SIZE + 1]))
        yield from page
        if len(page) <= PAGE_SIZE:
            return
        row_id, version = page[-1].student_module_id, page[-1].version
        if _newest_first(page[0]) == _newest_first(page[-1]):
            yield from _values(entries.filter(student_module_id=row_id, version=version))
            version -= 1
        below = models.Q(student_module_id__lt=row_id) | models.Q(student_module_id=row_id, version__lte=version)


def _newest_first(entry: Entry | StateVersion) -> tuple[int, int]:
    return -entry.student_module_id, -entry.version


def is_deletion(entry: StateVersion | None) -> bool:
    """Return whether an entry tells of the deletion of its row."""
    return entry is not None and entry.action == DELETED
