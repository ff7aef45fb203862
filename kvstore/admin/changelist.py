"""A changelist of any length whose every page costs the same: it knows its place by value, and never counts."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from kvstore.admin import search
from kvstore.admin.filters import Filter
from kvstore.admin.ordering import Cursor, IndexOrder, cursor_from_text, cursor_of, index_order_for
from kvstore.keys import tells_its_course

AFTER, BEFORE = "after", "before"
PLACES = {AFTER: False, BEFORE: True}
"""the parameters of an address that name a place, and whether they ask for what is before it"""


class Page(NamedTuple):
    """Rows, and where their list goes on."""

    rows: list[Any]
    further: Cursor | None = None
    """where it goes on in the direction of the page, None at its end"""
    scanned_to: Any = None
    """where the page stopped looking, if it did before it was full"""


class KeysetChangeList(ChangeList):
    """A page of rows in the order of the index that finds them, from a place on in either direction.

    What no index narrows is looked for among ``examined`` rows of that order for each page; the page then says how
    far it got, and goes on from there. The admin says which orders there are (``walks``).
    """

    scan_limit = 10_000
    """rows that a page looks through at most; a little more where many stand at one place"""

    model_admin: Any
    index_order: IndexOrder
    lookups: dict[str, Any]
    problems: list[str]
    """what was asked for and cannot be, for staff to read"""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        self.problems = []
        place = self._taken_parameters()
        self.filter_specs, self.has_filters, unknown, _duplicates, self.has_active_filters = self.get_filters(request)
        if unknown:
            raise IncorrectLookupParameters(", ".join(unknown))
        self.clear_all_filters_qs = self.get_query_string(remove=list(self.get_filters_params()))
        self.lookups = self._lookups()
        self.index_order = index_order_for(self.model_admin.index_orders, self.lookups)
        self.place = self._place(place)
        queryset, self.narrowed_by_others = self._narrowed_by_others(request)
        return queryset.none() if self.problems else self.index_order.narrowed(queryset, self.lookups)

    def _taken_parameters(self) -> tuple[str, str] | None:
        """Remove from what links and forms carry on what names a place, or nothing; return the place."""
        place = next(((name, self.params[name]) for name in PLACES if self.params.get(name)), None)
        empty = {name for name, value in self.params.items() if not value.strip()}
        for name in PLACES.keys() | empty:
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        return place

    def _lookups(self) -> dict[str, Any]:
        """Return what the filters and the search ask for, and take note of what cannot be asked for."""
        lookups: dict[str, Any] = {}
        asked = [(spec.lookups, spec.problem) for spec in self.filter_specs if isinstance(spec, Filter)]
        try:
            asked.append((search.lookups_for(self.query, self.model_admin.search_id_column), ""))
        except search.InvalidSearch as nothing:
            asked.append(({}, str(nothing)))
        for more, problem in asked:
            if problem:
                self.problems.append(problem)
            for name, value in more.items():
                if lookups.setdefault(name, value) != value:
                    both = {"one": lookups[name], "other": value}
                    self.problems.append(_("Nothing is of both %(one)s and %(other)s.") % both)
        return _without_implied_course(lookups)

    def _place(self, given: tuple[str, str] | None) -> Cursor | None:
        if given is None:
            return None
        name, text = given
        try:
            return cursor_from_text(text, backwards=PLACES[name], walk=self.index_order, model=self.model)
        except ValueError:
            # Such as a place of another order, kept while the search was changed.
            return None

    def _narrowed_by_others(self, request: HttpRequest) -> tuple[QuerySet[Any], bool]:
        """Apply filters that a project added, of which nobody knows whether an index serves them."""
        queryset, narrowed = self.root_queryset, False
        for spec in self.filter_specs:
            if isinstance(spec, Filter):
                continue
            of_filter = spec.queryset(request, queryset)
            if of_filter is not None and spec.used_parameters:
                queryset, narrowed = of_filter, True
        return queryset, narrowed

    def get_results(self, request: HttpRequest) -> None:
        page = Page([]) if self.problems else self.page_at(self.place)
        self.further, self.scanned_to = page.further, page.scanned_to
        self.result_list = self.shown(page.rows)
        # What the templates ask a changelist that counts.
        self.result_count = self.full_result_count = len(self.result_list)
        self.show_full_result_count = self.can_show_all = self.multi_page = self.show_admin_actions = False
        self.paginator = None

    def shown(self, rows: list[Any]) -> list[Any]:
        """Return the rows as they are shown."""
        return rows

    def page_at(self, place: Cursor | None) -> Page:
        """Return what is wanted of a place, as much of it as a page holds; None is the place before all others."""
        backwards = place is not None and place.backwards
        end = self._end(place, backwards=backwards) if self.is_bounded else None
        if end is not None:
            queryset = self.index_order.at(self._from_place(self.queryset, place), end)
        elif place is not None and self.is_bounded:
            # Few rows are left to look through, which the planner cannot know.
            queryset = self.index_order.at(self.queryset, place, self.lookups)
        else:
            queryset = self._from_place(self.queryset, place)
        ordered = queryset.order_by(*self.index_order.ordering(backwards=backwards))
        rows, more = self._whole_places(ordered, backwards=backwards)
        further = (
            cursor_of(rows[-1], self.index_order, backwards=backwards) if more else (end.opposite if end else None)
        )
        scanned_to = end.values[0] if end and not more else None
        rows = self.index_order.in_order(rows, backwards=backwards)
        return Page(rows[::-1] if backwards else rows, further, scanned_to)

    def _whole_places(self, ordered: QuerySet[Any], *, backwards: bool) -> tuple[list[Any], bool]:
        """Return the first rows, as many as a page holds, and whether there are more; those of one place together."""
        rows = list(ordered[: self.list_per_page + 1])
        if len(rows) <= self.list_per_page:
            return rows, False
        next_place = cursor_of(rows[-1], self.index_order, backwards=backwards)
        page = [row for row in rows if cursor_of(row, self.index_order, backwards=backwards) != next_place]
        if page:
            return page, True
        # One place holds more than a page does, and is not cut in two.
        alike = dict(zip(self.index_order.columns, next_place.values, strict=True))
        return list(ordered.filter(**alike)), True

    @property
    def is_bounded(self) -> bool:
        """Whether something narrows the list that its index does not."""
        return self.narrowed_by_others or not self.index_order.serves(self.lookups)

    def _from_place(self, queryset: QuerySet[Any], place: Cursor | None) -> QuerySet[Any]:
        return queryset if place is None else self.index_order.at(queryset, place)

    def _end(self, place: Cursor | None, *, backwards: bool) -> Cursor | None:
        """Return where a page has looked through as many rows as it may, None where there are not so many.

        A query of its own: the planner then knows the value when it plans the page, and only the index is read.
        """
        served = {name: self.lookups[name] for name in self.index_order.served(self.lookups)}
        columns = self.index_order.columns[: len(self.index_order.order)]
        order = self.index_order.ordering(backwards=backwards)[: len(self.index_order.pinned + self.index_order.order)]
        walked = self._from_place(self.index_order.narrowed(self.root_queryset, served), place).order_by(*order)
        last = list(walked.values_list(*columns)[self.scan_limit - 1 : self.scan_limit])
        # What is wanted lies on this side of it, itself included.
        return Cursor(not backwards, last[0], inclusive=True) if last else None

    @property
    def newest_first(self) -> bool:
        return self.index_order.descending and self.index_order.columns[0] != "student_id"

    @property
    def previous_link(self) -> str:
        """The address of the page before this one, empty where this is the first."""
        return self._link(backwards=True)

    @property
    def next_link(self) -> str:
        """The address of the page after this one, empty where this is the last."""
        return self._link(backwards=False)

    @property
    def first_link(self) -> str:
        """The address of the first page, empty where this is the first."""
        return "" if self.place is None else self.get_query_string()

    def _link(self, *, backwards: bool) -> str:
        here = self.place.backwards if self.place else False
        place = self.further if here == backwards else (self.place.opposite if self.place else None)
        return self.get_query_string({BEFORE if backwards else AFTER: place.text}) if place else ""


def _without_implied_course(lookups: dict[str, Any]) -> dict[str, Any]:
    """Leave out the course where the block's key says the same, so that the block's index serves all of it."""
    block, course = lookups.get("module_state_key"), lookups.get("course_id")
    if block is None or not tells_its_course(block) or getattr(block, "context_key", None) != course:
        return lookups
    return {name: value for name, value in lookups.items() if name != "course_id"}
