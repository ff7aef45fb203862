"""Count the rows of each choice of an ambiguous search, reading a limited number of rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import Count, QuerySet

from kvstore.admin.ordering import IndexOrder, index_order_for
from kvstore.admin.search.meanings import Choice

MOST_COUNTED = 1_000
"""rows that are counted for one choice"""


class CountedChoice(NamedTuple):
    """A choice as the list shows it."""

    label: str
    search: str
    rows: int
    more: bool
    """whether there are more rows than counted"""


def counted_by_index(
    choices: Sequence[Choice], rows: QuerySet[Any], orders: Sequence[IndexOrder], known: Mapping[str, Any]
) -> list[CountedChoice] | None:
    """Return the choices with the numbers of rows that also have the ``known`` lookups of the index, in one query.

    Counts MOST_COUNTED rows of a choice. Returns None if no index serves the column of the choices.
    """
    parts = []
    for choice in choices:
        lookups = {**known, choice.column: choice.value}
        order = index_order_for(orders, lookups)
        served = {name: lookups[name] for name in order.served(lookups)}
        if choice.column not in served:
            return None
        found = order.filter(rows, served).order_by(*order.ordering(backwards=False))
        parts.append(found.values_list(choice.column)[: MOST_COUNTED + 1])
    return _with_numbers(choices, _numbers(parts, rows.db))


def counted_among(choices: Sequence[Choice], rows: QuerySet[Any]) -> list[CountedChoice]:
    """Return the choices with their numbers among ``rows``, which the caller limits, in one query."""
    column = choices[0].column
    found = rows.filter(**{f"{column}__in": [choice.value for choice in choices]}).order_by().values(column)
    numbers = dict(found.annotate(number=Count("*")).values_list(column, "number"))
    return _with_numbers(choices, (numbers.get(choice.value, 0) for choice in choices))


def _with_numbers(choices: Sequence[Choice], numbers: Iterable[int]) -> list[CountedChoice]:
    return [
        CountedChoice(choice.label, choice.search, min(number, MOST_COUNTED), number > MOST_COUNTED)
        for choice, number in zip(choices, numbers, strict=True)
    ]


def _numbers(parts: Sequence[QuerySet[Any]], using: str) -> list[int]:
    """Return the number of rows of each part. Django's union() does not take limited parts on SQLite."""
    statements, parameters = [], []
    for position, rows in enumerate(parts):
        statement, values = rows.query.get_compiler(using).as_sql()
        statements.append(f"SELECT {position}, COUNT(*) FROM ({statement}) part{position}")  # noqa: S608  compiled
        parameters += values
    with connections[using].cursor() as cursor:
        cursor.execute(" UNION ALL ".join(statements), parameters)
        return [number for _position, number in sorted(cursor.fetchall())]
