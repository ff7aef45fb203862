"""Reading and writing the scopes that keep one row for each field."""

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
    """Where one field is kept: the columns that say whose it is, by name, and the field's own name."""

    columns: tuple[tuple[str, Any], ...]
    field_name: str

    @property
    def lookup(self) -> dict[str, Any]:
        """The address as filter arguments."""
        return {**dict(self.columns), "field_name": self.field_name}


class StoredField(NamedTuple):
    """One field as its row holds it."""

    row_id: int
    """0 where it was just written and the database does not say which id it gave"""
    text: str
    modified: datetime


def write_fields(model: type[FieldRow], values: Mapping[FieldAddress, Any]) -> dict[FieldAddress, StoredField]:
    """Set every field to its storable value in one statement, whether its row exists or not; return what is stored.

    Two writers of the same field both succeed and the later one stays; of different fields, both stay.
    Raises WriteConflict or the error of the database; then nothing is stored.
    """
    # In one order for every writer, so that two who set the same fields do not wait for each other.
    addresses = sorted(values, key=repr)
    texts = [codec.dumps(values[address]) for address in addresses]
    now = timezone.now()
    unique = tuple(addresses[0].lookup)
    rows = [(*address.lookup.values(), text, now, now) for address, text in zip(addresses, texts, strict=True)]
    using = router.db_for_write(model)

    def write() -> list[int]:
        columns = (*unique, "value", "created", "modified")
        return upsert(model, columns, rows, using, unique_columns=unique, update_columns=("value", "modified"))

    ids = in_transaction(write, using=using, savepoint=False) or [0] * len(rows)
    return {
        address: StoredField(row_id, text, now) for address, row_id, text in zip(addresses, ids, texts, strict=True)
    }


def delete_field(model: type[FieldRow], address: FieldAddress) -> None:
    """Delete the row of one field; it may be gone already."""
    using = router.db_for_write(model)
    rows = model._base_manager.using(using).filter(**address.lookup)
    in_transaction(rows.delete, using=using, savepoint=False)
