"""One INSERT for any number of rows, with or without an update where they conflict.

``bulk_create`` would split it where it takes SQLite's limit of parameters for lower than it is, and open a
transaction around a single statement.
"""

from collections.abc import Collection, Sequence

from django.db import connections
from django.db.models import Model
from django.db.models.constants import OnConflict
from django.db.models.sql import InsertQuery


def insert(rows: Sequence[Model], using: str) -> None:
    """Insert rows in one statement and give them their ids, where the database tells them.

    Either all or none of them have ids already.
    """
    _execute(InsertQuery(type(rows[0])), rows, using)


def upsert(
    rows: Sequence[Model], using: str, *, unique_fields: Collection[str], update_fields: Collection[str]
) -> None:
    """Insert rows in one statement; where one is there already, update these columns of it."""
    meta = rows[0]._meta
    by_target = connections[using].features.supports_update_conflicts_with_target
    query = InsertQuery(
        type(rows[0]),
        on_conflict=OnConflict.UPDATE,
        update_fields=[meta.get_field(name) for name in update_fields],
        # MySQL looks at every unique constraint, and takes none by name.
        unique_fields=[meta.get_field(name) for name in unique_fields] if by_target else [],
    )
    _execute(query, rows, using)


def upsert_unless_later(
    rows: Sequence[Model], using: str, *, unique_fields: Collection[str], update_fields: Collection[str], moment: str
) -> int:
    """Insert rows in one statement; where one is there already, update it unless its ``moment`` is later.

    Return how many of them the table now says what ``rows`` say. MySQL has no condition there, so it updates all.
    """
    connection = connections[using]
    if not connection.features.supports_update_conflicts_with_target:
        upsert(rows, using, unique_fields=unique_fields, update_fields=update_fields)
        return len(rows)
    meta = rows[0]._meta
    query = InsertQuery(
        type(rows[0]),
        on_conflict=OnConflict.UPDATE,
        update_fields=[meta.get_field(name) for name in update_fields],
        unique_fields=[meta.get_field(name) for name in unique_fields],
    )
    query.insert_values([field for field in meta.concrete_fields if not field.primary_key], list(rows))
    ((statement, parameters),) = query.get_compiler(using=using).as_sql()
    table, column = map(connection.ops.quote_name, (meta.db_table, moment))
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} WHERE {table}.{column} <= EXCLUDED.{column}", parameters)
        count: int = cursor.rowcount
    return count


def _execute(query: InsertQuery, rows: Sequence[Model], using: str) -> None:
    meta = rows[0]._meta
    key = meta.pk
    fields = [field for field in meta.concrete_fields if field is not key or rows[0].pk is not None]
    query.insert_values(fields, list(rows))
    told = connections[using].features.can_return_rows_from_bulk_insert and key not in fields
    returned = query.get_compiler(using=using).execute_sql([key] if told else None)
    for row, columns in zip(rows, returned, strict=False):
        row.pk = columns[0]
    for row in rows:
        row._state.adding = False
        row._state.db = using
