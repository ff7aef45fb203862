"""The cache of a learner's own state of blocks: one row for each block."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from opaque_keys.edx.keys import LearningContextKey
from xblock.runtime import KeyValueStore

from kvstore.cache.base import Owned, ScopeCache, check_usage_owner
from kvstore.client import DjangoXBlockUserStateClient
from kvstore.exceptions import CorruptState
from kvstore.keys import BlockAddress, block_address
from kvstore.storage.reading import StoredState, stored_states
from kvstore.versioning import codec

HANDED_OUT = object()
"""stands where a value was that somebody has been given"""


class StateFields:
    """The fields of one block's state, parsed when the first of them is asked for.

    Most fields are read once in a request, so who asks first is given what was parsed, to do with as they like. Should
    anybody ask again, the text is parsed a second time, and copies are given of what comes of that.
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
        """Remember fields that were stored."""
        self._parsed().update(fields)
        self._copy_on_read |= fields.keys()
        self._modified = modified

    def discard(self, name: str, modified: datetime) -> None:
        """Forget a field that was deleted."""
        self._parsed().pop(name, None)
        self._modified = modified

    def _parsed(self) -> dict[str, Any]:
        if self._values is None:
            self._values = self._stored.fields() if self._stored else {}
        return self._values

    def _parse_again(self, values: dict[str, Any]) -> None:
        again = self._stored.fields() if self._stored else {}
        given = {name: again[name] for name, value in values.items() if value is HANDED_OUT}
        values |= given
        self._copy_on_read |= given.keys()


class UserStateCache(ScopeCache[BlockAddress, StateFields]):
    """A learner's ``user_state`` fields."""

    def __init__(self, user: Any, course_key: LearningContextKey) -> None:
        super().__init__()
        self._user = user
        self._client = DjangoXBlockUserStateClient(user)
        self._course_key = course_key

    def address(self, owner: Owned) -> BlockAddress:
        check_usage_owner(owner)
        return block_address(owner.block_scope_id, self._course_key)

    def write(self, values: Mapping[KeyValueStore.Key, Any]) -> Callable[[], None]:
        states: dict[BlockAddress, dict[str, Any]] = defaultdict(dict)
        for key, value in values.items():
            states[self.address(key)][key.field_name] = value
        rows = self._client.overlay(self._user.pk, states)

        def remember() -> None:
            for address, fields in states.items():
                self._remember(address, fields, rows[address].modified)

        return remember

    def _remember(self, address: BlockAddress, fields: Mapping[str, Any], modified: datetime) -> None:
        known = self.cached(address)
        # A block that was never read stays unread: what was written is not all that it has.
        if known is None:
            return
        try:
            known.overlay(fields, modified)
        except CorruptState:
            # The row was unreadable when it was loaded and had been mended when it was written: load it again.
            self._replace(address, None)

    def delete(self, key: KeyValueStore.Key) -> None:
        address = self.address(key)
        rows = self._client.remove(self._user.pk, [address], frozenset([key.field_name]))
        if address in rows:
            self._loaded[address].discard(key.field_name, rows[address].modified)
        else:
            self._replace(address, self._empty())

    def _load(self, addresses: list[BlockAddress]) -> dict[BlockAddress, StateFields]:
        stored = stored_states({"student_id": self._user.pk}, addresses)
        return {address: StateFields(stored.get(address[:2])) for address in addresses}

    def _empty(self) -> StateFields:
        return StateFields()
