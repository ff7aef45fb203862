"""The versions of a block without their states: recent versions, branches, and the look-up of one version."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from typing import Any, NamedTuple

from history.reading.chain import LINK_COLUMNS, Standing, proved
from history.reading.ownership import RowOwner
from history.reading.timeline import Prepare, all_entries, entries_at

MAX_VERSIONS = 2000
"""an outline contains no older versions"""

COLUMNS = (*LINK_COLUMNS, "grade", "max_grade")


class BranchVersion(NamedTuple):
    """An entry from which the present state does not descend, because its database was restored from a backup."""

    entry: Any
    is_proved: bool
    """whether the version was certainly committed; the newest of a branch may have been rolled back"""


@dataclass(frozen=True)
class Outline:
    """The newest versions of a block for a learner, newest first. Entries have ``size``, the bytes of the state."""

    entries: list[Any]
    """the entries from which the present state, or the deletion of the row, descends"""
    branch: list[BranchVersion]
    is_partial: bool
    """whether older entries exist"""


def recent_versions(owner: RowOwner) -> Outline:
    """Return an outline of the newest 2,000 entries. One query on the history database. Raises HistoryUnavailable."""
    of_learner = {"student_id": owner.student_id}
    entries = all_entries(
        of_learner,
        owner.address,
        prepare=lambda entries: entries.with_state_size().only(*COLUMNS),
        page_size=MAX_VERSIONS + 1,
    )
    newest = list(islice(entries, MAX_VERSIONS + 1))
    return Outline(
        entries=[entry for entry, standing in newest[:MAX_VERSIONS] if standing is Standing.CURRENT],
        branch=list(branch_of(newest)),
        is_partial=len(newest) > MAX_VERSIONS,
    )


def branch_of(entries: Sequence[tuple[Any, Standing]]) -> Iterator[BranchVersion]:
    """Yield the entries, given with their standing, from which the present state does not descend, but a branch does.

    A version belongs to a branch if a deletion or a later transaction proves it, or if it follows such a version. The
    latter may have been rolled back. An unproved entry that directly follows a version of the present state is omitted:
    as a rule it was rolled back.
    """
    unreached = [entry for entry, standing in entries if standing is Standing.UNREACHED]
    continued = proved(unreached)
    certain = {entry.key for entry in unreached if entry.digest in continued}
    certain |= {entry.key for entry, standing in entries if standing is Standing.BRANCH}
    branch = set(certain)
    for entry in sorted(unreached, key=attrgetter("version")):
        if (entry.student_module_id, entry.version - 1, entry.previous) in branch:
            branch.add(entry.key)
    for entry, _standing in entries:
        if entry.key in branch:
            entry.is_branch = True
            yield BranchVersion(entry, entry.key in certain)


def find_entry(
    owner: RowOwner, row_id: int, version: int, digest: str = "", prepare: Prepare = lambda entries: entries
) -> Any:
    """Return the entry of a version in the owner's timeline or in a branch of it, or None.

    ``digest`` is the beginning of the entry's digest in hexadecimal. Without it, a version of the present state takes
    precedence over one of a branch. Raises HistoryUnavailable.
    """
    stored = entries_at(owner.student_id, owner.address, row_id, version, prepare)
    candidates = [(entry, standing) for entry, standing in stored if entry.digest.hex().startswith(digest)]
    for wanted in (Standing.CURRENT, Standing.BRANCH):
        for entry, standing in candidates:
            if standing is wanted:
                entry.is_branch = wanted is Standing.BRANCH
                return entry
    branch = {found.entry.key for found in recent_versions(owner).branch} if candidates and digest else set()
    for entry, _standing in candidates:
        if entry.key in branch:
            entry.is_branch = True
            return entry
    return None
