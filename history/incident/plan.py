"""Decides the values that a repair writes to a row. Reads no database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from history.conf import is_recorded
from history.incident.merge import NO_ROW, Conflict, UnreadableState, differs, undo
from history.incident.results import SHOWN_FIELDS, SHOWN_NAME, RepairedRow, RepairResult, changes_between
from history.incident.rows import EntryKey, IncidentRow
from history.incident.runs import MissingVersion, Run, repaired_by, runs_of
from kvstore.signals import DELETED, StateVersion
from kvstore.staff.text import shorten
from kvstore.versioning.digests import digest_of
from kvstore.versioning.versions import Values

States = Mapping[EntryKey, str | None]


class Planned(NamedTuple):
    """The result of a row, and the values to write; None if nothing is to be written."""

    row: RepairedRow
    values: Values | None = None


class AlteredEntry(Exception):
    """The values of an entry do not match its digest."""


FAULTS: dict[type[Exception], RepairResult] = {
    MissingVersion: RepairResult.MISSING_VERSION,
    AlteredEntry: RepairResult.ALTERED,
    UnreadableState: RepairResult.UNREADABLE,
}


def needed_links(row: IncidentRow) -> list[StateVersion]:
    """Return the entries of which :func:`plan` needs the states."""
    try:
        runs = [] if repaired_by(row) else runs_of(row)
    except MissingVersion:
        return []
    return [link for run in runs for link in run if link is not None and link.action != DELETED]


def plan(row: IncidentRow, states: States, *, keep_grades: bool) -> Planned:
    """Return the planned result of a row, given the states of its ``needed_links``."""
    result = _unplanned(row)
    earlier = repaired_by(row)
    if earlier is not None:
        return Planned(
            replace(
                result,
                result=RepairResult.REPAIRED,
                new_version=earlier.version,
                repair_id=earlier.request_id,
                repaired_at=earlier.created,
            )
        )
    if not is_recorded(row.address.block_type):
        return Planned(replace(result, result=RepairResult.NOT_RECORDED))
    try:
        return _merged(row, result, states, keep_grades=keep_grades)
    except tuple(FAULTS) as fault:
        return Planned(replace(result, result=FAULTS[type(fault)]))
    except Conflict as conflict:
        names = tuple(shorten(name, SHOWN_NAME) for name in conflict.fields[:SHOWN_FIELDS])
        return Planned(replace(result, result=RepairResult.CONFLICT, conflicts=names))


def _merged(row: IncidentRow, result: RepairedRow, states: States, *, keep_grades: bool) -> Planned:
    runs: Sequence[Run] = runs_of(row)
    values = present = _present_values(row)
    for run in runs:
        before, after = (_values_of(link, states) for link in run)
        values = undo(values, before, after, keep_grade=keep_grades)
    if not differs(values, present):
        return Planned(replace(result, result=RepairResult.UNCHANGED))
    # The version before the oldest run.
    target = _values_of(runs[-1].before, states)
    if keep_grades:
        target = values._replace(state=target.state)
    kind = RepairResult.MERGED if differs(values, target) else RepairResult.RESTORED
    return Planned(replace(result, result=kind, **changes_between(present, values)), values)


def _unplanned(row: IncidentRow) -> RepairedRow:
    learner_id, course_id, block = row.identity
    _state, *grade = _present_values(row)
    return RepairedRow(
        row.row_id,
        RepairResult.UNCHANGED,
        learner_id,
        course_id,
        block,
        entries=len(row.selected),
        first_version=row.first,
        last_version=max(row.selected),
        present_version=row.present.version if row.present else 0,
        grade_before=(grade[0], grade[1]),
        grade_after=(grade[0], grade[1]),
    )


def _present_values(row: IncidentRow) -> Values:
    return NO_ROW if row.present is None else Values(row.present.state, row.present.grade, row.present.max_grade)


def _values_of(link: StateVersion | None, states: States) -> Values:
    """Return the values of a version. Raises AlteredEntry."""
    if link is None or link.action == DELETED:
        return NO_ROW
    entry = link._replace(state=states.get((link.student_module_id, link.version, link.digest)))
    if digest_of(entry) != link.digest:
        raise AlteredEntry
    return Values(entry.state, entry.grade, entry.max_grade)
