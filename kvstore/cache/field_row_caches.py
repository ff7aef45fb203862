"""The caches of the scopes that have one row for each field."""

from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import Any, ClassVar

from django.db import router
from opaque_keys.edx.keys import LearningContextKey
from xblock.runtime import KeyValueStore

from kvstore.cache.base import FieldOwner, ScopeCache, check_usage_owner
from kvstore.conf import conf
from kvstore.exceptions import CorruptState, UnusableKey
from kvstore.keys import MAX_FAMILY_LENGTH, MAX_TYPE_LENGTH, block_address, checked_name
from kvstore.models import FieldRow, PreferencesField, UserInfoField, UserStateSummaryField
from kvstore.storage.field_rows import FieldAddress, StoredField, delete_field, write_fields
from kvstore.storage.reading import stored_text
from kvstore.versioning import codec
from kvstore.versioning.sql import chunked

Columns = tuple[tuple[str, Any], ...]
"""the columns, with their values, that identify the owner of a field"""


class FieldValues:
    """The stored fields of one owner. Each read parses the text again."""

    def __init__(self, table: str) -> None:
        self._table = table
        self.rows: dict[str, StoredField] = {}

    def __contains__(self, name: object, /) -> bool:
        return name in self.rows

    def get(self, name: str) -> Any:
        row = self.rows[name]
        try:
            return codec.loads(row.text)
        except ValueError as error:
            raise CorruptState(self._table, [row.row_id], 1, str(error)) from error

    def modified(self, name: str) -> datetime | None:
        return self.rows[name].modified if name in self.rows else None


class FieldRowCache(ScopeCache[Columns, FieldValues]):
    """The loaded fields of a scope with one row for each field."""

    model: ClassVar[type[FieldRow]]

    def __init__(self, user: Any) -> None:
        super().__init__()
        self._user = user

    def write(self, values: Collection[tuple[KeyValueStore.Key, Any]]) -> Callable[[], None]:
        addresses = {FieldAddress(self.address(key), key.field_name): value for key, value in values}
        rows = write_fields(self.model, addresses)

        def update_cache() -> None:
            for address, row in rows.items():
                fields = self.cached(address.columns)
                # An owner that is not loaded may have other stored fields.
                if fields is not None:
                    fields.rows[address.field_name] = row

        return update_cache

    def delete(self, key: KeyValueStore.Key) -> None:
        columns = self.address(key)
        delete_field(self.model, FieldAddress(columns, key.field_name))
        self._loaded[columns].rows.pop(key.field_name, None)

    def _load(self, addresses: list[Columns]) -> dict[Columns, FieldValues]:
        loaded = {columns: self._empty() for columns in addresses}
        for chunk in chunked(addresses, conf.KVSTORE_CHUNK_SIZE):
            for columns, field_name, *row in self._rows(chunk):
                # The lists of families and types also select other combinations of them.
                if columns in loaded:
                    loaded[columns].rows[field_name] = StoredField(*row)
        return loaded

    def _rows(self, chunk: list[Columns]) -> Iterator[tuple[Any, ...]]:
        names = [name for name, _ in chunk[0]]
        filters = {f"{name}__in": {dict(columns)[name] for columns in chunk} for name in names}
        # Not from a replica, as for user_state.
        rows = self.model._base_manager.using(router.db_for_write(self.model)).filter(**filters)
        for values in rows.values_list(*map(stored_text, names), "field_name", "id", "value", "modified"):
            yield tuple(zip(names, values, strict=False)), *values[len(names) :]

    def _empty(self) -> FieldValues:
        return FieldValues(self.model._meta.db_table)


class UserStateSummaryCache(FieldRowCache):
    """The ``user_state_summary`` fields of blocks, which all learners share."""

    model = UserStateSummaryField
    shared = True

    def __init__(self, user: Any, course_key: LearningContextKey) -> None:
        super().__init__(user)
        self._course_key = course_key

    def address(self, owner: FieldOwner) -> Columns:
        check_usage_owner(owner)
        return (("usage_id", block_address(owner.block_scope_id, self._course_key).usage_key),)


class PreferencesCache(FieldRowCache):
    """A learner's ``preferences`` fields of block types."""

    model = PreferencesField

    def address(self, owner: FieldOwner) -> Columns:
        return (
            ("student_id", self._user.pk),
            ("block_family", checked_name(owner.block_family, "block family", MAX_FAMILY_LENGTH)),
            ("module_type", checked_name(owner.block_scope_id, "block type", MAX_TYPE_LENGTH)),
        )


class UserInfoCache(FieldRowCache):
    """A learner's ``user_info`` fields."""

    model = UserInfoField

    def address(self, owner: FieldOwner) -> Columns:
        if owner.block_scope_id is not None:
            raise UnusableKey(
                f"The key of a user_info field names the block {owner.block_scope_id!r:.100}; pass None instead."
            )
        return (
            ("student_id", self._user.pk),
            ("block_family", checked_name(owner.block_family, "block family", MAX_FAMILY_LENGTH)),
        )
