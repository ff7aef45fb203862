"""The page of one row or entry: its title and its labels, which are those of docs/reference/terms.md."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kvstore.staff.dates import format_moment
from kvstore.staff.users import usernames_for


class DetailPage:
    """Fields of a page with labels for staff, and titles with the learner and the block."""

    # Of the admin that this class is mixed into.
    learner: Any
    block: Any

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
            row: Any = obj
            if not hasattr(row, "usernames"):
                row.usernames = usernames_for({row.student_id})
            context |= {"title": self.title_of(row), "subtitle": None}
        response: HttpResponse = super().render_change_form(request, context, add, change, form_url, obj)  # type: ignore[misc]
        return response

    def title_of(self, row: Any) -> str:
        names = {"version": row.version, "block": self.block(row), "learner": self.learner(row)}
        return _("Version %(version)s of %(block)s for %(learner)s") % names

    @admin.display(description=gettext_lazy("block type"))
    def block_type(self, row: Any) -> str:
        return str(row.module_type)

    @admin.display(description=gettext_lazy("usage key"))
    def usage_key(self, row: Any) -> str:
        return str(row.module_state_key)

    @admin.display(description=gettext_lazy("created"))
    def created_at(self, row: Any) -> str:
        return format_moment(row.created)

    @admin.display(description=gettext_lazy("last change"))
    def last_change(self, row: Any) -> str:
        return format_moment(row.modified)
