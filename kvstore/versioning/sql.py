"""The SQL statements of the write path, because Django compiles a QuerySet slower than a database executes it.

Names are quoted, values are bound, and Django's backends supply the differences between databases. A row is a tuple
in the order of the columns, with keys as text.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Any, TypeVar

from django.db import IntegrityError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BinaryField, Model
from django.db.models.constants import OnConflict

from kvstore.versioning.record_sets import MIN_RECORDS, record_set, suits_record_sets

Rows = Sequence[tuple[Any, ...]]
Condition = tuple[str, Collection[Any]]
"""an SQL condition and its parameters"""
ItemT = TypeVar("ItemT")

MAX_BOUND = 50
"""maximum number of parameters of an INSERT that binds all values; psycopg caches parsed statements up to it"""

ER_DUP_ENTRY = 1062
"""MySQL's error code for a duplicate key"""


def chunked(items: Sequence[ItemT], size: int) -> Iterator[list[ItemT]]:
    """Yield the items in order, in lists of at most ``size``."""
    for start in range(0, len(items), size):
        yield list(items[start : start + size])


def select(
    model: type[Model], columns: tuple[str, ...], conditions: Sequence[Condition], using: str, *, lock: bool = False
) -> Rows:
    """Return the rows that meet all conditions. With ``lock``, lock them in the order of ids."""
    connection = connections[using]
    ending = " ORDER BY id" if lock else ""
    if lock and connection.features.has_select_for_update:
        ending += f" {connection.ops.for_update_sql()}"
    where = " AND ".join([condition for condition, _parameters in conditions])
    parameters = list(chain.from_iterable([values for _condition, values in conditions]))
    with connection.cursor() as cursor:
        cursor.execute(f"{_selection(using, model, columns)} WHERE {where}{ending}", parameters)
        rows: Rows = cursor.fetchall()
    conversions = _converters(using, model, columns)
    return _converted(connection, conversions, rows) if conversions else rows


def one_of(name: str, values: Collection[Any], using: str) -> Condition:
    """Return the condition that a column has one of these values."""
    column = _names(using, (name,))
    if len(values) >= MIN_RECORDS and connections[using].vendor == "postgresql" and type(next(iter(values))) is str:
        text = "\n".join(values)
        if text.count("\n") == len(values) - 1:
            return f"{column} = ANY(string_to_array(%s, chr(10)))", [text]
    return f"{column} IN ({_percent_s(values)})", values


def update(model: type[Model], row_id: int, values: Mapping[str, Any], using: str) -> None:
    connection = connections[using]
    with connection.cursor() as cursor:
        cursor.execute(_update(using, model, tuple(values)), _parameters(connection, [values.values(), [row_id]]))


def update_many(model: type[Model], columns: tuple[str, ...], rows: Rows, using: str) -> None:
    """Set columns of stored rows from a record set; the first of ``columns`` is the id."""
    values, source, parameters = record_set(using, model, columns, rows)
    pairs = zip(columns[1:], values[1:], strict=True)
    assignments = ", ".join([f"{_names(using, (name,))} = {value}" for name, value in pairs])
    table = _table(using, model)
    with connections[using].cursor() as cursor:
        statement = f"UPDATE {table} SET {assignments} {source} WHERE {table}.id = {values[0]}"  # noqa: S608  names, quoted
        cursor.execute(statement, parameters)


def insert(model: type[Model], columns: tuple[str, ...], rows: Rows, using: str, *, conflict: str = "") -> list[int]:
    """Insert rows and return the generated ids in order, or none if the database does not return them."""
    connection = connections[using]
    returns_ids = connection.features.can_return_rows_from_bulk_insert and "id" not in columns
    # RETURNING has the order of VALUES, but not that of a record set.
    insertion, parameters = (_insertion if returns_ids else _fastest_insertion)(using, model, columns, rows)
    with connection.cursor() as cursor:
        cursor.execute(insertion + conflict + (" RETURNING id" if returns_ids else ""), parameters)
        return [row_id for (row_id,) in cursor.fetchall()] if returns_ids else []


def upsert(
    model: type[Model],
    columns: tuple[str, ...],
    rows: Rows,
    using: str,
    *,
    unique_columns: tuple[str, ...],
    update_columns: tuple[str, ...],
) -> list[int]:
    """Insert rows, or update these columns of existing rows. Returns ids as :func:`insert` does."""
    return insert(model, columns, rows, using, conflict=_on_conflict(using, unique_columns, update_columns))


def insert_missing(
    model: type[Model], columns: tuple[str, ...], rows: Rows, using: str, *, unique_columns: tuple[str, ...]
) -> None:
    """Insert the rows that do not exist by their unique columns. Needs only the privileges SELECT and INSERT.

    Raises IntegrityError for another constraint, such as the primary key.
    """
    connection = connections[using]
    if connection.vendor != "mysql":
        insertion, parameters = _fastest_insertion(using, model, columns, rows)
        with connection.cursor() as cursor:
            cursor.execute(f"{insertion} ON CONFLICT ({_names(using, unique_columns)}) DO NOTHING", parameters)
        return
    # INSERT IGNORE would hide other errors; ON DUPLICATE KEY UPDATE needs the privilege UPDATE.
    while rows:
        try:
            insert(model, columns, rows, using)
            return
        except IntegrityError as error:
            missing = _missing(model, columns, rows, using, unique_columns)
            if error.args[0] != ER_DUP_ENTRY or len(missing) == len(rows):
                raise
            rows = missing


def _missing(
    model: type[Model], columns: tuple[str, ...], rows: Rows, using: str, unique_columns: tuple[str, ...]
) -> Rows:
    key = itemgetter(*map(columns.index, unique_columns))
    connection = connections[using]
    # Without the last column, the digest, which MySQL would compare as text.
    conditions = [f"{_names(using, (name,))} IN ({_percent_s(rows)})" for name in unique_columns[:-1]]
    statement = f"{_selection(using, model, unique_columns)} WHERE {' AND '.join(conditions)}"
    with connection.cursor() as cursor:
        cursor.execute(statement, [key(row)[position] for position in range(len(conditions)) for row in rows])
        stored = set(cursor.fetchall())
    return [row for row in rows if key(row) not in stored]


# These parts depend on the model and the alias only, so each is built once in a process.


@cache
def _selection(using: str, model: type[Model], columns: tuple[str, ...]) -> str:
    return f"SELECT {_names(using, columns)} FROM {_table(using, model)}"  # noqa: S608  names, quoted


@cache
def _update(using: str, model: type[Model], columns: tuple[str, ...]) -> str:
    pairs = zip(columns, _placeholders(using, model, columns), strict=True)
    assignments = ", ".join(f"{_names(using, (name,))} = {placeholder}" for name, placeholder in pairs)
    return f"UPDATE {_table(using, model)} SET {assignments} WHERE id = %s"  # noqa: S608  names, quoted


@cache
def _insert_into(using: str, model: type[Model], columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {_table(using, model)} ({_names(using, columns)}) "


@cache
def _on_conflict(using: str, unique_columns: tuple[str, ...], update_columns: tuple[str, ...]) -> str:
    # MySQL ignores the unique columns: it checks every unique constraint.
    operations = connections[using].ops
    return f" {operations.on_conflict_suffix_sql([], OnConflict.UPDATE, update_columns, unique_columns)}"


@cache
def _names(using: str, columns: tuple[str, ...]) -> str:
    return ", ".join(map(connections[using].ops.quote_name, columns))


def _table(using: str, model: type[Model]) -> str:
    return _names(using, (model._meta.db_table,))


def _fastest_insertion(using: str, model: type[Model], columns: tuple[str, ...], rows: Rows) -> tuple[str, list[Any]]:
    if len(rows) < MIN_RECORDS or not suits_record_sets(using, model._meta.db_table):
        return _insertion(using, model, columns, rows)
    values, source, parameters = record_set(using, model, columns, rows)
    return f"{_insert_into(using, model, columns)}SELECT {', '.join(values)} {source}", parameters


def _insertion(using: str, model: type[Model], columns: tuple[str, ...], rows: Rows) -> tuple[str, list[Any]]:
    placeholders = _placeholders(using, model, columns)
    # SQLite caches compiled statements by text, which depends on the number of rows only if all values are bound.
    if len(rows) * len(columns) <= MAX_BOUND or connections[using].vendor == "sqlite":
        sql_rows, bound = [", ".join(placeholders)] * len(rows), rows
    else:
        sql_rows, bound = _with_literals(placeholders, rows)
    values = ", ".join([f"({sql_row})" for sql_row in sql_rows])
    return f"{_insert_into(using, model, columns)}VALUES {values}", _parameters(connections[using], bound)


def _with_literals(placeholders: tuple[str, ...], rows: Rows) -> tuple[list[str], Rows]:
    """Return the SQL of each row, with NULL and integers as literals, and the other values to bind.

    Drivers take time proportional to the number of parameters.
    """
    sql_rows, bound = [], []
    for row in rows:
        items = []
        for value, placeholder in zip(row, placeholders, strict=True):
            if value is None:
                items.append("NULL")
            # A subclass of int may have another text.
            elif type(value) is int:
                items.append(str(value))
            else:
                items.append(placeholder)
                bound.append(value)
        sql_rows.append(", ".join(items))
    return sql_rows, [tuple(bound)]


@cache
def _placeholders(using: str, model: type[Model], columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the placeholder of each column. MySQL's driver sends bytes as text, so they are sent in hex."""
    fields = [model._meta.get_field(name) for name in columns]
    is_mysql = connections[using].vendor == "mysql"
    return tuple("UNHEX(%s)" if is_mysql and isinstance(field, BinaryField) else "%s" for field in fields)


def _percent_s(values: Collection[Any]) -> str:
    return ", ".join(["%s"] * len(values))


def _parameters(connection: BaseDatabaseWrapper, rows: Iterable[Iterable[Any]]) -> list[Any]:
    adapt = connection.ops.adapt_datetimefield_value
    values = [adapt(value) if isinstance(value, datetime) else value for value in chain.from_iterable(rows)]
    if connection.vendor == "mysql":
        return [value.hex() if isinstance(value, bytes) else value for value in values]
    return values


@cache
def _converters(using: str, model: type[Model], columns: tuple[str, ...]) -> tuple[tuple[int, Any, list[Any]], ...]:
    """Return the position, the column and Django's converters of each column that has converters."""
    # The stubs allow for relations without a column.
    expressions = [(position, model._meta.get_field(name).cached_col) for position, name in enumerate(columns)]  # type: ignore[union-attr]
    found = []
    for position, column in expressions:
        converters = list(connections[using].ops.get_db_converters(column))
        if isinstance(column.target, BinaryField):
            converters += column.get_db_converters(connections[using])
        if converters:
            found.append((position, column, converters))
    return tuple(found)


def _converted(connection: BaseDatabaseWrapper, conversions: Iterable[tuple[int, Any, list[Any]]], rows: Rows) -> Rows:
    converted = [list(row) for row in rows]
    for values in converted:
        for position, column, converters in conversions:
            for convert in converters:
                values[position] = convert(values[position], column, connection)
    return [tuple(values) for values in converted]
