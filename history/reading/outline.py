"""The versions of a block at a glance: enough to draw them and to see whether one is missing, without the states."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from operator import attrgetter
from typing import Any, NamedTuple

from history.conf import is_recorded
from history.models import PendingHistory
from history.reading.chain import LINK_COLUMNS, Standing, proved
from history.reading.ownership import RowOwner
from history.reading.sizes import OctetLength
from history.reading.timeline import Prepare, Span, all_entries

MAX_VERSIONS = 2000
"""versions; older ones are not looked at"""

COLUMNS = (*LINK_COLUMNS, "grade", "max_grade")


def _outlined(entries: Any) -> Any:
    return entries.only(*COLUMNS).annotate(size=OctetLength("state"))


class BranchVersion(NamedTuple):
    """An entry from which the present state does not descend, because its database was restored from a backup."""

    entry: Any
    is_proved: bool
    """whether the version was certainly committed; the newest of a branch may have been rolled back"""


@dataclass(frozen=True)
class Outline:
    """The newest versions of a block for a learner, newest first, each with its ``size`` in bytes and no state."""

    entries: list[Any]
    """those from which the present state, or the deletion of its row, descends"""
    branch: list[BranchVersion]
    is_partial: bool
    """whether there are more, older entries than were read"""


def recent_versions(owner: RowOwner) -> Outline:
    """Return an outline of the newest 2,000 entries. One query on the history database. Raises HistoryUnavailable."""
    of_learner = {"student_id": owner.student_id}
    read = all_entries(of_learner, owner.address, prepare=_outlined, page_size=MAX_VERSIONS + 1)
    found = list(islice(read, MAX_VERSIONS + 1))
    return Outline(
        entries=[entry for entry, standing in found[:MAX_VERSIONS] if standing is Standing.CURRENT],
        branch=list(branch_of(found)),
        is_partial=len(found) > MAX_VERSIONS,
    )


def branch_of(found: Sequence[tuple[Any, Standing]]) -> Iterator[BranchVersion]:
    """Yield, of entries with their standing, those that were committed although the present state ignores them.

    A deletion proves its versions, and so does a version that a later transaction continued. The versions that follow
    these belong to the branch too, and may have been rolled back. An entry that directly follows the versions of the
    present state, and that nothing proves, is left out: as a rule it was rolled back.
    """
    unreached = [entry for entry, standing in found if standing is Standing.UNREACHED]
    continued = proved(unreached)
    certain = {_place(entry) for entry in unreached if entry.digest in continued}
    certain |= {_place(entry) for entry, standing in found if standing is Standing.BRANCH}
    branch = set(certain)
    for entry in sorted(unreached, key=attrgetter("version")):
        if (entry.student_module_id, entry.previous) in branch:
            branch.add(_place(entry))
    for entry, _standing in found:
        if _place(entry) in branch:
            entry.is_branch = True
            yield BranchVersion(entry, _place(entry) in certain)


def _place(entry: Any) -> tuple[int, bytes]:
    return entry.student_module_id, entry.digest


def find_entry(
    owner: RowOwner, row_id: int, version: int, digest: str = "", prepare: Prepare = lambda entries: entries
) -> Any:
    """Return an entry of the owner's timeline, or of a branch of it; None where there is none.

    ``digest`` is the beginning of the entry's digest in hexadecimal. Without it, a version of the present state comes
    before one of a branch. Raises HistoryUnavailable.
    """
    of_learner = {"student_id": owner.student_id}
    span = Span(older_than=(row_id, version + 1))
    beside = takewhile(
        lambda found: (found[0].student_module_id, found[0].version) == (row_id, version),
        all_entries(of_learner, owner.address, span, prepare, page_size=2),
    )
    level = [(entry, standing) for entry, standing in beside if entry.digest.hex().startswith(digest)]
    for wanted in (Standing.CURRENT, Standing.BRANCH):
        for entry, standing in level:
            if standing is wanted:
                entry.is_branch = wanted is Standing.BRANCH
                return entry
    branch = {_place(found.entry) for found in recent_versions(owner).branch} if level and digest else set()
    for entry, _standing in level:
        if _place(entry) in branch:
            entry.is_branch = True
            return entry
    return None


@dataclass(frozen=True)
class Completeness:
    """What the entries of a row say about each other."""

    recorded: bool
    """whether blocks of this type are recorded at all, now"""
    found: int
    """entries looked at"""
    first: int
    """the lowest version among them"""
    missing: tuple[int, ...]
    """versions without an entry, newest first, from the row's own down to the first found"""
    waiting: int
    """entries that wait for delivery"""
    partial: bool
    """whether there are more, older entries than were looked at"""

    @property
    def is_complete(self) -> bool:
        """Whether every version from the first of the row on was seen."""
        return self.found > 0 and not self.missing and self.first == 1 and not self.partial


def completeness(owner: RowOwner, row_id: int, found: Outline) -> Completeness:
    """Return whether an outline has every version of the row with this id."""
    versions = [entry.version for entry in found.entries if entry.student_module_id == row_id]
    highest = owner.version or max(versions, default=0)
    lowest = min(versions, default=highest + 1)
    return Completeness(
        recorded=is_recorded(owner.address.block_type),
        found=len(versions),
        first=min(versions, default=0),
        missing=tuple(_absent(highest, lowest, versions)),
        waiting=sum(isinstance(entry, PendingHistory) for entry in found.entries),
        partial=found.is_partial,
    )


def _absent(highest: int, lowest: int, versions: Iterable[int]) -> Iterable[int]:
    known = set(versions)
    # A row of a billion versions with a lone entry is no reason to list a billion numbers.
    return islice((version for version in range(highest, lowest, -1) if version not in known), MAX_VERSIONS)
