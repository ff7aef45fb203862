"""The orders that indexes give rows in, and places in such an order."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from django.conf import settings
from django.db import models
from django.db.models import F, Func, Lookup, Model, QuerySet, Value
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from kvstore.exceptions import UnusableKey

MAX_INTEGER = 2**63 - 1
INCLUSIVE = "at:"
RANGES = ("gte", "lt")


@dataclass(frozen=True)
class IndexOrder:
    """An index, and the order in which it gives the rows whose first columns are given."""

    equality_columns: tuple[str, ...]
    """the index's first columns, which filters must fix"""
    order: tuple[str, ...]
    """the index's other columns, all ascending or all descending"""
    tie_breakers: tuple[str, ...] = ()
    """columns behind the index's own that tell the rows of one place apart, where there may be many"""
    sort_within: str = ""
    """the column that the few rows of one place are put in order by once they are read, descending with the walk"""
    force_index: bool = True
    """whether the first of the given columns is ordered by, too, and so looked up that a planner does not leave it out

    Otherwise one that believes a course's rows to be spread evenly over time may take an index of time alone, and walk
    through a year of other courses.
    """

    @property
    def pinned(self) -> tuple[str, ...]:
        """The given column that is ordered by."""
        return self.equality_columns[:1] if self.force_index else ()

    @property
    def descending(self) -> bool:
        return self.order[0].startswith("-")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that name a place, without their direction."""
        return tuple(column.removeprefix("-") for column in self.order + self.tie_breakers)

    def ordering(self, *, backwards: bool) -> list[str]:
        """Return what QuerySet.order_by takes, in the walk's direction or against it."""
        sign = "-" if self.descending != backwards else ""
        return [sign + column for column in self.pinned + self.columns]

    def narrowed(self, queryset: QuerySet[Any], lookups: Mapping[str, Any]) -> QuerySet[Any]:
        """Return the rows of ``queryset`` that the lookups find."""
        field = queryset.model._meta.get_field
        pins = [OpaqueEquality(F(column), Value(lookups[column], output_field=field(column))) for column in self.pinned]
        others = {name: value for name, value in lookups.items() if name not in self.pinned}
        return queryset.filter(*pins, **others)

    def at(self, queryset: QuerySet[Any], place: Cursor, lookups: Mapping[str, Any] | None = None) -> QuerySet[Any]:
        """Return the rows of ``queryset`` that are wanted of a place.

        With the lookups that found them, the comparison begins with what is pinned, so that no other index serves it.
        """
        less = place.backwards != self.descending
        operator = ("<" if less else ">") + ("=" if place.inclusive else "")
        pinned = self.pinned if lookups else ()
        columns = pinned + self.columns[: len(place.values)]
        fields = [queryset.model._meta.get_field(column) for column in columns]
        values = [*((lookups or {})[column] for column in pinned), *place.values]
        return queryset.filter(RowComparison(fields, values, operator))

    def serves(self, lookups: Collection[str]) -> bool:
        """Return whether every one of the lookups narrows the part of the index that is walked."""
        return not set(lookups) - self.served(lookups)

    def served(self, lookups: Collection[str]) -> set[str]:
        """Return those of the lookups that narrow the part of the index that is walked."""
        served = set(self.equality_columns)
        for column in self.columns[: len(self.order)]:
            served |= {f"{column}__{bound}" for bound in RANGES}
            if column not in lookups:
                break
            served.add(column)
        return served & set(lookups)

    def in_order(self, rows: list[Any], *, backwards: bool) -> list[Any]:
        """Return rows that were read along the walk, those of one place in an order of their own."""
        if not self.sort_within:
            return rows
        places = groupby(rows, key=attrgetter(*self.columns))
        down = self.descending != backwards
        return [row for _, group in places for row in sorted(group, key=attrgetter(self.sort_within), reverse=down)]


def index_order_for(index_orders: Collection[IndexOrder], lookups: Collection[str]) -> IndexOrder:
    """Return the first of the walks whose given columns are all looked up."""
    return next(walk for walk in index_orders if set(walk.equality_columns) <= set(lookups))


class Cursor(NamedTuple):
    """A place in a walk and what is wanted of it: the rows before or behind it, with the place itself or not."""

    backwards: bool
    values: tuple[Any, ...]
    """of the first of the walk's columns, as many as are known"""
    inclusive: bool = False

    @property
    def opposite(self) -> Cursor:
        """What this one leaves out."""
        return Cursor(not self.backwards, self.values, not self.inclusive)

    @property
    def text(self) -> str:
        """The place as an address carries it, for people to read and :func:`place_from_text` to check."""
        return (INCLUSIVE if self.inclusive else "") + ",".join(_text(value) for value in self.values)


def cursor_from_text(text: str, *, backwards: bool, walk: IndexOrder, model: type[Model]) -> Cursor:
    """Return the place that ``text`` names in a walk. Raises ValueError where it names none."""
    inclusive = text.startswith(INCLUSIVE)
    texts = text.removeprefix(INCLUSIVE).split(",")
    if len(texts) > len(walk.columns):
        raise ValueError(text)
    fields = [model._meta.get_field(column) for column in walk.columns[: len(texts)]]
    values = tuple(_value(field, value) for field, value in zip(fields, texts, strict=True))
    return Cursor(backwards, values, inclusive)


def cursor_of(row: Any, walk: IndexOrder, *, backwards: bool) -> Cursor:
    """Return the place of a row in a walk."""
    return Cursor(backwards, tuple(getattr(row, column) for column in walk.columns))


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if timezone.is_aware(value) else value).isoformat()
    return quote(str(value), safe=":+@/$")


def _value(field: Any, text: str) -> Any:
    if isinstance(field, models.DateTimeField):
        return _moment(text)
    if isinstance(field, models.IntegerField):
        number = int(text[:30])
        if abs(number) > MAX_INTEGER:
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


class RowExpression(Func):
    """Columns or values, compared one after the other as one."""

    function = ""
    # Of no use but to be asked for.
    output_field = models.TextField()


class OpaqueEquality(Lookup):
    """Whether a column has a value, said so that a planner does not know the column to be the same for all rows.

    Any of one for PostgreSQL, which its indexes follow as they follow an equality; a range of one for MySQL.
    """

    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return self._sides(compiler, "{0} = {1}", times=1)

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        return self._sides(compiler, "{0} = ANY (ARRAY[{1}])", times=1)

    def as_mysql(self, compiler: Any, connection: Any) -> Any:
        return self._sides(compiler, "({0} >= {1} AND {0} <= {1})", times=2)

    def _sides(self, compiler: Any, template: str, times: int) -> Any:
        (left, left_parameters), (right, right_parameters) = map(compiler.compile, (self.lhs, self.rhs))
        return template.format(left, right), (*left_parameters, *right_parameters) * times


class RowComparison(Lookup):
    """Whether a row's columns come before or behind values, compared column by column as one.

    Written as a comparison of rows, which PostgreSQL and SQLite follow along an index. MySQL follows an index only
    where the comparison is spelled out, and where it is not asked whether it equals 1, as of any but a lookup.
    """

    def __init__(self, fields: Sequence[Any], values: Sequence[Any], operator: str) -> None:
        typed = [Value(value, output_field=field) for field, value in zip(fields, values, strict=True)]
        super().__init__(RowExpression(*(F(field.attname) for field in fields)), RowExpression(*typed))
        self.operator = operator

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        left, left_parameters = compiler.compile(self.lhs)
        right, right_parameters = compiler.compile(self.rhs)
        return f"{left} {self.operator} {right}", (*left_parameters, *right_parameters)

    def as_mysql(self, compiler: Any, connection: Any) -> Any:
        columns, values = (
            [compiler.compile(part) for part in side.get_source_expressions()] for side in (self.lhs, self.rhs)
        )
        cases, parameters = [], []
        for last in range(len(columns)):
            # Only the comparison of all columns may be of equal rows.
            operator = self.operator if last == len(columns) - 1 else self.operator[0]
            pairs = list(zip(columns, ["="] * last + [operator], values, strict=False))
            cases.append(" AND ".join(f"{left[0]} {sign} {right[0]}" for left, sign, right in pairs))
            parameters += [parameter for left, _, right in pairs for parameter in (*left[1], *right[1])]
        return "(" + " OR ".join(f"({case})" for case in cases) + ")", parameters
