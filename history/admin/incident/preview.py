"""The preview of a repair: the results of all rows, and a digest that changes with them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from history.admin.permissions import HistoryAdmin
from history.admin.urls import timeline_url
from history.comparison.displayed import DisplayedChange
from history.comparison.json_diff import ChangeKind
from history.comparison.words import ADDED, REMOVED, Part
from history.export import json_line
from history.incident.repair import repair
from history.incident.results import Change, GradeKind, Repair, RepairedRow, RepairResult
from history.incident.search import find_rows
from history.incident.selection import Selection
from kvstore.staff.users import display_name, names_for

MAX_ROWS = 500
"""rows that the page previews and repairs; the command has no limit"""
MAX_RANGES = 20
"""queries, each over 10,000 entries, in which the page searches for rows"""
SHOWN_FIELDS = 20
"""names of fields in the sums"""


@dataclass(frozen=True)
class Preview:
    """The results that a repair of a selection would have now."""

    sums: Repair
    rows: list[RepairedRow]

    @property
    def digest(self) -> str:
        """A digest of all that the preview shows of the rows, in hexadecimal."""
        lines = "".join(self.json_lines())
        return hashlib.sha256(lines.encode("ascii")).hexdigest()

    def json_lines(self) -> Iterator[str]:
        return (json_line(row.as_dict()) for row in self.rows)

    @property
    def results(self) -> list[tuple[RepairResult, int]]:
        """The results and the number of rows with each."""
        return [(result, self.sums.results[result]) for result in RepairResult if self.sums.results[result]]

    @property
    def grades(self) -> list[tuple[GradeKind, int]]:
        """The kinds of changes of grades and the number of rows with each."""
        return [(kind, self.sums.grades[kind]) for kind in GradeKind if self.sums.grades[kind]]

    @property
    def fields(self) -> list[tuple[str, ChangeKind, int]]:
        """Name, kind of change and number of rows of the most frequent changes of fields."""
        most = self.sums.fields.most_common(SHOWN_FIELDS)
        return [(name, ChangeKind(kind), count) for (name, kind), count in most]

    @property
    def earlier(self) -> list[tuple[str, list[RepairedRow]]]:
        """The ids of earlier repairs of these rows, each with its rows."""
        repaired = [row for row in self.rows if row.result is RepairResult.REPAIRED]
        grouped = groupby(sorted(repaired, key=attrgetter("repair_id")), key=attrgetter("repair_id"))
        return [(repair_id, list(rows)) for repair_id, rows in grouped]

    def one_row_of_each_course(self) -> list[RepairedRow]:
        return list({row.course_id: row for row in self.rows}.values())


def preview(selection: Selection, *, keep_grades: bool) -> Preview:
    """Return the preview of a selection. Raises UnfinishedSearch if it is too large, and HistoryUnavailable."""
    find_rows(selection, most_rows=MAX_ROWS, most_ranges=MAX_RANGES)
    rows: list[RepairedRow] = []
    sums = repair(selection, keep_grades=keep_grades, dry_run=True, report=rows.append)
    return Preview(sums, rows)


def table(model_admin: HistoryAdmin, rows: list[RepairedRow]) -> list[dict[str, Any]]:
    """Return the values of a table of rows, with the names of the learners from one query."""
    names = names_for({row.learner_id for row in rows})
    return [
        {
            "row": row,
            "learner": display_name(row.learner_id, names),
            "url": timeline_url(model_admin.admin_site, row.row_id),
            "grade_before": _grade(row.grade_before),
            "grade_after": _grade(row.grade_after),
            "changes": [_displayed(change) for change in row.changes],
        }
        for row in rows
    ]


def _displayed(change: Change) -> DisplayedChange:
    old, new = [Part(REMOVED, change.old_text)], [Part(ADDED, change.new_text)]
    return DisplayedChange(ChangeKind(change.kind), change.path_text, old, new, [])


def _grade(grade: tuple[float | None, float | None]) -> str:
    value, most = ("" if one is None else f"{one:.15g}" for one in grade)
    return f"{value} / {most}" if value and most else value
