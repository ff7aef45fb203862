"""Rows as one parameter: a JSON text that PostgreSQL reads as a set of records.

A driver takes longer to bind hundreds of parameters than PostgreSQL takes to store the rows.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

from django.db import connections, models

from kvstore.versioning.codec import encoder

MIN_RECORDS = 5
"""minimum number of rows or values; for fewer, one parameter for each value is faster"""

_encode = encoder(allow_nan=False)


class RecordSet(NamedTuple):
    """SQL for rows, with its parameters."""

    values: list[str]
    """an expression for each column"""
    source: str
    """the FROM clause"""
    parameters: list[Any]


class Column(NamedTuple):
    """How a record set contains a column."""

    name: str
    """short, because every record contains it"""
    kind: str
    """the SQL type of a value that all rows share"""
    expression: str
    declaration: str
    convert: Callable[[Iterable[Any]], list[str | None]] | None


@cache
def suits_record_sets(using: str, table: str) -> bool:
    """Return whether a record set is faster than VALUES for a table: on PostgreSQL, unless Citus distributes the table.

    Citus sends INSERT ... SELECT through the coordinator, which takes 4 to 8 times as long as VALUES. Each process
    queries this once, with a cursor of the driver, so that it is not one of the statements of a write.
    """
    connection = connections[using]
    if connection.vendor != "postgresql":
        return False
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('pg_dist_partition') IS NULL")
        if cursor.fetchone()[0]:
            return True
        cursor.execute("SELECT NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = %s::regclass)", [table])
        return bool(cursor.fetchone()[0])


def record_set(
    using: str, model: type[models.Model], names: tuple[str, ...], rows: Iterable[Sequence[Any]]
) -> RecordSet:
    """Return rows with these columns as a record set. A value that all rows share is one more parameter."""
    expressions, declarations, shared = [], [], []
    varying: dict[str, Iterable[Any]] = {}
    for name, column, values in zip(names, _columns(using, model, names), zip(*rows, strict=True), strict=True):
        first = values[0]
        # Floats are not compared: 0.0 equals -0.0. The last column is a record's, because a record needs a column.
        is_shared = type(first) is not float and values.count(first) == len(values)
        if is_shared and name != names[-1]:
            expressions.append(f"%s::{column.kind}")
            shared.append(first)
            continue
        expressions.append(column.expression)
        declarations.append(column.declaration)
        varying[column.name] = column.convert(values) if column.convert else values
    keys = tuple(varying)
    records = [dict(zip(keys, record, strict=True)) for record in zip(*varying.values(), strict=True)]
    source = f"FROM json_to_recordset(%s::json) AS record({', '.join(declarations)})"
    return RecordSet(expressions, source, [*shared, _encode(records)])


@cache
def _columns(using: str, model: type[models.Model], names: tuple[str, ...]) -> list[Column]:
    return [_column(using, f"c{index}", model._meta.get_field(name)) for index, name in enumerate(names)]


def _column(using: str, name: str, field: Any) -> Column:
    kind = field.db_type(connections[using])
    if isinstance(field, models.BinaryField):
        return Column(name, kind, f"decode(record.{name}, 'hex')", f"{name} text", _in_hex)
    if isinstance(field, models.CharField | models.TextField):
        # A cast to varchar(n) truncates a longer text; the assignment to the column raises an error.
        kind = "text"
    convert = _as_text if isinstance(field, models.DateTimeField) else None
    return Column(name, kind, f"record.{name}", f"{name} {kind}", convert)


def _in_hex(values: Iterable[bytes | None]) -> list[str | None]:
    return [None if value is None else value.hex() for value in values]


def _as_text(values: Iterable[object | None]) -> list[str | None]:
    return [None if value is None else str(value) for value in values]
