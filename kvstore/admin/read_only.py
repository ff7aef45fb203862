"""An admin that finds and reads, and writes nothing."""

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from kvstore.admin import search
from kvstore.admin.rendering import as_html

COUNTED_ROWS = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than staff would turn pages; counting a whole large table takes seconds."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return len(rows.values_list("pk")[:COUNTED_ROWS])


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A model that the admin shows to those who may view it and lets nobody change, superusers included."""

    paginator = BoundedPaginator
    show_full_result_count = False
    search_fields = ("id",)  # shows the box; get_search_results decides what it means
    search_help_text = search.HELP
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
            return queryset.filter(**search.filters_for(search_term, self.search_id_column)), False
        except search.NothingFound:
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
