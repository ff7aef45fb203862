"""Index orders: the order in which an index returns rows, and cursors, which are positions in that order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from django.conf import settings
from django.db import models
from django.db.models import Model, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from kvstore.admin.expressions import RowComparison
from kvstore.exceptions import UnusableKey
from kvstore.fields import equals_opaquely
from kvstore.staff.users import MAX_ID

INCLUSIVE = "at:"
RANGES = ("gte", "lt")


@dataclass(frozen=True)
class IndexOrder:
    """An index whose first columns are fixed by filters, and the order of its rows."""

    equality_columns: tuple[str, ...]
    """the index's first columns, which filters must fix"""
    order: tuple[str, ...]
    """the index's other columns, all ascending or all descending"""
    tie_breakers: tuple[str, ...] = ()
    """columns after the index's own that distinguish rows where many have equal values"""
    sort_within: str = ""
    """the column that sorts, after reading, the few rows with equal values"""
    force_index: bool = True
    """Also order by the first equality column, so the planner must use this index.

    Otherwise a planner that assumes a course's rows to be spread evenly over time may choose an index of time alone
    and scan a year of other courses.
    """

    @property
    def forced_columns(self) -> tuple[str, ...]:
        return self.equality_columns[:1] if self.force_index else ()

    @property
    def descending(self) -> bool:
        return self.order[0].startswith("-")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a cursor, without direction."""
        return tuple(column.removeprefix("-") for column in self.order + self.tie_breakers)

    def ordering(self, *, backwards: bool) -> list[str]:
        """Return the arguments of QuerySet.order_by."""
        sign = "-" if self.descending != backwards else ""
        return [sign + column for column in self.forced_columns + self.columns]

    def filter(self, queryset: QuerySet[Any], lookups: Mapping[str, Any]) -> QuerySet[Any]:
        """Return ``queryset.filter(**lookups)``, with OpaqueEquality for the forced columns."""
        forced = [equals_opaquely(queryset.model, column, lookups[column]) for column in self.forced_columns]
        return queryset.filter(
            *forced, **{name: value for name, value in lookups.items() if name not in self.forced_columns}
        )

    def filter_from(
        self, queryset: QuerySet[Any], cursor: Cursor, lookups: Mapping[str, Any] | None = None
    ) -> QuerySet[Any]:
        """Return the rows on the cursor's side.

        With ``lookups``, the comparison begins with the forced columns, so that only this index serves it.
        """
        less = cursor.backwards != self.descending
        operator = ("<" if less else ">") + ("=" if cursor.inclusive else "")
        forced = self.forced_columns if lookups else ()
        columns = forced + self.columns[: len(cursor.values)]
        fields = [queryset.model._meta.get_field(column) for column in columns]
        values = [*((lookups or {})[column] for column in forced), *cursor.values]
        return queryset.filter(RowComparison(fields, values, operator))

    def serves(self, lookups: Collection[str]) -> bool:
        """Return whether every lookup narrows the range of the index that is scanned."""
        return not set(lookups) - self.served(lookups)

    def served(self, lookups: Collection[str]) -> set[str]:
        """Return the lookups that narrow the range of the index that is scanned."""
        served = set(self.equality_columns)
        for column in self.columns[: len(self.order)]:
            served |= {f"{column}__{bound}" for bound in RANGES}
            if column not in lookups:
                break
            served.add(column)
        return served & set(lookups)

    def sort(self, rows: list[Any], *, backwards: bool) -> list[Any]:
        """Return rows read in index order, with rows of equal values sorted by ``sort_within``."""
        if not self.sort_within:
            return rows
        groups = groupby(rows, key=attrgetter(*self.columns))
        down = self.descending != backwards
        return [row for _, group in groups for row in sorted(group, key=attrgetter(self.sort_within), reverse=down)]


def index_order_for(index_orders: Collection[IndexOrder], lookups: Collection[str]) -> IndexOrder:
    """Return the first index order with all equality columns among the lookups."""
    return next(index_order for index_order in index_orders if set(index_order.equality_columns) <= set(lookups))


class Cursor(NamedTuple):
    """A position in an index order, and a side: the rows after it or, if ``backwards``, before it."""

    backwards: bool
    values: tuple[Any, ...]
    """of the first columns of the index order, as many as are known"""
    inclusive: bool = False
    """whether rows with exactly these values belong to the side"""

    @property
    def opposite(self) -> Cursor:
        """The cursor of all other rows."""
        return Cursor(not self.backwards, self.values, not self.inclusive)

    @property
    def text(self) -> str:
        """The cursor in an address, read by :func:`cursor_from_text`."""
        return (INCLUSIVE if self.inclusive else "") + ",".join(_text(value) for value in self.values)


def cursor_from_text(text: str, *, backwards: bool, index_order: IndexOrder, model: type[Model]) -> Cursor:
    """Parse a cursor. Raises ValueError."""
    inclusive = text.startswith(INCLUSIVE)
    texts = text.removeprefix(INCLUSIVE).split(",")
    if len(texts) > len(index_order.columns):
        raise ValueError(text)
    fields = [model._meta.get_field(column) for column in index_order.columns[: len(texts)]]
    values = tuple(_value(field, value) for field, value in zip(fields, texts, strict=True))
    return Cursor(backwards, values, inclusive)


def cursor_of(row: Any, index_order: IndexOrder, *, backwards: bool) -> Cursor:
    return Cursor(backwards, tuple(getattr(row, column) for column in index_order.columns))


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if timezone.is_aware(value) else value).isoformat()
    return quote(str(value), safe=":+@/$")


def _value(field: Any, text: str) -> Any:
    if isinstance(field, models.DateTimeField):
        return _moment(text)
    if isinstance(field, models.IntegerField):
        number = int(text[:30])
        if abs(number) > MAX_ID:
            raise ValueError(text)
        return number
    try:
        return field.get_prep_value(unquote(text))
    except UnusableKey as error:
        raise ValueError(text) from error


def _moment(text: str) -> datetime:
    moment = parse_datetime(text)
    if moment is None or timezone.is_aware(moment) != settings.USE_TZ:
        raise ValueError(text)
    try:
        return moment.astimezone(UTC) if settings.USE_TZ else moment
    except OverflowError as error:
        raise ValueError(text) from error
