"""The history in Django's admin, read across two databases: entries from one, names and versions from the other."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from history.admin.names import name_of, usernames
from history.committed import committed
from history.models import StudentModuleHistory
from kvstore.admin import ReadOnlyAdmin


class CommittedChangeList(ChangeList):
    """A page of entries without those that were rolled back, with the names of the users on it."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        entries: list[Any] = committed(list(self.result_list))
        named = usernames({user_id for entry in entries for user_id in (entry.student_id, entry.actor_id) if user_id})
        for entry in entries:
            entry.usernames = named
        self.result_list = entries


class StudentModuleHistoryAdmin(ReadOnlyAdmin):
    """Every version that a learner's block had, newest first."""

    list_display = (
        *("id", "learner", "course_id", "module_type", "block", "version", "action", "score"),
        *("created", "actor", "reason"),
    )
    ordering = ("-id",)
    search_id_column = "student_module_id"
    fields = (
        *("student_module_id", "version", "action", "created", "learner", "course_id", "module_type"),
        *("module_state_key", "grade", "max_grade", "actor", "reason", "request_id", "readable_state"),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return CommittedChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[StudentModuleHistory]:
        queryset: QuerySet[StudentModuleHistory] = super().get_queryset(request)
        match = request.resolver_match
        return queryset if match and "object_id" in match.kwargs else queryset.defer("state")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        entry = super().get_object(request, object_id, from_field)
        if entry is None or not committed([entry]):
            return None
        entry.usernames = usernames({entry.student_id, entry.actor_id} - {None})
        return entry

    @admin.display(description="learner")
    def learner(self, entry: Any) -> str:
        return name_of(entry.student_id, entry.usernames)

    @admin.display(description="changed by", empty_value="-")
    def actor(self, entry: Any) -> str | None:
        return None if entry.actor_id is None else name_of(entry.actor_id, entry.usernames)


class PendingHistoryAdmin(StudentModuleHistoryAdmin):
    """Versions that wait for the history database; each is one, as it was written with its state."""
