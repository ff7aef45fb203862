"""Repairs the problems of a row that its present state or its recorded deletion proves."""

from collections.abc import Iterable

from history.recording.erasure import erase_entries
from history.verification.row_check import Problem, lacks_present_state
from history.verification.summaries import RowSummary
from kvstore.storage.writing import record_present_state
from kvstore.versioning.context import change_context

REPAIR_REASON = "recorded by verify_history"
REPAIRABLE = {"unrecorded", "differs", "erasable"}


def repair(summary: RowSummary, problems: Iterable[Problem]) -> None:
    """Record the present state of the row as its next version, or erase the entries of a deleted row.

    The caller holds the lock of the row. Marks the problems that this solves as repaired; the entries of a gap stay
    missing.
    """
    if lacks_present_state(summary):
        with change_context(reason=REPAIR_REASON):
            record_present_state(summary.row_id)
    for problem in problems:
        if problem.kind == "erasable":
            erase_entries(summary.row_id, summary.identity)
        problem.repaired = problem.kind in REPAIRABLE
