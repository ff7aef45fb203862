"""The statements of the write path, as SQL: a query set takes longer to compile them than a database to run them.

Names are the model's, quoted; values are bound; where databases differ, Django's backend says how. A row is a tuple in
the order of the columns, its keys as text.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import chain
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model
from django.db.models.constants import OnConflict

Rows = Sequence[tuple[Any, ...]]


def select_for_update(
    model: type[Model], columns: tuple[str, ...], filters: Mapping[str, Collection[Any]], using: str
) -> Rows:
    """Return, and lock in the order of their ids, the rows whose columns have one of the values of each filter."""
    connection = connections[using]
    lock = f" {connection.ops.for_update_sql()}" if connection.features.has_select_for_update else ""
    conditions = [f"{_names(using, (name,))} IN ({_places(values)})" for name, values in filters.items()]
    statement = f"{_selection(using, model, columns)} WHERE {' AND '.join(conditions)} ORDER BY id{lock}"
    with connection.cursor() as cursor:
        cursor.execute(statement, _parameters(connection, filters.values()))
        rows: Rows = cursor.fetchall()
    unread = _unread(using, model, columns)
    return _read(connection, unread, rows) if unread else rows


def update(model: type[Model], row_id: int, values: Mapping[str, Any], using: str) -> None:
    """Set columns of one row."""
    connection = connections[using]
    with connection.cursor() as cursor:
        cursor.execute(_update(using, model, tuple(values)), _parameters(connection, [values.values(), [row_id]]))


def insert(model: type[Model], columns: tuple[str, ...], rows: Rows, using: str, *, conflict: str = "") -> list[int]:
    """Insert rows and return their ids, in order; none where they are given or the database does not tell them."""
    connection = connections[using]
    told = connection.features.can_return_rows_from_bulk_insert and "id" not in columns
    with connection.cursor() as cursor:
        statement = _insertion(using, model, columns, rows) + conflict + (" RETURNING id" if told else "")
        cursor.execute(statement, _parameters(connection, rows))
        return [row_id for (row_id,) in cursor.fetchall()] if told else []


def upsert(
    model: type[Model],
    columns: tuple[str, ...],
    rows: Rows,
    using: str,
    *,
    unique_columns: tuple[str, ...],
    update_columns: tuple[str, ...],
) -> list[int]:
    """Insert rows; where one is there already, update these columns of it. Return their ids as :func:`insert` does."""
    return insert(model, columns, rows, using, conflict=_on_conflict(using, unique_columns, update_columns))


def upsert_unless_later(
    model: type[Model],
    columns: tuple[str, ...],
    rows: Rows,
    using: str,
    *,
    unique_columns: tuple[str, ...],
    update_columns: tuple[str, ...],
    moment: str,
) -> int:
    """Insert rows; where one is there already, update it unless its ``moment`` is later.

    Return how many of them the table now says what ``rows`` say. MySQL has no condition there, so it updates all.
    """
    connection = connections[using]
    statement = _insertion(using, model, columns, rows) + _on_conflict(using, unique_columns, update_columns)
    conditional = connection.features.supports_update_conflicts_with_target
    if conditional:
        statement += f" WHERE {_table(using, model)}.{moment} <= EXCLUDED.{moment}"
    with connection.cursor() as cursor:
        cursor.execute(statement, _parameters(connection, rows))
        count: int = cursor.rowcount
    return count if conditional else len(rows)


# The names of a model and the ways of an alias stay the same while a process runs, so these are put together once.


@cache
def _selection(using: str, model: type[Model], columns: tuple[str, ...]) -> str:
    return f"SELECT {_names(using, columns)} FROM {_table(using, model)}"  # noqa: S608  names, quoted


@cache
def _update(using: str, model: type[Model], columns: tuple[str, ...]) -> str:
    assignments = ", ".join(f"{_names(using, (name,))} = %s" for name in columns)
    return f"UPDATE {_table(using, model)} SET {assignments} WHERE id = %s"  # noqa: S608  names, quoted


@cache
def _insert_into(using: str, model: type[Model], columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {_table(using, model)} ({_names(using, columns)}) VALUES "  # noqa: S608  names, quoted


@cache
def _on_conflict(using: str, unique_columns: tuple[str, ...], update_columns: tuple[str, ...]) -> str:
    # MySQL looks at every unique constraint, and takes none by name.
    operations = connections[using].ops
    return f" {operations.on_conflict_suffix_sql([], OnConflict.UPDATE, update_columns, unique_columns)}"


@cache
def _names(using: str, columns: tuple[str, ...]) -> str:
    return ", ".join(map(connections[using].ops.quote_name, columns))


def _table(using: str, model: type[Model]) -> str:
    return _names(using, (model._meta.db_table,))


def _insertion(using: str, model: type[Model], columns: tuple[str, ...], rows: Rows) -> str:
    return _insert_into(using, model, columns) + ", ".join([f"({_places(columns)})"] * len(rows))


def _places(values: Collection[Any]) -> str:
    return ", ".join(["%s"] * len(values))


def _parameters(connection: BaseDatabaseWrapper, rows: Iterable[Iterable[Any]]) -> list[Any]:
    adapt = connection.ops.adapt_datetimefield_value
    return [adapt(value) if isinstance(value, datetime) else value for value in chain.from_iterable(rows)]


@cache
def _unread(using: str, model: type[Model], columns: tuple[str, ...]) -> tuple[tuple[int, Any], ...]:
    """Return, with their places, those columns that the driver of an alias does not read itself: times."""
    # A relation has no column; the store names none by its relation.
    expressions = [(place, model._meta.get_field(name).cached_col) for place, name in enumerate(columns)]  # type: ignore[union-attr]
    return tuple(found for found in expressions if connections[using].ops.get_db_converters(found[1]))


def _read(connection: BaseDatabaseWrapper, unread: Iterable[tuple[int, Any]], rows: Rows) -> Rows:
    """Return rows with what Django's backend makes of the columns that its driver did not read."""
    converters = [(place, column, connection.ops.get_db_converters(column)) for place, column in unread]
    read = [list(row) for row in rows]
    for values in read:
        for place, column, convert_each in converters:
            for convert in convert_each:
                values[place] = convert(values[place], column, connection)
    return [tuple(values) for values in read]
