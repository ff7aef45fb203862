"""What a recovery reports: each row that it restored or left, and how far it has come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from history.export import iso
from kvstore.storage.sequences import NextId


class Result(StrEnum):
    """What became of a row."""

    RESTORED = "restored"
    DELETED = "deleted"
    DIVERGED = "diverged"
    TAKEN = "taken"
    OTHER_ROW = "other_row"
    MISSING_LEARNER = "missing_learner"
    CHANGED_MEANWHILE = "changed_meanwhile"
    LOCKED = "locked"
    ALTERED = "altered"
    UNKNOWN_FORMAT = "unknown_format"
    ERASED = "erased"


DETAILS = {
    Result.RESTORED: "",
    Result.DELETED: "",
    Result.DIVERGED: "the row does not descend from these versions, which were committed: it was written after the "
    "backup was restored. Compare them in the admin and restore one there if it is the right one.",
    Result.TAKEN: "another learner or block has a row with this id.",
    Result.OTHER_ROW: "the learner has, or had later, a row of this block with another id.",
    Result.MISSING_LEARNER: "there is no user with this id. Restore the user, and run recover_state again.",
    Result.CHANGED_MEANWHILE: "the row was written to at each attempt. Run recover_state again.",
    Result.LOCKED: "another transaction held the lock of the row for too long. Run recover_state again.",
    Result.ALTERED: "the values do not have the digest that they are stored with; the entry is not used.",
    Result.UNKNOWN_FORMAT: "the digest is in a format of a newer release. Upgrade, and run recover_state again.",
    Result.ERASED: "a row with this id was deleted and its entries were erased. Delete the row if it is the same.",
}

WRITTEN = {Result.RESTORED, Result.DELETED}
EXPECTED = {Result.TAKEN, Result.OTHER_ROW}
"""results that a row has that was never committed"""


@dataclass(frozen=True)
class RecoveredRow:
    """What became of one row."""

    row_id: int
    result: Result
    learner_id: int
    course: str
    block: str
    from_version: int
    """the version that the row was at; 0 where it was missing"""
    to_version: int | None = None
    """the version that the history has for it"""
    proved: bool = False
    """whether that version was certainly committed; else it may have been rolled back"""
    written: datetime | None = None
    """when that version was written"""
    missing: Sequence[int] = ()
    """versions between the two that no entry holds; at most the first fifty"""
    versions: Sequence[int] = ()
    """the versions that were left; at most the first fifty"""

    @property
    def is_written(self) -> bool:
        """Whether the row is as the history has it."""
        return self.result in WRITTEN

    @property
    def is_left(self) -> bool:
        """Whether a version that was committed may be lost."""
        return not self.is_written and (self.proved or self.result not in EXPECTED)

    def as_dict(self) -> dict[str, Any]:
        """Return all of it, for JSON."""
        return {
            "row": self.row_id,
            "result": str(self.result),
            "learner_id": self.learner_id,
            "course": self.course,
            "block": self.block,
            "from_version": self.from_version,
            "to_version": self.to_version,
            "proved": self.proved,
            "written": iso(self.written) if self.written else None,
            "missing": list(self.missing),
            "versions": list(self.versions),
            "detail": DETAILS[self.result],
        }


@dataclass
class Recovery:
    """How far a run has come."""

    rows: int = 0
    """row ids compared"""
    last_id: int = 0
    """continue after this one"""
    results: Counter[str] = field(default_factory=Counter)
    not_proved: int = 0
    """restored rows whose version may have been rolled back"""
    left: int = 0
    """results that need a decision"""
    next_id: NextId | None = None
    """the id of the next new row; None where the database does not make it"""

    def add(self, row: RecoveredRow) -> RecoveredRow:
        """Count a result."""
        self.results[str(row.result)] += 1
        self.not_proved += row.is_written and not row.proved
        self.left += row.is_left
        return row
