"""Writes the scopes that have one row for each field."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db import router
from django.utils import timezone

from kvstore.models import FieldRow
from kvstore.versioning import codec
from kvstore.versioning.sql import upsert
from kvstore.versioning.transactions import in_transaction


class FieldAddress(NamedTuple):
    """The columns, with their values, that identify the owner of a field, and the name of the field."""

    columns: tuple[tuple[str, Any], ...]
    field_name: str

    @property
    def filters(self) -> dict[str, Any]:
        return {**dict(self.columns), "field_name": self.field_name}


class StoredField(NamedTuple):
    """The stored columns of one field."""

    row_id: int
    """0 after a write if the database does not return ids"""
    text: str
    modified: datetime


def write_fields(model: type[FieldRow], values: Mapping[FieldAddress, Any]) -> dict[FieldAddress, StoredField]:
    """Insert or update every field in one statement, and return the stored fields. The values must be storable.

    The last of two concurrent writes of one field wins. Raises WriteConflict or the error of the database; then
    nothing is stored.
    """
    # The same order in every write prevents deadlocks.
    addresses = sorted(values, key=repr)
    texts = [codec.dumps(values[address]) for address in addresses]
    now = timezone.now()
    unique = tuple(addresses[0].filters)
    rows = [(*address.filters.values(), text, now, now) for address, text in zip(addresses, texts, strict=True)]
    using = router.db_for_write(model)

    def write() -> list[int]:
        columns = (*unique, "value", "created", "modified")
        return upsert(model, columns, rows, using, unique_columns=unique, update_columns=("value", "modified"))

    ids = in_transaction(write, using=using, savepoint=False) or [0] * len(rows)
    return {
        address: StoredField(row_id, text, now) for address, row_id, text in zip(addresses, ids, texts, strict=True)
    }


def delete_field(model: type[FieldRow], address: FieldAddress) -> None:
    using = router.db_for_write(model)
    rows = model._base_manager.using(using).filter(**address.filters)
    in_transaction(rows.delete, using=using, savepoint=False)
