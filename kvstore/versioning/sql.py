"""The statements of the write path, as SQL: a query set takes longer to compile them than a database to run them.

Names are the model's, quoted; values are bound; where databases differ, Django's backend says how. A row is a tuple in
the order of the columns, its keys as text.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Any

from django.db import IntegrityError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BinaryField, Model
from django.db.models.constants import OnConflict

Rows = Sequence[tuple[Any, ...]]

MOST_BOUND = 50
"""parameters of an INSERT that binds all its values; psycopg keeps how it parsed a statement of no more"""

ER_DUP_ENTRY = 1062
"""MySQL's code for a duplicate value of a unique key"""


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
    insertion, parameters = _insertion(using, model, columns, rows)
    with connection.cursor() as cursor:
        cursor.execute(insertion + conflict + (" RETURNING id" if told else ""), parameters)
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


def insert_missing(
    model: type[Model], columns: tuple[str, ...], rows: Rows, using: str, *, unique_columns: tuple[str, ...]
) -> None:
    """Insert those rows whose unique columns no stored row has. Needs the privileges to SELECT and INSERT only.

    Raises IntegrityError for any other constraint, such as the primary key's.
    """
    connection = connections[using]
    if connection.vendor != "mysql":
        insertion, parameters = _insertion(using, model, columns, rows)
        with connection.cursor() as cursor:
            cursor.execute(f"{insertion} ON CONFLICT ({_names(using, unique_columns)}) DO NOTHING", parameters)
        return
    # INSERT IGNORE would hide other errors, and ON DUPLICATE KEY UPDATE needs the privilege to UPDATE.
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
    """Return those rows whose unique columns no stored row has."""
    key = itemgetter(*map(columns.index, unique_columns))
    connection = connections[using]
    # All but the last narrow it enough: MySQL would compare digests as text.
    conditions = [f"{_names(using, (name,))} IN ({_places(rows)})" for name in unique_columns[:-1]]
    statement = f"{_selection(using, model, unique_columns)} WHERE {' AND '.join(conditions)}"
    with connection.cursor() as cursor:
        cursor.execute(statement, [key(row)[place] for place in range(len(conditions)) for row in rows])
        stored = set(cursor.fetchall())
    return [row for row in rows if key(row) not in stored]


# The names of a model and the ways of an alias stay the same while a process runs, so these are put together once.


@cache
def _selection(using: str, model: type[Model], columns: tuple[str, ...]) -> str:
    return f"SELECT {_names(using, columns)} FROM {_table(using, model)}"  # noqa: S608  names, quoted


@cache
def _update(using: str, model: type[Model], columns: tuple[str, ...]) -> str:
    marks = zip(columns, _marks(using, model, columns), strict=True)
    assignments = ", ".join(f"{_names(using, (name,))} = {mark}" for name, mark in marks)
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


def _insertion(using: str, model: type[Model], columns: tuple[str, ...], rows: Rows) -> tuple[str, list[Any]]:
    """Return an INSERT of these rows, and its parameters."""
    marks = _marks(using, model, columns)
    # SQLite keeps compiled statements by their text, which is then the same for the same number of rows.
    if len(rows) * len(columns) <= MOST_BOUND or connections[using].vendor == "sqlite":
        places, bound = [", ".join(marks)] * len(rows), rows
    else:
        places, bound = _written_out(marks, rows)
    values = ", ".join([f"({place})" for place in places])
    return _insert_into(using, model, columns) + values, _parameters(connections[using], bound)


def _written_out(marks: tuple[str, ...], rows: Rows) -> tuple[list[str], Rows]:
    """Return what stands for the values of each row, NULL and integers as SQL, and the values that are left to bind.

    The time that a driver takes for a large statement goes by the number of its parameters.
    """
    places, bound = [], []
    for row in rows:
        written = []
        for value, mark in zip(row, marks, strict=True):
            if value is None:
                written.append("NULL")
            # No subclass, which decides itself how it is written.
            elif type(value) is int:
                written.append(str(value))
            else:
                written.append(mark)
                bound.append(value)
        places.append(", ".join(written))
    return places, [tuple(bound)]


@cache
def _marks(using: str, model: type[Model], columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the mark of each column's parameter. MySQL's driver takes bytes for text, so they are sent in hex."""
    in_hex = {name for name in columns if connections[using].vendor == "mysql" and _is_binary(model, name)}
    return tuple("UNHEX(%s)" if name in in_hex else "%s" for name in columns)


def _is_binary(model: type[Model], name: str) -> bool:
    return isinstance(model._meta.get_field(name), BinaryField)


def _places(values: Collection[Any]) -> str:
    return ", ".join(["%s"] * len(values))


def _parameters(connection: BaseDatabaseWrapper, rows: Iterable[Iterable[Any]]) -> list[Any]:
    adapt = connection.ops.adapt_datetimefield_value
    values = [adapt(value) if isinstance(value, datetime) else value for value in chain.from_iterable(rows)]
    if connection.vendor == "mysql":
        return [value.hex() if isinstance(value, bytes) else value for value in values]
    return values


@cache
def _unread(using: str, model: type[Model], columns: tuple[str, ...]) -> tuple[tuple[int, Any, list[Any]], ...]:
    """Return, with their places, those columns that the driver of an alias does not read itself, and what does."""
    # A relation has no column; the store names none by its relation.
    expressions = [(place, model._meta.get_field(name).cached_col) for place, name in enumerate(columns)]  # type: ignore[union-attr]
    found = []
    for place, column in expressions:
        converters = list(connections[using].ops.get_db_converters(column))
        if isinstance(column.target, BinaryField):
            converters += column.get_db_converters(connections[using])
        if converters:
            found.append((place, column, converters))
    return tuple(found)


def _read(connection: BaseDatabaseWrapper, unread: Iterable[tuple[int, Any, list[Any]]], rows: Rows) -> Rows:
    """Return rows with what Django's backend makes of the columns that its driver did not read."""
    read = [list(row) for row in rows]
    for values in read:
        for place, column, converters in unread:
            for convert in converters:
                values[place] = convert(values[place], column, connection)
    return [tuple(values) for values in read]
