"""An admin that finds and reads, and writes nothing."""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin import ShowFacets
from django.contrib.admin.views.main import ChangeList
from django.db import router
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from kvstore.admin import search
from kvstore.admin.changelist import KeysetChangeList
from kvstore.admin.ordering import IndexOrder
from kvstore.admin.rendering import as_html, score_text
from kvstore.staff.users import display_name, usernames_for


class NamedChangeList(KeysetChangeList):
    """A page of rows with the names of the users on it, found in one query."""

    user_columns: tuple[str, ...] = ("student_id",)

    def shown(self, rows: list[Any]) -> list[Any]:
        named = usernames_for({getattr(row, column) for row in rows for column in self.user_columns} - {None})
        for row in rows:
            row.usernames = named
        return rows


# ModelAdmin is generic to the type checker alone; it takes no parameter at run time.
class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A model that the admin shows to those who may view it and lets nobody change, superusers included."""

    index_orders: ClassVar[tuple[IndexOrder, ...]]
    """the orders that lists may have; the first whose given columns are filtered by is taken, so the last has none"""
    search_id_column = "id"
    """the column that ``id:`` searches"""

    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    sortable_by = ()
    search_fields = ("id",)  # shows the box; kvstore.admin.search decides what it means
    search_help_text = search.HELP
    readonly_fields = ("readable_state",)
    actions = None
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NamedChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # The database that is written to: a replica may not have yet what staff look for.
        queryset: QuerySet[Any] = super().get_queryset(request).using(router.db_for_write(self.model))
        match = request.resolver_match
        # A list shows no state, and one page of them may weigh megabytes.
        return queryset if match and "object_id" in match.kwargs else queryset.defer("state")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        try:
            return queryset.filter(**search.lookups_for(search_term, self.search_id_column)), False
        except search.InvalidSearch:
            return queryset.none(), False

    @admin.display(description=gettext_lazy("learner"))
    def learner(self, row: Any) -> str:
        return display_name(row.student_id, row.usernames)

    @admin.display(description=gettext_lazy("course"))
    def course(self, row: Any) -> str:
        return str(row.course_id)

    @admin.display(description=gettext_lazy("block"))
    def block(self, row: Any) -> str:
        return str(getattr(row.module_state_key, "block_id", row.module_state_key))

    @admin.display(description=gettext_lazy("score"))
    def score(self, row: Any) -> str:
        return score_text(row) or "-"

    @admin.display(description=gettext_lazy("state"))
    def readable_state(self, row: Any) -> str:
        return as_html(row.state)
