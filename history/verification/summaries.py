"""Reads rows and entries of both databases in parallel, in constant memory, and checks the chain of each row."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter

from history.reading.chain import Chain, Head, Link, Standing
from history.reading.scan import Identity, StoredRow, entries_between, rows_between
from kvstore.signals import StateVersion
from kvstore.versioning.digests import FORMAT, digest_of, format_of


@dataclass
class Segment:
    """Committed entries of one row; each names the digest of the next lower one."""

    version: int
    """of the newest entry, which no committed entry names"""
    digest: bytes
    entries: int = 0


@dataclass
class RowSummary:
    """The row and the entries that have both this row id and this learner's block; entries are added newest first."""

    row_id: int
    identity: Identity
    row: StoredRow | None
    """None if the row does not exist"""
    entries: int = 0
    newest: StateVersion | None = None
    """the newest entry of the current chain: the present state, or the deletion of the row, descends from it"""
    lowest: int = 0
    """lowest version of the current chain"""
    gaps: list[tuple[int, int]] = field(default_factory=list)
    """first and last version of each gap in the current chain"""
    outside: list[Link] = field(default_factory=list)
    """the entries outside the current chain, without their states"""
    deleted_outside: bool = False
    """whether a deletion proves an entry outside the current chain"""
    altered: list[int] = field(default_factory=list)
    """versions with values that do not match the stored digest"""
    unknown_format: list[int] = field(default_factory=list)
    """versions with a digest in the format of a newer release"""
    segments: list[Segment] = field(default_factory=list)
    """the committed entries; several segments if entries are missing, or if the state was restored from a backup"""
    _segment_above: dict[tuple[int, bytes | None], Segment] = field(default_factory=dict)
    """the segment that each expected entry continues, by version and digest"""

    def add(self, entry: StateVersion, standing: Standing, *, with_digest: bool) -> None:
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
            self.gaps.append((entry.version + 1, expected))
        self.newest = self.newest or entry
        self.lowest = entry.version

    def _continue_segment(self, entry: StateVersion) -> None:
        segment = self._segment_above.get((entry.version, entry.digest))
        if segment is None:
            segment = Segment(entry.version, entry.digest)
            self.segments.append(segment)
        segment.entries += 1
        # Two segments meet if the state was restored from a backup: the first one gets the entries below.
        self._segment_above.setdefault((entry.version - 1, entry.previous), segment)

    @property
    def differs(self) -> bool:
        """Whether the values of the row differ from those of its current version.

        The digest of the row decides if the entry was altered, or was read without its state.
        """
        if self.row is None or self.newest is None or self.newest.digest != self.row.digest:
            return False
        row = self.row
        version = self.newest._replace(state=row.state, grade=row.grade, max_grade=row.max_grade)
        return version != self.newest and digest_of(version) != row.digest


def check_digest(entry: StateVersion, altered: list[int], unknown_format: list[int]) -> None:
    """Compute the digest of an entry; append its version to one of the lists if the stored digest is another one."""
    stored_format = format_of(entry.digest)
    if stored_format not in (0, FORMAT):
        unknown_format.append(entry.version)
    elif stored_format == 0 or digest_of(entry) != entry.digest:
        altered.append(entry.version)


def summaries_between(first: int, last: int, *, with_digests: bool, with_states: bool = True) -> Iterator[RowSummary]:
    """Yield a summary for each row and each former row with an id from ``first`` to ``last``, highest id first.

    ``with_digests`` computes the digest of every entry, which requires ``with_states``.
    """
    # Read the rows first: then every entry belongs to the row as read, or is newer.
    rows = rows_between(first, last)
    return summarize(rows, entries_between(first, last, with_states=with_states), with_digests=with_digests)


def summarize(
    rows: Mapping[int, StoredRow], entries: Iterable[StateVersion], *, with_digests: bool
) -> Iterator[RowSummary]:
    """Yield a summary for each of these rows and each former row, from entries in the order of entries_between()."""
    summarized = set()
    for row_id, of_row in groupby(entries, key=attrgetter("student_module_id")):
        for summary in _summarize_row(row_id, rows.get(row_id), of_row, with_digests=with_digests):
            if summary.row:
                summarized.add(row_id)
            yield summary
    for row_id in sorted(rows.keys() - summarized, reverse=True):
        yield RowSummary(row_id, rows[row_id].identity, rows[row_id])


def _summarize_row(
    row_id: int, row: StoredRow | None, entries: Iterable[StateVersion], *, with_digests: bool
) -> Collection[RowSummary]:
    summaries: dict[Identity, tuple[RowSummary, Chain]] = {}
    for _version, level in groupby(entries, key=attrgetter("version")):
        for identity, by_digest in _distinct(level).items():
            if identity not in summaries:
                own = row if row and row.identity == identity else None
                head = Head(own.version, own.digest) if own else None
                summaries[identity] = RowSummary(row_id, identity, own), Chain(head)
            summary, chain = summaries[identity]
            newest_first = sorted(by_digest.values(), key=attrgetter("created"), reverse=True)
            for entry, standing in zip(newest_first, chain.decide(newest_first), strict=True):
                summary.add(entry, standing, with_digest=with_digests)
    return [summary for summary, _chain in summaries.values()]


def _distinct(level: Iterable[StateVersion]) -> Mapping[Identity, Mapping[bytes, StateVersion]]:
    """Group entries by learner and block, each entry once by its digest."""
    found: dict[Identity, dict[bytes, StateVersion]] = {}
    for entry in level:
        identity = (entry.student_id, entry.course_id, entry.module_state_key)
        found.setdefault(identity, {}).setdefault(entry.digest, entry)
    return found
