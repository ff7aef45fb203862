"""A read-only ModelAdmin with keyset pagination and indexed search."""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin import ShowFacets
from django.contrib.admin.views.main import ChangeList
from django.db import router
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kvstore.admin.changelist import KeysetChangeList
from kvstore.admin.details import DetailPage
from kvstore.admin.links import learner_link
from kvstore.admin.ordering import IndexOrder
from kvstore.admin.refusals import explained
from kvstore.admin.rendering import as_html, labelled, score_text
from kvstore.admin.search.meanings import InvalidSearch
from kvstore.admin.search.parsing import HELP, lookups_for
from kvstore.staff.text import escape_unprintable, shorten

SHOWN_CHARACTERS = 60
"""characters of a key in a list"""


# ModelAdmin takes a type parameter only in the type checker's stubs.
class ReadOnlyAdmin(DetailPage, admin.ModelAdmin):  # type: ignore[type-arg]
    """Shows a model to users with the view permission; refuses changes, also by superusers."""

    index_orders: ClassVar[tuple[IndexOrder, ...]]
    """orders of the list; the first with all equality columns filtered is used, so the last has none"""
    search_id_column = "id"
    """the column of the search term ``id:``"""
    required_permissions: ClassVar[dict[str, tuple[str, ...]]] = {}
    """the permissions that a ``has_..._permission`` method requires besides the one to view, by its name"""

    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    sortable_by = ()
    search_fields = ("id",)  # shows the search box; kvstore.admin.search.parsing parses it
    search_help_text = HELP
    readonly_fields = ("readable_state",)
    actions = None
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @property
    def urls(self) -> list[Any]:
        return [explained(self, pattern) for pattern in self.get_urls()]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return KeysetChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # Not from a replica, which may lack the newest rows.
        queryset: QuerySet[Any] = super().get_queryset(request).using(router.db_for_write(self.model))
        match = request.resolver_match
        # A list does not show states, and those of one page may be megabytes.
        return queryset if match and "object_id" in match.kwargs else queryset.defer("state")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        try:
            return queryset.filter(**lookups_for(search_term, self.model, self.search_id_column)), False
        except InvalidSearch:
            return queryset.none(), False

    @admin.display(description=gettext_lazy("learner"))
    def learner(self, row: Any) -> str:
        return learner_link(self.admin_site, row.student_id, row.names, row.course_id)

    @admin.display(description=gettext_lazy("course"))
    def course(self, row: Any) -> str:
        return str(row.course_id)

    @admin.display(description=gettext_lazy("block"))
    def block(self, row: Any) -> str:
        return str(getattr(row.module_state_key, "block_id", row.module_state_key))

    @admin.display(description=gettext_lazy("learner and block"))
    def learner_and_block(self, row: Any) -> SafeString:
        """The learner above the block, its type and its course; the keys are in full in the tooltip."""
        return format_html(
            '<span class="field-learner">{}</span> <span class="field-block" title="{}">{}</span> '
            '<span class="field-module_type">{}</span> <span class="field-course" title="{}">{}</span>',
            self.learner(row),
            escape_unprintable(str(row.module_state_key)),
            shorten(self.block(row), SHOWN_CHARACTERS),
            shorten(row.module_type, SHOWN_CHARACTERS),
            escape_unprintable(self.course(row)),
            shorten(self.course(row), SHOWN_CHARACTERS),
        )

    @admin.display(description=gettext_lazy("grade"))
    def score(self, row: Any) -> str:
        return score_text(row) or "-"

    @admin.display(description=gettext_lazy("grade"))
    def labelled_score(self, row: Any) -> SafeString:
        return labelled(_("Grade"), self.score(row))

    @admin.display(description=gettext_lazy("version"))
    def labelled_version(self, row: Any) -> SafeString:
        return labelled(_("Version"), row.version)

    @admin.display(description=gettext_lazy("state"))
    def readable_state(self, row: Any) -> str:
        return as_html(row.state)
