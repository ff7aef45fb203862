"""Pages of entries, with names and changes, without entries that were rolled back, and filtered by flags."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from history.admin.block.pages import page_url
from history.admin.changes import add_changes, comparable, with_lower_grade
from history.admin.exports import FORMAT, FORMATS, PAGE_SIZE
from history.admin.filters import FlagFilter
from history.admin.urls import INCIDENT_URL
from history.comparison.flags import Flag
from history.database.connection import read_history
from history.models import StudentModuleHistory
from history.reading.committed import committed
from kvstore.admin.changelist import KeysetChangeList, Page
from kvstore.admin.ordering import Cursor
from kvstore.admin.search.choices import CountedChoice
from kvstore.admin.search.meanings import AmbiguousSearch

EXPORT_URL = "xblock_history_studentmodulehistory_export"


class EntryChangeList(KeysetChangeList):
    """A page of entries with the names of learners and actors, and with the change since the previous version."""

    user_columns = ("student_id", "actor_id")

    def prepare_rows(self, rows: list[Any]) -> list[Any]:
        add_changes([row for row in rows if not hasattr(row, "change")])
        return super().prepare_rows(rows)


class CommittedChangeList(EntryChangeList):
    """A page of the history database's entries, without those that were rolled back.

    No column contains flags. With a filter by flags, a page compares batches of entries with their previous versions,
    until it is full or has compared ``compare_limit`` entries, and links to the rest.
    """

    batch_size = 250
    """entries that are compared at once"""
    compare_limit = 2_000
    """entries; a page compares less than one batch more"""
    compare_characters = 10_000_000
    """characters of states; a page reads less than one batch more"""

    may_export: bool
    may_repair: bool
    flags: Sequence[Flag]
    """the flags to filter by, of which an entry has at least one; empty without this filter"""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        queryset = super().get_queryset(request, exclude_parameters)
        self.flags = [flag for spec in self.filter_specs if isinstance(spec, FlagFilter) for flag in spec.flags]
        self.page_size = self.list_per_page
        if self.flags:
            self.list_per_page = self.batch_size
        return queryset

    def get_results(self, request: HttpRequest) -> None:
        self.may_export = self.model_admin.has_export_permission(request)
        self.may_repair = self.model_admin.has_incident_permission(request)
        super().get_results(request)

    def read_page(self, cursor: Cursor | None) -> Page:
        return self._flagged_page(cursor) if self.flags else self._read(cursor)

    def _read(self, cursor: Cursor | None) -> Page:
        read = super().read_page
        return read_history(lambda: read(cursor))

    def _flagged_page(self, cursor: Cursor | None) -> Page:
        backwards = cursor is not None and cursor.backwards
        found: list[Any] = []
        compared = characters = 0
        while True:
            batch = self._read(cursor)
            flagged, read = self._flagged(batch.rows)
            found = flagged + found if backwards else found + flagged
            compared, characters = compared + len(batch.rows), characters + read
            cursor = batch.next_cursor
            if cursor is None or batch.scanned_to is not None or len(found) >= self.page_size:
                return batch._replace(rows=found, scanned=batch.scanned if compared == len(batch.rows) else 0)
            if compared >= self.compare_limit or characters >= self.compare_characters:
                return Page(found, cursor, cursor.values[0], 0 if self.is_bounded else compared)

    def _flagged(self, rows: list[Any]) -> tuple[list[Any], int]:
        """Return those rows that have one of the flags, and the characters of states that were read."""
        entries = comparable(rows)
        if self.flags == [Flag.GRADE_DECREASED]:
            return with_lower_grade(entries), 0
        characters = add_changes(entries)
        return [entry for entry in entries if entry.change.may_have(self.flags)], characters

    def read_choices(self, ambiguity: AmbiguousSearch) -> list[CountedChoice]:
        read = super().read_choices
        return read_history(lambda: read(ambiguity))

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
    """All entries of a list, from its beginning, with states and without names."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        self.root_queryset = self.root_queryset.defer(None)
        self.params.pop(FORMAT, None)
        self.filter_params.pop(FORMAT, None)
        queryset = super().get_queryset(request, exclude_parameters)
        self.list_per_page = PAGE_SIZE
        return queryset

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
