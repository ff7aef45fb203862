"""What the caches of all scopes have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from opaque_keys.edx.asides import AsideUsageKey
from xblock.runtime import KeyValueStore

from kvstore.exceptions import UnusableKey
from kvstore.keys import BLOCK_FAMILY


class Owned(Protocol):
    """Says what fields belong to, as XBlock's key does."""

    @property
    def block_scope_id(self) -> Any:
        """A usage key, a block type or nothing."""

    @property
    def block_family(self) -> str:
        """Whether they are a block's or an aside's."""


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


AddressT = TypeVar("AddressT", bound=Hashable)
FieldsT = TypeVar("FieldsT", bound=Fields)


class ScopeCache(ABC, Generic[AddressT, FieldsT]):
    """The fields of one scope that one request has loaded; every change goes to the database first.

    Whatever has fields is known here by the address of those: text, which is told apart sooner than keys are.
    """

    shared: ClassVar[bool] = False
    """whether the fields are not one learner's but everybody's"""

    def __init__(self) -> None:
        self._loaded: dict[AddressT, FieldsT] = {}
        self._assumed: set[AddressT] = set()
        self._undeclared: list[Owned] = []
        self._last: tuple[Any, str, FieldsT] | None = None

    def prefetch(self, owners: Iterable[Owned]) -> None:
        """Load all fields of these owners that are not loaded yet, one query for each chunk.

        Raises UnusableKey for one that can have none.
        """
        self._prefetch(map(self.address, owners))

    def assume_empty(self, owners: Iterable[Owned]) -> None:
        """Take these owners, which declare no fields here, to have none, until somebody who does asks for them."""
        self._undeclared.extend(owners)

    def fields(self, key: KeyValueStore.Key) -> FieldsT:
        """Return the fields of the key's owner, loaded now if they are not yet: unread is not missing."""
        # A block reads its fields one after the other, so most of the time they are those of the key before.
        last = self._last
        if last is not None and key.block_scope_id is last[0] and key.block_family == last[1]:
            return last[2]
        address = self.address(key)
        fields = self.cached(address)
        if fields is None:
            self._prefetch([address])
            fields = self._loaded[address]
        self._last = (key.block_scope_id, key.block_family, fields)
        return fields

    def cached(self, address: AddressT) -> FieldsT | None:
        """Return fields that were loaded, or are taken to be none; None where nothing is known of them."""
        fields = self._loaded.get(address)
        if fields is None and address in self._assumed_empty():
            fields = self._loaded[address] = self._empty()
        return fields

    def _prefetch(self, addresses: Iterable[AddressT]) -> None:
        missing = [
            address for address in dict.fromkeys(addresses) if address not in self._loaded or address in self._assumed
        ]
        if missing:
            self._assumed.difference_update(missing)
            self._last = None
            self._loaded |= self._load(missing)

    def _replace(self, address: AddressT, fields: FieldsT | None) -> None:
        """Remember other fields than those loaded; with None, load them again when somebody asks."""
        self._last = None
        self._loaded.pop(address, None)
        if fields is not None:
            self._loaded[address] = fields

    def _assumed_empty(self) -> set[AddressT]:
        # Blocks seldom read what they do not declare, so addresses are worked out when one does.
        for owner in self._undeclared:
            # No field is stored under an unusable key; who reads one is told why.
            with suppress(UnusableKey):
                address = self.address(owner)
                if address not in self._loaded:
                    self._assumed.add(address)
        self._undeclared.clear()
        return self._assumed

    @abstractmethod
    def address(self, owner: Owned) -> AddressT:
        """Return where the fields of an owner, or of a key's, are kept. Raises UnusableKey where none can be."""

    @abstractmethod
    def write(self, values: Mapping[KeyValueStore.Key, Any]) -> Callable[[], None]:
        """Store these values, all storable, and return what to call to remember them when all of a save is stored."""

    @abstractmethod
    def delete(self, key: KeyValueStore.Key) -> None:
        """Delete the field from the database, then forget it."""

    @abstractmethod
    def _load(self, addresses: list[AddressT]) -> dict[AddressT, FieldsT]:
        """Return the fields at every one of these addresses, none where there is no row."""

    @abstractmethod
    def _empty(self) -> FieldsT:
        """Return the fields of an owner without a row."""


def check_usage_owner(owner: Owned) -> None:
    """Raise UnusableKey where an aside's field has its block's own usage key, under which the two would collide."""
    if owner.block_family != BLOCK_FAMILY and not isinstance(owner.block_scope_id, AsideUsageKey):
        raise UnusableKey(
            f"A field of family {owner.block_family} has the key of a block, {owner.block_scope_id}; "
            "make its runtime's id generator return an AsideUsageKeyV2."
        )
