"""The cache of the scope user_state, which has one row for each block."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from opaque_keys.edx.keys import LearningContextKey
from xblock.runtime import KeyValueStore

from kvstore.cache.base import FieldOwner, ScopeCache, check_usage_owner
from kvstore.exceptions import CorruptState
from kvstore.keys import BlockAddress, block_address
from kvstore.storage.changes import remove_fields, set_fields
from kvstore.storage.reading import StoredState, stored_states
from kvstore.storage.writing import write_states
from kvstore.versioning import codec

HANDED_OUT = object()
"""marks a value already handed to a caller"""


class StateFields:
    """The fields of one block's state, parsed on the first read.

    Most fields are read once in a request, so the first read of a field returns the parsed value itself. A second read
    parses the state again; from then on, reads return copies.
    """

    __slots__ = ("_copy_on_read", "_modified", "_stored", "_values")

    def __init__(self, stored: StoredState | None = None) -> None:
        self._stored = stored
        self._values: dict[str, Any] | None = None if stored else {}
        self._copy_on_read: frozenset[str] = frozenset()
        self._modified = stored.modified if stored else None

    def __contains__(self, name: object, /) -> bool:
        return name in self._parsed()

    def get(self, name: str) -> Any:
        values = self._parsed()
        value = values[name]
        if value is HANDED_OUT:
            self._parse_again(values)
            value = values[name]
        if type(value) is dict or type(value) is list:
            if name in self._copy_on_read:
                return codec.copied(value)
            values[name] = HANDED_OUT
        return value

    def modified(self, name: str) -> datetime | None:
        return self._modified if name in self else None

    def overlay(self, fields: Mapping[str, Any], modified: datetime) -> None:
        self._parsed().update(fields)
        self._copy_on_read |= fields.keys()
        self._modified = modified

    def discard(self, name: str, modified: datetime) -> None:
        self._parsed().pop(name, None)
        self._modified = modified

    def _parsed(self) -> dict[str, Any]:
        if self._values is None:
            self._values = self._stored.fields() if self._stored else {}
        return self._values

    def _parse_again(self, values: dict[str, Any]) -> None:
        again = self._stored.fields() if self._stored else {}
        restored = {name: again[name] for name, value in values.items() if value is HANDED_OUT}
        values |= restored
        self._copy_on_read |= restored.keys()


class UserStateCache(ScopeCache[BlockAddress, StateFields]):
    """A learner's loaded ``user_state`` fields."""

    def __init__(self, user: Any, course_key: LearningContextKey) -> None:
        super().__init__()
        self._user = user
        self._course_key = course_key

    def address(self, owner: FieldOwner) -> BlockAddress:
        check_usage_owner(owner)
        return block_address(owner.block_scope_id, self._course_key)

    def write(self, values: Collection[tuple[KeyValueStore.Key, Any]]) -> Callable[[], None]:
        states: dict[BlockAddress, dict[str, Any]] = defaultdict(dict)
        for key, value in values:
            states[self.address(key)][key.field_name] = value
        changes = {address: set_fields(fields) for address, fields in states.items()}
        rows = write_states(self._user.pk, changes, create=True)

        def update_cache() -> None:
            for address, fields in states.items():
                cached = self.cached(address)
                # A block that is not loaded may have other stored fields.
                if cached is not None:
                    try:
                        cached.overlay(fields, rows[address].modified)
                    except CorruptState:
                        # The row was corrupt when it was loaded, and was repaired before this write.
                        self._replace(address, None)

        return update_cache

    def delete(self, key: KeyValueStore.Key) -> None:
        address = self.address(key)
        rows = write_states(self._user.pk, {address: remove_fields(frozenset([key.field_name]))}, create=False)
        if address in rows:
            self._loaded[address].discard(key.field_name, rows[address].modified)
        else:
            self._replace(address, self._empty())

    def _load(self, addresses: list[BlockAddress]) -> dict[BlockAddress, StateFields]:
        stored = stored_states(self._user.pk, addresses)
        return {address: StateFields(stored.get(address[:2])) for address in addresses}

    def _empty(self) -> StateFields:
        return StateFields()
