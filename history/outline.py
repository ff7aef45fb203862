"""The versions of a block at a glance: enough to draw them and to see whether one is missing, without the states."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from history.conf import is_recorded
from history.models import Entry, PendingHistory
from history.owners import Owner
from history.sizes import OctetLength
from history.timeline import timeline_of

LONGEST = 2000
"""versions; older ones are not looked at"""

COLUMNS = ("student_module_id", "version", "action", "created", "grade", "max_grade")


def outline(owner: Owner) -> list[Any]:
    """Return the newest versions, newest first, each with its ``size`` in bytes and no state.

    At most 2,000 of them, and one more where there are more. One query on the history database. Raises
    HistoryUnavailable.
    """
    entries = timeline_of(owner.student_id, owner.address, columns=_outlined, page_size=LONGEST + 1)
    return list(islice(entries, LONGEST + 1))


def _outlined(entries: Any) -> Any:
    return entries.only(*COLUMNS).annotate(size=OctetLength("state"))


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
    def whole(self) -> bool:
        """Whether every version from the first of the row on was seen."""
        return self.found > 0 and not self.missing and self.first == 1 and not self.partial


def completeness(owner: Owner, row_id: int, entries: Sequence[Entry]) -> Completeness:
    """Return whether ``entries``, an outline, has every version of the row with this id."""
    versions = [entry.version for entry in entries if entry.student_module_id == row_id]
    highest = owner.version or max(versions, default=0)
    lowest = min(versions, default=highest + 1)
    return Completeness(
        recorded=is_recorded(owner.address.block_type),
        found=len(versions),
        first=min(versions, default=0),
        missing=tuple(_absent(highest, lowest, versions)),
        waiting=sum(isinstance(entry, PendingHistory) for entry in entries),
        partial=len(entries) > LONGEST,
    )


def _absent(highest: int, lowest: int, versions: Iterable[int]) -> Iterable[int]:
    known = set(versions)
    # A row of a billion versions with a lone entry is no reason to list a billion numbers.
    return islice((version for version in range(highest, lowest, -1) if version not in known), LONGEST)
