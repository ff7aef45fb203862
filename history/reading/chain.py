"""Follows the digests of one row from its heads downwards, to decide which entries were committed.

An entry is written before its version commits, so the table also holds entries that were rolled back, and entries from
after the moment to which the state was restored. A head proves a version: the digest in the row, or an entry
``deleted``, which commits together with the deletion. Every entry names the digest of the version before it. Nothing
here reads a database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import Enum
from itertools import groupby, pairwise
from operator import attrgetter
from typing import NamedTuple, Protocol, TypeVar

from kvstore.signals import DELETED

LONGEST_TRANSACTION = timedelta(hours=1)
"""between the write and the commit of a version"""


class Link(Protocol):
    """What the chain needs of an entry."""

    @property
    def student_module_id(self) -> int: ...
    @property
    def version(self) -> int: ...
    @property
    def action(self) -> str: ...
    @property
    def created(self) -> datetime: ...
    @property
    def transaction_id(self) -> int: ...
    @property
    def previous(self) -> bytes | None: ...
    @property
    def digest(self) -> bytes: ...


class EntryLink(NamedTuple):
    """An entry without its values."""

    student_module_id: int
    version: int
    action: str
    created: datetime
    transaction_id: int
    previous: bytes | None
    digest: bytes


LINK_COLUMNS = EntryLink._fields

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
    """a deletion proves it, but the row exists again and does not descend from it"""
    UNREACHED = "unreached"
    """no head leads to it: rolled back, or written after the moment to which the state was restored"""


class Chain:
    """Decides the versions of one row id in falling order."""

    def __init__(self, head: Head | None) -> None:
        self._bound = head.version if head else 0
        """versions below it were committed"""
        self._current = (head.version, head.digest) if head else None
        self._branches: set[tuple[int, bytes | None]] = set()
        self._above: Sequence[Link] = ()
        """the entries of the last version that was decided"""

    def decide(self, level: Sequence[Link]) -> list[Standing]:
        """Return the standing of each entry of the next lower version that has entries.

        Where the entry that a digest names is missing, the next one below it is taken for committed if it is the only
        one of its version and no entry of the following version contradicts it.
        """
        if len(level) == 1 and self._led_to(level[0]) is Standing.CURRENT:
            # So are nearly all versions, of which there may be thousands.
            self._current, self._above = (level[0].version - 1, level[0].previous), level
            return [Standing.CURRENT]
        found = [self._led_to(link) for link in level]
        is_below_gap = Standing.CURRENT not in found and level[0].version < self._bound
        if is_below_gap and found == [Standing.UNREACHED] and self._is_followed_by_all(level[0]):
            found = [Standing.CURRENT]
        for link, standing in zip(level, found, strict=True):
            self._follow(link, standing)
        self._above = level
        return found

    def start_from(self, link: Link) -> None:
        """Begin below an entry that is known to be committed."""
        self._follow(link, Standing.CURRENT)
        self._above = [link]

    def _led_to(self, link: Link) -> Standing:
        place = link.version, link.digest
        if place == self._current:
            return Standing.CURRENT
        if place in self._branches:
            return Standing.BRANCH
        if link.action != DELETED:
            return Standing.UNREACHED
        if self._bound:
            return Standing.BRANCH
        self._bound = link.version
        return Standing.CURRENT

    def _is_followed_by_all(self, link: Link) -> bool:
        return all(above.previous == link.digest for above in self._above if above.version == link.version + 1)

    def _follow(self, link: Link, standing: Standing) -> None:
        if standing is Standing.CURRENT:
            self._current = (link.version - 1, link.previous)
        elif standing is Standing.BRANCH:
            self._branches.add((link.version - 1, link.previous))


def levels(links: Iterable[LinkT]) -> Iterator[list[LinkT]]:
    """Group the entries of one row, in the order of their versions, by version; each entry once, newest first."""
    for _version, level in groupby(links, key=attrgetter("version")):
        first, *others = level
        yield _distinct([first, *others]) if others else [first]


def _distinct(level: Sequence[LinkT]) -> list[LinkT]:
    return sorted({link.digest: link for link in reversed(level)}.values(), key=_created, reverse=True)


def decide(links: Iterable[LinkT], chain_of: Callable[[int, int], Chain]) -> Iterator[tuple[LinkT, Standing]]:
    """Yield entries of one block, in falling order of row id and version, with their standing.

    ``chain_of`` returns the chain of a row id for a version and those below it.
    """
    for row_id, of_row in groupby(links, key=attrgetter("student_module_id")):
        chain = None
        for level in levels(of_row):
            chain = chain or chain_of(row_id, level[0].version)
            yield from zip(level, chain.decide(level), strict=True)


def anchored(head: Head, links: Sequence[Link]) -> Chain | None:
    """Return a chain for the versions below ``links``, which are the next ones above in rising order.

    None where these do not suffice: every one of their versions has several entries.
    """
    rising = list(levels(links))
    for place, (level, following) in enumerate(pairwise(rising)):
        if level[0].version >= head.version:
            return followed(head, [link for below in rising[: place + 1] for link in below])
        is_next = following[0].version == level[0].version + 1
        if len(level) == 1 and (not is_next or all(link.previous == level[0].digest for link in following)):
            chain = Chain(head)
            chain.start_from(level[0])
            for below in reversed(rising[:place]):
                chain.decide(below)
            return chain
    return None


def followed(head: Head | None, links: Iterable[Link]) -> Chain:
    """Return a chain for the versions below ``links``, which are all that there are above, in any order."""
    chain = Chain(head)
    for level in levels(sorted(links, key=attrgetter("version"), reverse=True)):
        chain.decide(level)
    return chain


def is_later_transaction(link: Link, earlier: Link) -> bool:
    """Return whether ``link``, which follows ``earlier``, was certainly written by a later transaction."""
    both = link.transaction_id, earlier.transaction_id
    return (all(both) and both[0] != both[1]) or link.created - earlier.created > LONGEST_TRANSACTION


def proved(links: Iterable[Link]) -> set[bytes]:
    """Return the digests of those entries of one row that later transactions continued: they were committed."""
    falling = sorted(links, key=attrgetter("version"), reverse=True)
    stored = {(link.version, link.digest): link for link in falling}
    found: set[bytes] = set()
    for link in falling:
        previous = stored.get((link.version - 1, link.previous or b""))
        if previous and (link.digest in found or is_later_transaction(link, previous)):
            found.add(previous.digest)
    return found


def _created(link: Link) -> datetime:
    return link.created
