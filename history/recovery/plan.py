"""Decides which entry holds the state to restore of one row whose database was restored from a backup.

An entry with a successor from a later transaction was committed, and so was an entry ``deleted`` with all before it.
The newest entry of a row has no successor: its transaction was committed or rolled back. Nothing here reads a database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, islice
from typing import NamedTuple

from history.reading.chain import LONGEST_TRANSACTION, Chain, Head, Link, Standing, levels, proved
from kvstore.signals import DELETED

SHOWN_VERSIONS = 50

ScopeKey = tuple[int, bytes | None]
"""the version and the digest of an entry"""


class Present(NamedTuple):
    """The version that a row is at; without values, that of a row that is missing."""

    version: int = 0
    digest: bytes | None = None
    modified: datetime | None = None

    @property
    def head(self) -> Head:
        """The version and the digest."""
        return Head(self.version, self.digest)


class Period(NamedTuple):
    """When the lost versions were written. An entry from another time that nothing proves was rolled back."""

    since: datetime | None
    """the moment of the backup, None where it is unknown"""
    until: datetime
    """the moment of the loss, or any later one before new writes"""

    def covers(self, link: Link) -> bool:
        """Return whether a version of this entry may have been committed after the backup."""
        begin = self.since - LONGEST_TRANSACTION if self.since else None
        return link.created <= self.until and (begin is None or link.created >= begin)


@dataclass(frozen=True)
class Plan:
    """What to do with one row."""

    target: Link | None = None
    """the entry to restore; None where there is none, or the row is as it says"""
    is_proved: bool = False
    """whether the target was certainly committed"""
    first: datetime | None = None
    """when the oldest entry of the target's chain was written"""
    missing: list[int] = field(default_factory=list)
    """the versions between the row's and the target's that have no entry; at most the first fifty"""
    diverged: list[int] = field(default_factory=list)
    """the versions that were committed and that neither the row nor the target descends from"""


def plan(present: Present | None, links: Sequence[Link], period: Period, *, only_proved: bool = False) -> Plan:
    """Return what to do with a row, present or missing, according to all entries of its id, learner and block.

    ``only_proved`` allows no target that may have been rolled back.
    """
    certain = _certain(links)
    base = present or Present()
    following = _following(base, links)
    target = _target(following, certain, period, only_proved=only_proved)
    reached = _reached(present, target, links, _in_order(following, certain))
    is_done = target is None or (target.action == DELETED and present is None)
    return Plan(
        target=None if is_done else target,
        is_proved=target is not None and target.digest in certain,
        first=min((link.created for link in reached.values()), default=None),
        missing=[] if target is None or is_done else _missing(base.version, target.version, reached),
        diverged=_diverged(base.version, target, links, certain, following, reached),
    )


def _certain(links: Sequence[Link]) -> set[bytes]:
    """Return the digests of the entries that were certainly committed."""
    found = proved(links)
    stored = {(link.version, link.digest): link for link in links}
    for link in links:
        below: Link | None = link if link.action == DELETED else None
        while below is not None and below.digest not in found:
            found.add(below.digest)
            below = stored.get((below.version - 1, below.previous or b""))
    return found


def _target(following: Sequence[Link], certain: set[bytes], period: Period, *, only_proved: bool) -> Link | None:
    """Return the entry that was written last of those that follow the row's version and may have been committed.

    Of two chains, the one with the proved entry that was written last is the one that was in use last.
    """
    following = [link for link in following if link.digest in certain or period.covers(link)]
    anchor = max((link for link in following if link.digest in certain), key=_written, default=None)
    if only_proved:
        return anchor
    if anchor is not None:
        following = [anchor, *_following(Present(anchor.version, anchor.digest, anchor.created), following)]
    return max(following, key=_written, default=None)


def _following(base: Present, links: Iterable[Link]) -> list[Link]:
    """Return the entries that descend from a version.

    Where the entry below one is missing, it descends from the version if it was written later: the missing one was
    pending in the lost database.
    """
    rising = sorted(links, key=lambda link: link.version)
    stored: set[ScopeKey] = {(link.version, link.digest) for link in rising}
    found: dict[ScopeKey, Link] = {}
    for link in rising:
        below = (link.version - 1, link.previous)
        if link.version <= base.version:
            follows = False
        elif link.version == base.version + 1:
            follows = link.previous == base.digest
        elif below in stored:
            follows = below in found
        else:
            follows = base.modified is None or link.created > base.modified
        if follows:
            found[link.version, link.digest] = link
    return list(found.values())


def _reached(
    present: Present | None, target: Link | None, links: Sequence[Link], following: Sequence[Link]
) -> dict[ScopeKey, Link]:
    """Return the entries that a target descends from, and those of the present version."""
    found: dict[ScopeKey, Link] = {}
    if target is not None:
        found |= _current(Head(target.version, target.digest), following)
    if present is not None:
        found |= _current(present.head, [link for link in links if link.version <= present.version])
    return found


def _in_order(links: Sequence[Link], certain: set[bytes]) -> list[Link]:
    """Return the entries without those above a committed one that was written later: they were rolled back."""
    found: list[Link] = []
    latest: list[datetime] = []
    rising = sorted(links, key=lambda link: link.version)
    for _version, level in groupby(rising, key=lambda link: link.version):
        beside = list(level)
        found += [link for link in beside if not latest or link.created > latest[0]]
        committed = [link.created for link in beside if link.digest in certain]
        latest = sorted(latest + committed)[-1:]
    return found


def _current(head: Head, links: Sequence[Link]) -> dict[ScopeKey, Link]:
    chain = Chain(head)
    found: dict[ScopeKey, Link] = {}
    for level in levels(sorted(links, key=lambda link: -link.version)):
        for link, standing in zip(level, chain.decide(level), strict=True):
            if standing is Standing.CURRENT:
                found[link.version, link.digest] = link
    return found


def _missing(lowest: int, highest: int, reached: Iterable[ScopeKey]) -> list[int]:
    known = {version for version, _digest in reached}
    # A row of a billion versions with one entry is no reason to list a billion numbers.
    return list(islice((version for version in range(lowest + 1, highest) if version not in known), SHOWN_VERSIONS))


def _diverged(
    present_version: int,
    target: Link | None,
    links: Sequence[Link],
    certain: set[bytes],
    following: Sequence[Link],
    reached: dict[ScopeKey, Link],
) -> list[int]:
    """Return the committed versions of another branch.

    An entry beside a gap in the chain may belong to the chain, so it does not count.
    """
    highest = target.version if target else present_version
    known = {version for version, _digest in reached} | {highest, present_version}
    may_be_of_chain = {link.digest for link in following} | {
        link.digest for link in links if link.version <= present_version
    }
    found = {
        link.version
        for link in links
        if link.digest in certain
        and (link.version, link.digest) not in reached
        and (link.version in known or link.version > highest or link.digest not in may_be_of_chain)
    }
    return sorted(found)[:SHOWN_VERSIONS]


def _written(link: Link) -> tuple[datetime, int]:
    return link.created, link.version
