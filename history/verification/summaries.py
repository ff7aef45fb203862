"""Reads the rows and the entries of both databases side by side, in constant memory, and checks each row's chain."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter

from history.reading.chain import Chain, Head, Link, Standing
from history.reading.scan import Identity, StoredRow, entries_between, rows_between
from kvstore.signals import DELETED, StateVersion
from kvstore.versioning.digests import FORMAT, digest_of, format_of


@dataclass
class Segment:
    """Committed entries of one row of which each names the one below it by its digest."""

    version: int
    """of the newest of them, which no committed entry names"""
    digest: bytes
    entries: int = 0


@dataclass
class RowSummary:
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
    segments: list[Segment] = field(default_factory=list)
    """the committed entries; more than one segment where entries are missing, or the state was set back"""
    _continued: dict[tuple[int, bytes | None], Segment] = field(default_factory=dict)
    """the segments by the version and the digest of the entry that belongs below them"""

    def add(self, entry: StateVersion, standing: Standing, *, with_digest: bool) -> None:
        """Take in the next entry."""
        self.entries += 1
        if with_digest:
            check_digest(entry, self.altered, self.unknown_format)
        if standing is not Standing.UNREACHED:
            self._continue_segment(entry)
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

    def _continue_segment(self, entry: StateVersion) -> None:
        segment = self._continued.get((entry.version, entry.digest))
        if segment is None:
            segment = Segment(entry.version, entry.digest)
            self.segments.append(segment)
        segment.entries += 1
        # Two segments may meet, where the state was set back: the entries below belong to the first of them.
        self._continued.setdefault((entry.version - 1, entry.previous), segment)

    @property
    def differs(self) -> bool:
        """Whether the row holds other values than its current version.

        The digest of the row decides if the entry has other values, or was read without its state.
        """
        if self.row is None or self.newest is None or self.newest.digest != self.row.digest:
            return False
        row = self.row
        version = self.newest._replace(state=row.state, grade=row.grade, max_grade=row.max_grade)
        return version != self.newest and digest_of(version) != row.digest


def check_digest(entry: StateVersion, altered: list[int], unknown_format: list[int]) -> None:
    """Compute the digest of an entry; append its version to one of the lists if it is not the stored one."""
    stored_format = format_of(entry.digest)
    if stored_format not in (0, FORMAT):
        unknown_format.append(entry.version)
    elif stored_format == 0 or digest_of(entry) != entry.digest:
        altered.append(entry.version)


def checks_between(first: int, last: int, *, with_digests: bool, with_states: bool = True) -> Iterator[RowSummary]:
    """Yield a check of each row with these ids, both included, and of each block that had such an id, newest id first.

    ``with_digests`` computes the digest of every entry, for which ``with_states`` is needed too.
    """
    # The rows before the entries: an entry that is read belongs to the row that was read, or is newer.
    rows = rows_between(first, last)
    return checks_of(rows, entries_between(first, last, with_states=with_states), with_digests=with_digests)


def checks_of(
    rows: Mapping[int, StoredRow], entries: Iterable[StateVersion], *, with_digests: bool
) -> Iterator[RowSummary]:
    """Yield a check of each of these rows, and of each block that has entries, which are in falling order."""
    seen = set()
    for row_id, of_row in groupby(entries, key=attrgetter("student_module_id")):
        for check in _checked(row_id, rows.get(row_id), of_row, with_digests=with_digests):
            seen.add(row_id) if check.row else None
            yield check
    for row_id in sorted(rows.keys() - seen, reverse=True):
        yield RowSummary(row_id, rows[row_id].identity, rows[row_id])


def _checked(
    row_id: int, row: StoredRow | None, entries: Iterable[StateVersion], *, with_digests: bool
) -> Collection[RowSummary]:
    checks: dict[Identity, tuple[RowSummary, Chain]] = {}
    for _version, level in groupby(entries, key=attrgetter("version")):
        beside: dict[Identity, dict[bytes, StateVersion]] = {}
        for entry in level:
            identity = (entry.student_id, entry.course_id, entry.module_state_key)
            beside.setdefault(identity, {}).setdefault(entry.digest, entry)
        for identity, by_digest in beside.items():
            own = row if row and row.identity == identity else None
            if identity not in checks:
                head = Head(own.version, own.digest) if own else None
                checks[identity] = RowSummary(row_id, identity, own), Chain(head)
            check, chain = checks[identity]
            newest_first = sorted(by_digest.values(), key=attrgetter("created"), reverse=True)
            for entry, standing in zip(newest_first, chain.decide(newest_first), strict=True):
                check.add(entry, standing, with_digest=with_digests)
    return [check for check, _chain in checks.values()]


def is_deletion(entry: StateVersion | None) -> bool:
    """Return whether an entry records the deletion of its row."""
    return entry is not None and entry.action == DELETED
