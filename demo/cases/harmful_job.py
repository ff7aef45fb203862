"""Case 5: a job replaced the answers of 40 learners, three of whom continued to work."""

from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction

from demo.cases import deleted_row, lost_field, wrong_grade
from demo.cases.term import SECOND_PROBLEM, Term, change, has_full_marks, versions_of
from demo.sample_course import SPRING_TIDES
from kvstore.api import DjangoXBlockUserStateClient, set_score
from kvstore.models import StudentModule
from kvstore.versioning import codec

BLOCK = SECOND_PROBLEM
REASON = "import of answers from paper"
REQUEST_ID = "import-job-23"
MOST_HARMED = 40
WRONG_ANSWER = "midsummer"
SECONDS_EACH = 3


def harm_many(term: Term) -> None:
    """Replace the right answers and the grades of up to 40 learners with attempts left; three of them continue."""
    others = [case.REQUEST_ID for case in (lost_field, wrong_grade, deleted_row)]
    rows = [] if versions_of(REQUEST_ID) else term.rows(BLOCK, without=others)
    client, moment = DjangoXBlockUserStateClient(), term.day(31, 1, 5)
    harmed = [row for row in rows if row.modified < moment and _can_be_harmed(row)][:MOST_HARMED]
    for row in harmed:
        moment += timedelta(seconds=SECONDS_EACH)
        with change(term.jobs, REASON, REQUEST_ID, moment), transaction.atomic():
            client.set(row.student.get_username(), BLOCK, {"answer": WRONG_ANSWER, "earned": 0})
            set_score(row.student_id, BLOCK, 0, row.max_grade)
    _continue(term, harmed)


def _can_be_harmed(row: StudentModule) -> bool:
    attempts = codec.loads_state(row.state).get("attempts", 0)
    return has_full_marks(row) and attempts < SPRING_TIDES.fields["max_attempts"]


def _continue(term: Term, harmed: Sequence[StudentModule]) -> None:
    """Let the first learner answer again, which changes the same fields, and two others open the hint."""
    for day, row in enumerate(harmed[:3], start=31):
        learner = term.learner(row.student)
        if day == 31:
            learner.submit(BLOCK, "quarters", term.day(day, 19, 20))
        else:
            learner.open_hint(BLOCK, term.day(day, 18, 45))
