"""Follows the digests of one row from its heads to lower versions, to decide which entries were committed.

An entry is written before its version commits. So the table also contains entries of versions that were rolled back,
and of versions after the backup that the state was restored from. A head proves a version: the digest in the row, or a
``deleted`` entry, which commits together with the deletion. Every entry contains the digest of the version before it.
This module reads no database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import Enum
from itertools import groupby, pairwise
from operator import attrgetter
from typing import NamedTuple, TypeVar

from history.models import Entry
from kvstore.signals import DELETED, StateVersion

LONGEST_TRANSACTION = timedelta(hours=1)
"""from the write to the commit of a version"""


class EntryLink(NamedTuple):
    """The columns of an entry that a chain uses."""

    student_module_id: int
    version: int
    action: str
    created: datetime
    transaction_id: int
    previous: bytes | None
    digest: bytes


LINK_COLUMNS = EntryLink._fields

Link = Entry | StateVersion | EntryLink
"""An entry, with or without its values."""
LinkT = TypeVar("LinkT", bound=Link)


class Head(NamedTuple):
    """The current version of a row."""

    version: int
    digest: bytes | None


class Standing(Enum):
    """How an entry relates to the present state."""

    CURRENT = "current"
    """the present state, or the deletion of the row, descends from it"""
    BRANCH = "branch"
    """a deletion proves the entry, but the row exists again and does not descend from it"""
    UNREACHED = "unreached"
    """no head leads to the entry: rolled back, or written after the backup that the state was restored from"""


class Chain:
    """Decides about the entries of one row id, version by version in falling order."""

    def __init__(self, head: Head | None) -> None:
        self._bound = head.version if head else 0
        """all lower versions were committed"""
        self._current = (head.version, head.digest) if head else None
        self._branches: set[tuple[int, bytes | None]] = set()
        self._above: Sequence[Link] = ()
        """the entries of the last decided version"""

    def decide(self, level: Sequence[Link]) -> list[Standing]:
        """Return the standing of each entry of the next lower version that has entries.

        If the entry that a digest names is missing, the next lower version counts as committed if it has one entry and
        no entry of the version above names another.
        """
        if len(level) == 1 and self._standing_of(level[0]) is Standing.CURRENT:
            # The fast path: nearly all versions have one entry, and a row may have thousands of versions.
            self._current, self._above = (level[0].version - 1, level[0].previous), level
            return [Standing.CURRENT]
        standings = [self._standing_of(link) for link in level]
        is_below_gap = standings == [Standing.UNREACHED] and level[0].version < self._bound
        if is_below_gap and self._is_named_by_all_above(level[0]):
            standings = [Standing.CURRENT]
        for link, standing in zip(level, standings, strict=True):
            self._follow(link, standing)
        self._above = level
        return standings

    def start_from(self, link: Link) -> None:
        """Continue below an entry that is known to be committed."""
        self._follow(link, Standing.CURRENT)
        self._above = [link]

    def _standing_of(self, link: Link) -> Standing:
        version_and_digest = link.version, link.digest
        if version_and_digest == self._current:
            return Standing.CURRENT
        if version_and_digest in self._branches:
            return Standing.BRANCH
        if link.action != DELETED:
            return Standing.UNREACHED
        if self._bound:
            return Standing.BRANCH
        self._bound = link.version
        return Standing.CURRENT

    def _is_named_by_all_above(self, link: Link) -> bool:
        return all(above.previous == link.digest for above in self._above if above.version == link.version + 1)

    def _follow(self, link: Link, standing: Standing) -> None:
        if standing is Standing.CURRENT:
            self._current = (link.version - 1, link.previous)
        elif standing is Standing.BRANCH:
            self._branches.add((link.version - 1, link.previous))


def levels(links: Iterable[LinkT]) -> Iterator[list[LinkT]]:
    """Group the entries of one row, sorted by version, by version; each entry once, newest first."""
    for _version, level in groupby(links, key=attrgetter("version")):
        first, *others = level
        yield _distinct([first, *others]) if others else [first]


def _distinct(level: Sequence[LinkT]) -> list[LinkT]:
    return sorted({link.digest: link for link in reversed(level)}.values(), key=attrgetter("created"), reverse=True)


def decide(links: Iterable[LinkT], chain_of: Callable[[int, int], Chain]) -> Iterator[tuple[LinkT, Standing]]:
    """Yield entries of one block, sorted by falling row id and version, with their standing.

    ``chain_of`` returns the chain of a row id for a version and lower ones.
    """
    for row_id, of_row in groupby(links, key=attrgetter("student_module_id")):
        chain = None
        for level in levels(of_row):
            chain = chain or chain_of(row_id, level[0].version)
            yield from zip(level, chain.decide(level), strict=True)


def anchored(head: Head, links: Sequence[Link]) -> Chain | None:
    """Return a chain for the versions below ``links``, which contain the next entries above, by rising version.

    Return None if these do not suffice because each of their versions has several entries.
    """
    rising = list(levels(links))
    for index, (level, following) in enumerate(pairwise(rising)):
        if level[0].version >= head.version:
            return followed(head, [link for below in rising[: index + 1] for link in below])
        is_next = following[0].version == level[0].version + 1
        if len(level) == 1 and (not is_next or all(link.previous == level[0].digest for link in following)):
            chain = Chain(head)
            chain.start_from(level[0])
            for below in reversed(rising[:index]):
                chain.decide(below)
            return chain
    return None


def followed(head: Head | None, links: Iterable[Link]) -> Chain:
    """Return a chain for the versions below ``links``, which contain all entries above, in any order."""
    chain = Chain(head)
    for level in levels(sorted(links, key=attrgetter("version"), reverse=True)):
        chain.decide(level)
    return chain


def is_later_transaction(link: Link, earlier: Link) -> bool:
    """Return whether a later transaction than that of ``earlier`` certainly wrote ``link``, the next version."""
    both = link.transaction_id, earlier.transaction_id
    return (all(both) and both[0] != both[1]) or link.created - earlier.created > LONGEST_TRANSACTION


def proved(links: Iterable[Link]) -> set[bytes]:
    """Return the digests of those entries of one row that were committed, because a later transaction followed."""
    falling = sorted(links, key=attrgetter("version"), reverse=True)
    stored = {(link.version, link.digest): link for link in falling}
    digests: set[bytes] = set()
    for link in falling:
        previous = stored.get((link.version - 1, link.previous or b""))
        if previous and (link.digest in digests or is_later_transaction(link, previous)):
            digests.add(previous.digest)
    return digests
