"""Locks and writes rows of StudentModule as plain values, without model instances and keys."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Any

from django.db.models import Model, QuerySet

from kvstore.keys import BlockAddress
from kvstore.signals import StateVersion
from kvstore.versioning import sql
from kvstore.versioning.record_sets import MIN_RECORDS, suits_record_sets
from kvstore.versioning.versions import COLUMNS, IDENTITY, NEW_COLUMNS, VERSION_COLUMNS, Row


def lock(
    model: type[Model], student_id: int, addresses: Collection[BlockAddress], using: str
) -> dict[tuple[str, str], Row]:
    """Lock a learner's rows of these blocks, in the order of ids, and return them by course and usage key."""
    conditions = [
        sql.one_of("student_id", [student_id], using),
        sql.one_of("module_state_key", [address.usage_key for address in addresses], using),
        sql.one_of("course_id", {address.course_id for address in addresses}, using),
    ]
    found = [Row(*columns) for columns in sql.select(model, COLUMNS, conditions, using, lock=True)]
    return {(row.course_id, row.module_state_key): row for row in found}


def lock_by_id(model: type[Model], row_id: int, using: str) -> Row | None:
    """Lock the row with this id and return it, or None if it does not exist."""
    found = sql.select(model, COLUMNS, [sql.one_of("id", [row_id], using)], using, lock=True)
    return Row(*found[0]) if found else None


def insert(model: type[Model], rows: Sequence[Row], using: str) -> None:
    """Insert rows in one statement and set their ids; either all or none of them have ids already."""
    columns = NEW_COLUMNS if rows[0].id is None else COLUMNS
    ids = sql.insert(model, columns, list(map(attrgetter(*columns), rows)), using)
    for row, row_id in zip(rows, ids, strict=False):
        row.id = row_id
    if rows[0].id is None:
        _look_up_ids(model, rows, using)


def update(model: type[Model], rows: Sequence[Row], using: str) -> None:
    """Write the next versions of locked rows in one statement."""
    if len(rows) == 1:
        sql.update(model, rows[0].id, {name: getattr(rows[0], name) for name in VERSION_COLUMNS}, using)
    elif len(rows) >= MIN_RECORDS and suits_record_sets(using, model._meta.db_table):
        columns = ("id", *VERSION_COLUMNS)
        sql.update_many(model, columns, list(map(attrgetter(*columns), rows)), using)
    else:
        # The rows exist and are locked, so every insert conflicts on its id and becomes an update. An UPDATE with a
        # CASE for each row takes time quadratic in their number.
        values = list(map(attrgetter(*COLUMNS), rows))
        sql.upsert(model, COLUMNS, values, using, unique_columns=("id",), update_columns=VERSION_COLUMNS)


def with_ids(made: Sequence[StateVersion], rows: Sequence[Row]) -> list[StateVersion]:
    return [
        version if version.student_module_id == row.id else version._replace(student_module_id=row.id)
        for version, row in zip(made, rows, strict=True)
    ]


def _look_up_ids(model: type[Model], rows: Sequence[Row], using: str) -> None:
    """Set the ids of rows on MySQL, which does not return them."""
    filters = {f"{name}__in": {getattr(row, name) for row in rows} for name in IDENTITY}
    stored: QuerySet[Any] = QuerySet(model, using=using)
    found = {(instance.student_id, *instance.address): instance.pk for instance in stored.filter(**filters)}
    for row in rows:
        row.id = found[row.student_id, row.course_id, row.module_state_key]
