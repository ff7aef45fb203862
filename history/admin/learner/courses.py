"""The courses of a learner: those with rows, and those that only the history contains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from history.admin.learner.entries import Trace
from history.querysets import on_primary
from kvstore.models import StudentModule
from kvstore.storage.reading import stored_text

MOST_ROWS = 10_000
"""rows of a learner that are counted"""


class Course(NamedTuple):
    """A course of a learner; permissions for one course read ``course_id``."""

    course_id: str
    blocks: int
    """rows of the learner in it"""


class Courses(NamedTuple):
    """The courses of a learner in the order of their keys."""

    courses: list[Course]
    is_partial: bool
    """whether the learner has more rows than were counted"""


def courses_of(student_id: int, traces: Sequence[Trace]) -> Courses:
    """Return the courses with rows of the learner, and those of the given entries."""
    rows = on_primary(StudentModule).filter(student_id=student_id).order_by("module_state_key", "course_id")
    # Counted here, because the database would count every row; the unique index contains the column.
    counted = list(rows.values_list(stored_text("course_id"), flat=True)[: MOST_ROWS + 1])
    counts = Counter(counted[:MOST_ROWS])
    keys = sorted({*counts, *(trace.course_id for trace in traces)})
    return Courses([Course(key, counts[key]) for key in keys], len(counted) > MOST_ROWS)
