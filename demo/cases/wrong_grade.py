"""Case 2: an instructor's override, meant for another learner, lowered a grade."""

from demo.cases import lost_field
from demo.cases.term import FIRST_PROBLEM, Term, change, first, has_full_marks, versions_of
from kvstore.api import set_score

BLOCK = FIRST_PROBLEM
REASON = "override: handed in after the deadline"
REQUEST_ID = "gradebook-override-204"


def lower_a_grade(term: Term) -> None:
    """Override the grade of the first learner with full marks and without another case."""
    rows = [] if versions_of(REQUEST_ID) else term.rows(BLOCK, without=[lost_field.REQUEST_ID])
    row = first(rows, has_full_marks)
    if row is not None:
        with change(term.instructor, REASON, REQUEST_ID, term.day(27, 16, 40)):
            set_score(row.student_id, BLOCK, 0, row.max_grade)
