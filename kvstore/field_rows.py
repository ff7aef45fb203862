"""Reading and writing the scopes that keep one row for each field."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.db import router

from kvstore import codec
from kvstore.models import FieldRow
from kvstore.statements import upsert
from kvstore.transactions import in_transaction


class FieldAddress(NamedTuple):
    """Where one field is kept: the columns that say whose it is, by name, and the field's own name."""

    columns: tuple[tuple[str, Any], ...]
    field_name: str

    @property
    def lookup(self) -> dict[str, Any]:
        """The address as filter arguments."""
        return {**dict(self.columns), "field_name": self.field_name}


def write_fields(model: type[FieldRow], values: Mapping[FieldAddress, Any]) -> dict[FieldAddress, FieldRow]:
    """Set every field to its storable value in one statement, whether its row exists or not; return the rows.

    Two writers of the same field both succeed and the later one stays; of different fields, both stay.
    Raises WriteConflict or the error of the database; then nothing is stored.
    """
    # In one order for every writer, so that two who set the same fields do not wait for each other.
    rows = {
        address: model(**address.lookup, value=codec.dumps(values[address])) for address in sorted(values, key=repr)
    }
    using = router.db_for_write(model)
    unique_fields = list(next(iter(rows)).lookup)

    def write() -> None:
        upsert(list(rows.values()), using, unique_fields=unique_fields, update_fields=["value", "modified"])

    in_transaction(write, using=using, savepoint=False)
    return rows


def delete_field(model: type[FieldRow], address: FieldAddress) -> None:
    """Delete the row of one field; it may be gone already."""
    using = router.db_for_write(model)
    rows = model._base_manager.using(using).filter(**address.lookup)
    in_transaction(rows.delete, using=using, savepoint=False)
