"""Pages of entries: with the names of users, and without what was rolled back."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from history.admin.exports import FORMATS
from history.admin.urls import version_url
from history.database.connection import read_history
from history.reading.committed import committed
from kvstore.admin.base import NamedChangeList
from kvstore.admin.changelist import Page
from kvstore.admin.ordering import Cursor

EXPORT_URL = "xblock_history_studentmodulehistory_export"
FORMAT = "format"
"""the parameter that says in which format a list is exported"""


class EntryChangeList(NamedChangeList):
    """A page of entries with the names of learners and of who made the changes."""

    user_columns = ("student_id", "actor_id")


class CommittedChangeList(EntryChangeList):
    """A page of the history database's entries, without those that were rolled back."""

    may_export: bool

    def get_results(self, request: HttpRequest) -> None:
        self.may_export = self.model_admin.has_export_permission(request)
        super().get_results(request)

    def page_at(self, place: Cursor | None) -> Page:
        read = super().page_at
        return read_history(lambda: read(place))

    def shown(self, rows: list[Any]) -> list[Any]:
        return super().shown(committed(rows)) if rows else rows

    def url_for_result(self, result: Any) -> str:
        return version_url(self.model_admin.admin_site, result)

    @property
    def export_links(self) -> list[tuple[str, str]]:
        """The formats that the user may export the list in, by name, and the addresses to do so."""
        if not self.may_export:
            return []
        address = reverse(f"{self.model_admin.admin_site.name}:{EXPORT_URL}")
        return [(form.label, address + self.get_query_string({FORMAT: suffix})) for suffix, form in FORMATS.items()]
