"""The results that a repair reports for each row, and their sums."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from history.comparison.diff import diff
from history.export import iso
from kvstore.staff.text import shorten
from kvstore.versioning.versions import Values

SHOWN_CHANGES = 5
"""changes of each row that a report contains"""
SHOWN_FIELDS = 50
"""names of fields that a report contains for each row"""
SHOWN_NAME = 100
"""characters of the name of a field"""
COUNTED_FIELDS = 1000
"""different names of fields that are counted; their number has no limit"""
SAMPLE_SIZE = 10


class RepairResult(TextChoices):
    """The result of one row."""

    RESTORED = "restored", pgettext_lazy("result", "restored")
    MERGED = "merged", pgettext_lazy("result", "merged")
    REPAIRED = "repaired", pgettext_lazy("result", "repaired before")
    UNCHANGED = "unchanged", pgettext_lazy("result", "unchanged")
    CONFLICT = "conflict", pgettext_lazy("result", "skipped: changed afterwards")
    CHANGED_MEANWHILE = "changed_meanwhile", pgettext_lazy("result", "skipped: changed during the repair")
    LOCKED = "locked", pgettext_lazy("result", "skipped: locked")
    MISSING_VERSION = "missing_version", pgettext_lazy("result", "skipped: version missing")
    ALTERED = "altered", pgettext_lazy("result", "skipped: entry altered")
    UNREADABLE = "unreadable", pgettext_lazy("result", "skipped: unreadable state")
    MISSING_LEARNER = "missing_learner", pgettext_lazy("result", "skipped: learner missing")
    NOT_RECORDED = "not_recorded", pgettext_lazy("result", "skipped: type not recorded")

    @property
    def explanation(self) -> Promise:
        return EXPLANATIONS[self]


EXPLANATIONS = {
    RepairResult.RESTORED: _("The block gets the state and the grade of the version before the selected changes."),
    RepairResult.MERGED: _("The selected changes are undone, and changes made afterwards to other fields are kept."),
    RepairResult.REPAIRED: _("An earlier repair undid the selected changes."),
    RepairResult.UNCHANGED: _("The block has none of the selected changes any more."),
    RepairResult.CONFLICT: _("The same fields were changed afterwards. Compare the versions on the timeline."),
    RepairResult.CHANGED_MEANWHILE: _("Other transactions changed the row during each attempt. Run the repair again."),
    RepairResult.LOCKED: _("Another transaction held the lock of the row for too long. Run the repair again."),
    RepairResult.MISSING_VERSION: _("The history lacks the version before the selected changes."),
    RepairResult.ALTERED: _("The values of an entry do not match its digest, so it is not used. Run verify_history."),
    RepairResult.UNREADABLE: _("A state is not a JSON object. Compare the versions on the timeline."),
    RepairResult.MISSING_LEARNER: _("The user was deleted, so no state can be stored."),
    RepairResult.NOT_RECORDED: _(
        "Blocks of this type are not recorded, so the repair could not be undone. Add the type to HISTORY_BLOCK_TYPES."
    ),
}
"""the sentence for each result"""


class GradeKind(TextChoices):
    """How a repair changes the grade of a row."""

    INCREASED = "increased", pgettext_lazy("grade", "increased")
    DECREASED = "decreased", pgettext_lazy("grade", "decreased")
    ADDED = "added", pgettext_lazy("grade", "added")
    REMOVED = "removed", pgettext_lazy("grade", "removed")
    RESCALED = "rescaled", pgettext_lazy("grade", "with another maximum")
    UNCHANGED = "unchanged", pgettext_lazy("grade", "unchanged")


WRITTEN = {RepairResult.RESTORED, RepairResult.MERGED}
DONE = WRITTEN | {RepairResult.REPAIRED, RepairResult.UNCHANGED}


class Change(NamedTuple):
    """A value that the repair changes, as text: shortened, with unprintable characters escaped."""

    path_text: str
    kind: str
    """added, removed or changed"""
    old_text: str
    """at present"""
    new_text: str
    """after the repair"""


@dataclass(frozen=True)
class RepairedRow:
    """The result of one row."""

    row_id: int
    result: RepairResult
    learner_id: int
    course_id: str
    block: str
    entries: int
    """number of selected entries"""
    first_version: int
    """the first selected version"""
    last_version: int
    """the last selected version"""
    present_version: int
    """before the repair; 0 if the row was deleted"""
    new_version: int | None = None
    """the version that the repair wrote; None for a dry run"""
    grade_before: tuple[float | None, float | None] = (None, None)
    """grade and maximum before the repair"""
    grade_after: tuple[float | None, float | None] = (None, None)
    """grade and maximum after the repair"""
    fields: tuple[tuple[str, str], ...] = ()
    """name and kind of change of the fields that the repair changes; at most the first fifty"""
    changes: tuple[Change, ...] = ()
    """the first five changes"""
    conflicts: tuple[str, ...] = ()
    """fields that were changed afterwards; ``(grade)`` for the grade; at most the first fifty"""
    repair_id: str = ""
    """of the repair that wrote the row; for the result ``repaired``, of the earlier one"""
    repaired_at: datetime | None = None
    """for the result ``repaired``: when the earlier repair wrote the row"""

    @property
    def is_written(self) -> bool:
        return self.result in WRITTEN

    @property
    def is_skipped(self) -> bool:
        return self.result not in DONE

    @property
    def grade_kind(self) -> GradeKind:
        if self.grade_before == self.grade_after:
            return GradeKind.UNCHANGED
        before, after = self.grade_before[0], self.grade_after[0]
        if before == after:
            return GradeKind.RESCALED
        if before is None or after is None:
            return GradeKind.ADDED if before is None else GradeKind.REMOVED
        return GradeKind.INCREASED if before < after else GradeKind.DECREASED

    def as_dict(self) -> dict[str, Any]:
        """Return all values, for JSON."""
        values = asdict(self) | {
            "result": str(self.result),
            "repaired_at": iso(self.repaired_at) if self.repaired_at else None,
            "fields": dict(self.fields),
            "changes": [change._asdict() for change in self.changes],
        }
        return {"row": values.pop("row_id"), **values, "explanation": str(self.result.explanation)}


def changes_between(present: Values, after: Values) -> dict[str, Any]:
    """Return the values of a RepairedRow that describe the change from ``present`` to ``after``."""
    difference = diff(present.state, after.state, limit=SHOWN_CHANGES)
    fields = [(shorten(name, SHOWN_NAME), str(kind)) for name, kind in difference.changed_fields().items()]
    return {
        "grade_before": present[1:],
        "grade_after": after[1:],
        "fields": tuple(fields[:SHOWN_FIELDS]),
        "changes": tuple(
            Change(change.path_text, str(change.kind), change.old_text, change.new_text)
            for change in difference.changes
        ),
    }


@dataclass
class Repair:
    """Progress and results of a run."""

    repair_id: str = ""
    """the request id of the entries that the repair writes"""
    dry_run: bool = False
    started: datetime | None = None
    """before the first row was written"""
    found: int = 0
    """rows with matching entries, of which some may not be committed"""
    rows: int = 0
    """rows examined"""
    last_id: int = 0
    """id of the last row examined; the highest id is first"""
    entries: int = 0
    """selected entries"""
    learners: set[int] = field(default_factory=set)
    blocks: set[str] = field(default_factory=set)
    courses: set[str] = field(default_factory=set)
    results: Counter[str] = field(default_factory=Counter)
    grades: Counter[str] = field(default_factory=Counter)
    """number of written rows by the kind of change of the grade"""
    fields: Counter[tuple[str, str]] = field(default_factory=Counter)
    """number of written rows by name and kind of a changed field; the first 1,000 names"""
    emptied: int = 0
    """written rows that the selected changes created: no field is left that the changes added"""
    sample: list[RepairedRow] = field(default_factory=list)
    """the first ten written rows"""

    @property
    def written(self) -> int:
        return sum(self.results[result] for result in WRITTEN)

    @property
    def skipped(self) -> int:
        return sum(self.results.values()) - sum(self.results[result] for result in DONE)

    def add(self, row: RepairedRow) -> None:
        self.entries += row.entries
        self.learners.add(row.learner_id)
        self.blocks.add(row.block)
        self.courses.add(row.course_id)
        self.results[str(row.result)] += 1
        if not row.is_written:
            return
        self.grades[str(row.grade_kind)] += 1
        self.emptied += row.first_version == 1
        for changed in row.fields:
            if changed in self.fields or len(self.fields) < COUNTED_FIELDS:
                self.fields[changed] += 1
        if len(self.sample) < SAMPLE_SIZE:
            self.sample.append(row)

    def as_dict(self) -> dict[str, Any]:
        """Return the sums, for JSON."""
        fields = self.fields.most_common(20)
        return {
            "repair_id": self.repair_id,
            "dry_run": self.dry_run,
            "rows": self.rows,
            "entries": self.entries,
            "learners": len(self.learners),
            "blocks": len(self.blocks),
            "results": dict(self.results),
            "skipped": self.skipped,
            "grades": dict(self.grades),
            "fields": [{"name": name, "kind": kind, "rows": count} for (name, kind), count in fields],
            "emptied": self.emptied,
            "last_id": self.last_id,
        }
