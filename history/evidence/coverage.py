"""Which versions of a learner's rows of a block an export contains, and which it lacks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from history.models import Entry, PendingHistory
from history.reading.timeline import CurrentRow
from kvstore.versioning.digests import digest_of

MOST_GAPS = 1_000
"""gaps of a row that are listed; all are counted"""


@dataclass
class RowCoverage:
    """The versions of one row, from the newest that must exist down to the oldest that was found."""

    row_id: int
    newest: int
    oldest: int
    """one above ``newest`` while no version was found"""
    newest_digest: str = ""
    """in hexadecimal, of the newest version that was found"""
    found: int = 0
    missing: int = 0
    gaps: list[tuple[int, int]] = field(default_factory=list)
    """the first and the last missing version of each gap, newest first"""

    def add(self, entry: Entry) -> None:
        """Count a version, older than those before."""
        if entry.version < self.oldest - 1:
            self.missing += self.oldest - 1 - entry.version
            if len(self.gaps) < MOST_GAPS:
                self.gaps.append((entry.version + 1, self.oldest - 1))
        self.newest_digest = self.newest_digest or entry.digest.hex()
        self.oldest = entry.version
        self.found += 1

    @property
    def is_complete(self) -> bool:
        """Whether every version from the first on was found."""
        return not self.missing and self.oldest == 1


class Coverage:
    """Counts the entries of a timeline, newest first."""

    def __init__(self, row: CurrentRow) -> None:
        self.rows: list[RowCoverage] = []
        self.pending = 0
        self.branches = 0
        """entries from which the present state does not descend"""
        self.altered = 0
        """entries with values that do not have the stored digest"""
        if row.row_id is not None:
            self.rows.append(RowCoverage(row.row_id, row.version, row.version + 1))

    def add(self, entry: Entry) -> bool:
        """Count an entry, and return whether its values have its digest."""
        self.pending += isinstance(entry, PendingHistory)
        is_intact = bool(digest_of(entry.as_version()) == entry.digest)
        self.altered += not is_intact
        if entry.is_branch:
            self.branches += 1
        else:
            self._row_of(entry).add(entry)
        return is_intact

    @property
    def count(self) -> int:
        """The number of entries."""
        return self.branches + sum(row.found for row in self.rows)

    @property
    def missing(self) -> int:
        """The number of versions that must exist and have no entry."""
        return sum(row.missing for row in self.rows)

    @property
    def is_complete(self) -> bool:
        """Whether there are rows, and each has every version from the first on, with its digest."""
        return bool(self.rows) and not self.altered and all(row.is_complete for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        return {
            "entries": self.count,
            "complete": self.is_complete,
            "missing": self.missing,
            "pending": self.pending,
            "branches": self.branches,
            "altered": self.altered,
            "rows": [
                {
                    "student_module_id": row.row_id,
                    "newest": row.newest,
                    "oldest": row.oldest if row.found else None,
                    "found": row.found,
                    "missing": row.missing,
                    "gaps": row.gaps,
                    "newest_digest": row.newest_digest or None,
                }
                for row in self.rows
            ],
        }

    def _row_of(self, entry: Entry) -> RowCoverage:
        for row in self.rows:
            if row.row_id == entry.student_module_id:
                return row
        self.rows.append(RowCoverage(entry.student_module_id, entry.version, entry.version + 1))
        return self.rows[-1]
