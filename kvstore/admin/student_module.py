"""The admin of StudentModule."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Model
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kvstore.admin.base import ReadOnlyAdmin
from kvstore.admin.filters import CourseFilter, GradeFilter, ModifiedFilter, TypeFilter
from kvstore.admin.ordering import IndexOrder
from kvstore.admin.rendering import labelled
from kvstore.staff.dates import format_moment
from kvstore.staff.users import display_name


class StudentModuleAdmin(ReadOnlyAdmin):
    """The current state of each learner's blocks."""

    list_display = ("row_id", "learner_and_block", "labelled_score", "labelled_version", "labelled_time")
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
        *("row_id", "learner", "course", "block_type", "usage_key", "full_grade", "done_text"),
        *("version_number", "created_at", "modified_at", "readable_state"),
    )

    @admin.display(description=gettext_lazy("last change"))
    def labelled_time(self, row: Any) -> SafeString:
        return labelled(_("Last change"), format_moment(row.modified))

    def title_of(self, row: Any) -> str:
        return _("State of %(block)s for %(learner)s") % {
            "block": self.block(row),
            "learner": display_name(row.student_id, row.names),
        }

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        match = request.resolver_match
        # Django asks on the pages of the user too, because it would delete the learner's rows with the user.
        if obj is not None and match and not str(match.url_name).startswith(f"{self.opts.app_label}_"):
            _explain_kept_state(request, getattr(obj, "student_id", 0))
        return super().has_delete_permission(request, obj)


def _explain_kept_state(request: HttpRequest, learner_id: int) -> None:
    """Add a message to the page on which Django refuses to delete a user, once for all rows of the user."""
    # The confirmed deletion ends with a page that has no messages.
    if getattr(request, "kept_state_is_explained", False) or request.POST.get("post"):
        return
    request.kept_state_is_explained = True  # type: ignore[attr-defined]  # set here only
    deletion = f"get_user_model().objects.get(pk={learner_id}).delete()"
    command = f'manage.py shell -c "from django.contrib.auth import get_user_model; {deletion}"'
    sentence = _(
        "The admin does not delete learners' state, so it does not delete this account. To keep the work, deactivate "
        "the account. To delete the account and its state, run this command on the server: %(command)s"
    )
    messages.warning(request, sentence % {"command": command})
