"""Keyset pagination: constant cost per page, no COUNT, no OFFSET."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from kvstore.admin.filters import Filter
from kvstore.admin.ordering import Cursor, IndexOrder, cursor_from_text, cursor_of, index_order_for
from kvstore.admin.search.choices import CountedChoice, counted_among, counted_by_index
from kvstore.admin.search.meanings import AmbiguousSearch, InvalidSearch, merge
from kvstore.admin.search.parsing import EXAMPLES, understand
from kvstore.keys import contains_course_key
from kvstore.staff.dates import format_moment
from kvstore.staff.users import names_for

AFTER, BEFORE = "after", "before"
CURSOR_PARAMETERS = {AFTER: False, BEFORE: True}
"""parameters that contain a cursor, and whether it is backwards"""


class Page(NamedTuple):
    """The rows of a page."""

    rows: list[Any]
    next_cursor: Cursor | None = None
    """of the next page in the direction of this one; None if this is the last"""
    scanned_to: Any = None
    """the first value of the last row scanned, if the scan stopped before the page was full"""
    scanned: int = 0
    """the number of rows scanned until it stopped; 0 if it is unknown or the page is full"""


class KeysetChangeList(ChangeList):
    """A page of rows from a cursor, in the order of one of the admin's ``index_orders``.

    If no index serves a filter, a page scans at most ``scan_limit`` rows and links to the rest.
    """

    scan_limit = 10_000
    """rows; slightly more if many have equal values"""
    user_columns: tuple[str, ...] = ("student_id",)
    """columns with ids of the users to name"""

    model_admin: Any
    index_order: IndexOrder
    lookups: dict[str, Any]
    problems: list[str]
    """sentences for staff about filters and terms that cannot be used"""
    descriptions: list[tuple[str, str]]
    """the title and the value of each lookup of the search"""
    ambiguity: AmbiguousSearch | None
    choices: list[CountedChoice]
    """the searches that an ambiguous search may mean"""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        self.problems, self.descriptions, self.ambiguity = [], [], None
        parameter = self._pop_cursor()
        self.filter_specs, self.has_filters, unknown, _duplicates, self.has_active_filters = self.get_filters(request)
        if unknown:
            raise IncorrectLookupParameters(", ".join(unknown))
        self.clear_all_filters_qs = self.get_query_string(remove=list(self.get_filters_params()))
        self.lookups = self._combined_lookups()
        self.index_order = index_order_for(self.model_admin.index_orders, self.lookups)
        self.cursor = self._parse_cursor(parameter)
        queryset, self.has_other_filters = self._apply_other_filters(request)
        return queryset.none() if self.problems else self.index_order.filter(queryset, self.lookups)

    def _pop_cursor(self) -> tuple[str, str] | None:
        """Remove the cursor and empty parameters, so that links and forms do not repeat them; return the cursor."""
        cursor = next(((name, self.params[name]) for name in CURSOR_PARAMETERS if self.params.get(name)), None)
        empty = {name for name, value in self.params.items() if not value.strip()}
        for name in CURSOR_PARAMETERS.keys() | empty:
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        return cursor

    def _combined_lookups(self) -> dict[str, Any]:
        """Return the lookups of the filters and of the search; add to ``problems``."""
        lookups: dict[str, Any] = {}
        sources = [spec for spec in self.filter_specs if isinstance(spec, Filter)]
        self.problems += [spec.problem for spec in sources if spec.problem]
        try:
            for spec in sources:
                merge(lookups, spec.lookups)
            found = understand(self.query, self.model, self.model_admin.search_id_column, lookups)
            self.descriptions = found.descriptions
            merge(lookups, found.lookups)
        except AmbiguousSearch as error:
            self.problems.append(str(error))
            self.ambiguity = error
            lookups = {**error.lookups, **lookups}
        except InvalidSearch as error:
            self.problems.append(str(error))
        return _without_implied_course(lookups)

    def _parse_cursor(self, parameter: tuple[str, str] | None) -> Cursor | None:
        if parameter is None:
            return None
        name, text = parameter
        try:
            backwards = CURSOR_PARAMETERS[name]
            return cursor_from_text(text, backwards=backwards, index_order=self.index_order, model=self.model)
        except ValueError:
            # Such as a cursor of another index order, kept while the search was changed.
            return None

    def _apply_other_filters(self, request: HttpRequest) -> tuple[QuerySet[Any], bool]:
        """Apply filters that a project added; it is unknown whether an index serves them."""
        queryset, is_filtered = self.root_queryset, False
        for spec in self.filter_specs:
            if isinstance(spec, Filter):
                continue
            filtered = spec.queryset(request, queryset)
            if filtered is not None and spec.used_parameters:
                queryset, is_filtered = filtered, True
        return queryset, is_filtered

    def get_results(self, request: HttpRequest) -> None:
        page = Page([]) if self.problems else self.read_page(self.cursor)
        self.next_cursor, self.scanned_to, self.scanned = page.next_cursor, page.scanned_to, page.scanned
        self.choices = self.read_choices(self.ambiguity) if self.ambiguity else []
        self.result_list = self.prepare_rows(page.rows)
        # Attributes that Django's templates read.
        self.result_count = self.full_result_count = len(self.result_list)
        self.show_full_result_count = self.can_show_all = self.multi_page = self.show_admin_actions = False
        self.paginator = None

    def read_choices(self, ambiguity: AmbiguousSearch) -> list[CountedChoice]:
        """Return the choices with their numbers of rows; without an index, those among the rows of one scan."""
        rows, orders = self.root_queryset, self.model_admin.index_orders
        choices = counted_by_index(ambiguity.choices, rows, orders, self.lookups)
        if choices is not None:
            return choices
        served = {name: self.lookups[name] for name in self.index_order.served(self.lookups)}
        scanned, end = self.index_order.filter(rows, served), self._scan_end(None, backwards=False)
        return counted_among(
            ambiguity.choices, scanned if end is None else self.index_order.filter_from(scanned, end, served)
        )

    @property
    def choice_links(self) -> list[tuple[CountedChoice, str]]:
        """The choices and the address of each."""
        return [(choice, self.get_query_string({SEARCH_VAR: choice.search})) for choice in self.choices]

    @property
    def search_examples(self) -> tuple[tuple[str, Any], ...]:
        return EXAMPLES

    def prepare_rows(self, rows: list[Any]) -> list[Any]:
        """Set ``names`` on the rows, read in one query."""
        names = names_for({getattr(row, column) for row in rows for column in self.user_columns} - {None})
        for row in rows:
            row.names = names
        return rows

    def read_page(self, cursor: Cursor | None) -> Page:
        """Return a page; with None the first."""
        backwards = cursor is not None and cursor.backwards
        end = self._scan_end(cursor, backwards=backwards) if self.is_bounded else None
        if end is not None:
            queryset = self.index_order.filter_from(self._from_cursor(self.queryset, cursor), end)
        elif cursor is not None and self.is_bounded:
            # Few rows are left to scan, which the planner cannot know.
            queryset = self.index_order.filter_from(self.queryset, cursor, self.lookups)
        else:
            queryset = self._from_cursor(self.queryset, cursor)
        ordered = queryset.order_by(*self.index_order.ordering(backwards=backwards))
        rows, more = self._read_rows(ordered, backwards=backwards)
        next_cursor = cursor_of(rows[-1], self.index_order, backwards=backwards) if more else end and end.opposite
        scanned_to = end.values[0] if end and not more else None
        rows = self.index_order.sort(rows, backwards=backwards)
        scanned = self.scan_limit if scanned_to is not None else 0
        return Page(rows[::-1] if backwards else rows, next_cursor, scanned_to, scanned)

    def _read_rows(self, ordered: QuerySet[Any], *, backwards: bool) -> tuple[list[Any], bool]:
        """Return the rows of a page and whether there are more. Rows with equal cursors stay on one page."""
        rows = list(ordered[: self.list_per_page + 1])
        if len(rows) <= self.list_per_page:
            return rows, False
        next_cursor = cursor_of(rows[-1], self.index_order, backwards=backwards)
        page = [row for row in rows if cursor_of(row, self.index_order, backwards=backwards) != next_cursor]
        if page:
            return page, True
        equal = dict(zip(self.index_order.columns, next_cursor.values, strict=True))
        return list(ordered.filter(**equal)), True

    @property
    def is_bounded(self) -> bool:
        """Whether a filter is applied that the index order does not serve."""
        return self.has_other_filters or not self.index_order.serves(self.lookups)

    def _from_cursor(self, queryset: QuerySet[Any], cursor: Cursor | None) -> QuerySet[Any]:
        return queryset if cursor is None else self.index_order.filter_from(queryset, cursor)

    def _scan_end(self, cursor: Cursor | None, *, backwards: bool) -> Cursor | None:
        """Return the cursor of the rows up to the last one that a page may scan; None if fewer rows are left.

        A separate query: it reads the index only, and the planner knows the value when it plans the page.
        """
        served = {name: self.lookups[name] for name in self.index_order.served(self.lookups)}
        columns = self.index_order.columns[: len(self.index_order.order)]
        ordering = self.index_order.ordering(backwards=backwards)
        ordering = ordering[: len(self.index_order.forced_columns + self.index_order.order)]
        scanned = self._from_cursor(self.index_order.filter(self.root_queryset, served), cursor).order_by(*ordering)
        last = list(scanned.values_list(*columns)[self.scan_limit - 1 : self.scan_limit])
        return Cursor(not backwards, last[0], inclusive=True) if last else None

    @property
    def newest_first(self) -> bool:
        return self.index_order.descending and self.index_order.columns[0] != "student_id"

    @property
    def reached(self) -> str:
        """The text of ``scanned_to``."""
        return format_moment(self.scanned_to) if isinstance(self.scanned_to, datetime) else str(self.scanned_to)

    @property
    def previous_link(self) -> str:
        return self._link(backwards=True)

    @property
    def next_link(self) -> str:
        return self._link(backwards=False)

    @property
    def first_link(self) -> str:
        return "" if self.cursor is None else self.get_query_string()

    def _link(self, *, backwards: bool) -> str:
        is_direction = backwards == (self.cursor.backwards if self.cursor else False)
        cursor = self.next_cursor if is_direction else self.cursor and self.cursor.opposite
        return self.get_query_string({BEFORE if backwards else AFTER: cursor.text}) if cursor else ""


def _without_implied_course(lookups: dict[str, Any]) -> dict[str, Any]:
    """Omit the course if the block's key contains it, so that the block's index serves all lookups."""
    block, course = lookups.get("module_state_key"), lookups.get("course_id")
    if block is None or not contains_course_key(block) or getattr(block, "context_key", None) != course:
        return lookups
    return {name: value for name, value in lookups.items() if name != "course_id"}
