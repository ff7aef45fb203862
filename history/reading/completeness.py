"""Which versions of a row have no entry."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from history.conf import is_recorded
from history.models import PendingHistory
from history.reading.outline import MAX_VERSIONS, Outline
from history.reading.ownership import RowOwner


@dataclass(frozen=True)
class Completeness:
    """The versions of a row that an outline contains, and those that are missing."""

    recorded: bool
    """whether blocks of this type are recorded now"""
    found: int
    """number of entries of the row in the outline"""
    first: int
    """the lowest version among them"""
    missing: tuple[int, ...]
    """versions without an entry, newest first, from the row's own down to ``first``"""
    pending: int
    """number of pending entries"""
    partial: bool
    """whether older entries exist that the outline does not contain"""

    @property
    def is_complete(self) -> bool:
        """Whether the outline contains every version from the first on."""
        return self.found > 0 and not self.missing and self.first == 1 and not self.partial


def completeness(owner: RowOwner, row_id: int, outline: Outline) -> Completeness:
    """Return whether an outline contains every version of the row with this id."""
    versions = [entry.version for entry in outline.entries if entry.student_module_id == row_id]
    highest = owner.version or max(versions, default=0)
    lowest = min(versions, default=highest + 1)
    return Completeness(
        recorded=is_recorded(owner.address.block_type),
        found=len(versions),
        first=min(versions, default=0),
        missing=tuple(_missing(highest, lowest, versions)),
        pending=sum(isinstance(entry, PendingHistory) for entry in outline.entries),
        partial=outline.is_partial,
    )


def _missing(highest: int, lowest: int, versions: Iterable[int]) -> Iterator[int]:
    known = set(versions)
    # A row at version 1,000,000,000 with one entry would produce a billion numbers.
    return islice((version for version in range(highest, lowest, -1) if version not in known), MAX_VERSIONS)
