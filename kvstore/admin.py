"""Learners' state in Django's admin: to find and to read, not to write."""

import json
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.http import urlencode

from kvstore import admin_search, codec
from kvstore.models import StudentModule

SHOWN_CHARACTERS = 64_000
COUNTED_ROWS = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than staff would turn pages; counting a whole large table takes seconds."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return len(rows.values_list("pk")[:COUNTED_ROWS])


def as_html(text: str | None) -> str:
    """Return stored state as HTML: indented where it is JSON, as it is where not, and no more than a page takes."""
    if text is None:
        return "never seen"
    try:
        shown = json.dumps(codec.loads(text), indent=2, ensure_ascii=False)
        shown.encode()
    except ValueError:
        # Not JSON, or a lone surrogate that no page can carry: show what is stored.
        shown = text.encode("utf-8", "backslashreplace").decode()
    cut = f"\n... {len(shown)} characters in all" if len(shown) > SHOWN_CHARACTERS else ""
    return format_html("<pre>{}{}</pre>", shown[:SHOWN_CHARACTERS], cut)


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A model that the admin shows to those who may view it and lets nobody change, superusers included."""

    paginator = BoundedPaginator
    show_full_result_count = False
    search_fields = ("id",)  # shows the box; get_search_results decides what it means
    search_help_text = admin_search.HELP
    readonly_fields = ("readable_state",)
    search_id_column = "id"
    actions = None
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        try:
            return queryset.filter(**admin_search.filters_for(search_term, self.search_id_column)), False
        except admin_search.NothingFound:
            return queryset.none(), False

    @admin.display(description="block")
    def block(self, row: Any) -> str:
        return str(getattr(row.module_state_key, "block_id", row.module_state_key))

    @admin.display(description="score")
    def score(self, row: Any) -> str:
        return "-" if row.grade is None else f"{row.grade:g} / {'?' if row.max_grade is None else f'{row.max_grade:g}'}"

    @admin.display(description="state")
    def readable_state(self, row: Any) -> str:
        return as_html(row.state)


@admin.register(StudentModule)
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
