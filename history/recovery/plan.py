"""Chooses the entry to restore for one row after its database was restored from a backup. Reads no database.

An entry was certainly committed if a later transaction wrote its successor, or if an entry ``deleted`` descends from
it. The newest entry of a row has no successor, so its transaction may have been rolled back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, islice
from operator import attrgetter
from typing import NamedTuple

from history.reading.chain import LONGEST_TRANSACTION, Chain, Head, Link, Standing, levels, proved
from kvstore.signals import DELETED

MAX_NAMED_VERSIONS = 50

EntryKey = tuple[int, bytes | None]
"""version and digest of an entry"""


class PresentVersion(NamedTuple):
    """The version of a row; the defaults stand for a missing row."""

    version: int = 0
    digest: bytes | None = None
    modified: datetime | None = None

    @property
    def head(self) -> Head:
        return Head(self.version, self.digest)


class Period(NamedTuple):
    """When the lost versions were written. Unproved entries from other times count as rolled back."""

    since: datetime | None
    """when the backup was made; None if unknown"""
    until: datetime
    """when the database was lost, or later, but before new writes"""

    def covers(self, link: Link) -> bool:
        """Return whether the version of this entry may have been committed after the backup."""
        begin = self.since - LONGEST_TRANSACTION if self.since else None
        return link.created <= self.until and (begin is None or link.created >= begin)


@dataclass(frozen=True)
class Plan:
    """What to restore of one row."""

    target: Link | None = None
    """the entry to restore; None if the row needs no change"""
    is_proved: bool = False
    """whether the target was certainly committed"""
    first: datetime | None = None
    """when the oldest entry of the target's chain was written"""
    missing: list[int] = field(default_factory=list)
    """versions without an entry between the row's and the target's; at most the first fifty"""
    diverged: list[int] = field(default_factory=list)
    """committed versions from which neither the row nor the target descends; at most the first fifty"""


def plan(present: PresentVersion | None, links: Sequence[Link], period: Period, *, only_proved: bool = False) -> Plan:
    """Return the plan for a row, existing or missing, from all entries of its id, learner and block.

    ``only_proved`` excludes targets that may have been rolled back.
    """
    committed = _committed(links)
    base = present or PresentVersion()
    descendants = _descendants(base, links)
    target = _target(descendants, committed, period, only_proved=only_proved)
    chain = _chain(present, target, links, _without_rolled_back(descendants, committed))
    is_done = target is None or (target.action == DELETED and present is None)
    return Plan(
        target=None if is_done else target,
        is_proved=target is not None and target.digest in committed,
        first=min((link.created for link in chain.values()), default=None),
        missing=[] if target is None or is_done else _missing(base.version, target.version, chain),
        diverged=_diverged(base.version, target, links, committed, descendants, chain),
    )


def _committed(links: Sequence[Link]) -> set[bytes]:
    found = proved(links)
    stored = {(link.version, link.digest): link for link in links}
    for link in links:
        below: Link | None = link if link.action == DELETED else None
        while below is not None and below.digest not in found:
            found.add(below.digest)
            below = stored.get((below.version - 1, below.previous or b""))
    return found


def _target(descendants: Sequence[Link], committed: set[bytes], period: Period, *, only_proved: bool) -> Link | None:
    """Return the newest descendant of the row's version that may have been committed.

    If several chains exist, the one with the newest committed entry was in use last.
    """
    possible = [link for link in descendants if link.digest in committed or period.covers(link)]
    anchor = max((link for link in possible if link.digest in committed), key=_age_order, default=None)
    if only_proved:
        return anchor
    if anchor is not None:
        possible = [anchor, *_descendants(PresentVersion(anchor.version, anchor.digest, anchor.created), possible)]
    return max(possible, key=_age_order, default=None)


def _descendants(base: PresentVersion, links: Iterable[Link]) -> list[Link]:
    """Return the entries that descend from a version.

    An entry above a gap descends from the version if it was written later: the missing entry was pending in the lost
    database.
    """
    rising = _rising(links)
    stored: set[EntryKey] = {(link.version, link.digest) for link in rising}
    found: dict[EntryKey, Link] = {}
    for link in rising:
        below = (link.version - 1, link.previous)
        if link.version <= base.version:
            descends = False
        elif link.version == base.version + 1:
            descends = link.previous == base.digest
        elif below in stored:
            descends = below in found
        else:
            descends = base.modified is None or link.created > base.modified
        if descends:
            found[link.version, link.digest] = link
    return list(found.values())


def _chain(
    present: PresentVersion | None, target: Link | None, links: Sequence[Link], descendants: Sequence[Link]
) -> dict[EntryKey, Link]:
    """Return the entries from which the target and the present version descend, both included."""
    found: dict[EntryKey, Link] = {}
    if target is not None:
        found |= _current(Head(target.version, target.digest), descendants)
    if present is not None:
        found |= _current(present.head, [link for link in links if link.version <= present.version])
    return found


def _without_rolled_back(links: Sequence[Link], committed: set[bytes]) -> list[Link]:
    """Leave out entries that are older than a committed entry of a lower version."""
    found: list[Link] = []
    latest: datetime | None = None
    for _version, level in groupby(_rising(links), key=attrgetter("version")):
        of_version = list(level)
        found += [link for link in of_version if latest is None or link.created > latest]
        times = [link.created for link in of_version if link.digest in committed]
        latest = max([*times, latest] if latest else times, default=None)
    return found


def _current(head: Head, links: Sequence[Link]) -> dict[EntryKey, Link]:
    chain = Chain(head)
    return {
        (link.version, link.digest): link
        for level in levels(sorted(links, key=attrgetter("version"), reverse=True))
        for link, standing in zip(level, chain.decide(level), strict=True)
        if standing is Standing.CURRENT
    }


def _missing(lowest: int, highest: int, chain: Iterable[EntryKey]) -> list[int]:
    known = {version for version, _digest in chain}
    # A gap may have a billion versions.
    missing = (version for version in range(lowest + 1, highest) if version not in known)
    return list(islice(missing, MAX_NAMED_VERSIONS))


def _diverged(
    present_version: int,
    target: Link | None,
    links: Sequence[Link],
    committed: set[bytes],
    descendants: Sequence[Link],
    chain: dict[EntryKey, Link],
) -> list[int]:
    """Return the committed versions of other branches.

    An entry at a version that the chain lacks may belong to the chain, so it does not count.
    """
    highest = target.version if target else present_version
    known = {version for version, _digest in chain} | {highest, present_version}
    may_be_of_chain = {link.digest for link in descendants} | {
        link.digest for link in links if link.version <= present_version
    }
    found = {
        link.version
        for link in links
        if link.digest in committed
        and (link.version, link.digest) not in chain
        and (link.version in known or link.version > highest or link.digest not in may_be_of_chain)
    }
    return sorted(found)[:MAX_NAMED_VERSIONS]


def _rising(links: Iterable[Link]) -> list[Link]:
    return sorted(links, key=attrgetter("version"))


def _age_order(link: Link) -> tuple[datetime, int]:
    return link.created, link.version
