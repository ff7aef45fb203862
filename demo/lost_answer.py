"""An incident for staff to find: a nightly job removed a learner's answer."""

from collections.abc import Collection

from django.contrib.auth.models import User
from django.db import transaction

from demo.sample_course import SAMPLE_COURSE, SPRING_TIDES
from history.api import change_context, timeline
from kvstore.api import DjangoXBlockUserStateClient, set_score
from kvstore.models import StudentModule

BLOCK = SAMPLE_COURSE.key.make_usage_key(SPRING_TIDES.block_type, SPRING_TIDES.block_id)
REASON = "nightly regrade"
JOB = "regrade-job-17"
LOST_FIELDS = ("answer", "earned")


def lose_an_answer(learners: Collection[User], actor: User) -> StudentModule | None:
    """Remove the answer and its grade of the first learner with a solution at the second attempt.

    Return the changed row. If an earlier call removed an answer, return its row, even if the answer was restored since.
    Return None if no learner qualifies.
    """
    rows: list[StudentModule] = list(
        StudentModule.objects.filter(student__in=learners, module_state_key=BLOCK)
        .select_related("student")
        .order_by("student_id")
    )
    for row in filter(_was_regraded, rows):
        return row
    for row in filter(_solved_late, rows):
        _regrade(row, actor)
        return row
    return None


def _was_regraded(row: StudentModule) -> bool:
    return any(entry.reason == REASON for entry in timeline(row.student, BLOCK))


def _solved_late(row: StudentModule) -> bool:
    state = DjangoXBlockUserStateClient().get(row.student.get_username(), BLOCK).state or {}
    return state.get("attempts", 0) > 1 and row.grade is not None and row.grade == row.max_grade


def _regrade(row: StudentModule, actor: User) -> None:
    # The attempts stay, so the page shows that the learner answered but not the answer.
    with change_context(actor=actor, reason=REASON, request_id=JOB), transaction.atomic():
        DjangoXBlockUserStateClient().delete(row.student.get_username(), BLOCK, fields=list(LOST_FIELDS))
        set_score(row.student_id, BLOCK, 0, SPRING_TIDES.fields["weight"])
