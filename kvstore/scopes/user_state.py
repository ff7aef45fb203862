"""The cache of a learner's own state of blocks: one row for each block."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from opaque_keys.edx.keys import LearningContextKey
from xblock.runtime import KeyValueStore

from kvstore import codec
from kvstore.client import DjangoXBlockUserStateClient
from kvstore.exceptions import CorruptState
from kvstore.keys import BlockAddress, block_address
from kvstore.reading import StoredState, stored_states
from kvstore.scopes.base import Owner, ScopeCache, check_usage_owner


class StateFields:
    """The fields of one block's state, parsed when the first of them is asked for."""

    def __init__(self, stored: StoredState | None = None) -> None:
        self._unparsed = stored
        self._values: dict[str, Any] = {}
        self._modified = stored.modified if stored else None

    def __contains__(self, name: object, /) -> bool:
        return name in self._parsed()

    def get(self, name: str) -> Any:
        return codec.copied(self._parsed()[name])

    def modified(self, name: str) -> datetime | None:
        return self._modified if name in self else None

    def overlay(self, fields: Mapping[str, Any], modified: datetime) -> None:
        """Remember fields that were stored."""
        self._parsed().update(fields)
        self._modified = modified

    def discard(self, name: str, modified: datetime) -> None:
        """Forget a field that was deleted."""
        self._parsed().pop(name, None)
        self._modified = modified

    def _parsed(self) -> dict[str, Any]:
        if self._unparsed is not None:
            self._values = self._unparsed.fields()
            self._unparsed = None
        return self._values


class UserStateCache(ScopeCache[StateFields]):
    """A learner's ``user_state`` fields."""

    def __init__(self, user: Any, course_key: LearningContextKey) -> None:
        super().__init__()
        self._user = user
        self._client = DjangoXBlockUserStateClient(user)
        self._course_key = course_key

    def check(self, key: KeyValueStore.Key) -> None:
        check_usage_owner(key)
        self._address(Owner.of(key))

    def write(self, values: Mapping[KeyValueStore.Key, Any]) -> Callable[[], None]:
        states: dict[Owner, dict[str, Any]] = defaultdict(dict)
        for key, value in values.items():
            states[Owner.of(key)][key.field_name] = value
        addresses = {owner: self._address(owner) for owner in states}
        rows = self._client.overlay(self._user.pk, {addresses[owner]: states[owner] for owner in states})

        def remember() -> None:
            for owner, fields in states.items():
                # A block that was never read stays unread: what was written is not all that it has.
                if owner in self._loaded:
                    self._remember(owner, fields, rows[addresses[owner]].modified)

        return remember

    def _remember(self, owner: Owner, fields: Mapping[str, Any], modified: datetime) -> None:
        try:
            self._loaded[owner].overlay(fields, modified)
        except CorruptState:
            # The row was unreadable when it was loaded and had been mended when it was written: load it again.
            del self._loaded[owner]

    def delete(self, key: KeyValueStore.Key) -> None:
        owner = Owner.of(key)
        address = self._address(owner)
        rows = self._client.remove(self._user.pk, [address], frozenset([key.field_name]))
        if address in rows:
            self._loaded[owner].discard(key.field_name, rows[address].modified)
        else:
            self._loaded[owner] = StateFields()

    def _load(self, owners: list[Owner]) -> dict[Owner, StateFields]:
        addresses = {owner: self._address(owner) for owner in owners}
        stored = stored_states({"student_id": self._user.pk}, list(addresses.values()))
        return {owner: StateFields(stored.get(address[:2])) for owner, address in addresses.items()}

    def _empty(self, owner: Owner) -> StateFields:
        return StateFields()

    def _address(self, owner: Owner) -> BlockAddress:
        return block_address(owner.block_scope_id, self._course_key)
