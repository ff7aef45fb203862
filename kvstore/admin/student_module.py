"""The admin of StudentModule."""

from kvstore.admin.base import ReadOnlyAdmin
from kvstore.admin.filters import CourseFilter, GradeFilter, ModifiedFilter, TypeFilter
from kvstore.admin.ordering import IndexOrder


class StudentModuleAdmin(ReadOnlyAdmin):
    """The current state of each learner's blocks."""

    list_display = ("id", "learner", "course", "module_type", "block", "score", "version", "modified")
    list_filter = (CourseFilter, TypeFilter, GradeFilter, ModifiedFilter)
    index_orders = (
        IndexOrder(("id",), ("-id",)),
        IndexOrder(("student_id",), ("module_state_key", "course_id"), force_index=False),
        IndexOrder(("module_state_key",), ("-id",)),
        IndexOrder(("course_id", "module_type"), ("-id",)),
        IndexOrder(("course_id",), ("-id",)),
        IndexOrder((), ("-id",)),
    )
    fields = (
        *("id", "student", "course_id", "module_type", "module_state_key", "grade", "max_grade", "done"),
        *("version", "created", "modified", "readable_state"),
    )
