"""What the cases share: the class, its calendar, the people who change its work, and the versions of a request."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from opaque_keys.edx.keys import UsageKey

from demo.classwork import Learner
from demo.clock import clock_at
from demo.course import AuthoredBlock
from demo.sample_course import SAMPLE_COURSE, SPRING_TIDES, TWO_TIDES
from history.api import Entry, change_context
from history.database.connection import read_history
from history.models import PendingHistory, StudentModuleHistory
from kvstore.models import StudentModule


def key_of(block: AuthoredBlock) -> UsageKey:
    """Return the usage key of a block of the sample course."""
    return SAMPLE_COURSE.key.make_usage_key(block.block_type, block.block_id)


FIRST_PROBLEM, SECOND_PROBLEM = key_of(TWO_TIDES), key_of(SPRING_TIDES)


@dataclass(frozen=True)
class Term:
    """A class that has done its work, the day it began, and the accounts that change the work of others."""

    learners: Sequence[User]
    seed: int
    first_day: datetime
    instructor: User
    jobs: User

    def of(self, learners: Sequence[User]) -> "Term":
        """Return this term with a class."""
        return replace(self, learners=learners)

    def day(self, number: int, hour: int, minute: int) -> datetime:
        """Return a time of a day; day 0 is the first."""
        return self.first_day + timedelta(days=number, hours=hour, minutes=minute)

    def learner(self, user: User) -> Learner:
        """Return a learner with the present state."""
        return Learner(user, self.seed, self.first_day)

    def rows(self, usage_key: UsageKey, *, without: Collection[str] = ()) -> list[StudentModule]:
        """Return the rows of a problem, without those of learners with a version made by one of these requests."""
        others = {entry.student_id for request_id in without for entry in versions_of(request_id)}
        rows = StudentModule.objects.filter(student__in=self.learners, module_state_key=usage_key)
        return [row for row in rows.select_related("student").order_by("student_id") if row.student_id not in others]


@contextmanager
def change(actor: User, reason: str, request_id: str, moment: datetime) -> Iterator[None]:
    """Write versions at a time in the past, with an actor, a reason and a request id."""
    with clock_at(moment), change_context(actor=actor, reason=reason, request_id=request_id):
        yield


def has_full_marks(row: StudentModule) -> bool:
    """Return whether the grade is the largest possible one."""
    return row.grade is not None and row.grade == row.max_grade


def first(rows: Collection[StudentModule], accepts: Callable[[StudentModule], bool]) -> StudentModule | None:
    """Return the first accepted row, or None."""
    return next(filter(accepts, rows), None)


def versions_of(request_id: str) -> list[Entry]:
    """Return the versions that a request made in the sample course, oldest first. Raises HistoryUnavailable."""
    wanted = {"course_id": SAMPLE_COURSE.key, "request_id": request_id}
    delivered = read_history(lambda: list(StudentModuleHistory.objects.filter(**wanted).defer("state")))
    entries: list[Entry] = [*delivered, *PendingHistory.objects.filter(**wanted).defer("state")]
    return sorted(entries, key=lambda entry: (entry.created, entry.student_module_id, entry.version))
