"""Case 1: a nightly job removed a learner's answer."""

from django.db import transaction

from demo.cases.term import SECOND_PROBLEM, Term, change, first, has_full_marks, versions_of
from demo.sample_course import SPRING_TIDES
from kvstore.api import DjangoXBlockUserStateClient, set_score
from kvstore.models import StudentModule
from kvstore.versioning import codec

BLOCK = SECOND_PROBLEM
REASON = "nightly regrade"
REQUEST_ID = "regrade-job-17"
LOST_FIELDS = ("answer", "earned")


def lose_a_field(term: Term) -> None:
    """Remove the answer and its grade of the first learner with a solution at the second attempt."""
    row = None if versions_of(REQUEST_ID) else first(term.rows(BLOCK), _solved_late)
    if row is None:
        return
    # The attempts stay, so the page shows that the learner answered but not the answer.
    with change(term.jobs, REASON, REQUEST_ID, term.day(30, 2, 17)), transaction.atomic():
        DjangoXBlockUserStateClient().delete(row.student.get_username(), BLOCK, fields=list(LOST_FIELDS))
        set_score(row.student_id, BLOCK, 0, SPRING_TIDES.fields["weight"])


def _solved_late(row: StudentModule) -> bool:
    return has_full_marks(row) and codec.loads_state(row.state).get("attempts", 0) > 1
