"""Loads a learner's fields of many blocks with one query for each scope, and writes them by scope."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from django.db import DatabaseError, router
from opaque_keys.edx.keys import LearningContextKey
from xblock.runtime import KeyValueStore

from kvstore.cache.base import FieldOwner, Fields, ScopeCache
from kvstore.cache.blocks import Block, descendants, dynamic_children, kinds
from kvstore.cache.field_row_caches import PreferencesCache, UserInfoCache, UserStateSummaryCache
from kvstore.cache.user_state import StateFields, UserStateCache
from kvstore.client import known_learner_id
from kvstore.exceptions import AnotherLearner, ReadOnlyState, SaveFailed, UnsupportedScope
from kvstore.keys import checked_name
from kvstore.models import StudentModule
from kvstore.storage import scopes
from kvstore.storage.scopes import ScopeKey
from kvstore.versioning import codec
from kvstore.versioning.transactions import in_transaction

Key: TypeAlias = KeyValueStore.Key

NO_FIELDS = StateFields()


class FieldDataCache:
    """One learner's stored fields of blocks and of their asides of these types.

    The constructor takes one query for each scope and chunk of blocks. Fields of other blocks are loaded on the first
    read, so that only missing fields are reported as missing.

    For an anonymous ``user``, every field is missing and nothing is stored. With ``read_only``, every write raises
    ReadOnlyState. Raises UnknownLearner for an unsaved ``user``.
    """

    def __init__(
        self,
        blocks: Iterable[Block],
        course_id: LearningContextKey,
        user: Any,
        asides: Iterable[str] | None = None,
        *,
        read_only: bool = False,
    ) -> None:
        self.user = user
        self.course_id = course_id
        self.read_only = read_only
        self._learner_id = known_learner_id(user)
        self._aside_types = list(asides or ())
        # In the order of writes. Shared fields are last, so that other learners wait for their locks the shortest time.
        self._caches: dict[ScopeKey, ScopeCache[Any, Any]] = {
            scopes.USER_STATE: UserStateCache(user, course_id),
            scopes.PREFERENCES: PreferencesCache(user),
            scopes.USER_INFO: UserInfoCache(user),
            scopes.USER_STATE_SUMMARY: UserStateSummaryCache(user, course_id),
        }
        self._last: tuple[Any, ScopeCache[Any, Any] | None] = (None, None)
        self.add_blocks_to_cache(blocks)

    @classmethod
    def cache_for_block_descendants(
        cls,
        course_id: LearningContextKey,
        user: Any,
        block: Block,
        depth: int | None = None,
        block_filter: Callable[[Block], bool] = lambda block: True,
        asides: Iterable[str] | None = None,
        *,
        read_only: bool = False,
    ) -> FieldDataCache:
        """Return a cache for ``block`` and its descendants. See :meth:`add_block_descendants`."""
        cache = cls([], course_id, user, asides, read_only=read_only)
        cache.add_block_descendants(block, depth, block_filter)
        return cache

    def add_block_descendants(
        self,
        block: Block,
        depth: int | None = None,
        block_filter: Callable[[Block], bool] = lambda block: True,
    ) -> None:
        """Load ``block`` and its descendants that pass the filter, down to ``depth`` levels (None: all).

        A block with ``has_dynamic_children()`` and ``get_child_blocks()`` is asked for its children after its state is
        loaded.
        """
        blocks, dynamic = descendants([(block, depth)], block_filter)
        self.add_blocks_to_cache(blocks)
        while dynamic:
            blocks, dynamic = descendants(dynamic_children(dynamic), block_filter)
            self.add_blocks_to_cache(blocks)

    # Open edX uses this spelling.
    cache_for_block_descendents = cache_for_block_descendants
    add_block_descendents = add_block_descendants

    def add_blocks_to_cache(self, blocks: Iterable[Block]) -> None:
        """Load the fields of more blocks, unless they are loaded."""
        if self._learner_id is None:
            return
        by_kind = kinds(blocks, self._aside_types)
        for scope, cache in self._caches.items():
            declared: list[FieldOwner] = []
            for kind, usage_ids in by_kind.items():
                owners = kind.owners(scope, usage_ids)
                if scope in kind.scopes:
                    declared.extend(owners)
                # user_info belongs to no block, so never assume it empty.
                elif scope != scopes.USER_INFO:
                    cache.assume_empty(owners)
            cache.prefetch(declared)

    def get(self, key: Key) -> Any:
        """Return a copy of the field's value. Raises KeyError or CorruptState."""
        return self._fields(key).get(key.field_name)

    def has(self, key: Key) -> bool:
        """Return whether the field has a stored value. Raises CorruptState."""
        return key.field_name in self._fields(key)

    def last_modified(self, key: Key) -> datetime | None:
        """Return the time of the last write of the field's row in UTC, or None if the field is missing."""
        modified: datetime | None = self._fields(key).modified(key.field_name)
        return modified

    def set(self, key: Key, value: Any) -> None:
        """Store one value. See :meth:`set_many`."""
        self.set_many({key: value})

    def set_many(self, values: Mapping[Key, Any]) -> None:
        """Store all values or none, in one transaction, then update the cache.

        Raises UnstorableValue, UnusableKey, CorruptState or ReadOnlyState before anything is written, and SaveFailed
        with empty ``saved_field_names`` if the database refuses.
        """
        # Pairs, because the hash of a key is slow.
        by_cache: dict[ScopeCache[Any, Any], list[tuple[Key, Any]]] = defaultdict(list)
        for key, value in values.items():
            cache = self._checked_for_writing(key)
            where = codec.FieldName(key.field_name, key.block_scope_id)
            by_cache[cache].append((key, codec.storable(value, where)))
        if values and self._learner_id is not None:
            self._write([(cache, by_cache[cache]) for cache in self._caches.values() if cache in by_cache])

    def delete(self, key: Key) -> None:
        """Delete the field's stored value. Raises KeyError."""
        cache = self._checked_for_writing(key)
        if not self.has(key):
            raise KeyError(key.field_name)
        cache.delete(key)

    def _write(self, writes: list[tuple[ScopeCache[Any, Any], list[tuple[Key, Any]]]]) -> None:
        def write() -> list[Callable[[], None]]:
            return [cache.write(values) for cache, values in writes]

        try:
            # The write of a single scope is one transaction already.
            using = router.db_for_write(StudentModule)
            updates = in_transaction(write, using=using) if len(writes) > 1 else write()
        except DatabaseError as error:
            raise SaveFailed([], str(error)) from error
        for update_cache in updates:
            update_cache()

    def _fields(self, key: Key) -> Fields:
        cache = self._cache(key)
        return NO_FIELDS if self._learner_id is None else cache.fields(key)

    def _cache(self, key: Key) -> ScopeCache[Any, Any]:
        # Most keys have the scope of the previous key, and the hash of a scope is slow.
        scope, cache = self._last
        if scope is not key.scope:
            cache = self._caches.get(scopes.scope_key(key.scope))
            self._last = key.scope, cache
        if cache is None:
            raise UnsupportedScope(key.scope, list(scopes.SUPPORTED.values()))
        if not cache.shared and key.user_id != self._learner_id:
            raise AnotherLearner(
                f"Field {key.field_name!r} belongs to user {key.user_id!r}, but this FieldDataCache to user "
                f"{self._learner_id!r}; make a FieldDataCache for the user of the field."
            )
        return cache

    def _checked_for_writing(self, key: Key) -> ScopeCache[Any, Any]:
        cache = self._cache(key)
        if self.read_only:
            raise ReadOnlyState(
                f"Field {key.field_name!r} of {key.block_scope_id} was loaded read-only; make a FieldDataCache without "
                "read_only to write it."
            )
        checked_name(key.field_name, "field name")
        cache.address(key)
        return cache
