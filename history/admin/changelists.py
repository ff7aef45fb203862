"""Pages of entries, with usernames and without entries that were rolled back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from history.admin.block.pages import page_url
from history.admin.exports import FORMAT, FORMATS, PAGE_SIZE
from history.admin.urls import INCIDENT_URL
from history.database.connection import read_history
from history.models import StudentModuleHistory
from history.reading.committed import committed
from kvstore.admin.changelist import KeysetChangeList, Page
from kvstore.admin.ordering import Cursor

EXPORT_URL = "xblock_history_studentmodulehistory_export"


class EntryChangeList(KeysetChangeList):
    """A page of entries with the names of learners and actors."""

    user_columns = ("student_id", "actor_id")


class CommittedChangeList(EntryChangeList):
    """A page of the history database's entries, without those that were rolled back."""

    may_export: bool
    may_repair: bool

    def get_results(self, request: HttpRequest) -> None:
        self.may_export = self.model_admin.has_export_permission(request)
        self.may_repair = self.model_admin.has_incident_permission(request)
        super().get_results(request)

    def read_page(self, cursor: Cursor | None) -> Page:
        read = super().read_page
        return read_history(lambda: read(cursor))

    def prepare_rows(self, rows: list[Any]) -> list[Any]:
        return super().prepare_rows(committed(rows)) if rows else rows

    def url_for_result(self, result: Any) -> str:
        return page_url(self.model_admin, "version", result.student_module_id, result.version)

    @property
    def export_links(self) -> list[tuple[str, str]]:
        """Labels and addresses of the formats that the user may export the list in."""
        if not self.may_export:
            return []
        address = reverse(f"{self.model_admin.admin_site.name}:{EXPORT_URL}")
        return [(form.label, address + self.get_query_string({FORMAT: suffix})) for suffix, form in FORMATS.items()]

    @property
    def incident_url(self) -> str:
        """Address of the page that repairs incidents; empty if the user may not repair."""
        return reverse(f"{self.model_admin.admin_site.name}:{INCIDENT_URL}") if self.may_repair else ""


class ExportedChangeList(CommittedChangeList):
    """All entries of a list, from its beginning, with states and without usernames."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        self.list_per_page = PAGE_SIZE
        self.root_queryset = self.root_queryset.defer(None)
        self.params.pop(FORMAT, None)
        self.filter_params.pop(FORMAT, None)
        return super().get_queryset(request, exclude_parameters)

    def get_results(self, request: HttpRequest) -> None:
        """Read nothing: :meth:`entries` reads while the file is sent."""
        self.result_list = []

    @property
    def is_narrow(self) -> bool:
        """Whether an index narrows the list; otherwise the export would scan the whole history."""
        return bool(self.index_order.served(self.lookups))

    def entries(self) -> Iterator[StudentModuleHistory]:
        """Yield the committed entries, one query for each page. Raises HistoryUnavailable."""
        page = self.read_page(None)
        yield from committed(page.rows)
        while page.next_cursor is not None:
            page = self.read_page(page.next_cursor)
            yield from committed(page.rows)
