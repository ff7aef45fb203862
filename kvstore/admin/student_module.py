"""The admin of StudentModule."""

from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kvstore.admin.base import ReadOnlyAdmin
from kvstore.admin.filters import CourseFilter, GradeFilter, ModifiedFilter, TypeFilter
from kvstore.admin.ordering import IndexOrder
from kvstore.admin.rendering import labelled
from kvstore.staff.dates import format_moment


class StudentModuleAdmin(ReadOnlyAdmin):
    """The current state of each learner's blocks."""

    list_display = ("id", "learner_and_block", "labelled_score", "labelled_version", "labelled_time")
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

    @admin.display(description=gettext_lazy("last change"))
    def labelled_time(self, row: Any) -> SafeString:
        return labelled(_("Last change"), format_moment(row.modified))
