"""Count the rows of each choice of an ambiguous search, in one query that reads a limited number of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import QuerySet

from kvstore.admin.ordering import IndexOrder, index_order_for
from kvstore.admin.search import Choice

MOST_COUNTED = 1_000
"""rows that are counted for one choice"""


class CountedChoice(NamedTuple):
    """A choice as the list shows it."""

    label: str
    search: str
    rows: int
    more: bool
    """whether there are more rows than counted"""


def counted(
    choices: Sequence[Choice], rows: QuerySet[Any], orders: Sequence[IndexOrder], known: Mapping[str, Any], limit: int
) -> list[CountedChoice]:
    """Return the choices with the numbers of rows that also have the ``known`` lookups of an index.

    Counts MOST_COUNTED rows of a choice, or if no index serves its column, those among the first ``limit`` rows.
    """
    parts = [_rows_of(choice, rows, orders, known, limit) for choice in choices]
    numbers = _numbers(parts, rows.db)
    return [
        CountedChoice(choice.label, choice.search, min(number, MOST_COUNTED), number > MOST_COUNTED)
        for choice, number in zip(choices, numbers, strict=True)
    ]


def _rows_of(
    choice: Choice, rows: QuerySet[Any], orders: Sequence[IndexOrder], known: Mapping[str, Any], limit: int
) -> tuple[QuerySet[Any], str, Any]:
    """Return the rows to count, and a column and its value that only some of them have; an empty column if all have."""
    lookups = {**known, choice.column: choice.value}
    order = index_order_for(orders, lookups)
    served = {name: lookups[name] for name in order.served(lookups)}
    found = order.filter(rows, served).order_by(*order.ordering(backwards=False))
    if choice.column in served:
        return found.values_list(choice.column)[: MOST_COUNTED + 1], "", None
    return found.values_list(choice.column)[:limit], choice.column, choice.value


def _numbers(parts: Sequence[tuple[QuerySet[Any], str, Any]], using: str) -> list[int]:
    """Return the number of rows of each part. Django's union() does not take limited parts on SQLite."""
    connection = connections[using]
    statements, parameters = [], []
    for position, (rows, column, value) in enumerate(parts):
        statement, values = rows.query.get_compiler(using).as_sql()
        only = f" WHERE {connection.ops.quote_name(column)} = %s" if column else ""
        statements.append(f"SELECT {position}, COUNT(*) FROM ({statement}) part{position}{only}")  # noqa: S608  compiled
        parameters += [*values, *([value] if column else [])]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(statements), parameters)
        return [number for _position, number in sorted(cursor.fetchall())]
