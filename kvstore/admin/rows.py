"""Learners' state in Django's admin: to find and to read, not to write."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode

from kvstore.admin.read_only import ReadOnlyAdmin
from kvstore.models import StudentModule


class StudentModuleAdmin(ReadOnlyAdmin):
    """What each learner's block holds now."""

    list_display = ("id", "student", "course_id", "module_type", "block", "score", "version", "modified")
    list_select_related = ("student",)
    ordering = ("-id",)
    fields = (
        *("id", "student", "course_id", "module_type", "module_state_key", "grade", "max_grade", "done"),
        *("version", "created", "modified", "readable_state"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[StudentModule]:
        queryset: QuerySet[StudentModule] = super().get_queryset(request)
        # A list shows no state, and one page of them may weigh megabytes.
        return (
            queryset
            if request.resolver_match and "object_id" in request.resolver_match.kwargs
            else queryset.defer("state")
        )

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Show the versions of the row, where their admin is registered, in place of Django's log of admin edits."""
        try:
            entries = reverse(f"{self.admin_site.name}:xblock_history_studentmodulehistory_changelist")
        except NoReverseMatch:
            response: HttpResponse = super().history_view(request, object_id, extra_context)
            return response
        return HttpResponseRedirect(f"{entries}?{urlencode({'q': f'id:{object_id}'})}")
