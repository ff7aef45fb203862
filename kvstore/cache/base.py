"""The base class of the caches of all scopes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Iterable
from contextlib import suppress
from datetime import datetime
from itertools import chain
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

from opaque_keys.edx.asides import AsideUsageKey
from xblock.runtime import KeyValueStore

from kvstore.exceptions import UnusableKey
from kvstore.keys import BLOCK_FAMILY


class FieldOwner(NamedTuple):
    """The owner of fields. A key of XBlock has the same attributes and is accepted in its place."""

    block_scope_id: Any
    """a usage key, a block type or None"""
    block_family: str
    """the entry point of blocks or of asides"""


class Fields(Protocol):
    """The stored fields of one owner. Every method raises CorruptState if the stored text is not JSON."""

    def __contains__(self, name: object, /) -> bool: ...

    def get(self, name: str) -> Any:
        """Return a copy of the field's value. Raises KeyError."""

    def modified(self, name: str) -> datetime | None:
        """Return the time of the last write of the field's row, or None if the field is missing."""


AddressT = TypeVar("AddressT", bound=Hashable)
FieldsT = TypeVar("FieldsT", bound=Fields)


class ScopeCache(ABC, Generic[AddressT, FieldsT]):
    """The loaded fields of one scope. Writes go to the database first.

    Owners are indexed by address: text compares faster than keys.
    """

    shared: ClassVar[bool] = False
    """whether all learners share the fields"""

    def __init__(self) -> None:
        self._loaded: dict[AddressT, FieldsT] = {}
        self._assumed: set[AddressT] = set()
        self._undeclared: list[Iterable[FieldOwner]] = []
        self._last: tuple[Any, str, FieldsT] | None = None

    def prefetch(self, owners: Iterable[FieldOwner]) -> None:
        """Load the fields of these owners, unless loaded, with one query for each chunk. Raises UnusableKey."""
        self._prefetch(map(self.address, owners))

    def assume_empty(self, owners: Iterable[FieldOwner]) -> None:
        """Treat these owners as having no fields in this scope, unless a block that declares some is added later."""
        self._undeclared.append(owners)

    def fields(self, key: KeyValueStore.Key) -> FieldsT:
        """Return the fields of the key's owner, and load them if necessary."""
        # Blocks read their fields in sequence, so most keys have the owner of the previous key.
        last = self._last
        if last is not None and key.block_scope_id is last[0] and key.block_family == last[1]:
            return last[2]
        address = self.address(key)
        fields = self._loaded.get(address) or self.cached(address)
        if fields is None:
            self._prefetch([address])
            fields = self._loaded[address]
        self._last = (key.block_scope_id, key.block_family, fields)
        return fields

    def cached(self, address: AddressT) -> FieldsT | None:
        """Return cached fields, empty fields for an owner assumed empty, or None if not loaded."""
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
        """Replace the cached fields. None drops them; the next read queries again."""
        self._last = None
        self._loaded.pop(address, None)
        if fields is not None:
            self._loaded[address] = fields

    def _assumed_empty(self) -> set[AddressT]:
        # Blocks rarely read undeclared fields, so the addresses are computed on the first such read.
        for owner in chain.from_iterable(self._undeclared):
            # A read with an unusable key raises the error.
            with suppress(UnusableKey):
                address = self.address(owner)
                if address not in self._loaded:
                    self._assumed.add(address)
        self._undeclared.clear()
        return self._assumed

    @abstractmethod
    def address(self, owner: FieldOwner) -> AddressT:
        """Return the stored columns that identify an owner. Raises UnusableKey."""

    @abstractmethod
    def write(self, values: Collection[tuple[KeyValueStore.Key, Any]]) -> Callable[[], None]:
        """Store these values, which must be storable, and return a function that caches them after the commit."""

    @abstractmethod
    def delete(self, key: KeyValueStore.Key) -> None:
        """Delete the field from the database, then from the cache."""

    @abstractmethod
    def _load(self, addresses: list[AddressT]) -> dict[AddressT, FieldsT]:
        """Return the stored fields of each address, empty fields without a row."""

    @abstractmethod
    def _empty(self) -> FieldsT:
        """Return empty fields."""


def check_usage_owner(owner: FieldOwner) -> None:
    """Raise UnusableKey if an aside has the usage key of its block, because their fields would collide."""
    if owner.block_family != BLOCK_FAMILY and not isinstance(owner.block_scope_id, AsideUsageKey):
        raise UnusableKey(
            f"A field of family {owner.block_family} has the key of a block, {owner.block_scope_id}; "
            "make its runtime's id generator return an AsideUsageKeyV2."
        )
