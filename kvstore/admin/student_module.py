"""Learners' state in Django's admin: to find and to read, not to write."""

from kvstore.admin.base import ReadOnlyAdmin
from kvstore.admin.filters import CourseFilter, GradeFilter, ModifiedFilter, TypeFilter
from kvstore.admin.ordering import Walk


class StudentModuleAdmin(ReadOnlyAdmin):
    """What each learner's block holds now."""

    list_display = ("id", "learner", "course", "module_type", "block", "score", "version", "modified")
    list_filter = (CourseFilter, TypeFilter, GradeFilter, ModifiedFilter)
    walks = (
        Walk(("id",), ("-id",)),
        Walk(("student_id",), ("module_state_key", "course_id"), pin=False),
        Walk(("module_state_key",), ("-id",)),
        Walk(("course_id", "module_type"), ("-id",)),
        Walk(("course_id",), ("-id",)),
        Walk((), ("-id",)),
    )
    fields = (
        *("id", "student", "course_id", "module_type", "module_state_key", "grade", "max_grade", "done"),
        *("version", "created", "modified", "readable_state"),
    )
