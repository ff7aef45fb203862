"""The statements of the write path, as SQL: a query set takes longer to compile them than a database to run them.

Names are the model's, quoted; values are bound; where databases differ, Django's backend says how. A row is a tuple in
the order of the columns, its keys as text.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model
from django.db.models.constants import OnConflict

Rows = Sequence[tuple[Any, ...]]


def select_for_update(
    model: type[Model], columns: Sequence[str], filters: Mapping[str, Collection[Any]], using: str
) -> list[tuple[Any, ...]]:
    """Return, and lock in the order of their ids, the rows whose columns have one of the values of each filter."""
    connection = connections[using]
    quote = connection.ops.quote_name
    conditions = [f"{quote(name)} IN ({_places(values)})" for name, values in filters.items()]
    lock = connection.ops.for_update_sql() if connection.features.has_select_for_update else ""
    # Names are quoted, values are bound.
    statement = (
        f"SELECT {_names(connection, columns)} FROM {quote(model._meta.db_table)} "  # noqa: S608
        f"WHERE {' AND '.join(conditions)} ORDER BY {quote('id')} {lock}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, _parameters(connection, filters.values()))
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    converters = _converters(connection, model, columns)
    return [_converted(row, converters) for row in rows] if converters else rows


def update(model: type[Model], row_id: int, values: Mapping[str, Any], using: str) -> None:
    """Set columns of one row."""
    connection = connections[using]
    quote = connection.ops.quote_name
    columns = ", ".join(f"{quote(name)} = %s" for name in values)
    statement = f"UPDATE {quote(model._meta.db_table)} SET {columns} WHERE {quote('id')} = %s"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, _parameters(connection, [values.values(), [row_id]]))


def insert(model: type[Model], columns: Sequence[str], rows: Rows, using: str, *, suffix: str = "") -> list[int]:
    """Insert rows and return their ids, in order; none where they are given or the database does not tell them."""
    connection = connections[using]
    told = connection.features.can_return_rows_from_bulk_insert and "id" not in columns
    returning = f" RETURNING {connection.ops.quote_name('id')}" if told else ""
    with connection.cursor() as cursor:
        cursor.execute(*_insertion(connection, model, columns, rows, suffix + returning))
        return [row_id for (row_id,) in cursor.fetchall()] if told else []


def upsert(
    model: type[Model],
    columns: Sequence[str],
    rows: Rows,
    using: str,
    *,
    unique_columns: Collection[str],
    update_columns: Collection[str],
) -> list[int]:
    """Insert rows; where one is there already, update these columns of it. Return their ids as :func:`insert` does."""
    return insert(model, columns, rows, using, suffix=_on_conflict(connections[using], unique_columns, update_columns))


def upsert_unless_later(
    model: type[Model],
    columns: Sequence[str],
    rows: Rows,
    using: str,
    *,
    unique_columns: Collection[str],
    update_columns: Collection[str],
    moment: str,
) -> int:
    """Insert rows; where one is there already, update it unless its ``moment`` is later.

    Return how many of them the table now says what ``rows`` say. MySQL has no condition there, so it updates all.
    """
    connection = connections[using]
    suffix = _on_conflict(connection, unique_columns, update_columns)
    conditional = connection.features.supports_update_conflicts_with_target
    if conditional:
        table, column = map(connection.ops.quote_name, (model._meta.db_table, moment))
        suffix += f" WHERE {table}.{column} <= EXCLUDED.{column}"
    with connection.cursor() as cursor:
        cursor.execute(*_insertion(connection, model, columns, rows, suffix))
        count: int = cursor.rowcount
    return count if conditional else len(rows)


def _insertion(
    connection: BaseDatabaseWrapper, model: type[Model], columns: Sequence[str], rows: Rows, suffix: str
) -> tuple[str, list[Any]]:
    values = ", ".join([f"({_places(columns)})"] * len(rows))
    table = connection.ops.quote_name(model._meta.db_table)
    statement = f"INSERT INTO {table} ({_names(connection, columns)}) VALUES {values}{suffix}"  # noqa: S608
    return statement, _parameters(connection, rows)


def _on_conflict(connection: BaseDatabaseWrapper, unique: Collection[str], update: Collection[str]) -> str:
    # MySQL looks at every unique constraint, and takes none by name.
    suffix: str = connection.ops.on_conflict_suffix_sql([], OnConflict.UPDATE, update, unique)
    return f" {suffix}"


def _names(connection: BaseDatabaseWrapper, columns: Iterable[str]) -> str:
    return ", ".join(map(connection.ops.quote_name, columns))


def _places(values: Collection[Any]) -> str:
    return ", ".join(["%s"] * len(values))


def _parameters(connection: BaseDatabaseWrapper, rows: Iterable[Iterable[Any]]) -> list[Any]:
    adapt = connection.ops.adapt_datetimefield_value
    return [adapt(value) if isinstance(value, datetime) else value for value in chain.from_iterable(rows)]


def _converters(
    connection: BaseDatabaseWrapper, model: type[Model], columns: Sequence[str]
) -> list[tuple[int, Callable[[Any], Any]]]:
    """Return what the backend makes of those columns, by their place, that its driver does not read itself: times."""
    found: list[tuple[int, Callable[[Any], Any]]] = []
    for place, name in enumerate(columns):
        column = model._meta.get_field(name).cached_col  # type: ignore[union-attr]
        for convert in connection.ops.get_db_converters(column):
            found.append((place, partial(convert, expression=column, connection=connection)))
    return found


def _converted(row: tuple[Any, ...], converters: Iterable[tuple[int, Callable[[Any], Any]]]) -> tuple[Any, ...]:
    values = list(row)
    for place, convert in converters:
        values[place] = convert(values[place])
    return tuple(values)
