"""What the caches of all scopes have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from opaque_keys.edx.asides import AsideUsageKey
from xblock.runtime import KeyValueStore

from kvstore.exceptions import UnusableKey
from kvstore.keys import BLOCK_FAMILY, unversioned


class Owner(NamedTuple):
    """What fields belong to, as XBlock's key says it: a usage key, a block type or nothing, and the family."""

    block_scope_id: Any
    block_family: str

    @classmethod
    def of(cls, key: KeyValueStore.Key) -> "Owner":
        """Return the owner of the field that ``key`` names."""
        return cls(unversioned(key.block_scope_id), key.block_family)


class Fields(Protocol):
    """The stored fields of one owner. Reading them raises CorruptState where the stored text is not JSON."""

    def __contains__(self, name: object, /) -> bool: ...

    def get(self, name: str) -> Any:
        """Return a copy of the field's value. Raises KeyError."""

    def modified(self, name: str) -> datetime | None:
        """Return when the field's row was last written, or None where the field is missing."""


class NoFields:
    """The fields of the anonymous user: none."""

    def __contains__(self, name: object, /) -> bool:
        return False

    def get(self, name: str) -> Any:
        raise KeyError(name)

    def modified(self, name: str) -> datetime | None:
        return None


FieldsT = TypeVar("FieldsT", bound=Fields)


class ScopeCache(ABC, Generic[FieldsT]):
    """The fields of one scope that one request has loaded; every change goes to the database first."""

    def __init__(self) -> None:
        self._loaded: dict[Owner, FieldsT] = {}
        self._assumed: set[Owner] = set()

    def prefetch(self, owners: Iterable[Owner]) -> None:
        """Load all fields of these owners that are not loaded yet, one query for each chunk."""
        missing = [owner for owner in dict.fromkeys(owners) if owner not in self._loaded or owner in self._assumed]
        if missing:
            self._assumed.difference_update(missing)
            self._loaded |= self._load(missing)

    def assume_missing(self, owners: Iterable[Owner]) -> None:
        """Take these owners, which declare no fields here, to have none, until somebody who does asks for them."""
        for owner in owners:
            if owner not in self._loaded:
                self._assumed.add(owner)
                self._loaded[owner] = self._empty(owner)

    def fields(self, key: KeyValueStore.Key) -> FieldsT:
        """Return the fields of the key's owner, loaded now if they are not yet: unread is not missing."""
        owner = Owner.of(key)
        fields = self._loaded.get(owner)
        if fields is None:
            self.check(key)
            self.prefetch([owner])
            fields = self._loaded[owner]
        return fields

    @abstractmethod
    def write(self, values: Mapping[KeyValueStore.Key, Any]) -> Callable[[], None]:
        """Store these values, all storable, and return what to call to remember them when all of a save is stored."""

    @abstractmethod
    def delete(self, key: KeyValueStore.Key) -> None:
        """Delete the field from the database, then forget it."""

    @abstractmethod
    def check(self, key: KeyValueStore.Key) -> None:
        """Raise UnusableKey if no field can be stored under the key."""

    @abstractmethod
    def _load(self, owners: list[Owner]) -> dict[Owner, FieldsT]:
        """Return the fields of every one of these owners, none for an owner without a row."""

    @abstractmethod
    def _empty(self, owner: Owner) -> FieldsT:
        """Return the fields of an owner without a row."""


def check_usage_owner(key: KeyValueStore.Key) -> None:
    """Raise UnusableKey where an aside's field has its block's own usage key, under which the two would collide."""
    if key.block_family != BLOCK_FAMILY and not isinstance(key.block_scope_id, AsideUsageKey):
        raise UnusableKey(
            f"Field {key.field_name!r} of family {key.block_family} has the key of a block, {key.block_scope_id}; "
            "make its runtime's id generator return an AsideUsageKeyV2."
        )
