"""The page of one row or entry: its title and its labels, which are those of docs/reference/terms.md."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kvstore.admin.rendering import score_text
from kvstore.staff.dates import format_moment
from kvstore.staff.text import escape_unprintable
from kvstore.staff.users import display_name, names_for


def labelled_column(name: str, label: Any) -> Any:
    """Return a field of a page that shows a column, or the result of a method, with a label that is translated."""

    @admin.display(description=label)
    def shown(model_admin: Any, row: Any) -> str:
        value = getattr(row, name)
        return escape_unprintable(str(value() if callable(value) else value)) or "-"

    return shown


class DetailPage:
    """Fields of a page with labels for staff, and titles with the learner and the block."""

    # Of the ModelAdmin that this class is mixed into, which the type checker does not know.
    learner: Any
    block: Any

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Return what the page of a row adds to Django's context."""
        return {"title": self._title(row), "subtitle": None}

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,  # noqa: FBT001, FBT002  Django's signature
        change: bool = False,  # noqa: FBT001, FBT002  likewise
        form_url: str = "",
        obj: Model | None = None,
    ) -> HttpResponse:
        if obj is not None:
            context |= self.page_context(request, obj)
        response: HttpResponse = super().render_change_form(request, context, add, change, form_url, obj)  # type: ignore[misc]
        return response

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        response: HttpResponse = super().history_view(request, object_id, extra_context)  # type: ignore[misc]
        context = getattr(response, "context_data", None) or {}
        if "object" in context:
            context |= {"title": _("Log of the admin: %(page)s") % {"page": self._title(context["object"])}}
        return response

    def _title(self, row: Any) -> str:
        if not hasattr(row, "names"):
            row.names = names_for({row.student_id})
        return self.title_of(row)

    def title_of(self, row: Any) -> str:
        names = {"version": row.version, "block": self.block(row), "learner": display_name(row.student_id, row.names)}
        return _("Version %(version)s of %(block)s for %(learner)s") % names

    @admin.display(description=gettext_lazy("grade"))
    def full_grade(self, row: Any) -> str:
        return score_text(row) or "-"

    @admin.display(description=gettext_lazy("created"))
    def created_at(self, row: Any) -> str:
        return format_moment(row.created)

    @admin.display(description=gettext_lazy("last change"))
    def modified_at(self, row: Any) -> str:
        return format_moment(row.modified)

    row_id = labelled_column("id", gettext_lazy("row"))
    block_type = labelled_column("module_type", gettext_lazy("block type"))
    usage_key = labelled_column("module_state_key", gettext_lazy("usage key"))
    version_number = labelled_column("version", gettext_lazy("version"))
    done_text = labelled_column("get_done_display", gettext_lazy("done"))
