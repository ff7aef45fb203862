"""The results that a recovery reports for each row, and their sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from history.export import iso
from kvstore.storage.sequences import NextId


class Result(StrEnum):
    """The result of one row."""

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
    Result.DIVERGED: "these versions were committed, but the row does not descend from them: it was written after the "
    "backup was restored. Compare the versions in the admin, and restore one there if it is the right one.",
    Result.TAKEN: "another learner or block has a row with this id.",
    Result.OTHER_ROW: "the learner has, or had later, a row of this block with another id.",
    Result.MISSING_LEARNER: "no user has this id. Restore the user, and run recover_state again.",
    Result.CHANGED_MEANWHILE: "other transactions changed the row during each attempt. Run recover_state again.",
    Result.LOCKED: "another transaction held the lock of the row for too long. Run recover_state again.",
    Result.ALTERED: "the values do not match the stored digest; the entry is not used.",
    Result.UNKNOWN_FORMAT: "the digest is in a format of a newer release. Upgrade, and run recover_state again.",
    Result.ERASED: "a row with this id was deleted and its entries were erased. Delete the row if it is the same.",
}

WRITTEN = {Result.RESTORED, Result.DELETED}
HARMLESS_UNPROVED = {Result.TAKEN, Result.OTHER_ROW}
"""results that a rolled back insert explains, unless its version is proved"""


@dataclass(frozen=True)
class RecoveredRow:
    """The result of one row."""

    row_id: int
    result: Result
    learner_id: int
    course: str
    block: str
    from_version: int
    """of the row before; 0 if it was missing"""
    to_version: int | None = None
    """newest version in the history"""
    proved: bool = False
    """whether that version was certainly committed; else it may have been rolled back"""
    written: datetime | None = None
    """when that version was written"""
    missing: Sequence[int] = ()
    """versions without an entry between the two; at most the first fifty"""
    versions: Sequence[int] = ()
    """versions that were not restored; at most the first fifty"""

    @property
    def is_written(self) -> bool:
        return self.result in WRITTEN

    @property
    def needs_decision(self) -> bool:
        """Whether a committed version may be lost."""
        return not self.is_written and (self.proved or self.result not in HARMLESS_UNPROVED)

    def as_dict(self) -> dict[str, Any]:
        """Return all fields, for JSON."""
        values = asdict(self) | {
            "written": iso(self.written) if self.written else None,
            "missing": list(self.missing),
            "versions": list(self.versions),
        }
        return {"row": values.pop("row_id"), **values, "detail": DETAILS[self.result]}


@dataclass
class Recovery:
    """Progress and results of a run."""

    rows: int = 0
    """row ids compared"""
    last_id: int = 0
    """id of the last row compared"""
    results: Counter[str] = field(default_factory=Counter)
    not_proved: int = 0
    """restored rows whose version may have been rolled back"""
    left: int = 0
    """results that need a decision"""
    next_id: NextId | None = None
    """the id of the next new row; None if the database does not generate ids"""

    def add(self, row: RecoveredRow) -> None:
        self.results[str(row.result)] += 1
        self.not_proved += row.is_written and not row.proved
        self.left += row.needs_decision
