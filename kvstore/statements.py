"""One INSERT for any number of rows, with or without an update where they conflict.

``bulk_create`` would split it where it takes SQLite's limit of parameters for lower than it is, and open a
transaction around a single statement.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django.db import connections
from django.db.models import Field, Model
from django.db.models.constants import OnConflict
from django.db.models.sql import InsertQuery


def insert(rows: Sequence[Model], using: str) -> None:
    """Insert rows in one statement and give them their ids, where the database tells them."""
    fields = [field for field in rows[0]._meta.concrete_fields if not field.primary_key]
    query = InsertQuery(type(rows[0]))
    _execute(query, fields, rows, using)


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
    known = all(row.pk is not None for row in rows)
    _execute(query, [field for field in meta.concrete_fields if known or not field.primary_key], rows, using)


def _execute(query: InsertQuery, fields: Sequence[Field[Any, Any]], rows: Sequence[Model], using: str) -> None:
    query.insert_values(fields, list(rows))
    key = rows[0]._meta.pk
    told = connections[using].features.can_return_rows_from_bulk_insert and key not in fields
    returned = query.get_compiler(using=using).execute_sql([key] if told else None)
    for row, columns in zip(rows, returned, strict=False):
        row.pk = columns[0]
    for row in rows:
        row._state.adding = False
        row._state.db = using
