"""Case 3: a learner's row was deleted, and the learner began again."""

from datetime import timedelta

from demo.cases import lost_field, wrong_grade
from demo.cases.term import FIRST_PROBLEM, Term, change, first, has_full_marks, versions_of

BLOCK = FIRST_PROBLEM
REASON = "remove the work of test accounts"
REQUEST_ID = "cleanup-31"
NEW_ANSWER = "wind"


def delete_a_row(term: Term) -> None:
    """Delete the row of the first learner with full marks and without another case; the learner answers again."""
    others = [lost_field.REQUEST_ID, wrong_grade.REQUEST_ID]
    rows = [] if versions_of(REQUEST_ID) else term.rows(BLOCK, without=others)
    row = first(rows, has_full_marks)
    if row is None:
        return
    deleted_at = term.day(28, 10, 5)
    with change(term.instructor, REASON, REQUEST_ID, deleted_at):
        row.delete()
    term.learner(row.student).submit(BLOCK, NEW_ANSWER, deleted_at + timedelta(days=1, hours=9))
